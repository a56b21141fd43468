// The page's model of the map: what the server packs, what a snapshot does to it, what is written
// beside it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { importTypeScript } from './bundle.mjs';

const { Grid, foldLevels, isMultiple, sumBytes } = await importTypeScript('web/src/grid.ts');
const { findClusters } = await importTypeScript('web/src/clusters.ts');
const { cumulativeAt } = await importTypeScript('web/src/profile.ts');
const { bucketChoices, candleInterval, CANDLE_INTERVALS, mapStep } =
    await importTypeScript('web/src/interval.ts');
const {
    bucketDecimals,
    decimalsLimit,
    formatAge,
    formatAnyPrice,
    formatCount,
    formatPercent,
    formatPrice,
    formatUsd,
    priceDecimals,
} = await importTypeScript('web/src/format.ts');
const { TimeAxis, lastAtOrBefore } = await importTypeScript('web/src/time-axis.ts');

const START = 1_766_880_000; /* a multiple of a day */

/** A grid as the server sends it; `long` and `short` are rows (lowest first) of columns. */
function message({ long, short = long.map((row) => row.map(() => 0)), times, bucket = 100 }) {
    const pack = (rows) => Buffer.from(rows.flat()).toString('base64');
    const columns = long[0].length;
    return {
        meta: {
            symbol: 'BTCUSDT',
            bucket,
            price_min: 98_000,
            rows: long.length,
            columns,
            max_density: 1_000_000,
        },
        times: times ?? Array.from({ length: columns }, (_, i) => START + i * 300),
        closes: Array.from({ length: columns }, () => 98_450),
        long: pack(long),
        short: pack(short),
    };
}

const level = (price, long_density, short_density = 0) => ({ price, long_density, short_density });

test('a_byte_stands_for_a_density_on_five_decades', () => {
    const grid = Grid.decode(message({ long: [[255, 204, 0]] }));
    assert.equal(grid.cell(0, 0).long, 1_000_000);
    assert.ok(Math.abs(grid.cell(1, 0).long - 100_000) < 1);
    assert.equal(grid.cell(2, 0).long, 0);
    for (const byte of [1, 17, 128, 254]) assert.equal(grid.byteOf(grid.densityOf(byte)), byte);
});

test('the_lowest_price_is_row_0_and_columns_run_in_time', () => {
    const grid = Grid.decode(
        message({
            long: [
                [1, 2],
                [3, 4],
            ],
        }),
    );
    assert.equal(grid.byteOf(grid.cell(1, 0).long), 2);
    assert.equal(grid.byteOf(grid.cell(0, 1).long), 3);
    assert.deepEqual([grid.priceMin, grid.priceMax], [98_000, 98_200]);
});

test('a_sum_of_bytes_is_the_byte_of_the_sum', () => {
    const grid = Grid.decode(message({ long: [[1]] }));
    for (const [a, b] of [
        [200, 200],
        [200, 180],
        [120, 30],
    ]) {
        const exact = grid.byteOf(grid.densityOf(a) + grid.densityOf(b));
        assert.ok(Math.abs(sumBytes(a, b) - exact) <= 1, `${a} + ${b}`);
    }
    assert.equal(sumBytes(0, 9), 9);
    assert.equal(sumBytes(255, 255), 255);
});

test('a_snapshot_of_the_newest_candle_replaces_the_last_column', () => {
    const grid = Grid.decode(message({ long: [[255, 255]] }));
    assert.equal(grid.apply(START + 300, 98_500, [level(98_000, 100_000)]), 'replaced');
    assert.equal(grid.columns, 2);
    assert.ok(Math.abs(grid.cell(1, 0).long - 100_000) < 3000);
    assert.equal(grid.cell(0, 0).long, 1_000_000);
    assert.equal(grid.lastClose, 98_500);
});

