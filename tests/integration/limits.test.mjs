// Questions about the past that would cost too much: in memory, in candles, in bytes. What they ask
// for is refused, with what would fit, and nothing else suffers.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { connectFor } from '../support/client.mjs';
import { get } from '../support/http.mjs';
import { candleMs, higher, importMarkets, lower, makeRandom } from '../support/market.mjs';
import { eventually, makeFolder, removeFolder, run } from '../support/process.mjs';
import { serveFor } from '../support/server.mjs';

const history = '/api/v1/heatmap/BTCUSDT/history';
const grid = '/api/v1/heatmap/BTCUSDT/grid';
const candles = '/api/v1/candles/BTCUSDT';

// Twenty quiet days: few positions are reached by the price, so that fine buckets are many levels.
function makeQuietMarket() {
    const random = makeRandom(7);
    const market = { symbol: 'BTCUSDT', candles: [], interest: [] };
    const cent = 1_000_000n;
    const start = Date.parse('2025-12-01T00:00:00Z');
    let last = 9_000_000n * cent;
    let value = 8_000_000_000n * 10n ** 8n;
    for (let index = 0; index < 20 * 288; index++) {
        const time = start + index * candleMs;
        const close = last + BigInt(Math.round(9000 * (2 * random() - 1))) * cent;
        market.candles.push({
            time,
            open: last,
            high: higher(last, close) + BigInt(Math.round(random() * 2000)) * cent,
            low: lower(last, close) - BigInt(Math.round(random() * 2000)) * cent,
            close,
            volume: 10n ** 8n,
        });
        last = close;
        value += BigInt(Math.round(1e6 * (2 * random() - 0.9))) * 10n ** 8n;
        market.interest.push({ time, value });
    }
    return market;
}

// What would fit, "bucket=5": for programs in a field, for people in the message.
function fitting(answer) {
    const { message, fits } = answer.json().error;
    const [[name, value], ...others] = Object.entries(fits);
    assert.deepEqual(others, []);
    assert.ok(message.endsWith(` ${name}=${value} fits`), message);
    return `${name}=${value}`;
}

describe('questions that cost too much', () => {
    let folder;
    let database;

    before(async () => {
        folder = await makeFolder();
        database = join(folder, 'quiet.duckdb');
        await importMarkets(folder, database, makeQuietMarket());
    });
    after(() => removeFolder(folder));

    test('histories that are too large, all at once, cost neither memory nor a client', async (t) => {
        const under = ['prlimit', '--as=921600000'];
        // A program under a sanitizer has no use for such a limit.
        const isLimited = (await run(['--version'], { under })).code === 0;
        const server = await serveFor(t, {
            database,
            args: ['--ws-update-interval', '0.5', '--symbols', 'BTCUSDT'],
            under: isLimited ? under : [],
        });
        const client = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
        await client.nextSnapshot('BTCUSDT');
        const buckets = ['0.01', '0.02', '0.03', '0.04'];
        for (let round = 0; round < 3; round++) {
            const answers = await Promise.all([
                ...buckets.map((bucket) =>
                    get(`${server.url}${history}?window=${14 + round}d&bucket=${bucket}`),
                ),
                get(`${server.url}/healthz`),
            ]);
            assert.equal(answers.pop().status, 200);
            for (const answer of answers) {
                assert.equal(answer.status, 400, answer.text.slice(0, 300));
                assert.equal(answer.json().error.code, 'RANGE_TOO_LARGE');
                const url = `${server.url}${history}?window=${14 + round}d&${fitting(answer)}`;
                const { status, body } = await get(url);
                assert.equal(status, 200);
                assert.ok(body.length > 1_000_000 && body.length <= 64_000_000);
            }
        }
        client.send({ action: 'ping' });
        await client.next((message) => message.type === 'pong');
        assert.ok(server.isRunning(), server.logs());
    });

    test('the refusal of a range of too many candles names a window that fits, in every answer', async (t) => {
        const server = await serveFor(t, {
            database,
            args: ['--question-candles-max', '4000'],
        });
        // A map rests on the lookback before its range, and some days before that.
        for (const [path, fits] of [
            [history, 'window=2d'],
            [grid, 'window=2d'],
            [candles, 'window=13d'],
        ]) {
            const ask = (query) => get(`${server.url}${path}?interval=1h&${query}`);
            for (const query of ['start=1970-01-01', 'window=3660d']) {
                const answer = await ask(query);
                assert.equal(answer.status, 400, answer.text.slice(0, 300));
                assert.equal(answer.json().error.code, 'RANGE_TOO_LARGE');
                assert.match(answer.json().error.message, /5760 candles of 5m.* 4000 at most/);
                assert.equal(fitting(answer), fits);
            }
            assert.equal((await ask(fits)).status, 200);
        }
    });

    test('an answer has no more bytes, and takes no more memory, than is set', async (t) => {
        const server = await serveFor(t, {
            database,
            args: ['--answer-bytes-max', '1MB', '--question-memory-max', '2MB'],
        });
        const large = await get(`${server.url}${history}?window=7d`);
        assert.equal(large.status, 400);
        assert.match(large.json().error.message, /of 1\.0 MB that it may have/);
        const costly = await get(`${server.url}${grid}?window=14d&bucket=20`);
        assert.equal(costly.status, 400);
        assert.match(costly.json().error.message, /more than the 2\.0 MB of memory/);
        assert.equal((await get(`${server.url}${history}?window=1h`)).status, 200);
        assert.equal((await get(`${server.url}${grid}?window=1d&bucket=1000`)).status, 200);
    });

    test('an answer that takes too long is given up, and the next is made', async (t) => {
        const server = await serveFor(t, {
            database,
            args: ['--question-seconds-max', '0.1', '--answer-bytes-max', '1GB'].concat(
                '--question-memory-max',
                '4GB',
            ),
        });
        const late = await get(`${server.url}${history}?window=11d&bucket=0.01`);
        assert.equal(late.status, 503);
        assert.equal(late.json().error.code, 'BUSY');
        assert.match(late.json().error.message, /takes longer than is allowed/);
        assert.equal(late.headers['retry-after'], '1');
        await eventually(
            'a small one is made, on a machine that may be busy',
            async () => (await get(`${server.url}${history}?window=1h`)).status === 200,
        );
    });

    test('limits that leave no answer are refused at start', async () => {
        const { code, stderr } = await run([
            'serve',
            '--heatmap-lookback',
            '3000d',
            '--db',
            database,
        ]);
        assert.equal(code, 2, stderr);
        assert.match(
            stderr,
            /QUESTION_CANDLES_MAX is 220000, and HEATMAP_LOOKBACK alone is 864001/,
        );
    });
});
