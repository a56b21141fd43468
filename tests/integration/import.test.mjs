// `heatcast import`: files of the Binance archive into the database (docs/model.md, "Files").
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, open, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { assertSnapshot } from '../support/compare.mjs';
import {
    klinesCsv,
    makeMarket,
    metricsCsv,
    parseSummaries,
    writeMarket,
} from '../support/market.mjs';
import { expectedSnapshot } from '../support/survival.mjs';
import { eventually, run, scratch, sleep, start } from '../support/process.mjs';
import { zip } from '../support/zip.mjs';

const market = makeMarket({ candles: 120 });

async function setUp(t) {
    const folder = await scratch(t);
    const database = join(folder, 'market.duckdb');
    const importFiles = async (...args) => {
        const result = await run(['import', '--db', database, ...args], { cwd: folder });
        return { ...result, summaries: parseSummaries(result.stdout) };
    };
    const history = async (symbol = 'BTCUSDT') => {
        const result = await run(['history', '--symbol', symbol, '--db', database]);
        assert.equal(result.code, 0, result.stderr);
        return JSON.parse(result.stdout);
    };
    const snapshot = async (symbol = 'BTCUSDT') => {
        const result = await run(['snapshot', '--symbol', symbol, '--db', database]);
        assert.equal(result.code, 0, result.stderr);
        return JSON.parse(result.stdout);
    };
    return { folder, database, importFiles, history, snapshot };
}

test('a folder is imported, with one summary line per kind on standard output', async (t) => {
    const { folder, importFiles, snapshot } = await setUp(t);
    await writeMarket(folder, market);
    const { code, stderr, stdout, summaries } = await importFiles('BTCUSDT');
    assert.equal(code, 0, stderr);
    assert.equal(stderr, '', 'no progress bar without a terminal');
    assert.equal(stdout.trimEnd().split('\n').length, 2);
    assert.deepEqual(summaries.klines, { files: 1, read: 120, fresh: 120, bad: 0 });
    const rows = market.interest.length;
    assert.deepEqual(summaries['open interest'], { files: 1, read: rows, fresh: rows, bad: 0 });
    assertSnapshot(await snapshot(), 'BTCUSDT', expectedSnapshot(market));
});

test('importing the same files twice changes nothing', async (t) => {
    const { folder, importFiles, history } = await setUp(t);
    await writeMarket(folder, market);
    await importFiles('BTCUSDT');
    const before = await history();
    const { code, summaries } = await importFiles('BTCUSDT');
    assert.equal(code, 0);
    assert.deepEqual(summaries.klines, { files: 1, read: 120, fresh: 0, bad: 0 });
    assert.equal(summaries['open interest'].fresh, 0);
    assert.deepEqual(await history(), before);
});

test('rows out of order and repeated rows make no difference', async (t) => {
    const { folder, importFiles, snapshot } = await setUp(t);
    const shuffled = {
        ...market,
        candles: [...market.candles].reverse().concat(market.candles.slice(10, 30)),
        interest: [...market.interest.slice(50), ...market.interest.slice(0, 60)],
    };
    await writeMarket(folder, shuffled);
    const { code, summaries } = await importFiles('BTCUSDT');
    assert.equal(code, 0);
    assert.deepEqual(summaries.klines, { files: 1, read: 140, fresh: 120, bad: 0 });
    assert.equal(summaries['open interest'].fresh, market.interest.length);
    assertSnapshot(await snapshot(), 'BTCUSDT', expectedSnapshot(market));
});

const withoutContracts = (whole) => ({
    ...whole,
    interest: whole.interest.map(({ time, value }) => ({ time, value })),
});

for (const [name, klines, metrics] of [
    ['CRLF line ends', { end: '\r\n' }, { end: '\r\n' }],
    ['files without a header line', { hasHeader: false }, { hasHeader: false }],
    ['microseconds', { unit: 'us' }, {}],
    ['open interest stamped in milliseconds', {}, { unit: 'ms' }],
    ['blank columns that the model does not use', { isBlank: true }, { isBlank: true }],
])
    test(`${name} give the same rows`, async (t) => {
        const { folder, importFiles, snapshot } = await setUp(t);
        await writeMarket(folder, market, { klines, metrics });
        const { code, stderr, summaries } = await importFiles('BTCUSDT');
        assert.equal(code, 0, stderr);
        assert.deepEqual(summaries.klines, { files: 1, read: 120, fresh: 120, bad: 0 });
        assert.equal(summaries['open interest'].bad, 0, stderr);
        // Blank contracts are reckoned from the value.
        const known = metrics.isBlank ? withoutContracts : (whole) => whole;
        assertSnapshot(await snapshot(), 'BTCUSDT', expectedSnapshot(known(market)));
    });

