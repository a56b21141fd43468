// Groups 1 to 5: sizes, pings, reserved bits, opcodes, fragments.
import {
    binary,
    closesCleanly,
    echoed,
    failsWith,
    frame,
    fragments,
    more,
    pause,
    ping,
    pong,
    ponged,
    sampleBytes,
    sampleText,
    text,
} from '../steps.mjs';
import { opcodes } from '../../support/raw-websocket.mjs';

const hello = 'Hello, world!';
const notFinal = { isFinal: false };
const nothing = [];

// One to eight: every form of the length, and one message that arrives in pieces.
function sizes(group, isBinary) {
    const send = isBinary ? binary : text;
    const sample = isBinary ? sampleBytes : sampleText;
    return [0, 125, 126, 127, 128, 65535, 65536, 65536].map((size, i) => ({
        number: `${group}.${i + 1}`,
        title: `a ${isBinary ? 'binary' : 'text'} message of ${size} bytes${i === 7 ? ' in writes of 997' : ''} is echoed`,
        chop: i === 7 ? 997 : 'whole',
        sends: () => [send(sample(size))],
        answers: () => [[echoed(sample(size), isBinary)]],
        ends: closesCleanly(),
    }));
}

const tenPings = Array.from({ length: 10 }, (_, i) => `payload-${i}`);
const bytes125 = sampleBytes(125);

const answered = (number, title, payload, chop = 'whole') => ({
    number,
    title,
    chop,
    sends: () => [ping(payload)],
    answers: () => [[ponged(payload)]],
    ends: closesCleanly(),
});

const pings = [
    answered('2.1', 'a ping without payload is answered', ''),
    answered('2.2', 'a ping with text is answered with the same', hello),
    answered(
        '2.3',
        'a ping with bytes that are no UTF-8 is answered with the same',
        sampleBytes(8),
    ),
    answered('2.4', 'a ping of 125 bytes is answered', bytes125),
    {
        number: '2.5',
        title: 'a ping of 126 bytes fails the connection',
        sends: () => [ping(sampleBytes(126))],
        answers: () => [nothing],
        ends: failsWith(1002),
    },
    answered('2.6', 'a ping of 125 bytes that come one by one is answered', bytes125, 'octets'),
    {
        number: '2.7',
        title: 'an unasked pong without payload is ignored',
        sends: () => [pong()],
        answers: () => [nothing],
        ends: closesCleanly(),
    },
    {
        number: '2.8',
        title: 'an unasked pong with a payload is ignored',
        sends: () => [pong('nobody asked')],
        answers: () => [nothing],
        ends: closesCleanly(),
    },
    {
        number: '2.9',
        title: 'an unasked pong is ignored, the ping behind it answered',
        sends: () => [pong('nobody asked'), ping('but here')],
        answers: () => [[ponged('but here')]],
        ends: closesCleanly(),
    },
    ...['whole', 'octets'].map((chop, i) => ({
        number: `2.${10 + i}`,
        title: `ten pings ${i === 0 ? 'in one write' : 'byte by byte'} have ten pongs in their order`,
        chop,
        sends: () => tenPings.map((payload) => ping(payload)),
        answers: () => [tenPings.map((payload) => ponged(payload))],
        ends: closesCleanly(),
    })),
];

// A frame that breaks the protocol: alone, or between a message that is echoed and a ping that is
// not.
const broken = (number, title, bad, { isBetween = false, chop = 'whole' } = {}) => ({
    number,
    title,
    chop,
    sends: () => (isBetween ? [text(hello), bad(), ping()] : [bad()]),
    answers: () => (isBetween ? [[echoed(hello)], nothing] : [nothing]),
    ends: failsWith(1002),
});
const between = (chop) => ({ isBetween: true, chop });

const reservedBits = [
    broken('3.1', 'a text with RSV3 fails', () => text(hello, { reserved: 1 })),
    broken(
        '3.2',
        'a text with RSV2 fails after an echo',
        () => text(hello, { reserved: 2 }),
        between(),
    ),
    broken(
        '3.3',
        'a text with RSV2 and RSV3, frame by frame, fails after an echo',
        () => text(hello, { reserved: 3 }),
        between('frames'),
    ),
    broken(
        '3.4',
        'a text with RSV1, byte by byte, fails after an echo',
        () => text(hello, { reserved: 4 }),
        between('octets'),
    ),
    broken('3.5', 'a binary message with RSV1 and RSV3 fails', () =>
        binary(sampleBytes(8), { reserved: 5 }),
    ),
    broken('3.6', 'a ping with RSV1 and RSV2 fails', () =>
        frame(opcodes.ping, hello, { reserved: 6 }),
    ),
    broken('3.7', 'a close with all reserved bits fails', () =>
        frame(opcodes.close, '', { reserved: 7 }),
    ),
];

