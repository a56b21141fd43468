// Group 6: text must be UTF-8, and the server should say so at the first byte that can not be.
import { closesCleanly, echoed, failsHere, failsWith, more, silence, text } from '../steps.mjs';

const bytes = (...values) => Buffer.from(values.flat());
const hex = (digits) => Buffer.from(digits.replaceAll(' ', ''), 'hex');
const single = (buffer) => Array.from(buffer, (value) => bytes(value));
const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);
const product = (...lists) =>
    lists.reduce((all, list) => all.flatMap((head) => list.map((item) => [...head, item])), [[]]);

const greek = Buffer.from('κ\u1f79σμε'); // 2, 3, 2, 2 and 2 bytes
const mixed = Buffer.from('Hello-µ@ßöäüàá-UTF-8!!');
const invalidMiddle = Buffer.concat([greek, hex('eda080'), Buffer.from('edited')]);

// Pieces as a fragmented text.
const inFragments = (pieces) =>
    pieces.map((piece, i) => (i === 0 ? text : more)(piece, { isFinal: i === pieces.length - 1 }));

const valid = (number, title, pieces) => ({
    number,
    title,
    sends: () => inFragments(pieces),
    answers: () => [[echoed(Buffer.concat(pieces))]],
    ends: closesCleanly(),
});

const invalid = (number, title, pieces) => ({
    number,
    title,
    sends: () => inFragments(pieces),
    answers: () => [[]],
    ends: failsWith(1007),
});

const empty = Buffer.alloc(0);
const boundary = mixed.indexOf(Buffer.from('ü'));

const fragmentedText = [
    valid('6.1.1', 'an empty text is echoed', [empty]),
    valid('6.1.2', 'a text of three empty fragments is echoed as an empty one', [
        empty,
        empty,
        empty,
    ]),
    valid('6.1.3', 'a text between two empty fragments is echoed', [empty, mixed, empty]),
    valid('6.2.1', 'letters of one and two bytes are echoed', [mixed]),
    valid('6.2.2', 'the same in two fragments, cut between letters', [
        mixed.subarray(0, boundary),
        mixed.subarray(boundary),
    ]),
    valid('6.2.3', 'the same in fragments of one byte', single(mixed)),
    valid('6.2.4', 'letters of two and three bytes in fragments of one byte', single(greek)),
    invalid('6.3.1', 'a surrogate within a text fails', [invalidMiddle]),
    invalid('6.3.2', 'the same in fragments of one byte fails', single(invalidMiddle)),
];

// A code point beyond U+10FFFF shows at its second byte, which is byte 13 of the text. The rest of
// the message is held back: a server that waits for it is not strict.
const beyond = hex('f4908080');
const rest = Buffer.from('edited');
const whole = Buffer.concat([greek, beyond, rest]);
const cuts = { part: [greek.length, greek.length + beyond.length], byte: [12, 13] };

function failsFast(number, title, [first, second], isOneFrame) {
    const parts = [whole.subarray(0, first), whole.subarray(first, second), whole.subarray(second)];
    return {
        number,
        title,
        sends: () => {
            const frames = isOneFrame ? cutFrame(text(whole), first, second) : inFragments(parts);
            return [frames[0], silence, frames[1], failsHere, frames[2]];
        },
        answers: () => [[]],
        ends: failsWith(1007),
    };
}

function cutFrame(frame, first, second) {
    const at = frame.length - whole.length;
    return [
        frame.subarray(0, at + first),
        frame.subarray(at + first, at + second),
        frame.subarray(at + second),
    ];
}

const failFast = [
    failsFast(
        '6.4.1',
        'a code point out of range in the second of three fragments fails at once',
        cuts.part,
        false,
    ),
    failsFast(
        '6.4.2',
        'a fragment that ends with the first wrong byte fails at once',
        cuts.byte,
        false,
    ),
    failsFast(
        '6.4.3',
        'a code point out of range in the second third of a frame fails at once',
        cuts.part,
        true,
    ),
    failsFast(
        '6.4.4',
        'a part of a frame that ends with the first wrong byte fails at once',
        cuts.byte,
        true,
    ),
];

