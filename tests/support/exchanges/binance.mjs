// Binance USD-M as it is documented. Options of a stand-in: `interestLabel`: 'end' (a row of the
// history of open interest is the state at its stamp) or 'start' (five minutes after it), or the
// first label that is one of 'start'; `interestDays`, how far back it reaches (30).
import { candleMs, floorTime } from './market.mjs';
import { findFault } from './rest-faults.mjs';
import { Refusal } from './stand-in.mjs';
import { wireCoins, wirePrice, wireValue } from './wire.mjs';

const dayMs = 24 * 3600 * 1000;
const minuteMs = 60_000;
const klinesMax = 1500;
const historyMax = 500;
const streamsMax = 1024;

const error = (code, msg) => ({ code, msg });

function instrumentOf(standIn, ask) {
    const found = standIn.instruments.get(ask.query.get('symbol') ?? '');
    if (!found) throw new Refusal(400, error(-1121, 'Invalid symbol.'));
    return found;
}

// The whole number of a parameter; undefined if it is not given.
function numberOf(ask, name, max = Infinity) {
    const text = ask.query.get(name);
    if (text === null) return undefined;
    if (!/^\d+$/.test(text) || Number(text) > max || Number(text) < 1)
        throw new Refusal(400, error(-1130, `Data sent for parameter '${name}' is not valid.`));
    return Number(text);
}

// -- answers --------------------------------------------------------------------------------------

function exchangeInfo(standIn) {
    const symbols = [...standIn.instruments.values()].map(({ native, market, status }) => ({
        symbol: native,
        pair: native,
        contractType: 'PERPETUAL',
        onboardDate: market.startMs,
        status: status === 'trading' ? 'TRADING' : 'SETTLING',
        filters: [{ filterType: 'PRICE_FILTER', tickSize: '0.10' }],
    }));
    return {
        json: {
            timezone: 'UTC',
            serverTime: standIn.clock.now(),
            rateLimits: [
                {
                    rateLimitType: 'REQUEST_WEIGHT',
                    interval: 'MINUTE',
                    intervalNum: 1,
                    limit: standIn.options.weightMax ?? 2400,
                },
                { rateLimitType: 'ORDERS', interval: 'MINUTE', intervalNum: 1, limit: 1200 },
            ],
            assets: [],
            symbols,
        },
    };
}

const klineRow = (instrument, c) => [
    c.openMs,
    wirePrice(instrument, c.open),
    wirePrice(instrument, c.high),
    wirePrice(instrument, c.low),
    wirePrice(instrument, c.close),
    wireCoins(instrument, c.volume),
    c.openMs + candleMs - 1,
    wireValue(c.quoteVolume),
    c.count,
    wireCoins(instrument, c.takerVolume),
    wireValue(c.takerQuoteVolume),
    '0',
];

function klines(standIn, ask) {
    const instrument = instrumentOf(standIn, ask);
    if (ask.query.get('interval') !== '5m')
        throw new Refusal(400, error(-1120, 'Invalid interval.'));
    const limit = numberOf(ask, 'limit', klinesMax) ?? 500;
    const start = numberOf(ask, 'startTime');
    const end = (numberOf(ask, 'endTime') ?? ask.now) + 1;
    const rows = instrument.market
        .candles(start ?? end - limit * candleMs, end, ask.now)
        .slice(...(start === undefined ? [-limit] : [0, limit]))
        .map((row) => ({ kind: 'candle', native: instrument.native, ...row }));
    const json = rows.map((row) => klineRow(instrument, row));
    return { json, list: json, rows };
}

function openInterest(standIn, ask) {
    const { native, market, ...instrument } = instrumentOf(standIn, ask);
    const row = { kind: 'interest', native, ...market.interest(ask.now) };
    const openInterest = wireCoins(instrument, row.contracts);
    return { json: { openInterest, symbol: native, time: ask.now }, rows: [row] };
}

// How long after its label the state of a row held.
const lagOf = ({ options: { interestLabel } }, label) =>
    interestLabel === 'start' || label >= interestLabel ? candleMs : 0;

