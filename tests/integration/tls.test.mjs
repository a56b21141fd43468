// https:// and wss:// with real certificates.
import assert from 'node:assert/strict';
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect as connectTls } from 'node:tls';

import { makePair } from '../support/certificate.mjs';
import { connectFor, refusal } from '../support/client.mjs';
import { assertSnapshot } from '../support/compare.mjs';
import { exchange, get } from '../support/http.mjs';
import { candleMs, cutMarket, importMarkets, makeMarket } from '../support/market.mjs';
import { expectedSnapshot } from '../support/survival.mjs';
import { eventually, run, scratch } from '../support/process.mjs';
import { serveFor } from '../support/server.mjs';

async function serveTls(t, { market, args = [] }) {
    const folder = await scratch(t);
    const database = join(folder, 'market.duckdb');
    await importMarkets(folder, database, market);
    const pair = await makePair(folder, 'first');
    const server = await serveFor(t, {
        database,
        args: [
            '--tls-cert',
            pair.cert,
            '--tls-key',
            pair.key,
            '--ws-update-interval',
            '0.2',
            ...args,
        ],
    });
    return { folder, database, pair, server };
}

// The name that the server shows, the protocol that was agreed on; throws where there was none.
function shakeHands(port, options) {
    return new Promise((settle, fail) => {
        const socket = connectTls({ port, host: '127.0.0.1', ...options });
        socket.on('error', fail);
        socket.on('secureConnect', () => {
            settle({
                name: socket.getPeerCertificate().subject.CN,
                protocol: socket.getProtocol(),
            });
            socket.destroy();
        });
    });
}

test('pages, answers and snapshots come over TLS 1.2 and 1.3, and nothing older', async (t) => {
    const market = makeMarket({ candles: 100 });
    const { pair, server } = await serveTls(t, { market });
    assert.match(server.url, /^https:/);
    const { ca } = pair;
    for (const version of ['TLSv1.2', 'TLSv1.3']) {
        const only = { ca, minVersion: version, maxVersion: version };
        assert.equal((await shakeHands(server.port, only)).protocol, version);
        const page = await get(server.url, only);
        assert.equal(page.status, 200);
        const client = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`, only);
        assertSnapshot(await client.nextSnapshot('BTCUSDT'), 'BTCUSDT', expectedSnapshot(market));
        await client.settle();
        assert.equal((await client.close()).code, 1000);
    }
    const old = { ca, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' };
    await assert.rejects(shakeHands(server.port, old), /protocol|version/i);
    const weak = { ca, maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA' };
    await assert.rejects(shakeHands(server.port, weak), /handshake/i);
});

test('a long answer and a long message come whole', async (t) => {
    const { pair, server } = await serveTls(t, {
        market: makeMarket({ candles: 1000 }),
        args: ['--conformance-echo'],
    });
    const long = await get(`${server.url}/api/v1/heatmap/BTCUSDT/history?window=3d`, {
        ca: pair.ca,
    });
    assert.ok(long.body.length > 2_000_000, `${long.body.length}`);
    assert.ok(long.json().data.length > 800);
    const { WebSocket } = await import('ws');
    const socket = new WebSocket(server.wsUrl.replace('heatmap', 'echo'), {
        ca: pair.ca,
        maxPayload: 2 ** 25,
    });
    t.after(() => socket.terminate());
    await new Promise((settle) => socket.once('open', settle));
    for (const size of [0, 1, 16383, 16384, 16385, 5_000_000]) {
        const bytes = Buffer.alloc(size, 'heatcast ');
        const answer = new Promise((settle) => socket.once('message', settle));
        socket.send(bytes);
        assert.ok(bytes.equals(await answer), `${size}`);
    }
});

// Snapshots of more than a megabyte, so that a few fill every buffer on the way.
test('a slow client over TLS is warned, gets the newest snapshot, and delays no other', async (t) => {
    const market = makeMarket({ candles: 1540 });
    const from = market.candles[1500].time;
    const { folder, database, pair, server } = await serveTls(t, {
        market: cutMarket(market, 0, from),
        args: [
            '--ws-slow-consumer-timeout',
            '0.5',
            '--workers',
            '1',
            '--heatmap-bucket',
            'BTCUSDT:0.00000001',
            '--heatmap-leverage-weights',
            Array.from({ length: 16 }, (_, i) => `${i + 1}:1`).join(','),
        ],
    });
    const { ca } = pair;
    const good = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`, { ca });
    const stalled = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`, { ca });
    await good.nextSnapshot('BTCUSDT');
    await stalled.nextSnapshot('BTCUSDT');
    stalled.socket.pause();
    const isSlow = async () =>
        (await get(`${server.url}/ws/stats`, { ca })).json().slow_consumer_warnings >= 2;
    for (let grown = 0; !(await isSlow()); grown++) {
        assert.ok(grown < 40, 'the buffers between are full by now');
        const time = from + grown * candleMs;
        await importMarkets(folder, database, cutMarket(market, time, time + candleMs));
        await good.nextSnapshot('BTCUSDT', (m) => Date.parse(m.timestamp) === time);
    }
    stalled.socket.resume();
    const warning = await stalled.next((m) => m.type === 'warning');
    assert.ok(warning.dropped_messages >= 1);
    const last = good.snapshots('BTCUSDT').at(-1);
    await stalled.nextSnapshot('BTCUSDT', (m) => m.seq === last.seq);
    assert.equal(stalled.texts.at(-1), good.texts.at(-1));
    assert.equal(stalled.received.at(-2).type, 'warning');
    assert.ok(good.received.every((m) => m.type === 'snapshot'));
});

test('SIGHUP loads the certificate again; one that cannot be used leaves the former in force', async (t) => {
    const { folder, pair, server } = await serveTls(t, { market: makeMarket({ candles: 50 }) });
    const lax = { rejectUnauthorized: false };
    const standing = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`, { ca: pair.ca });
    assert.equal((await shakeHands(server.port, lax)).name, 'first');
    const second = await makePair(folder, 'second');
    await copyFile(second.cert, pair.cert);
    await copyFile(second.key, pair.key);
    server.process.kill('SIGHUP');
    await eventually(
        'it is shown',
        async () => (await shakeHands(server.port, lax)).name === 'second',
    );
    await writeFile(pair.key, 'no key\n');
    server.process.kill('SIGHUP');
    await eventually('the log says so', () => /error.*TLS_KEY/.test(server.logs()));
    assert.equal((await shakeHands(server.port, lax)).name, 'second');
    await standing.settle();
    const metrics = (await get(`${server.url}/metrics`, { ca: second.ca })).text;
    assert.match(metrics, /^heatcast_tls_handshakes_total\{result="ok"\} [1-9]/m);
});

