// With the model `survival` a moment has one number: in every answer, over every range, in every
// interval, live, after a restart, on another server (docs/model.md).
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { connectFor } from '../support/client.mjs';
import { assertMoment, assertSnapshot } from '../support/compare.mjs';
import { get } from '../support/http.mjs';
import { candleMs, cutMarket, importMarkets, makeMarket } from '../support/market.mjs';
import { makeFolder, removeFolder, run } from '../support/process.mjs';
import { serveFor } from '../support/server.mjs';
import { expectedSnapshot, makeFlows, momentOf } from '../support/survival.mjs';

const dayMs = 86_400_000;
const lookbackMs = 2 * dayMs;
const env = { HEATMAP_MODEL: 'survival', HEATMAP_LOOKBACK: '2d' };
const iso = (ms) => new Date(ms).toISOString().replace('.000Z', 'Z');

// Thirty days of ranges, a lookback before them, and what a book begins before that.
const market = makeMarket({ candles: 37 * 288 + 100, seed: 7 });
const firstMs = market.candles[0].time;
const newestMs = market.candles.at(-1).time;
const flows = makeFlows(market);
const expected = (at) =>
    momentOf(
        'BTCUSDT',
        flows.filter((flow) => flow.time <= at && flow.time > at - lookbackMs),
        { lookbackMs },
    );

async function ask(args, database, settings = env) {
    const result = await run([...args, '--db', database], { env: settings });
    assert.equal(result.code, 0, result.stderr);
    return JSON.parse(result.stdout);
}

async function answer(server, path) {
    const { status, body } = await get(`${server.url}/api/v1/heatmap/BTCUSDT${path}`);
    assert.equal(status, 200, `${body}`.slice(0, 300));
    return JSON.parse(body);
}

// The levels at each moment of a history, as text.
const textsOf = ({ data }) => new Map(data.map((m) => [m.timestamp, JSON.stringify(m.levels)]));

// Which byte of a grid stands for a density (src/model/grid.h).
function byteOf(density, maxDensity) {
    if (!(density > 0)) return 0;
    const byte = 255 + 51 * Math.log10(density / maxDensity);
    return byte < 1 ? 1 : Math.min(255, byte);
}

// Each column of a grid that a history has, too, holds the levels of it.
function assertColumns(grid, history, label) {
    const moments = new Map(history.data.map((m) => [Date.parse(m.timestamp) / 1000, m]));
    const { rows, columns, price_min: low, bucket, max_density: max } = grid.meta;
    const cells = {
        long: Buffer.from(grid.long, 'base64'),
        short: Buffer.from(grid.short, 'base64'),
    };
    let compared = 0;
    grid.times.forEach((time, column) => {
        const moment = moments.get(time);
        if (!moment) return;
        const levels = new Map(moment.levels.map((l) => [l.price, l]));
        for (let row = 0; row < rows; row++)
            for (const side of ['long', 'short']) {
                const density = levels.get(low + row * bucket)?.[`${side}_density`] ?? 0;
                const byte = cells[side][row * columns + column];
                // Half a byte is rounding; a little more, the digits that the history shows.
                assert.ok(
                    Math.abs(byte - byteOf(density, max)) <= 0.5001,
                    `${label}: ${side} ${iso(time * 1000)} ${low + row * bucket}`,
                );
            }
        compared++;
    });
    assert.ok(compared > 10, `${label}: ${compared} columns`);
}

