// What an exchange can be told to do wrong, and when.
//
//     exchange.faults.add({ on: 'rest', match: /klines/, kind: 'http', status: 429 })
//     exchange.faults.add({ on: 'stream', match: 'kline', kind: 'drop', count: 3, after: 10 })
//
//   on       'rest': an answer; 'connect': a WebSocket's handshake and what becomes of it;
//            'stream': a message with rows; 'reply': the answer to a message of the client
//   match    what a path ('rest', 'connect') or a topic ('stream', 'reply') has to contain; a
//            string or a regular expression. Left out: any.
//   count    how often (1); Infinity
//   after    how many that match pass before the first (0)
//   chance   how likely each that matches is hit (1), by the seed of the faults
//   from, to market time, outside of which it rests
//
// The kinds, each with its own further fields, stand where they are played: rest-faults.mjs for
// answers, connection.mjs for WebSockets.
import { makeRandom } from '../market.mjs';

const places = {
    rest: [
        'banned',
        'blocked',
        'cut',
        'cut-json',
        'disorder',
        'duplicate',
        'empty',
        'firewall',
        'hang',
        'hole',
        'html',
        'http',
        'impossible',
        'mixed',
        'numbers',
        'other-symbol',
        'reset',
        'reverse',
        'skew',
        'slow',
        'texts',
        'without-last',
    ],
    connect: ['closing', 'hang', 'lifetime', 'no-pong', 'refuse', 'reset', 'silent'],
    stream: [
        'coin-margined',
        'cut',
        'drop',
        'duplicate',
        'garbage',
        'impossible',
        'late',
        'silent',
    ],
    reply: ['drop', 'refuse'],
};

export class Faults {
    #list = [];
    #clock;
    #random;

    constructor(clock, seed = 1) {
        this.#clock = clock;
        this.#random = makeRandom(seed);
    }

    // Returns the fault, whose `hits` says how often it was played; `end()` ends it.
    add(fault) {
        const { on, kind, count = 1, after = 0, chance = 1, from = 0, to = Infinity } = fault;
        if (!places[on]?.includes(kind)) throw new Error(`no fault '${kind}' of '${on}'`);
        const entry = { ...fault, count, after, chance, from, to, hits: 0 };
        entry.end = () => (this.#list = this.#list.filter((other) => other !== entry));
        this.#list.push(entry);
        return entry;
    }

    clear() {
        this.#list = [];
    }

    // The faults that hit what happens there now; each counts as played.
    take(on, subject) {
        return this.#list.filter((fault) => fault.on === on && this.#hits(fault, subject));
    }

    #hits(fault, subject) {
        const { match, from, to, count, chance } = fault;
        const now = this.#clock.now();
        if (now < from || now >= to || fault.hits >= count) return false;
        if (match !== undefined && !(match.test?.(subject) ?? subject.includes(match)))
            return false;
        if (fault.after > 0) {
            fault.after--;
            return false;
        }
        if (chance < 1 && this.#random() >= chance) return false;
        fault.hits++;
        return true;
    }
}
