// A WebSocket over a bare socket, for frames that no library would send.
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';

import { patienceMs, sleep } from './process.mjs';

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

export function encodeFrame(opcode, payload = '', { isFinal = true, isMasked = true, reserved = 0 } = {}) {
  const body = Buffer.from(payload);
  const head = [(isFinal ? 0x80 : 0) | (reserved << 4) | opcode];
  const maskBit = isMasked ? 0x80 : 0;
  if (body.length < 126) head.push(maskBit | body.length);
  else if (body.length < 65536) head.push(maskBit | 126, body.length >> 8, body.length & 255);
  else {
    const size = Buffer.alloc(8);
    size.writeBigUInt64BE(BigInt(body.length));
    head.push(maskBit | 127, ...size);
  }
  if (!isMasked) return Buffer.concat([Buffer.from(head), body]);
  const mask = randomBytes(4);
  return Buffer.concat([Buffer.from(head), mask, body.map((byte, i) => byte ^ mask[i % 4])]);
}

function decodeFrame(bytes) {
  if (bytes.length < 2) return null;
  let size = bytes[1] & 127;
  let at = 2;
  if (size === 126) {
    if (bytes.length < 4) return null;
    size = bytes.readUInt16BE(2);
    at = 4;
  } else if (size === 127) {
    if (bytes.length < 10) return null;
    size = Number(bytes.readBigUInt64BE(2));
    at = 10;
  }
  if (bytes.length < at + size) return null;
  const payload = bytes.subarray(at, at + size);
  return {
    opcode: bytes[0] & 15,
    isFinal: (bytes[0] & 0x80) !== 0,
    isMasked: (bytes[1] & 0x80) !== 0,
    payload,
    text: payload.toString(),
    closeCode: (bytes[0] & 15) === opcodes.close && size >= 2 ? payload.readUInt16BE(0) : null,
    size: at + size,
  };
}

export class RawWebSocket {
  static async open(port, { path = '/ws/heatmap', key = 'dGhlIHNhbXBsZSBub25jZQ==', headers = {} } = {}) {
    const raw = new RawWebSocket();
    raw.bytes = Buffer.alloc(0);
    raw.isEnded = false;
    raw.socket = connect(port, '127.0.0.1');
    raw.socket.setNoDelay(true);
    raw.socket.on('data', (piece) => (raw.bytes = Buffer.concat([raw.bytes, piece])));
    raw.socket.on('error', () => {});
    raw.socket.on('end', () => (raw.isEnded = true));
    raw.socket.on('close', () => (raw.isEnded = true));
    const lines = Object.entries({
      Host: `127.0.0.1:${port}`,
      Upgrade: 'websocket',
      Connection: 'Upgrade',
      'Sec-WebSocket-Key': key,
      'Sec-WebSocket-Version': '13',
      ...headers,
    }).map(([name, value]) => `${name}: ${value}\r\n`);
    raw.socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
    const end = await raw.#until(() => raw.bytes.indexOf('\r\n\r\n') + 1);
    raw.head = raw.bytes.subarray(0, end - 1).toString();
    raw.bytes = raw.bytes.subarray(end + 3);
    return raw;
  }

  async #until(question) {
    const deadline = Date.now() + patienceMs;
    for (;;) {
      const answer = question();
      if (answer) return answer;
      if (this.isEnded || Date.now() > deadline) throw new Error('the connection ended, or is silent');
      await sleep(5);
    }
  }

  write(...frames) {
    this.socket.write(Buffer.concat(frames));
  }

  // The next frame that is not the server's own ping.
  async next(fits = (frame) => frame.opcode !== opcodes.ping) {
    for (;;) {
      const frame = await this.#until(() => decodeFrame(this.bytes));
      this.bytes = this.bytes.subarray(frame.size);
      if (fits(frame)) return frame;
    }
  }

  nextClose() {
    return this.next((frame) => frame.opcode === opcodes.close);
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
