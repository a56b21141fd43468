// Many bare WebSocket clients in one process, which count what comes and hold it byte for byte
// against what the first of them got. Orders come from the parent as messages.
import { createHash } from 'node:crypto';
import { connect } from 'node:net';

const opensAtATime = 100;
const sockets = new Set();
const rounds = []; // of snapshots since they connected: { count, reference, lastMs }
let lost = 0;

function take(payload, index) {
    rounds[index] ??= { count: 0, reference: Buffer.from(payload), bytes: 0 };
    const round = rounds[index];
    // The one at the start may come compressed or not yet.
    if (index > 0 && !payload.equals(round.reference))
        throw new Error(`snapshot ${index} differs from client to client`);
    round.count++;
    round.firstMs ??= Date.now();
    round.lastMs = Date.now();
}

// Reads the frames of one connection; `state.rest` is what is not whole yet.
function receive(socket, state, bytes) {
    let rest = state.rest.length > 0 ? Buffer.concat([state.rest, bytes]) : bytes;
    for (;;) {
        if (rest.length < 2) break;
        const opcode = rest[0] & 0x0f;
        const short = rest[1] & 0x7f;
        const head = short === 126 ? 4 : short === 127 ? 10 : 2;
        if (rest.length < head) break;
        const size =
            short === 126
                ? rest.readUInt16BE(2)
                : short === 127
                  ? Number(rest.readBigUInt64BE(2))
                  : short;
        if (rest.length < head + size) break;
        const payload = rest.subarray(head, head + size);
        if (opcode === 1) take(payload, state.count++);
        if (opcode === 9) socket.write(Buffer.from([0x8a, 0x80, 0, 0, 0, 0]));
        rest = rest.subarray(head + size);
    }
    state.rest = rest.length > 0 ? Buffer.from(rest) : rest;
}

function open(port, deflates) {
    return new Promise((settle, fail) => {
        const socket = connect(port, '127.0.0.1');
        const state = { rest: Buffer.alloc(0), count: 0, isOpen: false };
        socket.on('error', fail);
        socket.on('close', () => sockets.delete(socket) && lost++);
        socket.on('connect', () =>
            socket.write(
                [
                    'GET /ws/heatmap?symbols=BTCUSDT HTTP/1.1',
                    `Host: 127.0.0.1:${port}`,
                    'Upgrade: websocket',
                    'Connection: Upgrade',
                    'Sec-WebSocket-Version: 13',
                    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
                    ...(deflates ? ['Sec-WebSocket-Extensions: permessage-deflate'] : []),
                    '',
                    '',
                ].join('\r\n'),
            ),
        );
        socket.on('data', (bytes) => {
            if (state.isOpen) return receive(socket, state, bytes);
            state.rest = Buffer.concat([state.rest, bytes]);
            const end = state.rest.indexOf('\r\n\r\n');
            if (end < 0) return undefined;
            const head = state.rest.subarray(0, end).toString();
            if (!head.startsWith('HTTP/1.1 101')) return fail(new Error(head));
            state.isOpen = true;
            sockets.add(socket);
            const first = state.rest.subarray(end + 4);
            state.rest = Buffer.alloc(0);
            receive(socket, state, first);
            return settle();
        });
    });
}

async function openAll({ port, count, deflates }) {
    for (let done = 0; done < count; done += opensAtATime)
        await Promise.all(
            Array.from({ length: Math.min(opensAtATime, count - done) }, () =>
                open(port, deflates),
            ),
        );
    return {};
}

const report = () => ({
    lost,
    rounds: rounds.map(({ count, reference, firstMs, lastMs }) => ({
        count,
        firstMs,
        lastMs,
        size: reference.length,
        hash: createHash('sha256').update(reference).digest('hex'),
    })),
});

process.on('message', async (order) => {
    try {
        process.send(order.what === 'open' ? await openAll(order) : report());
    } catch (error) {
        process.send({ error: error.message });
    }
});
process.on('disconnect', () => process.exit());
