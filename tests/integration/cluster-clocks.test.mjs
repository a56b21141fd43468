// Order rests on no clock: epochs that a clock, a mistake or another program has put anywhere.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import {
    assertNumbersRise,
    assertOrder,
    edgeFor,
    foreign,
    marketFor,
    memberFor,
    metric,
    newerOf,
    readiness,
    subscriberFor,
    untilState,
    withPrice,
} from '../support/cluster.mjs';
import { get } from '../support/http.mjs';
import { eventually, logged, sleep } from '../support/process.mjs';
import { redisFor } from '../support/redis.mjs';

const channel = 'heatmap:BTCUSDT';
const daysMs = 24 * 3600_000;
const ahead = (days) => Date.now() + days * daysMs;

// A server that leads, one that can take over, a relay; a subscriber at each.
async function clusterFor(t, redis) {
    const market = await marketFor(t);
    const leader = await memberFor(t, redis.url, { database: market.database });
    await untilState(leader, 'leading');
    const second = await memberFor(t, redis.url, { database: market.database });
    const relay = await memberFor(t, redis.url);
    const servers = [leader, second, relay];
    await untilState(second, 'following');
    await untilState(relay, 'following');
    const clients = [];
    for (const server of servers) clients.push(await subscriberFor(t, server));
    for (const client of clients) await newerOf(client, market.time);
    return { market, leader, second, relay, servers, clients };
}

async function seeNext({ market, clients }) {
    const time = await market.grow();
    for (const client of clients) await newerOf(client, time);
}

async function seeReady(servers) {
    for (const server of servers)
        await eventually('it is ready', async () => (await readiness(server)).code === 200);
}

const newestOf = async (server) => (await get(`${server.url}/api/v1/heatmap/BTCUSDT`)).json();
const epochOf = (client) => client.snapshots('BTCUSDT').at(-1).epoch;

describe('the epoch in Redis', { concurrency: 3 }, () => {
    test('days ahead before the start: every client gets every snapshot', async (t) => {
        const redis = await redisFor(t);
        const epoch = ahead(2);
        await redis.cli('SET', 'heatmap:epoch', String(epoch));
        const cluster = await clusterFor(t, redis);
        await seeNext(cluster);
        await seeReady(cluster.servers);
        assertOrder(...cluster.clients);
        for (const client of cluster.clients) assert.ok(epochOf(client) > epoch);
        await cluster.leader.stop('SIGKILL');
        cluster.clients.shift();
        await seeNext(cluster);
        assertOrder(...cluster.clients);
    });

    test('set, deleted and set back while they run: counting continues from the greatest', async (t) => {
        const redis = await redisFor(t);
        const cluster = await clusterFor(t, redis);
        const epoch = ahead(2);
        await redis.cli('SET', 'heatmap:epoch', String(epoch));
        await eventually(
            'the generator has passed it',
            async () => (await newestOf(cluster.relay)).epoch > epoch,
        );
        await seeNext(cluster);
        for (const change of [['DEL'], ['SET', '5'], ['SET', String(ahead(400))]]) {
            const [command, ...value] = change;
            await redis.cli(command, 'heatmap:epoch', ...value);
            await seeNext(cluster);
            await eventually(
                'Redis has the greatest again',
                async () => Number(await redis.cli('GET', 'heatmap:epoch')) > epoch,
            );
        }
        await seeReady(cluster.servers);
        await cluster.leader.stop('SIGKILL');
        cluster.clients.shift();
        await seeNext(cluster);
        assertOrder(...cluster.clients);
    });

    test('that can be none is replaced, and the log says so', async (t) => {
        const redis = await redisFor(t);
        const cluster = await clusterFor(t, redis);
        for (const value of [
            'tomorrow',
            '-5',
            '1e15',
            'inf',
            '0x10',
            '0',
            '',
            '1 2',
            '9007199254740991',
            '9007199254740993',
            String(2 ** 52 + 2 ** 51 + 2 ** 21),
            '9'.repeat(400),
        ]) {
            await redis.cli('SET', 'heatmap:epoch', value);
            await eventually(`'${value}' is replaced`, async () => {
                const now = await redis.cli('GET', 'heatmap:epoch');
                return /^\d{13}$/.test(now);
            });
            await seeNext(cluster);
        }
        await redis.cli('DEL', 'heatmap:epoch');
        await redis.cli('RPUSH', 'heatmap:epoch', 'a', 'list');
        await seeNext(cluster);
        await eventually('a list is replaced', async () =>
            /^\d{13}$/.test(await redis.cli('GET', 'heatmap:epoch')),
        );
        await eventually('one of them says so', () =>
            cluster.servers.some((server) => /heatmap:epoch=tomorrow/.test(server.logs())),
        );
        await seeReady(cluster.servers);
        assertOrder(...cluster.clients);
    });

    test('as great as is believed: there is room above it', async (t) => {
        const redis = await redisFor(t);
        await redis.cli('SET', 'heatmap:epoch', String(2 ** 52));
        const cluster = await clusterFor(t, redis);
        await seeNext(cluster);
        await cluster.leader.stop('SIGKILL');
        cluster.clients.shift();
        await seeNext(cluster);
        const late = await subscriberFor(t, await edgeFor(t, redis));
        await newerOf(late, cluster.market.time);
        cluster.clients.push(late);
        await seeNext(cluster);
        assert.ok(epochOf(late) > 2 ** 52);
        assert.ok(Number.isSafeInteger(epochOf(late)));
        assertOrder(...cluster.clients);
    });
});