// A row of history; `row.timeMs` is when the state held.
function interestRow(standIn, instrument, label, ask) {
    const { market, native } = instrument;
    const timeMs = label + lagOf(standIn, label);
    const row = { kind: 'interest', native, labelMs: label, ...market.interest(timeMs) };
    const mixed = findFault(ask.faults, 'mixed');
    if (mixed) row.value = market.interest(timeMs + (mixed.ms ?? minuteMs)).value;
    return row;
}

function openInterestHistory(standIn, ask) {
    const instrument = instrumentOf(standIn, ask);
    const limit = numberOf(ask, 'limit', historyMax) ?? 30;
    const start = numberOf(ask, 'startTime');
    const end = numberOf(ask, 'endTime') ?? ask.now;
    const reachMs = (standIn.options.interestDays ?? 30) * dayMs;
    if (ask.query.get('period') !== '5m') throw new Refusal(400, error(-1120, 'Invalid period.'));
    if (start !== undefined && start < ask.now - reachMs)
        throw new Refusal(400, error(-1130, "Data sent for parameter 'startTime' is not valid."));
    if (start !== undefined && ask.query.get('endTime') === null)
        standIn.record.violate('unreliable', 'openInterestHist: a startTime without an endTime');
    const newest = floorTime(ask.now);
    const last = floorTime(Math.min(end, newest - lagOf(standIn, newest - candleMs)));
    const rows = [];
    const first = Math.max(start ?? last - (limit - 1) * candleMs, instrument.market.startMs);
    for (let label = floorTime(first + candleMs - 1); label <= last; label += candleMs)
        if (rows.length < limit) rows.push(interestRow(standIn, instrument, label, ask));
    const json = rows.map((row) => ({
        symbol: instrument.native,
        sumOpenInterest: wireCoins(instrument, row.contracts),
        sumOpenInterestValue: wireValue(row.value),
        CMCCirculatingSupply: '165880.538',
        timestamp: row.labelMs,
    }));
    return { json, list: json, rows };
}

// Of one symbol, or a list of all.
function premiumIndex(standIn, ask) {
    const isOfOne = ask.query.has('symbol');
    const wanted = isOfOne ? [instrumentOf(standIn, ask)] : [...standIn.instruments.values()];
    const rows = [];
    const list = wanted.map((instrument) => {
        const { native, market } = instrument;
        const price = market.mark(ask.now);
        rows.push({ kind: 'price', native, timeMs: ask.now, price });
        return {
            symbol: native,
            markPrice: wirePrice(instrument, price),
            indexPrice: wirePrice(instrument, price),
            lastFundingRate: '0.00010000',
            nextFundingTime: floorTime(ask.now, 8 * 3600_000) + 8 * 3600_000,
            time: ask.now,
        };
    });
    return { json: isOfOne ? list[0] : list, rows };
}

const routes = {
    '/fapi/v1/exchangeInfo': exchangeInfo,
    '/fapi/v1/klines': klines,
    '/fapi/v1/openInterest': openInterest,
    '/fapi/v1/premiumIndex': premiumIndex,
    '/futures/data/openInterestHist': openInterestHistory,
};

function weightOf(ask) {
    if (ask.path === '/fapi/v1/premiumIndex' && !ask.query.has('symbol')) return 10;
    if (ask.path !== '/fapi/v1/klines') return 1;
    const limit = Number(ask.query.get('limit') ?? 500);
    return limit < 100 ? 1 : limit < 500 ? 2 : limit <= 1000 ? 5 : 10;
}

// -- messages -------------------------------------------------------------------------------------

