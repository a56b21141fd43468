// The source of the page's data: map and candles once over HTTP, then snapshots over WebSocket, and
// HTTP again for what the stream does not have (missed columns, exact candles, finer buckets).
//
//     select() ──> grid + candles ──> onMap ──> snapshots ──> onSnapshot
//                        ^                          │ gap
//                        └──────── refresh ─────────┘
//
// Each load from the start begins a new *round*; answers of an earlier round are dropped.

import {
    HeatmapWebSocket,
    type Snapshot,
    type StatusDetail,
    type WarningDetail,
} from 'heatcast-client';
import {
    ApiError,
    getCandles,
    getCandlesBetween,
    getFittingGrid,
    getGrid,
    type Candle,
} from './api.js';
import { DetailLoader, type Sight } from './detail.js';
import { foldLevels, isMultiple, type Grid, type GridChange, type NewestColumn } from './grid.js';
import type { CandleInterval } from './interval.js';
import type { Range } from './range.js';

export interface Selection {
    symbol: string;
    range: Range;
    interval: CandleInterval;
    /** Price step; null: the server's own. One that does not fit becomes the finest that does. */
    bucket: number | null;
}

/** What was fetched for a selection. */
export interface LoadedMap {
    selection: Selection;
    grid: Grid;
    candles: Candle[];
    /** The finest bucket for these prices, where the one asked for was too fine; else null. */
    fittingBucket: number | null;
    /** Newer data of the same selection. */
    isRefresh: boolean;
}

export interface FeedHandlers {
    onLoading: (selection: Selection) => void;
    onMap: (map: LoadedMap) => void;
    /** A finer map of a part of it; null: none any more. */
    onDetail: (grid: Grid | null) => void;
    /** Returns how the snapshot changed the map. */
    onSnapshot: (column: NewestColumn, snapshot: Snapshot) => GridChange;
    /** Exact values of the newest candles. */
    onNewCandles: (candles: Candle[]) => void;
    /** All candles, in the interval of setInterval(). */
    onCandles: (candles: Candle[], selection: Selection) => void;
    onFailure: (error: ApiError, selection: Selection) => void;
    /** Why the server has no data of this symbol; null: not known, so the map is requested. */
    whyEmpty: (symbol: string) => Promise<string | null>;
    onStatus: (detail: StatusDetail) => void;
    onPolling: (isPolling: boolean) => void;
    onWarning: (detail: WarningDetail) => void;
}

const REFRESH_PAUSE_MS = 5_000; /* between two refreshes, however many gaps there are */
const CANDLES_DELAY_MS = 1_500; /* after a new candle began; the previous one is final by then */
const RETRY_MS = 10_000;
/** Columns that may be added before the map is fetched again, so that the memory of a page that
 * stays open for weeks is bounded. */
const GROWTH_MAX = 576;

export class Feed {
    readonly #handlers: FeedHandlers;
    readonly #socket: HeatmapWebSocket;
    readonly #detail: DetailLoader;
    #selection: Selection | null = null;
    #round: AbortController | null = null;
    #map: Grid | null = null;
    #bookStart = 0;
    #sight: Sight | null = null;
    #isLoading = false;
    #epoch: number | null = null; /* of the last snapshot shown */
    #isMissing = false; /* the last answer was NO_DATA */
    #isNewestAsked = false;
    #isFitted = false; /* the map has a coarser bucket than was asked for */
    #bucketAskedFor: number | null = null; /* the server's bucket at the last refresh for it */
    #grown = 0;
    #newestTime = 0; /* of the candle that the last snapshot shown has reached */
    #refreshTimer: number | undefined;
    #candlesTimer: number | undefined;
    #retryTimer: number | undefined;
    #refreshedAt = -Infinity;

