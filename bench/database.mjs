// The part of heatcast that reads DuckDB: what a tick costs (query, model, JSON, one publication),
// whether the loops feel it, and what a week of history costs the first and the thousandth viewer.
// The database is that of market.mjs.
import { spawn } from 'node:child_process';
import { utimesSync } from 'node:fs';
import http from 'node:http';
import { performance } from 'node:perf_hooks';

import { WebSocket } from 'ws';

import { importMarket, median, quantile, sleep } from './market.mjs';

const listening = /listening address=\S*:(\d+)/;

// The server, and its end.
async function serve(binary, database) {
    const child = spawn(
        binary,
        ['serve', '--db', database, '--listen', '127.0.0.1:0', '--ws-update-interval', '0.1'],
        {
            stdio: ['ignore', 'ignore', 'pipe'],
        },
    );
    let logs = '';
    child.stderr.setEncoding('utf8').on('data', (text) => (logs += text));
    const ended = new Promise((settle) => child.once('close', settle));
    const kill = () => child.kill('SIGKILL');
    process.once('exit', kill);
    for (let i = 0; !listening.test(logs); i++) {
        if (i === 3000 || child.exitCode !== null)
            throw new Error(`heatcast did not start: ${logs}`);
        await sleep(10);
    }
    return {
        port: Number(listening.exec(logs)[1]),
        async stop() {
            child.kill('SIGTERM');
            await ended;
            process.removeListener('exit', kill);
        },
    };
}

// A whole answer: when its head came, and its size.
function get(agent, port, path, headers = {}) {
    return new Promise((settle, fail) => {
        const startedMs = performance.now();
        const request = http.get({ host: '127.0.0.1', port, path, agent, headers }, (response) => {
            const headMs = performance.now() - startedMs;
            let size = 0;
            let text = '';
            response.on('data', (bytes) => {
                size += bytes.length;
                if (size < 1 << 16) text += bytes;
            });
            response.on('end', () => settle({ status: response.statusCode, headMs, size, text }));
        });
        request.once('error', fail);
    });
}

// Sum and count of a histogram of the metrics page.
async function readHistogram(agent, port, name) {
    const { text } = await get(agent, port, '/metrics');
    const value = (suffix) => Number(new RegExp(`^${name}_${suffix} (\\S+)$`, 'm').exec(text)[1]);
    return { sum: value('sum'), count: value('count') };
}

// Round trips of WebSocket pings, one after the other, until `isDone()`.
async function measurePings(socket, isDone) {
    const times = [];
    while (!isDone()) {
        const startedMs = performance.now();
        const pong = new Promise((settle) => socket.once('pong', settle));
        socket.ping();
        await pong;
        times.push(performance.now() - startedMs);
        await sleep(1);
    }
    return times;
}

// A touched file is a changed one: each touch makes a tick query and compute both symbols again.
async function measureTicks(agent, port, database, touches) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws/heatmap?symbols=BTCUSDT,ETHUSDT`, {
        perMessageDeflate: false,
    });
    await new Promise((settle, fail) => socket.once('open', settle).once('error', fail));
    await sleep(500);
    let isQuietDone = false;
    const quiet = measurePings(socket, () => isQuietDone);
    await sleep(1000);
    isQuietDone = true;
    const quietTimes = await quiet;

    const names = ['heatcast_query_seconds', 'heatcast_compute_seconds'];
    const before = await Promise.all(names.map((name) => readHistogram(agent, port, name)));
    let isDone = false;
    const pings = measurePings(socket, () => isDone);
    for (let i = 0; i < touches; i++) {
        utimesSync(database, new Date(), new Date());
        await sleep(110);
    }
    isDone = true;
    const times = await pings;
    const after = await Promise.all(names.map((name) => readHistogram(agent, port, name)));
    socket.terminate();
    const ticks = after[0].count - before[0].count;
    const meanMs = (i) => ((after[i].sum - before[i].sum) / ticks) * 1e3;
    return {
        symbol_ticks: ticks,
        query_ms: meanMs(0),
        compute_ms: meanMs(1),
        ping_p99_ms: quantile(times, 0.99),
        ping_p99_ms_without_ticks: quantile(quietTimes, 0.99),
    };
}

// The first answer opens the file, which has changed, and is computed; the next ones come from the
// cache; and then a crowd asks at once. One candle shows what opening the file takes of it.
async function measureRange(agent, port, database, { what, path, encoding, viewers }) {
    const headers = { 'Accept-Encoding': encoding };
    const first = [];
    const again = [];
    let size = 0;
    for (let i = 0; i < 5; i++) {
        utimesSync(database, new Date(), new Date());
        const computed = await get(agent, port, path, headers);
        if (computed.status !== 200)
            throw new Error(`${path}: ${computed.status} ${computed.text}`);
        size = computed.size;
        first.push(computed.headMs);
        again.push((await get(agent, port, path, headers)).headMs);
    }
    const result = {
        what,
        path,
        encoding,
        bytes: size,
        first_ms: median(first),
        cached_ms: median(again),
    };
    if (!viewers) return result;
    utimesSync(database, new Date(), new Date());
    const crowd = new http.Agent({ keepAlive: false, maxSockets: viewers });
    const startedMs = performance.now();
    const answers = await Promise.all(
        Array.from({ length: viewers }, () => get(crowd, port, path, headers)),
    );
    result.viewers = viewers;
    result.viewers_answered = answers.filter((answer) => answer.status === 200).length;
    result.viewers_ms = performance.now() - startedMs;
    return result;
}

export async function measureDatabase({ binary, folder, quick }) {
    const database = await importMarket({ binary, folder });
    const server = await serve(binary, database);
    const agent = new http.Agent({ keepAlive: true });
    try {
        const heatmap = '/api/v1/heatmap/BTCUSDT';
        const tick = await measureTicks(agent, server.port, database, quick ? 30 : 200);
        const viewers = quick ? 200 : 1000;
        const ranges = [];
        for (const range of [
            { what: 'one candle', path: '/api/v1/candles/BTCUSDT?window=5m', encoding: 'identity' },
            {
                what: 'history of a week',
                path: `${heatmap}/history?window=7d`,
                encoding: 'identity',
            },
            {
                what: 'history of a week',
                path: `${heatmap}/history?window=7d`,
                encoding: 'gzip',
                viewers,
            },
            { what: 'map of a week', path: `${heatmap}/grid?window=7d`, encoding: 'gzip', viewers },
        ])
            ranges.push(await measureRange(agent, server.port, database, range));
        return { tick, ranges };
    } finally {
        agent.destroy();
        await server.stop();
    }
}
