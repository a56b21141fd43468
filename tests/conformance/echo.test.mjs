// `/ws/echo` of `serve --conformance-echo` against all cases of the public suite.
// HEATCAST_CONFORMANCE=full runs the long ones in full length.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { openRawFor } from '../support/raw-websocket.mjs';
import { serveFor, serveForAll } from '../support/server.mjs';
import { groups } from './cases.mjs';
import { runCase } from './run-case.mjs';

describe('the echo endpoint', () => {
    const server = serveForAll({ args: ['--conformance-echo'] });

    test('is not there without the option', async (t) => {
        const plain = await serveFor(t, { database: server.database });
        assert.equal((await openRawFor(t, plain.port, { path: '/ws/echo' })).status, 404);
    });

    for (const { group, title, cases } of groups)
        describe(`${group} ${title}`, () => {
            for (const one of cases)
                test(`${one.number} ${one.title}`, async () => {
                    assert.equal(
                        await runCase(server.port, one),
                        one.isInformational ? 'INFORMATIONAL' : 'OK',
                    );
                });
        });
});
