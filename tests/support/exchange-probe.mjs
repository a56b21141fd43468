// Speaks with tests/programs/exchange_probe.c, which knows what exchanges are asked and what they
// answer, and has no sockets: those are here.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

import WebSocket from 'ws';

import { formatDecimal } from './decimal.mjs';
import { binary, start } from './process.mjs';

const program = join(dirname(binary), 'tests', 'exchange_probe');

// A probe for the length of one test, which it must survive in good order.
export async function startProbe(t) {
    const child = start([], { program, stdin: 'pipe' });
    const waiting = [];
    let faults = '';
    child.stderr.on('data', (text) => (faults += text));
    createInterface(child.stdout).on('line', (line) => waiting.shift()(JSON.parse(line)));
    t.after(async () => {
        child.stdin.end();
        const { code, signal } = await child.ended;
        assert.deepEqual([code, signal, faults], [0, null, '']);
    });
    return {
        // What comes of a command.
        say(command) {
            child.stdin.write(`${JSON.stringify(command)}\n`);
            return new Promise((settle) => waiting.push(settle));
        },
    };
}

// The probe as a client of one stand-in: it knows the stand-in's symbols.
export async function clientOf(t, standIn, { name = 'heatcast' } = {}) {
    const probe = await startProbe(t);
    const exchange = standIn.definition.name;
    for (const { name: symbol, native, bundleDigits, contract } of standIn.instruments.values()) {
        const size = formatDecimal(contract * 10n ** BigInt(bundleDigits));
        const more = { bundle: bundleDigits, contract: size };
        await probe.say({ do: 'instrument', exchange, native, symbol, ...more });
    }
    return new ProbeClient(t, probe, standIn, name);
}

class ProbeClient {
    #t;
    #probe;
    #standIn;
    #name;

    constructor(t, probe, standIn, name) {
        this.#t = t;
        this.#probe = probe;
        this.#standIn = standIn;
        this.#name = name;
    }

    #say(command) {
        return this.#probe.say({ exchange: this.#standIn.definition.name, ...command });
    }

    // Makes one request: {request, status, rows, verdict, ...}; `request.isAsked` is false where
    // there is nothing to ask. `now` is the client's clock.
    ask(kind, { symbol, ...more } = {}) {
        return this.askOf(kind, symbol && this.#standIn.native(symbol), more);
    }

    // The same by the exchange's own name.
    async askOf(kind, native, { symbol: _, now = this.#standIn.clock.now(), ...more } = {}) {
        const request = await this.#say({ do: 'ask', kind, native, now, ...more });
        if (!request.isAsked) return { request, rows: [] };
        const headers = { 'User-Agent': this.#name, 'Content-Type': 'application/json' };
        const response = await fetch(`${this.#standIn.restUrl}${request.path}`, {
            headers,
            ...(request.body === '' ? {} : { method: 'POST', body: request.body }),
        });
        const answer = {
            status: response.status,
            headers: Object.fromEntries(response.headers),
            text: await response.text(),
        };
        return { request, status: response.status, ...(await this.#read(answer)) };
    }

    #read(answer) {
        return this.#say({ do: 'answer', now: this.#standIn.clock.now(), ...answer });
    }

    // All pages of a range: their rows, in the order in which they came.
    async pages(kind, { symbol, start, end, newest = false }) {
        const rows = [];
        const requests = [];
        while (start < end) {
            const page = await this.ask(kind, { symbol, start, end, newest });
            if (!page.request.isAsked) break;
            assert.equal(page.verdict, 'ok', page.message);
            rows.push(...page.rows);
            requests.push(page.request);
            if (newest) end = page.request.start;
            else start = page.request.end;
        }
        return { rows, requests };
    }

    // Opens a WebSocket and subscribes; `rows` and `kinds` grow as messages come.
    async follow(kind, symbols = [], { path: other } = {}) {
        const natives = symbols.map((symbol) => this.#standIn.native(symbol));
        const { path, texts, ping } = await this.#say({ do: 'subscribe', kind, natives });
        if (texts.length === 0) return undefined; // there is no such stream
        const webSocket = new WebSocket(`${this.#standIn.wsUrl}${other ?? path}`);
        const stream = { webSocket, ping, texts, rows: [], outcomes: [], since: undefined };
        webSocket.on('message', (data) => this.#hear(stream, data.toString()));
        webSocket.on('error', (error) => (stream.error = error));
        this.#t.after(() => webSocket.terminate());
        await Promise.race([once(webSocket, 'open'), once(webSocket, 'close')]).catch(() => {});
        stream.since = this.#standIn.clock.now();
        for (const text of texts) if (webSocket.readyState === WebSocket.OPEN) webSocket.send(text);
        return stream;
    }

    async #hear(stream, text) {
        const now = this.#standIn.clock.now();
        const outcome = await this.#say({ do: 'message', text, now, since: stream.since ?? now });
        stream.rows.push(...outcome.rows);
        stream.outcomes.push(outcome);
    }
}
