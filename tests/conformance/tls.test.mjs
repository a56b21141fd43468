// The same over TLS, where frames are cut into records and the end has a form of its own.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { makePair } from '../support/certificate.mjs';
import { importMarkets, makeMarket } from '../support/market.mjs';
import { scratch } from '../support/process.mjs';
import { serveFor } from '../support/server.mjs';
import { sampledCases } from './cases.mjs';
import { runCase } from './run-case.mjs';

test('the echo endpoint conforms over TLS', async (t) => {
    const folder = await scratch(t);
    const database = join(folder, 'market.duckdb');
    await importMarkets(folder, database, makeMarket({ candles: 10 }));
    const { cert, key, ca } = await makePair(folder, 'echo');
    const server = await serveFor(t, {
        database,
        args: ['--conformance-echo', '--tls-cert', cert, '--tls-key', key],
    });
    for (const one of sampledCases) {
        const expected = one.isInformational ? 'INFORMATIONAL' : 'OK';
        assert.equal(
            await runCase(server.port, one, { tls: { ca } }),
            expected,
            `${one.number} ${one.title}`,
        );
    }
});
