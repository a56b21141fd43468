// Databases of another program's making, whose columns cannot hold or cannot mean what is expected.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { change, query } from '../support/collect.mjs';
import { get } from '../support/http.mjs';
import { klinesCsv, makeMarket, metricsCsv, parseSummaries } from '../support/market.mjs';
import { eventually, run, scratch } from '../support/process.mjs';
import { serveFor } from '../support/server.mjs';

const market = makeMarket({ candles: 60 });

const klinesTable = (openTime = 'TIMESTAMP', rest = '') =>
    `CREATE TABLE klines_5m_history (open_time ${openTime}, symbol VARCHAR, open DOUBLE, high DOUBLE,
        low DOUBLE, close DOUBLE, volume DOUBLE, taker_buy_volume DOUBLE${rest});`;
const interestTable = (value = 'DOUBLE') =>
    `CREATE TABLE open_interest_history (timestamp TIMESTAMP, symbol VARCHAR,
        open_interest_value ${value});`;

async function setUp(t, tables) {
    const folder = await scratch(t);
    const database = join(folder, 'foreign.duckdb');
    await change(database, tables);
    const files = {
        klines: 'BTCUSDT-5m-2025-12-01.csv',
        metrics: 'BTCUSDT-metrics-2025-12-01.csv',
    };
    await writeFile(join(folder, files.klines), klinesCsv(market.candles));
    await writeFile(join(folder, files.metrics), metricsCsv('BTCUSDT', market.interest));
    const heatcast = async (...args) => {
        const result = await run([...args, '--db', database], { cwd: folder });
        return { ...result, summaries: parseSummaries(result.stdout) };
    };
    return { folder, database, files, heatcast };
}

// Open interest of which the third row is more than DECIMAL(18,8) holds.
const tooMuch = market.interest.map((row, i) =>
    i === 2 ? { ...row, value: 12_000_000_000n * 10n ** 8n } : row,
);

test('a row that a column cannot hold is named by file, line and column; the others are kept', async (t) => {
    const { folder, database, files, heatcast } = await setUp(
        t,
        klinesTable() + interestTable('DECIMAL(18,8)'),
    );
    await writeFile(join(folder, files.metrics), metricsCsv('BTCUSDT', tooMuch));
    const { code, stderr, summaries } = await heatcast('import', files.klines, files.metrics);
    assert.equal(code, 0, stderr);
    assert.equal(
        stderr,
        `heatcast: ${files.metrics}:4: open_interest_value '12000000000.00000000' does not fit the ` +
            "column's type DECIMAL(18,8)\n",
    );
    const rows = market.interest.length;
    assert.deepEqual(summaries['open interest'], { files: 1, read: rows, fresh: rows - 1, bad: 1 });
    assert.equal(summaries.klines.fresh, 60);
    const [[count]] = await query(database, 'SELECT count(*) FROM open_interest_history');
    assert.equal(Number(count), rows - 1);
});

test('with --strict it fails its file, and the others are imported', async (t) => {
    const { folder, database, files, heatcast } = await setUp(
        t,
        klinesTable() + interestTable('DECIMAL(18,8)'),
    );
    await writeFile(join(folder, files.metrics), metricsCsv('BTCUSDT', tooMuch));
    const { code, stderr } = await heatcast('import', '--strict', files.metrics, files.klines);
    assert.equal(code, 1, stderr);
    assert.match(stderr, new RegExp(`${files.metrics}:4: open_interest_value '12000000000`));
    assert.match(stderr, new RegExp(`${files.metrics}: nothing of it was imported \\(--strict\\)`));
    const [[candles, stamps]] = await query(
        database,
        'SELECT (SELECT count(*) FROM klines_5m_history), (SELECT count(*) FROM open_interest_history)',
    );
    assert.deepEqual([Number(candles), Number(stamps)], [60, 0]);
});

