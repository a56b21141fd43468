// Answers that are not as they should be. The kinds of faults.mjs at 'rest':
//
//   http        {status, body, headers, retryAfter (s)}    any answer
//   banned      {ms}       as the exchange bans an address, until then
//   blocked                as it refuses a country
//   firewall               403 and a web page
//   html                   200 and a web page
//   cut         {part}     breaks off, with the length of the whole announced
//   cut-json    {part}     is whole to HTTP, and breaks off inside
//   hang                   never comes
//   reset                  the connection ends without one
//   slow        {realMs}   comes late
//   skew        {ms}       all clocks of the exchange are off
//   numbers, texts         figures as numbers, numbers as text
//   empty                  a list without rows
//   hole        {index}    a row is missing (the middle one)
//   without-last           the newest row is missing
//   duplicate, disorder, reverse       rows twice, swapped, in the other order
//   impossible  {how}      a row is spoiled: see spoil() of the exchange
//   other-symbol           the rows are of another symbol, and say so
//   mixed       {ms}       open interest: value and contracts of different moments
import { withNumbers, withTexts } from './wire.mjs';

const page =
    '<!DOCTYPE html><html><head><title>Request blocked</title></head><body><h1>403 ERROR</h1>' +
    '<p>The request could not be satisfied.</p></body></html>';
const htmlHeaders = { 'Content-Type': 'text/html' };

// An answer instead of the exchange's own: {status, headers, body}; undefined where none is wanted.
export function replaceAnswer(standIn, ask) {
    for (const fault of ask.faults) {
        const { kind, status, body = '', headers = {}, retryAfter } = fault;
        if (kind === 'http') {
            if (retryAfter !== undefined) standIn.silence(ask.budget, retryAfter * 1000);
            const wait = retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) };
            return { status, headers: { ...wait, ...headers }, body };
        }
        if (kind === 'banned') return standIn.ban(fault.ms ?? 120_000);
        if (kind === 'blocked') return standIn.definition.blocked();
        if (kind === 'firewall') return { status: 403, headers: htmlHeaders, body: page };
        if (kind === 'html') return { status: 200, headers: htmlHeaders, body: page };
    }
    return undefined;
}

// `list` are rows as they are sent, `rows` what is true of each: changed together, in place.
const listFaults = {
    empty: (list, rows) => remove(list, rows, 0, list.length),
    hole: (list, rows, { index = Math.floor(list.length / 2) }) => remove(list, rows, index, 1),
    'without-last': (list, rows) => {
        const times = rows.map((row) => row?.openMs ?? row?.timeMs ?? 0);
        remove(list, rows, times.indexOf(Math.max(...times)), 1);
    },
    duplicate: (list, rows) => {
        const index = Math.floor(list.length / 2);
        insert(list, rows, index, list[index], rows[index]);
    },
    disorder: (list, rows) => {
        const from = Math.floor(list.length / 3);
        const [item] = list.splice(from, 1);
        const [row] = rows.splice(from, 1);
        insert(list, rows, Math.floor(list.length / 2), item, row);
    },
    reverse: (list, rows) => {
        list.reverse();
        rows.reverse();
    },
};

function remove(list, rows, index, count) {
    list.splice(index, count);
    rows.splice(index, count);
}

function insert(list, rows, index, item, row) {
    list.splice(index, 0, item);
    rows.splice(index, 0, row);
}

// `answer` is {json, list, rows} of a route.
export function harmRows(standIn, answer, faults) {
    const { list = [], rows = [] } = answer;
    for (const fault of faults) {
        if (list.length > 0) listFaults[fault.kind]?.(list, rows, fault);
        if (list.length > 0 && fault.kind === 'impossible') {
            const index = fault.index ?? Math.floor(list.length / 2);
            list[index] = standIn.definition.spoil(list[index], rows[index], fault.how);
            rows[index] = undefined;
        }
        if (fault.kind === 'other-symbol') {
            standIn.definition.rename(answer.json, list, 'OTHERUSDT');
            rows.fill(undefined);
        }
    }
}

export function writeJson(json, faults) {
    for (const { kind } of faults) {
        if (kind === 'numbers') json = withNumbers(json);
        if (kind === 'texts') json = withTexts(json);
    }
    return JSON.stringify(json);
}

export const findFault = (faults, kind) => faults.find((fault) => fault.kind === kind);
