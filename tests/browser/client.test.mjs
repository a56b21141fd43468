// HeatmapWebSocket against a server that misbehaves on purpose.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket, { WebSocketServer } from 'ws';
import { importTypeScript } from './bundle.mjs';

const { HeatmapWebSocket } = await importTypeScript('client/src/index.ts');
const { Backoff } = await importTypeScript('client/src/backoff.ts');

const cleanups = [];
afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const snapshot = (epoch, seq, symbol = 'BTCUSDT') =>
    JSON.stringify({
        type: 'snapshot',
        symbol,
        timestamp: '2025-12-28T14:30:00Z',
        epoch,
        seq,
        data: {
            levels: [{ price: 98000, long_density: 1500000, short_density: 0 }],
            current_price: 98450,
            positions_created: 450,
            positions_consumed: 120,
        },
    });

async function startServer(port = 0, onMessage = () => {}) {
    const server = new WebSocketServer({ port, host: '127.0.0.1', path: '/ws/heatmap' });
    const requests = [];
    server.on('connection', (socket) => {
        socket.on('message', (data) => {
            const request = JSON.parse(data);
            requests.push(request);
            onMessage(socket, request);
        });
    });
    await once(server, 'listening');
    const stop = () => {
        for (const socket of server.clients) socket.terminate();
        return new Promise((resolve) => server.close(resolve));
    };
    cleanups.push(stop);
    const broadcast = (text) => server.clients.forEach((socket) => socket.send(text));
    return { port: server.address().port, requests, stop, broadcast, clients: server.clients };
}

function connect(port, options = {}) {
    const seen = [];
    const client = new HeatmapWebSocket(`http://127.0.0.1:${port}`, {
        WebSocket,
        symbols: ['BTCUSDT'],
        retryMin: 20,
        retryMax: 100,
        onStatus: ({ status }) => seen.push(status),
        onSnapshot: ({ epoch, seq }) => seen.push(`${epoch}.${seq}`),
        onWarning: ({ code, droppedMessages }) => seen.push(`${code} ${droppedMessages}`),
        onError: ({ code }) => seen.push(code),
        ...options,
    });
    cleanups.push(() => client.disconnect());
    client.connect();
    return { client, seen };
}

async function until(isTrue, what) {
    const deadline = Date.now() + 15_000;
    while (!isTrue()) {
        assert.ok(Date.now() < deadline, `in time: ${what}`);
        await sleep(10);
    }
}

test('subscribes_with_the_interval_asked_for', async () => {
    const server = await startServer();
    const { client } = connect(server.port, { updateInterval: 5 });
    await until(() => server.requests.length === 1, 'subscribe');
    client.subscribe(['ETHUSDT'], { updateInterval: 30 });
    client.unsubscribe('BTCUSDT');
    await until(() => server.requests.length === 3, 'three requests');
    assert.deepEqual(server.requests, [
        { action: 'subscribe', symbols: ['BTCUSDT'], update_interval: 5 },
        { action: 'subscribe', symbols: ['ETHUSDT'], update_interval: 30 },
        { action: 'unsubscribe', symbols: ['BTCUSDT'] },
    ]);
    assert.deepEqual(client.symbols, ['ETHUSDT']);
    assert.equal(client.url, `ws://127.0.0.1:${server.port}/ws/heatmap`);
});

test('an_older_snapshot_never_follows_a_newer_one', async () => {
    const server = await startServer();
    const { client, seen } = connect(server.port);
    await until(() => server.requests.length === 1, 'subscribe');
    const order = [[1, 1], [1, 3], [1, 2], [1, 3], [2, 1], [1, 9], [2, 2]];
    for (const [epoch, seq] of order) server.broadcast(snapshot(epoch, seq));
    server.broadcast(snapshot(9, 9, 'XRPUSDT'));
    await until(() => seen.includes('2.2'), 'the last snapshot');
    assert.deepEqual(
        seen.filter((entry) => /^\d/.test(entry)),
        ['1.1', '1.3', '2.1', '2.2'],
    );
    assert.equal(client.lastSnapshot('BTCUSDT').seq, 2);
    assert.equal(client.lastSnapshot('XRPUSDT'), undefined);
});

