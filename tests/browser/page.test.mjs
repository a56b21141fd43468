// The page in a real browser, before the real server with its simulated market.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { eventually, makeFolder, removeFolder } from '../support/process.mjs';
import { startServer } from '../support/server.mjs';

let browser;
let directory;
let server;
let context;

const demo = (name, port) =>
    startServer({
        database: join(directory, `${name}.duckdb`),
        args: [
            '--demo',
            '--ws-update-interval',
            '1',
            ...(port === undefined ? [] : ['--listen', `127.0.0.1:${port}`]),
        ],
    });

before(async () => {
    directory = await makeFolder();
    browser = await chromium.launch({
        executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
        args: [
            '--no-sandbox',
            '--disable-gpu',
            '--disable-quic',
            '--no-first-run',
            '--disable-background-networking',
            '--disable-component-update',
            '--disable-sync',
        ],
    });
    server = await demo('demo');
});

after(async () => {
    await browser?.close();
    await server?.stop();
    await removeFolder(directory);
});

afterEach(async () => {
    await context?.close();
    context = undefined;
});

const until = (isTrue, what) => eventually(what, isTrue, { everyMs: 100 });

/** A page, and what it complained of or asked of other hosts. */
async function open(path = '/', { width = 1440, height = 900, from = server } = {}) {
    context = await browser.newContext({ viewport: { width, height } });
    const page = await context.newPage();
    const complaints = [];
    page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => {
        const { protocol, host } = new URL(request.url());
        const isOwn = host === new URL(from.url).host || ['data:', 'blob:'].includes(protocol);
        if (!isOwn) complaints.push(`asked for ${request.url()}`);
    });
    await page.goto(from.url + path);
    return { page, complaints };
}

const status = (page) => page.locator('#status').getAttribute('data-status');
const text = (page, selector) => page.locator(selector).innerText();

/** How many different colours the chart shows, and how many pixels are brightly coloured. */
const colors = (page) =>
    page.evaluate(() => {
        const canvases = [...document.querySelectorAll('#chart canvas')];
        const area = (canvas) => canvas.width * canvas.height;
        const largest = canvases.sort((a, b) => area(b) - area(a)).slice(0, 2);
        const seen = new Set();
        let bright = 0;
        for (const canvas of largest) {
            // Read from a copy: reading the page's own canvas would change how it is drawn.
            const copy = document.createElement('canvas');
            copy.width = canvas.width;
            copy.height = canvas.height;
            const context = copy.getContext('2d', { willReadFrequently: true });
            context.drawImage(canvas, 0, 0);
            const { data } = context.getImageData(0, 0, copy.width, copy.height);
            for (let i = 0; i < data.length; i += 4) {
                if (data[i + 3] === 0) continue;
                seen.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
                const [r, g, b] = [data[i], data[i + 1], data[i + 2]];
                if (Math.max(r, g, b) - Math.min(r, g, b) > 60) bright += 1;
            }
        }
        return { distinct: seen.size, bright };
    });

const isFilled = async (page) => {
    const { distinct, bright } = await colors(page);
    return distinct > 150 && bright > 5_000;
};

const waitForMap = async (page) => {
    await until(() => isFilled(page), 'a map of many colours');
    await until(async () => (await status(page)) === 'connected', 'a connection');
};

test('the_page_shows_a_live_map_and_says_that_it_is_simulated', async () => {
    const { page, complaints } = await open();
    await waitForMap(page);
    assert.ok(await page.locator('#simulated').isVisible());
    assert.match(await text(page, '#status-text'), /connected/i);
    assert.match(await text(page, '#price'), /^[\d,]+\.\d+$/);
    assert.match(await text(page, '#age'), /Newest candle .* UTC, (just now|\d+ min ago)/);
    assert.ok(await page.locator('#message').isHidden());
    await until(async () => /^\d/.test(await text(page, '#created')), 'a snapshot');
    assert.deepEqual(complaints, []);
});

test('prices_and_pixels_move_by_themselves', async () => {
    const { page } = await open();
    await waitForMap(page);
    const look = async () => {
        const image = await page.locator('.stage').screenshot();
        return image.toString('base64');
    };
    const price = await text(page, '#price');
    const first = await look();
    await until(async () => (await text(page, '#price')) !== price, 'another price');
    await until(async () => (await look()) !== first, 'other pixels');
});

test('another_symbol_is_one_choice_away_and_stays_in_the_address', async () => {
    const { page, complaints } = await open();
    await waitForMap(page);
    const price = await text(page, '#price');
    await page.selectOption('#symbol', 'ETHUSDT');
    await until(async () => /ETHUSDT/.test(await page.title()), 'the title');
    await waitForMap(page);
    assert.notEqual(await text(page, '#price'), price);
    assert.match(page.url(), /symbol=ETHUSDT/);
    await page.reload();
    await waitForMap(page);
    assert.equal(await page.inputValue('#symbol'), 'ETHUSDT');
    assert.deepEqual(complaints, []);
});

test('the_range_stays_in_the_address', async () => {
    const { page, complaints } = await open('/?range=3d');
    await waitForMap(page);
    assert.ok(await page.isChecked('#range input[value="3d"]'));
    await page.check('#range input[value="48h"]');
    await until(() => /range=48h/.test(page.url()), 'the address');
    await waitForMap(page);
    assert.match(await text(page, '#change'), /48 hours/);
    assert.deepEqual(complaints, []);
});

