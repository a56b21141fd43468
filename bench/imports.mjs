// `heatcast import` beside DuckDB's own CSV reader, into the same tables, in turns: a year of
// candles in one file, and open interest in a file a day, as the archive has both. And what memory
// an import takes at its most, of a year and of a day.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';

import { makeMarket, median } from './market.mjs';

const dayRows = 288;
const firstMs = Date.parse('2024-01-01T00:00:00Z');
const klineHeader =
    'open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,' +
    'taker_buy_quote_volume,ignore';

// Runs a program to its end: what it prints, how long it takes, what memory it has had at its most.
async function run(program, args) {
    const startedMs = performance.now();
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let [text, errors, memoryKb] = ['', '', 0];
    child.stdout.on('data', (piece) => (text += piece));
    child.stderr.on('data', (piece) => (errors += piece));
    const look = setInterval(() => {
        try {
            const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
            memoryKb = Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? memoryKb);
        } catch {
            // It has ended.
        }
    }, 2);
    const [code] = await once(child, 'close');
    clearInterval(look);
    if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ${errors}`);
    return { text, seconds: (performance.now() - startedMs) / 1e3, memoryKb };
}

function writeFiles(folder, dayCount) {
    const { klines, metrics } = makeMarket('BTCUSDT', 90_000, dayCount * dayRows, firstMs);
    const [header, ...interest] = metrics;
    const paths = {
        year: join(folder, 'BTCUSDT-5m-2024.csv'),
        day: join(folder, 'BTCUSDT-5m-2024-01-01.csv'),
        metrics: join(folder, 'metrics'),
    };
    mkdirSync(paths.metrics, { recursive: true });
    writeFileSync(paths.year, `${[klineHeader, ...klines].join('\n')}\n`);
    writeFileSync(paths.day, `${[klineHeader, ...klines.slice(0, dayRows)].join('\n')}\n`);
    for (let day = 0; day < dayCount; day++) {
        const rows = interest.slice(day * dayRows, (day + 1) * dayRows);
        const name = `BTCUSDT-metrics-${rows[0].slice(0, 10)}.csv`;
        writeFileSync(join(paths.metrics, name), `${[header, ...rows].join('\n')}\n`);
    }
    return paths;
}

export async function measureImports({ binary, programs, folder, days, repeats }) {
    const where = join(folder, 'imports');
    const paths = writeFiles(where, days);
    const database = join(where, 'import.duckdb');
    const heatcast = async (path) => {
        rmSync(database, { force: true });
        const result = await run(binary, ['import', '--strict', '--db', database, path]);
        const counts = [...result.text.matchAll(/ (\d+) new,/g)].map(([, count]) => Number(count));
        return { ...result, rows: counts.reduce((sum, count) => sum + count, 0) };
    };
    const duckdb = async (kind, path) => {
        rmSync(database, { force: true });
        const { text } = await run(join(programs, 'csv_bench'), [database, kind, path]);
        return JSON.parse(text);
    };
    const cases = [
        ['candles in one file', 'klines', paths.year, paths.year],
        ['open interest, a file a day', 'metrics', paths.metrics, join(paths.metrics, '*.csv')],
    ];
    const results = [];
    for (const [what, kind, path, pattern] of cases) {
        const turns = [];
        for (let i = 0; i < repeats; i++)
            turns.push({ theirs: await duckdb(kind, pattern), own: await heatcast(path) });
        const { rows } = turns[0].theirs;
        for (const { own } of turns)
            if (own.rows !== rows) throw new Error(`${what}: ${own.rows} rows instead of ${rows}`);
        results.push({
            what,
            rows,
            rows_per_second: median(turns.map(({ own }) => rows / own.seconds)),
            of_duckdb: median(turns.map(({ own, theirs }) => theirs.seconds / own.seconds)),
            memory_mb: median(turns.map(({ own }) => own.memoryKb / 1024)),
            duckdb_memory_mb: median(turns.map(({ theirs }) => theirs.memory_kb / 1024)),
        });
    }
    const day = await heatcast(paths.day);
    rmSync(where, { recursive: true });
    return { cases: results, day_memory_mb: day.memoryKb / 1024 };
}
