// The picture against known data: a market that an independent model has gone through as well.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { importMarkets, makeMarket } from '../support/market.mjs';
import { makeSeries, replay } from '../support/model.mjs';
import { makeFolder, removeFolder } from '../support/process.mjs';
import { startServer } from '../support/server.mjs';
import { importTypeScript } from './bundle.mjs';
import { launchChromium } from './chromium.mjs';
import { openPage, text, until, waitForData } from './page.mjs';

const { Grid } = await importTypeScript('web/src/grid.ts');
const { colorRange } = await importTypeScript('web/src/heat-image.ts');
const { lookupTable } = await importTypeScript('web/src/palette.ts');
const { findClusters } = await importTypeScript('web/src/clusters.ts');
const { formatUsd } = await importTypeScript('web/src/format.ts');

const BUCKET = 100;
const THRESHOLD = 2_000_000; /* hides little of this market */
const BACKGROUND = { dark: [13, 10, 26], light: [255, 255, 255] };

const market = makeMarket({ candles: 300, seed: 7 });
const moments = replay(
    market.symbol,
    makeSeries(market, { start: market.candles[0].time, end: market.candles.at(-1).time }),
);
const ranges = new Map(market.candles.map(({ time, low, high }) => [time, { low, high }]));
const seconds = (timestamp) => Date.parse(timestamp) / 1000;

let browser;
let folder;
let server;

before(async () => {
    folder = await makeFolder();
    const database = join(folder, 'market.duckdb');
    await importMarkets(folder, database, market);
    // What a book of `reference` lacks is not told, so that all columns show what they hold.
    server = await startServer({ database, env: { HEATMAP_MODEL: 'reference' } });
    browser = await launchChromium();
});

after(async () => {
    await browser?.close();
    await server?.stop();
    await removeFolder(folder);
});

/** What waits in a bucket after a candle. */
function expectedAt(time, price) {
    const moment = moments.find(({ timestamp }) => seconds(timestamp) === time);
    const level = moment.levels.find((candidate) => candidate.price === price);
    return { long: level?.long_density ?? 0, short: level?.short_density ?? 0 };
}

/** Whether something else is drawn there: a candle and the veil around it, or the price's line. */
function isCovered(time, price) {
    const candle = ranges.get(time * 1000);
    const close = moments.at(-1).current_price;
    const room = 2 * BUCKET;
    return (
        (price + BUCKET + room > Number(candle.low) / 1e8 &&
            price - room < Number(candle.high) / 1e8) ||
        Math.abs(price + BUCKET / 2 - close) < room
    );
}

async function open(t, path) {
    const opened = await openPage(browser, server.url, { path });
    t.after(() => opened.context.close());
    await waitForData(opened.page);
    return opened.page;
}

async function readTooltip(page) {
    const content = await text(page, '#tooltip');
    const [, when, low] = /(\d+ \w+ \d{4} \d\d:\d\d)\n([\d,]+) – /.exec(content);
    const usd = (name) => new RegExp(`${name}\\s+(?:≤ )?(\\S+)`).exec(content)?.[1];
    return {
        time: Date.parse(`${when} UTC`) / 1000,
        price: Number(low.replaceAll(',', '')),
        long: usd('Long'),
        short: usd('Short'),
        distance: usd('From price'),
    };
}

const STEPS = { '': 1, K: 1e3, M: 1e6, B: 1e9 };
function parseUsd(text) {
    if (text === '<$1') return 0.5;
    const [, number, unit] = /^\$([\d.]+)([KMB]?)$/.exec(text);
    return Number(number) * STEPS[unit];
}

/** Points spread over the chart without two on one line, and what the page says of each. */
async function sample(page, count) {
    const box = await page.locator('#chart').boundingBox();
    const points = [];
    for (let i = 0; points.length < count; i += 1) {
        const x = Math.round(box.x + 20 + ((i * 0.618034) % 1) * (box.width - 180));
        const y = Math.round(box.y + 50 + ((i * 0.754878) % 1) * (box.height - 120));
        await page.mouse.move(x, y);
        const told = await readTooltip(page).catch(() => null);
        if (told && !Number.isNaN(told.time) && ranges.has(told.time * 1000))
            points.push({ x, y, ...told });
    }
    await page.mouse.move(5, 5);
    await until(() => page.locator('#tooltip').isHidden(), 'the crosshair gone');
    return points;
}

/** The least-squares line through points. */
function fit(points, input, output) {
    const mean = (of) => points.reduce((sum, point) => sum + of(point), 0) / points.length;
    const [mx, my] = [mean(input), mean(output)];
    const slope =
        mean((p) => (input(p) - mx) * (output(p) - my)) / mean((p) => (input(p) - mx) ** 2);
    return (value) => my + slope * (value - mx);
}

