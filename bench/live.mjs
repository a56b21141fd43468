// From an exchange's bytes at our socket to a client's: a stand-in of Binance, reduced to what the
// collector asks of it, pushes one candle after the other, each with a price of its own, and a
// client waits for the snapshot that has that price. The symbols take turns. LIVE_UPDATE_INTERVAL
// is 0: what is measured is the way, not how long a snapshot waits for the next one.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';

import { WebSocket, WebSocketServer } from 'ws';

import { quantile, sleep } from './market.mjs';

const candleMs = 300_000;
const turnMs = 1_000; // of all symbols
const listening = /listening address=\S*:(\d+)/;

const openOf = (symbol, index) => 100 + ((index * 7919 + symbol.length) % 1000) / 100;
const interestOf = (index) => 1_000_000 + 20_000 * Math.sin(index / 9);

// Rows of [startTime, endTime], as many as `limit` lets.
function rows(query, make) {
    const [from, to] = [Number(query.get('startTime')), Number(query.get('endTime'))];
    const count = Number(query.get('limit') ?? 500);
    const list = [];
    const last = Math.min(to, Date.now());
    for (let i = Math.ceil(from / candleMs); i * candleMs <= last && list.length < count; i++)
        list.push(make(i));
    return list;
}

function kline(symbol, i) {
    const open = openOf(symbol, i);
    const close = openOf(symbol, i + 1);
    const prices = [open, Math.max(open, close) + 0.5, Math.min(open, close) - 0.5, close];
    const end = (i + 1) * candleMs - 1;
    return [i * candleMs, ...prices.map(String), '10', end, '1000', 10, '5', '500', '0'];
}

const answers = {
    '/fapi/v1/exchangeInfo': (symbols) => ({
        serverTime: Date.now(),
        rateLimits: [],
        symbols: symbols.map((symbol) => ({
            symbol,
            contractType: 'PERPETUAL',
            status: 'TRADING',
            onboardDate: 1_600_000_000_000,
        })),
    }),
    '/fapi/v1/klines': (_, query) => rows(query, (i) => kline(query.get('symbol'), i)),
    '/futures/data/openInterestHist': (_, query) =>
        rows(query, (i) => ({
            symbol: query.get('symbol'),
            sumOpenInterest: interestOf(i).toFixed(3),
            sumOpenInterestValue: (interestOf(i) * openOf(query.get('symbol'), i)).toFixed(2),
            timestamp: i * candleMs,
        })),
    '/fapi/v1/openInterest': (_, query) => ({
        symbol: query.get('symbol'),
        openInterest: interestOf(Date.now() / candleMs).toFixed(3),
        time: Date.now(),
    }),
};

