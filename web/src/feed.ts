// Where data come from: the map and its candles once over HTTP, then snapshots over WebSocket, and
// HTTP again for what the stream cannot tell (missed columns, exact candles).
//
//     select() ──> grid + candles ──> onMap ──> snapshots ──> onSnapshot
//                        ^                          │ gap
//                        └──────── refresh ─────────┘
//
// Each select() starts a new *round*; answers of an earlier round are dropped, whenever they come.

import { HeatmapWebSocket, type Snapshot, type StatusDetail } from 'heatcast-client';
import { ApiError, getCandles, getCandlesSince, getGrid, type Candle } from './api.js';
import type { Grid, GridChange } from './grid.js';
import type { CandleInterval } from './state.js';

export interface Selection {
    symbol: string;
    range: string;
    interval: CandleInterval;
}

export interface FeedHandlers {
    onLoading: (selection: Selection) => void;
    /** `isRefresh`: newer data of the same selection. */
    onMap: (grid: Grid, candles: Candle[], selection: Selection, isRefresh: boolean) => void;
    /** Returns what the snapshot did to the map. */
    onSnapshot: (snapshot: Snapshot) => GridChange;
    onCandles: (candles: Candle[]) => void;
    onFailure: (error: ApiError, selection: Selection) => void;
    /** Why the server has nothing of this symbol, where that is known: then nothing is asked. */
    whyEmpty: (symbol: string) => Promise<string | null>;
    onStatus: (detail: StatusDetail) => void;
}

const REFRESH_PAUSE_MS = 5_000; /* between two refreshes: a gap must not become a storm */
const CANDLES_DELAY_MS = 1_500; /* after a new candle began: the one before is final then */
const RETRY_MS = 10_000;
/** Columns that may be added before the map is fetched anew, so that a page left open for weeks
 * does not grow for ever. */
const GROWTH_MAX = 576;

export class Feed {
    readonly #handlers: FeedHandlers;
    readonly #socket: HeatmapWebSocket;
    #selection: Selection | null = null;
    #round: AbortController | null = null;
    #hasMap = false;
    #isLoading = false;
    #isMissing = false; /* the last answer was that there are no data */
    #grown = 0;
    #refreshTimer: number | undefined;
    #candlesTimer: number | undefined;
    #retryTimer: number | undefined;
    #refreshedAt = 0;

    constructor(handlers: FeedHandlers) {
        this.#handlers = handlers;
        this.#socket = new HeatmapWebSocket(undefined, {
            onSnapshot: (snapshot) => this.#receive(snapshot),
            onStatus: (detail) => this.#statusChanged(detail),
        });
    }

    connect(): void {
        this.#socket.connect();
    }

    select(selection: Selection): void {
        const others = this.#socket.symbols.filter((symbol) => symbol !== selection.symbol);
        if (others.length > 0) this.#socket.unsubscribe(others);
        this.#selection = selection;
        this.#socket.subscribe(selection.symbol);
        this.reload();
    }

    /** Fetches the selection from the start, as after an error. */
    reload(): void {
        const selection = this.#selection;
        if (!selection) return;
        this.#round?.abort();
        clearTimeout(this.#refreshTimer);
        clearTimeout(this.#candlesTimer);
        clearTimeout(this.#retryTimer);
        this.#refreshTimer = this.#candlesTimer = undefined;
        this.#hasMap = this.#isMissing = false;
        this.#handlers.onLoading(selection);
        void this.#load(selection, false);
    }

    async #load(selection: Selection, isRefresh: boolean): Promise<void> {
        const round = isRefresh && this.#round ? this.#round : new AbortController();
        this.#round = round;
        this.#isLoading = true;
        const { symbol, range, interval } = selection;
        try {
            const reason = await this.#handlers.whyEmpty(symbol);
            if (reason !== null) throw new ApiError('NO_DATA', reason);
            const [grid, candles] = await Promise.all([
                getGrid(symbol, range, round.signal),
                getCandles(symbol, range, interval.id, round.signal),
            ]);
            if (round.signal.aborted) return;
            this.#hasMap = true;
            this.#isMissing = false;
            this.#grown = 0;
            this.#refreshedAt = Date.now();
            this.#handlers.onMap(grid, candles, selection, isRefresh);
            const last = this.#socket.lastSnapshot(symbol);
            if (last) this.#receive(last);
        } catch (cause) {
            if (round.signal.aborted) return;
            // A refresh that fails leaves a map that is merely older; the next gap tries again.
            if (isRefresh) return;
            const error = asApiError(cause);
            this.#isMissing = error.code === 'NO_DATA';
            this.#handlers.onFailure(error, selection);
            clearTimeout(this.#retryTimer);
            this.#retryTimer = setTimeout(() => this.#retry(), RETRY_MS);
        } finally {
            if (this.#round === round) this.#isLoading = false;
        }
    }

    /** Quietly: the failure stays on the screen until there is something better. */
    #retry(): void {
        if (this.#hasMap || this.#isLoading || !this.#selection) return;
        void this.#load(this.#selection, false);
    }

    #receive(snapshot: Snapshot): void {
        if (snapshot.symbol !== this.#selection?.symbol) return;
        if (!this.#hasMap) {
            // It is taken from lastSnapshot() when the map is there; and where there was nothing to
            // make a map of, there is now.
            if (this.#isMissing) this.#retry();
            return;
        }
        const change = this.#handlers.onSnapshot(snapshot);
        if (change === 'gap') this.#refreshSoon();
        if (change === 'appended') {
            this.#grown += 1;
            if (this.#grown > GROWTH_MAX) this.#refreshSoon();
            else this.#fetchCandlesSoon();
        }
    }

    #refreshSoon(): void {
        if (this.#refreshTimer !== undefined) return;
        const wait = Math.max(0, this.#refreshedAt + REFRESH_PAUSE_MS - Date.now());
        this.#refreshTimer = setTimeout(() => {
            this.#refreshTimer = undefined;
            this.#refreshedAt = Date.now();
            if (this.#selection) void this.#load(this.#selection, true);
        }, wait);
    }

    #fetchCandlesSoon(): void {
        if (this.#candlesTimer !== undefined) return;
        this.#candlesTimer = setTimeout(() => {
            this.#candlesTimer = undefined;
            void this.#fetchCandles();
        }, CANDLES_DELAY_MS);
    }

    async #fetchCandles(): Promise<void> {
        const selection = this.#selection;
        const round = this.#round;
        const last = selection && this.#socket.lastSnapshot(selection.symbol);
        if (!selection || !round || !last) return;
        const { id, seconds } = selection.interval;
        const time = Date.parse(last.timestamp) / 1000;
        // From a multiple of the interval on, so that the first candle is a whole one.
        const since = time - (time % seconds) - 3 * seconds;
        try {
            const candles = await getCandlesSince(selection.symbol, since, id, round.signal);
            if (!round.signal.aborted) this.#handlers.onCandles(candles);
        } catch {
            // The candles that followed the price stand in; the next new one tries again.
        }
    }

    #statusChanged(detail: StatusDetail): void {
        this.#handlers.onStatus(detail);
        if (detail.status === 'connected' && detail.previous === 'connecting') this.#retry();
    }
}

const asApiError = (cause: unknown): ApiError =>
    cause instanceof ApiError
        ? cause
        : new ApiError('UNEXPECTED', cause instanceof Error ? cause.message : String(cause));
