// The server's end of a WebSocket, for frames and handshakes that no library would send.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';

import { listenFor } from './link-probe.mjs';
import { eventually } from './process.mjs';
import { encodeFrame, FrameReader } from './raw-websocket.mjs';

const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export const acceptFor = (key) =>
    createHash('sha1')
        .update(key + guid)
        .digest('base64');

// One connection whose handshake has been made.
class Peer {
    #reader = new FrameReader();

    constructor(socket, request) {
        this.socket = socket;
        this.request = request;
        this.frames = []; // what the client has sent
        this.isClosed = false;
        socket.on('data', (bytes) => {
            this.#reader.push(bytes);
            for (let frame = this.#reader.take(); frame !== null; frame = this.#reader.take())
                this.frames.push(frame);
        });
        socket.on('error', () => {});
        socket.on('end', () => socket.end()); // what comes from an HTTP server stays half open
        socket.on('close', () => (this.isClosed = true));
    }

    send(opcode, payload, options) {
        this.socket.write(encodeFrame(opcode, payload, { isMasked: false, ...options }));
    }

    // The client's frame with that number.
    async frame(number = 0) {
        await eventually(`frame ${number}`, () => this.frames.length > number, { everyMs: 5 });
        return this.frames[number];
    }

    closed() {
        return eventually('the connection is closed', () => this.isClosed, { everyMs: 5 });
    }
}

function accept(request, socket, { extensions, extra = '', first = '' }) {
    const named = extensions === undefined ? '' : `Sec-WebSocket-Extensions: ${extensions}\r\n`;
    const accepted = acceptFor(request.headers['sec-websocket-key']);
    socket.write(
        Buffer.concat([
            Buffer.from(
                'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
                    `Sec-WebSocket-Accept: ${accepted}\r\n${named}${extra}\r\n`,
            ),
            Buffer.from(first),
        ]),
    );
}

// A server for the length of one test. `shake(request, socket)` may answer handshakes in another
// way; `pair` makes it speak TLS; `first` are bytes that follow the answer in the same packet.
export async function servePeer(t, { pair, shake, ...options } = {}) {
    const peers = [];
    const server = pair ? createTlsServer({ cert: pair.ca, key: pair.keyBytes }) : createServer();
    server.on('upgrade', (request, socket) => {
        socket.on('error', () => {});
        if (shake) return shake(request, socket);
        peers.push(new Peer(socket, request));
        accept(request, socket, options);
    });
    const port = await listenFor(t, server);
    return {
        url: `${pair ? 'wss' : 'ws'}://127.0.0.1:${port}`,
        peers,
        async peer(number = 0) {
            await eventually(`connection ${number}`, () => peers.length > number, { everyMs: 5 });
            return peers[number];
        },
    };
}
