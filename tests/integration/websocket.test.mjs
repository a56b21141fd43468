// The stream: docs/protocol.md, "WebSocket: `/ws/heatmap`".
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { connectFor, refusal } from '../support/client.mjs';
import { assertSnapshot } from '../support/compare.mjs';
import { get } from '../support/http.mjs';
import { candleMs, cutMarket, importMarkets, makeMarket } from '../support/market.mjs';
import { expectedSnapshot } from '../support/survival.mjs';
import { eventually, makeFolder, removeFolder, scratch, sleep } from '../support/process.mjs';
import { serveFor, serveForAll, startServer } from '../support/server.mjs';

const bitcoin = makeMarket({ candles: 300 });
const ether = makeMarket({ symbol: 'ETHUSDT', price: '2950', candles: 200, seed: 2 });
const subscribe = (...symbols) => ({ action: 'subscribe', symbols });
const unsubscribe = (...symbols) => ({ action: 'unsubscribe', symbols });

async function subscriptions(server) {
    return (await get(`${server.url}/ws/stats`)).json().subscriptions_by_symbol;
}

describe('the stream of a market that stands still', () => {
    let folder;
    let server;

    before(async () => {
        folder = await makeFolder();
        const database = join(folder, 'market.duckdb');
        await importMarkets(folder, database, bitcoin, ether);
        server = await startServer({
            database,
            args: ['--ws-update-interval', '0.2', '--symbols', 'BTCUSDT,ETHUSDT,NEWUSDT'],
        });
    });
    after(async () => {
        assert.equal(await server.stop(), 0);
        await removeFolder(folder);
    });

    const connect = (t, query = '') => connectFor(t, server.wsUrl + query);

    describe('subscribing', () => {
        test('is silent but for the current snapshot, which follows at once', async (t) => {
            const client = await connect(t);
            client.send(subscribe('BTCUSDT'));
            const message = await client.next();
            assertSnapshot(message, 'BTCUSDT', expectedSnapshot(bitcoin));
            assert.ok(message.epoch > 1_600_000_000_000 && message.seq >= 1);
            await client.settle();
            assert.deepEqual(client.waiting, []);
        });

        test('to several symbols brings a snapshot of each', async (t) => {
            const client = await connect(t);
            client.send(subscribe('ETHUSDT', 'BTCUSDT'));
            assertSnapshot(
                await client.nextSnapshot('BTCUSDT'),
                'BTCUSDT',
                expectedSnapshot(bitcoin),
            );
            assertSnapshot(
                await client.nextSnapshot('ETHUSDT'),
                'ETHUSDT',
                expectedSnapshot(ether),
            );
        });

        test('a late subscriber gets the same bytes as HTTP, at once', async (t) => {
            const first = await connect(t);
            first.send(subscribe('BTCUSDT'));
            await first.nextSnapshot('BTCUSDT');
            const late = await connect(t);
            late.send(subscribe('BTCUSDT'));
            await late.nextSnapshot('BTCUSDT');
            const { text } = await get(`${server.url}/api/v1/heatmap/BTCUSDT`);
            assert.equal(late.texts[0], text);
            assert.equal(first.texts[0], text);
        });

        test('twice is harmless', async (t) => {
            const client = await connect(t);
            client.send(subscribe('BTCUSDT'));
            await client.nextSnapshot('BTCUSDT');
            client.send(subscribe('BTCUSDT', 'BTCUSDT'));
            client.send({ ...subscribe('BTCUSDT'), update_interval: 5 });
            await client.settle();
            assert.equal(
                client.received.some((m) => m.type === 'error'),
                false,
            );
            assert.equal((await subscriptions(server)).BTCUSDT, 1);
            client.send(unsubscribe('BTCUSDT'));
            await client.settle();
            assert.equal((await subscriptions(server)).BTCUSDT, 0, 'one unsubscribe ends it');
        });

        test('is possible in the address', async (t) => {
            const client = await connect(t, '?symbols=BTCUSDT,ETHUSDT');
            await client.nextSnapshot('BTCUSDT');
            await client.nextSnapshot('ETHUSDT');
            const encoded = await connect(t, '?symbols=ETHUSDT%2CXYZUSDT');
            await encoded.nextSnapshot('ETHUSDT');
            assert.equal((await encoded.nextError()).code, 'INVALID_SYMBOL');
        });

        test('to a symbol without data is no error; HTTP says NO_DATA meanwhile', async (t) => {
            const client = await connect(t);
            client.send({ ...subscribe('NEWUSDT'), id: 1 });
            assert.equal((await client.next()).type, 'ack');
            await sleep(600); // a few ticks
            await client.settle();
            assert.deepEqual(client.waiting, []);
            assert.equal((await get(`${server.url}/api/v1/heatmap/NEWUSDT`)).status, 404);
        });

        test('ends with unsubscribe, also for symbols that were not subscribed', async (t) => {
            const client = await connect(t, '?symbols=BTCUSDT,ETHUSDT');
            await client.nextSnapshot('BTCUSDT');
            client.send({ ...unsubscribe('BTCUSDT', 'NEWUSDT'), id: 'u' });
            const ack = await client.next((m) => m.type === 'ack');
            assert.deepEqual(ack, {
                type: 'ack',
                id: 'u',
                action: 'unsubscribe',
                symbols: ['BTCUSDT', 'NEWUSDT'],
            });
            assert.deepEqual(await subscriptions(server), { BTCUSDT: 0, ETHUSDT: 1, NEWUSDT: 0 });
        });

        test('ends with the connection', async (t) => {
            const client = await connect(t, '?symbols=BTCUSDT');
            await client.nextSnapshot('BTCUSDT');
            assert.equal((await client.close()).code, 1000);
            await eventually(
                'no subscription is left',
                async () => (await subscriptions(server)).BTCUSDT === 0,
            );
        });

        test('a client with two symbols is one connection', async (t) => {
            const client = await connect(t, '?symbols=BTCUSDT,ETHUSDT');
            await client.nextSnapshot('ETHUSDT');
            await eventually('the stats show it', async () => {
                const stats = (await get(`${server.url}/ws/stats`)).json();
                return (
                    stats.active_connections === 1 && stats.subscriptions_by_symbol.ETHUSDT === 1
                );
            });
        });
    });

    test('nothing is broadcast while nothing changes', async (t) => {
        const client = await connect(t, '?symbols=BTCUSDT');
        const first = await client.nextSnapshot('BTCUSDT');
        await sleep(1500); // several ticks
        const late = await connect(t, '?symbols=BTCUSDT');
        assert.equal((await late.nextSnapshot('BTCUSDT')).seq, first.seq);
        await client.settle();
        assert.equal(client.snapshots('BTCUSDT').length, 1);
    });

    describe('requests', () => {
        test('ping is answered with pong and the time', async (t) => {
            const client = await connect(t);
            client.send({ action: 'ping' });
            const pong = await client.next();
            assert.equal(pong.type, 'pong');
            assert.match(pong.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
            assert.ok(Math.abs(Date.parse(pong.timestamp) - Date.now()) < 60_000);
        });

        test('with an id, string or integer, are acknowledged; without one they are not', async (t) => {
            const client = await connect(t);
            for (const id of [7, -3, 0, 9007199254740991, 'seven', '', 'ü "quoted" \u0001']) {
                client.send({ ...subscribe('BTCUSDT'), id });
                assert.deepEqual(await client.next((m) => m.type === 'ack'), {
                    type: 'ack',
                    id,
                    action: 'subscribe',
                    symbols: ['BTCUSDT'],
                });
            }
            client.send({ ...subscribe('BTCUSDT') });
            await client.settle();
            assert.equal(
                client.waiting.some((m) => m.type === 'ack'),
                false,
            );
        });

        test('ping may carry an id as well', async (t) => {
            const client = await connect(t);
            client.send({ action: 'ping', id: 'p' });
            const ack = await client.next((m) => m.type === 'ack');
            assert.deepEqual([ack.id, ack.action], ['p', 'ping']);
            await client.next((m) => m.type === 'pong');
        });

        test('unknown fields are ignored', async (t) => {
            const client = await connect(t);
            client.send({ ...subscribe('BTCUSDT'), compression: 'none', nested: { a: [1] } });
            await client.nextSnapshot('BTCUSDT');
            assert.equal(client.received.length, 1);
        });
    });

    describe('errors', () => {
        test('an unknown symbol is INVALID_SYMBOL, with the text and the id of the protocol', async (t) => {
            const client = await connect(t);
            client.send({ ...subscribe('XYZUSDT'), id: 9 });
            assert.deepEqual(await client.nextError(), {
                type: 'error',
                code: 'INVALID_SYMBOL',
                message: "Symbol 'XYZUSDT' not supported. Valid: BTCUSDT, ETHUSDT, NEWUSDT",
                id: 9,
            });
        });

        test('in a list with unknown symbols the known ones are subscribed, and one error names the others', async (t) => {
            const client = await connect(t);
            client.send({
                ...subscribe('XYZUSDT', 'BTCUSDT', 'btcusdt', 'ETHUSDT', ''),
                id: 'mixed',
            });
            await client.nextSnapshot('BTCUSDT');
            await client.nextSnapshot('ETHUSDT');
            assert.deepEqual(await client.nextError(), {
                type: 'error',
                code: 'INVALID_SYMBOL',
                message:
                    "Symbols 'XYZUSDT', 'btcusdt' and '' not supported. Valid: BTCUSDT, ETHUSDT, NEWUSDT",
                id: 'mixed',
            });
            const ack = await client.next((m) => m.type === 'ack');
            assert.deepEqual(ack.symbols, ['BTCUSDT', 'ETHUSDT']);
            assert.deepEqual(client.waiting, []);
        });

        test('a message full of unknown symbols does not cost the connection', async (t) => {
            const client = await connect(t, '?symbols=BTCUSDT');
            await client.nextSnapshot('BTCUSDT');
            for (const [symbols, code, message] of [
                [Array(1300).fill(''), 'INVALID_SYMBOL', "Symbol '' not supported"],
                [
                    Array.from({ length: 64 }, (_, i) => `UNKNOWN-SYMBOL-${i}`),
                    'INVALID_SYMBOL',
                    "Symbols 'UNKNOWN-SYMBOL-0', 'UNKNOWN-SYMBOL-1', 'UNKNOWN-SYMBOL-2' and 61 more",
                ],
                [
                    Array.from({ length: 180 }, (_, i) => `UNKNOWN-SYMBOL-${i}`),
                    'INVALID_SYMBOL',
                    "Symbols 'UNKNOWN-SYMBOL-0', 'UNKNOWN-SYMBOL-1', 'UNKNOWN-SYMBOL-2' and 177 more",
                ],
            ]) {
                client.send({ action: 'subscribe', symbols });
                const error = await client.nextError();
                assert.equal(error.code, code);
                assert.ok(error.message.includes(message), error.message);
            }
            await client.settle();
            assert.deepEqual(client.waiting, [], 'one error a message');
            assert.equal((await subscriptions(server)).BTCUSDT, 1);
        });

        test('long names of many bytes a character are quoted in valid UTF-8', async (t) => {
            const client = await connect(t);
            for (let shift = 0; shift < 4; shift++) {
                const name = 'x'.repeat(shift) + '😀'.repeat(30);
                client.send(subscribe(name));
                assert.equal((await client.next()).code, 'INVALID_SYMBOL');
                client.send({ action: name });
                assert.equal((await client.next()).code, 'INVALID_ACTION');
                client.send(`{"action": ${name}`);
                assert.equal((await client.next()).code, 'INVALID_MESSAGE');
            }
            await client.settle();
        });

        test('an unknown action is INVALID_ACTION', async (t) => {
            const client = await connect(t);
            client.send({ action: 'dance', id: 1 });
            const error = await client.nextError();
            assert.deepEqual([error.code, error.id], ['INVALID_ACTION', 1]);
            assert.match(error.message, /subscribe.*unsubscribe.*ping/);
        });

        const malformed = {
            'no JSON': [
                '{',
                '',
                'hello',
                '{"action":"ping"',
                "{'action':'ping'}",
                '{"action":"ping"} x',
                '\u0000',
            ],
            'no object': ['[]', '"ping"', '1', 'null', '[{"action":"ping"}]'],
            'no action': ['{}', '{"symbols":["BTCUSDT"]}'],
            'an action that is no string': [
                '{"action":1}',
                '{"action":null}',
                '{"action":["ping"]}',
            ],
            'symbols that are no list of strings': [
                '{"action":"subscribe"}',
                '{"action":"subscribe","symbols":"BTCUSDT"}',
                '{"action":"subscribe","symbols":[]}',
                '{"action":"subscribe","symbols":[1]}',
                '{"action":"subscribe","symbols":{"0":"BTCUSDT"}}',
                '{"action":"subscribe","symbols":[["BTCUSDT"]]}',
                '{"action":"unsubscribe"}',
            ],
            'an update_interval that is no number': [
                '{"action":"subscribe","symbols":["BTCUSDT"],"update_interval":"5"}',
                '{"action":"subscribe","symbols":["BTCUSDT"],"update_interval":[5]}',
            ],
            'an id of another type': [
                '{"action":"ping","id":{}}',
                '{"action":"ping","id":1.5}',
                '{"action":"ping","id":true}',
            ],
            'an id that is too long': [`{"action":"ping","id":"${'i'.repeat(65)}"}`],
        };
        for (const [what, messages] of Object.entries(malformed))
            test(`${what} is INVALID_MESSAGE, and disturbs nothing`, async (t) => {
                const client = await connect(t, '?symbols=ETHUSDT');
                await client.nextSnapshot('ETHUSDT');
                for (const message of messages) {
                    client.send(message);
                    assert.equal((await client.next()).code, 'INVALID_MESSAGE', message);
                }
                await client.settle();
                assert.deepEqual(client.waiting, []);
                assert.deepEqual(await subscriptions(server), {
                    BTCUSDT: 0,
                    ETHUSDT: 1,
                    NEWUSDT: 0,
                });
            });

        test('an error carries the id of the request that caused it', async (t) => {
            const client = await connect(t);
            for (const [message, code] of [
                [{ action: 'subscribe', id: 'a' }, 'INVALID_MESSAGE'],
                [{ id: 'b' }, 'INVALID_MESSAGE'],
                [
                    { action: 'subscribe', symbols: ['BTCUSDT'], update_interval: 'x', id: 'c' },
                    'INVALID_MESSAGE',
                ],
            ]) {
                client.send(message);
                const error = await client.nextError();
                assert.deepEqual([error.code, error.id], [code, message.id]);
            }
        });

        test('a binary message is INVALID_MESSAGE', async (t) => {
            const client = await connect(t);
            client.send(Buffer.from('{"action":"ping"}'));
            assert.equal((await client.next()).code, 'INVALID_MESSAGE');
            await client.settle();
        });

        test('deep nesting is an error and no crash', async (t) => {
            const client = await connect(t);
            client.send('['.repeat(4000));
            assert.equal((await client.next()).code, 'INVALID_MESSAGE');
            client.send(`{"action":"ping","x":${'['.repeat(1900)}${']'.repeat(1900)}}`);
            const answer = await client.next();
            assert.ok(answer.type === 'pong' || answer.code === 'INVALID_MESSAGE');
        });
    });

    describe('limits', () => {
        test('a message of 4096 bytes is read, one byte more closes with 1009', async (t) => {
            const client = await connect(t);
            const pad = (size) => '{"action":"ping"'.padEnd(size - 1) + '}';
            client.send(pad(4096));
            assert.equal((await client.next()).type, 'pong');
            client.send(pad(4097));
            assert.equal((await client.closed).code, 1009);
        });

        test('5 MB close only the connection that sent them, with 1009', async (t) => {
            const bystander = await connect(t, '?symbols=BTCUSDT');
            await bystander.nextSnapshot('BTCUSDT');
            const client = await connect(t);
            client.send('x'.repeat(5 * 1024 * 1024));
            assert.equal((await client.closed).code, 1009);
            await bystander.settle();
        });

        test('more than 10 messages a second are RATE_LIMITED by their ids, and the connection stands', async (t) => {
            const client = await connect(t, '?symbols=BTCUSDT');
            await client.nextSnapshot('BTCUSDT');
            for (let id = 0; id < 60; id++) client.send({ action: 'ping', id });
            const isOutcome = (m) => m.type === 'ack' || m.code === 'RATE_LIMITED';
            const outcomes = [];
            for (let i = 0; i < 60; i++) outcomes.push(await client.next(isOutcome));
            const accepted = outcomes.filter((m) => m.type === 'ack').length;
            assert.ok(accepted >= 20 && accepted < 60, `${accepted} accepted`);
            assert.deepEqual(
                outcomes.map((m) => m.id),
                Array.from({ length: 60 }, (_, id) => id),
                'each message is acknowledged or refused by its id',
            );
            await sleep(1200);
            await client.settle();
            assert.equal((await subscriptions(server)).BTCUSDT, 1);
        });

        test('a client that does not stop is closed with 1008, and no other one is', async (t) => {
            const bystander = await connect(t);
            const client = await connect(t);
            const flood = setInterval(() => {
                for (let i = 0; i < 50; i++) client.send({ action: 'ping' });
            }, 20);
            t.after(() => clearInterval(flood));
            assert.equal((await client.closed).code, 1008);
            clearInterval(flood);
            await bystander.settle();
        });

        test('symbols in the address that are wrongly encoded are 400', async () => {
            const { status, body } = await refusal(`${server.wsUrl}?symbols=%G1`);
            assert.equal(status, 400);
            assert.ok(JSON.parse(body).error.message.includes('symbols'));
        });

        test('as many symbols as fit into an address are taken, each once', async (t) => {
            const client = await connect(t, `?symbols=${'BTCUSDT,'.repeat(900)}`);
            await client.nextSnapshot('BTCUSDT');
            await client.settle();
            assert.deepEqual(client.waiting, []);
        });
    });
});

describe('the stream of a market that moves', () => {
    const whole = makeMarket({ candles: 320 });
    const cut = whole.candles[300].time;

    async function setUp(t, args = []) {
        const folder = await scratch(t);
        const database = join(folder, 'market.duckdb');
        await importMarkets(folder, database, cutMarket(whole, 0, cut), ether);
        const server = await serveFor(t, {
            database,
            args: ['--ws-update-interval', '0.2', ...args],
        });
        let until = cut;
        // Brings in the next candles, and returns what the server must then say.
        const grow = async (count = 1) => {
            const from = until;
            until += count * candleMs;
            await importMarkets(folder, database, cutMarket(whole, from, until));
            return expectedSnapshot(cutMarket(whole, 0, until));
        };
        return { folder, database, server, grow };
    }

    test('new data brings a new snapshot with the next seq, to the subscribers of its symbol', async (t) => {
        const { server, grow } = await setUp(t);
        const client = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT,ETHUSDT`);
        let last = await client.nextSnapshot('BTCUSDT');
        await client.nextSnapshot('ETHUSDT');
        for (let i = 0; i < 3; i++) {
            const expected = await grow();
            const message = await client.nextSnapshot(
                'BTCUSDT',
                (m) => m.timestamp === expected.timestamp,
            );
            assertSnapshot(message, 'BTCUSDT', expected);
            assert.equal(message.epoch, last.epoch);
            assert.ok(message.seq > last.seq);
            last = message;
        }
        const seqs = client.snapshots('BTCUSDT').map((m) => m.seq);
        seqs.forEach((seq, i) => assert.equal(seq, seqs[0] + i, 'seq rises by one'));
        assert.equal(client.snapshots('ETHUSDT').length, 1, 'the other symbol has not changed');
        const { text } = await get(`${server.url}/api/v1/heatmap/BTCUSDT`);
        assert.equal(JSON.parse(text).seq, last.seq);
        assert.ok(client.texts.includes(text));
        const { data } = (
            await get(`${server.url}/api/v1/heatmap/BTCUSDT/history?window=1h`)
        ).json();
        assert.equal(data.at(-1).timestamp, last.timestamp, 'histories are as fresh');
    });

    test('a file that is written without a visible change brings nothing', async (t) => {
        const { folder, database, server, grow } = await setUp(t);
        const client = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
        const first = await client.nextSnapshot('BTCUSDT');
        const looks = async () => {
            const { text } = await get(`${server.url}/metrics`);
            const count = (name) =>
                Number(new RegExp(`^heatcast_generator_${name} (\\d+)$`, 'm').exec(text)[1]);
            return count('ticks_total') - count('skipped_total\\{reason="unchanged"\\}');
        };
        const before = await looks();
        await importMarkets(folder, database, makeMarket({ symbol: 'OTHERUSDT', candles: 10 }));
        await eventually(
            'the generator has looked at the new file',
            async () => (await looks()) > before,
        );
        await sleep(600);
        const late = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
        assert.equal((await late.nextSnapshot('BTCUSDT')).seq, first.seq);
        await client.settle();
        assert.equal(client.snapshots('BTCUSDT').length, 1);
        const expected = await grow();
        await client.nextSnapshot('BTCUSDT', (m) => m.timestamp === expected.timestamp);
        assert.equal(client.snapshots('BTCUSDT')[1].seq, first.seq + 1, 'no number was used up');
    });

    test('who unsubscribed gets nothing more; who subscribes again gets the current one at once', async (t) => {
        const { server, grow } = await setUp(t);
        const stays = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
        const leaves = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
        await stays.nextSnapshot('BTCUSDT');
        await leaves.nextSnapshot('BTCUSDT');
        leaves.send(unsubscribe('BTCUSDT'));
        await leaves.settle();
        const expected = await grow();
        await stays.nextSnapshot('BTCUSDT', (m) => m.timestamp === expected.timestamp);
        await leaves.settle();
        assert.equal(leaves.snapshots('BTCUSDT').length, 1);
        leaves.send(subscribe('BTCUSDT'));
        assertSnapshot(await leaves.nextSnapshot('BTCUSDT'), 'BTCUSDT', expected);
    });

    test('a symbol without subscribers for a while is brought up to date for the next subscriber', async (t) => {
        const { server, grow } = await setUp(t, ['--ws-update-interval', '1']);
        const first = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
        await first.nextSnapshot('BTCUSDT');
        await first.close();
        const expected = await grow();
        const second = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
        await second.nextSnapshot('BTCUSDT', (m) => m.timestamp === expected.timestamp);
        const seqs = second.snapshots('BTCUSDT').map((m) => m.seq);
        assert.deepEqual(
            seqs,
            [...seqs].sort((a, b) => a - b),
        );
    });

    test('the first data of a symbol reach those who waited for it', async (t) => {
        const { folder, database, server } = await setUp(t, ['--symbols', 'BTCUSDT,LATEUSDT']);
        const client = await connectFor(t, `${server.wsUrl}?symbols=LATEUSDT`);
        await client.settle();
        assert.equal((await get(`${server.url}/api/v1/heatmap/LATEUSDT`)).status, 404);
        const late = makeMarket({ symbol: 'LATEUSDT', price: '12.5', candles: 50, seed: 9 });
        await importMarkets(folder, database, late);
        const expected = expectedSnapshot(late);
        const isWhole = (m) => m.data.levels.length === expected.levels.length;
        assertSnapshot(await client.nextSnapshot('LATEUSDT', isWhole), 'LATEUSDT', expected);
    });

    test('update_interval is the least time between two snapshots, at least 1 s; the newest is sent', async (t) => {
        const { server, grow } = await setUp(t);
        const every = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
        await every.nextSnapshot('BTCUSDT');
        const seldom = await connectFor(t, server.wsUrl);
        const clamped = await connectFor(t, server.wsUrl);
        const times = { seldom: [], clamped: [] };
        for (const [name, client] of [
            ['seldom', seldom],
            ['clamped', clamped],
        ])
            client.socket.on('message', () => times[name].push(performance.now()));
        seldom.send({ ...subscribe('BTCUSDT'), update_interval: 2 });
        clamped.send({ ...subscribe('BTCUSDT'), update_interval: 0.001 });
        await seldom.nextSnapshot('BTCUSDT');
        await clamped.nextSnapshot('BTCUSDT');
        let expected;
        for (let i = 0; i < 6; i++) {
            expected = await grow();
            await every.nextSnapshot('BTCUSDT', (m) => m.timestamp === expected.timestamp);
        }
        for (const client of [seldom, clamped])
            assertSnapshot(
                await client.nextSnapshot('BTCUSDT', (m) => m.timestamp === expected.timestamp),
                'BTCUSDT',
                expected,
            );
        const gaps = (name) => times[name].slice(1).map((time, i) => time - times[name][i]);
        // Half a second of grace: what is measured is arrival, on a busy machine.
        for (const gap of gaps('seldom')) assert.ok(gap > 1500, `${gap} ms between two snapshots`);
        for (const gap of gaps('clamped')) assert.ok(gap > 500, `${gap} ms between two snapshots`);
        assert.ok(seldom.snapshots('BTCUSDT').length < every.snapshots('BTCUSDT').length);
        assert.deepEqual(
            seldom.received.filter((m) => m.type === 'warning'),
            [],
            'skipping is not slowness',
        );
    });

    test('a restarted server continues with a greater epoch', async (t) => {
        const { database, server } = await setUp(t);
        const before = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
        const first = await before.nextSnapshot('BTCUSDT');
        await server.stop();
        const again = await serveFor(t, { database });
        const after = await connectFor(t, `${again.wsUrl}?symbols=BTCUSDT`);
        const second = await after.nextSnapshot('BTCUSDT');
        assert.ok(second.epoch > first.epoch);
        assert.deepEqual(second.data, first.data);
    });

    test('hundreds of subscribers all get every snapshot, in order', async (t) => {
        const { server, grow } = await setUp(t);
        const clients = await Promise.all(
            Array.from({ length: 200 }, () => connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`)),
        );
        await Promise.all(clients.map((client) => client.nextSnapshot('BTCUSDT')));
        const expected = await grow(2);
        await Promise.all(
            clients.map((client) =>
                client.nextSnapshot('BTCUSDT', (m) => m.timestamp === expected.timestamp),
            ),
        );
        for (const client of clients) assert.deepEqual(client.texts, clients[0].texts);
        const stats = (await get(`${server.url}/ws/stats`)).json();
        assert.equal(stats.active_connections, 200);
        assert.equal(stats.messages_sent, clients[0].texts.length * 200);
        assert.equal(stats.slow_consumers, 0);
    });
});

describe('the log at the level debug', () => {
    const server = serveForAll({ args: ['--log-level', 'debug'] });

    test('says what clients subscribe to, and why they end', async (t) => {
        const client = await connectFor(t, server.wsUrl);
        client.send({ ...subscribe('BTCUSDT'), id: 1 });
        client.send({ ...unsubscribe('BTCUSDT'), id: 2 });
        await client.next((message) => message.id === 2);
        await client.close();
        await eventually('the end of the client', () =>
            server.logs().includes('client ended reason=client'),
        );
        const lines = server.logs();
        assert.match(lines, /debug subscribed symbol=BTCUSDT subscribers=1\n/);
        assert.match(lines, /debug unsubscribed symbol=BTCUSDT subscribers=0\n/);
    });
});
