// All threads of a server at once: loops, generator, simulator, questions, Redis, and an end in the
// midst of it. Built with ThreadSanitizer the server fails here at any race; built otherwise, the
// same must end in good order.
import assert from 'node:assert/strict';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { makePair } from '../support/certificate.mjs';
import { Client } from '../support/client.mjs';
import {
    assertOrder,
    marketFor,
    memberFor,
    newerOf,
    subscriberFor,
    untilState,
} from '../support/cluster.mjs';
import { get } from '../support/http.mjs';
import { scratch, sleep } from '../support/process.mjs';
import { redisFor } from '../support/redis.mjs';
import { startServer } from '../support/server.mjs';

const questions = [
    'heatmap/BTCUSDT',
    'heatmap/BTCUSDT/history?window=6h',
    'heatmap/BTCUSDT/history?window=1d&interval=1h',
    'heatmap/BTCUSDT/grid?window=1d',
    'heatmap/ETHUSDT/grid?window=7d',
    'candles/ETHUSDT?window=7d',
    'symbols',
].map((question) => `/api/v1/${question}`);
const pages = ['/metrics', '/readyz', '/ws/stats', '/'];

// An answer, or an honest refusal: there are too many questions, or no snapshot yet.
async function ask(url, path, options) {
    const { status } = await get(url + path, options);
    assert.ok([200, 404, 503].includes(status), `${path}: ${status}`);
}

// Comes, takes a snapshot, and leaves: politely, or without a word.
async function visit(wsUrl, symbols, isPolite, options) {
    const client = await Client.open(`${wsUrl}?symbols=${symbols}`, options);
    await client.nextSnapshot('BTCUSDT');
    client.send({ action: 'unsubscribe', symbols: ['BTCUSDT'] });
    if (isPolite) await client.close();
    else client.socket.terminate();
}

// Clients of every kind at once, each with its rounds. `stop.isDue` ends them early, and what the
// server refuses from then on is no fault.
function load(server, stop, { rounds, options = {} }) {
    const repeat = async (act) => {
        for (let round = 0; round < rounds && !stop.isDue; round++)
            await act(round).catch((error) => {
                if (!stop.isDue) throw error;
            });
    };
    const visits = ['BTCUSDT', 'ETHUSDT,BTCUSDT', 'BTCUSDT,ETHUSDT'].map((symbols, i) =>
        repeat((round) =>
            visit(server.wsUrl, symbols, (round + i) % 2 === 0, {
                ...options,
                perMessageDeflate: i > 0,
            }),
        ),
    );
    const asks = [0, 1, 2].map((first) =>
        repeat((round) =>
            Promise.all(
                // Two equal ones, of which one may wait for the other.
                [0, 0, 1].map((next) =>
                    ask(server.url, questions[(first + round + next) % questions.length], {
                        ...options,
                        headers: first > 0 ? { 'Accept-Encoding': 'gzip' } : {},
                    }),
                ),
            ),
        ),
    );
    const scrapes = repeat((round) => ask(server.url, pages[round % pages.length], options));
    return Promise.all([...visits, ...asks, scrapes]);
}

// Stops the server while it is asked as before, and expects a good end.
async function stopUnderLoad(server, options) {
    const stop = { isDue: false };
    const loaded = load(server, stop, { rounds: Number.POSITIVE_INFINITY, options });
    await sleep(300);
    stop.isDue = true;
    assert.equal(await server.stop(), 0, server.logs());
    await loaded;
}

test('a server whose threads are all busy stops in good order', async (t) => {
    const folder = await scratch(t);
    const server = await startServer({
        database: join(folder, 'demo.duckdb'),
        args: ['--demo', '--workers', '4', '--ws-update-interval', '0.1'],
        env: { LOG_LEVEL: 'debug' },
    });
    t.after(() => server.stop('SIGKILL'));
    await load(server, {}, { rounds: 20 });
    await stopUnderLoad(server);
});

test('over TLS, while the certificate is loaded again', async (t) => {
    const folder = await scratch(t);
    const pair = await makePair(folder, 'first');
    const second = await makePair(folder, 'second');
    const server = await startServer({
        database: join(folder, 'demo.duckdb'),
        args: ['--demo', '--workers', '2', '--ws-update-interval', '0.1'],
        env: { TLS_CERT: pair.cert, TLS_KEY: pair.key },
    });
    t.after(() => server.stop('SIGKILL'));
    const options = { rejectUnauthorized: false };
    const loaded = load(server, {}, { rounds: 8, options });
    await copyFile(second.cert, pair.cert);
    await copyFile(second.key, pair.key);
    for (let i = 0; i < 5; i++) {
        server.process.kill('SIGHUP');
        await sleep(50);
    }
    await loaded;
    await stopUnderLoad(server, options);
});

test('the leader of a cluster is stopped under load, and another takes over', async (t) => {
    const redis = await redisFor(t);
    const market = await marketFor(t);
    const args = ['--workers', '2'];
    const first = await memberFor(t, redis.url, { database: market.database, args });
    await untilState(first, 'leading');
    const second = await memberFor(t, redis.url, { database: market.database, args });
    await untilState(second, 'following');
    const client = await subscriberFor(t, second);
    await newerOf(client, market.time);
    const stop = { isDue: false };
    const loaded = load(second, stop, { rounds: Number.POSITIVE_INFINITY });
    await newerOf(client, await market.grow());
    await stopUnderLoad(first);
    await untilState(second, 'leading');
    await newerOf(client, await market.grow());
    stop.isDue = true;
    await loaded;
    assertOrder(client);
});
