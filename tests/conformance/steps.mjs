// The words in which cases are written: what is sent, what must come back, how it ends.
import { closePayload, encodeFrame, opcodes } from '../support/raw-websocket.mjs';

const frame = (opcode, payload, options) => encodeFrame(opcode, payload, options);

export const text = (payload, options) => frame(opcodes.text, payload, options);
export const binary = (payload, options) => frame(opcodes.binary, payload, options);
export const more = (payload, options) => frame(opcodes.continuation, payload, options);
export const ping = (payload) => frame(opcodes.ping, payload);
export const pong = (payload) => frame(opcodes.pong, payload);
export const close = (code, reason) =>
    frame(opcodes.close, code === undefined ? '' : closePayload(code, reason));
export { frame };

// A message in pieces of that many bytes. An empty last one is sent where the size divides evenly:
// so does the public suite, which makes 65,537 fragments of 4 MiB in pieces of 64.
export function fragments(opcode, payload, size, { endsEmpty = false, reserved = 0 } = {}) {
    const frames = [];
    for (let at = 0; at < payload.length; at += size) {
        const isFinal = at + size >= payload.length && !(endsEmpty && at + size === payload.length);
        const options = { isFinal, reserved: at === 0 ? reserved : 0 };
        frames.push(
            frame(
                at === 0 ? opcode : opcodes.continuation,
                payload.subarray(at, at + size),
                options,
            ),
        );
    }
    if (frames.length === 0) return [frame(opcode, payload, { reserved })];
    if (endsEmpty && payload.length % size === 0) frames.push(more(''));
    return frames;
}

// Steps that send nothing.
export const pause = { step: 'pause' }; // a moment, for what was sent to be answered
export const silence = { step: 'silence' }; // the same, and the server says nothing
export const failsHere = { step: 'failsHere' }; // the server must have failed the connection by now

// What comes back.
export const echoed = (payload, isBinary = false) => ({
    kind: 'message',
    isBinary,
    payload: Buffer.from(payload),
});
export const ponged = (payload = '') => ({ kind: 'pong', payload: Buffer.from(payload) });

// How it ends. The client closes with 1000 once everything is back (or did so in a step of its
// own): the server answers with one of the codes, or none, and ends the connection in order.
export const closesCleanly = (...codes) => ({
    by: 'client',
    codes: codes.length > 0 ? codes : [1000],
});
// The server fails the connection: a close frame with one of the codes, then the end.
export const failsWith = (...codes) => ({ by: 'server', codes });

// Text and bytes of a given size. Their periods are primes, so that a piece that is lost or swapped
// shows; the text has characters of one to four bytes.
const phrase = Buffer.from('Liquidität bei 98 450 € je ₿, Hebel 25× ⇒ 94 512 € – 𝄞. ');

export function sampleText(size) {
    const sample = Buffer.alloc(size, phrase);
    // No character may be cut at the end.
    for (let at = size - (size % phrase.length); at < size; at++) sample[at] = 0x2e;
    return sample;
}

export function sampleBytes(size) {
    return Buffer.alloc(size, Buffer.from([0x00, 0xfe, 0x23, 0xfa, 0xf0, 0xff, 0x80]));
}
