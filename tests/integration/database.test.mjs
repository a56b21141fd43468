// What can happen to the database while it is served: its clients keep the last good snapshot, the
// operator is told, and nothing has to be done when it is over.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
    chmod,
    copyFile,
    mkdir,
    open,
    readFile,
    rename,
    rm,
    stat,
    symlink,
    truncate,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';

import { connectFor } from '../support/client.mjs';
import { assertSnapshot } from '../support/compare.mjs';
import { get } from '../support/http.mjs';
import { assertDiscreet } from '../support/discreet.mjs';
import { importMarkets, makeMarket, writeMarket } from '../support/market.mjs';
import { expectedSnapshot } from '../support/survival.mjs';
import { eventually, run, scratch, sleep, logged } from '../support/process.mjs';
import { serveFor, startServer } from '../support/server.mjs';

const market = makeMarket({ candles: 100 });
const quick = ['--symbols', 'BTCUSDT,ETHUSDT', '--ws-update-interval', '0.1'];

// Root may read everything; without these two rights it may not.
const asUser =
    process.getuid() === 0 ? ['setpriv', '--bounding-set', '-dac_override,-dac_read_search'] : [];
const [program, ...rest] = [...asUser, 'true'];
const isUser = spawnSync(program, rest).status === 0;

async function metric(server, name) {
    const { text } = await get(`${server.url}/metrics`);
    const line = text.split('\n').find((each) => each.startsWith(`${name} `));
    assert.ok(line, name);
    return Number(line.slice(name.length));
}

const complaints = (server) =>
    server
        .logs()
        .split('\n')
        .filter((line) => / (warn|error) /.test(line));

// A served database, a copy of it beside it, and a client that has its snapshot.
async function makeServed(t, { under } = {}) {
    const folder = await scratch(t);
    const database = join(folder, 'served', 'market.duckdb');
    await importMarkets(folder, database, market);
    const copy = join(folder, 'copy.duckdb');
    await copyFile(database, copy);
    const server = await serveFor(t, { database, args: quick, under });
    const client = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
    const first = await client.nextSnapshot('BTCUSDT');
    assert.equal((await get(`${server.url}/readyz`)).status, 200);
    assert.equal(await metric(server, 'heatcast_database_up'), 1);
    return { folder, database, copy, server, client, first };
}

// What everybody may know, by the label that counts it.
const told = {
    missing: /there is no database, or a table of it is missing.*`heatcast import`/,
    locked: /another process is writing to the database/,
    unreadable: /the database cannot be used; the server's log says why/,
};

// While the fault lasts. `reason` is the label that counts it, `says` what the log says.
async function assertLastGood(t, { server, database, client, first }, { reason, says }) {
    const faults = `heatcast_database_faults_total{reason="${reason}"}`;
    await eventually('it is counted', async () => (await metric(server, faults)) >= 3);
    assert.equal(await metric(server, 'heatcast_database_up'), 0);
    const ready = await get(`${server.url}/readyz`);
    assert.equal(ready.status, 503);
    assert.match(ready.json().checks.database, told[reason]);
    await assertDiscreet(server, database);
    assert.equal((await get(`${server.url}/healthz`)).status, 200);

    const late = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
    const seen = await late.nextSnapshot('BTCUSDT');
    assert.equal(seen.seq, first.seq);
    assert.deepEqual(seen.data, first.data);
    const answer = await get(`${server.url}/api/v1/heatmap/BTCUSDT`);
    assert.equal(answer.status, 200);
    assert.equal(answer.json().seq, first.seq);
    for (const path of ['heatmap/BTCUSDT/history?window=2h', 'candles/BTCUSDT?window=3h']) {
        const range = await get(`${server.url}/api/v1/${path}`);
        assert.equal(range.status, 503, path);
        assert.match(range.json().error.code, /^DATABASE_(LOCKED|UNAVAILABLE)$/);
    }
    await client.settle();
    assert.deepEqual(
        client.received.filter((message) => message.type === 'error'),
        [],
    );

    await eventually('the log says so', () => complaints(server).some((line) => says.test(line)));
    const before = complaints(server);
    const counted = await metric(server, faults);
    await eventually('more ticks', async () => (await metric(server, faults)) >= counted + 5);
    assert.deepEqual(complaints(server), before);
}

