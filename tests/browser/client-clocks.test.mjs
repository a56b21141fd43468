// HeatmapWebSocket where clocks, numbers and connections are not what they should be.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket, { WebSocketServer } from 'ws';
import { eventually } from '../support/process.mjs';
import { importTypeScript } from './bundle.mjs';

const { HeatmapWebSocket } = await importTypeScript('client/src/index.ts');

const cleanups = [];
afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const wallNow = Date.now;
const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
const timeOf = (milliseconds) => new Date(milliseconds).toISOString();

const snapshot = (epoch, seq, timestamp = '2025-12-28T14:30:00Z', more = {}) =>
    JSON.stringify({
        ...more,
        type: 'snapshot',
        symbol: 'BTCUSDT',
        timestamp,
        epoch,
        seq,
        data: { levels: [], current_price: 1, positions_created: 0, positions_consumed: 0 },
    });

/** Pongs have `handle.time()`, the server's clock. `onSubscribe` gets the socket. */
async function startServer(onSubscribe = () => {}) {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', path: '/ws/heatmap' });
    const handle = { requests: [], pings: 0, time: wallNow, onSubscribe, clients: server.clients };
    server.on('connection', (socket) =>
        socket.on('message', (data) => {
            const request = JSON.parse(data);
            if (request.action === 'ping') {
                handle.pings += 1;
                const pong = { type: 'pong', timestamp: timeOf(handle.time()) };
                socket.send(JSON.stringify(pong));
                return;
            }
            handle.requests.push(request);
            handle.onSubscribe(socket, request);
        }),
    );
    await once(server, 'listening');
    cleanups.push(() => {
        for (const socket of server.clients) socket.terminate();
        return new Promise((resolve) => server.close(resolve));
    });
    return Object.assign(handle, {
        port: server.address().port,
        send: (text) => server.clients.forEach((socket) => socket.send(text)),
        cut: () => server.clients.forEach((socket) => socket.terminate()),
    });
}

function connect(port, options = {}) {
    const seen = [];
    const ages = [];
    const client = new HeatmapWebSocket(`http://127.0.0.1:${port}`, {
        WebSocket,
        symbols: ['BTCUSDT'],
        retryMin: 5,
        retryMax: 20,
        onSnapshot: ({ epoch, seq }) => seen.push(`${epoch}.${seq}`),
        onAge: ({ age }) => ages.push(age),
        ...options,
    });
    cleanups.push(() => client.disconnect());
    client.connect();
    return { client, seen, ages };
}

describe('the numbers of another connection', () => {
    /** Sends these to the first connection, those to the second, and so on. */
    async function play(...connections) {
        const server = await startServer((socket) => {
            for (const text of connections.shift() ?? []) socket.send(text);
            socket.send('{"type":"ack","id":1,"action":"subscribe"}');
        });
        const { seen, client } = connect(server.port);
        const count = connections.length;
        for (let i = 1; i <= count; i += 1) {
            await eventually('subscribed', () => server.requests.length === i);
            await sleep(100);
            if (i < count) server.cut();
        }
        return { seen, client };
    }

    test('are no reason to ignore a server that began lower', async () => {
        const { seen, client } = await play(
            [snapshot(900, 5), snapshot(900, 6)],
            [snapshot(100, 1), snapshot(100, 2)],
            [snapshot(900, 7)],
            [snapshot(50, 1), snapshot(50, 1), snapshot(50, 2)],
        );
        assert.deepEqual(seen, ['900.5', '900.6', '100.1', '100.2', '900.7', '50.1', '50.2']);
        assert.equal(client.lastSnapshot('BTCUSDT').epoch, 50);
    });

    test('still order what one generator made: a server that is behind shows nothing older', async () => {
        const { seen } = await play(
            [snapshot(900, 5), snapshot(900, 6)],
            [snapshot(900, 4), snapshot(900, 6), snapshot(900, 7)],
        );
        assert.deepEqual(seen, ['900.5', '900.6', '900.7']);
    });

    test('are ignored where the market has moved on', async () => {
        const { seen } = await play(
            [snapshot(1, 500, '2025-12-28T14:30:00Z')],
            [snapshot(1, 1, '2025-12-28T14:30:00Z'), snapshot(1, 2, '2025-12-28T14:35:00Z')],
        );
        assert.deepEqual(seen, ['1.500', '1.2']);
    });

    test('are ignored by polling as well, answer by answer', async () => {
        let body = snapshot(900, 6);
        const http = createServer((_, response) => response.writeHead(200).end(body));
        http.listen(0, '127.0.0.1');
        await once(http, 'listening');
        cleanups.push(() => http.close());
        const { seen } = connect(http.address().port, { pollInterval: 20 });
        await eventually('the first', () => seen.includes('900.6'));
        body = snapshot(100, 1);
        await eventually('the other server', () => seen.includes('100.1'));
        body = snapshot(900, 7);
        await eventually('the first server again', () => seen.includes('900.7'));
        body = snapshot(900, 6);
        await sleep(100);
        assert.deepEqual(seen, ['900.6', '100.1', '900.7']);
    });
});

