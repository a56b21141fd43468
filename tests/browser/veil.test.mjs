// The part of a map that lacks older positions is not shown as if nothing had been waiting there.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { importMarkets, makeMarket } from '../support/market.mjs';
import { makeFolder, removeFolder } from '../support/process.mjs';
import { startServer } from '../support/server.mjs';
import { importTypeScript } from './bundle.mjs';
import { launchChromium } from './chromium.mjs';
import { openPage, text, until, waitForData } from './page.mjs';

const { lookupTable, colorAt } = await importTypeScript('web/src/palette.ts');

let browser;
let folder;
let server;

before(async () => {
    folder = await makeFolder();
    const database = join(folder, 'market.duckdb');
    await importMarkets(folder, database, makeMarket({ candles: 300, seed: 7 }));
    server = await startServer({ database });
    browser = await launchChromium();
});

after(async () => {
    await browser?.close();
    await server?.stop();
    await removeFolder(folder);
});

/** A page whose maps are known from a column on: a part of the columns, or null. */
async function open(t, knownPart) {
    const opened = await openPage(browser, server.url, {
        path: '/?range=48h&candles=5m&prices=wide',
        before: (page) =>
            page.route('**/grid?**', async (route) => {
                const response = await route.fetch();
                const map = await response.json();
                const column = knownPart && Math.floor(map.times.length * knownPart);
                map.meta.known_from =
                    knownPart === null ? null : new Date(map.times[column] * 1000).toISOString();
                await route.fulfill({ response, json: map });
            }),
    });
    t.after(() => opened.context.close());
    await waitForData(opened.page);
    return opened;
}

/** The pixels of a part of the chart, by the parts of its width. */
async function pictureOf(page, from, to) {
    const box = await page.locator('#chart').boundingBox();
    const width = box.width - 80; /* without the price axis */
    const clip = {
        x: box.x + from * width,
        y: box.y + 60,
        width: (to - from) * width,
        height: box.height - 120,
    };
    return (await page.screenshot({ clip })).toString('base64');
}

/** What the tooltip says in the middle of the chart's height. */
async function told(page, part) {
    const box = await page.locator('#chart').boundingBox();
    await page.mouse.move(box.x + part * (box.width - 80), box.y + box.height * 0.3);
    await until(() => page.locator('#tooltip').isVisible(), 'the tooltip');
    const said = await text(page, '#tooltip');
    await page.mouse.move(5, 5);
    await until(() => page.locator('#tooltip').isHidden(), 'the crosshair gone');
    return said;
}

test('columns_that_lack_older_positions_are_veiled_and_the_tooltip_says_so', async (t) => {
    const half = await open(t, 0.5);
    const whole = await open(t, 0);
    assert.notEqual(
        await pictureOf(half.page, 0.05, 0.35),
        await pictureOf(whole.page, 0.05, 0.35),
    );
    assert.equal(await pictureOf(half.page, 0.6, 0.8), await pictureOf(whole.page, 0.6, 0.8));
    const veiled = await told(half.page, 0.2);
    assert.match(veiled, /Older positions are not known here/);
    assert.match(veiled, /Long\s+(≥ \$[\d.]+[KMB]?|not known)/);
    assert.match(veiled, /Short\s+(≥ \$[\d.]+[KMB]?|not known)/);
    for (const page of [half.page, whole.page])
        assert.doesNotMatch(await told(page, 0.7), /not known|≥/);
    assert.doesNotMatch(await told(whole.page, 0.2), /not known|≥/);
    assert.deepEqual([...half.complaints, ...whole.complaints], []);
});

test('a_map_of_which_no_column_is_wholly_known_is_veiled_to_its_end', async (t) => {
    const nothing = await open(t, null);
    const whole = await open(t, 0);
    for (const [from, to] of [
        [0.05, 0.35],
        [0.6, 0.8],
    ])
        assert.notEqual(
            await pictureOf(nothing.page, from, to),
            await pictureOf(whole.page, from, to),
        );
    assert.match(await told(nothing.page, 0.7), /Older positions are not known here/);
    assert.deepEqual(nothing.complaints, []);
});

test('the_colour_follows_the_density_and_not_its_logarithm', () => {
    const [low, high] = [100, 240];
    for (const theme of ['dark', 'light']) {
        const pixels = new Uint8Array(lookupTable('heat', theme, low, high).buffer);
        const ratioOf = (byte) => 10 ** ((byte - high) / 51);
        const start = ratioOf(low);
        for (let byte = low; byte <= 255; byte += 1) {
            const share = Math.min(1, (ratioOf(byte) - start) / (1 - start));
            const color = colorAt('heat', theme, share);
            assert.deepEqual([...pixels.subarray(byte * 4, byte * 4 + 3)], [...color]);
        }
        assert.equal(pixels[(low - 1) * 4 + 3], 0);
        assert.equal(pixels[high * 4 + 3], 255);
    }
});
