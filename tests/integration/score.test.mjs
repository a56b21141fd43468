// How good the map was (docs/model.md, "The score"): of a simulated market, whose hidden positions
// are known, and of one without recorded liquidations.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { parseExposition } from '../support/exposition.mjs';
import { get } from '../support/http.mjs';
import { importMarkets, makeMarket } from '../support/market.mjs';
import { eventually, makeFolder, removeFolder, run } from '../support/process.mjs';
import { serveFor, startServer } from '../support/server.mjs';

const others = ['constant', 'recent', 'volume', 'shuffled', 'wrong_side', 'shifted'];

function assertInterval({ value, low, high }, what) {
    assert.ok(low <= value && value <= high, `${what}: ${low}, ${value}, ${high}`);
}

describe('a score', () => {
    let folder;
    let demo;
    let quiet;
    const market = makeMarket({ candles: 3000 });
    const score = async (database, args = [], env = {}) => {
        const result = await run(['score', '--db', database, ...args], { env });
        assert.equal(result.code, 0, result.stderr);
        assert.equal(result.stderr, '');
        return JSON.parse(result.stdout);
    };

    before(async () => {
        folder = await makeFolder();
        demo = join(folder, 'demo.duckdb');
        quiet = join(folder, 'quiet.duckdb');
        const server = await startServer({ args: ['--demo'], database: demo });
        assert.equal(await server.stop(), 0, server.logs());
        await importMarkets(folder, quiet, market);
    });
    after(() => removeFolder(folder));

    test('finds that the map of a simulated market is right, beyond doubt', async () => {
        const found = await score(demo);
        assert.equal(found.symbol, 'BTCUSDT');
        assert.equal(found.model, 'survival');
        assert.equal(found.measured_by, 'liquidations');
        assert.equal(found.bucket, 10);
        assert.ok(found.candles > 2000 && found.days >= 8);
        assert.ok(found.buckets > found.candles);
        assert.deepEqual(
            found.maps.map((map) => map.name),
            ['model', ...others],
        );
        // By how much it leads in rank is, over eight days, a matter of where midnight cuts them.
        assert.equal(found.better_than_all.location, true);
        assert.equal(typeof found.better_than_all.rank, 'boolean');
        const [model, constant] = found.maps;
        assert.ok(model.location.value > 0.7, `${model.location.value}`);
        assert.ok(model.location.low > 0.6, `${model.location.low}`);
        assert.ok(model.location.value > constant.location.value + 0.03);
        for (const map of found.maps) {
            assertInterval(map.location, `location of ${map.name}`);
            assertInterval(map.rank, `rank of ${map.name}`);
            if (map.name === 'model') continue;
            assertInterval(map.location_lead, `lead over ${map.name}`);
            assert.ok(map.location_lead.low > 0, map.name);
            assert.ok(map.partial.low > 0.1, map.name);
        }
        const { liquidated, in_reach, predicted, factor, tiers } = found.amount;
        assert.ok(liquidated > 1e8 && in_reach > 0.99 * liquidated);
        assert.ok(Math.abs(factor.value - liquidated / predicted) < 1e-6);
        assert.ok(factor.low > 0.5 && factor.high < 2.5);
        assert.deepEqual(
            tiers.map((tier) => tier.leverage),
            [5, 10, 25, 50, 100],
        );
        const sum = tiers.reduce((total, tier) => total + tier.predicted, 0);
        assert.ok(Math.abs(sum / predicted - 1) < 1e-6);
    });

    test('is the same each time it is asked for', async () => {
        assert.deepEqual(await score(demo), await score(demo));
    });

    test('takes a range, weights and a model', async () => {
        const whole = await score(demo);
        const end = new Date(Date.parse(whole.end_time) - 86_400_000);
        const part = await score(demo, ['--to', end.toISOString(), '--window', '2d']);
        assert.equal(part.end_time, end.toISOString().replace('.000Z', 'Z'));
        assert.equal(Date.parse(part.end_time) - Date.parse(part.start_time), 2 * 86_400_000);
        assert.equal(part.maps[0].location.low, null); /* three days are no sample */
        assert.equal(part.better_than_all.location, null);
        const tiers = (await score(demo, ['--weights', '20:1,50:1'])).amount.tiers;
        assert.deepEqual(
            tiers.map((tier) => tier.leverage),
            [20, 50],
        );
        const reference = await score(demo, ['--model', 'reference', '--window', '3d']);
        assert.equal(reference.model, 'reference');
        assert.deepEqual(reference.amount.tiers, []);
    });

    test('says that falls of open interest stand in where no liquidation is recorded', async () => {
        const found = await score(quiet, [], { HEATMAP_LOOKBACK: '3d' });
        assert.equal(found.measured_by, 'open_interest_falls');
        assert.equal(found.recorded_from, null);
        assert.equal(found.maps[0].location.value, null);
        assert.equal(found.better_than_all.location, null);
        assert.equal(typeof found.maps[0].rank.value, 'number');
        assert.ok(found.amount.liquidated > 0);
        assert.equal('in_reach' in found.amount, false);
    });

    test('begins where all that the map rests on is known', async () => {
        const found = await score(quiet, [], { HEATMAP_LOOKBACK: '3d' });
        const known = Date.parse(found.start_time) - market.candles[0].time;
        assert.ok(known >= 3 * 86_400_000 - 300_000 && known < 3 * 86_400_000 + 3_600_000);
        const none = await run(['score', '--db', quiet], { env: { HEATMAP_LOOKBACK: '30d' } });
        assert.equal(none.code, 1);
        assert.match(none.stderr, /known from .* a shorter HEATMAP_LOOKBACK/);
    });

    test('over HTTP is what the command prints', async (t) => {
        const server = await serveFor(t, { database: demo });
        const answer = await get(`${server.url}/api/v1/score/BTCUSDT?window=6d&bucket=20`);
        assert.equal(answer.status, 200);
        assert.match(answer.headers['content-type'], /^application\/json/);
        assert.deepEqual(answer.json(), await score(demo, ['--window', '6d', '--bucket', '20']));
        const again = await get(`${server.url}/api/v1/score/BTCUSDT?bucket=20.0&window=144h`, {
            headers: { 'if-none-match': answer.headers.etag },
        });
        assert.equal(again.status, 304, 'the same question, and the data have not changed');
    });

    test('over HTTP has limits, and says which', async (t) => {
        const server = await serveFor(t, {
            database: demo,
            args: [
                '--question-candles-max',
                '4000',
                '--question-memory-max',
                '3MB',
                '--answer-bytes-max',
                '2MB',
            ],
        });
        for (const [path, status, told] of [
            ['BTCUSDT?interval=1h', 400, /no interval.*start, end, window, bucket/],
            ['BTCUSDT?model=best', 400, /survival or reference/],
            ['BTCUSDT?levels=1', 400, /no parameter 'levels'/],
            ['BTCUSDT?start=2030-01-01', 404, /no candle/],
            ['DOGEUSDT', 404, /not supported/],
            ['BTCUSDT?window=14d', 400, /4000/],
            ['BTCUSDT?window=2d&bucket=0.5', 400, /3\.0 MB of memory/],
        ]) {
            const answer = await get(`${server.url}/api/v1/score/${path}`);
            assert.equal(answer.status, status, `${path}: ${answer.text}`);
            assert.match(answer.json().error.message, told);
        }
    });

    test('is a metric of its symbol', async (t) => {
        const symbol = 'ETHUSDT'; // alone: between two symbols the server rests for long
        const server = await serveFor(t, {
            database: demo,
            args: ['--score-every', '0.1', '--symbols', symbol],
        });
        const page = async () => parseExposition((await get(`${server.url}/metrics`)).text);
        const value = await eventually('a score', async () => {
            const samples = [...(await page()).values()].flatMap((family) => family.samples);
            const found = (name) =>
                samples.find((s) => s.name === name && s.labels.symbol === symbol)?.value;
            return found('heatcast_score_age_seconds') !== undefined && found;
        });
        const { maps, amount } = await score(demo, ['--symbol', symbol]);
        const [model, ...rest] = maps;
        const least = (lead) => Math.min(...rest.map((map) => map[lead].low));
        const expected = {
            heatcast_score_location: model.location.value,
            heatcast_score_location_lead: least('location_lead'),
            heatcast_score_rank: model.rank.value,
            heatcast_score_rank_lead: least('rank_lead'),
            heatcast_score_factor: amount.factor.value,
        };
        for (const [name, number] of Object.entries(expected))
            assert.ok(Math.abs(value(name) - number) < 1e-6, name);
        assert.ok(value('heatcast_score_age_seconds') >= 0);
        const failures = (await page()).get('heatcast_score_failures_total');
        assert.equal(failures.samples[0].value, 0);
    });

    test('is made for the metrics only where that is wanted', async (t) => {
        const server = await serveFor(t, { database: demo, args: ['--score-every', '0'] });
        assert.doesNotMatch((await get(`${server.url}/metrics`)).text, /heatcast_score/);
    });

    test('calibrates snapshots by the days before theirs, and by nothing later', async (t) => {
        const snapshot = async (args = []) => {
            const result = await run(['snapshot', '--db', demo, ...args]);
            assert.equal(result.code, 0, result.stderr);
            return JSON.parse(result.stdout);
        };
        const { data, timestamp } = await snapshot();
        const { expected, levels } = data;
        const midnight = Math.floor(Date.parse(timestamp) / 86_400_000) * 86_400_000;
        assert.equal(Date.parse(expected.until), midnight);
        const before = await score(demo, [
            '--to',
            new Date(midnight - 300_000).toISOString(),
            '--window',
            '30d',
        ]);
        assert.equal(before.measured_by, 'liquidations');
        const { value, low, high } = before.amount.factor;
        assert.deepEqual([expected.factor, expected.low, expected.high], [value, low, high]);
        for (const side of ['long', 'short']) {
            const waiting = levels.reduce((sum, level) => sum + level[`${side}_density`], 0);
            assert.ok(Math.abs(expected[side] / (waiting * value) - 1) < 1e-6, side);
        }
        // With fewer than seven days nothing of the kind is said.
        const early = await snapshot(['--at', new Date(midnight - 3 * 86_400_000).toISOString()]);
        assert.equal('expected' in early.data, false);

        // The stream says the same, as soon as it has been found.
        const server = await serveFor(t, { database: demo, args: ['--score-every', '0.1'] });
        const live = await eventually('a calibrated snapshot', async () => {
            const newest = (await get(`${server.url}/api/v1/heatmap/BTCUSDT`)).json();
            return newest.data.expected !== undefined && newest;
        });
        assert.deepEqual(live.data, data);
    });

    test('calibrates nothing where no liquidation is recorded', async () => {
        const result = await run(['snapshot', '--db', quiet]);
        assert.equal(result.code, 0, result.stderr);
        assert.equal('expected' in JSON.parse(result.stdout).data, false);
    });

    test('of what is wrong or too much says what is allowed', async () => {
        for (const [args, code, told] of [
            [['--from', 'yesterday'], 2, /--from.*'yesterday' is not a time/],
            [['--model', 'best'], 2, /'best' is not a model .survival or reference/],
            [['--bucket', '0'], 2, /bucket/],
            [['--interval', '1h'], 2, /there is no option --interval/],
            [['--from', '2030-01-01'], 1, /no candle of BTCUSDT from 2030/],
            [['--bucket', '0.0001'], 1, /more than 1000000 buckets.*a greater bucket/],
        ]) {
            const result = await run(['score', '--db', demo, ...args]);
            assert.equal(result.code, code, `${args}: ${result.stderr}`);
            assert.equal(result.stdout, '', String(args));
            assert.match(result.stderr, told);
        }
    });
});
