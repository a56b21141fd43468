// What heatcast knows of each exchange, against a server that stands in for it: what is asked and
// subscribed to is answered, and each row that comes back is the one that the market had.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { makePair } from '../support/certificate.mjs';
import { formatDecimal } from '../support/decimal.mjs';
import { clientOf } from '../support/exchange-probe.mjs';
import { binance } from '../support/exchanges/binance.mjs';
import { bybit } from '../support/exchanges/bybit.mjs';
import { MarketClock } from '../support/exchanges/clock.mjs';
import { hyperliquid } from '../support/exchanges/hyperliquid.mjs';
import { candleMs, floorTime } from '../support/exchanges/market.mjs';
import { okx } from '../support/exchanges/okx.mjs';
import { startStandIn } from '../support/exchanges/stand-in.mjs';
import { eventually, scratch } from '../support/process.mjs';

const symbols = ['BTCUSDT', '1000PEPEUSDT'];
const hourMs = 3600_000;

// A stand-in and a client of it. The market stands at 12:03 unless `scale` says otherwise.
async function begin(t, definition, { scale = 0, ...options } = {}) {
    const clock = new MarketClock({ start: '2025-12-08T12:03:00Z', scale });
    t.after(() => clock.stop());
    const standIn = await startStandIn(t, definition, { symbols, clock, ...options });
    return { clock, standIn, client: await clientOf(t, standIn) };
}

// A candle as the probe tells it. `quote`: whether the exchange has the volume in dollars.
const candleRow = (symbol, c, quote = true) => ({
    row: 'candle',
    symbol,
    time: c.openMs,
    open: formatDecimal(c.open),
    high: formatDecimal(c.high),
    low: formatDecimal(c.low),
    close: formatDecimal(c.close),
    volume: formatDecimal(c.volume),
    quoteVolume: quote ? formatDecimal(c.quoteVolume) : null,
    isClosed: c.isClosed,
});

const liquidationRow = (symbol, row) => ({
    row: 'liquidation',
    symbol,
    time: row.timeMs,
    side: row.isLong ? 'long' : 'short',
    price: formatDecimal(row.price),
    quantity: formatDecimal(row.quantity),
    value: formatDecimal(row.value),
});

const byTime = (rows) => [...rows].sort((a, b) => a.time - b.time);

const tellsQuote = ({ name }) => name !== 'hyperliquid';
const tellsValue = ({ name }) => name === 'binance' || name === 'okx';

function assertObeyed(standIn) {
    assert.deepEqual(standIn.record.violations, []);
}

