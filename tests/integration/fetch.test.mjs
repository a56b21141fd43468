// `heatcast fetch`: the public archive into the database, from a stand-in that misbehaves.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';

import { archivePath, serveArchive } from '../support/archive.mjs';
import { makePair } from '../support/certificate.mjs';
import { get } from '../support/http.mjs';
import { listenFor } from '../support/link-probe.mjs';
import { cutMarket, importMarkets, makeMarket, parseSummaries } from '../support/market.mjs';
import { freePort } from '../support/ports.mjs';
import { binary, eventually, patienceMs, run, scratch, sleep, start } from '../support/process.mjs';
import { serveFor } from '../support/server.mjs';
import { zip } from '../support/zip.mjs';

const day = 288;
const firstMs = Date.parse('2025-12-01T00:00:00Z');
const dayMs = 86_400_000;
const market = makeMarket({ candles: 3 * day });
const threeDays = ['--from', '2025-12-01', '--to', '2025-12-03'];

const otherMarket = makeMarket({ candles: 3 * day, seed: 2, price: '80000' });
const otherDay = cutMarket(otherMarket, firstMs + dayMs, firstMs + 2 * dayMs);

// The market with other candles on its second day.
const withCandles = (candles) => ({
    ...market,
    candles: [...market.candles.slice(0, day), ...candles, ...market.candles.slice(2 * day)],
});

const isOfSecondDay = (row) => row.time >= firstMs + dayMs && row.time < firstMs + 2 * dayMs;

// The market with another second day.
const withSecondDay = (other) => ({
    ...withCandles(other.candles),
    interest: [...market.interest.filter((row) => !isOfSecondDay(row)), ...other.interest],
});

const fetchedLine =
    /^fetched: (\d+) files, [\d.]+ MB, (\d+) unchanged, (\d+) replaced, (\d+) days missing, (\d+) failed$/m;

function parseFetched(stdout) {
    const [, ...figures] = fetchedLine.exec(stdout) ?? [];
    const [files, unchanged, replaced, missing, failed] = figures.map(Number);
    return { files, unchanged, replaced, missing, failed };
}

async function setUp(t, { pair, of = market, months } = {}) {
    const folder = await scratch(t);
    const database = join(folder, 'data', 'market.duckdb');
    const archive = await serveArchive(t, { pair });
    if (of) archive.putMarket(of);
    if (months) archive.putMarket(of, { months });
    const args = (more) => [
        'fetch',
        '--symbol',
        'BTCUSDT',
        '--db',
        database,
        '--binance-archive-url',
        archive.url,
        ...more,
    ];
    const fetch = async (more = threeDays, options = {}) => {
        const result = await run(args(more), options);
        return {
            ...result,
            // Without the lines of progress, which a slow machine has more of.
            stderr: result.stderr.replace(/^heatcast: \d+ % is fetched, .*\n/gm, ''),
            ...parseFetched(result.stdout),
            summaries: parseSummaries(result.stdout),
        };
    };
    const history = async (path = database) => {
        const result = await run(['history', '--db', path, '--window', '60d', '--interval', '1h']);
        assert.equal(result.code, 0, result.stderr);
        return JSON.parse(result.stdout);
    };
    return { folder, database, archive, args, fetch, history };
}

// What the database holds is what importing the same market by hand gives.
async function assertHolds({ folder, history }, expected = market) {
    const other = join(folder, `expected-${Math.random()}.duckdb`);
    await importMarkets(folder, other, expected);
    assert.deepEqual(await history(), await history(other));
}

test('days are fetched and imported, and nothing else is left', async (t) => {
    const set = await setUp(t);
    const result = await set.fetch();
    assert.deepEqual([result.code, result.stderr], [0, '']);
    assert.deepEqual([result.files, result.missing, result.failed], [6, 0, 0]);
    assert.deepEqual(result.summaries.klines, { files: 3, read: 864, fresh: 864, bad: 0 });
    assert.equal(result.summaries['open interest'].files, 3);
    await assertHolds(set);
    const left = await readdir(join(set.folder, 'data'));
    assert.deepEqual(
        left.filter((name) => !name.startsWith('market.duckdb')),
        [],
    );
    assert.equal(existsSync(`${set.database}.fetch`), false);
});

