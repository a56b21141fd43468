// The candles of the chart, without a chart: what the library is given is recorded.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { importTypeScript } from './bundle.mjs';

const { CandleSeries } = await importTypeScript('web/src/candle-series.ts');

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

test('a_price_older_than_the_newest_candle_changes_nothing', () => {
    const { candles, assertSame } = makeSeries();
    candles.followPrice(899, 99);
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

test('the_price_range_is_that_of_the_bars_in_sight', () => {
    const { candles } = makeSeries();
    assert.deepEqual(candles.priceRange(-5, 5), { min: 9, max: 13 });
    assert.deepEqual(candles.priceRange(0.6, 1.4), { min: 9, max: 13 }, 'a bar in part counts');
    assert.deepEqual(candles.priceRange(1, 1), { min: 10, max: 13 });
    assert.equal(candles.priceRange(2, 9), null);
    candles.clear();
    assert.equal(candles.priceRange(0, 1), null);
    assert.equal(candles.last, null);
});
