// Bybit's linear contracts as they are documented. Options of a stand-in: `hasOneSide`: whether
// open interest of one side is told beside that of both (true); `pageSize` of the list of
// instruments, at most.
import { candleMs, floorTime } from './market.mjs';
import { findFault } from './rest-faults.mjs';
import { Refusal } from './stand-in.mjs';
import { wireCoins, wirePrice, wireValue } from './wire.mjs';

const dayMs = 24 * 3600 * 1000;
const minuteMs = 60_000;
const klinesMax = 1000;
const historyMax = 200;
const topicsBytesMax = 21_000;

const envelope = (standIn, result, retCode = 0, retMsg = 'OK') => ({
    retCode,
    retMsg,
    result,
    retExtInfo: {},
    time: standIn.clock.now(),
});

const refuse = (standIn, code, text) => new Refusal(200, envelope(standIn, {}, code, text));

function instrumentOf(standIn, ask) {
    const found = standIn.instruments.get(ask.query.get('symbol') ?? '');
    if (ask.query.get('category') !== 'linear') throw refuse(standIn, 10001, 'Illegal category');
    if (!found) throw refuse(standIn, 10001, 'params error: Symbol Invalid');
    return found;
}

function limitOf(standIn, ask, usual, max) {
    const text = ask.query.get('limit');
    if (text === null) return usual;
    const limit = Number(text);
    if (!Number.isInteger(limit) || limit < 1 || limit > max) {
        standIn.record.violate('parameter', `${ask.path}: limit=${text}`);
        return Math.min(Math.max(1, limit || 1), max);
    }
    return limit;
}

// Both ends; neither, if one of them is missing: then they are ignored.
function rangeOf(standIn, ask, startName, endName) {
    const start = ask.query.get(startName);
    const end = ask.query.get(endName);
    if ((start === null) !== (end === null))
        standIn.record.violate(
            'unreliable',
            `${ask.path}: only one of ${startName} and ${endName}`,
        );
    if (start === null || end === null) return { start: -Infinity, end: ask.now };
    return { start: Number(start), end: Math.min(Number(end), ask.now) };
}

// -- answers --------------------------------------------------------------------------------------

function instruments(standIn, ask) {
    const all = [...standIn.instruments.values()];
    const limit = Math.min(limitOf(standIn, ask, 500, 1000), standIn.options.pageSize ?? 1000);
    const cursor = ask.query.get('cursor') ?? '';
    const [, first = '0'] = /^first=(\d+)$/.exec(cursor) ?? [];
    if (cursor !== '' && !/^first=\d+$/.test(cursor))
        throw refuse(standIn, 10001, 'Illegal cursor');
    const next = Number(first) + limit;
    const list = all.slice(Number(first), next).map(({ native, market, status }) => ({
        symbol: native,
        contractType: 'LinearPerpetual',
        status: status === 'trading' ? 'Trading' : 'Closed',
        launchTime: String(market.startMs),
        settleCoin: 'USDT',
    }));
    // It comes percent-encoded, as it has to be sent.
    const nextPageCursor = next < all.length ? encodeURIComponent(`first=${next}`) : '';
    return { json: envelope(standIn, { category: 'linear', list, nextPageCursor }) };
}

function klines(standIn, ask) {
    const instrument = instrumentOf(standIn, ask);
    if (ask.query.get('interval') !== '5') throw refuse(standIn, 10001, 'Invalid period!');
    const limit = limitOf(standIn, ask, 200, klinesMax);
    const { start, end } = rangeOf(standIn, ask, 'start', 'end');
    const { market, native } = instrument;
    const from = Math.max(start, floorTime(end) - (limit - 1) * candleMs);
    const rows = market
        .candles(from, end + 1, ask.now)
        .reverse()
        .map((row) => ({ kind: 'candle', native, ...row }));
    const list = rows.map((c) => [
        String(c.openMs),
        ...[c.open, c.high, c.low, c.close].map((price) => wirePrice(instrument, price)),
        wireCoins(instrument, c.volume),
        wireValue(c.quoteVolume),
    ]);
    return { json: envelope(standIn, { category: 'linear', symbol: native, list }), list, rows };
}

const interestOf = (standIn, instrument, contracts) => ({
    openInterest: wireCoins(instrument, contracts * 2n),
    ...(standIn.options.hasOneSide === false
        ? {}
        : { singleOpenInterest: wireCoins(instrument, contracts) }),
});

