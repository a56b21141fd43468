// The servers that stand in for exchanges do what they say: their market is the same each time,
// their clock runs as a test wants, their limits hold, and each fault is played as described.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';

import WebSocket from 'ws';

import { binance } from '../support/exchanges/binance.mjs';
import { bybit } from '../support/exchanges/bybit.mjs';
import { MarketClock } from '../support/exchanges/clock.mjs';
import { Faults } from '../support/exchanges/faults.mjs';
import { hyperliquid } from '../support/exchanges/hyperliquid.mjs';
import { candleMs, Market } from '../support/exchanges/market.mjs';
import { okx } from '../support/exchanges/okx.mjs';
import { startStandIn } from '../support/exchanges/stand-in.mjs';
import { makePair } from '../support/certificate.mjs';
import { eventually, run, scratch, sleep } from '../support/process.mjs';

const hourMs = 3600_000;
const dayMs = 24 * hourMs;
const start = '2025-12-08T12:03:00Z';

// A stand-in whose limits are in the time of its market, which stands unless `scale` is given.
async function begin(t, definition, { scale = 0, ...options } = {}) {
    const clock = new MarketClock({ start, scale });
    t.after(() => clock.stop());
    const standIn = await startStandIn(t, definition, { clock, limitsTime: 'market', ...options });
    return { clock, standIn };
}

const violationsOf = (standIn) => standIn.record.violations.map(({ kind }) => kind);

// A question that costs little to answer.
const question = {
    binance: ({ restUrl }) => fetch(`${restUrl}/fapi/v1/premiumIndex`),
    bybit: ({ restUrl }) => fetch(`${restUrl}/v5/market/time`),
    okx: ({ restUrl }) =>
        fetch(`${restUrl}/api/v5/market/candles?instId=BTC-USDT-SWAP&bar=5m&limit=1`),
    hyperliquid: ({ restUrl }) =>
        fetch(`${restUrl}/info`, { method: 'POST', body: '{"type":"meta"}' }),
};

// A few candles.
const candlesOf = {
    binance: ({ restUrl }) =>
        fetch(`${restUrl}/fapi/v1/klines?symbol=BTCUSDT&interval=5m&limit=20`),
    bybit: ({ restUrl }) =>
        fetch(`${restUrl}/v5/market/kline?category=linear&symbol=BTCUSDT&interval=5&limit=20`),
    okx: ({ restUrl }) =>
        fetch(`${restUrl}/api/v5/market/candles?instId=BTC-USDT-SWAP&bar=5m&limit=20`),
    hyperliquid: ({ restUrl }) =>
        fetch(`${restUrl}/info`, {
            method: 'POST',
            body: `{"type":"candleSnapshot","req":{"coin":"BTC","interval":"5m","startTime":${Date.parse(start) - hourMs}}}`,
        }),
};

// What an exchange says where too much was asked.
const refusal = { binance: 429, bybit: 403, okx: 429, hyperliquid: 429 };
// How many of the questions above it takes to get there, and when there may be another.
const allowed = { binance: 240, bybit: 600, okx: 40, hyperliquid: 60 };
const waitMs = { binance: 60_000, bybit: 600_000, okx: 2000, hyperliquid: 60_000 };

