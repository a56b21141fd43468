// HTTP and the WebSocket handshake to the letter: each row is a rule, with the section that states
// it, what is sent, byte for byte, and what must come back. Where a section leaves a choice, the
// row holds the choice that docs/protocol.md describes.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';

import { get, parseAnswers } from '../support/http.mjs';
import { patienceMs } from '../support/process.mjs';
import { serveForAll } from '../support/server.mjs';

const host = 'Host: localhost\r\n';
const history = '/api/v1/heatmap/BTCUSDT/history?window=2h';

// A request; `lines` are header lines besides Host.
const ask = (method, target, ...lines) =>
    `${method} ${target} HTTP/1.1\r\n${host}${lines.map((line) => `${line}\r\n`).join('')}\r\n`;

// The same, then the end of the connection.
const last = (method, target, ...lines) => ask(method, target, ...lines, 'Connection: close');

const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
const version = 'Sec-WebSocket-Version: 13';
const upgrade = ['Upgrade: websocket', 'Connection: Upgrade'];

// A handshake that is refused ends by itself; one that is accepted is ended by a masked close.
const shake = (...lines) =>
    last('GET', '/ws/heatmap', 'Upgrade: websocket', 'Connection: Upgrade', ...lines);
const closeFrame = '\x88\x80\x00\x00\x00\x00';

const padding = 'x'.repeat(17_000);

// What every request that is refused before it is understood must look like.
const isRefusal = ({ headers, text }) => {
    assert.equal(headers.connection, 'close');
    assert.equal(headers['cache-control'], 'no-store');
    if (text !== '') assert.ok(JSON.parse(text).error.message);
};

const hasNoBody = ({ headers, text }) => {
    assert.equal(text, '');
    assert.ok(Number(headers['content-length']) > 0, 'it says how long it would be');
};
const isPlain = ({ headers }) => assert.equal(headers['content-encoding'], undefined);
const isGzip = ({ headers }) => assert.equal(headers['content-encoding'], 'gzip');
const allows = ({ headers }) => assert.equal(headers.allow, 'GET, HEAD, OPTIONS');

