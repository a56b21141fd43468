// The HTTP client of src/link against servers that misbehave, plain and over TLS.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';

import { listenFor, startProbe } from '../support/link-probe.mjs';

test('an answer comes with its status, headers and body', async (t) => {
    const probe = await startProbe(t);
    const port = await listenFor(
        t,
        createServer((request, response) => {
            response.writeHead(201, { ETag: '"one"' });
            response.end(`${request.method} ${request.url} ${request.headers['user-agent']}`);
        }),
    );
    const done = await probe.request(`http://127.0.0.1:${port}/a?b=1`);
    assert.deepEqual(done, {
        id: 1,
        event: 'done',
        outcome: 'answered',
        status: 201,
        body: 'GET /a?b=1 probe/1',
        message: '',
        retryAfter: -1,
        isTransient: false,
        etag: '"one"',
    });
});
