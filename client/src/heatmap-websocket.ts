// One WebSocket to a heatcast server, reopened whenever it is lost.
//
// What the caller wants (connect, subscribe) is kept apart from the current connection, and sent
// again whenever a new connection opens:
//
//     wanted symbols ──┐                      ┌── lastSnapshot(), `snapshot`, `age`
//                      ├── connection (0..1) ─┤
//     connect() ───────┤                      └── status, `warning`, `error`
//                      └── poller, after some failures: only snapshots
//
// A connection is one Connection object. Before it is replaced, abandon() takes its callbacks away,
// so that a late event cannot affect the next one. Snapshots from both WebSocket and poller go
// through #receiveSnapshot(). Those of one connection are kept in the order of (epoch, seq). Over
// connections, and for each answer to the poller, the server that answers now is right: the numbers
// of another server, or of the same one before a restart, need not be comparable, and a client that
// compares them may wait forever. isSuccessor() has the one exception.
//
// Liveness: browsers answer the server's protocol pings by themselves but do not show them to
// scripts, so the client sends its own `ping` and counts the rounds without any message. It counts
// rounds, not time, because timers of a hidden tab are throttled: a late timer must not be taken
// for a dead server.

import { Backoff } from './backoff.js';
import { ServerClock, waitFor } from './clock.js';
import { DataAges, type DataAge } from './data-age.js';
import { TypedEventTarget } from './events.js';
import { Poller } from './poller.js';
import {
    isNewer,
    isSuccessor,
    parseServerMessage,
    type ClientMessage,
    type Liquidation,
    type ServerMessage,
    type Snapshot,
    type UnsubscribeRequest,
} from './protocol.js';
import { Repeater } from './repeat.js';

/**
 * - `connecting`: a connection is being opened
 * - `connected`: open, and keeping up
 * - `slow`: open, but the server had to skip snapshots; ends when they arrive again
 * - `disconnected`: not connected; unless disconnect() was called, the next attempt is scheduled
 */
export type ConnectionStatus = 'connecting' | 'connected' | 'slow' | 'disconnected';

export interface StatusDetail {
    status: ConnectionStatus;
    previous: ConnectionStatus;
    /** Milliseconds until the next attempt, where one is scheduled. */
    retryIn?: number;
}

export interface WarningDetail {
    code: string;
    message: string;
    droppedMessages: number;
    droppedLiquidations: number;
}

export interface ErrorDetail {
    /** The server's code, or CONNECTION_FAILED, CONNECTION_LOST, CONNECTION_TIMEOUT. */
    code: string;
    message: string;
}

export interface AgeDetail {
    symbol: string;
    age: DataAge;
}

export interface PollingDetail {
    isPolling: boolean;
}

export interface HeatmapEvents {
    snapshot: Snapshot;
    liquidation: Liquidation;
    age: AgeDetail;
    status: StatusDetail;
    polling: PollingDetail;
    warning: WarningDetail;
    error: ErrorDetail;
}

/** The part of the WebSocket interface that is used: a browser's, Node's and `ws` all have it. */
export interface WebSocketLike {
    onopen: ((event: never) => void) | null;
    onmessage: ((event: never) => void) | null;
    onclose: ((event: never) => void) | null;
    onerror: ((event: never) => void) | null;
    send(data: string): void;
    close(code?: number, reason?: string): void;
}

export type WebSocketConstructor = new (
    url: string,
    protocols?: string[],
    options?: never,
) => WebSocketLike;

export interface SubscribeOptions {
    /** Least seconds between two snapshots of a symbol (1 to 60); absent: every change. */
    updateInterval?: number;
    /** Each snapshot says what happened since the one before (`since_last`). */
    sinceLast?: boolean;
    /** The symbol's liquidations come as well, one by one (`liquidation`). */
    liquidations?: boolean;
}