describe('a moment has one number', () => {
    let folder;
    let database;
    let recent; // the last two days, candle by candle

    before(async () => {
        folder = await makeFolder();
        database = join(folder, 'market.duckdb');
        await importMarkets(folder, database, market);
        recent = await history('--window', '2d');
    });
    after(() => removeFolder(folder));

    const history = (...args) =>
        ask(['history', '--symbol', 'BTCUSDT', '--bucket', '1000', ...args], database);
    const snapshot = (...args) => ask(['snapshot', '--symbol', 'BTCUSDT', ...args], database);

    test('which is that of the formula', async () => {
        const moments = (await ask(['history', '--window', '45m'], database)).data;
        assert.equal(moments.length, 10);
        for (const moment of moments) assertMoment(moment, expected(Date.parse(moment.timestamp)));
        for (const at of [newestMs, newestMs - 9 * dayMs, firstMs + 3.3 * dayMs])
            assertSnapshot(
                await snapshot('--at', iso(at)),
                'BTCUSDT',
                expected(at - ((at - firstMs) % candleMs)),
            );
    });

    test('and with turnover that of the formula, too', async () => {
        const found = await ask(
            ['snapshot', '--heatmap-turnover', '0.25', '--heatmap-lookback', '12h'],
            database,
        );
        const cut = cutMarket(market, newestMs - 6 * dayMs);
        const options = { turnover: 0.25, lookbackMs: dayMs / 2 };
        assertSnapshot(found, 'BTCUSDT', expectedSnapshot(cut, options));
    });

    test('in histories of all ranges, at every candle', async () => {
        const moments = textsOf(recent);
        assert.equal(moments.size, 2 * 288 + 1);
        for (const window of ['3d', '7d', '14d']) {
            const other = textsOf(await history('--window', window));
            assert.equal(other.size, Number.parseInt(window, 10) * 288 + 1);
            for (const [time, text] of moments)
                assert.equal(other.get(time), text, `${window} ${time}`);
        }
    });

    test('in longer intervals, which show it as their last five minutes end', async () => {
        const moments = textsOf(recent);
        for (const [interval, minutes, window] of [
            ['15m', 15, '30d'],
            ['30m', 30, '30d'],
            ['4h', 240, '7d'],
            ['1d', 1440, '30d'],
        ]) {
            const other = await history('--window', window, '--interval', interval);
            let compared = 0;
            for (const { timestamp, levels } of other.data) {
                const end = Math.min(Date.parse(timestamp) + (minutes - 5) * 60_000, newestMs);
                const text = moments.get(iso(end));
                if (text === undefined) continue;
                assert.equal(JSON.stringify(levels), text, `${interval} ${timestamp}`);
                compared++;
            }
            assert.ok(compared >= (2 * 1440) / minutes - 1, `${interval}: ${compared}`);
        }
    });

    test('what is created and consumed in an interval is what its candles say', async () => {
        const hours = await history('--window', '1d', '--interval', '1h');
        for (const hour of hours.data.slice(1)) {
            const start = Date.parse(hour.timestamp);
            const parts = recent.data.filter(
                (m) =>
                    Date.parse(m.timestamp) >= start && Date.parse(m.timestamp) < start + 3_600_000,
            );
            for (const name of ['positions_created', 'positions_consumed'])
                assert.equal(
                    hour[name],
                    parts.reduce((sum, part) => sum + part[name], 0),
                    `${name} ${hour.timestamp}`,
                );
        }
    });

    test('in maps of all ranges and of a part of one', async (t) => {
        const server = await serveFor(t, { database, env });
        for (const window of ['1h', '2d', '3d', '7d', '14d', '30d'])
            assertColumns(
                await answer(server, `/grid?window=${window}&bucket=1000`),
                recent,
                window,
            );
        const part = `shown_start=${iso(newestMs - dayMs)}&shown_end=${iso(newestMs - dayMs / 2)}`;
        assertColumns(await answer(server, `/grid?window=30d&bucket=1000&${part}`), recent, 'part');
    });

    test('for a moment that is asked for', async () => {
        const moments = textsOf(recent);
        for (const back of [0, 1, 37, 288, 500]) {
            const at = iso(newestMs - back * candleMs);
            const found = await snapshot('--at', at, '--heatmap-bucket', 'BTCUSDT:1000');
            assert.equal(JSON.stringify(found.data.levels), moments.get(at), at);
        }
    });

    test('live, over HTTP, after a restart and on another server', async (t) => {
        const command = await snapshot();
        const texts = [];
        for (let i = 0; i < 2; i++) {
            const server = await serveFor(t, { database, env });
            const client = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
            const pushed = await client.next((m) => m.type === 'snapshot');
            texts.push(JSON.stringify(pushed.data));
            texts.push(JSON.stringify((await answer(server, '')).data));
        }
        for (const text of texts) assert.equal(text, JSON.stringify(command.data));
    });

    test('of a group of tiers as well, and the groups add up to the whole', async (t) => {
        const server = await serveFor(t, { database, env });
        const groups = { low: [0, 20], medium: [20, 50], high: [50, 1000] };
        const found = {};
        for (const [name, [least, below]] of Object.entries(groups)) {
            const range = `bucket=1000&tiers=${name}`;
            found[name] = await answer(server, `/history?window=30h&${range}`);
            assert.equal(found[name].meta.tiers, name);
            const moments = textsOf(found[name]);
            for (const window of ['7d', '14d'])
                for (const [time, text] of textsOf(
                    await answer(server, `/history?window=${window}&interval=1h&${range}`),
                ))
                    if (Date.parse(time) > newestMs - 7_200_000)
                        assert.equal(
                            text,
                            moments.get(iso(Math.min(Date.parse(time) + 11 * candleMs, newestMs))),
                            `${name} ${window} ${time}`,
                        );
            for (const window of ['30h', '7d', '30d'])
                assertColumns(
                    await answer(server, `/grid?window=${window}&${range}`),
                    found[name],
                    `${name} ${window}`,
                );
            assertMoment(
                found[name].data.at(-1),
                momentOf(
                    'BTCUSDT',
                    flows.filter((flow) => flow.time > newestMs - lookbackMs),
                    {
                        lookbackMs,
                        bucket: 100_000_000_000n,
                        shows: (leverage) => leverage >= least && leverage < below,
                    },
                ),
            );
        }
        const whole = await answer(server, '/history?window=30h&bucket=1000');
        assert.equal(whole.meta.tiers, undefined);
        assert.deepEqual(
            (await answer(server, '/history?window=30h&bucket=1000&tiers=high,low,medium')).data,
            whole.data,
        );
        whole.data.forEach((moment, i) => {
            for (const level of moment.levels)
                for (const side of ['long_density', 'short_density']) {
                    const parts = Object.values(found).map(
                        ({ data }) =>
                            data[i].levels.find(({ price }) => price === level.price)?.[side] ?? 0,
                    );
                    const sum = parts.reduce((a, b) => a + b);
                    assert.ok(Math.abs(sum - level[side]) <= 1e-9 * level[side], moment.timestamp);
                }
        });
        const two = await answer(server, '/history?window=1h&bucket=1000&tiers=high,low');
        assert.equal(two.meta.tiers, 'low,high');
        const wrong = await get(`${server.url}/api/v1/heatmap/BTCUSDT/grid?tiers=25x`);
        assert.equal(wrong.status, 400);
        assert.match(
            wrong.json().error.message,
            /tiers: '25x' is not a list of low, medium and high/,
        );
    });

    test('`reference` is what it was, beside it', async (t) => {
        const asked = await snapshot('--model', 'reference');
        const configured = await ask(['snapshot'], database, {
            ...env,
            HEATMAP_MODEL: 'reference',
        });
        assert.deepEqual(asked, configured);
        assert.notDeepEqual(asked, await snapshot());
        const { meta } = await history('--window', '2h', '--model', 'reference');
        assert.equal(meta.known_from, undefined);
        const server = await serveFor(t, { database, env });
        const range = 'window=2h&bucket=1000';
        assert.deepEqual(
            (await answer(server, `/history?${range}&model=reference`)).data,
            (await history('--window', '2h', '--model', 'reference')).data,
        );
        assert.deepEqual(
            (await answer(server, `/history?${range}&model=survival`)).data,
            (await answer(server, `/history?${range}`)).data,
        );
        const refused = await get(`${server.url}/api/v1/heatmap/BTCUSDT/grid?model=oracle`);
        assert.equal(refused.status, 400);
        assert.match(refused.json().error.message, /model: 'oracle' is not a model/);
        const result = await run(['snapshot', '--model', 'oracle', '--db', database]);
        assert.equal(result.code, 2);
        assert.match(result.stderr, /--model: 'oracle' is not a model \(survival or reference\)/);
    });

    test('an answer says from when on it knows all that it has to', async (t) => {
        const server = await serveFor(t, { database, env });
        assert.equal(recent.meta.known_from, recent.meta.start_time);
        const start = firstMs + dayMs;
        const range = `start=${iso(start)}&end=${iso(start + 4 * dayMs)}`;
        const known = flows.find((flow) => flow.opened > 0 || flow.kept < 1).time;
        const from = iso(known + lookbackMs - candleMs);
        assert.equal((await answer(server, `/history?bucket=1000&${range}`)).meta.known_from, from);
        const grid = await answer(server, `/grid?bucket=1000&${range}&interval=1h`);
        assert.equal(grid.meta.known_from, `${from.slice(0, 13)}:00:00Z`);

        // A snapshot says so until then, and nothing from then on.
        const at = async (time, ...more) => (await snapshot('--at', iso(time), ...more)).data;
        const knownMs = Date.parse(from);
        assert.equal((await at(knownMs - candleMs)).known_from, from);
        assert.equal((await at(knownMs - dayMs)).known_from, from);
        assert.ok(!('known_from' in (await at(knownMs))));
        assert.ok(!('known_from' in (await at(knownMs - dayMs, '--model', 'reference'))));
    });
});

