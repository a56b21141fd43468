// A test of the tests: the table is whole, a server that conforms passes, and each way of breaking
// the rules is found by the cases that are there for it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { closePayload, opcodes } from '../support/raw-websocket.mjs';
import { cases, findCase, groups, sampledCases } from './cases.mjs';
import { startEcho, startFaulty } from './faulty-echo.mjs';
import { runCase } from './run-case.mjs';

test('the table has the 517 public cases, group by group', () => {
    const counts = {
        1: 16,
        2: 11,
        3: 7,
        4: 10,
        5: 20,
        6: 145,
        7: 37,
        9: 54,
        10: 1,
        12: 90,
        13: 126,
    };
    assert.deepEqual(
        Object.fromEntries(groups.map(({ group, cases: { length } }) => [group, length])),
        counts,
    );
    assert.equal(new Set(cases.map(({ number }) => number)).size, 517);
});

const isControl = ({ opcode }) => opcode >= 8;
const isPong = ({ opcode }) => opcode === opcodes.pong;
const isClose = ({ opcode }) => opcode === opcodes.close;
const closeFrame = (frame, code) => ({
    ...frame,
    payload: code === null ? Buffer.alloc(0) : closePayload(code),
});

// Faults of what a server sends: a frame becomes a list of others.
const when = (fits, change) => ({
    toClient: { change: (frame, to) => (fits(frame) ? change(frame, to) : [frame]) },
});
const data = (change) => when((frame) => !isControl(frame), change);
const closes = (from, to) =>
    when(
        (frame) => frame.closeCode === from,
        (frame) => [closeFrame(frame, to)],
    );
const answersHead = (from, to) => ({ toClient: { changeHead: (head) => head.replace(from, to) } });

// Faults of what a server lets pass: the client's frame is mended before the server sees it.
const lets = (change) => ({ toServer: { change } });
const mends = (fix) => lets((frame) => [{ ...frame, ...fix(frame) }]);