export interface HeatmapWebSocketOptions {
    /** Subscribed to from the start. */
    symbols?: readonly string[];
    /** For `symbols`, and for subscribe() calls that name none. */
    updateInterval?: number;
    /** The same. */
    sinceLast?: boolean;
    /** The same. */
    liquidations?: boolean;
    onSnapshot?: (snapshot: Snapshot) => void;
    onLiquidation?: (liquidation: Liquidation) => void;
    onAge?: (detail: AgeDetail) => void;
    onStatus?: (detail: StatusDetail) => void;
    onPolling?: (detail: PollingDetail) => void;
    onWarning?: (detail: WarningDetail) => void;
    onError?: (detail: ErrorDetail) => void;
    /** Where there is no global WebSocket (Node before 22): the class of the `ws` package. */
    WebSocket?: WebSocketConstructor;
    /** What that class takes as its third argument: headers, a `ca` for a private certificate. */
    webSocketOptions?: object;
    /** For the HTTP requests, in place of the global one: with a certificate of its own, say. */
    fetch?: typeof globalThis.fetch;
    /* All of the following in milliseconds; the defaults are good for most uses. */

    /** Between two pings. A connection with two unanswered ones is given up. */
    pingInterval?: number;
    /** Until an attempt to connect, or an HTTP request, is given up. */
    connectTimeout?: number;
    /** Least and greatest wait before the next attempt. */
    retryMin?: number;
    retryMax?: number;
    /** A connection that lasted this long resets the wait to the least. */
    stableAfter?: number;
    /** How long `slow` lasts at least after a warning, so that it can be seen. */
    slowFor?: number;
    /** Between two HTTP requests while there is no WebSocket. */
    pollInterval?: number;
    /** After a candle's open time, by the server's clock, until the symbol's data are `stale`. */
    staleAfter?: number;
}

/** What is wanted of a symbol. */
interface Wish {
    updateInterval: number | undefined;
    sinceLast: boolean | undefined;
    liquidations: boolean | undefined;
}

type Timer = ReturnType<typeof setTimeout>;

const SILENT_ROUNDS_MAX = 2;
const FAILURES_BEFORE_POLLING = 3;
const SYMBOLS_PER_MESSAGE = 100; /* the server takes messages up to 4 KiB */
const NORMAL_CLOSURE = 1000;

const DEFAULTS = {
    pingInterval: 30_000,
    connectTimeout: 10_000,
    retryMin: 500,
    retryMax: 30_000,
    stableAfter: 10_000,
    slowFor: 3_000,
    pollInterval: 5_000,
    staleAfter: 15 * 60_000,
};

/** ws(s)://…/ws/heatmap from any URL of the server; absent: from the page's own. */
function endpointUrl(url: string | URL | undefined): string {
    const base = typeof location === 'undefined' ? undefined : location.href;
    if (url === undefined && base === undefined) {
        throw new Error('there is no page to take the server from: pass its URL');
    }
    const endpoint = new URL(url ?? '/ws/heatmap', base);
    if (endpoint.protocol === 'http:') endpoint.protocol = 'ws:';
    if (endpoint.protocol === 'https:') endpoint.protocol = 'wss:';
    if (endpoint.pathname.endsWith('/')) endpoint.pathname += 'ws/heatmap';
    endpoint.hash = '';
    return endpoint.href;
}

/** http(s)://…/api/v1/heatmap/SYMBOL of the server that has the endpoint. */
function snapshotUrl(endpoint: string, symbol: string): string {
    const url = new URL(`../api/v1/heatmap/${encodeURIComponent(symbol)}`, endpoint);
    url.protocol = url.protocol === 'wss:' ? 'https:' : 'http:';
    return url.href;
}

class Connection {
    readonly socket: WebSocketLike;
    isOpen = false;
    silentRounds = 0;
    connectTimer: Timer | undefined;
    pingTimer: Timer | undefined;
    stableTimer: Timer | undefined;
    probeTimer: Timer | undefined;
    /** Unsubscribed here; the server may not have taken it in. */
    readonly unsubscribed = new Set<string>();
    /** Whose liquidations the server was asked for. */
    readonly followingLiquidations = new Set<string>();
    readonly repeater: Repeater;

    constructor(socket: WebSocketLike, everything: () => ClientMessage[]) {
        this.socket = socket;
        this.repeater = new Repeater(everything, (message) => this.send(message));
    }

    send(message: ClientMessage): void {
        if (this.isOpen) this.socket.send(JSON.stringify(message));
    }