/** Where cells are on the page, by what the crosshair says at points all over the chart. */
async function calibrate(page) {
    const points = await sample(page, 40);
    const xOf = fit(
        points,
        ({ time }) => time,
        ({ x }) => x,
    );
    const yOf = fit(
        points,
        ({ price }) => price,
        ({ y }) => y,
    );
    const box = await page.locator('#chart').boundingBox();
    return {
        at: ({ time, price }) => ({ x: Math.round(xOf(time)), y: Math.round(yOf(price)) }),
        isInSight: ({ x, y }) =>
            x > box.x + 8 &&
            x < box.x + box.width - 150 &&
            y > box.y + 50 &&
            y < box.y + box.height - 60,
    };
}

/** Cells that hold something and cells that hold nothing, none of them covered. */
function pickCells({ at, isInSight }, holds, count) {
    const cells = { full: [], empty: [] };
    const prices = [...new Set(moments.flatMap(({ levels }) => levels.map(({ price }) => price)))];
    for (
        let i = 0;
        i < 200_000 && (cells.full.length < count || cells.empty.length < count);
        i += 1
    ) {
        const time = seconds(moments[Math.floor(((i * 0.618034) % 1) * moments.length)].timestamp);
        const price = prices[Math.floor(((i * 0.754878) % 1) * prices.length)];
        const cell = { time, price, ...at({ time, price }) };
        if (isCovered(time, price) || !isInSight(cell)) continue;
        const kind = cells[holds(expectedAt(time, price)) ? 'full' : 'empty'];
        if (kind.length < count) kind.push(cell);
    }
    assert.ok(cells.full.length === count && cells.empty.length === count, 'enough to look at');
    return [...cells.full, ...cells.empty];
}

/** Reads pixels of a screenshot, in a page of its own. */
async function readPixels(page, points) {
    const image = (await page.screenshot()).toString('base64');
    const reader = await page.context().newPage();
    const pixels = await reader.evaluate(
        async ({ source, at }) => {
            const bytes = Uint8Array.from(atob(source), (letter) => letter.charCodeAt(0));
            const bitmap = await createImageBitmap(new Blob([bytes]));
            const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
            const context = canvas.getContext('2d');
            context.drawImage(bitmap, 0, 0);
            return at.map(({ x, y }) => [...context.getImageData(x, y, 1, 1).data].slice(0, 3));
        },
        { source: image, at: points.map(({ x, y }) => ({ x, y })) },
    );
    await reader.close();
    return pixels;
}

/** Gives the colour that the map must have for a density. */
async function colorsOf(side, palette, theme) {
    const response = await fetch(`${server.url}/api/v1/heatmap/BTCUSDT/grid?window=48h`);
    const grid = Grid.decode(await response.json());
    const { high } = colorRange(grid, side);
    const table = lookupTable(palette, theme, grid.byteOf(THRESHOLD), high);
    const channels = new Uint8Array(table.buffer);
    return (density) => {
        const at = grid.byteOf(density) * 4;
        const alpha = channels[at + 3] / 255;
        return BACKGROUND[theme].map((below, i) => channels[at + i] * alpha + below * (1 - alpha));
    };
}

const difference = (a, b) => Math.max(...a.map((value, i) => Math.abs(value - b[i])));

test('the_crosshair_tells_what_the_model_says', async (t) => {
    const page = await open(t, '/?range=48h&candles=5m&prices=wide');
    const cells = pickCells(await calibrate(page), ({ long, short }) => long + short > 0, 25);
    let missed = 0;
    for (const { x, y, time, price } of cells) {
        await page.mouse.move(x, y);
        const told = await readTooltip(page);
        if (told.time !== time || told.price !== price) {
            missed += 1; /* a pixel off the cell that was aimed at */
            continue;
        }
        const expected = expectedAt(time, price);
        for (const side of ['long', 'short']) {
            const where = `${side} at ${price}, ${new Date(time * 1000).toISOString()}`;
            // A byte is within 2.3 %, the text within another 5 of the last digit.
            const [value, wanted] = [parseUsd(told[side]), expected[side]];
            const isRight = wanted === 0 ? value === 0 : Math.abs(value / wanted - 1) < 0.08;
            assert.ok(isRight, `${where}: ${told[side]}, ${wanted}`);
        }
        // From the price at that time, not from today's.
        const close = moments.find(({ timestamp }) => seconds(timestamp) === time).current_price;
        const distance = Number(told.distance.replace('−', '-').replace('%', ''));
        assert.ok(Math.abs(distance - ((price + BUCKET / 2) / close - 1) * 100) < 0.006);
    }
    assert.ok(missed <= 5, `cells that were missed: ${missed}`);
});

for (const [side, palette, theme] of [
    ['both', 'heat', 'dark'],
    ['long', 'viridis', 'dark'],
    ['short', 'inferno', 'light'],
]) {
    test(`pixels_are_the_colours_of_the_data: ${side}, ${palette}, ${theme}`, async (t) => {
        const page = await open(
            t,
            `/?range=48h&candles=5m&prices=wide&min=${THRESHOLD}` +
                `&side=${side}&palette=${palette}&theme=${theme}`,
        );
        const densityOf = ({ long, short }) =>
            (side === 'short' ? 0 : long) + (side === 'long' ? 0 : short);
        const isShown = (cell) => densityOf(cell) > THRESHOLD * 1.1;
        const cells = pickCells(await calibrate(page), isShown, 40);
        const colorOf = await colorsOf(side, palette, theme);
        const pixels = await readPixels(page, cells);
        const wrong = cells.filter(({ time, price }, i) => {
            const density = densityOf(expectedAt(time, price));
            // A step of the scale on either side; on nothing, also a line of the chart's own grid.
            const fitting = [0.955, 1, 1.047].map((part) => colorOf(density * part));
            return Math.min(...fitting.map((color) => difference(color, pixels[i]))) > 14;
        });
        // Columns are three pixels wide: some of those looked at are half of a neighbour.
        assert.ok(wrong.length <= cells.length * 0.08, JSON.stringify(wrong));
    });
}

