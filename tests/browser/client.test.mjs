// HeatmapWebSocket against a server that misbehaves on purpose.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
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

const snapshot = (epoch, seq, symbol = 'BTCUSDT', timestamp = '2025-12-28T14:30:00Z') =>
    JSON.stringify({
        type: 'snapshot',
        symbol,
        timestamp,
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
    const requests = []; // but for the pings
    const pings = [];
    const handle = { onConnection: () => {} };
    server.on('connection', (socket) => {
        handle.onConnection(socket);
        socket.on('message', (data) => {
            const request = JSON.parse(data);
            (request.action === 'ping' ? pings : requests).push(request);
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
    return Object.assign(handle, {
        port: server.address().port,
        requests,
        pings,
        stop,
        broadcast,
        clients: server.clients,
    });
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
    client.subscribe(['SOLUSDT'], { sinceLast: true });
    client.unsubscribe('BTCUSDT');
    await until(() => server.requests.length === 4, 'four requests');
    assert.deepEqual(server.requests, [
        { action: 'subscribe', symbols: ['BTCUSDT'], update_interval: 5 },
        { action: 'subscribe', symbols: ['ETHUSDT'], update_interval: 30 },
        { action: 'subscribe', symbols: ['SOLUSDT'], update_interval: 5, since_last: true },
        { action: 'unsubscribe', symbols: ['BTCUSDT'] },
    ]);
    assert.deepEqual(client.symbols, ['ETHUSDT', 'SOLUSDT']);
    assert.equal(client.url, `ws://127.0.0.1:${server.port}/ws/heatmap`);
});

test('liquidations_come_to_who_wants_them_and_can_be_given_up', async () => {
    const server = await startServer();
    const liquidations = [];
    const { client } = connect(server.port, {
        liquidations: true,
        onLiquidation: (liquidation) => liquidations.push(liquidation),
    });
    await until(() => server.requests.length === 1, 'subscribe');
    const print = {
        type: 'liquidation',
        symbol: 'BTCUSDT',
        exchange: 'bybit',
        time: '2025-12-28T14:30:00.5Z',
        side: 'long',
        price: 87650.1,
        quantity: 0.42,
        value: 36813.042,
        id: 'a1',
    };
    server.broadcast(JSON.stringify({ ...print, side: 'up' }));
    server.broadcast(JSON.stringify(print));
    await until(() => liquidations.length === 1, 'the liquidation');
    assert.deepEqual(liquidations, [print]);
    client.subscribe('BTCUSDT', { liquidations: false });
    await until(() => server.requests.length === 3, 'it is given up');
    server.broadcast(JSON.stringify(print));
    server.broadcast(snapshot(1, 1));
    await until(() => client.lastSnapshot('BTCUSDT'), 'a snapshot');
    assert.equal(liquidations.length, 1);
    assert.deepEqual(server.requests, [
        {
            action: 'subscribe',
            symbols: ['BTCUSDT'],
            channels: ['snapshots', 'liquidations'],
        },
        { action: 'subscribe', symbols: ['BTCUSDT'] },
        { action: 'unsubscribe', symbols: ['BTCUSDT'], channels: ['liquidations'] },
    ]);
});

test('an_older_snapshot_never_follows_a_newer_one', async () => {
    const server = await startServer();
    const { client, seen } = connect(server.port);
    await until(() => server.requests.length === 1, 'subscribe');
    const order = [
        [1, 1],
        [1, 3],
        [1, 2],
        [1, 3],
        [2, 1],
        [1, 9],
        [2, 2],
    ];
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

test('a_silent_server_is_left_after_two_rounds_of_pings', async () => {
    const server = await startServer();
    const { seen } = connect(server.port, { pingInterval: 40 });
    await until(() => seen.includes('CONNECTION_LOST'), 'lost');
    assert.equal(server.pings.length, 3, 'one at the start, two rounds');
    await until(() => seen.filter((entry) => entry === 'connected').length >= 2, 'reconnected');
});

test('timers_that_come_late_are_no_dead_server', async () => {
    const server = await startServer(0, (socket, { action }) => {
        if (action === 'ping') socket.send('{"type":"pong","timestamp":"2025-12-28T14:30:00Z"}');
    });
    const { seen } = connect(server.port, { pingInterval: 40 });
    await until(() => server.pings.length >= 2, 'a ping');
    // As in a hidden tab or after sleep: nothing runs for many rounds, then all of it at once.
    for (let i = 0; i < 5; i += 1) {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);
        await sleep(45);
    }
    assert.deepEqual(seen, ['connecting', 'connected']);
});

test('any_message_counts_as_life', async () => {
    const server = await startServer(0, (socket, { action }) => {
        if (action === 'ping') socket.send('{"type":"something new"}');
    });
    const { seen } = connect(server.port, { pingInterval: 40 });
    await until(() => server.pings.length > 8, 'pings');
    assert.deepEqual(seen, ['connecting', 'connected']);
});

const warning =
    '{"type":"warning","code":"SLOW_CONSUMER","message":"Connection slow","dropped_messages":3}';

test('a_slow_consumer_is_told_and_recovers_when_snapshots_flow', async () => {
    const server = await startServer();
    const { client, seen } = connect(server.port, { slowFor: 60 });
    await until(() => server.requests.length === 1, 'subscribe');
    server.broadcast(warning);
    await until(() => client.status === 'slow', 'slow');
    await sleep(200);
    assert.equal(client.status, 'slow', 'until something flows');
    server.broadcast(snapshot(1, 1));
    await until(() => client.status === 'connected', 'connected again');
    assert.deepEqual(seen.slice(2), ['slow', 'SLOW_CONSUMER 3', 'connected', '1.1']);
});

test('slow_can_be_seen_although_the_newest_snapshot_follows_at_once', async () => {
    const server = await startServer();
    const { client } = connect(server.port, { slowFor: 150 });
    await until(() => server.requests.length === 1, 'subscribe');
    server.broadcast(warning);
    server.broadcast(snapshot(1, 1));
    await until(() => client.lastSnapshot('BTCUSDT'), 'the snapshot');
    assert.equal(client.status, 'slow');
    server.broadcast(warning);
    await until(() => client.status === 'slow', 'still slow');
    server.broadcast(snapshot(1, 2));
    await until(() => client.status === 'connected', 'connected again');
});

test('a_connection_that_does_not_last_makes_no_retry_quick_again', async (t) => {
    t.mock.method(Math, 'random', () => 0.999);
    const waits = async (stableAfter) => {
        const server = await startServer();
        server.onConnection = (socket) => setTimeout(() => socket.terminate(), 60);
        const retries = [];
        const { client } = connect(server.port, {
            retryMin: 1,
            retryMax: 1 << 30,
            stableAfter,
            onStatus: ({ retryIn }) => retryIn !== undefined && retries.push(retryIn),
        });
        await until(() => retries.length === 6, 'six losses');
        client.disconnect();
        await server.stop();
        return retries.map((wait) => Math.ceil(wait));
    };
    assert.deepEqual(await waits(60_000), [2, 4, 8, 16, 32, 64]);
    assert.deepEqual(await waits(10), [2, 2, 2, 2, 2, 2]);
});

test('polls_after_three_failures_with_an_etag_and_no_more_often_than_asked', async () => {
    const requests = [];
    let body = snapshot(1, 1);
    const http = createServer((request, response) => {
        requests.push({ path: request.url, tag: request.headers['if-none-match'] });
        const tag = `"${JSON.parse(body).seq}"`;
        const isKnown = request.headers['if-none-match'] === tag;
        response.writeHead(request.url.endsWith('BTCUSDT') ? (isKnown ? 304 : 200) : 404, {
            ETag: tag,
        });
        response.end(isKnown ? undefined : body);
    });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    cleanups.push(() => http.close());
    const { client, seen } = connect(http.address().port, {
        pollInterval: 20,
        onPolling: ({ isPolling }) => seen.push(`polling ${isPolling}`),
    });
    client.subscribe('ETHUSDT', { updateInterval: 60 });
    await until(() => seen.includes('1.1'), 'a snapshot');
    assert.ok(seen.filter((entry) => entry === 'CONNECTION_FAILED').length >= 2);
    assert.ok(client.isPolling);
    await until(() => requests.filter(({ tag }) => tag === '"1"').length >= 3, 'questions');
    body = snapshot(1, 2);
    await until(() => seen.includes('1.2'), 'the change');
    body = snapshot(1, 1);
    await until(() => requests.filter(({ tag }) => tag === '"1"').length >= 6, 'questions');
    assert.deepEqual(
        seen.filter((entry) => /^\d/.test(entry)),
        ['1.1', '1.2'],
    );
    const polls = requests.filter(({ path }) => path.startsWith('/api/v1/heatmap/'));
    assert.equal(polls.filter(({ path }) => path.endsWith('ETHUSDT')).length, 1);
    client.disconnect();
    const { length } = requests;
    await sleep(200);
    assert.equal(requests.length, length, 'disconnect() ends it');
    assert.equal(client.isPolling, false);
    const told = seen.filter((entry) => entry.startsWith('polling'));
    assert.deepEqual(told, ['polling true', 'polling false']);
});

test('a_server_that_answers_again_is_tried_at_once', async () => {
    let isUp = false;
    const http = createServer((_, response) => response.writeHead(404).end());
    const sockets = new WebSocketServer({ noServer: true });
    http.on('upgrade', (request, socket, head) => {
        if (isUp) sockets.handleUpgrade(request, socket, head, () => {});
        else socket.destroy();
    });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    cleanups.push(() => {
        for (const socket of sockets.clients) socket.terminate();
        return new Promise((closed) => http.close(closed));
    });
    // The third wait is of hours.
    const { random } = Math;
    let waits = 0;
    Math.random = () => (++waits < 3 ? 0 : 1e9);
    const { client, seen } = connect(http.address().port, {
        retryMin: 100,
        retryMax: 1e6,
        fetch: (...request) => {
            isUp = true;
            return fetch(...request);
        },
    });
    Math.random = random;
    await until(() => client.status === 'connected', 'a connection');
    assert.equal(seen.filter((entry) => entry === 'CONNECTION_FAILED').length, 3);
});

test('a_server_that_is_gone_for_http_as_well_is_not_polled', async () => {
    // A proxy that answers for a server behind it that is not there.
    const http = createServer((_, response) => response.writeHead(502).end('Bad Gateway'));
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    cleanups.push(() => http.close());
    const { client, seen } = connect(http.address().port, { pollInterval: 20 });
    await until(
        () => seen.filter((entry) => entry === 'CONNECTION_FAILED').length >= 6,
        'failures',
    );
    assert.equal(client.isPolling, false);
});

test('the_age_of_data_is_told_apart_from_the_connection', async () => {
    const server = await startServer();
    const ages = [];
    const { client } = connect(server.port, {
        staleAfter: 2_000,
        onAge: ({ symbol, age }) => ages.push(`${symbol} ${age}`),
    });
    await until(() => server.requests.length === 1, 'subscribe');
    assert.equal(client.dataAge('BTCUSDT'), 'stale');
    server.broadcast(snapshot(1, 1, 'BTCUSDT', '2020-01-01T00:00:00Z'));
    await until(() => client.lastSnapshot('BTCUSDT'), 'the snapshot');
    assert.equal(client.dataAge('BTCUSDT'), 'stale');
    server.broadcast(snapshot(1, 2, 'BTCUSDT', new Date().toISOString()));
    await until(() => client.dataAge('BTCUSDT') === 'live', 'live');
    await until(() => ages.length === 2, 'stale by itself');
    assert.deepEqual(ages, ['BTCUSDT live', 'BTCUSDT stale']);
    assert.equal(client.status, 'connected');
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

test('who_disconnects_at_the_first_snapshot_leaves_nothing_behind', async () => {
    const server = await startServer();
    const timers = () =>
        process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const { client } = connect(server.port, { onSnapshot: () => client.disconnect() });
    await until(() => server.requests.length === 1, 'subscribe');
    server.broadcast(snapshot(1, 1, 'BTCUSDT', new Date().toISOString()));
    await until(() => server.clients.size === 0, 'closed');
    await until(() => timers() === 0, 'no timer that would keep a program alive');
    assert.equal(client.status, 'disconnected');
});

test('what_is_said_in_one_turn_is_one_message', async () => {
    const server = await startServer();
    const { client } = connect(server.port);
    await until(() => server.requests.length === 1, 'subscribe');
    const symbols = Array.from({ length: 40 }, (_, i) => `COIN${i}USDT`);
    for (const symbol of symbols) client.subscribe(symbol);
    client.subscribe('SLOWUSDT', { updateInterval: 9 });
    client.unsubscribe('COIN0USDT');
    client.subscribe('SHORTUSDT');
    client.unsubscribe('SHORTUSDT');
    client.unsubscribe('BTCUSDT');
    client.subscribe('BTCUSDT');
    await until(() => server.requests.length === 4, 'three messages more');
    client.unsubscribe('BTCUSDT');
    await until(() => server.requests.length === 5, 'the next turn');
    assert.deepEqual(server.requests.slice(1), [
        { action: 'subscribe', symbols: [...symbols.slice(1), 'BTCUSDT'] },
        { action: 'subscribe', symbols: ['SLOWUSDT'], update_interval: 9 },
        { action: 'unsubscribe', symbols: ['COIN0USDT', 'SHORTUSDT'] },
        { action: 'unsubscribe', symbols: ['BTCUSDT'] },
    ]);
});

test('many_symbols_are_split_into_messages_that_fit', async () => {
    const server = await startServer();
    const symbols = Array.from({ length: 250 }, (_, i) => `COIN${i}USDT`);
    connect(server.port, { symbols });
    await until(() => server.requests.length === 3, 'three messages');
    assert.deepEqual(
        server.requests.flatMap((request) => request.symbols),
        symbols,
    );
    for (const request of server.requests) assert.ok(JSON.stringify(request).length < 4096);
});

test('waits_grow_from_half_a_second_to_thirty_with_full_jitter', () => {
    const waits = (random) => {
        const backoff = new Backoff({ min: 500, max: 30_000, random: () => random });
        return Array.from({ length: 8 }, () => Math.round(backoff.next()));
    };
    assert.deepEqual(waits(0), [500, 500, 500, 500, 500, 500, 500, 500]);
    assert.deepEqual(waits(0.999999999), [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    const backoff = new Backoff({ min: 500, max: 30_000, random: () => 0.999999999 });
    for (let i = 0; i < 5000; i += 1) assert.ok(backoff.next() <= 30_000);
    backoff.reset();
    assert.equal(Math.round(backoff.next()), 1000);
});