    /** Closes it; none of its events has an effect after this. */
    abandon(): void {
        clearTimeout(this.connectTimer);
        clearInterval(this.pingTimer);
        clearTimeout(this.stableTimer);
        clearTimeout(this.probeTimer);
        this.repeater.stop();
        const { socket } = this;
        socket.onopen = socket.onmessage = socket.onclose = null;
        socket.onerror = () => {}; /* `ws` throws an error event that has no listener */
        try {
            socket.close(NORMAL_CLOSURE);
        } catch {
            // Some implementations throw when it has never been open.
        }
    }
}

export class HeatmapWebSocket extends TypedEventTarget<HeatmapEvents> {
    readonly url: string;
    readonly #options: HeatmapWebSocketOptions & typeof DEFAULTS;
    readonly #backoff: Backoff;
    readonly #wanted = new Map<string, Wish>(); /* by symbol */
    readonly #changed = new Set<string>(); /* symbols whose wish the server is told in a moment */
    readonly #snapshots = new Map<string, { snapshot: Snapshot; source: Connection | null }>();
    readonly #clock = new ServerClock();
    readonly #ages: DataAges;
    readonly #poller: Poller;
    #status: ConnectionStatus = 'disconnected';
    #failures = 0; /* since a connection was stable */
    #isStarted = false;
    #connection: Connection | null = null;
    #retryTimer: Timer | undefined;
    #slowTimer: Timer | undefined; /* runs while `slow` must last */
    #isFlowing = false; /* a snapshot came since the last warning */

