// Hyperliquid's perpetuals as they are documented.
import { candleMs, floorTime } from './market.mjs';
import { findFault } from './rest-faults.mjs';
import { Refusal } from './stand-in.mjs';
import { wireCoins, wirePrice } from './wire.mjs';

const dayMs = 24 * 3600 * 1000;
const minuteMs = 60_000;
const newestCandles = 5000;
const subscriptionsMax = 1000;
const connectionsMax = 100;

// A coin that it does not know.
const unknownCoin = () => new Refusal(500, null);

// -- answers --------------------------------------------------------------------------------------

const candleJson = (instrument, c) => ({
    T: c.openMs + candleMs - 1,
    c: wirePrice(instrument, c.close),
    h: wirePrice(instrument, c.high),
    i: '5m',
    l: wirePrice(instrument, c.low),
    n: c.count,
    o: wirePrice(instrument, c.open),
    s: instrument.native,
    t: c.openMs,
    v: wireCoins(instrument, c.volume),
});

function candleSnapshot(standIn, { json, now }) {
    const { coin, interval, startTime, endTime = now } = json.req ?? {};
    const instrument = standIn.instruments.get(coin);
    if (!instrument) throw unknownCoin();
    if (interval !== '5m' || !Number.isInteger(startTime))
        throw new Refusal(422, 'Failed to deserialize the JSON body into the target type');
    const oldest = floorTime(now) - (newestCandles - 1) * candleMs;
    const rows = instrument.market
        .candles(Math.max(startTime, oldest), Math.min(endTime, now) + 1, now)
        .slice(-newestCandles)
        .map((row) => ({ kind: 'candle', native: coin, ...row }));
    const list = rows.map((row) => candleJson(instrument, row));
    return { json: list, list, rows };
}

const universe = (standIn) =>
    [...standIn.instruments.values()].map(({ native, status }) => ({
        szDecimals: 5,
        name: native,
        maxLeverage: 40,
        ...(status === 'trading' ? {} : { isDelisted: true }),
    }));

const context = (instrument, interest, price) => ({
    dayNtlVlm: '1169046.29406',
    funding: '0.0000125',
    impactPxs: [wirePrice(instrument, price), wirePrice(instrument, price)],
    markPx: wirePrice(instrument, price),
    midPx: null,
    openInterest: wireCoins(instrument, interest.contracts),
    oraclePx: wirePrice(instrument, price),
    premium: '0.0001',
    prevDayPx: '1.0',
});

function metaAndAssetCtxs(standIn, { now }) {
    const rows = [];
    const contexts = [...standIn.instruments.values()].map((instrument) => {
        const { native, market } = instrument;
        const interest = market.interest(now);
        const price = market.mark(now);
        rows.push(
            { kind: 'interest', native, ...interest },
            { kind: 'price', native, timeMs: now, price },
        );
        return context(instrument, interest, price);
    });
    return { json: [{ universe: universe(standIn) }, contexts], rows };
}

const types = {
    meta: (standIn) => ({ json: { universe: universe(standIn), marginTables: [] } }),
    metaAndAssetCtxs,
    candleSnapshot,
};

// An answer with candles weighs one more for each 60 of them.
function weightOf({ json }) {
    if (json?.type !== 'candleSnapshot') return 20;
    const { startTime, endTime = Infinity } = json.req ?? {};
    const count = Math.min(newestCandles, Math.max(0, (endTime - startTime) / candleMs || 0));
    return 20 + Math.floor(count / 60);
}

// -- messages -------------------------------------------------------------------------------------

function subscriptionOf(standIn, { type, coin, interval }) {
    const instrument = standIn.instruments.get(coin);
    const instruments = () => [instrument];
    if (!instrument) return undefined;
    if (type === 'candle' && interval === '5m')
        return { kind: 'candle', instruments, everyMs: 1000 };
    if (type === 'activeAssetCtx') return { kind: 'ticker', instruments, everyMs: 1000 };
    return undefined;
}

const fail = (connection, text) => connection.send({ channel: 'error', data: text });

