// What any program may publish on the channels: snapshots, and what is none.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import {
    assertOrder,
    edgeFor,
    foreign,
    marketFor,
    memberFor,
    metric,
    newerOf,
    stateOf,
    subscriberFor,
    untilState,
    withPrice,
} from '../support/cluster.mjs';
import { get } from '../support/http.mjs';
import { eventually } from '../support/process.mjs';
import { redisFor } from '../support/redis.mjs';

const channel = 'heatmap:BTCUSDT';

const ignored = (server, reason) =>
    metric(server, 'heatcast_redis_messages_ignored_total', { reason });

describe('another program publishes', { concurrency: 3 }, () => {
    test('with redis-cli, and every server gives it to its clients, numbered alike', async (t) => {
        const redis = await redisFor(t);
        const servers = [await edgeFor(t, redis), await edgeFor(t, redis)];
        const clients = [];
        for (const server of servers) clients.push(await subscriberFor(t, server));
        assert.equal(await redis.cli('PUBLISH', channel, JSON.stringify(foreign(1))), '2');
        for (const client of clients) await withPrice(client, 1);
        for (let price = 2; price <= 5; price++) {
            await redis.publish(
                channel,
                price % 2 ? foreign(price) : `${JSON.stringify(foreign(price), null, 2)}\n`,
            );
            for (const client of clients) await withPrice(client, price);
        }
        assertOrder(...clients);
        const numbers = clients.map((client) =>
            client
                .snapshots('BTCUSDT')
                .slice(1)
                .map((m) => [m.epoch, m.seq]),
        );
        assert.deepEqual(numbers[0], numbers[1]);
        const last = clients[0].snapshots('BTCUSDT').at(-1);
        assert.deepEqual(last, { ...foreign(5), epoch: last.epoch, seq: last.seq });

        // One that starts later, and one that starts again, have it for their first subscriber.
        const late = await edgeFor(t, redis);
        assert.equal(
            (await get(`${late.url}/api/v1/heatmap/BTCUSDT`)).json().data.current_price,
            5,
        );
        const client = await subscriberFor(t, late);
        assert.deepEqual(await client.nextSnapshot('BTCUSDT'), last);
        await redis.publish(channel, foreign(6));
        const [six] = await Promise.all([
            withPrice(client, 6),
            ...clients.map((c) => withPrice(c, 6)),
        ]);
        assert.deepEqual([six.epoch, six.seq], [last.epoch, last.seq + 1]);
        for (const server of [...servers, late])
            assert.equal(await metric(server, 'heatcast_redis_up'), 1);
    });

    test('with its own numbers, and the bytes stay as they are', async (t) => {
        const redis = await redisFor(t);
        const server = await edgeFor(t, redis);
        const client = await subscriberFor(t, server);
        const text = `{ "seq": 7, "epoch": 1766932200123,${JSON.stringify(foreign(1)).slice(1, -1)},\n "note": "\u00fc" }`;
        await redis.publish(channel, text);
        await withPrice(client, 1);
        assert.equal(client.texts.at(-1), text);
        await redis.publish(channel, foreign(2, { epoch: 1766932200123, seq: 6 })); // older
        await redis.publish(channel, foreign(3, { epoch: 1766932200122, seq: 99 })); // older
        await redis.publish(channel, text); // once more
        await redis.publish(channel, foreign(4, { epoch: 1766932200124, seq: 1 }));
        await withPrice(client, 4);
        assert.equal(await ignored(server, 'old'), 3);
        assertOrder(client);
        assert.equal(client.snapshots('BTCUSDT').length, 2);
    });

    test('the same once more, and no client is told', async (t) => {
        const redis = await redisFor(t);
        const client = await subscriberFor(t, await edgeFor(t, redis));
        for (const price of [1, 1, 1, 2]) await redis.publish(channel, foreign(price));
        await withPrice(client, 2);
        assertOrder(client);
        assert.equal(client.snapshots('BTCUSDT').length, 2);
    });

    test('beside a generator, and both are served in the order in which they come', async (t) => {
        const redis = await redisFor(t);
        const market = await marketFor(t);
        const leader = await memberFor(t, redis.url, { database: market.database });
        await untilState(leader, 'leading');
        const relay = await edgeFor(t, redis);
        const clients = [await subscriberFor(t, leader), await subscriberFor(t, relay)];
        for (const client of clients) await newerOf(client, market.time);
        const later = { timestamp: '2025-12-02T00:00:00Z' };
        for (let round = 1; round <= 3; round++) {
            await redis.publish(channel, foreign(round, later));
            for (const client of clients) await withPrice(client, round);
            const time = await market.grow();
            for (const client of clients)
                await client.nextSnapshot('BTCUSDT', (m) => Date.parse(m.timestamp) === time);
        }
        const [first, second] = clients.map((client) => client.snapshots('BTCUSDT').slice(-6));
        assert.deepEqual(first, second);
        first
            .slice(1)
            .forEach((m, i) =>
                assert.deepEqual([m.epoch, m.seq], [first[i].epoch, first[i].seq + 1]),
            );
        assert.equal(await stateOf(leader), 'leading');
    });

    test('what is no snapshot: counted, ignored, and no client notices', async (t) => {
        const redis = await redisFor(t);
        const server = await edgeFor(t, redis);
        const client = await subscriberFor(t, server);
        const good = foreign(1);
        const without = (name) => ({ ...good, [name]: undefined });
        const withData = (data) => ({ ...good, data: { ...good.data, ...data } });
        const bad = {
            not_json: [
                '',
                '{',
                'null x',
                Buffer.from([0xff, 0xfe]),
                'NaN',
                `${JSON.stringify(good)}}`,
                '['.repeat(100_000),
                JSON.stringify(good).replace('1500000.5', '1e999'),
                JSON.stringify(good).replace('"data"', '"type":1,"data"'),
                Buffer.from([0, 1, 2, 255]),
            ],
            not_a_snapshot: [
                'null',
                '[]',
                '7',
                '"snapshot"',
                '{}',
                without('type'),
                without('timestamp'),
                without('data'),
                { ...good, type: 'pong' },
                { ...good, timestamp: 'yesterday' },
                { ...good, timestamp: 5 },
                { ...good, data: [] },
                withData({ levels: {} }),
                withData({ levels: [1] }),
                withData({ levels: [{ price: '1', long_density: 1, short_density: 1 }] }),
                withData({ levels: [{ price: 1, long_density: -1, short_density: 1 }] }),
                withData({ current_price: '1' }),
                withData({ positions_created: 1.5 }),
                withData({ positions_consumed: -1 }),
                { ...good, epoch: 5 },
                { ...good, seq: 5 },
                { ...good, epoch: 0, seq: 1 },
                { ...good, epoch: '5', seq: 1 },
                { ...good, epoch: 5, seq: 2 ** 53 },
                JSON.stringify(good).replace('"data"', '"d\\u0061ta"'),
            ],
            wrong_symbol: [
                { ...good, symbol: 'ETHUSDT' },
                { ...good, symbol: 'BTCUSDT2' },
            ],
            wrong_epoch: [
                { ...good, epoch: 2 ** 53 - 1, seq: 1 },
                { ...good, epoch: 2 ** 52 + 2 ** 21, seq: 1 },
            ],
            too_large: [
                JSON.stringify(good) + ' '.repeat(10 * 1024 * 1024),
                'x'.repeat(10 * 1024 * 1024),
            ],
        };
        let sum = 0;
        for (const [reason, messages] of Object.entries(bad)) {
            for (const message of messages) await redis.publish(channel, message);
            await eventually(
                reason,
                async () => (await ignored(server, reason)) === messages.length,
            ).catch(async (error) => {
                throw new Error(
                    `${error.message}: ${await ignored(server, reason)} of ${messages.length}\n${server.logs()}`,
                );
            });
            sum += messages.length;
        }
        for (const name of [
            'heatmap:ETHUSDT',
            'heatmap:',
            'heatmap:btcusdt',
            'heatmap:BTCUSDT:x',
            `heatmap:${'x'.repeat(5000)}`,
        ])
            await redis.publish(name, good);
        await eventually(
            'unknown symbols',
            async () => (await ignored(server, 'unknown_symbol')) >= 4,
        );
        await redis.publish('heatmap:__probe__:someone', 'hello');
        await redis.publish('heatmaps', good);
        await redis.publish(channel, good);
        await withPrice(client, 1);
        assert.equal(client.received.length, 1);
        assert.ok((await metric(server, 'heatcast_redis_messages_received_total')) > sum);
        assert.equal(await stateOf(server), 'following');
        const lines = () => server.logs().match(/message ignored/g) ?? [];
        await eventually('each kind is in the log', () => lines().length >= 5);
        assert.ok(lines().length <= 8, server.logs());
    });

    test('a key of ours that holds something else does no harm', async (t) => {
        const redis = await redisFor(t);
        await redis.cli('SET', 'heatmap:newest:BTCUSDT', 'not a hash');
        const market = await marketFor(t);
        const leader = await memberFor(t, redis.url, { database: market.database });
        await untilState(leader, 'leading');
        const relay = await edgeFor(t, redis);
        const client = await subscriberFor(t, relay);
        await newerOf(client, await market.grow());
        await eventually('it says so', async () =>
            /WRONGTYPE/.test((await get(`${leader.url}/readyz`)).json().checks.redis),
        );
        await redis.cli('DEL', 'heatmap:newest:BTCUSDT');
        await redis.cli(
            'HSET',
            'heatmap:newest:BTCUSDT',
            'epoch',
            '1',
            'seq',
            '1',
            'json',
            '{"hostile":true}',
        );
        await edgeFor(t, redis);
        await newerOf(client, await market.grow());
        assert.match(await redis.cli('HGET', 'heatmap:newest:BTCUSDT', 'json'), /snapshot/);
    });
});