// After it: `change` brings new data, which everybody gets.
async function assertBack({ folder, database, server, client, first }) {
    await eventually('it is ready', async () => (await get(`${server.url}/readyz`)).status === 200);
    await eventually('it is up', async () => (await metric(server, 'heatcast_database_up')) === 1);
    const history = await get(`${server.url}/api/v1/heatmap/BTCUSDT/history?window=2h`);
    assert.equal(history.status, 200);
    const longer = makeMarket({ candles: 110 });
    await importMarkets(folder, database, longer);
    const isWhole = (message) =>
        message.seq > first.seq && Date.parse(message.timestamp) === longer.candles.at(-1).time;
    assertSnapshot(
        await client.nextSnapshot('BTCUSDT', isWhole),
        'BTCUSDT',
        expectedSnapshot(longer),
    );
    await logged(server, /info +(the database can be read again|symbol recovered)/);
    assert.ok(server.isRunning());
}

async function spoil(path, from) {
    const file = await open(path, 'r+');
    const { size } = await file.stat();
    await file.write(Buffer.alloc(size - from, 'spoilt '), 0, size - from, from);
    await file.close();
}

const putBack = ({ database, copy }) => copyFile(copy, database);

async function replaceBy({ database, folder }, make) {
    await rm(database);
    await make(database, folder);
}

// Each: how it comes, how it goes, what counts it, what is said.
const faults = {
    'its file is missing': {
        come: ({ database }) => rename(database, `${database}.away`),
        go: ({ database }) => rename(`${database}.away`, database),
        reason: 'missing',
        says: /no database at .*market\.duckdb/,
    },
    'its folder is removed and made again': {
        come: ({ database }) => rm(dirname(database), { recursive: true }),
        go: async (served) => {
            await mkdir(dirname(served.database));
            await putBack(served);
        },
        reason: 'missing',
        says: /no database at .*market\.duckdb/,
    },
    'its name is a link to nowhere': {
        come: (served) => replaceBy(served, (path) => symlink('nowhere', path)),
        go: async (served) => {
            await rm(served.database);
            await putBack(served);
        },
        reason: 'missing',
        says: /no database at .*market\.duckdb/,
    },
    'its name is a link to itself': {
        come: (served) => replaceBy(served, (path) => symlink(path, path)),
        go: async (served) => {
            await rm(served.database);
            await putBack(served);
        },
        reason: 'unreadable',
        says: /market\.duckdb: .*symbolic links/,
    },
    'its name is a folder': {
        come: (served) => replaceBy(served, (path) => mkdir(path)),
        go: async (served) => {
            await rm(served.database, { recursive: true });
            await putBack(served);
        },
        reason: 'unreadable',
        says: /market\.duckdb/,
    },
    'its file is cut to nothing': {
        come: ({ database }) => truncate(database, 0),
        go: putBack,
        reason: 'missing',
        says: /market\.duckdb holds no data yet/,
    },
    'its file is cut in half': {
        come: async ({ database }) => truncate(database, (await stat(database)).size >> 1),
        go: putBack,
        reason: 'unreadable',
        says: /market\.duckdb/,
    },
    'its content is spoilt': {
        come: ({ database }) => spoil(database, 3 * 4096),
        go: putBack,
        reason: 'unreadable',
        says: /market\.duckdb/,
    },
    'its file may not be read': {
        under: asUser,
        come: ({ database }) => chmod(database, 0),
        go: ({ database }) => chmod(database, 0o644),
        reason: 'unreadable',
        says: /market\.duckdb.*[Pp]ermission denied/,
    },
    'its folder may not be entered': {
        under: asUser,
        come: ({ database }) => chmod(dirname(database), 0),
        go: ({ database }) => chmod(dirname(database), 0o755),
        reason: 'unreadable',
        says: /market\.duckdb.*[Pp]ermission denied/,
    },
};

