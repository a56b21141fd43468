// Node's ws as a broadcast server: ws_server.mjs PAYLOAD_FILE [--deflate]
import { WebSocketServer } from 'ws';

import { loadPayload } from './payload.mjs';

const nextMessage = loadPayload(process.argv[2]);
const server = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    backlog: 4096,
    perMessageDeflate: process.argv.includes('--deflate') && {
        serverNoContextTakeover: true,
        clientNoContextTakeover: true,
    },
});
server.on('listening', () => console.log(`listening ${server.address().port}`));
server.on('connection', (socket) => socket.on('error', () => {}));

process.stdin.on('data', (bytes) => {
    for (let i = 0; i < bytes.length; i++) {
        const message = Buffer.from(nextMessage());
        for (const socket of server.clients) socket.send(message, { binary: false });
    }
});
process.stdin.on('end', () => process.exit(0));