describe('keys that another program wrote', { concurrency: 3 }, () => {
    for (const [name, ...words] of [
        ['a lease that never expires', 'SET', 'heatmap:lease', 'someone'],
        ['a lease for a year', 'SET', 'heatmap:lease', 'someone', 'PX', String(365 * daysMs)],
        ['a lease that is a list', 'RPUSH', 'heatmap:lease', 'someone'],
        ['a claim that never expires', 'SET', 'heatmap:claim', 'someone'],
        ['a claim that is a list', 'RPUSH', 'heatmap:claim', 'someone'],
    ])
        test(`${name} stops no server for long`, async (t) => {
            const redis = await redisFor(t);
            await redis.cli(...words);
            const market = await marketFor(t);
            const server = await memberFor(t, redis.url, { database: market.database });
            const client = await subscriberFor(t, await memberFor(t, redis.url));
            await untilState(server, 'leading');
            await newerOf(client, await market.grow());
            await logged(server, /keys in Redis held what no server wrote/);
        });

    test('a newest snapshot with a great number and no sense is replaced', async (t) => {
        const redis = await redisFor(t);
        const cluster = await clusterFor(t, redis);
        const key = 'heatmap:newest:BTCUSDT';
        for (const [epoch, seq] of [
            [ahead(2), 7],
            [2 ** 53 - 1, 1],
            ['1e300', 'nan'],
        ]) {
            await redis.cli('HSET', key, 'epoch', epoch, 'seq', seq, 'json', '{"hostile":true}');
            await seeNext(cluster);
            await eventually('it is replaced', async () =>
                (await redis.cli('HGET', key, 'json')).includes('"snapshot"'),
            );
        }
        const late = await subscriberFor(t, await edgeFor(t, redis));
        await newerOf(late, cluster.market.time);
        assertOrder(...cluster.clients);
    });
});

describe('another program publishes', { concurrency: 3 }, () => {
    test('a great epoch beside a generator: the generator passes it', async (t) => {
        const redis = await redisFor(t);
        const cluster = await clusterFor(t, redis);
        for (const epoch of [ahead(2), ahead(4000), 2 ** 52]) {
            await redis.publish(channel, foreign(1, { epoch, seq: 2 ** 53 - 1 }));
            await eventually('the generator has passed it', () =>
                cluster.clients.every((client) => epochOf(client) > epoch),
            );
            await seeNext(cluster);
        }
        await seeReady(cluster.servers);
        assertNumbersRise(...cluster.clients);
    });

    test('the epoch of the generator: it takes another one', async (t) => {
        const redis = await redisFor(t);
        const cluster = await clusterFor(t, redis);
        const epoch = epochOf(cluster.clients[2]);
        await redis.publish(channel, foreign(1, { epoch, seq: 2 ** 53 - 1 }));
        await withPrice(cluster.clients[2], 1);
        await cluster.market.grow(); // which is dropped, and so the epoch is raised
        await newerOf(cluster.clients[2], cluster.market.time);
        assert.ok(epochOf(cluster.clients[2]) > epoch);
        await seeNext(cluster);
        await seeReady(cluster.servers);
        assertNumbersRise(...cluster.clients);
    });

    test('an epoch far ahead and then honest ones: they get through after a while', async (t) => {
        const redis = await redisFor(t);
        const servers = [await edgeFor(t, redis), await edgeFor(t, redis)];
        const clients = [];
        for (const server of servers) clients.push(await subscriberFor(t, server));
        const mistake = ahead(1);
        await redis.publish(channel, foreign(1, { epoch: mistake, seq: 5 }));
        for (const client of clients) await withPrice(client, 1);
        const honest = Date.now();
        let price = 2;
        const publish = () =>
            redis.publish(channel, foreign(price, { epoch: honest, seq: price++ }));
        await eventually(
            'one has come',
            async () => {
                await publish();
                return clients.every((client) => client.snapshots('BTCUSDT').length > 1);
            },
            { everyMs: 500 },
        );
        await logged(servers[0], /numbers went back.*BTCUSDT/);
        for (let i = 0; i < 3; i++) {
            await publish();
            for (const client of clients) await withPrice(client, price - 1);
        }
        assertOrder(...clients);
        const late = await subscriberFor(t, await edgeFor(t, redis));
        await withPrice(late, price - 1);

        // One with the greater numbers continues from where they are by now.
        await redis.publish(channel, foreign(1000, { epoch: mistake + 1, seq: 1 }));
        for (const client of [...clients, late]) await withPrice(client, 1000);
        assertOrder(...clients, late);
    });

    test('two side by side: the one that is behind stays ignored', async (t) => {
        const redis = await redisFor(t);
        const client = await subscriberFor(t, await edgeFor(t, redis));
        for (let seq = 1; seq <= 14; seq++) {
            await redis.publish(channel, foreign(seq, { epoch: 2000, seq }));
            await redis.publish(channel, foreign(seq + 1000, { epoch: 1000, seq }));
            await sleep(1000);
        }
        await withPrice(client, 14);
        await client.settle();
        const prices = client.snapshots('BTCUSDT').map((m) => m.data.current_price);
        assert.deepEqual(
            prices,
            Array.from({ length: 14 }, (_, i) => i + 1),
        );
    });

    test('the same old one again and again is no restart', async (t) => {
        const redis = await redisFor(t);
        const client = await subscriberFor(t, await edgeFor(t, redis));
        await redis.publish(channel, foreign(2, { epoch: 1000, seq: 2 }));
        for (let i = 0; i < 14; i++) {
            await redis.publish(channel, foreign(1, { epoch: 1000, seq: 1 }));
            await sleep(1000);
        }
        await client.settle();
        assert.equal(client.snapshots('BTCUSDT').length, 1);
    });
});

