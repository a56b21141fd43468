// The range of prices that a chart of candles should show by itself. A single trade at a mistaken
// price makes a wick to 0.01 or to ten times the price, and a scale from one end to the other would
// press all other candles into a line.
//
// What prices have been for longer than a moment is always inside: opens and closes, without those
// that both their neighbours in time contradict, and the newest close. A fall that lasts is none of
// these moments, however deep it is. Beyond it there is room for wicks, as much on either side as
// the range is high; what is longer than that leaves the chart at its edge.

import type { Candle } from './api.js';

export interface PriceRange {
    min: number;
    max: number;
}

/** Prices on either side that one is compared with: two, since the close of a candle is the open of
 * the next, and a moment may be both. */
const NEIGHBOURS = 2;
const WINDOW = 2 * NEIGHBOURS + 1;

/** Wicks have at least this part of the price, so that candles without bodies keep theirs. */
const WICK_ROOM = 0.03;

/** Lowest and highest price; null if there is no candle. */
export function wholeRange(candles: readonly Candle[]): PriceRange | null {
    let min = Infinity;
    let max = -Infinity;
    for (const { low, high } of candles) {
        min = Math.min(min, low);
        max = Math.max(max, high);
    }
    return max >= min ? { min, max } : null;
}

/** The same without what only a moment has reached. */
export function robustRange(candles: readonly Candle[]): PriceRange | null {
    const whole = wholeRange(candles);
    const last = candles[candles.length - 1];
    if (!whole || !last) return null;
    const lasting = withoutMoments(candles.flatMap(({ open, close }) => [open, close]));
    const min = lasting.reduce((least, price) => Math.min(least, price), last.close);
    const max = lasting.reduce((most, price) => Math.max(most, price), last.close);
    const room = Math.max(max - min, max * WICK_ROOM);
    return { min: Math.max(whole.min, min - room), max: Math.min(whole.max, max + room) };
}

/** Each price, or the median of those around it. */
function withoutMoments(prices: readonly number[]): number[] {
    if (prices.length < WINDOW) return [...prices];
    const around: number[] = [];
    return prices.map((_, i) => {
        const start = Math.min(Math.max(0, i - NEIGHBOURS), prices.length - WINDOW);
        for (let k = 0; k < WINDOW; k += 1) around[k] = prices[start + k] ?? 0;
        return around.sort((a, b) => a - b)[NEIGHBOURS] ?? 0;
    });
}