    /** `url`: the server (http, https, ws or wss); absent: the one that served the page. */
    constructor(url?: string | URL, options: HeatmapWebSocketOptions = {}) {
        super();
        this.url = endpointUrl(url);
        // An option that is undefined counts as absent.
        const given = Object.entries(options).filter(([, value]) => value !== undefined);
        this.#options = { ...DEFAULTS, ...Object.fromEntries(given) };
        this.#backoff = new Backoff({
            min: this.#options.retryMin,
            max: this.#options.retryMax,
            random: Math.random,
        });
        this.#ages = new DataAges(
            this.#options.staleAfter,
            () => this.#clock.now(),
            (symbol, age) => this.emit('age', { symbol, age }),
        );
        this.#poller = new Poller({
            urlOf: (symbol) => snapshotUrl(this.url, symbol),
            wanted: this.#wanted,
            interval: this.#options.pollInterval,
            fetch: this.#options.fetch ?? globalThis.fetch,
            timeout: this.#options.connectTimeout,
            retryMax: this.#options.retryMax,
            onSnapshot: (snapshot) => this.#receiveSnapshot(snapshot, null),
            onTime: (time) => this.#setTime(time),
            onReached: (isPolling) => {
                this.emit('polling', { isPolling });
                // The server is back: there may be no need to wait for the next attempt.
                if (isPolling && this.#retryTimer !== undefined) this.#open();
            },
        });
        const { onSnapshot, onLiquidation, onAge, onStatus, onPolling, onWarning, onError } =
            options;
        if (onSnapshot) this.addEventListener('snapshot', (event) => onSnapshot(event.detail));
        if (onLiquidation) this.addEventListener('liquidation', (e) => onLiquidation(e.detail));
        if (onAge) this.addEventListener('age', (event) => onAge(event.detail));
        if (onStatus) this.addEventListener('status', (event) => onStatus(event.detail));
        if (onPolling) this.addEventListener('polling', (event) => onPolling(event.detail));
        if (onWarning) this.addEventListener('warning', (event) => onWarning(event.detail));
        if (onError) this.addEventListener('error', (event) => onError(event.detail));
        if (options.symbols) this.subscribe(options.symbols);
    }

    get status(): ConnectionStatus {
        return this.#status;
    }

    /** Whether snapshots come over HTTP, because no WebSocket can be opened. */
    get isPolling(): boolean {
        return this.#poller.isReached;
    }

    /** The subscribed symbols, whether or not there is a connection. */
    get symbols(): string[] {
        return [...this.#wanted.keys()];
    }

    /** The newest snapshot since the symbol was subscribed to. */
    lastSnapshot(symbol: string): Snapshot | undefined {
        return this.#snapshots.get(symbol)?.snapshot;
    }

    /** Whether the symbol's newest candle is recent, independent of the connection. */
    dataAge(symbol: string): DataAge {
        return this.#ages.get(symbol);
    }

    /** Milliseconds since 1970 by the server's clock; by this machine's until it has told. */
    get serverTime(): number {
        return this.#clock.now();
    }

    /** Connects, and reconnects until disconnect(). Has no effect when called again. */
    connect(): void {
        if (this.#isStarted) return;
        if (!this.#options.WebSocket && !('WebSocket' in globalThis)) {
            throw new Error('there is no global WebSocket: pass a class as options.WebSocket');
        }
        this.#isStarted = true;
        this.#ages.watch();
        this.#watchPage(true);
        this.#open();
    }

    /** Closes the connection and does not reopen it; a later connect() finds the subscriptions. */
    disconnect(): void {
        if (!this.#isStarted) return;
        this.#isStarted = false;
        this.#watchPage(false);
        clearTimeout(this.#retryTimer);
        this.#retryTimer = undefined;
        this.#failures = 0;
        this.#backoff.reset();
        this.#poller.stop();
        this.#ages.stop();
        this.#dropConnection();
        this.#setStatus('disconnected');
    }

    subscribe(symbols: string | readonly string[], options: SubscribeOptions = {}): void {
        const list = typeof symbols === 'string' ? [symbols] : symbols;
        const wish = {
            updateInterval: options.updateInterval ?? this.#options.updateInterval,
            sinceLast: options.sinceLast ?? this.#options.sinceLast,
            liquidations: options.liquidations ?? this.#options.liquidations,
        };
        for (const symbol of list) {
            this.#wanted.set(symbol, wish);
            this.#connection?.unsubscribed.delete(symbol);
        }
        this.#tellSoon(list);
    }

    unsubscribe(symbols: string | readonly string[]): void {
        const list = typeof symbols === 'string' ? [symbols] : symbols;
        for (const symbol of list) {
            this.#wanted.delete(symbol);
            this.#snapshots.delete(symbol);
            this.#ages.forget(symbol);
            this.#poller.forget(symbol);
            this.#connection?.unsubscribed.add(symbol);
            this.#connection?.followingLiquidations.delete(symbol);
        }
        this.#tellSoon(list);
    }

    // --- the connection's life ---

    #open(): void {
        clearTimeout(this.#retryTimer);
        this.#retryTimer = undefined;
        const Socket: WebSocketConstructor = this.#options.WebSocket ?? WebSocket;
        let connection: Connection;
        try {
            const { webSocketOptions } = this.#options;
            const socket = webSocketOptions
                ? new Socket(this.url, [], webSocketOptions as never)
                : new Socket(this.url);
            connection = new Connection(socket, () => this.#everything());
        } catch (cause) {
            this.#lost('CONNECTION_FAILED', String(cause));
            return;
        }
        this.#connection = connection;
        const { socket } = connection;
        socket.onopen = () => this.#opened(connection);
        socket.onmessage = ({ data }: { data: unknown }) => this.#received(connection, data);
        // A close event follows. Browsers do not tell scripts what went wrong; `ws` does, first.
        let fault = '';
        socket.onerror = ({ message }: { message?: string }) => {
            fault = message ?? '';
        };
        socket.onclose = ({ code, reason }: { code: number; reason: string }) => {
            const why = [code, reason, fault].filter(Boolean).join(', ');
            if (connection.isOpen) this.#lost('CONNECTION_LOST', `connection closed (${why})`);
            else this.#lost('CONNECTION_FAILED', `could not connect (${why})`);
        };
        connection.connectTimer = setTimeout(
            () => this.#lost('CONNECTION_TIMEOUT', 'the server did not answer in time'),
            waitFor(this.#options.connectTimeout),
        );
        this.#setStatus('connecting');
    }

    #opened(connection: Connection): void {
        clearTimeout(connection.connectTimer);
        connection.isOpen = true;
        connection.pingTimer = setInterval(
            () => this.#ping(connection),
            waitFor(this.#options.pingInterval),
        );
        connection.stableTimer = setTimeout(() => {
            this.#failures = 0;
            this.#backoff.reset();
        }, waitFor(this.#options.stableAfter));
        this.#setStatus('connected');
        // First, because the pong has the time, and comes before the snapshots whose age it shows.
        this.#send({ action: 'ping' });
        for (const message of this.#everything()) this.#send(message);
        this.#changed.clear();
    }

    #ping(connection: Connection): void {
        if (connection.silentRounds >= SILENT_ROUNDS_MAX) {
            this.#lost('CONNECTION_LOST', 'the server fell silent');
            return;
        }
        connection.silentRounds += 1;
        this.#send({ action: 'ping' });
    }

    #lost(code: string, message: string): void {
        this.#dropConnection();
        this.#failures += 1;
        if (this.#failures >= FAILURES_BEFORE_POLLING) this.#poller.start();
        const retryIn = this.#backoff.next();
        this.#retryTimer = setTimeout(() => this.#open(), waitFor(retryIn));
        this.#setStatus('disconnected', retryIn);
        this.emit('error', { code, message });
    }

    #dropConnection(): void {
        clearTimeout(this.#slowTimer);
        this.#slowTimer = undefined;
        const connection = this.#connection;
        this.#connection = null;
        connection?.abandon();
    }

    #setStatus(status: ConnectionStatus, retryIn?: number): void {
        const previous = this.#status;
        if (previous === status) return;
        this.#status = status;
        this.emit('status', { status, previous, ...(retryIn !== undefined && { retryIn }) });
    }

    // --- what arrives ---

    #received(connection: Connection, data: unknown): void {
        connection.silentRounds = 0;
        clearTimeout(connection.probeTimer);
        connection.probeTimer = undefined;
        this.#poller.stop(); /* not before: an open connection may still carry nothing */
        if (typeof data !== 'string') return;
        const message = parseServerMessage(data);
        if (message) this.#dispatch(connection, message);
    }

    #dispatch(connection: Connection, message: ServerMessage): void {
        switch (message.type) {
            case 'snapshot':
                this.#isFlowing = true;
                this.#recover();
                this.#receiveSnapshot(message, connection);
                break;
            case 'liquidation':
                if (this.#wanted.get(message.symbol)?.liquidations)
                    this.emit('liquidation', message);
                break;
            case 'warning':
                if (message.code === 'SLOW_CONSUMER') this.#becomeSlow();
                this.emit('warning', {
                    code: message.code,
                    message: message.message,
                    droppedMessages: message.dropped_messages ?? 0,
                    droppedLiquidations: message.dropped_liquidations ?? 0,
                });
                break;
            case 'error':
                if (message.code === 'RATE_LIMITED') connection.repeater.refused();
                this.emit('error', { code: message.code, message: message.message });
                break;
            case 'pong':
                this.#setTime(Date.parse(message.timestamp));
                break;
            case 'ack':
                break; /* #received() has noted that the server is alive */
        }
    }

    #setTime(time: number): void {
        this.#clock.set(time);
        this.#ages.watch();
    }

    /** `source`: the connection; null: an answer over HTTP. */
    #receiveSnapshot(snapshot: Snapshot, source: Connection | null): void {
        // One may still arrive after unsubscribe().
        if (!this.#wanted.has(snapshot.symbol)) return;
        const last = this.#snapshots.get(snapshot.symbol);
        if (last) {
            const isOrdered = source !== null && last.source === source;
            const isNews = isOrdered ? isNewer : isSuccessor;
            if (!isNews(snapshot, last.snapshot)) return;
        }
        this.#snapshots.set(snapshot.symbol, { snapshot, source });
        // What is replayed has no age.
        const time = snapshot.replay ? Infinity : Date.parse(snapshot.timestamp);
        this.#ages.update(snapshot.symbol, time);
        this.emit('snapshot', snapshot);
    }

    #becomeSlow(): void {
        clearTimeout(this.#slowTimer);
        this.#isFlowing = false;
        this.#slowTimer = setTimeout(() => {
            this.#slowTimer = undefined;
            this.#recover();
        }, waitFor(this.#options.slowFor));
        this.#setStatus('slow');
    }

    #recover(): void {
        const isSeen = this.#slowTimer === undefined;
        if (this.#status === 'slow' && this.#isFlowing && isSeen) this.#setStatus('connected');
    }

    // --- what is sent ---

    #send(message: ClientMessage): void {
        this.#connection?.send(message);
    }

    /** Tells the server what is wanted of these symbols when the calls of this turn have ended: a
     * loop over a hundred symbols is one message, and not ninety too many for the server. */
    #tellSoon(symbols: readonly string[]): void {
        if (this.#changed.size === 0) queueMicrotask(() => this.#tell());
        for (const symbol of symbols) this.#changed.add(symbol);
    }

    #tell(): void {
        const changed = [...this.#changed];
        this.#changed.clear();
        const isWanted = (symbol: string): boolean => this.#wanted.has(symbol);
        for (const message of this.#subscribes(changed.filter(isWanted))) this.#send(message);
        const others = changed.filter((symbol) => !isWanted(symbol));
        for (const message of unsubscribeMessages(others)) this.#send(message);
    }

    /** What the connection's server should know. */
    #everything(): ClientMessage[] {
        return [
            ...this.#subscribes(this.symbols),
            ...unsubscribeMessages([...(this.#connection?.unsubscribed ?? [])]),
        ];
    }

    #subscribes(symbols: readonly string[]): ClientMessage[] {
        const byWish = new Map<string, { wish: Wish; group: string[] }>();
        for (const symbol of symbols) {
            const wish = this.#wanted.get(symbol);
            if (!wish) continue;
            const key = JSON.stringify(wish);
            const same = byWish.get(key);
            if (same) same.group.push(symbol);
            else byWish.set(key, { wish, group: [symbol] });
        }
        return [...byWish.values()].flatMap(({ wish, group }) => [
            ...subscribeMessages(group, wish),
            ...this.#withoutLiquidations(group, wish),
        ]);
    }

    /** Subscribing adds a channel and takes none away. */
    #withoutLiquidations(symbols: readonly string[], wish: Wish): ClientMessage[] {
        const following = this.#connection?.followingLiquidations;
        if (!following) return [];
        if (wish.liquidations) {
            for (const symbol of symbols) following.add(symbol);
            return [];
        }
        const left = symbols.filter((symbol) => following.delete(symbol));
        return unsubscribeMessages(left).map((message) => ({
            ...message,
            channels: ['liquidations'],
        }));
    }

    // --- the page around it, in a browser ---

    // The page is visible again, or the network is back: the next attempt need not wait, and a
    // connection that was lost during sleep should be detected now.
    readonly #resume = (): void => {
        if (document.visibilityState === 'hidden') return;
        if (this.#retryTimer !== undefined) this.#open();
        else this.#check();
    };

    // The browser reports that the network is lost. The connection may still work, for example to a
    // server on this machine, so it is checked rather than dropped.
    readonly #check = (): void => {
        if (this.#connection?.isOpen) this.#probe(this.#connection);
    };

    #probe(connection: Connection): void {
        if (connection.probeTimer !== undefined) return;
        connection.probeTimer = setTimeout(
            () => this.#lost('CONNECTION_LOST', 'the server fell silent'),
            waitFor(this.#options.connectTimeout),
        );
        this.#send({ action: 'ping' });
    }

    #watchPage(isWatching: boolean): void {
        if (typeof document === 'undefined') return;
        const change = isWatching ? 'addEventListener' : 'removeEventListener';
        document[change]('visibilitychange', this.#resume);
        globalThis[change]('online', this.#resume);
        globalThis[change]('offline', this.#check);
    }
}

function chunks(symbols: readonly string[]): string[][] {
    const parts: string[][] = [];
    for (let at = 0; at < symbols.length; at += SYMBOLS_PER_MESSAGE) {
        parts.push(symbols.slice(at, at + SYMBOLS_PER_MESSAGE));
    }
    return parts;
}

const subscribeMessages = (
    symbols: readonly string[],
    { updateInterval, sinceLast, liquidations }: Wish,
): ClientMessage[] =>
    chunks(symbols).map((part) => ({
        action: 'subscribe',
        symbols: part,
        ...(updateInterval !== undefined && { update_interval: updateInterval }),
        ...(sinceLast !== undefined && { since_last: sinceLast }),
        ...(liquidations && { channels: ['snapshots', 'liquidations'] }),
    }));

const unsubscribeMessages = (symbols: readonly string[]): UnsubscribeRequest[] =>
    chunks(symbols).map((part) => ({ action: 'unsubscribe', symbols: part }));
