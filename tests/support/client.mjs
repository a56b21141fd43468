// A WebSocket client that keeps what comes, in order, until a test asks for it.
import { WebSocket } from 'ws';

import { patienceMs, sleep } from './process.mjs';

export class Client {
    constructor(url, options = {}) {
        this.received = []; // everything, also what next() has taken
        this.texts = []; // the same, byte for byte
        this.waiting = [];
        this.explain = () => ''; // what belongs to the error if something does not come
        this.closed = new Promise((settle) => {
            this.socket = new WebSocket(url, { perMessageDeflate: false, ...options });
            this.socket.on('close', (code, reason) => settle({ code, reason: reason.toString() }));
        });
        this.socket.on('error', () => {}); // a close follows
        this.socket.on('message', (bytes) => {
            const text = bytes.toString();
            const message = JSON.parse(text);
            this.received.push(message);
            this.texts.push(text);
            this.waiting.push(message);
        });
    }

    static async open(url, options) {
        const client = new Client(url, options);
        await new Promise((settle, fail) => {
            client.socket.once('open', settle);
            client.socket.once('error', fail);
        });
        return client;
    }

    // An object goes as JSON, a string or bytes as they are.
    send(message) {
        const isRaw = typeof message === 'string' || Buffer.isBuffer(message);
        this.socket.send(isRaw ? message : JSON.stringify(message));
    }

    // Takes the first message that fits, whether it came already or comes yet.
    async next(fits = () => true, deadlineMs = patienceMs) {
        const deadline = Date.now() + deadlineMs;
        for (;;) {
            const index = this.waiting.findIndex(fits);
            if (index >= 0) return this.waiting.splice(index, 1)[0];
            if (Date.now() > deadline || this.socket.readyState === WebSocket.CLOSED)
                throw new Error(
                    `no such message (${fits}) from ${this.socket.url}; came: ` +
                        `${this.texts
                            .map((text) => text.slice(0, 200))
                            .join('\n')
                            .slice(-2000)}\n` +
                        this.explain(),
                );
            await sleep(5);
        }
    }

    nextSnapshot(symbol, fits = () => true) {
        return this.next((m) => m.type === 'snapshot' && m.symbol === symbol && fits(m));
    }

    nextError(fits = () => true) {
        return this.next((m) => m.type === 'error' && fits(m));
    }

    snapshots(symbol) {
        return this.received.filter((m) => m.type === 'snapshot' && m.symbol === symbol);
    }

    // Everything sent before is answered when this returns: replies keep their order, and a
    // snapshot that was due is out with them.
    async settle() {
        this.send({ action: 'ping' });
        await this.next((m) => m.type === 'pong');
    }

    async close() {
        if (this.socket.readyState !== WebSocket.CLOSED) this.socket.close(1000);
        return this.closed;
    }
}

// A client for the length of one test.
export async function connectFor(t, url, options) {
    const client = await Client.open(url, options);
    t.after(() => client.socket.terminate());
    return client;
}

// What a refused handshake is answered with: status, headers, body.
export function refusal(url, options = {}) {
    return new Promise((settle, fail) => {
        const socket = new WebSocket(url, options);
        socket.on('open', () => {
            socket.terminate();
            fail(new Error('the handshake was accepted'));
        });
        socket.on('error', () => {});
        socket.on('unexpected-response', (_request, response) => {
            let body = '';
            response.setEncoding('utf8');
            response.on('data', (text) => (body += text));
            response.on('end', () =>
                settle({ status: response.statusCode, headers: response.headers, body }),
            );
        });
    });
}
