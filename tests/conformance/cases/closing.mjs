// Group 7: the closing handshake.
import {
    close,
    closesCleanly,
    echoed,
    failsWith,
    frame,
    more,
    ping,
    sampleText,
    text,
} from '../steps.mjs';
import { closePayload, opcodes } from '../../support/raw-websocket.mjs';

const hello = 'Hello World!';
const codes = {
    valid: [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999],
    invalid: [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999],
    undefined: [5000, 65535],
};
const kib256 = 256 * 1024;
const badReason = Buffer.concat([
    Buffer.from('κ\u1f79σμε'),
    Buffer.from('eda080', 'hex'),
    Buffer.from('edited'),
]);

// What follows a close frame of the client's has no answer.
const deaf = (number, title, sends) => ({
    number,
    title,
    sends,
    answers: () => [[]],
    ends: closesCleanly(),
});
const clean = (number, title, ...payload) => ({
    number,
    title,
    sends: () => [close(...payload)],
    answers: () => [[]],
    ends: closesCleanly(payload[0] ?? 1000, 1000),
});
const fails = (number, title, payload, ...allowed) => ({
    number,
    title,
    sends: () => [frame(opcodes.close, payload)],
    answers: () => [[]],
    ends: failsWith(...allowed),
});

export const closing = {
    group: '7',
    title: 'closing',
    cases: [
        {
            number: '7.1.1',
            title: 'a message before a close is echoed',
            sends: () => [text(hello)],
            answers: () => [[echoed(hello)]],
            ends: closesCleanly(),
        },
        deaf('7.1.2', 'a second close is ignored', () => [close(1000), close()]),
        deaf('7.1.3', 'a ping after a close is ignored', () => [close(1000), ping()]),
        deaf('7.1.4', 'a text after a close is ignored', () => [close(1000), text(hello)]),
        deaf('7.1.5', 'a close between two fragments ends the message too', () => [
            text('fragment1', { isFinal: false }),
            close(1000),
            more('fragment2'),
        ]),
        {
            number: '7.1.6',
            title: 'a close right behind 256 KiB and a short text: whatever is echoed is whole, a ping after it ignored',
            isInformational: true,
            sends: () => [text(sampleText(kib256)), text(hello), close(1000), ping()],
            answers: () => [
                [echoed(sampleText(kib256)), echoed(hello)],
                [echoed(sampleText(kib256))],
                [],
            ],
            ends: closesCleanly(),
        },
        clean('7.3.1', 'a close without payload is answered'),
        fails('7.3.2', 'a close of one byte fails', 'a', 1002),
        clean('7.3.3', 'a close with a code is answered', 1000),
        clean('7.3.4', 'a close with a code and a reason is answered', 1000, 'Hello World!'),
        clean('7.3.5', 'a close with the longest reason is answered', 1000, '*'.repeat(123)),
        fails(
            '7.3.6',
            'a close with a reason too long by one fails',
            closePayload(1000, Buffer.alloc(124, '*')),
            1002,
        ),
        fails(
            '7.5.1',
            'a reason that is no UTF-8 fails',
            closePayload(1000, badReason),
            1002,
            1007,
        ),
        ...codes.valid.map((code, i) =>
            clean(`7.7.${i + 1}`, `the code ${code} is answered`, code),
        ),
        ...codes.invalid.map((code, i) =>
            fails(`7.9.${i + 1}`, `the code ${code} fails`, closePayload(code), 1002),
        ),
        ...codes.undefined.map((code, i) => ({
            ...fails(
                `7.13.${i + 1}`,
                `the code ${code} ends the connection`,
                closePayload(code),
                1000,
                1002,
                code,
            ),
            isInformational: true,
        })),
    ],
};
