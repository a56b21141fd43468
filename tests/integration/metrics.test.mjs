// GET /metrics: the format, word for word, and that the figures say what has happened.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { connectFor, refusal } from '../support/client.mjs';
import { parseExposition } from '../support/exposition.mjs';
import { get } from '../support/http.mjs';
import { candleMs, cutMarket, importMarkets, makeMarket } from '../support/market.mjs';
import { eventually, scratch } from '../support/process.mjs';
import { serveFor } from '../support/server.mjs';

const families = {
    ws_active_connections: 'gauge',
    ws_messages_sent_total: 'counter',
    ws_slow_consumers_total: 'counter',
    ws_broadcast_duration_seconds: 'summary',
    heatcast_connections: 'gauge',
    heatcast_slow_connections: 'gauge',
    heatcast_connections_accepted_total: 'counter',
    heatcast_connections_refused_total: 'counter',
    heatcast_disconnects_total: 'counter',
    heatcast_messages_dropped_total: 'counter',
    heatcast_bytes_sent_total: 'counter',
    heatcast_liquidations_dropped_total: 'counter',
    heatcast_liquidations_sent_total: 'counter',
    heatcast_delivery_seconds: 'histogram',
    heatcast_data_age_seconds: 'gauge',
    heatcast_symbol_has_data: 'gauge',
    heatcast_database_up: 'gauge',
    heatcast_database_faults_total: 'counter',
    heatcast_generator_ticks_total: 'counter',
    heatcast_generator_skipped_total: 'counter',
    heatcast_generator_failures_total: 'counter',
    heatcast_snapshots_published_total: 'counter',
    heatcast_query_seconds: 'histogram',
    heatcast_compute_seconds: 'histogram',
    heatcast_score_location: 'gauge',
    heatcast_score_location_lead: 'gauge',
    heatcast_score_rank: 'gauge',
    heatcast_score_rank_lead: 'gauge',
    heatcast_score_factor: 'gauge',
    heatcast_score_age_seconds: 'gauge',
    heatcast_score_failures_total: 'counter',
    heatcast_build_info: 'gauge',
    heatcast_log_lines_lost_total: 'counter',
    process_cpu_seconds_total: 'counter',
    process_resident_memory_bytes: 'gauge',
    process_virtual_memory_bytes: 'gauge',
    process_start_time_seconds: 'gauge',
    process_open_fds: 'gauge',
    process_max_fds: 'gauge',
};

// A function that finds one sample's value on the page as it is now.
async function scrape(server) {
    const { status, headers, text } = await get(`${server.url}/metrics`);
    assert.equal(status, 200);
    assert.match(headers['content-type'], /^text\/plain; version=0\.0\.4/);
    const page = parseExposition(text);
    const samples = [...page.values()].flatMap((family) => family.samples);
    const value = (name, labels = {}) => {
        const wanted = JSON.stringify(Object.entries(labels).sort());
        return samples.find(
            (s) => s.name === name && JSON.stringify(Object.entries(s.labels).sort()) === wanted,
        )?.value;
    };
    return { page, samples, value };
}

test('the reader lets no fault pass', () => {
    const counter = '# HELP a_total A.\n# TYPE a_total counter\na_total{x="1"} 1\n';
    const head = '# HELP h H.\n# TYPE h histogram\n';
    parseExposition(counter);
    parseExposition(`${head}h_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n`);
    for (const page of [
        counter.slice(0, -1),
        counter + counter,
        `${counter}a_total{x="1"} 2\n`,
        `${counter}b_total 2\n`,
        counter.replace('} 1', '} one'),
        counter.replace('} 1', '}  1'),
        counter.replace('} 1', '} 1 '),
        counter.replace('"} 1', '"} -1'),
        counter.replace('x="1"', 'x=1'),
        counter.replace('x="1"', 'x="1",x="1"'),
        counter.replace('# HELP a_total A.\n', ''),
        `${head}h_bucket{le="1"} 1\nh_sum 3\nh_count 1\n`,
        `${head}h_bucket{le="1"} 3\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n`,
        `${head}h_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 3\n`,
        `${head}h_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\nh_count 2\n`,
        '# HELP s S.\n# TYPE s summary\ns{quantile="0.5"} 1\ns_sum 1\n',
        '# HELP s S.\n# TYPE s summary\ns{quantile="0.5"} 2\ns{quantile="0.9"} 1\ns_sum 1\ns_count 1\n',
    ])
        assert.throws(() => parseExposition(page), page);
});

