// OKX's linear swaps as they are documented. A contract is ten lots of the market. Options of a
// stand-in: `includesEnds`: whether the ends of a range of open interest belong to it (true).
import { parseDecimal } from '../decimal.mjs';
import { candleMs, floorTime } from './market.mjs';
import { findFault } from './rest-faults.mjs';
import { Refusal } from './stand-in.mjs';
import { formatShifted, wireCoins, wireContracts, wirePrice, wireValue } from './wire.mjs';

const dayMs = 24 * 3600 * 1000;
const hourMs = 3600 * 1000;
const newestRows = 1440;
const messageBytesMax = 64 * 1024;
const one = 100_000_000n;

const error = (code, msg) => ({ code, msg, data: [] });
const refuse = (code, msg) => new Refusal(200, error(code, msg));
const envelope = (data) => ({ code: '0', msg: '', data });

function instrumentOf(standIn, ask) {
    const found = standIn.instruments.get(ask.query.get('instId') ?? '');
    if (!found) throw refuse('51001', 'Instrument ID does not exist');
    return found;
}

function limitOf(ask, usual, max) {
    const text = ask.query.get('limit');
    if (text === null) return usual;
    if (!/^\d+$/.test(text) || Number(text) < 1 || Number(text) > max)
        throw refuse('51000', 'Parameter limit error');
    return Number(text);
}

// -- answers --------------------------------------------------------------------------------------

function instruments(standIn, ask) {
    if (ask.query.get('instType') !== 'SWAP') throw refuse('51000', 'Parameter instType error');
    const list = [...standIn.instruments.values()].map(
        ({ native, market, status, contract, bundleDigits }) => ({
            ctMult: '1',
            ctType: 'linear',
            ctVal: formatShifted(contract, bundleDigits),
            ctValCcy: native.split('-')[0],
            instId: native,
            instType: 'SWAP',
            listTime: String(market.startMs),
            settleCcy: 'USDT',
            state: status === 'trading' ? 'live' : 'suspend',
        }),
    );
    list.unshift({
        ctMult: '1',
        ctType: 'inverse',
        ctVal: '100',
        ctValCcy: 'USD',
        instId: 'BTC-USD-SWAP',
        instType: 'SWAP',
        listTime: '1535424203000',
        settleCcy: 'BTC',
        state: 'live',
    });
    return { json: envelope(list) };
}

const candleRow = (instrument, c) => [
    String(c.openMs),
    wirePrice(instrument, c.open),
    wirePrice(instrument, c.high),
    wirePrice(instrument, c.low),
    wirePrice(instrument, c.close),
    wireContracts({ ...instrument, bundleDigits: 0 }, c.volume),
    wireCoins(instrument, c.volume),
    wireValue(c.quoteVolume),
    c.isClosed ? '1' : '0',
];

const candlesOf = (max, isHistory) => (standIn, ask) => {
    const instrument = instrumentOf(standIn, ask);
    if (ask.query.get('bar') !== '5m') throw refuse('51000', 'Parameter bar error');
    const limit = limitOf(ask, 100, max);
    const after = Number(ask.query.get('after') ?? ask.now + 1); // older than
    const before = Number(ask.query.get('before') ?? -1); // newer than
    const newest = floorTime(ask.now);
    const reach = isHistory ? -Infinity : newest - (newestRows - 1) * candleMs;
    const end = Math.min(after, newest + (isHistory ? 0 : 1)); // its history has no open candle
    const first = floorTime(end - 1) - (limit - 1) * candleMs;
    const rows = instrument.market
        .candles(Math.max(before + 1, reach, first), end, ask.now)
        .reverse()
        .map((row) => ({ kind: 'candle', native: instrument.native, ...row }));
    const list = rows.map((row) => candleRow(instrument, row));
    return { json: envelope(list), list, rows };
};

function interestRow(instrument, timeMs, mixed) {
    const { market, native } = instrument;
    const row = { kind: 'interest', native, ...market.interest(timeMs) };
    if (mixed) row.value = market.interest(timeMs + (mixed.ms ?? 60_000)).value;
    return row;
}

const contractsOf = (instrument, row) =>
    wireContracts({ ...instrument, bundleDigits: 0 }, row.contracts);

function openInterestHistory(standIn, ask) {
    const instrument = instrumentOf(standIn, ask);
    if (ask.query.get('period') !== '5m') throw refuse('51000', 'Parameter period error');
    const limit = limitOf(ask, 100, 100);
    const margin = standIn.options.includesEnds === false ? 1 : 0;
    const newest = floorTime(ask.now);
    const begin = Number(ask.query.get('begin') ?? 0) + margin;
    const end = Math.min(Number(ask.query.get('end') ?? ask.now) - margin, newest);
    const first = Math.max(begin, newest - (newestRows - 1) * candleMs, instrument.market.startMs);
    const mixed = findFault(ask.faults, 'mixed');
    const rows = [];
    for (let timeMs = floorTime(end); timeMs >= first && rows.length < limit; timeMs -= candleMs)
        rows.push(interestRow(instrument, timeMs, mixed));
    const list = rows.map((row) => [
        String(row.timeMs),
        contractsOf(instrument, row),
        wireCoins(instrument, row.contracts),
        wireValue(row.value),
    ]);
    return { json: envelope(list), list, rows };
}

