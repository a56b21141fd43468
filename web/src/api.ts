// The server's HTTP side: what is asked once, before the stream takes over.

import { Grid, type GridMessage } from './grid.js';

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

/** What the server, or the way to it, had to say. */
export class ApiError extends Error {
    readonly code: string;

    constructor(code: string, message: string) {
        super(message);
        this.code = code;
    }
}

async function getJson(path: string, signal?: AbortSignal): Promise<unknown> {
    let response: Response;
    try {
        response = await fetch(path, { ...(signal && { signal }) });
    } catch (cause) {
        if (signal?.aborted) throw cause;
        throw new ApiError('UNREACHABLE', 'The server cannot be reached.');
    }
    const body = (await response.json().catch(() => null)) as {
        error?: { code?: string; message?: string };
    } | null;
    if (response.ok && body !== null) return body;
    throw new ApiError(
        body?.error?.code ?? `HTTP_${response.status}`,
        body?.error?.message ?? `The server answered ${response.status} ${response.statusText}.`,
    );
}

export const getSymbols = async (): Promise<SymbolsMessage> =>
    (await getJson('/api/v1/symbols')) as SymbolsMessage;

export async function getGrid(symbol: string, range: string, signal?: AbortSignal): Promise<Grid> {
    const path = `/api/v1/heatmap/${encodeURIComponent(symbol)}/grid?window=${range}`;
    return Grid.decode((await getJson(path, signal)) as GridMessage);
}

interface CandlesMessage {
    data: { timestamp: string; open: number; high: number; low: number; close: number }[];
}

async function readCandles(symbol: string, query: string, signal?: AbortSignal): Promise<Candle[]> {
    const path = `/api/v1/candles/${encodeURIComponent(symbol)}?${query}`;
    const { data } = (await getJson(path, signal)) as CandlesMessage;
    return data.map(({ timestamp, open, high, low, close }) => ({
        time: Date.parse(timestamp) / 1000,
        open,
        high,
        low,
        close,
    }));
}

export const getCandles = (
    symbol: string,
    range: string,
    interval: string,
    signal?: AbortSignal,
): Promise<Candle[]> => readCandles(symbol, `window=${range}&interval=${interval}`, signal);

export const getCandlesSince = (
    symbol: string,
    seconds: number,
    interval: string,
    signal?: AbortSignal,
): Promise<Candle[]> => {
    const start = new Date(seconds * 1000).toISOString().replace('.000', '');
    return readCandles(symbol, `start=${start}&interval=${interval}`, signal);
};
