// Which candle lengths fit a zoom, and which buckets fit a price.

import type { Range } from './range.js';

export interface CandleInterval {
    id: string;
    seconds: number;
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const CANDLE_INTERVALS: readonly CandleInterval[] = [
    { id: '5m', seconds: 5 * MINUTE },
    { id: '15m', seconds: 15 * MINUTE },
    { id: '30m', seconds: 30 * MINUTE },
    { id: '1h', seconds: HOUR },
    { id: '2h', seconds: 2 * HOUR },
    { id: '4h', seconds: 4 * HOUR },
    { id: '8h', seconds: 8 * HOUR },
    { id: '12h', seconds: 12 * HOUR },
    { id: '1d', seconds: DAY },
];

export const CANDLES_MAX = 5000; /* the server's limit for one answer */

/* Pixels of a candle with its gap: the least when an interval is chosen, and the least before a
 * coarser one replaces it. They differ, so that a small zoom does not switch back and forth. */
const CANDLE_PIXELS = 3;
const CANDLE_PIXELS_MIN = 2;

/** Whether a range can be shown in candles of this interval. */
export const isFitting = (interval: CandleInterval, range: Range): boolean =>
    range.seconds / interval.seconds < CANDLES_MAX && range.seconds / interval.seconds >= 2;

function finest(seconds: number, width: number, pixels: number): CandleInterval {
    const found = CANDLE_INTERVALS.find(
        (interval) => (seconds / interval.seconds) * pixels <= width,
    );
    return found ?? (CANDLE_INTERVALS[CANDLE_INTERVALS.length - 1] as CandleInterval);
}

/** The chosen interval, if it fits; else the finest whose candles are wide enough to be recognized
 * when `visibleSeconds` are shown in `width` pixels. */
export function candleInterval(
    choice: string,
    range: Range,
    visibleSeconds: number,
    width: number,
    current?: CandleInterval,
): CandleInterval {
    const chosen = CANDLE_INTERVALS.find(({ id }) => id === choice);
    if (chosen && isFitting(chosen, range)) return chosen;
    const seconds = Math.min(visibleSeconds, range.seconds);
    const wanted = finest(seconds, width, CANDLE_PIXELS);
    const isWideEnough =
        current !== undefined && (seconds / current.seconds) * CANDLE_PIXELS_MIN <= width;
    return current && wanted.seconds > current.seconds && isWideEnough ? current : wanted;
}

/** Columns that the server returns at most; its steps are the candle intervals. */
const COLUMNS_MAX = 2100;

/** The step that the server chooses for a map of so many seconds. */
export const mapStep = (seconds: number): number =>
    CANDLE_INTERVALS.find((interval) => seconds / interval.seconds < COLUMNS_MAX - 1)?.seconds ??
    DAY;

/** The powers of ten of all buckets: the server's prices have eight decimals and ten digits before
 * them. */
const BUCKET_POWERS = Array.from({ length: 19 }, (_, i) => i - 8);

const BUCKETS = BUCKET_POWERS.flatMap((power) =>
    [1, 2, 5].map((mantissa) => Number(`${mantissa}e${power}`)),
);

/** The buckets that are offered: 1, 2 or 5 times a power of ten, from half the usual to ten times
 * it. */
export const bucketChoices = (usual: number): number[] =>
    BUCKETS.filter((bucket) => bucket >= usual * 0.39 && bucket <= usual * 10.01);
