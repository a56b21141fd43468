// A TCP proxy on loopback that treats connections as bad networks do: it goes silent, or lets no
// WebSocket through while plain HTTP works.
import { connect, createServer } from 'node:net';
import { once } from 'node:events';

const forbidden = 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n';

export async function startProxy(firstTargetPort) {
    let targetPort = firstTargetPort;
    const pairs = new Set();
    let isStalled = false;
    let upgrades = 'forward'; // or 'forbid' (403), 'cut' (closed), 'hang' (never answered)

    const server = createServer((client) => {
        const pair = { client, target: null };
        pairs.add(pair);
        client.on('error', () => {});
        client.on('close', () => {
            pair.target?.destroy();
            pairs.delete(pair);
        });
        client.once('data', (head) => {
            const request = head.toString('latin1');
            if (/^upgrade: *websocket/im.test(request) && upgrades !== 'forward') {
                if (upgrades === 'forbid') client.end(forbidden);
                if (upgrades === 'cut') client.destroy();
                return;
            }
            const target = connect(targetPort, '127.0.0.1');
            pair.target = target;
            target.on('error', () => {});
            target.on('close', () => client.destroy());
            target.write(head);
            client.pipe(target).pipe(client);
        });
        if (isStalled) client.pause();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');

    // Both sides stay connected and nothing passes: what a dead route looks like from either end.
    const hold = ({ client, target }) => {
        client.unpipe();
        client.pause();
        target?.unpipe();
        target?.pause();
    };
    return {
        port: server.address().port,
        url: `http://127.0.0.1:${server.address().port}`,
        /** Nothing passes any more, nor through connections that are made meanwhile. */
        stall() {
            isStalled = true;
            pairs.forEach(hold);
        },
        /** New connections pass again; those that stalled never do. */
        heal() {
            isStalled = false;
            upgrades = 'forward';
        },
        /** New connections lead to another server; those that stand are cut. */
        leadTo(port) {
            targetPort = port;
            for (const { client } of pairs) client.destroy();
        },
        blockUpgrades(how) {
            upgrades = how;
            for (const { client } of pairs) client.destroy();
        },
        async stop() {
            for (const { client } of pairs) client.destroy();
            server.close();
            await once(server, 'close');
        },
    };
}