function openInterest(standIn, ask) {
    const instrument = instrumentOf(standIn, ask);
    const { market, native } = instrument;
    if (ask.query.get('intervalTime') !== '5min') throw refuse(standIn, 10001, 'Invalid interval');
    const limit = limitOf(standIn, ask, 50, historyMax);
    const { start, end } = rangeOf(standIn, ask, 'startTime', 'endTime');
    const rows = [];
    const first = Math.max(start, market.startMs);
    for (let timeMs = floorTime(end); timeMs >= first && rows.length < limit; timeMs -= candleMs)
        rows.push({ kind: 'interest', native, ...market.interest(timeMs) });
    const list = rows.map(({ timeMs, contracts }) => ({
        ...interestOf(standIn, instrument, contracts),
        timestamp: String(timeMs),
    }));
    const result = { category: 'linear', symbol: native, list, nextPageCursor: 'lastid%3D1' };
    return { json: envelope(standIn, result), list, rows };
}

function tickers(standIn, ask) {
    const wanted = ask.query.has('symbol')
        ? [instrumentOf(standIn, ask)]
        : [...standIn.instruments.values()];
    const rows = [];
    const list = wanted.map((instrument) => {
        const { market, native } = instrument;
        const price = market.mark(ask.now);
        const interest = market.interest(ask.now);
        rows.push(
            { kind: 'interest', native, ...interest },
            { kind: 'price', native, timeMs: ask.now, price },
        );
        return {
            symbol: native,
            lastPrice: wirePrice(instrument, price),
            markPrice: wirePrice(instrument, price),
            ...interestOf(standIn, instrument, interest.contracts),
        };
    });
    return { json: envelope(standIn, { category: 'linear', list }), rows };
}

const routes = {
    '/v5/market/instruments-info': instruments,
    '/v5/market/kline': klines,
    '/v5/market/open-interest': openInterest,
    '/v5/market/tickers': tickers,
    '/v5/market/time': (standIn) => ({ json: envelope(standIn, {}) }),
};

// -- messages -------------------------------------------------------------------------------------

function topicOf(standIn, topic) {
    const name = topic.slice(topic.lastIndexOf('.') + 1);
    const instrument = standIn.instruments.get(name);
    const instruments = () => [instrument];
    if (!instrument) return undefined;
    if (topic === `kline.5.${name}`) return { kind: 'candle', instruments, everyMs: 1000 };
    if (topic === `allLiquidation.${name}`) return { kind: 'liquidation', instruments };
    if (topic === `tickers.${name}`) return { kind: 'ticker', instruments, everyMs: 1000 };
    return undefined;
}

function reply(connection, op, success, text, id) {
    connection.send({ success, ret_msg: text, conn_id: 'stand-in', req_id: id ?? '', op });
}

function subscribe(connection, args, id) {
    const { standIn, subscriptions } = connection;
    const found = args.map((topic) => [topic, topicOf(standIn, topic)]);
    const [wrong] = found.find(([, of]) => of === undefined) ?? [];
    if (wrong !== undefined) {
        reply(connection, 'subscribe', false, `Invalid topic: ${wrong}`, id);
        return;
    }
    const known = [...subscriptions.values()].map(({ topic }) => topic);
    if ([...new Set([...known, ...args])].join('').length > topicsBytesMax) {
        standIn.record.violate('streams', `more than ${topicsBytesMax} characters of topics`);
        reply(connection, 'subscribe', false, 'args size is too large', id);
        return;
    }
    for (const [topic, of] of found) connection.subscribe(topic, of);
    reply(connection, 'subscribe', true, '', id);
}

function read(connection, text) {
    let request;
    try {
        request = JSON.parse(text);
    } catch {
        request = {};
    }
    const { op, args = [], req_id: id } = request;
    if (op === 'ping') {
        if (!findFault(connection.replyFaults('ping'), 'drop'))
            reply(connection, 'ping', true, 'pong', id);
        return;
    }
    const hits = connection.replyFaults(text);
    if (findFault(hits, 'drop')) return;
    if (findFault(hits, 'refuse')) reply(connection, op, false, 'error: refused', id);
    else if (op === 'subscribe') subscribe(connection, args, id);
    else if (op === 'unsubscribe') {
        for (const topic of args) connection.unsubscribe(topic);
        reply(connection, op, true, '', id);
    } else {
        connection.standIn.record.violate('message', text);
        reply(connection, op, false, 'unknown op', id);
    }
}

