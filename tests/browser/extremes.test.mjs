// The page before markets of any size and shape: it shows what there is, and says what is missing.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { drawMarket, growing, wave } from '../support/drawn-market.mjs';
import { importMarkets } from '../support/market.mjs';
import { makeFolder, removeFolder } from '../support/process.mjs';
import { startServer } from '../support/server.mjs';
import { launchChromium } from './chromium.mjs';
import { colors, openPage, status, text, until, waitForData } from './page.mjs';

const WEEK = 2016; /* candles */

const markets = [
    drawMarket({ symbol: 'NEWUSDT', candles: 600, price: wave(2500) }),
    drawMarket({ symbol: 'ONEUSDT', candles: 1, price: wave(2500), interest: growing }),
    drawMarket({ symbol: 'SAMEUSDT', candles: 300, price: wave(2500), interest: () => 5e8 }),
    drawMarket({
        symbol: 'GONEUSDT',
        candles: 300,
        price: wave(2500),
        interest: (i) => (i < 50 ? 5e8 : 5e8 - 1e6 * i),
    }),
    drawMarket({ symbol: 'TINYUSDT', candles: 600, price: wave(0.0000043), interest: growing }),
    drawMarket({ symbol: 'HUGEUSDT', candles: 300, price: wave(5_000_000_000), interest: growing }),
    drawMarket({
        symbol: 'FALLUSDT',
        candles: WEEK,
        price: (i) => 77 * (0.00005 / 77) ** ((i + 1) / WEEK),
        interest: growing,
    }),
    drawMarket({
        symbol: 'RISEUSDT',
        candles: WEEK,
        price: (i) => 0.00005 * (77 / 0.00005) ** ((i + 1) / WEEK),
        interest: growing,
    }),
];

/** Four days without candles in the middle. */
const withHole = drawMarket({
    symbol: 'HOLEUSDT',
    candles: 500,
    price: wave(2500),
    interest: growing,
});
for (const row of [...withHole.candles.slice(400), ...withHole.interest.slice(400)])
    row.time += 4 * 86_400_000;
markets.push(
    withHole,
    drawMarket({
        symbol: 'FLATUSDT',
        candles: 300,
        price: () => ({ open: 10, high: 10, low: 10, close: 10 }),
        interest: growing,
        volume: () => 0,
    }),
);

/** A week around 90,000 with something else at one candle in the middle of it. */
const disturbed = (symbol, change) => {
    const around = wave(90_000);
    const price = (i) => {
        const [open, close] = [around(i - 1), around(i)];
        const usual = { open, close, high: Math.max(open, close), low: Math.min(open, close) };
        return i === WEEK / 2 ? { ...usual, ...change } : usual;
    };
    return drawMarket({ symbol, candles: WEEK, price, interest: growing });
};
markets.push(
    drawMarket({
        symbol: 'WRONGUSDT',
        candles: 1200,
        price: wave(100),
        interest: (i) => (i === 600 ? 8e10 : 1e6 + 1000 * i),
    }),
    disturbed('LOWUSDT', { low: 0.01 }),
    disturbed('HIGHUSDT', { high: 900_000 }),
    disturbed('SPIKEUSDT', { high: 900_000, close: 900_000 }),
);

let browser;
let folder;
let server;

before(async () => {
    folder = await makeFolder();
    const database = join(folder, 'extremes.duckdb');
    await importMarkets(folder, database, ...markets);
    const symbols = [...markets.map(({ symbol }) => symbol), 'NONEUSDT'].join();
    // `reference` can lose all positions, and does not veil what was before its data.
    server = await startServer({
        database,
        args: ['--symbols', symbols],
        env: { HEATMAP_MODEL: 'reference' },
    });
    browser = await launchChromium();
});

after(async () => {
    await browser?.close();
    await server?.stop();
    await removeFolder(folder);
});

async function open(t, path, options = {}) {
    const opened = await openPage(browser, server.url, { path, ...options });
    t.after(() => opened.context.close());
    return opened;
}

