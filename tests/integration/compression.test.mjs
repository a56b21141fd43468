// permessage-deflate on the stream (RFC 7692): what is agreed on, what may come in, what goes out.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { deflateRawSync } from 'node:zlib';

import { connectFor } from '../support/client.mjs';
import { get } from '../support/http.mjs';
import {
    PermessageDeflate,
    deflateMessage,
    inflateMessage,
} from '../support/permessage-deflate.mjs';
import { eventually } from '../support/process.mjs';
import { closePayload, encodeFrame, opcodes, openRawFor } from '../support/raw-websocket.mjs';
import { serveForAll } from '../support/server.mjs';

const ping = Buffer.from('{"action":"ping"}');
const compressed = { reserved: 4 };
const usual = 'permessage-deflate; client_max_window_bits'; // as browsers offer it

describe('permessage-deflate', () => {
    const server = serveForAll({ candles: 600 });

    const open = (t, offer, path) =>
        openRawFor(t, server.port, {
            path,
            headers: offer === undefined ? {} : { 'Sec-WebSocket-Extensions': offer },
        });
    const agreed = (raw) => raw.header('Sec-WebSocket-Extensions');
    const read = ({ reserved, payload }) =>
        JSON.parse(reserved === 4 ? inflateMessage(payload) : payload);
    const isPong = async (raw) => read(await raw.next()).type === 'pong';

    describe('is agreed on', () => {
        for (const offer of [
            'permessage-deflate',
            usual,
            'permessage-deflate;client_max_window_bits',
            'permessage-deflate; client_max_window_bits=15',
            'permessage-deflate; client_max_window_bits=8',
            'permessage-deflate; client_max_window_bits="10"',
            'permessage-deflate; server_no_context_takeover',
            'permessage-deflate; client_no_context_takeover',
            'permessage-deflate; server_max_window_bits=15',
            'permessage-deflate; server_no_context_takeover; client_no_context_takeover; ' +
                'server_max_window_bits=15; client_max_window_bits=15',
            // The first offer that can be accepted is.
            'x-webkit-deflate-frame, permessage-deflate; client_max_window_bits',
            'permessage-deflate; level=9, permessage-deflate',
            'permessage-deflate; server_max_window_bits=16, permessage-deflate; server_no_context_takeover',
            ['permessage-bzip2', 'permessage-deflate; client_max_window_bits'],
        ])
            test(`with ${JSON.stringify(offer)}`, async (t) => {
                const raw = await open(t, offer);
                assert.equal(raw.status, 101);
                const deflate = PermessageDeflate.agree([offer].flat().join(', '), agreed(raw));
                assert.ok(deflate, 'declined');
                const names = deflate.parameters.map(([name]) => name);
                assert.ok(
                    names.includes('server_no_context_takeover') &&
                        names.includes('client_no_context_takeover'),
                );
                raw.write(encodeFrame(opcodes.text, deflate.deflate(ping), compressed));
                assert.ok(await isPong(raw));
            });
    });

    describe('is declined, and the connection stands without it,', () => {
        const bits = [
            '',
            '=7',
            '=16',
            '=0',
            '=-9',
            '=08',
            '=015',
            '=9.5',
            '=ten',
            '=99999999999999999999',
        ];
        for (const offer of [
            undefined,
            'permessage-bzip2',
            'permessage-deflated',
            'x-webkit-deflate-frame',
            'permessage-deflate; level=9',
            'permessage-deflate; server_no_context_takeover; server_no_context_takeover',
            'permessage-deflate; client_max_window_bits; client_max_window_bits=10',
            'permessage-deflate; server_max_window_bits=15; server_max_window_bits=15',
            'permessage-deflate; server_no_context_takeover=1',
            'permessage-deflate; client_no_context_takeover=true',
            ...bits.map((value) => `permessage-deflate; server_max_window_bits${value}`),
            ...bits.slice(1).map((value) => `permessage-deflate; client_max_window_bits${value}`),
            'permessage-deflate; level=9, permessage-deflate; server_max_window_bits=16',
        ])
            test(`with ${JSON.stringify(offer) ?? 'no offer'}`, async (t) => {
                const raw = await open(t, offer);
                assert.equal(raw.status, 101);
                assert.equal(agreed(raw), undefined);
                raw.write(encodeFrame(opcodes.text, ping));
                const frame = await raw.next();
                assert.equal(frame.reserved, 0);
                assert.equal(read(frame).type, 'pong');
            });

        test('and a compressed message is then a protocol error', async (t) => {
            const raw = await open(t);
            raw.write(encodeFrame(opcodes.text, deflateMessage(ping), compressed));
            assert.equal((await raw.nextClose()).closeCode, 1002);
            await raw.ended();
        });
    });

    // RFC 6455 section 9.1
    describe('is refused together with the connection where it is no list of extensions,', () => {
        for (const offer of [
            'permessage-deflate; server_max_window_bits=',
            'permessage-deflate;',
            'permessage-deflate; client_max_window_bits="10',
            'permessage-deflate permessage-deflate',
            'permessage-bzip2; level="9, permessage-deflate, x"',
            '; server_no_context_takeover',
        ])
            test(`with ${JSON.stringify(offer)}`, async (t) => {
                const raw = await open(t, offer);
                assert.equal(raw.status, 400);
                assert.equal(agreed(raw), undefined);
                await eventually('the answer says why', () =>
                    raw.bytes.includes('Sec-WebSocket-Extensions'),
                );
            });
    });

    test('a window smaller than the server packs with is declined, or kept to', async (t) => {
        for (let bits = 8; bits < 15; bits++) {
            const offer = `permessage-deflate; server_max_window_bits=${bits}`;
            const raw = await open(t, offer, '/ws/heatmap?symbols=BTCUSDT');
            const deflate = PermessageDeflate.agree(offer, agreed(raw));
            const { reserved, payload } = await raw.next();
            if (deflate === null) assert.equal(reserved, 0);
            const text = reserved === 4 ? deflate.inflate(payload) : payload;
            assert.equal(JSON.parse(text).type, 'snapshot');
        }
    });

    describe('of what comes in', () => {
        const deflated = deflateMessage(ping);
        const opensWith =
            (...frames) =>
            async (t) => {
                const raw = await open(t, usual);
                raw.write(...frames);
                return raw;
            };
        const text = (payload, options) =>
            encodeFrame(opcodes.text, payload, { ...compressed, ...options });
        const more = (payload, options) => encodeFrame(opcodes.continuation, payload, options);

        const stored = Buffer.concat([
            Buffer.from([0, ping.length, 0, ~ping.length & 255, 255]),
            ping,
            Buffer.from([0]),
        ]);
        const readable = {
            'a compressed message': [text(deflated)],
            'a message that is not compressed': [encodeFrame(opcodes.text, ping)],
            'a message in a block without compression': [text(stored)],
            'a message in a last block (section 7.2.3.4)': [
                text(Buffer.concat([deflateRawSync(ping), Buffer.from([0])])),
            ],
            'a message with an empty block at its end': [
                text(Buffer.concat([deflated, Buffer.from([0, 0, 0xff, 0xff, 0])])),
            ],
            'fragments of one byte': Array.from(deflated, (_, i) =>
                (i === 0 ? text : more)(deflated.subarray(i, i + 1), {
                    isFinal: i === deflated.length - 1,
                }),
            ),
            'fragments with a pong between them, and empty ones': [
                text('', { isFinal: false }),
                more(deflated.subarray(0, 3), { isFinal: false }),
                encodeFrame(opcodes.pong, 'x'),
                more('', { isFinal: false }),
                more(deflated.subarray(3)),
            ],
            'a message as long as one may be': [
                text(deflateMessage(Buffer.from('{"action":"ping"'.padEnd(4095) + '}'))),
            ],
            'a message packed without success': [
                text(
                    deflateMessage(
                        Buffer.from(
                            `{"action":"ping","note":"${randomBytes(2000).toString('base64')}"}`,
                        ),
                    ),
                ),
            ],
        };
        for (const [what, frames] of Object.entries(readable))
            test(`${what} is read`, async (t) =>
                assert.ok(await isPong(await opensWith(...frames)(t))));

        test('each message is unpacked by itself, compressed or not', async (t) => {
            const raw = await open(t, usual);
            for (let i = 0; i < 6; i++) {
                raw.write(i % 2 ? text(deflated) : encodeFrame(opcodes.text, ping));
                assert.ok(await isPong(raw));
            }
        });

        test('an empty compressed message is an empty message', async (t) => {
            const raw = await opensWith(text(Buffer.from([0])), text(deflated))(t);
            assert.equal(read(await raw.next()).code, 'INVALID_MESSAGE');
            assert.ok(await isPong(raw));
        });

        const bomb = deflateMessage(Buffer.alloc(50 * 1024 * 1024, ' '));
        const half = deflateMessage(Buffer.from('"'.padEnd(2000)));
        const closing = {
            'a message that unpacks to one byte too many': [
                1009,
                text(deflateMessage(Buffer.from('{"action":"ping"'.padEnd(4096) + '}'))),
            ],
            'a bomb that fits the frame': [
                1009,
                text(deflateMessage(Buffer.alloc(3_000_000, ' '))),
            ],
            'a bomb of 50 MiB': [1009, text(bomb)],
            'fragments that unpack to too much together': [
                1009,
                text(Buffer.concat([half, Buffer.from([0, 0, 0xff, 0xff])]), { isFinal: false }),
                more(Buffer.concat([half, Buffer.from([0, 0, 0xff, 0xff])]), { isFinal: false }),
                more(half),
            ],
            'bytes that are no deflate': [
                [1007, 1002],
                text(Buffer.from('this is not compressed at all')),
            ],
            'a reserved block type': [[1007, 1002], text(Buffer.from([0x06]))],
            'a distance beyond the beginning': [
                [1007, 1002],
                text(deflateRawSync(ping, { dictionary: ping })),
            ],
            'a compressed text that is no UTF-8': [
                1007,
                text(deflateMessage(Buffer.from([0x22, 0xff, 0x22]))),
            ],
            'RSV1 of a continuation': [
                1002,
                text(deflated.subarray(0, 3), { isFinal: false }),
                more(deflated.subarray(3), compressed),
            ],
            'RSV1 of a continuation of a plain message': [
                1002,
                encodeFrame(opcodes.text, ping.subarray(0, 3), { isFinal: false }),
                more(deflated, compressed),
            ],
            'RSV1 of a ping': [1002, encodeFrame(opcodes.ping, 'x', compressed)],
            'RSV1 of a pong': [1002, encodeFrame(opcodes.pong, 'x', compressed)],
            'RSV1 of a close': [1002, encodeFrame(opcodes.close, closePayload(1000), compressed)],
            'RSV2 of a text': [1002, text(deflated, { reserved: 6 })],
            'RSV3 of a text': [1002, text(deflated, { reserved: 1 })],
        };
        for (const [what, [codes, ...frames]] of Object.entries(closing))
            test(`${what} closes with ${[codes].flat().join(' or ')}`, async (t) => {
                const raw = await opensWith(...frames)(t);
                const { closeCode } = await raw.nextClose();
                assert.ok([codes].flat().includes(closeCode), `${closeCode}`);
                await raw.ended();
            });

        test('a message cut short is no message, and disturbs no other client', async (t) => {
            const raw = await opensWith(text(deflated.subarray(0, -4)))(t);
            // It unpacks to a beginning of JSON, or is taken for broken.
            const frame = await raw.next();
            if (frame.opcode === opcodes.close) assert.ok([1007, 1002].includes(frame.closeCode));
            else assert.equal(read(frame).code, 'INVALID_MESSAGE');
        });

        test('a hundred clients that send bombs leave the server as it was', async (t) => {
            const bystander = await connectFor(t, server.wsUrl);
            const clients = await Promise.all(Array.from({ length: 100 }, () => open(t, usual)));
            for (const raw of clients) raw.write(text(bomb));
            for (const raw of clients) assert.equal((await raw.nextClose()).closeCode, 1009);
            await bystander.settle();
        });
    });

    describe('of what goes out', () => {
        const snapshotFrame = async (t, offer) =>
            (await open(t, offer, '/ws/heatmap?symbols=BTCUSDT')).next();

        test('a snapshot is the same JSON, compressed', async (t) => {
            const { text } = await get(`${server.url}/api/v1/heatmap/BTCUSDT`);
            const plain = await snapshotFrame(t);
            assert.deepEqual([plain.reserved, plain.text], [0, text]);
            const packed = await snapshotFrame(t, usual);
            assert.deepEqual(
                [packed.opcode, packed.isFinal, packed.reserved],
                [opcodes.text, true, 4],
            );
            assert.equal(inflateMessage(packed.payload).toString(), text);
            assert.ok(
                packed.payload.length < plain.payload.length / 2,
                `${packed.payload.length} bytes`,
            );
        });

        test('all clients get the same bytes, whatever they offered', async (t) => {
            const frames = [];
            for (const offer of [
                usual,
                'permessage-deflate',
                'permessage-deflate; server_no_context_takeover',
                usual,
            ])
                frames.push(await snapshotFrame(t, offer));
            for (const { payload } of frames) assert.deepEqual(payload, frames[0].payload);
        });

        test('a library that agrees to it reads snapshots, pongs and errors', async (t) => {
            const plain = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
            const client = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`, {
                perMessageDeflate: { threshold: 0 },
            });
            assert.match(client.socket.extensions, /permessage-deflate/);
            assert.deepEqual(
                await client.nextSnapshot('BTCUSDT'),
                await plain.nextSnapshot('BTCUSDT'),
            );
            await client.settle();
            client.send({ action: 'subscribe', symbols: ['XYZUSDT'] });
            assert.equal((await client.nextError()).code, 'INVALID_SYMBOL');
            client.send({ action: 'subscribe', symbols: ['BTCUSDT'] });
            await client.settle();
        });

        test('control frames are never compressed', async (t) => {
            const raw = await open(t, usual);
            raw.write(
                encodeFrame(opcodes.ping, 'x'.repeat(125)),
                encodeFrame(opcodes.close, closePayload(1000, 'bye')),
            );
            const pong = await raw.next();
            assert.deepEqual(
                [pong.opcode, pong.reserved, pong.text],
                [opcodes.pong, 0, 'x'.repeat(125)],
            );
            const close = await raw.next();
            assert.deepEqual([close.closeCode, close.reserved], [1000, 0]);
        });
    });
});
