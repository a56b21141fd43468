// What a server says of its data when it starts, and of symbols that it does not serve.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { get } from '../support/http.mjs';
import { candleMs, importMarkets, makeMarket, writeMarket } from '../support/market.mjs';
import { eventually, run, scratch } from '../support/process.mjs';
import { serveFor } from '../support/server.mjs';

const linesOf = (server, text) =>
    server
        .logs()
        .split('\n')
        .filter((line) => line.includes(text));

const lineOf = (server, text) =>
    eventually(`a line with ${text}`, () => linesOf(server, text)[0] ?? false);

// A market that ends in the five minutes that are under way.
function marketOfToday(symbol, candles) {
    const end = Math.floor(Date.now() / candleMs) * candleMs;
    return makeMarket({
        symbol,
        candles,
        start: new Date(end - (candles - 1) * candleMs).toISOString(),
    });
}

test('the log and /readyz tell what there is of each symbol', async (t) => {
    const folder = await scratch(t);
    const database = join(folder, 'market.duckdb');
    const btc = marketOfToday('BTCUSDT', 40);
    btc.candles.splice(10, 3);
    await importMarkets(folder, database, btc, makeMarket({ symbol: 'ETHUSDT', candles: 30 }));
    const server = await serveFor(t, {
        database,
        args: ['--symbols', 'BTCUSDT,ETHUSDT,NEWUSDT', '--ws-update-interval', '0.2'],
    });
    assert.match(
        await lineOf(server, 'symbol=BTCUSDT'),
        /info +found data symbol=BTCUSDT newest=\S+ age=\dm candles=37 since=\S+ missing=3 open_interest=\d+ open_interest_age=\d+m open_interest_missing=\d+$/,
    );
    assert.match(
        await lineOf(server, 'symbol=ETHUSDT'),
        /warn +the data of a symbol are old symbol=ETHUSDT newest=2025-12-01T02:25:00Z age=\d+d candles=30 since=2025-12-01T00:00:00Z missing=0 open_interest=\d+ open_interest_age=\d+d open_interest_missing=\d+ hint=/,
    );
    assert.match(
        await lineOf(server, 'symbol=NEWUSDT'),
        /warn +a symbol has no data symbol=NEWUSDT hint=/,
    );
    const { status, text } = await get(`${server.url}/readyz`);
    assert.equal(status, 200);
    assert.deepEqual(JSON.parse(text).data, {
        status: 'degraded',
        without: { count: 1, symbols: ['NEWUSDT'] },
        old: { count: 1, symbols: ['ETHUSDT'] },
    });
    assert.equal(linesOf(server, 'not in SYMBOLS').length, 0);

    await importMarkets(folder, database, makeMarket({ symbol: 'SOLUSDT', candles: 20 }));
    assert.match(
        await lineOf(server, 'not in SYMBOLS'),
        /the database has symbols that are not in SYMBOLS, and not served symbols=1 such_as=SOLUSDT/,
    );
    await importMarkets(folder, database, marketOfToday('NEWUSDT', 20));
    await importMarkets(folder, database, marketOfToday('ETHUSDT', 20));
    await eventually('all have new data', async () => {
        const answer = await get(`${server.url}/readyz`);
        return JSON.parse(answer.text).data.status === 'ok';
    });
    assert.equal(linesOf(server, 'not in SYMBOLS').length, 1, 'it is told once');
    assert.equal(linesOf(server, 'found data').length, 1, 'at the start alone');
});

test('symbols without open interest are told, and in /readyz until they have some', async (t) => {
    const folder = await scratch(t);
    const database = join(folder, 'market.duckdb');
    const btc = marketOfToday('BTCUSDT', 40);
    const bare = await writeMarket(folder, marketOfToday('SOLUSDT', 40), { label: 'bare' });
    const { code, stderr } = await run(['import', bare.klines, '--db', database]);
    assert.equal(code, 0, stderr);
    const late = marketOfToday('XRPUSDT', 3 * 288);
    const full = late.interest;
    late.interest = full.filter(({ time }) => time < Date.now() - 2 * 288 * candleMs);
    await importMarkets(folder, database, btc, late);
    const server = await serveFor(t, {
        database,
        args: ['--symbols', 'BTCUSDT,SOLUSDT,XRPUSDT', '--ws-update-interval', '0.2'],
    });
    const line = /warn +a symbol has no open interest of the last day of its candles/;
    for (const symbol of ['SOLUSDT', 'XRPUSDT'])
        assert.match(await lineOf(server, `symbol=${symbol} hint=`), line);
    assert.equal(linesOf(server, 'no open interest').length, 2);
    assert.match(linesOf(server, 'symbol=SOLUSDT')[0], / open_interest=0 /);
    assert.match(linesOf(server, 'symbol=XRPUSDT')[0], / open_interest_age=2d /);
    const data = async () => JSON.parse((await get(`${server.url}/readyz`)).text).data;
    assert.deepEqual(await data(), {
        status: 'degraded',
        without_open_interest: { count: 2, symbols: ['SOLUSDT', 'XRPUSDT'] },
    });
    const brought = await run(['import', bare.metrics, '--db', database]);
    assert.equal(brought.code, 0, brought.stderr);
    await importMarkets(folder, database, { ...late, interest: full });
    await eventually('all have some', async () => (await data()).status === 'ok');
});

test('of many symbols the log tells the sum, and names some', async (t) => {
    const folder = await scratch(t);
    const database = join(folder, 'market.duckdb');
    await importMarkets(
        folder,
        database,
        marketOfToday('COIN7USDT', 30),
        makeMarket({ symbol: 'COIN9USDT', candles: 20 }),
        makeMarket({ symbol: 'OTHERUSDT', candles: 20 }),
    );
    const symbols = Array.from({ length: 60 }, (_, i) => `COIN${i}USDT`).join();
    const server = await serveFor(t, { database, args: ['--symbols', symbols] });
    assert.match(
        await lineOf(server, 'found data'),
        /info +found data symbols=60 with_data=2 candles=50 missing=0 most_missing=none open_interest=\d+ open_interest_missing=\d+$/,
    );
    assert.match(
        await lineOf(server, 'have no data'),
        /warn +symbols have no data symbols=58 such_as="COIN\d+USDT, (COIN\d+USDT, ){8}COIN\d+USDT"/,
    );
    assert.match(
        await lineOf(server, 'are old'),
        /the data of symbols are old symbols=1 such_as=COIN9USDT/,
    );
    assert.match(await lineOf(server, 'not in SYMBOLS'), /symbols=1 such_as=OTHERUSDT/);
});
