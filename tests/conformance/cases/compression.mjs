// Groups 12 and 13: permessage-deflate, with data of five kinds and seven offers.
import { closesCleanly } from '../steps.mjs';
import { corpora } from './corpora.mjs';

const roundsPerCase = 1000;
const bytesPerCase = 256 * 1024; // of a shortened run

// [message size, fragment size of what is sent; 0: one frame]
const loads = [
    ...[16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131072].map((size) => [size, 0]),
    ...[8192, 16384, 32768, 65536, 131072].map((size) => [size, 256]),
    ...[1024, 4096, 32768].map((fragmentSize) => [131072, fragmentSize]),
];

const plain = 'permessage-deflate; client_no_context_takeover; client_max_window_bits';
const offers = [
    ['the usual offer', plain],
    ['no context taken over', `${plain}; server_no_context_takeover`],
    ['the smallest window', `${plain}; server_max_window_bits=9`],
    ['the largest window', `${plain}; server_max_window_bits=15`],
    [
        'the smallest window, no context taken over',
        `${plain}; server_no_context_takeover; server_max_window_bits=9`,
    ],
    [
        'the largest window, no context taken over',
        `${plain}; server_no_context_takeover; server_max_window_bits=15`,
    ],
    [
        'three offers',
        [
            `${plain}; server_no_context_takeover; server_max_window_bits=9`,
            `${plain}; server_no_context_takeover`,
            plain,
        ].join(', '),
    ],
];

// Round `i` takes the i-th part of the corpus, which is a ring.
function slice({ data }, size, i) {
    const from = (i * size) % data.length;
    const piece = data.subarray(from, from + size);
    return piece.length === size
        ? piece
        : Buffer.concat([piece, data.subarray(0, size - piece.length)]);
}

const runs = (prefix, corpus, title, offered) =>
    loads.map(([size, fragmentSize], i) => ({
        number: `${prefix}.${i + 1}`,
        title: `${title}: messages of ${size} bytes${fragmentSize ? ` in fragments of ${fragmentSize}` : ''}`,
        offers: offered,
        rounds: {
            count: Math.min(50, Math.ceil(bytesPerCase / size)),
            fullCount: roundsPerCase,
            isBinary: corpus.isBinary,
            isCompressed: true,
            fragmentSize,
            payload: (round) => slice(corpus, size, round),
        },
        ends: closesCleanly(),
    }));

export const compression = [
    {
        group: '12',
        title: 'compression',
        cases: corpora.flatMap((corpus, i) => runs(`12.${i + 1}`, corpus, corpus.title, plain)),
    },
    {
        group: '13',
        title: 'compression as offered',
        cases: offers.flatMap(([title, offered], i) =>
            runs(`13.${i + 1}`, corpora[0], title, offered),
        ),
    },
];
