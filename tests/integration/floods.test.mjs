// Those who cause as much as they can, from one address, and what all others get meanwhile: all of
// it. How long that takes is what the benchmark measures (bench/attack.mjs).
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connect as connectTls } from 'node:tls';

import { makePair } from '../support/certificate.mjs';
import { connectFor } from '../support/client.mjs';
import { get, parseAnswers } from '../support/http.mjs';
import { importMarkets, makeMarket } from '../support/market.mjs';
import { eventually, run, scratch, sleep, start } from '../support/process.mjs';
import { serveFor } from '../support/server.mjs';

const attackersAddress = '127.0.0.2';
const request = (path) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;

async function makeDatabase(t, candles = 100) {
    const folder = await scratch(t);
    const database = join(folder, 'market.duckdb');
    await importMarkets(folder, database, makeMarket({ candles }));
    return database;
}

async function metric(server, pattern) {
    return Number(pattern.exec((await get(`${server.url}/metrics`, server.tls)).text)?.[1]);
}

// Connections of one address, each opened again as soon as it is seen to be gone. What comes is not
// read, so that only writing shows that.
function hoard(t, port, count, bytes) {
    const held = { opened: 0, isOver: false };
    const sockets = new Set();
    const open = () => {
        if (held.isOver) return;
        const socket = connect({ port, host: '127.0.0.1', localAddress: attackersAddress });
        held.opened++;
        sockets.add(socket);
        socket.pause();
        socket.on('error', () => {});
        socket.on('close', () => {
            sockets.delete(socket);
            setImmediate(open);
        });
        socket.write(bytes);
    };
    for (let i = 0; i < count; i++) open();
    const prod = setInterval(() => sockets.forEach((socket) => socket.write('\r\n')), 300);
    t.after(() => {
        held.isOver = true;
        clearInterval(prod);
        sockets.forEach((socket) => socket.destroy());
    });
    return held;
}

