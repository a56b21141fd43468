// `serve --demo`: a simulated market through the same path as a real one.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { connectFor } from '../support/client.mjs';
import { get } from '../support/http.mjs';
import { candleMs, importMarkets, makeMarket } from '../support/market.mjs';
import { run, scratch } from '../support/process.mjs';
import { serveFor, startServer } from '../support/server.mjs';

const quick = ['--demo', '--ws-update-interval', '0.2'];
const askJson = async (url) => (await get(url)).json();

test('a demo creates its own database, with days of candles, and says that it is simulated', async (t) => {
    const folder = await scratch(t);
    const server = await serveFor(t, { args: quick, cwd: folder });
    assert.ok(existsSync(join(folder, 'data', 'demo.duckdb')), 'not the database of real data');
    assert.equal(existsSync(join(folder, 'data', 'heatcast.duckdb')), false);

    const { symbols, simulated } = await askJson(`${server.url}/api/v1/symbols`);
    assert.equal(simulated, true);
    assert.deepEqual(
        symbols.map((s) => s.symbol),
        ['BTCUSDT', 'ETHUSDT'],
    );
    for (const { symbol, newest, live } of symbols) {
        assert.equal(live, true, symbol);
        assert.ok(Math.abs(Date.parse(newest) - Date.now()) < 2 * candleMs + 60_000, newest);
        const { data } = await askJson(`${server.url}/api/v1/candles/${symbol}?window=7d`);
        assert.ok(data.length >= 2015 && data.length <= 2018, `${data.length} candles`);
        data.forEach(({ timestamp, open, high, low, close }, i) => {
            assert.ok(
                low > 0 && low <= Math.min(open, close) && high >= Math.max(open, close),
                timestamp,
            );
            if (i > 0)
                assert.equal(Date.parse(timestamp) - Date.parse(data[i - 1].timestamp), candleMs);
        });
    }
});

test("a demo's snapshots keep changing, for every symbol", async (t) => {
    const folder = await scratch(t);
    const server = await serveFor(t, { args: quick, cwd: folder });
    const client = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT,ETHUSDT`);
    for (const symbol of ['BTCUSDT', 'ETHUSDT']) {
        const first = await client.nextSnapshot(symbol);
        assert.ok(first.data.levels.length > 20, `${first.data.levels.length} levels`);
        assert.ok(first.data.levels.some((l) => l.long_density > 0));
        assert.ok(first.data.levels.some((l) => l.short_density > 0));
        await client.nextSnapshot(symbol, (m) => m.seq >= first.seq + 3);
        const prices = new Set(client.snapshots(symbol).map((m) => m.data.current_price));
        assert.ok(prices.size > 1, 'the price moves');
        const seqs = client.snapshots(symbol).map((m) => m.seq);
        seqs.forEach((seq, i) => assert.equal(seq, seqs[0] + i));
    }
});

test('a demo serves the symbols that it is asked for', async (t) => {
    const folder = await scratch(t);
    const server = await serveFor(t, { args: [...quick, '--symbols', 'DOGEUSDT'], cwd: folder });
    const client = await connectFor(t, `${server.wsUrl}?symbols=DOGEUSDT`);
    const { data } = await client.nextSnapshot('DOGEUSDT');
    assert.ok(data.levels.length > 10);
});

test('a demo that is started again continues from where it stopped', async (t) => {
    const folder = await scratch(t);
    const database = join(folder, 'demo.duckdb');
    const first = await startServer({ args: quick, database });
    const client = await connectFor(t, `${first.wsUrl}?symbols=BTCUSDT`);
    const last = await client.nextSnapshot('BTCUSDT');
    const before = await askJson(`${first.url}/api/v1/candles/BTCUSDT?window=2d`);
    assert.equal(await first.stop(), 0);

    const second = await serveFor(t, { args: quick, database });
    const after = await askJson(`${second.url}/api/v1/candles/BTCUSDT?window=2d`);
    const again = new Map(after.data.map((candle) => [candle.timestamp, candle]));
    const closed = before.data.slice(2, -1); // the last one was still forming
    for (const candle of closed) assert.deepEqual(again.get(candle.timestamp), candle);
    const next = await connectFor(t, `${second.wsUrl}?symbols=BTCUSDT`);
    assert.ok((await next.nextSnapshot('BTCUSDT')).epoch > last.epoch);
});

test('a demo refuses a database with real data, and changes nothing in it', async (t) => {
    const folder = await scratch(t);
    const database = join(folder, 'market.duckdb');
    await importMarkets(folder, database, makeMarket({ candles: 50 }));
    const before = await run(['history', '--db', database]);
    const refused = await run(['serve', '--demo', '--listen', '127.0.0.1:0', '--db', database]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /market\.duckdb|real/);
    const after = await run(['history', '--db', database]);
    assert.equal(after.stdout, before.stdout);
});
