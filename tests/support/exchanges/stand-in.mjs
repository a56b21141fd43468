// A server that stands in for an exchange: real sockets, plain or TLS, the documented paths, a
// market that is made up (market.mjs), faults on command (faults.mjs), and a record of what it has
// served and of what it objects to (record.mjs). What is an exchange's own is its definition
// (binance.mjs, ...).
//
//     const binance = await startStandIn(t, definition, { symbols: ['BTCUSDT'], clock, tls })
//     binance.env, binance.faults, binance.record, binance.market('BTCUSDT')
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { readFile } from 'node:fs/promises';

import { sleep } from '../process.mjs';
import { MarketClock } from './clock.mjs';
import { Faults } from './faults.mjs';
import { Limits } from './limits.mjs';
import { Market } from './market.mjs';
import { findFault, harmRows, replaceAnswer, writeJson } from './rest-faults.mjs';
import { ServedRecord } from './record.mjs';
import { Sockets } from './sockets.mjs';

const bodyBytesMax = 64 * 1024;

// Some symbols that tests use, as markets are made of (market.mjs).
const known = {
    BTCUSDT: { price: '90000', tick: '0.1', lot: '0.001', contracts: '75000' },
    ETHUSDT: { price: '3000', tick: '0.01', lot: '0.01', contracts: '900000' },
    '1000PEPEUSDT': { price: '0.0043', tick: '0.000001', lot: '1', contracts: '2000000' },
};
const unknown = { price: '10', tick: '0.001', lot: '0.1', contracts: '3000000' };

// An error that a route answers with.
export class Refusal extends Error {
    constructor(status, json, headers = {}) {
        super(`HTTP ${status}`);
        Object.assign(this, { status, json, headers });
    }
}

export class StandIn {
    instruments = new Map(); // by the exchange's own name
    #server;
    #sockets;
    #silentUntil = new Map(); // Retry-After, by the name of a budget, in the time of the limits
    #bannedUntil = 0; // in market time
    #tooEarly = 0; // requests that came before Retry-After had passed
    #pair;

    // symbols       names, or objects of {name} and what else a Market takes
    // clock         a MarketClock, which may be shared
    // limitsTime    'real' or 'market': see limits.mjs
    // tls           of makePair() (certificate.mjs)
    // graceRealMs   what a client is given beyond the time in which it must give word (10 s)
    // options       of the definition
    constructor(
        definition,
        { symbols = ['BTCUSDT'], clock, limitsTime, tls, seed, ...options } = {},
    ) {
        this.definition = definition;
        this.options = options;
        this.clock = clock ?? new MarketClock();
        this.limits = new Limits(this.clock, limitsTime);
        this.faults = new Faults(this.clock, seed);
        this.record = new ServedRecord(this.clock);
        this.#pair = tls;
        for (const symbol of symbols) this.addSymbol(symbol);
    }

    addSymbol(symbol) {
        const { name, ...more } = typeof symbol === 'string' ? { name: symbol } : symbol;
        const exchange = this.definition.name;
        const spec = { ...(known[name] ?? unknown), ...more };
        const market = new Market({ name, exchange, ...spec });
        const own = {
            bundleDigits: 0,
            contract: 100_000_000n,
            ...this.definition.instrument(name, spec),
        };
        this.instruments.set(own.native, { name, market, status: 'trading', ...own });
    }