test('milliseconds and microseconds of the same candles are the same rows', async (t) => {
    const { folder, importFiles } = await setUp(t);
    await writeMarket(folder, market);
    await importFiles('BTCUSDT');
    await writeMarket(folder, market, { klines: { unit: 'us' }, label: '2025-12-01' });
    const { summaries } = await importFiles('BTCUSDT/klines/5m/BTCUSDT-5m-2025-12-01.csv');
    assert.equal(summaries.klines.fresh, 0);
});

test('a last line without a line end counts', async (t) => {
    const { folder, importFiles } = await setUp(t);
    await writeFile(join(folder, 'BTCUSDT-5m-2025-12.csv'), klinesCsv(market.candles).trimEnd());
    const { code, summaries } = await importFiles('BTCUSDT-5m-2025-12.csv');
    assert.equal(code, 0);
    assert.equal(summaries.klines.fresh, 120);
});

test('two symbols with the same open times both survive', async (t) => {
    const { folder, importFiles, snapshot } = await setUp(t);
    const other = makeMarket({ symbol: 'ETHUSDT', price: '2950', candles: 120, seed: 2 });
    await writeMarket(folder, market);
    await writeMarket(folder, other);
    const { code, summaries } = await importFiles('BTCUSDT', 'ETHUSDT');
    assert.equal(code, 0);
    assert.deepEqual(summaries.klines, { files: 2, read: 240, fresh: 240, bad: 0 });
    assertSnapshot(await snapshot('BTCUSDT'), 'BTCUSDT', expectedSnapshot(market));
    assertSnapshot(await snapshot('ETHUSDT'), 'ETHUSDT', expectedSnapshot(other));
});

test('an import that waits for a pipe is ended by a signal all the same', async (t) => {
    const { folder, database, importFiles } = await setUp(t);
    await writeMarket(folder, market);
    const pipe = join(folder, 'BTCUSDT-5m-2025-11.csv');
    assert.equal((await run([pipe], { program: 'mkfifo' })).code, 0);
    const child = start(['import', '--db', database, pipe]);
    t.after(() => child.kill('SIGKILL'));
    let stderr = '';
    child.stderr.on('data', (text) => (stderr += text));
    const writer = await open(pipe, 'w'); // opens when the import has opened it
    t.after(() => writer.close());
    child.kill('SIGTERM');
    assert.deepEqual(await child.ended, { code: null, signal: 'SIGTERM' });
    assert.match(stderr, /^heatcast: stopping takes too long, the program ends now$/m);
    assert.equal((await importFiles('BTCUSDT')).code, 0, 'the database is sound');
});

test('an archive of a tree holds the candles that tell what its open interest means', async (t) => {
    const { folder, importFiles, snapshot } = await setUp(t);
    // Labelled by the beginning of the five minutes at whose end it was so.
    const labelled = market.interest.map((row) => ({ ...row, time: row.time - 300_000 }));
    await writeFile(
        join(folder, 'tree.zip'),
        zip({
            'um/daily/klines/BTCUSDT/5m/BTCUSDT-5m-2025-12.csv': klinesCsv(market.candles),
            'um/daily/metrics/BTCUSDT/BTCUSDT-metrics-2025-12.csv': metricsCsv('BTCUSDT', labelled),
            'read me.txt': 'These are candles.',
        }),
    );
    const { code, stderr, summaries } = await importFiles('tree.zip');
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^heatcast: passed over 1 file .*read me\.txt$/m);
    assert.equal(stderr.trim().split('\n').length, 1);
    assert.equal(summaries['open interest'].fresh, market.interest.length);
    assertSnapshot(await snapshot(), 'BTCUSDT', expectedSnapshot(market));
});

test('files are imported as the archive packs them, zip, and as gzip', async (t) => {
    const { folder, importFiles, snapshot } = await setUp(t);
    await mkdir(join(folder, 'in'));
    await writeFile(
        join(folder, 'in', 'BTCUSDT-5m-2025-12.zip'),
        zip({ 'BTCUSDT-5m-2025-12.csv': klinesCsv(market.candles), 'README.md': 'hello' }),
    );
    await writeFile(
        join(folder, 'in', 'BTCUSDT-metrics-2025-12.csv.gz'),
        gzipSync(metricsCsv('BTCUSDT', market.interest)),
    );
    const { code, stderr, summaries } = await importFiles('in');
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^heatcast: passed over 1 file \(.*README\.md\n$/);
    assert.deepEqual(summaries.klines, { files: 1, read: 120, fresh: 120, bad: 0 });
    assert.equal(summaries['open interest'].files, 1);
    assertSnapshot(await snapshot(), 'BTCUSDT', expectedSnapshot(market));
});

