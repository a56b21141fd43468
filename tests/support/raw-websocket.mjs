// A WebSocket over a bare socket, for frames that no library would send.
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';

import { patienceMs } from './process.mjs';

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

// 0, 2 or 8 bytes of extended length (RFC 6455 section 5.2); `bytes` may ask for a longer form than
// is needed.
function encodeLength(size, maskBit, bytes) {
    if (bytes === 0) return Buffer.from([maskBit | size]);
    const length = Buffer.alloc(1 + bytes);
    length[0] = maskBit | (bytes === 2 ? 126 : 127);
    if (bytes === 2) length.writeUInt16BE(size, 1);
    else length.writeBigUInt64BE(BigInt(size), 1);
    return length;
}

export const shortestLength = (size) => (size < 126 ? 0 : size < 65536 ? 2 : 8);

// `reserved` are the bits RSV1 (4), RSV2 (2) and RSV3 (1); `size` is what the header claims, where
// that is not the payload's own.
export function encodeFrame(opcode, payload = '', options = {}) {
    const { isFinal = true, isMasked = true, reserved = 0, mask = randomBytes(4) } = options;
    const body = Buffer.from(payload);
    const { size = body.length, lengthBytes = shortestLength(size) } = options;
    const first = Buffer.from([(isFinal ? 0x80 : 0) | (reserved << 4) | opcode]);
    if (!isMasked) return Buffer.concat([first, encodeLength(size, 0, lengthBytes), body]);
    for (let i = 0; i < body.length; i++) body[i] ^= mask[i & 3];
    return Buffer.concat([first, encodeLength(size, 0x80, lengthBytes), mask, body]);
}

// The payload of a close frame.
export function closePayload(code, reason = '') {
    const bytes = Buffer.from(reason);
    const payload = Buffer.alloc(2 + bytes.length);
    payload.writeUInt16BE(code);
    bytes.copy(payload, 2);
    return payload;
}

// Reads a header that is complete; null otherwise.
function decodeHeader(bytes) {
    if (bytes.length < 2) return null;
    const short = bytes[1] & 127;
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
    const at = 2 + lengthBytes + (bytes[1] & 0x80 ? 4 : 0);
    if (bytes.length < at) return null;
    const payloadSize =
        lengthBytes === 0
            ? short
            : lengthBytes === 2
              ? bytes.readUInt16BE(2)
              : Number(bytes.readBigUInt64BE(2));
    return { at, lengthBytes, size: at + payloadSize };
}

function decodeFrame(bytes, { at, lengthBytes, size }) {
    const opcode = bytes[0] & 15;
    const isMasked = (bytes[1] & 0x80) !== 0;
    let payload = bytes.subarray(at, size);
    if (isMasked) payload = Buffer.from(payload.map((byte, i) => byte ^ bytes[at - 4 + (i & 3)]));
    return {
        opcode,
        isFinal: (bytes[0] & 0x80) !== 0,
        reserved: (bytes[0] >> 4) & 7,
        isMasked,
        lengthBytes,
        payload,
        get text() {
            return payload.toString();
        },
        closeCode: opcode === opcodes.close && payload.length >= 2 ? payload.readUInt16BE(0) : null,
        size,
    };
}

// Cuts a stream of bytes into frames, and copies a large frame only once.
export class FrameReader {
    #pieces = [];
    #wanted = 2; // a frame can not be complete before so many bytes are here

    size = 0; // of what was not taken

    push(piece) {
        this.#pieces.push(piece);
        this.size += piece.length;
    }