test('nothing is known without open interest', async (t) => {
    const folder = await makeFolder();
    t.after(() => removeFolder(folder));
    const database = join(folder, 'market.duckdb');
    const plain = { ...cutMarket(market, firstMs, firstMs + dayMs) };
    plain.interest = plain.interest.slice(0, 1);
    await importMarkets(folder, database, plain);
    const { data, meta } = await ask(['history', '--window', '1h'], database);
    assert.equal(meta.known_from, null);
    assert.equal((await ask(['snapshot'], database)).data.known_from, null);
    const server = await serveFor(t, { database, env });
    const client = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
    assert.equal((await client.next((m) => m.type === 'snapshot')).data.known_from, null);
    assert.deepEqual(data.at(-1).levels, []);
});

test('live, the state in which the newest candle has ended counts, of which block of rows it is', async (t) => {
    const folder = await makeFolder();
    t.after(() => removeFolder(folder));
    const database = join(folder, 'market.duckdb');
    const at = firstMs + 3 * dayMs; // rows are read in blocks of six hours
    const cut = cutMarket(market, firstMs, at);
    cut.interest = market.interest.filter(({ time }) => time <= at);
    assert.equal(cut.interest.at(-1).time, at);
    await importMarkets(folder, database, cut);
    const server = await serveFor(t, { database, env });
    const client = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
    const pushed = await client.next((m) => m.type === 'snapshot');
    assertSnapshot(pushed, 'BTCUSDT', expectedSnapshot(cut, { lookbackMs }));
});

