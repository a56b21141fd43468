// Several servers around a real Redis: who generates, what clients see when something dies.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';

import {
    assertOrder,
    marketFor,
    memberFor,
    metric,
    newerOf,
    readiness,
    stateOf,
    subscriberFor,
    untilState,
} from '../support/cluster.mjs';
import { get } from '../support/http.mjs';
import { eventually, run } from '../support/process.mjs';
import { proxyFor } from '../support/bad-network.mjs';
import { redisFor } from '../support/redis.mjs';

const leaseMs = 5000;
// On top of that: a tick, a query, a busy machine.
const slackMs = 10_000;

describe('several servers', { concurrency: 3 }, () => {
    test('one generates, all broadcast the same bytes', async (t) => {
        const redis = await redisFor(t);
        const market = await marketFor(t);
        const first = await memberFor(t, redis.url, { database: market.database });
        await untilState(first, 'leading');
        const second = await memberFor(t, redis.url, { database: market.database });
        const relay = await memberFor(t, redis.url);
        await untilState(second, 'following');
        await untilState(relay, 'following');
        const clients = [];
        for (const server of [first, second, relay]) clients.push(await subscriberFor(t, server));
        for (const client of clients) await newerOf(client, market.time);
        for (let i = 0; i < 3; i++) {
            const time = await market.grow();
            for (const client of clients) await newerOf(client, time);
        }
        assertOrder(...clients);
        const texts = clients.map((client) =>
            client.texts.filter((text) => text.includes('"snapshot"')).slice(-3),
        );
        assert.deepEqual(texts[1], texts[0]);
        assert.deepEqual(texts[2], texts[0]);
        assert.equal(await stateOf(second), 'following');
        for (const server of [first, second, relay]) {
            const ready = await readiness(server);
            assert.equal(ready.code, 200, JSON.stringify(ready));
            assert.equal(ready.checks.redis, 'ok');
            const newest = await get(`${server.url}/api/v1/heatmap/BTCUSDT`);
            assert.equal(newest.text, texts[0].at(-1));
        }
        assert.ok((await metric(first, 'heatcast_redis_published_total')) >= 4);
        assert.equal(await metric(second, 'heatcast_snapshots_published_total'), 0);
    });

    test('a relay has no database: it serves the page, symbols and snapshots, and says what it has not', async (t) => {
        const redis = await redisFor(t);
        const market = await marketFor(t);
        await untilState(await memberFor(t, redis.url, { database: market.database }), 'leading');
        const relay = await memberFor(t, redis.url);
        await untilState(relay, 'following');
        const client = await subscriberFor(t, relay);
        const newest = await newerOf(client, market.time);
        for (const path of ['/', '/healthz', '/readyz', '/metrics', '/ws/stats'])
            assert.equal((await get(relay.url + path)).status, 200, path);
        const { symbols, database } = (await get(`${relay.url}/api/v1/symbols`)).json();
        assert.equal(symbols[0].newest, newest.timestamp);
        assert.match(database, /relay/);
        for (const path of ['heatmap/BTCUSDT/history', 'heatmap/BTCUSDT/grid', 'candles/BTCUSDT']) {
            const answer = await get(`${relay.url}/api/v1/${path}`);
            assert.equal(answer.status, 503, path);
            assert.match(answer.json().error.message, /relay/);
        }
        assert.equal((await get(`${relay.url}/api/v1/heatmap/BTCUSDT`)).json().seq, newest.seq);
    });

    test('a symbol without data is 404 on a relay, and its first snapshot comes when there is one', async (t) => {
        const redis = await redisFor(t);
        const relay = await memberFor(t, redis.url);
        await untilState(relay, 'following');
        const answer = await get(`${relay.url}/api/v1/heatmap/BTCUSDT`);
        assert.equal(answer.status, 404);
        assert.equal(answer.json().error.code, 'NO_DATA');
        const client = await subscriberFor(t, relay);
        await client.settle();
        const market = await marketFor(t);
        await memberFor(t, redis.url, { database: market.database });
        await newerOf(client, market.time);
        assert.deepEqual(
            client.received.map((m) => m.type).filter((type) => type !== 'snapshot'),
            ['pong'],
        );
    });
});

