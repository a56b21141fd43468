// What strangers may not see: where the database is, and what DuckDB says of it.
import assert from 'node:assert/strict';
import { basename, dirname } from 'node:path';
import { WebSocket } from 'ws';

import { get } from './http.mjs';
import { patienceMs } from './process.mjs';

const paths = [
    '/readyz',
    '/healthz',
    '/api/v1/symbols',
    '/api/v1/heatmap/BTCUSDT',
    '/api/v1/heatmap/BTCUSDT/history',
    '/api/v1/heatmap/BTCUSDT/history?window=3h&bucket=7',
    '/api/v1/heatmap/BTCUSDT/grid?window=2h',
    '/api/v1/heatmap/ETHUSDT',
    '/api/v1/heatmap/ETHUSDT/history?window=1h',
    '/api/v1/candles/BTCUSDT?window=1h',
    '/api/v1/candles/ETHUSDT',
    '/ws/stats',
    '/metrics',
];

// The first message to a WebSocket client that subscribes, if one comes soon.
function firstMessage(server) {
    const socket = new WebSocket(`${server.wsUrl}?symbols=BTCUSDT,ETHUSDT`);
    return new Promise((settle, fail) => {
        const timer = setTimeout(fail, patienceMs, new Error('no message'));
        socket.on('error', fail);
        socket.on('message', (bytes) => {
            clearTimeout(timer);
            socket.terminate();
            settle(bytes.toString());
        });
    });
}

// That no answer names the database's file or folder, or quotes DuckDB, whatever is wrong with it.
export async function assertDiscreet(server, database) {
    const texts = await Promise.all([
        ...paths.map(async (path) => [path, (await get(server.url + path)).text]),
        firstMessage(server).then((text) => ['/ws/heatmap', text]),
    ]);
    for (const [path, text] of texts) {
        for (const secret of [dirname(database), basename(database), '.duckdb', '.parquet'])
            assert.ok(!text.includes(secret), `${path} names '${secret}': ${text.slice(0, 2000)}`);
        assert.doesNotMatch(text, /(IO|Catalog|Binder|Invalid \w+|Serialization|Parser) Error/);
    }
}