test('whole months come as one file, or by days where there is none', async (t) => {
    const long = makeMarket({ start: '2025-10-30T00:00:00Z', candles: 64 * day });
    const set = await setUp(t, { of: long });
    // The archive has November as a month, and December, which is whole too, by days alone.
    const november = cutMarket(long, Date.parse('2025-11-01'), Date.parse('2025-12-01'));
    set.archive.putMarket(november, { months: true });
    for (const path of [...set.archive.files.keys()])
        if (/daily.klines.*2025-11/.test(path)) set.archive.files.delete(path);
    const result = await set.fetch(['--from', '2025-10-30', '--to', '2026-01-01']);
    assert.deepEqual([result.code, result.stderr], [0, '']);
    assert.equal(result.summaries.klines.fresh, 64 * day);
    assert.equal(result.summaries.klines.files, 2 + 1 + 31 + 1);
    const months = set.archive.requests.filter(({ path }) => path.includes('/monthly/'));
    assert.deepEqual(months.map(({ path, status }) => [path.split('/').at(-1), status]).sort(), [
        ['BTCUSDT-5m-2025-11.zip', 200],
        ['BTCUSDT-5m-2025-11.zip.CHECKSUM', 200],
        ['BTCUSDT-5m-2025-12.zip', 404],
        ['BTCUSDT-5m-2025-12.zip.CHECKSUM', 404],
    ]);
    await assertHolds(set, long);
});

test('what was imported is not fetched again', async (t) => {
    const { archive, fetch } = await setUp(t);
    await fetch(['--from', '2025-12-01', '--to', '2025-12-02']);
    assert.equal(archive.downloads().length, 4);
    const again = await fetch();
    assert.deepEqual([again.code, again.files, again.unchanged], [0, 2, 4]);
    assert.equal(archive.downloads().length, 6);
    assert.equal(archive.downloads(/2025-12-03/).length, 2);
});

test('a file that the archive has replaced is fetched again, and its rows replace', async (t) => {
    const set = await setUp(t);
    await set.fetch();
    set.archive.putMarket(otherDay);
    const again = await set.fetch();
    assert.deepEqual([again.code, again.stderr], [0, '']);
    assert.deepEqual([again.files, again.replaced, again.unchanged], [2, 2, 4]);
    assert.equal(again.summaries.klines.fresh, 0);
    await assertHolds(set, withSecondDay(otherDay));
});

test('rows that a replaced file does not have any more are gone', async (t) => {
    const set = await setUp(t);
    await set.fetch();
    const half = cutMarket(market, firstMs + 1.25 * dayMs, firstMs + 1.75 * dayMs);
    set.archive.putKlines('BTCUSDT', '2025-12-02', half.candles);
    set.archive.putMetrics('BTCUSDT', '2025-12-02', half.interest);
    const again = await set.fetch();
    assert.deepEqual([again.code, again.replaced, again.unchanged], [0, 2, 4], again.stderr);
    await assertHolds(set, withSecondDay(half));
});

test('days of a month that came as one file are that file, whatever their range', async (t) => {
    const long = makeMarket({ start: '2025-11-01T00:00:00Z', candles: 33 * day });
    const set = await setUp(t, { of: long, months: true });
    const whole = await set.fetch(['--from', '2025-11-01', '--to', '2025-12-02']);
    assert.deepEqual([whole.code, whole.files], [0, 1 + 2 + 32], whole.stderr);
    set.archive.requests.length = 0;
    const part = await set.fetch(['--from', '2025-11-05', '--to', '2025-12-03']);
    assert.deepEqual([part.code, part.files, part.unchanged], [0, 2, 1 + 2 + 28], part.stderr);
    const ofNovember = set.archive.requests.filter(({ path }) => /klines.*2025-11/.test(path));
    assert.deepEqual(
        ofNovember.map(({ path }) => path.split('/').at(-1)),
        ['BTCUSDT-5m-2025-11.zip.CHECKSUM'],
    );
    await assertHolds(set, long);
    const changed = makeMarket({ start: '2025-11-01T00:00:00Z', candles: 30 * day, seed: 3 });
    set.archive.putKlines('BTCUSDT', '2025-11', changed.candles);
    const again = await set.fetch(['--from', '2025-11-29', '--to', '2025-11-30']);
    assert.deepEqual([again.code, again.replaced], [0, 1], again.stderr);
    const candles = [...changed.candles, ...long.candles.slice(30 * day)];
    await assertHolds(set, { ...long, candles });
});