const interestData = (instrument, row) => ({
    instType: 'SWAP',
    instId: instrument.native,
    oi: contractsOf(instrument, row),
    oiCcy: wireCoins(instrument, row.contracts),
    oiUsd: wireValue(row.value),
    ts: String(row.timeMs),
});

function openInterest(standIn, ask) {
    const wanted = ask.query.has('instId')
        ? [instrumentOf(standIn, ask)]
        : [...standIn.instruments.values()];
    const rows = wanted.map((instrument) => interestRow(instrument, ask.now));
    const list = rows.map((row, index) => interestData(wanted[index], row));
    return { json: envelope(list), list, rows };
}

const budgets = {
    candles: { limit: 40, windowMs: 2000 },
    history: { limit: 20, windowMs: 2000 },
    public: { limit: 20, windowMs: 2000 },
    statistics: { limit: 10, windowMs: 2000 },
};

const routes = {
    '/api/v5/public/instruments': ['public', instruments],
    '/api/v5/public/open-interest': ['public', openInterest],
    '/api/v5/market/candles': ['candles', candlesOf(300, false)],
    '/api/v5/market/history-candles': ['history', candlesOf(100, true)],
    '/api/v5/rubik/stat/contracts/open-interest-history': ['statistics', openInterestHistory],
};

// -- messages -------------------------------------------------------------------------------------

function channelOf(standIn, { channel, instId, instType }) {
    const instrument = standIn.instruments.get(instId);
    const instruments = () => [instrument];
    if (channel === 'liquidation-orders' && instType === 'SWAP')
        return { kind: 'liquidation', instruments: () => [...standIn.instruments.values()] };
    if (!instrument) return undefined;
    if (channel === 'candle5m') return { kind: 'candle', instruments, everyMs: 1000 };
    if (channel === 'mark-price') return { kind: 'price', instruments, everyMs: 1000 };
    if (channel === 'open-interest') return { kind: 'interest', instruments, everyMs: 3000 };
    return undefined;
}

const pathOf = ({ channel = '' }) =>
    channel.startsWith('candle') ? '/ws/v5/business' : '/ws/v5/public';

function subscribe(connection, arg, id) {
    const { standIn } = connection;
    const found = channelOf(standIn, arg);
    if (!found || pathOf(arg) !== connection.path) {
        if (found) standIn.record.violate('path', `${arg.channel} is not at ${connection.path}`);
        const msg = `Wrong URL or channel:${arg.channel},instId:${arg.instId} doesn't exist. Please use the correct URL, channel and parameters referring to API document.`;
        connection.send({ id, event: 'error', code: '60018', msg, connId: 'stand-in' });
        return;
    }
    connection.subscribe(JSON.stringify(arg), { ...found, arg });
    connection.send({ id, event: 'subscribe', arg, connId: 'stand-in' });
    if (found.kind === 'liquidation') sendOldLiquidations(connection, arg);
}

// The subscription to liquidations begins with some from before it, which are not recorded.
function sendOldLiquidations(connection, arg) {
    const { standIn } = connection;
    const { atMs } = connection.entry; // a fast market may have moved on since
    const data = [...standIn.instruments.values()].flatMap((instrument) => {
        const rows = instrument.market.liquidations(atMs - hourMs, atMs - 60_000).slice(-3);
        return rows.length > 0 ? [liquidationData(instrument, rows)] : [];
    });
    if (data.length > 0) connection.send({ arg, data });
}

function read(connection, text) {
    const { record, limits } = connection.standIn;
    if (text === 'ping') {
        if (!findFault(connection.replyFaults('ping'), 'drop')) connection.send('pong');
        return;
    }
    let request;
    try {
        request = JSON.parse(text);
    } catch {
        request = {};
    }
    const { op, args = [], id } = request;
    if (text.length > messageBytesMax) record.violate('message', 'over 64 KB');
    if (limits.charge(`ops ${connection.entry.atMs}`, { limit: 480, windowMs: hourMs }).isOver)
        record.violate('messages', 'more than 480 subscriptions in an hour');
    const hits = connection.replyFaults(text);
    if (findFault(hits, 'drop')) return;
    if (!['subscribe', 'unsubscribe'].includes(op) || findFault(hits, 'refuse')) {
        if (!findFault(hits, 'refuse')) record.violate('message', text);
        connection.send({ event: 'error', code: '60012', msg: 'Invalid request', id });
        return;
    }
    for (const arg of args)
        if (op === 'subscribe') subscribe(connection, arg, id);
        else {
            connection.unsubscribe(JSON.stringify(arg));
            connection.send({ id, event: 'unsubscribe', arg, connId: 'stand-in' });
        }
}