function streamOf(standIn, stream) {
    const [name, type] = stream.split('@');
    if (stream === '!forceOrder@arr')
        return { kind: 'liquidation', instruments: () => [...standIn.instruments.values()] };
    const instrument = [...standIn.instruments.values()].find(
        ({ native }) => native.toLowerCase() === name,
    );
    const instruments = () => (instrument ? [instrument] : []);
    if (type === 'kline_5m') return { kind: 'candle', instruments, everyMs: 250 };
    if (type === 'markPrice') return { kind: 'price', instruments, everyMs: 3000 };
    if (stream.endsWith('@markPrice@1s')) return { kind: 'price', instruments, everyMs: 1000 };
    if (type === 'forceOrder') return { kind: 'liquidation', instruments };
    return { kind: 'none', instruments: () => [] };
}

function subscribeTo(connection, stream) {
    const { standIn } = connection;
    const found = streamOf(standIn, stream);
    if (found.instruments().length === 0)
        standIn.record.violate('stream', `${stream}: nothing will come of it`);
    if (found.kind !== 'none') connection.subscribe(stream, found);
    if (connection.subscriptions.size > streamsMax) {
        standIn.record.violate('streams', `more than ${streamsMax} streams on a connection`);
        connection.close(1008, 'Too many streams');
    }
}

function read(connection, text) {
    let request;
    try {
        request = JSON.parse(text);
    } catch {
        request = {};
    }
    const { method, params = [], id = null } = request;
    if (!['SUBSCRIBE', 'UNSUBSCRIBE'].includes(method) || !Array.isArray(params)) {
        connection.standIn.record.violate('message', text);
        connection.send({ error: error(2, 'Invalid request: unknown variant'), id });
        return;
    }
    const hits = connection.replyFaults(text);
    if (findFault(hits, 'drop')) return;
    if (findFault(hits, 'refuse')) {
        connection.send({ error: error(2, 'Invalid request: refused'), id });
        return;
    }
    for (const stream of params)
        if (method === 'SUBSCRIBE') subscribeTo(connection, stream);
        else connection.unsubscribe(stream);
    connection.send({ result: null, id });
}

const events = {
    candle: (instrument, c, now) => ({
        e: 'kline',
        E: now,
        s: instrument.native,
        k: {
            t: c.openMs,
            T: c.openMs + candleMs - 1,
            s: instrument.native,
            i: '5m',
            f: 100,
            L: 200,
            o: wirePrice(instrument, c.open),
            c: wirePrice(instrument, c.close),
            h: wirePrice(instrument, c.high),
            l: wirePrice(instrument, c.low),
            v: wireCoins(instrument, c.volume),
            n: c.count,
            x: c.isClosed,
            q: wireValue(c.quoteVolume),
            V: wireCoins(instrument, c.takerVolume),
            Q: wireValue(c.takerQuoteVolume),
            B: '0',
        },
    }),
    price: (instrument, row) => ({
        e: 'markPriceUpdate',
        E: row.timeMs,
        s: instrument.native,
        p: wirePrice(instrument, row.price),
        i: wirePrice(instrument, row.price),
        P: wirePrice(instrument, row.price),
        r: '0.00010000',
        T: floorTime(row.timeMs, 8 * 3600_000) + 8 * 3600_000,
        st: 1,
    }),
    liquidation: (instrument, row, now) => ({
        e: 'forceOrder',
        E: now,
        st: 1,
        o: {
            s: instrument.native,
            S: row.isLong ? 'SELL' : 'BUY',
            o: 'LIMIT',
            f: 'IOC',
            q: wireCoins(instrument, row.quantity),
            p: wirePrice(instrument, row.price),
            ap: wirePrice(instrument, row.price),
            X: 'FILLED',
            l: wireCoins(instrument, row.quantity),
            z: wireCoins(instrument, row.quantity),
            T: row.timeMs,
        },
    }),
};

function messages(connection, { kind, topic }, instrument, rows) {
    const now = connection.standIn.clock.now();
    const isWrapped = connection.path.startsWith('/market/stream');
    return rows.map((row) => {
        const event = events[kind](instrument, row, now);
        return { json: isWrapped ? { stream: topic, data: event } : event, rows: [row] };
    });
}