// -- broken off ----------------------------------------------------------------------------------

test('a body that is cut off is continued where it ended', async (t) => {
    const set = await setUp(t);
    set.archive.misbehave(/5m-2025-12-02\.zip$/, { cut: 1000 }, 2);
    const result = await set.fetch();
    assert.deepEqual([result.code, result.files], [0, 6], result.stderr);
    const ranges = set.archive.downloads(/5m-2025-12-02/).map(({ range }) => range);
    assert.deepEqual(ranges, [undefined, 'bytes=1000-', 'bytes=2000-']);
    await assertHolds(set);
});

test('a server that does not continue sends it anew', async (t) => {
    const set = await setUp(t);
    set.archive.misbehave(/5m-2025-12-02\.zip$/, { cut: 1000 }, 1);
    set.archive.misbehave(/5m-2025-12-02\.zip$/, { ignoresRange: true });
    set.archive.misbehave(/metrics-2025-12-02\.zip$/, { cut: 1000 }, 1);
    set.archive.misbehave(/metrics-2025-12-02\.zip$/, { status: 416 }, 1);
    const result = await set.fetch();
    assert.deepEqual([result.code, result.files], [0, 6], result.stderr);
    await assertHolds(set);
});

test('a run that was killed is continued by the next, from what it had', async (t) => {
    const set = await setUp(t);
    set.archive.misbehave(/metrics-2025-12-02\.zip$/, { stall: 500 }, 1);
    const child = start(set.args([...threeDays, '--fetch-files', '1']));
    t.after(() => child.kill('SIGKILL'));
    const part = join(`${set.database}.fetch`, 'data/futures/um/daily/metrics/BTCUSDT');
    await eventually('half of a file is there', async () => {
        const names = existsSync(part) ? await readdir(part) : [];
        const name = names.find((each) => /12-02\.zip\.[0-9a-f]{16}\.part$/.test(each));
        return name !== undefined && (await stat(join(part, name))).size === 500;
    });
    await eventually('the first of its kind is imported', async () => {
        const result = await run(['history', '--db', set.database]);
        return (
            result.code === 0 && !(await readdir(part)).includes('BTCUSDT-metrics-2025-12-01.zip')
        );
    });
    child.kill('SIGKILL');
    await child.ended;
    const result = await set.fetch();
    assert.deepEqual([result.code, result.files, result.unchanged], [0, 2, 4], result.stderr);
    const ranges = set.archive.downloads(/metrics-2025-12-02/).map(({ range }) => range);
    assert.deepEqual(ranges, [undefined, 'bytes=500-']);
    assert.equal(existsSync(`${set.database}.fetch`), false);
    await assertHolds(set);
});

test('a run that a signal ends says how it is continued, and keeps what it has', async (t) => {
    for (const signal of ['SIGINT', 'SIGTERM']) {
        const set = await setUp(t);
        set.archive.misbehave(/metrics-2025-12-02\.zip$/, { stall: 500 }, 1);
        const child = start(set.args(threeDays));
        t.after(() => child.kill('SIGKILL'));
        let [stdout, stderr] = ['', ''];
        child.stdout.on('data', (text) => (stdout += text));
        child.stderr.on('data', (text) => (stderr += text));
        await set.archive.asked(/metrics-2025-12-02\.zip$/);
        child.kill(signal);
        assert.deepEqual(await child.ended, { code: null, signal });
        assert.match(stdout, fetchedLine);
        assert.match(stderr, /interrupted; the same command continues where this one stopped/);
        const { files } = parseFetched(stdout);
        const result = await set.fetch();
        assert.deepEqual([result.code, result.unchanged], [0, files], result.stderr);
        await assertHolds(set);
    }
});