/** Moves the pointer to a part of the chart's width and height, and reads what the page says. */
async function readTooltip(page, x, y) {
    const box = await page.locator('#chart').boundingBox();
    await page.mouse.move(box.x + box.width * x, box.y + box.height * y);
    await until(() => page.locator('#tooltip').isVisible(), 'the tooltip');
    return text(page, '#tooltip');
}

/** That every number is inside of the window, however wide it is. */
async function assertNothingIsCut(page) {
    const cut = await page.evaluate(() =>
        [...document.querySelectorAll('.topbar *, .toolbar *, .clusters *, .footer *')]
            .filter((element) => element.checkVisibility() && !element.closest('.sr, svg, option'))
            .filter((element) => {
                const { left, right } = element.getBoundingClientRect();
                return left < 0 || right > innerWidth + 1;
            })
            .map((element) => element.outerHTML.slice(0, 200)),
    );
    assert.deepEqual(cut, []);
}

const number = (text) => Number(text.replaceAll(',', ''));

const newest = (name) => markets.find(({ symbol }) => symbol === name).candles.at(-1);

/** What the browser itself says of a refusal, which is answered by asking again. */
const withoutRefusals = (complaints) =>
    complaints.filter((complaint) => !/status of 400/.test(complaint));

/** Once there are candles: whether or not there is anything else. */
async function waitForCandles(page) {
    await waitForData(page);
    await until(async () => (await text(page, '#caption')) !== '', 'a candle');
}

test('a_map_without_open_interest_shows_the_candles_and_says_so', async (t) => {
    const { page, complaints } = await open(t, '/?symbol=NEWUSDT');
    await waitForCandles(page);
    assert.match(await text(page, '#note'), /^No open interest yet/);
    assert.match(await text(page, '#caption'), /NEWUSDT\s+\w+\s+O 2,\d{3}\.\d\d/);
    assert.equal(await text(page, '#total-long'), '$0');
    assert.match(await text(page, '#clusters-above'), /No liquidations waiting/);
    assert.ok(await page.locator('#threshold').isDisabled(), 'there is nothing to hide');
    assert.equal(await text(page, '#ticks'), '');
    const { bright } = await colors(page);
    assert.ok(bright > 2_000, `candles: ${bright} bright pixels`);
    // And with each choice: none may wait for what is not there.
    for (const zoom of ['wide', 'full', 'near']) {
        await page.check(`#zoom input[value="${zoom}"]`);
        const content = await readTooltip(page, 0.5, 0.5);
        assert.match(content, /Long\s+\$0\s+Short\s+\$0/);
        assert.ok((await colors(page)).bright > 500, `candles, ${zoom}`);
    }
    await page.check('#side input[value="long"]');
    await page.selectOption('#palette', 'viridis');
    await page.click('#theme');
    await page.check('#range input[value="48h"]');
    await waitForCandles(page);
    assert.ok(await page.locator('#note').isVisible());
    assert.deepEqual(complaints, []);
});

test('open_interest_that_does_not_change_is_not_told_as_missing', async (t) => {
    const { page, complaints } = await open(t, '/?symbol=SAMEUSDT');
    await waitForCandles(page);
    assert.match(await text(page, '#note'), /^Open interest did not change here/);
    assert.equal(await text(page, '#total-long'), '$0');
    assert.deepEqual(complaints, []);
});

test('a_single_candle_is_a_chart', async (t) => {
    const { page, complaints } = await open(t, '/?symbol=ONEUSDT');
    await waitForCandles(page);
    assert.match(await text(page, '#note'), /^No open interest yet/);
    assert.ok((await colors(page)).bright > 500, 'the candle');
    assert.deepEqual(complaints, []);
});

test('a_map_whose_positions_have_all_gone_says_so', async (t) => {
    const { page, complaints } = await open(t, '/?symbol=GONEUSDT');
    await waitForCandles(page);
    assert.match(await text(page, '#note'), /^No levels: none of the positions/);
    assert.deepEqual(complaints, []);
});