describe('the age of data', () => {
    for (const [what, offMs] of [
        ['a day fast', dayMs],
        ['a day slow', -dayMs],
    ])
        test(`is told by the server's clock where this machine's is ${what}`, async (t) => {
            t.mock.method(Date, 'now', () => wallNow() + offMs);
            const server = await startServer();
            const { client, ages } = connect(server.port);
            await eventually('subscribed', () => server.requests.length === 1);
            server.send(snapshot(1, 1, timeOf(wallNow() - 2 * minuteMs)));
            await eventually('a snapshot', () => client.lastSnapshot('BTCUSDT'));
            assert.equal(client.dataAge('BTCUSDT'), 'live');
            server.send(snapshot(1, 2, timeOf(wallNow() - 60 * minuteMs)));
            await eventually('old data', () => client.lastSnapshot('BTCUSDT').seq === 2);
            assert.equal(client.dataAge('BTCUSDT'), 'stale');
            assert.deepEqual(ages, ['live', 'stale']);
            assert.ok(Math.abs(client.serverTime - wallNow()) < 60 * minuteMs);
        });

    test('follows the clock of the server when that is set', async () => {
        const server = await startServer();
        const { client } = connect(server.port, { pingInterval: 30 });
        await eventually('subscribed', () => server.requests.length === 1);
        server.send(snapshot(1, 1, timeOf(wallNow())));
        await eventually('live', () => client.dataAge('BTCUSDT') === 'live');
        server.time = () => wallNow() + dayMs;
        await eventually('stale', () => client.dataAge('BTCUSDT') === 'stale');
        server.time = () => wallNow() - dayMs; // the candle is of tomorrow
        await eventually('live again', () => client.dataAge('BTCUSDT') === 'live');
    });

    test("does not change when this machine's clock is set meanwhile", async (t) => {
        let offMs = 0;
        t.mock.method(Date, 'now', () => wallNow() + offMs);
        const server = await startServer();
        const { client, ages } = connect(server.port);
        await eventually('subscribed', () => server.requests.length === 1);
        server.send(snapshot(1, 1, timeOf(wallNow())));
        await eventually('live', () => client.dataAge('BTCUSDT') === 'live');
        for (offMs of [dayMs, -dayMs, 0]) assert.equal(client.dataAge('BTCUSDT'), 'live');
        assert.deepEqual(ages, ['live']);
    });

    test('is none in a replay', async () => {
        const server = await startServer();
        const { client, ages } = connect(server.port);
        await eventually('subscribed', () => server.requests.length === 1);
        server.send(snapshot(1, 1, timeOf(wallNow() - 300 * dayMs), { replay: true }));
        await eventually('a snapshot', () => client.lastSnapshot('BTCUSDT'));
        assert.equal(client.dataAge('BTCUSDT'), 'live');
        server.send(snapshot(2, 1, timeOf(wallNow() - 300 * dayMs)));
        await eventually('the present', () => client.lastSnapshot('BTCUSDT').epoch === 2);
        assert.equal(client.dataAge('BTCUSDT'), 'stale');
        assert.deepEqual(ages, ['live', 'stale']);
    });

    test('is told by the Date of answers while polling', async (t) => {
        t.mock.method(Date, 'now', () => wallNow() - dayMs);
        const http = createServer((_, response) => {
            const body = snapshot(1, 1, timeOf(wallNow() - 60 * minuteMs));
            response.writeHead(200, { Date: new Date(wallNow()).toUTCString() }).end(body);
        });
        http.listen(0, '127.0.0.1');
        await once(http, 'listening');
        cleanups.push(() => http.close());
        const { client } = connect(http.address().port, { pollInterval: 20 });
        await eventually('a snapshot', () => client.lastSnapshot('BTCUSDT'));
        assert.equal(client.dataAge('BTCUSDT'), 'stale');
    });
});

