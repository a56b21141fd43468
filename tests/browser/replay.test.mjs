// The page of a server that replays the past: it says so, moves on, and calls nothing of it old.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { importMarkets, makeMarket } from '../support/market.mjs';
import { makeFolder, removeFolder } from '../support/process.mjs';
import { startServer } from '../support/server.mjs';
import { launchChromium } from './chromium.mjs';
import { openPage, status, text, until, waitForData } from './page.mjs';

const market = makeMarket({ candles: 600 });
const iso = (ms) => new Date(ms).toISOString();

let browser;
let folder;
let database;

before(async () => {
    folder = await makeFolder();
    database = join(folder, 'market.duckdb');
    await importMarkets(folder, database, market);
    browser = await launchChromium();
});

after(async () => {
    await browser?.close();
    await removeFolder(folder);
});

const serve = (from, speed, args = []) =>
    startServer({
        database,
        args: [
            '--replay',
            iso(market.candles[from].time),
            '--speed',
            String(speed),
            '--ws-update-interval',
            '0.5',
            ...args,
        ],
    });

// As "Dec 2 02:00" in "Newest candle Dec 2 02:00 UTC, in a replay".
const newest = async (page) => /Newest candle (.*) UTC/.exec(await text(page, '#age'))?.[1];

test('a_replay_is_marked_and_moves_on_and_may_begin_again', async () => {
    let server = await serve(450, 150);
    let context;
    try {
        const opened = await openPage(browser, server.url);
        const { page, complaints } = opened;
        context = opened.context;
        await waitForData(page);
        await until(() => page.locator('#replay').isVisible(), 'the mark');
        assert.match(await text(page, '#replay'), /replay/i);
        assert.ok(await page.locator('#simulated').isHidden());
        assert.match(await text(page, '#age'), /Newest candle .* UTC, in a replay/);
        const [time, price] = [await newest(page), await text(page, '#price')];
        await until(async () => (await newest(page)) !== time, 'a candle later');
        await until(async () => (await text(page, '#price')) !== price, 'another price');
        assert.equal(await page.locator('#age').getAttribute('data-stale'), 'false');
        assert.match(await text(page, '#status-text'), /^connected$/i);
        assert.deepEqual(complaints, []);

        await server.stop();
        server = await serve(300, 0.01, ['--listen', `127.0.0.1:${server.port}`]);
        await until(
            async () => /\b00:55\b/.test((await newest(page)) ?? ''),
            'the candle that the second replay begins with',
        );
        assert.equal(await status(page), 'connected');
        assert.ok(await page.locator('#replay').isVisible());

        await server.stop();
        server = await startServer({
            database,
            args: ['--listen', `127.0.0.1:${server.port}`, '--ws-update-interval', '0.5'],
        });
        await until(() => page.locator('#replay').isHidden(), 'data of now are not marked');
        assert.match(await text(page, '#age'), /old data/);
    } finally {
        await context?.close();
        await server.stop();
    }
});