test('a burst is bounded: the newest of each symbol wins, and no client waits', async (t) => {
    const redis = await redisFor(t);
    const server = await edgeFor(t, redis, { args: ['--symbols', 'BTCUSDT,ETHUSDT'] });
    const client = await subscriberFor(t, server, 'BTCUSDT,ETHUSDT');
    const levels = Array.from({ length: 300 }, (_, i) => ({
        price: 1000 + i,
        long_density: i,
        short_density: 0,
    }));
    const count = 500; // within what Redis holds for a subscriber (32 MB)
    let lines = '';
    for (let price = 1; price <= count; price++)
        for (const symbol of ['BTCUSDT', 'ETHUSDT']) {
            const message = foreign(price, { symbol });
            message.data.levels = levels;
            lines += `PUBLISH heatmap:${symbol} '${JSON.stringify(message)}'\n`;
        }
    const memory = await metric(server, 'process_resident_memory_bytes');
    await redis.pipe(lines);
    for (const symbol of ['BTCUSDT', 'ETHUSDT'])
        await client.nextSnapshot(symbol, (m) => m.data.current_price === count);
    assertOrder(client);
    assert.equal(await metric(server, 'heatcast_redis_messages_received_total'), 2 * count);
    assert.equal(await metric(server, 'heatcast_redis_up'), 1);
    await client.settle();
    const grownBytes = (await metric(server, 'process_resident_memory_bytes')) - memory;
    assert.ok(
        process.env.HEATCAST_BINARY?.includes('asan') || grownBytes < 50e6,
        `${grownBytes} bytes`,
    );
});