// Each row: the rule, the fact, what is sent, the statuses of all that comes, and further checks of
// one answer each. All of them end the connection.
const heads = [
    // -- requests that are refused, and those behind them
    ...[
        ['RFC 9112 §2.2', 'is no HTTP', 'HEAD\r\n\r\n', 400],
        ['RFC 9110 §15.5.15', 'has a target too long', ask('HEAD', `/${'x'.repeat(8000)}`), 414],
        ['RFC 6585 §5', 'is too large', ask('HEAD', '/', `X: ${padding}`), 431],
        ['RFC 6585 §5', 'has too many fields', ask('HEAD', '/', ...Array(70).fill('X: y')), 431],
        [
            'RFC 9112 §6.1',
            'has an unknown coding',
            ask('HEAD', '/', 'Transfer-Encoding: br, chunked'),
            501,
        ],
        ['RFC 9110 §15.6.6', 'is of another version', 'HEAD / HTTP/2.0\r\n\r\n', 505],
        [
            'RFC 9110 §15.5.20',
            'is for another host',
            'HEAD / HTTP/1.1\r\nHost: b.example\r\n\r\n',
            421,
        ],
    ].flatMap(([rule, fact, sent, status]) => [
        ...(sent === 'HEAD\r\n\r\n'
            ? []
            : [['RFC 9110 §9.3.2', `a HEAD that ${fact} has no body`, sent, [status], hasNoBody]]),
        [
            rule,
            `a GET that ${fact} is ${status}`,
            sent.replace(/^HEAD/, 'GET'),
            [status],
            isRefusal,
        ],
        [
            rule,
            `behind a HEAD with gzip, a GET that ${fact} has a plain body`,
            ask('HEAD', '/', 'Accept-Encoding: gzip') + sent.replace(/^HEAD/, 'GET'),
            [200, status],
            null,
            (answer) => {
                isRefusal(answer);
                isPlain(answer);
                assert.notEqual(answer.text, '');
            },
        ],
    ]),
    [
        'RFC 9110 §9.3.2',
        'a HEAD behind a bad start line of empty lines has no body',
        `\r\n\r\nHEAD / HTTP/3.0\r\n\r\n`,
        [505],
        hasNoBody,
    ],
    [
        'RFC 9110 §9.3.2',
        'HEAD answers as GET does, whatever the status, and without the body',
        ask('HEAD', '/healthz') + ask('HEAD', '/nothing') + last('GET', '/healthz'),
        [200, 404, 200],
        hasNoBody,
        hasNoBody,
        (answer) => assert.equal(answer.text, '{"status":"ok"}'),
    ],

    // -- the start line
    ...['1.2', '1.3', '1.9'].map((minor) => [
        'RFC 9110 §2.5',
        `HTTP/${minor} is answered as 1.1`,
        last('GET', '/healthz').replace('HTTP/1.1', `HTTP/${minor}`),
        [200],
    ]),
    ['RFC 9112 §2.3', 'HTTP/1.10 is no version', 'GET / HTTP/1.10\r\n\r\n', [400]],
    ['RFC 9112 §2.3', 'the name of the protocol is in capitals', 'GET / http/1.1\r\n\r\n', [400]],
    ['RFC 9112 §3', 'HTTP/0.9 is not spoken', 'GET /\r\n', [400]],
    ['RFC 9112 §3', 'single blanks part the line', ask('GET', ' /'), [400]],
    ['RFC 9112 §3', 'no blank stands at its end', ask('GET', '/').replace('1.1', '1.1 '), [400]],
    ['RFC 9112 §2.2', 'empty lines before it are skipped', `\r\n\n${last('GET', '/')}`, [200]],
    ['RFC 9112 §2.2', 'LF alone ends a line', last('GET', '/').replaceAll('\r', ''), [200]],
    ['RFC 9112 §2.2', 'CR alone does not', ask('GET', '/').replace('\r\n', '\r'), [400]],
    ['RFC 9112 §2.2', 'nor does it stand in a value', ask('GET', '/', 'X: a\rb'), [400]],
    ['RFC 9110 §9.1', 'methods are case-sensitive', last('get', '/'), [501]],
    ['RFC 9110 §9.1', 'an unknown method is 501', last('PROPFIND', '/'), [501], isRefusal],
    ...['POST', 'PUT', 'DELETE', 'PATCH', 'TRACE'].map((method) => [
        'RFC 9110 §15.5.6',
        `${method} is known, and not allowed`,
        last(method, '/api/v1/symbols'),
        [405],
        allows,
    ]),

    // -- targets
    ['RFC 9112 §3.2.1', 'the path begins with a slash', ask('GET', 'healthz'), [400]],
    ['RFC 9112 §3.2', 'there is no fragment', ask('GET', '/healthz#x'), [400]],
    ['RFC 9112 §3.2.2', 'a target may be absolute', last('GET', 'http://localhost/healthz'), [200]],
    ['RFC 9112 §3.2.2', 'without a path it is /', last('GET', 'HTTP://LocalHost'), [200]],
    ['RFC 9112 §3.2.2', 'a query may follow at once', last('GET', 'http://localhost?a=b'), [200]],
    [
        'RFC 9112 §3.2.2',
        'its host is the one that counts',
        last('GET', 'http://localhost/').replace(host, 'Host: b.example\r\n') +
            last('GET', 'http://b.example/'),
        [200],
    ],
    ['RFC 9112 §3.2.2', 'also where it is foreign', ask('GET', 'http://b.example/'), [421]],
    ['RFC 9110 §4.2.4', 'it names no user', ask('GET', 'http://u@localhost/'), [400]],
    ['RFC 9110 §4.2.1', 'it names a host', ask('GET', 'http:///healthz'), [400]],
    ['RFC 9110 §4.2', 'it is of http or https', ask('GET', 'ftp://localhost/'), [400]],
    [
        'RFC 9112 §3.2.3',
        'the authority form is for CONNECT alone, which is not allowed',
        last('CONNECT', 'localhost:80'),
        [405],
    ],
    ['RFC 9112 §3.2.3', 'it has a port', ask('CONNECT', 'localhost'), [400]],
    ['RFC 9112 §3.2.3', 'a GET has another form', ask('GET', 'localhost:80'), [400]],
    ['RFC 9112 §3.2.4', 'OPTIONS * asks the server', last('OPTIONS', '*'), [204], allows],
    ['RFC 9110 §9.3.7', 'OPTIONS asks of a path', last('OPTIONS', '/readyz'), [204], allows],
    ['RFC 9112 §3.2.4', 'the star is for OPTIONS alone', ask('GET', '*'), [400]],
    ['RFC 9110 §4.1', 'a target of 8,000 bytes fits', last('GET', `/${'x'.repeat(7999)}`), [404]],
    [
        'RFC 3986 §6.2.2.2',
        'unreserved characters are the same when they are encoded',
        last('GET', '/%68ealth%7A'),
        [200],
    ],
    ['RFC 3986 §6.2.2.2', 'reserved ones are not', last('GET', '/api%2fv1/symbols'), [404]],
    ['RFC 3986 §2.1', 'encodings are two digits', ask('GET', '/%6'), [400]],
    ['RFC 3986 §2.1', 'and hexadecimal', ask('GET', '/%zz'), [400]],
    ...['', 'x', '%zz', 'x'.repeat(3000), 'x&'.repeat(20)].map((value) => [
        'RFC 3986 §3.4',
        `an unknown parameter of ${value.length} bytes does not matter to what takes none`,
        ['/', '/api/v1/symbols', '/readyz', '/healthz', '/api/v1/heatmap/BTCUSDT']
            .map((path) => ask('GET', `${path}?utm=${value}&${value}=1`))
            .join('') + last('GET', `/metrics?${value}`),
        Array(6).fill(200),
    ]),
    ...['', 'x', '%zz', 'x'.repeat(3000)].map((value) => [
        'RFC 3986 §3.4',
        `one of ${value.length} bytes is named by what takes others`,
        last('GET', `${history}&utm=${value}`),
        [400],
        ({ text }) => assert.match(text, /parameter 'utm'/),
    ]),

    // -- Host
    ...[
        ['is missing', ''],
        ['is there twice', host + host],
        ['is a list', 'Host: localhost, localhost\r\n'],
        ['has a blank in it', 'Host: local host\r\n'],
        ['has a path', 'Host: localhost/\r\n'],
        ['has a scheme', 'Host: http://localhost\r\n'],
        ['has a user', 'Host: me@localhost\r\n'],
        ['has a port that is none', 'Host: localhost:http\r\n'],
        ['has a port that is too large', 'Host: localhost:65536\r\n'],
        ['is half an IPv6 address', 'Host: [::1\r\n'],
    ].map(([fact, line]) => [
        'RFC 9112 §3.2',
        `a Host that ${fact} is 400`,
        `GET / HTTP/1.1\r\n${line}\r\n`,
        [400],
        isRefusal,
    ]),
    ...['', 'localhost:', 'localhost:80', '[::1]', '[::1]:8000', '127.0.0.1', 'LOCALHOST'].map(
        (name) => [
            'RFC 9110 §7.2',
            `Host: ${name || '(empty)'} is one`,
            last('GET', '/healthz').replace(host, `Host: ${name}\r\n`),
            [200],
        ],
    ),
    ['RFC 9112 §3.2', 'HTTP/1.0 needs no Host', 'GET /healthz HTTP/1.0\r\n\r\n', [200]],
    ['RFC 9110 §7.4', 'another host is another server', 'GET / HTTP/1.1\r\nHost: b\r\n\r\n', [421]],

    // -- fields
    ['RFC 9112 §5.1', 'no blank stands before a colon', ask('GET', '/', 'X : y'), [400]],
    ['RFC 9112 §5.2', 'a value is not folded', ask('GET', '/', 'X: a\r\n b'), [400]],
    [
        'RFC 9112 §2.2',
        'nor does a blank begin the fields',
        'GET / HTTP/1.1\r\n X: y\r\n\r\n',
        [400],
    ],
    ['RFC 9110 §5.1', 'a name is a token', ask('GET', '/', 'X(): y'), [400]],
    ['RFC 9110 §5.1', 'and not empty', ask('GET', '/', ': y'), [400]],
    ['RFC 9110 §5.5', 'a value has no NUL', ask('GET', '/', 'X: a\0b'), [400]],
    ['RFC 9110 §5.5', 'it may have bytes above 0x7f', last('GET', '/healthz', 'X: \xe4'), [200]],
    ['RFC 9112 §5', 'blanks around it are not of it', last('GET', '/', 'Range:\t \t'), [200]],

    // -- bodies
    ...[
        ['RFC 9112 §6.3', 'a length that is no number', ['Content-Length: x']],
        ['RFC 9112 §6.3', 'a signed length', ['Content-Length: +1']],
        ['RFC 9112 §6.3', 'an empty length', ['Content-Length:']],
        ['RFC 9112 §6.3', 'a length beyond all', ['Content-Length: 99999999999999999999']],
        ['RFC 9112 §6.3', 'two lengths', ['Content-Length: 1', 'Content-Length: 1']],
        ['RFC 9110 §8.6', 'a list of lengths', ['Content-Length: 1, 1']],
        [
            'RFC 9112 §6.1',
            'a length beside chunks',
            ['Transfer-Encoding: chunked', 'Content-Length: 1'],
        ],
        [
            'RFC 9112 §6.3',
            'chunks that are not the last coding',
            ['Transfer-Encoding: chunked, gzip'],
        ],
        [
            'RFC 9112 §6.1',
            'chunks twice',
            ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
        ],
        ['RFC 9112 §6.1', 'a coding that is no token', ['Transfer-Encoding: \x0bchunked']],
        ['RFC 9112 §6.1', 'an empty coding', ['Transfer-Encoding:']],
    ].map(([rule, fact, lines]) => [
        rule,
        `${fact} is 400`,
        `${ask('POST', '/', ...lines)}0\r\n\r\n${last('GET', '/healthz')}`,
        [400],
        isRefusal,
    ]),
    [
        'RFC 9112 §6.1',
        'HTTP/1.0 has no chunks',
        'GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
        [400],
    ],
    ...['gzip', 'identity', 'gzip, chunked', 'xchunked'].map((coding) => [
        'RFC 9112 §6.1',
        `the transfer coding ${coding} is 501`,
        ask('POST', '/', `Transfer-Encoding: ${coding}`),
        [501],
        isRefusal,
    ]),
    // A body is never skipped on a connection that stays: what stands behind it is not a request.
    ...[
        ['a length', ['Content-Length: 3'], 'abc'],
        ['chunks', ['Transfer-Encoding: Chunked'], '3\r\nabc\r\n0\r\n\r\n'],
        ['extensions', ['Transfer-Encoding: chunked'], '3;a="b;\r\n";c\r\nabc\r\n0;x\r\n\r\n'],
        ['trailers', ['Transfer-Encoding: chunked', 'Trailer: X'], '0\r\nX: y\r\nHost: z\r\n\r\n'],
        ['chunks of no size', ['Transfer-Encoding: chunked'], 'zz\r\nabc\r\n0\r\n\r\n'],
        ['endless chunks', ['Transfer-Encoding: chunked'], 'fffffffffffffffff\r\nabc'],
        ['megabytes', ['Content-Length: 1000000'], 'b'.repeat(1_000_000)],
        ['the promise of a body', ['Expect: 100-continue', 'Content-Length: 9'], ''],
    ].flatMap(([fact, lines, body]) => [
        [
            'RFC 9112 §7.1',
            `a POST with ${fact} is 405, which can be read, and nothing behind it is answered`,
            ask('POST', '/healthz', ...lines) + body + last('GET', '/nothing'),
            [405],
            isRefusal,
        ],
        [
            'RFC 9110 §9.3.1',
            `a GET with ${fact} is answered, and nothing behind it`,
            ask('GET', '/healthz', ...lines) + body + last('GET', '/nothing'),
            [200],
        ],
    ]),
    [
        'RFC 9112 §6.3',
        'a body of no length is none',
        ask('POST', '/', 'Content-Length: 0') + last('GET', '/healthz'),
        [405, 200],
    ],

    // -- connections
    ['RFC 9112 §9.3', 'HTTP/1.0 ends', 'GET /healthz HTTP/1.0\r\n\r\n', [200]],
    [
        'RFC 9112 §9.3',
        'unless it asks to be kept',
        `GET /healthz HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n${last('GET', '/healthz')}`,
        [200, 200],
        ({ headers }) => assert.equal(headers.connection, 'keep-alive'),
    ],
    [
        'RFC 9112 §9.3.2',
        'pipelined requests are answered in their order',
        ask('GET', '/api/v1/symbols') + ask('HEAD', '/nothing') + last('GET', '/healthz'),
        [200, 404, 200],
    ],
    [
        'RFC 9110 §7.6.1',
        'the last request is the one that says so, in any line and case',
        ask('GET', '/healthz', 'Connection: x', 'Connection: y , CLOSE') + last('GET', '/healthz'),
        [200],
    ],
    [
        'RFC 9110 §7.8',
        'an upgrade to another protocol is not taken up',
        last('GET', '/healthz', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk'),
        [200],
    ],
    ['RFC 9110 §14.2', 'ranges are not known', last('GET', '/', 'Range: bytes=0-3'), [200]],
    [
        'RFC 9111 §5.2',
        'errors are not kept by caches',
        ask('GET', '/nothing') + ask('GET', `${history}&a=b`) + last('PUT', '/'),
        [404, 400, 405],
        ...Array(3).fill(({ headers }) => assert.equal(headers['cache-control'], 'no-store')),
    ],

    // -- encodings
    ...['gzip', 'GZIP', 'Gzip;Q=0.001', '*', 'br, gzip;q=0.5', 'x-gzip', 'identity;q=0.2,gzip'].map(
        (value) => [
            'RFC 9110 §12.5.3',
            `Accept-Encoding: ${value} gets gzip`,
            last('GET', '/', `Accept-Encoding: ${value}`),
            [200],
            isGzip,
        ],
    ),
    ...[
        'gzipx',
        'pack200-gzip',
        'gzip;q=0',
        'gzip;Q=0.000',
        '*;q=0',
        'br',
        '',
        'gzip;q=0.1,identity',
    ].map((value) => [
        'RFC 9110 §12.5.3',
        `Accept-Encoding: ${value || '(empty)'} gets none`,
        last('GET', '/', `Accept-Encoding: ${value}`),
        [200],
        isPlain,
    ]),
    ['RFC 9110 §12.5.3', 'without the field neither', last('GET', '/'), [200], isPlain],
    [
        'RFC 9110 §12.5.5',
        'what depends on it says so, also where it is an error',
        ask('GET', '/') + ask('GET', history) + last('GET', '/nothing'),
        [200, 200, 404],
        ...Array(3).fill(({ headers }) => assert.equal(headers.vary, 'Accept-Encoding')),
    ],
];

const wsRefusals = [
    ['no key', [version], 400],
    ['an empty key', [version, 'Sec-WebSocket-Key:'], 400],
    ['a key of 15 bytes', [version, 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA'], 400],
    ['a key that is no base64', [version, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ!!'], 400],
    ['two keys', [version, key, key], 400],
    ['no version', [key], 400],
    ['two versions', [key, version, version], 400],
    ['a version that is no number', [key, 'Sec-WebSocket-Version: x'], 400],
    ['a version of two', [key, 'Sec-WebSocket-Version: 13, 8'], 400],
    ['a version with zeros', [key, 'Sec-WebSocket-Version: 013'], 400],
    ['a version beyond all', [key, 'Sec-WebSocket-Version: 256'], 400],
    ['another version', [key, 'Sec-WebSocket-Version: 8'], 426],
];

const handshakes = [
    ...wsRefusals.map(([fact, lines, status]) => [
        fact.includes('another') ? 'RFC 6455 §4.2.2' : 'RFC 6455 §4.2.1',
        `a handshake with ${fact} is ${status}`,
        shake(...lines),
        [status],
        ({ headers }) => assert.equal(headers['sec-websocket-version'], '13'),
    ]),
    ...[
        ['no Upgrade', ['Connection: Upgrade', key, version]],
        ['no Connection', ['Upgrade: websocket', key, version]],
        ['another protocol', ['Upgrade: h2c', 'Connection: Upgrade', key, version]],
    ].map(([fact, lines]) => [
        'RFC 6455 §4.2.1',
        `a handshake with ${fact} is 426, and says what would be right`,
        last('GET', '/ws/heatmap', ...lines),
        [426],
        ({ headers }) => assert.equal(headers.upgrade, 'websocket'),
    ]),
    [
        'RFC 6455 §4.2.1',
        'a handshake is a GET',
        last('HEAD', '/ws/heatmap', ...upgrade, key, version),
        [426],
    ],
    [
        'RFC 6455 §4.2.1',
        'a handshake is of HTTP/1.1',
        shake(key, version).replace('HTTP/1.1', 'HTTP/1.0'),
        [426],
    ],
    [
        'RFC 6455 §9.1',
        'extensions that are no list are 400',
        shake(key, version, 'Sec-WebSocket-Extensions: permessage-deflate; ='),
        [400],
    ],
    [
        'RFC 6455 §10.2',
        'a foreign page is 403',
        shake(key, version, 'Origin: http://b.example'),
        [403],
    ],
    ...[
        ['localhost', 'http://localhost'],
        ['localhost:80', 'http://localhost'],
        ['localhost', 'http://localhost:80'],
        ['localhost:443', 'https://localhost'],
        ['LOCALHOST:8000', 'http://localhost:8000'],
    ].map(([name, origin]) => [
        'RFC 6454 §5',
        `a page of ${origin} is that of Host: ${name}`,
        ask('GET', '/ws/heatmap', ...upgrade, key, version, `Origin: ${origin}`).replace(
            host,
            `Host: ${name}\r\n`,
        ) + closeFrame,
        [101],
    ]),
    ...[
        ['localhost:80', 'https://localhost'],
        ['localhost:443', 'http://localhost'],
        ['localhost:8000', 'http://localhost'],
        ['localhost', 'http://localhost:8000'],
        ['localhost', 'null'],
        ['localhost', ''],
    ].map(([name, origin]) => [
        'RFC 6454 §5',
        `a page of ${origin || '(nothing)'} is not that of Host: ${name}`,
        shake(key, version, `Origin: ${origin}`).replace(host, `Host: ${name}\r\n`),
        [403],
    ]),
    [
        'RFC 6455 §4.2.2',
        'the key is answered, in any case and order of the tokens',
        ask(
            'GET',
            '/ws/heatmap',
            'Upgrade: h2c, WebSocket',
            'Connection: keep-alive, upgrade',
            key,
            version,
        ) + closeFrame,
        [101],
        ({ headers }) =>
            assert.equal(headers['sec-websocket-accept'], 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='),
    ],
    ...['', 'x', 'x'.repeat(3000)].map((value) => [
        'RFC 6455 §3',
        `an unknown parameter of ${value.length} bytes does not matter to a handshake`,
        ask(
            'GET',
            `/ws/heatmap?token=${value}&symbols=BTCUSDT&${value}=`,
            ...upgrade,
            key,
            version,
        ) + closeFrame,
        [101],
    ]),
];

describe('HTTP to the letter', () => {
    const server = serveForAll();

    // Sends all at once and reads to the end of the connection, which the server makes.
    function converse(bytes) {
        return new Promise((settle, fail) => {
            const pieces = [];
            const socket = connect(server.port, '127.0.0.1');
            socket.setTimeout(patienceMs, () => socket.destroy(new Error('no end')));
            socket.on('data', (piece) => pieces.push(piece));
            socket.on('error', fail);
            socket.on('close', () => settle(Buffer.concat(pieces)));
            socket.write(Buffer.from(bytes, 'latin1'));
        });
    }

    function assertRow(bytes, sent, statuses, checks) {
        const methods = [...sent.matchAll(/(?:^|\n)(HEAD|GET|POST) /g)].map((match) => match[1]);
        const { answers, rest } = parseAnswers(bytes, methods);
        assert.deepEqual(
            answers.map((answer) => answer.status),
            statuses,
            bytes.toString().slice(0, 2000),
        );
        if (statuses.at(-1) !== 101) assert.equal(rest.toString(), '', 'nothing follows');
        for (const [i, check] of checks.entries()) check?.(answers[i]);
    }

    for (const [rule, fact, sent, statuses, ...checks] of [...heads, ...handshakes])
        test(`${rule}: ${fact}`, async () => {
            assertRow(await converse(sent), sent, statuses, checks);
        });

    test('RFC 9110 §15.5.9: a head that is not complete in time is 408, and a HEAD has no body', async () => {
        const [whole, head] = await Promise.all(
            ['GET', 'HEAD'].map((method) => converse(`${method} /healthz HTTP/1.1\r\nHost:`)),
        );
        assertRow(whole, 'GET ', [408], [isRefusal]);
        assertRow(head, 'HEAD ', [408], [hasNoBody]);
    });

    describe('entity tags', () => {
        const paths = ['/', '/api/v1/heatmap/BTCUSDT', history, '/api/v1/candles/BTCUSDT'];
        const tagOf = async (path, headers = {}) =>
            (await get(server.url + path, { headers })).headers.etag;
        const statusOf = async (path, headers) => {
            const { status, body } = await get(server.url + path, { headers });
            if (status === 304) assert.equal(body.length, 0);
            return status;
        };

        test('RFC 9110 §8.8.1: they are weak, since plain and gzip have the same', async () => {
            for (const path of paths) {
                const plain = await get(server.url + path);
                const zipped = await get(server.url + path, {
                    headers: { 'Accept-Encoding': 'gzip' },
                });
                assert.match(plain.headers.etag, /^W\/"[^"]+"$/);
                assert.equal(zipped.headers.etag, plain.headers.etag);
                assert.deepEqual(gunzipSync(zipped.body), plain.body);
            }
        });

        const fits = {
            'the tag': (tag) => tag,
            'the tag as a strong one (§8.8.3.2)': (tag) => tag.replace('W/', ''),
            'a star': () => '*',
            'a list': (tag) => `"a", ${tag},"b"`,
            'a list with commas in tags': (tag) => `"a,b", "," ,${tag}`,
            'a list with empty elements': (tag) => `, ,${tag},,`,
            'a list that fills the head': (tag) => `${'"0123456789",'.repeat(1000)}${tag}`,
            'several lines': (tag) => ['"a"', '"b"', tag],
        };
        for (const [fact, make] of Object.entries(fits))
            test(`RFC 9110 §13.1.2: If-None-Match of ${fact} is 304`, async () => {
                for (const path of paths) {
                    const value = make(await tagOf(path));
                    assert.equal(await statusOf(path, { 'If-None-Match': value }), 304, path);
                }
            });

        test('RFC 9110 §13.1.2: If-None-Match of other tags is 200', async () => {
            for (const path of paths) {
                const tag = await tagOf(path);
                const opaque = tag.slice(3, -1);
                for (const value of [
                    '"a"',
                    'W/"a", "b"',
                    opaque,
                    `"${opaque}x"`,
                    `w/${tag.slice(2)}`,
                ])
                    assert.equal(
                        await statusOf(path, { 'If-None-Match': value }),
                        200,
                        `${path} ${value}`,
                    );
            }
        });

        test('RFC 9110 §13.1.1: If-Match compares strongly, so that any tag is 412 and a star is not', async () => {
            for (const path of paths) {
                const tag = await tagOf(path);
                for (const value of [tag, tag.replace('W/', ''), '"a"', ['"a"', tag]])
                    assert.equal(await statusOf(path, { 'If-Match': value }), 412, path);
                assert.equal(await statusOf(path, { 'If-Match': '*' }), 200, path);
            }
        });

        test('RFC 9110 §13.2.2: If-Match is looked at before If-None-Match', async () => {
            const tag = await tagOf('/');
            assert.equal(await statusOf('/', { 'If-Match': '"a"', 'If-None-Match': tag }), 412);
            assert.equal(await statusOf('/', { 'If-Match': '*', 'If-None-Match': tag }), 304);
        });
    });
});