describe('the last good snapshot stays, and all comes back by itself, when', () => {
    for (const [name, { come, go, under, reason, says }] of Object.entries(faults))
        test(name, {
            skip: under !== undefined && !isUser && 'root may not give up rights here',
        }, async (t) => {
            const served = await makeServed(t, { under });
            await come(served);
            await assertLastGood(t, served, { reason, says });
            await go(served);
            await assertBack(served);
        });

    test('a writer holds it for long', async (t) => {
        const folder = await scratch(t);
        const database = join(folder, 'market.duckdb');
        const writer = { database, args: ['--demo', '--symbols', 'BTCUSDT,ETHUSDT'] };
        assert.equal(await (await startServer(writer)).stop(), 0);
        const server = await serveFor(t, { database, args: quick });
        const client = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
        const first = await client.nextSnapshot('BTCUSDT');
        const holder = await startServer(writer);
        await eventually(
            'the writer has written',
            async () => (await get(`${holder.url}/readyz`)).status === 200,
        );
        const skipped = await metric(server, 'heatcast_generator_skipped_total{reason="locked"}');
        await assertLastGood(
            t,
            { server, database, client, first },
            { reason: 'locked', says: /another process is writing to it/ },
        );
        assert.ok(
            (await metric(server, 'heatcast_generator_skipped_total{reason="locked"}')) > skipped,
        );
        await sleep(2000);
        assert.equal(await holder.stop(), 0);
        await client.nextSnapshot('BTCUSDT', (message) => message.seq > first.seq);
        await eventually(
            'it is ready',
            async () => (await get(`${server.url}/readyz`)).status === 200,
        );
        await logged(server, /info +the database can be read again/);
    });
});

// A limit on the size of files stands for the full disk: writes fail at the same places, and no
// rights are needed. It is lifted from outside, as space is made on a disk.
test('a full disk stops the simulated market, not the server, and it continues when there is space', async (t) => {
    const folder = await scratch(t);
    const database = join(folder, 'demo.duckdb');
    const under = ['prlimit', '--fsize=100000000:unlimited'];
    const server = await serveFor(t, { database, args: ['--demo', ...quick], under });
    const limit = async (size) => {
        const { code, stderr } = await run(
            ['--pid', String(server.process.pid), `--fsize=${size}:`],
            { program: 'prlimit' },
        );
        assert.equal(code, 0, stderr);
    };
    const client = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
    const first = await client.nextSnapshot('BTCUSDT');
    await client.nextSnapshot('BTCUSDT', (message) => message.seq > first.seq);

    await limit((await stat(`${database}.wal`)).size + 100);
    const unwritable = 'heatcast_database_faults_total{reason="unwritable"}';
    await eventually('it is counted', async () => (await metric(server, unwritable)) >= 2);
    const ready = await get(`${server.url}/readyz`);
    assert.equal(ready.status, 503);
    assert.match(ready.json().checks.database, told.unreadable);
    await assertDiscreet(server, database);
    assert.equal(await metric(server, 'heatcast_database_up'), 0);
    await client.settle();
    const last = client.snapshots('BTCUSDT').at(-1);
    const late = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
    assert.equal((await late.nextSnapshot('BTCUSDT')).seq, last.seq);
    // What was written before can still be read.
    for (const path of [
        'heatmap/BTCUSDT',
        'heatmap/BTCUSDT/history?window=2h',
        'candles/BTCUSDT?window=3h',
    ])
        assert.equal((await get(`${server.url}/api/v1/${path}`)).status, 200, path);
    await logged(server, /stands still.*File too large/);
    assert.equal(complaints(server).length, 1, server.logs());

    await limit('unlimited');
    await late.nextSnapshot('BTCUSDT', (message) => message.seq > last.seq);
    await client.nextSnapshot('BTCUSDT', (message) => message.seq > last.seq);
    await eventually('it is ready', async () => (await get(`${server.url}/readyz`)).status === 200);
    await eventually('it is up', async () => (await metric(server, 'heatcast_database_up')) === 1);
    await logged(server, /info +the simulated market moves again/);
    assert.equal(complaints(server).length, 1, server.logs());
});

