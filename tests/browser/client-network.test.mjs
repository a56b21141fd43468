// HeatmapWebSocket and the real server, with a network between them that fails: the same
// scenarios in Node and in a browser.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { join } from 'node:path';
import WebSocket from 'ws';
import { importMarkets, cutMarket, makeMarket } from '../support/market.mjs';
import { eventually, makeFolder, removeFolder, sleep } from '../support/process.mjs';
import { startProxy } from '../support/proxy.mjs';
import { startServer } from '../support/server.mjs';
import { importTypeScript, scriptOf } from './bundle.mjs';
import { launchChromium } from './chromium.mjs';

/** Everything quick, so that a test need not wait for what takes a minute in life. */
const QUICK = {
    pingInterval: 200,
    connectTimeout: 1_500,
    retryMin: 50,
    retryMax: 300,
    pollInterval: 100,
};

/** Connects a client that notes down what happens to it: runs here and in the browser alike. */
function begin(HeatmapWebSocket, url, options) {
    const log = { events: [], snapshots: [] };
    const client = new HeatmapWebSocket(url, {
        symbols: ['BTCUSDT'],
        onStatus: ({ status }) => log.events.push(status),
        onError: ({ code }) => log.events.push(code),
        onAge: ({ age }) => log.events.push(age),
        onSnapshot: ({ epoch, seq, timestamp }) => log.snapshots.push({ epoch, seq, timestamp }),
        ...options,
    });
    client.connect();
    return { client, log };
}

const look = ({ client, log }) => ({
    status: client.status,
    isPolling: client.isPolling,
    age: client.dataAge('BTCUSDT'),
    last: client.lastSnapshot('BTCUSDT'),
    ...log,
});

const { HeatmapWebSocket } = await importTypeScript('client/src/index.ts');
const script = await scriptOf('client/src/index.ts', 'heatcast');
let browser;
let folder;
let database;
let market;
let imported;

before(async () => {
    browser = await launchChromium();
    folder = await makeFolder();
    database = join(folder, 'market.duckdb');
    market = makeMarket({ candles: 288 });
    imported = 144;
    await importMarkets(folder, database, cutMarket(market, 0, market.candles[imported].time));
});

after(async () => {
    await browser?.close();
    await removeFolder(folder);
});

/** The market moves on by a candle. */
async function importNext() {
    const { time } = market.candles[imported];
    imported += 1;
    await importMarkets(folder, database, cutMarket(market, time, market.candles[imported].time));
}

const serve = (port) =>
    startServer({
        database,
        args: [
            '--ws-update-interval',
            '0.2',
            ...(port === undefined ? [] : ['--listen', `127.0.0.1:${port}`]),
        ],
    });

const inNode = {
    async open(t, url, options) {
        const running = begin(HeatmapWebSocket, url, { WebSocket, ...options });
        t.after(() => running.client.disconnect());
        return { look: async () => look(running) };
    },
};

const inBrowser = {
    async open(t, url, options) {
        const context = await browser.newContext();
        t.after(() => context.close());
        const page = await context.newPage();
        await page.goto(`${url}/healthz`);
        await page.evaluate(`${script}; const begin = ${begin}; const look = ${look};
            globalThis.running = begin(heatcast.HeatmapWebSocket, undefined,
                                       ${JSON.stringify(options)});
            globalThis.look = look;`);
        return { context, page, look: () => page.evaluate(() => look(globalThis.running)) };
    },
};

function assertInOrder({ snapshots }) {
    for (let i = 1; i < snapshots.length; i += 1) {
        const [a, b] = [snapshots[i - 1], snapshots[i]];
        assert.ok(b.epoch > a.epoch || (b.epoch === a.epoch && b.seq > a.seq), `${i}`);
    }
}

