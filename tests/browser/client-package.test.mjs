// What would be published: packed by npm, unpacked like an installed package, used by strict
// TypeScript and by Node.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { makeFolder, removeFolder } from '../support/process.mjs';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
const installed = (folder) => join(folder, 'node_modules', 'heatcast-client');
let folder;
let packed;

before(async () => {
    folder = await makeFolder();
    const pack = ['pack', '--json', '--pack-destination', folder];
    const { stdout } = await run('npm', pack, { cwd: join(root, 'client') });
    // The build's own words may come before the list.
    [packed] = JSON.parse(stdout.slice(stdout.indexOf('[\n')));
    await mkdir(installed(folder), { recursive: true });
    await run('tar', [
        '-xzf',
        join(folder, packed.filename),
        '--strip-components=1',
        '-C',
        installed(folder),
    ]);
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
    for (const name of ['ws', '@types', 'undici-types']) {
        await symlink(join(root, 'node_modules', name), join(folder, 'node_modules', name));
    }
});

after(() => removeFolder(folder));

const USE = `
import {
    HeatmapWebSocket,
    type ConnectionStatus,
    type DataAge,
    type Snapshot,
} from 'heatcast-client';

const options = {
    symbols: ['BTCUSDT'],
    onSnapshot: (snapshot: Snapshot) => {
        const price: number = snapshot.data.current_price;
        const bucket: number | undefined = snapshot.data.bucket;
        const knownFrom: string | null | undefined = snapshot.data.known_from;
        console.log(price, bucket, knownFrom, snapshot.data.levels[0]?.long_density);
    },
};
export const heatmap = new HeatmapWebSocket('http://127.0.0.1:1', { ...options, WebSocket });
heatmap.subscribe('ETHUSDT', { updateInterval: 5 });
heatmap.subscribe(['ETHUSDT', 'BTCUSDT'], { sinceLast: true });
heatmap.addEventListener('snapshot', ({ detail }) =>
    console.log(detail.since_last?.positions_created, detail.totals?.positions_consumed),
);
const listener = (event: { detail: Snapshot }): void => console.log(event.detail.seq);
heatmap.addEventListener('snapshot', listener, { once: true });
heatmap.removeEventListener('snapshot', listener);
heatmap.addEventListener('status', ({ detail }) => {
    const status: ConnectionStatus = detail.status;
    const wait: number | undefined = detail.retryIn;
    console.log(status, wait);
});
heatmap.addEventListener('warning', ({ detail }) => console.log(detail.droppedMessages + 1));
heatmap.addEventListener('age', ({ detail }) => console.log(detail.symbol, detail.age));
const age: DataAge = heatmap.dataAge('BTCUSDT');
const last: Snapshot | undefined = heatmap.lastSnapshot('BTCUSDT');
const symbols: string[] = heatmap.symbols;
console.log(age, last?.epoch, symbols, heatmap.status, heatmap.isPolling);
// @ts-expect-error: there is no such status
heatmap.status === 'open';
// @ts-expect-error: a list of names, not of numbers
heatmap.subscribe([1]);
// @ts-expect-error: a snapshot is not to be written to
if (last) last.seq = 1;
// @ts-expect-error: there is no such option
new HeatmapWebSocket('http://127.0.0.1:1', { onSnapshots: () => {} });
`;

async function check(name, source, compilerOptions) {
    await writeFile(join(folder, `${name}.ts`), source);
    await writeFile(
        join(folder, `${name}.json`),
        JSON.stringify({
            compilerOptions: { strict: true, noEmit: true, ...compilerOptions },
            files: [`${name}.ts`],
        }),
    );
    try {
        await run(process.execPath, [compiler, '-p', `${name}.json`], { cwd: folder });
    } catch (error) {
        assert.fail(error.stdout);
    }
}

