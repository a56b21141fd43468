// Symbols of any script are symbols everywhere; one in another form is refused by its name.
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { serveArchive } from '../support/archive.mjs';
import { connectFor } from '../support/client.mjs';
import { marketFor, memberFor, untilState } from '../support/cluster.mjs';
import { change, collectorFor, query, untilStored } from '../support/collect.mjs';
import { binance } from '../support/exchanges/binance.mjs';
import { MarketClock } from '../support/exchanges/clock.mjs';
import { startStandIn } from '../support/exchanges/stand-in.mjs';
import { get } from '../support/http.mjs';
import { importMarkets, klinesCsv, makeMarket, parseSummaries } from '../support/market.mjs';
import { eventually, logged, run, scratch } from '../support/process.mjs';
import { redisFor } from '../support/redis.mjs';
import { serveFor } from '../support/server.mjs';

const chinese = '币安人生USDT';
const market = makeMarket({ symbol: chinese, candles: 60 });
const quick = ['--live-update-interval', '1'];

async function setUp(t, ...markets) {
    const folder = await scratch(t);
    const database = join(folder, 'market.duckdb');
    if (markets.length > 0) await importMarkets(folder, database, ...markets);
    return { folder, database };
}

test('a symbol of another script is imported, computed and served', async (t) => {
    const { database } = await setUp(t, market);
    const cli = await run(['snapshot', '--symbol', chinese, '--db', database]);
    assert.equal(cli.code, 0, cli.stderr);
    const snapshot = JSON.parse(cli.stdout);
    assert.equal(snapshot.symbol, chinese);
    assert.ok(snapshot.data.levels.length > 0);

    const args = [...quick, '--symbols', `${chinese},BTCUSDT`, '--heatmap-bucket', `${chinese}:50`];
    const server = await serveFor(t, { database, args });
    const encoded = encodeURIComponent(chinese);
    await eventually('there is a snapshot', async () => {
        const answer = await get(`${server.url}/api/v1/heatmap/${encoded}`);
        return answer.status === 200 && answer.json().symbol === chinese;
    });
    for (const path of ['heatmap/*/history', 'heatmap/*/grid', 'candles/*']) {
        const answer = await get(`${server.url}/api/v1/${path.replace('*', encoded)}?window=2h`);
        assert.equal(answer.status, 200, path);
    }
    const { symbols } = (await get(`${server.url}/api/v1/symbols`)).json();
    assert.deepEqual(symbols.map(({ symbol, bucket }) => [symbol, bucket])[0], [chinese, 50]);

    const named = await connectFor(t, `${server.wsUrl}?symbols=${encoded}`);
    assert.equal((await named.nextSnapshot(chinese)).symbol, chinese);
    const client = await connectFor(t, server.wsUrl);
    client.send({ action: 'subscribe', symbols: [chinese], id: 1 });
    assert.equal((await client.nextSnapshot(chinese)).data.bucket, 50);
    const metrics = (await get(`${server.url}/metrics`)).text;
    assert.ok(metrics.includes(`ws_active_connections{symbol="${chinese}"} 2`), metrics);
});

test('another form of a symbol is refused by its name, with the symbol that may be meant', async (t) => {
    const { folder, database } = await setUp(t, makeMarket({ candles: 60 }));
    for (const form of ['btcusdt', 'BTC/USDT', 'btc/usdt:usdt']) {
        const says = `'${form}' is not a symbol`;
        for (const args of [
            ['snapshot', '--symbol', form],
            ['history', '--symbol', form],
            ['delete', '--symbol', form, '--all'],
            ['fetch', '--symbol', form, '--from', '2025-12-01'],
            ['import', '--symbol', form, folder],
            ['serve', '--symbols', `ETHUSDT,${form}`],
            ['collect', '--symbols', form],
        ]) {
            const { code, stderr } = await run([...args, '--db', database]);
            assert.equal(code, 2, `${args.join(' ')}: ${stderr}`);
            assert.ok(stderr.includes(says) && stderr.includes('is BTCUSDT meant?'), stderr);
        }
    }
    const server = await serveFor(t, { database, args: quick });
    const client = await connectFor(t, server.wsUrl);
    for (const form of ['btcusdt', 'BTC/USDT', '比特币USDT']) {
        const answer = await get(`${server.url}/api/v1/heatmap/${encodeURIComponent(form)}`);
        assert.equal(answer.status, 404);
        assert.deepEqual(answer.json().error, {
            code: 'INVALID_SYMBOL',
            message: `Symbol '${form}' not supported. Valid: BTCUSDT, ETHUSDT`,
        });
        client.send({ action: 'subscribe', symbols: [form] });
        const error = await client.next(({ type }) => type === 'error');
        assert.equal(error.code, 'INVALID_SYMBOL');
        assert.equal(error.message, `Symbol '${form}' not supported. Valid: BTCUSDT, ETHUSDT`);
    }
    const broken = await get(`${server.url}/api/v1/heatmap/%FF%FEUSDT`);
    assert.equal(broken.status, 404);
    assert.match(broken.json().error.message, /^Symbol not supported\. Valid: BTCUSDT/);
});

