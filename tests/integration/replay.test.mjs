// `serve --replay`: the stored past as if it happened now, and nothing of what came after.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { connectFor } from '../support/client.mjs';
import { memberFor } from '../support/cluster.mjs';
import { get } from '../support/http.mjs';
import { candleMs, importMarkets, makeMarket } from '../support/market.mjs';
import { eventually, run, scratch } from '../support/process.mjs';
import { redisFor } from '../support/redis.mjs';
import { serveFor } from '../support/server.mjs';

const dayMs = 288 * candleMs;
const market = makeMarket({ candles: 400 });
const firstMs = market.candles[0].time;
const lastMs = market.candles.at(-1).time;
const iso = (ms) => new Date(ms).toISOString().replace('.000', '');
const timeOf = (snapshot) => Date.parse(snapshot.timestamp);
const askJson = async (url) => (await get(url)).json();

async function storeMarket(t, ...markets) {
    const folder = await scratch(t);
    const database = join(folder, 'market.duckdb');
    await importMarkets(folder, database, ...(markets.length > 0 ? markets : [market]));
    return database;
}

const replayOf = (fromMs, speed) => [
    '--replay',
    iso(fromMs),
    '--speed',
    String(speed),
    '--live-update-interval',
    '0',
    '--ws-update-interval',
    '0.1',
];

test('what is published is what the past was, candle by candle, until the data end', async (t) => {
    const database = await storeMarket(t);
    const fromMs = lastMs - 14 * candleMs;
    const server = await serveFor(t, { database, args: replayOf(fromMs, 300) });
    const client = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
    await client.nextSnapshot('BTCUSDT', (m) => timeOf(m) === lastMs);
    await eventually('the end is told', () => server.logs().includes('at the end of the data'));

    const snapshots = client.snapshots('BTCUSDT');
    assert.ok(snapshots.length >= 3, `${snapshots.length} snapshots`);
    assert.ok(timeOf(snapshots[0]) >= fromMs - candleMs);
    snapshots.forEach((snapshot, i) => {
        assert.equal(snapshot.replay, true);
        assert.ok(i === 0 || timeOf(snapshot) > timeOf(snapshots[i - 1]), 'time goes on');
    });
    for (const { timestamp, data } of snapshots) {
        const { stdout } = await run(['snapshot', '--at', timestamp, '--db', database]);
        assert.deepEqual(data, JSON.parse(stdout).data, timestamp);
    }

    const { text } = await get(`${server.url}/api/v1/heatmap/BTCUSDT`);
    assert.equal(text, client.texts.at(-1), 'it stays at the last candle');
    const told = server.logs().split('\n');
    assert.equal(told.filter((line) => line.includes('at the end of the data')).length, 1);
});

describe('a replay that hardly moves', () => {
    const fromMs = firstMs + dayMs + 90_000; // within five minutes
    const seenMs = firstMs + dayMs - candleMs; // the last that had closed

    async function serveSlow(t, args = []) {
        const other = makeMarket({
            symbol: 'ETHUSDT',
            start: iso(firstMs + dayMs + 2 * candleMs),
            candles: 20,
            price: '3000',
        });
        const database = await storeMarket(t, market, other);
        return serveFor(t, { database, args: [...replayOf(fromMs, 0.01), ...args] });
    }

    test('no answer tells of what has not happened yet', async (t) => {
        const server = await serveSlow(t);
        const api = `${server.url}/api/v1`;
        const [btc, eth] = await eventually('what is known of the symbols', async () => {
            const { symbols } = await askJson(`${api}/symbols`);
            return symbols[0].newest !== null && symbols;
        });
        assert.deepEqual([btc.newest, btc.live], [iso(seenMs), true]);
        assert.deepEqual([eth.newest, eth.live], [null, false]);

        for (const query of ['window=2d', `start=${iso(firstMs)}&end=${iso(lastMs)}`]) {
            const candles = await askJson(`${api}/candles/BTCUSDT?${query}`);
            assert.equal(candles.data.at(-1).timestamp, iso(seenMs), query);
            assert.equal(candles.data.length, 288, query);
            const history = await askJson(`${api}/heatmap/BTCUSDT/history?${query}`);
            assert.equal(history.data.at(-1).timestamp, iso(seenMs), query);
            const grid = await get(`${api}/heatmap/BTCUSDT/grid?${query}`);
            assert.equal(grid.status, 200, grid.text);
        }
        const later = `start=${iso(fromMs + candleMs)}&end=${iso(lastMs)}`;
        assert.equal((await get(`${api}/candles/BTCUSDT?${later}`)).status, 404);
        assert.equal((await get(`${api}/candles/ETHUSDT?window=2d`)).status, 404);
        const { data } = await askJson(`${api}/heatmap/BTCUSDT`);
        const whole = await run(['snapshot', '--at', iso(seenMs), '--db', await storeMarket(t)]);
        assert.deepEqual(data, JSON.parse(whole.stdout).data);
    });

    test('data have the age that they had then', async (t) => {
        const server = await serveSlow(t);
        const age = await eventually('an age', async () => {
            const { text } = await get(`${server.url}/metrics`);
            return /^heatcast_data_age_seconds\{symbol="BTCUSDT"\} (\S+)$/m.exec(text);
        });
        assert.ok(age[1] >= 390 && age[1] < 400, `${age[1]} s`);
        const ready = await askJson(`${server.url}/readyz`);
        assert.deepEqual(ready.data, {
            status: 'degraded',
            without: { count: 1, symbols: ['ETHUSDT'] },
        });
        const { replay } = await askJson(`${server.url}/api/v1/symbols`);
        assert.deepEqual(
            { ...replay, now: null },
            { from: iso(fromMs), to: iso(lastMs + candleMs), now: null, speed: 0.01 },
        );
        assert.ok(Date.parse(replay.now) - fromMs < candleMs, replay.now);
        assert.match(server.logs(), /replaying the past from=\S+ to=\S+ speed=0.01/);
    });
});

