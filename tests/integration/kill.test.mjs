// An import that is killed at any moment, the first one of a database too, leaves whole files, and
// the next import adds what is missing.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { makeMarket, makeRandom, writeMarket } from '../support/market.mjs';
import { run, scratch, sleep, start } from '../support/process.mjs';

const kills = 10;
const market = makeMarket({ candles: 3000 });

async function lastTime(database) {
    const args = ['history', '--symbol', 'BTCUSDT', '--window', '1h', '--db', database];
    const { code, stdout, stderr } = await run(args);
    assert.equal(code, 0, stderr);
    return Date.parse(JSON.parse(stdout).data.at(-1).timestamp);
}

test('an import that is killed is done again by the next', async (t) => {
    const folder = await scratch(t);
    const source = join(folder, 'source');
    const random = makeRandom(Date.now());
    await writeMarket(source, market);
    for (let turn = 0; turn < kills; turn++) {
        const database = join(folder, `${turn}.duckdb`);
        const args = ['import', source, '--db', database];
        const killed = start(args);
        await sleep(random() * 200);
        killed.kill('SIGKILL');
        await killed.ended;
        // A file that is only begun is taken for one that is being made, for a second.
        let again = await run(args);
        if (again.code !== 0) {
            assert.match(again.stderr, /another process is making it/);
            await sleep(1500);
            again = await run(args);
        }
        assert.equal(again.code, 0, again.stderr);
        assert.equal(await lastTime(database), market.candles.at(-1).time);
        const { stdout } = await run(args);
        assert.match(stdout, /klines: \d+ files, 3000 rows read, 0 new, 0 bad/);
    }
});