test('a_consumed_level_ends_where_price_took_it', async (t) => {
    const page = await open(t, `/?range=48h&candles=5m&prices=wide&min=${THRESHOLD}`);
    const { at, isInSight } = await calibrate(page);
    // Buckets that held much for a while, and then, when a candle came, nothing for a while.
    const ends = [];
    for (let i = 6; i < moments.length - 6; i += 1) {
        for (const { price } of moments[i].levels) {
            const volume = (index) => {
                const { long, short } = expectedAt(seconds(moments[index].timestamp), price);
                return long + short;
            };
            const around = [-5, -4, -3, -2, -1, 0].every((k) => volume(i + k) > 3 * THRESHOLD);
            const gone = [1, 2, 3, 4, 5].every((k) => volume(i + k) === 0);
            if (!around || !gone) continue;
            const sides = [i - 4, i + 4].map((index) => {
                const time = seconds(moments[index].timestamp);
                return { time, price, ...at({ time, price }) };
            });
            const isClear = sides.every((cell) => isInSight(cell) && !isCovered(cell.time, price));
            if (isClear) ends.push(sides);
        }
    }
    assert.ok(ends.length >= 3, `levels that were taken: ${ends.length}`);
    const isEmpty = (pixel) => difference(pixel, BACKGROUND.dark) <= 14;
    const before = await readPixels(
        page,
        ends.map(([left]) => left),
    );
    const after = await readPixels(
        page,
        ends.map(([, right]) => right),
    );
    assert.ok(before.filter(isEmpty).length <= ends.length * 0.1, 'coloured before');
    assert.ok(after.filter(isEmpty).length >= ends.length * 0.9, 'empty after');
});

test('sums_and_clusters_are_those_of_the_newest_snapshot', async (t) => {
    const page = await open(t, '/?range=48h');
    await until(async () => (await text(page, '#created')) !== '–', 'the snapshot');
    const newest = moments.at(-1);
    const sum = (side) => newest.levels.reduce((total, level) => total + level[side], 0);
    assert.equal(await text(page, '#total-long'), formatUsd(sum('long_density')));
    assert.equal(await text(page, '#total-short'), formatUsd(sum('short_density')));
    assert.equal(await text(page, '#created'), String(newest.positions_created));
    assert.equal(await text(page, '#consumed'), String(newest.positions_consumed));
    const { above, below } = findClusters(newest.levels, BUCKET, newest.current_price, 1);
    for (const [id, [cluster]] of [
        ['above', above],
        ['below', below],
    ]) {
        const row = await text(page, `#clusters-${id} .strongest`);
        assert.ok(row.includes(formatUsd(cluster.volume)), `${row}: ${cluster.volume}`);
        const percent = (Math.abs(cluster.distance) * 100).toFixed(1);
        assert.ok(row.includes(`${percent}%`), `${row}: ${percent}`);
    }
});

test('a_part_that_is_looked_at_closely_comes_in_finer_columns', async (t) => {
    const long = await startServer({
        database: join(folder, 'long.duckdb'),
        args: ['--symbols', 'BTCUSDT'],
    });
    t.after(() => long.stop());
    const month = makeMarket({ candles: 20 * 288, seed: 3 });
    await importMarkets(folder, join(folder, 'long.duckdb'), month);
    const asked = [];
    const opened = await openPage(browser, long.url, {
        path: '/?range=30d',
        before: (page) => page.on('request', (request) => asked.push(request.url())),
    });
    t.after(() => opened.context.close());
    const { page } = opened;
    await waitForData(page);
    const box = await page.locator('#chart').boundingBox();
    const [x, y] = [box.x + box.width * 0.5, box.y + box.height * 0.3];
    const minutes = new Set();
    const look = async () => {
        for (let i = -40; i < 40; i += 2) {
            await page.mouse.move(x + i * 3, y);
            const told = await readTooltip(page).catch(() => null);
            if (told) minutes.add((told.time / 60) % 60);
        }
        return minutes;
    };
    assert.ok(
        [...(await look())].every((minute) => minute % 15 === 0),
        'coarse at first',
    );
    await page.mouse.move(x, y);
    for (let i = 0; i < 40; i += 1) await page.mouse.wheel(0, -200);
    await until(() => asked.some((url) => url.includes('shown_start=')), 'the part');
    await until(async () => [...(await look())].some((minute) => minute % 15 !== 0), 'finer times');
    assert.deepEqual(opened.complaints, []);
});
