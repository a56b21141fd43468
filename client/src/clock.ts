// Two clocks. How long something takes, and when it is due, is measured by one that never jumps.
// How old data are is a question of date and time. This machine's may be wrong by hours; the
// server's come with each pong and each answer over HTTP.

/** What setTimeout() and setInterval() can wait for at most; longer ones would end at once. */
const LONGEST_WAIT = 2 ** 31 - 1;

/** Milliseconds for setTimeout() and setInterval(), however many there should be. */
export const waitFor = (milliseconds: number): number => Math.min(milliseconds, LONGEST_WAIT);

/** Milliseconds since an arbitrary moment; they pass evenly. */
export const monotonicNow = (): number => performance.now();

export class ServerClock {
    #offset: number | undefined; /* its time minus the monotonic clock's */

    /** The server says what time it is now. What is no time is ignored. */
    set(time: number): void {
        if (Number.isFinite(time)) this.#offset = time - monotonicNow();
    }

    /** The server's time, as far as it is known, otherwise this machine's. */
    now(): number {
        return this.#offset === undefined ? Date.now() : monotonicNow() + this.#offset;
    }
}
