// A machine whose clock is wrong when the collector starts: what is stored is right in the end, and
// reaches as far back as it should.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import {
    candleMs,
    collectorFor,
    query,
    storedCandles,
    trueCandles,
    untilStored,
} from '../support/collect.mjs';
import { binance } from '../support/exchanges/binance.mjs';
import { MarketClock } from '../support/exchanges/clock.mjs';
import { startStandIn } from '../support/exchanges/stand-in.mjs';
import { eventually } from '../support/process.mjs';

const hourMs = 12 * candleMs;
const floor = (time) => time - (time % candleMs);

// A market that began a day before, and runs fast.
const standInOf = (t) =>
    startStandIn(t, binance, {
        clock: new MarketClock({ start: '2025-12-08T00:00:00Z', scale: 500 }),
        limitsTime: 'market',
        symbols: [{ name: 'BTCUSDT', start: '2025-12-07T00:00:00Z' }],
    });

const collectFor = (t, exchange, wrong) =>
    collectorFor(t, {
        standIns: [exchange],
        fast: exchange.clock,
        env: { HEATMAP_LOOKBACK: '1d' },
        ...wrong,
    });

describe("a machine's clock that is wrong at the start", { concurrency: 2 }, () => {
    for (const [what, offMs] of [
        ['a year behind', -365 * 24 * hourMs],
        ['a year ahead', 365 * 24 * hourMs],
        ['30 hours ahead', 30 * hourMs],
        ['20 hours behind', -20 * hourMs],
    ])
        test(`and ${what} is followed when it is set right`, async (t) => {
            const exchange = await standInOf(t);
            const from = floor(exchange.clock.now()) - 20 * hourMs;
            const rightAt = exchange.clock.now() + hourMs;
            const collector = await collectFor(t, exchange, { offMs, rightAt });
            await eventually('two hours', () => exchange.clock.now() > rightAt + hourMs);
            const to = floor(exchange.clock.now());
            await untilStored(collector.database, 'BTCUSDT', from, to);
            await eventually('open interest', async () => {
                const [[count]] = await query(
                    collector.database,
                    `SELECT count(*) FROM open_interest_history
                     WHERE epoch_ms(timestamp) >= ${from} AND epoch_ms(timestamp) < ${to}`,
                );
                return Number(count) === (to - from) / candleMs;
            });
            await collector.stop();
            const stored = await storedCandles(collector.database, 'BTCUSDT');
            assert.deepEqual(
                stored.filter(({ time }) => time >= from && time < to),
                trueCandles(exchange.market('BTCUSDT'), from, to),
            );
            assert.match(collector.logs(), /this machine's clock was set/);
        });

    test('hours ahead, and stays so, does not shorten what is fetched of the past', async (t) => {
        const exchange = await standInOf(t);
        const from = floor(exchange.clock.now()) - 23 * hourMs;
        const wrong = { offMs: 5 * hourMs, rightAt: Number.MAX_SAFE_INTEGER };
        const collector = await collectFor(t, exchange, wrong);
        const to = floor(exchange.clock.now());
        await untilStored(collector.database, 'BTCUSDT', from, to);
        assert.match(collector.logs(), /the exchange's is followed/);
    });
});
