// A client that stops reading (docs/protocol.md, "Slow clients").
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { connectFor } from '../support/client.mjs';
import { get } from '../support/http.mjs';
import { candleMs, cutMarket, importMarkets, makeMarket } from '../support/market.mjs';
import { eventually, scratch } from '../support/process.mjs';
import { serveFor } from '../support/server.mjs';

// Many tiers that are never liquidated, and the finest bucket: snapshots of more than a megabyte,
// so that a few fill every buffer between the server and the client.
const large = [
    '--heatmap-bucket',
    'BTCUSDT:0.00000001',
    '--heatmap-leverage-weights',
    Array.from({ length: 16 }, (_, i) => `${i + 1}:1`).join(','),
];

test('a stalled client is warned, gets the newest snapshot when it reads again, and delays nobody', async (t) => {
    const folder = await scratch(t);
    const database = join(folder, 'market.duckdb');
    const market = makeMarket({ candles: 1540 });
    const from = market.candles[1500].time;
    await importMarkets(folder, database, cutMarket(market, 0, from));
    const server = await serveFor(t, {
        database,
        args: [
            '--ws-update-interval',
            '0.2',
            '--ws-slow-consumer-timeout',
            '0.5',
            '--workers',
            '1',
            ...large,
        ],
    });
    const stats = async () => (await get(`${server.url}/ws/stats`)).json();

    const good = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
    const stalled = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
    const first = await good.nextSnapshot('BTCUSDT');
    assert.ok(good.texts[0].length > 500_000, `${good.texts[0].length} bytes`);
    await stalled.nextSnapshot('BTCUSDT');
    stalled.socket.pause();

    // Each import is at least one more snapshot; the good client has every one of them.
    let newest = first;
    let grown = 0;
    const isSlow = async () => {
        const { slow_consumers: slow, slow_consumer_warnings: warnings } = await stats();
        return slow === 1 && warnings >= 3;
    };
    while (!(await isSlow())) {
        assert.ok(grown < 40, 'the buffers between are full by now');
        const time = from + grown++ * candleMs;
        await importMarkets(folder, database, cutMarket(market, time, time + candleMs));
        newest = await good.nextSnapshot('BTCUSDT', (m) => Date.parse(m.timestamp) === time);
    }
    const seqs = good.snapshots('BTCUSDT').map((m) => m.seq);
    seqs.forEach((seq, i) => assert.equal(seq, seqs[0] + i, 'the other client misses nothing'));
    assert.equal(
        good.received.some((m) => m.type === 'warning'),
        false,
    );
    const metrics = (await get(`${server.url}/metrics`)).text;
    assert.ok(Number(/^ws_slow_consumers_total\{symbol="BTCUSDT"\} (\d+)$/m.exec(metrics)[1]) >= 3);

    stalled.socket.resume();
    const warning = await stalled.next((m) => m.type === 'warning');
    assert.equal(warning.code, 'SLOW_CONSUMER');
    assert.equal(warning.message, 'Connection slow - may miss updates');
    assert.ok(warning.dropped_messages >= 1);
    const last = good.snapshots('BTCUSDT').at(-1);
    await stalled.nextSnapshot('BTCUSDT', (m) => m.seq === last.seq);
    assert.ok(last.seq >= newest.seq);
    const got = stalled.received.map((m) => m.seq ?? m.type);
    assert.equal(got.at(-2), 'warning', 'the warning goes first, then the newest snapshot');
    assert.equal(stalled.snapshots('BTCUSDT').length + warning.dropped_messages, seqs.length);
    await eventually('it is slow no longer', async () => (await stats()).slow_consumers === 0);
});

test('a client that takes nothing at all is closed after WS_SLOW_CONSUMER_DISCONNECT', async (t) => {
    const folder = await scratch(t);
    const database = join(folder, 'market.duckdb');
    const market = makeMarket({ candles: 1560 });
    const from = market.candles[1500].time;
    await importMarkets(folder, database, cutMarket(market, 0, from));
    const server = await serveFor(t, {
        database,
        args: [
            '--ws-update-interval',
            '0.2',
            '--ws-slow-consumer-timeout',
            '0.5',
            '--ws-slow-consumer-disconnect',
            '2',
            ...large,
        ],
    });
    const active = async () => (await get(`${server.url}/ws/stats`)).json().active_connections;
    const good = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
    const stalled = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
    await good.nextSnapshot('BTCUSDT');
    await stalled.nextSnapshot('BTCUSDT');
    stalled.socket.pause();
    for (let grown = 0; (await active()) === 2; grown++) {
        assert.ok(grown < 60, 'it is closed by now');
        const time = from + grown * candleMs;
        await importMarkets(folder, database, cutMarket(market, time, time + candleMs));
        await good.nextSnapshot('BTCUSDT', (m) => Date.parse(m.timestamp) === time);
    }
    assert.equal(await active(), 1);
    await good.settle();
});
