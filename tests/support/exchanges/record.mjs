// What an exchange has served, asked and objected to, for tests to compare with.
//
// Rows are kept as the truth has them (market.mjs), by the exchange's own name of the symbol, and
// only those that left unharmed: a row in an answer that was cut off, or one that a fault has made
// impossible, is not among them.
export class ServedRecord {
    requests = []; // {atMs, method, path, status, weight, faults, rows}
    connections = []; // {atMs, path, closedAtMs, code, sent, received}
    violations = []; // {atMs, kind, text}
    #candles = new Map(); // native -> Map(openMs -> {final, open})
    #interest = new Map(); // native -> Map(timeMs -> row)
    #liquidations = new Map(); // native -> Map(id -> row), as they were first sent
    #prices = new Map(); // native -> the last
    #clock;

    constructor(clock) {
        this.#clock = clock;
    }

    violate(kind, text) {
        this.violations.push({ atMs: this.#clock.now(), kind, text });
    }

    // `row` is {kind, native, ...}, as the makers of answers and messages give it.
    add(row) {
        if (row.kind === 'candle') {
            const times = entry(this.#candles, row.native, () => new Map());
            const known = entry(times, row.openMs, () => ({ final: undefined, open: 0 }));
            if (row.isClosed) known.final = row;
            else known.open++;
        } else if (row.kind === 'interest') {
            entry(this.#interest, row.native, () => new Map()).set(row.timeMs, row);
        } else if (row.kind === 'liquidation') {
            entry(
                entry(this.#liquidations, row.native, () => new Map()),
                row.id,
                () => row,
            );
        } else if (row.kind === 'price') {
            this.#prices.set(row.native, row);
        }
    }

    // The closed candles that were served, by the time they open, oldest first.
    candles(native) {
        const times = this.#candles.get(native) ?? new Map();
        return [...times.values()]
            .map(({ final }) => final)
            .filter(Boolean)
            .sort((a, b) => a.openMs - b.openMs);
    }

    // How often the candle was served while it was open.
    openCandles(native, openMs) {
        return this.#candles.get(native)?.get(openMs)?.open ?? 0;
    }

    interest(native) {
        return [...(this.#interest.get(native)?.values() ?? [])].sort(
            (a, b) => a.timeMs - b.timeMs,
        );
    }

    liquidations(native) {
        return [...(this.#liquidations.get(native)?.values() ?? [])];
    }

    price(native) {
        return this.#prices.get(native);
    }

    requestsOf(part) {
        return this.requests.filter(({ path }) => path.includes(part));
    }
}

function entry(map, key, make) {
    if (!map.has(key)) map.set(key, make());
    return map.get(key);
}