describe('timers', () => {
    test('that would be longer than a timer can be do not run at once', async (t) => {
        const server = await startServer();
        const waits = [];
        const realTimeout = globalThis.setTimeout;
        t.mock.method(globalThis, 'setTimeout', (callback, wait, ...rest) => {
            waits.push(wait);
            return realTimeout(callback, wait, ...rest);
        });
        const { client } = connect(server.port, {
            pingInterval: Infinity,
            connectTimeout: Infinity,
            stableAfter: 2 ** 31,
            slowFor: 2 ** 40,
            staleAfter: 365 * dayMs,
        });
        await eventually('subscribed', () => server.requests.length === 1);
        server.send(snapshot(1, 1, timeOf(wallNow() + 1000 * dayMs)));
        server.send('{"type":"warning","code":"SLOW_CONSUMER","message":""}');
        await eventually('slow', () => client.status === 'slow');
        await sleep(200);
        assert.equal(server.pings, 1);
        assert.equal(client.status, 'slow');
        assert.equal(client.dataAge('BTCUSDT'), 'live');
        assert.ok(waits.every((wait) => wait === undefined || wait <= 2 ** 31 - 1));
    });

    test("of polling run on when this machine's clock is set back", async (t) => {
        let offMs = 0;
        t.mock.method(Date, 'now', () => wallNow() + offMs);
        let polls = 0;
        const http = createServer((request, response) => {
            polls += request.url.startsWith('/api/') ? 1 : 0; // attempts to connect come as well
            response.writeHead(200).end(snapshot(1, polls));
        });
        http.listen(0, '127.0.0.1');
        await once(http, 'listening');
        cleanups.push(() => http.close());
        connect(http.address().port, { pollInterval: 20, updateInterval: 1 });
        await eventually('a poll', () => polls >= 1);
        offMs = -dayMs;
        const before = polls;
        await eventually('more polls', () => polls >= before + 2);
    });
});

test('a kept connection that ends as it is used again costs no answer', async () => {
    const used = new WeakSet();
    let ends = 0;
    let polls = 0;
    const http = createServer((request, response) => {
        if (used.has(request.socket)) {
            ends += 1;
            request.socket.destroy();
            return;
        }
        used.add(request.socket);
        polls += 1;
        response.writeHead(200).end(snapshot(1, polls));
    });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    cleanups.push(() => http.close());
    const polling = [];
    const { seen } = connect(http.address().port, {
        pollInterval: 20,
        onPolling: ({ isPolling }) => polling.push(isPolling),
    });
    await eventually('answers', () => seen.length >= 5);
    assert.ok(ends > 0, 'connections were used again');
    assert.deepEqual(polling, [true]);
});

test('what was refused as too much is sent again', async () => {
    let refusals = 3;
    const heard = new Set();
    const server = await startServer((socket, { action, symbols }) => {
        if (refusals > 0) {
            refusals -= 1;
            socket.send('{"type":"error","code":"RATE_LIMITED","message":"too many messages"}');
        } else if (action === 'subscribe') symbols.forEach((symbol) => heard.add(symbol));
        else symbols.forEach((symbol) => heard.delete(symbol));
    });
    const { client } = connect(server.port);
    await eventually('subscribed', () => server.requests.length === 1);
    client.subscribe('ETHUSDT', { updateInterval: 5 });
    client.unsubscribe('BTCUSDT'); // all three are refused
    client.subscribe('SOLUSDT');
    await eventually('sent again', () => heard.has('ETHUSDT'));
    assert.deepEqual([...heard].sort(), ['ETHUSDT', 'SOLUSDT']);
    assert.ok(
        server.requests.some(
            ({ action, symbols }) => action === 'unsubscribe' && symbols.includes('BTCUSDT'),
        ),
    );
    const { length } = server.requests;
    await sleep(3000);
    assert.equal(server.requests.length, length, 'once');
});
