// What the streams of the collector say of themselves while an exchange does wrong: the state, the
// reason and the next try, in /readyz, /api/v1/symbols and the metrics.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { collectingServerFor, realStandIn } from '../support/collect.mjs';
import { binance } from '../support/exchanges/binance.mjs';
import { bybit } from '../support/exchanges/bybit.mjs';
import { hyperliquid } from '../support/exchanges/hyperliquid.mjs';
import { okx } from '../support/exchanges/okx.mjs';
import { get } from '../support/http.mjs';
import { eventually } from '../support/process.mjs';

const hourSeconds = 3600;

async function streamsOf(server, name = 'BTCUSDT') {
    const { symbols } = JSON.parse((await get(`${server.url}/api/v1/symbols`)).text);
    const { streams = [] } = symbols.find(({ symbol }) => symbol === name);
    return Object.fromEntries(streams.map((stream) => [stream.stream, stream]));
}

// The streams of a symbol once they are as they should be.
async function untilStreams(server, what, isSo) {
    let streams;
    await eventually(what, async () => {
        streams = await streamsOf(server);
        return isSo(streams);
    }).catch((error) => {
        throw new Error(`${error.message}: ${JSON.stringify(streams)}\n${server.logs()}`);
    });
    return streams;
}

async function metric(server, name, stream) {
    const { text } = await get(`${server.url}/metrics`);
    const match = new RegExp(`^${name}\\{.*stream="${stream}".*\\} (\\S+)$`, 'm').exec(text);
    return match ? Number(match[1]) : undefined;
}

async function notWell(server) {
    const { collect } = JSON.parse((await get(`${server.url}/readyz`)).text);
    return collect.not_well;
}

const asked = ({ record }, what) => record.requests.filter(({ path }) => path.includes(what));
const count = (text, words) => text.split(words).length - 1;

async function serve(t, definition, faults) {
    const exchange = await realStandIn(t, definition);
    for (const fault of faults) exchange.faults.add({ count: Infinity, ...fault });
    return { exchange, server: await collectingServerFor(t, [exchange], ['BTCUSDT']) };
}

describe('"not from here"', { concurrency: 2 }, () => {
    test('to one kind of request rests that kind alone', async (t) => {
        const { exchange, server } = await serve(t, binance, [
            { on: 'rest', match: 'openInterestHist', kind: 'firewall' },
        ]);
        const { open_interest: interest } = await untilStreams(
            server,
            'all but the one',
            ({ candles, open_interest }) =>
                candles.state === 'live' && open_interest.state === 'failing',
        );
        assert.match(interest.error, /HTTP 403.*EXCHANGES/);
        assert.ok(interest.next_try_seconds > hourSeconds - 120, `${interest.next_try_seconds}`);
        assert.ok(asked(exchange, 'klines').length > 0);
        assert.equal(asked(exchange, 'openInterestHist').length, 1);
        assert.equal(count(server.logs(), 'refuses one kind of request'), 1);
        assert.equal(count(server.logs(), 'does not serve this network'), 0);
    });

    test('to whatever is asked rests the exchange', async (t) => {
        const { exchange, server } = await serve(t, binance, [
            { on: 'rest', match: /klines|openInterest/, kind: 'firewall' },
            { on: 'connect', kind: 'refuse', status: 403 },
        ]);
        const streams = await untilStreams(
            server,
            'blocked streams',
            ({ candles }) => candles.state === 'blocked',
        );
        for (const { state, error } of [streams.candles, streams.open_interest]) {
            assert.equal(state, 'blocked');
            assert.match(error, /HTTP 403.*archive/);
        }
        assert.equal(asked(exchange, 'klines').length, 1);
        assert.equal(count(server.logs(), 'does not serve this network'), 1);
    });

    test('to the list of instruments rests the exchange', async (t) => {
        const { exchange, server } = await serve(t, okx, [
            { on: 'rest', match: 'instruments', kind: 'firewall' },
        ]);
        const streams = await untilStreams(
            server,
            'blocked streams',
            ({ candles }) => candles.state === 'blocked',
        );
        for (const { state, error, next_try_seconds: next } of Object.values(streams)) {
            assert.equal(state, 'blocked');
            assert.match(error, /OKX.*HTTP 403/);
            assert.ok(next > hourSeconds - 120, `${next}`);
        }
        assert.equal(exchange.record.requests.length, 1);
        assert.equal(count(server.logs(), 'does not serve this network'), 1);
    });

    test('of Bybit for too many requests is a rest of ten minutes', async (t) => {
        const { exchange, server } = await serve(t, bybit, [
            { on: 'rest', match: 'kline', kind: 'banned', ms: 600_000, count: 1 },
        ]);
        const { candles } = await untilStreams(
            server,
            'a rest',
            ({ candles: { state } }) => state === 'failing',
        );
        assert.match(candles.error, /too many requests/);
        assert.doesNotMatch(candles.error, /EXCHANGES/);
        assert.ok(candles.next_try_seconds > 500 && candles.next_try_seconds <= 600);
        assert.deepEqual(exchange.record.violations, []);
    });
});

