// Liquidations out of one database and into another, as CSV.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { importMarkets, makeMarket } from '../support/market.mjs';
import { get } from '../support/http.mjs';
import { run, scratch } from '../support/process.mjs';
import { serveFor } from '../support/server.mjs';

const header = 'exchange,symbol,time,side,price,quantity,value,id';
const lines = [
    'binance,BTCUSDT,2025-12-01T00:00:00Z,long,90000.12345678,0.00000001,0.0009,a1',
    'bybit,BTCUSDT,2025-12-01T00:00:00Z,short,90000,1.5,135000,a1',
    'bybit,BTCUSDT,2025-12-01T00:04:59.999Z,short,90001.5,0.42,37800.63,8c1f0a2b3d4e5f60',
    'hyperliquid,BTCUSDT,2025-12-01T00:05:00.001Z,long,90000,12345.678,1111111020,7/1',
];
const csv = (rows) => `${[header, ...rows].join('\n')}\n`;
const asked = '?start=2025-12-01&end=2025-12-02';

async function importFile(database, path, ...args) {
    const result = await run(['import', path, '--db', database, ...args]);
    const found = /^liquidations: (\d+) files, (\d+) rows read, (\d+) new, (\d+) bad$/m.exec(
        result.stdout,
    );
    return { ...result, counts: found?.slice(1).map(Number) };
}

async function databaseFor(t, name) {
    const folder = await scratch(t);
    const database = join(folder, `${name}.duckdb`);
    await importMarkets(folder, database, makeMarket({ candles: 5 }));
    return { folder, database };
}

test('what is exported is imported, and exported again byte for byte', async (t) => {
    const first = await databaseFor(t, 'first');
    const path = join(first.folder, 'anything.csv');
    await writeFile(path, csv([lines[2], lines[0], lines[3], lines[1], lines[0]]));
    assert.deepEqual((await importFile(first.database, path)).counts, [1, 5, 4, 0]);
    assert.deepEqual((await importFile(first.database, path)).counts, [1, 5, 0, 0]);
    const server = await serveFor(t, { database: first.database });
    const exported = await get(`${server.url}/api/v1/liquidations/BTCUSDT${asked}&format=csv`);
    assert.equal(exported.status, 200);
    assert.match(exported.headers['content-type'], /^text\/csv/);
    assert.equal(exported.text, csv(lines));
    const { data, meta } = (
        await get(`${server.url}/api/v1/liquidations/BTCUSDT${asked}&format=json`)
    ).json();
    assert.equal(data.length, 4);
    assert.deepEqual(
        [meta.long_value, meta.short_value],
        [1111111020.001, 172800.63].map((v) => Number(v.toPrecision(10))),
    );

    const second = await databaseFor(t, 'second');
    const copy = join(second.folder, 'copy.csv');
    await writeFile(copy, exported.text);
    assert.deepEqual((await importFile(second.database, copy)).counts, [1, 4, 4, 0]);
    const other = await serveFor(t, { database: second.database });
    const again = await get(`${other.url}/api/v1/liquidations/BTCUSDT${asked}&format=csv`);
    assert.equal(again.text, exported.text);
    const wrong = await get(`${other.url}/api/v1/liquidations/BTCUSDT?format=xml`);
    assert.equal(wrong.status, 400);
    assert.match(wrong.json().error.message, /neither json nor csv/);
    const elsewhere = await get(`${other.url}/api/v1/candles/BTCUSDT?format=csv`);
    assert.equal(elsewhere.status, 400);
});

test('a bad row is named by its column, and the others are taken', async (t) => {
    const { folder, database } = await databaseFor(t, 'market');
    const bad = [
        [lines[0].replace('long', 'up'), /market.csv:2: side 'up' is neither long nor short/],
        [lines[0].replace('90000.12345678', '1e30'), /market.csv:3: price '1e30'/],
        [lines[0].replace('2025-12-01T00:00:00Z', 'noon'), /market.csv:4: time 'noon'/],
        [lines[0].replace('binance', ''), /market.csv:5: exchange/],
        [lines[0].replace('a1', 'x'.repeat(65)), /market.csv:6: id 'x+' is too long/],
        [lines[0].replace('0.00000001', ''), /market.csv:7: quantity/],
    ];
    const path = join(folder, 'market.csv');
    await writeFile(path, csv([...bad.map(([line]) => line), lines[1]]));
    const result = await importFile(database, path);
    assert.deepEqual(result.counts, [1, 7, 1, 6], result.stderr);
    for (const [, expected] of bad) assert.match(result.stderr, expected);
    const strict = await importFile(database, path, '--strict');
    assert.equal(strict.code, 1);
    await writeFile(path, csv(lines).replace('quantity', 'amount'));
    assert.equal((await importFile(database, path)).code, 1);
});

test('deleting a symbol leaves them, imported or not: nobody has them any more', async (t) => {
    const { folder, database } = await databaseFor(t, 'market');
    const path = join(folder, 'market.csv');
    await writeFile(path, csv(lines));
    await importFile(database, path);
    const { code, stderr } = await run([
        'delete',
        '--symbol',
        'BTCUSDT',
        '--all',
        '--db',
        database,
    ]);
    assert.equal(code, 0, stderr);
    assert.deepEqual((await importFile(database, path)).counts, [1, 4, 0, 0]);
});
