// The messages of /ws/heatmap: their types and a parser. Unknown fields are passed on unchanged and
// unknown message types are ignored, because a newer server may send more than this client knows.

/** Liquidation volume waiting in one price bucket, in quote currency. */
export interface Level {
    /** Lower edge of the bucket. */
    readonly price: number;
    readonly long_density: number;
    readonly short_density: number;
}

/** Positions that candles created, and that they liquidated. */
export interface PositionSums {
    readonly positions_created: number;
    readonly positions_consumed: number;
}

/** The heatmap of one symbol after its newest candle. */
export interface Snapshot {
    readonly type: 'snapshot';
    readonly symbol: string;
    /** Open time of the newest candle, ISO 8601, UTC. */
    readonly timestamp: string;
    /** Together with `seq` orders the snapshots of a symbol on a connection. */
    readonly epoch: number;
    readonly seq: number;
    /** The server replays the past; absent where it does not. */
    readonly replay?: boolean;
    /**
     * Sums from where the generator began: the difference of two of one `epoch` is what happened
     * between them. Absent from other programs' snapshots.
     */
    readonly totals?: PositionSums;
    /**
     * What happened since the snapshot `seq`, the last that this connection got; where the
     * subscription wishes for it, and there is one to compare with.
     */
    readonly since_last?: PositionSums & { readonly seq: number };
    readonly data: {
        /** Ascending by price; without empty buckets. */
        readonly levels: readonly Level[];
        readonly current_price: number;
        /** Positions that this candle created, and that it liquidated. */
        readonly positions_created: number;
        readonly positions_consumed: number;
        /** Height of the levels; absent from servers that do not send it. */
        readonly bucket?: number;
        /**
         * Where the server's data do not reach as far back as the levels rest on: the first moment
         * of which they will know all, ISO 8601; null: they know nothing of open interest. Until
         * then levels lack positions. Absent where nothing is lacking.
         */
        readonly known_from?: string | null;
        /**
         * What price would liquidate on its way through all levels of a side: `factor` times what
         * waits there, by what was liquidated in the days before `until` (ISO 8601).
         * Absent where too few liquidations were recorded to tell.
         */
        readonly expected?: {
            readonly long: number;
            readonly short: number;
            readonly factor: number;
            readonly low: number;
            readonly high: number;
            readonly until: string;
        };
    };
}

/** A position of somebody that its exchange has closed. */
export interface Liquidation {
    readonly type: 'liquidation';
    readonly symbol: string;
    readonly exchange: string;
    /** ISO 8601, UTC. */
    readonly time: string;
    /** Whose position it was. */
    readonly side: 'long' | 'short';
    readonly price: number;
    /** In coins. */
    readonly quantity: number;
    /** In the quote currency. */
    readonly value: number;
    /** With `exchange`, `symbol` and `time` what it is known by. */
    readonly id: string;
}

export interface WarningMessage {
    readonly type: 'warning';
    readonly code: string;
    readonly message: string;
    readonly dropped_messages?: number;
    readonly dropped_liquidations?: number;
}

export interface ErrorMessage {
    readonly type: 'error';
    readonly code: string;
    readonly message: string;
    readonly id?: string | number;
}

export interface PongMessage {
    readonly type: 'pong';
    readonly timestamp: string;
}

export interface AckMessage {
    readonly type: 'ack';
    readonly id: string | number;
    readonly action: string;
    readonly symbols?: readonly string[];
}

export type ServerMessage =
    | Snapshot
    | Liquidation
    | WarningMessage
    | ErrorMessage
    | PongMessage
    | AckMessage;

/** What can be followed of a symbol. */
export type Channel = 'snapshots' | 'liquidations';

export interface SubscribeRequest {
    action: 'subscribe';
    symbols: string[];
    channels?: Channel[];
    update_interval?: number;
    since_last?: boolean;
}

export interface UnsubscribeRequest {
    action: 'unsubscribe';
    symbols: string[];
    channels?: Channel[];
}

export interface PingRequest {
    action: 'ping';
}

export type ClientMessage = SubscribeRequest | UnsubscribeRequest | PingRequest;

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
    typeof value === 'object' && value !== null && !Array.isArray(value);

const hasCodeAndMessage = (message: Json): boolean =>
    typeof message.code === 'string' && typeof message.message === 'string';

function isSnapshot(message: Json): boolean {
    const data = message.data;
    return (
        typeof message.symbol === 'string' &&
        typeof message.timestamp === 'string' &&
        typeof message.epoch === 'number' &&
        typeof message.seq === 'number' &&
        isObject(data) &&
        Array.isArray(data.levels) &&
        typeof data.current_price === 'number'
    );
}

function isLiquidation(message: Json): boolean {
    return (
        typeof message.symbol === 'string' &&
        typeof message.time === 'string' &&
        (message.side === 'long' || message.side === 'short') &&
        typeof message.price === 'number' &&
        typeof message.quantity === 'number' &&
        typeof message.value === 'number'
    );
}

/** The message in `text`; null if this client does not know it. */
export function parseServerMessage(text: string): ServerMessage | null {
    let message: unknown;
    try {
        message = JSON.parse(text);
    } catch {
        return null;
    }
    if (!isObject(message)) return null;
    switch (message.type) {
        case 'snapshot':
            return isSnapshot(message) ? (message as unknown as Snapshot) : null;
        case 'liquidation':
            return isLiquidation(message) ? (message as unknown as Liquidation) : null;
        case 'warning':
        case 'error':
            return hasCodeAndMessage(message)
                ? (message as unknown as WarningMessage | ErrorMessage)
                : null;
        case 'pong':
        case 'ack':
            return message as unknown as PongMessage | AckMessage;
        default:
            return null;
    }
}

/** Whether `a` was published after `b`, which came over the same connection. */
export const isNewer = (a: Snapshot, b: Snapshot): boolean =>
    a.epoch !== b.epoch ? a.epoch > b.epoch : a.seq > b.seq;

/**
 * Whether `next` takes the place of `last`, which came over another connection.
 *
 * The server that is connected now is right, whatever its numbers are: it may have been restarted
 * after its clock was set back, or know nothing of the server before. Only within one epoch, which
 * means one generator, do lower numbers show that it is behind the server before, and only if its
 * market data are not newer.
 */
export const isSuccessor = (next: Snapshot, last: Snapshot): boolean =>
    next.epoch !== last.epoch ||
    next.seq > last.seq ||
    Date.parse(next.timestamp) > Date.parse(last.timestamp);
