// Ports that nothing listens on, for programs that cannot choose one themselves, or that are
// started again on the same one.
import { createServer } from 'node:net';

// Below the range (net.ipv4.ip_local_port_range) from which the system takes ports for outgoing
// connections and for port 0, so that none of the thousands of connections of tests that run beside
// gets the port between now and its use. Each process begins in a part of its own.
const first = 10_000;
const count = 20_000;
let next = process.pid * 37;

function isFree(port) {
    return new Promise((settle) => {
        const server = createServer();
        server.once('error', () => settle(false));
        server.listen(port, '127.0.0.1', () => server.close(() => settle(true)));
    });
}

export async function freePort() {
    for (;;) {
        const port = first + (next++ % count);
        if (await isFree(port)) return port;
    }
}