    #named(name) {
        const found = [...this.instruments.values()].find((instrument) => instrument.name === name);
        if (!found) throw new Error(`${this.definition.name} has no ${name}`);
        return found;
    }

    market(name) {
        return this.#named(name).market;
    }

    native(name) {
        return this.#named(name).native;
    }

    async start(port = 0) {
        const listener = (request, response) => {
            this.#answer(request, response).catch((error) => {
                this.record.violate('fault', `the stand-in failed: ${error.stack}`);
                response.destroy();
            });
        };
        this.#server = this.#pair
            ? createTlsServer(await readPair(this.#pair), listener)
            : createServer(listener);
        this.#sockets = new Sockets(this, this.#server);
        await new Promise((settle, fail) => {
            this.#server.once('error', fail);
            this.#server.listen(port, '127.0.0.1', settle);
        });
        this.port = this.#server.address().port;
        this.restUrl = `http${this.#pair ? 's' : ''}://127.0.0.1:${this.port}`;
        this.wsUrl = `ws${this.#pair ? 's' : ''}://127.0.0.1:${this.port}`;
        const prefix = this.definition.name.toUpperCase();
        this.env = { [`${prefix}_REST_URL`]: this.restUrl, [`${prefix}_WS_URL`]: this.wsUrl };
    }

    // The connections that are open, oldest first.
    get connections() {
        return this.#sockets.connections;
    }

    // Sends what has become due; happens by itself many times a second.
    push() {
        this.#sockets.push();
    }

    async stop() {
        this.#sockets.stop();
        this.#server.closeAllConnections();
        await new Promise((settle) => this.#server.close(settle));
    }

    // -- limits -----------------------------------------------------------------------------------

    // From now on for so long nothing of the budget may be asked.
    silence(name, ms) {
        this.#silentUntil.set(name, this.limits.now() + ms);
    }

    ban(ms) {
        this.#bannedUntil = this.clock.now() + ms;
        return this.definition.banned(this.#bannedUntil, ms);
    }

    // The answer instead of rows, if the address has asked too much; else undefined.
    #limit(ask) {
        const leftMs = this.#bannedUntil - this.clock.now();
        if (leftMs > 0) {
            this.record.violate(
                'banned',
                `${ask.subject} was asked ${leftMs} ms before a ban ends`,
            );
            return this.definition.banned(this.#bannedUntil, leftMs);
        }
        const { name, weight = 1, ...budget } = this.definition.budget(ask);
        ask.budget = name;
        const silentMs = (this.#silentUntil.get(name) ?? 0) - this.limits.now();
        if (silentMs > this.limits.slackMs) {
            this.record.violate('retry-after', `${ask.subject} was asked ${silentMs} ms too early`);
            this.#tooEarly++;
            return this.#tooEarly > (this.definition.bansAfter || Infinity)
                ? this.ban(this.definition.banMs)
                : this.definition.limited(silentMs);
        }
        const charge = this.limits.charge(name, budget, weight);
        ask.entry.weight = weight;
        ask.used = { name, ...charge };
        if (!charge.isOver) return undefined;
        this.record.violate('limit', `${name}: ${charge.used} of ${budget.limit}`);
        if (this.definition.bansAfter === 0) return this.ban(this.definition.banMs);
        this.silence(name, charge.leftMs);
        return this.definition.limited(charge.leftMs);
    }

    // -- answers ----------------------------------------------------------------------------------

    async #answer(request, response) {
        const ask = await readAsk(request);
        if (!ask) {
            response.destroy();
            return;
        }
        ask.faults = this.faults.take('rest', ask.subject);
        ask.entry = { atMs: this.clock.now(), method: request.method, path: ask.subject, rows: 0 };
        ask.entry.faults = ask.faults.map(({ kind }) => kind);
        this.record.requests.push(ask.entry);
        const slow = findFault(ask.faults, 'slow');
        if (slow) await sleep(slow.realMs);
        if (findFault(ask.faults, 'hang')) return;
        if (findFault(ask.faults, 'reset')) request.socket.destroy();
        else
            this.#send(
                ask,
                response,
                this.#limit(ask) ?? replaceAnswer(this, ask) ?? this.#route(ask),
            );
    }

    // {status, headers, json or body, rows}
    #route(ask) {
        const skewMs = findFault(ask.faults, 'skew')?.ms ?? 0;
        ask.now = this.clock.now() + skewMs;
        const route = this.definition.route(ask);
        if (!route) {
            this.record.violate('path', `${ask.entry.method} ${ask.subject} does not exist`);
            return this.definition.missing(ask);
        }
        try {
            const answer = route(this, ask);
            harmRows(this, answer, ask.faults);
            return { status: 200, ...answer };
        } catch (error) {
            if (error instanceof Refusal) return error;
            throw error;
        }
    }

    #send(ask, response, answer) {
        const { status, headers = {}, json, rows = [] } = answer;
        const text = answer.body ?? writeJson(json, ask.faults);
        ask.entry.status = status;
        const cut = findFault(ask.faults, 'cut') ?? findFault(ask.faults, 'cut-json');
        const whole = Buffer.from(text);
        const part = cut ? whole.subarray(0, Math.floor(whole.length * (cut.part ?? 0.5))) : whole;
        response.writeHead(status, {
            'Content-Type': 'application/json',
            'Content-Length': cut?.kind === 'cut' ? whole.length : part.length,
            Date: new Date(ask.now ?? this.clock.now()).toUTCString(),
            ...this.definition.headers?.(this, ask),
            ...headers,
        });
        if (cut?.kind === 'cut') response.write(part, () => response.destroy());
        else response.end(part);
        if (cut || status !== 200) return;
        const served = rows.filter(Boolean);
        ask.entry.rows = served.length;
        for (const row of served) this.record.add(row);
    }
}

// {path, query, json, subject}: what is asked for; undefined if it is too much.
async function readAsk(request) {
    const { pathname, search, searchParams } = new URL(request.url, 'http://stand-in');
    let body = '';
    for await (const piece of request) {
        body += piece;
        if (body.length > bodyBytesMax) return undefined;
    }
    let json;
    try {
        json = body === '' ? undefined : JSON.parse(body);
    } catch {
        json = undefined;
    }
    const subject = `${pathname}${search}${body}`;
    return { method: request.method, path: pathname, query: searchParams, json, subject };
}

async function readPair({ cert, key }) {
    return { cert: await readFile(cert), key: await readFile(key) };
}

// A stand-in for the length of a test.
export async function startStandIn(t, definition, options) {
    const standIn = new StandIn(definition, options);
    await standIn.start();
    t.after(async () => {
        await standIn.stop();
        if (!options?.clock) standIn.clock.stop();
    });
    return standIn;
}