describe('the generator', { concurrency: 3 }, () => {
    // A leader, a server that can take over, a relay; a subscriber at each.
    async function makeThree(t, redisUrl, leaderUrl = redisUrl) {
        const market = await marketFor(t);
        const leader = await memberFor(t, leaderUrl, { database: market.database });
        await untilState(leader, 'leading');
        const second = await memberFor(t, redisUrl, { database: market.database });
        const relay = await memberFor(t, redisUrl);
        await untilState(second, 'following');
        await untilState(relay, 'following');
        const clients = [];
        for (const server of [leader, second, relay]) clients.push(await subscriberFor(t, server));
        for (const client of clients) await newerOf(client, market.time);
        return { market, leader, second, relay, clients };
    }

    // The others' clients get what changes after the leader has gone, within the lease.
    async function seeTakeOver({ market, second, clients: [, ...clients] }, begun) {
        const time = await market.grow();
        for (const client of clients) await newerOf(client, time);
        const tookMs = Date.now() - begun;
        assert.ok(tookMs < leaseMs + slackMs, `${tookMs} ms`);
        assert.equal(await stateOf(second), 'leading');
    }

    test('that is killed is replaced within the lease', async (t) => {
        const redis = await redisFor(t);
        const cluster = await makeThree(t, redis.url);
        const begun = Date.now();
        await cluster.leader.stop('SIGKILL');
        await seeTakeOver(cluster, begun);
        const [, second, relay] = cluster.clients;
        assertOrder(second, relay);
        assert.ok(relay.snapshots('BTCUSDT').at(-1).epoch > relay.snapshots('BTCUSDT')[0].epoch);
        assert.equal(
            second.received.every((m) => m.type === 'snapshot'),
            true,
        );
    });

    test('that ends in order hands over at once', async (t) => {
        const redis = await redisFor(t);
        const cluster = await makeThree(t, redis.url);
        assert.equal(await cluster.leader.stop(), 0);
        assert.match(cluster.leader.logs(), /stopped/);
        assert.notEqual(
            await redis.cli('GET', 'heatmap:lease'),
            (/server=(\w+)/.exec(cluster.leader.logs()) ?? [])[1],
        );
        await seeTakeOver(cluster, Date.now());
        assertOrder(...cluster.clients.slice(1));
    });

    test('that is stopped and wakes up finds itself replaced, and changes nothing', async (t) => {
        const redis = await redisFor(t);
        const cluster = await makeThree(t, redis.url);
        const begun = Date.now();
        cluster.leader.process.kill('SIGSTOP');
        await seeTakeOver(cluster, begun);
        // More than its socket holds, and a change that it finds in the database when it wakes up.
        for (let i = 0; i < 3; i++) await cluster.market.grow();
        cluster.leader.process.kill('SIGCONT');
        await untilState(cluster.leader, 'following');
        await newerOf(cluster.clients[0], cluster.market.time);
        assert.equal(await stateOf(cluster.second), 'leading');
        const time = await cluster.market.grow();
        for (const client of cluster.clients) await newerOf(client, time);
        assertOrder(...cluster.clients);
        const newest = await redis.cli('HGET', 'heatmap:newest:BTCUSDT', 'json');
        assert.equal(newest, cluster.clients[2].texts.at(-1));
    });

    test('that is cut off serves its own clients, and comes back without a break', async (t) => {
        const redis = await redisFor(t);
        const proxy = await proxyFor(t, redis.port);
        const cluster = await makeThree(t, redis.url, proxy.url);
        const begun = Date.now();
        proxy.isCut = true;
        await seeTakeOver(cluster, begun);
        await untilState(cluster.leader, 'alone');
        assert.equal((await readiness(cluster.leader)).code, 503);
        const time = await cluster.market.grow();
        for (const client of cluster.clients) await newerOf(client, time);
        proxy.isCut = false;
        proxy.reset();
        await untilState(cluster.leader, 'following');
        // Its clients' epoch is greater now than the generator's was: that one has to pass it.
        const later = await cluster.market.grow();
        for (const client of cluster.clients) await newerOf(client, later);
        assertOrder(...cluster.clients);
        assert.equal(
            cluster.clients[0].received.every((m) => m.type === 'snapshot'),
            true,
        );
        const last = cluster.clients.map((client) => client.texts.at(-1));
        assert.equal(last[0], last[2]);
    });

    test('whose database cannot be read leaves the work to another', async (t) => {
        const redis = await redisFor(t);
        const market = await marketFor(t);
        const broken = await memberFor(t, redis.url, {
            database: `${market.folder}/missing.duckdb`,
        });
        await untilState(broken, 'leading');
        const client = await subscriberFor(t, broken);
        const whole = await memberFor(t, redis.url, { database: market.database });
        await untilState(whole, 'leading');
        await newerOf(client, market.time);
        const time = await market.grow();
        await newerOf(client, time);
        assert.equal(await stateOf(broken), 'following');
    });

    test('by role comes before one that is elected', async (t) => {
        const redis = await redisFor(t);
        const market = await marketFor(t);
        const auto = await memberFor(t, redis.url, { database: market.database });
        await untilState(auto, 'leading');
        const client = await subscriberFor(t, auto);
        await newerOf(client, market.time);
        const chosen = await memberFor(t, redis.url, {
            database: market.database,
            role: 'generator',
        });
        await untilState(chosen, 'leading');
        await untilState(auto, 'following');
        await newerOf(client, await market.grow());
        assert.equal(await chosen.stop(), 0);
        await untilState(auto, 'leading');
        await newerOf(client, await market.grow());
        assertOrder(client);
    });
});

