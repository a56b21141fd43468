// `heatcast collect` and `serve --collect` as their users meet them.
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import {
    candleMs,
    collectingServerFor,
    collectorFor,
    query,
    realStandIn,
    shown,
    storedInterest,
    storedLiquidations,
    trueCandles,
    storedCandles,
    untilStored,
} from '../support/collect.mjs';
import { binance } from '../support/exchanges/binance.mjs';
import { bybit } from '../support/exchanges/bybit.mjs';
import { MarketClock } from '../support/exchanges/clock.mjs';
import { okx } from '../support/exchanges/okx.mjs';
import { startStandIn } from '../support/exchanges/stand-in.mjs';
import { get } from '../support/http.mjs';
import { eventually, run, scratch } from '../support/process.mjs';
import { serveFor } from '../support/server.mjs';

const hourMs = 12 * candleMs;
const dayMs = 24 * hourMs;
const floor = (time) => time - (time % candleMs);
const readyz = async (server) => JSON.parse((await get(`${server.url}/readyz`)).text);
const symbolsOf = async (server) =>
    JSON.parse((await get(`${server.url}/api/v1/symbols`)).text).symbols;

describe('serve --collect', { concurrency: 2 }, () => {
    test('an empty database becomes a live map, and every stream says how it is', async (t) => {
        const exchange = await realStandIn(t, binance);
        const server = await collectingServerFor(t, [exchange], ['BTCUSDT']);
        await eventually('a snapshot', async () => {
            const answer = await get(`${server.url}/api/v1/heatmap/BTCUSDT`);
            return answer.status === 200 && JSON.parse(answer.text).data.levels.length > 0;
        });
        await eventually('all is there', async () => {
            const { collect } = await readyz(server);
            return collect.rows_missing === 0 && collect.writing.rows_waiting === 0;
        });
        await eventually('sockets', async () => {
            const [{ streams }] = await symbolsOf(server);
            const state = Object.fromEntries(streams.map((s) => [s.stream, s.state]));
            return state.candles === 'live' && state.liquidations === 'live';
        });
        assert.doesNotMatch(server.logs(), /cannot be read/);
        const { text } = await get(`${server.url}/metrics`);
        for (const stream of ['candles', 'open_interest', 'liquidations'])
            assert.match(
                text,
                new RegExp(
                    `^heatcast_collect_up\\{exchange="binance",symbol="BTCUSDT",stream="${stream}"\\} 1$`,
                    'm',
                ),
            );
    });

    test('candles of the spot market are not joined by those of futures; other symbols go on', async (t) => {
        const folder = await scratch(t);
        const database = join(folder, 'market.duckdb');
        const spot = join(folder, 'spot');
        await mkdir(spot);
        const exchange = await realStandIn(t, binance, { symbols: ['BTCUSDT', 'ETHUSDT'] });
        const openMs = floor(exchange.clock.now()) - 3 * hourMs;
        const numbers = '1,2,0.5,1.5,10';
        await writeFile(
            join(spot, 'BTCUSDT-5m-a.csv'),
            `${openMs},${numbers},${openMs + candleMs - 1},,,,,0\n`,
        );
        const { code, stderr } = await run(['import', spot, '--market', 'spot', '--db', database]);
        assert.equal(code, 0, stderr);
        const server = await collectingServerFor(
            t,
            [exchange],
            ['BTCUSDT', 'ETHUSDT'],
            {},
            database,
        );
        const to = floor(exchange.clock.now()) - candleMs;
        await untilStored(database, 'ETHUSDT', to - 6 * hourMs, to);
        const [{ streams }] = await symbolsOf(server);
        assert.deepEqual(new Set(streams.map((s) => s.state)), new Set(['other_market']));
        const { collect } = await readyz(server);
        assert.equal(collect.not_well_count, 3);
        assert.match(collect.not_well[0].error, /another market than futures/);
        assert.match(server.logs(), /a symbol is not collected.*symbol=BTCUSDT market=spot/);
        await server.stop();
        assert.equal((await storedCandles(database, 'BTCUSDT')).length, 1);
        assert.equal((await storedInterest(database, 'BTCUSDT')).length, 0);
    });

    test('the price of a candle that forms is in the snapshot, and not in the database', async (t) => {
        const exchange = await realStandIn(t, binance);
        const server = await collectingServerFor(t, [exchange], ['BTCUSDT']);
        await eventually('the open candle', async () => {
            const answer = await get(`${server.url}/api/v1/heatmap/BTCUSDT`);
            if (answer.status !== 200) return false;
            const { timestamp } = JSON.parse(answer.text);
            const open = floor(exchange.clock.now());
            const stored = await storedCandles(server.database, 'BTCUSDT').catch(() => []);
            return Date.parse(timestamp) === open && stored.every(({ time }) => time < open);
        });
    });

    test('one exchange that blocks this network is named once, and the other goes on', async (t) => {
        const exchange = await realStandIn(t, binance);
        const other = await realStandIn(t, bybit, { clock: exchange.clock });
        exchange.faults.add({ on: 'rest', kind: 'blocked', count: Infinity });
        exchange.faults.add({ on: 'connect', kind: 'refuse', status: 451, count: Infinity });
        const server = await collectingServerFor(
            t,
            [exchange, other],
            ['BTCUSDT', 'BYBIT:BTCUSDT'],
        );
        const to = floor(exchange.clock.now()) - candleMs;
        await untilStored(server.database, 'BYBIT:BTCUSDT', to - 6 * hourMs, to);
        await eventually('ready', async () => (await readyz(server)).status === 'ready');
        const { collect } = await readyz(server);
        const blocked = collect.not_well.filter(({ symbol }) => symbol === 'BTCUSDT');
        assert.ok(blocked.length > 0);
        for (const { exchange: name, state } of blocked)
            assert.deepEqual([name, state], ['binance', 'blocked']);
        assert.equal(server.logs().match(/does not serve this network/g).length, 1);
        assert.ok(exchange.record.requests.length < 10, 'a blocked exchange is asked seldom');
    });

    test('a database that cannot be made is an error at the start', async (t) => {
        const folder = await scratch(t);
        await writeFile(`${folder}/file`, 'not a folder');
        for (const command of [['collect'], ['serve', '--collect', '--listen', '127.0.0.1:0']]) {
            const { code, stderr } = await run([...command, '--db', `${folder}/file/a.duckdb`]);
            assert.equal(code, 1, stderr);
            assert.match(stderr, /^heatcast: .*a\.duckdb/m);
        }
    });

    test('what cannot be collected is a clear error at the start', async () => {
        for (const [args, expected] of [
            [['serve', '--collect', '--demo'], /--collect .*--demo/],
            [
                ['collect', '--symbols', 'OKX:BTCUSDT', '--exchanges', 'binance'],
                /OKX:BTCUSDT.*EXCHANGES/,
            ],
            [['collect', '--exchanges', 'mtgox'], /mtgox.*binance/],
            [['collect', '--binance-rest-url', 'ftp://x'], /binance-rest-url.*https/],
            [['collect', '--ca-file', '/nowhere/ca.pem'], /'\/nowhere\/ca\.pem'.*No such file/],
        ]) {
            const { code, stderr } = await run(args);
            assert.equal(code, 2, stderr);
            assert.match(stderr, expected);
        }
    });
});