test('a_snapshot_of_the_next_candle_appends_a_column', () => {
    const grid = Grid.decode(message({ long: [[255, 255, 255]] }));
    for (let i = 3; i < 300; i += 1) {
        assert.equal(grid.apply(START + i * 300, 98_500, [level(98_000, 1_000)]), 'appended');
    }
    assert.equal(grid.columns, 300);
    assert.ok(Math.abs(grid.cell(299, 0).long - 1_000) < 30);
    assert.equal(grid.cell(2, 0).long, 1_000_000);
});

test('an_older_snapshot_and_one_after_a_gap_change_nothing', () => {
    const grid = Grid.decode(message({ long: [[255, 7]] }));
    assert.equal(grid.apply(START, 1, []), 'old');
    assert.equal(grid.apply(START + 3 * 300, 1, []), 'gap');
    assert.deepEqual([grid.columns, grid.lastClose], [2, 98_450]);
});

test('levels_outside_the_rows_make_rows_grow', () => {
    const grid = Grid.decode(message({ long: [[255, 51]] }));
    const levels = [level(97_700, 10_000), level(98_000, 500_000), level(98_400, 0, 20_000)];
    assert.equal(grid.apply(START + 300, 98_450, levels), 'relaid');
    for (const { price, long_density, short_density } of levels) {
        const { long, short } = grid.cell(1, grid.rowOf(price));
        assert.ok(Math.abs(long - long_density) <= long_density * 0.03, `${price} long ${long}`);
        assert.ok(Math.abs(short - short_density) <= short_density * 0.03, `${price} short`);
    }
    assert.equal(grid.cell(0, grid.rowOf(98_000)).long, 1_000_000);
});

test('a_greater_density_than_ever_rescales_and_keeps_the_others', () => {
    const grid = Grid.decode(message({ long: [[204, 204]] }));
    assert.equal(grid.apply(START + 300, 98_450, [level(98_000, 30_000_000)]), 'relaid');
    assert.ok(Math.abs(grid.cell(1, 0).long / 30_000_000 - 1) < 0.03);
    assert.ok(Math.abs(grid.cell(0, 0).long / 100_000 - 1) < 0.03);
});

test('a_density_far_above_all_others_leaves_them_their_colours', () => {
    const grid = Grid.decode(message({ long: [[255, 204]] }));
    assert.equal(grid.scaleEnd, Infinity);
    assert.equal(grid.apply(START + 300, 98_450, [level(98_000, 1e15)]), 'relaid');
    assert.ok(Math.abs(grid.cell(0, 0).long / 1_000_000 - 1) < 0.03, 'what was there before');
    assert.ok(grid.cell(1, 0).long >= grid.scaleEnd, 'at least so much');
    for (let i = 2; i < 9; i += 1)
        grid.apply(START + i * 300, 98_450, [level(98_000, 10 ** (15 + i))]);
    assert.ok(Math.abs(grid.cell(0, 0).long / 1_000_000 - 1) < 0.03, 'however often');
    const nothing = message({ long: [[0]] });
    nothing.meta.max_density = 0;
    const empty = Grid.decode(nothing);
    assert.equal(empty.apply(START, 98_450, [level(98_000, Infinity)]), 'relaid');
    assert.ok(Number.isFinite(empty.cell(0, 0).long));
});

test('the_scale_may_end_below_the_greatest_density', () => {
    const cut = message({ long: [[255, 204]] });
    cut.meta.greatest_density = 1e12;
    const grid = Grid.decode(cut);
    assert.ok(grid.cell(0, 0).long >= grid.scaleEnd);
    assert.ok(grid.cell(1, 0).long < grid.scaleEnd);
});

test('a_snapshot_too_far_from_the_others_is_a_gap', () => {
    for (const price of [1e9, 1e300, Infinity, -1e12]) {
        const grid = Grid.decode(message({ long: [[255, 204]] }));
        assert.equal(grid.apply(START + 300, 98_450, [level(price, 1_000)]), 'gap', price);
        assert.deepEqual([grid.rows, grid.priceMin], [1, 98_000]);
    }
    const grid = Grid.decode(message({ long: [[255, 204]] }));
    const levels = [level(98_000, 1_000), level(1e12, 7), level(NaN, 7), level(98_000, 2_000)];
    assert.equal(grid.apply(START + 300, 98_450, levels), 'replaced');
    assert.ok(Math.abs(grid.cell(1, 0).long - 2_000) < 60, 'what has no row is left out');
    assert.equal(grid.apply(NaN, 98_450, levels), 'old');
});

