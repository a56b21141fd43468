// One kind of attack on a server, until it is killed: `attacker.mjs KIND PORT`. A process of its
// own, so that it can be given less of the machine than those who measure. Its address is
// 127.0.0.2. It keeps to no limit: what the server refuses or closes is tried again at once. Ten
// times a second it prints how often it has struck: requests, messages, handshakes, connections.
import { connect as connectPlain, createServer } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { randomBytes } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';

const [kind, portText] = process.argv.slice(2);
const port = Number(portText);
const where = { port, host: '127.0.0.1', localAddress: '127.0.0.2' };
const history = '/api/v1/heatmap/BTCUSDT/history';

let strikes = 0;

// Keeps a connection open for ever: `use` gets each new socket, `connect` makes it.
function keep(use, connect = () => connectPlain(where)) {
    const socket = connect();
    socket.on('error', () => {}); // the close follows
    socket.on('close', () => setImmediate(() => keep(use, connect)));
    use(socket);
}

function keepMany(count, use, connect) {
    for (let i = 0; i < count; i++) keep(use, connect);
}

function request(path) {
    return `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n`;
}

// Asks again when the answer to the last request has ended.
function askAgain(socket, path) {
    let left = 0; // of a body
    let head = '';
    const ask = () => {
        strikes++;
        socket.write(request(path()));
    };
    ask();
    socket.on('data', (bytes) => {
        let rest = bytes;
        while (rest.length > 0) {
            if (left > 0) {
                const taken = Math.min(left, rest.length);
                left -= taken;
                rest = rest.subarray(taken);
            } else {
                const before = head.length;
                head += rest.toString('latin1');
                const end = head.indexOf('\r\n\r\n');
                if (end < 0) return;
                left = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
                rest = rest.subarray(end + 4 - before);
                head = '';
            }
            if (left === 0) ask();
        }
    });
}

// Asks, and does not read the answer.
function ignore(socket, path) {
    strikes++;
    socket.pause();
    socket.write(request(path).replace('gzip', 'identity'));
}

let asked = 0;
// No two of them are the same question.
const nextQuestion = (window = '7d') =>
    `${history}?window=${window}&bucket=${50 + (process.pid % 40) + ++asked / 1000}`;

// A client's frame (RFC 6455 §5.2) of a short or a medium payload.
function frame(payload, isDeflated) {
    const first = 0x81 | (isDeflated ? 0x40 : 0);
    const size = payload.length;
    const head = size < 126 ? [first, 0x80 | size] : [first, 0xfe, size >> 8, size & 255];
    const mask = randomBytes(4);
    return Buffer.concat([Buffer.from(head), mask, payload.map((byte, i) => byte ^ mask[i % 4])]);
}

// A WebSocket that sends the same messages as fast as they are taken.
function flood(socket, messages, extensions = '') {
    const repeated = Array.from({ length: 8 }, () => messages).flat();
    const piece = Buffer.concat(repeated);
    const fill = () => {
        for (let i = 0; i < 4 && socket.writable; i++) {
            strikes += repeated.length;
            if (!socket.write(piece)) return;
        }
        if (socket.writable) setImmediate(fill);
    };
    socket.write(
        'GET /ws/heatmap HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
            `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n${extensions}\r\n`,
    );
    socket.once('data', fill);
    socket.on('drain', fill);
    socket.resume();
}

const text = (message) => Buffer.from(JSON.stringify(message));

// What a TLS client says first, taken from Node's own.
function recordHello() {
    return new Promise((settle) => {
        const server = createServer((socket) =>
            socket.once('data', (bytes) => {
                settle(bytes);
                socket.destroy();
                server.close();
            }),
        );
        server.listen(0, '127.0.0.1', () =>
            connectTls({ port: server.address().port, rejectUnauthorized: false }).on(
                'error',
                () => {},
            ),
        );
    });
}

const attacks = {
    'questions-4': () => keepMany(4, (socket) => askAgain(socket, nextQuestion)),
    'questions-80': () => keepMany(80, (socket) => askAgain(socket, nextQuestion)),
    unread: () => keepMany(1040, (socket) => ignore(socket, `${history}?window=2d`)),
    'unread-distinct': () => keepMany(80, (socket) => ignore(socket, nextQuestion('2d'))),
    subscribe: () => {
        const symbols = ['BTCUSDT', 'ETHUSDT'];
        const messages = ['subscribe', 'unsubscribe'].map((action) =>
            frame(text({ action, symbols })),
        );
        keepMany(80, (socket) => flood(socket, messages));
    },
    // 4 KiB once inflated: as many names as fit, none of which is known, and a long id.
    compressed: () => {
        const symbols = Array.from({ length: 650 }, () => '');
        const message = text({ action: 'subscribe', symbols, id: 'a'.repeat(1950) });
        const deflated = deflateRawSync(message, { finishFlush: 2 }).subarray(0, -4);
        keepMany(80, (socket) =>
            flood(
                socket,
                [frame(deflated, true)],
                'Sec-WebSocket-Extensions: permessage-deflate\r\n',
            ),
        );
    },
    // Costs the server a signature, and the attacker a write.
    handshakes: async () => {
        const hello = await recordHello();
        keepMany(64, (socket) => {
            strikes++;
            socket.write(hello);
            socket.once('data', () => socket.destroy());
        });
    },
    scrapes: () => keepMany(80, (socket) => askAgain(socket, () => '/metrics')),
    pages: () => keepMany(80, (socket) => askAgain(socket, () => '/api/v1/heatmap/BTCUSDT')),
};

await attacks[kind]();
setInterval(() => process.stdout.write(`${strikes}\n`), 100);