describe('beside other programs', { concurrency: 2 }, () => {
    test('an import and a query succeed while it collects', async (t) => {
        const names = Array.from({ length: 50 }, (_, i) => `COIN${i}USDT`);
        const exchange = await realStandIn(t, binance, { symbols: names });
        const { database } = await collectorFor(t, {
            standIns: [exchange],
            symbols: names,
            env: { HEATMAP_LOOKBACK: '6h' },
        });
        const to = floor(exchange.clock.now()) - candleMs;
        await untilStored(database, names[0], to - hourMs, to);
        const rows = await query(database, 'SELECT count(*) FROM klines_5m_history');
        assert.ok(Number(rows[0][0]) > 0);
        const folder = await scratch(t);
        const at = to - 5 * dayMs;
        await writeFile(
            `${folder}/OTHERUSDT-5m-2025-12-01.csv`,
            `${at},1,2,0.5,1.5,10,${at + candleMs - 1},10,1,5,5,0\n`,
        );
        const { code, stderr } = await run(['import', folder, '--db', database]);
        assert.equal(code, 0, stderr);
        assert.equal((await storedCandles(database, 'OTHERUSDT')).length, 1);
        assert.deepEqual(exchange.record.violations, []);
    });
});

describe('killed', () => {
    test('again and again, at any moment, it leaves whole rows and fetches what is missing', async (t) => {
        const clock = new MarketClock({ start: '2025-12-08T00:00:00Z', scale: 1000 });
        const exchange = await startStandIn(t, binance, {
            clock,
            limitsTime: 'market',
            symbols: [{ name: 'BTCUSDT', start: '2025-12-07T00:00:00Z' }],
        });
        const database = `${await scratch(t)}/market.duckdb`;
        const from = floor(clock.now()) - 6 * hourMs;
        const options = {
            standIns: [exchange],
            database,
            fast: clock,
            env: { HEATMAP_LOOKBACK: '1d' },
        };
        for (let i = 0; i < 12; i++) {
            const killed = await collectorFor(t, options);
            await new Promise((settle) => setTimeout(settle, 100 + ((i * 137) % 900)));
            await killed.kill();
        }
        const collector = await collectorFor(t, options);
        const to = floor(clock.now());
        await untilStored(database, 'BTCUSDT', from, to);
        await eventually('open interest', async () => {
            const rows = await storedInterest(database, 'BTCUSDT');
            return (
                rows.filter(({ time }) => time >= from && time < to).length ===
                (to - from) / candleMs
            );
        });
        await collector.stop();
        const stored = await storedCandles(database, 'BTCUSDT');
        assert.deepEqual(
            stored.filter(({ time }) => time >= from && time < to),
            trueCandles(exchange.market('BTCUSDT'), from, to),
        );
    });
});

