// `/ws/echo` beyond the public cases: its limits, and the examples of RFC 7692.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { deflateMessage } from '../support/permessage-deflate.mjs';
import { sleep } from '../support/process.mjs';
import { closePayload, encodeFrame, opcodes } from '../support/raw-websocket.mjs';
import { serveForAll } from '../support/server.mjs';
import { Peer } from './peer.mjs';
import { binary, fragments, frame, more, ping, text } from './steps.mjs';

const messageMax = 16 * 1024 * 1024;
const fragmentCount = 65537;
const hex = (digits) => Buffer.from(digits.replaceAll(' ', ''), 'hex');
const compressed = { reserved: 4 };

describe('the echo endpoint', () => {
    const server = serveForAll({ args: ['--conformance-echo'] });

    async function open(t, offers) {
        const peer = await Peer.open(server.port, { offers });
        t.after(() => peer.destroy());
        return peer;
    }

    async function closesWith(peer, ...codes) {
        let event = await peer.next();
        while (event.kind !== 'close') event = await peer.next();
        assert.ok(codes.includes(event.code), `${event.code} ${event.reason}`);
        await peer.ended();
    }

    async function echoes(peer, expected) {
        const { kind, payload } = await peer.next();
        assert.equal(kind, 'message');
        assert.ok(
            payload.equals(Buffer.from(expected)),
            `${payload.length} bytes, not ${expected.length}`,
        );
    }

    // And nothing else: the next thing is the answer to a ping.
    async function stands(peer) {
        peer.raw.write(ping('still there?'));
        assert.equal((await peer.next()).kind, 'pong');
    }

    const tooLarge = {
        'a frame of a byte too many': [binary(Buffer.alloc(messageMax + 1))],
        'a frame that claims a length no memory could hold': [
            binary(Buffer.alloc(messageMax + 1), { size: Number.MAX_SAFE_INTEGER }),
        ],
        'fragments that add up to a byte too many': [
            binary(Buffer.alloc(messageMax), { isFinal: false }),
            more('x'),
        ],
    };
    for (const [what, frames] of Object.entries(tooLarge))
        test(`${what} closes with 1009`, async (t) => {
            const peer = await open(t);
            peer.raw.write(...frames);
            await closesWith(peer, 1009);
        });

    test('a message that unpacks to a byte too many closes with 1009', async (t) => {
        const peer = await open(t, 'permessage-deflate');
        peer.raw.write(binary(deflateMessage(Buffer.alloc(messageMax)), compressed));
        await echoes(peer, Buffer.alloc(messageMax));
        peer.raw.write(binary(deflateMessage(Buffer.alloc(messageMax + 1)), compressed));
        await closesWith(peer, 1009);
    });

    test('65,537 fragments of a byte, and as many empty ones, are a message', async (t) => {
        const payload = Buffer.alloc(fragmentCount, 'x');
        const peer = await open(t);
        peer.raw.write(...fragments(opcodes.text, payload, 1));
        await echoes(peer, payload);
        const empty = more('', { isFinal: false });
        peer.raw.write(
            text('x', { isFinal: false }),
            ...Array.from({ length: fragmentCount }, () => empty),
            more('y'),
        );
        await echoes(peer, 'xy');
    });

    test('messages sent in a row are all echoed, in order', async (t) => {
        const peer = await open(t);
        peer.raw.write(...Array.from({ length: 500 }, (_, i) => text(`message ${i}`)));
        for (let i = 0; i < 500; i++) await echoes(peer, `message ${i}`);
    });

    test('a client that sends much before it reads gets it all', async (t) => {
        const peer = await open(t);
        const payload = Buffer.alloc(1024 * 1024, 'x');
        peer.raw.socket.pause();
        for (let i = 0; i < 40; i++) peer.raw.write(binary(payload));
        peer.raw.socket.resume();
        for (let i = 0; i < 40; i++) await echoes(peer, payload);
        await stands(peer);
    });

    test('the answer to a close comes behind all echoes, whenever they are read', async (t) => {
        const peer = await open(t);
        const payload = Buffer.alloc(messageMax, 'x');
        peer.raw.socket.pause();
        peer.hasClosed = true;
        peer.raw.write(binary(payload), ping('p'), encodeFrame(opcodes.close, closePayload(1000)));
        await sleep(300);
        peer.raw.socket.resume();
        await echoes(peer, payload);
        assert.equal((await peer.next()).kind, 'pong');
        await closesWith(peer, 1000);
        assert.ok(!peer.raw.wasReset);
    });

    test('text, binary and compressed messages may take turns', async (t) => {
        const peer = await open(t, 'permessage-deflate; client_no_context_takeover');
        for (let i = 0; i < 9; i++) {
            const payload = Buffer.from(`${'turn '.repeat(50)}${i}`);
            const [opcode, isPacked] = [1 + (i % 2), i % 3 !== 0];
            peer.raw.write(
                frame(
                    opcode,
                    isPacked ? deflateMessage(payload) : payload,
                    isPacked ? compressed : {},
                ),
            );
            const { isBinary, payload: echo } = await peer.next();
            assert.deepEqual(
                [isBinary, echo.toString()],
                [opcode === opcodes.binary, payload.toString()],
            );
        }
    });

    test('what can be compressed comes back compressed, where that was agreed on', async (t) => {
        const peer = await open(t, 'permessage-deflate; client_no_context_takeover');
        const payload = Buffer.alloc(10_000, 'liquidation ');
        peer.raw.write(text(deflateMessage(payload), compressed));
        const { isCompressed, payload: echo } = await peer.next();
        assert.ok(isCompressed);
        assert.ok(echo.equals(payload));
    });

    const examples = {
        'one compressed block (section 7.2.3.1)': [text(hex('f248cdc9c90700'), compressed)],
        'two fragments (section 7.2.3.1)': [
            text(hex('f248cd'), { ...compressed, isFinal: false }),
            more(hex('c9c90700')),
        ],
        'a block without compression (section 7.2.3.3)': [
            text(hex('000500faff48656c6c6f00'), compressed),
        ],
        'a block marked as the last (section 7.2.3.4)': [text(hex('f348cdc9c9070000'), compressed)],
        'two blocks in one message (section 7.2.3.5)': [
            text(hex('f248050000 00ffffcac9c90700'), compressed),
        ],
        'no compression at all (section 6.1)': [text('Hello')],
    };
    for (const [what, frames] of Object.entries(examples))
        test(`reads ${what}`, async (t) => {
            const peer = await open(t, 'permessage-deflate; client_no_context_takeover');
            peer.raw.write(...frames);
            await echoes(peer, 'Hello');
            await stands(peer);
        });

    test('unpacks an empty message (section 7.2.3.6)', async (t) => {
        const peer = await open(t, 'permessage-deflate');
        peer.raw.write(text(hex('00'), compressed));
        await echoes(peer, '');
        await stands(peer);
    });

    test('a compressed message in pieces of every size, with pings between them, is echoed', async (t) => {
        const peer = await open(t, 'permessage-deflate; client_no_context_takeover');
        const payload = Buffer.from('Kurs 98 450 € 𝄞 '.repeat(20));
        const packed = deflateMessage(payload);
        for (let size = 1; size <= packed.length; size++) {
            peer.raw.write(
                ...fragments(opcodes.text, packed, size, compressed).flatMap((piece) => [
                    piece,
                    ping('p'),
                ]),
            );
            let event = await peer.next();
            while (event.kind === 'pong') event = await peer.next();
            assert.ok(event.payload.equals(payload), `pieces of ${size}`);
        }
    });

    const broken = {
        'compressed text that is no UTF-8': [1007, text(deflateMessage(hex('61ff62')), compressed)],
        'compressed text that ends within a character': [
            1007,
            text(deflateMessage(hex('e282')), compressed),
        ],
        'compressed text with a wrong byte in its first fragment': [
            1007,
            text(Buffer.concat([deflateMessage(hex('ff')), hex('0000ffff')]), {
                ...compressed,
                isFinal: false,
            }),
            more(deflateMessage(hex('61'))),
        ],
        garbage: [[1002, 1007], binary(hex('ffffffffffff'), compressed)],
        'RSV1 of a continuation': [
            1002,
            text(hex('f248cd'), { ...compressed, isFinal: false }),
            more(hex('c9c90700'), compressed),
        ],
        'RSV1 of a ping': [1002, frame(opcodes.ping, '', compressed)],
        'RSV1 without an agreement': [1002, text(hex('f248cdc9c90700'), compressed)],
    };
    for (const [what, [codes, ...frames]] of Object.entries(broken))
        test(`${what} closes with ${[codes].flat().join(' or ')}`, async (t) => {
            const peer = await open(
                t,
                what.endsWith('agreement') ? undefined : 'permessage-deflate',
            );
            peer.raw.write(...frames);
            await closesWith(peer, ...[codes].flat());
        });

    test('a connection that ends within a message leaves the server as it was', async (t) => {
        const unfinished = [
            binary(Buffer.alloc(1024 * 1024), { isFinal: false }),
            text(deflateMessage(Buffer.alloc(99_999, 'x')), compressed).subarray(0, -3),
        ];
        for (const bytes of unfinished)
            for (let i = 0; i < 20; i++) {
                const peer = await open(t, 'permessage-deflate');
                await peer.raw.send(bytes);
                peer.destroy();
            }
        const peer = await open(t);
        peer.raw.write(text('still there'), encodeFrame(opcodes.close, closePayload(1000)));
        await echoes(peer, 'still there');
    });
});
