// An echo server that conforms (`ws`), and a man in the middle who makes it break the rules: by
// changing its frames, by mending the client's so that it never sees a fault, or by changing the
// answer to the handshake.
import { connect, createServer } from 'node:net';
import { WebSocketServer } from 'ws';

import { FrameReader, encodeFrame } from '../support/raw-websocket.mjs';

const maxMessage = 16 * 1024 * 1024;

const listening = (server) => new Promise((settle) => server.once('listening', settle));

// An echo server for the length of one test; its port.
export async function startEcho(t, options = {}) {
    const server = new WebSocketServer({
        host: '127.0.0.1',
        port: 0,
        maxPayload: maxMessage,
        perMessageDeflate: { threshold: 0 },
        ...options,
    });
    server.on('connection', (socket) => {
        socket.on('error', () => {}); // it closes by itself
        socket.on('message', (payload, isBinary) => socket.send(payload, { binary: isBinary }));
    });
    await listening(server);
    t.after(() => {
        for (const client of server.clients) client.terminate();
        server.close();
    });
    return server.address().port;
}

const same = (head) => head;

// Passes a stream on: the HTTP head as `changeHead` makes it, each frame as the list of frames that
// `change` makes of it. `isMasked` says which side of a WebSocket they come from.
function relay(
    from,
    to,
    isMasked,
    { changeHead = same, change = (frame) => [frame], breaksOff = false } = {},
) {
    const reader = new FrameReader();
    let isHead = true;
    const encode = ({ opcode, payload, isFinal, reserved, ...forced }) =>
        encodeFrame(opcode, payload, { isFinal, reserved, isMasked, ...forced.encoding });
    from.on('data', (bytes) => {
        reader.push(bytes);
        if (isHead) {
            const end = reader.bytes.indexOf('\r\n\r\n');
            if (end < 0) return;
            to.write(changeHead(reader.bytes.toString('latin1', 0, end + 4)), 'latin1');
            reader.bytes = reader.bytes.subarray(end + 4);
            isHead = false;
        }
        for (let frame = reader.take(); frame; frame = reader.take())
            for (const changed of change(frame, to)) to.write(encode(changed));
    });
    from.on('end', () => (breaksOff ? to.resetAndDestroy() : to.end()));
    from.on('close', () => to.destroy());
    from.on('error', () => {}); // a close follows
}

// `toClient` and `toServer` say what is changed on the way.
export async function startFaulty(t, { server, toClient, toServer }) {
    const upstreamPort = await startEcho(t, server);
    const proxy = createServer((client) => {
        const upstream = connect(upstreamPort, '127.0.0.1');
        for (const socket of [client, upstream]) socket.setNoDelay(true);
        relay(client, upstream, true, toServer);
        relay(upstream, client, false, toClient);
    }).listen(0, '127.0.0.1');
    await listening(proxy);
    t.after(() => proxy.close());
    return proxy.address().port;
}
