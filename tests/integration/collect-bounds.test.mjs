// What must not run away, however long an exchange does wrong: requests, the log, and time.
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';

import {
    candleMs,
    collectorFor,
    query,
    realStandIn,
    settingsFor,
    storedCandles,
    trueCandles,
    tryQuery,
    untilStored,
} from '../support/collect.mjs';
import { binance } from '../support/exchanges/binance.mjs';
import { bybit } from '../support/exchanges/bybit.mjs';
import { MarketClock } from '../support/exchanges/clock.mjs';
import { hyperliquid } from '../support/exchanges/hyperliquid.mjs';
import { okx } from '../support/exchanges/okx.mjs';
import { startStandIn } from '../support/exchanges/stand-in.mjs';
import { get } from '../support/http.mjs';
import { binary, eventually, patienceMs, scratch, sleep, start } from '../support/process.mjs';
import { startServer } from '../support/server.mjs';

const hourMs = 12 * candleMs;
const floor = (time) => time - (time % candleMs);

// A market that began a day before.
async function fastStandIn(t, definition, { scale = 1000, clock, symbols = ['BTCUSDT'] } = {}) {
    return startStandIn(t, definition, {
        clock: clock ?? new MarketClock({ start: '2025-12-08T00:00:00Z', scale }),
        limitsTime: 'market',
        symbols: symbols.map((name) => ({ name, start: '2025-12-07T00:00:00Z' })),
    });
}

const collectFast = (t, standIns, symbols = ['BTCUSDT'], env = {}) =>
    collectorFor(t, {
        standIns,
        symbols,
        fast: standIns[0].clock,
        env: { HEATMAP_LOOKBACK: '1d', ...env },
    });

// Another program that reads, and stays.
async function holdForReading(t, database) {
    const program = join(dirname(binary), 'tests', 'collect_probe');
    for (;;) {
        const reader = start([database, 'stay'], { program, stdin: 'pipe' });
        let text = '';
        reader.stdout.on('data', (chunk) => (text += chunk));
        while (text === '' && reader.exitCode === null) await sleep(10);
        if (text === '') continue; // the file was being written to
        const letGo = () => {
            reader.stdin.end();
            return reader.ended;
        };
        t.after(letGo);
        return { letGo };
    }
}

async function untilPassed(clock, ms) {
    const end = clock.now() + ms;
    await eventually('market time', () => clock.now() >= end);
}