test('a simulated market whose file is taken away gets a new one, and a week in it', async (t) => {
    const folder = await scratch(t);
    const database = join(folder, 'demo', 'demo.duckdb');
    const server = await serveFor(t, { database, args: ['--demo', ...quick] });
    const client = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
    const first = await client.nextSnapshot('BTCUSDT');
    await rm(dirname(database), { recursive: true });
    await client.nextSnapshot('BTCUSDT', (message) => message.seq > first.seq);
    await eventually('there is a file', () => stat(database));
    const { data } = (await get(`${server.url}/api/v1/candles/BTCUSDT?window=7d`)).json();
    assert.ok(data.length > 2000, String(data.length));
    const ready = await get(`${server.url}/readyz`);
    assert.equal(ready.status, 200, ready.text + server.logs());
});

test('a simulated market is not mixed into real data that takes its place', async (t) => {
    const folder = await scratch(t);
    const database = join(folder, 'demo.duckdb');
    const real = join(folder, 'real.duckdb');
    await importMarkets(folder, real, market);
    const before = await readFile(real);
    const server = await serveFor(t, { database, args: ['--demo', ...quick] });
    await rename(real, database);
    await eventually('it is said', () => /stands still.*real data/.test(server.logs()));
    assert.equal((await get(`${server.url}/readyz`)).status, 503);
    await assertDiscreet(server, database);
    assert.deepEqual(await readFile(database), before);
});

test('an import that meets a full disk says so, and can be done again', async (t) => {
    const folder = await scratch(t);
    const database = join(folder, 'market.duckdb');
    const source = join(folder, 'source');
    const longer = makeMarket({ candles: 3000 });
    await importMarkets(folder, database, market);
    await writeMarket(source, longer);
    const args = ['import', source, '--db', database];
    const { code, stderr } = await run(args, { under: ['prlimit', '--fsize=30000'] });
    assert.equal(code, 1);
    assert.match(stderr, /market\.duckdb.*File too large/);
    const again = await run(args);
    assert.equal(again.code, 0, again.stderr);
    const server = await serveFor(t, { database, args: quick });
    const client = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
    assertSnapshot(await client.nextSnapshot('BTCUSDT'), 'BTCUSDT', expectedSnapshot(longer));
});

test('a file that is copied over while it is read never gives half of one and half of the other', async (t) => {
    const { folder, database, copy, server, client } = await makeServed(t);
    const other = makeMarket({ candles: 130, seed: 77, price: '50000' });
    const otherCopy = join(folder, 'other.duckdb');
    await importMarkets(folder, otherCopy, other);
    const images = [await readFile(otherCopy), await readFile(copy)];
    const file = await open(database, 'r+');
    const end = Date.now() + 3000;
    for (let turn = 0; Date.now() < end; turn++) {
        const image = images[turn % 2];
        await file.truncate(image.length);
        // In pieces, as `cp` does, and with time to be caught in between.
        for (let at = 0; at < image.length; at += 262_144) {
            await file.write(image, at, Math.min(262_144, image.length - at), at);
            await sleep(3);
        }
    }
    await file.close();
    await copyFile(otherCopy, database);
    const expected = {
        [market.candles.at(-1).time]: expectedSnapshot(market),
        [other.candles.at(-1).time]: expectedSnapshot(other),
    };
    await eventually('the last copy is served', async () => {
        const { timestamp } = (await get(`${server.url}/api/v1/heatmap/BTCUSDT`)).json();
        return Date.parse(timestamp) === other.candles.at(-1).time;
    });
    await eventually('it is ready', async () => (await get(`${server.url}/readyz`)).status === 200);
    await client.settle();
    for (const message of client.snapshots('BTCUSDT'))
        assertSnapshot(message, 'BTCUSDT', expected[Date.parse(message.timestamp)]);
});