// Everything that a client can ask for, from an address of its own; each has to be there, whole.
async function askForAll(t, server, localAddress) {
    const heatmap = `${server.url}/api/v1/heatmap/BTCUSDT`;
    const paths = ['/healthz', '/readyz', '/', '/api/v1/symbols', '/metrics', '/ws/stats'];
    const urls = [
        ...paths.map((path) => server.url + path),
        heatmap,
        `${heatmap}/grid?window=4h`,
        `${server.url}/api/v1/candles/BTCUSDT?window=4h`,
    ];
    for (const url of urls) {
        const { status, body, headers } = await get(url, { ...server.tls, localAddress });
        assert.equal(status, 200, `${url}: ${body.toString().slice(0, 200)}`);
        assert.equal(body.length, Number(headers['content-length']));
    }
    const client = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`, {
        ...server.tls,
        localAddress,
    });
    await client.nextSnapshot('BTCUSDT');
    await client.settle();
    await client.close();
}

describe('one address that holds all the connections that it gets, and does not read', () => {
    const question = '/api/v1/heatmap/BTCUSDT/history?bucket=3';
    for (const [name, count, args] of [
        ['1,040 of them', 1040, []],
        ['more than it may have', 1040, ['--ws-max-connections', '20']],
    ])
        test(`${name}: others are served all the time`, async (t) => {
            const server = await serveFor(t, { database: await makeDatabase(t, 1000), args });
            const { headers } = await get(server.url + question);
            assert.ok(Number(headers['content-length']) > 5e6);
            const held = hoard(t, server.port, count, request(question));
            const bystander = await connectFor(t, server.wsUrl);
            await eventually('they have connected', () => held.opened >= count);
            for (let round = 0; round < 20; round++) {
                await askForAll(t, server, '127.0.0.3');
                await bystander.settle();
            }
            if (args.length === 0) return;
            const pattern = /refused_total\{reason="connections_per_address"\} (\d+)/;
            assert.ok((await metric(server, pattern)) >= count - 532);
            assert.ok(held.opened > count, 'those that are refused come again');
        });
});

// What comes on a connection: the answers, and how it ended.
function listen(socket) {
    const heard = { bytes: Buffer.alloc(0), end: undefined };
    socket.on('data', (piece) => (heard.bytes = Buffer.concat([heard.bytes, piece])));
    socket.on('error', (error) => (heard.end = error.code));
    socket.on('end', () => (heard.end ??= 'end'));
    return heard;
}

describe('a refused connection is told so', () => {
    const limit = 4;

    async function setUp(t, args = []) {
        const server = await serveFor(t, {
            database: await makeDatabase(t),
            args: ['--connections-per-ip', String(limit), ...args],
        });
        return server;
    }

    // Connections that have their place: WebSockets count as well.
    async function fill(t, server) {
        const clients = [];
        for (let i = 0; i < limit; i++) clients.push(await connectFor(t, server.wsUrl, server.tls));
        return clients;
    }

    async function expectRefusal(heard) {
        await eventually('it has ended', () => heard.end !== undefined);
        assert.equal(heard.end, 'end');
        const { answers, rest } = parseAnswers(heard.bytes);
        assert.equal(rest.length, 0);
        assert.equal(answers.length, 1);
        const [{ status, headers, text }] = answers;
        assert.equal(status, 503);
        assert.equal(headers['retry-after'], '5');
        assert.equal(headers.connection, 'close');
        assert.equal(JSON.parse(text).error.code, 'TOO_MANY_CONNECTIONS');
        assert.match(JSON.parse(text).error.message, /^This address has as many connections/);
    }

    const behaviours = {
        'when it has asked at once': (socket) => socket.write(request('/healthz')),
        'when it asks much, and goes on': (socket) => {
            for (let i = 0; i < 2000; i++) socket.write(request('/healthz'));
        },
        'when it asks in pieces': async (socket) => {
            for (const piece of ['GET /hea', 'lthz HTTP/1.1\r\nHo', 'st: 127.0.0.1\r\n\r\n']) {
                socket.write(piece);
                await sleep(50);
            }
        },
        'when it wants to be a WebSocket': (socket) =>
            socket.write(
                'GET /ws/heatmap HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
                    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
            ),
        'when it asks after it was told': async (socket, heard) => {
            await eventually('it is told', () => heard.bytes.length > 0);
            socket.write(request('/healthz'));
        },
    };
    for (const [name, behave] of Object.entries(behaviours))
        test(name, async (t) => {
            const server = await setUp(t);
            const clients = await fill(t, server);
            const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
            t.after(() => socket.destroy());
            const heard = listen(socket);
            await behave(socket, heard);
            await expectRefusal(heard);
            for (const client of clients) await client.settle();
            assert.equal(
                (await get(`${server.url}/healthz`, { localAddress: '127.0.0.2' })).status,
                200,
            );
            await clients[0].close();
            await eventually(
                'there is a place again',
                async () => (await get(`${server.url}/healthz`)).status === 200,
            );
        });

    test('over TLS', async (t) => {
        const { cert, key, ca } = await makePair(await scratch(t), 'one');
        const server = await setUp(t, ['--tls-cert', cert, '--tls-key', key]);
        server.tls = { ca };
        const clients = await fill(t, server);
        const socket = connectTls({ port: server.port, host: '127.0.0.1', ca });
        t.after(() => socket.destroy());
        const heard = listen(socket);
        socket.write(request('/healthz'));
        await expectRefusal(heard);
        for (const client of clients) await client.settle();
    });

    test('unless one of its own on the same loop can give way, that has been served', async (t) => {
        const server = await setUp(t, ['--workers', '1']);
        for (let i = 0; i < 3 * limit; i++) {
            const socket = connect(server.port, '127.0.0.1');
            t.after(() => socket.destroy());
            const heard = listen(socket);
            socket.write(request('/healthz'));
            await eventually(
                'it is answered',
                () => parseAnswers(heard.bytes).answers.length === 1,
            );
            assert.equal(parseAnswers(heard.bytes).answers[0].status, 200);
        }
    });
});

// The attackers of the benchmark, for the length of one test.
async function attack(t, kind, port) {
    const attacker = fileURLToPath(new URL('../../bench/attacker.mjs', import.meta.url));
    const child = start([attacker, kind, String(port)], { program: process.execPath });
    t.after(() => {
        child.kill('SIGKILL');
        return child.ended;
    });
    let strikes = 0;
    child.stdout.on('data', (lines) => (strikes = Number(String(lines).trim().split('\n').pop())));
    return () => strikes;
}

describe('while one address attacks, others get everything', () => {
    // What the budgets come to. A program under a sanitizer takes more, and has no use for a limit
    // of its address space, by which it is told.
    async function memoryBudget() {
        const under = ['prlimit', '--as=921600000'];
        return (await run(['--version'], { under })).code === 0 ? 1e9 : 4e9;
    }

    for (const [kind, isTls] of [
        ['questions-4'],
        ['questions-80'],
        ['unread-distinct'],
        ['subscribe'],
        ['compressed'],
        ['handshakes', true],
        ['scrapes'],
        ['pages'],
    ])
        test(kind, async (t) => {
            const folder = await scratch(t);
            const args = ['--demo', '--symbols', 'BTCUSDT', '--ws-update-interval', '0.5'];
            const { cert, key, ca } = await makePair(folder, 'one');
            if (isTls) args.push('--tls-cert', cert, '--tls-key', key);
            const server = await serveFor(t, { database: join(folder, 'demo.duckdb'), args });
            server.tls = isTls ? { ca } : {};
            const bystander = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`, server.tls);
            await bystander.nextSnapshot('BTCUSDT');
            const strikes = await attack(t, kind, server.port);
            await eventually('it has begun', () => strikes() > 0);
            for (let round = 0; round < 4; round++) {
                await askForAll(t, server, '127.0.0.3');
                await bystander.settle();
            }
            const memory = await metric(server, /^process_resident_memory_bytes (\S+)/m);
            assert.ok(memory < (await memoryBudget()), `${memory}`);
            await eventually('the market moves', () => bystander.snapshots('BTCUSDT').length >= 3);
            const numbers = bystander.snapshots('BTCUSDT').map(({ seq }) => seq);
            numbers.forEach((seq, i) => assert.equal(seq, numbers[0] + i, 'each of them'));
            assert.ok(server.isRunning());
        });
});