test('a part of a file that was replaced meanwhile is not continued', async (t) => {
    const set = await setUp(t);
    set.archive.misbehave(/5m-2025-12-02\.zip$/, { cut: 1000 });
    const failed = await set.fetch([...threeDays, '--fetch-tries', '1']);
    assert.deepEqual([failed.code, failed.failed], [1, 1]);
    assert.match(failed.stderr, /BTCUSDT-5m-2025-12-02\.zip: .*the connection ended before/);
    set.archive.behave();
    const candles = otherDay.candles;
    set.archive.putKlines('BTCUSDT', '2025-12-02', candles);
    const result = await set.fetch();
    assert.deepEqual([result.code, result.files], [0, 1], result.stderr);
    const ranges = set.archive.downloads(/5m-2025-12-02/).map(({ range }) => range);
    assert.deepEqual(ranges, [undefined, undefined]);
    await assertHolds(set, withCandles(candles));
});

test('the archive is not asked by two runs at a time', async (t) => {
    const set = await setUp(t);
    set.archive.misbehave(/CHECKSUM$/, { silent: true });
    const child = start(set.args(threeDays));
    t.after(() => child.kill('SIGKILL'));
    await set.archive.asked(/CHECKSUM$/);
    const second = await set.fetch();
    assert.equal(second.code, 1);
    assert.match(second.stderr, /^heatcast: another fetch uses .*market\.duckdb\.fetch$/m);
});

// -- checksums -----------------------------------------------------------------------------------

test('a file that is not what was published is refused, and named', async (t) => {
    const set = await setUp(t);
    const path = archivePath('BTCUSDT', 'klines', '2025-12-02');
    const wrong = 'a'.repeat(64);
    set.archive.checksums.set(path, wrong);
    const refused = await set.fetch();
    assert.deepEqual([refused.code, refused.files, refused.failed], [1, 5, 1]);
    assert.match(
        refused.stderr,
        /^heatcast: BTCUSDT-5m-2025-12-02\.zip: its SHA-256 is [0-9a-f]{64}/m,
    );
    assert.match(refused.stderr, new RegExp(`publishes ${wrong} .*--accept-checksum-mismatch`));
    assert.match(refused.stderr, /^heatcast: 1 of the files could not be fetched$/m);
    await assertHolds(set, withCandles([]));

    const taken = await set.fetch([...threeDays, '--accept-checksum-mismatch']);
    assert.deepEqual([taken.code, taken.files, taken.failed], [0, 1, 0]);
    assert.match(taken.stderr, /5m-2025-12-02\.zip: its SHA-256 .*taken all the same/);
    await assertHolds(set);
    const known = await set.fetch();
    assert.deepEqual([known.code, known.unchanged, known.stderr], [0, 6, '']);
});

test('a file that is replaced while it is fetched is asked for once more', async (t) => {
    const set = await setUp(t);
    const path = archivePath('BTCUSDT', 'klines', '2025-12-02');
    const file = set.archive.files.get(path);
    set.archive.put(path, zip({ 'BTCUSDT-5m-2025-12-02.csv': 'an older one' }));
    set.archive.misbehave(/5m-2025-12-02\.zip$/, { status: 200, body: file }, 1);
    set.archive.onRequest = ({ path: asked, status }) => {
        if (asked === path && status === 200) set.archive.put(path, file);
    };
    const result = await set.fetch();
    assert.deepEqual([result.code, result.files, result.stderr], [0, 6, '']);
    await assertHolds(set);
});

test('a checksum that is none is asked for again, and then fails its file', async (t) => {
    const { archive, fetch } = await setUp(t);
    archive.misbehave(/5m-2025-12-01\.zip\.CHECKSUM$/, { status: 200, body: '<html>' }, 1);
    archive.misbehave(/5m-2025-12-02\.zip\.CHECKSUM$/, { status: 200, body: '<html>' });
    const result = await fetch([...threeDays, '--fetch-tries', '2']);
    assert.deepEqual([result.code, result.files, result.failed], [1, 5, 1]);
    assert.match(
        result.stderr,
        /5m-2025-12-02\.zip: what the archive gives for its checksum is none/,
    );
});

