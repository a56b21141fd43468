// What can be read off the program's file: where it loads libraries from, and how it is hardened.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { binary } from '../support/process.mjs';

const runFile = promisify(execFile);
const readelf = async (...args) =>
    (await runFile('readelf', ['--wide', ...args, binary], { maxBuffer: 64 << 20 })).stdout;

let dynamic;
let symbols;
let isSanitized;

before(async () => {
    dynamic = await readelf('--dynamic');
    symbols = await readelf('--dyn-syms');
    isSanitized = /__[at]san_init/.test(symbols);
});

test('libraries are loaded from absolute folders alone, never from the current one', () => {
    const paths = [...dynamic.matchAll(/\((?:RPATH|RUNPATH)\).*\[(.*)\]/g)];
    assert.equal(paths.length, 1, dynamic);
    for (const folder of paths[0][1].split(':')) assert.match(folder, /^(\/|\$ORIGIN\/)./);
});

test('it is position-independent, and its tables are read-only before it begins', async (t) => {
    if (isSanitized) return t.skip('a sanitized program has the means of the sanitizer');
    assert.match(await readelf('--file-header'), /Type: +DYN/);
    assert.match(dynamic, /FLAGS_1.*NOW.*PIE/);
    const segments = await readelf('--segments');
    assert.match(segments, /GNU_RELRO/);
    assert.match(segments, /GNU_STACK.* RW /);
    assert.doesNotMatch(segments, / RWE /);
});

test('stack protector, checked string functions and branch tracking are compiled in', async (t) => {
    if (isSanitized) return t.skip('a sanitized program has the means of the sanitizer');
    assert.match(symbols, /__stack_chk_fail/);
    assert.match(symbols, /__(snprintf|memcpy|vsnprintf|strcpy)_chk/);
    // Debian's own start-up code is compiled without it, so the file as a whole does not claim it.
    const main = await runFile('objdump', ['--disassemble=main', binary], { maxBuffer: 64 << 20 });
    if (process.arch === 'x64') assert.match(main.stdout, /<main>:\n.*endbr64/);
});

test('it holds no path of the folder that it was built in', async (t) => {
    if (isSanitized) return t.skip('a sanitized program names its sources in its reports');
    const folder = fileURLToPath(new URL('../..', import.meta.url));
    const { stdout } = await runFile('strings', ['--all', binary], { maxBuffer: 256 << 20 });
    const lines = stdout.split('\n').filter((line) => line.includes(folder));
    assert.deepEqual(lines, []);
});

test('the bill of materials names every library that is loaded, and what the page is made of', async () => {
    const script = fileURLToPath(new URL('../../scripts/sbom.mjs', import.meta.url));
    const bom = JSON.parse((await runFile('node', [script, binary])).stdout);
    assert.equal(bom.bomFormat, 'CycloneDX');
    const names = bom.components.map(({ name }) => name);
    for (const [, library] of dynamic.matchAll(/\(NEEDED\).*\[lib([a-z]+)/g))
        if (!['c', 'm', 'asan', 'tsan', 'ubsan'].includes(library))
            assert.ok(
                names.some((name) =>
                    name.includes({ crypto: 'ssl', z: 'zlib' }[library] ?? library),
                ),
                library,
            );
    assert.ok(names.includes('duckdb') && names.includes('lightweight-charts'));
    for (const { version, hashes, purl } of bom.components)
        assert.ok(version && hashes.length > 0 && purl.startsWith('pkg:'), purl);
});
