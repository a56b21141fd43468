// Bundles the page and makes it part of the server.
//
//   node web/build.mjs OUT.c             one C file that defines page_assets[] (src/net/page.h)
//   node web/build.mjs --serve-dir DIR   the same files, plain, for another server
//
// All addresses in the page are relative, so that a proxy may serve it below any path.
// Script and style have a hash of their content in their names, so that browsers can keep them
// without asking again; index.html refers to them and is revalidated. Everything is compressed
// here, so that the server need not compress the page.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const root = dirname(fileURLToPath(import.meta.url));

const CONTENT_TYPES = {
    html: 'text/html; charset=utf-8',
    js: 'text/javascript; charset=utf-8',
    css: 'text/css; charset=utf-8',
    svg: 'image/svg+xml',
};

async function bundle() {
    const result = await build({
        entryPoints: { app: join(root, 'src/main.ts'), style: join(root, 'static/style.css') },
        outdir: '/assets',
        write: false,
        bundle: true,
        minify: true,
        format: 'iife',
        target: 'es2020',
        // heatcast-client is taken from its TypeScript source, so the page needs no build of it.
        conditions: ['source'],
        legalComments: 'eof',
        logLevel: 'warning',
    });
    return result.outputFiles.map((file) => ({
        name: file.path.replace(/^.*[\\/]/, ''),
        content: Buffer.from(file.contents),
    }));
}

const digest = (content) => createHash('sha256').update(content).digest('hex').slice(0, 16);

function asset(path, content, isImmutable) {
    return {
        path,
        contentType: CONTENT_TYPES[/\.(\w+)$/.exec(path)?.[1] ?? 'html'],
        etag: `"${digest(content)}"`,
        isImmutable,
        plain: content,
        gzip: gzipSync(content, { level: 9 }),
    };
}

async function makeAssets() {
    let index = readFileSync(join(root, 'static/index.html'), 'utf8');
    const assets = [];
    for (const { name, content } of await bundle()) {
        const [stem, extension] = name.split('.');
        const path = `assets/${stem}-${digest(content)}.${extension}`;
        const placeholder = `assets/${name}`;
        if (!index.includes(placeholder)) {
            throw new Error(`index.html does not refer to ${placeholder}`);
        }
        index = index.replaceAll(placeholder, path);
        assets.push(asset(`/${path}`, content, true));
    }
    assets.unshift(asset('/', Buffer.from(index), false));
    assets.push(asset('/favicon.svg', readFileSync(join(root, 'static/favicon.svg')), false));
    return assets;
}

function byteArray(name, bytes) {
    const lines = [];
    for (let at = 0; at < bytes.length; at += 32) {
        lines.push(`    ${bytes.subarray(at, at + 32).join(',')},`);
    }
    return `static const unsigned char ${name}[] = {\n${lines.join('\n')}\n};\n`;
}

function toC(assets) {
    const arrays = assets.map(
        ({ plain, gzip }, i) => byteArray(`plain_${i}`, plain) + byteArray(`gzip_${i}`, gzip),
    );
    const rows = assets.map(({ path, contentType, etag, isImmutable }, i) => {
        const strings = [path, contentType, etag].map((text) => JSON.stringify(text)).join(', ');
        const bytes = `plain_${i}, sizeof plain_${i}, gzip_${i}, sizeof gzip_${i}`;
        return `    {${strings}, ${isImmutable ? 1 : 0}, ${bytes}},`;
    });
    return [
        '/* Made by web/build.mjs; do not edit. */',
        '#include "net/page.h"\n',
        ...arrays,
        `const struct page_asset page_assets[] = {\n${rows.join('\n')}\n};`,
        `const size_t page_asset_count = ${assets.length};\n`,
    ].join('\n');
}

function writeDirectory(directory, assets) {
    for (const { path, plain } of assets) {
        const file = join(directory, path === '/' ? 'index.html' : path);
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, plain);
    }
}

function reportSizes(assets) {
    let total = 0;
    for (const { path, plain, gzip } of assets) {
        total += gzip.length;
        console.log(`${path.padEnd(36)} ${plain.length} bytes, ${gzip.length} compressed`);
    }
    console.log(`${'total'.padEnd(36)} ${total} compressed`);
}

const args = process.argv.slice(2);
if (args.length === 2 && args[0] === '--serve-dir') {
    const assets = await makeAssets();
    writeDirectory(args[1], assets);
    reportSizes(assets);
} else if (args.length === 1 && !args[0].startsWith('-')) {
    writeFileSync(args[0], toC(await makeAssets()));
} else {
    console.error('usage: node web/build.mjs OUT.c | --serve-dir DIR');
    process.exit(2);
}
