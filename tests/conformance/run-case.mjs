// Plays one case and judges it: 'OK', 'NON-STRICT' (later or less than the best behaviour, but what
// the RFC allows) or 'INFORMATIONAL' (the RFC leaves it open); throws where the server does not
// conform.
import assert from 'node:assert/strict';

import { sleep, patienceMs } from '../support/process.mjs';
import { opcodes } from '../support/raw-websocket.mjs';
import { Peer } from './peer.mjs';
import { fragments } from './steps.mjs';

const isFull = process.env.HEATCAST_CONFORMANCE === 'full';

const pauseMs = 100;

function* cut(bytes, size) {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

// The writes of a run of frames.
function chopFrames(frames, chop = 'whole') {
    if (chop === 'frames') return frames;
    const whole = frames.length === 1 ? frames[0] : Buffer.concat(frames);
    return chop === 'whole' ? [whole] : cut(whole, chop === 'octets' ? 1 : chop);
}

async function send(peer, frames, chop) {
    for (const piece of chopFrames(frames, chop)) await peer.raw.send(piece);
}

// Sends all steps. False when the server should have failed the connection at once and did not.
async function play(peer, steps, chop, failFastMs) {
    let isStrict = true;
    let frames = [];
    for (const step of steps) {
        if (Buffer.isBuffer(step)) {
            frames.push(step);
            continue;
        }
        await send(peer, frames, chop);
        frames = [];
        if (step.step === 'pause') {
            await sleep(pauseMs);
        } else if (step.step === 'silence') {
            assert.ok(
                !(await peer.raw.hears(pauseMs)),
                'the server failed the connection too early',
            );
        } else if (await peer.raw.hears(failFastMs)) {
            return isStrict; // what it says is looked at by who called
        } else {
            isStrict = false;
        }
    }
    await send(peer, frames, chop);
    return isStrict;
}

const isClose = (frame) => (frame[0] & 15) === opcodes.close;
const sameEvent = (one, other) =>
    one.kind === other.kind &&
    (one.isBinary ?? false) === (other.isBinary ?? false) &&
    one.payload.equals(other.payload);
const sameEvents = (some, others) =>
    some.length === others.length && some.every((event, i) => sameEvent(event, others[i]));

function showEvent({ kind, payload, isBinary, code, reason }) {
    if (kind === 'close') return `close ${code} ${reason}`;
    return `${isBinary ? 'binary ' : ''}${kind} of ${payload.length} bytes ${payload.toString('hex', 0, 24)}`;
}

const show = (events) => events.map(showEvent).join(', ') || 'nothing';

// Reads until `count` answers are here, or the server closes. [answers, its close or null]
async function collect(peer, count) {
    const answers = [];
    while (answers.length < count) {
        const event = await peer.next().catch((error) => {
            throw new Error(`${error.message}; came so far: ${show(answers)}`, { cause: error });
        });
        if (event.kind === 'close') return [answers, event];
        answers.push(event);
    }
    return [answers, null];
}

async function nextClose(peer) {
    const event = await peer.next();
    assert.equal(event.kind, 'close', `something came that was not asked for: ${show([event])}`);
    return event;
}

// The closing handshake to its end. `close` is the server's, if it is here already.
async function finish(peer, ends, close) {
    if (ends.by === 'client' && !peer.hasClosed) {
        if (close) assert.fail(`the server closed the connection: ${show([close])}`);
        peer.sendClose(1000);
    }
    const { code, reason } = close ?? (await nextClose(peer));
    const mayBeBare = ends.by === 'client';
    const isExpected = ends.codes.includes(code) || (mayBeBare && code === null);
    assert.ok(isExpected, `close ${code} ${reason}, not ${ends.codes.join(' or ')}`);
    peer.sendClose(code);
    await peer.ended();
    if (ends.by === 'client')
        assert.ok(!peer.raw.wasReset, 'the server broke off instead of ending the connection');
}

async function runSteps(peer, one, failFastMs) {
    const [strict, ...others] = one.answers();
    const steps = one.sends();
    peer.hasClosed =
        one.ends.by === 'client' && steps.some((step) => Buffer.isBuffer(step) && isClose(step));
    const isStrict = await play(peer, steps, one.chop, failFastMs);
    const [answers, close] = await collect(
        peer,
        one.ends.by === 'client' && !peer.hasClosed ? strict.length : Infinity,
    );
    const isBest = sameEvents(answers, strict);
    const conforms = isBest || others.some((other) => sameEvents(answers, other));
    assert.ok(
        conforms,
        `expected ${show(strict)}; came ${show(close ? [...answers, close] : answers)}`,
    );
    await finish(peer, one.ends, close);
    return isStrict && isBest ? 'OK' : 'NON-STRICT';
}

function messageFrames(peer, payload, { isBinary, isCompressed, fragmentSize }) {
    const bytes = isCompressed ? peer.deflate.deflate(payload) : payload;
    const opcode = isBinary ? opcodes.binary : opcodes.text;
    return fragments(opcode, bytes, fragmentSize || bytes.length || 1, {
        reserved: isCompressed ? 4 : 0,
    });
}

async function runRounds(peer, { rounds, ends }) {
    const { isBinary, payload } = rounds;
    if (rounds.isCompressed) assert.ok(peer.deflate, 'the server declined permessage-deflate');
    for (let i = 0; i < (isFull ? rounds.fullCount : rounds.count); i++) {
        const expected = { kind: 'message', isBinary, payload: payload(i) };
        peer.raw.write(...messageFrames(peer, expected.payload, rounds));
        const event = await peer.next();
        const isSame = event.kind === 'message' && sameEvent(event, expected);
        assert.ok(isSame, `round ${i + 1}: expected ${show([expected])}; came ${show([event])}`);
    }
    await finish(peer, ends, null);
    return 'OK';
}

// A server that conforms is never waited for longer than it needs; the patience is for others.
export async function runCase(
    port,
    one,
    { tls, patienceMs: patience = patienceMs, failFastMs = patience / 3 } = {},
) {
    const peer = await Peer.open(port, { tls, offers: one.offers, patienceMs: patience });
    try {
        const verdict = one.rounds
            ? await runRounds(peer, one)
            : await runSteps(peer, one, failFastMs);
        return one.isInformational ? 'INFORMATIONAL' : verdict;
    } finally {
        peer.destroy();
    }
}