async function startExchange(symbols) {
    const server = http.createServer((request, response) => {
        const { pathname, searchParams } = new URL(request.url, 'http://exchange');
        const answer = answers[pathname];
        response.statusCode = answer ? 200 : 404;
        response.end(JSON.stringify(answer ? answer(symbols, searchParams) : {}));
    });
    const sockets = new Set();
    new WebSocketServer({ server }).on('connection', (socket) => {
        socket.on('message', (text) => {
            const { id } = JSON.parse(text);
            socket.send(JSON.stringify({ result: null, id }));
            sockets.add(socket);
        });
        socket.on('close', () => sockets.delete(socket));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = `127.0.0.1:${server.address().port}`;
    return {
        env: { BINANCE_REST_URL: `http://${address}`, BINANCE_WS_URL: `ws://${address}` },
        isHeard: () => sockets.size > 0,
        push(symbol, price) {
            const now = Date.now();
            const i = Math.floor(now / candleMs);
            const [t, o, , , , v, T] = kline(symbol, i);
            const k = { t, T, s: symbol, i: '5m', o, c: price, x: false, v, n: 1, q: '1' };
            Object.assign(k, { h: String(Math.max(o, price)), l: String(Math.min(o, price)) });
            const data = { e: 'kline', E: now, s: symbol, k: { ...k, V: '1', Q: '1' } };
            const stream = `${symbol.toLowerCase()}@kline_5m`;
            for (const socket of sockets) socket.send(JSON.stringify({ stream, data }));
        },
        stop() {
            server.closeAllConnections();
            for (const socket of sockets) socket.terminate();
            server.close();
        },
    };
}

async function startServer(binary, folder, exchange, symbols) {
    const args = ['serve', '--collect', '--db', join(folder, 'live.duckdb')];
    const child = spawn(binary, [...args, '--listen', '127.0.0.1:0'], {
        env: {
            ...process.env,
            ...exchange.env,
            EXCHANGES: 'binance',
            LIVE_UPDATE_INTERVAL: '0',
            SYMBOLS: symbols.join(','),
        },
        stdio: ['ignore', 'ignore', 'pipe'],
    });
    let logs = '';
    child.stderr.setEncoding('utf8').on('data', (text) => (logs += text));
    for (let i = 0; !listening.test(logs); i++) {
        if (i === 3000 || child.exitCode !== null)
            throw new Error(`heatcast did not start: ${logs}`);
        await sleep(10);
    }
    const kill = () => child.kill('SIGKILL');
    process.once('exit', kill);
    return {
        port: Number(listening.exec(logs)[1]),
        logs: () => logs,
        async stop() {
            child.kill('SIGTERM');
            await once(child, 'close');
            process.removeListener('exit', kill);
        },
    };
}

// Waits until nothing is back-filled any more and the sockets are subscribed.
async function untilLive(server, exchange) {
    for (let i = 0; i < 600; i++) {
        await sleep(100);
        const answer = await fetch(`http://127.0.0.1:${server.port}/readyz`);
        const { collect } = await answer.json();
        if (collect?.rows_missing === 0 && exchange.isHeard()) return;
    }
    throw new Error(`the collector does not come to rest: ${server.logs()}`);
}

// Milliseconds from a push to its snapshot, of each push that came through.
async function measure(server, exchange, symbols, seconds) {
    const waiting = new Map(); // symbol -> {price, sentMs}
    const latencies = [];
    const client = new WebSocket(`ws://127.0.0.1:${server.port}/ws/heatmap`, {
        perMessageDeflate: false,
    });
    await once(client, 'open');
    client.on('message', (text) => {
        const arrivedMs = performance.now();
        const { type, symbol, data } = JSON.parse(text);
        const push = type === 'snapshot' ? waiting.get(symbol) : undefined;
        if (push?.price !== data?.current_price) return;
        latencies.push(arrivedMs - push.sentMs);
        waiting.delete(symbol);
    });
    for (let at = 0; at < symbols.length; at += 50)
        client.send(JSON.stringify({ action: 'subscribe', symbols: symbols.slice(at, at + 50) }));
    await sleep(1000);
    let pushed = 0;
    const endMs = performance.now() + seconds * 1000;
    for (; performance.now() < endMs; pushed++) {
        const symbol = symbols[pushed % symbols.length];
        const price = Number((100 + ((pushed * 13) % 977) / 100).toFixed(2));
        waiting.set(symbol, { price, sentMs: performance.now() });
        exchange.push(symbol, String(price));
        await sleep(turnMs / symbols.length);
    }
    await sleep(500);
    client.terminate();
    return { pushed, latencies };
}

export async function measureLive({ binary, folder, quick }) {
    const symbols = Array.from({ length: 50 }, (_, i) => `COIN${i}USDT`);
    const exchange = await startExchange(symbols);
    const server = await startServer(binary, folder, exchange, symbols);
    try {
        await untilLive(server, exchange);
        await measure(server, exchange, symbols, 3); // warm
        const { pushed, latencies } = await measure(server, exchange, symbols, quick ? 6 : 30);
        return {
            symbols: symbols.length,
            pushed,
            arrived: latencies.length,
            p50Ms: quantile(latencies, 0.5),
            p99Ms: quantile(latencies, 0.99),
        };
    } finally {
        await server.stop();
        exchange.stop();
    }
}