test('the_first_levels_come_with_their_colours', async (t) => {
    let toPage;
    const { page, complaints } = await open(t, '/?symbol=NEWUSDT', {
        before: (opening) =>
            opening.routeWebSocket('**/ws/heatmap', (socket) => {
                toPage = socket;
                socket.connectToServer();
            }),
    });
    await waitForCandles(page);
    assert.ok(await page.locator('#note').isVisible());
    const levels = Array.from({ length: 60 }, (_, i) => ({
        price: 2380 + 4 * i,
        long_density: i < 30 ? 1e6 + 1e5 * i : 0,
        short_density: i < 30 ? 0 : 1e6 + 1e5 * i,
    }));
    const snapshot = {
        type: 'snapshot',
        symbol: 'NEWUSDT',
        timestamp: new Date(newest('NEWUSDT').time + 300_000).toISOString(),
        epoch: Date.now() * 2,
        seq: 1,
        data: {
            levels,
            current_price: 2510,
            positions_created: 60,
            positions_consumed: 0,
            bucket: 2,
        },
    };
    toPage.send(JSON.stringify(snapshot));
    await until(() => page.locator('#note').isHidden(), 'nothing missing');
    assert.equal(await text(page, '#total-short'), '$164M');
    assert.ok(await page.locator('#threshold').isEnabled());
    assert.match(await text(page, '#ticks'), /≥ \$6\.\dM/);
    await until(async () => (await colors(page)).distinct > 60, 'colours of the map');
    assert.deepEqual(complaints, []);
});

test('a_fall_by_six_decades_is_shown_in_the_steps_that_fit', async (t) => {
    const { page, complaints } = await open(t, '/?symbol=FALLUSDT');
    await waitForData(page);
    assert.equal(await text(page, '#price'), '0.00005000');
    const buckets = await page.locator('#bucket option').allInnerTexts();
    assert.deepEqual(buckets, ['Auto · $0.05', '$0.05', '$0.1', '$0.2', '$0.5']);
    assert.equal(await page.inputValue('#bucket'), 'auto');
    assert.match(await text(page, '#note'), /price steps below \$0\.05/);
    assert.match(await readTooltip(page, 0.3, 0.4), /\d\.\d[05] – \d+\.\d[05]/);
    // Snapshots, which come in the server's own steps, are added up.
    await until(async () => /^\d/.test(await text(page, '#created')), 'a snapshot');
    assert.match(await text(page, '#total-short'), /^\$[\d.]+[BM]$/);
    await page.selectOption('#bucket', '0.2');
    await until(() => /bucket=0\.2/.test(page.url()), 'the address');
    await waitForData(page);
    const after = await page.locator('#bucket option').allInnerTexts();
    assert.deepEqual(after, buckets, 'the menu still has what fits');
    assert.ok(await page.locator('#note').isHidden());
    assert.deepEqual(withoutRefusals(complaints), []);
});

test('a_bucket_that_is_too_fine_becomes_the_finest_that_fits', async (t) => {
    const { page, complaints } = await open(t, '/?symbol=FALLUSDT&bucket=0.000001');
    await waitForData(page);
    assert.equal(await page.inputValue('#bucket'), '0.05');
    assert.match(page.url(), /bucket=0\.05/);
    assert.deepEqual(withoutRefusals(complaints), []);
});

test('an_address_with_garbage_for_numbers_shows_the_usual_map', async (t) => {
    for (const garbage of [
        '1e-30',
        '1e300',
        'Infinity',
        '-5',
        '0',
        'NaN',
        '5%00',
        '%F0%9F%92%A9',
    ]) {
        const { page, complaints } = await open(
            t,
            `/?symbol=TINYUSDT&bucket=${garbage}&min=${garbage}`,
        );
        await waitForData(page);
        assert.equal(await page.inputValue('#bucket'), 'auto', garbage);
        assert.ok(await page.locator('#message').isHidden(), garbage);
        assert.equal(new URL(page.url()).search, '?symbol=TINYUSDT&range=7d', garbage);
        assert.deepEqual(complaints, []);
        await page.context().close();
    }
});