describe('Redis', { concurrency: 4 }, () => {
    async function makePair(t, redis, { url = redis.url, ...options } = {}) {
        const market = await marketFor(t);
        const leader = await memberFor(t, url, { database: market.database, ...options });
        await untilState(leader, 'leading');
        const relay = await memberFor(t, url, options);
        await untilState(relay, 'following');
        const clients = [await subscriberFor(t, leader), await subscriberFor(t, relay)];
        for (const client of clients) await newerOf(client, market.time);
        return { market, leader, relay, clients };
    }

    async function seeOutage({ market, leader, relay, clients }, named) {
        await eventually('both say so', async () => {
            for (const server of [leader, relay]) {
                const { code, checks } = await readiness(server);
                assert.equal(code, 503);
                assert.match(checks.redis, named);
                assert.equal(await metric(server, 'heatcast_redis_up'), 0);
            }
            return true;
        });
        await untilState(leader, 'alone');
        await untilState(relay, 'alone');
        await newerOf(clients[0], await market.grow());
        await clients[1].settle(); // connected, and told nothing wrong
    }

    async function seeRecovery({ market, leader, relay, clients }) {
        await untilState(leader, 'leading');
        await untilState(relay, 'following');
        const time = await market.grow();
        for (const client of clients) await newerOf(client, time);
        for (const server of [leader, relay])
            await eventually('it is ready', async () => (await readiness(server)).code === 200);
        assertOrder(...clients);
        assert.equal(
            clients[0].received.every((m) => m.type === 'snapshot'),
            true,
        );
    }

    test('killed and started again: clients stay, a server with a database goes on by itself', async (t) => {
        const redis = await redisFor(t);
        const cluster = await makePair(t, redis);
        await redis.stop('SIGKILL');
        await seeOutage(cluster, /refused|ended|closed/);
        const late = await subscriberFor(t, cluster.relay); // it still has the last it heard of
        await late.nextSnapshot('BTCUSDT');
        await redis.start();
        await seeRecovery(cluster);
        assert.ok((await metric(cluster.relay, 'heatcast_redis_reconnects_total')) >= 2);
        await newerOf(late, cluster.market.time);
    });

    test('restarted in a moment: nothing is missed', async (t) => {
        const redis = await redisFor(t);
        const cluster = await makePair(t, redis);
        await redis.stop('SIGTERM');
        await redis.start();
        await newerOf(cluster.clients[0], await cluster.market.grow());
        await newerOf(cluster.clients[1], cluster.market.time);
        await seeRecovery(cluster);
    });

    test('hung: noticed, and healed when it goes on', async (t) => {
        const redis = await redisFor(t);
        const cluster = await makePair(t, redis);
        redis.signal('SIGSTOP');
        await seeOutage(cluster, /in time/);
        redis.signal('SIGCONT');
        await seeRecovery(cluster);
    });

    test('missing at the start: a server with a database serves, a relay says what it lacks', async (t) => {
        const redis = await redisFor(t);
        await redis.stop();
        const market = await marketFor(t);
        const server = await memberFor(t, redis.url, { database: market.database });
        const relay = await memberFor(t, redis.url);
        const client = await subscriberFor(t, server);
        await newerOf(client, market.time);
        await untilState(relay, 'alone');
        const waiting = await subscriberFor(t, relay);
        assert.equal((await waiting.nextError()).code, 'SERVER_ERROR');
        const answer = await get(`${relay.url}/api/v1/heatmap/BTCUSDT`);
        assert.equal(answer.status, 503);
        assert.equal(answer.json().error.code, 'GENERATOR_UNREACHABLE');
        await redis.start();
        await newerOf(waiting, market.time);
        await newerOf(client, await market.grow());
        assertOrder(client);
    });

    test('with another password: named, never shown, and healed when it is right', async (t) => {
        const redis = await redisFor(t, '--requirepass', 'other');
        const market = await marketFor(t);
        const url = `redis://:s%40cret@127.0.0.1:${redis.port}/3`;
        const server = await memberFor(t, url, { database: market.database });
        const client = await subscriberFor(t, server);
        await newerOf(client, market.time);
        await eventually('it says so', async () =>
            /WRONGPASS/.test((await readiness(server)).checks.redis),
        );
        assert.equal(
            await redis.cli('-a', 'other', 'CONFIG', 'SET', 'requirepass', 's@cret'),
            'OK',
        );
        await untilState(server, 'leading');
        await newerOf(client, await market.grow());
        assert.doesNotMatch(server.logs(), /s@cret|s%40cret/);
        const lines = () => server.logs().match(/WRONGPASS/g) ?? [];
        await eventually('the log says so', () => lines().length >= 1);
        assert.ok(lines().length <= 4, server.logs());
        assertOrder(client);
    });

    test('with a user that may do no more than the manual says', async (t) => {
        const redis = await redisFor(t);
        const manual = await readFile(new URL('../../docs/cluster.md', import.meta.url), 'utf8');
        const [, rules] = /ACL SETUSER heatcast (on[^\n]*\n[^\n]*)\n/.exec(manual);
        const words = rules.split(/\s+/).filter(Boolean);
        assert.equal(await redis.cli('ACL', 'SETUSER', 'heatcast', ...words), 'OK');
        const cluster = await makePair(t, redis, {
            url: `redis://heatcast:password@127.0.0.1:${redis.port}/1`,
        });
        await redis.publish('heatmap:BTCUSDT', '{}');
        await seeRecovery(cluster);
        await cluster.leader.stop();
        assert.equal(await redis.cli('-n', '1', 'EXISTS', 'heatmap:lease'), '0');
        assert.doesNotMatch(await redis.cli('ACL', 'LOG'), /reason/);
    });

    test('out of memory: publishing goes on, and that it is so can be seen', async (t) => {
        const redis = await redisFor(t, '--maxmemory-policy', 'noeviction');
        const cluster = await makePair(t, redis);
        assert.equal(await redis.cli('CONFIG', 'SET', 'maxmemory', '1'), 'OK');
        const time = await cluster.market.grow();
        for (const client of cluster.clients) await newerOf(client, time);
        await eventually('it says so', async () =>
            /OOM/.test((await readiness(cluster.leader)).checks.redis),
        );
        assert.equal(await redis.cli('CONFIG', 'SET', 'maxmemory', '0'), 'OK');
        await seeRecovery(cluster);
    });

    test('out of memory with no generator: each server with a database is on its own', async (t) => {
        const redis = await redisFor(t, '--maxmemory-policy', 'noeviction');
        const cluster = await makePair(t, redis);
        const second = await memberFor(t, redis.url, { database: cluster.market.database });
        await untilState(second, 'following');
        const client = await subscriberFor(t, second);
        assert.equal(await redis.cli('CONFIG', 'SET', 'maxmemory', '1'), 'OK');
        await cluster.leader.stop('SIGKILL');
        await untilState(second, 'alone');
        assert.match((await readiness(second)).checks.redis, /OOM/);
        await newerOf(client, await cluster.market.grow());
        assert.equal(await redis.cli('CONFIG', 'SET', 'maxmemory', '0'), 'OK');
        await untilState(second, 'leading');
        const time = await cluster.market.grow();
        await newerOf(client, time);
        await newerOf(cluster.clients[1], time);
        assertOrder(client, cluster.clients[1]);
    });

    test('slow: everything comes, only later', async (t) => {
        const redis = await redisFor(t);
        const proxy = await proxyFor(t, redis.port);
        const cluster = await makePair(t, redis, { url: proxy.url });
        proxy.delayMs = 300;
        for (let i = 0; i < 3; i++) {
            const time = await cluster.market.grow();
            for (const client of cluster.clients) await newerOf(client, time);
        }
        assert.equal(await stateOf(cluster.leader), 'leading');
        assert.equal(await stateOf(cluster.relay), 'following');
        assertOrder(...cluster.clients);
    });

    test('failed over: the old one turns into a replica, the name leads to the new one', async (t) => {
        const redis = await redisFor(t);
        const replica = await redisFor(t, '--replicaof', '127.0.0.1', String(redis.port));
        const proxy = await proxyFor(t, redis.port);
        const cluster = await makePair(t, redis, { url: proxy.url });
        await eventually('it is in step', async () =>
            /master_link_status:up/.test(await replica.cli('INFO', 'replication')),
        );
        await replica.cli('REPLICAOF', 'NO', 'ONE');
        await redis.cli('REPLICAOF', '127.0.0.1', String(replica.port));
        // What is published before the old one is in step does not reach its subscribers.
        await eventually('the old one is in step', async () =>
            /master_link_status:up/.test(await redis.cli('INFO', 'replication')),
        );
        proxy.target = replica.port; // for new connections: those that stand lead to the old one
        await eventually(
            'it has moved',
            async () =>
                (await replica.cli('GET', 'heatmap:lease')) ===
                    (await redis.cli('GET', 'heatmap:lease')) &&
                (await replica.cli('PUBSUB', 'NUMPAT')) === '1',
            { everyMs: 200 },
        );
        await seeRecovery(cluster);
    });

    test('connected, but delivering nothing: the probe notices, what is kept is polled', async (t) => {
        const redis = await redisFor(t);
        const proxy = await proxyFor(t, redis.port);
        const market = await marketFor(t);
        await untilState(await memberFor(t, redis.url, { database: market.database }), 'leading');
        const relay = await memberFor(t, proxy.url);
        await untilState(relay, 'following');
        const client = await subscriberFor(t, relay);
        await newerOf(client, market.time);
        proxy.drops = (bytes) => bytes.includes('pmessage');
        await eventually(
            'it is noticed',
            async () =>
                /do not come through/.test((await readiness(relay)).checks.redis) &&
                (await metric(relay, 'heatcast_redis_probe_failures_total')) > 0,
        );
        await newerOf(client, await market.grow());
        proxy.drops = () => false;
        await untilState(relay, 'following');
        await eventually('it is ready', async () => (await readiness(relay)).code === 200);
        await newerOf(client, await market.grow());
        assertOrder(client);
    });

    test('that cannot be used is one clear line at the start', async () => {
        for (const [env, code, named] of [
            [{ REDIS_URL: 'rediss://127.0.0.1' }, 2, /REDIS_URL.*TLS/],
            [{ REDIS_URL: 'redis://:pass@word@:99999' }, 2, /REDIS_URL: (?!.*pass@word)/],
            [{ REDIS_URL: 'http://127.0.0.1' }, 2, /REDIS_URL.*redis:\/\//],
            [{ CLUSTER_ROLE: 'boss' }, 2, /CLUSTER_ROLE.*boss.*auto, generator or relay/],
            [{ CLUSTER_ROLE: 'relay' }, 2, /CLUSTER_ROLE.*REDIS_ENABLED/],
            [{ REDIS_CHANNEL_PREFIX: 'heat*' }, 2, /REDIS_CHANNEL_PREFIX.*heat\*/],
            [{ TRUSTED_PROXIES: '10.0.0.1/8' }, 2, /TRUSTED_PROXIES.*10\.0\.0\.1\/8/],
        ]) {
            const result = await run(['serve', '--listen', '127.0.0.1:0'], { env });
            assert.equal(result.code, code, JSON.stringify(env));
            assert.match(result.stderr, named);
        }
    });
});
