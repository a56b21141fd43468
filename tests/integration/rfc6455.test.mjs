// RFC 6455 frame by frame, over bare sockets.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { exchange, get } from '../support/http.mjs';
import { importMarkets, makeMarket } from '../support/market.mjs';
import { eventually, makeFolder, removeFolder, sleep } from '../support/process.mjs';
import { encodeFrame, opcodes, openRawFor } from '../support/raw-websocket.mjs';
import { startServer } from '../support/server.mjs';

const ping = '{"action":"ping"}';

describe('the WebSocket protocol', () => {
  let folder;
  let server;

  before(async () => {
    folder = await makeFolder();
    const database = join(folder, 'market.duckdb');
    await importMarkets(folder, database, makeMarket({ candles: 50 }));
    server = await startServer({ database });
  });
  after(async () => {
    assert.equal(await server.stop(), 0);
    await removeFolder(folder);
  });

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
      Host: 'x', Upgrade: 'websocket', Connection: 'keep-alive, Upgrade',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version': '13',
    };
    for (const change of [
      { Upgrade: undefined }, { Connection: 'close' }, { 'Sec-WebSocket-Key': undefined },
      { 'Sec-WebSocket-Key': 'short' }, { 'Sec-WebSocket-Version': '8' }, { 'Sec-WebSocket-Version': undefined },
    ]) {
      const lines = Object.entries({ ...good, ...change })
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => `${name}: ${value}\r\n`);
      const { answers } = await exchange(server.port, [`GET /ws/heatmap HTTP/1.1\r\n${lines.join('')}\r\n`]);
      assert.ok([400, 426].includes(answers[0].status), JSON.stringify(change));
      assert.ok(JSON.parse(answers[0].text).error.message);
      if ('Sec-WebSocket-Version' in change)
        assert.equal(answers[0].headers['sec-websocket-version'], '13', 'section 4.4');
    }
  });

  test('frames sent along with the handshake are read', async (t) => {
    const lines = 'Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n';
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
    assert.deepEqual([frame.opcode, frame.isFinal, frame.isMasked], [opcodes.text, true, false]);
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

  test('a pong that nobody asked for is ignored', async (t) => {
    const raw = await open(t);
    raw.write(encodeFrame(opcodes.pong, 'hello'), encodeFrame(opcodes.text, ping));
    assert.ok(await nextPong(raw));
  });

  const violations = {
    'an unmasked frame': [encodeFrame(opcodes.text, ping, { isMasked: false })],
    'a reserved bit': [encodeFrame(opcodes.text, ping, { reserved: 4 })],
    'a reserved opcode': [encodeFrame(3, 'x')],
    'a reserved control opcode': [encodeFrame(11, '')],
    'a fragmented control frame': [encodeFrame(opcodes.ping, 'x', { isFinal: false })],
    'a control frame of 126 bytes': [encodeFrame(opcodes.ping, 'x'.repeat(126))],
    'a continuation of nothing': [encodeFrame(opcodes.continuation, 'x')],
    'a new message inside another': [
      encodeFrame(opcodes.text, 'x', { isFinal: false }), encodeFrame(opcodes.text, 'y'),
    ],
    'a close frame of one byte': [encodeFrame(opcodes.close, 'x')],
    'a close code that must not be sent': [encodeFrame(opcodes.close, Buffer.from([0x03, 0xed]))],
  };
  for (const [what, frames] of Object.entries(violations))
    test(`${what} closes with 1002`, async (t) => {
      const raw = await open(t);
      raw.write(...frames);
      assert.equal((await raw.nextClose()).closeCode, 1002);
      await raw.ended();
    });

  for (const [what, frames] of Object.entries({
    'an overlong form': [encodeFrame(opcodes.text, Buffer.from([0xc0, 0xaf]))],
    'a surrogate': [encodeFrame(opcodes.text, Buffer.from([0xed, 0xa0, 0x80]))],
    'a character cut at the end': [encodeFrame(opcodes.text, Buffer.from([0xe2, 0x82]))],
    'a bad byte in a fragment, before the message is whole': [
      encodeFrame(opcodes.text, Buffer.from([0xff]), { isFinal: false }),
    ],
    'a bad byte in the reason of a close': [encodeFrame(opcodes.close, Buffer.from([0x03, 0xe8, 0xff]))],
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

  test('a close is echoed with its code, then the connection ends', async (t) => {
    for (const code of [1000, 1001, 3000, 4999]) {
      const raw = await open(t);
      const payload = Buffer.alloc(2);
      payload.writeUInt16BE(code);
      raw.write(encodeFrame(opcodes.close, Buffer.concat([payload, Buffer.from('bye')])));
      assert.equal((await raw.nextClose()).closeCode, code);
      await raw.ended();
    }
    const bare = await open(t);
    bare.write(encodeFrame(opcodes.close));
    assert.equal((await bare.nextClose()).payload.length, 0);
    await bare.ended();
  });

  test('nothing is answered after a close', async (t) => {
    const raw = await open(t);
    raw.write(encodeFrame(opcodes.close, Buffer.from([0x03, 0xe8])), encodeFrame(opcodes.text, ping));
    const first = await raw.next();
    assert.equal(first.opcode, opcodes.close);
    await raw.ended();
    assert.equal(raw.bytes.length, 0);
  });

  test('a connection that breaks off without a close is forgotten', async (t) => {
    const raw = await open(t, { path: '/ws/heatmap?symbols=BTCUSDT' });
    await raw.next();
    raw.socket.resetAndDestroy?.() ?? raw.destroy();
    await eventually('the subscription is gone', async () =>
      (await get(`${server.url}/ws/stats`)).json().subscriptions_by_symbol.BTCUSDT === 0,
    );
  });
});
