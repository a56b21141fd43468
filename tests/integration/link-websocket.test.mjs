// The WebSocket client of src/link against servers that misbehave, plain, over TLS and through a
// proxy.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect, createServer as createSocketServer } from 'node:net';
import { test } from 'node:test';

import { WebSocketServer } from 'ws';

import { makePair } from '../support/certificate.mjs';
import { listenFor, startProbe, unknownName } from '../support/link-probe.mjs';
import { deflateMessage } from '../support/permessage-deflate.mjs';
import { freePort } from '../support/ports.mjs';
import { eventually, scratch } from '../support/process.mjs';
import { closePayload, encodeFrame, opcodes } from '../support/raw-websocket.mjs';
import { servePeer } from '../support/websocket-peer.mjs';

const { text, binary, continuation, ping, pong, close } = opcodes;

// A probe connected to a server of one connection.
async function open(t, { serving, options, ...probing } = {}) {
    const probe = await startProbe(t, probing);
    const server = await servePeer(t, serving);
    const id = probe.connect(`${server.url}/ws?a=1`, options);
    await probe.event(id, 'open');
    return { probe, id, server, peer: await server.peer() };
}

// -- messages ------------------------------------------------------------------------------------

test('messages go both ways', async (t) => {
    const { probe, id, peer } = await open(t);
    assert.equal(peer.request.url, '/ws?a=1');
    assert.equal(peer.request.headers['user-agent'], 'probe/1');
    assert.equal(peer.request.headers['sec-websocket-extensions'], undefined);
    probe.say(id, 'send', { text: '{"op":"subscribe"}' });
    const sent = await peer.frame();
    assert.deepEqual([sent.text, sent.isMasked, sent.opcode], ['{"op":"subscribe"}', true, text]);
    peer.send(text, '{"topic":"kline"}');
    peer.send(binary, '{"binary":1}');
    assert.equal((await probe.event(id, 'text')).text, '{"topic":"kline"}');
    assert.equal((await probe.event(id, 'text', 1)).text, '{"binary":1}');
});

test('messages in fragments, with pings between them, are joined', async (t) => {
    const { probe, id, peer } = await open(t);
    peer.send(text, 'one ', { isFinal: false });
    peer.send(ping, 'are you there');
    peer.send(continuation, '', { isFinal: false });
    peer.send(continuation, 'message', { isFinal: true });
    assert.equal((await probe.event(id, 'text')).text, 'one message');
    const answer = await peer.frame();
    assert.deepEqual([answer.opcode, answer.text], [pong, 'are you there']);
});

test('messages that come byte by byte, or many at a time, are the same', async (t) => {
    const { probe, id, peer } = await open(t);
    peer.socket.setNoDelay(true);
    for (const byte of encodeFrame(text, 'slowly', { isMasked: false })) {
        peer.socket.write(Buffer.from([byte]));
        await new Promise((settle) => setImmediate(settle));
    }
    assert.equal((await probe.event(id, 'text')).text, 'slowly');
    const many = Array.from({ length: 1000 }, (_, i) =>
        encodeFrame(text, `${i}`, { isMasked: false }),
    );
    peer.socket.write(Buffer.concat(many));
    assert.equal((await probe.event(id, 'text', 1000)).text, '999');
});

test('frames that come with the answer to the handshake are read', async (t) => {
    const first = Buffer.concat([
        encodeFrame(text, 'at once', { isMasked: false }),
        encodeFrame(text, 'and', { isMasked: false, isFinal: false }),
    ]);
    const { probe, id, peer } = await open(t, { serving: { first } });
    assert.equal((await probe.event(id, 'text')).text, 'at once');
    peer.send(continuation, ' later');
    assert.equal((await probe.event(id, 'text', 1)).text, 'and later');
});

test('a long message passes in both directions, over TLS too', async (t) => {
    const folder = await scratch(t);
    const pair = await makePair(folder, 'ours');
    pair.keyBytes = await readFile(pair.key);
    for (const serving of [{}, { pair }]) {
        const { probe, id, peer } = await open(t, { serving, ca: pair.cert });
        peer.send(text, 'x'.repeat(999_999));
        assert.equal((await probe.event(id, 'text')).size, 999_999);
        probe.say(id, 'send', { text: 'y', repeat: 1_000_000 });
        assert.equal((await peer.frame()).payload.length, 1_000_000);
        probe.say(id, 'send', { text: 'z' });
        assert.equal((await peer.frame(1)).text, 'z');
    }
});