test('files and rows of a symbol in another form are named', async (t) => {
    const { folder, database } = await setUp(t);
    const tree = join(folder, 'tree');
    await mkdir(tree);
    const csv = klinesCsv(makeMarket({ candles: 60 }).candles);
    await writeFile(join(tree, 'btcusdt-5m-2025-12-01.csv'), csv);
    await writeFile(join(tree, `${chinese}-5m-2025-12-01.csv`), csv);
    await writeFile(
        join(tree, 'ETHUSDT-metrics-2025-12-01.csv'),
        'create_time,symbol,sum_open_interest,sum_open_interest_value\n' +
            '2025-12-01 00:00:00,ETH/USDT,1,1000\n2025-12-01 00:05:00,ETHUSDT,1,1000\n',
    );
    const result = await run(['import', '--db', database, tree]);
    assert.equal(result.code, 0, result.stderr);
    assert.match(
        result.stderr,
        /passed over 1 file \(their symbols are not written as symbols are.*btcusdt-5m/,
    );
    assert.match(
        result.stderr,
        /ETHUSDT-metrics-2025-12-01\.csv:2: symbol: 'ETH\/USDT' is not a symbol/,
    );
    const summaries = parseSummaries(result.stdout);
    assert.deepEqual([summaries.klines.fresh, summaries['open interest'].fresh], [60, 1]);

    const file = join(tree, 'btcusdt-5m-2025-12-01.csv');
    const alone = await run(['import', '--db', database, file]);
    assert.equal(alone.code, 1);
    assert.match(alone.stderr, /btcusdt-5m-2025-12-01\.csv: .*give --symbol, as --symbol BTCUSDT/);
    const meant = await run(['import', '--db', database, '--symbol', 'BTCUSDT', file]);
    assert.equal(meant.code, 0, meant.stderr);
    assert.equal(parseSummaries(meant.stdout).klines.fresh, 60);
});

test('rows that another program has stored under another form are told by the server', async (t) => {
    const { database } = await setUp(t, makeMarket({ candles: 60 }));
    await change(
        database,
        `INSERT INTO klines_5m_history (symbol, open_time, open, high, low, close, volume) VALUES
         ('btcusdt', '2025-12-01', 1, 1, 1, 1, 1), ('BTC/USDT', '2025-12-01', 1, 1, 1, 1, 1)`,
    );
    const server = await serveFor(t, { database, args: quick });
    await eventually('the log says so', () =>
        logged(server, /not in SYMBOLS.*such_as="(BTC\/USDT, btcusdt|btcusdt, BTC\/USDT)"/),
    );
});

test('a symbol of another script is fetched from the archive', async (t) => {
    const { database } = await setUp(t);
    const archive = await serveArchive(t);
    archive.putMarket(makeMarket({ symbol: chinese, candles: 288 }));
    const result = await run([
        ...['fetch', '--symbol', chinese, '--from', '2025-12-01', '--to', '2025-12-01'],
        ...['--db', database, '--binance-archive-url', archive.url],
    ]);
    assert.equal(result.code, 0, result.stderr);
    const rows = await query(database, 'SELECT symbol, count(*) FROM klines_5m_history GROUP BY 1');
    assert.deepEqual(rows, [[chinese, '288']]);
});

test('a symbol of another script is collected', async (t) => {
    const clock = new MarketClock({ start: Date.now(), scale: 1 });
    const dayMs = 86_400_000;
    const exchange = await startStandIn(t, binance, {
        clock,
        symbols: [{ name: chinese, start: new Date(clock.now() - 3 * dayMs).toISOString() }],
    });
    const { database, stop } = await collectorFor(t, {
        standIns: [exchange],
        symbols: [chinese],
        env: { HEATMAP_LOOKBACK: '2h' },
    });
    const to = Math.floor(clock.now() / 300_000) * 300_000;
    await untilStored(database, chinese, to - 2 * 3_600_000, to - 300_000);
    await stop();
    assert.deepEqual(exchange.record.violations, []);
});

test('a symbol of another script goes from one server to another', async (t) => {
    const redis = await redisFor(t);
    const { database } = await marketFor(t, chinese);
    const args = ['--symbols', chinese];
    await untilState(await memberFor(t, redis.url, { database, args }), 'leading');
    const relay = await memberFor(t, redis.url, { args });
    await untilState(relay, 'following');
    const client = await connectFor(t, relay.wsUrl);
    client.send({ action: 'subscribe', symbols: [chinese] });
    assert.equal((await client.nextSnapshot(chinese)).symbol, chinese);
});
