// Snapshots and histories of the model `reference` against an independent one (docs/model.md).
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { assertLevels, assertMoment, assertSnapshot } from '../support/compare.mjs';
import { formatDecimal, parseDecimal } from '../support/decimal.mjs';
import { candleMs, importMarkets, makeMarket } from '../support/market.mjs';
import {
    advance,
    defaultWeights,
    expectedSnapshot,
    makeSeries,
    parseWeights,
    replay,
} from '../support/model.mjs';
import { makeFolder, removeFolder, run } from '../support/process.mjs';

const hour = 3_600_000;
const env = { HEATMAP_MODEL: 'reference' };
const iso = (ms) => new Date(ms).toISOString().replace('.000Z', 'Z');

const bitcoin = makeMarket({ candles: 600 });
const ether = makeMarket({ symbol: 'ETHUSDT', price: '2950', candles: 400, seed: 2 });
const cheap = makeMarket({ symbol: 'XRPUSDT', price: '40.5', candles: 300, seed: 3 });
const newest = (market) => market.candles.at(-1).time;
const oldest = (market) => market.candles[0].time;

describe('the command line agrees with the reference model', () => {
    let folder;
    let database;

    before(async () => {
        folder = await makeFolder();
        database = join(folder, 'market.duckdb');
        await importMarkets(folder, database, bitcoin, ether, cheap);
    });
    after(() => removeFolder(folder));

    const ask = async (...args) => {
        const result = await run([...args, '--db', database], { env });
        assert.equal(result.code, 0, result.stderr);
        assert.equal(result.stderr, '');
        return JSON.parse(result.stdout);
    };
    const history = (symbol, ...args) => ask('history', '--symbol', symbol, ...args);
    const snapshot = (symbol, ...args) => ask('snapshot', '--symbol', symbol, ...args);

    test('the reference market is worth comparing with', () => {
        const weights = parseWeights(defaultWeights);
        const totals = { created: 0, consumed: 0, touched: 0 };
        let book = [];
        for (const candle of makeSeries(bitcoin, {
            start: oldest(bitcoin),
            end: newest(bitcoin),
        })) {
            const step = advance(book, candle, weights);
            book = step.book;
            for (const name of Object.keys(totals)) totals[name] += step[name];
        }
        assert.ok(totals.created > 500 && totals.consumed > 200, JSON.stringify(totals));
        assert.ok(totals.touched > 10, 'candles that touch a price exactly');
        const { levels } = expectedSnapshot(bitcoin);
        assert.ok(levels.length > 10);
        assert.ok(
            levels.some((l) => l.long_density > 0) && levels.some((l) => l.short_density > 0),
        );
    });

    test('the newest snapshot of every symbol', async () => {
        for (const market of [bitcoin, ether, cheap])
            assertSnapshot(await snapshot(market.symbol), market.symbol, expectedSnapshot(market));
    });

    test('without --symbol the first of SYMBOLS is meant', async () => {
        assert.deepEqual(await ask('snapshot'), await snapshot('BTCUSDT'));
        assert.equal((await ask('snapshot', '--symbols', 'ETHUSDT,BTCUSDT')).symbol, 'ETHUSDT');
    });

    test('the snapshot of a moment, also between two candles', async () => {
        for (const at of [
            newest(bitcoin) - 100 * candleMs,
            newest(bitcoin) - 50 * candleMs + 61_000,
        ])
            assertSnapshot(
                await snapshot('BTCUSDT', '--at', iso(at)),
                'BTCUSDT',
                expectedSnapshot(bitcoin, { at }),
            );
    });

    test('the lookback begins the book, both ends inclusive', async () => {
        for (const [text, lookbackMs] of [
            ['15m', 3 * candleMs],
            ['6h', 6 * hour],
            ['90m', 1.5 * hour],
        ])
            assertSnapshot(
                await snapshot('BTCUSDT', '--heatmap-lookback', text),
                'BTCUSDT',
                expectedSnapshot(bitcoin, { lookbackMs }),
            );
    });

    test('configured buckets and weights', async () => {
        const weights = '3:1,20:2,125:0.5,10:0';
        const options = { weights, bucket: parseDecimal('12.5') };
        assertSnapshot(
            await snapshot(
                'BTCUSDT',
                '--heatmap-bucket',
                'BTCUSDT:12.5',
                '--heatmap-leverage-weights',
                weights,
            ),
            'BTCUSDT',
            expectedSnapshot(bitcoin, options),
        );
    });

    test('a history has the snapshot after every candle', async () => {
        for (const market of [bitcoin, ether, cheap]) {
            const { data, meta } = await history(market.symbol);
            const expected = replay(
                market.symbol,
                makeSeries(market, { start: oldest(market), end: newest(market) }),
            );
            assert.equal(data.length, expected.length);
            data.forEach((moment, i) => assertMoment(moment, expected[i]));
            assert.equal(meta.symbol, market.symbol);
            assert.equal(meta.start_time, expected[0].timestamp);
            assert.equal(meta.end_time, expected.at(-1).timestamp);
            assert.equal(meta.interval, '5m');
            assert.equal(meta.total_snapshots, expected.length);
        }
    });

    test("a history's last snapshot is the snapshot", async () => {
        const last = (await history('BTCUSDT')).data.at(-1);
        const { timestamp, data } = await snapshot('BTCUSDT');
        assert.equal(last.timestamp, timestamp);
        assert.deepEqual(last.levels, data.levels);
    });

    test('the totals of a history are those of its last snapshot, and the sum consumed', async () => {
        const { meta } = await history('ETHUSDT');
        const moments = replay(
            'ETHUSDT',
            makeSeries(ether, { start: oldest(ether), end: newest(ether) }),
        );
        const sum = (name) =>
            moments.at(-1).levels.reduce((total, level) => total + level[name], 0);
        const prices = moments.flatMap((moment) => moment.levels.map((level) => level.price));
        assertLevels(
            [
                {
                    price: 0,
                    long_density: meta.total_long_volume,
                    short_density: meta.total_short_volume,
                },
            ],
            [{ price: 0, long_density: sum('long_density'), short_density: sum('short_density') }],
            'totals',
        );
        assert.equal(
            meta.total_consumed,
            moments.reduce((total, m) => total + m.positions_consumed, 0),
        );
        assert.deepEqual(meta.price_range, { min: Math.min(...prices), max: Math.max(...prices) });
        assert.equal(meta.bucket, 2);
    });

    test('every interval aggregates candles and open interest', async () => {
        for (const interval of ['15m', '30m', '1h', '2h', '4h', '8h', '12h', '1d']) {
            const { data } = await history('BTCUSDT', '--interval', interval);
            const expected = replay(
                'BTCUSDT',
                makeSeries(bitcoin, { start: oldest(bitcoin), end: newest(bitcoin), interval }),
            );
            assert.equal(data.length, expected.length, interval);
            data.forEach((moment, i) => assertMoment(moment, expected[i]));
        }
    });

    test('ranges: start and end, window, start alone, both ends inclusive', async () => {
        const start = oldest(bitcoin) + 37 * candleMs;
        const end = oldest(bitcoin) + 111 * candleMs;
        for (const [args, from, to, askedFrom = from, askedTo = to] of [
            [['--start', iso(start), '--end', iso(end)], start, end],
            [['--window', '3h'], newest(bitcoin) - 3 * hour, newest(bitcoin)],
            [['--start', iso(start)], start, newest(bitcoin)],
            [['--end', iso(end), '--window', '1h'], end - hour, end],
            [['--start', iso(start), '--window', '1h'], start, start + hour],
            [
                ['--start', iso(start + 1000), '--end', iso(end + 1000)],
                start + candleMs,
                end,
                start + 1000,
                end + 1000,
            ],
        ]) {
            const { data } = await history('BTCUSDT', ...args);
            const expected = replay(
                'BTCUSDT',
                makeSeries(bitcoin, { start: askedFrom, end: askedTo }),
            );
            assert.equal(data[0].timestamp, iso(from), String(args));
            assert.equal(data.at(-1).timestamp, iso(to), String(args));
            data.forEach((moment, i) => assertMoment(moment, expected[i]));
        }
    });

    test('a history with its own bucket and weights', async () => {
        const weights = '10:1,50:3';
        const { data, meta } = await history(
            'BTCUSDT',
            '--bucket',
            '0.75',
            '--weights',
            weights,
            '--window',
            '5h',
        );
        const series = makeSeries(bitcoin, {
            start: newest(bitcoin) - 5 * hour,
            end: newest(bitcoin),
        });
        const expected = replay('BTCUSDT', series, { weights, bucket: parseDecimal('0.75') });
        data.forEach((moment, i) => assertMoment(moment, expected[i]));
        assert.equal(meta.bucket, 0.75);
    });

    test('a range without a candle fails and says so', async () => {
        const result = await run([
            'history',
            '--start',
            '2020-01-01T00:00:00Z',
            '--end',
            '2020-01-02T00:00:00Z',
            '--db',
            database,
        ]);
        assert.equal(result.code, 1);
        assert.match(result.stderr, /no candle/);
        const unknown = await run(['snapshot', '--symbol', 'NONEUSDT', '--db', database]);
        assert.equal(unknown.code, 1);
        assert.match(unknown.stderr, /NONEUSDT/);
    });

    test('prices are written exactly, densities without an exponent', async () => {
        const { stdout } = await run([
            'history',
            '--symbol',
            'XRPUSDT',
            '--bucket',
            '0.00000001',
            '--window',
            '1h',
            '--db',
            database,
        ]);
        assert.doesNotMatch(stdout, /\d[eE][+-]?\d/);
        const series = makeSeries(cheap, { start: newest(cheap) - hour, end: newest(cheap) });
        const bucket = 1n;
        const expected = replay('XRPUSDT', series, { bucket })
            .at(-1)
            .levels.map((l) => l.price);
        assert.deepEqual(
            JSON.parse(stdout)
                .data.at(-1)
                .levels.map((l) => l.price),
            expected,
        );
        assert.equal(formatDecimal(bucket), '0.00000001');
    });
});
