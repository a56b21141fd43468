// The channel "liquidations": from an exchange, through Redis, from other programs.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { connectFor } from '../support/client.mjs';
import { edgeFor, metric, subscriberFor } from '../support/cluster.mjs';
import { collectingServerFor, realStandIn } from '../support/collect.mjs';
import { bybit } from '../support/exchanges/bybit.mjs';
import { MarketClock } from '../support/exchanges/clock.mjs';
import { get } from '../support/http.mjs';
import { eventually } from '../support/process.mjs';
import { redisFor } from '../support/redis.mjs';

const channel = 'heatmap:BTCUSDT';
const follow = (client, ...channels) =>
    client.send({ action: 'subscribe', symbols: ['BTCUSDT'], channels, id: 1 });
const printsOf = (client) => client.received.filter((m) => m.type === 'liquidation');

// A print that another program tells.
const print = (id, extra = {}) => ({
    type: 'liquidation',
    symbol: 'BTCUSDT',
    exchange: 'bybit',
    time: '2025-12-28T14:30:00.123Z',
    side: 'long',
    price: 87650.1,
    quantity: 0.42,
    value: 36813.042,
    id,
    ...extra,
});

async function followerFor(t, server) {
    const client = await subscriberFor(t, server);
    follow(client, 'liquidations');
    await client.next((m) => m.type === 'ack');
    return client;
}

describe('liquidations', { concurrency: 3 }, () => {
    test('of an exchange reach who follows them here and at another server, and the database', async (t) => {
        const redis = await redisFor(t);
        const clock = new MarketClock({ start: Date.now(), scale: 60 });
        t.after(() => clock.stop());
        const exchange = await realStandIn(t, bybit, { clock });
        const server = await collectingServerFor(t, [exchange], ['BYBIT:BTCUSDT'], {
            REDIS_ENABLED: 'true',
            REDIS_URL: redis.url,
        });
        const relay = await edgeFor(t, redis, {
            args: ['--symbols', 'BYBIT:BTCUSDT'],
        });
        const clients = [];
        for (const { wsUrl } of [server, relay]) {
            const client = await connectFor(t, wsUrl);
            const symbols = ['BYBIT:BTCUSDT'];
            client.send({ action: 'subscribe', symbols, channels: ['liquidations'], id: 1 });
            await client.next((m) => m.type === 'ack');
            clients.push(client);
        }
        const deaf = await connectFor(t, `${server.wsUrl}?symbols=BYBIT:BTCUSDT`);
        await eventually('liquidations', () => printsOf(clients[0]).length >= 5);
        const told = printsOf(clients[0]).slice(0, 5);
        await eventually('the same over Redis', () => {
            const other = new Set(printsOf(clients[1]).map((m) => JSON.stringify(m)));
            return told.every((m) => other.has(JSON.stringify(m)));
        });
        assert.equal(new Set(told.map((m) => `${m.time} ${m.id}`)).size, 5);
        assert.deepEqual(printsOf(deaf), []);

        // What was told is what is stored.
        const path = `/api/v1/liquidations/${encodeURIComponent('BYBIT:BTCUSDT')}?window=10d`;
        const textOf = ({ time, exchange: name, side, price, quantity, value }) =>
            JSON.stringify({ time, exchange: name, side, price, quantity, value });
        await eventually('they are stored', async () => {
            const { status, text } = await get(`${server.url}${path}`);
            const stored = status === 200 ? JSON.parse(text).data.map(textOf) : [];
            return told.every((m) => stored.includes(textOf(m)));
        });
        assert.ok((await metric(server, 'heatcast_liquidations_sent_total')) >= 5);
        assert.ok((await metric(server, 'heatcast_redis_liquidations_published_total')) >= 5);
        assert.equal(await metric(server, 'heatcast_redis_liquidations_dropped_total'), 0);
    });

    test('of another program go to all servers, each once, byte for byte', async (t) => {
        const redis = await redisFor(t);
        const servers = [await edgeFor(t, redis), await edgeFor(t, redis)];
        const clients = [];
        for (const server of servers) clients.push(await followerFor(t, server));
        const texts = [print('a'), print('b', { more: [1] }), print('c')].map((m) =>
            JSON.stringify(m, null, 1),
        );
        for (const text of [...texts, texts[0], texts[2]]) await redis.publish(channel, text);
        await redis.publish(channel, print('d'));
        for (const client of clients) {
            await client.next((m) => m.id === 'd');
            assert.deepEqual(
                client.texts.filter((text) => text.includes('"liquidation"')),
                [...texts, JSON.stringify(print('d'))],
            );
        }
        const reason = 'known_liquidation';
        assert.equal(
            await metric(servers[0], 'heatcast_redis_messages_ignored_total', { reason }),
            2,
        );
    });

    test('that are none are refused, counted and named in the log', async (t) => {
        const redis = await redisFor(t);
        const server = await edgeFor(t, redis);
        const client = await followerFor(t, server);
        await redis.publish(channel, print('a', { side: 'up' }));
        await redis.publish(channel, print('b', { price: '1' }));
        await redis.publish(channel, print('c', { symbol: 'ETHUSDT' }));
        await redis.publish(channel, print('x'.repeat(65)));
        await redis.publish(channel, print('d'));
        await client.next((m) => m.type === 'liquidation');
        assert.deepEqual(printsOf(client), [print('d')]);
        const reason = 'not_a_liquidation';
        assert.equal(await metric(server, 'heatcast_redis_messages_ignored_total', { reason }), 4);
        assert.match(server.logs(), /message ignored.*'side' is neither/);
    });
});
