// Nothing rests on standard input, output and error being open or being read.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { Client } from '../support/client.mjs';
import { get } from '../support/http.mjs';
import { importMarkets, makeMarket } from '../support/market.mjs';
import { freePort } from '../support/ports.mjs';
import { binary, eventually, run, scratch } from '../support/process.mjs';

const header = 'open_time,open,high,low,close,volume,close_time,quote_volume,count,a,b,ignore\n';

// Runs heatcast by a shell that closes the descriptors in `closed`.
function runClosed(closed, args, options) {
    const closing = closed.map((fd) => `${fd}>&-`).join(' ');
    const script = `exec "$0" "$@" ${closing}`;
    return run(['-c', script, binary, ...args], { program: 'sh', ...options });
}

async function marketIn(t) {
    const folder = await scratch(t);
    const database = join(folder, 'market.duckdb');
    await importMarkets(folder, database, makeMarket({ candles: 60 }));
    const bad = join(folder, 'BTCUSDT-5m-2025-12-02.csv');
    await writeFile(bad, `${header}not,a,row\n`);
    return { folder, database, bad };
}

const snapshotOf = (database) => run(['snapshot', '--symbol', 'BTCUSDT', '--db', database]);

test('an import that has something to say writes it into no database, whatever is closed', async (t) => {
    const { database, bad } = await marketIn(t);
    const before = await snapshotOf(database);
    assert.equal(before.code, 0, before.stderr);
    for (const closed of [[2], [1], [0], [1, 2], [0, 1, 2]]) {
        await runClosed(closed, ['import', bad, '--db', database]);
        const after = await snapshotOf(database);
        assert.equal(after.code, 0, `${closed}: ${after.stderr}`);
        assert.equal(after.stdout, before.stdout, String(closed));
    }
});

test('a server started with closed streams serves, and stops in order', async (t) => {
    const { database } = await marketIn(t);
    for (const closed of [[0], [2], [0, 1, 2]]) {
        const port = await freePort();
        const args = ['serve', '--db', database, '--listen', `127.0.0.1:${port}`];
        const closing = closed.map((fd) => `${fd}>&-`).join(' ');
        const child = spawn('sh', ['-c', `exec "$0" "$@" ${closing}`, binary, ...args], {
            stdio: 'ignore',
        });
        const ended = new Promise((settle) => child.once('exit', (...how) => settle(how)));
        t.after(() => child.kill('SIGKILL'));
        const url = `http://127.0.0.1:${port}/api/v1/heatmap/BTCUSDT`;
        const answer = await eventually('it answers', async () => {
            const { status, text } = await get(url);
            return status === 200 && text;
        });
        assert.match(answer, /"type":"snapshot"/);
        child.kill('SIGTERM');
        assert.deepEqual(await ended, [0, null], String(closed));
    }
});

test('a log that is not read holds up neither clients nor the end', async (t) => {
    const { folder, database } = await marketIn(t);
    // A FIFO whose reading end is open and never read: 64 KiB, then it is full.
    const fifo = join(folder, 'log');
    assert.equal((await run([fifo], { program: 'mkfifo' })).code, 0);
    const reader = await open(fifo, 'r+');
    t.after(() => reader.close());
    const port = await freePort();
    const args = ['serve', '--db', database, '--listen', `127.0.0.1:${port}`];
    const child = spawn('sh', ['-c', 'exec "$0" "$@" 2>"$LOG"', binary, ...args], {
        env: { ...process.env, LOG: fifo, LOG_LEVEL: 'debug' },
        stdio: 'ignore',
    });
    const ended = new Promise((settle) => child.once('exit', (...how) => settle(how)));
    t.after(() => child.kill('SIGKILL'));
    const base = `http://127.0.0.1:${port}`;
    await eventually('it answers', async () => (await get(`${base}/healthz`)).status === 200);
    const lost = async () =>
        Number(
            /^heatcast_log_lines_lost_total (\d+)/m.exec((await get(`${base}/metrics`)).text)[1],
        );
    // Who comes, subscribes and goes leaves lines at debug.
    const come = async () => {
        const client = await Client.open(`ws://127.0.0.1:${port}/ws/heatmap?symbols=BTCUSDT`);
        await client.close();
    };
    await eventually('lines are lost', async () => {
        for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 10 }, come));
        return (await lost()) > 0;
    });
    assert.equal((await get(`${base}/api/v1/heatmap/BTCUSDT`)).status, 200);
    child.kill('SIGTERM');
    assert.deepEqual(await ended, [0, null]);
});