test('the_finest_bucket_is_written_without_an_exponent', async (t) => {
    const asked = [];
    const { page, complaints } = await open(t, '/?symbol=tinyusdt&bucket=5e-8', {
        before: (opening) => opening.on('request', (request) => asked.push(request.url())),
    });
    await waitForData(page);
    assert.equal(await page.inputValue('#bucket'), '0.00000005');
    assert.match(page.url(), /symbol=TINYUSDT&range=7d&bucket=0\.00000005$/);
    assert.ok(asked.some((url) => /grid\?.*bucket=0\.00000005$/.test(url)));
    assert.deepEqual(complaints, []);
});

/** Prices near the upper and the lower edge of the chart. */
async function readEdges(page) {
    const lowOf = async (y) => {
        const tooltip = await readTooltip(page, 0.2, y);
        return number(/([\d.,−-]+) – /.exec(tooltip)[1].replace('−', '-'));
    };
    return { top: await lowOf(0.02), bottom: await lowOf(0.92) };
}

for (const symbol of ['LOWUSDT', 'HIGHUSDT', 'SPIKEUSDT']) {
    test(`one_candle_does_not_flatten_the_others: ${symbol}`, async (t) => {
        const { page, complaints } = await open(t, `/?symbol=${symbol}`);
        await waitForData(page);
        // The others are between 86,500 and 93,500.
        for (const candles of ['5m', '1h', 'auto']) {
            await page.selectOption('#candles', candles);
            await waitForCandles(page);
            await until(async () => {
                const { top, bottom } = await readEdges(page);
                const isInside = bottom < 87_000 && top > 93_000;
                return isInside && top - bottom < 50_000;
            }, `${candles} candles of some height`);
        }
        // All of it can be seen, and the pointer tells of it in any case.
        await page.check('#zoom input[value="full"]');
        await until(async () => {
            const { top, bottom } = await readEdges(page);
            return symbol === 'LOWUSDT' ? bottom < 100 : top > 850_000;
        }, 'the whole');
        assert.deepEqual(withoutRefusals(complaints), []);
    });
}

test('no_price_below_zero_is_shown_without_need', async (t) => {
    const { page } = await open(t, '/?symbol=FALLUSDT&prices=wide');
    await waitForData(page);
    const { top, bottom } = await readEdges(page);
    assert.ok(top > 80 && bottom > -0.2 * top, `${bottom} to ${top}`);
});

test('one_wrong_value_of_open_interest_leaves_the_map_its_colours', async (t) => {
    const { page, complaints } = await open(t, '/?symbol=WRONGUSDT');
    await waitForData(page);
    await until(async () => (await colors(page)).distinct > 150, 'a map of many colours');
    // The usual levels are thousands of dollars; those of one candle were billions.
    assert.match(await text(page, '#ticks'), /≥ \$[\d.]+K/);
    assert.deepEqual(complaints, []);
});

/** A page whose stream the test adds to: `send(i, price)` is candle i, counted from the newest. */
async function openStream(t, symbol, query) {
    let toPage;
    const opened = await open(t, `/?symbol=${symbol}&${query}`, {
        before: (opening) =>
            opening.routeWebSocket('**/ws/heatmap', (socket) => {
                toPage = socket;
                socket.connectToServer();
            }),
    });
    await waitForCandles(opened.page);
    const epoch = Date.now() * 2;
    let seq = 0;
    const send = (i, price) =>
        toPage.send(
            JSON.stringify({
                type: 'snapshot',
                symbol,
                timestamp: new Date(newest(symbol).time + i * 300_000).toISOString(),
                epoch,
                seq: ++seq,
                data: {
                    levels: [],
                    current_price: price,
                    positions_created: 0,
                    positions_consumed: 0,
                },
            }),
        );
    return { ...opened, send };
}