const badRows = [
    ['not,a,row'],
    ['soon,1,2,0.5,1,10,0,,,,,0'],
    [`${market.candles[0].time},abc,2,0.5,1,10,0,,,,,0`],
    [`${market.candles[0].time},-5,2,-6,1,10,0,,,,,0`],
];

async function writeBroken(folder) {
    const lines = klinesCsv(market.candles).split('\n');
    badRows.forEach(([row], i) => lines.splice(5 + 3 * i, 0, row));
    await writeFile(join(folder, 'BTCUSDT-5m-2025-12.csv'), lines.join('\n'));
}

test('bad rows are named by file, line and reason; the good rows of the file are kept', async (t) => {
    const { folder, importFiles } = await setUp(t);
    await writeBroken(folder);
    const { code, stderr, summaries } = await importFiles('BTCUSDT-5m-2025-12.csv');
    assert.equal(code, 0, stderr);
    assert.deepEqual(summaries.klines, { files: 1, read: 124, fresh: 120, bad: 4 });
    for (const line of [6, 9, 12, 15])
        assert.match(stderr, new RegExp(`BTCUSDT-5m-2025-12\\.csv:${line}: \\S+`), `line ${line}`);
});

test('--strict makes the first bad row an error, and imports nothing of its file', async (t) => {
    const { folder, importFiles } = await setUp(t);
    await writeBroken(folder);
    await writeFile(
        join(folder, 'BTCUSDT-metrics-2025-12.csv'),
        metricsCsv('BTCUSDT', market.interest),
    );
    const { code, stderr, summaries } = await importFiles(
        '--strict',
        'BTCUSDT-5m-2025-12.csv',
        'BTCUSDT-metrics-2025-12.csv',
    );
    assert.equal(code, 1);
    assert.match(stderr, /BTCUSDT-5m-2025-12\.csv:6: \S+/);
    assert.equal(summaries.klines.fresh, 0);
    const again = await importFiles('BTCUSDT-5m-2025-12.csv');
    assert.equal(again.summaries.klines.fresh, 120, 'nothing of the file was there');
});

test('a bad row of open interest is named, one of 0 is not bad', async (t) => {
    const { folder, importFiles } = await setUp(t);
    const lines = metricsCsv('BTCUSDT', market.interest.slice(0, 10)).split('\n');
    lines.splice(3, 0, '2025-12-01 77:00:00,BTCUSDT,1,2,,,,');
    lines.splice(6, 0, '2025-12-02 00:00:00,BTCUSDT,0,0,,,,');
    await writeFile(join(folder, 'BTCUSDT-metrics-2025-12.csv'), lines.join('\n'));
    const { code, stderr, summaries } = await importFiles('BTCUSDT-metrics-2025-12.csv');
    assert.equal(code, 0, stderr);
    assert.deepEqual(summaries['open interest'], { files: 1, read: 12, fresh: 11, bad: 1 });
    assert.match(stderr, /BTCUSDT-metrics-2025-12\.csv:4: \S+/);
});

test('a path that is not there fails and is named; other files are imported', async (t) => {
    const { folder, importFiles } = await setUp(t);
    const alone = await importFiles('none.csv');
    assert.equal(alone.code, 1);
    assert.match(alone.stderr, /none\.csv/);
    await writeMarket(folder, market);
    const both = await importFiles('none.csv', 'BTCUSDT');
    assert.match(both.stderr, /none\.csv/);
    assert.equal(both.summaries.klines.fresh, 120);
    assert.equal(both.code, 1);
});

test('files that are not of the archive are passed over in a folder', async (t) => {
    const { folder, importFiles } = await setUp(t);
    await writeMarket(folder, market);
    await writeFile(join(folder, 'BTCUSDT', 'README.md'), 'notes\n');
    await writeFile(join(folder, 'BTCUSDT', 'klines', 'BTCUSDT-1h-2025-12.csv'), 'other\n');
    const { code, stderr, summaries } = await importFiles('BTCUSDT');
    assert.equal(code, 0);
    assert.deepEqual(summaries.klines, { files: 1, read: 120, fresh: 120, bad: 0 });
    assert.match(stderr, /passed over 1 file \(1h klines; only 5m klines are imported\): BTCUSDT/);
    assert.match(stderr, /passed over 1 file \(.*\): BTCUSDT\/README\.md/);
});

