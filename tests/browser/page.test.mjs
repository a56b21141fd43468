// The page in a real browser, before the real server with its simulated market.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFolder, removeFolder } from '../support/process.mjs';
import { startProxy } from '../support/proxy.mjs';
import { startServer } from '../support/server.mjs';
import { launchChromium } from './chromium.mjs';
import {
    colors,
    isFilled,
    openPage,
    status,
    text,
    until,
    waitForData,
    waitForMap,
} from './page.mjs';

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
    browser = await launchChromium();
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

async function open(path = '/', { from = server, ...options } = {}) {
    const opened = await openPage(browser, from.url, { path, ...options });
    context = opened.context;
    return opened;
}

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

test('a_cluster_that_is_pointed_at_is_shown_on_the_chart', async () => {
    const { page } = await open();
    await waitForMap(page);
    const row = page.locator('#clusters-below .strongest');
    await row.hover();
    const tooltip = page.locator('#tooltip');
    await until(() => tooltip.isVisible(), 'the crosshair');
    const content = await tooltip.innerText();
    const [low, high] = /([\d,]+) – ([\d,]+)/
        .exec(content)
        .slice(1)
        .map((price) => Number(price.replaceAll(',', '')));
    const price = Number((await row.locator('b').innerText()).replaceAll(',', ''));
    assert.ok(price >= low - 500 && price <= high + 500, `${price} in ${low} – ${high}`);
    assert.match(content, /Now/);
    assert.match(content, /Cumulative\s+\$/);
    // New rows come under the pointer all the time; leaving them still ends it.
    const shown = await text(page, '#price');
    await until(async () => (await text(page, '#price')) !== shown, 'a snapshot');
    await page.mouse.move(5, 5);
    await until(() => tooltip.isHidden(), 'the crosshair gone');
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

test('a_threshold_above_all_of_the_map_leaves_the_strongest_and_reset_takes_it_back', async () => {
    const { page } = await open('/?symbol=BTCUSDT&min=1000000000000&bucket=500');
    await waitForData(page);
    const value = () => text(page, '#threshold-value');
    const before = await value();
    assert.match(before, /^\$[\d.]+[KMB]$/);
    assert.ok((await colors(page)).bright > 200, 'something of the map');
    await page.click('#fit');
    await until(() => !/min=|bucket=/.test(page.url()), 'the address');
    await until(async () => (await value()) !== before, 'the usual threshold');
    assert.equal(await page.locator('#bucket').inputValue(), 'auto');
});

/** The colour of a number, in a look that cannot be mistaken for another's. */
const colorOf = (page, selector) =>
    page.locator(selector).evaluate((element) => getComputedStyle(element).color);

test('choices_can_be_told_apart_in_forced_colours', async () => {
    const { page } = await open();
    await page.emulateMedia({ forcedColors: 'active' });
    await waitForMap(page);
    const looks = await page.locator('#range label span').evaluateAll((spans) =>
        spans.map((span) => {
            const { color, backgroundColor } = getComputedStyle(span);
            return [span.previousElementSibling.checked, `${color} on ${backgroundColor}`];
        }),
    );
    const [chosen] = looks.filter(([isChosen]) => isChosen).map(([, look]) => look);
    for (const [isChosen, look] of looks) assert.equal(look === chosen, isChosen, look);
    // The price's label on its axis: light, on the dark ground of the chart.
    const label = await page.evaluate(() => {
        const axis = document.querySelector('#chart td:last-child canvas');
        const copy = document.createElement('canvas');
        [copy.width, copy.height] = [axis.width, axis.height];
        const context = copy.getContext('2d', { willReadFrequently: true });
        context.drawImage(axis, 0, 0);
        const { data } = context.getImageData(0, 0, copy.width, copy.height);
        let light = 0;
        for (let i = 0; i < data.length; i += 4) light += Math.min(...data.slice(i, i + 3)) > 200;
        return light;
    });
    assert.ok(label > 500, `light pixels of the label: ${label}`);
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
    const wanted = [
        '#symbol',
        '#price',
        '#status',
        '#simulated',
        '#range',
        '#candles',
        '#bucket',
        '#side',
        '#threshold',
        '#palette',
        '#profile',
        '#created',
        '#consumed',
        '#age',
        '#clusters-above .strongest',
        '#clusters-below .strongest',
    ];
    for (const selector of wanted)
        await until(async () => {
            const box = await page.locator(selector).boundingBox();
            return box && box.x >= 0 && box.x + box.width <= 390;
        }, `${selector} in sight`);
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
    const selects = ['symbol', 'range', 'candles', 'bucket', 'side', 'zoom', 'palette'];
    for (const id of [...selects, 'fit', 'threshold', 'chart', 'theme', 'fullscreen']) {
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
    const followed = await colorOf(page, '#total-long');
    await first.stop();
    await until(async () => (await status(page)) === 'disconnected', 'the loss');
    assert.match(await text(page, '#status-text'), /disconnected/i);
    assert.ok(await isFilled(page), 'the map stays');
    assert.notEqual(await colorOf(page, '#total-long'), followed, 'numbers of another look');
    await sleep(4_000); /* past the third attempt, when polling is tried, which fails too */
    assert.match(await text(page, '#status-text'), /disconnected|connecting/i);
    const second = await demo('restart', first.port);
    try {
        await until(async () => (await status(page)) === 'connected', 'the return');
        await until(async () => (await colorOf(page, '#total-long')) === followed, 'their look');
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

test('all_that_is_chosen_stays_in_the_address', async () => {
    const path =
        '/?symbol=ETHUSDT&range=3d&candles=1h&bucket=10&side=long&prices=wide&min=50000' +
        '&palette=viridis&theme=light';
    const { page, complaints } = await open(path);
    const chosen = async () => ({
        symbol: await page.inputValue('#symbol'),
        range: await page.inputValue('#range :checked'),
        candles: await page.inputValue('#candles'),
        bucket: await page.inputValue('#bucket'),
        side: await page.inputValue('#side :checked'),
        prices: await page.inputValue('#zoom :checked'),
        min: await text(page, '#threshold-value'),
        palette: await page.inputValue('#palette'),
        theme: await page.getAttribute('html', 'data-theme'),
    });
    await until(async () => (await text(page, '#caption')).includes('1h'), 'the map');
    assert.deepEqual(await chosen(), {
        symbol: 'ETHUSDT',
        range: '3d',
        candles: '1h',
        bucket: '10',
        side: 'long',
        prices: 'wide',
        min: '$50.0K',
        palette: 'viridis',
        theme: 'light',
    });
    assert.equal(new URL(page.url()).search, path.slice(1));
    await page.selectOption('#candles', '2h');
    await page.selectOption('#palette', 'magma');
    await page.check('#side input[value="short"]');
    await page.check('#zoom input[value="full"]');
    await page.click('#theme');
    await page.dblclick('#threshold');
    await until(async () => (await text(page, '#caption')).includes('2h'), 'other candles');
    const search =
        '?symbol=ETHUSDT&range=3d&candles=2h&bucket=10&side=short&prices=full&palette=magma';
    await until(() => new URL(page.url()).search === search, search);
    const before = await chosen();
    await page.reload();
    await until(async () => (await text(page, '#caption')).includes('2h'), 'the map again');
    assert.deepEqual(await chosen(), before);
    assert.equal(new URL(page.url()).search, search);
    assert.deepEqual(complaints, []);
});

test('an_address_that_makes_no_sense_shows_what_is_usual', async () => {
    const { page, complaints } = await open(
        '/?symbol=NONE&range=9y&candles=x&bucket=500&side=up&prices=all&min=x&palette=no&theme=blue',
    );
    await waitForMap(page);
    assert.equal(new URL(page.url()).search, '?symbol=BTCUSDT&range=7d');
    assert.match(await text(page, '#note'), /^NONE is not served here: this is BTCUSDT\./);
    assert.deepEqual(complaints, []);
    await page.selectOption('#symbol', 'ETHUSDT');
    await until(async () => !(await text(page, '#note')).includes('NONE'), 'no word of it');
});

test('an_address_may_write_a_symbol_as_a_pair_or_in_lower_case', async () => {
    for (const form of ['eth/usdt', 'ETH/USDT:USDT', 'ethusdt']) {
        const { page } = await open(`/?symbol=${encodeURIComponent(form)}`);
        await waitForMap(page);
        assert.match(page.url(), /symbol=ETHUSDT/, form);
        assert.doesNotMatch(await text(page, '#note'), /not served/);
        await page.close();
    }
});

test('light_and_dark_are_both_whole', async () => {
    const { page, complaints } = await open();
    await waitForMap(page);
    const measure = () =>
        page.evaluate(() => {
            const channel = (value) => {
                const part = value / 255;
                return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
            };
            const luminance = (color) => {
                const [r, g, b] = color.match(/[\d.]+/g).map(Number);
                return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
            };
            const backgroundOf = (element) => {
                for (let at = element; at; at = at.parentElement) {
                    const { backgroundColor } = getComputedStyle(at);
                    if (!/, 0\)$|transparent/.test(backgroundColor)) return backgroundColor;
                }
                return 'rgb(255, 255, 255)';
            };
            const texts = [
                '#price',
                '#symbol',
                '#age',
                '#total-long',
                '#total-short',
                '#status-text',
                '.footer .note',
                '.stats dt',
                '#threshold-value',
                '.clusters h3',
                '#fit',
            ];
            return texts.map((selector) => {
                const element = document.querySelector(selector);
                const [a, b] = [getComputedStyle(element).color, backgroundOf(element)]
                    .map(luminance)
                    .sort((x, y) => y - x);
                return { selector, contrast: (a + 0.05) / (b + 0.05), background: b };
            });
        });
    for (const theme of ['dark', 'light']) {
        assert.equal(await page.getAttribute('html', 'data-theme'), theme);
        // A price that has just moved is on its way between two colours.
        await until(async () => {
            const low = (await measure()).filter(({ contrast }) => contrast < 4.5);
            if (low.length > 0) throw new Error(JSON.stringify(low));
            return true;
        }, `${theme}: enough contrast`);
        const isPressed = await page.getAttribute('#theme', 'aria-pressed');
        assert.equal(isPressed, String(theme === 'light'));
        assert.ok(await isFilled(page), `a map on a ${theme} page`);
        const image = await page.locator('#chart').screenshot();
        assert.ok(image.length > 20_000);
        await page.click('#theme');
    }
    assert.deepEqual(complaints, []);
});

test('full_screen_is_one_key_or_click_away', async () => {
    const { page } = await open();
    await waitForMap(page);
    const isFull = () => page.evaluate(() => document.fullscreenElement !== null);
    const isSaid = async (pressed) =>
        (await page.getAttribute('#fullscreen', 'aria-pressed')) === pressed;
    await page.click('#fullscreen');
    await until(async () => (await isFull()) && (await isSaid('true')), 'full screen');
    await page.keyboard.press('f');
    await until(async () => !(await isFull()) && (await isSaid('false')), 'back');
});

test('the_controls_are_what_they_say_to_a_screen_reader', async () => {
    const { page } = await open();
    await waitForMap(page);
    const tree = await page.locator('body').ariaSnapshot();
    const expected = [
        /combobox "Symbol"/,
        /combobox "Candles"/,
        /combobox "Bucket size"/,
        /combobox "Colours"/,
        /group "Range":\n(.*\n)*?.*radio "7d" \[checked\]/,
        /group "Positions shown"/,
        /radio "Both" \[checked\]/,
        /group "Price range shown"/,
        /radio "Near" \[checked\]/,
        /slider "Hide below/,
        /button "Reset view"/,
        /button "Full screen"/,
        /button "Light theme"/,
        /status: Connected/,
        /heading "Liquidation heatmap" \[level=1\]/,
        /group "Candles over the liquidation heatmap/,
        /img "Liquidation volume by price/,
        /complementary "Largest clusters"/,
        /list "Above the price"/,
        /list "Below the price"/,
    ];
    for (const pattern of expected) assert.match(tree, pattern);
});

test('keys_move_and_zoom_the_chart', async () => {
    const { page } = await open('/?candles=30m');
    await waitForMap(page);
    const axis = async () => (await page.locator('#chart').screenshot()).toString('base64');
    await page.focus('#chart');
    const seen = [await axis()];
    for (const key of ['ArrowLeft', '+', 'ArrowRight', '-', 'Home']) {
        await page.keyboard.press(key);
        await until(
            async () => !seen.slice(-1).includes(await axis()),
            `another view after ${key}`,
        );
        seen.push(await axis());
    }
});

test('candles_follow_the_zoom', async () => {
    const { page, complaints } = await open('/?range=7d');
    await waitForMap(page);
    const interval = async () => /BTCUSDT\s+(\w+)/.exec(await text(page, '#caption'))?.[1];
    const first = await interval();
    const box = await page.locator('#chart').boundingBox();
    await page.mouse.move(box.x + box.width * 0.7, box.y + box.height * 0.6);
    const zoomIn = async (steps) => {
        for (let i = 0; i < steps; i += 1) await page.mouse.wheel(0, -240);
    };
    await zoomIn(12);
    await until(async () => (await interval()) !== first, 'finer candles');
    await zoomIn(30);
    await until(async () => (await interval()) === '5m', 'the finest');
    assert.match(await page.locator('#candles').evaluate((e) => e.selectedOptions[0].text), /5m/);
    await page.click('#fit');
    await until(async () => (await interval()) === first, 'as before');
    await page.selectOption('#candles', '1h');
    await until(async () => (await interval()) === '1h', 'chosen ones');
    await page.mouse.move(box.x + box.width * 0.7, box.y + box.height * 0.6);
    await zoomIn(20);
    await sleep(600);
    assert.equal(await interval(), '1h', 'what was chosen stays');
    assert.deepEqual(complaints, []);
});

test('other_buckets_are_shown_and_kept_up_to_date', async () => {
    const { page, complaints } = await open();
    await waitForMap(page);
    const heightAt = async () => {
        const [low, high] = (await text(page, '#tooltip .bucket')).split(' – ');
        return Number(high.replace(',', '')) - Number(low.replace(',', ''));
    };
    const box = await page.locator('#chart').boundingBox();
    const options = await page.locator('#bucket option').allInnerTexts();
    assert.deepEqual(options, ['Auto · $100', '$50', '$100', '$200', '$500', '$1,000']);
    // Sums of the stream's buckets, the same, and finer ones, which the stream does not have.
    for (const bucket of [500, 100, 50]) {
        await page.selectOption('#bucket', String(bucket));
        await until(() => new RegExp(`bucket=${bucket}`).test(page.url()), 'the address');
        await waitForMap(page);
        await page.mouse.move(box.x + box.width * 0.5, box.y + box.height * 0.4 + (bucket % 7));
        await until(async () => (await heightAt()) === bucket, `steps of ${bucket}`);
        const price = await text(page, '#price');
        await until(async () => (await text(page, '#price')) !== price, 'another price');
    }
    assert.deepEqual(complaints, []);
});

test('a_slow_connection_is_told_in_words_until_it_is_dismissed', async () => {
    let toPage;
    const { page } = await open('/', {
        before: (opening) =>
            opening.routeWebSocket('**/ws/heatmap', (socket) => {
                toPage = socket;
                socket.connectToServer();
            }),
    });
    await waitForMap(page);
    const notice = page.locator('#notice');
    assert.ok(await notice.isHidden());
    toPage.send(
        '{"type":"warning","code":"SLOW_CONSUMER","message":"Connection slow - may miss updates","dropped_messages":3}',
    );
    await until(() => notice.isVisible(), 'the notice');
    assert.match(await notice.innerText(), /slow: 3 updates left out/);
    assert.equal(await status(page), 'slow');
    await until(async () => (await status(page)) === 'connected', 'snapshots flow again');
    assert.ok(await notice.isVisible(), 'it can still be read');
    await page.click('#notice-close');
    await until(() => notice.isHidden(), 'dismissed');
});

test('data_keep_coming_where_websockets_are_blocked', async () => {
    const proxy = await startProxy(server.port);
    proxy.blockUpgrades('forbid');
    try {
        const { page } = await open('/', { from: proxy });
        await until(() => isFilled(page), 'the map');
        await until(async () => (await status(page)) === 'polling', 'polling');
        assert.match(await text(page, '#status-text'), /polling/i);
        const price = await text(page, '#price');
        await until(async () => (await text(page, '#price')) !== price, 'another price');
        proxy.heal();
        await until(async () => (await status(page)) === 'connected', 'a WebSocket');
    } finally {
        await proxy.stop();
    }
});

test('the_page_is_light_on_the_wire_and_cached_by_hash', async () => {
    const { page } = await open('/?range=7d', { before: countBytes });
    await waitForMap(page);
    const { shell, data, paths } = page.transferred;
    assert.ok(shell > 30_000 && shell <= 250_000, `page: ${shell} bytes`);
    assert.ok(data > 30_000 && data <= 600_000, `data: ${data} bytes`);
    for (const path of paths.filter((item) => item.startsWith('/assets/'))) {
        assert.match(path, /-[0-9a-f]{16}\.(js|css)$/);
    }
    await page.reload();
    await waitForMap(page);
    const again = page.transferred.shell - shell;
    assert.ok(again < 10_000, `nothing but the frame is asked for again: ${again} bytes`);
});

/** Adds up what comes over the wire, by the browser's own count. */
async function countBytes(page) {
    const devtools = await page.context().newCDPSession(page);
    const pathsById = new Map();
    page.transferred = { shell: 0, data: 0, paths: [] };
    devtools.on('Network.responseReceived', ({ requestId, response }) => {
        const { pathname } = new URL(response.url);
        pathsById.set(requestId, pathname);
        page.transferred.paths.push(pathname);
    });
    devtools.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
        const isData = pathsById.get(requestId)?.startsWith('/api/');
        page.transferred[isData ? 'data' : 'shell'] += encodedDataLength;
    });
    await devtools.send('Network.enable');
}

test('a_snapshot_is_in_the_picture_with_the_next_frame', async () => {
    const { page } = await open('/', {
        before: (opening) =>
            opening.addInitScript(() => {
                // Looks at price and picture when a snapshot comes, and at the end of the frame
                // that follows.
                globalThis.looks = [];
                // The price's label on the axis alone changes with every price.
                const look = () => {
                    let hash = 0;
                    for (const canvas of document.querySelectorAll('#chart canvas')) {
                        const copy = document.createElement('canvas');
                        copy.width = Math.min(canvas.width, 160);
                        copy.height = canvas.height;
                        const context = copy.getContext('2d', { willReadFrequently: true });
                        context.drawImage(canvas, copy.width - canvas.width, 0);
                        const { data } = context.getImageData(0, 0, copy.width, copy.height);
                        for (let i = 0; i < data.length; i += 4) {
                            hash = (hash * 31 + data[i] * 3 + data[i + 1] * 5 + data[i + 2]) | 0;
                        }
                    }
                    return { hash, price: document.querySelector('#price').textContent };
                };
                const Original = WebSocket;
                globalThis.WebSocket = class extends Original {
                    constructor(url) {
                        super(url);
                        this.addEventListener('message', ({ data }) => {
                            if (!globalThis.isWatching || !data.includes('"snapshot"')) return;
                            const before = look();
                            const { current_price } = JSON.parse(data).data;
                            requestAnimationFrame(() => {
                                setTimeout(() => {
                                    globalThis.looks.push({ before, after: look(), current_price });
                                });
                            });
                        });
                    }
                };
            }),
    });
    await waitForMap(page);
    await page.evaluate(() => (globalThis.isWatching = true));
    await until(() => page.evaluate(() => globalThis.looks.length >= 4), 'four snapshots');
    for (const { before, after, current_price } of await page.evaluate(() => globalThis.looks)) {
        assert.equal(Number(after.price.replaceAll(',', '')), Number(current_price.toFixed(1)));
        if (after.price !== before.price) assert.notEqual(after.hash, before.hash, 'the picture');
    }
});
