// How much an exchange lets one address do, and what happens beyond it.
//
// Time is that of the market or the real one: a program whose own clock is real keeps to limits in
// real time, however fast the market runs.
import { performance } from 'node:perf_hooks';

const slackRealMs = 5;

export class Limits {
    #windows = new Map();
    #clock;

    // `time`: 'real' or 'market'.
    constructor(clock, time = 'real') {
        this.#clock = clock;
        this.isReal = time === 'real';
    }

    // By how much two clocks may differ that both run as fast.
    get slackMs() {
        return this.isReal ? 1 : Math.max(1, slackRealMs * this.#clock.scale);
    }

    now() {
        return this.isReal ? performance.now() : this.#clock.now();
    }

    // Charges the budget. `leftMs` is when a new window begins, where it is over its limit.
    charge(name, { limit, windowMs }, weight = 1) {
        const now = this.now();
        let window = this.#windows.get(name);
        if (!window || now >= window.endsAt) window = { endsAt: now + windowMs, used: 0 };
        this.#windows.set(name, window);
        window.used += weight;
        return { used: window.used, isOver: window.used > limit, leftMs: window.endsAt - now };
    }

    used(name) {
        const window = this.#windows.get(name);
        return window && this.now() < window.endsAt ? window.used : 0;
    }
}
