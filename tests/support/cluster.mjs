// Several servers around one Redis, and the facts that must hold for every one of their clients.
import assert from 'node:assert/strict';
import { join } from 'node:path';

import { connectFor } from './client.mjs';
import { parseExposition } from './exposition.mjs';
import { get } from './http.mjs';
import { candleMs, cutMarket, importMarkets, makeMarket } from './market.mjs';
import { eventually, scratch } from './process.mjs';
import { startServer } from './server.mjs';

// A database that grows by a candle whenever the test says so.
export class GrowingMarket {
    constructor(folder, symbol, seed) {
        this.folder = folder;
        this.database = join(folder, 'market.duckdb');
        this.market = makeMarket({ symbol, candles: 600, seed });
        this.next = 100;
    }

    get time() {
        return this.market.candles[this.next - 1].time;
    }

    async begin() {
        await importMarkets(
            this.folder,
            this.database,
            cutMarket(this.market, 0, this.market.candles[this.next].time),
        );
    }

    // Returns the new candle's time.
    async grow() {
        const { time } = this.market.candles[this.next++];
        await importMarkets(
            this.folder,
            this.database,
            cutMarket(this.market, time, time + candleMs),
        );
        return time;
    }
}

export async function marketFor(t, symbol = 'BTCUSDT', seed = 1) {
    const market = new GrowingMarket(await scratch(t), symbol, seed);
    await market.begin();
    return market;
}

const quick = ['--symbols', 'BTCUSDT', '--ws-update-interval', '0.2', '--workers', '2'];

const members = new WeakMap(); // the servers of a test

// A server of the cluster for the length of one test; without a database it is a relay.
export async function memberFor(t, redisUrl, { database, role, args = [], env } = {}) {
    const server = await startServer({
        database,
        args: [...quick, ...args],
        env: {
            REDIS_ENABLED: 'true',
            REDIS_URL: redisUrl,
            CLUSTER_ROLE: role ?? (database === undefined ? 'relay' : 'auto'),
            ...env,
        },
    });
    members.set(t, [...(members.get(t) ?? []), server]);
    t.after(async () => {
        server.process.kill('SIGCONT');
        if (server.isRunning()) assert.equal(await server.stop(), 0, server.logs());
    });
    return server;
}

export async function readiness(server) {
    const answer = await get(`${server.url}/readyz`);
    return { ...answer.json(), code: answer.status };
}

export const stateOf = async (server) => (await readiness(server)).cluster;

export const untilState = (server, ...states) =>
    eventually(`it is ${states.join(' or ')}`, async () =>
        states.includes(await stateOf(server)),
    ).catch((error) => {
        throw new Error(`${error.message}\n${server.logs()}`, { cause: error });
    });

export async function metric(server, name, labels = {}) {
    const { text } = await get(`${server.url}/metrics`);
    const samples = parseExposition(text).get(name)?.samples ?? [];
    return samples.find((s) =>
        Object.entries(labels).every(([key, value]) => s.labels[key] === value),
    )?.value;
}

// A subscriber of the server, watched to the test's end.
export async function subscriberFor(t, server, symbols = 'BTCUSDT') {
    const client = await connectFor(t, `${server.wsUrl}?symbols=${symbols}`);
    client.symbols = symbols.split(',');
    client.explain = () =>
        members
            .get(t)
            .map(({ url, logs }) => `${url}\n${logs()}`)
            .join('\n');
    return client;
}

export const newerOf = (client, time, symbol = 'BTCUSDT') =>
    client.nextSnapshot(symbol, (m) => Date.parse(m.timestamp) >= time);

// In order, none twice, and none that shows what the one before showed.
export function assertOrder(...clients) {
    for (const client of clients)
        for (const symbol of client.symbols) {
            const snapshots = client.snapshots(symbol);
            assert.ok(snapshots.length > 0, `${symbol}: none came`);
            snapshots.slice(1).forEach((after, i) => {
                const before = snapshots[i];
                const numbers = `${before.epoch}/${before.seq}, then ${after.epoch}/${after.seq}`;
                assert.ok(
                    after.epoch > before.epoch ||
                        (after.epoch === before.epoch && after.seq > before.seq),
                    numbers,
                );
                assert.notDeepEqual(
                    { timestamp: after.timestamp, data: after.data },
                    { timestamp: before.timestamp, data: before.data },
                    `the same twice: ${numbers}`,
                );
                assert.ok(
                    Date.parse(after.timestamp) >= Date.parse(before.timestamp),
                    'time goes back',
                );
            });
        }
}