for (const [where, home] of Object.entries({ inNode, inBrowser })) {
    describe(where, () => {
        const open = async (t, options = {}) => {
            const server = await serve();
            const proxy = await startProxy(server.port);
            t.after(async () => {
                await proxy.stop();
                await server.stop();
            });
            const client = await home.open(t, proxy.url, { ...QUICK, ...options });
            const until = (what, isTrue) =>
                eventually(what, async () => isTrue(await client.look()));
            return { server, proxy, until, ...client };
        };

        test('a_killed_server_is_missed_and_its_successor_followed', async (t) => {
            const { server, until, look: see } = await open(t);
            await until('a snapshot', ({ last }) => last);
            const { last: before } = await see();
            await server.stop('SIGKILL');
            await until('the loss', ({ events }) => events.includes('CONNECTION_LOST'));
            await until('attempts', ({ events }) => events.includes('CONNECTION_FAILED'));
            const second = await serve(server.port);
            t.after(() => second.stop());
            await until('the newcomer', ({ last }) => last.epoch > before.epoch);
            await importNext();
            await until('the next candle', ({ last }) => last.timestamp > before.timestamp);
            const seen = await see();
            assert.equal(seen.status, 'connected');
            assert.equal(seen.isPolling, false);
            assertInOrder(seen);
        });

        test('an_orderly_restart_is_no_more_than_a_moment', async (t) => {
            const { server, until, look: see } = await open(t);
            await until('a snapshot', ({ last }) => last);
            const { last: before } = await see();
            await server.stop('SIGTERM');
            const second = await serve(server.port);
            t.after(() => second.stop());
            await until('the newcomer', ({ last }) => last.epoch > before.epoch);
            assert.equal((await see()).status, 'connected');
        });

        test('a_network_that_stalls_is_found_out_and_left', async (t) => {
            const { proxy, until, look: see } = await open(t);
            await until('a snapshot', ({ last }) => last);
            proxy.stall();
            await until('the loss', ({ events }) => events.includes('CONNECTION_LOST'));
            await until(
                'attempts that hang',
                ({ events }) =>
                    events.includes('CONNECTION_TIMEOUT') || events.includes('CONNECTION_FAILED'),
            );
            proxy.heal();
            const { last: before } = await see();
            await importNext();
            await until('the next candle', ({ last }) => last.timestamp > before.timestamp);
            await until('a connection', ({ status }) => status === 'connected');
            assertInOrder(await see());
        });

        for (const how of ['forbid', 'cut', 'hang']) {
            test(`data_come_over_http_where_websockets_are_blocked: ${how}`, async (t) => {
                const { proxy, until, look: see } = await open(t);
                await until('a snapshot', ({ last }) => last);
                assert.equal((await see()).isPolling, false);
                const { last: before } = await see();
                proxy.blockUpgrades(how);
                await until('polling', ({ isPolling }) => isPolling);
                await importNext();
                await until('the next candle', ({ last }) => last.timestamp > before.timestamp);
                const seen = await see();
                assert.notEqual(seen.status, 'connected');
                assert.ok(seen.isPolling);
                assertInOrder(seen);
                proxy.heal();
                await until(
                    'a WebSocket again',
                    ({ status, isPolling }) => status === 'connected' && !isPolling,
                );
            });
        }

        test('old_data_are_stale_however_well_the_connection_does', async (t) => {
            const { until, look: see } = await open(t);
            await until('a snapshot', ({ last }) => last);
            const { status, age, events } = await see();
            assert.deepEqual([status, age], ['connected', 'stale']);
            assert.ok(!events.includes('live'));
        });
    });
}

describe('in a browser alone', () => {
    test('a_return_of_the_network_or_of_the_eyes_ends_a_long_wait', async (t) => {
        const server = await serve();
        t.after(() => server.stop());
        const {
            page,
            context,
            look: see,
        } = await inBrowser.open(t, server.url, {
            ...QUICK,
            retryMin: 3_600_000,
            retryMax: 3_600_000,
        });
        const until = (what, isTrue) => eventually(what, async () => isTrue(await see()));
        await until('a connection', ({ status }) => status === 'connected');
        await context.setOffline(true);
        await server.stop('SIGKILL');
        await until('the loss', ({ status }) => status === 'disconnected');
        const second = await serve(server.port);
        t.after(() => second.stop());
        await sleep(300);
        assert.equal((await see()).status, 'disconnected', 'it waits');
        await context.setOffline(false);
        await until('back with the network', ({ status }) => status === 'connected');
        await second.stop('SIGKILL');
        await until('the loss', ({ status }) => status === 'disconnected');
        const third = await serve(server.port);
        t.after(() => third.stop());
        const show = (state) =>
            page.evaluate((visibility) => {
                Object.defineProperty(document, 'visibilityState', {
                    value: visibility,
                    configurable: true,
                });
                document.dispatchEvent(new Event('visibilitychange'));
            }, state);
        await show('hidden');
        await sleep(300);
        assert.equal((await see()).status, 'disconnected', 'no one looks');
        await show('visible');
        await until('back with the eyes', ({ status }) => status === 'connected');
    });
});