describe('an exchange that wants fewer requests', { concurrency: 2 }, () => {
    test('a ban is the reason why rows are missing, also while a socket brings the present', async (t) => {
        const { server } = await serve(t, binance, [
            { on: 'rest', match: 'klines', kind: 'banned', ms: 3 * hourSeconds * 1000, count: 1 },
        ]);
        const { candles } = await untilStreams(
            server,
            'failing candles',
            ({ candles: { state, missing } }) => state === 'failing' && missing > 0,
        );
        assert.match(candles.error, /banned until/);
        assert.ok(candles.next_try_seconds > 3 * hourSeconds - 120, `${candles.next_try_seconds}`);
        assert.equal(await metric(server, 'heatcast_collect_up', 'candles'), 0);
        assert.ok((await metric(server, 'heatcast_collect_missing_rows', 'candles')) > 0);
        const next = await metric(server, 'heatcast_collect_next_try_seconds', 'candles');
        assert.ok(next > 3 * hourSeconds - 120, `${next}`);
        const told = (await notWell(server)).find(({ stream }) => stream === 'candles');
        assert.deepEqual([told.symbol, told.state], ['BTCUSDT', 'failing']);
    });

    test('a symbol that is still looked for has the reason of that', async (t) => {
        const { server } = await serve(t, okx, [
            { on: 'rest', match: 'instruments', kind: 'http', status: 429, retryAfter: 3600 },
        ]);
        const streams = await untilStreams(
            server,
            'failing streams',
            ({ candles }) => candles.state === 'failing',
        );
        for (const { state, error, next_try_seconds: next } of Object.values(streams)) {
            assert.equal(state, 'failing');
            assert.match(error, /HTTP 429/);
            assert.ok(next > hourSeconds - 120, `${next}`);
        }
    });

    test('a request that is not accepted has the time at which it is made again', async (t) => {
        const body = JSON.stringify({ code: -1100, msg: 'Illegal characters' });
        const { server } = await serve(t, binance, [
            { on: 'rest', match: 'openInterestHist', kind: 'http', status: 400, body },
        ]);
        const { open_interest: interest } = await untilStreams(
            server,
            'failing open interest',
            ({ open_interest }) => open_interest.state === 'failing',
        );
        assert.match(interest.error, /Illegal characters/);
        assert.ok(interest.next_try_seconds > 500 && interest.next_try_seconds <= 600);
    });

    test('what a socket brings is live, whatever became of the first request for it', async (t) => {
        const { server } = await serve(t, hyperliquid, [
            { on: 'rest', match: 'metaAndAssetCtxs', kind: 'http', status: 500 },
        ]);
        await untilStreams(
            server,
            'open interest by a socket',
            ({ open_interest }) => open_interest.state === 'live',
        );
    });

    test('servers that fail are the reason why rows are missing', async (t) => {
        const { server } = await serve(t, binance, [
            { on: 'rest', match: 'klines', kind: 'http', status: 500 },
        ]);
        const { candles } = await untilStreams(
            server,
            'failing candles beside a live socket',
            ({ candles: { state, newest, missing }, liquidations }) =>
                liquidations.state === 'live' && state === 'failing' && missing > 0 && !newest,
        );
        assert.match(candles.error, /HTTP 500/);
        // Open interest is dated by candles, and so waits for them.
        const { open_interest: interest } = await streamsOf(server);
        assert.equal(interest.state, 'failing');
        assert.match(interest.error, /HTTP 500/);
    });
});

describe('subscriptions', { concurrency: 2 }, () => {
    for (const [definition, match] of [
        [binance, 'forceOrder'],
        [bybit, 'allLiquidation'],
        [okx, 'liquidation-orders'],
    ])
        test(`${definition.name}: one that is refused says so, and the others come`, async (t) => {
            const { exchange, server } = await serve(t, definition, [
                { on: 'reply', match, kind: 'refuse' },
            ]);
            const { liquidations, candles } = await untilStreams(
                server,
                'refused liquidations beside live candles',
                ({ candles, liquidations }) =>
                    candles.state === 'live' && liquidations.state === 'refused',
            );
            assert.match(liquidations.error, /refused|Invalid request/);
            assert.ok(liquidations.next_try_seconds > 1200, `${liquidations.next_try_seconds}`);
            assert.equal(candles.error, undefined);
            assert.equal(await metric(server, 'heatcast_collect_up', 'liquidations'), 0);
            assert.equal(count(server.logs(), 'refuses a subscription'), 1);
            const subscribed = exchange.connections.flatMap(({ subscriptions }) => [
                ...subscriptions.keys(),
            ]);
            assert.ok(
                subscribed.some((topic) => /kline|candle/.test(topic)),
                `${subscribed}`,
            );
        });

    test('liquidations are live when their subscription is acknowledged, and not before', async (t) => {
        const { exchange, server } = await serve(t, binance, [{ on: 'reply', kind: 'drop' }]);
        await untilStreams(
            server,
            'subscriptions that are not answered',
            ({ liquidations: { state, error } }) =>
                state === 'failing' && /not answered/.test(error),
        );
        exchange.faults.clear();
        await untilStreams(server, 'live', ({ liquidations }) => liquidations.state === 'live');
    });

    test('a socket that is silent fails until one has brought something', async (t) => {
        const { exchange, server } = await serve(t, okx, [{ on: 'connect', kind: 'silent' }]);
        await untilStreams(
            server,
            'a silent socket',
            ({ liquidations: { state } }) => state === 'failing',
        );
        const opened = exchange.record.connections.length;
        await eventually('three more sockets', async () => {
            assert.equal((await streamsOf(server)).liquidations.state, 'failing');
            assert.equal(await metric(server, 'heatcast_collect_up', 'liquidations'), 0);
            return exchange.record.connections.length >= opened + 3;
        });
    });
});