test('a file without a checksum is refused by name, and taken only on demand', async (t) => {
    const set = await setUp(t);
    set.archive.misbehave(/(5m|metrics)-2025-12-02\.zip\.CHECKSUM$/, { status: 404 });
    const refused = await set.fetch();
    assert.deepEqual([refused.code, refused.files, refused.failed], [1, 4, 2]);
    assert.equal(refused.missing, 0);
    for (const name of ['5m', 'metrics'])
        assert.match(
            refused.stderr,
            new RegExp(`^heatcast: BTCUSDT-${name}-2025-12-02\\.zip: .*no checksum of it`, 'm'),
        );
    const days = [...market.candles.slice(0, day), ...market.candles.slice(2 * day)];
    const interest = market.interest.filter((row) => !isOfSecondDay(row));
    await assertHolds(set, { ...market, candles: days, interest });

    set.archive.misbehave(/5m-2025-12-02\.zip$/, { cut: 1000 }, 1);
    const taken = await set.fetch([...threeDays, '--accept-checksum-mismatch']);
    assert.deepEqual([taken.code, taken.files, taken.unchanged], [0, 2, 4], taken.stderr);
    assert.match(taken.stderr, /5m-2025-12-02\.zip: .*no checksum of it: taken all the same/);
    assert.ok(set.archive.downloads(/5m-2025-12-02/).every(({ range }) => range === undefined));
    await assertHolds(set);
    const known = await set.fetch();
    assert.deepEqual([known.code, known.unchanged, known.stderr], [0, 6, '']);
    set.archive.behave();
    const published = await set.fetch();
    assert.deepEqual([published.code, published.unchanged], [0, 6], 'what was taken is that file');
});

// -- what is not there ---------------------------------------------------------------------------

test('missing days are named and counted, and are no failure', async (t) => {
    const set = await setUp(t);
    for (const missing of ['2025-12-01', '2025-12-03'])
        set.archive.files.delete(archivePath('BTCUSDT', 'metrics', missing));
    set.archive.files.delete(archivePath('BTCUSDT', 'klines', '2025-12-02'));
    const result = await set.fetch(['--from', '2025-11-29', '--to', '2025-12-03']);
    assert.deepEqual([result.code, result.files, result.missing], [0, 3, 7]);
    const lines = result.stderr
        .trim()
        .split('\n')
        .filter((line) => !/keeps the times/.test(line));
    assert.deepEqual(lines, [
        'heatcast: BTCUSDT: the archive has no candles of 2025-11-29 to 2025-11-30, 2025-12-02 (3 days)',
        'heatcast: BTCUSDT: the archive has no open interest of 2025-11-29 to 2025-12-01, 2025-12-03 (4 days)',
    ]);
});

