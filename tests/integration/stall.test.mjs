// A server that does not run for a while: the machine sleeps, a container is paused, a debugger
// holds it. What its clients sent meanwhile it has not read, so that it must not hold them to
// deadlines that passed in that time.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';

import { get } from '../support/http.mjs';
import { importMarkets, makeMarket } from '../support/market.mjs';
import { eventually, logged, scratch, sleep } from '../support/process.mjs';
import { opcodes, openRawFor } from '../support/raw-websocket.mjs';
import { serveFor } from '../support/server.mjs';

const headTimeoutMs = 10_000; // HTTP_HEAD_TIMEOUT_MS

test('a server that was stopped for longer than its deadlines drops no client for that', async (t) => {
    const folder = await scratch(t);
    const database = join(folder, 'market.duckdb');
    await importMarkets(folder, database, makeMarket({ candles: 1500 }));
    const server = await serveFor(t, {
        database,
        args: [
            ...['--ws-slow-consumer-timeout', '0.2', '--ws-slow-consumer-disconnect', '8'],
            // A snapshot that no socket takes whole.
            ...['--heatmap-bucket', 'BTCUSDT:0.00000001'],
            ...[
                '--heatmap-leverage-weights',
                [...Array(16).keys()].map((i) => `${i + 1}:1`).join(),
            ],
        ],
    });
    const blocked = await openRawFor(t, server.port, { path: '/ws/heatmap?symbols=BTCUSDT' });
    blocked.socket.pause();
    await eventually('its socket is full', async () => {
        return (await get(`${server.url}/ws/stats`)).json().slow_consumers === 1;
    });
    const half = connect(server.port, '127.0.0.1');
    t.after(() => half.destroy());
    await once(half, 'connect');
    half.write('GET /healthz HTTP/1.1\r\n');
    let answer = '';
    half.on('error', () => {});
    half.on('data', (bytes) => (answer += bytes));

    server.process.kill('SIGSTOP');
    await sleep(headTimeoutMs + 500);
    server.process.kill('SIGCONT');
    await logged(server, /warn +a loop was stopped or starved.* away_ms=1\d{4}/);

    half.write('Host: localhost\r\n\r\n');
    await eventually('an answer, or an end', () => answer !== '' || half.closed);
    assert.match(answer, /^HTTP\/1\.1 200 /);
    blocked.socket.resume();
    const frame = await blocked.next((one) => one.opcode === opcodes.text);
    assert.equal(JSON.parse(frame.text).symbol, 'BTCUSDT');
});
