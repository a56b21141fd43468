// A month of a random walk in a database, made by `heatcast import` as a user would, and what the
// parts of the benchmark that read it have in common.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const candleMs = 300_000;
const startMs = Date.parse('2025-11-01T00:00:00Z');
const days = 30;

export const sleep = (ms) => new Promise((settle) => setTimeout(settle, ms));

export function median(values) {
    return quantile(values, 0.5);
}

export function quantile(values, at) {
    const sorted = [...values].sort((a, b) => a - b);
    return sorted[Math.floor(at * (sorted.length - 1))];
}

// Numbers from 0 to 1 that are the same in every run (xorshift).
function randomNumbers(seed) {
    let state = seed;
    return () => {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        return (state >>> 0) / 2 ** 32;
    };
}

// The archive's two kinds of file, for `count` candles from the first one on.
export function makeMarket(symbol, firstPrice, count, from = startMs) {
    const random = randomNumbers(firstPrice);
    const klines = [];
    const metrics = [
        'create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio,' +
            'sum_toptrader_long_short_ratio,count_long_short_ratio,sum_taker_long_short_vol_ratio',
    ];
    let price = firstPrice;
    let interest = 5e9;
    for (let i = 0; i < count; i++) {
        const time = from + i * candleMs;
        const open = price;
        price *= 1 + (random() - 0.5) * 0.003;
        interest = Math.max(1e9, interest + (random() - 0.4) * 40e6);
        const high = Math.max(open, price) * (1 + random() * 0.0005);
        const low = Math.min(open, price) * (1 - random() * 0.0005);
        const prices = [open, high, low, price].map((value) => value.toFixed(2)).join(',');
        klines.push(`${time},${prices},10,${time + candleMs - 1},1000,5,5,500,0`);
        const stamp = new Date(time).toISOString().slice(0, 19).replace('T', ' ');
        metrics.push(`${stamp},${symbol},1000,${interest.toFixed(2)},1,1,1,1`);
    }
    return { klines, metrics };
}

function writeMarket(folder, symbol, firstPrice, count) {
    const { klines, metrics } = makeMarket(symbol, firstPrice, count);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${symbol}-5m-2025-11.csv`), `${klines.join('\n')}\n`);
    writeFileSync(join(folder, `${symbol}-metrics-2025-11.csv`), `${metrics.join('\n')}\n`);
}

// Runs a program to its end.
export function run(binary, args) {
    return new Promise((settle, fail) => {
        const child = spawn(binary, args, { stdio: ['ignore', 'ignore', 'pipe'] });
        let stderr = '';
        child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
        child.once('error', fail);
        child.once('close', (code) => (code === 0 ? settle() : fail(new Error(stderr.trim()))));
    });
}

// Returns the database's path. It is made once in a folder.
export async function importMarket({ binary, folder }) {
    const database = join(folder, 'bench.duckdb');
    if (existsSync(database)) return database;
    const files = join(folder, 'market');
    writeMarket(files, 'BTCUSDT', 90000, (days * 86_400_000) / candleMs);
    writeMarket(files, 'ETHUSDT', 3000, (days * 86_400_000) / candleMs);
    await run(binary, ['import', files, '--strict', '--db', database]);
    return database;
}