test('plain HTTP on the TLS port is told so', async (t) => {
    const { server } = await serveTls(t, { market: makeMarket({ candles: 50 }) });
    const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
    const { rest, answers } = await exchange(server.port, [request]);
    const said = answers[0] ?? {
        status: Number(rest.toString().split(' ')[1]),
        text: rest.toString(),
    };
    assert.equal(said.status, 400);
});

test('a certificate without its key, or with the wrong one, stops the start with one line', async (t) => {
    const folder = await scratch(t);
    const [first, second] = [await makePair(folder, 'first'), await makePair(folder, 'second')];
    for (const [args, code, said] of [
        [['--tls-cert', first.cert], 2, /TLS_CERT.*TLS_KEY/],
        [['--tls-key', first.key], 2, /TLS_KEY.*TLS_CERT/],
        [
            ['--tls-cert', first.cert, '--tls-key', second.key],
            1,
            /TLS_KEY: .*second\.key.*first\.crt/,
        ],
        [
            ['--tls-cert', join(folder, 'none.crt'), '--tls-key', first.key],
            1,
            /TLS_CERT: .*none\.crt.*No such file/,
        ],
    ]) {
        const result = await run([
            'serve',
            '--listen',
            '127.0.0.1:0',
            '--db',
            join(folder, 'a.duckdb'),
            ...args,
        ]);
        assert.equal(result.code, code);
        assert.match(result.stderr, said);
        assert.equal(result.stderr.trimEnd().split('\n').length, 1, result.stderr);
    }
});

test('a page that did not come over TLS may not open wss:// of the same host and port', async (t) => {
    const { pair, server } = await serveTls(t, { market: makeMarket({ candles: 10 }) });
    const from = (origin) => ({ ca: pair.ca, headers: { Origin: origin } });
    const address = `127.0.0.1:${server.port}`;
    await connectFor(t, server.wsUrl, from(`https://${address}`));
    for (const origin of [`http://${address}`, 'http://127.0.0.1', 'https://127.0.0.1'])
        assert.equal((await refusal(server.wsUrl, from(origin))).status, 403, origin);
});
