// A deterministic market, written as files of the Binance archive and imported by the real binary.
// It holds what a model must not stumble over: candles that touch a liquidation price exactly,
// dojis, jumps, holes and zeros in the open interest, late and doubled stamps, a collapse.
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { formatDecimal, parseDecimal } from './decimal.mjs';
import { run } from './process.mjs';

export const candleMs = 300_000;

// Mulberry32: the same numbers on every machine.
export function makeRandom(seed) {
    let state = seed >>> 0;
    return () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
        mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    };
}

const cent = 1_000_000n; // 0.01

// A step of up to `part` of the price, in whole cents.
function step(price, part, random) {
    return (BigInt(Math.round(Number(price / cent) * part * (2 * random() - 1))) || 0n) * cent;
}

// Prices are BigInt, which Math.max() does not take.
// biome-ignore lint/complexity/useMathMinMax: see above
export const higher = (a, b) => (a > b ? a : b);
// biome-ignore lint/complexity/useMathMinMax: see above
export const lower = (a, b) => (a < b ? a : b);

function makeCandle(time, index, open, random) {
    const close = index % 19 === 18 ? open : open + step(open, 0.004, random);
    let high = higher(open, close) + BigInt(Math.round(random() * 3000)) * cent;
    let low = lower(open, close) - BigInt(Math.round(random() * 3000)) * cent;
    // `open` is the last close: the entry of the positions that the last candle created.
    const touchLow = (open * 99_004n) / 100_000n;
    const touchHigh = (open * 100_996n) / 100_000n;
    if (index % 7 === 3) low = lower(close, touchLow);
    if (index % 11 === 5) high = higher(close, touchHigh);
    return {
        time,
        open,
        high,
        low,
        close,
        volume: BigInt(1 + Math.floor(random() * 1e6)) * 100_000n,
    };
}

// The contracts that a value is, at a price; to a thousandth, as exchanges tell them.
const contractsOf = (value, price) => ((value * 1000n) / price) * 100_000n;

function addInterest(rows, time, index, value, price, random) {
    if (index % 23 === 7) return; // a hole
    if (index % 29 === 11) {
        rows.push({ time, value: 0n, contracts: 0n });
        return;
    }
    const contracts = contractsOf(value, price);
    rows.push({ time: time + (index % 5 === 2 ? 2000 : 0), value, contracts });
    if (index % 13 === 6) {
        const later = value + BigInt(Math.round(random() * 20)) * 10n ** 14n;
        rows.push({ time: time + 150_000, value: later, contracts: contractsOf(later, price) });
    }
}

// Times are epoch milliseconds; prices, volumes, values and contracts BigInt scaled by 10^8.
export function makeMarket({
    symbol = 'BTCUSDT',
    start = '2025-12-01T00:00:00Z',
    candles = 288,
    price = '90000',
    seed = 1,
} = {}) {
    const random = makeRandom(seed);
    const market = { symbol, candles: [], interest: [] };
    let last = parseDecimal(price);
    let value = 5_000_000_000n * 10n ** 8n;
    for (let index = 0; index < candles; index++) {
        const time = Date.parse(start) + index * candleMs;
        const candle = makeCandle(time, index, last, random);
        market.candles.push(candle);
        last = candle.close;
        // Whole steps of a million: differences of values are then exact in doubles.
        value += BigInt(Math.round(30 * (2 * random() - 0.8))) * 10n ** 14n;
        if (index % 97 === 96) value -= 200n * 10n ** 14n; // a part of the book goes
        if (index === 150) value -= 3000n * 10n ** 14n; // all of it does
        addInterest(market.interest, time, index, value, candle.open, random);
    }
    return market;
}

// The part of a market whose candles begin in [from, to).
export function cutMarket(market, from, to = Infinity) {
    const isIn = (row) => row.time >= from && row.time < to;
    return {
        ...market,
        candles: market.candles.filter(isIn),
        interest: market.interest.filter(isIn),
    };
}

const klineHeader =
    'open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,' +
    'taker_buy_quote_volume,ignore';
const metricsHeader =
    'create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio,' +
    'sum_toptrader_long_short_ratio,count_long_short_ratio,sum_taker_long_short_vol_ratio';

export function klinesCsv(
    candles,
    { hasHeader = true, unit = 'ms', end = '\n', isBlank = false } = {},
) {
    const stamp = (ms) => (unit === 'us' ? `${ms}000` : `${ms}`);
    const rest = isBlank ? ',,,' : '123.5,17,60.25,61.75';
    const lines = candles.map(
        (c) =>
            `${stamp(c.time)},${formatDecimal(c.open)},${formatDecimal(c.high)},${formatDecimal(c.low)},` +
            `${formatDecimal(c.close)},${formatDecimal(c.volume)},` +
            `${unit === 'us' ? `${c.time + candleMs - 1}999` : c.time + candleMs - 1},${rest},0`,
    );
    return [...(hasHeader ? [klineHeader] : []), ...lines, ''].join(end);
}

export function metricsCsv(
    symbol,
    interest,
    { hasHeader = true, unit = 'text', end = '\n', isBlank = false } = {},
) {
    const stamp = (ms) =>
        unit === 'ms' ? ms : new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
    const contracts = (row) =>
        isBlank || row.contracts === undefined ? '' : formatDecimal(row.contracts);
    const lines = interest.map(
        (row) =>
            `${stamp(row.time)},${symbol},${contracts(row)},${formatDecimal(row.value)},` +
            `${isBlank ? ',,,' : '1.5,1.25,1.125,0.875'}`,
    );
    return [...(hasHeader ? [metricsHeader] : []), ...lines, ''].join(end);
}

// Writes the archive's layout under `folder`; returns the two paths.
export async function writeMarket(
    folder,
    market,
    { label = '2025-12', klines = {}, metrics = {} } = {},
) {
    const paths = {
        klines: join(folder, market.symbol, 'klines', '5m', `${market.symbol}-5m-${label}.csv`),
        metrics: join(folder, market.symbol, 'metrics', `${market.symbol}-metrics-${label}.csv`),
    };
    await mkdir(join(folder, market.symbol, 'klines', '5m'), { recursive: true });
    await mkdir(join(folder, market.symbol, 'metrics'), { recursive: true });
    await writeFile(paths.klines, klinesCsv(market.candles, klines));
    await writeFile(paths.metrics, metricsCsv(market.symbol, market.interest, metrics));
    return paths;
}

const summaryLine = /^(klines|open interest): (\d+) files?, (\d+) rows read, (\d+) new, (\d+) bad$/;

export function parseSummaries(stdout) {
    const summaries = {};
    for (const line of stdout.split('\n')) {
        const match = summaryLine.exec(line);
        if (match)
            summaries[match[1]] = {
                files: Number(match[2]),
                read: Number(match[3]),
                fresh: Number(match[4]),
                bad: Number(match[5]),
            };
    }
    return summaries;
}

let labels = 0;

// Brings markets into a database, as a user would: files, then `heatcast import`.
export async function importMarkets(folder, database, ...markets) {
    const label = `part${++labels}`;
    const source = join(folder, label);
    for (const market of markets) await writeMarket(source, market);
    const result = await run(['import', source, '--db', database]);
    assert.equal(result.code, 0, result.stderr);
    return parseSummaries(result.stdout);
}