test('a server that ignores the snapshots of the generator is not ready', async (t) => {
    const redis = await redisFor(t);
    const relay = await edgeFor(t, redis);
    const client = await subscriberFor(t, relay);
    // A server of another version, whose snapshots this one does not take.
    const timer = setInterval(() => redis.cli('SET', 'heatmap:lease', 'other', 'PX', '4000'), 500);
    t.after(() => clearInterval(timer));
    await redis.cli('SET', 'heatmap:lease', 'other', 'PX', '4000');
    const epoch = Number(await redis.cli('GET', 'heatmap:epoch'));
    await eventually('it has heard of it', async () => {
        await redis.publish(channel, { ...foreign(1, { epoch, seq: 1 }), timestamp: 'new style' });
        const { code, checks } = await readiness(relay);
        return code === 503 && /generator are ignored/.test(checks.redis);
    });
    assert.ok(
        (await metric(relay, 'heatcast_redis_messages_ignored_total', {
            reason: 'not_a_snapshot',
        })) > 0,
    );
    await redis.publish(channel, foreign(2, { epoch, seq: 2 }));
    await withPrice(client, 2);
    await seeReady([relay]);
});

test('servers that forgot everything begin lower, and their clients get everything', async (t) => {
    const redis = await redisFor(t);
    const market = await marketFor(t);
    await redis.cli('SET', 'heatmap:epoch', String(ahead(3)));
    const first = await memberFor(t, redis.url, { database: market.database });
    await untilState(first, 'leading');
    const before = await subscriberFor(t, first);
    await newerOf(before, market.time);
    await first.stop();
    await redis.cli('FLUSHALL');
    const second = await memberFor(t, redis.url, { database: market.database });
    await untilState(second, 'leading');
    const after = await subscriberFor(t, second);
    await newerOf(after, await market.grow());
    assert.ok(epochOf(after) < epochOf(before));
    assert.equal((await newestOf(second)).epoch, epochOf(after));
    assertOrder(after);
});

describe('two databases of one Redis', () => {
    test('are two clusters: nothing passes from one to the other', async (t) => {
        const redis = await redisFor(t);
        const sites = [];
        for (const [index, seed] of [1, 2].entries()) {
            const url = `${redis.url}/${index}`;
            const market = await marketFor(t, 'BTCUSDT', seed);
            const leader = await memberFor(t, url, { database: market.database });
            await untilState(leader, 'leading');
            const relay = await memberFor(t, url);
            await untilState(relay, 'following');
            const clients = [await subscriberFor(t, leader), await subscriberFor(t, relay)];
            sites.push({ market, servers: [leader, relay], clients });
        }
        for (const site of sites)
            for (const client of site.clients) await newerOf(client, site.market.time);
        for (let i = 0; i < 3; i++) for (const site of sites) await seeNext(site);
        for (const site of sites) {
            const [own, relayed] = site.clients.map((client) => client.texts.slice(-3));
            assert.deepEqual(own, relayed);
            assertOrder(...site.clients);
        }
        const prices = sites.map(({ clients: [client] }) =>
            client.snapshots('BTCUSDT').map((m) => m.data.current_price),
        );
        assert.ok(prices[0].every((price) => !prices[1].includes(price)));
        for (const { servers } of sites)
            for (const server of servers)
                for (const reason of ['old', 'unknown_symbol'])
                    assert.equal(
                        await metric(server, 'heatcast_redis_messages_ignored_total', { reason }),
                        0,
                    );
    });

    test('other programs publish to each of them by its channel', async (t) => {
        const redis = await redisFor(t);
        const clients = [];
        for (const path of ['/0', '/7'])
            clients.push(await subscriberFor(t, await edgeFor(t, { url: redis.url + path })));
        await redis.publish('heatmap:BTCUSDT', foreign(1));
        await redis.publish('heatmap@7:BTCUSDT', foreign(2));
        await withPrice(clients[0], 1);
        await withPrice(clients[1], 2);
        for (const client of clients) {
            await client.settle();
            assert.equal(client.snapshots('BTCUSDT').length, 1);
        }
    });
});
