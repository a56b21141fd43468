// The benchmark's own programs, so that a figure of `make bench` can be believed: the load
// generator against heatcast and against the limit, with few clients.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';

import { measureAttacks } from '../../bench/attack.mjs';
import { measureImports } from '../../bench/imports.mjs';
import { binary, patienceMs, scratch } from '../support/process.mjs';

const programs = join(dirname(binary), 'bench');
const heatcast = [join(programs, 'heatcast_source'), '--levels', '22'];
const clients = 20;

// What the load generator prints.
async function load(server, options = [], path = '/ws/heatmap?symbols=BTCUSDT') {
    const args = [
        '--clients',
        clients,
        '--seconds',
        0.1,
        '--path',
        path,
        ...options,
        '--',
        ...server,
    ];
    const run = promisify(execFile)(join(programs, 'heatcast_load'), args.map(String), {
        timeout: patienceMs,
    });
    return JSON.parse((await run).stdout);
}

// The message that the servers send, as it is on the wire: its header has 4 bytes.
async function messageSize() {
    const { stdout } = await promisify(execFile)(heatcast[0], [...heatcast.slice(1), '--print']);
    assert.equal(JSON.parse(stdout).data.levels.length, 22);
    return stdout.length + 4;
}

test('each publication of the benchmark reaches each subscriber once', async () => {
    const { connections, rounds } = await load(heatcast);
    assert.equal(connections, clients);
    assert.equal(rounds.clients, clients);
    assert.ok(rounds.rounds >= 5);
    assert.ok(
        Math.abs(rounds.bytes_per_delivery - (await messageSize())) < 40,
        rounds.bytes_per_delivery,
    );
    assert.ok(rounds.cpu_us_per_delivery > 0 && rounds.deliveries_per_second > 0);
    assert.ok(
        rounds.p50_us > 0 && rounds.p50_us <= rounds.p99_us && rounds.p99_us <= rounds.max_us,
    );
});

test('the benchmark measures subscribers beside others that take nothing', async () => {
    const { rounds, stalled } = await load(heatcast, ['--stalled', 2]);
    assert.equal(stalled.clients, clients);
    assert.ok(stalled.rounds >= 5 && rounds.rounds >= 5);
});

test('the benchmark counts clients that get the current snapshot when they come', async () => {
    const result = await load(heatcast, ['--first', '--connect-only']);
    assert.ok(result.accepts_per_second > 0);
    assert.equal(result.rounds, undefined);
});

test('the benchmark knows idle connections, WebSocket and HTTP', async () => {
    for (const [path, options] of [
        ['/ws/heatmap', []],
        ['/healthz', ['--http']],
    ]) {
        const result = await load(heatcast, ['--connect-only', ...options], path);
        assert.ok(result.accepts_per_second > 0, path);
    }
});

test('the physical limit sends frames of the size asked for', async () => {
    const { rounds } = await load([join(programs, 'limit_server'), '--size', '1500'], [], '/');
    assert.equal(rounds.bytes_per_delivery, 1504);
});

test('a benchmark that cannot be run fails, and says why', async () => {
    await assert.rejects(
        load(heatcast, ['--rounds', '3'], '/nowhere'),
        /the server answered: HTTP\/1.1 404/,
    );
    await assert.rejects(load(['/bin/false']), /the server did not start/);
});

test('the benchmark measures healthy clients without and with an attack', async (t) => {
    const results = await measureAttacks({
        programs,
        binary,
        folder: await scratch(t),
        repeats: 1,
        seconds: 0.3,
        only: ['questions-4', 'handshakes'],
        say: () => {},
    });
    assert.deepEqual(
        results.map((it) => it.name),
        ['questions-4', 'handshakes'],
    );
    for (const { runs, ...figures } of results) {
        assert.ok(runs[0].under.strikes > 0, 'it was attacked');
        for (const field of ['ping_ratio', 'delivery_ratio', 'ready_p99_ms', 'memory_mb'])
            assert.ok(figures[field] > 0, `${field}: ${figures[field]}`);
    }
});

test('the benchmark imports the same rows as the CSV reader that it is measured by', async (t) => {
    const folder = await scratch(t);
    const { cases, day_memory_mb } = await measureImports({
        ...{ programs, binary, folder },
        days: 2,
        repeats: 1,
    });
    assert.deepEqual(
        cases.map(({ what, rows }) => [what, rows]),
        [
            ['candles in one file', 576],
            ['open interest, a file a day', 576],
        ],
    );
    for (const figures of cases)
        for (const field of ['rows_per_second', 'of_duckdb', 'memory_mb', 'duckdb_memory_mb'])
            assert.ok(figures[field] > 0, `${field}: ${figures[field]}`);
    assert.ok(day_memory_mb > 0);
});
