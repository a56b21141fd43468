// The page and its stream below a path of another site, as a proxy's `location /heat/` has it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';

import { scratch } from '../support/process.mjs';
import { serveFor } from '../support/server.mjs';
import { launchChromium } from './chromium.mjs';
import { openPage, status, text, until, waitForMap } from './page.mjs';

const prefix = '/heat/';

// Forwards what is below the prefix without it, and answers 404 to everything else.
async function siteFor(t, port) {
    const foreign = [];
    const forward = (incoming) =>
        request({
            host: '127.0.0.1',
            port,
            method: incoming.method,
            path: `/${incoming.url.slice(prefix.length)}`,
            headers: incoming.headers,
        }).on('error', () => {});
    const site = createServer((incoming, outgoing) => {
        if (!incoming.url.startsWith(prefix)) {
            foreign.push(incoming.url);
            outgoing.writeHead(404).end();
            return;
        }
        const onward = forward(incoming);
        onward.on('response', (response) => {
            outgoing.writeHead(response.statusCode, response.headers);
            response.pipe(outgoing);
        });
        onward.end();
    });
    site.on('upgrade', (incoming, client) => {
        const onward = forward(incoming);
        onward.on('upgrade', (response, server) => {
            const lines = Object.entries(response.headers).map(
                ([name, value]) => `${name}: ${value}`,
            );
            client.write(['HTTP/1.1 101 Switching Protocols', ...lines, '', ''].join('\r\n'));
            server.on('error', () => client.destroy());
            client.on('error', () => server.destroy());
            server.pipe(client).pipe(server);
        });
        onward.end();
    });
    site.listen(0, '127.0.0.1');
    await once(site, 'listening');
    t.after(() => {
        site.closeAllConnections();
        site.close();
    });
    return { url: `http://127.0.0.1:${site.address().port}`, foreign };
}

test('the_page_works_below_a_sub_path', async (t) => {
    const folder = await scratch(t);
    const database = join(folder, 'demo.duckdb');
    const server = await serveFor(t, { database, args: ['--demo', '--ws-update-interval', '1'] });
    const site = await siteFor(t, server.port);
    const browser = await launchChromium();
    t.after(() => browser.close());
    const { page, complaints } = await openPage(browser, site.url, { path: prefix });
    await waitForMap(page);
    await until(async () => (await status(page)) === 'connected', 'a WebSocket');
    await until(async () => /^\d/.test(await text(page, '#created')), 'a snapshot');
    assert.equal(await page.locator('.brand').evaluate((link) => link.pathname), prefix);
    assert.deepEqual(site.foreign, []);
    assert.deepEqual(complaints, []);
});
