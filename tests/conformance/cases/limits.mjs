// Group 9: large messages, many fragments, many small writes, many round trips.
import { closesCleanly, echoed, frame, fragments, sampleBytes, sampleText } from '../steps.mjs';
import { opcodes } from '../../support/raw-websocket.mjs';

const kib = 1024;
const mib = 1024 * kib;
const shown = (size) =>
    size >= mib ? `${size / mib} MiB` : size >= kib ? `${size / kib} KiB` : `${size} bytes`;

const kinds = [
    { name: 'text', isBinary: false, opcode: opcodes.text, sample: sampleText },
    { name: 'binary', isBinary: true, opcode: opcodes.binary, sample: sampleBytes },
];

const transfer = (number, title, { sample, isBinary }, size, sends, chop = 'whole') => ({
    number,
    title,
    chop,
    sends,
    answers: () => [[echoed(sample(size), isBinary)]],
    ends: closesCleanly(),
});

const whole = [64 * kib, 256 * kib, mib, 4 * mib, 8 * mib, 16 * mib];
const fragmentSizes = [64, 256, kib, 4 * kib, 16 * kib, 64 * kib, 256 * kib, mib, 4 * mib];
const chopSizes = [64, 128, 256, 512, kib, 2 * kib];
const roundTripSizes = [0, 16, 64, 256, kib, 4 * kib];

const large = kinds.flatMap((kind, k) =>
    whole.map((size, i) =>
        transfer(
            `9.${1 + k}.${i + 1}`,
            `a ${kind.name} message of ${shown(size)} is echoed`,
            kind,
            size,
            () => [frame(kind.opcode, kind.sample(size))],
        ),
    ),
);

const fragmented = kinds.flatMap((kind, k) =>
    fragmentSizes.map((piece, i) =>
        transfer(
            `9.${3 + k}.${i + 1}`,
            `a ${kind.name} message of 4 MiB in fragments of ${shown(piece)} is echoed`,
            kind,
            4 * mib,
            () => fragments(kind.opcode, kind.sample(4 * mib), piece, { endsEmpty: true }),
        ),
    ),
);

const chopped = kinds.flatMap((kind, k) =>
    chopSizes.map((chop, i) =>
        transfer(
            `9.${5 + k}.${i + 1}`,
            `a ${kind.name} message of 1 MiB in writes of ${shown(chop)} is echoed`,
            kind,
            mib,
            () => [frame(kind.opcode, kind.sample(mib))],
            chop,
        ),
    ),
);

const roundTrips = kinds.flatMap((kind, k) =>
    roundTripSizes.map((size, i) => ({
        number: `9.${7 + k}.${i + 1}`,
        title: `${kind.name} messages of ${shown(size)} are echoed one after the other`,
        rounds: {
            count: 100,
            fullCount: 1000,
            isBinary: kind.isBinary,
            payload: () => kind.sample(size),
        },
        ends: closesCleanly(),
    })),
);

export const limits = {
    group: '9',
    title: 'limits',
    cases: [...large, ...fragmented, ...chopped, ...roundTrips],
};
