// The server's HTTP API: the list of symbols, maps and candles. Snapshots come over WebSocket
// instead.

import { bucketText } from './format.js';
import { Grid, type GridMessage } from './grid.js';
import { CANDLES_MAX, type CandleInterval } from './interval.js';

export interface SymbolInfo {
    symbol: string;
    /** Open time of its newest candle; null: no data. */
    newest: string | null;
    bucket: number | null;
    live: boolean;
}

export interface SymbolsMessage {
    symbols: SymbolInfo[];
    simulated: boolean;
    /** The past is shown as if it happened now; absent: it is not. */
    replay?: { from: string; to: string; now: string; speed: number };
    version: string;
    /** "ok", or why it cannot be read. */
    database?: string;
}

/** Times are in seconds since 1970, as the chart takes them. */
export interface Candle {
    time: number;
    open: number;
    high: number;
    low: number;
    close: number;
}

/** A request that failed, with the server's error code or one of the page's own. */
export class ApiError extends Error {
    readonly code: string;
    /** A parameter with which the same request would not have failed, as `{ bucket: '0.05' }`. */
    readonly fits: Readonly<Record<string, string>>;

    constructor(code: string, message: string, fits: Readonly<Record<string, string>> = {}) {
        super(message);
        this.code = code;
        this.fits = fits;
    }
}

/** `path` is relative to the page, which may be served below any path. */
async function getJson(path: string, signal?: AbortSignal): Promise<unknown> {
    let response: Response;
    try {
        response = await fetch(path, { ...(signal && { signal }) });
    } catch (cause) {
        if (signal?.aborted) throw cause;
        throw new ApiError('UNREACHABLE', 'The server cannot be reached.');
    }
    const body = (await response.json().catch(() => null)) as {
        error?: { code?: string; message?: string; fits?: Record<string, string> };
    } | null;
    if (response.ok && body !== null) return body;
    throw new ApiError(
        body?.error?.code ?? `HTTP_${response.status}`,
        body?.error?.message ?? `The server answered ${response.status} ${response.statusText}.`,
        body?.error?.fits,
    );
}

export const getSymbols = async (): Promise<SymbolsMessage> =>
    (await getJson('api/v1/symbols')) as SymbolsMessage;

/** A time as the API expects it. */
const iso = (seconds: number): string => new Date(seconds * 1000).toISOString().replace('.000', '');

export interface GridQuery {
    /** Such as `7d`, back from the newest candle. */
    window?: string;
    /** Where the book begins, instead of a window. */
    start?: number;
    /** The part of it that is returned as columns. */
    shown?: { from: number; to: number };
    bucket: number | null;
}

export async function getGrid(
    symbol: string,
    { window, start, shown, bucket }: GridQuery,
    signal?: AbortSignal,
): Promise<Grid> {
    const query = new URLSearchParams();
    if (window !== undefined) query.set('window', window);
    if (start !== undefined) query.set('start', iso(start));
    if (shown) {
        query.set('shown_start', iso(shown.from));
        query.set('shown_end', iso(shown.to));
    }
    if (bucket !== null) query.set('bucket', bucketText(bucket));
    const path = `api/v1/heatmap/${encodeURIComponent(symbol)}/grid?${query}`;
    return Grid.decode((await getJson(path, signal)) as GridMessage);
}

/** The same in the finest bucket that fits, where the one that is asked for has too many rows for
 * the range of prices. `fitting` is that bucket then, else null. */
export async function getFittingGrid(
    symbol: string,
    query: GridQuery,
    signal?: AbortSignal,
): Promise<{ grid: Grid; fitting: number | null }> {
    try {
        return { grid: await getGrid(symbol, query, signal), fitting: null };
    } catch (cause) {
        const fitting = cause instanceof ApiError ? Number(cause.fits.bucket) : NaN;
        if (!(fitting > (query.bucket ?? 0))) throw cause;
        return { grid: await getGrid(symbol, { ...query, bucket: fitting }, signal), fitting };
    }
}

interface CandlesMessage {
    data: { timestamp: string; open: number; high: number; low: number; close: number }[];
}

async function readCandles(symbol: string, query: string, signal?: AbortSignal): Promise<Candle[]> {
    const path = `api/v1/candles/${encodeURIComponent(symbol)}?${query}`;
    const { data } = (await getJson(path, signal)) as CandlesMessage;
    return data
        .map(({ timestamp, open, high, low, close }) => ({
            time: Date.parse(timestamp) / 1000,
            open,
            high,
            low,
            close,
        }))
        .filter(isCandle);
}

/** What is none would take the chart from all others. */
const isCandle = ({ time, open, high, low, close }: Candle): boolean =>
    time > 0 && [open, high, low, close].every((price) => price > 0 && Number.isFinite(price));

/** The candles of a window back from the newest. */
export const getCandles = (
    symbol: string,
    window: string,
    interval: CandleInterval,
    signal?: AbortSignal,
): Promise<Candle[]> => readCandles(symbol, `window=${window}&interval=${interval.id}`, signal);

/** Requests for one range: three times as many as the longest needs in the shortest interval. */
const PARTS_MAX = 6;

/** The candles of a range, in as many requests as its length needs. */
export async function getCandlesBetween(
    symbol: string,
    from: number,
    to: number,
    interval: CandleInterval,
    signal?: AbortSignal,
): Promise<Candle[]> {
    const { id, seconds } = interval;
    const partSeconds = (CANDLES_MAX - 2) * seconds;
    // Parts begin at multiples of the interval, so that none cuts a candle in two.
    const first = from - (from % seconds);
    const count = Math.min(PARTS_MAX, Math.floor((to - first) / partSeconds) + 1);
    const parts = Array.from({ length: count }, (_, i) => {
        const start = first + i * partSeconds;
        const end = Math.min(to, start + partSeconds - 1);
        const query = `start=${iso(start)}&end=${iso(end)}&interval=${id}`;
        return readCandles(symbol, query, signal).catch(noneIfEmpty);
    });
    return (await Promise.all(parts)).flat();
}

function noneIfEmpty(cause: unknown): Candle[] {
    if (cause instanceof ApiError && cause.code === 'NO_DATA') return [];
    throw cause;
}