    constructor(handlers: FeedHandlers) {
        this.#handlers = handlers;
        this.#detail = new DetailLoader(handlers.onDetail);
        this.#socket = new HeatmapWebSocket(new URL('ws/heatmap', document.baseURI), {
            onSnapshot: (snapshot) => void this.#receive(snapshot),
            onStatus: (detail) => this.#statusChanged(detail),
            onPolling: ({ isPolling }) => handlers.onPolling(isPolling),
            onWarning: handlers.onWarning,
        });
    }

    /** What select() was called with, in the interval that setInterval() has set since. */
    get selection(): Selection | null {
        return this.#selection;
    }

    /** Seconds since 1970, by the server's clock: this machine's may never have been set. */
    get time(): number {
        return this.#socket.serverTime / 1000;
    }

    connect(): void {
        this.#socket.connect();
    }

    select(selection: Selection): void {
        const others = this.#socket.symbols.filter((symbol) => symbol !== selection.symbol);
        if (others.length > 0) this.#socket.unsubscribe(others);
        this.#selection = selection;
        if (!this.#socket.symbols.includes(selection.symbol)) {
            this.#socket.subscribe(selection.symbol);
        }
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
        this.#map = this.#sight = null;
        this.#isMissing = this.#isNewestAsked = false;
        this.#detail.reset();
        this.#handlers.onLoading(selection);
        void this.#load(selection, false);
    }

    /** Fetches other candles of the same range. */
    setInterval(interval: CandleInterval): void {
        const selection = this.#selection;
        if (!selection || selection.interval.id === interval.id) return;
        selection.interval = interval;
        const round = this.#round;
        if (!round || !this.#map) return;
        this.#allCandles(this.#map, selection, round.signal)
            .then((candles) => {
                const isWanted = selection.interval === interval && !round.signal.aborted;
                if (isWanted && candles.length > 0) this.#handlers.onCandles(candles, selection);
            })
            .catch(() => {}); /* the old ones stay; the next change of interval tries again */
    }

    #allCandles(
        { lastTime }: Grid,
        { symbol, range, interval }: Selection,
        signal: AbortSignal,
    ): Promise<Candle[]> {
        return getCandlesBetween(symbol, lastTime - range.seconds, lastTime, interval, signal);
    }

    /** Which part of the map is in sight: one of a long range is fetched in finer columns. */
    setSight(sight: Sight): void {
        this.#sight = sight;
        if (this.#map && this.#selection) {
            this.#detail.setSight(this.#map, this.#bookStart, sight);
        }
    }

    async #load(selection: Selection, isRefresh: boolean): Promise<void> {
        const round = isRefresh && this.#round ? this.#round : new AbortController();
        this.#round = round;
        this.#isLoading = true;
        const { symbol, range, interval, bucket } = selection;
        try {
            const reason = await this.#handlers.whyEmpty(symbol);
            if (reason !== null) throw new ApiError('NO_DATA', reason);
            const query = { window: range.id, bucket };
            const [{ grid, fitting }, newCandles] = await Promise.all([
                getFittingGrid(symbol, query, round.signal),
                isRefresh ? null : getCandles(symbol, range.id, interval, round.signal),
            ]);
            const candles = newCandles ?? (await this.#allCandles(grid, selection, round.signal));
            if (round.signal.aborted) return;
            this.#map = grid;
            this.#isFitted = fitting !== null;
            if (bucket !== null) selection.bucket = grid.bucket;
            this.#bookStart = grid.lastTime - range.seconds;
            this.#isMissing = false;
            this.#grown = 0;
            this.#newestTime = grid.lastTime;
            this.#refreshedAt = performance.now();
            const loaded = { selection, grid, candles, fittingBucket: fitting, isRefresh };
            this.#handlers.onMap(loaded);
            if (this.#sight) this.setSight(this.#sight);
            const last = this.#socket.lastSnapshot(symbol);
            if (last) void this.#receive(last);
        } catch (cause) {
            if (round.signal.aborted) return;
            // After a failed refresh the older map stays; the next gap tries again.
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

    /** Without showLoading: the failure stays on the screen until there is a map. */
    #retry(): void {
        if (this.#map || this.#isLoading || !this.#selection) return;
        void this.#load(this.#selection, false);
    }

    async #receive(snapshot: Snapshot): Promise<void> {
        if (snapshot.symbol !== this.#selection?.symbol) return;
        const map = this.#map;
        if (!map) {
            // Once there is a map, #load() takes the snapshot from lastSnapshot(). Where there were
            // no data, there are now.
            if (this.#isMissing) this.#retry();
            return;
        }
        const { bucket = map.bucket, levels, current_price } = snapshot.data;
        const column = { time: Date.parse(snapshot.timestamp) / 1000, price: current_price };
        if (bucket === map.bucket) {
            this.#show({ ...column, levels }, snapshot);
        } else if (this.#isOutdated(bucket)) {
            // The server has changed its own bucket along with the price; the map follows.
            this.#bucketAskedFor = bucket;
            this.#refreshSoon();
        } else if (isMultiple(map.bucket, bucket)) {
            this.#show({ ...column, levels: foldLevels(levels, map.bucket) }, snapshot);
        } else {
            await this.#showNewest(snapshot, map);
        }
    }

    /** Whether the server has another bucket of its own now, in which the map may be had. */
    #isOutdated(bucket: number): boolean {
        const isOwn = this.#selection?.bucket === null && !this.#isFitted;
        return isOwn && bucket !== this.#bucketAskedFor;
    }

    /** Fetches the newest column, where the stream's levels do not add up to the map's bucket. */
    async #showNewest(snapshot: Snapshot, map: Grid): Promise<void> {
        if (this.#isNewestAsked) return;
        this.#isNewestAsked = true;
        const { symbol } = snapshot;
        try {
            const query = { window: '5m', bucket: map.bucket };
            const newest = await getGrid(symbol, query, this.#round?.signal);
            if (this.#map !== map) return;
            const column = { time: newest.lastTime, price: newest.lastClose };
            this.#show({ ...column, levels: newest.newestLevels() }, snapshot);
        } catch {
            return; /* the next snapshot tries again */
        } finally {
            this.#isNewestAsked = false;
        }
        const last = this.#socket.lastSnapshot(symbol);
        if (last && last !== snapshot) void this.#receive(last);
    }

    #show(column: NewestColumn, snapshot: Snapshot): void {
        const change = this.#handlers.onSnapshot(column, snapshot);
        const isOther = this.#epoch !== null && this.#epoch !== snapshot.epoch;
        this.#epoch = snapshot.epoch;
        if (change === 'old' && isOther && snapshot.replay) {
            this.reload(); /* the past has begun again */
            return;
        }
        if (change === 'gap') this.#refreshSoon();
        if (change === 'gap' || change === 'old') return;
        // Also where no column of a coarse map begins: a candle of its own has ended, whose highs
        // and lows the prices of the snapshots may have missed.
        if (column.time > this.#newestTime) this.#fetchCandlesSoon();
        this.#newestTime = Math.max(this.#newestTime, column.time);
        if (change === 'appended') this.#grown += 1;
        if (this.#grown > GROWTH_MAX) this.#refreshSoon();
    }

    #refreshSoon(): void {
        if (this.#refreshTimer !== undefined) return;
        const wait = Math.max(0, this.#refreshedAt + REFRESH_PAUSE_MS - performance.now());
        this.#refreshTimer = setTimeout(() => {
            this.#refreshTimer = undefined;
            this.#refreshedAt = performance.now();
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
        const map = this.#map;
        if (!selection || !round || !map) return;
        const { symbol, interval } = selection;
        const from = map.lastTime - 3 * interval.seconds;
        try {
            const to = map.lastTime;
            const candles = await getCandlesBetween(symbol, from, to, interval, round.signal);
            if (!round.signal.aborted && selection.interval === interval) {
                this.#handlers.onNewCandles(candles);
            }
        } catch {
            // The approximate candles stay; the next new one tries again.
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