test('compression is used as offered, and a bomb is refused', async (t) => {
    const extensions = 'permessage-deflate; server_no_context_takeover';
    const { probe, id, peer } = await open(t, {
        serving: { extensions },
        options: { compression: true },
    });
    assert.match(peer.request.headers['sec-websocket-extensions'], /^permessage-deflate;/);
    const packed = deflateMessage('compressed', {});
    peer.send(text, packed.subarray(0, 3), { reserved: 4, isFinal: false });
    peer.send(continuation, packed.subarray(3));
    peer.send(text, 'and plain');
    assert.equal((await probe.event(id, 'text')).text, 'compressed');
    assert.equal((await probe.event(id, 'text', 1)).text, 'and plain');
    peer.send(text, deflateMessage('x'.repeat(20_000_000), {}), { reserved: 4 });
    const closed = await probe.event(id, 'closed');
    assert.equal(closed.outcome, 'too large');
    assert.equal((await peer.frame()).closeCode, 1009);
});

test('a server of a library, with compression, understands and is understood', async (t) => {
    const probe = await startProbe(t);
    const server = createServer();
    const library = new WebSocketServer({ server, perMessageDeflate: { threshold: 0 } });
    library.on('connection', (socket) => socket.on('message', (data) => socket.send(`${data}!`)));
    const port = await listenFor(t, server);
    const id = probe.connect(`ws://127.0.0.1:${port}`, { compression: true });
    await probe.event(id, 'open');
    for (let i = 0; i < 3; i++) {
        probe.say(id, 'send', { text: `message ${i}` });
        assert.equal((await probe.event(id, 'text', i)).text, `message ${i}!`);
    }
    const [socket] = library.clients;
    const answered = once(socket, 'pong');
    socket.ping();
    await answered;
    const pinged = once(socket, 'ping');
    probe.say(id, 'ping');
    await pinged;
    probe.say(id, 'close');
    assert.equal((await probe.event(id, 'closed')).code, 1000);
});

// -- what breaks the protocol --------------------------------------------------------------------

test('garbage, masked frames and broken text end the connection', async (t) => {
    const gzip = Buffer.from([0x1f, 0x8b, 8]);
    const faults = [
        ['a masked frame', encodeFrame(text, 'masked'), 1002],
        ['reserved bits', encodeFrame(text, 'x', { isMasked: false, reserved: 2 }), 1002],
        ['compression that was not agreed on', Buffer.from([0xc1, 1, 0x41]), 1002],
        ['garbage', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 1002],
        ['half a character', encodeFrame(text, Buffer.from([0xc3]), { isMasked: false }), 1007],
        ['bytes that are no text', encodeFrame(binary, gzip, { isMasked: false }), 1007],
        ['a long ping', encodeFrame(ping, 'x'.repeat(126), { isMasked: false }), 1002],
    ];
    for (const [what, bytes, code] of faults) {
        const { probe, id, peer } = await open(t);
        peer.socket.write(bytes);
        const closed = await probe.event(id, 'closed');
        assert.deepEqual([closed.outcome, closed.wasOpen], ['broken', true], what);
        assert.equal((await peer.frame()).closeCode, code, what);
        await peer.closed();
    }
});

test('a message that is too large ends the connection, whole or in fragments', async (t) => {
    for (const isFinal of [true, false]) {
        const { probe, id, peer } = await open(t, { options: { max: 1000 } });
        peer.send(text, 'x'.repeat(1000));
        assert.equal((await probe.event(id, 'text')).size, 1000);
        peer.send(text, 'x'.repeat(isFinal ? 1001 : 900), { isFinal });
        if (!isFinal) peer.send(continuation, 'x'.repeat(101));
        const closed = await probe.event(id, 'closed');
        assert.equal(closed.outcome, 'too large');
        assert.equal((await peer.frame()).closeCode, 1009);
    }
});

test('a server that does not read is noticed when too much waits for it', async (t) => {
    const { probe, id, peer } = await open(t);
    peer.socket.pause();
    let refused = false;
    for (let i = 0; i < 200 && !refused; i++) {
        probe.say(id, 'send', { text: 'x', repeat: 500_000 });
        await eventually('the probe has tried', () => probe.count(id, 'sent', 'refused') > i);
        refused = probe.has(id, 'refused');
    }
    assert.ok(refused);
    assert.equal(probe.has(id, 'closed'), false);
});