test('comes_back_and_subscribes_again_when_the_server_does', async () => {
    const first = await startServer();
    const { client, seen } = connect(first.port);
    await until(() => client.status === 'connected', 'connected');
    client.subscribe('ETHUSDT', { updateInterval: 10 });
    await first.stop();
    await until(() => seen.filter((entry) => entry === 'CONNECTION_FAILED').length >= 3, 'retries');
    const second = await startServer(first.port);
    await until(() => second.requests.length === 2, 'both subscriptions');
    assert.deepEqual(second.requests, [
        { action: 'subscribe', symbols: ['BTCUSDT'] },
        { action: 'subscribe', symbols: ['ETHUSDT'], update_interval: 10 },
    ]);
    assert.equal(client.status, 'connected');
});

test('a_silent_server_is_left_after_two_unanswered_pings', async () => {
    const server = await startServer();
    const { seen } = connect(server.port, { pingInterval: 40 });
    await until(() => seen.includes('CONNECTION_LOST'), 'lost');
    assert.equal(server.requests.filter(({ action }) => action === 'ping').length, 2);
    await until(() => seen.filter((entry) => entry === 'connected').length >= 2, 'reconnected');
});

test('any_message_counts_as_life', async () => {
    const server = await startServer(0, (socket, { action }) => {
        if (action === 'ping') socket.send('{"type":"something new"}');
    });
    const { seen } = connect(server.port, { pingInterval: 40 });
    await until(() => server.requests.length > 8, 'pings');
    assert.deepEqual(seen, ['connecting', 'connected']);
});

test('a_slow_consumer_is_told_and_recovers', async () => {
    const server = await startServer();
    const { client, seen } = connect(server.port, { slowFor: 60 });
    await until(() => server.requests.length === 1, 'subscribe');
    server.broadcast(
        '{"type":"warning","code":"SLOW_CONSUMER","message":"Connection slow","dropped_messages":3}',
    );
    await until(() => client.status === 'slow', 'slow');
    await until(() => client.status === 'connected', 'connected again');
    assert.deepEqual(seen.slice(2), ['slow', 'SLOW_CONSUMER 3', 'connected']);
});

test('errors_of_the_server_are_events_and_nonsense_is_ignored', async () => {
    const server = await startServer();
    const { client, seen } = connect(server.port);
    await until(() => server.requests.length === 1, 'subscribe');
    const nonsense = ['', '[1]', 'null', '{"type":"snapshot"}', '{"type":"warning"}', '{{'];
    for (const text of nonsense) server.broadcast(text);
    server.broadcast('{"type":"error","code":"INVALID_SYMBOL","message":"not supported"}');
    await until(() => seen.includes('INVALID_SYMBOL'), 'the error');
    assert.deepEqual(seen, ['connecting', 'connected', 'INVALID_SYMBOL']);
    assert.equal(client.status, 'connected');
});

test('disconnect_is_final_until_connect', async () => {
    const server = await startServer();
    const { client, seen } = connect(server.port);
    await until(() => client.status === 'connected', 'connected');
    client.disconnect();
    await until(() => server.clients.size === 0, 'closed');
    await sleep(150);
    assert.deepEqual(seen, ['connecting', 'connected', 'disconnected']);
    client.connect();
    await until(() => server.requests.length === 2, 'subscribed again');
});

test('many_symbols_are_split_into_messages_that_fit', async () => {
    const server = await startServer();
    const symbols = Array.from({ length: 250 }, (_, i) => `COIN${i}USDT`);
    connect(server.port, { symbols });
    await until(() => server.requests.length === 3, 'three messages');
    assert.deepEqual(server.requests.flatMap((request) => request.symbols), symbols);
    for (const request of server.requests) assert.ok(JSON.stringify(request).length < 4096);
});

test('waits_grow_from_half_a_second_to_thirty_with_full_jitter', () => {
    const waits = (random) => {
        const backoff = new Backoff({ min: 500, max: 30_000, random: () => random });
        return Array.from({ length: 8 }, () => Math.round(backoff.next()));
    };
    assert.deepEqual(waits(0), [500, 500, 500, 500, 500, 500, 500, 500]);
    assert.deepEqual(waits(0.999999999), [
        1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000,
    ]);
    const backoff = new Backoff({ min: 500, max: 30_000, random: () => 0.999999999 });
    for (let i = 0; i < 5000; i += 1) assert.ok(backoff.next() <= 30_000);
    backoff.reset();
    assert.equal(Math.round(backoff.next()), 1000);
});