test('a server that follows the market says what a computation from the start says', async (t) => {
    const folder = await makeFolder();
    t.after(() => removeFolder(folder));
    const database = join(folder, 'market.duckdb');
    const settings = { ...env, HEATMAP_LOOKBACK: '1d', WS_UPDATE_INTERVAL: '0.1' };
    const from = firstMs + 8 * dayMs;
    let at = firstMs + 6 * dayMs;
    await importMarkets(folder, database, cutMarket(market, firstMs, at));
    const server = await serveFor(t, { database, env: settings });
    const client = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
    for (const candles of [1, 1, 1, 2, 11, 30, 1, 200, 1, 290, 1]) {
        const next = Math.min(at + candles * candleMs, from);
        await importMarkets(folder, database, cutMarket(market, at, next));
        at = next;
        const pushed = await client.next(
            (m) => m.type === 'snapshot' && m.timestamp === iso(at - candleMs),
        );
        const computed = await ask(['snapshot'], database, settings);
        assert.equal(JSON.stringify(pushed.data), JSON.stringify(computed.data), iso(at));
    }
});

test('what happened since the last snapshot is what all candles between them did', async (t) => {
    const folder = await makeFolder();
    t.after(() => removeFolder(folder));
    const database = join(folder, 'market.duckdb');
    const settings = { ...env, HEATMAP_LOOKBACK: '1d', WS_UPDATE_INTERVAL: '0.1' };
    let at = firstMs + 6 * dayMs;
    await importMarkets(folder, database, cutMarket(market, firstMs, at));
    const server = await serveFor(t, { database, env: settings });
    const client = await connectFor(t, server.wsUrl);
    const names = ['positions_created', 'positions_consumed'];
    const sums = async () => {
        const { data } = await ask(['history', '--window', '10h'], database, settings);
        return new Map(data.map((moment) => [moment.timestamp, moment]));
    };
    client.send({ action: 'subscribe', symbols: ['BTCUSDT'], since_last: true });
    let last = await client.next((m) => m.type === 'snapshot');
    let created = 0;
    assert.equal(last.since_last, undefined);
    for (const candles of [1, 3, 1, 30]) {
        const before = await sums();
        const next = at + candles * candleMs;
        await importMarkets(folder, database, cutMarket(market, at, next));
        at = next;
        // An import is several files: more than one snapshot may come of it.
        const found = { positions_created: 0, positions_consumed: 0 };
        let told = last;
        do {
            told = await client.next((m) => m.type === 'snapshot');
            assert.equal(told.since_last.seq, last.seq);
            for (const name of names) {
                assert.equal(told.since_last[name], told.totals[name] - last.totals[name]);
                found[name] += told.since_last[name];
            }
            last = told;
        } while (
            JSON.stringify(told.data) !==
            JSON.stringify((await ask(['snapshot'], database, settings)).data)
        );
        const after = await sums();
        for (const name of names) {
            let expectedSum = 0;
            for (const [time, moment] of after)
                if (before.has(time)) expectedSum += moment[name] - before.get(time)[name];
                else if (time > [...before.keys()].at(-1)) expectedSum += moment[name];
            assert.equal(found[name], expectedSum, `${name} ${iso(at)}`);
        }
        created += found.positions_created;
    }
    assert.ok(created > 50, `${created}`);
});
