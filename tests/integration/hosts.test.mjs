// DNS rebinding: a web page whose name its owner lets point to this server for a moment is of the
// same origin as it. Its requests name the page's host, not the server's.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { makePair } from '../support/certificate.mjs';
import { connectFor, refusal } from '../support/client.mjs';
import { exchange, get } from '../support/http.mjs';
import { nginxFor } from '../support/nginx.mjs';
import { logged, run, scratch } from '../support/process.mjs';
import { serveFor } from '../support/server.mjs';

const serveNothingFor = async (t, options = {}) =>
    serveFor(t, { database: join(await scratch(t), 'none.duckdb'), ...options });

async function askAs(server, host, path = '/healthz', more = '') {
    const request = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`;
    return (await exchange(server.port, [request])).answers[0];
}

async function assertAnswers(server, hosts, status) {
    for (const host of hosts) {
        const answer = await askAs(server, host);
        assert.equal(answer.status, status, `${host}: ${answer.text}`);
    }
}

const local = ['localhost', 'LocalHost:8000', 'heatmap.localhost', '127.0.0.1', '[::1]:8000'];
const foreign = ['evil.example', 'evil.example:8000', 'localhost.evil.example', '127.0.0.1.nip.io'];

test('a server on loopback answers for local names and addresses alone, and says what to do', async (t) => {
    const server = await serveNothingFor(t);
    await assertAnswers(server, [...local, '192.0.2.1:80', '[2001:db8::1]', ''], 200);
    await assertAnswers(server, foreign, 421);

    const pages = ['/', '/api/v1/symbols', '/metrics', '/readyz', '/ws/stats', '/nothing'];
    for (const path of pages) {
        const answer = await askAs(server, 'evil.example', path);
        assert.equal(answer.status, 421, path);
        assert.equal(answer.headers.connection, 'close');
        assert.equal(answer.headers['cache-control'], 'no-store');
        const { code, message } = JSON.parse(answer.text).error;
        assert.equal(code, 'UNKNOWN_HOST');
        assert.match(message, /'evil\.example' \(ALLOWED_HOSTS\)/);
    }
    const { answers } = await exchange(
        server.port,
        ['HEAD / HTTP/1.1\r\nHost: evil.example\r\n\r\n'],
        { count: 2, methods: ['HEAD'] },
    );
    assert.deepEqual(
        answers.map((answer) => [answer.status, answer.text]),
        [[421, '']],
    );

    const rebound = { headers: { Host: 'evil.example', Origin: 'http://evil.example' } };
    assert.equal((await refusal(server.wsUrl, rebound)).status, 421);
    await connectFor(t, server.wsUrl.replace('127.0.0.1', 'localhost'));

    const { text } = await get(`${server.url}/metrics`);
    const refused = foreign.length + pages.length + 2;
    const counter = 'heatcast_connections_refused_total{reason="host"}';
    assert.ok(text.includes(`${counter} ${refused}\n`), text);
    await logged(
        server,
        / warn +request refused: unknown host host=evil\.example address=127\.0\.0\.1 /,
    );
    assert.equal(server.logs().match(/unknown host/g).length, 1, server.logs());
});

test('what a page can say in its request does not help it', async (t) => {
    const server = await serveNothingFor(t, { env: { TRUSTED_PROXIES: '127.0.0.1' } });
    for (const more of ['X-Forwarded-Host: localhost\r\n', 'Forwarded: host=localhost\r\n'])
        assert.equal((await askAs(server, 'evil.example', '/healthz', more)).status, 421);
    const absolute = 'GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n';
    assert.equal((await exchange(server.port, [absolute])).answers[0].status, 421);
    assert.equal((await askAs(server, 'localhost', 'http://localhost/healthz')).status, 200);
});

test('ALLOWED_HOSTS names hosts, with ports and wildcards; addresses are answered besides', async (t) => {
    const env = { ALLOWED_HOSTS: 'a.example, *.b.example,c.example:8000' };
    const server = await serveNothingFor(t, { env });
    const own = ['a.example', 'A.example.:81', 'x.b.example', 'x.y.b.example', 'c.example:8000'];
    await assertAnswers(server, [...own, '127.0.0.1:8000', '[::1]', '192.0.2.7'], 200);
    const others = ['localhost', 'b.example', 'evil-b.example', 'c.example', 'a.example.evil'];
    await assertAnswers(server, [...others, ...foreign], 421);
    await connectFor(t, server.wsUrl, {
        headers: { Host: 'a.example', Origin: 'https://a.example' },
    });
});

test('ALLOWED_HOSTS=* answers for all', async (t) => {
    const server = await serveNothingFor(t, { args: ['--allowed-hosts', '*'] });
    await assertAnswers(server, [...local, ...foreign], 200);
});

test('a server that others can reach answers for all, unless it is told its names', async (t) => {
    const listen = ['--listen', '0.0.0.0:0'];
    const open = await serveNothingFor(t, { args: listen });
    await assertAnswers(open, [...local, ...foreign, 'heatcast-1:8000'], 200);
    await logged(open, /info +all hosts are answered; ALLOWED_HOSTS/);
    const told = await serveNothingFor(t, { args: [...listen, '--allowed-hosts', 'heatcast-1'] });
    await assertAnswers(told, ['heatcast-1:8000', '127.0.0.1'], 200);
    await assertAnswers(told, foreign, 421);
    assert.doesNotMatch(told.logs(), /all hosts are answered/);
});

test('a server with a certificate answers for all: browsers hold it to its names', async (t) => {
    const { cert, key } = await makePair(await scratch(t), 'first');
    const server = await serveNothingFor(t, { args: ['--tls-cert', cert, '--tls-key', key] });
    for (const Host of foreign) {
        const options = { rejectUnauthorized: false, headers: { Host } };
        assert.equal((await get(`${server.url}/healthz`, options)).status, 200);
    }
});

test('behind nginx on the same machine it has to be told its name', async (t) => {
    const named = {
        rejectUnauthorized: false,
        headers: { Host: 'heatcast.example', Origin: 'https://heatcast.example' },
    };
    for (const [allowed, status] of [
        ['', 421],
        ['heatcast.example', 200],
    ]) {
        const env = { TRUSTED_PROXIES: '127.0.0.1', ALLOWED_HOSTS: allowed };
        const server = await serveNothingFor(t, { env });
        const nginx = await nginxFor(t, [server.port, server.port]);
        assert.equal((await get(`${nginx.url}/`, named)).status, status);
        if (status === 200) await connectFor(t, nginx.wsUrl, named);
        else assert.equal((await refusal(nginx.wsUrl, named)).status, status);
        assert.equal(
            (await get(`${nginx.url}/healthz`, { rejectUnauthorized: false })).status,
            200,
        );
    }
});

test('a wrong host stops the start with a line that says what is allowed', async () => {
    for (const wrong of ['https://a.example', 'a.example/', '*', '*x', 'a:99999']) {
        const { code, stderr } = await run(['serve', '--allowed-hosts', `b.example,${wrong}`]);
        assert.equal(code, 2, wrong);
        assert.ok(
            stderr.includes(`--allowed-hosts: '${wrong}' is not a host (a.example, `),
            stderr,
        );
    }
});
