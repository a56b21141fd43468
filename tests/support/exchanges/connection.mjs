// One WebSocket of a stand-in: its subscriptions, its limits, and what goes wrong on it. The kinds
// of faults.mjs:
//
//   connect  silent            it connects and says nothing
//            no-pong           pings are not answered
//            lifetime {ms}     it is closed after so long
//            closing {ms}      a notice, where the exchange has one, and then the end
//            refuse {status}, hang, reset      there is no connection (sockets.mjs)
//   stream   drop, duplicate, late             a message is lost, comes twice, comes after the next
//            cut, garbage                      half of it; a web page instead
//            impossible {how}                  its row cannot be: see spoil() of the exchange
//            coin-margined                     one of a coin-margined contract comes along
//            silent                            from here on nothing comes
//   reply    drop, refuse                      a subscription is not answered; is refused
import { performance } from 'node:perf_hooks';

import { findFault } from './rest-faults.mjs';

// A limit in the time of a market that runs fast, or is set forward, leaves a client this much real
// time at least.
const usualGraceRealMs = 10_000;

export class Connection {
    subscriptions = new Map(); // topic -> {kind, instruments, everyMs, sinceMs}
    #standIn;
    #sockets;
    #webSocket;
    #hits;
    #late = []; // messages that wait for the next
    #isSilent;
    #heard; // when, as #moment() has it; the same of the next three
    #sent;
    #ponged;
    #pinged;
    #isObjectedTo = new Set();
    #cancels = [];

    constructor(standIn, sockets, webSocket, path, state, hits) {
        this.#standIn = standIn;
        this.#sockets = sockets;
        this.#webSocket = webSocket;
        this.#hits = hits;
        this.#isSilent = state === 'retired' || findFault(hits, 'silent') !== undefined;
        this.path = path;
        this.entry = { atMs: standIn.clock.now(), path, sent: 0, received: 0 };
        standIn.record.connections.push(this.entry);
        this.#heard = this.#sent = this.#ponged = this.#pinged = this.#moment();
    }

    #moment() {
        return { at: this.#standIn.limits.now(), realAt: performance.now() };
    }

