// `/ws/echo` of `serve --conformance-echo` against all cases of the public suite.
// HEATCAST_CONFORMANCE=full runs the long ones in full length.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { importMarkets, makeMarket } from '../support/market.mjs';
import { makeFolder, removeFolder } from '../support/process.mjs';
import { RawWebSocket } from '../support/raw-websocket.mjs';
import { serveFor, startServer } from '../support/server.mjs';
import { groups } from './cases.mjs';
import { runCase } from './run-case.mjs';

describe('the echo endpoint', () => {
  let folder;
  let database;
  let server;

  before(async () => {
    folder = await makeFolder();
    database = join(folder, 'market.duckdb');
    await importMarkets(folder, database, makeMarket({ candles: 10 }));
    server = await startServer({ database, args: ['--conformance-echo'] });
  });
  after(async () => {
    assert.equal(await server.stop(), 0, server.logs());
    await removeFolder(folder);
  });

  test('is not there without the option', async (t) => {
    const plain = await serveFor(t, { database });
    assert.equal((await RawWebSocket.open(plain.port, { path: '/ws/echo' })).status, 404);
  });

  for (const { group, title, cases } of groups)
    describe(`${group} ${title}`, () => {
      for (const one of cases)
        test(`${one.number} ${one.title}`, async () => {
          assert.equal(await runCase(server.port, one), one.isInformational ? 'INFORMATIONAL' : 'OK');
        });
    });
});
