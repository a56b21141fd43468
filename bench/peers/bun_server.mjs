// Bun as a broadcast server, by its own publish(): bun bun_server.mjs PAYLOAD_FILE [--deflate]
import { loadPayload } from './payload.mjs';

const nextMessage = loadPayload(process.argv[2]);
const compresses = process.argv.includes('--deflate');
const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch(request, server) {
        return server.upgrade(request)
            ? undefined
            : new Response('a WebSocket is wanted', { status: 426 });
    },
    websocket: {
        perMessageDeflate: compresses,
        open: (socket) => socket.subscribe('heatmap'),
        message() {},
    },
});
console.log(`listening ${server.port}`);

process.stdin.on('data', (bytes) => {
    for (let i = 0; i < bytes.length; i++) server.publish('heatmap', nextMessage(), compresses);
});
process.stdin.on('end', () => process.exit(0));
