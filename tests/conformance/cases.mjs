// The case table, numbered like the public Autobahn test suite (crossbario/autobahn-testsuite), so
// that results can be compared number by number. What is sent and how it is judged is our own.
import { closing } from './cases/closing.mjs';
import { compression } from './cases/compression.mjs';
import { autoFragmentation, framing } from './cases/framing.mjs';
import { limits } from './cases/limits.mjs';
import { utf8 } from './cases/utf8.mjs';

// A case is either `sends` (steps, see steps.mjs), `chop` (how they are cut into writes) and
// `answers` (the strict outcome, then others that conform), or `rounds` (messages, each awaited
// before the next). `ends` says how it must end; `isInformational` marks what the RFC leaves open.
export const groups = [...framing, utf8, closing, limits, autoFragmentation, ...compression];

export const cases = groups.flatMap((group) => group.cases);

// Of the long groups only the first case and the last of each part, of the others all.
const part = (one) => one?.number.split('.').slice(0, 2).join('.');
const isLong = ({ number }) => /^(9|12|13)\./.test(number);
export const sampledCases = cases.filter(
    (one, i) =>
        !isLong(one) || part(one) !== part(cases[i - 1]) || part(one) !== part(cases[i + 1]),
);

export function findCase(number) {
    const found = cases.find((one) => one.number === number);
    if (!found) throw new Error(`there is no case ${number}`);
    return found;
}