test('the page is complete before anything has happened, and its symbols are those of the settings', async (t) => {
    const folder = await scratch(t);
    const begun = Date.now();
    const server = await serveFor(t, {
        database: join(folder, 'none.duckdb'),
        args: ['--symbols', 'BTCUSDT,ETHUSDT'],
    });
    await get(`${server.url}/api/v1/heatmap/XYZUSDT`);
    const client = await connectFor(t, `${server.wsUrl}?symbols=ABCUSDT`);
    await client.nextError();
    const { page, samples, value } = await scrape(server);
    assert.deepEqual(
        Object.fromEntries([...page.values()].map(({ name, type }) => [name, type])),
        families,
    );
    assert.deepEqual([...new Set(samples.map((s) => s.labels.symbol).filter(Boolean))].sort(), [
        'BTCUSDT',
        'ETHUSDT',
    ]);
    for (const quantile of ['0.5', '0.95', '0.99'])
        assert.equal(value('ws_broadcast_duration_seconds', { symbol: 'ETHUSDT', quantile }), NaN);
    assert.equal(
        value('heatcast_data_age_seconds', { symbol: 'BTCUSDT' }),
        undefined,
        'no data, no age',
    );
    assert.equal(value('heatcast_symbol_has_data', { symbol: 'BTCUSDT' }), 0);
    assert.equal(value('heatcast_database_up'), 0);
    assert.ok(value('heatcast_database_faults_total', { reason: 'missing' }) >= 1);
    for (const reason of ['locked', 'unreadable', 'unwritable'])
        assert.equal(value('heatcast_database_faults_total', { reason }), 0);
    for (const reason of ['unchanged', 'locked', 'replaced'])
        assert.equal(value('heatcast_generator_skipped_total', { reason }), 0);
    const startedMs = value('process_start_time_seconds') * 1000;
    assert.ok(Math.abs(startedMs - begun) < 5000, `${startedMs} ${begun}`);
    assert.ok(value('process_virtual_memory_bytes') > value('process_resident_memory_bytes'));
    assert.ok(value('process_resident_memory_bytes') > 1e6);
});

