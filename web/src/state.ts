// What the user chose. The view (symbol, range, candles) lives in the address, so that a link shows
// the same to somebody else; taste (palette, theme) stays in this browser.

import { isPaletteName, type PaletteName, type Theme } from './palette.js';

export interface Range {
    id: string;
    label: string;
    seconds: number;
}

const HOUR = 3600;
const DAY = 24 * HOUR;

export const RANGES: readonly Range[] = [
    { id: '48h', label: '48 hours', seconds: 2 * DAY },
    { id: '3d', label: '3 days', seconds: 3 * DAY },
    { id: '7d', label: '7 days', seconds: 7 * DAY },
    { id: '14d', label: '14 days', seconds: 14 * DAY },
    { id: '30d', label: '30 days', seconds: 30 * DAY },
];

export const DEFAULT_RANGE = '7d';

export interface CandleInterval {
    id: string;
    seconds: number;
}

export const CANDLE_INTERVALS: readonly CandleInterval[] = [
    { id: '5m', seconds: 300 },
    { id: '15m', seconds: 900 },
    { id: '30m', seconds: 1800 },
    { id: '1h', seconds: HOUR },
    { id: '2h', seconds: 2 * HOUR },
    { id: '4h', seconds: 4 * HOUR },
    { id: '8h', seconds: 8 * HOUR },
    { id: '12h', seconds: 12 * HOUR },
    { id: '1d', seconds: DAY },
];

const CANDLES_MAX = 5000; /* the server's limit for one answer */
const CANDLE_PIXELS_MIN = 3;

export const rangeOf = (id: string): Range =>
    RANGES.find((range) => range.id === id) ?? (RANGES[2] as Range);

/** Whether a range can be shown in candles of this interval at all. */
export const isFitting = (interval: CandleInterval, range: Range): boolean =>
    range.seconds / interval.seconds < CANDLES_MAX && range.seconds / interval.seconds >= 2;

/** The chosen interval, or else the finest whose candles are wide enough to be read as candles. */
export function candleInterval(choice: string, range: Range, width: number): CandleInterval {
    const chosen = CANDLE_INTERVALS.find(({ id }) => id === choice);
    if (chosen && isFitting(chosen, range)) return chosen;
    const finest = CANDLE_INTERVALS.find(
        ({ seconds }) => (range.seconds / seconds) * CANDLE_PIXELS_MIN <= width,
    );
    return finest ?? (CANDLE_INTERVALS[CANDLE_INTERVALS.length - 1] as CandleInterval);
}

export interface ViewState {
    symbol: string | null;
    range: string;
    candles: string;
}

export function readView(): ViewState {
    const query = new URLSearchParams(location.search);
    const range = query.get('range') ?? '';
    return {
        symbol: query.get('symbol')?.toUpperCase() ?? null,
        range: RANGES.some(({ id }) => id === range) ? range : DEFAULT_RANGE,
        candles: query.get('candles') ?? 'auto',
    };
}

export function writeView({ symbol, range, candles }: ViewState): void {
    const query = new URLSearchParams();
    if (symbol) query.set('symbol', symbol);
    query.set('range', range);
    if (candles !== 'auto') query.set('candles', candles);
    history.replaceState(null, '', `?${query}`);
}

export interface Preferences {
    palette: PaletteName;
    theme: Theme;
}

const PREFERENCES_KEY = 'heatcast';

export function readPreferences(): Preferences {
    let stored: Partial<Record<keyof Preferences, string>> = {};
    try {
        stored = JSON.parse(localStorage.getItem(PREFERENCES_KEY) ?? '{}') as typeof stored;
    } catch {
        // Storage may be forbidden, or hold something else; the defaults do.
    }
    return {
        palette: isPaletteName(stored.palette ?? '') ? (stored.palette as PaletteName) : 'heat',
        theme: stored.theme === 'light' ? 'light' : 'dark',
    };
}

export function writePreferences(preferences: Preferences): void {
    try {
        localStorage.setItem(PREFERENCES_KEY, JSON.stringify(preferences));
    } catch {
        // Then they last as long as the page.
    }
}