test('the_package_holds_what_is_needed_and_no_more', async () => {
    const paths = packed.files.map(({ path }) => path);
    for (const path of [
        'LICENSE',
        'README.md',
        'package.json',
        'dist/index.js',
        'dist/index.d.ts',
    ]) {
        assert.ok(paths.includes(path), path);
    }
    for (const path of paths)
        assert.match(path, /^(LICENSE|README\.md|package\.json|dist\/|src\/)/);
    const manifest = JSON.parse(await readFile(join(installed(folder), 'package.json'), 'utf8'));
    assert.equal(manifest.dependencies, undefined);
    assert.equal(manifest.version, (await readFile(join(root, 'VERSION'), 'utf8')).trim());
});

test('its_types_hold_in_a_page', () =>
    check('page', USE, {
        module: 'ESNext',
        moduleResolution: 'bundler',
        target: 'ES2022',
        lib: ['ES2022', 'DOM'],
        types: [],
        exactOptionalPropertyTypes: true,
    }));

test('its_types_hold_where_no_target_is_named', () =>
    check('bare', USE, { module: 'ESNext', moduleResolution: 'bundler', types: [] }));

test('its_types_hold_in_node_with_ws', () =>
    check('node', `import WebSocket from 'ws';\n${USE}`, {
        module: 'NodeNext',
        moduleResolution: 'NodeNext',
        target: 'ES2022',
        lib: ['ES2022'],
        types: ['node'],
    }));

test('it_runs_in_node_and_says_what_it_misses', async () => {
    await writeFile(
        join(folder, 'use.mjs'),
        `import { HeatmapWebSocket } from 'heatcast-client';
        import WebSocket from 'ws';
        const told = [];
        delete globalThis.WebSocket;
        try { new HeatmapWebSocket('http://127.0.0.1:1').connect(); } catch (e) { told.push(e.message); }
        try { new HeatmapWebSocket(); } catch (e) { told.push(e.message); }
        const client = new HeatmapWebSocket('http://127.0.0.1:1', {
            WebSocket,
            onError: ({ code }) => { told.push(code); client.disconnect(); },
        });
        client.connect();
        process.on('exit', () => console.log(told.join('\\n')));`,
    );
    const { stdout } = await run(process.execPath, ['use.mjs'], { cwd: folder });
    const [noSocket, noUrl, failure] = stdout.trim().split('\n');
    assert.match(noSocket, /options\.WebSocket/);
    assert.match(noUrl, /pass its URL/);
    assert.equal(failure, 'CONNECTION_FAILED');
});

test('the_first_example_runs_in_node', async () => {
    const readme = await readFile(join(installed(folder), 'README.md'), 'utf8');
    const [example] = /(?:^ {4}.*\n|^\n(?= {4}))+/m.exec(readme);
    const program = example
        .replace('http://127.0.0.1:8000', 'http://127.0.0.1:1')
        .concat("heatmap.addEventListener('error', ({ detail }) => {\n")
        .concat('console.log(detail.code); heatmap.disconnect(); });\n');
    await writeFile(join(folder, 'example.mjs'), program);
    const { stdout } = await run(process.execPath, ['example.mjs'], { cwd: folder });
    assert.match(stdout, /^connecting\ndisconnected\nCONNECTION_FAILED\n$/);
});

test('a_listener_that_throws_ends_no_program', async () => {
    await writeFile(
        join(folder, 'throws.mjs'),
        `import { HeatmapWebSocket } from 'heatcast-client';
        import WebSocket from 'ws';
        const client = new HeatmapWebSocket('http://127.0.0.1:1', {
            WebSocket,
            onStatus: () => { throw new Error('thrown'); },
            onError: async () => { throw new Error('rejected'); },
        });
        let calls = 0;
        const counted = () => { calls += 1; };
        client.addEventListener('error', counted);
        client.addEventListener('error', counted);
        client.addEventListener('error', { handleEvent() { throw new Error('object'); } });
        client.addEventListener('error', () => {
            console.log(calls);
            client.removeEventListener('error', counted);
            setTimeout(() => client.disconnect(), 1);
        });
        client.connect();`,
    );
    const { stdout, stderr } = await run(process.execPath, ['throws.mjs'], { cwd: folder });
    assert.equal(stdout, '1\n');
    for (const word of ['thrown', 'rejected', 'object'])
        assert.match(stderr, new RegExp(`a listener failed: Error: ${word}`));
});