// Two alone, three after an echo; the second, fourth and fifth with a payload.
function reservedOpcodes(group, first, kind) {
    return [0, 1, 2, 3, 4].map((i) => {
        const payload = i === 0 || i === 2 ? '' : hello;
        return broken(
            `${group}.${i + 1}`,
            `the ${kind} opcode ${first + i} ${payload ? 'with a payload ' : ''}fails${i > 1 ? ' after an echo' : ''}`,
            () => frame(first + i, payload),
            i > 1 ? between() : {},
        );
    });
}

const chops = ['whole', 'frames', 'octets'];
const chopTitles = { whole: 'in one write', frames: 'frame by frame', octets: 'byte by byte' };

// The same frames in one write, frame by frame, byte by byte.
const chopped = (first, title, rest) =>
    chops.map((chop, i) => ({
        number: `5.${first + i}`,
        title: `${title}, ${chopTitles[chop]}`,
        chop,
        ...rest,
    }));

const twoFragments = () => [text('fragment1', notFinal), more('fragment2')];
const joined = echoed('fragment1fragment2');
const strayThenText = (options) => ({
    sends: () => [more('continues nothing', options), text(hello)],
    answers: () => [nothing],
    ends: failsWith(1002),
});
const repeatedStray = (number, options, title) => ({
    number,
    title,
    sends: () =>
        [0, 1].flatMap(() => [
            more('fragment1', options),
            text('fragment2', notFinal),
            more('fragment3'),
        ]),
    answers: () => [nothing],
    ends: failsWith(1002),
});
const fivePieces = (number, chop) => ({
    number,
    title: `five fragments with two pings and a pause between them, ${chopTitles[chop]}: pongs at once, then the echo`,
    chop,
    sends: () => [
        text('fragment1', notFinal),
        more('fragment2', notFinal),
        ping('pongme 1!'),
        pause,
        more('fragment3', notFinal),
        more('fragment4', notFinal),
        ping('pongme 2!'),
        more('fragment5'),
    ],
    answers: () => [
        [
            ponged('pongme 1!'),
            ponged('pongme 2!'),
            echoed('fragment1fragment2fragment3fragment4fragment5'),
        ],
    ],
    ends: closesCleanly(),
});

const fragmentation = [
    ...[opcodes.ping, opcodes.pong].map((opcode, i) => ({
        number: `5.${i + 1}`,
        title: `a ${i === 0 ? 'ping' : 'pong'} in two fragments fails`,
        sends: () => [frame(opcode, 'fragment1', notFinal), more('fragment2')],
        answers: () => [nothing],
        ends: failsWith(1002),
    })),
    ...chopped(3, 'a text in two fragments is echoed', {
        sends: twoFragments,
        answers: () => [[joined]],
        ends: closesCleanly(),
    }),
    ...chopped(6, 'a ping between two fragments is answered before the echo', {
        sends: () =>
            twoFragments().flatMap((piece, i) => (i === 0 ? [piece, ping('ping')] : [piece])),
        answers: () => [[ponged('ping'), joined]],
        ends: closesCleanly(),
    }),
    ...chopped(9, 'a final continuation of nothing fails', strayThenText({ isFinal: true })),
    ...chopped(12, 'a continuation of nothing fails', strayThenText(notFinal)),
    {
        number: '5.15',
        title: 'a continuation after the end of a message fails, behind the echo',
        sends: () => [...twoFragments(), more('fragment3', notFinal), text('fragment4')],
        answers: () => [[joined], nothing],
        ends: failsWith(1002),
    },
    repeatedStray(
        '5.16',
        notFinal,
        'twice: a continuation of nothing, then two fragments: fails at the first',
    ),
    repeatedStray(
        '5.17',
        { isFinal: true },
        'twice: a final continuation of nothing, then two fragments: fails at the first',
    ),
    {
        number: '5.18',
        title: 'a second fragment that says text again fails',
        sends: () => [text('fragment1', notFinal), text('fragment2')],
        answers: () => [nothing],
        ends: failsWith(1002),
    },
    fivePieces('5.19', 'whole'),
    fivePieces('5.20', 'frames'),
];

export const framing = [
    { group: '1', title: 'framing', cases: [...sizes('1.1', false), ...sizes('1.2', true)] },
    { group: '2', title: 'pings and pongs', cases: pings },
    { group: '3', title: 'reserved bits', cases: reservedBits },
    {
        group: '4',
        title: 'opcodes',
        cases: [
            ...reservedOpcodes('4.1', 3, 'reserved'),
            ...reservedOpcodes('4.2', 11, 'reserved control'),
        ],
    },
    { group: '5', title: 'fragmentation', cases: fragmentation },
];

export const autoFragmentation = {
    group: '10',
    title: 'automatic fragmentation',
    cases: [
        {
            number: '10.1.1',
            title: 'a text of 65536 bytes in fragments of 1300 is echoed',
            sends: () => fragments(opcodes.text, sampleText(65536), 1300),
            answers: () => [[echoed(sampleText(65536))]],
            ends: closesCleanly(),
        },
    ],
};
