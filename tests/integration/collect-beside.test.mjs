// While fifty symbols are collected into a database, other programs use it as if nobody did.
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';

import { get } from '../support/http.mjs';
import { importMarkets, makeMarket, writeMarket } from '../support/market.mjs';
import { binary, eventually, patienceMs, run, scratch, sleep, start } from '../support/process.mjs';
import { serveFor } from '../support/server.mjs';

const program = join(dirname(binary), 'tests', 'collect_probe');
const symbolCount = 50;
const held = 3; // collect_probe's exit code
const triesMax = 20; // the file is held for a part of the time, so each can fail

// A collector for the length of one test, which has written already.
async function collectFor(t, database) {
    const child = start([database, String(symbolCount)], { program });
    const reports = [];
    createInterface(child.stdout).on('line', (line) => reports.push(JSON.parse(line)));
    let ended;
    const stop = () => {
        child.kill('SIGTERM');
        ended ??= child.ended;
        return ended;
    };
    t.after(stop);
    const last = () => reports.at(-1);
    await eventually('rows are written', () => last()?.klines > 0);
    return { stop, last };
}

// The output of a command that may find the file held, but not again and again.
async function untilFree(args, options, isHeld) {
    for (let tries = 1; ; tries++) {
        const ended = await run(args, options);
        if (ended.code === 0) return ended.stdout;
        assert.ok(isHeld(ended) && tries < triesMax, `${tries}: ${ended.stderr}`);
        await sleep(50);
    }
}

const countCandles = async (database) =>
    Number(await untilFree([database], { program }, ({ code }) => code === held));

test('other programs read, import and serve the database that is being written to', async (t) => {
    const folder = await scratch(t);
    const database = join(folder, 'market.duckdb');
    const collector = await collectFor(t, database);
    let count = 0;
    for (let turn = 0; turn < 10; turn++) {
        const market = makeMarket({ candles: 50 + turn });
        const files = join(folder, String(turn));
        await writeMarket(files, market);
        // It takes turns with a writer that never rests: slow in a sanitized build.
        const options = { deadlineMs: 4 * patienceMs };
        const imported = await run(['import', files, '--db', database], options);
        assert.equal(imported.code, 0, imported.stderr);

        const counted = await countCandles(database);
        assert.ok(counted > count);
        count = counted;

        const args = ['history', '--symbol', 'BTCUSDT', '--window', '1h', '--db', database];
        const isHeld = ({ stderr }) => /another process is writing to it/.test(stderr);
        const { data } = JSON.parse(await untilFree(args, {}, isHeld));
        assert.equal(Date.parse(data.at(-1).timestamp), market.candles.at(-1).time);
    }
    const server = await serveFor(t, { database, args: ['--ws-update-interval', '0.1'] });
    for (let turn = 1; turn <= 20; turn++) {
        const url = `${server.url}/api/v1/heatmap/BTCUSDT/history?window=1h&bucket=${turn}`;
        await eventually('an answer', async () => (await get(url)).status === 200);
    }
    await server.stop();

    const { code } = await collector.stop();
    assert.equal(code, 0);
    const { steps, ended } = collector.last();
    assert.ok(ended);
    assert.equal(await countCandles(database), steps * symbolCount + 59);
});

test('a reader that stays loses nothing, and all is written when it has gone', async (t) => {
    const folder = await scratch(t);
    const database = join(folder, 'market.duckdb');
    await importMarkets(folder, database, makeMarket({ candles: 50 }));
    const collector = await collectFor(t, database);
    let reader;
    await eventually('it reads', async () => {
        reader = start([database, 'stay'], { program, stdin: 'pipe' });
        let text = '';
        reader.stdout.on('data', (chunk) => (text += chunk));
        while (text === '' && reader.exitCode === null) await sleep(10);
        return text !== '';
    });
    const before = collector.last().klines;
    await eventually('rows wait', () => collector.last().waiting > 40 * symbolCount);
    assert.ok(collector.last().klines <= before + 10 * symbolCount);
    reader.stdin.end();
    assert.equal((await reader.ended).code, 0);
    await eventually('they are written', () => collector.last().waiting < 20 * symbolCount);
    assert.equal(collector.last().dropped, 0);
    const { code } = await collector.stop();
    assert.equal(code, 0);
    assert.equal(await countCandles(database), collector.last().steps * symbolCount + 50);
});
