// HeatmapWebSocket through what happens to several servers: none of it may silence it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import WebSocket from 'ws';
import { marketFor, memberFor, untilState } from '../support/cluster.mjs';
import { get } from '../support/http.mjs';
import { eventually, scratch } from '../support/process.mjs';
import { makePair } from '../support/certificate.mjs';
import { startProxy } from '../support/proxy.mjs';
import { redisFor } from '../support/redis.mjs';
import { serveFor } from '../support/server.mjs';
import { importTypeScript } from './bundle.mjs';

const { HeatmapWebSocket } = await importTypeScript('client/src/index.ts');

const quick = ['--symbols', 'BTCUSDT', '--ws-update-interval', '0.2'];
const daysMs = 24 * 3600_000;

function follow(t, url) {
    const snapshots = [];
    const client = new HeatmapWebSocket(url, {
        WebSocket,
        symbols: ['BTCUSDT'],
        retryMin: 20,
        retryMax: 200,
        onSnapshot: (snapshot) => snapshots.push(snapshot),
    });
    t.after(() => client.disconnect());
    client.connect();
    const last = () => client.lastSnapshot('BTCUSDT');
    return {
        client,
        snapshots,
        last,
        seesTime: (time) =>
            eventually('the candle', () => last() && Date.parse(last().timestamp) === time),
    };
}

test('two servers that know nothing of each other behind one address', async (t) => {
    const sites = [];
    for (const seed of [1, 2]) {
        const market = await marketFor(t, 'BTCUSDT', seed);
        sites.push({
            market,
            server: await serveFor(t, { database: market.database, args: quick }),
        });
    }
    const proxy = await startProxy(sites[1].server.port);
    t.after(() => proxy.stop());
    const { seesTime, last, snapshots } = follow(t, proxy.url);
    await seesTime(sites[1].market.time);
    const epochs = [last().epoch];
    for (let round = 0; round < 4; round += 1) {
        const { market, server } = sites[round % 2];
        const count = snapshots.length;
        proxy.leadTo(server.port);
        await eventually('a snapshot of it', () => snapshots.length > count);
        epochs.push(last().epoch);
        await seesTime(await market.grow());
        await seesTime(await market.grow());
    }
    assert.ok(epochs[1] < epochs[0], 'the first was started before the second');
    assert.deepEqual(epochs.slice(1, 3), epochs.slice(3, 5));
});

test('servers that forgot everything and begin lower', async (t) => {
    const redis = await redisFor(t);
    const market = await marketFor(t);
    await redis.cli('SET', 'heatmap:epoch', String(Date.now() + 3 * daysMs));
    const first = await memberFor(t, redis.url, { database: market.database });
    await untilState(first, 'leading');
    const { seesTime, last } = follow(t, first.url);
    await seesTime(market.time);
    const before = last().epoch;
    await first.stop();
    await redis.cli('FLUSHALL');
    await memberFor(t, redis.url, {
        database: market.database,
        args: ['--listen', `127.0.0.1:${first.port}`],
    });
    await seesTime(await market.grow());
    assert.ok(last().epoch < before);
    await seesTime(await market.grow());
});

test('an epoch that is set days ahead and deleted while they run', async (t) => {
    const redis = await redisFor(t);
    const market = await marketFor(t);
    const leader = await memberFor(t, redis.url, { database: market.database });
    await untilState(leader, 'leading');
    const relay = await memberFor(t, redis.url);
    await untilState(relay, 'following');
    const followers = [follow(t, leader.url), follow(t, relay.url)];
    for (const { seesTime } of followers) await seesTime(market.time);
    for (const words of [
        ['SET', 'heatmap:epoch', String(Date.now() + 2 * daysMs)],
        ['DEL', 'heatmap:epoch'],
        ['SET', 'heatmap:epoch', 'nonsense'],
    ]) {
        await redis.cli(...words);
        for (let i = 0; i < 2; i += 1) {
            const time = await market.grow();
            for (const { seesTime } of followers) await seesTime(time);
        }
    }
    for (const { snapshots } of followers)
        snapshots.slice(1).forEach((after, i) => {
            const before = snapshots[i];
            assert.ok(
                after.epoch > before.epoch ||
                    (after.epoch === before.epoch && after.seq > before.seq),
            );
        });
});

test('forty subscriptions within a moment, of which the server refuses half', async (t) => {
    const symbols = Array.from({ length: 40 }, (_, i) => `COIN${i}USDT`);
    const market = await marketFor(t);
    const server = await serveFor(t, {
        database: market.database,
        args: ['--symbols', symbols.join(',')],
    });
    const errors = [];
    const client = new HeatmapWebSocket(server.url, {
        WebSocket,
        onError: ({ code }) => errors.push(code),
    });
    t.after(() => client.disconnect());
    client.connect();
    await eventually('connected', () => client.status === 'connected');
    for (const symbol of symbols) {
        client.subscribe(symbol);
        await Promise.resolve(); // the turn ends: the next is a message of its own
    }
    await eventually('all are subscribed', async () => {
        const stats = (await get(`${server.url}/ws/stats`)).json();
        return symbols.every((symbol) => stats.subscriptions_by_symbol[symbol] === 1);
    });
    assert.ok(errors.includes('RATE_LIMITED'));
    assert.equal(client.status, 'connected');
});

test('a private certificate is told of, and can be given', async (t) => {
    const market = await marketFor(t);
    const pair = await makePair(await scratch(t), 'private');
    const server = await serveFor(t, {
        database: market.database,
        args: [...quick, '--tls-cert', pair.cert, '--tls-key', pair.key],
    });
    const errors = [];
    const refused = new HeatmapWebSocket(server.url, {
        WebSocket,
        onError: ({ message }) => errors.push(message),
    });
    t.after(() => refused.disconnect());
    refused.connect();
    await eventually('an error', () => errors.length > 0);
    assert.match(errors[0], /could not connect \(1006, self.signed certificate/);
    const trusting = new HeatmapWebSocket(server.url, {
        WebSocket,
        webSocketOptions: { ca: pair.ca },
        symbols: ['BTCUSDT'],
    });
    t.after(() => trusting.disconnect());
    trusting.connect();
    await eventually('a snapshot', () => trusting.lastSnapshot('BTCUSDT'));
});