    get bytes() {
        if (this.#pieces.length !== 1) this.#pieces = [Buffer.concat(this.#pieces)];
        return this.#pieces[0];
    }

    set bytes(bytes) {
        this.#pieces = [bytes];
        this.size = bytes.length;
        this.#wanted = 2;
    }

    // The next frame; null if it is not complete.
    take() {
        if (this.size < this.#wanted) return null;
        const header = decodeHeader(this.bytes);
        this.#wanted = header?.size ?? this.size + 1;
        if (this.size < this.#wanted) return null;
        const frame = decodeFrame(this.bytes, header);
        this.bytes = this.bytes.subarray(frame.size);
        return frame;
    }
}

// `tls` are options of Node's for a connection over TLS.
export class RawWebSocket {
    #reader = new FrameReader();
    #waiting = new Set(); // to be told when something comes

    isEnded = false; // the peer has sent its last byte
    wasReset = false; // it broke off

    static async open(port, options = {}) {
        const { path = '/ws/heatmap', key = 'dGhlIHNhbXBsZSBub25jZQ==', headers = {} } = options;
        const raw = new RawWebSocket();
        raw.patienceMs = options.patienceMs ?? patienceMs;
        const lines = Object.entries({
            Host: `127.0.0.1:${port}`,
            Upgrade: 'websocket',
            Connection: 'Upgrade',
            'Sec-WebSocket-Key': key,
            'Sec-WebSocket-Version': '13',
            ...headers,
        }).flatMap(([name, values]) => [values].flat().map((value) => `${name}: ${value}\r\n`));
        raw.#connect(port, options.tls);
        raw.socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
        const end = await raw.#until(() => raw.bytes.indexOf('\r\n\r\n') + 1);
        raw.head = raw.bytes.subarray(0, end - 1).toString('latin1');
        raw.bytes = raw.bytes.subarray(end + 3);
        return raw;
    }

    #connect(port, tls) {
        this.socket = tls
            ? connectTls({ ...tls, port, host: '127.0.0.1' })
            : connect(port, '127.0.0.1');
        this.socket.setNoDelay(true);
        this.socket.on('data', (piece) => {
            this.#reader.push(piece);
            this.#tell();
        });
        const end = () => {
            this.isEnded = true;
            this.#tell();
        };
        this.socket.on('error', (error) => {
            this.wasReset ||= error.code === 'ECONNRESET';
        });
        this.socket.on('end', end);
        this.socket.on('close', end);
    }

    get status() {
        return Number(this.head.split(' ')[1]);
    }

    // A header of the answer; undefined if it has none.
    header(name) {
        return new RegExp(`^${name}: *(.*)$`, 'im').exec(this.head)?.[1].trim();
    }

    // What has come and was not taken.
    get bytes() {
        return this.#reader.bytes;
    }

    set bytes(bytes) {
        this.#reader.bytes = bytes;
    }

    get deadline() {
        return Date.now() + this.patienceMs;
    }

    async #until(question, deadline = this.deadline) {
        for (;;) {
            const answer = question();
            if (answer) return answer;
            if (this.isEnded) throw new Error('the connection has ended');
            if (Date.now() >= deadline) throw new Error('nothing comes');
            await this.#news(deadline - Date.now());
        }
    }

    #news(withinMs) {
        return new Promise((settle) => {
            const tell = () => {
                clearTimeout(timer);
                this.#waiting.delete(tell);
                settle();
            };
            const timer = setTimeout(tell, withinMs);
            this.#waiting.add(tell);
        });
    }

    #tell() {
        for (const tell of this.#waiting) tell();
    }

    write(...frames) {
        this.socket.write(Buffer.concat(frames));
    }

    // The same, and waits until the system has taken it, so that the next write is a packet of its
    // own.
    send(bytes) {
        return new Promise((settle) => this.socket.write(bytes, () => settle()));
    }

    // The next frame that is not the server's own ping (pings do not extend the wait).
    async next(fits = (frame) => frame.opcode !== opcodes.ping, deadline = this.deadline) {
        for (;;) {
            const frame = await this.#until(() => this.#reader.take(), deadline);
            if (fits(frame)) return frame;
        }
    }

    nextClose() {
        return this.next((frame) => frame.opcode === opcodes.close);
    }

    // Whether anything is here that was not taken, or comes within that time, or the connection
    // ends.
    hears(withinMs) {
        return this.#until(
            () => this.#reader.size > 0 || this.isEnded,
            Date.now() + withinMs,
        ).catch(() => false);
    }

    ended() {
        return this.#until(() => this.isEnded);
    }

    destroy() {
        this.socket.destroy();
    }
}

export async function openRawFor(t, port, options) {
    const raw = await RawWebSocket.open(port, options);
    t.after(() => raw.destroy());
    return raw;
}
