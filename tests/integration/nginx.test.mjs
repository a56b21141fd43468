// The deployed nginx configuration in front of real servers.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { WebSocket } from 'ws';

import { importTypeScript } from '../browser/bundle.mjs';
import { connectFor, refusal } from '../support/client.mjs';
import { assertOrder, marketFor, memberFor, newerOf, untilState } from '../support/cluster.mjs';
import { get } from '../support/http.mjs';
import { nginxFor } from '../support/nginx.mjs';
import { eventually, logged, scratch } from '../support/process.mjs';
import { redisFor } from '../support/redis.mjs';
import { serveFor, startServer } from '../support/server.mjs';

const insecure = { rejectUnauthorized: false };

async function siteFor(t, options) {
    const redis = await redisFor(t);
    const market = await marketFor(t);
    const leader = await memberFor(t, redis.url, { database: market.database, ...options });
    await untilState(leader, 'leading');
    const relay = await memberFor(t, redis.url, options);
    await untilState(relay, 'following');
    const nginx = await nginxFor(t, [leader.port, relay.port]);
    return { market, servers: [leader, relay], nginx };
}

const countOf = async (server) => (await get(`${server.url}/ws/stats`)).json().active_connections;

async function throughProxy(t, nginx, options = {}) {
    const client = await connectFor(t, `${nginx.wsUrl}?symbols=BTCUSDT`, {
        ...insecure,
        ...options,
    });
    client.symbols = ['BTCUSDT'];
    return client;
}

test('page, API and stream come through it over TLS, a client always from the same server', async (t) => {
    const { market, servers, nginx } = await siteFor(t);
    const moved = await get(`${nginx.plainUrl}/x?y=1`, { headers: { Host: 'heatcast.example' } });
    assert.equal(moved.status, 308);
    assert.equal(moved.headers.location, 'https://heatcast.example/x?y=1');
    for (const path of [
        '/',
        '/healthz',
        '/api/v1/symbols',
        '/api/v1/heatmap/BTCUSDT',
        '/api/v1/heatmap/BTCUSDT/history?window=2h',
        '/api/v1/heatmap/BTCUSDT/grid?window=2h',
        '/api/v1/candles/BTCUSDT?window=2h',
    ])
        assert.equal((await get(nginx.url + path, insecure)).status, 200, path);
    for (const path of ['/metrics', '/ws/stats', '/readyz'])
        assert.equal((await get(nginx.url + path, insecure)).status, 403, path);

    const origin = nginx.url;
    const clients = [];
    for (let i = 0; i < 6; i++)
        clients.push(await throughProxy(t, nginx, { headers: { Origin: origin } }));
    for (const client of clients) await newerOf(client, market.time);
    const counts = await Promise.all(servers.map(countOf));
    assert.deepEqual(counts.sort(), [0, 6]);
    const time = await market.grow();
    for (const client of clients) await newerOf(client, time);
    assertOrder(...clients);
    assert.equal(
        (await refusal(nginx.wsUrl, { ...insecure, headers: { Origin: 'https://evil.example' } }))
            .status,
        403,
    );
});

test('when a server is killed its clients come back to the other', async (t) => {
    const { market, servers, nginx } = await siteFor(t);
    const client = await throughProxy(t, nginx);
    await newerOf(client, market.time);
    const held = (await countOf(servers[0])) === 1 ? 0 : 1;
    await servers[held].stop('SIGKILL');
    await client.closed;
    const again = await eventually('it is connected again', () => throughProxy(t, nginx));
    await newerOf(again, market.time);
    assert.equal(await countOf(servers[1 - held]), 1);
    assert.equal((await get(`${nginx.url}/healthz`, insecure)).status, 200);
});

test('two servers behind it that know nothing of each other: a client follows the one it gets', async (t) => {
    const { HeatmapWebSocket } = await importTypeScript('client/src/index.ts');
    class TrustingWebSocket extends WebSocket {
        constructor(url) {
            super(url, insecure);
        }
    }
    const market = await marketFor(t);
    const serve = async (port = 0) => {
        const server = await startServer({
            database: market.database,
            args: [
                ...['--symbols', 'BTCUSDT', '--ws-update-interval', '0.2'],
                ...['--listen', `127.0.0.1:${port}`],
            ],
        });
        t.after(() => server.isRunning() && server.stop());
        return server;
    };
    const servers = [await serve(), await serve()];
    const nginx = await nginxFor(
        t,
        servers.map((server) => server.port),
    );
    const client = new HeatmapWebSocket(nginx.url, {
        WebSocket: TrustingWebSocket,
        symbols: ['BTCUSDT'],
        retryMin: 20,
        retryMax: 500,
    });
    t.after(() => client.disconnect());
    client.connect();
    const last = () => client.lastSnapshot('BTCUSDT');
    const sees = (time) =>
        eventually('the candle', () => last() && Date.parse(last().timestamp) === time);
    await sees(market.time);
    const held = (await countOf(servers[0])) === 1 ? 0 : 1;
    await servers[held].stop('SIGKILL');
    await sees(await market.grow());

    // The newest server of all is where the client belongs; then it is gone as well.
    servers[held] = await serve(servers[held].port);
    await eventually(
        'the client is back there',
        async () => {
            client.disconnect();
            client.connect();
            await eventually('connected', () => client.status === 'connected');
            return (await countOf(servers[held])) === 1;
        },
        { everyMs: 1000 },
    );
    await sees(await market.grow());
    const { epoch } = last();
    await servers[held].stop('SIGKILL');
    await sees(await market.grow());
    assert.ok(last().epoch < epoch);
});

