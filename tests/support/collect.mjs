// `heatcast collect` beside exchanges that stand in, and what it has stored.
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';

import { formatDecimal } from './decimal.mjs';
import { MarketClock } from './exchanges/clock.mjs';
import { startStandIn } from './exchanges/stand-in.mjs';
import { binary, eventually, patienceMs, run, scratch, sleep, start } from './process.mjs';
import { serveFor } from './server.mjs';

const programs = join(dirname(binary), 'tests');

export const candleMs = 300_000;

// The environment by which the stand-ins are found; of all other exchanges none is used.
export function settingsFor(standIns, symbols) {
    return Object.assign(
        {
            EXCHANGES: standIns.map(({ definition }) => definition.name).join(','),
            SYMBOLS: symbols.join(','),
        },
        ...standIns.map(({ env }) => env),
    );
}

// A collector for the length of a test. `fast` is the clock of a market that does not keep to
// real time: then the collector's runs with it, and is `offMs` ahead of it until it is set right at
// `rightAt`. `database` is made up if it is left out.
export async function collectorFor(
    t,
    { standIns, symbols = ['BTCUSDT'], database, env, fast, offMs = 0, rightAt = 0 },
) {
    const path = database ?? join(await scratch(t), 'market.duckdb');
    const all = { DUCKDB_PATH: path, ...settingsFor(standIns, symbols), ...env };
    const child = fast
        ? start([fast.scale, Date.now(), fast.now(), offMs, rightAt].map(String), {
              program: join(programs, 'collect_fast'),
              env: all,
          })
        : start(['collect'], { env: all });
    let logs = '';
    child.stderr.on('data', (text) => (logs += text));
    child.stdout.on('data', (text) => (logs += text));
    const collector = {
        database: path,
        process: child,
        logs: () => logs,
        async kill() {
            child.kill('SIGKILL');
            await child.ended;
        },
        async stop() {
            const { code, signal } = await stopProcess(child);
            assert.deepEqual([code, signal], [0, null], logs);
        },
    };
    t.after(() => (child.exitCode === null && child.signalCode === null ? collector.stop() : 0));
    return collector;
}

async function stopProcess(child) {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs);
    const end = await child.ended;
    clearTimeout(timer);
    return end;
}

// Rows of a query as arrays of texts. Waits while another process has the file.
export async function query(database, sql, ...options) {
    for (let left = patienceMs; ; left -= 20) {
        const { code, stdout, stderr } = await run([...options, database, sql], {
            program: join(programs, 'query'),
        });
        if (code === 0)
            return stdout
                .split('\n')
                .filter((line) => line !== '')
                .map((line) => line.split('\t'));
        assert.ok(code === 3 && left > 0, `${sql}: ${stderr}`);
        await sleep(20);
    }
}

// What another program does to the file, which is made where there is none.
export const change = (database, sql) => query(database, sql, '--write');

// Of a file that may not be there yet.
export async function tryQuery(database, sql) {
    try {
        return await query(database, sql);
    } catch {
        return [];
    }
}

const timeSql = (column) => `CAST(epoch_ms(${column}) AS BIGINT)`;

export async function storedCandles(database, symbol) {
    const rows = await query(
        database,
        `SELECT ${timeSql('open_time')}, open, high, low, close, volume FROM klines_5m_history
         WHERE symbol = '${symbol}' ORDER BY open_time`,
    );
    return rows.map(([time, ...numbers]) => ({ time: Number(time), numbers }));
}

export async function storedInterest(database, symbol) {
    const rows = await query(
        database,
        `SELECT ${timeSql('timestamp')}, open_interest_contracts, open_interest_value, source
         FROM open_interest_history WHERE symbol = '${symbol}' ORDER BY timestamp`,
    );
    return rows.map(([time, contracts, value, source]) => ({
        time: Number(time),
        contracts,
        value,
        source,
    }));
}

export async function storedLiquidations(database, symbol) {
    const rows = await query(
        database,
        `SELECT exchange, ${timeSql('time')}, side, price, quantity FROM liquidations
         WHERE symbol = '${symbol}' ORDER BY time, side, price, quantity, id`,
    );
    return rows.map(([exchange, time, ...rest]) => [exchange, Number(time), ...rest]);
}

// A number of a stand-in's market as the table shows it.
export const shown = (scaled) => {
    const text = formatDecimal(scaled);
    const [whole, part = ''] = text.split('.');
    return `${whole}.${part.padEnd(8, '0')}`;
};

// The candles of a market in [from, to) as the table shows them.
export const trueCandles = (market, from, to) =>
    market.candles(from, to).map(({ openMs, open, high, low, close, volume }) => ({
        time: openMs,
        numbers: [open, high, low, close, volume].map(shown),
    }));

// Waits until candles of all five minutes of [from, to) are stored.
export async function untilStored(database, symbol, from, to) {
    const wanted = (to - from) / candleMs;
    await eventually(
        `${wanted} candles of ${symbol}`,
        async () => {
            const rows = await tryQuery(
                database,
                `SELECT count(*) FROM klines_5m_history WHERE symbol = '${symbol}'
                 AND epoch_ms(open_time) >= ${from} AND epoch_ms(open_time) < ${to}`,
            );
            return rows.length > 0 && Number(rows[0][0]) >= wanted;
        },
        { everyMs: 200 },
    );
}

// A server of a stand-in's market, which moves in real time. `path` is of a database; it is empty
// and made up if it is left out.
export async function collectingServerFor(t, standIns, symbols, env = {}, path = undefined) {
    const database = path ?? join(await scratch(t), 'market.duckdb');
    const server = await serveFor(t, {
        args: ['--collect'],
        database,
        env: { ...settingsFor(standIns, symbols), HEATMAP_LOOKBACK: '6h', ...env },
    });
    return Object.assign(server, { database });
}

// A stand-in whose market moves in real time, and began ten days ago.
export async function realStandIn(t, definition, { symbols = ['BTCUSDT'], clock, ...more } = {}) {
    const real = clock ?? new MarketClock({ start: Date.now(), scale: 1 });
    if (!clock) t.after(() => real.stop());
    const start = new Date(real.now() - 2880 * candleMs).toISOString();
    return startStandIn(t, definition, {
        clock: real,
        ...more,
        symbols: symbols.map((name) => ({ name, start })),
    });
}