const faults = {
    'masks its frames': [
        data((frame) => [{ ...frame, encoding: { isMasked: true } }]),
        '1.1.2',
        '9.7.2',
    ],
    'sets a reserved bit': [data((frame) => [{ ...frame, reserved: 2 }]), '1.1.2', '12.1.1'],
    'sends lengths in a longer form': [
        data((frame) => [{ ...frame, encoding: { lengthBytes: 8 } }]),
        '1.1.2',
        '1.1.3',
    ],
    'echoes with the other opcode': [
        data((frame) => [{ ...frame, opcode: 3 - frame.opcode }]),
        '1.2.2',
        '9.8.2',
    ],
    'loses the last byte': [
        data((frame) => [{ ...frame, payload: frame.payload.subarray(0, -1) }]),
        '1.1.2',
        '12.2.1',
    ],
    'swaps two pieces of a message': [
        data((frame) => [
            {
                ...frame,
                payload: Buffer.concat([
                    frame.payload.subarray(1024),
                    frame.payload.subarray(0, 1024),
                ]),
            },
        ]),
        '9.2.1',
        '9.4.5',
    ],
    'echoes twice': [data((frame) => [frame, frame]), '1.1.2', '9.7.2'],
    'sends a continuation of nothing': [data((frame) => [{ ...frame, opcode: 0 }]), '1.1.2'],
    'never ends its fragments': [data((frame) => [{ ...frame, isFinal: false }]), '1.1.2'],
    'sends text that is no UTF-8': [
        data((frame) => [{ ...frame, payload: Buffer.from([0xff]) }]),
        '6.5.1',
    ],
    'uses a reserved opcode': [data((frame) => [{ ...frame, opcode: 3 }]), '1.1.2'],
    'does not pong': [when(isPong, () => []), '2.1', '2.10', '5.6', '5.19'],
    'pongs with nothing': [
        when(isPong, (frame) => [{ ...frame, payload: Buffer.alloc(0) }]),
        '2.2',
        '2.10',
    ],
    'pongs in fragments': [when(isPong, (frame) => [{ ...frame, isFinal: false }]), '2.2'],
    'says 1000 for a protocol error': [
        closes(1002, 1000),
        '2.5',
        '3.1',
        '4.1.1',
        '5.1',
        '5.9',
        '7.3.2',
        '7.9.2',
    ],
    'says 1002 for bad text': [closes(1007, 1002), '6.3.1', '6.12.1'],
    'does not say why it fails the connection': [closes(1002, null), '3.1'],
    'drops the connection without a close': [
        when(isClose, (_frame, to) => {
            to.end();
            return [];
        }),
        '3.1',
        '7.3.3',
    ],
    'echoes a code that it must not send': [closes(1000, 1005), '7.3.3', '1.1.1'],
    'continues after its close': [
        when(isClose, (frame) => [frame, { ...frame, opcode: opcodes.ping }]),
        '7.1.2',
        '3.1',
    ],
    'breaks off after its close': [{ toClient: { breaksOff: true } }, '1.1.1', '7.1.4'],
    'declines compression': [answersHead(/Sec-WebSocket-Extensions:.*\r\n/, ''), '12.1.1'],
    'takes a context over that it should not': [
        answersHead(/server_no_context_takeover/, ''),
        '13.2.1',
    ],
    'takes a larger window than it should': [
        answersHead(/server_max_window_bits=9/, 'server_max_window_bits=10'),
        '13.3.1',
    ],
    'says a parameter twice': [answersHead(/server_max_window_bits=9/, '$&; $&'), '13.3.1'],
    'answers an offer with a parameter that does not exist': [
        answersHead(/permessage-deflate/, '$&; level=9'),
        '12.1.1',
    ],
    'compresses with a larger window than it said': [
        answersHead(/server_max_window_bits=15/, 'server_max_window_bits=9'),
        '13.4.8',
    ],
    'lets text pass that is no UTF-8': [
        { server: { skipUTF8Validation: true } },
        '6.3.1',
        '6.6.1',
        '6.12.1',
        '6.14.1',
        '6.20.1',
        '6.21.1',
        '7.5.1',
    ],
    'lets reserved bits pass': [
        mends(() => ({ reserved: 0 })),
        '3.1',
        '3.2',
        '3.3',
        '3.4',
        '3.5',
        '3.6',
        '3.7',
    ],
    'ignores reserved opcodes': [
        lets((frame) => (Object.values(opcodes).includes(frame.opcode) ? [frame] : [])),
        '4.1.1',
        '4.1.2',
        '4.1.3',
        '4.2.1',
        '4.2.2',
        '4.2.5',
    ],
    'takes the first fragment of a control frame for the whole': [
        lets((frame) => (frame.opcode === 0 ? [] : [{ ...frame, isFinal: true }])),
        '5.1',
        '5.2',
    ],
    'ignores continuations of nothing': [
        lets((frame) => (frame.opcode === 0 ? [] : [frame])),
        '5.9',
        '5.12',
    ],
    'lets any close code pass': [
        mends((frame) =>
            isClose(frame) && frame.payload.length > 0 ? { payload: closePayload(1000) } : {},
        ),
        '7.3.2',
        '7.3.6',
        '7.5.1',
        '7.9.1',
        '7.9.2',
        '7.9.5',
        '7.9.9',
    ],
    'does not answer a close': [when(isClose, () => []), '7.3.1', '7.7.1'],
};

describe('a server that conforms', () => {
    const notFailFast = new Set(['6.4.1', '6.4.2', '6.4.3', '6.4.4']); // it checks text at its end

    test('passes, but that it is not the fastest to see bad text', async (t) => {
        const port = await startEcho(t);
        for (const one of sampledCases) {
            const expected = one.isInformational
                ? 'INFORMATIONAL'
                : notFailFast.has(one.number)
                  ? 'NON-STRICT'
                  : 'OK';
            assert.equal(
                await runCase(port, one, { failFastMs: 200 }),
                expected,
                `${one.number} ${one.title}`,
            );
        }
    });
});

describe('a server that', () => {
    for (const [what, [fault, ...numbers]] of Object.entries(faults))
        test(`${what} fails ${numbers.join(', ')}`, async (t) => {
            const port = await startFaulty(t, fault);
            for (const number of numbers)
                await assert.rejects(
                    runCase(port, findCase(number), { patienceMs: 300 }),
                    (error) => {
                        t.diagnostic(`${number}: ${error.message.split('\n')[0]}`);
                        return true;
                    },
                    `${number} did not see it`,
                );
        });
});