function read(connection, text) {
    const { standIn } = connection;
    let request;
    try {
        request = JSON.parse(text);
    } catch {
        request = {};
    }
    const { method, subscription = {} } = request;
    if (method === 'ping') {
        if (!findFault(connection.replyFaults('ping'), 'drop'))
            connection.send({ channel: 'pong' });
        return;
    }
    const hits = connection.replyFaults(text);
    if (findFault(hits, 'drop')) return;
    const found = subscriptionOf(standIn, subscription);
    const topic = JSON.stringify(subscription);
    if (!['subscribe', 'unsubscribe'].includes(method) || !found || findFault(hits, 'refuse')) {
        if (!['subscribe', 'unsubscribe'].includes(method)) standIn.record.violate('message', text);
        fail(connection, `Invalid subscription ${text}`);
        return;
    }
    if (method === 'unsubscribe') {
        connection.unsubscribe(topic);
    } else if (connection.subscriptions.has(topic)) {
        standIn.record.violate('message', `subscribed twice: ${topic}`);
        fail(connection, `Already subscribed: ${topic}`);
        return;
    } else if (connection.allSubscriptions >= subscriptionsMax) {
        standIn.record.violate('streams', `more than ${subscriptionsMax} subscriptions`);
        fail(connection, `Cannot track more than ${subscriptionsMax} subscriptions`);
        return;
    } else {
        connection.subscribe(topic, found);
    }
    connection.send({ channel: 'subscriptionResponse', data: { method, subscription } });
}

// A message does not say that a candle is closed, so to its reader each is open.
function messages(_connection, { kind }, instrument, rows) {
    if (kind === 'candle')
        return rows.map((row) => ({
            json: { channel: 'candle', data: candleJson(instrument, row) },
            rows: [{ ...row, isClosed: false }],
        }));
    const [price, interest] = rows;
    const ctx = context(instrument, interest, price.price);
    return [{ json: { channel: 'activeAssetCtx', data: { coin: instrument.native, ctx } }, rows }];
}

// -- faults ---------------------------------------------------------------------------------------

const spoils = {
    price: (row) => ({ ...row, h: '0.00000001' }),
    negative: (row) => ({ ...row, l: '-1' }),
    'no-number': (row) => ({ ...row, o: 'NaN' }),
    future: (row) => ({ ...row, t: row.t + 400 * dayMs, T: row.T + 400 * dayMs }),
    'off-grid': (row) => ({ ...row, t: row.t + 1000, T: row.T + 1000 }),
    interval: (row) => ({ ...row, i: '1h' }),
};

function spoilMessage(json, how = 'price') {
    const changed = structuredClone(json);
    if (changed.channel === 'candle') changed.data = spoils[how](changed.data);
    else Object.assign(changed.data.ctx, { openInterest: '0', markPx: '-1' });
    return changed;
}

// BTCUSDT is BTC; 1000PEPEUSDT is kPEPE.
function instrument(name) {
    const [, bundle, coin] = /^(1000)?(\w+)(?:USDT|USDC)$/.exec(name);
    return { native: `${bundle ? 'k' : ''}${coin}` };
}

export const hyperliquid = {
    name: 'hyperliquid',
    connects: { limit: 30, windowMs: minuteMs },
    received: { limit: 2000, windowMs: minuteMs },
    life: { idleMs: 60_000 },
    instrument,
    route: ({ method, path, json }) =>
        method === 'POST' && path === '/info' ? types[json?.type] : undefined,
    budget: (ask) => ({ name: 'weight', limit: 1200, windowMs: minuteMs, weight: weightOf(ask) }),
    limited: () => ({ status: 429, body: 'null' }),
    banned: () => ({ status: 429, body: 'null' }),
    blocked: () => ({ status: 403, body: 'Forbidden' }),
    missing: () => ({
        status: 422,
        body: 'Failed to deserialize the JSON body into the target type',
    }),
    paths: (path) => (path === '/ws' ? 'live' : undefined),
    greet: (connection) => {
        const { connections, record } = connection.standIn;
        if (connections.length > connectionsMax)
            record.violate('connects', `more than ${connectionsMax} connections`);
        connection.send('Websocket connection established.');
    },
    read,
    messages,
    foreign: (json) => json,
    spoil: (row, _truth, how = 'price') => spoils[how](row),
    spoilMessage,
    rename: (_json, list, symbol) => {
        for (const row of list) row.s = symbol;
    },
};
