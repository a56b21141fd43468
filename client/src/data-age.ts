// How old the data are. The connection does not show it: a server can answer every ping and still
// have no new candle for an hour. Candles are dated by an exchange, so what they are compared with
// is the server's time rather than this machine's, which may never have been set.

import { waitFor } from './clock.js';

/** `live`: the newest candle is recent; `stale`: it is not, or there was none yet. */
export type DataAge = 'live' | 'stale';

export class DataAges {
    readonly #staleAfter: number;
    readonly #now: () => number;
    readonly #onChange: (symbol: string, age: DataAge) => void;
    readonly #newest = new Map<string, number>(); /* symbol -> open time of the newest candle */
    readonly #reported = new Map<string, DataAge>();
    #timer: ReturnType<typeof setTimeout> | undefined;

    /** `staleAfter`: milliseconds after a candle's open time. `now`: milliseconds since 1970. */
    constructor(
        staleAfter: number,
        now: () => number,
        onChange: (symbol: string, age: DataAge) => void,
    ) {
        this.#staleAfter = staleAfter;
        this.#now = now;
        this.#onChange = onChange;
    }

    /** Computed at each call, so that it is right however late the timer is. */
    get(symbol: string): DataAge {
        const newest = this.#newest.get(symbol);
        return newest !== undefined && this.#left(newest) > 0 ? 'live' : 'stale';
    }

    update(symbol: string, candleTime: number): void {
        this.#newest.set(symbol, candleTime);
        this.watch();
    }

    forget(symbol: string): void {
        this.#newest.delete(symbol);
        this.#reported.delete(symbol);
    }

    /**
     * Reports what has changed, now and whenever a symbol becomes stale, until stop(). To be called
     * again when the time has turned out to be another.
     */
    watch(): void {
        this.stop();
        const changed: [string, DataAge][] = [];
        let next = Infinity;
        for (const [symbol, newest] of this.#newest) {
            const age = this.get(symbol);
            if (age !== (this.#reported.get(symbol) ?? 'stale')) changed.push([symbol, age]);
            this.#reported.set(symbol, age);
            if (age === 'live') next = Math.min(next, this.#left(newest));
        }
        if (next < Infinity) {
            this.#timer = setTimeout(() => this.watch(), waitFor(Math.max(1, next)));
        }
        // Last, because onChange may call stop().
        for (const [symbol, age] of changed) this.#onChange(symbol, age);
    }

    /** Milliseconds until it is stale. A candle of the future has only just opened. */
    #left(newest: number): number {
        return this.#staleAfter - Math.max(0, this.#now() - newest);
    }

    stop(): void {
        clearTimeout(this.#timer);
        this.#timer = undefined;
    }
}
