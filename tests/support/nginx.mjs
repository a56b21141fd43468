// A real nginx with the deployed configuration, its addresses and files replaced by a test's own.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { freePort } from './ports.mjs';
import { eventually, scratch, start } from './process.mjs';

const runFile = promisify(execFile);
const deployed = fileURLToPath(new URL('../../deploy/nginx/heatcast.conf', import.meta.url));

async function makeCertificate(folder) {
    await runFile('openssl', [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-days',
        '2',
        '-subj',
        '/CN=heatcast.example',
        '-keyout',
        join(folder, 'key.pem'),
        '-out',
        join(folder, 'cert.pem'),
    ]);
}

function fit(text, replacements) {
    for (const [from, to] of replacements) {
        assert.ok(text.includes(from), `the configuration has '${from}'`);
        text = text.replaceAll(from, to);
    }
    return text;
}

// `ports` are those of heatcast-1 and heatcast-2; `edits` are further replacements.
export async function nginxFor(t, ports, { edits = [] } = {}) {
    const folder = await scratch(t);
    const [plain, secure] = [await freePort(), await freePort()];
    await makeCertificate(folder);
    await mkdir(join(folder, 'temp'));
    const site = fit(await readFile(deployed, 'utf8'), [
        ['heatcast-1:8000', `127.0.0.1:${ports[0]}`],
        ['heatcast-2:8000', `127.0.0.1:${ports[1]}`],
        ['listen 80;', `listen 127.0.0.1:${plain};`],
        ['listen [::]:80;', ''],
        ['listen 443 ssl', `listen 127.0.0.1:${secure} ssl`],
        ['listen [::]:443 ssl http2;', ''],
        ['/etc/nginx/tls/fullchain.pem', join(folder, 'cert.pem')],
        ['/etc/nginx/tls/privkey.pem', join(folder, 'key.pem')],
        ...edits,
    ]);
    const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    await writeFile(join(folder, 'heatcast.conf'), site);
    await writeFile(
        join(folder, 'nginx.conf'),
        [
            'daemon off;',
            'worker_processes 1;',
            `pid ${folder}/pid;`,
            'error_log stderr warn;',
            'events { worker_connections 256; }',
            'http {',
            'access_log off;',
            ...paths.map((path) => `${path}_temp_path ${folder}/temp/${path};`),
            `include ${folder}/heatcast.conf;`,
            '}',
        ].join('\n'),
    );
    const args = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr'];
    const { stderr } = await runFile('nginx', ['-t', ...args]).catch((error) => error);
    assert.match(stderr, /test is successful/);
    assert.doesNotMatch(stderr, /warn|emerg/);

    const child = start(args, { program: 'nginx' });
    let logs = '';
    child.stdout.resume();
    child.stderr.on('data', (text) => (logs += text));
    t.after(async () => {
        child.kill('SIGTERM');
        await child.ended;
    });
    const nginx = {
        plainUrl: `http://127.0.0.1:${plain}`,
        url: `https://127.0.0.1:${secure}`,
        wsUrl: `wss://127.0.0.1:${secure}/ws/heatmap`,
        logs: () => logs,
    };
    await eventually('nginx listens', () => fetch(nginx.plainUrl, { redirect: 'manual' })).catch(
        (error) => {
            throw new Error(`${error.message}\n${logs}`);
        },
    );
    return nginx;
}