test('a_grid_that_cannot_be_computed_with_is_refused', () => {
    const good = () => message({ long: [[255, 204]] });
    const wrong = [
        (grid) => (grid.meta.bucket = 0),
        (grid) => (grid.meta.bucket = -100),
        (grid) => (grid.meta.bucket = null),
        (grid) => (grid.meta.price_min = Infinity),
        (grid) => (grid.meta.rows = 0.5),
        (grid) => (grid.meta.rows = -1),
        (grid) => (grid.meta.max_density = null),
        (grid) => (grid.meta.max_density = -1),
        (grid) => (grid.times = [START, START]),
        (grid) => (grid.times = [START, 1e300]),
        (grid) => (grid.times = [NaN, START]),
        (grid) => (grid.closes = [1]),
        (grid) => (grid.closes = [1, 0]),
        (grid) => (grid.long = ''),
        (grid) => Object.assign(grid, { times: [], closes: [], long: '', short: '' }),
    ];
    Grid.decode(good());
    for (const change of wrong) {
        const grid = good();
        change(grid);
        assert.throws(() => Grid.decode(grid), /damaged/, String(change));
    }
});

test('a_newest_column_between_two_steps_gives_way_to_the_next', () => {
    const times = [0, 1800, 3600, 3900].map((offset) => START + offset);
    const grid = Grid.decode(message({ long: [[1, 2, 3, 4]], times }));
    assert.equal(grid.step, 1800);
    assert.equal(grid.apply(START + 4200, 1, [level(98_000, 1_000)]), 'replaced');
    assert.deepEqual(
        grid.times,
        [0, 1800, 3600, 4200].map((offset) => START + offset),
    );
});

test('fractional_buckets_find_their_rows', () => {
    const grid = Grid.decode({
        ...message({ long: Array.from({ length: 40 }, () => [0]) }),
        meta: {
            symbol: 'DOGEUSDT',
            bucket: 0.0001,
            price_min: 0.0997,
            rows: 40,
            columns: 1,
            max_density: 1000,
        },
    });
    for (let row = 0; row < 40; row += 1) {
        assert.equal(grid.rowOf(Number((0.0997 + row * 0.0001).toFixed(4))), row);
    }
});

test('finer_levels_are_summed_up_to_a_multiple_of_their_bucket', () => {
    const levels = [level(97_900, 1), level(98_000, 2), level(98_400, 0, 4), level(98_500, 8)];
    assert.deepEqual(foldLevels(levels, 500), [
        level(97_500, 1),
        level(98_000, 2, 4),
        level(98_500, 8),
    ]);
    const tenths = Array.from({ length: 20 }, (_, i) =>
        level(Number((0.1 + i * 0.1).toFixed(1)), 1),
    );
    assert.deepEqual(
        foldLevels(tenths, 0.5).map(({ price, long_density }) => [price, long_density]),
        [
            [0, 4],
            [0.5, 5],
            [1, 5],
            [1.5, 5],
            [2, 1],
        ],
    );
    assert.ok(isMultiple(500, 100) && isMultiple(100, 100) && isMultiple(0.5, 0.1));
    assert.ok(!isMultiple(50, 100) && !isMultiple(5, 2) && !isMultiple(250, 100));
});

