// What goes wrong around the server, and what it says and does then.
import assert from 'node:assert/strict';
import { copyFile, rename, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { Client, connectFor, refusal } from '../support/client.mjs';
import { assertSnapshot } from '../support/compare.mjs';
import { assertDiscreet } from '../support/discreet.mjs';
import { renameInCatalogue } from '../support/duckdb-file.mjs';
import { get } from '../support/http.mjs';
import { importMarkets, makeMarket } from '../support/market.mjs';
import { expectedSnapshot } from '../support/survival.mjs';
import { eventually, run, scratch, sleep, start, logged } from '../support/process.mjs';
import { openRawFor } from '../support/raw-websocket.mjs';
import { serveFor, startServer } from '../support/server.mjs';

const market = makeMarket({ candles: 100 });
const quick = ['--ws-update-interval', '0.2'];

async function makeDatabase(t, ...markets) {
    const folder = await scratch(t);
    const database = join(folder, 'market.duckdb');
    if (markets.length > 0) await importMarkets(folder, database, ...markets);
    return { folder, database };
}

describe('the database', () => {
    test('may be missing: the server starts, says so, and serves it when it comes', async (t) => {
        const { folder, database } = await makeDatabase(t);
        const server = await serveFor(t, { database, args: quick });
        await eventually('the log says so', () => /warn.*market\.duckdb/.test(server.logs()));
        assert.equal((await get(`${server.url}/healthz`)).status, 200);
        const ready = await get(`${server.url}/readyz`);
        assert.equal(ready.status, 503);
        assert.match(ready.json().checks.database, /there is no database.*heatcast import/);
        await assertDiscreet(server, database);
        for (const path of [
            '/api/v1/heatmap/BTCUSDT',
            '/api/v1/heatmap/BTCUSDT/history',
            '/api/v1/candles/BTCUSDT',
        ]) {
            const answer = await get(server.url + path);
            assert.equal(answer.status, 503, path);
            assert.ok(answer.json().error.code);
        }
        const symbols = (await get(`${server.url}/api/v1/symbols`)).json();
        assert.equal(symbols.symbols[0].newest, null);

        const client = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
        const error = await client.nextError();
        assert.equal(error.code, 'SERVER_ERROR');
        assert.match(error.message, /BTCUSDT/);
        await importMarkets(folder, database, market);
        const expected = expectedSnapshot(market);
        const isWhole = (m) => m.data.levels.length === expected.levels.length;
        assertSnapshot(await client.nextSnapshot('BTCUSDT', isWhole), 'BTCUSDT', expected);
        assert.equal((await get(`${server.url}/readyz`)).status, 200);
    });

    test('may be no database at all: that is said once, not at every tick, and heals', async (t) => {
        const { folder, database } = await makeDatabase(t, market);
        await rename(database, join(folder, 'good.duckdb'));
        await writeFile(database, 'this is not a database\n'.repeat(1000));
        const command = await run(['snapshot', '--db', database]);
        assert.equal(command.code, 1);
        assert.match(command.stderr, /market\.duckdb/);

        const server = await serveFor(t, { database, args: quick });
        const client = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
        assert.equal((await client.nextError()).code, 'SERVER_ERROR');
        const ready = await get(`${server.url}/readyz`);
        assert.equal(ready.status, 503);
        await assertDiscreet(server, database);
        await sleep(2000);
        const lines = server
            .logs()
            .split('\n')
            .filter((line) => / (warn|error) /.test(line));
        assert.ok(lines.length >= 1 && lines.length < 6, server.logs());
        await client.settle();

        await rename(join(folder, 'good.duckdb'), database);
        assertSnapshot(await client.nextSnapshot('BTCUSDT'), 'BTCUSDT', expectedSnapshot(market));
        assert.ok(server.isRunning());
    });

    test('may lack a table or a column: the error names it, and the server keeps running', async (t) => {
        const { folder, database } = await makeDatabase(t, market);
        for (const [from, to, named] of [
            [
                'open_interest_value',
                'open_interest_valux',
                /open_interest_history.*open_interest_value/,
            ],
            ['klines_5m_history', 'klines_5m_histori', /klines_5m_history/],
            ['open_interest_history', 'open_interest_histori', /open_interest_history/],
        ]) {
            const broken = join(folder, `${to}.duckdb`);
            await copyFile(database, broken);
            assert.ok(renameInCatalogue(broken, from, to) > 0);
            const command = await run(['snapshot', '--db', broken]);
            assert.equal(command.code, 1);
            assert.match(command.stderr, named);
            assert.equal(command.stderr.trimEnd().split('\n').length, 1, command.stderr);

            const server = await serveFor(t, { database: broken, args: quick });
            const ready = await get(`${server.url}/readyz`);
            assert.equal(ready.status, 503);
            assert.match(ready.json().checks.database, /a table of it is missing/);
            await assertDiscreet(server, broken);
            const history = await get(`${server.url}/api/v1/heatmap/BTCUSDT/history`);
            assert.equal(history.status, 503);
            const client = await Client.open(`${server.wsUrl}?symbols=BTCUSDT`);
            assert.equal((await client.nextError()).code, 'SERVER_ERROR');
            await client.settle();
            await client.close();
            await logged(server, named);
        }
    });

    test('may be replaced by another file, and the new one is served', async (t) => {
        const { folder, database } = await makeDatabase(t, market);
        const server = await serveFor(t, { database, args: quick });
        const client = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
        const first = await client.nextSnapshot('BTCUSDT');
        const other = makeMarket({ candles: 90, seed: 77, price: '50000' });
        const replacement = join(folder, 'replacement.duckdb');
        await importMarkets(folder, replacement, other);
        await rename(replacement, database);
        const second = await client.nextSnapshot('BTCUSDT', (m) => m.seq > first.seq);
        assertSnapshot(second, 'BTCUSDT', expectedSnapshot(other));
        assert.equal(second.epoch, first.epoch);
    });

    test('may vanish while it is served: the last good snapshot stays, and new data is found again', async (t) => {
        const { folder, database } = await makeDatabase(t, market);
        const server = await serveFor(t, { database, args: quick });
        const client = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
        const first = await client.nextSnapshot('BTCUSDT');
        await rename(database, join(folder, 'away.duckdb'));
        await eventually(
            'it is noticed',
            async () => (await get(`${server.url}/readyz`)).status === 503,
        );
        await sleep(600);
        const late = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
        assert.equal((await late.nextSnapshot('BTCUSDT')).seq, first.seq);
        await rm(database, { force: true });
        await importMarkets(folder, database, makeMarket({ candles: 110, seed: 5 }));
        await client.nextSnapshot('BTCUSDT', (m) => m.seq > first.seq);
    });

    test('held by a writer is a skipped tick, not an error', async (t) => {
        const folder = await scratch(t);
        const database = join(folder, 'demo.duckdb');
        const demo = await startServer({ database, args: ['--demo', ...quick] });
        const server = await serveFor(t, { database, args: quick });
        const ready = await get(`${server.url}/readyz`);
        assert.equal(ready.status, 503);
        const client = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
        const error = await client.nextError();
        assert.equal(error.code, 'SERVER_ERROR');
        const answer = await get(`${server.url}/api/v1/heatmap/BTCUSDT/history`);
        assert.equal(answer.status, 503);
        assert.ok(answer.headers['retry-after']);
        await sleep(1000);
        await eventually('the skipped ticks are counted', async () => {
            const metrics = (await get(`${server.url}/metrics`)).text;
            return Number(/skipped_total\{reason="locked"\} (\d+)/.exec(metrics)?.[1]) >= 2;
        });
        const lines = server
            .logs()
            .split('\n')
            .filter((line) => / (warn|error) /.test(line));
        assert.ok(lines.length < 8, server.logs());
        const command = await run(['snapshot', '--db', database]);
        assert.equal(command.code, 1);
        assert.match(command.stderr, /demo\.duckdb.*another process/);
        assert.equal(await demo.stop(), 0);
        await client.nextSnapshot('BTCUSDT');
    });
});

describe('starting', () => {
    test('a port in use is one clear error with exit code 1', async (t) => {
        const taken = createServer();
        await new Promise((settle) => taken.listen(0, '127.0.0.1', settle));
        t.after(() => taken.close());
        const { port } = taken.address();
        const { folder } = await makeDatabase(t);
        const { code, stderr } = await run(['serve', '--listen', `127.0.0.1:${port}`], {
            cwd: folder,
        });
        assert.equal(code, 1);
        assert.match(stderr, new RegExp(`${port}.*in use`));
    });

    test('two servers cannot share a port', async (t) => {
        const { database } = await makeDatabase(t, market);
        const server = await serveFor(t, { database });
        const { code, stderr } = await run([
            'serve',
            '--db',
            database,
            '--listen',
            `127.0.0.1:${server.port}`,
        ]);
        assert.equal(code, 1);
        assert.match(stderr, /in use/);
    });

    test('a wrong setting stops it with exit code 2', async () => {
        const { code, stderr } = await run(['serve'], { env: { WS_UPDATE_INTERVAL: 'fast' } });
        assert.equal(code, 2);
        assert.match(stderr, /WS_UPDATE_INTERVAL.*fast/);
    });

    test('logs may be JSON, one object a line', async (t) => {
        const { database } = await makeDatabase(t, market);
        const child = start([
            'serve',
            '--db',
            database,
            '--listen',
            '127.0.0.1:0',
            '--log-format',
            'json',
        ]);
        let logs = '';
        child.stderr.on('data', (text) => (logs += text));
        await eventually('it listens', () => logs.includes('"listening"'));
        child.kill('SIGTERM');
        assert.equal((await child.ended).code, 0);
        for (const line of logs.trimEnd().split('\n')) {
            const { time, level, message } = JSON.parse(line);
            assert.ok(time && level && message, line);
        }
    });
});

describe('stopping', () => {
    for (const signal of ['SIGTERM', 'SIGINT'])
        test(`${signal}: every client gets 1001 "server shutdown", exit code 0`, async (t) => {
            const { database } = await makeDatabase(t, market);
            const server = await startServer({ database, args: quick });
            const clients = await Promise.all(
                Array.from({ length: 20 }, () => Client.open(`${server.wsUrl}?symbols=BTCUSDT`)),
            );
            await Promise.all(clients.map((client) => client.nextSnapshot('BTCUSDT')));
            assert.equal(await server.stop(signal), 0);
            for (const client of clients)
                assert.deepEqual(await client.closed, { code: 1001, reason: 'server shutdown' });
        });

    test('idle and half-written HTTP connections do not hold it up', async (t) => {
        const { database } = await makeDatabase(t, market);
        const server = await startServer({ database });
        for (const bytes of ['', 'GET /healthz HT']) {
            const socket = connect(server.port, '127.0.0.1');
            socket.on('error', () => {});
            t.after(() => socket.destroy());
            await new Promise((settle) => socket.once('connect', settle));
            socket.write(bytes);
        }
        const silent = await openRawFor(t, server.port);
        assert.ok(silent);
        const begun = Date.now();
        assert.equal(await server.stop(), 0);
        assert.ok(Date.now() - begun < 20_000);
    });

    test('a second signal ends it at once', async (t) => {
        const { database } = await makeDatabase(t, market);
        const server = await startServer({ database });
        const raw = await openRawFor(t, server.port); // never answers the close
        server.process.kill('SIGTERM');
        await logged(server, /stopping/);
        await sleep(1200);
        const end = await server.stop('SIGTERM');
        assert.ok(end === 'SIGTERM' || end === 0, String(end));
        raw.destroy();
    });

    test('signals that come together are one: timeout(1) sends two', async (t) => {
        const { database } = await makeDatabase(t, market);
        for (const second of ['SIGTERM', 'SIGINT']) {
            const server = await startServer({ database });
            const raw = await openRawFor(t, server.port);
            server.process.kill('SIGTERM');
            await logged(server, /stopping.*SIGTERM/);
            assert.equal(await server.stop(second), 0);
            assert.match(server.logs(), /info +stopped/);
            raw.destroy();
        }
    });

    test('a signal that means nothing here changes nothing, SIGHUP says so', async (t) => {
        const { database } = await makeDatabase(t, market);
        const server = await serveFor(t, { database });
        for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGHUP']) server.process.kill(signal);
        await logged(server, /nothing to reload/);
        assert.equal((await get(`${server.url}/healthz`)).status, 200);
    });

    test('SHUTDOWN_DELAY: not ready at once, and everything else works until it is over', async (t) => {
        const { database } = await makeDatabase(t, market);
        const server = await startServer({ database, args: [...quick, '--shutdown-delay', '5'] });
        const early = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
        await early.nextSnapshot('BTCUSDT');
        server.process.kill('SIGTERM');
        await eventually('it is not ready', async () => {
            const ready = await get(`${server.url}/readyz`);
            return ready.status === 503 && ready.json().checks.shutdown !== 'ok';
        });
        const late = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
        await late.nextSnapshot('BTCUSDT');
        await early.settle();
        assert.deepEqual(await early.closed, { code: 1001, reason: 'server shutdown' });
        assert.equal((await server.process.ended).code, 0);
    });
});

describe('clients', () => {
    test('one that misbehaves does not disturb another', async (t) => {
        const { folder, database } = await makeDatabase(t, market);
        const server = await serveFor(t, { database, args: [...quick, '--workers', '1'] });
        const good = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
        const first = await good.nextSnapshot('BTCUSDT');
        const bad = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
        for (const message of [
            '{',
            'null',
            Buffer.from([0, 1, 2]),
            '{"action":"subscribe","symbols":[7]}',
        ])
            bad.send(message);
        bad.send('x'.repeat(5 * 1024 * 1024));
        const torn = await openRawFor(t, server.port, { path: '/ws/heatmap?symbols=BTCUSDT' });
        torn.write(Buffer.from([0x81, 0xfe])); // half a frame header, and then silence
        const rude = connect(server.port, '127.0.0.1', () => rude.write('\x00\x01\x02\r\n\r\n'));
        rude.on('error', () => {});
        t.after(() => rude.destroy());
        assert.equal((await bad.closed).code, 1009);

        await importMarkets(folder, database, makeMarket({ candles: 120 }));
        await good.nextSnapshot('BTCUSDT', (m) => m.seq > first.seq);
        assert.equal(
            good.received.every((m) => m.type === 'snapshot'),
            true,
        );
    });

    test('over WS_MAX_CONNECTIONS the upgrade is 503 with Retry-After, until one leaves', async (t) => {
        const { database } = await makeDatabase(t, market);
        const server = await serveFor(t, { database, args: ['--ws-max-connections', '3'] });
        const clients = [];
        for (let i = 0; i < 3; i++)
            clients.push(await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`));
        const { status, headers, body } = await refusal(server.wsUrl);
        assert.equal(status, 503);
        assert.ok(Number(headers['retry-after']) > 0);
        assert.ok(JSON.parse(body).error.message);
        assert.equal((await get(`${server.url}/healthz`)).status, 200, 'HTTP is not limited by it');
        assert.equal((await get(`${server.url}/ws/stats`)).json().active_connections, 3);
        await clients[1].close();
        const next = await eventually('a place is free', () => Client.open(server.wsUrl));
        await next.settle();
        await next.close();
    });

    test('over WS_MAX_CONNECTIONS_PER_IP the upgrade is 503 with Retry-After, until one leaves', async (t) => {
        const { database } = await makeDatabase(t, market);
        const server = await serveFor(t, { database, args: ['--ws-max-connections-per-ip', '2'] });
        const first = await connectFor(t, server.wsUrl);
        await connectFor(t, server.wsUrl);
        const { status, headers } = await refusal(server.wsUrl);
        assert.equal(status, 503);
        assert.ok(Number(headers['retry-after']) > 0);
        await connectFor(t, server.wsUrl, { localAddress: '127.0.0.2' });
        await first.close();
        const next = await eventually('a place is free', () => Client.open(server.wsUrl));
        await next.close();
    });

    test('WS_ENABLED=false: the endpoint is 503 with a JSON error, the rest works', async (t) => {
        const { database } = await makeDatabase(t, market);
        const server = await serveFor(t, { database, env: { WS_ENABLED: 'false' } });
        const { status, body } = await refusal(server.wsUrl);
        assert.equal(status, 503);
        assert.ok(JSON.parse(body).error.message);
        for (const path of [
            '/',
            '/healthz',
            '/readyz',
            '/ws/stats',
            '/metrics',
            '/api/v1/symbols',
            '/api/v1/heatmap/BTCUSDT/history',
        ])
            assert.equal((await get(server.url + path)).status, 200, path);
        const snapshot = await get(`${server.url}/api/v1/heatmap/BTCUSDT`);
        assertSnapshot(snapshot.json(), 'BTCUSDT', expectedSnapshot(market));
    });

    describe('a page of a foreign origin', () => {
        const from = (origin) => ({ headers: { Origin: origin } });

        test('is refused with 403; one of the same origin and a program are welcome', async (t) => {
            const { database } = await makeDatabase(t, market);
            const server = await serveFor(t, { database });
            for (const origin of [
                'https://evil.example',
                'http://127.0.0.1',
                `http://127.0.0.1:${server.port}.evil.example`,
                `https://127.0.0.1`,
                'null',
                'file://',
            ]) {
                const { status, body } = await refusal(server.wsUrl, from(origin));
                assert.equal(status, 403, origin);
                assert.ok(JSON.parse(body).error.message);
            }
            await connectFor(t, server.wsUrl, from(`http://127.0.0.1:${server.port}`));
            await connectFor(t, server.wsUrl);
        });

        test('is welcome where WS_ALLOWED_ORIGINS names it', async (t) => {
            const { database } = await makeDatabase(t, market);
            const env = {
                WS_ALLOWED_ORIGINS:
                    'https://a.example, https://b.example:8443,https://*.c.example,null,file://',
            };
            const server = await serveFor(t, { database, env });
            await connectFor(t, server.wsUrl, from('https://a.example'));
            await connectFor(t, server.wsUrl, from('https://b.example:8443'));
            for (const origin of [
                'https://a.example:443',
                'https://x.c.example',
                'https://x.y.c.example:443',
                'null',
                'file://',
            ])
                await connectFor(t, server.wsUrl, from(origin));
            for (const origin of [
                'https://c.example',
                'https://evil-c.example',
                'http://x.c.example',
                'http://a.example',
                'https://a.example:8443',
            ])
                assert.equal((await refusal(server.wsUrl, from(origin))).status, 403, origin);
        });

        test('is welcome where WS_ALLOWED_ORIGINS is *', async (t) => {
            const { database } = await makeDatabase(t, market);
            const server = await serveFor(t, { database, args: ['--ws-allowed-origins', '*'] });
            await connectFor(t, server.wsUrl, from('https://anyone.example'));
        });
    });
});