    // Whether it is longer ago than the limit, and a machine that is busy has had its time.
    #isOver(moment, limitMs) {
        const { at, realAt } = this.#moment();
        const graceMs = this.#standIn.options.graceRealMs ?? usualGraceRealMs;
        return at - moment.at > limitMs && realAt - moment.realAt > graceMs;
    }

    begin() {
        const { definition, clock } = this.#standIn;
        const webSocket = this.#webSocket;
        webSocket.on('error', () => {});
        webSocket.on('pong', () => this.#hear(() => (this.#ponged = this.#moment())));
        webSocket.on('ping', () => this.#hear(() => {}));
        webSocket.on('message', (data, isBinary) =>
            this.#hear(() => this.#read(data.toString(), isBinary)),
        );
        webSocket.once('close', (code) => this.#end(code));
        const lifetimeMs = findFault(this.#hits, 'lifetime')?.ms ?? definition.lifetimeMs;
        const closing = findFault(this.#hits, 'closing');
        if (lifetimeMs) this.#cancels.push(clock.after(lifetimeMs, () => this.close(1001)));
        if (closing) {
            if (definition.notice) this.send(definition.notice());
            this.#cancels.push(clock.after(closing.ms ?? 0, () => this.close(1001)));
        }
        if (!this.#isSilent) definition.greet?.(this);
    }

    #end(code) {
        Object.assign(this.entry, { closedAtMs: this.#standIn.clock.now(), code });
        for (const cancel of this.#cancels) cancel();
    }

    close(code = 1000, reason = '') {
        this.#webSocket.close(code, reason);
    }

    destroy() {
        this.#webSocket.terminate();
    }

    get standIn() {
        return this.#standIn;
    }

    // Subscriptions of all connections together.
    get allSubscriptions() {
        return this.#sockets.subscriptionCount;
    }

    // -- receiving --------------------------------------------------------------------------------

    #hear(act) {
        const { limits, definition, record } = this.#standIn;
        this.entry.received++;
        this.#heard = this.#moment();
        const budget = definition.received;
        if (budget && limits.charge(`received ${this.path} ${this.entry.atMs}`, budget).isOver) {
            record.violate(
                'messages',
                `more than ${budget.limit} messages in ${budget.windowMs} ms`,
            );
            this.close(1008, 'Too many requests');
            return;
        }
        act();
    }

    #read(text, isBinary) {
        if (isBinary) this.#standIn.record.violate('message', 'a binary message');
        else if (!this.#isSilent) this.#standIn.definition.read(this, text);
    }

    // -- life -------------------------------------------------------------------------------------

    // Once for a connection.
    objectOnce(kind, text) {
        if (this.#isObjectedTo.has(kind)) return;
        this.#isObjectedTo.add(kind);
        this.#standIn.record.violate(kind, text);
    }

    checkLife() {
        const { life = {} } = this.#standIn.definition;
        const { pingsEveryMs, wantsPongMs, wantsWordMs, idleMs } = life;
        if (pingsEveryMs && this.#moment().at - this.#pinged.at >= pingsEveryMs) {
            this.#pinged = this.#moment();
            if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#webSocket.ping();
        }
        if (wantsPongMs && this.#isOver(this.#ponged, wantsPongMs)) {
            this.objectOnce('pong', `no pong for ${wantsPongMs} ms`);
            this.close(1008, 'Pong timeout');
        }
        if (wantsWordMs && this.#isOver(this.#heard, wantsWordMs))
            this.objectOnce('ping', `no word from the client for ${wantsWordMs} ms`);
        if (idleMs && this.#isOver(this.#heard, idleMs) && this.#isOver(this.#sent, idleMs)) {
            this.objectOnce('idle', `nothing came or went for ${idleMs} ms`);
            this.close(4004, 'No data received in 30s');
        }
    }

    // -- sending ----------------------------------------------------------------------------------

    // `topic` is what the client asked for; `of` is {kind, instruments, everyMs}.
    subscribe(topic, of) {
        this.subscriptions.set(topic, { topic, sinceMs: this.#standIn.clock.now(), ...of });
    }

    unsubscribe(topic) {
        this.subscriptions.delete(topic);
    }

    // The faults that hit the answer to a subscription.
    replyFaults(topic) {
        return this.#standIn.faults.take('reply', topic);
    }

    send(json) {
        if (this.#isSilent) return false;
        this.#write(typeof json === 'string' ? json : JSON.stringify(json));
        return true;
    }

    #write(text) {
        if (this.#webSocket.readyState !== this.#webSocket.OPEN) return;
        this.entry.sent++;
        this.#sent = this.#moment();
        this.#webSocket.send(text);
    }

    sendRows(subscription, instrument, rows) {
        const { definition } = this.#standIn;
        for (const message of definition.messages(this, subscription, instrument, rows))
            this.#sendMessage(subscription, message);
    }

    // `message` is {json, rows}.
    #sendMessage(subscription, message) {
        const { faults, record, definition } = this.#standIn;
        if (this.#isSilent || this.#webSocket.readyState !== this.#webSocket.OPEN) return;
        const hits = faults.take('stream', `${this.path} ${subscription.topic}`);
        let text = JSON.stringify(message.json);
        let isWhole = true;
        for (const { kind, how } of hits) {
            if (kind === 'silent') this.#isSilent = true;
            if (kind === 'silent' || kind === 'drop') return;
            if (kind === 'cut') text = text.slice(0, text.length / 2);
            if (kind === 'garbage') text = '<html><body>Bad gateway</body></html>';
            if (kind === 'impossible')
                text = JSON.stringify(definition.spoilMessage(message.json, how));
            if (kind === 'coin-margined')
                this.#write(JSON.stringify(definition.foreign(message.json)));
            if (['cut', 'garbage', 'impossible'].includes(kind)) isWhole = false;
        }
        if (findFault(hits, 'late')) {
            this.#late.push({ text, message });
            return;
        }
        this.#write(text);
        if (findFault(hits, 'duplicate')) this.#write(text);
        if (isWhole) for (const row of message.rows) record.add(row);
        for (const late of this.#late.splice(0)) {
            this.#write(late.text);
            for (const row of late.message.rows) record.add(row);
        }
    }
}
