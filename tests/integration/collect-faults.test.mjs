// What exchanges do wrong, on a clock that runs fast: in the end every row is there as it was,
// once, and the exchange had nothing to object to.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import {
    candleMs,
    collectorFor,
    shown,
    storedCandles,
    storedInterest,
    trueCandles,
    untilStored,
} from '../support/collect.mjs';
import { binance } from '../support/exchanges/binance.mjs';
import { bybit } from '../support/exchanges/bybit.mjs';
import { MarketClock } from '../support/exchanges/clock.mjs';
import { hyperliquid } from '../support/exchanges/hyperliquid.mjs';
import { okx } from '../support/exchanges/okx.mjs';
import { startStandIn } from '../support/exchanges/stand-in.mjs';
import { eventually, sleep } from '../support/process.mjs';

const hourMs = 12 * candleMs;
const scale = 1000; // a candle takes 0.3 s

// An exchange whose market begins a day before the test does.
async function fastStandIn(t, definition, options = {}) {
    const clock = options.clock ?? new MarketClock({ start: '2025-12-08T00:00:00Z', scale });
    return startStandIn(t, definition, {
        limitsTime: 'market',
        symbols: [{ name: 'BTCUSDT', start: '2025-12-07T00:00:00Z' }],
        ...options,
        clock,
    });
}

const collectFast = (t, standIns, options = {}) =>
    collectorFor(t, {
        standIns,
        fast: standIns[0].clock,
        ...options,
        env: { HEATMAP_LOOKBACK: '6h', ...options.env },
    });

// What was asked before the answer that asks to wait could be read does not count.
const violationsOf = ({ record }) =>
    record.violations.filter(
        ({ kind, text }) =>
            kind !== 'retry-after' || Number(/(\d+)(\.\d+)? ms too early/.exec(text)[1]) < 300_000,
    );

const times = (rows, from, to) => rows.filter(({ time }) => time >= from && time < to);

// Waits until the market has come to `to` and all of [from, to) is stored, and compares.
async function assertComplete(collector, exchange, symbol, from, to) {
    const { database } = collector;
    const market = exchange.market('BTCUSDT');
    const count = (to - from) / candleMs;
    await untilStored(database, symbol, from, to);
    if (exchange.definition !== hyperliquid)
        await eventually('open interest', async () => {
            const rows = times(await storedInterest(database, symbol), from, to);
            return rows.length === count;
        });
    assert.deepEqual(
        times(await storedCandles(database, symbol), from, to),
        trueCandles(market, from, to),
        collector.logs(),
    );
    for (const { time, contracts } of times(await storedInterest(database, symbol), from, to))
        if (exchange.definition !== hyperliquid)
            assert.equal(contracts, shown(market.interest(time).contracts));
}

// Each is played by itself for a while, one after the other.
const groups = {
    'answers that fail': [
        { on: 'rest', kind: 'http', status: 429, retryAfter: 600, count: 1 },
        { on: 'rest', kind: 'http', status: 503, count: 4 },
        { on: 'rest', kind: 'html', count: 3 },
        { on: 'rest', kind: 'cut', count: 3 },
        { on: 'rest', kind: 'cut-json', count: 3 },
        { on: 'rest', kind: 'reset', count: 3 },
        { on: 'rest', kind: 'empty', count: 3 },
    ],
    'rows that are odd': [
        { on: 'rest', kind: 'disorder', count: 6 },
        { on: 'rest', kind: 'duplicate', count: 6 },
        { on: 'rest', kind: 'reverse', count: 6 },
        { on: 'rest', kind: 'numbers', count: 6 },
        { on: 'rest', kind: 'texts', count: 6 },
        { on: 'rest', kind: 'without-last', count: 3 },
        { on: 'rest', kind: 'impossible', count: 3 },
        { on: 'rest', kind: 'other-symbol', count: 3 },
    ],
    'sockets that fail': [
        { on: 'connect', kind: 'refuse', count: 2 },
        { on: 'connect', kind: 'reset', count: 2 },
        { on: 'connect', kind: 'silent', count: 1 },
        { on: 'connect', kind: 'closing', count: 1 },
        { on: 'connect', kind: 'no-pong', count: 1 },
        { on: 'reply', kind: 'drop', count: 1 },
        { on: 'reply', kind: 'refuse', count: 1 },
    ],
    'messages that are odd': [
        { on: 'stream', kind: 'cut', chance: 0.2, count: 40 },
        { on: 'stream', kind: 'drop', chance: 0.5, count: 100 },
        { on: 'stream', kind: 'duplicate', chance: 0.5, count: 100 },
        { on: 'stream', kind: 'garbage', chance: 0.2, count: 40 },
        { on: 'stream', kind: 'impossible', chance: 0.2, count: 40 },
    ],
};

// Adds the faults one after the other: each when the one before has been played, or after a while.
async function play(t, exchange, list) {
    let isOver = false;
    t.after(() => (isOver = true));
    for (const fault of list) {
        const played = exchange.faults.add(fault);
        const until = exchange.clock.now() + hourMs;
        while (!isOver && played.hits < fault.count && exchange.clock.now() < until)
            await sleep(10);
        played.end();
    }
    return exchange.clock.now();
}

for (const definition of [binance, bybit, okx, hyperliquid])
    describe(`${definition.name}`, { concurrency: 2 }, () => {
        for (const [what, list] of Object.entries(groups))
            test(`${what}: nothing is lost or doubled`, async (t) => {
                const exchange = await fastStandIn(t, definition);
                const now = exchange.clock.now();
                const from = now - (now % candleMs) - 6 * hourMs;
                const collector = await collectFast(t, [exchange]);
                const end = await play(t, exchange, list);
                const to = end - (end % candleMs);
                await assertComplete(collector, exchange, 'BTCUSDT', from, to);
                assert.deepEqual(violationsOf(exchange), [], collector.logs());
            });
    });

describe('labels of open interest whose meaning changes', { concurrency: 2 }, () => {
    for (const [when, hours] of [
        ['in the past that is fetched', -3],
        ['while it is collected', 2],
    ])
        test(`${when}: each part is dated by itself`, async (t) => {
            const start = Date.parse('2025-12-08T00:00:00Z');
            const changed = start + hours * hourMs;
            const exchange = await fastStandIn(t, binance, { interestLabel: changed });
            const [from, to] = [start - 6 * hourMs, start + 5 * hourMs];
            const collector = await collectFast(t, [exchange]);
            const stored = async () =>
                times(await storedInterest(collector.database, 'BTCUSDT'), from, to);
            await untilStored(collector.database, 'BTCUSDT', from, to);
            // One state is in no row, and a few rows beside it could be of either side.
            const wanted = (to - from) / candleMs - 8;
            await eventually('open interest', async () => (await stored()).length >= wanted);
            const market = exchange.market('BTCUSDT');
            const wrong = (await stored()).filter(
                ({ time, contracts }) => contracts !== shown(market.interest(time).contracts),
            );
            for (const { time } of wrong)
                assert.ok(Math.abs(time - changed) <= 2 * candleMs, new Date(time).toISOString());
            assert.ok(wrong.length <= 2, collector.logs());
        });
});
