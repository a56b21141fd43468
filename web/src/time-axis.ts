// Converts between times and positions on the chart. The chart counts bars, not seconds: bar i is
// drawn between i - 0.5 and i + 0.5, and holes in the data have no width. A column of the map is
// often shorter than a bar (5 minutes in a 15-minute candle), so positions are fractions of bars.

export class TimeAxis {
    #times: number[] = [];
    #interval = 300;

    /** Open times of the candles, ascending, and the length of one. */
    set(times: readonly number[], interval: number): void {
        this.#times = [...times];
        this.#interval = interval;
    }

    append(time: number): void {
        this.#times.push(time);
    }

    get count(): number {
        return this.#times.length;
    }

    /** The bar position of a time; the open time of bar i is at i - 0.5. */
    positionOf(time: number): number {
        const index = this.#indexAt(time);
        const open = this.#times[index];
        if (open === undefined) return -0.5;
        const part = (time - open) / this.#interval;
        // Beyond the last bar time continues; before the first and within a hole it does not
        // advance.
        const isLast = index === this.#times.length - 1;
        return index - 0.5 + Math.max(0, isLast ? part : Math.min(1, part));
    }

    /** The time at a bar position: the inverse of positionOf(). */
    timeAt(position: number): number {
        const index = Math.min(this.#times.length - 1, Math.max(0, Math.floor(position + 0.5)));
        return (this.#times[index] ?? 0) + (position + 0.5 - index) * this.#interval;
    }

    /** The last bar that began at or before `time`; the first if none did. */
    #indexAt(time: number): number {
        let low = 0;
        let high = this.#times.length - 1;
        while (low < high) {
            const middle = (low + high + 1) >> 1;
            if ((this.#times[middle] ?? 0) <= time) low = middle;
            else high = middle - 1;
        }
        return low;
    }
}

/** The index of the last element that is <= value, or -1. */
export function lastAtOrBefore(sorted: readonly number[], value: number): number {
    let low = -1;
    let high = sorted.length - 1;
    while (low < high) {
        const middle = (low + high + 1) >> 1;
        if ((sorted[middle] ?? 0) <= value) low = middle;
        else high = middle - 1;
    }
    return low;
}