test('after broadcasts the counters say what happened', async (t) => {
    const clientCount = 6;
    const rounds = 3;
    const folder = await scratch(t);
    const database = join(folder, 'market.duckdb');
    const market = makeMarket({ candles: 520 });
    const from = market.candles[500].time;
    await importMarkets(folder, database, cutMarket(market, 0, from));
    const server = await serveFor(t, {
        database,
        args: [
            '--symbols',
            'BTCUSDT,ETHUSDT',
            '--ws-update-interval',
            '0.2',
            '--workers',
            '2',
            '--ws-max-connections',
            String(clientCount),
        ],
    });
    const clients = [];
    for (let i = 0; i < clientCount; i++)
        clients.push(await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`));
    for (const client of clients) await client.nextSnapshot('BTCUSDT');
    assert.equal((await refusal(server.wsUrl)).status, 503);
    const symbol = 'BTCUSDT';
    const before = await scrape(server);
    let last;
    for (let round = 0; round < rounds; round++) {
        const time = from + round * candleMs;
        await importMarkets(folder, database, cutMarket(market, time, time + candleMs));
        for (const client of clients)
            last = await client.nextSnapshot('BTCUSDT', (m) => Date.parse(m.timestamp) === time);
    }

    // Counters are written after the bytes are out, so the last ones may still be on their way.
    const received = clients.reduce((sum, client) => sum + client.snapshots('BTCUSDT').length, 0);
    const { value } = await eventually('all is counted', async () => {
        const page = await scrape(server);
        return (
            page.value('ws_messages_sent_total', { symbol }) === received &&
            page.value('ws_broadcast_duration_seconds_count', { symbol }) >=
                before.value('ws_broadcast_duration_seconds_count', { symbol }) + rounds &&
            page
        );
    });
    assert.equal(value('ws_active_connections', { symbol }), clientCount);
    assert.equal(value('ws_active_connections', { symbol: 'ETHUSDT' }), 0);
    assert.equal(value('ws_messages_sent_total', { symbol: 'ETHUSDT' }), 0);
    assert.equal(value('heatcast_delivery_seconds_count'), received);
    const published = value('heatcast_snapshots_published_total');
    assert.equal(published, last.seq - clients[0].snapshots('BTCUSDT')[0].seq + 1);
    const broadcasts = value('ws_broadcast_duration_seconds_count', { symbol });
    assert.ok(broadcasts >= rounds && broadcasts <= published, `${broadcasts} of ${published}`);
    const median = value('ws_broadcast_duration_seconds', { symbol, quantile: '0.5' });
    assert.ok(median > 0 && median < 10, `${median} s`);
    assert.equal(value('ws_broadcast_duration_seconds_count', { symbol: 'ETHUSDT' }), 0);
    const bytes = clients.reduce((sum, client) => sum + client.texts.join('').length, 0);
    assert.ok(value('heatcast_bytes_sent_total', { encoding: 'plain' }) > bytes);
    assert.equal(value('ws_slow_consumers_total', { symbol }), 0);
    assert.equal(value('heatcast_messages_dropped_total'), 0);
    assert.ok(value('heatcast_compute_seconds_count') >= published);
    assert.equal(value('heatcast_query_seconds_count'), value('heatcast_compute_seconds_count'));
    const age = value('heatcast_data_age_seconds', { symbol });
    assert.ok(Math.abs(age - (Date.now() - Date.parse(last.timestamp)) / 1000) < 30, `${age} s`);

    assert.equal(value('heatcast_connections', { state: 'websocket' }), clientCount);
    assert.equal(value('heatcast_connections_refused_total', { reason: 'limit' }), 1);
    assert.ok(value('heatcast_connections_accepted_total') > clientCount);
    await clients[0].close();
    clients[1].socket._socket.write(Buffer.from([0xff, 0x80, 0, 0, 0, 0])); // reserved bits
    await clients[1].closed;
    await eventually('both ends are counted', async () => {
        const page = await scrape(server);
        return (
            page.value('heatcast_disconnects_total', { reason: 'client' }) === 1 &&
            page.value('heatcast_disconnects_total', { reason: 'protocol_error' }) === 1 &&
            page.value('ws_active_connections', { symbol }) === clientCount - 2
        );
    });
});

test('the age of the data is known though nobody is subscribed, and after the last one has left', async (t) => {
    const folder = await scratch(t);
    const database = join(folder, 'market.duckdb');
    const market = makeMarket({ candles: 60 });
    const cut = market.candles[40].time;
    await importMarkets(folder, database, cutMarket(market, 0, cut));
    const server = await serveFor(t, { database, args: ['--ws-update-interval', '0.2'] });
    const symbol = 'BTCUSDT';
    const newestIs = (time) =>
        eventually(`the age is that of ${new Date(time).toISOString()}`, async () => {
            const { value } = await scrape(server);
            const age = value('heatcast_data_age_seconds', { symbol });
            return Math.abs(age - (Date.now() - time) / 1000) < 60 && value;
        });
    const value = await newestIs(market.candles[39].time);
    assert.equal(value('heatcast_symbol_has_data', { symbol }), 1);
    assert.equal(value('heatcast_symbol_has_data', { symbol: 'ETHUSDT' }), 0);
    assert.equal(value('heatcast_data_age_seconds', { symbol: 'ETHUSDT' }), undefined);

    await importMarkets(folder, database, cutMarket(market, cut, market.candles[50].time));
    await newestIs(market.candles[49].time);
    const client = await connectFor(t, `${server.wsUrl}?symbols=BTCUSDT`);
    await client.nextSnapshot('BTCUSDT');
    await client.close();
    await importMarkets(folder, database, cutMarket(market, market.candles[50].time));
    await newestIs(market.candles[59].time);
});
