// permessage-deflate as a client sees it (RFC 7692): what the server's answer may say, and messages
// packed and unpacked as it was agreed. A context that is taken over is carried as a dictionary:
// the last 32 KiB of what went before.
import assert from 'node:assert/strict';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';

const tail = Buffer.from([0, 0, 0xff, 0xff]); // section 7.2.1: left out at the end of a message
const windowMax = 32768;

export function deflateMessage(payload, options = {}) {
    if (payload.length === 0) return Buffer.from([0]); // section 7.2.3.6
    const packed = deflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH, ...options });
    assert.deepEqual(packed.subarray(-4), tail);
    return packed.subarray(0, -4);
}

// An empty last block, behind which nothing may be missing.
const lastBlock = Buffer.from([1, 0, 0, 0xff, 0xff]);

// Throws where the bytes are no such message, or reach back beyond the agreed window.
export function inflateMessage(packed, options = {}) {
    return inflateRawSync(Buffer.concat([packed, tail, lastBlock]), options);
}

// 'a; b=1, c' -> [{ name: 'a', parameters: [['b', '1']] }, { name: 'c', parameters: [] }]
export function parseExtensions(header = '') {
    return header
        .split(',')
        .map((item) => item.split(';').map((part) => part.trim()))
        .filter(([name]) => name !== '')
        .map(([name, ...parts]) => ({
            name,
            parameters: parts.map((part) => {
                const [key, value] = part.split('=').map((side) => side.trim());
                return [key, value?.replace(/^"(.*)"$/, '$1')];
            }),
        }));
}

const isBits = (value) => /^([89]|1[0-5])$/.test(value);

// Why an answer does not fit an offer (section 7.1), or null.
function misfit(answer, offer) {
    const offered = new Map(offer.parameters);
    const answered = new Map(answer.parameters);
    if (answered.size !== answer.parameters.length) return 'a parameter twice';
    for (const [key, value] of answered)
        if (
            key.endsWith('_no_context_takeover')
                ? value !== undefined
                : !key.endsWith('_max_window_bits') || !isBits(value)
        )
            return `${key}=${value}`;
    if (offered.has('server_no_context_takeover') && !answered.has('server_no_context_takeover'))
        return 'server_no_context_takeover was asked for';
    const most = offered.get('server_max_window_bits');
    if (most !== undefined && !(Number(answered.get('server_max_window_bits')) <= Number(most)))
        return `server_max_window_bits=${most} was asked for`;
    if (answered.has('client_max_window_bits')) {
        if (!offered.has('client_max_window_bits')) return 'client_max_window_bits was not offered';
        if (
            Number(answered.get('client_max_window_bits')) >
            Number(offered.get('client_max_window_bits') ?? 15)
        )
            return 'client_max_window_bits is more than was offered';
    }
    return null;
}

// One direction of a connection.
class Context {
    constructor(parameters, side) {
        const agreed = new Map(parameters);
        this.windowBits = Number(agreed.get(`${side}_max_window_bits`) ?? 15);
        this.isKept = !agreed.has(`${side}_no_context_takeover`);
    }

    options() {
        const { windowBits, dictionary } = this;
        return dictionary === undefined ? { windowBits } : { windowBits, dictionary };
    }

    remember(payload) {
        if (!this.isKept || payload.length === 0) return;
        const past = this.dictionary ?? Buffer.alloc(0);
        this.dictionary = Buffer.concat([past, payload]).subarray(-windowMax);
    }
}

export class PermessageDeflate {
    // What the server agreed to; null if it declined. Asserts that its answer fits an offer.
    static agree(offerHeader, answerHeader) {
        if (answerHeader === undefined) return null;
        const [answer, ...more] = parseExtensions(answerHeader);
        assert.equal(more.length, 0, `one extension at most is agreed on: ${answerHeader}`);
        assert.equal(answer.name, 'permessage-deflate');
        const misfits = parseExtensions(offerHeader)
            .filter(({ name }) => name === answer.name)
            .map((offer) => misfit(answer, offer));
        assert.ok(
            misfits.includes(null),
            `'${answerHeader}' fits none of '${offerHeader}': ${misfits.join('; ')}`,
        );
        return new PermessageDeflate(answer.parameters);
    }

    constructor(parameters) {
        this.parameters = parameters;
        this.sending = new Context(parameters, 'client');
        this.receiving = new Context(parameters, 'server');
    }

    deflate(payload) {
        const packed = deflateMessage(payload, this.sending.options());
        this.sending.remember(payload);
        return packed;
    }

    inflate(packed) {
        const payload = inflateMessage(packed, this.receiving.options());
        this.receiving.remember(payload);
        return payload;
    }
}