test('the_change_is_that_of_the_range_however_long_the_page_is_open', async (t) => {
    const { page, send } = await openStream(t, 'HIGHUSDT', 'range=48h&candles=5m');
    const { candles } = markets.find(({ symbol }) => symbol === 'HIGHUSDT');
    const change = () => text(page, '#change');
    const expected = (i, price) => {
        const open = Number(candles[candles.length - 1 - 576 + i].open) / 1e8;
        return `${Math.abs((price / open - 1) * 100).toFixed(2)}% in 48 hours`;
    };
    const close = Number(newest('HIGHUSDT').close) / 1e8;
    const isTold = (i, price) => async () => (await change()).endsWith(expected(i, price));
    await until(isTold(0, close), 'the change at first');
    for (let i = 1; i <= 30; i += 1) send(i, 91_000);
    assert.notEqual(expected(0, 91_000), expected(30, 91_000));
    await until(isTold(30, 91_000), `${expected(30, 91_000)} after 30 candles`);
});

test('a_candle_that_ends_within_a_coarse_column_gets_its_wicks', async (t) => {
    const { page, send } = await openStream(t, 'HOLEUSDT', 'range=14d&candles=1h');
    const { time } = newest('HOLEUSDT');
    assert.ok(time % 3_600_000 < 3_000_000, 'the next candle is one of the same hour');
    await page.route('**/api/v1/candles/**', async (route) => {
        const answer = await (await route.fetch()).json();
        Object.assign(answer.data.at(-1), { high: 2999.99 });
        await route.fulfill({ json: answer });
    });
    send(1, 2500);
    await until(async () => /H 2,999\.99/.test(await text(page, '#caption')), 'the wick');
});

test('left_of_the_first_candle_nothing_is_told', async (t) => {
    const { page } = await open(t, '/?symbol=FLATUSDT');
    await waitForCandles(page);
    await readTooltip(page, 0.5, 0.5);
    await page.locator('#chart').focus();
    for (let i = 0; i < 6; i += 1) await page.keyboard.press('ArrowLeft');
    const box = await page.locator('#chart').boundingBox();
    await page.mouse.move(box.x + 20, box.y + box.height / 2);
    await until(() => page.locator('#tooltip').isHidden(), 'no tooltip');
});

test('a_symbol_is_asked_for_by_its_name_whatever_its_letters', async (t) => {
    const names = ['币安人生USDT', 'BTC/USDT', 'A&B=C?D#100%'];
    const asked = new Set();
    const subscribed = new Set();
    const time = new Date(newest('NEWUSDT').time).toISOString();
    const list = names.map((symbol) => ({ symbol, newest: time, bucket: 1, live: false }));
    const { page, complaints } = await open(t, `/?symbol=${encodeURIComponent(names[1])}`, {
        before: async (opening) => {
            await opening.route('**/api/v1/symbols', (route) =>
                route.fulfill({ json: { symbols: list, simulated: false, version: '1' } }),
            );
            // Another symbol's data stand for theirs.
            await opening.route(/\/api\/v1\/(heatmap|candles)\//, async (route) => {
                const url = new URL(route.request().url());
                const parts = url.pathname.split('/');
                asked.add(`${parts[3]} ${decodeURIComponent(parts[4])}`);
                parts[4] = 'NEWUSDT';
                url.pathname = parts.join('/');
                await route.fulfill({ response: await route.fetch({ url: url.href }) });
            });
            await opening.routeWebSocket('**/ws/heatmap', (socket) => {
                socket.onMessage((message) => {
                    for (const name of JSON.parse(message).symbols ?? []) subscribed.add(name);
                });
            });
        },
    });
    const isShown = async (name) =>
        (await text(page, '#caption')).startsWith(name) && (await page.title()).includes(name);
    await until(() => isShown(names[1]), names[1]);
    for (const name of [names[0], names[2]]) {
        await page.selectOption('#symbol', name);
        await until(() => isShown(name), name);
        await page.reload();
        await until(() => isShown(name), `${name} again`);
        assert.equal(await page.inputValue('#symbol'), name);
    }
    for (const name of names) {
        assert.ok(asked.has(`heatmap ${name}`) && asked.has(`candles ${name}`), [...asked].join());
        assert.ok(subscribed.has(name), [...subscribed].join());
    }
    assert.deepEqual(complaints, []);
});

