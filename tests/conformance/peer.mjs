// A client that believes nothing: it reads the server's frames one by one and throws at the first
// that RFC 6455 or RFC 7692 forbids a server to send.
import assert from 'node:assert/strict';

import { PermessageDeflate } from '../support/permessage-deflate.mjs';
import {
    RawWebSocket,
    closePayload,
    encodeFrame,
    opcodes,
    shortestLength,
} from '../support/raw-websocket.mjs';

const isControl = (opcode) => opcode >= 8;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function isUtf8(bytes) {
    try {
        decoder.decode(bytes);
        return true;
    } catch {
        return false;
    }
}

// Section 7.4: codes that may stand in a close frame.
const isCloseCode = (code) =>
    (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) ||
    (code >= 3000 && code <= 4999);

export class Peer {
    #message = null; // { opcode, isCompressed, pieces }, while fragments are to come

    hasClosed = false; // it has sent its close frame

    static async open(port, { path = '/ws/echo', offers, patienceMs, tls } = {}) {
        const peer = new Peer();
        const headers = offers === undefined ? {} : { 'Sec-WebSocket-Extensions': offers };
        peer.raw = await RawWebSocket.open(port, { path, headers, patienceMs, tls });
        assert.equal(peer.raw.status, 101, peer.raw.head);
        assert.equal(peer.raw.header('Sec-WebSocket-Accept'), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
        peer.deflate = PermessageDeflate.agree(
            offers ?? '',
            peer.raw.header('Sec-WebSocket-Extensions'),
        );
        return peer;
    }

    // What comes next: { kind: 'message', isBinary, isCompressed, payload }, { kind: 'pong',
    // payload }, { kind: 'close', code, reason }. The server's own pings are answered, and not
    // told.
    async next() {
        const { deadline } = this.raw;
        for (;;) {
            const frame = await this.raw.next(() => true, deadline);
            this.#check(frame);
            const event = isControl(frame.opcode) ? this.#control(frame) : this.#data(frame);
            if (event) return event;
        }
    }

    #check({ opcode, isFinal, isMasked, reserved, lengthBytes, payload }) {
        assert.ok(
            Object.values(opcodes).includes(opcode),
            `the server sent the reserved opcode ${opcode}`,
        );
        assert.ok(!isMasked, 'the server sent a masked frame');
        assert.equal(
            lengthBytes,
            shortestLength(payload.length),
            'a length is not in its shortest form',
        );
        const startsMessage = opcode === opcodes.text || opcode === opcodes.binary;
        const allowed = this.deflate && startsMessage ? 4 : 0;
        assert.equal(reserved & ~allowed, 0, `the server set the reserved bits ${reserved}`);
        if (!isControl(opcode)) return;
        assert.ok(isFinal, 'the server fragmented a control frame');
        assert.ok(
            payload.length <= 125,
            `the server sent a control frame of ${payload.length} bytes`,
        );
    }

    #control({ opcode, payload, closeCode }) {
        if (opcode === opcodes.ping) {
            this.raw.write(encodeFrame(opcodes.pong, payload));
            return null;
        }
        if (opcode === opcodes.pong) return { kind: 'pong', payload };
        assert.notEqual(payload.length, 1, 'the server sent half a close code');
        assert.ok(
            closeCode === null || isCloseCode(closeCode),
            `the server sent the close code ${closeCode}`,
        );
        assert.ok(isUtf8(payload.subarray(2)), "the server's close reason is no UTF-8");
        return { kind: 'close', code: closeCode, reason: payload.subarray(2).toString() };
    }

    #data({ opcode, isFinal, reserved, payload }) {
        const isContinued = this.#message !== null;
        assert.equal(
            opcode === opcodes.continuation,
            isContinued,
            'the server mixed up its fragments',
        );
        this.#message ??= { opcode, isCompressed: reserved === 4, pieces: [] };
        this.#message.pieces.push(payload);
        if (!isFinal) return null;
        const { isCompressed, pieces, opcode: kind } = this.#message;
        this.#message = null;
        const whole = pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
        const unpacked = isCompressed ? this.deflate.inflate(whole) : whole;
        assert.ok(
            kind === opcodes.binary || isUtf8(unpacked),
            'the server sent text that is no UTF-8',
        );
        return {
            kind: 'message',
            isBinary: kind === opcodes.binary,
            isCompressed,
            payload: unpacked,
        };
    }

    // The code may be null: a close frame without one.
    sendClose(code) {
        if (this.hasClosed) return;
        this.hasClosed = true;
        this.raw.write(encodeFrame(opcodes.close, code === null ? '' : closePayload(code)));
    }

    // Waits for the server to end the connection, after which no byte may be left over.
    async ended() {
        await this.raw.ended();
        assert.equal(this.raw.bytes.length, 0, 'the server sent more after its close frame');
    }

    destroy() {
        this.raw.destroy();
    }
}
