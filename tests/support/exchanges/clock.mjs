// The time of a stand-in market: it begins where a test wants it, runs at the speed that the test
// wants, and can be set forward. Timers are in market time, too.
import { performance } from 'node:perf_hooks';

const timerMaxMs = 60_000; // a longer one is taken up again

export class MarketClock {
    #base; // market time at #since
    #since = performance.now();
    #scale;
    #timers = new Set();
    #handle;
    #isStopped = false;

    // `start` is a time that Date understands; `scale` market seconds in a real one, 0: it stands.
    constructor({ start = '2025-12-08T00:00:00Z', scale = 1 } = {}) {
        this.#base = new Date(start).getTime();
        this.#scale = scale;
    }

    get scale() {
        return this.#scale;
    }

    now() {
        return Math.floor(this.#base + (performance.now() - this.#since) * this.#scale);
    }

    setScale(scale) {
        this.#base = this.now();
        this.#since = performance.now();
        this.#scale = scale;
        this.#arm();
    }

    // Sets it forward; timers that have become due run at once.
    advance(ms) {
        this.#base += ms;
        this.#arm();
    }

    // Calls `run` once, when market time has come that far. Returns a function that cancels it.
    at(time, run) {
        const timer = { time, run };
        this.#timers.add(timer);
        this.#arm();
        return () => this.#timers.delete(timer);
    }

    after(ms, run) {
        return this.at(this.now() + ms, run);
    }

    // What a span of market time takes in reality: Infinity where the clock stands.
    realMs(ms) {
        return this.#scale > 0 ? ms / this.#scale : Infinity;
    }

    stop() {
        this.#isStopped = true;
        this.#timers.clear();
        clearTimeout(this.#handle);
    }

    #arm() {
        clearTimeout(this.#handle);
        if (this.#isStopped || this.#timers.size === 0) return;
        const next = Math.min(...[...this.#timers].map((timer) => timer.time));
        const leftMs = next - this.now();
        const waitMs = leftMs <= 0 ? 0 : Math.min(Math.ceil(this.realMs(leftMs)), timerMaxMs);
        this.#handle = setTimeout(() => this.#run(), waitMs);
        this.#handle.unref();
    }

    #run() {
        const now = this.now();
        const due = [...this.#timers].filter((timer) => timer.time <= now);
        for (const timer of due.sort((a, b) => a.time - b.time))
            if (this.#timers.delete(timer)) timer.run();
        this.#arm();
    }
}
