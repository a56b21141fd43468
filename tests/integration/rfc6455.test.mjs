// RFC 6455 frame by frame, over bare sockets.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, test } from 'node:test';

import { exchange, get } from '../support/http.mjs';
import { eventually, sleep } from '../support/process.mjs';
import { closePayload, encodeFrame, opcodes, openRawFor } from '../support/raw-websocket.mjs';
import { serveForAll } from '../support/server.mjs';

const ping = '{"action":"ping"}';

describe('the WebSocket protocol', () => {
    const server = serveForAll();

    const open = (t, options) => openRawFor(t, server.port, options);
    const nextPong = async (raw) => JSON.parse((await raw.next()).text).type === 'pong';

    test('the handshake proves that the key was read (section 4.2.2)', async (t) => {
        const raw = await open(t);
        assert.match(raw.head, /^HTTP\/1\.1 101 /);
        assert.match(raw.head, /Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/i);
        assert.match(raw.head, /Upgrade: websocket/i);
        assert.match(raw.head, /Connection: Upgrade/i);
    });

    test('a handshake that lacks something is refused, and says what', async () => {
        const good = {
            Host: 'localhost',
            Upgrade: 'websocket',
            Connection: 'keep-alive, Upgrade',
            'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
            'Sec-WebSocket-Version': '13',
        };
        for (const change of [
            { Upgrade: undefined },
            { Connection: 'close' },
            { 'Sec-WebSocket-Key': undefined },
            { 'Sec-WebSocket-Key': 'short' },
            { 'Sec-WebSocket-Version': '8' },
            { 'Sec-WebSocket-Version': undefined },
        ]) {
            const lines = Object.entries({ ...good, ...change })
                .filter(([, value]) => value !== undefined)
                .map(([name, value]) => `${name}: ${value}\r\n`);
            const { answers } = await exchange(server.port, [
                `GET /ws/heatmap HTTP/1.1\r\n${lines.join('')}\r\n`,
            ]);
            assert.ok([400, 426].includes(answers[0].status), JSON.stringify(change));
            assert.ok(JSON.parse(answers[0].text).error.message);
            if ('Sec-WebSocket-Version' in change)
                assert.equal(answers[0].headers['sec-websocket-version'], '13', 'section 4.4');
        }
    });

    test('of the subprotocols that a client offers one is answered (section 4.2.2)', async (t) => {
        for (const [offered, chosen] of [
            [undefined, undefined],
            ['heatcast.v1', 'heatcast.v1'],
            ['json, heatcast.v1', 'heatcast.v1'],
            [['json', 'heatcast.v1'], 'heatcast.v1'], // in two lines
            ['json, other', 'json'],
            [' , "quoted"', undefined],
        ]) {
            const headers = offered ? { 'Sec-WebSocket-Protocol': offered } : {};
            const raw = await open(t, { headers });
            assert.equal(raw.status, 101);
            assert.equal(raw.header('Sec-WebSocket-Protocol'), chosen);
            raw.destroy();
        }
    });

    test('frames sent along with the handshake are read', async (t) => {
        const lines =
            'Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n';
        const head = `GET /ws/heatmap HTTP/1.1\r\n${lines}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
        const socket = connect(server.port, '127.0.0.1');
        t.after(() => socket.destroy());
        socket.write(Buffer.concat([Buffer.from(head), encodeFrame(opcodes.text, ping)]));
        let text = '';
        await new Promise((settle) => {
            socket.on('data', (bytes) => {
                text += bytes.toString('latin1');
                if (text.includes('"pong"')) settle();
            });
        });
    });

    test('what the server sends is one unmasked final text frame a message', async (t) => {
        const raw = await open(t, { path: '/ws/heatmap?symbols=BTCUSDT' });
        const frame = await raw.next();
        assert.deepEqual(
            [frame.opcode, frame.isFinal, frame.isMasked],
            [opcodes.text, true, false],
        );
        assert.equal(JSON.parse(frame.text).type, 'snapshot');
    });

    test('a fragmented message is joined, with a ping between its pieces answered first', async (t) => {
        const raw = await open(t);
        raw.write(
            encodeFrame(opcodes.text, ping.slice(0, 5), { isFinal: false }),
            encodeFrame(opcodes.ping, 'between'),
            encodeFrame(opcodes.continuation, '', { isFinal: false }),
            encodeFrame(opcodes.continuation, ping.slice(5)),
        );
        const pong = await raw.next();
        assert.deepEqual([pong.opcode, pong.text], [opcodes.pong, 'between']);
        assert.ok(await nextPong(raw));
    });

    test('frames may come byte by byte', async (t) => {
        const raw = await open(t);
        for (const byte of encodeFrame(opcodes.text, ping)) {
            raw.write(Buffer.from([byte]));
            await sleep(2);
        }
        assert.ok(await nextPong(raw));
    });

    test('many messages in one write are all answered', async (t) => {
        const raw = await open(t);
        raw.write(...Array.from({ length: 15 }, () => encodeFrame(opcodes.text, ping)));
        for (let i = 0; i < 15; i++) assert.ok(await nextPong(raw));
    });

    test('a character may be cut between two fragments', async (t) => {
        const raw = await open(t);
        const bytes = Buffer.from('{"action":"ping","note":"é€😀"}');
        const at = bytes.indexOf(0x9f);
        raw.write(
            encodeFrame(opcodes.text, bytes.subarray(0, at), { isFinal: false }),
            encodeFrame(opcodes.continuation, bytes.subarray(at)),
        );
        assert.ok(await nextPong(raw));
    });

    test('a ping is answered with its own payload, up to 125 bytes', async (t) => {
        const raw = await open(t);
        for (const payload of ['', 'x', 'y'.repeat(125)]) {
            raw.write(encodeFrame(opcodes.ping, payload));
            const pong = await raw.next();
            assert.deepEqual([pong.opcode, pong.text], [opcodes.pong, payload]);
        }
    });

    test('an unsolicited pong is ignored', async (t) => {
        const raw = await open(t);
        raw.write(encodeFrame(opcodes.pong, 'hello'), encodeFrame(opcodes.text, ping));
        assert.ok(await nextPong(raw));
    });

    test('texts of 125, 126 and 127 bytes are read, each with its form of the length', async (t) => {
        const raw = await open(t);
        for (const size of [125, 126, 127, 4096]) {
            raw.write(encodeFrame(opcodes.text, `${ping.slice(0, -1).padEnd(size - 1)}}`));
            assert.ok(await nextPong(raw), `${size} bytes`);
        }
    });

    test('an empty text is a message, and no valid one', async (t) => {
        const raw = await open(t);
        raw.write(encodeFrame(opcodes.text, ''), encodeFrame(opcodes.text, ping));
        assert.equal(JSON.parse((await raw.next()).text).code, 'INVALID_MESSAGE');
        assert.ok(await nextPong(raw));
    });

    const kinds = {
        text: opcodes.text,
        binary: opcodes.binary,
        ping: opcodes.ping,
        pong: opcodes.pong,
        close: opcodes.close,
    };
    const violations = {
        'a reserved bit of a continuation': [
            encodeFrame(opcodes.text, 'x', { isFinal: false }),
            encodeFrame(opcodes.continuation, 'y', { reserved: 4 }),
        ],
        'a continuation of nothing': [encodeFrame(opcodes.continuation, 'x')],
        'a continuation behind the end of a message': [
            encodeFrame(opcodes.text, ping),
            encodeFrame(opcodes.continuation, 'x'),
        ],
        'a new message inside another': [
            encodeFrame(opcodes.text, 'x', { isFinal: false }),
            encodeFrame(opcodes.text, 'y'),
        ],
        'a length of 64 bits with the highest one set': [
            Buffer.from('81ffffffffffffffffff00000000', 'hex'),
        ],
        '125 bytes with a length of 16 bits': [
            encodeFrame(opcodes.text, 'x'.repeat(125), { lengthBytes: 2 }),
        ],
        '65535 bytes with a length of 64 bits': [
            encodeFrame(opcodes.text, 'x', { size: 65535, lengthBytes: 8 }),
        ],
        'a control frame of 126 bytes': [encodeFrame(opcodes.ping, 'x'.repeat(126))],
        'a control frame with a length of 64 bits': [
            encodeFrame(opcodes.ping, 'x', { lengthBytes: 8 }),
        ],
        'a close frame of one byte': [encodeFrame(opcodes.close, 'x')],
        'a close reason of 124 bytes': [
            encodeFrame(opcodes.close, closePayload(1000, 'x'.repeat(124))),
        ],
    };
    for (const [name, opcode] of Object.entries(kinds)) {
        violations[`an unmasked ${name}`] = [encodeFrame(opcode, '', { isMasked: false })];
        for (const bit of [1, 2, 3])
            violations[`RSV${bit} of a ${name}`] = [
                encodeFrame(opcode, '', { reserved: 8 >> bit }),
            ];
        if (opcode >= 8)
            violations[`a fragmented ${name}`] = [encodeFrame(opcode, '', { isFinal: false })];
    }
    for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
        violations[`the reserved opcode ${opcode}`] = [encodeFrame(opcode, '')];
    for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 65535])
        violations[`the close code ${code}, which must not be sent,`] = [
            encodeFrame(opcodes.close, closePayload(code)),
        ];
    for (const [what, frames] of Object.entries(violations))
        test(`${what} closes with 1002`, async (t) => {
            const raw = await open(t);
            raw.write(...frames, encodeFrame(opcodes.ping, 'too late'));
            assert.equal((await raw.nextClose()).closeCode, 1002);
            await raw.ended();
            assert.equal(raw.bytes.length, 0, 'the ping behind it is not answered');
        });

    for (const [what, frames] of Object.entries({
        'an overlong form': [encodeFrame(opcodes.text, Buffer.from([0xc0, 0xaf]))],
        'a surrogate': [encodeFrame(opcodes.text, Buffer.from([0xed, 0xa0, 0x80]))],
        'a character cut at the end': [encodeFrame(opcodes.text, Buffer.from([0xe2, 0x82]))],
        'a bad byte in a fragment, before the message is whole': [
            encodeFrame(opcodes.text, Buffer.from([0xff]), { isFinal: false }),
        ],
        'a character that is cut by the end of its fragments': [
            encodeFrame(opcodes.text, Buffer.from([0xe2]), { isFinal: false }),
            encodeFrame(opcodes.continuation, Buffer.from([0x82]), { isFinal: false }),
            encodeFrame(opcodes.continuation, ''),
        ],
        'a second byte that can not follow the first, a fragment later,': [
            encodeFrame(opcodes.text, Buffer.from([0xf4]), { isFinal: false }),
            encodeFrame(opcodes.continuation, Buffer.from([0x90]), { isFinal: false }),
        ],
        'a bad byte in a frame that is not whole': [
            encodeFrame(opcodes.text, Buffer.from([0x61, 0xff]), { size: 2000 }),
        ],
        'a bad byte in the reason of a close': [
            encodeFrame(opcodes.close, closePayload(1000, Buffer.from([0xff]))),
        ],
    }))
        test(`${what} is no UTF-8 and closes with 1007`, async (t) => {
            const raw = await open(t);
            raw.write(...frames);
            assert.equal((await raw.nextClose()).closeCode, 1007);
            await raw.ended();
        });

    test('fragments that add up to more than 4 KiB close with 1009', async (t) => {
        const raw = await open(t);
        raw.write(encodeFrame(opcodes.text, 'x'.repeat(3000), { isFinal: false }));
        raw.write(encodeFrame(opcodes.continuation, 'x'.repeat(3000), { isFinal: false }));
        assert.equal((await raw.nextClose()).closeCode, 1009);
        await raw.ended();
    });

    test('a length beyond 4 KiB closes with 1009 before the rest is sent', async (t) => {
        for (const size of [4097, 65535, 65536, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
            const raw = await open(t);
            raw.write(encodeFrame(opcodes.text, 'x'.repeat(4097), { size }));
            assert.equal((await raw.nextClose()).closeCode, 1009, `${size} bytes`);
            await raw.ended();
        }
    });

    test('a close is echoed with its code, then the connection ends', async (t) => {
        for (const code of [
            1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999,
            4000, 4999,
        ])
            for (const reason of ['', 'bye', '€'.repeat(41)]) {
                const raw = await open(t);
                raw.write(encodeFrame(opcodes.close, closePayload(code, reason)));
                assert.equal((await raw.nextClose()).closeCode, code);
                await raw.ended();
            }
        const bare = await open(t);
        bare.write(encodeFrame(opcodes.close));
        assert.equal((await bare.nextClose()).payload.length, 0);
        await bare.ended();
    });

    test('a close between two fragments is answered, the message dropped', async (t) => {
        const raw = await open(t);
        raw.write(
            encodeFrame(opcodes.text, ping.slice(0, 5), { isFinal: false }),
            encodeFrame(opcodes.close, closePayload(1000)),
            encodeFrame(opcodes.continuation, ping.slice(5)),
        );
        assert.equal((await raw.next()).closeCode, 1000);
        await raw.ended();
        assert.equal(raw.bytes.length, 0);
    });

    test('nothing is answered after a close', async (t) => {
        const raw = await open(t);
        raw.write(encodeFrame(opcodes.close, closePayload(1000)), encodeFrame(opcodes.text, ping));
        const first = await raw.next();
        assert.equal(first.opcode, opcodes.close);
        await raw.ended();
        assert.equal(raw.bytes.length, 0);
    });

    const gone = () =>
        eventually(
            'the subscription is gone',
            async () =>
                (await get(`${server.url}/ws/stats`)).json().subscriptions_by_symbol.BTCUSDT === 0,
        );
    const unfinished = {
        'between two frames': [],
        'within a header': [encodeFrame(opcodes.text, ping).subarray(0, 1)],
        'within a mask': [encodeFrame(opcodes.text, ping).subarray(0, 4)],
        'within a frame': [encodeFrame(opcodes.text, ping).subarray(0, 10)],
        'within a message': [encodeFrame(opcodes.text, ping.slice(0, 5), { isFinal: false })],
        'within a close frame': [encodeFrame(opcodes.close, closePayload(1000)).subarray(0, 7)],
    };
    for (const [where, frames] of Object.entries(unfinished)) {
        test(`a connection that is reset ${where} is forgotten`, async (t) => {
            const raw = await open(t, { path: '/ws/heatmap?symbols=BTCUSDT' });
            await raw.next();
            await raw.send(Buffer.concat(frames));
            raw.socket.resetAndDestroy?.() ?? raw.destroy();
            await gone();
        });

        test(`a connection whose client stops sending ${where} is ended and forgotten`, async (t) => {
            const raw = await open(t, { path: '/ws/heatmap?symbols=BTCUSDT' });
            await raw.next();
            raw.socket.end(Buffer.concat(frames));
            await raw.ended();
            await gone();
        });
    }
});
