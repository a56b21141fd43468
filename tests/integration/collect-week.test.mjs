// A week unattended, on a clock that runs fast, with exchanges that fail in every way that they
// can, at random: in the end nothing is lost and nothing is there twice.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
    candleMs,
    collectorFor,
    query,
    shown,
    storedCandles,
    storedInterest,
    trueCandles,
    untilStored,
} from '../support/collect.mjs';
import { binance } from '../support/exchanges/binance.mjs';
import { bybit } from '../support/exchanges/bybit.mjs';
import { MarketClock } from '../support/exchanges/clock.mjs';
import { okx } from '../support/exchanges/okx.mjs';
import { startStandIn } from '../support/exchanges/stand-in.mjs';
import { makeRandom } from '../support/market.mjs';
import { eventually, sleep } from '../support/process.mjs';

const hourMs = 12 * candleMs;
const dayMs = 24 * hourMs;
const weekMs = 7 * dayMs;
const scale = 6000; // a week takes 101 s

const faults = [
    { on: 'rest', kind: 'http', status: 503 },
    { on: 'rest', kind: 'http', status: 429, retryAfter: 120 },
    { on: 'rest', kind: 'html' },
    { on: 'rest', kind: 'cut' },
    { on: 'rest', kind: 'cut-json' },
    { on: 'rest', kind: 'reset' },
    { on: 'rest', kind: 'empty' },
    { on: 'rest', kind: 'disorder' },
    { on: 'rest', kind: 'duplicate' },
    { on: 'rest', kind: 'reverse' },
    { on: 'rest', kind: 'without-last' },
    { on: 'rest', kind: 'impossible' },
    { on: 'rest', kind: 'firewall' },
    { on: 'connect', kind: 'refuse' },
    { on: 'connect', kind: 'reset' },
    { on: 'connect', kind: 'silent' },
    { on: 'connect', kind: 'closing' },
    { on: 'connect', kind: 'lifetime', ms: 2 * hourMs },
    { on: 'stream', kind: 'cut', chance: 0.3 },
    { on: 'stream', kind: 'drop', chance: 0.5 },
    { on: 'stream', kind: 'duplicate', chance: 0.5 },
    { on: 'stream', kind: 'garbage', chance: 0.3 },
    { on: 'stream', kind: 'impossible', chance: 0.3 },
    { on: 'reply', kind: 'drop' },
];

// Every few hours of the market something else goes wrong, a few times.
async function misbehave(exchange, seed, until) {
    const random = makeRandom(seed);
    const below = (count) => Math.floor(random() * count);
    while (exchange.clock.now() < until) {
        const fault = faults[below(faults.length)];
        const added = exchange.faults.add({ ...fault, count: 1 + below(6) });
        const next = exchange.clock.now() + (1 + below(4)) * hourMs;
        while (exchange.clock.now() < Math.min(next, until)) await sleep(20);
        added.end();
    }
}

test('a week with random faults: nothing is lost, nothing is there twice', async (t) => {
    const clock = new MarketClock({ start: '2025-12-08T00:00:00Z', scale });
    const options = {
        clock,
        limitsTime: 'market',
        symbols: [{ name: 'BTCUSDT', start: '2025-12-06T00:00:00Z' }],
    };
    const exchanges = [];
    for (const definition of [binance, bybit, okx])
        exchanges.push(await startStandIn(t, definition, options));
    const from = clock.now() - (clock.now() % candleMs);
    const to = from + weekMs;
    const symbolOf = ({ definition }) => `${definition.name.toUpperCase()}:BTCUSDT`;
    const { database, ...collector } = await collectorFor(t, {
        standIns: exchanges,
        symbols: exchanges.map(symbolOf),
        fast: clock,
        env: { HEATMAP_LOOKBACK: '1d' },
    });
    await Promise.all(exchanges.map((exchange, i) => misbehave(exchange, 11 + i, to)));
    for (const exchange of exchanges) {
        const symbol = symbolOf(exchange);
        const market = exchange.market('BTCUSDT');
        await untilStored(database, symbol, from, to);
        await eventually(`open interest of ${symbol}`, async () => {
            const [[count]] = await query(
                database,
                `SELECT count(*) FROM open_interest_history WHERE symbol = '${symbol}'
                 AND epoch_ms(timestamp) >= ${from} AND epoch_ms(timestamp) < ${to}`,
            );
            return Number(count) === weekMs / candleMs;
        });
        const within = ({ time }) => time >= from && time < to;
        assert.deepEqual(
            (await storedCandles(database, symbol)).filter(within),
            trueCandles(market, from, to),
        );
        for (const { time, contracts } of (await storedInterest(database, symbol)).filter(within))
            assert.equal(contracts, shown(market.interest(time).contracts));
    }
    await collector.stop();
});
