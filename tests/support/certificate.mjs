// Certificates of our own, for servers on 127.0.0.1.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { run } from './process.mjs';

// Two files in the folder, and what a client must trust.
export async function makePair(folder, name) {
    const [cert, key] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
    const args = [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-days',
        '30',
        '-subj',
        `/CN=${name}`,
        '-addext',
        'subjectAltName=IP:127.0.0.1',
        '-keyout',
        key,
        '-out',
        cert,
    ];
    const { code, stderr } = await run(args, { program: 'openssl' });
    assert.equal(code, 0, stderr);
    return { cert, key, ca: await readFile(cert) };
}