describe('an exchange that does wrong for hours', { concurrency: 2 }, () => {
    test('servers that fail are left alone for as long as they ask', async (t) => {
        const exchange = await fastStandIn(t, binance);
        exchange.faults.add({
            on: 'rest',
            match: 'klines',
            kind: 'http',
            status: 503,
            headers: { 'Retry-After': '1800' },
            count: Infinity,
        });
        await collectFast(t, [exchange]);
        await untilPassed(exchange.clock, 6 * hourMs);
        const asked = exchange.record.requests.filter(({ path }) => path.includes('klines'));
        assert.ok(asked.length > 2 && asked.length < 40, `${asked.length} requests`);
    });

    test('a list of instruments that stays empty is asked for ever more seldom', async (t) => {
        const exchange = await fastStandIn(t, binance);
        const body = '{"timezone":"UTC","rateLimits":[],"symbols":[]}';
        exchange.faults.add({
            on: 'rest',
            match: 'exchangeInfo',
            kind: 'http',
            status: 200,
            body,
            count: Infinity,
        });
        const collector = await collectFast(t, [exchange]);
        await untilPassed(exchange.clock, 3 * hourMs);
        const lists = exchange.record.requests.filter(({ path }) => path.includes('exchangeInfo'));
        assert.ok(lists.length > 2 && lists.length < 3 * 60, `${lists.length} lists`);
        assert.match(collector.logs(), /its list is empty/);
    });

    test('one that wants fewer requests and does not say for how long is asked ever more seldom', async (t) => {
        const exchange = await fastStandIn(t, hyperliquid);
        const ended = exchange.faults.add({
            on: 'rest',
            kind: 'http',
            status: 429,
            count: Infinity,
        });
        const from = floor(exchange.clock.now()) - 6 * hourMs;
        const collector = await collectFast(t, [exchange]);
        await untilPassed(exchange.clock, 4 * hourMs);
        // Four at a time, after 1, 2, 4, 8, and then every 15 minutes.
        const asked = exchange.record.requests.length;
        assert.ok(asked > 4 && asked < 4 * 21, `${asked} requests`);
        ended.end();
        const to = floor(exchange.clock.now());
        await untilStored(collector.database, 'BTCUSDT', from, to);
    });

    test('a clock of another age is not followed, and what it was is still collected', async (t) => {
        const exchange = await fastStandIn(t, binance);
        const from = floor(exchange.clock.now()) - 6 * hourMs;
        const years = 75 * 365 * 24 * hourMs;
        for (const ms of [years, -years / 2])
            exchange.faults.add({ on: 'rest', kind: 'skew', ms, after: 3, count: 3 });
        const collector = await collectFast(t, [exchange]);
        await untilPassed(exchange.clock, hourMs);
        const to = floor(exchange.clock.now());
        await untilStored(collector.database, 'BTCUSDT', from, to);
        await collector.stop();
        const stored = await storedCandles(collector.database, 'BTCUSDT');
        assert.deepEqual(
            stored.filter(({ time }) => time >= from && time < to),
            trueCandles(exchange.market('BTCUSDT'), from, to),
        );
        assert.ok(stored.every(({ time }) => time < exchange.clock.now()));
        assert.match(collector.logs(), /clock is days off/);
    });

    test('messages that are garbage, and sockets that end, are told seldom', async (t) => {
        const exchange = await fastStandIn(t, binance);
        exchange.faults.add({ on: 'stream', kind: 'garbage', count: Infinity });
        const collector = await collectFast(t, [exchange]);
        await untilPassed(exchange.clock, 5 * hourMs);
        await collector.stop();
        const lines = collector.logs().split('\n').length;
        assert.ok(lines < 5 * 60, `${lines} lines:\n${collector.logs().slice(-3000)}`);
    });

    test('subscriptions that stay silent are made again no oftener than the exchange allows', async (t) => {
        const symbols = Array.from({ length: 24 }, (_, i) => `COIN${i}USDT`);
        const exchange = await fastStandIn(t, okx, { scale: 500, symbols });
        const match = /open-interest.*COIN(?!0-)/; // all but one, so that the connection is alive
        exchange.faults.add({ on: 'stream', match, kind: 'drop', count: Infinity });
        await collectFast(t, [exchange], symbols);
        await untilPassed(exchange.clock, 3 * hourMs);
        const { violations, connections } = exchange.record;
        await eventually('subscriptions made again', () =>
            connections.some(({ received }) => received > 300),
        );
        assert.deepEqual(violations, []);
    });

    test('without sockets the candles that form leave room for those of the past', async (t) => {
        const symbols = Array.from({ length: 24 }, (_, i) => `COIN${i}USDT`);
        const exchange = await fastStandIn(t, hyperliquid, { scale: 200, symbols });
        exchange.faults.add({ on: 'connect', kind: 'refuse', count: Infinity });
        await collectFast(t, [exchange], symbols);
        const { requests } = exchange.record;
        const coinOfPast = ({ path }) => {
            const { req } = JSON.parse(path.slice(path.indexOf('{')));
            return req !== undefined && req.endTime - req.startTime > hourMs ? req.coin : undefined;
        };
        await eventually('the past of all', () => {
            const coins = new Set(requests.map(coinOfPast).filter(Boolean));
            return coins.size === symbols.length;
        });
        assert.deepEqual(exchange.record.violations, []);
    });
});

