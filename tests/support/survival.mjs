// The model `survival`, written down naively from docs/model.md: for one moment, every candle of
// the lookback and every tier by themselves, from all candles after it. Slow, and easy to check by
// eye.
import { formatDecimal } from './decimal.mjs';
import { candleMs } from './market.mjs';
import { defaultBucket, defaultWeights, levelsOf, parseWeights } from './model.mjs';

const dayMs = 86_400_000;
const reachMs = 3 * dayMs;

// What was open at a full five minutes: by contracts, or else by the value at the price of then.
function contractsAt(market, time) {
    const rows = market.interest.filter((r) => r.time >= time && r.time < time + candleMs);
    const known = rows.find((r) => r.contracts > 0n);
    if (known) return Number(known.contracts) / 1e8;
    const values = rows.map((r) => r.value).filter((value) => value > 0n);
    if (values.length === 0) return undefined;
    const average = Number(values.reduce((a, b) => a + b, 0n)) / values.length / 1e8;
    const candle = market.candles.find((c) => c.time === time);
    if (candle) return average / (Number(candle.open) / 1e8);
    const before = market.candles.findLast((c) => c.time < time && c.time >= time - dayMs);
    return before && average / (Number(before.close) / 1e8);
}

// Each candle with what it opens (in quote currency) and which share it keeps of all before it.
export function makeFlows(market, { turnover = 0 } = {}) {
    let last;
    // What fell below 0 is no candle, and no import takes it.
    const candles = market.candles.filter((candle) => candle.low > 0n);
    return candles.map((candle) => {
        const flow = { ...candle, opened: 0, kept: 1 };
        const contracts = contractsAt(market, candle.time + candleMs);
        if (contracts === undefined) return flow;
        if (last && candle.time - last.time <= reachMs) {
            const replaced = Math.min(last.contracts / 2, (turnover * Number(candle.volume)) / 1e8);
            const rise = Math.max(0, contracts - last.contracts);
            const fall = Math.max(0, last.contracts - contracts);
            flow.opened = ((rise + replaced) * Number(candle.close)) / 1e8;
            flow.kept = (1 - fall / last.contracts) * (1 - replaced / last.contracts);
        }
        last = { time: candle.time, contracts };
        return flow;
    });
}

const isReached = (isLong, numerator, denominator, candle) =>
    isLong ? candle.low * denominator <= numerator : candle.high * denominator >= numerator;

// What a candle has opened, tier by tier, and what of it is there after each candle up to the last.
function* positions(flows, tiers, lookbackMs) {
    const end = flows.at(-1).time;
    for (const [j, flow] of flows.entries()) {
        if (flow.opened <= 0 || end - flow.time >= lookbackMs) continue;
        const isLong = flow.close >= flow.open;
        const after = flows.slice(j + 1);
        const kept = after.reduce((product, later) => product * later.kept, 1);
        const keptBefore = after.slice(0, -1).reduce((product, later) => product * later.kept, 1);
        for (const { leverage, weight } of tiers) {
            const L = BigInt(leverage);
            const numerator = flow.close * (isLong ? 1000n * L - 996n : 1000n * L + 996n);
            const reached = after.findIndex((c) => isReached(isLong, numerator, 1000n * L, c));
            yield {
                leverage,
                isLong,
                isNew: after.length === 0,
                price: numerator / (1000n * L),
                volume: reached < 0 ? flow.opened * weight * kept : 0,
                isConsumed:
                    reached >= 0 &&
                    reached === after.length - 1 &&
                    flow.opened * weight * keptBefore >= 0.01,
            };
        }
    }
}

// What the server has to say after the newest candle of some flows.
export function momentOf(
    symbol,
    flows,
    { lookbackMs = 7 * dayMs, weights = defaultWeights, bucket, shows = () => true } = {},
) {
    const newest = flows.at(-1);
    const size = bucket ?? defaultBucket(symbol, newest.close);
    const levels = new Map();
    let created = 0;
    let consumed = 0;
    for (const position of positions(flows, parseWeights(weights), lookbackMs)) {
        consumed += position.isConsumed ? 1 : 0;
        if (position.volume < 0.01) continue;
        created += position.isNew ? 1 : 0;
        if (!shows(position.leverage)) continue;
        const price = (position.price / size) * size;
        const level = levels.get(price) ?? { long: 0, short: 0 };
        level[position.isLong ? 'long' : 'short'] += position.volume;
        levels.set(price, level);
    }
    return {
        timestamp: new Date(newest.time).toISOString().replace('.000Z', 'Z'),
        levels: [...levels]
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([price, level]) => ({
                price: Number(formatDecimal(price)),
                long_density: level.long,
                short_density: level.short,
            })),
        current_price: Number(formatDecimal(newest.close)),
        positions_created: created,
        positions_consumed: consumed,
    };
}

// What it has to say of a market, or of a moment in it.
export function expectedSnapshot(market, { at = Infinity, turnover, ...options } = {}) {
    const flows = makeFlows(market, { turnover }).filter((flow) => flow.time <= at);
    return momentOf(market.symbol, flows, options);
}

// One candle after the other: what is there is reached, grows old, is closed in part, is added to.
function* follow(flows, tiers, lookbackMs) {
    let book = [];
    for (const flow of flows) {
        const isLong = flow.close >= flow.open;
        book = book.filter((position) => flow.time - position.time < lookbackMs);
        const left = book.filter((p) => !isReached(p.isLong, p.numerator, p.denominator, flow));
        const consumed = book.length - left.length;
        const added = tiers.map(({ leverage, weight }) => {
            const L = BigInt(leverage);
            return {
                isLong,
                time: flow.time,
                volume: flow.opened * weight,
                numerator: flow.close * (isLong ? 1000n * L - 996n : 1000n * L + 996n),
                denominator: 1000n * L,
            };
        });
        for (const position of left) position.volume *= flow.kept;
        const isThere = (position) => position.volume >= 0.01;
        book = [...left, ...added].filter(isThere);
        yield { flow, book, consumed, created: added.filter(isThere).length };
    }
}

// The history of a market: what it has to say after every candle from `start` to `end`, or after
// the last one of every interval.
export function expectedHistory(
    market,
    {
        start = 0,
        end = Infinity,
        intervalMs = candleMs,
        lookbackMs = 7 * dayMs,
        weights = defaultWeights,
        bucket,
    } = {},
) {
    const flows = makeFlows(market).filter((flow) => flow.time <= end);
    const size = bucket ?? defaultBucket(market.symbol, flows.at(-1).close);
    const moments = [];
    for (const step of follow(flows, parseWeights(weights), lookbackMs)) {
        if (step.flow.time < start) continue;
        const time = Math.floor(step.flow.time / intervalMs) * intervalMs;
        const timestamp = new Date(time).toISOString().replace('.000Z', 'Z');
        if (moments.at(-1)?.timestamp !== timestamp)
            moments.push({ timestamp, positions_created: 0, positions_consumed: 0 });
        const moment = moments.at(-1);
        moment.levels = levelsOf(step.book, size);
        moment.current_price = Number(formatDecimal(step.flow.close));
        moment.positions_created += step.created;
        moment.positions_consumed += step.consumed;
    }
    return moments;
}
