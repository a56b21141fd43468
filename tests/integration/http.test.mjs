// Every path of docs/protocol.md, and HTTP/1.1 itself.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';

import { assertMoment, assertSnapshot } from '../support/compare.mjs';
import { exchange, get } from '../support/http.mjs';
import { candleMs, cutMarket, importMarkets, makeMarket } from '../support/market.mjs';
import { eventually, makeFolder, removeFolder } from '../support/process.mjs';
import { startServer } from '../support/server.mjs';
import { expectedHistory, expectedSnapshot } from '../support/survival.mjs';

const bitcoin = makeMarket({ candles: 600 });
const ether = makeMarket({ symbol: 'ETHUSDT', price: '2950', candles: 100, seed: 2 });
const newest = (market) => market.candles.at(-1).time;
const iso = (ms) => new Date(ms).toISOString().replace('.000Z', 'Z');

function assertError(answer, status, code) {
    assert.equal(answer.status, status, answer.text);
    assert.equal(answer.headers['content-type'], 'application/json');
    const { error } = JSON.parse(answer.text);
    assert.equal(error.code, code);
    assert.ok(error.message.length > 5);
    return error.message;
}

describe('HTTP', () => {
    let folder;
    let server;
    const ask = (path, options) => get(server.url + path, options);
    const askJson = async (path) => {
        const answer = await ask(path);
        assert.equal(answer.status, 200, answer.text);
        assert.equal(answer.headers['content-type'], 'application/json');
        return answer.json();
    };

    before(async () => {
        folder = await makeFolder();
        const database = join(folder, 'market.duckdb');
        await importMarkets(folder, database, bitcoin, ether);
        server = await startServer({
            database,
            args: ['--ws-update-interval', '60', '--symbols', 'BTCUSDT,ETHUSDT,NEWUSDT'],
        });
    });
    after(async () => {
        assert.equal(await server.stop(), 0);
        await removeFolder(folder);
    });

    describe('the snapshot', () => {
        test('is that of an independent model, with epoch and seq', async () => {
            const message = await askJson('/api/v1/heatmap/BTCUSDT');
            assertSnapshot(message, 'BTCUSDT', expectedSnapshot(bitcoin));
            assert.ok(Number.isSafeInteger(message.epoch) && message.epoch > 1_600_000_000_000);
            assert.ok(Number.isSafeInteger(message.seq) && message.seq >= 1);
            assertSnapshot(
                await askJson('/api/v1/heatmap/ETHUSDT'),
                'ETHUSDT',
                expectedSnapshot(ether),
            );
        });

        test('stays the same, byte for byte, as long as nothing changes', async () => {
            const first = await ask('/api/v1/heatmap/BTCUSDT');
            const second = await ask('/api/v1/heatmap/BTCUSDT');
            assert.equal(first.text, second.text);
        });

        for (const path of [
            'heatmap/*',
            'heatmap/*/grid?window=6h',
            'heatmap/*/history?window=2h',
            'candles/*',
        ])
            test(`${path} has an ETag, and 304 answers a client that has it`, async () => {
                const pathOf = (symbol) => `/api/v1/${path.replace('*', symbol)}`;
                const { headers } = await ask(pathOf('BTCUSDT'));
                assert.match(headers.etag, /^(W\/)?"[^"]+"$/);
                for (const tags of [
                    headers.etag,
                    `"other", ${headers.etag}`,
                    headers.etag.replace('W/', ''),
                    `"a,b",\t${'"x",'.repeat(500)} ${headers.etag}`,
                    '*',
                ]) {
                    const again = await ask(pathOf('BTCUSDT'), {
                        headers: { 'If-None-Match': tags, 'Accept-Encoding': 'gzip' },
                    });
                    assert.equal(again.status, 304, tags);
                    assert.equal(again.body.length, 0);
                    assert.equal(again.headers.etag, headers.etag);
                }
                const stale = await ask(pathOf('BTCUSDT'), {
                    headers: { 'If-None-Match': '"other"' },
                });
                assert.equal(stale.status, 200);
                const other = await ask(pathOf('ETHUSDT'), {
                    headers: { 'If-None-Match': headers.etag },
                });
                assert.equal(other.status, 200, 'the tag of one symbol is not that of another');
            });

        test('of an unknown symbol is 404 and names the valid ones', async () => {
            for (const path of [
                '/api/v1/heatmap/XYZUSDT',
                '/api/v1/heatmap/btcusdt',
                '/api/v1/heatmap/XYZUSDT/history',
            ])
                assert.match(
                    assertError(await ask(path), 404, 'INVALID_SYMBOL'),
                    /BTCUSDT, ETHUSDT/,
                );
        });

        test('of a symbol without data is 404 NO_DATA at once, however often it is asked for', async () => {
            const begun = Date.now();
            for (let i = 0; i < 3; i++)
                assertError(await ask('/api/v1/heatmap/NEWUSDT'), 404, 'NO_DATA');
            assert.ok(Date.now() - begun < 30_000, 'it does not wait for the next tick');
        });
    });

    describe('the history', () => {
        test('is that of an independent model', async () => {
            const { data, meta } = await askJson('/api/v1/heatmap/BTCUSDT/history?window=5h');
            const start = newest(bitcoin) - 5 * 3_600_000;
            const expected = expectedHistory(bitcoin, { start });
            assert.equal(data.length, 61);
            data.forEach((moment, i) => assertMoment(moment, expected[i]));
            assert.deepEqual(
                [
                    meta.symbol,
                    meta.start_time,
                    meta.end_time,
                    meta.interval,
                    meta.bucket,
                    meta.total_snapshots,
                ],
                ['BTCUSDT', iso(start), iso(newest(bitcoin)), '5m', 100, 61],
            );
            for (const name of [
                'price_range',
                'total_long_volume',
                'total_short_volume',
                'total_consumed',
            ])
                assert.ok(name in meta, name);
        });

        test('takes start, end, interval, bucket and weights', async () => {
            const start = newest(bitcoin) - 48 * candleMs;
            const end = newest(bitcoin) - 12 * candleMs;
            const query = new URLSearchParams({
                start: iso(start),
                end: iso(end),
                interval: '15m',
                bucket: '50',
                weights: '10:1,20:1',
            });
            const { data, meta } = await askJson(`/api/v1/heatmap/BTCUSDT/history?${query}`);
            const expected = expectedHistory(bitcoin, {
                start,
                end,
                intervalMs: 3 * candleMs,
                weights: '10:1,20:1',
                bucket: 50n * 10n ** 8n,
            });
            assert.equal(data.length, expected.length);
            data.forEach((moment, i) => assertMoment(moment, expected[i]));
            assert.equal(meta.bucket, 50);
        });

        test('of a symbol or range without data is 404 NO_DATA', async () => {
            assertError(await ask('/api/v1/heatmap/NEWUSDT/history'), 404, 'NO_DATA');
            assertError(await ask('/api/v1/candles/NEWUSDT'), 404, 'NO_DATA');
            assertError(
                await ask(
                    '/api/v1/heatmap/BTCUSDT/history?start=2019-01-01T00:00:00Z&end=2019-01-02T00:00:00Z',
                ),
                404,
                'NO_DATA',
            );
        });

        test('times may have a zone or fractions', async () => {
            const end = newest(bitcoin);
            const local = new Date(end + 2 * 3_600_000).toISOString().slice(0, 19);
            const times = [
                encodeURIComponent(iso(end)),
                encodeURIComponent(new Date(end).toISOString()),
                encodeURIComponent(`${local}+02:00`),
                `${local}+02:00`, // whose + a server reads as a blank
                `${local}+0200`,
                `${local}+02`,
                iso(end).replace('Z', '+00:00'),
                iso(end).replace('Z', '-00:00'),
            ];
            for (const time of times) {
                const { meta } = await askJson(
                    `/api/v1/heatmap/BTCUSDT/history?window=15m&end=${time}`,
                );
                assert.deepEqual([meta.end_time, meta.total_snapshots], [iso(end), 4], time);
            }
        });

        test('a wrong parameter is 400 and named', async () => {
            for (const [query, named] of [
                ['window=soon', 'window'],
                ['window=-5h', 'window'],
                ['start=yesterday', 'start'],
                ['end=2025-13-01T00:00:00Z', 'end'],
                ['interval=7m', 'interval'],
                ['bucket=0', 'bucket'],
                ['bucket=-1', 'bucket'],
                ['weights=5:x', 'weights'],
                ['weights=5:0', 'weights'],
                ['frobnicate=1', 'frobnicate'],
                ['start=2025-12-02T00:00:00Z&end=2025-12-01T00:00:00Z', 'start'],
                ['start=2025-12-01T00:00:00Z&end=2025-12-02T00:00:00Z&window=5h', 'window'],
                [`window=${'5'.repeat(300)}h`, ''],
                ['window=%zz', ''],
            ])
                for (const path of ['heatmap/BTCUSDT/history', 'candles/BTCUSDT']) {
                    const answer = await ask(`/api/v1/${path}?${query}`);
                    const message = assertError(answer, 400, 'INVALID_PARAMETER');
                    assert.ok(message.includes(named), `${query}: ${message}`);
                }
        });
    });

    test('candles are those that were imported', async () => {
        const { data } = await askJson('/api/v1/candles/BTCUSDT?window=1h');
        assert.equal(data.length, 13);
        const expected = bitcoin.candles.slice(-13);
        data.forEach((candle, i) => {
            assert.equal(candle.timestamp, iso(expected[i].time));
            for (const name of ['open', 'high', 'low', 'close', 'volume'])
                assert.equal(candle[name], Number(expected[i][name]) / 1e8, name);
        });
        const hourly = await askJson('/api/v1/candles/BTCUSDT?window=1h&interval=1h');
        assert.ok(hourly.data.length <= 2);
    });

    test('symbols lists the whitelist with newest candle, bucket and whether it is live', async () => {
        const { symbols, simulated } = await askJson('/api/v1/symbols');
        assert.deepEqual(
            symbols.map((s) => s.symbol),
            ['BTCUSDT', 'ETHUSDT', 'NEWUSDT'],
        );
        assert.deepEqual(
            symbols.map((s) => s.newest),
            [iso(newest(bitcoin)), iso(newest(ether)), null],
        );
        assert.deepEqual(
            symbols.map((s) => s.bucket),
            [100, 2, null],
        );
        assert.deepEqual(
            symbols.map((s) => s.live),
            [false, false, false],
        );
        assert.equal(simulated, false);
    });

    test('stats count connections, messages and subscriptions', async () => {
        const stats = await askJson('/ws/stats');
        for (const name of [
            'active_connections',
            'messages_sent',
            'messages_sent_1m',
            'slow_consumers',
            'slow_consumer_warnings',
        ])
            assert.equal(typeof stats[name], 'number', name);
        assert.deepEqual(stats.subscriptions_by_symbol, { BTCUSDT: 0, ETHUSDT: 0, NEWUSDT: 0 });
    });

    test('metrics are in the Prometheus text format', async () => {
        const { status, headers, text } = await ask('/metrics');
        assert.equal(status, 200);
        assert.match(headers['content-type'], /^text\/plain; version=0\.0\.4/);
        for (const line of text.trimEnd().split('\n'))
            assert.match(
                line,
                /^(# (HELP|TYPE) [a-z_:][\w:]* .+|[a-z_:][\w:]*(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? \S+)$/i,
            );
        for (const name of [
            'ws_active_connections',
            'ws_messages_sent_total',
            'ws_slow_consumers_total',
        ])
            for (const symbol of ['BTCUSDT', 'ETHUSDT'])
                assert.match(text, new RegExp(`^${name}\\{symbol="${symbol}"\\} \\d+$`, 'm'));
        assert.match(text, /^process_resident_memory_bytes \d/m);
        assert.match(text, /^heatcast_build_info\{version="[^"]+"\} 1$/m);
    });

    test('health and readiness', async () => {
        assert.equal((await ask('/healthz')).status, 200);
        const ready = await ask('/readyz');
        assert.equal(ready.status, 200);
        assert.match(ready.text, /"database":"ok"/);
    });

    describe('the page', () => {
        test('is served at / with a policy that allows no foreign source', async () => {
            const { status, headers, text } = await ask('/');
            assert.equal(status, 200);
            assert.match(headers['content-type'], /^text\/html/);
            assert.match(headers['content-security-policy'], /default-src 'none'/);
            assert.doesNotMatch(headers['content-security-policy'], /https?:|unsafe/);
            assert.equal(headers['x-content-type-options'], 'nosniff');
            assert.match(text, /<!doctype html>/i);
        });

        test('has assets that are there, typed, and may be cached', async () => {
            const { text } = await ask('/');
            const assets = [...text.matchAll(/(?:src|href)="([^"./][^"]+)"/g)].map(
                (match) => `/${match[1]}`,
            );
            assert.ok(
                assets.some((path) => path.endsWith('.js')),
                text,
            );
            for (const path of assets) {
                const answer = await ask(path);
                assert.equal(answer.status, 200, path);
                assert.match(
                    answer.headers['content-type'],
                    /javascript|css|svg|manifest|png/,
                    path,
                );
                assert.ok(answer.headers.etag, path);
                const again = await ask(path, {
                    headers: { 'If-None-Match': answer.headers.etag },
                });
                assert.equal(again.status, 304, path);
            }
        });

        test('loads nothing from another host, and all of it by relative addresses', async () => {
            const { text } = await ask('/');
            assert.doesNotMatch(text, /(?:src|href)="(?:https?:|\/)/);
        });

        test('and its script are compressed where the client accepts it', async () => {
            const { text } = await ask('/');
            const script = `/${/src="([^"/][^"]+\.js)"/.exec(text)[1]}`;
            for (const path of ['/', script]) {
                const plain = await ask(path);
                const zipped = await ask(path, { headers: { 'Accept-Encoding': 'gzip' } });
                assert.equal(zipped.headers['content-encoding'], 'gzip', path);
                assert.deepEqual(gunzipSync(zipped.body), plain.body);
            }
        });
    });

    describe('compression', () => {
        const paths = [
            '/api/v1/heatmap/BTCUSDT',
            '/api/v1/heatmap/BTCUSDT/history?window=2h',
            '/api/v1/candles/BTCUSDT',
        ];

        test('JSON is gzipped where the client accepts it, to the same bytes', async () => {
            for (const path of paths) {
                const plain = await ask(path);
                assert.equal(plain.headers['content-encoding'], undefined);
                for (const accepted of ['gzip', 'deflate, gzip;q=0.5, br']) {
                    const zipped = await ask(path, { headers: { 'Accept-Encoding': accepted } });
                    assert.equal(zipped.headers['content-encoding'], 'gzip', path);
                    assert.ok(zipped.body.length < plain.body.length);
                    assert.equal(gunzipSync(zipped.body).toString(), plain.text);
                    assert.match(zipped.headers.vary ?? '', /accept-encoding/i);
                }
            }
        });

        test('a client that refuses gzip gets none', async () => {
            for (const refused of ['gzip;q=0', 'identity', 'br', 'gzip; q=0, identity'])
                for (const path of paths) {
                    const answer = await ask(path, { headers: { 'Accept-Encoding': refused } });
                    assert.equal(answer.headers['content-encoding'], undefined, refused);
                }
        });
    });

    describe('the protocol', () => {
        const host = 'Host: localhost\r\n';

        test('HEAD answers as GET does, without the body', async () => {
            for (const path of [
                '/',
                '/healthz',
                '/api/v1/heatmap/BTCUSDT',
                '/api/v1/symbols',
                '/nothing',
            ]) {
                const whole = await ask(path);
                const head = await ask(path, { method: 'HEAD' });
                assert.equal(head.status, whole.status, path);
                assert.equal(head.body.length, 0, path);
                for (const name of ['content-length', 'content-type', 'etag'])
                    assert.equal(head.headers[name], whole.headers[name], `${path} ${name}`);
            }
        });

        test('an unknown path is 404, with a JSON error', async () => {
            for (const path of [
                '/nothing',
                '/api/v1',
                '/api/v1/heatmap/',
                '/api/v1/heatmap/BTCUSDT/x',
                '/../etc/passwd',
                '//',
            ])
                assertError(await ask(path), 404, 'NOT_FOUND');
        });

        test('another method is 405, with those that are allowed', async () => {
            for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
                const answer = await ask('/api/v1/symbols', { method });
                assertError(answer, 405, 'METHOD_NOT_ALLOWED');
                assert.match(answer.headers.allow, /GET/);
            }
            assertError(await ask('/', { method: 'PROPFIND' }), 501, 'UNKNOWN_METHOD');
            const options = await ask('/api/v1/symbols', { method: 'OPTIONS' });
            assert.equal(options.status, 204);
            assert.match(options.headers.allow, /OPTIONS/);
        });

        test('If-Match fails, since all tags are weak; a star does not', async () => {
            const { headers } = await ask('/api/v1/candles/BTCUSDT');
            for (const tags of [headers.etag, headers.etag.replace('W/', ''), '"x"']) {
                const answer = await ask('/api/v1/candles/BTCUSDT', {
                    headers: { 'If-Match': tags },
                });
                assertError(answer, 412, 'PRECONDITION_FAILED');
            }
            const star = await ask('/api/v1/candles/BTCUSDT', { headers: { 'If-Match': '*' } });
            assert.equal(star.status, 200);
        });

        test('encodings are a list with weights', async () => {
            const encodingOf = async (value) =>
                (await ask('/', { headers: { 'Accept-Encoding': value } })).headers[
                    'content-encoding'
                ];
            for (const value of ['gzip', 'GZIP', '*', 'br, gzip;q=0.5', 'x-gzip'])
                assert.equal(await encodingOf(value), 'gzip', value);
            for (const value of ['gzipx', 'pack200-gzip', 'gzip;Q=0', 'gzip;q=0.000', 'br'])
                assert.equal(await encodingOf(value), undefined, value);
        });

        test('paths are the same however their characters are encoded', async () => {
            assert.equal((await ask('/%68ealth%7A')).status, 200);
            assert.equal((await ask('/healthz%2f')).status, 404);
        });

        test('pipelined requests are answered in their order', async () => {
            const paths = [
                '/healthz',
                '/api/v1/symbols',
                '/nothing',
                '/api/v1/heatmap/BTCUSDT',
                '/ws/stats',
                '/',
            ];
            const pipeline = paths.map((path) => `GET ${path} HTTP/1.1\r\n${host}\r\n`).join('');
            const { answers } = await exchange(server.port, [pipeline], { count: paths.length });
            assert.deepEqual(
                answers.map((a) => a.status),
                [200, 200, 404, 200, 200, 200],
            );
            assert.match(answers[0].text, /"ok"/);
            assert.match(answers[1].text, /"symbols"/);
            assert.match(answers[3].text, /"snapshot"/);
            assert.match(answers[4].text, /"active_connections"/);
            assert.match(answers[5].text, /<html/);
        });

        test('hundreds of pipelined requests are all answered, and others are not kept waiting', async () => {
            const count = 300;
            const request = `GET /healthz HTTP/1.1\r\n${host}\r\n`;
            const { answers } = await exchange(server.port, [request.repeat(count)], { count });
            assert.equal(answers.length, count);
            assert.ok(answers.every((answer) => answer.status === 200));
        });

        test('HEAD and GET may be pipelined', async () => {
            const methods = ['HEAD', 'GET', 'HEAD', 'GET'];
            const pipeline = methods
                .map((m) => `${m} /api/v1/symbols HTTP/1.1\r\n${host}\r\n`)
                .join('');
            const { answers } = await exchange(server.port, [pipeline], { count: 4, methods });
            assert.deepEqual(
                answers.map((a) => [a.status, a.text.length > 0]),
                [
                    [200, false],
                    [200, true],
                    [200, false],
                    [200, true],
                ],
            );
        });

        test('a head may come in any pieces', async () => {
            const request = `GET /healthz HTTP/1.1\r\n${host}Accept: */*\r\n\r\n`;
            const byByte = await exchange(server.port, request.split(''), { pauseMs: 1 });
            assert.equal(byByte.answers[0].status, 200);
            for (const cut of [3, 20, request.length - 2]) {
                const { answers } = await exchange(
                    server.port,
                    [request.slice(0, cut), request.slice(cut)],
                    { pauseMs: 20 },
                );
                assert.equal(answers[0].status, 200, `cut at ${cut}`);
            }
        });

        test('one and a half requests, then the rest', async () => {
            const request = `GET /healthz HTTP/1.1\r\n${host}\r\n`;
            const { answers } = await exchange(
                server.port,
                [request + request.slice(0, 17), request.slice(17)],
                { count: 2, pauseMs: 50 },
            );
            assert.deepEqual(
                answers.map((a) => a.status),
                [200, 200],
            );
        });

        test('the connection is kept, or closed where the client says so', async () => {
            const ask11 = await exchange(
                server.port,
                [`GET /healthz HTTP/1.1\r\n${host}Connection: close\r\n\r\n`],
                { count: 2 },
            );
            assert.equal(ask11.isEnded, true);
            assert.equal(ask11.answers.length, 1);
            const ask10 = await exchange(server.port, ['GET /healthz HTTP/1.0\r\n\r\n'], {
                count: 2,
            });
            assert.equal(ask10.isEnded, true);
            assert.equal(ask10.answers[0].status, 200);
        });

        test('what is not HTTP is 400, a target too long 414, a head too large 431, an unknown coding 501, another version 505; each ends the connection', async () => {
            for (const [bytes, status] of [
                ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n', 400],
                ['GET\r\n\r\n', 400],
                ['GET /healthz HTTP/1.1\r\nno colon\r\n\r\n', 400],
                [
                    `GET /healthz HTTP/1.1\r\n${host}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
                    501,
                ],
                [`GET /healthz HTTP/1.1\r\n${host}Transfer-Encoding: chunked, gzip\r\n\r\n`, 400],
                ['GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n', 400],
                [`GET /${'x'.repeat(8000)} HTTP/1.1\r\n${host}\r\n`, 414],
                [
                    `GET /healthz HTTP/1.1\r\n${host}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`,
                    400,
                ],
                [`GET /healthz HTTP/1.1\r\n${host}X: ${'x'.repeat(17000)}\r\n\r\n`, 431],
                [`GET /healthz HTTP/1.1\r\n${host}${'X: y\r\n'.repeat(70)}\r\n`, 431],
                [`GET /healthz HTTP/2.0\r\n${host}\r\n`, 505],
            ]) {
                const { answers, isEnded } = await exchange(server.port, [bytes], { count: 2 });
                assert.equal(answers[0]?.status, status, bytes.slice(0, 40));
                assert.ok('error' in JSON.parse(answers[0].text));
                assert.equal(isEnded, true);
            }
        });

        test('a client that ends its side after asking is still answered', async () => {
            const text = await new Promise((settle, fail) => {
                let got = '';
                const socket = connect({
                    port: server.port,
                    host: '127.0.0.1',
                    allowHalfOpen: true,
                });
                socket.on('error', fail);
                socket.on('data', (bytes) => (got += bytes));
                socket.on('end', () => settle(got));
                socket.end(
                    `GET /api/v1/symbols HTTP/1.1\r\n${host}\r\nGET /healthz HTTP/1.1\r\n${host}\r\n`,
                );
            });
            assert.equal(text.match(/HTTP\/1\.1 200/g)?.length, 2);
        });

        test('clients that go away while asking disturb no other', async () => {
            for (let i = 0; i < 30; i++) {
                const socket = connect(server.port, '127.0.0.1');
                socket.on('error', () => {});
                socket.write(
                    `GET /api/v1/heatmap/BTCUSDT/history?bucket=${i + 1} HTTP/1.1\r\n${host}\r\n`,
                    () => socket.destroy(),
                );
            }
            assert.equal((await ask('/healthz')).status, 200);
        });

        describe('a head that is not complete in 10 s', { concurrency: true }, () => {
            // What the server sends to a client that sends `bytes` and then one more now and then.
            const dripTo = (bytes) =>
                new Promise((settle, fail) => {
                    const begun = Date.now();
                    const pieces = [];
                    const socket = connect(server.port, '127.0.0.1');
                    if (bytes !== '') socket.write(bytes);
                    const drip = setInterval(() => bytes && socket.write(bytes.at(-1)), 500);
                    socket.on('data', (piece) => pieces.push(piece));
                    socket.on('error', fail);
                    socket.on('end', () => clearInterval(drip));
                    socket.on('close', () => {
                        const waitedMs = Date.now() - begun;
                        assert.ok(waitedMs > 8_000, 'not before its time');
                        assert.ok(waitedMs < 40_000, 'not much later');
                        settle(Buffer.concat(pieces).toString());
                    });
                });

            test('is 408, which its client can read, and ends the connection', async () => {
                const ok = `GET /healthz HTTP/1.1\r\n${host}\r\n`;
                const [get, behind, head] = await Promise.all([
                    dripTo('GET /healthz HTTP/1.1\r\nHost: x'),
                    dripTo(`${ok}GET /x`),
                    dripTo('\r\nHEAD /healthz HTTP/1.1\r\nHost: x'),
                ]);
                for (const answer of [get, behind.slice(behind.indexOf('}') + 1), head]) {
                    assert.match(answer, /^HTTP\/1\.1 408 Request Timeout\r\n/);
                    assert.match(answer, /^Connection: close\r$/m);
                    assert.match(answer, /^Cache-Control: no-store\r$/m);
                }
                assert.match(get, /"code":"REQUEST_TIMEOUT"/);
                assert.match(behind, /^HTTP\/1\.1 200 /);
                assert.match(head, /\r\n\r\n$/, 'a HEAD has no body');
            });

            test('and has not begun gets no answer that its client could take for another', async () => {
                const answers = await Promise.all([dripTo(''), dripTo('\r\n')]);
                assert.deepEqual(answers, ['', '']);
            });
        });

        test('a connection that is kept says for how long, and less than it is', async () => {
            const request = `GET /healthz HTTP/1.1\r\n${host}\r\n`;
            const kept = (await exchange(server.port, [request])).answers[0];
            assert.equal(kept.headers.connection, 'keep-alive');
            assert.equal(kept.headers['keep-alive'], 'timeout=50'); // it is kept for 60 s
            const closed = (await exchange(server.port, ['GET /healthz HTTP/1.0\r\n\r\n']))
                .answers[0];
            assert.equal(closed.headers.connection, 'close');
            assert.equal(closed.headers['keep-alive'], undefined);
        });

        test('many connections at once are all answered', async () => {
            const paths = [
                '/healthz',
                '/api/v1/symbols',
                '/api/v1/heatmap/ETHUSDT',
                '/api/v1/candles/BTCUSDT?window=3h',
            ];
            const answers = await Promise.all(
                Array.from({ length: 60 }, (_, i) => ask(paths[i % paths.length])),
            );
            assert.deepEqual([...new Set(answers.map((a) => a.status))], [200]);
        });

        test('connections that are gone are counted no more', async () => {
            await eventually('no connection but the asking one', async () =>
                /^heatcast_connections\{state="http"\} 1$/m.test((await ask('/metrics')).text),
            );
        });
    });

    test('an upgrade is asked for where there is only WebSocket', async () => {
        const answer = await ask('/ws/heatmap');
        assert.ok([400, 426].includes(answer.status));
        assert.ok(answer.json().error.message);
    });
});

test('a range that is too large is 400, and says which interval fits', async (t) => {
    const folder = await makeFolder();
    t.after(() => removeFolder(folder));
    const database = join(folder, 'market.duckdb');
    const long = makeMarket({ candles: 5200 });
    await importMarkets(folder, database, long);
    const server = await startServer({ database });
    t.after(() => server.stop());

    const ask = (path) => get(`${server.url}/api/v1/heatmap/BTCUSDT/history?bucket=5000&${path}`);
    const message = assertError(await ask('window=60d'), 400, 'RANGE_TOO_LARGE');
    assert.match(message, /5000/);
    assert.match(message, / interval=15m fits$/);
    const refused = await ask('window=60d');
    assert.deepEqual(refused.json().error.fits, { interval: '15m' });
    const fitting = await ask('window=60d&interval=15m');
    assert.equal(fitting.status, 200);
    assert.equal(fitting.json().data.length, Math.ceil(5200 / 3));
    const most = cutMarket(long, long.candles[200].time);
    const whole = await ask(`start=${iso(most.candles[0].time)}`);
    assert.equal(whole.status, 200);
    assert.equal(whole.json().data.length, 5000);
});
