// HTTP as a program speaks it (`get`), and byte for byte over a bare socket (`exchange`).
import { request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import { connect } from 'node:net';

import { patienceMs, sleep } from './process.mjs';

// One request on a connection of its own. Nothing is decoded: `body` is what was sent.
export function get(url, { method = 'GET', headers = {}, ...options } = {}) {
    const request = url.startsWith('https:') ? requestTls : requestPlain;
    return new Promise((settle, fail) => {
        const outgoing = request(url, {
            method,
            headers,
            agent: false,
            timeout: patienceMs,
            ...options,
        });
        outgoing.on('timeout', () => outgoing.destroy(new Error(`${url}: no answer`)));
        outgoing.on('error', fail);
        outgoing.on('response', (response) => {
            const pieces = [];
            response.on('data', (piece) => pieces.push(piece));
            response.on('error', fail);
            response.on('end', () => {
                const body = Buffer.concat(pieces);
                settle({
                    status: response.statusCode,
                    headers: response.headers,
                    body,
                    text: body.toString(),
                    json: () => JSON.parse(body.toString()),
                });
            });
        });
        outgoing.end();
    });
}

// Cuts the answers out of a stream of bytes. `methods` are those asked with: a HEAD has no body.
export function parseAnswers(bytes, methods = []) {
    const answers = [];
    let rest = bytes;
    for (;;) {
        const end = rest.indexOf('\r\n\r\n');
        if (end < 0) return { answers, rest };
        const [first, ...lines] = rest.subarray(0, end).toString('latin1').split('\r\n');
        const headers = {};
        for (const line of lines)
            headers[line.slice(0, line.indexOf(':')).toLowerCase()] = line
                .slice(line.indexOf(':') + 1)
                .trim();
        const status = Number(first.split(' ')[1]);
        const isBare = methods[answers.length] === 'HEAD' || status === 304;
        const size = isBare ? 0 : Number(headers['content-length'] ?? 0);
        if (rest.length < end + 4 + size) return { answers, rest };
        answers.push({ status, headers, text: rest.subarray(end + 4, end + 4 + size).toString() });
        rest = rest.subarray(end + 4 + size);
    }
}

// Sends pieces as they are, a moment apart, and returns when `count` answers are there or the
// server has ended the connection.
export async function exchange(port, pieces, { count = 1, methods = [], pauseMs = 5 } = {}) {
    const socket = connect(port, '127.0.0.1');
    socket.setNoDelay(true);
    let bytes = Buffer.alloc(0);
    let isEnded = false;
    socket.on('data', (piece) => (bytes = Buffer.concat([bytes, piece])));
    socket.on('error', () => (isEnded = true));
    socket.on('close', () => (isEnded = true));
    await new Promise((settle) => socket.once('connect', settle));
    for (const piece of pieces) {
        socket.write(piece);
        if (pieces.length > 1) await sleep(pauseMs);
    }
    const deadline = Date.now() + patienceMs;
    let parsed = parseAnswers(bytes, methods);
    while (parsed.answers.length < count && !isEnded && Date.now() < deadline) {
        await sleep(5);
        parsed = parseAnswers(bytes, methods);
    }
    socket.destroy();
    return { ...parsed, isEnded };
}
