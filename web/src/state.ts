// What the user chose. All of it is in the page's address, so that a link shows the same to others.
// Palette and theme are also remembered in this browser, for addresses without them.

import { bucketText } from './format.js';
import type { Side } from './grid.js';
import { CANDLE_INTERVALS } from './interval.js';
import { isPaletteName, type PaletteName, type Theme } from './palette.js';
import { rangeOf } from './range.js';

/** How much of the map automatic scaling shows around the candles. */
export type Zoom = 'near' | 'wide' | 'full';

const SIDES: readonly Side[] = ['both', 'long', 'short'];
const ZOOMS: readonly Zoom[] = ['near', 'wide', 'full'];
const THEMES: readonly Theme[] = ['dark', 'light'];

export interface View {
    symbol: string | null;
    range: string;
    /** An interval's id, or `auto`: what suits the zoom. */
    candles: string;
    /** Price step; null: the server's own. */
    bucket: number | null;
    side: Side;
    zoom: Zoom;
    /** Hidden below this many USD; null: what suits the map. */
    threshold: number | null;
    palette: PaletteName;
    theme: Theme;
}

const STORAGE_KEY = 'heatcast';

function readStored(): { palette?: string; theme?: string } {
    try {
        const stored: unknown = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? '{}');
        return typeof stored === 'object' && stored !== null ? stored : {};
    } catch {
        return {}; /* storage is forbidden or damaged: defaults apply */
    }
}

function writeStored({ palette, theme }: View): void {
    try {
        localStorage.setItem(STORAGE_KEY, JSON.stringify({ palette, theme }));
    } catch {
        // Storage is forbidden: the address still has it.
    }
}

const oneOf = <T extends string>(
    choices: readonly T[],
    value: string | null | undefined,
): T | null => choices.find((choice) => choice === value) ?? null;

/** A number above 0 and below `limit`, rounded to so many decimals. */
function numberIn(text: string | null, limit: number, decimals: number): number | null {
    const value = Number(text);
    const rounded = value > 0 && value < limit ? Number(value.toFixed(decimals)) : 0;
    return rounded > 0 ? rounded : null;
}

/** Prices have eight decimals, and ten digits before them. */
const bucketIn = (text: string | null): number | null => numberIn(text, 1e10, 8);

/** Whole dollars, fewer than there are anywhere. */
const thresholdIn = (text: string | null): number | null => numberIn(text, 1e15, 0);

const paletteIn = (name: string | null | undefined): PaletteName | null =>
    typeof name === 'string' && isPaletteName(name) ? name : null;

export function readView(): View {
    const query = new URLSearchParams(location.search);
    const stored = readStored();
    return {
        symbol: query.get('symbol'),
        range: rangeOf(query.get('range')).id,
        candles: CANDLE_INTERVALS.find(({ id }) => id === query.get('candles'))?.id ?? 'auto',
        bucket: bucketIn(query.get('bucket')),
        side: oneOf(SIDES, query.get('side')) ?? 'both',
        zoom: oneOf(ZOOMS, query.get('prices')) ?? 'near',
        threshold: thresholdIn(query.get('min')),
        palette: paletteIn(query.get('palette')) ?? paletteIn(stored.palette) ?? 'heat',
        theme: oneOf(THEMES, query.get('theme')) ?? oneOf(THEMES, stored.theme) ?? 'dark',
    };
}

/** Writes symbol and range, and of the rest what differs from the default. */
export function writeView(view: View): void {
    const query = new URLSearchParams();
    if (view.symbol !== null) query.set('symbol', view.symbol);
    query.set('range', view.range);
    if (view.candles !== 'auto') query.set('candles', view.candles);
    if (view.bucket !== null) query.set('bucket', bucketText(view.bucket));
    if (view.side !== 'both') query.set('side', view.side);
    if (view.zoom !== 'near') query.set('prices', view.zoom);
    if (view.threshold !== null) query.set('min', String(Math.round(view.threshold)));
    if (view.palette !== 'heat') query.set('palette', view.palette);
    if (view.theme !== 'dark') query.set('theme', view.theme);
    history.replaceState(null, '', `?${query}`);
    writeStored(view);
}
