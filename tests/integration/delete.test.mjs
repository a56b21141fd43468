// `heatcast delete` and `heatcast import --replace`: mending what is stored.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { change, query } from '../support/collect.mjs';
import { assertSnapshot } from '../support/compare.mjs';
import { cutMarket, importMarkets, klinesCsv, makeMarket } from '../support/market.mjs';
import { expectedSnapshot } from '../support/survival.mjs';
import { run, scratch } from '../support/process.mjs';
import { serveFor } from '../support/server.mjs';

const market = makeMarket({ candles: 120 });
const hour = 3_600_000;
const start = market.candles[0].time;
const iso = (time) => new Date(time).toISOString();

async function setUp(t, ...markets) {
    const folder = await scratch(t);
    const database = join(folder, 'market.duckdb');
    await importMarkets(folder, database, ...markets);
    const heatcast = (...args) => run([...args, '--db', database], { cwd: folder });
    const snapshot = async (symbol = 'BTCUSDT') => {
        const result = await heatcast('snapshot', '--symbol', symbol);
        assert.equal(result.code, 0, result.stderr);
        return JSON.parse(result.stdout);
    };
    return { folder, database, heatcast, snapshot };
}

test('rows between two times are deleted, both ends included, and what was is said', async (t) => {
    const other = makeMarket({ symbol: 'ETHUSDT', price: '2950', candles: 120, seed: 2 });
    const { heatcast, snapshot } = await setUp(t, market, other);
    const [from, to] = [start + hour, start + 2 * hour];
    const result = await heatcast(
        ...['delete', '--symbol', 'BTCUSDT', '--from', iso(from), '--to', iso(to)],
    );
    assert.equal(result.code, 0, result.stderr);
    const rows = market.interest.filter((row) => row.time >= from && row.time <= to);
    assert.equal(
        result.stdout,
        `BTCUSDT: 13 candles and ${rows.length} rows of open interest deleted, ` +
            `2025-12-01T01:00:00Z to 2025-12-01T02:00:00Z\n`,
    );
    const rest = {
        ...market,
        candles: market.candles.filter((row) => row.time < from || row.time > to),
        interest: market.interest.filter((row) => row.time < from || row.time > to),
    };
    assertSnapshot(await snapshot(), 'BTCUSDT', expectedSnapshot(rest));
    assertSnapshot(await snapshot('ETHUSDT'), 'ETHUSDT', expectedSnapshot(other));
});

test('--dry-run deletes nothing', async (t) => {
    const { heatcast, snapshot } = await setUp(t, market);
    const args = ['delete', '--symbol', 'BTCUSDT', '--from', '2025-12-01', '--to', '2025-12-01'];
    const trial = await heatcast(...args, '--dry-run');
    assert.equal(trial.code, 0, trial.stderr);
    assert.match(trial.stdout, /^BTCUSDT: 120 candles and \d+ rows of open interest to delete, /);
    assertSnapshot(await snapshot(), 'BTCUSDT', expectedSnapshot(market));
    const deleted = await heatcast(...args);
    assert.equal(deleted.stdout, trial.stdout.replace('to delete', 'deleted'));
    const empty = await heatcast(...args);
    assert.equal(empty.code, 0);
    assert.equal(empty.stdout, 'BTCUSDT: 0 candles and 0 rows of open interest deleted\n');
});

test('a symbol without a range is deleted with --all only', async (t) => {
    const { database, heatcast } = await setUp(t, market);
    // Times that are none are of no range, and go with all.
    await change(
        database,
        `INSERT INTO klines_5m_history (symbol, open_time) VALUES ('BTCUSDT', 'infinity');
         INSERT INTO open_interest_history (id, symbol, timestamp, open_interest_value)
         VALUES (99999, 'BTCUSDT', '-infinity', 1)`,
    );
    const refused = await heatcast('delete', '--symbol', 'BTCUSDT');
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /--from, --to or both, or else --all/);
    const deleted = await heatcast('delete', '--symbol', 'BTCUSDT', '--all');
    assert.match(
        deleted.stdout,
        /^BTCUSDT: 121 candles and .* deleted, 2025-12-01T00:00:00Z to 2025-12-01T09:5/,
    );
    const counts = await query(
        database,
        'SELECT (SELECT count(*) FROM klines_5m_history), (SELECT count(*) FROM open_interest_history)',
    );
    assert.deepEqual(counts, [['0', '0']]);
    assert.equal((await heatcast('snapshot', '--symbol', 'BTCUSDT')).code, 1);
});

