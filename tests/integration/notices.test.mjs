// What the log tells of clients: a warning a minute for each kind of what they do wrong, with the
// address, and with LOG_LEVEL=debug each request.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';

import { WebSocket } from 'ws';

import { get } from '../support/http.mjs';
import { eventually } from '../support/process.mjs';
import { serveFor } from '../support/server.mjs';

const warnings = (server, text) =>
    server
        .logs()
        .split('\n')
        .filter((line) => line.includes(' warn ') && line.includes(text));

// Sends text on a connection of its own, and waits for its end.
async function say(port, text) {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(text);
    socket.resume();
    await once(socket, 'close');
}

async function assertOneWarning(server, text) {
    await eventually(text, () => warnings(server, text).length > 0);
    assert.equal(warnings(server, text).length, 1, server.logs());
    assert.match(warnings(server, text)[0], /address=127\.0\.0\.1 times=1$/);
}

test('floods of messages: one warning with the address, however many clients', async (t) => {
    const server = await serveFor(t);
    for (let i = 0; i < 3; i++) {
        const client = new WebSocket(server.wsUrl);
        await once(client, 'open');
        const closed = once(client, 'close');
        client.on('error', () => {});
        for (let k = 0; k < 2000; k++) client.send('{"action":"ping"}');
        const [code] = await closed;
        assert.equal(code, 1008);
    }
    await assertOneWarning(server, 'it sends too much');
});

test('a client that breaks the protocol, and one that is no HTTP client', async (t) => {
    const server = await serveFor(t);
    for (let i = 0; i < 3; i++) {
        const client = new WebSocket(server.wsUrl, { perMessageDeflate: false });
        await once(client, 'open');
        client.on('error', () => {});
        const closed = once(client, 'close');
        client._socket.write(Buffer.from([0xff, 0x80, 0, 0, 0, 0])); // reserved bits
        await closed;
        await say(server.port, 'HELO mail\r\n\r\n');
    }
    await assertOneWarning(server, 'it breaks the protocol');
    await assertOneWarning(server, 'no HTTP request');
});

test('a full server says so, with who was refused', async (t) => {
    const server = await serveFor(t, { args: ['--ws-max-connections', '1'] });
    const client = new WebSocket(server.wsUrl);
    await once(client, 'open');
    t.after(() => client.terminate());
    for (let i = 0; i < 3; i++) {
        const refused = new WebSocket(server.wsUrl);
        const [error] = await once(refused, 'error');
        assert.match(error.message, /503/);
    }
    await assertOneWarning(server, 'all places are taken');
});

test('with LOG_LEVEL=debug each request is in the log, without its query', async (t) => {
    const server = await serveFor(t, { args: ['--log-level', 'debug'] });
    await get(`${server.url}/healthz?token=secret`);
    await get(`${server.url}/nothing`);
    await get(`${server.url}/api/v1/symbols`);
    for (const [request, status] of [
        ['GET /healthz', 200],
        ['GET /nothing', 404],
        ['GET /api/v1/symbols', 200],
    ]) {
        const line = new RegExp(
            `answered request="${request} 127\\.0\\.0\\.1" status=${status} bytes=\\d+ ms=`,
        );
        await eventually(request, () => line.test(server.logs()));
    }
    assert.doesNotMatch(server.logs(), /secret/);
});