test('--market spot imports candles of the spot market, into a series of their own', async (t) => {
    const { folder, importFiles } = await setUp(t);
    await mkdir(join(folder, 'spot'));
    await writeFile(join(folder, 'spot', 'BTCUSDT-5m-2025-12.csv'), klinesCsv(market.candles));
    const refused = await importFiles('spot');
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /spot market; --market spot/);
    const taken = await importFiles('spot', '--market', 'spot');
    assert.equal(taken.code, 0, taken.stderr);
    assert.equal(taken.summaries.klines.fresh, 120);
    await writeMarket(folder, market);
    const mixed = await importFiles('BTCUSDT/klines');
    assert.equal(mixed.code, 1);
    assert.match(mixed.stderr, /candles of BTCUSDT that are stored are of another market/);
    const wrong = await importFiles('spot', '--market', 'moon');
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /--market: 'moon' is neither um nor spot/);
});

test('the folders above the one that is worked in say the market, too', async (t) => {
    const { folder, database } = await setUp(t);
    const below = (kind) => join(folder, 'data', kind, 'daily', 'klines', 'BTCUSDT', '5m');
    for (const kind of ['spot', join('futures', 'um')]) {
        await mkdir(below(kind), { recursive: true });
        await writeFile(join(below(kind), 'BTCUSDT-5m-2025-12-01.csv'), klinesCsv(market.candles));
    }
    const importHere = (cwd, ...args) => run(['import', '--db', database, ...args], { cwd });
    for (const path of ['.', 'BTCUSDT-5m-2025-12-01.csv']) {
        const refused = await importHere(below('spot'), path);
        assert.equal(refused.code, 1);
        assert.match(refused.stderr, /5m klines of the spot market; --market spot imports these/);
    }
    const spot = await importHere(below('spot'), '--market', 'spot', '.');
    assert.deepEqual([spot.code, spot.stderr], [0, '']);
    const mixed = await importHere(below(join('futures', 'um')), '.');
    assert.equal(mixed.code, 1);
    assert.match(mixed.stderr, /of another market than 'um'/);
});

test('a file without rows is no success', async (t) => {
    const { folder, importFiles } = await setUp(t);
    await writeFile(join(folder, 'BTCUSDT-5m-2025-12.csv'), '');
    for (const args of [['BTCUSDT-5m-2025-12.csv'], ['BTCUSDT-5m-2025-12.csv', '--strict']]) {
        const { code, stderr } = await importFiles(...args);
        assert.equal(code, 1);
        assert.match(stderr, /BTCUSDT-5m-2025-12\.csv: holds no row/);
    }
});

test('--symbol names the symbol of files whose names do not', async (t) => {
    const { folder, importFiles, history } = await setUp(t);
    await writeFile(join(folder, 'candles.csv'), klinesCsv(market.candles));
    const { code, stderr, summaries } = await importFiles('candles.csv', '--symbol', 'SOLUSDT');
    assert.equal(code, 0, stderr);
    assert.equal(summaries.klines.fresh, 120);
    assert.equal((await history('SOLUSDT')).data.length, 120);
});

test('an empty folder has nothing to import, and says so', async (t) => {
    const { folder, importFiles } = await setUp(t);
    await mkdir(join(folder, 'empty'));
    const { code, stderr } = await importFiles('empty');
    assert.equal(code, 1);
    assert.match(stderr, /empty|no file|nothing/i);
});

test('an import that is killed in its first moments leaves nothing in the way of the next', async (t) => {
    const { folder } = await setUp(t);
    await writeMarket(folder, market);
    for (let round = 0; round < 12; round++) {
        const database = join(folder, `killed${round}.duckdb`);
        const command = ['import', 'BTCUSDT', '--db', database];
        const killed = start(command, { cwd: folder });
        await eventually('the file is there', () => existsSync(database), { everyMs: 0 });
        if (round > 0) await sleep(round - 1);
        killed.kill('SIGKILL');
        await killed.ended;

        const reader = await run(['snapshot', '--db', database]);
        if (reader.code !== 0)
            assert.match(
                reader.stderr,
                /holds no data yet|`heatcast import` makes it|no candles of/,
            );
        const again = await run(command, { cwd: folder });
        assert.equal(again.code, 0, again.stderr);
        const { stdout } = await run(['snapshot', '--db', database]);
        assertSnapshot(JSON.parse(stdout), 'BTCUSDT', expectedSnapshot(market));
    }
});

test('what is imported can be read by its user alone', async (t) => {
    const { folder, database, importFiles } = await setUp(t);
    await writeMarket(folder, market);
    assert.equal((await importFiles('BTCUSDT')).code, 0);
    assert.equal((await stat(database)).mode & 0o777, 0o600);
});
