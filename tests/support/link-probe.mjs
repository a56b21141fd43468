// Speaks with tests/programs/link_probe.c, which runs the HTTP and WebSocket clients.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

import { binary, eventually, start } from './process.mjs';

const program = join(dirname(binary), 'tests', 'link_probe');

// A name that no server has: a label of it is too long, which the resolver finds without asking.
export const unknownName = `${'x'.repeat(64)}.invalid`;

// A probe for the length of one test. When the test ends, so does the probe, in good order: it
// frees all that is still under way, which a build with AddressSanitizer checks.
export async function startProbe(t, { ca, env } = {}) {
    const child = start(ca === undefined ? [] : [ca], { program, env, stdin: 'pipe' });
    const events = [];
    let faults = '';
    child.stderr.on('data', (text) => (faults += text));
    createInterface(child.stdout).on('line', (line) => events.push(JSON.parse(line)));
    t.after(async () => {
        child.stdin.end();
        const { code, signal } = await child.ended;
        assert.deepEqual([code, signal, faults], [0, null, '']);
    });

    let last = 0;
    const say = (command) => child.stdin.write(`${JSON.stringify(command)}\n`);
    const count = (id, ...kinds) =>
        events.filter((e) => e.id === id && kinds.includes(e.event)).length;
    return {
        // An event of a request or connection; `after` counts those of the same kind before it.
        async event(id, event, after = 0) {
            const matches = () => events.filter((e) => e.id === id && e.event === event);
            await eventually(`${event} of ${id}`, () => matches().length > after, { everyMs: 5 });
            return matches()[after];
        },
        count,
        has: (id, event) => count(id, event) > 0,
        // Starts a request; its number.
        begin(url, options = {}) {
            last += 1;
            say({ do: 'request', id: last, url, max: 1_000_000, ...options });
            return last;
        },
        // Makes a request; how it ended.
        async request(url, options) {
            return this.event(this.begin(url, options), 'done');
        },
        connect(url, options = {}) {
            last += 1;
            say({ do: 'connect', id: last, url, max: 1_000_000, ...options });
            return last;
        },
        say(id, verb, more = {}) {
            say({ do: verb, id, ...more });
        },
        // Cancels or destroys it; resolves when that has happened.
        async drop(id) {
            say({ do: 'drop', id });
            await this.event(id, 'dropped');
        },
    };
}

// A server on a free port of 127.0.0.1 for the length of one test; its port.
export async function listenFor(t, server) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const sockets = new Set();
    server.on('connection', (socket) => {
        sockets.add(socket);
        socket.on('close', () => sockets.delete(socket));
        socket.on('error', () => {});
    });
    t.after(() => {
        server.close();
        for (const socket of sockets) socket.destroy();
    });
    return server.address().port;
}
