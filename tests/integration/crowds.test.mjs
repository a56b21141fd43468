// Many connections at a time: those that say nothing, those that are too many for the system, those
// that all ask the same or keep all threads busy, and thousands that come back at once.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';

import { connectFor } from '../support/client.mjs';
import { Crowd } from '../support/crowd.mjs';
import { get } from '../support/http.mjs';
import { importMarkets, makeMarket } from '../support/market.mjs';
import { eventually, run, scratch, logged } from '../support/process.mjs';
import { serveFor, startServer } from '../support/server.mjs';

async function makeDatabase(t) {
    const folder = await scratch(t);
    const database = join(folder, 'market.duckdb');
    await importMarkets(folder, database, makeMarket({ candles: 100 }));
    return { folder, database };
}

// Sockets that connect and never say anything.
function openSilent(t, port, count) {
    const sockets = [];
    for (let i = 0; i < count; i++) {
        const socket = connect(port, '127.0.0.1');
        socket.on('error', () => {});
        socket.received = '';
        socket.on('data', (bytes) => (socket.received += bytes));
        socket.on('connect', () => (socket.openedMs = performance.now()));
        socket.on('close', () => (socket.livedMs = performance.now() - socket.openedMs));
        sockets.push(socket);
    }
    t.after(() => sockets.forEach((socket) => socket.destroy()));
    return sockets;
}

async function metric(server, pattern) {
    return Number(pattern.exec((await get(`${server.url}/metrics`)).text)?.[1]);
}

test('connections that say nothing are limited in number, and lock no client out', async (t) => {
    const { database } = await makeDatabase(t);
    const server = await serveFor(t, { database, args: ['--ws-max-connections', '5'] });
    const client = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
    await client.nextSnapshot('BTCUSDT');
    const most = 5 + 512; // of one address
    const tooMany = 50; // no more than one loop refuses at a time
    const silent = openSilent(t, server.port, most - 1 + tooMany);
    const gone = () => silent.filter((socket) => socket.destroyed);
    await eventually('those beyond are refused', () => gone().length >= tooMany);
    const isRefused = ({ received }) => received.includes(' 503 ');
    // Where it takes a second until all have come, the first of them give way as they do below.
    assert.ok(gone().every((socket) => isRefused(socket) || socket.livedMs > 900));
    const refused = silent.filter(isRefused).length;
    await client.settle();
    // Those that have been silent for a while give way, to the same address as well.
    assert.equal((await get(`${server.url}/healthz`)).status, 200);
    const late = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
    await late.nextSnapshot('BTCUSDT');
    assert.ok(gone().length < tooMany + 20);
    const told = /refused_total\{reason="connections_per_address"\} (\d+)/;
    assert.ok((await metric(server, told)) >= refused);
});