test('yesterday may not be there yet, and today is not', async (t) => {
    const set = await setUp(t);
    const text = (ms) => new Date(ms).toISOString().slice(0, 10);
    const leftMs = dayMs - (Date.now() % dayMs);
    if (leftMs < patienceMs) await sleep(leftMs); // a day that ends meanwhile is another one
    const now = Date.now();
    const [before, today, tomorrow] = [now - 2 * dayMs, now, now + dayMs].map(text);
    const recent = makeMarket({ start: `${before}T00:00:00Z`, candles: day });
    set.archive.putMarket(recent);
    const untilToday = await set.fetch(['--from', before, '--to', today]);
    assert.equal(untilToday.code, 0, untilToday.stderr);
    assert.match(untilToday.stderr, /has today's files tomorrow/);
    assert.match(
        untilToday.stderr,
        /no candles of .*; a day's files come in the course of the next/,
    );
    const withoutEnd = await set.fetch(['--from', before]);
    assert.equal(withoutEnd.unchanged, 2);
    assert.doesNotMatch(withoutEnd.stderr, /tomorrow/);
    assert.equal((await set.fetch(['--from', today])).code, 1);
    const late = await set.fetch(['--from', before, '--to', tomorrow]);
    assert.deepEqual([late.code, /lies in the future/.test(late.stderr)], [2, true]);
});

test('a symbol that the archive does not know fails, the others do not', async (t) => {
    const { fetch, archive } = await setUp(t);
    const result = await fetch(['--symbol=ETHUSDT', ...threeDays]);
    assert.equal(result.code, 2, 'twice');
    const folder = await scratch(t);
    const both = await run([
        'fetch',
        '--symbol',
        'NOSUCHUSDT,BINANCE:BTCUSDT',
        '--db',
        join(folder, 'x.duckdb'),
        '--binance-archive-url',
        archive.url,
        ...threeDays,
    ]);
    assert.equal(both.code, 1);
    assert.match(both.stderr, /nothing of NOSUCHUSDT in these days; it has symbols of Binance/);
    assert.equal(parseFetched(both.stdout).files, 6);
});

// -- servers that do not want, or cannot ---------------------------------------------------------

test('errors of the server are tried again, as it asks', async (t) => {
    const set = await setUp(t);
    set.archive.misbehave(/5m-2025-12-01/, { status: 503 }, 2);
    set.archive.misbehave(/5m-2025-12-02/, { status: 429, headers: { 'Retry-After': '3' } }, 1);
    set.archive.misbehave(/metrics-2025-12-01/, { cut: 10 }, 1);
    const before = Date.now();
    const result = await set.fetch();
    assert.deepEqual([result.code, result.files, result.stderr], [0, 6, '']);
    assert.ok(Date.now() - before >= 3000, 'Retry-After is kept');
    await assertHolds(set);
});

test('a server that stays broken is given up after some tries, and in a row for good', async (t) => {
    const set = await setUp(t, { of: makeMarket({ candles: 20 * day }) });
    set.archive.misbehave(/5m-/, { status: 500, body: '<html>' });
    const args = ['--from', '2025-12-01', '--to', '2025-12-20', '--fetch-tries', '2'];
    const result = await set.fetch(args);
    assert.equal(result.code, 1);
    assert.match(result.stderr, /5m-2025-12-\d\d\.zip: the archive answers with status 500/);
    assert.match(result.stderr, /^heatcast: file after file cannot be had; the same command cont/m);
    assert.ok(set.archive.requests.length < 25, `${set.archive.requests.length} requests`);
    set.archive.behave();
    assert.equal((await set.fetch(args)).files, 40);
});

test('a wait that is too long is not kept', async (t) => {
    const { archive, fetch } = await setUp(t);
    archive.misbehave(/5m-2025-12-01/, { status: 429, headers: { 'Retry-After': '3600' } });
    const result = await fetch();
    assert.deepEqual([result.code, result.files, result.failed], [1, 5, 1]);
    assert.match(result.stderr, /status 429, and asks to wait for 60 minutes/);
});

test('a refusal is said once, with what to do, and nothing else is asked for', async (t) => {
    for (const status of [403, 451]) {
        const { archive, fetch } = await setUp(t);
        archive.misbehave(/./, { status, body: '<html>no</html>' });
        const result = await fetch([...threeDays, '--fetch-files', '2']);
        assert.equal(result.code, 1);
        const lines = result.stderr.trim().split('\n');
        assert.equal(lines.length, 1, result.stderr);
        assert.match(lines[0], new RegExp(`status ${status}: it refuses requests from here`));
        assert.match(lines[0], /HTTPS_PROXY=.*BINANCE_ARCHIVE_URL/);
        assert.ok(archive.requests.length <= 3, `${archive.requests.length} requests`);
    }
});

test('a silent server is tried again after REQUEST_TIMEOUT', async (t) => {
    const set = await setUp(t);
    set.archive.misbehave(/5m-2025-12-01/, { silent: true }, 1);
    set.archive.misbehave(/metrics-2025-12-03\.zip$/, { stall: 300 }, 1);
    const result = await set.fetch([...threeDays, '--request-timeout', '1']);
    assert.deepEqual([result.code, result.files, result.stderr], [0, 6, '']);
    assert.equal(set.archive.downloads(/metrics-2025-12-03/)[1].range, 'bytes=300-');
    await assertHolds(set);
});

test('no more files are fetched at a time than is allowed', async (t) => {
    for (const files of [1, 3]) {
        const { archive, fetch } = await setUp(t, { of: makeMarket({ candles: 12 * day }) });
        const to = ['--from', '2025-12-01', '--to', '2025-12-12', '--fetch-files', `${files}`];
        assert.equal((await fetch(to)).files, 24);
        assert.ok(archive.atATime.most <= files, `${archive.atATime.most} at a time`);
    }
});

test('over TLS, with a certificate of CA_FILE; one that is not trusted ends it at once', async (t) => {
    const folder = await scratch(t);
    const pair = await makePair(folder, 'ours');
    pair.keyBytes = await readFile(pair.key);
    const set = await setUp(t, { pair });
    const stranger = await set.fetch();
    assert.equal(stranger.code, 1);
    assert.match(
        stranger.stderr,
        /5m-2025-12-0\d\.zip: 127\.0\.0\.1:\d+: its certificate is not trusted/,
    );
    assert.equal(stranger.stderr.trim().split('\n').length, 1);
    const result = await set.fetch(threeDays, { env: { CA_FILE: pair.cert } });
    assert.deepEqual([result.code, result.files, result.stderr], [0, 6, '']);
    await assertHolds(set);
});

test('through a proxy', async (t) => {
    const folder = await scratch(t);
    const pair = await makePair(folder, 'ours');
    pair.keyBytes = await readFile(pair.key);
    const set = await setUp(t, { pair });
    let tunnels = 0;
    const proxy = createServer();
    proxy.on('connect', (_, socket) => {
        tunnels += 1;
        const onward = connect(set.archive.port, '127.0.0.1', () => {
            socket.write('HTTP/1.1 200 Established\r\n\r\n');
            onward.pipe(socket).pipe(onward);
        });
        onward.on('error', () => socket.destroy());
        socket.on('error', () => onward.destroy());
        socket.on('close', () => onward.destroy());
    });
    const url = `http://127.0.0.1:${await listenFor(t, proxy)}`;
    const env = { CA_FILE: pair.cert, HTTPS_PROXY: url };
    const result = await set.fetch(threeDays, { env });
    assert.deepEqual([result.code, result.files], [0, 6], result.stderr);
    assert.ok(tunnels > 0);
});

test('nothing that listens is named', async (t) => {
    const folder = await scratch(t);
    const result = await run([
        'fetch',
        '--symbol=BTCUSDT',
        ...threeDays,
        '--fetch-tries=1',
        `--db=${join(folder, 'x.duckdb')}`,
        `--binance-archive-url=http://127.0.0.1:${await freePort()}/mirror/`,
    ]);
    assert.equal(result.code, 1);
    assert.match(result.stderr, /5m-2025-12-01\.zip: 127\.0\.0\.1:\d+: no connection/);
    assert.deepEqual(await readdir(folder), [], 'nothing is left');
});

// -- files ---------------------------------------------------------------------------------------

test("--keep keeps the files at the archive's paths, and they need not come again", async (t) => {
    const set = await setUp(t);
    const kept = join(set.folder, 'kept');
    assert.equal((await set.fetch([...threeDays, '--keep', kept])).code, 0);
    for (const [path, bytes] of set.archive.files)
        assert.deepEqual(await readFile(join(kept, path)), bytes);
    const other = join(set.folder, 'other.duckdb');
    const again = await set.fetch([...threeDays, '--keep', kept].concat(['--db', other]));
    assert.equal(again.code, 0, again.stderr);
    assert.equal(set.archive.downloads().length, 6, 'none came again');
    assert.deepEqual(await set.history(other), await set.history());
});

test('what comes but cannot be used is named, and asked for again', async (t) => {
    const set = await setUp(t);
    const path = archivePath('BTCUSDT', 'klines', '2025-12-02');
    set.archive.put(path, Buffer.from('PK\x03\x04 this is no zip'));
    const other = archivePath('BTCUSDT', 'metrics', '2025-12-02');
    const csv =
        'create_time,symbol,sum_open_interest,sum_open_interest_value\n2025-12-02 00:00:00,ETHUSDT,1,1\n';
    set.archive.put(other, zip({ 'BTCUSDT-metrics-2025-12-02.csv': csv }));
    const result = await set.fetch();
    assert.deepEqual([result.code, result.files, result.failed], [1, 4, 2]);
    assert.match(result.stderr, /5m-2025-12-02\.zip/);
    assert.match(result.stderr, /metrics-2025-12-02\.csv:2: /);
    set.archive.putMarket(market);
    const mended = await set.fetch();
    assert.deepEqual([mended.code, mended.files, mended.unchanged], [0, 2, 4]);
    await assertHolds(set);
});

test('a disk without room ends it, and says so once', async (t) => {
    const set = await setUp(t);
    const result = await set.fetch(threeDays, { under: ['prlimit', '--fsize=2000'] });
    assert.equal(result.code, 1);
    assert.match(result.stderr, /\.part cannot be written: File too large$/m);
    assert.equal(result.stderr.trim().split('\n').length, 1);
    assert.equal((await set.fetch()).code, 0);
});

test('a server reads on while days are fetched, and sees what comes', async (t) => {
    const set = await setUp(t);
    await set.fetch(['--from', '2025-12-01', '--to', '2025-12-01']);
    const server = await serveFor(t, {
        database: set.database,
        args: ['--ws-update-interval', '0.2'],
    });
    const newest = async () =>
        JSON.parse((await get(server.url, { path: '/api/v1/heatmap/BTCUSDT' })).body).timestamp;
    assert.equal(await newest(), '2025-12-01T23:55:00Z');
    const result = await set.fetch();
    assert.deepEqual([result.code, result.files], [0, 4], result.stderr);
    await eventually(
        'the newest candle is served',
        async () => (await newest()) === '2025-12-03T23:55:00Z',
    );
});

test('a terminal gets a bar, anything else a line now and then', async (t) => {
    const set = await setUp(t);
    // Slow enough for either.
    set.archive.misbehave(
        /metrics-2025-12-03\.zip$/,
        { status: 503, headers: { 'Retry-After': '11' } },
        1,
    );
    const plain = await run(set.args(threeDays));
    assert.equal(plain.code, 0, plain.stderr);
    assert.match(
        plain.stderr,
        /^heatcast: \d+ % is fetched, at BTCUSDT-metrics-2025-12-0\d\.zip$/m,
    );
    assert.doesNotMatch(plain.stderr, /\r/);
    const again = await setUp(t);
    again.archive.misbehave(/CHECKSUM$/, { status: 503 }, 1);
    const command = [binary, ...again.args(threeDays)].map((word) => `'${word}'`).join(' ');
    const shown = await run(['-qec', command, '/dev/null'], { program: 'script' });
    assert.equal(shown.code, 0, shown.stdout);
    assert.match(shown.stdout, /\[#+ *\] +\d+% BTCUSDT-/);
    assert.match(shown.stdout, /fetched: 6 files/);
});

test('arguments that are wrong are named', async (t) => {
    const folder = await scratch(t);
    const fetch = (...args) => run(['fetch', '--db', join(folder, 'x.duckdb'), ...args]);
    const cases = [
        [[], /--symbol is missing: what to fetch, as in --symbol BTCUSDT,ETHUSDT/],
        [
            ['--symbol=BTCUSDT'],
            /--from is missing: the first day to fetch, as in --from 2025-12-01/,
        ],
        [['--symbol=BTC?', '--from=2025-12-01'], /--symbol: 'BTC\?' is not a symbol/],
        [['--symbol=ALL:BTCUSDT', '--from=2025-12-01'], /'ALL:BTCUSDT' is not one of Binance/],
        [['--symbol=BTCUSDT', '--from=2025-12'], /--from: '2025-12' is not a day, as 2025-12-28/],
        [['--symbol=BTCUSDT', '--from=2025-02-29'], /--from: '2025-02-29' is not a day/],
        [['--symbol=BTCUSDT', '--from=2019-08-31'], /2019-08-31 is before 2019-09-01, when/],
        [['--symbol=BTCUSDT', '--from=2999-01-01'], /--from: 2999-01-01 lies in the future/],
        [
            ['--symbol=BTCUSDT', '--from=2025-12-02', '--to=2025-12-01'],
            /--from 2025-12-02 is later than --to 2025-12-01/,
        ],
        [
            ['--symbol=BTCUSDT', '--from=2025-12-02', '--binance-archive-url=ftp://x'],
            /--binance-archive-url: /,
        ],
        [
            ['--symbol=BTCUSDT', '--from=2025-12-02', '--fetch-files=33'],
            /--fetch-files: '33' is not/,
        ],
        [['--symbol=BTCUSDT', '--from=2025-12-02', 'more'], /more is not expected here/],
    ];
    for (const [args, message] of cases) {
        const { code, stderr, stdout } = await fetch(...args);
        assert.deepEqual([code, stdout], [2, ''], `${args}`);
        assert.match(stderr, message);
    }
    assert.deepEqual(await readdir(folder), [], 'nothing was made');
});