// A client of a WebSocket with what it got.
async function connect(t, standIn, path, options) {
    const webSocket = new WebSocket(`${standIn.wsUrl}${path}`, options);
    const client = { webSocket, texts: [], pings: 0, end: undefined };
    webSocket.on('message', (data) => client.texts.push(data.toString()));
    webSocket.on('ping', () => client.pings++);
    webSocket.on('error', (error) => (client.error = error));
    webSocket.on('close', (code) => (client.end = code));
    webSocket.on('unexpected-response', (_request, response) => {
        client.status = response.statusCode;
        webSocket.terminate();
    });
    t.after(() => webSocket.terminate());
    client.opened = once(webSocket, 'open').then(
        () => true,
        () => false,
    );
    client.say = (json) => webSocket.send(typeof json === 'string' ? json : JSON.stringify(json));
    client.json = () =>
        client.texts.filter((text) => /^[[{]/.test(text)).map((text) => JSON.parse(text));
    return client;
}

const paths = {
    binance: '/market/stream',
    bybit: '/v5/public/linear',
    okx: '/ws/v5/business',
    hyperliquid: '/ws',
};
const subscribe = {
    binance: { method: 'SUBSCRIBE', params: ['btcusdt@kline_5m'], id: 1 },
    bybit: { req_id: '1', op: 'subscribe', args: ['kline.5.BTCUSDT'] },
    okx: { id: '1', op: 'subscribe', args: [{ channel: 'candle5m', instId: 'BTC-USDT-SWAP' }] },
    hyperliquid: {
        method: 'subscribe',
        subscription: { type: 'candle', coin: 'BTC', interval: '5m' },
    },
};
const isAnswer = {
    binance: (json) => json.id === 1,
    bybit: (json) => json.op === 'subscribe',
    okx: (json) => json.event === 'subscribe' || json.event === 'error',
    hyperliquid: (json) => json.channel === 'subscriptionResponse' || json.channel === 'error',
};
const isCandle = {
    binance: (json) => json.data?.e === 'kline',
    bybit: (json) => json.topic?.startsWith('kline'),
    okx: (json) => json.data !== undefined && json.arg?.channel === 'candle5m',
    hyperliquid: (json) => json.channel === 'candle',
};

const openOf = {
    binance: (json) => json.data.k.t,
    bybit: (json) => json.data[0].start,
    okx: (json) => Number(json.data[0][0]),
    hyperliquid: (json) => json.data.t,
};

// Subscribed to candles.
async function follow(t, standIn, options) {
    const { name } = standIn.definition;
    const client = await connect(t, standIn, paths[name], options);
    assert.ok(await client.opened);
    client.say(subscribe[name]);
    client.candles = () => client.json().filter(isCandle[name]);
    client.answers = () => client.json().filter(isAnswer[name]);
    return client;
}

describe('the clock of a market', () => {
    test('runs at its speed, stands, and is set forward', async () => {
        const clock = new MarketClock({ start, scale: 100_000 });
        await sleep(20);
        clock.setScale(0);
        const stopped = clock.now();
        assert.ok(stopped - Date.parse(start) >= 1_000_000);
        await sleep(5);
        assert.equal(clock.now(), stopped);
        clock.advance(dayMs);
        assert.equal(clock.now(), stopped + dayMs);
        clock.stop();
    });

    test('calls when its time has come, in order, and not what was cancelled', async () => {
        const clock = new MarketClock({ start, scale: 0 });
        const calls = [];
        clock.after(2000, () => calls.push('second'));
        clock.after(1000, () => calls.push('first'));
        clock.after(1500, () => calls.push('never'))();
        clock.after(3000, () => calls.push('later'));
        await sleep(10);
        assert.deepEqual(calls, []);
        clock.advance(2500);
        await eventually('two calls', () => calls.length === 2);
        assert.deepEqual(calls, ['first', 'second']);
        clock.setScale(1_000_000);
        await eventually('the last', () => calls.length === 3);
        clock.stop();
    });
});

describe('the market', () => {
    const market = () => new Market({ exchange: 'binance', start: '2025-12-01T00:00:00Z' });
    const time = Date.parse('2025-12-03T10:00:00Z');

    test('is the same whatever was asked before', () => {
        const [one, other] = [market(), market()];
        const late = one.candle(time + 50 * candleMs);
        const all = other.candles(time, time + 51 * candleMs);
        assert.deepEqual(all.at(-1), late);
        assert.deepEqual(one.interest(time), other.interest(time));
        assert.deepEqual(
            one.liquidations(time, time + hourMs),
            other.liquidations(time, time + hourMs),
        );
    });

    test('has candles that join, and grow until they close', () => {
        const list = market().candles(time, time + dayMs);
        assert.equal(list.length, 288);
        for (const candle of list) {
            assert.ok(candle.low <= candle.open && candle.open <= candle.high);
            assert.ok(candle.low <= candle.close && candle.close <= candle.high);
            assert.ok(candle.low < candle.high && candle.volume > 0n);
        }
        for (const [index, candle] of list.slice(1).entries())
            assert.equal(candle.open, list[index].close);
        const [early, later] = [60_000, 240_000].map((ms) => market().candle(time, time + ms));
        assert.ok(!early.isClosed && !later.isClosed && early.volume < later.volume);
        assert.ok(later.high >= early.high && later.low <= early.low);
        assert.equal(market().candle(time, time + candleMs).isClosed, true);
        assert.equal(market().candle(time, time - 1), undefined);
        assert.equal(market().candle(Date.parse('2025-11-30T00:00:00Z')), undefined);
    });

    test('values open interest at the price of the moment', () => {
        const { contracts, value } = market().interest(time);
        assert.equal(value, (contracts * market().candle(time).open) / 100_000_000n);
    });

    test('liquidates on both sides, more than once in a second, some to the letter alike', () => {
        const rows = market().liquidations(time, time + dayMs);
        assert.ok(rows.length > 288);
        assert.deepEqual(new Set(rows.map(({ isLong }) => isLong)), new Set([true, false]));
        assert.ok(rows.every((row, index) => index === 0 || rows[index - 1].timeMs <= row.timeMs));
        const letters = rows.map(({ timeMs, price, quantity }) => `${timeMs} ${price} ${quantity}`);
        assert.ok(new Set(letters).size < letters.length);
        assert.equal(new Set(rows.map(({ id }) => id)).size, rows.length);
    });

    test('moves alike on two exchanges, and its positions do not', () => {
        const other = new Market({ exchange: 'okx', start: '2025-12-01T00:00:00Z' });
        assert.equal(other.candle(time).close, market().candle(time).close);
        assert.notEqual(other.interest(time).contracts, market().interest(time).contracts);
    });
});

describe('faults', () => {
    const faults = () => new Faults(new MarketClock({ start, scale: 0 }));
    const kinds = (list) => list.map(({ kind }) => kind);

    test('are played as often as they say, where they say', () => {
        const list = faults();
        const fault = list.add({ on: 'rest', match: /klines/, kind: 'hang', count: 2, after: 1 });
        list.add({ on: 'stream', match: 'kline', kind: 'drop', count: Infinity });
        assert.deepEqual(kinds(list.take('rest', '/other')), []);
        assert.deepEqual(kinds(list.take('rest', '/klines')), []);
        assert.deepEqual(kinds(list.take('rest', '/klines')), ['hang']);
        assert.deepEqual(kinds(list.take('stream', 'a kline')), ['drop']);
        assert.deepEqual(kinds(list.take('rest', '/klines')), ['hang']);
        assert.deepEqual(kinds(list.take('rest', '/klines')), []);
        assert.equal(fault.hits, 2);
        list.clear();
        assert.deepEqual(kinds(list.take('stream', 'a kline')), []);
    });

    test('come by chance, in a span of time, and end', () => {
        const list = faults();
        const now = Date.parse(start);
        const rare = list.add({ on: 'rest', kind: 'html', count: Infinity, chance: 0.25 });
        for (let i = 0; i < 1000; i++) list.take('rest', '/');
        assert.ok(rare.hits > 180 && rare.hits < 320, `${rare.hits}`);
        rare.end();
        list.add({ on: 'rest', kind: 'cut', from: now + 1, count: 5 });
        list.add({ on: 'rest', kind: 'reset', to: now + 1, count: 5 });
        assert.deepEqual(kinds(list.take('rest', '/')), ['reset']);
    });

    test('that do not exist are refused', () => {
        assert.throws(
            () => faults().add({ on: 'rest', kind: 'drop' }),
            /no fault 'drop' of 'rest'/,
        );
        assert.throws(() => faults().add({ on: 'nowhere', kind: 'drop' }), /no fault/);
    });
});

for (const definition of [binance, bybit, okx, hyperliquid]) {
    const { name } = definition;
    describe(name, () => {
        const ask = question[name];

        test('lets as much be asked as it documents, and tells who asks on', async (t) => {
            const { clock, standIn } = await begin(t, definition);
            for (let i = 0; i < allowed[name]; i++) {
                const { status } = await ask(standIn);
                assert.equal(status, 200, `question ${i}`);
            }
            assert.deepEqual(violationsOf(standIn), []);
            const response = await ask(standIn);
            assert.equal(response.status, refusal[name]);
            assert.deepEqual(violationsOf(standIn), ['limit']);
            clock.advance(waitMs[name]);
            assert.equal((await ask(standIn)).status, 200);
            assert.equal(standIn.record.requests.length, allowed[name] + 2);
            const statuses = standIn.record.requests.map(({ status }) => status);
            assert.deepEqual(new Set(statuses), new Set([200, refusal[name]]));
        });

        test('objects to being asked before Retry-After has passed', async (t) => {
            const { clock, standIn } = await begin(t, definition);
            standIn.faults.add({ on: 'rest', kind: 'http', status: 429, retryAfter: 7 });
            const response = await ask(standIn);
            assert.equal(response.status, 429);
            assert.equal(response.headers.get('retry-after'), '7');
            clock.advance(6000);
            await ask(standIn);
            assert.deepEqual(violationsOf(standIn), ['retry-after']);
            clock.advance(1000);
            assert.equal((await ask(standIn)).status, 200);
        });

        test('bans, and objects to being asked until the ban has ended', async (t) => {
            const { clock, standIn } = await begin(t, definition);
            standIn.faults.add({ on: 'rest', kind: 'banned', ms: 60_000 });
            assert.notEqual((await ask(standIn)).status, 200);
            clock.advance(59_000);
            assert.notEqual((await ask(standIn)).status, 200);
            assert.deepEqual(violationsOf(standIn), ['banned']);
            clock.advance(1000);
            assert.equal((await ask(standIn)).status, 200);
        });

        test('can break off, hang, and end a connection', async (t) => {
            const { standIn } = await begin(t, definition);
            const outcome = () =>
                candlesOf[name](standIn)
                    .then((response) => response.text())
                    .catch((error) => error.message);
            standIn.faults.add({ on: 'rest', kind: 'cut', part: 0.9 });
            assert.match(await outcome(), /terminated|fetch failed/);
            standIn.faults.add({ on: 'rest', kind: 'reset' });
            assert.match(await outcome(), /fetch failed/);
            standIn.faults.add({ on: 'rest', kind: 'hang' });
            assert.equal(await Promise.race([outcome(), sleep(100).then(() => 'hangs')]), 'hangs');
            await eventually('three', () => standIn.record.requests.length === 3);
            const rows = standIn.record.requests.map((request) => request.rows);
            assert.deepEqual(rows, [0, 0, 0], 'nothing counts as served');
            assert.deepEqual(standIn.record.candles(standIn.native('BTCUSDT')), []);
            assert.equal((await candlesOf[name](standIn)).status, 200);
            assert.ok(standIn.record.candles(standIn.native('BTCUSDT')).length > 10);
        });

        test('answers what does not exist with an error, and objects', async (t) => {
            const { standIn } = await begin(t, definition);
            assert.ok((await fetch(`${standIn.restUrl}/nothing`)).status >= 400);
            assert.deepEqual(violationsOf(standIn), ['path']);
            const client = await connect(t, standIn, '/nothing');
            assert.equal(await client.opened, false);
            assert.deepEqual(violationsOf(standIn), ['path', 'path']);
        });

        test('its clock can be off', async (t) => {
            const { clock, standIn } = await begin(t, definition);
            standIn.faults.add({ on: 'rest', kind: 'skew', ms: -90_000 });
            const response = await ask(standIn);
            const date = Date.parse(response.headers.get('date'));
            assert.equal(date, Math.floor((clock.now() - 90_000) / 1000) * 1000);
        });

        test('speaks TLS', async (t) => {
            const tls = await makePair(await scratch(t), 'exchange');
            const { standIn } = await begin(t, definition, { tls, scale: 100 });
            const args = [
                '--silent',
                '--cacert',
                tls.cert,
                '--output',
                '/dev/null',
                '--write-out',
                '%{http_code}',
            ];
            const { stdout } = await run([...args, `${standIn.restUrl}/nothing`], {
                program: 'curl',
            });
            assert.match(stdout, /^4\d\d$/);
            const client = await follow(t, standIn, { ca: tls.ca });
            await eventually('a candle', () => client.candles().length > 0);
        });

        test('sends each candle closed once, however far its clock is set', async (t) => {
            const { clock, standIn } = await begin(t, definition);
            const client = await follow(t, standIn);
            await eventually('an answer', () => client.answers().length === 1);
            clock.advance(2 * hourMs);
            await eventually('25 candles', () => client.candles().length >= 25);
            const market = standIn.market('BTCUSDT');
            const native = standIn.native('BTCUSDT');
            const first = Date.parse('2025-12-08T12:00:00Z');
            const expected = market.candles(first, first + 2 * hourMs).map(({ openMs }) => openMs);
            if (name !== 'hyperliquid')
                assert.deepEqual(
                    standIn.record.candles(native).map(({ openMs }) => openMs),
                    expected,
                );
            for (const openMs of expected)
                if (name === 'hyperliquid')
                    assert.ok(standIn.record.openCandles(native, openMs) > 0);
            assert.deepEqual(violationsOf(standIn), []);
        });

        test('can leave a subscription unanswered, and refuse it', async (t) => {
            const { clock, standIn } = await begin(t, definition);
            standIn.faults.add({ on: 'reply', kind: 'drop' });
            const mute = await follow(t, standIn);
            await eventually('its words', () => standIn.connections[0].entry.received === 1);
            standIn.faults.add({ on: 'reply', kind: 'refuse' });
            const refused = await follow(t, standIn);
            await eventually('an answer', () =>
                refused.texts.some((text) => /refused|Invalid/.test(text)),
            );
            clock.advance(hourMs);
            standIn.push();
            await sleep(20);
            assert.deepEqual([mute.candles(), refused.candles(), mute.answers()], [[], [], []]);
        });

        test('a connection can be silent, refused, cut and left hanging', async (t) => {
            const { clock, standIn } = await begin(t, definition);
            standIn.faults.add({ on: 'connect', kind: 'silent' });
            const silent = await follow(t, standIn);
            clock.advance(hourMs);
            standIn.faults.add({ on: 'connect', kind: 'refuse', status: 403 });
            const refused = await connect(t, standIn, paths[name]);
            assert.equal(await refused.opened, false);
            assert.equal(refused.status, 403);
            standIn.faults.add({ on: 'connect', kind: 'reset' });
            assert.equal(await (await connect(t, standIn, paths[name])).opened, false);
            standIn.faults.add({ on: 'connect', kind: 'hang' });
            const hanging = await connect(t, standIn, paths[name]);
            assert.equal(
                await Promise.race([hanging.opened, sleep(100).then(() => 'hangs')]),
                'hangs',
            );
            assert.deepEqual(silent.texts, []);
        });

        test('a connection can end after a time', async (t) => {
            const { clock, standIn } = await begin(t, definition);
            standIn.faults.add({ on: 'connect', kind: 'lifetime', ms: hourMs });
            standIn.faults.add({ on: 'connect', kind: 'closing', ms: 1000, after: 1 });
            const long = await follow(t, standIn);
            const short = await follow(t, standIn);
            await eventually('answers', () => long.answers().length + short.answers().length === 2);
            clock.advance(1000);
            await eventually('the end of one', () => short.end === 1001);
            if (name === 'okx') assert.ok(short.texts.some((text) => text.includes('64008')));
            assert.equal(long.end, undefined);
            clock.advance(hourMs);
            await eventually('the end of the other', () => long.end !== undefined);
            const [entry] = standIn.record.connections;
            assert.ok(entry.closedAtMs >= entry.atMs + hourMs);
        });

        test('pings can go unanswered', async (t) => {
            const { standIn } = await begin(t, definition);
            const answered = await follow(t, standIn);
            answered.webSocket.ping();
            await once(answered.webSocket, 'pong');
            standIn.faults.add({ on: 'connect', kind: 'no-pong' });
            const unanswered = await follow(t, standIn);
            let pongs = 0;
            unanswered.webSocket.on('pong', () => pongs++);
            unanswered.webSocket.ping();
            await eventually('an answer', () => unanswered.answers().length === 1);
            await sleep(50);
            assert.equal(pongs, 0);
        });

        test('messages can be lost, doubled, late, cut, strange, and the last', async (t) => {
            const { clock, standIn } = await begin(t, definition);
            const client = await follow(t, standIn);
            await eventually('an answer', () => client.answers().length === 1);
            clock.advance(1000);
            await eventually('the open candle', () => client.candles().length === 1);
            // What comes of the two messages of a step: the last candle closed, the next one open.
            const step = async (kind) => {
                const before = client.texts.length;
                const sent = standIn.connections[0].entry.sent;
                if (kind) standIn.faults.add({ on: 'stream', kind });
                clock.advance(candleMs);
                const expected = { drop: 1, duplicate: 3, silent: 0 }[kind] ?? 2;
                await eventually(`${kind}`, () => {
                    standIn.push();
                    return standIn.connections[0].entry.sent >= sent + expected;
                });
                await eventually(`${kind}`, () => client.texts.length >= before + expected);
                return client.texts.slice(before);
            };
            const [closed, open] = await step();
            assert.notEqual(closed, open);
            assert.equal((await step('drop')).length, 1);
            const [one, twice] = await step('duplicate');
            assert.equal(one, twice);
            const [early, late] = await step('late');
            const [first, second] = [early, late].map((text) => openOf[name](JSON.parse(text)));
            assert.equal(first, second + candleMs);
            const [cut] = await step('cut');
            assert.throws(() => JSON.parse(cut));
            const [garbage] = await step('garbage');
            assert.match(garbage, /^<html>/);
            const [spoiled] = await step('impossible');
            assert.match(spoiled, /0\.00000001/);
            assert.deepEqual(await step('silent'), []);
            clock.advance(hourMs);
            standIn.push();
            await sleep(20);
            assert.match(client.texts.at(-1), /^\{/);
        });
    });
}

describe('what is Binance alone', () => {
    const klines = (standIn, more) =>
        fetch(`${standIn.restUrl}/fapi/v1/klines?symbol=BTCUSDT&interval=5m${more}`);

    test('who goes on after a 429 is banned, until the time that the answer says', async (t) => {
        const { clock, standIn } = await begin(t, binance);
        for (let i = 0; i < 240; i++) await question.binance(standIn);
        const limited = await klines(standIn, '&limit=100');
        assert.equal(limited.status, 429);
        assert.equal(limited.headers.get('retry-after'), '60');
        assert.equal(limited.headers.get('x-mbx-used-weight-1m'), '2402');
        for (let i = 0; i < 3; i++) assert.equal((await klines(standIn, '')).status, 429);
        const banned = await klines(standIn, '');
        assert.equal(banned.status, 418);
        const { code, msg } = await banned.json();
        const until = Number(/banned until (\d+)/.exec(msg)[1]);
        assert.deepEqual([code, until], [-1003, clock.now() + 120_000]);
        clock.advance(119_999);
        assert.equal((await klines(standIn, '&limit=1')).status, 418);
        clock.advance(1);
        assert.equal((await klines(standIn, '&limit=1')).status, 200);
    });

    test('weights are those of the documentation', async (t) => {
        const { standIn } = await begin(t, binance);
        for (const limit of [99, 100, 499, 500, 1000, 1001])
            await klines(standIn, `&limit=${limit}`);
        const weights = standIn.record.requests.map(({ weight }) => weight);
        assert.deepEqual(weights, [1, 2, 2, 5, 5, 10]);
        assert.equal((await klines(standIn, '&limit=1501')).status, 400);
    });

    test('open interest ends with 30 days, and its label can be the start', async (t) => {
        const { clock, standIn } = await begin(t, binance, { interestLabel: 'start' });
        const history = async (from, to) => {
            const path = '/futures/data/openInterestHist?symbol=BTCUSDT&period=5m';
            const response = await fetch(
                `${standIn.restUrl}${path}&startTime=${from}&endTime=${to}&limit=10`,
            );
            return [response.status, await response.json()];
        };
        const from = Date.parse('2025-12-08T11:00:00Z');
        const [, rows] = await history(from, from + candleMs);
        const { contracts } = standIn.market('BTCUSDT').interest(from + candleMs);
        assert.equal(rows[0].timestamp, from);
        assert.equal(Number(rows[0].sumOpenInterest), Number(contracts) / 1e8);
        const [status, { code }] = await history(clock.now() - 31 * dayMs, clock.now());
        assert.deepEqual([status, code], [400, -1130]);
    });

    test('value and contracts of open interest can be of different moments', async (t) => {
        const { standIn } = await begin(t, binance);
        standIn.faults.add({ on: 'rest', kind: 'mixed', ms: 60_000 });
        const path = '/futures/data/openInterestHist?symbol=BTCUSDT&period=5m&limit=1';
        const [row] = await (await fetch(`${standIn.restUrl}${path}`)).json();
        const { contracts, value } = standIn.market('BTCUSDT').interest(row.timestamp);
        assert.equal(Number(row.sumOpenInterest), Number(contracts) / 1e8);
        assert.notEqual(Number(row.sumOpenInterestValue), Number(value) / 1e8);
    });

    test('a path of the past connects and says nothing', async (t) => {
        const { clock, standIn } = await begin(t, binance);
        const client = await connect(t, standIn, '/stream');
        assert.ok(await client.opened);
        client.say(subscribe.binance);
        clock.advance(hourMs);
        standIn.push();
        await sleep(30);
        assert.deepEqual(client.texts, []);
        assert.deepEqual(violationsOf(standIn), ['retired']);
    });

    test('streams are wrapped or not, and named in the address', async (t) => {
        const { standIn } = await begin(t, binance, { scale: 100 });
        const bare = await connect(t, standIn, '/market/ws/btcusdt@kline_5m');
        const wrapped = await connect(t, standIn, '/market/stream?streams=btcusdt@kline_5m/x@y');
        await eventually('both', () => bare.texts.length > 0 && wrapped.texts.length > 0);
        assert.equal(bare.json()[0].e, 'kline');
        assert.equal(wrapped.json()[0].stream, 'btcusdt@kline_5m');
        assert.equal(wrapped.json()[0].data.e, 'kline');
        assert.deepEqual(violationsOf(standIn), ['stream'], 'x@y');
    });

    test('orders of coin-margined contracts come along where all are subscribed to', async (t) => {
        const { clock, standIn } = await begin(t, binance);
        const client = await connect(t, standIn, '/market/ws/!forceOrder@arr');
        await client.opened;
        standIn.faults.add({ on: 'stream', kind: 'coin-margined' });
        clock.advance(hourMs);
        await eventually('orders', () => client.texts.length > 3);
        assert.equal(client.json()[0].st, 2);
        assert.ok(
            client
                .json()
                .slice(1)
                .every(({ st }) => st === 1),
        );
        const served = standIn.record.liquidations('BTCUSDT');
        await eventually('all', () => client.texts.length === served.length + 1);
        const seconds = served.map(({ timeMs }) => Math.floor(timeMs / 1000));
        assert.equal(new Set(seconds).size, seconds.length, 'one a second');
    });

    test('a connection is pinged, and ends without pongs', async (t) => {
        const { clock, standIn } = await begin(t, binance, { graceRealMs: 0 });
        const client = await follow(t, standIn);
        const mute = await follow(t, standIn, { autoPong: false });
        for (let minutes = 0; minutes <= 11; minutes++) {
            clock.advance(60_000);
            standIn.push();
            await sleep(20);
        }
        await eventually('pings', () => client.pings >= 3);
        await eventually('the end', () => mute.end !== undefined);
        assert.deepEqual(violationsOf(standIn), ['pong']);
        assert.equal(client.end, undefined);
    });

    test('a connection ends after a day', async (t) => {
        const { clock, standIn } = await begin(t, binance);
        const client = await follow(t, standIn);
        await eventually('an answer', () => client.answers().length === 1);
        clock.advance(dayMs - 1000);
        await sleep(50);
        assert.equal(client.end, undefined);
        clock.advance(1000);
        await eventually('the end', () => client.end === 1001);
    });

    test('a client that says too much is cut off', async (t) => {
        const { standIn } = await begin(t, binance);
        const client = await connect(t, standIn, '/market/stream');
        await client.opened;
        for (let id = 0; id < 11; id++) client.say({ method: 'SUBSCRIBE', params: [], id });
        await eventually('the end', () => client.end === 1008);
        assert.deepEqual(violationsOf(standIn), ['messages']);
    });
});

describe('what is Bybit alone', () => {
    const kline = (standIn, more) =>
        fetch(
            `${standIn.restUrl}/v5/market/kline?category=linear&symbol=BTCUSDT&interval=5${more}`,
        );

    test('a start without an end is ignored', async (t) => {
        const { clock, standIn } = await begin(t, bybit);
        const response = await kline(standIn, `&start=${clock.now() - dayMs}&limit=2`);
        const { list } = (await response.json()).result;
        assert.equal(Number(list[0][0]), Date.parse('2025-12-08T12:00:00Z'));
        assert.deepEqual(violationsOf(standIn), ['unreliable']);
    });

    test('open interest of one side is half of both, and may be missing', async (t) => {
        for (const hasOneSide of [true, false]) {
            const { standIn } = await begin(t, bybit, { hasOneSide });
            const response = await fetch(
                `${standIn.restUrl}/v5/market/open-interest?category=linear&symbol=BTCUSDT&intervalTime=5min&limit=1`,
            );
            const [row] = (await response.json()).result.list;
            const { contracts } = standIn.market('BTCUSDT').interest(Number(row.timestamp));
            assert.equal(Number(row.openInterest), (2 * Number(contracts)) / 1e8);
            assert.equal('singleOpenInterest' in row, hasOneSide);
        }
    });

    test('a ticker is whole once and then what has changed', async (t) => {
        const { clock, standIn } = await begin(t, bybit);
        const client = await connect(t, standIn, paths.bybit);
        await client.opened;
        client.say({ op: 'subscribe', args: ['tickers.BTCUSDT'] });
        await eventually('an answer', () => client.texts.length === 1);
        const tickers = () => client.json().filter(({ topic }) => topic);
        for (const count of [1, 2]) {
            clock.advance(60_000);
            await eventually('a ticker', () => tickers().length === count);
        }
        const [whole, delta] = tickers();
        assert.deepEqual([whole.type, delta.type], ['snapshot', 'delta']);
        assert.ok('fundingRate' in whole.data && !('fundingRate' in delta.data));
        assert.ok('markPrice' in delta.data);
    });

    test('a client has to ping, and may not name too many topics', async (t) => {
        const { clock, standIn } = await begin(t, bybit, { graceRealMs: 0 });
        const client = await follow(t, standIn);
        await eventually('an answer', () => client.answers().length === 1);
        clock.advance(60_000);
        standIn.push();
        assert.deepEqual(violationsOf(standIn), ['ping']);
        for (let index = 0; index < 900; index++)
            standIn.addSymbol({ name: `LONGSYMBOL${index}USDT`, start: '2025-12-08T00:00:00Z' });
        const names = [...standIn.instruments.keys()].map((native) => `allLiquidation.${native}`);
        client.say({ op: 'subscribe', args: names });
        await eventually('a refusal', () =>
            client.texts.some((text) => text.includes('too large')),
        );
        assert.deepEqual(violationsOf(standIn), ['ping', 'streams']);
    });
});

describe('what is OKX alone', () => {
    test('candles are at one path, the rest at the other', async (t) => {
        const { standIn } = await begin(t, okx);
        const client = await connect(t, standIn, '/ws/v5/public');
        await client.opened;
        client.say(subscribe.okx);
        await eventually('an error', () => client.json().some(({ code }) => code === '60018'));
        assert.deepEqual(violationsOf(standIn), ['path']);
    });

    test('the newest 1,440 candles are at one path, and 300 of them a page', async (t) => {
        const { clock, standIn } = await begin(t, okx);
        const newest = Date.parse('2025-12-08T12:00:00Z');
        const ask = async (path, after, limit) => {
            const url = `${standIn.restUrl}/api/v5/market/${path}?instId=BTC-USDT-SWAP&bar=5m`;
            return (await (await fetch(`${url}&after=${after}&limit=${limit}`)).json()).data;
        };
        const oldest = newest - 1439 * candleMs;
        assert.equal((await ask('candles', oldest + candleMs, 300)).length, 1);
        assert.equal((await ask('candles', oldest, 300)).length, 0);
        assert.equal((await ask('history-candles', oldest, 100)).length, 100);
        const [open] = await ask('candles', clock.now(), 1);
        const [closed] = await ask('history-candles', clock.now(), 1);
        assert.deepEqual([open[8], closed[8]], ['0', '1']);
    });

    test('a connection without words is cut, and a ping keeps it', async (t) => {
        const { clock, standIn } = await begin(t, okx, { graceRealMs: 0 });
        const quiet = await connect(t, standIn, paths.okx);
        const pinging = await connect(t, standIn, paths.okx);
        await Promise.all([quiet.opened, pinging.opened]);
        for (const pongs of [1, 2]) {
            clock.advance(20_000);
            pinging.say('ping');
            await eventually('a pong', () => pinging.texts.length === pongs);
            standIn.push();
        }
        await eventually('the end', () => quiet.end === 4004);
        assert.equal(pinging.end, undefined);
        assert.deepEqual(violationsOf(standIn), ['idle']);
    });

    test('liquidations begin with some of the past, and are in contracts', async (t) => {
        const { clock, standIn } = await begin(t, okx);
        const client = await connect(t, standIn, '/ws/v5/public');
        await client.opened;
        const arg = { channel: 'liquidation-orders', instType: 'SWAP' };
        client.say({ op: 'subscribe', args: [arg] });
        await eventually('the past', () => client.texts.length === 2);
        const [, past] = client.json();
        assert.ok(past.data[0].details.every(({ ts }) => Number(ts) < clock.now() - 50_000));
        assert.deepEqual(standIn.record.liquidations('BTC-USDT-SWAP'), []);
        clock.advance(hourMs);
        await eventually('the present', () => client.texts.length > 2);
        const [row] = standIn.record.liquidations('BTC-USDT-SWAP');
        const [detail] = client.json()[2].data[0].details;
        assert.equal(Number(detail.sz) / 100, Number(row.quantity) / 1e8);
        assert.equal(detail.side, row.isLong ? 'sell' : 'buy');
    });
});

describe('what is Hyperliquid alone', () => {
    const ask = async (standIn, body) => {
        const response = await fetch(`${standIn.restUrl}/info`, {
            method: 'POST',
            body: JSON.stringify(body),
        });
        return [response.status, await response.text()];
    };
    const snapshot = (coin, startTime) => ({
        type: 'candleSnapshot',
        req: { coin, interval: '5m', startTime, endTime: Date.parse(start) },
    });

    test('there are 5,000 candles, each 60 of which weigh one', async (t) => {
        const { clock, standIn } = await begin(t, hyperliquid);
        const [status, text] = await ask(standIn, snapshot('BTC', clock.now() - 25 * dayMs));
        assert.deepEqual([status, JSON.parse(text).length], [200, 5000]);
        await ask(standIn, snapshot('BTC', clock.now() - 120 * candleMs));
        assert.deepEqual(
            standIn.record.requests.map(({ weight }) => weight),
            [20 + 83, 22],
        );
    });

    test('a coin that it does not know is a 500 with null', async (t) => {
        const { clock, standIn } = await begin(t, hyperliquid);
        assert.deepEqual(await ask(standIn, snapshot('NONE', clock.now())), [500, 'null']);
        assert.equal((await ask(standIn, { type: 'nothing' }))[0], 422);
    });

    test('a connection is greeted, and a subscription taken once', async (t) => {
        const { standIn } = await begin(t, hyperliquid);
        const client = await follow(t, standIn);
        await eventually('an answer', () => client.answers().length === 1);
        assert.match(client.texts[0], /^Websocket connection established/);
        client.say(subscribe.hyperliquid);
        await eventually('an error', () => client.texts.some((text) => text.includes('Already')));
        assert.deepEqual(violationsOf(standIn), ['message']);
    });
});
