// Snapshots over plain HTTP while no WebSocket can be opened: some proxies and firewalls block
// them. With an ETag, a request costs next to nothing when nothing has changed.

import { Backoff } from './backoff.js';
import { monotonicNow, waitFor } from './clock.js';
import { parseServerMessage, type Snapshot } from './protocol.js';

export interface PollerOptions {
    /** The URL of a symbol's newest snapshot. */
    urlOf: (symbol: string) => string;
    /** The symbols to request, each with its update interval in seconds. */
    wanted: ReadonlyMap<string, { readonly updateInterval: number | undefined }>;
    /** Milliseconds between two requests for a symbol, where its update interval is not longer. */
    interval: number;
    fetch: typeof globalThis.fetch | undefined;
    /** Milliseconds that an answer may take. */
    timeout: number;
    /** Milliseconds between two requests that fail, at most. */
    retryMax: number;
    onSnapshot: (snapshot: Snapshot) => void;
    /** An answer says what time it is there, in milliseconds since 1970; NaN if it does not. */
    onTime: (time: number) => void;
    /** The server has started or stopped answering. */
    onReached: (isReached: boolean) => void;
}

/** From this status on, a proxy may have answered for a server that is down. */
const SERVER_FAULT = 500;

/** Milliseconds: a timer can be slightly early, which must not skip a whole interval. */
const EARLY = 50;

export class Poller {
    readonly #options: PollerOptions;
    readonly #backoff: Backoff;
    readonly #tags = new Map<string, string>();
    readonly #askedAt = new Map<string, number>();
    #timer: ReturnType<typeof setTimeout> | undefined;
    #abort: AbortController | undefined;
    #isReached = false;

    constructor(options: PollerOptions) {
        this.#options = options;
        this.#backoff = new Backoff({
            min: options.interval,
            max: Math.max(options.interval, options.retryMax),
            random: Math.random,
        });
    }

    /** Whether it runs and the server answers. */
    get isReached(): boolean {
        return this.#isReached;
    }

    /** Polls from now on until stop(). Has no effect while it is polling. */
    start(): void {
        if (this.#abort || !this.#options.fetch) return;
        this.#abort = new AbortController();
        this.#backoff.reset();
        void this.#round(this.#abort);
    }

    stop(): void {
        clearTimeout(this.#timer);
        this.#abort?.abort();
        this.#abort = undefined;
        this.#askedAt.clear();
        this.#setReached(false);
    }

    /** The caller no longer has the symbol's snapshot, so the next answer must not be a 304. */
    forget(symbol: string): void {
        this.#tags.delete(symbol);
        this.#askedAt.delete(symbol);
    }

    async #round(abort: AbortController): Promise<void> {
        const due = this.#due();
        for (const symbol of due) {
            this.#askedAt.set(symbol, monotonicNow());
            const isReached = await this.#ask(symbol, abort);
            if (abort.signal.aborted) return;
            this.#setReached(isReached);
            if (!isReached) {
                this.#askedAt.delete(symbol); /* so that the next round tries again */
                break; /* the other symbols would fail too */
            }
        }
        const hasFailed = due.length > 0 && !this.#isReached;
        if (!hasFailed) this.#backoff.reset();
        const wait = hasFailed ? this.#backoff.next() : this.#options.interval;
        if (abort.signal.aborted) return;
        this.#timer = setTimeout(() => void this.#round(abort), waitFor(wait));
    }

    #setReached(isReached: boolean): void {
        if (this.#isReached === isReached) return;
        this.#isReached = isReached;
        this.#options.onReached(isReached);
    }

    #due(): string[] {
        const now = monotonicNow();
        return [...this.#options.wanted]
            .filter(([symbol, { updateInterval = 0 }]) => {
                const askedAt = this.#askedAt.get(symbol) ?? -Infinity;
                return now - askedAt >= updateInterval * 1000 - EARLY;
            })
            .map(([symbol]) => symbol);
    }

    /** Whether the server answered; an answer without data counts, a fault of a proxy does not. */
    async #ask(symbol: string, abort: AbortController): Promise<boolean> {
        const attempt = new AbortController();
        const giveUp = (): void => attempt.abort();
        abort.signal.addEventListener('abort', giveUp);
        const timer = setTimeout(giveUp, waitFor(this.#options.timeout));
        try {
            const response = await this.#fetch(symbol, attempt.signal);
            const text = await response.text();
            if (abort.signal.aborted) return false;
            this.#options.onTime(Date.parse(response.headers.get('Date') ?? ''));
            if (response.ok) this.#take(symbol, response, text);
            return response.status < SERVER_FAULT;
        } catch {
            return false;
        } finally {
            clearTimeout(timer);
            abort.signal.removeEventListener('abort', giveUp);
        }
    }

    /**
     * A server ends connections that were idle for a while, and may do so while a request is on its
     * way, which then fails. Browsers repeat it by themselves, Node does not.
     */
    async #fetch(symbol: string, signal: AbortSignal): Promise<Response> {
        const tag = this.#tags.get(symbol);
        const { fetch = globalThis.fetch } = this.#options;
        const url = this.#options.urlOf(symbol);
        const request = { headers: tag === undefined ? {} : { 'If-None-Match': tag }, signal };
        try {
            return await fetch(url, request);
        } catch (cause) {
            if (signal.aborted) throw cause;
            return fetch(url, request);
        }
    }

    #take(symbol: string, response: Response, text: string): void {
        const message = parseServerMessage(text);
        if (message?.type !== 'snapshot' || message.symbol !== symbol) return;
        const tag = response.headers.get('ETag');
        if (tag !== null) this.#tags.set(symbol, tag);
        this.#options.onSnapshot(message);
    }
}