test('a server that replays nothing does not speak of it', async (t) => {
    const database = await storeMarket(t);
    const server = await serveFor(t, { database });
    const { text } = await get(`${server.url}/api/v1/heatmap/BTCUSDT`);
    assert.ok(!text.includes('replay'));
    assert.equal((await askJson(`${server.url}/api/v1/symbols`)).replay, undefined);
});

test('a relay passes on that it is a replay', async (t) => {
    const redis = await redisFor(t);
    const database = await storeMarket(t);
    const args = replayOf(lastMs - 5 * candleMs, 300);
    await memberFor(t, redis.url, { database, role: 'generator', args });
    const relay = await memberFor(t, redis.url);
    const client = await connectFor(t, `${relay.wsUrl}?symbols=BTCUSDT`);
    const last = await client.nextSnapshot('BTCUSDT', (m) => timeOf(m) === lastMs);
    assert.equal(last.replay, true);
});

test('what makes no sense together, or cannot be, is refused with a reason', async (t) => {
    const database = await storeMarket(t);
    const from = iso(firstMs + dayMs);
    const redis = { REDIS_ENABLED: 'true', REDIS_URL: 'redis://127.0.0.1:1' };
    for (const [code, args, reason, env] of [
        [2, ['--replay', from, '--demo'], /--replay .*--demo/],
        [2, ['--replay', from, '--collect'], /--replay .*--collect/],
        [
            2,
            ['--replay', from],
            /--replay .*CLUSTER_ROLE=relay/,
            { ...redis, CLUSTER_ROLE: 'relay' },
        ],
        [2, ['--replay', from], /--replay: .*CLUSTER_ROLE=generator/, redis],
        [2, ['--speed', '10'], /--speed is that of a --replay/],
        [2, ['--replay', 'yesterday'], /--replay: 'yesterday' is not a time/],
        [2, ['--replay', from, '--speed', '0'], /--speed: '0' is not a number from 0.01 to/],
        [2, ['--replay', from, '--speed', 'nan'], /--speed: 'nan' is not a number/],
        [1, ['--replay', iso(lastMs + candleMs)], /nothing is stored after .*newest candle/],
        [1, ['--replay', iso(firstMs)], /no candle is stored that closes by/],
        [1, ['--replay', from, '--symbols', 'XUSDT'], /no candles of the symbols/],
        [1, ['--replay', from, '--db', join(database, '..', 'none.duckdb')], /none\.duckdb/],
    ]) {
        const where = args.includes('--db') || args.includes('--demo') ? [] : ['--db', database];
        const { code: found, stderr } = await run(
            ['serve', '--listen', '127.0.0.1:0', ...where, ...args],
            { env },
        );
        assert.match(stderr, reason, args.join(' '));
        assert.equal(found, code, `${args.join(' ')}: ${stderr}`);
    }
});
