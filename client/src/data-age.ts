// How old data are, which a connection does not tell: a server may answer every ping and have had
// no new candle for an hour.

/** `live`: the newest candle is recent; `stale`: it is not, or none has come yet. */
export type DataAge = 'live' | 'stale';

export class DataAges {
    readonly #staleAfter: number;
    readonly #onChange: (symbol: string, age: DataAge) => void;
    readonly #newest = new Map<string, number>(); /* symbol -> open time of the newest candle */
    readonly #told = new Map<string, DataAge>();
    #timer: ReturnType<typeof setTimeout> | undefined;

    /** `staleAfter`: milliseconds after a candle's open time. */
    constructor(staleAfter: number, onChange: (symbol: string, age: DataAge) => void) {
        this.#staleAfter = staleAfter;
        this.#onChange = onChange;
    }

    /** Reckoned anew at each call, so that it is right however late a timer comes. */
    get(symbol: string): DataAge {
        const newest = this.#newest.get(symbol);
        return newest !== undefined && Date.now() - newest < this.#staleAfter ? 'live' : 'stale';
    }

    update(symbol: string, candleTime: number): void {
        this.#newest.set(symbol, candleTime);
        this.watch();
    }

    forget(symbol: string): void {
        this.#newest.delete(symbol);
        this.#told.delete(symbol);
    }

    /** Tells what has changed, now and when the next symbol grows stale, until stop(). */
    watch(): void {
        this.stop();
        const changed: [string, DataAge][] = [];
        let next = Infinity;
        for (const [symbol, newest] of this.#newest) {
            const age = this.get(symbol);
            if (age !== (this.#told.get(symbol) ?? 'stale')) changed.push([symbol, age]);
            this.#told.set(symbol, age);
            if (age === 'live') next = Math.min(next, newest + this.#staleAfter - Date.now());
        }
        if (next < Infinity) this.#timer = setTimeout(() => this.watch(), Math.max(1, next));
        // Last, since whoever is told may call stop().
        for (const [symbol, age] of changed) this.#onChange(symbol, age);
    }

    stop(): void {
        clearTimeout(this.#timer);
        this.#timer = undefined;
    }
}