test('clusters_are_half_a_percent_high_and_do_not_overlap', () => {
    const levels = [
        level(95_000, 30),
        level(99_000, 10),
        level(99_100, 10),
        level(99_200, 10),
        level(99_900, 5),
        level(100_100, 0, 7),
        level(100_500, 0, 8),
        level(100_600, 0, 9),
        level(110_000, 0, 23),
    ];
    const { above, below } = findClusters(levels, 100, 100_000, 2);
    const essence = ({ low, high, volume }) => [low, high, volume];
    // 100,100 and 100,500 are within 500 of each other, as are 100,500 and 100,600: the latter hold
    // more.
    assert.deepEqual(above.map(essence), [
        [110_000, 110_100, 23],
        [100_500, 100_700, 17],
    ]);
    assert.deepEqual(below.map(essence), [
        [95_000, 95_100, 30],
        [99_000, 99_300, 30],
    ]);
    assert.ok(Math.abs(below[1].distance - -0.0085) < 1e-9, String(below[1].distance));
    assert.ok(Math.abs(above[0].distance - 0.1005) < 1e-9);
    assert.deepEqual(findClusters([], 100, 100_000, 2), { above: [], below: [] });
    assert.deepEqual(findClusters(levels, 100, 0, 2), { above: [], below: [] });
    // A bucket higher than half a percent is a cluster of its own.
    assert.deepEqual(findClusters(levels, 1000, 100_000, 1).above.map(essence), [
        [110_000, 111_000, 23],
    ]);
});

test('what_adds_up_on_the_way_is_long_downwards_and_short_upwards', () => {
    const levels = [level(90, 1), level(95, 2), level(99, 4), level(101, 0, 8), level(110, 0, 16)];
    const until = (price, side = 'both') => cumulativeAt({ levels, bucket: 1 }, 100, price, side);
    assert.deepEqual([until(99), until(95), until(0)], [4, 6, 7]);
    assert.deepEqual([until(101), until(105), until(Infinity)], [8, 8, 24]);
    assert.deepEqual([until(0, 'short'), until(200, 'long')], [0, 0]);
});

test('what_adds_up_includes_the_bucket_pointed_at_however_its_edge_is_computed', () => {
    // As a map computes it from its lowest price: below the decimal, and above it.
    const [low, high] = [112.3 + 6 * 0.1, 101.7 + 4 * 0.1];
    assert.ok(low < 112.9 && high > 102.1, 'the edges are rounded');
    const levels = [level(102, 1), level(102.1, 2), level(112.9, 0, 4), level(113, 0, 8)];
    const until = (price) => cumulativeAt({ levels, bucket: 0.1 }, 110, price, 'both');
    assert.deepEqual([until(low), until(high)], [4, 2]);
});

test('a_density_below_the_scale_is_told_from_one_of_its_floor', () => {
    const grid = Grid.decode(message({ long: [[255, 0]] }));
    const floor = grid.densityOf(grid.byteOf(grid.maxDensity * 1e-9));
    assert.ok(floor > 0 && floor <= grid.scaleStart);
    assert.ok(grid.densityOf(2) > grid.scaleStart);
});

test('candles_are_the_finest_that_can_be_told_apart', () => {
    const day = 86_400;
    const week = { id: '7d', label: '7 days', seconds: 7 * day };
    const at = (visible, current) => candleInterval('auto', week, visible, 1000, current).id;
    const interval = (wanted) => CANDLE_INTERVALS.find(({ id }) => id === wanted);
    assert.deepEqual(
        [7 * day, 3 * day, day, 3600].map((seconds) => at(seconds)),
        ['1h', '15m', '5m', '5m'],
    );
    assert.equal(at(70 * day), '1h', 'no coarser than the whole range needs');
    // Once finer, it takes more than a pixel's change to get coarser again.
    assert.equal(at(7 * day, interval('30m')), '30m');
    assert.equal(at(7 * day, interval('15m')), '1h');
    assert.equal(candleInterval('4h', week, day, 1000).id, '4h', 'what was chosen');
    assert.equal(candleInterval('4h', { ...week, seconds: 3600 }, 3600, 1000).id, '5m');
    assert.deepEqual(
        [7, 14, 30].map((days) => mapStep(days * day)),
        [300, 900, 1800],
    );
});

