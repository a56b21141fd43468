// A network between a program and its server that can fail in ways in which processes cannot: cut,
// slow, or passing all but what the test does not like.
import { connect, createServer } from 'node:net';

import { sleep } from './process.mjs';

class BadNetwork {
    constructor(target) {
        this.target = target;
        this.delayMs = 0;
        this.isCut = false; // nothing passes, and neither side is told
        this.drops = () => false; // of what the server sends
        this.sockets = new Set();
    }

    async listen() {
        this.server = createServer((client) => this.#join(client));
        await new Promise((settle) => this.server.listen(0, '127.0.0.1', settle));
        this.port = this.server.address().port;
        this.url = `redis://127.0.0.1:${this.port}`;
    }

    #join(client) {
        const server = connect(this.target, '127.0.0.1');
        for (const [from, to] of [
            [client, server],
            [server, client],
        ]) {
            this.sockets.add(from);
            from.setNoDelay(true);
            from.on('error', () => {});
            from.on('close', () => {
                this.sockets.delete(from);
                to.destroy();
            });
            from.on('data', async (bytes) => {
                if (this.delayMs > 0) await sleep(this.delayMs);
                if (this.isCut || (from === server && this.drops(bytes))) return;
                if (!to.destroyed) to.write(bytes);
            });
        }
    }

    // Ends all connections; new ones go to the target, which may be another by now.
    reset() {
        for (const socket of this.sockets) socket.destroy();
    }

    close() {
        this.reset();
        return new Promise((settle) => this.server.close(settle));
    }
}

export async function proxyFor(t, target) {
    const proxy = new BadNetwork(target);
    await proxy.listen();
    t.after(() => proxy.close());
    return proxy;
}