// -- closing -------------------------------------------------------------------------------------

test('a close frame is answered, and its code and reason are told', async (t) => {
    const { probe, id, peer } = await open(t);
    peer.send(close, closePayload(1001, 'a day is over'));
    const closed = await probe.event(id, 'closed');
    assert.deepEqual([closed.outcome, closed.code, closed.wasOpen], ['answered', 1001, true]);
    assert.match(closed.message, /closed by the server with code 1001: a day is over/);
    assert.equal((await peer.frame()).closeCode, 1001);
    await peer.closed();
});

test('an empty close frame has no code, and gets an empty one', async (t) => {
    const { probe, id, peer } = await open(t);
    peer.send(close);
    assert.equal((await probe.event(id, 'closed')).code, 1005);
    assert.equal((await peer.frame()).payload.length, 0);
});

test('a connection that ends without a close frame is cut off', async (t) => {
    for (const end of ['end', 'resetAndDestroy']) {
        const { probe, id, peer } = await open(t);
        peer.socket[end]();
        const closed = await probe.event(id, 'closed');
        assert.deepEqual([closed.outcome, closed.code, closed.wasOpen], ['cut off', 1006, true]);
    }
});

test('closing waits for the answer, but not for ever', async (t) => {
    const { probe, id, peer } = await open(t);
    probe.say(id, 'close');
    assert.equal((await peer.frame()).closeCode, 1000);
    peer.send(text, 'too late');
    peer.send(close, closePayload(1000));
    const closed = await probe.event(id, 'closed');
    assert.deepEqual([closed.outcome, closed.code], ['answered', 1000]);
    assert.equal(probe.has(id, 'text'), false, 'nothing more is told');

    const silent = await open(t);
    silent.probe.say(silent.id, 'close');
    const given = await silent.probe.event(silent.id, 'closed');
    assert.deepEqual([given.outcome, given.code], ['timed out', 1006]);
    await silent.peer.closed();
});

test('a client may close or destroy itself when a message comes', async (t) => {
    const both = Buffer.concat([
        encodeFrame(text, 'first', { isMasked: false }),
        encodeFrame(text, 'second', { isMasked: false }),
    ]);
    for (const onText of ['close', 'destroy']) {
        const { probe, id, peer } = await open(t, { options: { onText } });
        peer.socket.write(both);
        assert.equal((await probe.event(id, 'text')).text, 'first');
        if (onText === 'close') {
            await peer.frame();
            peer.send(close, closePayload(1000));
            await probe.event(id, 'closed');
        }
        await peer.closed();
        assert.equal(probe.count(id, 'text'), 1);
    }
});

// -- handshakes ----------------------------------------------------------------------------------

test('a handshake that is refused is told with its status and Retry-After', async (t) => {
    const probe = await startProbe(t);
    const answers = [
        ['429 Too Many Requests\r\nRetry-After: 7', 429, 7000],
        ['451 Unavailable', 451, -1],
        ['200 OK', 200, -1],
        ['301 Moved\r\nLocation: ws://127.0.0.1/', 301, -1],
    ];
    for (const [head, status, retryAfter] of answers) {
        const shake = (_, socket) => socket.end(`HTTP/1.1 ${head}\r\n\r\n`);
        const server = await servePeer(t, { shake });
        const closed = await probe.event(probe.connect(server.url), 'closed');
        assert.deepEqual(
            [closed.outcome, closed.status, closed.retryAfter, closed.wasOpen],
            ['answered', status, retryAfter, false],
        );
    }
});

