// The finer map of a part of a long range. A month in columns of five minutes would be too much to
// send, so the whole map has coarser ones. When the view is zoomed in, the part in sight, and as
// much again on either side, is fetched in the finest columns that the server has for that length.

import { getGrid } from './api.js';
import { CANDLE_SECONDS, type Grid } from './grid.js';
import { mapStep } from './interval.js';

/** The part of the time axis that is visible. */
export interface Sight {
    /** Seconds since 1970. */
    from: number;
    to: number;
    /** Pixels. */
    width: number;
}

export class DetailLoader {
    readonly #onDetail: (grid: Grid | null) => void;
    #detail: Grid | null = null;
    #request: AbortController | null = null;

    constructor(onDetail: (grid: Grid | null) => void) {
        this.#onDetail = onDetail;
    }

    reset(): void {
        this.#request?.abort();
        this.#request = null;
        this.#set(null);
    }

    /** `bookStart`: where the whole map's book begins; the part must begin its own there, too. */
    setSight(whole: Grid, bookStart: number, sight: Sight): void {
        const first = whole.times[0] ?? 0;
        const last = whole.lastTime;
        const from = Math.max(first, sight.from);
        const to = Math.min(last, sight.to);
        const margin = to - from;
        const shown = {
            from: floor(Math.max(first, from - margin)),
            to: floor(Math.min(last, to + margin)),
        };
        const step = mapStep(shown.to - shown.from);
        const columns = (to - from) / whole.step;
        const isFineEnough = step >= whole.step || columns > sight.width;
        if (margin <= 0 || isFineEnough) {
            this.reset();
        } else if (!this.#covers(from, to, step, last)) {
            void this.#load(whole, bookStart, shown);
        }
    }

    #covers(from: number, to: number, step: number, last: number): boolean {
        const detail = this.#detail;
        if (!detail || detail.step > step) return false;
        // Snapshots extend the whole map, and the part too if it reaches the end.
        const end = detail.lastTime + detail.step;
        return (detail.times[0] ?? Infinity) <= from + detail.step && end >= Math.min(to, last);
    }

    async #load(
        { symbol, bucket }: Grid,
        start: number,
        shown: { from: number; to: number },
    ): Promise<void> {
        this.#request?.abort();
        const request = new AbortController();
        this.#request = request;
        try {
            const detail = await getGrid(symbol, { start, shown, bucket }, request.signal);
            if (!request.signal.aborted) this.#set(detail);
        } catch {
            // The whole map remains visible; the next change of view tries again.
        }
    }

    #set(detail: Grid | null): void {
        if (detail === this.#detail) return;
        this.#detail = detail;
        this.#onDetail(detail);
    }
}

const floor = (seconds: number): number => seconds - (seconds % CANDLE_SECONDS);
