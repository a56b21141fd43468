// Ports that nothing listens on, for programs that cannot choose one themselves, or that are started
// again on the same one.
import { createServer } from 'node:net';

// Below the range (net.ipv4.ip_local_port_range) from which the system takes ports for outgoing
// connections and for port 0, so that no connection of a test gets the port while a server of
// another one is down.
const first = 10_000;
const count = 20_000;
let next = process.pid * 37;

// A server that listens there; undefined if another does.
function listen(...where) {
    return new Promise((settle) => {
        const server = createServer();
        server.once('error', () => settle(undefined));
        server.listen(...where, () => settle(server));
    });
}

// Keeps other test processes off the port for as long as this one lives: a socket's name in the
// abstract namespace can be taken once.
async function tryReserve(port) {
    const name = await listen({ path: `\0heatcast-test-port-${port}` });
    name?.unref();
    return name !== undefined;
}

async function isFree(port) {
    const server = await listen(port, '127.0.0.1');
    if (server) await new Promise((settle) => server.close(settle));
    return server !== undefined;
}

export async function freePort() {
    for (;;) {
        const port = first + (next++ % count);
        if ((await tryReserve(port)) && (await isFree(port))) return port;
    }
}
