// `heatcast serve` on a port that is free, and stays so for a server that is started again on it.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before } from 'node:test';

import { importMarkets, makeMarket } from './market.mjs';
import { freePort } from './ports.mjs';
import { makeFolder, patienceMs, removeFolder, sleep, start } from './process.mjs';

const listening = /^\S+ info +listening address=\S*:(\d+) url=(\S+)/m;

// `database` may be left out where the arguments say it. `cwd` is where relative paths begin.
export async function startServer({ args = [], database, ...options } = {}) {
    const where = database === undefined ? [] : ['--db', database];
    const listen = ['--listen', `127.0.0.1:${await freePort()}`];
    const child = start(['serve', ...listen, ...where, ...args], options);
    let logs = '';
    child.stderr.on('data', (text) => (logs += text));
    child.stdout.on('data', (text) => (logs += text));

    const deadline = Date.now() + patienceMs;
    let match = listening.exec(logs);
    while (match === null) {
        if (child.exitCode !== null || child.signalCode !== null || Date.now() > deadline) {
            child.kill('SIGKILL');
            throw new Error(`the server did not start:\n${logs}`);
        }
        await sleep(10);
        match = listening.exec(logs);
    }
    const port = Number(match[1]);
    const url = match[2].replace(/\/$/, '');
    return {
        url,
        wsUrl: `${url.replace(/^http/, 'ws')}/ws/heatmap`,
        port,
        process: child,
        logs: () => logs,
        isRunning: () => child.exitCode === null && child.signalCode === null,
        // Ends it, and returns its exit code (or the signal's name, where that was the end).
        async stop(signal = 'SIGTERM') {
            child.kill(signal);
            const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs);
            const end = await child.ended;
            clearTimeout(timer);
            return end.code ?? end.signal;
        },
    };
}

// A server for the length of one test, which it must survive in good order.
export async function serveFor(t, options) {
    const server = await startServer(options);
    t.after(async () => assert.equal(await server.stop(), 0, server.logs()));
    return server;
}

// A server of a small market for all tests of one `describe`: to be called inside of it, and there
// when its tests run. The same object as startServer() returns, and `database`.
export function serveForAll({ args = [], candles = 50 } = {}) {
    const server = {};
    let folder;
    before(async () => {
        folder = await makeFolder();
        server.database = join(folder, 'market.duckdb');
        await importMarkets(folder, server.database, makeMarket({ candles }));
        Object.assign(server, await startServer({ database: server.database, args }));
    });
    after(async () => {
        if (server.stop) assert.equal(await server.stop(), 0, server.logs());
        await removeFolder(folder);
    });
    return server;
}