test('price_steps_to_choose_from_surround_the_usual_one', () => {
    assert.deepEqual(bucketChoices(100), [50, 100, 200, 500, 1000]);
    assert.deepEqual(bucketChoices(2), [1, 2, 5, 10, 20]);
    assert.deepEqual(bucketChoices(0.0001), [0.00005, 0.0001, 0.0002, 0.0005, 0.001]);
    assert.deepEqual(bucketChoices(12.5), [5, 10, 20, 50, 100]);
    // Prices have eight decimals.
    assert.deepEqual(bucketChoices(0.00000001), [0.00000001, 0.00000002, 0.00000005, 0.0000001]);
    for (const none of [0, -1, NaN, Infinity]) assert.deepEqual(bucketChoices(none), []);
});

test('positions_on_the_time_axis_are_fractions_of_bars', () => {
    const axis = new TimeAxis();
    axis.set([START, START + 900, START + 3600], 900);
    assert.equal(axis.positionOf(START), -0.5);
    assert.ok(Math.abs(axis.positionOf(START + 300) - (-0.5 + 1 / 3)) < 1e-9);
    assert.equal(axis.positionOf(START + 900), 0.5);
    assert.equal(axis.positionOf(START + 2700), 1.5, 'a hole takes no room');
    assert.equal(axis.positionOf(START + 4500), 2.5, 'time continues after the last bar');
    assert.equal(axis.timeAt(2), START + 3600 + 450);
    assert.equal(lastAtOrBefore([1, 3, 5], 4), 1);
    assert.equal(lastAtOrBefore([1, 3, 5], 0), -1);
});

test('numbers_read_as_traders_write_them', () => {
    const usd = [0, 0.4, 870, 45_140, 1_234_567, 999_960, 135_000_000, 2.5e9].map(formatUsd);
    assert.deepEqual(usd, ['$0', '<$1', '$870', '$45.1K', '$1.2M', '$1.0M', '$135M', '$2.5B']);
    assert.deepEqual([0.0124, -0.031, 0].map(formatPercent), ['+1.24%', '−3.10%', '0.00%']);
    assert.deepEqual([98_450, 3_400, 150, 0.08].map(priceDecimals), [1, 2, 2, 5]);
    const ages = [3, 130, 7_300, 3 * 86_400, 130 * 86_400].map(formatAge);
    assert.deepEqual(ages, ['just now', '2 min ago', '2 h ago', '3 days ago', '4 months ago']);
});

test('numbers_of_any_size_can_be_read', () => {
    assert.deepEqual([1e12, 1.23456e15, Infinity].map(formatUsd), ['$1.0T', '$1,235T', '$∞T']);
    assert.deepEqual([NaN, -3].map(formatUsd), ['$0', '$0']);
    assert.deepEqual([1234, undefined].map(formatCount), ['1,234', '–']);
    assert.deepEqual([99, 153.99, 1_539_999, NaN, Infinity].map(formatPercent), [
        '+9900%',
        '+15.4K%',
        '+154M%',
        '–',
        '–',
    ]);
    const buckets = [100, 0.5, 0.0025, 0.000005, 0.00000001];
    assert.deepEqual(buckets.map(bucketDecimals), [0, 1, 4, 6, 8]);
    assert.deepEqual([0.0000043, 0.00000001, 5e9, NaN].map(priceDecimals), [8, 8, 1, 2]);
    assert.equal(formatPrice(0.0000043, 8), '0.00000430');
    assert.equal(formatPrice(1234567.891, 2), '1,234,567.89');
    assert.equal(formatPrice(NaN, 2), '–');
    // Among prices around 77.
    const any = [77, 0.5, 0.00005, 0.000000012, 0].map((price) => formatAnyPrice(price, 4));
    assert.deepEqual(any, ['77.0000', '0.5000', '0.0000500', '0.00000001', '0.0000']);
    assert.deepEqual([0, 1, 1e5, 9e9, 1e15, 1e30].map(decimalsLimit), [15, 15, 10, 5, 0, 0]);
});