test('out of file descriptors it waits, without spinning, and accepts again when some are free', async (t) => {
    const { database } = await makeDatabase(t);
    const server = await serveFor(t, {
        database,
        under: ['prlimit', '--nofile=80:80'],
        args: ['--ws-max-connections', '500', '--workers', '1'],
    });
    await logged(server, /warn.*open-file limit.*limit=80/);
    const client = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
    await client.nextSnapshot('BTCUSDT');
    const silent = openSilent(t, server.port, 200);
    await eventually('the log says so', () => /warn.*out of file descriptors/.test(server.logs()));
    const cpuSeconds = async () => {
        const { stdout } = await run(['-o', 'cputimes=', '-p', String(server.process.pid)], {
            program: 'ps',
        });
        return Number(stdout);
    };
    const before = await cpuSeconds();
    for (let i = 0; i < 10; i++) {
        await client.settle(); // a client that is connected is served
        await new Promise((settle) => setTimeout(settle, 200));
    }
    assert.ok((await cpuSeconds()) - before <= 1, 'it does not spin');
    assert.equal(server.logs().match(/out of file descriptors/g).length, 1);
    silent.forEach((socket) => socket.destroy());
    const late = await eventually('a new client gets in', () =>
        connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`),
    );
    await late.nextSnapshot('BTCUSDT');
});

test('a burst of more requests than there may be connections is answered, all of it', async (t) => {
    const { database } = await makeDatabase(t);
    const server = await serveFor(t, {
        database,
        args: ['--workers', '1', '--ws-max-connections', '5'],
    });
    server.process.kill('SIGSTOP'); // they all wait in the kernel's queue
    const answers = Array.from({ length: 2500 }, () => get(`${server.url}/healthz`));
    await new Promise((settle) => setTimeout(settle, 1000));
    server.process.kill('SIGCONT');
    for (const { status, text } of await Promise.all(answers)) {
        assert.equal(status, 200);
        assert.equal(text, '{"status":"ok"}');
    }
    assert.equal(await metric(server, /refused_total\{reason="http_limit"\} (\d+)/), 0);
});

test('hundreds of viewers that ask the same at once all get it, in the form that they accept', async (t) => {
    const { database } = await makeDatabase(t);
    const server = await serveFor(t, { database });
    for (const question of ['history?window=8h', 'grid?window=8h']) {
        const url = `${server.url}/api/v1/heatmap/BTCUSDT/${question}`;
        const encodings = Array.from({ length: 600 }, (_, i) =>
            i % 3 === 0 ? 'identity' : 'gzip',
        );
        const answers = await Promise.all(
            encodings.map((encoding) => get(url, { headers: { 'Accept-Encoding': encoding } })),
        );
        const plain = answers[0].body;
        assert.ok(plain.length > 1024);
        answers.forEach(({ status, headers, body }, i) => {
            assert.equal(status, 200);
            const isZipped = encodings[i] === 'gzip';
            assert.equal(headers['content-encoding'], isZipped ? 'gzip' : undefined);
            assert.equal(headers.etag, answers[0].headers.etag);
            assert.ok((isZipped ? gunzipSync(body) : body).equals(plain));
        });
    }
});

test('readiness and symbols do not wait behind questions that keep all threads busy', async (t) => {
    const folder = await scratch(t);
    const database = join(folder, 'market.duckdb');
    await importMarkets(folder, database, makeMarket({ candles: 800 }));
    const server = await serveFor(t, { database, args: ['--questions-per-ip', '64'] });
    const history = (bucket) => `${server.url}/api/v1/heatmap/BTCUSDT/history?bucket=${bucket}`;
    const order = [];
    const ask = async (name, url) => {
        const answer = await get(url, { method: 'HEAD' });
        order.push(name);
        return answer.status;
    };
    // Many more than there are threads, no two of them the same.
    const count = 24;
    const questions = Array.from({ length: count }, (_, i) =>
        ask('history', history(`3.${i + 10}`)),
    );
    assert.equal(await ask('wrong', history('none')), 400);
    assert.equal(await ask('ready', `${server.url}/readyz`), 200);
    assert.equal(await ask('symbols', `${server.url}/api/v1/symbols`), 200);
    const statuses = await Promise.all(questions);
    assert.deepEqual([...new Set(statuses)], [200]);
    // In one queue with the others they would come when the last ones have begun.
    const before = order.slice(0, order.indexOf('symbols'));
    assert.ok(before.filter((name) => name === 'history').length < count / 2, order.join(' '));
});

test('a server that stops with questions queued ends in good order, and answers them', async (t) => {
    const folder = await scratch(t);
    const database = join(folder, 'market.duckdb');
    await importMarkets(folder, database, makeMarket({ candles: 800 }));
    const server = await startServer({ database });
    const paths = Array.from({ length: 32 }, (_, i) =>
        i % 4 === 3 ? '/readyz' : `/api/v1/heatmap/BTCUSDT/history?bucket=2.${i + 10}`,
    );
    const statuses = [];
    const answers = paths.map(async (path) => {
        try {
            statuses.push((await get(server.url + path, { method: 'HEAD' })).status);
        } catch {
            statuses.push('cut'); // it had not been read yet
        }
    });
    await eventually('it has begun', () => statuses.length > 0);
    assert.equal(await server.stop(), 0, server.logs());
    await Promise.all(answers);
    const stopped = statuses.filter((status) => status === 503).length;
    assert.ok(stopped > 0, statuses.join(' '));
    assert.ok(
        statuses.every((status) => [200, 503, 'cut'].includes(status)),
        statuses.join(' '),
    );
});

test('one question in other words is one question', async (t) => {
    const { database } = await makeDatabase(t);
    const server = await serveFor(t, {
        database,
        args: ['--symbols', 'BTCUSDT', '--log-level', 'debug'],
    });
    const questions = [
        'window=2h&bucket=100&weights=10:1,20:3',
        'window=120m&bucket=100.00&weights=20:3,10:1',
        'weights=20:75,10:25&interval=5m&bucket=100&window=2h',
    ];
    const answers = await Promise.all(
        questions.map((question) =>
            get(`${server.url}/api/v1/heatmap/BTCUSDT/history?${question}`),
        ),
    );
    for (const { status, headers } of answers) {
        assert.equal(status, 200);
        assert.equal(headers.etag, answers[0].headers.etag);
    }
    await eventually('the log says how it was answered', () =>
        /debug +question computed kind=history question="BTCUSDT /.test(server.logs()),
    );
    assert.equal(server.logs().match(/question computed kind=history/g).length, 1);
});

test('thousands of clients are told of a restart, and all are back with the current snapshot', async (t) => {
    const { database } = await makeDatabase(t);
    const { stdout } = await run(['-c', 'ulimit -Hn'], { program: 'sh' });
    const count = Math.min(10_000, (Number(stdout) || Infinity) - 1500);
    assert.ok(count >= 500, `only ${stdout.trim()} files may be open`);
    const options = { database, args: ['--ws-max-connections', String(count + 100)] };
    const server = await startServer(options);
    const crowd = new Crowd(t, server.port, '/ws/heatmap?symbols=BTCUSDT', count);
    await eventually('all have a snapshot', () =>
        crowd.members.every((member) => member.snapshots === 1),
    );
    assert.equal((await get(`${server.url}/ws/stats`)).json().active_connections, count);
    const stalled = crowd.members.slice(0, 50);
    stalled.forEach((member) => member.socket.pause());

    const { port } = server;
    const ended = server.stop();
    await eventually('all are told', () =>
        crowd.members.slice(50).every((member) => member.closeCode === 1001),
    );
    assert.equal(await ended, 0, server.logs());

    const again = await serveFor(t, {
        ...options,
        args: [...options.args, '--listen', `127.0.0.1:${port}`],
    });
    stalled.forEach((member) => member.socket.resume());
    crowd.reconnect();
    await eventually('all are back', () => crowd.members.every((member) => member.snapshots === 2));
    assert.ok(crowd.members.every((member) => member.epochs[1] > member.epochs[0]));
    const stats = (await get(`${again.url}/ws/stats`)).json();
    assert.equal(stats.active_connections, count);
    assert.equal(stats.slow_consumers, 0);
});

test('one address has so many questions under way, and others are answered', async (t) => {
    const folder = await scratch(t);
    const database = join(folder, 'market.duckdb');
    await importMarkets(folder, database, makeMarket({ candles: 800 }));
    const server = await serveFor(t, { database, args: ['--questions-per-ip', '4'] });
    const history = (bucket) => `${server.url}/api/v1/heatmap/BTCUSDT/history?bucket=${bucket}`;
    const ask = (bucket, localAddress) => get(history(bucket), { method: 'HEAD', localAddress });
    const flood = Array.from({ length: 40 }, (_, i) => ask(`3.${i + 10}`, '127.0.0.2'));
    const other = await ask('7', '127.0.0.3');
    assert.equal(other.status, 200);
    const statuses = (await Promise.all(flood)).map((answer) => answer.status);
    assert.deepEqual([...new Set(statuses)].sort(), [200, 503]);
    assert.ok(statuses.filter((status) => status === 200).length >= 4);
    assert.equal((await ask('3.10', '127.0.0.2')).status, 200, 'nothing stays counted');
});

test('answers that are asked for and not read take no more than ANSWERS_MEMORY_MAX', async (t) => {
    const folder = await scratch(t);
    const database = join(folder, 'market.duckdb');
    await importMarkets(folder, database, makeMarket({ candles: 1000 }));
    const server = await serveFor(t, {
        database,
        args: ['--answers-memory-max', '20MB', '--questions-per-ip', '64'],
    });
    const rss = async () => metric(server, /^process_resident_memory_bytes (\S+)/m);
    const before = await rss();
    const sockets = Array.from({ length: 60 }, (_, i) => {
        const socket = connect(server.port, '127.0.0.1');
        socket.on('error', () => {});
        socket.pause(); // nothing ever makes it flow
        socket.write(
            `GET /api/v1/heatmap/BTCUSDT/history?bucket=2.${i + 10} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
        );
        return socket;
    });
    t.after(() => sockets.forEach((socket) => socket.destroy()));
    // Refused in the end, since what is held is not read.
    await eventually('a question is refused', async () => {
        const url = `${server.url}/api/v1/heatmap/BTCUSDT/history?bucket=9.${Date.now()}`;
        return (await get(url, { method: 'HEAD' })).status === 503;
    });
    // And what four threads may take while they compute; without the limit it is twice that.
    assert.ok((await rss()) - before < 600e6);
    assert.equal((await get(`${server.url}/healthz`)).status, 200);
    sockets.forEach((socket) => socket.destroy());
    await eventually('it is answered when they are gone', async () => {
        const url = `${server.url}/api/v1/heatmap/BTCUSDT/history?bucket=8.5`;
        return (await get(url, { method: 'HEAD' })).status === 200;
    });
});

test('a question whose client has left is not computed to its end', async (t) => {
    const folder = await scratch(t);
    const database = join(folder, 'market.duckdb');
    await importMarkets(folder, database, makeMarket({ candles: 1000 }));
    const server = await serveFor(t, { database, env: { LOG_LEVEL: 'debug' } });
    for (let i = 0; i < 12; i++) {
        const [socket] = openSilent(t, server.port, 1);
        socket.write(
            `GET /api/v1/heatmap/BTCUSDT/history?bucket=1.${i + 10} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
        );
        socket.end();
    }
    // Questions are computed in turn: when a later one has its answer, their turn is over.
    assert.equal((await get(`${server.url}/api/v1/candles/BTCUSDT`)).status, 200);
    await logged(server, /question computed kind=candles/);
    const done = server.logs().match(/question computed kind=history .*result=ok/g) ?? [];
    assert.ok(done.length <= 6, `${done.length} of 12`);
});