test('a value that the table wants and a file does not have is named', async (t) => {
    const { folder, files, heatcast } = await setUp(
        t,
        klinesTable('TIMESTAMP', ' NOT NULL') + interestTable(),
    );
    const blank = klinesCsv(market.candles.slice(0, 2), { isBlank: true });
    await writeFile(join(folder, 'BTCUSDT-5m-2025-12-02.csv'), blank);
    const { stderr, summaries } = await heatcast(
        'import',
        'BTCUSDT-5m-2025-12-02.csv',
        files.klines,
    );
    assert.deepEqual(stderr.trimEnd().split('\n').slice(0, 2), [
        'heatcast: BTCUSDT-5m-2025-12-02.csv:2: taker_buy_volume is not known, which the table does ' +
            'not allow',
        'heatcast: BTCUSDT-5m-2025-12-02.csv:3: taker_buy_volume is not known, which the table does ' +
            'not allow',
    ]);
    assert.equal(summaries.klines.fresh, 60);
    assert.equal(summaries.klines.bad, 2);
});

test('a key on the time alone refuses the second symbol, whose file is named', async (t) => {
    const { folder, files, heatcast } = await setUp(
        t,
        klinesTable('TIMESTAMP PRIMARY KEY') + interestTable(),
    );
    await writeFile(join(folder, 'ETHUSDT-5m-2025-12-01.csv'), klinesCsv(market.candles));
    const { code, stderr, summaries } = await heatcast(
        ...['import', files.klines, 'ETHUSDT-5m-2025-12-01.csv', files.metrics],
    );
    assert.equal(code, 1, stderr);
    assert.match(
        stderr,
        /^heatcast: ETHUSDT-5m-2025-12-01.csv:2: the table .* PRIMARY KEY\(open_time\) does not allow/m,
    );
    assert.match(
        stderr,
        /^heatcast: ETHUSDT-5m-2025-12-01.csv: nothing of it was imported: the database takes none/m,
    );
    assert.equal(summaries.klines.fresh, 60);
    assert.equal(summaries['open interest'].fresh, market.interest.length);
});

test('rows that an index allows once are named, and the others are stored', async (t) => {
    const { folder, files, heatcast } = await setUp(
        t,
        klinesTable('TIMESTAMP') +
            interestTable() +
            'CREATE UNIQUE INDEX by_time ON klines_5m_history (open_time);',
    );
    const later = makeMarket({ candles: 62 });
    await writeFile(join(folder, 'ETHUSDT-5m-2025-12-01.csv'), klinesCsv(later.candles));
    const { code, stderr, summaries } = await heatcast(
        ...['import', files.klines, 'ETHUSDT-5m-2025-12-01.csv', files.metrics],
    );
    assert.equal(code, 0, stderr);
    assert.match(
        stderr,
        /^heatcast: ETHUSDT-5m-2025-12-01.csv:61: the table klines_5m_history .* index by_time does/m,
    );
    assert.equal(summaries.klines.fresh, 62);
    assert.equal(summaries.klines.bad, 60);
    assert.equal(summaries['open interest'].fresh, market.interest.length);
});

test('a column that nobody fills is named with what to do', async (t) => {
    const { files, heatcast } = await setUp(
        t,
        klinesTable('TIMESTAMP', ', venue VARCHAR NOT NULL') + interestTable(),
    );
    const { code, stderr } = await heatcast('import', files.klines);
    assert.equal(code, 1);
    assert.match(stderr, /the column venue of the table klines_5m_history must have a value/);
    assert.match(stderr, /ALTER TABLE klines_5m_history ALTER "venue" SET DEFAULT/);
});

for (const [type, time] of [
    ['BIGINT', '1764547200000'],
    ['DOUBLE', '1764547200.0'],
])
    test(`times of type ${type} make nobody ready, and the column is named`, async (t) => {
        const { database, files, heatcast } = await setUp(t, klinesTable(type) + interestTable());
        await change(
            database,
            `INSERT INTO klines_5m_history VALUES (${time}, 'BTCUSDT', 1, 1, 1, 1, 1, 1)`,
        );
        const says = new RegExp(
            `the column open_time of the table klines_5m_history is of type ${type}, and ` +
                'TIMESTAMP is expected',
        );
        for (const args of [['snapshot'], ['history'], ['import', files.klines]]) {
            const { code, stderr } = await heatcast(...args);
            assert.equal(code, 1, args[0]);
            assert.match(stderr, says);
        }
        const server = await serveFor(t, { database });
        await eventually('the log says so', () => says.test(server.logs()));
        const ready = await get(`${server.url}/readyz`);
        assert.equal(ready.status, 503);
        assert.match(ready.json().checks.database, /cannot be used; the server's log says why/);
    });