test('an answer to another handshake, or none, opens nothing', async (t) => {
    const probe = await startProbe(t);
    const wrong = (_, socket) =>
        socket.end(
            'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
                'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n',
        );
    const cases = [
        [wrong, 'broken'],
        [(_, socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'), 'broken'],
        [(_, socket) => socket.write(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(20_000)}`), 'broken'],
        [(_, socket) => socket.end('HTTP/1.1 101 Swi'), 'cut off'],
        [(_, socket) => socket.end(), 'cut off'],
        [(_, socket) => socket.write('HTTP/1.1 101 Swi'), 'timed out'],
        [() => {}, 'timed out'],
    ];
    for (const [shake, outcome] of cases) {
        const server = await servePeer(t, { shake });
        const id = probe.connect(server.url, { handshakeTimeout: 500 });
        const closed = await probe.event(id, 'closed');
        assert.deepEqual([closed.outcome, closed.wasOpen], [outcome, false], `${shake}`);
        assert.equal(probe.has(id, 'open'), false);
    }
});

test('what keeps a connection from coming about is told apart', async (t) => {
    const folder = await scratch(t);
    const ours = await makePair(folder, 'ours');
    const other = await makePair(folder, 'other');
    other.keyBytes = await readFile(other.key);
    const probe = await startProbe(t, { ca: ours.cert });
    const silent = await listenFor(
        t,
        createSocketServer(() => {}),
    );
    const stranger = await servePeer(t, { pair: other });
    const cases = [
        [`ws://${unknownName}/`, 'name unknown'],
        [`ws://127.0.0.1:${await freePort()}/`, 'not connected'],
        [stranger.url, 'not trusted'],
        [`wss://127.0.0.1:${silent}/`, 'timed out'],
    ];
    for (const [url, outcome] of cases) {
        const id = probe.connect(url, { connectTimeout: 2000 });
        assert.equal((await probe.event(id, 'closed')).outcome, outcome, url);
    }
});

test('a proxy is asked for a tunnel, plain and over TLS', async (t) => {
    const folder = await scratch(t);
    const pair = await makePair(folder, 'ours');
    pair.keyBytes = await readFile(pair.key);
    const asked = [];
    const proxy = createServer();
    proxy.on('connect', (request, socket) => {
        asked.push(request.url);
        if (request.url.startsWith('refused')) return socket.end('HTTP/1.1 403 No\r\n\r\n');
        const onward = connect(Number(request.url.split(':')[1]), '127.0.0.1', () => {
            socket.write('HTTP/1.1 200 Established\r\n\r\n');
            onward.pipe(socket).pipe(onward);
        });
        onward.on('error', () => socket.destroy());
        socket.on('close', () => onward.destroy());
    });
    const url = `http://127.0.0.1:${await listenFor(t, proxy)}`;
    const env = { http_proxy: url, HTTPS_PROXY: url };
    for (const serving of [{}, { pair }]) {
        const { probe, id, server, peer } = await open(t, { serving, ca: pair.cert, env });
        assert.equal(asked.at(-1), new URL(server.url).host);
        peer.send(text, 'through');
        assert.equal((await probe.event(id, 'text')).text, 'through');
    }
    const probe = await startProbe(t, { env });
    const closed = await probe.event(probe.connect('wss://refused.example/'), 'closed');
    assert.equal(closed.outcome, 'proxy failed');
});

// -- ending at every stage -----------------------------------------------------------------------

test('a client can be closed or destroyed at every stage', async (t) => {
    for (const verb of ['close', 'drop']) {
        const probe = await startProbe(t);
        const sockets = [];
        const server = createSocketServer((socket) => sockets.push(socket.resume()));
        const port = await listenFor(t, server);
        const end = async (id) => {
            if (verb === 'drop') await probe.drop(id);
            else {
                probe.say(id, 'close');
                const closed = await probe.event(id, 'closed');
                assert.deepEqual([closed.outcome, closed.wasOpen], ['stopped', false]);
            }
            assert.equal(probe.has(id, 'closed'), verb === 'close');
        };
        await end(probe.connect(`ws://${unknownName}/`));
        const tls = probe.connect(`wss://127.0.0.1:${port}/`);
        await once(server, 'connection');
        await end(tls);
        const shaking = probe.connect(`ws://127.0.0.1:${port}/`);
        await once(server, 'connection');
        await once(sockets.at(-1), 'data');
        await end(shaking);
        await eventually('both are closed', () => sockets.every((socket) => socket.destroyed));
    }
    const { probe, id, peer } = await open(t);
    await probe.drop(id);
    await peer.closed();
    assert.equal(probe.has(id, 'closed'), false);
});

test('what is open when everything ends is destroyed', async (t) => {
    const { probe, server } = await open(t);
    for (let i = 0; i < 5; i++) await probe.event(probe.connect(server.url), 'open');
    probe.connect(`ws://${unknownName}/`);
    await probe.drop(1); // the last has begun; the probe ends with the test
});
