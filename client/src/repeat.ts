// A server that gets too many messages at once ignores some of them and answers RATE_LIMITED, which
// need not tell which. Each may be sent twice without harm, so everything that should hold is sent
// again, after a pause and slowly enough not to be refused again.

import type { ClientMessage } from './protocol.js';

const PAUSE = 2_000;

/* The server takes 10 messages a second, and 20 at once after a pause. */
const MESSAGES_AT_ONCE = 8;

export class Repeater {
    readonly #everything: () => ClientMessage[];
    readonly #send: (message: ClientMessage) => void;
    #unsent: ClientMessage[] = [];
    #timer: ReturnType<typeof setTimeout> | undefined;

    /** `everything`: the messages that tell a server all that it should know by now. */
    constructor(everything: () => ClientMessage[], send: (message: ClientMessage) => void) {
        this.#everything = everything;
        this.#send = send;
    }

    /** A message was refused. */
    refused(): void {
        this.stop();
        this.#timer = setTimeout(() => {
            this.#unsent = this.#everything();
            this.#continue();
        }, PAUSE);
    }

    stop(): void {
        clearTimeout(this.#timer);
        this.#timer = undefined;
        this.#unsent = [];
    }

    #continue(): void {
        this.#timer = undefined;
        for (const message of this.#unsent.splice(0, MESSAGES_AT_ONCE)) this.#send(message);
        if (this.#unsent.length > 0) this.#timer = setTimeout(() => this.#continue(), PAUSE);
    }
}