// Streams that the address of the connection names.
function greet(connection) {
    const { pathname, searchParams } = new URL(connection.path, 'http://stand-in');
    const [, single] = /^\/market\/ws\/(.+)$/.exec(pathname) ?? [];
    const named = single ?? searchParams.get('streams');
    for (const stream of named?.split('/') ?? []) subscribeTo(connection, stream);
}

// An event of a coin-margined contract, some of which are named as others are.
function foreign(json) {
    const event = structuredClone(json.data ?? json);
    event.st = 2;
    if (event.o) event.o.q = event.o.z = event.o.l = '1000000';
    return json.data ? { ...json, data: event } : event;
}

// -- faults ---------------------------------------------------------------------------------------

const spoils = {
    price: (row) => row.with(2, '0.00000001'), // the high
    negative: (row) => row.with(3, '-1'),
    'no-number': (row) => row.with(1, 'NaN'),
    future: (row) => row.with(0, row[0] + 400 * dayMs).with(6, row[6] + 400 * dayMs),
    'off-grid': (row) => row.with(0, row[0] + 1000).with(6, row[6] + 1000),
    interval: (row) => row.with(6, row[0] + 59_999),
};

function spoil(row, _truth, how = 'price') {
    if (Array.isArray(row)) return spoils[how](row);
    const amounts = { negative: '-1', 'no-number': 'NaN' };
    return { ...row, sumOpenInterest: amounts[how] ?? '0' };
}

function spoilMessage(json, how = 'price') {
    const changed = structuredClone(json);
    const event = changed.data ?? changed;
    if (event.k && how === 'interval') event.k.i = '1m';
    else if (event.k) event.k.h = how === 'no-number' ? 'NaN' : '0.00000001';
    else if (event.o) event.o.S = 'NONE';
    else event.p = '-1';
    return changed;
}

export const binance = {
    name: 'binance',
    capsLiquidations: true,
    lifetimeMs: dayMs,
    bansAfter: 3, // requests that go on after a 429
    banMs: 2 * minuteMs,
    connects: { limit: 300, windowMs: 5 * minuteMs },
    received: { limit: 10, windowMs: 1000 },
    life: { pingsEveryMs: 3 * minuteMs, wantsPongMs: 10 * minuteMs },
    instrument: (name) => ({ native: name }),
    route: ({ method, path }) => (method === 'GET' ? routes[path] : undefined),
    budget: (ask) =>
        ask.path.startsWith('/futures/data/')
            ? { name: 'data', limit: 1000, windowMs: 5 * minuteMs }
            : { name: 'weight', limit: 2400, windowMs: minuteMs, weight: weightOf(ask) },
    headers: (standIn) => ({ 'X-MBX-USED-WEIGHT-1M': standIn.limits.used('weight') }),
    limited: (leftMs) => ({
        status: 429,
        headers: { 'Retry-After': String(Math.ceil(leftMs / 1000)) },
        json: error(-1003, 'Too many requests; current limit is 2400 request weight per 1 MINUTE.'),
    }),
    banned: (untilMs, leftMs) => ({
        status: 418,
        headers: { 'Retry-After': String(Math.ceil(leftMs / 1000)) },
        json: error(
            -1003,
            `Way too many requests; IP(1.2.3.4) banned until ${untilMs}. Please use the websocket for live updates to avoid bans.`,
        ),
    }),
    blocked: () => ({
        status: 451,
        json: error(
            0,
            "Service unavailable from a restricted location according to 'b. Eligibility' in https://www.binance.com/en/terms. Please contact customer service if you believe you received this message in error.",
        ),
    }),
    missing: () => ({ status: 404, json: error(-5000, 'Path is invalid') }),
    paths: (path) =>
        /^\/market\/(stream|ws)(\/|$)/.test(path)
            ? 'live'
            : /^\/(stream|ws)(\/|$)/.test(path)
              ? 'retired'
              : undefined,
    greet,
    read,
    messages,
    foreign,
    spoil,
    spoilMessage,
    rename: (_json, list, symbol) => {
        for (const row of list) if (!Array.isArray(row)) row.symbol = symbol;
    },
};