describe('sums over exchanges', () => {
    test('prices are of the first, open interest is added up, liquidations are of all', async (t) => {
        const clock = new MarketClock({ start: '2025-12-08T00:00:00Z', scale: 600 });
        const options = {
            clock,
            limitsTime: 'market',
            symbols: [{ name: 'BTCUSDT', start: '2025-12-01T00:00:00Z' }],
        };
        const standIns = [
            await startStandIn(t, bybit, options),
            await startStandIn(t, binance, options),
            await startStandIn(t, okx, options),
        ];
        const from = floor(clock.now()) - 3 * hourMs;
        const to = from + 4 * hourMs;
        const collector = await collectorFor(t, {
            standIns,
            symbols: ['ALL:BTCUSDT'],
            fast: clock,
            env: { HEATMAP_LOOKBACK: '3h' },
        });
        const { database } = collector;
        await untilStored(database, 'ALL:BTCUSDT', from, to);
        const wanted = [];
        for (let time = from; time < to; time += candleMs)
            wanted.push([
                time,
                shown(
                    standIns
                        .map((exchange) => exchange.market('BTCUSDT').interest(time).contracts)
                        .reduce((a, b) => a + b),
                ),
                'all',
            ]);
        await eventually('sums', async () => {
            const rows = await storedInterest(database, 'ALL:BTCUSDT');
            return rows.filter(({ time }) => time >= from && time < to).length === wanted.length;
        });
        const sums = (await storedInterest(database, 'ALL:BTCUSDT'))
            .filter(({ time }) => time >= from && time < to)
            .map(({ time, contracts, source }) => [time, contracts, source]);
        assert.deepEqual(sums, wanted);
        const candles = await storedCandles(database, 'ALL:BTCUSDT');
        assert.deepEqual(
            candles.filter(({ time }) => time >= from && time < to),
            trueCandles(standIns[0].market('BTCUSDT'), from, to),
        );
        await eventually('liquidations of all', async () => {
            const rows = await storedLiquidations(database, 'ALL:BTCUSDT');
            return new Set(rows.map(([exchange]) => exchange)).size === 3;
        });
        await collector.stop();
        const stored = await storedLiquidations(database, 'ALL:BTCUSDT');
        const server = await serveFor(t, { database, args: ['--symbols', 'ALL:BTCUSDT'] });
        const { data, meta } = JSON.parse(
            (await get(`${server.url}/api/v1/liquidations/ALL:BTCUSDT?window=2d`)).text,
        );
        assert.equal(data.length, stored.length);
        assert.equal(meta.count, stored.length);
        assert.deepEqual([...new Set(data.map(({ exchange }) => exchange))].sort(), [
            'binance',
            'bybit',
            'okx',
        ]);
        const sum = data.reduce((total, { value }) => total + value, 0);
        assert.ok(Math.abs(sum - meta.long_value - meta.short_value) < 1e-6 * sum);
    });
});
