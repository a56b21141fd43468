// The HTTP client of src/link against servers and proxies that misbehave, plain and over TLS.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, createServer as createSocketServer } from 'node:net';
import { join } from 'node:path';
import { readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { makePair } from '../support/certificate.mjs';
import { listenFor, startProbe, unknownName } from '../support/link-probe.mjs';
import { freePort } from '../support/ports.mjs';
import { eventually, scratch } from '../support/process.mjs';

// Servers for the length of a test; the address of each.
async function serve(t, answer) {
    return `http://127.0.0.1:${await listenFor(t, createServer(answer))}`;
}

async function serveTls(t, answer, pair) {
    const key = { cert: await readFile(pair.cert), key: await readFile(pair.key) };
    return `https://127.0.0.1:${await listenFor(t, createTlsServer(key, answer))}`;
}

// One that speaks no HTTP of its own: `talk` gets the socket when the first bytes have come.
async function serveBytes(t, talk) {
    const server = createSocketServer((socket) => socket.once('data', () => talk(socket)));
    return `http://127.0.0.1:${await listenFor(t, server)}`;
}

const say = (text) => (socket) => socket.end(text);

test('an answer comes with its status, headers and body', async (t) => {
    const probe = await startProbe(t);
    const url = await serve(t, (request, response) => {
        response.writeHead(201, { ETag: '"one"' });
        response.end(`${request.method} ${request.url} ${request.headers['user-agent']}`);
    });
    assert.deepEqual(await probe.request(`${url}/a?b=1`), {
        id: 1,
        event: 'done',
        outcome: 'answered',
        status: 201,
        body: 'GET /a?b=1 probe/1',
        message: '',
        retryAfter: -1,
        isTransient: false,
        etag: '"one"',
    });
});

test('a request has a method, headers and a body', async (t) => {
    const probe = await startProbe(t);
    const url = await serve(t, async (request, response) => {
        let body = '';
        for await (const piece of request) body += piece;
        const { method, headers } = request;
        response.end(`${method} ${headers['content-type']} ${headers['x-one']} ${body}`);
    });
    const body = `{"type":"${'x'.repeat(3000)}"}`;
    const options = { method: 'POST', body, contentType: 'application/json', header: 'X-One: 1' };
    const done = await probe.request(url, options);
    assert.equal(done.body, `POST application/json 1 ${body}`);
    const head = await probe.request(url, { method: 'DELETE' });
    assert.match(head.body, /^DELETE undefined undefined/);
});

test('connections are used again, and many requests run at a time', async (t) => {
    const probe = await startProbe(t);
    const ports = new Set();
    const url = await serve(t, (request, response) => {
        ports.add(request.socket.remotePort);
        response.end('x');
    });
    for (let i = 0; i < 5; i++) await probe.request(url);
    assert.equal(ports.size, 1);
    const ids = Array.from({ length: 20 }, () => probe.begin(url));
    for (const id of ids) assert.equal((await probe.event(id, 'done')).body, 'x');
});

test('statuses are answers, and those that may pass are told from those that stay', async (t) => {
    const probe = await startProbe(t);
    const url = await serve(t, (request, response) => {
        response.writeHead(Number(request.url.slice(1)));
        response.end('<html>why</html>');
    });
    const passing = [408, 425, 429, 500, 502, 503, 504];
    for (const status of [200, 400, 403, 404, 416, 418, 451, ...passing]) {
        const done = await probe.request(`${url}/${status}`);
        assert.deepEqual([done.outcome, done.status], ['answered', status]);
        assert.equal(done.body, '<html>why</html>');
        assert.equal(done.isTransient, passing.includes(status));
    }
});

test('Retry-After is a number of seconds or a date', async (t) => {
    const probe = await startProbe(t);
    const url = await serve(t, (request, response) => {
        response.writeHead(429, { 'Retry-After': decodeURIComponent(request.url.slice(1)) });
        response.end();
    });
    const ask = async (text) =>
        (await probe.request(`${url}/${encodeURIComponent(text)}`)).retryAfter;
    assert.equal(await ask('120'), 120_000);
    assert.equal(await ask('0'), 0);
    assert.equal(await ask('soon'), -1);
    assert.equal(await ask('99999999999999999999'), -1);
    assert.equal(await ask('9999999999'), 30 * 86_400_000, 'bounded');
    assert.equal(await ask('Sun, 06 Nov 1994 08:49:37 GMT'), 0, 'a date that is over');
    const inAnHour = await ask(new Date(Date.now() + 3_600_000).toUTCString());
    assert.ok(inAnHour > 3_500_000 && inAnHour <= 3_600_000, `${inAnHour}`);
});

test('a body that is streamed comes as it comes, and can be stopped', async (t) => {
    const probe = await startProbe(t);
    const url = await serve(t, (request, response) => {
        response.writeHead(request.url === '/none' ? 404 : 206);
        if (request.url === '/none') return response.end('not here');
        response.write('first');
        response.socket.setNoDelay(true);
        if (request.url === '/all') setTimeout(() => response.end('second'), 100);
    });
    const options = { stream: true };
    const id = probe.begin(`${url}/all`, options);
    assert.deepEqual(await probe.event(id, 'bytes'), {
        id,
        event: 'bytes',
        status: 206,
        bytes: 'first',
    });
    assert.equal((await probe.event(id, 'bytes', 1)).bytes, 'second');
    const done = await probe.event(id, 'done');
    assert.deepEqual([done.outcome, done.body], ['answered', '']);
    const stopped = await probe.request(`${url}/stop`, { ...options, stopAfter: 3 });
    assert.equal(stopped.outcome, 'stopped');
    const none = await probe.request(`${url}/none`, options);
    assert.deepEqual([none.status, none.body], [404, 'not here'], 'no part of the body');
});

// -- limits --------------------------------------------------------------------------------------

test('an answer that is too large ends early, whatever it says of its size', async (t) => {
    const probe = await startProbe(t);
    let sent = 0;
    const url = await serve(t, (request, response) => {
        if (request.url === '/honest') response.setHeader('Content-Length', 1_000_000);
        const more = () => {
            while (sent < 100_000_000 && !response.destroyed) {
                sent += 100_000;
                if (!response.write('x'.repeat(100_000))) return response.once('drain', more);
            }
        };
        more();
    });
    for (const path of ['/honest', '/chunked']) {
        sent = 0;
        const done = await probe.request(`${url}${path}`, { max: 50_000 });
        assert.deepEqual([done.outcome, done.isTransient], ['too large', false]);
        assert.match(done.message, /^127\.0\.0\.1:\d+: the answer is too large/);
        assert.ok(sent < 50_000_000, `${sent} bytes were sent`);
    }
    const exact = await serve(t, (_, response) => response.end('x'.repeat(50_000)));
    assert.equal((await probe.request(exact, { max: 50_000 })).outcome, 'answered');
});

test('compression is asked for where it is wanted, and its content is what is limited', async (t) => {
    const probe = await startProbe(t);
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    const url = await serve(t, (request, response) => {
        if (!request.headers['accept-encoding']) return response.end('plain');
        response.setHeader('Content-Encoding', 'gzip');
        if (request.url === '/bomb') response.end(bomb);
        else if (request.url === '/broken') response.end('this is no gzip');
        else response.end(gzipSync('compressed'));
    });
    assert.equal((await probe.request(url)).body, 'plain');
    assert.equal((await probe.request(url, { gzip: true })).body, 'compressed');
    const bombed = await probe.request(`${url}/bomb`, { gzip: true, max: 100_000 });
    assert.equal(bombed.outcome, 'too large');
    assert.ok(bombed.body.length <= 100_000);
    const broken = await probe.request(`${url}/broken`, { gzip: true });
    assert.equal(broken.outcome, 'broken');
});

test('a head that never ends is too large', async (t) => {
    const probe = await startProbe(t);
    const url = await serveBytes(t, (socket) => {
        socket.write('HTTP/1.1 200 OK\r\n');
        const more = () => {
            while (!socket.destroyed && socket.write(`X-Filler: ${'x'.repeat(1000)}\r\n`));
        };
        socket.on('drain', more);
        more();
    });
    const done = await probe.request(url);
    assert.equal(done.outcome, 'too large');
});

// -- broken connections --------------------------------------------------------------------------

test('a body that is cut off is no answer', async (t) => {
    const probe = await startProbe(t);
    const cut = [
        'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort',
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n',
        'HTTP/1.1 200 OK\r\nContent-Len',
        '',
    ];
    for (const bytes of cut) {
        const done = await probe.request(await serveBytes(t, say(bytes)));
        assert.deepEqual([done.outcome, done.isTransient], ['cut off', true], bytes);
        assert.match(done.message, /the connection ended before the answer did/);
    }
    const reset = await serveBytes(t, (socket) => socket.resetAndDestroy());
    assert.equal((await probe.request(reset)).outcome, 'cut off');
});

test('chunks may have a trailer, and a continuation may come before the answer', async (t) => {
    const probe = await startProbe(t);
    const url = await serveBytes(
        t,
        say(
            'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n' +
                '4\r\nbody\r\n0\r\nX-Trailer: one\r\n\r\n',
        ),
    );
    const done = await probe.request(url);
    assert.deepEqual([done.outcome, done.status, done.body], ['answered', 200, 'body']);
});

test('what is not HTTP is broken', async (t) => {
    const probe = await startProbe(t);
    for (const bytes of ['SSH-2.0-OpenSSH_9.2\r\n', 'garbage\0garbage', '{"code":0}'])
        assert.equal((await probe.request(await serveBytes(t, say(bytes)))).outcome, 'broken');
});

test('a name without an address, and an address without a server', async (t) => {
    const probe = await startProbe(t);
    const unknown = await probe.request(`http://${unknownName}/`);
    assert.deepEqual([unknown.outcome, unknown.isTransient], ['name unknown', true]);
    assert.match(unknown.message, /^x{50,}\S*: the name has no address \(/);
    const refused = await probe.request(`http://127.0.0.1:${await freePort()}/`);
    assert.deepEqual(
        [refused.outcome, refused.status, refused.isTransient],
        ['not connected', 0, true],
    );
    assert.match(refused.message, /^127\.0\.0\.1:\d+: no connection \(/);
});

// -- time ----------------------------------------------------------------------------------------

test('silence ends a request, before the answer, within it, and while connecting', async (t) => {
    const folder = await scratch(t);
    const pair = await makePair(folder, 'one');
    const probe = await startProbe(t, { ca: pair.cert });
    const silent = createSocketServer(() => {});
    const port = await listenFor(t, silent);
    const stalled = await serveBytes(t, (socket) =>
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'),
    );
    // A TCP connection is there at once: its TLS never is.
    const handshake = probe.begin(`https://127.0.0.1:${port}/`, { connectTimeout: 300 });
    const before = probe.begin(`http://127.0.0.1:${port}/`, { silenceTimeout: 1000 });
    const within = probe.begin(stalled, { silenceTimeout: 1000 });
    const whole = probe.begin(`http://127.0.0.1:${port}/`, { timeout: 500 });
    for (const id of [handshake, before, within, whole]) {
        const done = await probe.event(id, 'done');
        assert.deepEqual([done.outcome, done.isTransient], ['timed out', true], `${id}`);
        assert.match(done.message, /^127\.0\.0\.1:\d+: timed out \(.+\)$/);
    }
});

test('an answer that comes slowly but steadily is waited for', async (t) => {
    const probe = await startProbe(t);
    const url = await serve(t, async (_, response) => {
        for (let i = 0; i < 8; i++) {
            response.write('x');
            await new Promise((settle) => setTimeout(settle, 250));
        }
        response.end();
    });
    const done = await probe.request(url, { silenceTimeout: 1000 });
    assert.deepEqual([done.outcome, done.body], ['answered', 'xxxxxxxx']);
});

// -- redirects -----------------------------------------------------------------------------------

test('redirects are followed five times, and a POST stays what it may', async (t) => {
    const probe = await startProbe(t);
    const url = await serve(t, (request, response) => {
        const left = Number(request.url.slice(1));
        if (left === 0) return response.end('arrived');
        response.writeHead(302, { Location: `/${left - 1}` });
        response.end('a body on the way');
    });
    const five = await probe.request(`${url}/5`);
    assert.deepEqual([five.status, five.body], [200, 'arrived']);
    const six = await probe.request(`${url}/6`);
    assert.deepEqual([six.outcome, six.isTransient], ['redirect refused', false]);
});

test('redirects lead to http:// and https:// alone, and never back from TLS', async (t) => {
    const folder = await scratch(t);
    const pair = await makePair(folder, 'one');
    const probe = await startProbe(t, { ca: pair.cert });
    const plain = await serve(t, (request, response) => {
        response.writeHead(301, { Location: decodeURIComponent(request.url.slice(1)) });
        response.end();
    });
    const secure = await serveTls(
        t,
        (request, response) => {
            if (request.url === '/there') return response.end('secure');
            response.writeHead(301, { Location: `${plain}/x` });
            response.end();
        },
        pair,
    );
    const to = (target) => probe.request(`${plain}/${encodeURIComponent(target)}`);
    assert.equal((await to(`${secure}/there`)).body, 'secure');
    assert.equal((await to('file:///etc/passwd')).outcome, 'redirect refused');
    assert.equal((await to('ftp://127.0.0.1/x')).outcome, 'redirect refused');
    assert.equal((await probe.request(`${secure}/back`)).outcome, 'redirect refused');
});

// -- TLS -----------------------------------------------------------------------------------------

test('a certificate must be trusted and be for the host', async (t) => {
    const folder = await scratch(t);
    const ours = await makePair(folder, 'ours');
    const other = await makePair(folder, 'other');
    const answer = (_, response) => response.end('secure');
    const url = await serveTls(t, answer, ours);
    const probe = await startProbe(t, { ca: ours.cert });
    assert.equal((await probe.request(url)).body, 'secure');

    const stranger = await probe.request(await serveTls(t, answer, other));
    assert.deepEqual([stranger.outcome, stranger.isTransient], ['not trusted', false]);
    assert.match(stranger.message, /its certificate is not trusted \(/);
    const misnamed = await probe.request(url.replace('127.0.0.1', 'localhost'));
    assert.equal(misnamed.outcome, 'not trusted');

    const bySystem = await startProbe(t);
    assert.equal((await bySystem.request(url)).outcome, 'not trusted');
    const plain = await serveBytes(t, say('HTTP/1.1 200 OK\r\n\r\n'));
    const failed = await probe.request(plain.replace('http:', 'https:'));
    assert.equal(failed.outcome, 'tls failed');
});

test('a file without certificates fails a request with a word on it', async (t) => {
    const folder = await scratch(t);
    const ca = join(folder, 'ca.pem');
    await writeFile(ca, 'no certificate');
    const probe = await startProbe(t, { ca });
    const pair = await makePair(folder, 'ours');
    const done = await probe.request(await serveTls(t, (_, response) => response.end(), pair));
    assert.deepEqual([done.outcome, done.isTransient], ['failed', false]);
    assert.match(done.message, /ca\.pem/);
});

// -- proxies -------------------------------------------------------------------------------------

// A proxy that lets through what it is asked to CONNECT to, or refuses it; what it was asked.
async function serveProxy(t, { status = 200 } = {}) {
    const asked = [];
    const server = createServer();
    server.on('connect', (request, socket) => {
        asked.push(request.url);
        if (status !== 200) return socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
        const [host, port] = request.url.split(':');
        const onward = connect(Number(port), host, () => {
            socket.write('HTTP/1.1 200 Established\r\n\r\n');
            onward.pipe(socket).pipe(onward);
        });
        onward.on('error', () => socket.destroy());
        socket.on('error', () => onward.destroy());
        socket.on('close', () => onward.destroy());
        t.after(() => onward.destroy());
    });
    return { url: `http://127.0.0.1:${await listenFor(t, server)}`, asked };
}

test('HTTPS_PROXY is used, except for what NO_PROXY names', async (t) => {
    const folder = await scratch(t);
    const pair = await makePair(folder, 'ours');
    const url = await serveTls(t, (_, response) => response.end('secure'), pair);
    const proxy = await serveProxy(t);
    const env = { HTTPS_PROXY: proxy.url };
    const probe = await startProbe(t, { ca: pair.cert, env });
    assert.equal((await probe.request(url)).body, 'secure');
    assert.deepEqual(proxy.asked, [url.slice('https://'.length)]);
    const without = await startProbe(t, { ca: pair.cert, env: { ...env, NO_PROXY: '127.0.0.1' } });
    assert.equal((await without.request(url)).body, 'secure');
    assert.equal(proxy.asked.length, 1);
});

test('a proxy that refuses, or is not there, is told from a server that is not', async (t) => {
    const folder = await scratch(t);
    const pair = await makePair(folder, 'ours');
    const url = await serveTls(t, (_, response) => response.end('secure'), pair);
    const refusing = await serveProxy(t, { status: 407 });
    const probe = await startProbe(t, { ca: pair.cert, env: { HTTPS_PROXY: refusing.url } });
    const refused = await probe.request(url);
    assert.equal(refused.outcome, 'proxy failed');
    assert.match(refused.message, /the proxy did not let the request through \(.*407/);
    const nowhere = { HTTPS_PROXY: `http://${unknownName}:3128` };
    const lost = await startProbe(t, { ca: pair.cert, env: nowhere });
    assert.equal((await lost.request(url)).outcome, 'proxy failed');
});

// -- cancelling ----------------------------------------------------------------------------------

test('a request can be cancelled at every stage, and says nothing more', async (t) => {
    const folder = await scratch(t);
    const pair = await makePair(folder, 'one');
    const probe = await startProbe(t, { ca: pair.cert });
    let closed = 0;
    const silent = createSocketServer((socket) => socket.resume().on('close', () => (closed += 1)));
    const port = await listenFor(t, silent);
    const half = await serveBytes(t, (socket) =>
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'),
    );
    const resolving = probe.begin(`http://${unknownName}/`);
    await probe.drop(resolving);
    const shaking = probe.begin(`https://127.0.0.1:${port}/`);
    await once(silent, 'connection');
    await probe.drop(shaking);
    const waiting = probe.begin(`http://127.0.0.1:${port}/`);
    await once(silent, 'connection');
    await probe.drop(waiting);
    const reading = probe.begin(half, { stream: true });
    await probe.event(reading, 'bytes');
    await probe.drop(reading);
    await eventually('both connections are closed', () => closed === 2);
    for (const id of [resolving, shaking, waiting, reading])
        assert.equal(probe.has(id, 'done'), false);
});

test('what is under way when the client ends is cancelled', async (t) => {
    const probe = await startProbe(t);
    const port = await listenFor(
        t,
        createSocketServer(() => {}),
    );
    for (let i = 0; i < 10; i++) probe.begin(`http://127.0.0.1:${port}/${i}`);
    probe.begin(`http://${unknownName}/`);
    await probe.drop(1); // the others have begun; the probe ends with the test
});