test('an_answer_that_is_damaged_is_a_failure_that_is_told', async (t) => {
    const { page, complaints } = await open(t, '/?symbol=NEWUSDT', {
        before: (opening) =>
            opening.route('**/grid?*', async (route) => {
                const response = await route.fetch();
                const json = await response.json();
                json.times = json.times.map((time) => time * 1e9);
                await route.fulfill({ response, json });
            }),
    });
    await until(() => page.locator('#message').isVisible(), 'the message');
    assert.match(await text(page, '#message'), /cannot be shown\s+.*damaged/);
    await page.unroute('**/grid?*');
    await page.click('#retry');
    await waitForCandles(page);
    assert.deepEqual(complaints, []);
});

/** The colour of the dot beside the status. */
const dotColor = (page) =>
    page.locator('#status i').evaluate((dot) => getComputedStyle(dot).backgroundColor);

test('data_that_are_months_old_are_not_as_good_as_a_connection', async (t) => {
    for (const width of [1440, 390]) {
        const { page, complaints } = await open(t, '/?symbol=TINYUSDT', { width });
        await waitForData(page);
        await until(async () => (await status(page)) === 'connected', 'a connection');
        await until(
            async () => (await text(page, '#status-text')) === 'Connected, old data',
            'the age of the data',
        );
        assert.match(await page.getAttribute('#status', 'title'), /no newer candle .* ago$/);
        assert.match(await text(page, '#age'), /Newest candle 3 Dec 2025 .*old data: .* ago$/);
        const [red, green, blue] = (await dotColor(page)).match(/\d+/g).map(Number);
        assert.ok(red > green && green > blue, `amber rather than green: ${[red, green, blue]}`);
        await assertNothingIsCut(page);
        assert.deepEqual(complaints, []);
    }
});

test('data_of_the_last_minutes_are_by_the_clock_of_the_server', async (t) => {
    const { time } = newest('NEWUSDT');
    let serverTime = time + 60_000;
    const { page } = await open(t, '/?symbol=NEWUSDT', {
        before: async (opening) => {
            await opening.clock.install({ time: time - 40 * 86_400_000 });
            await opening.routeWebSocket('**/ws/heatmap', (socket) => {
                const server = socket.connectToServer();
                server.onMessage((text) => {
                    const message = JSON.parse(text);
                    const timestamp = new Date(serverTime).toISOString();
                    const isPong = message.type === 'pong';
                    socket.send(isPong ? JSON.stringify({ ...message, timestamp }) : text);
                });
            });
        },
    });
    await waitForCandles(page);
    await until(async () => (await text(page, '#status-text')) === 'Connected', 'a connection');
    await until(async () => /UTC, just now$/.test(await text(page, '#age')), 'its age');
    serverTime += 20 * 60_000;
    await page.clock.fastForward(31_000); /* until the next ping */
    await until(
        async () => (await text(page, '#status-text')) === 'Connected, old data',
        'the age of the data',
    );
});

test('positions_of_one_side_alone_are_told_from_none', async (t) => {
    const { page, complaints } = await open(t, '/?symbol=RISEUSDT&side=short');
    await waitForCandles(page);
    assert.match(await text(page, '#note'), /^No short position/);
    assert.ok(await page.locator('#threshold').isDisabled());
    await page.check('#side input[value="long"]');
    await until(() => page.locator('#note').isHidden(), 'nothing missing');
    assert.ok(await page.locator('#threshold').isEnabled());
    assert.deepEqual(complaints, []);
});

test('prices_that_never_move_have_a_chart_and_levels', async (t) => {
    const { page, complaints } = await open(t, '/?symbol=FLATUSDT');
    await waitForCandles(page);
    assert.equal(await text(page, '#price'), '10.0000');
    assert.match(await text(page, '#caption'), /O 10\.0000\s+H 10\.0000\s+L 10\.0000/);
    const { top, bottom } = await readEdges(page);
    assert.ok(bottom > 8 && bottom < 9.99 && top > 10.01 && top < 12, `${bottom} to ${top}`);
    assert.ok(await page.locator('#clusters-below li:not(.none)').first().isVisible());
    assert.deepEqual(complaints, []);
});

