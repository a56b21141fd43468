// A thousand symbols: what grows with their number stays in bounds, and what does not is as ever.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { connectFor } from '../support/client.mjs';
import { parseExposition } from '../support/exposition.mjs';
import { get } from '../support/http.mjs';
import { importMarkets, makeMarket } from '../support/market.mjs';
import { eventually, run, scratch } from '../support/process.mjs';
import { serveFor } from '../support/server.mjs';

const symbols = Array.from({ length: 1000 }, (_, i) => `COIN${i}USDT`);
const traded = symbols.filter((_, i) => i % 40 === 0); // those that there are data of

const getJson = async (url) => JSON.parse((await get(url)).text);

async function serveMany(t) {
    const folder = await scratch(t);
    const database = join(folder, 'market.duckdb');
    const markets = traded.map((symbol, i) => makeMarket({ symbol, candles: 12, seed: i + 1 }));
    await importMarkets(folder, database, ...markets);
    return serveFor(t, { database, args: ['--symbols', symbols.join()] });
}

test('a thousand symbols are served', async (t) => {
    const server = await serveMany(t);

    await t.test('each is in the list, with what there is of it', async () => {
        const list = (await getJson(`${server.url}/api/v1/symbols`)).symbols;
        assert.equal(list.map(({ symbol }) => symbol).join(), symbols.join());
        const withData = list.filter(({ newest }) => newest !== null);
        assert.deepEqual(
            withData.map(({ symbol }) => symbol),
            traded,
        );
        for (const info of withData) assert.ok(info.bucket > 0, JSON.stringify(info));
    });

    await t.test('a client gets the newest snapshot of all that it asks for', async () => {
        const client = await connectFor(t, `${server.wsUrl}?symbols=${symbols.slice(0, 500)}`);
        for (let at = 500; at < 1000; at += 250)
            client.send({ action: 'subscribe', symbols: symbols.slice(at, at + 250) });
        for (const symbol of traded) await client.nextSnapshot(symbol);
        const counts = async () =>
            Object.values((await getJson(`${server.url}/ws/stats`)).subscriptions_by_symbol);
        assert.equal((await counts()).filter((count) => count === 1).length, 1000);
        client.send({ action: 'unsubscribe', id: 1, symbols: symbols.slice(100, 300) });
        await client.next((message) => message.type === 'ack');
        assert.equal((await counts()).filter((count) => count === 1).length, 800);
        await client.close();
        await eventually('nobody is left', async () =>
            (await counts()).every((count) => count === 0),
        );
    });

    await t.test('an error names some of them', async () => {
        const client = await connectFor(t, server.wsUrl);
        client.send({ action: 'subscribe', symbols: ['XYZ'] });
        const { message } = await client.nextError();
        assert.match(message, /^Symbol 'XYZ' not supported\. Valid: COIN0USDT, .* and 980 more/);
        const { status, text } = await get(`${server.url}/api/v1/heatmap/XYZ`);
        assert.equal(status, 404);
        assert.ok(text.length < 600, text);
    });

    await t.test('the metrics have each once, in a page of bounded size', async () => {
        const { text } = await get(`${server.url}/metrics`);
        const families = parseExposition(text);
        assert.equal(families.get('ws_active_connections').samples.length, 1000);
        assert.ok(text.length < 1_500_000, `${text.length} bytes`);
    });
});

test('more than 4096 symbols are refused by name', async () => {
    const many = Array.from({ length: 4097 }, (_, i) => `S${i}`).join();
    const { code, stderr } = await run(['serve'], { env: { SYMBOLS: many } });
    assert.equal(code, 2);
    assert.match(stderr, /SYMBOLS: .*more than 4096 symbols/);
});
