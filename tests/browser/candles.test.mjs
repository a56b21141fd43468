// The candles of the chart, without a chart: what the library is given is recorded.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { importTypeScript } from './bundle.mjs';

const { CandleSeries } = await importTypeScript('web/src/candle-series.ts');
const { robustRange, wholeRange } = await importTypeScript('web/src/robust-range.ts');

const candle = (time, open, high, low, close) => ({ time, open, high, low, close });

/** Two candles of five minutes, and what the library shows of them. */
function makeSeries() {
    const bars = new Map();
    const update = (bar) => bars.set(bar.time, bar);
    const setData = (data) => {
        bars.clear();
        data.forEach(update);
    };
    const candles = new CandleSeries({ setData, update });
    candles.set([candle(600, 10, 12, 9, 11), candle(900, 11, 13, 10, 12)], 300);
    const assertSame = (expected) => {
        assert.deepEqual(candles.all, expected);
        assert.deepEqual([...bars.values()], expected, 'the library shows the same');
        assert.equal(candles.axis.count, expected.length, 'the axis has the same bars');
    };
    return { candles, assertSame };
}

test('the_newest_candle_follows_the_price', () => {
    const { candles, assertSame } = makeSeries();
    candles.followPrice(900, 14);
    candles.followPrice(1199, 8);
    assertSame([candle(600, 10, 12, 9, 11), candle(900, 11, 14, 8, 8)]);
});

test('a_price_of_the_next_candle_begins_it_at_the_last_close', () => {
    const { candles, assertSame } = makeSeries();
    candles.followPrice(1200, 15);
    assertSame([
        candle(600, 10, 12, 9, 11),
        candle(900, 11, 13, 10, 12),
        candle(1200, 12, 15, 12, 15),
    ]);
    assert.equal(candles.axis.positionOf(1200), 1.5);
});

test('a_candle_is_found_by_any_moment_of_its_own', () => {
    const { candles } = makeSeries();
    const openOf = (time) => candles.at(time)?.open;
    assert.deepEqual([0, 600, 899, 900, 1199, 1200].map(openOf), [10, 10, 10, 11, 11, undefined]);
});

test('a_price_older_than_the_newest_candle_changes_nothing', () => {
    const { candles, assertSame } = makeSeries();
    candles.followPrice(899, 99);
    assertSame([candle(600, 10, 12, 9, 11), candle(900, 11, 13, 10, 12)]);
});

test('what_is_no_price_changes_nothing', () => {
    const { candles, assertSame } = makeSeries();
    for (const price of [0, -1, NaN]) candles.followPrice(1200, price);
    assertSame([candle(600, 10, 12, 9, 11), candle(900, 11, 13, 10, 12)]);
});

test('exact_candles_replace_those_that_followed_the_price', () => {
    const { candles, assertSame } = makeSeries();
    candles.followPrice(1200, 15);
    candles.merge([candle(900, 11, 14, 9, 13), candle(1200, 13, 16, 12, 14)]);
    candles.merge([candle(1500, 14, 15, 13, 15)]);
    assertSame([
        candle(600, 10, 12, 9, 11),
        candle(900, 11, 14, 9, 13),
        candle(1200, 13, 16, 12, 14),
        candle(1500, 14, 15, 13, 15),
    ]);
});

test('candles_from_before_the_first_are_not_inserted', () => {
    const { candles, assertSame } = makeSeries();
    candles.merge([candle(300, 1, 1, 1, 1)]);
    assertSame([candle(600, 10, 12, 9, 11), candle(900, 11, 13, 10, 12)]);
});

test('the_candles_between_two_positions_are_those_in_sight', () => {
    const { candles } = makeSeries();
    const times = (from, to) => candles.between(from, to).map(({ time }) => time);
    assert.deepEqual(times(-5, 5), [600, 900]);
    assert.deepEqual(times(0.6, 1.4), [600, 900], 'a bar in part counts');
    assert.deepEqual(times(1, 1), [900]);
    assert.deepEqual([times(2, 9), times(-9, -2)], [[], []]);
    candles.clear();
    assert.deepEqual(times(0, 1), []);
    assert.equal(candles.last, null);
});

/** Candles that go through these prices, each from one to the next. */
const through = (...prices) =>
    prices.slice(1).map((close, i) => {
        const open = prices[i];
        return candle(i * 300, open, Math.max(open, close) + 1, Math.min(open, close) - 1, close);
    });

test('a_range_of_prices_is_from_the_lowest_to_the_highest', () => {
    const candles = through(100, 104, 101, 110, 120, 118, 119);
    assert.deepEqual(wholeRange(candles), { min: 99, max: 121 });
    assert.deepEqual(robustRange(candles), { min: 99, max: 121 });
    assert.deepEqual([wholeRange([]), robustRange([])], [null, null]);
});

test('a_wick_that_is_much_longer_than_the_others_leaves_the_range', () => {
    const candles = through(100, 104, 101, 110, 120, 118, 119);
    candles[3].low = 0.01;
    assert.deepEqual(wholeRange(candles).min, 0.01);
    const { min, max } = robustRange(candles);
    assert.ok(min >= 75 && min <= 90, `some of the wick: ${min}`);
    assert.equal(max, 121);
    candles[3].high = 900_000;
    assert.ok(robustRange(candles).max < 150);
});

test('a_candle_that_closes_far_away_and_returns_leaves_the_range', () => {
    const gap = through(100, 104, 101, 110, 120, 118, 119);
    gap[2] = candle(600, 101, 900_000, 99, 900_000); /* the next one opens where it was before */
    assert.ok(robustRange(gap).max < 150);
    const joined = through(100, 104, 101, 900_000, 120, 118, 119);
    assert.ok(robustRange(joined).max < 150);
    const atStart = through(900_000, 104, 101, 104, 100, 118, 119);
    assert.ok(robustRange(atStart).max < 150);
});

test('a_fall_that_lasts_and_the_newest_price_stay_in_the_range', () => {
    const fall = through(100, 101, 102, 101, 60, 30, 31, 30, 28, 30);
    assert.deepEqual(robustRange(fall), wholeRange(fall));
    const now = through(100, 101, 102, 101, 102, 101, 102, 101, 10);
    assert.ok(robustRange(now).min <= 10);
    // Two candles are all that is known.
    const two = through(77, 0.5, 0.00005);
    assert.deepEqual(robustRange(two), wholeRange(two));
});

test('quiet_candles_keep_their_wicks', () => {
    const quiet = Array.from({ length: 20 }, (_, i) => candle(i * 300, 100, 101, 99, 100));
    assert.deepEqual(robustRange(quiet), { min: 99, max: 101 });
});
