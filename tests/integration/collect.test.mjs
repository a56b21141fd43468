// Live data, from exchanges that stand in to the database: what they served is stored, row by row.
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
import { eventually } from '../support/process.mjs';

const dayMs = 288 * candleMs;
const floor = (time) => time - (time % candleMs);

// A market whose time is the real one: the collector's clock is that of the machine.
const realClock = () => new MarketClock({ start: Date.now(), scale: 1 });

async function standInFor(t, definition, options = {}) {
    const clock = options.clock ?? realClock();
    const start = new Date(clock.now() - 20 * dayMs).toISOString();
    return startStandIn(t, definition, {
        clock,
        ...options,
        symbols: (options.symbols ?? ['BTCUSDT']).map((name) => ({ name, start })),
    });
}

function assertCandles(stored, market, from, to) {
    assert.deepEqual(
        stored.filter(({ time }) => time >= from && time < to),
        trueCandles(market, from, to),
    );
}

function assertInterest(stored, market, from, to, { hasValue = true } = {}) {
    const wanted = [];
    for (let time = from; time < to; time += candleMs) {
        const { contracts, value } = market.interest(time);
        wanted.push({
            time,
            contracts: shown(contracts),
            ...(hasValue && { value: shown(value) }),
        });
    }
    const got = stored
        .filter(({ time }) => time >= from && time < to)
        .map(({ time, contracts, value }) => ({ time, contracts, ...(hasValue && { value }) }));
    assert.deepEqual(got, wanted);
}

describe('back-filling at the start', { concurrency: 2 }, () => {
    for (const [definition, options] of [
        [binance, { interestLabel: 'end' }],
        [binance, { interestLabel: 'start' }],
        [bybit, {}],
        [okx, {}],
    ])
        test(`${definition.name} ${options.interestLabel ?? ''}: all that the lookback needs, row by row`, async (t) => {
            const exchange = await standInFor(t, definition, options);
            const to = floor(exchange.clock.now()) - candleMs;
            const from = to - 2 * dayMs; // the first moment of a map rests on the day before it
            const { database, ...collector } = await collectorFor(t, {
                standIns: [exchange],
                env: { HEATMAP_LOOKBACK: '1d' },
            });
            await untilStored(database, 'BTCUSDT', from, to);
            await eventually('open interest', async () => {
                const rows = await storedInterest(database, 'BTCUSDT');
                return rows.filter(({ time }) => time >= from && time < to).length === 2 * 288;
            });
            await collector.stop();
            const market = exchange.market('BTCUSDT');
            assertCandles(await storedCandles(database, 'BTCUSDT'), market, from, to);
            const interest = await storedInterest(database, 'BTCUSDT');
            assertInterest(interest, market, from, to, { hasValue: definition === binance });
            assert.ok(interest.every(({ source }) => source === definition.name));
            assert.deepEqual(exchange.record.violations, []);
        });

    test('hyperliquid tells candles of the past, and open interest of the present alone', async (t) => {
        const exchange = await standInFor(t, hyperliquid);
        const to = floor(exchange.clock.now()) - candleMs;
        const { database, ...collector } = await collectorFor(t, {
            standIns: [exchange],
            env: { HEATMAP_LOOKBACK: '1d' },
        });
        await untilStored(database, 'BTCUSDT', to - 2 * dayMs, to);
        await collector.stop();
        assertCandles(
            await storedCandles(database, 'BTCUSDT'),
            exchange.market('BTCUSDT'),
            to - 2 * dayMs,
            to,
        );
        assert.deepEqual(exchange.record.violations, []);
    });

    test('what is not kept is not asked for', async (t) => {
        const exchange = await standInFor(t, binance);
        const to = floor(exchange.clock.now()) - candleMs;
        const { database } = await collectorFor(t, {
            standIns: [exchange],
            env: { HEATMAP_LOOKBACK: '2d', RETENTION_CANDLES: '3d' },
        });
        await untilStored(database, 'BTCUSDT', to - 2 * dayMs, to);
        const starts = exchange.record.requests
            .map(({ path }) => new URL(path, 'http://exchange').searchParams.get('startTime'))
            .filter((start) => start !== null);
        assert.ok(starts.length > 0);
        assert.ok(Math.min(...starts) >= to - 3 * dayMs, starts.join());
    });
});