test('what cannot be meant is refused, and no database is made', async (t) => {
    const folder = await scratch(t);
    const database = join(folder, 'none.duckdb');
    for (const [args, words] of [
        [['--from', '2025-12-01'], /--symbol is missing/],
        [['--symbol', 'BTCUSDT', '--from', 'yesterday'], /--from: 'yesterday' is neither a day/],
        [['--symbol', 'BTCUSDT', '--from', '2025-12-02', '--to', '2025-12-01'], /is later than/],
        [['--symbol', 'BTCUSDT', '--from', '2025-12-02', '--all'], /or else --all/],
    ]) {
        const { code, stderr } = await run(['delete', ...args, '--db', database]);
        assert.equal(code, 2, stderr);
        assert.match(stderr, words);
    }
    const { code, stderr } = await run([
        'delete',
        '--symbol',
        'BTCUSDT',
        '--all',
        '--db',
        database,
    ]);
    assert.equal(code, 1);
    assert.match(stderr, /no database at/);
    assert.ok(!existsSync(database));
});

test('it works beside a server, which then serves what is left', async (t) => {
    const { database, heatcast } = await setUp(t, market);
    const server = await serveFor(t, { database, args: ['--symbols', 'BTCUSDT'] });
    const half = start + 60 * 300_000;
    const result = await heatcast('delete', '--symbol', 'BTCUSDT', '--from', iso(half));
    assert.equal(result.code, 0, result.stderr);
    const answer = await fetch(`${server.url}/api/v1/heatmap/BTCUSDT/history?window=1h`);
    const { data } = await answer.json();
    assert.equal(data.at(-1).timestamp, iso(half - 300_000).replace('.000', ''));
});

test('--replace overwrites what is stored, which stays without it', async (t) => {
    const { folder, heatcast, snapshot } = await setUp(t, market);
    const last = market.candles.at(-1);
    // As it was imported while it formed, and as it is now.
    const whole = { ...last, high: last.high * 2n, close: last.high, volume: last.volume * 3n };
    const mended = { ...market, candles: [...market.candles.slice(0, -1), whole] };
    await writeFile(join(folder, 'BTCUSDT-5m-x.csv'), klinesCsv([whole]));
    const kept = await heatcast('import', 'BTCUSDT-5m-x.csv');
    assert.equal(kept.code, 0, kept.stderr);
    assert.match(
        kept.stderr,
        /BTCUSDT-5m-x\.csv: 1 row differs from what is stored, which stays \(line 2: .*--replace/,
    );
    assertSnapshot(await snapshot(), 'BTCUSDT', expectedSnapshot(market));
    const replaced = await heatcast('import', 'BTCUSDT-5m-x.csv', '--replace');
    assert.equal(replaced.code, 0, replaced.stderr);
    assert.equal(replaced.stderr, '');
    assert.match(replaced.stdout, /^klines: 1 files, 1 rows read, 0 new, 0 bad$/m);
    assertSnapshot(await snapshot(), 'BTCUSDT', expectedSnapshot(mended));
});

test('a series that was deleted may be of another market then', async (t) => {
    const { folder, heatcast } = await setUp(t, market);
    const file = join(folder, 'BTCUSDT-5m-x.csv');
    await writeFile(file, klinesCsv(cutMarket(market, start, start + hour).candles));
    const mixed = await heatcast('import', file, '--market', 'spot');
    assert.equal(mixed.code, 1);
    await heatcast('delete', '--symbol', 'BTCUSDT', '--all');
    const spot = await heatcast('import', file, '--market', 'spot');
    assert.equal(spot.code, 0, spot.stderr);
    await heatcast('delete', '--symbol', 'BTCUSDT', '--all');
    const future = await heatcast('import', file);
    assert.equal(future.code, 0, future.stderr);
});