const klineData = (instrument, c, now) => ({
    start: c.openMs,
    end: c.openMs + candleMs - 1,
    interval: '5',
    open: wirePrice(instrument, c.open),
    close: wirePrice(instrument, c.close),
    high: wirePrice(instrument, c.high),
    low: wirePrice(instrument, c.low),
    volume: wireCoins(instrument, c.volume),
    turnover: wireValue(c.quoteVolume),
    confirm: c.isClosed,
    timestamp: now,
});

// A ticker is whole once, and from then on holds what has changed.
function tickerMessage(subscription, instrument, [price, interest]) {
    const { topic, told = {} } = subscription;
    const whole = {
        tickDirection: 'PlusTick',
        fundingRate: '0.0001',
        lastPrice: wirePrice(instrument, price.price),
        markPrice: wirePrice(instrument, price.price),
        ...interest,
    };
    const changed = Object.entries(whole).filter(([key, value]) => told[key] !== value);
    const type = subscription.told ? 'delta' : 'snapshot';
    subscription.told = whole;
    const data = { symbol: instrument.native, ...Object.fromEntries(changed) };
    return { topic, type, data, cs: 1, ts: price.timeMs };
}

function messages(connection, subscription, instrument, rows) {
    const { standIn } = connection;
    const { kind, topic } = subscription;
    const now = standIn.clock.now();
    if (kind === 'ticker') {
        const [price, interest] = rows;
        const figures = interestOf(standIn, instrument, interest.contracts);
        return [{ json: tickerMessage(subscription, instrument, [price, figures]), rows }];
    }
    const message = (data) => ({ topic, type: 'snapshot', ts: now, data });
    if (kind === 'candle')
        return rows.map((row) => ({
            json: message([klineData(instrument, row, now)]),
            rows: [row],
        }));
    const data = rows.map((row) => ({
        T: row.timeMs,
        s: instrument.native,
        S: row.isLong ? 'Buy' : 'Sell',
        v: wireCoins(instrument, row.quantity),
        p: wirePrice(instrument, row.price),
    }));
    return [{ json: message(data), rows }];
}

// -- faults ---------------------------------------------------------------------------------------

const spoils = {
    price: (row) => row.with(2, '0.00000001'),
    negative: (row) => row.with(3, '-1'),
    'no-number': (row) => row.with(1, 'NaN'),
    future: (row) => row.with(0, String(Number(row[0]) + 400 * dayMs)),
    'off-grid': (row) => row.with(0, String(Number(row[0]) + 1000)),
};

function spoil(row, _truth, how = 'price') {
    if (Array.isArray(row)) return spoils[how](row);
    return { ...row, openInterest: '-2', singleOpenInterest: how === 'no-number' ? 'NaN' : '-1' };
}

function spoilMessage(json, how = 'price') {
    const changed = structuredClone(json);
    const [row] = Array.isArray(changed.data) ? changed.data : [changed.data];
    if (row.interval && how === 'interval') row.interval = '1';
    else if (row.interval) row.high = how === 'no-number' ? 'NaN' : '0.00000001';
    else if (row.S) for (const each of changed.data) each.S = 'None';
    else if (row.markPrice) row.markPrice = '-1';
    else row.openInterest = row.singleOpenInterest = '0';
    return changed;
}

export const bybit = {
    name: 'bybit',
    capsLiquidations: false,
    bansAfter: 0,
    banMs: 10 * minuteMs,
    connects: { limit: 500, windowMs: 5 * minuteMs },
    life: { wantsWordMs: 30_000 },
    instrument: (name) => ({ native: name }),
    route: ({ method, path }) => (method === 'GET' ? routes[path] : undefined),
    budget: () => ({ name: 'requests', limit: 600, windowMs: 5000 }),
    limited: () => ({ status: 403, body: '403, access too frequent' }),
    banned: () => ({ status: 403, body: '403, access too frequent' }),
    // From some countries there is nothing but the page of a firewall.
    blocked: () => ({
        status: 403,
        headers: { 'Content-Type': 'text/html' },
        body: '<HTML><HEAD><TITLE>ERROR: The request could not be satisfied</TITLE></HEAD><BODY>CloudFront: blocked in your country</BODY></HTML>',
    }),
    missing: () => ({ status: 404, body: '' }),
    paths: (path) => (path === '/v5/public/linear' ? 'live' : undefined),
    read,
    messages,
    foreign: (json) => json,
    spoil,
    spoilMessage,
    rename: (json, _list, symbol) => {
        json.result.symbol = symbol;
    },
};