describe('stopping while another program reads the database', () => {
    const symbols = Array.from({ length: 8 }, (_, i) => `COIN${i}USDT`);
    const untilSomeAreStored = (database) =>
        eventually('rows', async () => {
            const rows = await tryQuery(database, 'SELECT count(*) FROM klines_5m_history');
            return rows.length > 0 && Number(rows[0][0]) > 0;
        });

    test('what is lost is told, and is a failure', async (t) => {
        const exchange = await realStandIn(t, bybit, { symbols });
        const database = join(await scratch(t), 'market.duckdb');
        const server = await startServer({
            args: ['--collect'],
            database,
            env: { ...settingsFor([exchange], symbols), HEATMAP_LOOKBACK: '6h' },
        });
        t.after(() => server.stop('SIGKILL'));
        await untilSomeAreStored(database);
        await holdForReading(t, database);
        await eventually('rows wait', async () => {
            const { body } = await get(server.url, { path: '/readyz' });
            return JSON.parse(body).collect?.writing.rows_waiting > 0;
        });
        assert.equal(await server.stop(), 1, server.logs());
        assert.match(
            server.logs(),
            /heatcast: \d+ liquidations, \d+ candles and \d+ rows of open interest could not be written before the end, and are lost: /,
        );
    });

    test('nothing is lost when it lets go in time', async (t) => {
        const exchange = await realStandIn(t, bybit, { symbols });
        const collector = await collectorFor(t, {
            standIns: [exchange],
            symbols,
            env: { HEATMAP_LOOKBACK: '6h' },
        });
        await untilSomeAreStored(collector.database);
        const reader = await holdForReading(t, collector.database);
        await sleep(1000); // something is likely to wait
        collector.process.kill('SIGTERM');
        await eventually('it stops', () => /stopping/.test(collector.logs()));
        await reader.letGo();
        const { code } = await collector.process.ended;
        assert.equal(code, 0, collector.logs());
    });
});

describe('a database that nobody may write to for hours', () => {
    test('what there was no room for meanwhile is fetched again when there is', async (t) => {
        const symbols = Array.from({ length: 24 }, (_, i) => `COIN${i}USDT`);
        const exchange = await fastStandIn(t, binance, { symbols });
        const from = floor(exchange.clock.now()) - 20 * hourMs;
        const collector = await collectFast(t, [exchange], symbols, { COLLECT_MEMORY_MAX: '1MB' });
        await eventually('rows', async () => {
            const rows = await tryQuery(
                collector.database,
                'SELECT count(*) FROM klines_5m_history',
            );
            return rows.length > 0 && Number(rows[0][0]) > 0;
        });
        const reader = await holdForReading(t, collector.database);
        await eventually('rows are dropped', () => /rows are dropped/.test(collector.logs()), {
            deadlineMs: 2 * patienceMs,
        });
        await reader.letGo();
        const to = floor(exchange.clock.now());
        for (const symbol of [symbols[0], symbols.at(-1)]) {
            await untilStored(collector.database, symbol, from, to);
            const stored = await storedCandles(collector.database, symbol);
            assert.deepEqual(
                stored.filter(({ time }) => time >= from && time < to),
                trueCandles(exchange.market(symbol), from, to),
            );
        }
        const wanted = symbols.length * ((to - from) / candleMs);
        for (const [table, time] of [
            ['klines_5m_history', 'open_time'],
            ['open_interest_history', 'timestamp'],
        ])
            await eventually(`all of ${table}`, async () => {
                const [[count]] = await query(
                    collector.database,
                    `SELECT count(*) FROM ${table}
                     WHERE epoch_ms(${time}) >= ${from} AND epoch_ms(${time}) < ${to}`,
                );
                return Number(count) === wanted;
            });
    });
});

describe('stopping', { concurrency: 2 }, () => {
    for (const [what, faults] of [
        ['answers nothing', [{ on: 'rest', kind: 'hang', count: Infinity }]],
        ['opens no socket', [{ on: 'connect', kind: 'hang', count: Infinity }]],
    ])
        test(`does not wait for an exchange that ${what}`, async (t) => {
            const exchange = await fastStandIn(t, binance, { scale: 1 });
            for (const fault of faults) exchange.faults.add(fault);
            const collector = await collectFast(t, [exchange]);
            await eventually('requests', () => exchange.record.requests.length > 0);
            const began = performance.now();
            await collector.stop();
            assert.ok(performance.now() - began < 30_000);
        });
});