const liquidationData = (instrument, rows) => ({
    details: rows.map((row) => ({
        bkLoss: '0',
        bkPx: wirePrice(instrument, row.price),
        ccy: '',
        // Some accounts hold one position a contract, and it has no side.
        posSide: row.timeMs % 3 === 0 ? 'net' : row.isLong ? 'long' : 'short',
        side: row.isLong ? 'sell' : 'buy',
        sz: wireContracts({ ...instrument, bundleDigits: 0 }, row.quantity),
        ts: String(row.timeMs),
    })),
    instFamily: instrument.native.replace('-SWAP', ''),
    instId: instrument.native,
    instType: 'SWAP',
    uly: instrument.native.replace('-SWAP', ''),
});

function messages(_connection, { kind, arg }, instrument, rows) {
    if (kind === 'liquidation')
        return [{ json: { arg, data: [liquidationData(instrument, rows)] }, rows }];
    const data = {
        candle: (row) => candleRow(instrument, row),
        interest: (row) => interestData(instrument, row),
        price: (row) => ({
            instType: 'SWAP',
            instId: instrument.native,
            markPx: wirePrice(instrument, row.price),
            ts: String(row.timeMs),
        }),
    };
    return rows.map((row) => ({ json: { arg, data: [data[kind](row)] }, rows: [row] }));
}

// -- faults ---------------------------------------------------------------------------------------

const spoils = {
    price: (row) => row.with(2, '0.00000001'),
    negative: (row) => row.with(3, '-1'),
    'no-number': (row) => row.with(1, 'NaN'),
    future: (row) => row.with(0, String(Number(row[0]) + 400 * dayMs)),
    'off-grid': (row) => row.with(0, String(Number(row[0]) + 1000)),
};

const candleColumns = 9;

function spoil(row, _truth, how = 'price') {
    if (!Array.isArray(row)) return { ...row, oiCcy: '-1' };
    if (row.length === candleColumns) return spoils[how](row);
    return row.with(2, how === 'no-number' ? 'NaN' : '-1');
}

function spoilMessage(json, how = 'price') {
    const changed = structuredClone(json);
    const [row] = changed.data;
    if (Array.isArray(row)) changed.data[0] = spoil(row, undefined, how);
    else if (row.details) for (const detail of row.details) detail.sz = '-1';
    else if (row.markPx) row.markPx = '-1';
    else row.oiCcy = '0';
    return changed;
}

// BTCUSDT is BTC-USDT-SWAP; 1000PEPEUSDT is a thousand of PEPE-USDT-SWAP.
function instrument(name, { lot }) {
    const [, bundle = '', coin, quote] = /^(?:1(0{3,}))?(\w+)(USDT|USDC)$/.exec(name);
    return {
        native: `${coin}-${quote}-SWAP`,
        bundleDigits: bundle.length,
        contract: (parseDecimal(lot) * 10n * one) / one,
    };
}

export const okx = {
    name: 'okx',
    capsLiquidations: true,
    connects: { limit: 3, windowMs: 1000 },
    life: { idleMs: 30_000 },
    instrument,
    route: ({ method, path }) => (method === 'GET' ? routes[path]?.[1] : undefined),
    budget: ({ path, query }) => {
        const [name = 'public'] = routes[path] ?? [];
        const of = name === 'statistics' ? ` ${query.get('instId')}` : '';
        return { name: `${name}${of}`, ...budgets[name] };
    },
    limited: () => ({ status: 429, json: { code: '50011', msg: 'Too Many Requests' } }),
    banned: () => ({ status: 429, json: { code: '50011', msg: 'Too Many Requests' } }),
    blocked: () => ({
        status: 403,
        headers: { 'Content-Type': 'text/html' },
        body: '<html><body>Access denied: not available in your region</body></html>',
    }),
    missing: () => ({ status: 404, json: { code: '404', data: {}, msg: 'Not Found' } }),
    paths: (path) => (['/ws/v5/public', '/ws/v5/business'].includes(path) ? 'live' : undefined),
    notice: () => ({
        event: 'notice',
        code: '64008',
        msg: 'The connection will soon be closed for a service upgrade. Please reconnect.',
        connId: 'stand-in',
    }),
    read,
    messages,
    foreign: (json) => json,
    spoil,
    spoilMessage,
    rename: (_json, list, symbol) => {
        for (const row of list) if (!Array.isArray(row)) row.instId = symbol;
    },
};