test('holes_of_days_are_left_out', async (t) => {
    const { page, complaints } = await open(t, '/?symbol=HOLEUSDT&candles=5m');
    await waitForCandles(page);
    const days = new Set();
    for (let x = 0.02; x < 0.93; x += 0.03)
        days.add(/\d+ \w+/.exec(await readTooltip(page, x, 0.5))[0]);
    assert.deepEqual([...days], ['1 Dec', '2 Dec', '6 Dec']);
    assert.deepEqual(complaints, []);
});

test('a_symbol_without_a_candle_says_so', async (t) => {
    const { page, complaints } = await open(t, '/?symbol=NONEUSDT');
    await until(() => page.locator('#message').isVisible(), 'the message');
    assert.match(await text(page, '#message'), /NONEUSDT has no data yet/);
    assert.ok(await page.locator('#note').isHidden());
    assert.deepEqual(complaints, []);
});

test('prices_far_below_one_have_all_their_decimals', async (t) => {
    const { page, complaints } = await open(t, '/?symbol=TINYUSDT');
    await waitForData(page);
    assert.match(await text(page, '#price'), /^0\.000004\d\d$/);
    assert.match(await page.title(), /^0\.000004\d\d /);
    assert.match(await text(page, '#caption'), /O 0\.000004\d\d\s+H 0\.000004\d\d/);
    const buckets = await page.locator('#bucket option').allInnerTexts();
    assert.deepEqual(buckets, [
        'Auto · $0.00000001',
        '$0.00000001',
        '$0.00000002',
        '$0.00000005',
        '$0.0000001',
    ]);
    const clusters = await page.locator('.clusters li:not(.none) b').allInnerTexts();
    assert.ok(clusters.length >= 4, clusters.join());
    for (const price of clusters) assert.match(price, /^0\.00000[3-5]\d\d$/);
    const tooltip = await readTooltip(page, 0.5, 0.4);
    const [, low, high] = /(0\.0+\d+) – (0\.0+\d+)/.exec(tooltip);
    assert.ok(Math.abs(number(high) - number(low) - 1e-8) < 1e-12, tooltip);
    assert.deepEqual(complaints, []);
});

test('prices_of_billions_have_separators_and_no_needless_decimals', async (t) => {
    const { page, complaints } = await open(t, '/?symbol=HUGEUSDT');
    await waitForData(page);
    assert.match(await text(page, '#price'), /^\d,\d{3},\d{3},\d{3}\.\d$/);
    const buckets = await page.locator('#bucket option').allInnerTexts();
    assert.equal(buckets[0], 'Auto · $5,000,000');
    assert.match(await readTooltip(page, 0.5, 0.4), /\d,\d{3},000,000 – \d,\d{3},000,000/);
    assert.deepEqual(complaints, []);
});

test('long_prices_fit_into_windows_of_any_width', async (t) => {
    for (const symbol of ['TINYUSDT', 'HUGEUSDT'])
        for (const width of [1440, 1000, 390]) {
            const { page } = await open(t, `/?symbol=${symbol}`, { width });
            await waitForData(page);
            await assertNothingIsCut(page);
        }
});

test('a_price_a_million_times_higher_than_before_leaves_none_at_0', async (t) => {
    const { page, complaints } = await open(t, '/?symbol=RISEUSDT&candles=30m');
    await waitForData(page);
    assert.equal(await text(page, '#price'), '77.0000');
    assert.equal(await text(page, '#change'), '+154M% in 7 days');
    await readTooltip(page, 0.01, 0.9);
    await until(async () => {
        const caption = await text(page, '#caption');
        return /O 0\.0000\d+\s+H 0\.0000\d+/.test(caption) && !/ 0\.0+\s/.test(caption);
    }, 'the first candles');
    assert.deepEqual(complaints, []);
});