// From here on one text in one frame each: [title of the subgroup, valid ones, invalid ones], where
// `true` and `false` lists keep the public order.
const lonely = (from, to) => [false, bytes(range(from, to).flatMap((value) => [value, 0x20]))];
const cutSequences = [
    'c0',
    'e080',
    'f08080',
    'f8808080',
    'fc80808080',
    'df',
    'efbf',
    'f7bfbf',
    'fbbfbfbf',
    'fdbfbfbfbf',
];
const good = (...texts) => texts.map((digits) => [true, hex(digits)]);
const bad = (...texts) => texts.map((digits) => [false, hex(digits)]);
const continuations = range(1, 7).map((count) => [
    false,
    bytes(range(0, count).map((i) => (i % 2 ? 0xbf : 0x80))),
]);

// The last two code points of planes 1 to 16: no characters, and valid.
const planeEnds = product(range(0xf0, 0xf5), [0x8f, 0x9f, 0xaf, 0xbf], [0xbf], [0xbe, 0xbf])
    .filter(
        ([lead, second]) =>
            (lead !== 0xf0 || second !== 0x8f) && (lead !== 0xf4 || second === 0x8f),
    )
    .map((values) => [true, bytes(values)]);

const surrogates = { high: ['eda080', 'edadbf', 'edae80', 'edafbf'], low: ['edb080', 'edbfbf'] };

const sequences = [
    [
        'some valid sequences',
        [
            ...['$', '¢', '€', '𤭢'].map((letter) => [true, Buffer.from(`hello${letter}world`)]),
            [true, greek],
        ],
    ],
    [
        'every beginning of a valid text',
        range(1, greek.length + 1).map((size) => [
            [2, 5, 7, 9, 11].includes(size),
            greek.subarray(0, size),
        ]),
    ],
    ['the first code point of each length', good('00', 'c280', 'e0a080', 'f0908080')],
    ['first sequences of five and six bytes', bad('f888808080', 'fc8480808080')],
    ['the last code point of each length', good('7f', 'dfbf', 'efbfbf', 'f48fbfbf')],
    ['last sequences of four, five and six bytes', bad('f7bfbfbf', 'fbbfbfbfbf', 'fdbfbfbfbfbf')],
    ['other boundaries', [...good('ed9fbf', 'ee8080', 'efbfbd', 'f48fbfbf'), ...bad('f4908080')]],
    [
        'unexpected continuation bytes',
        [
            continuations[0],
            ...bad('bf'),
            ...continuations.slice(1),
            [false, bytes(range(0x80, 0xbf))],
        ],
    ],
    [
        'lonely first bytes',
        [
            lonely(0xc0, 0xdf),
            lonely(0xe0, 0xef),
            lonely(0xf0, 0xf7),
            lonely(0xf8, 0xfb),
            lonely(0xfc, 0xfd),
        ],
    ],
    ['sequences without their last byte', bad(...cutSequences)],
    ['all of them in a row', bad(cutSequences.join(''))],
    ['impossible bytes', bad('fe', 'ff', 'fefeffff')],
    ['overlong forms of a slash', bad('c0af', 'e080af', 'f08080af', 'f8808080af', 'fc80808080af')],
    ['the longest overlong forms', bad('c1bf', 'e09fbf', 'f08fbfbf', 'f887bfbfbf', 'fc83bfbfbfbf')],
    ['overlong forms of zero', bad('c080', 'e08080', 'f0808080', 'f880808080', 'fc8080808080')],
    ['single surrogates', bad(...surrogates.high, 'edb080', 'edbe80', 'edbfbf')],
    [
        'pairs of surrogates',
        product(surrogates.high, surrogates.low).map((pair) => [false, hex(pair.join(''))]),
    ],
    ['code points that are no characters', [...good('efbfbe', 'efbfbf'), ...planeEnds]],
    ['specials', good('efbfb9', 'efbfba', 'efbfbb', 'efbfbc', 'efbfbd', 'efbfbe', 'efbfbf')],
].flatMap(([title, texts], i) =>
    texts.map(([isValid, payload], j) => {
        const short =
            payload.length > 12 ? `${payload.toString('hex', 0, 12)}...` : payload.toString('hex');
        const make = isValid ? valid : invalid;
        return make(
            `6.${i + 5}.${j + 1}`,
            `${title}: ${short} ${isValid ? 'is echoed' : 'fails'}`,
            [payload],
        );
    }),
);

export const utf8 = {
    group: '6',
    title: 'UTF-8',
    cases: [...fragmentedText, ...failFast, ...sequences],
};
