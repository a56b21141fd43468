// The page in a browser, as its tests open it.
import { eventually } from '../support/process.mjs';

export const until = (isTrue, what) => eventually(what, isTrue, { everyMs: 100 });

/** A page of `url`, and what it complained of or asked of other hosts. `before` may prepare it. */
export async function openPage(
    browser,
    url,
    { path = '/', width = 1440, height = 900, before } = {},
) {
    const context = await browser.newContext({ viewport: { width, height } });
    const page = await context.newPage();
    const complaints = [];
    page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => {
        const { protocol, host } = new URL(request.url());
        const isOwn = host === new URL(url).host || ['data:', 'blob:'].includes(protocol);
        if (!isOwn) complaints.push(`asked for ${request.url()}`);
    });
    await before?.(page);
    await page.goto(url + path);
    return { context, page, complaints };
}

export const status = (page) => page.locator('#status').getAttribute('data-status');
export const text = (page, selector) => page.locator(selector).innerText();

/** How many different colours the chart shows, and how many pixels are brightly coloured. */
export const colors = (page) =>
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

export const isFilled = async (page) => {
    const { distinct, bright } = await colors(page);
    return distinct > 150 && bright > 5_000;
};

export async function waitForMap(page) {
    await until(() => isFilled(page), 'a map of many colours');
    await until(async () => (await status(page)) === 'connected', 'a connection');
}

/** Once the loading has ended, with whatever it brought. */
export const waitForData = (page) =>
    until(
        async () =>
            (await page.locator('#loading').isHidden()) && (await text(page, '#price')) !== '–',
        'data',
    );