for (const definition of [binance, bybit, okx, hyperliquid])
    describe(definition.name, () => {
        for (const newest of [false, true])
            test(`three days of candles come page by page, the ${newest ? 'newest' : 'oldest'} first`, async (t) => {
                const { clock, standIn, client } = await begin(t, definition);
                const now = clock.now();
                const end = floorTime(now) + candleMs;
                const start = end - 3 * 24 * hourMs;
                for (const symbol of symbols) {
                    const { rows, requests } = await client.pages('candles', {
                        symbol,
                        start,
                        end,
                        newest,
                    });
                    const truth = standIn.market(symbol).candles(start, end, now);
                    const expected = truth.map((c) => candleRow(symbol, c, tellsQuote(definition)));
                    assert.deepEqual(byTime(rows), expected);
                    assert.deepEqual(
                        requests.map((request) => request.start),
                        requests
                            .map((request) => request.start)
                            .sort((a, b) => (newest ? b - a : a - b)),
                    );
                    assert.equal(standIn.record.candles(standIn.native(symbol)).length, 863);
                }
                assertObeyed(standIn);
            });

        test('a day of open interest comes with its states, or cannot be had', async (t) => {
            const { clock, standIn, client } = await begin(t, definition);
            const end = floorTime(clock.now()) + candleMs;
            const start = end - 24 * hourMs;
            for (const symbol of symbols) {
                const { rows, requests } = await client.pages('history', { symbol, start, end });
                const market = standIn.market(symbol);
                const expected = [];
                for (let time = start; time < end && requests.length > 0; time += candleMs)
                    expected.push({
                        row: 'interest',
                        symbol,
                        time,
                        isLabel: tellsValue(definition),
                        contracts: formatDecimal(market.interest(time).contracts),
                        value: tellsValue(definition)
                            ? formatDecimal(market.interest(time).value)
                            : null,
                    });
                assert.equal(requests.length > 0, definition.name !== 'hyperliquid');
                assert.deepEqual(byTime(rows), expected);
            }
            assertObeyed(standIn);
        });

        test('open interest as it is comes for each symbol', async (t) => {
            const { clock, standIn, client } = await begin(t, definition);
            for (const symbol of symbols) {
                const { rows } = await client.ask('now', { symbol });
                const { contracts } = standIn.market(symbol).interest(clock.now());
                const found = rows.filter((row) => row.symbol === symbol);
                const interest = found.find(({ row }) => row === 'interest');
                assert.equal(interest.contracts, formatDecimal(contracts));
                assert.equal(interest.time, clock.now());
                assert.equal(interest.isLabel, false);
                for (const price of found.filter(({ row }) => row === 'price'))
                    assert.equal(
                        price.price,
                        formatDecimal(standIn.market(symbol).mark(clock.now())),
                    );
            }
            assertObeyed(standIn);
        });

        test('the list of instruments has all of them, with the sizes of their contracts', async (t) => {
            const { standIn, client } = await begin(t, definition, { pageSize: 1 });
            const rows = [];
            let cursor = '';
            do {
                const page = await client.ask('instruments', { cursor });
                assert.equal(page.verdict, 'ok', page.message);
                rows.push(...page.rows);
                cursor = page.cursor;
            } while (cursor !== '');
            assert.deepEqual(
                rows,
                [...standIn.instruments.values()].map((instrument) => ({
                    row: 'instrument',
                    symbol: instrument.native,
                    contract: formatDecimal(
                        instrument.contract * 10n ** BigInt(instrument.bundleDigits),
                    ),
                    listed: definition.name === 'hyperliquid' ? 0 : instrument.market.startMs,
                    isTrading: true,
                })),
            );
            assertObeyed(standIn);
        });

        test('candles are followed as they form, and close once each', async (t) => {
            const { clock, standIn, client } = await begin(t, definition, { scale: 900 });
            const stream = await client.follow('candles', symbols);
            const isClosing = definition.name !== 'hyperliquid';
            const finals = (symbol) =>
                stream.rows.filter((row) => row.symbol === symbol && row.isClosed);
            const openings = (symbol) =>
                new Set(stream.rows.filter((row) => row.symbol === symbol).map(({ time }) => time));
            await eventually('six candles', () =>
                symbols.every((symbol) => openings(symbol).size > 6),
            );
            clock.setScale(0);
            for (const symbol of symbols) {
                const market = standIn.market(symbol);
                const closed = [...openings(symbol)].sort().slice(0, -1);
                const expected = closed.map((time) =>
                    candleRow(symbol, market.candle(time), isClosing),
                );
                const last = (time) =>
                    stream.rows.findLast((row) => row.symbol === symbol && row.time === time);
                if (isClosing) assert.deepEqual(finals(symbol), expected);
                else
                    assert.deepEqual(
                        closed.map(last),
                        expected.map((row) => ({ ...row, isClosed: false })),
                    );
                assert.deepEqual(closed, [...new Set(closed)]);
            }
            assert.ok(stream.rows.some((row) => !row.isClosed));
            assert.ok(stream.outcomes.some(({ kind }) => kind === 'acknowledged'));
            assertObeyed(standIn);
        });

        test('the mark price and open interest are followed', async (t) => {
            const { clock, standIn, client } = await begin(t, definition, { scale: 300 });
            const stream = await client.follow('ticker', symbols);
            const rowsOf = (kind) => stream.rows.filter(({ row }) => row === kind);
            await eventually('prices', () => rowsOf('price').length > 10);
            clock.setScale(0);
            for (const row of rowsOf('price')) {
                const served = standIn.market(row.symbol).mark(row.time);
                // Hyperliquid tells no time, and a step may pass on the way.
                if (definition.name !== 'hyperliquid')
                    assert.equal(row.price, formatDecimal(served), `${row.time}`);
            }
            const states = rowsOf('interest');
            assert.equal(states.length > 0, definition.name !== 'binance');
            const served = symbols.flatMap((symbol) =>
                standIn.record.interest(standIn.native(symbol)),
            );
            const known = new Set(served.map(({ contracts }) => formatDecimal(contracts)));
            for (const row of states) assert.ok(known.has(row.contracts), row.contracts);
            assertObeyed(standIn);
        });

        test('liquidations are those of the market, with the side of the position', async (t) => {
            const { clock, standIn, client } = await begin(t, definition, { scale: 600 });
            const stream = await client.follow('liquidations', symbols);
            assert.equal(stream === undefined, definition.name === 'hyperliquid');
            if (!stream) return;
            const found = () => stream.rows.filter(({ row }) => row === 'liquidation');
            await eventually('liquidations', () => found().length > 20);
            clock.setScale(0);
            standIn.push();
            const served = () =>
                symbols.flatMap((symbol) =>
                    standIn.record
                        .liquidations(standIn.native(symbol))
                        .map((row) => liquidationRow(symbol, row)),
                );
            await eventually('all of them', () => found().length >= served().length);
            const key = (row) => `${row.time} ${row.symbol} ${row.price} ${row.quantity}`;
            const sorted = (rows) => [...rows].sort((a, b) => (key(a) < key(b) ? -1 : 1));
            assert.deepEqual(sorted(found()), sorted(served()));
            assert.deepEqual(new Set(found().map(({ side }) => side)), new Set(['long', 'short']));
            assertObeyed(standIn);
        });

        test('its application pings are answered, where it wants them', async (t) => {
            const { client, standIn } = await begin(t, definition);
            const stream = await client.follow('candles', symbols);
            if (stream.ping === '') return;
            stream.webSocket.send(stream.ping);
            await eventually('a pong', () => stream.outcomes.some(({ kind }) => kind === 'pong'));
            assertObeyed(standIn);
        });

        test('it is the same over TLS', async (t) => {
            const tls = await makePair(await scratch(t), 'exchange');
            const { standIn } = await begin(t, definition, { tls });
            assert.match(standIn.restUrl, /^https:/);
            assert.match(standIn.wsUrl, /^wss:/);
            assert.deepEqual(Object.values(standIn.env), [standIn.restUrl, standIn.wsUrl]);
        });

        describe('refusals and faults', () => {
            const start = Date.parse('2025-12-08T06:00:00Z');
            const page = { symbol: 'BTCUSDT', start, end: start + 12 * candleMs };
            const truth = (standIn) =>
                standIn
                    .market('BTCUSDT')
                    .candles(page.start, page.end)
                    .map((c) => candleRow('BTCUSDT', c, tellsQuote(definition)));

            // The verdict of each, and how many of the twelve rows are left.
            const answers = [
                [{ kind: 'http', status: 429, retryAfter: 3 }, 'rate limited'],
                [{ kind: 'http', status: 500 }, 'unavailable'],
                [{ kind: 'http', status: 503, body: '<html>' }, 'unavailable'],
                [{ kind: 'blocked' }, 'blocked'],
                [{ kind: 'firewall' }, 'blocked'],
                [{ kind: 'html' }, 'broken'],
                [{ kind: 'cut-json' }, 'broken'],
                [{ kind: 'empty' }, 'ok', 0],
                [{ kind: 'hole' }, 'ok', 11],
                [{ kind: 'numbers' }, 'ok', 12],
                [{ kind: 'texts' }, 'ok', 12],
                [{ kind: 'reverse' }, 'ok', 12],
                [{ kind: 'disorder' }, 'ok', 12],
                [{ kind: 'duplicate' }, 'ok', 13],
                [{ kind: 'without-last' }, 'ok', 11],
                [{ kind: 'skew', ms: 30_000 }, 'ok', 12],
                [{ kind: 'slow', realMs: 30 }, 'ok', 12],
                [{ kind: 'impossible', how: 'price' }, 'ok', 11, 1],
                [{ kind: 'impossible', how: 'negative' }, 'ok', 11, 1],
                [{ kind: 'impossible', how: 'no-number' }, 'ok', 11, 1],
                [{ kind: 'impossible', how: 'future' }, 'ok', 11, 1],
                [{ kind: 'impossible', how: 'off-grid' }, 'ok', 11, 1],
            ];
            for (const [fault, verdict, left, refused = 0] of answers)
                test(`${Object.values(fault).join(' ')}: ${verdict}`, async (t) => {
                    const { standIn, client } = await begin(t, definition);
                    standIn.faults.add({ on: 'rest', ...fault });
                    const answer = await client.ask('candles', page);
                    assert.equal(answer.verdict, verdict, answer.message);
                    assert.equal(answer.taken, left ?? 0);
                    assert.equal(answer.refused, refused);
                    const expected = truth(standIn);
                    for (const row of answer.rows.filter(({ row }) => row !== 'refused'))
                        assert.deepEqual(
                            row,
                            expected.find(({ time }) => time === row.time),
                        );
                    assert.equal(standIn.record.requests.at(-1).faults[0], fault.kind);
                    const native = standIn.native('BTCUSDT');
                    const distinct = new Set(answer.rows.map(({ time }) => time).filter(Boolean));
                    assert.equal(standIn.record.candles(native).length, distinct.size);
                });

            test('a symbol that it does not know is told by name', async (t) => {
                const { standIn, client } = await begin(t, definition);
                const native = standIn.native('BTCUSDT');
                const instrument = standIn.instruments.get(native);
                standIn.instruments.delete(native);
                standIn.instruments.set('ANOTHER', { ...instrument, native: 'ANOTHER', name: 'X' });
                const { verdict } = await client.askOf('candles', native, page);
                assert.equal(verdict, 'no such symbol');
            });

            test('rows of another symbol are refused', async (t) => {
                const { standIn, client } = await begin(t, definition);
                if (definition.name === 'okx' || definition.name === 'binance') return; // do not say
                standIn.faults.add({ on: 'rest', kind: 'other-symbol' });
                const answer = await client.ask('candles', page);
                assert.equal(answer.verdict, 'ok');
                assert.equal(answer.taken, 0);
                assert.ok(answer.refused > 0);
            });

            test('messages that are harmed are faults or refused, and others go on', async (t) => {
                const { clock, standIn, client } = await begin(t, definition, { scale: 600 });
                const kinds = ['cut', 'garbage', 'impossible', 'duplicate', 'late', 'drop'];
                kinds.forEach((kind, index) =>
                    standIn.faults.add({ on: 'stream', kind, after: 2 * index }),
                );
                const stream = await client.follow('candles', ['BTCUSDT']);
                const native = standIn.native('BTCUSDT');
                await eventually(
                    'rows',
                    () => standIn.record.candles(native).length > 6 || stream.rows.length > 40,
                );
                clock.setScale(0);
                const market = standIn.market('BTCUSDT');
                for (const row of stream.rows.filter(({ isClosed }) => isClosed))
                    assert.deepEqual(row, candleRow('BTCUSDT', market.candle(row.time)));
                assert.ok(stream.outcomes.some(({ kind }) => kind === 'fault'));
                assert.ok(stream.rows.some(({ row }) => row === 'refused'));
                assertObeyed(standIn);
            });
        });
    });
