// How long to wait before the next attempt to connect: exponential backoff with full jitter, so
// that thousands of clients of a restarted server do not reconnect at the same moment.

export interface BackoffOptions {
    /** Least wait in milliseconds. */
    min: number;
    /** Greatest wait in milliseconds. */
    max: number;
    /** Uniform in [0, 1); replaced in tests. */
    random: () => number;
}

export class Backoff {
    #attempts = 0;
    readonly #options: BackoffOptions;

    constructor(options: BackoffOptions) {
        this.#options = options;
    }

    /** The next wait in milliseconds: uniform between the least wait and a ceiling that doubles. */
    next(): number {
        const { min, max, random } = this.#options;
        this.#attempts += 1;
        // 2 ** 1024 is Infinity, which min() limits, so the number of attempts needs no limit.
        const ceiling = Math.min(max, min * 2 ** this.#attempts);
        return min + random() * Math.max(0, ceiling - min);
    }

    reset(): void {
        this.#attempts = 0;
    }
}
