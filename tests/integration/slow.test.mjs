// A client that stops reading (docs/protocol.md, "Slow clients").
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { connectFor } from '../support/client.mjs';
import { get } from '../support/http.mjs';
import { candleMs, cutMarket, importMarkets, makeMarket } from '../support/market.mjs';
import { eventually, scratch } from '../support/process.mjs';
import { opcodes, openRawFor } from '../support/raw-websocket.mjs';
import { serveFor } from '../support/server.mjs';

// Many tiers that are never liquidated, and the finest bucket: snapshots of more than a megabyte,
// so that a few fill every buffer between the server and the client.
const manyTiers = [
    '--heatmap-leverage-weights',
    Array.from({ length: 16 }, (_, i) => `${i + 1}:1`).join(','),
];
const large = ['--heatmap-bucket', 'BTCUSDT:0.00000001', ...manyTiers];

test('a stalled client is warned, gets the newest snapshot when it reads again, and delays no other client', async (t) => {
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

// Reads as fast as the test says: about so many bytes, and then nothing until it is told again.
async function readAbout(raw, size) {
    let got = 0;
    await new Promise((settle, fail) => {
        const end = () => fail(new Error('the connection has ended'));
        const count = (piece) => {
            got += piece.length;
            if (got < size) return;
            raw.socket.pause();
            raw.socket.off('data', count);
            raw.socket.off('close', end);
            settle();
        };
        raw.socket.on('data', count);
        raw.socket.on('close', end);
        raw.socket.resume();
    });
}

test('a client that reads slowly gets all its symbols in turn, and none of them old', async (t) => {
    const symbols = Array.from({ length: 20 }, (_, i) => `COIN${i + 10}USDT`);
    const rounds = 13;
    const bytesPerRound = 256 * 1024;
    const folder = await scratch(t);
    const database = join(folder, 'market.duckdb');
    const markets = symbols.map((symbol, seed) => makeMarket({ symbol, seed, candles: 145 }));
    const from = markets[0].candles[130].time; // all positions end with candle 150
    await importMarkets(folder, database, ...markets.map((market) => cutMarket(market, 0, from)));
    const server = await serveFor(t, {
        database,
        args: [
            ...['--symbols', symbols.join()],
            ...['--ws-update-interval', '0.1', '--ws-slow-consumer-timeout', '0.2'],
            ...['--heatmap-bucket', symbols.map((symbol) => `${symbol}:0.01`).join()],
            ...manyTiers,
        ],
    });
    const path = `/ws/heatmap?symbols=${symbols.join()}`;
    const good = await connectFor(t, `${server.wsUrl}?symbols=${symbols.join()}`);
    for (const symbol of symbols) await good.nextSnapshot(symbol);
    const roundBytes = good.texts.reduce((sum, text) => sum + text.length, 0);
    assert.ok(roundBytes > 3 * bytesPerRound, `${roundBytes} bytes of one candle's snapshots`);

    const slow = await openRawFor(t, server.port, { path });
    slow.socket.pause();
    const ages = []; // of what arrives, in candles
    const counts = new Map(symbols.map((symbol) => [symbol, 0]));
    for (let round = 0; round < rounds; round++) {
        const time = from + round * candleMs;
        const isOfRound = (m) => Date.parse(m.timestamp) === time;
        const news = markets.map((market) => cutMarket(market, time, time + candleMs));
        await importMarkets(folder, database, ...news);
        for (const symbol of symbols) await good.nextSnapshot(symbol, isOfRound);
        await readAbout(slow, bytesPerRound);
        while (slow.hasFrame()) {
            const frame = await slow.next();
            const message = frame.opcode === opcodes.text ? JSON.parse(frame.text) : {};
            if (message.type !== 'snapshot') continue;
            counts.set(message.symbol, counts.get(message.symbol) + 1);
            ages.push((time - Date.parse(message.timestamp)) / candleMs);
        }
    }
    // What the system and the client itself hold is old; with a system that holds megabytes the age
    // would have grown to ten candles by now.
    assert.ok(Math.max(...ages) < 6, `candles by which they were old: ${ages}`);
    assert.ok(Math.min(...counts.values()) >= 2, `snapshots of each: ${[...counts.values()]}`);
    assert.equal(slow.isEnded, false);
});