test('addresses behind it are told apart where TRUSTED_PROXIES names it, and cannot be made up', async (t) => {
    const { nginx } = await siteFor(t, {
        env: { TRUSTED_PROXIES: '127.0.0.1', WS_MAX_CONNECTIONS_PER_IP: '1' },
    });
    await throughProxy(t, nginx, { localAddress: '127.0.0.2' });
    await throughProxy(t, nginx, { localAddress: '127.0.0.3' });
    const { status, body } = await refusal(nginx.wsUrl, { ...insecure, localAddress: '127.0.0.2' });
    assert.equal(status, 503);
    assert.match(body, /This address/);
    const spoofed = {
        ...insecure,
        localAddress: '127.0.0.2',
        headers: { 'X-Forwarded-For': '198.51.100.1' },
    };
    assert.equal((await refusal(nginx.wsUrl, spoofed)).status, 503);
});

test('without TRUSTED_PROXIES all behind it are one', async (t) => {
    const { nginx } = await siteFor(t, { env: { WS_MAX_CONNECTIONS_PER_IP: '1' } });
    await throughProxy(t, nginx, { localAddress: '127.0.0.2' });
    assert.equal(
        (await refusal(nginx.wsUrl, { ...insecure, localAddress: '127.0.0.3' })).status,
        503,
    );
});

test('one address gets so many streams, requests and histories, and others are not held up', async (t) => {
    const { nginx } = await siteFor(t);
    const from = (localAddress) => ({ ...insecure, localAddress });
    for (let i = 0; i < 64; i++) await throughProxy(t, nginx, { localAddress: '127.0.0.2' });
    assert.equal((await refusal(nginx.wsUrl, from('127.0.0.2'))).status, 429);
    await throughProxy(t, nginx, { localAddress: '127.0.0.3' });

    const flood = async (path, count) => {
        let refused = 0;
        for (let sent = 0; sent < count; sent += 30) {
            const asks = Math.min(30, count - sent);
            const answers = await Promise.all(
                Array.from({ length: asks }, () => get(nginx.url + path, from('127.0.0.4'))),
            );
            refused += answers.filter((answer) => answer.status === 429).length;
        }
        return refused;
    };
    const history = '/api/v1/heatmap/BTCUSDT/history?window=1h';
    assert.equal(await flood(history, 15), 0);
    assert.ok((await flood(history, 60)) > 0);
    assert.equal((await get(nginx.url + history, from('127.0.0.5'))).status, 200);
    assert.ok((await flood('/healthz', 600)) > 0);
    assert.equal((await get(`${nginx.url}/healthz`, from('127.0.0.5'))).status, 200);
});

describe('a page of the proxied site', () => {
    // The upstream's name is a host like any other.
    const trusting = { env: { TRUSTED_PROXIES: '127.0.0.1', ALLOWED_HOSTS: 'heatcast' } };
    const from = (origin) => ({ ...insecure, headers: { Origin: origin } });
    const passesHost = 'proxy_set_header Host $http_host;';
    const passesForwardedHost = 'proxy_set_header X-Forwarded-Host $http_host;';
    const passesPort = 'proxy_set_header X-Forwarded-Port "";';

    async function proxiedFor(t, options, edits) {
        const database = join(await scratch(t), 'none.duckdb');
        const server = await serveFor(t, { database, ...options });
        const nginx = await nginxFor(t, [server.port, server.port], { edits });
        return { ...nginx, server };
    }

    test('may connect, on whatever port the proxy listens; one of its unencrypted twin may not', async (t) => {
        const nginx = await proxiedFor(t, trusting, []);
        await throughProxy(t, nginx, from(nginx.url));
        for (const origin of [nginx.url.replace('https', 'http'), 'https://127.0.0.1', 'null'])
            assert.equal((await refusal(nginx.wsUrl, from(origin))).status, 403, origin);
        // What the client says of proxies is replaced.
        const forged = from('https://evil.example');
        forged.headers['X-Forwarded-Host'] = 'evil.example';
        forged.headers['X-Forwarded-Port'] = '443';
        assert.equal((await refusal(nginx.wsUrl, forged)).status, 403);
    });

    for (const [name, edits] of [
        ['X-Forwarded-Host has it', [[passesHost, 'proxy_set_header Host $host;']]],
        [
            'X-Forwarded-Port has it',
            [
                [passesHost, 'proxy_set_header Host $host;'],
                [passesForwardedHost, ''],
                [passesPort, 'proxy_set_header X-Forwarded-Port $server_port;'],
            ],
        ],
        ['Host is the upstream', [[passesHost, 'proxy_set_header Host $proxy_host;']]],
    ])
        test(`may connect where the proxy loses the port: ${name}`, async (t) => {
            const nginx = await proxiedFor(t, trusting, edits);
            await throughProxy(t, nginx, from(nginx.url));
            assert.equal((await refusal(nginx.wsUrl, from('https://127.0.0.1'))).status, 403);
        });

    test('may not where the proxy loses the port and is not trusted: the log says what is seen', async (t) => {
        const edits = [[passesHost, 'proxy_set_header Host $host;']];
        const { server, ...nginx } = await proxiedFor(t, {}, edits);
        for (let i = 0; i < 3; i++)
            assert.equal((await refusal(nginx.wsUrl, from(nginx.url))).status, 403);
        const line = / warn +websocket refused: foreign origin origin=\S+ .*own_host=127\.0\.0\.1 /;
        await logged(server, line);
        assert.equal(server.logs().match(/foreign origin/g).length, 1, server.logs());
    });
});