test('the_crosshair_tells_what_waits_at_a_price', async () => {
    const { page } = await open();
    await waitForMap(page);
    const box = await page.locator('#chart').boundingBox();
    await page.mouse.move(box.x + box.width * 0.6, box.y + box.height * 0.3);
    const tooltip = page.locator('#tooltip');
    await until(() => tooltip.isVisible(), 'the tooltip');
    const content = await tooltip.innerText();
    assert.match(content, /\d+ \w{3} \d{4} \d\d:\d\d/);
    assert.match(content, /Long\s+(<?\$[\d.]+[KMB]?)/);
    assert.match(content, /Short\s+(<?\$[\d.]+[KMB]?)/);
    assert.match(content, /From price\s+[+−]?\d+\.\d\d%/);
    await page.mouse.move(5, 5);
    await until(() => tooltip.isHidden(), 'the tooltip gone');
});

test('threshold_and_sides_take_colours_away', async () => {
    const { page } = await open();
    await waitForMap(page);
    const { bright: all } = await colors(page);
    await page.focus('#threshold');
    await page.keyboard.press('End');
    await until(async () => (await colors(page)).bright < all * 0.7, 'fewer colours');
    await page.dblclick('#threshold');
    await until(async () => (await colors(page)).bright > all * 0.8, 'the colours back');
    await page.check('#side input[value="long"]');
    await until(async () => (await colors(page)).bright < all * 0.9, 'one side');
});

test('a_view_that_was_zoomed_stays_put_while_data_come', async () => {
    const { page } = await open();
    await waitForMap(page);
    const box = await page.locator('#chart').boundingBox();
    const [x, y] = [box.x + box.width * 0.3, box.y + box.height * 0.4];
    await page.mouse.move(x, y);
    for (let i = 0; i < 5; i += 1) await page.mouse.wheel(0, -200);
    await page.mouse.down();
    await page.mouse.move(x + 200, y, { steps: 5 });
    await page.mouse.up();
    const when = () => page.locator('#tooltip .when').innerText();
    // The wheel may glide on for a moment.
    let last = '';
    await until(async () => {
        const before = last;
        last = await when();
        await sleep(300);
        return before === last;
    }, 'rest');
    const price = await text(page, '#price');
    await until(async () => (await text(page, '#price')) !== price, 'another price');
    assert.equal(await when(), last);
});

test('a_phone_shows_everything_without_scrolling_sideways', async () => {
    const { page, complaints } = await open('/', { width: 390, height: 844 });
    await waitForMap(page);
    const size = await page.evaluate(() => ({
        page: document.documentElement.scrollWidth,
        window: innerWidth,
        chart: document.querySelector('#chart').getBoundingClientRect().height,
    }));
    assert.ok(size.page <= size.window, `${size.page} <= ${size.window}`);
    assert.ok(size.chart > 350, `room for the chart: ${size.chart}`);
    for (const selector of ['#symbol', '#price', '#status', '#simulated', '#range', '#age']) {
        const box = await page.locator(selector).boundingBox();
        assert.ok(box && box.x >= 0 && box.x + box.width <= 390, `${selector} is in sight`);
    }
    assert.deepEqual(complaints, []);
});

test('every_control_has_a_name_and_can_be_reached_by_keyboard', async () => {
    const { page } = await open();
    await waitForMap(page);
    const reached = new Set();
    for (let i = 0; i < 20; i += 1) {
        await page.keyboard.press('Tab');
        reached.add(
            await page.evaluate(() => document.activeElement?.name || document.activeElement?.id),
        );
    }
    const controls = ['symbol', 'theme', 'range', 'candles', 'side', 'zoom', 'fit', 'threshold'];
    for (const id of [...controls, 'palette']) {
        assert.ok(reached.has(id), `${id} is reached`);
    }
    const nameless = await page.evaluate(() =>
        [...document.querySelectorAll('button, select, input')]
            .filter((control) => !control.closest('[hidden]'))
            .filter((control) => {
                const label = control.labels?.[0]?.textContent ?? '';
                return !(control.ariaLabel || label.trim() || control.textContent.trim());
            })
            .map((control) => control.outerHTML),
    );
    assert.deepEqual(nameless, []);
});

test('a_lost_server_is_seen_and_its_return_too', async () => {
    const first = await demo('restart');
    const { page } = await open('/', { from: first });
    await waitForMap(page);
    await first.stop();
    await until(async () => (await status(page)) === 'disconnected', 'the loss');
    assert.match(await text(page, '#status-text'), /disconnected/i);
    assert.ok(await isFilled(page), 'the map stays');
    const second = await demo('restart', first.port);
    try {
        await until(async () => (await status(page)) === 'connected', 'the return');
        const price = await text(page, '#price');
        await until(async () => (await text(page, '#price')) !== price, 'prices move again');
    } finally {
        await second.stop();
    }
});

test('an_empty_database_explains_how_to_import', async () => {
    const empty = await startServer({ database: join(directory, 'empty.duckdb') });
    try {
        const { page, complaints } = await open('/', { from: empty });
        const message = page.locator('#message');
        await until(() => message.isVisible(), 'the message');
        const content = await message.innerText();
        assert.match(content, /BTCUSDT has no data yet/);
        assert.match(content, /heatcast import PATH/);
        assert.ok(await page.locator('#simulated').isHidden());
        await until(async () => (await status(page)) === 'connected', 'a connection');
        assert.deepEqual(complaints, []);
    } finally {
        await empty.stop();
    }
});
