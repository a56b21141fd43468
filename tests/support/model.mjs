// The model, written down naively from docs/model.md: one position is one object,
// every candle looks at all of them, prices are exact fractions. Slow, and easy to check by eye.
import { candleMs, higher, lower } from './market.mjs';
import { formatDecimal, one } from './decimal.mjs';

export const intervals = {
    '5m': 1,
    '15m': 3,
    '30m': 6,
    '1h': 12,
    '2h': 24,
    '4h': 48,
    '8h': 96,
    '12h': 144,
    '1d': 288,
};
export const defaultWeights = '5:15,10:30,25:25,50:20,100:10';

const floorTo = (time, size) => Math.floor(time / size) * size;

export function parseWeights(text) {
    const tiers = text.split(',').map((item) => item.split(':').map(Number));
    const sum = tiers.reduce((total, [, weight]) => total + weight, 0);
    return tiers.map(([leverage, weight]) => ({ leverage, weight: weight / sum }));
}

// Section 2: the window's candles, aggregated, and one change of open interest each. Both ends are
// open times of 5-minute candles, inclusive; a stamp belongs to the candle in which it falls.
export function makeSeries(market, { start, end, interval = '5m' }) {
    const size = intervals[interval] * candleMs;
    const series = [];
    for (const candle of market.candles.filter((c) => c.time >= start && c.time <= end)) {
        const time = floorTo(candle.time, size);
        const last = series.at(-1);
        if (last?.time === time) {
            last.high = higher(candle.high, last.high);
            last.low = lower(candle.low, last.low);
            last.close = candle.close;
            last.volume += candle.volume;
        } else {
            series.push({ ...candle, time, delta: 0 });
        }
    }
    const buckets = new Map();
    for (const row of market.interest) {
        if (row.time < start || row.time >= end + candleMs || row.value <= 0n) continue;
        const time = floorTo(row.time, size);
        buckets.set(time, [...(buckets.get(time) ?? []), row.value]);
    }
    let previous;
    for (const time of [...buckets.keys()].sort((a, b) => a - b)) {
        const values = buckets.get(time);
        const average = Number(values.reduce((a, b) => a + b, 0n)) / values.length / 1e8;
        const candle = series.find((c) => c.time === time);
        if (candle && previous !== undefined) candle.delta = average - previous;
        previous = average;
    }
    return series;
}

// A liquidation price is entry * numerator / denominator.
function makePosition(isLong, { leverage, weight }, entry, delta) {
    const L = BigInt(leverage);
    return {
        isLong,
        volume: delta * weight,
        numerator: entry * (isLong ? 1000n * L - 996n : 1000n * L + 996n),
        denominator: 1000n * L,
    };
}

// How far the candle went beyond the position's price; 0 is an exact touch, which liquidates.
const reach = (position, candle) =>
    position.isLong
        ? position.numerator - candle.low * position.denominator
        : candle.high * position.denominator - position.numerator;

export function advance(book, candle, weights) {
    const survivors = book.filter((position) => reach(position, candle) < 0n);
    const touched = book.filter((position) => reach(position, candle) === 0n).length;
    const consumed = book.length - survivors.length;
    let created = [];
    if (candle.delta > 0)
        created = weights
            .map((tier) =>
                makePosition(candle.close >= candle.open, tier, candle.close, candle.delta),
            )
            .filter((position) => position.volume > 0);
    let next = [...survivors, ...created];
    const total = next.reduce((sum, position) => sum + position.volume, 0);
    if (candle.delta < 0 && total > 0) {
        const kept = 1 - Math.min(-candle.delta / total, 1);
        for (const position of next) position.volume *= kept;
        next = next.filter((position) => position.volume >= 0.01);
    }
    return { book: next, created: created.length, consumed, touched };
}

export function levelsOf(book, bucket) {
    const levels = new Map();
    for (const position of book) {
        const price = (position.numerator / (position.denominator * bucket)) * bucket;
        const level = levels.get(price) ?? { long: 0, short: 0 };
        level[position.isLong ? 'long' : 'short'] += position.volume;
        levels.set(price, level);
    }
    return [...levels]
        .filter(([, level]) => level.long + level.short > 0)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([price, level]) => ({
            price: Number(formatDecimal(price)),
            long_density: level.long,
            short_density: level.short,
        }));
}

// 100 for bitcoin; otherwise the 1-2-5 step nearest in ratio to a thousandth of the last close.
export function defaultBucket(symbol, close) {
    if (symbol.startsWith('BTC')) return 100n * one;
    const wanted = Number(close) / 1000;
    let best = 1n;
    for (let power = 1n; power <= 10n ** 15n; power *= 10n)
        for (const digit of [1n, 2n, 5n]) {
            const distance = (bucket) => Math.abs(Math.log(Number(bucket) / wanted));
            if (distance(digit * power) < distance(best)) best = digit * power;
        }
    return best;
}

// The snapshot after every candle of a series.
export function replay(symbol, series, { weights = defaultWeights, bucket } = {}) {
    const tiers = parseWeights(weights);
    const size = bucket ?? defaultBucket(symbol, series.at(-1).close);
    let book = [];
    return series.map((candle) => {
        const step = advance(book, candle, tiers);
        book = step.book;
        return {
            timestamp: new Date(candle.time).toISOString().replace('.000Z', 'Z'),
            levels: levelsOf(book, size),
            current_price: Number(formatDecimal(candle.close)),
            positions_created: step.created,
            positions_consumed: step.consumed,
        };
    });
}

// What the server has to say after the newest candle of a market, or after that of a moment.
export function expectedSnapshot(
    market,
    { at = Infinity, lookbackMs = 7 * 86_400_000, ...options } = {},
) {
    const end = market.candles.filter((c) => c.time <= at).at(-1).time;
    return replay(market.symbol, makeSeries(market, { start: end - lookbackMs, end }), options).at(
        -1,
    );
}
