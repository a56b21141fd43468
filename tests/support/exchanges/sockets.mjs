// The WebSockets of a stand-in: who is connected and subscribed to what, and when rows are sent.
//
// Rows are sent by a timer in real time, some 30 times a second at most, however fast the market
// runs: each time all candles that have closed since, the open ones as they are, and everything
// else that has become due. So nothing that an exchange sends once is left out, and a fast market
// sends no more than a slow one.
import { WebSocketServer } from 'ws';

import { Connection } from './connection.mjs';
import { candleMs, floorTime } from './market.mjs';
import { findFault } from './rest-faults.mjs';

const pushRealMs = 30;
const secondMs = 1000;

export class Sockets {
    #standIn;
    #servers = new Map(); // by whether pings are answered
    #connections = new Set();
    #hanging = []; // sockets whose handshake is not answered
    #timer;
    #pushedMs;

    constructor(standIn, server) {
        this.#standIn = standIn;
        this.#pushedMs = standIn.clock.now();
        server.on('upgrade', (...where) => this.#upgrade(...where));
        for (const autoPong of [true, false])
            this.#servers.set(
                autoPong,
                new WebSocketServer({
                    noServer: true,
                    autoPong,
                    perMessageDeflate: standIn.options.deflates ?? false,
                }),
            );
        this.#timer = setInterval(() => this.push(), pushRealMs);
        this.#timer.unref();
    }

    get connections() {
        return [...this.#connections];
    }

    get subscriptionCount() {
        return this.connections.reduce((all, { subscriptions }) => all + subscriptions.size, 0);
    }

    stop() {
        clearInterval(this.#timer);
        for (const connection of this.#connections) connection.destroy();
        for (const socket of this.#hanging) socket.destroy();
    }

    // -- connecting -------------------------------------------------------------------------------

    #upgrade(request, socket, head) {
        const { record, faults, definition, limits } = this.#standIn;
        const { pathname: path, search } = new URL(request.url, 'http://stand-in');
        const hits = faults.take('connect', `${path}${search}`);
        const state = definition.paths(path);
        if (definition.connects) {
            const { isOver } = limits.charge('connects', definition.connects);
            if (isOver) record.violate('connects', `too many connections: ${path}`);
        }
        const refuse = findFault(hits, 'refuse');
        if (findFault(hits, 'hang')) {
            this.#hanging.push(socket.on('error', () => {}));
        } else if (findFault(hits, 'reset')) {
            socket.destroy();
        } else if (refuse || state === undefined) {
            if (!refuse) record.violate('path', `no WebSocket is at ${path}`);
            const body = '<html><body>Forbidden</body></html>';
            socket.end(
                `HTTP/1.1 ${refuse?.status ?? (refuse ? 403 : 404)} No\r\nContent-Type: text/html\r\n` +
                    `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
            );
        } else {
            if (state === 'retired') record.violate('retired', `${path} was retired`);
            const server = this.#servers.get(!findFault(hits, 'no-pong'));
            server.handleUpgrade(request, socket, head, (webSocket) =>
                this.#open(webSocket, `${path}${search}`, state, hits),
            );
        }
    }

    #open(webSocket, path, state, hits) {
        const connection = new Connection(this.#standIn, this, webSocket, path, state, hits);
        this.#connections.add(connection);
        webSocket.once('close', () => this.#connections.delete(connection));
        connection.begin();
    }

    // -- sending ----------------------------------------------------------------------------------

    push() {
        const now = this.#standIn.clock.now();
        const from = this.#pushedMs;
        if (now > from) {
            this.#pushedMs = now;
            for (const connection of this.#connections)
                for (const subscription of connection.subscriptions.values())
                    this.#pushTo(connection, subscription, from, now);
        }
        for (const connection of this.#connections) connection.checkLife();
    }

    #pushTo(connection, subscription, from, now) {
        const span = { from: Math.max(from, subscription.sinceMs), now };
        span.isDue = now - (subscription.sentMs ?? -Infinity) >= (subscription.everyMs ?? 0);
        if (span.isDue) subscription.sentMs = now;
        for (const instrument of subscription.instruments()) {
            const rows = this.#rowsOf(subscription.kind, instrument, span);
            if (rows.length > 0) connection.sendRows(subscription, instrument, rows);
        }
    }

    // The rows that have become due in (from, now], as record.mjs keeps them.
    #rowsOf(kind, { native, market }, { from, now, isDue }) {
        if (kind === 'liquidation') return this.#liquidations(native, market, from, now);
        if (kind !== 'candle' && !isDue) return [];
        const price = { kind: 'price', native, timeMs: now, price: market.mark(now) };
        const interest = { kind: 'interest', native, ...market.interest(now) };
        if (kind === 'price') return [price];
        if (kind === 'interest') return [interest];
        if (kind === 'ticker') return [price, interest];
        const closed = market.candles(floorTime(from) - candleMs, floorTime(now), now);
        const open = isDue ? [market.candle(floorTime(now), now)].filter(Boolean) : [];
        return [...closed.filter(({ openMs }) => openMs + candleMs > from), ...open].map((row) => ({
            kind,
            native,
            ...row,
        }));
    }

    // Those of the whole seconds that have passed; of each second the last, where the exchange
    // tells no more.
    #liquidations(native, market, from, now) {
        const rows = market.liquidations(floorTime(from, secondMs), floorTime(now, secondMs));
        const isCapped = this.#standIn.definition.capsLiquidations;
        const last = new Map(rows.map((row) => [floorTime(row.timeMs, secondMs), row]));
        return (isCapped ? [...last.values()] : rows).map((row) => ({
            kind: 'liquidation',
            native,
            ...row,
        }));
    }
}
