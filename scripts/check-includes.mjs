// Holds the #include lines of src/ to the module table of ARCHITECTURE.md: who may know whom, and
// which libraries belong to one place only. Prints each breach; exit code 1 if there is one.
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const source = join(dirname(fileURLToPath(import.meta.url)), '..', 'src');

// module -> what it may include beside itself and the C library: modules, or single headers.
const allowed = {
    base: [],
    config: ['base'],
    market: ['base', 'config'],
    wire: ['base'],
    stream: ['base', 'config', 'wire', 'market/snapshot.h'],
    ops: ['base'],
    net: ['base', 'config', 'wire', 'stream', 'ops'],
    cluster: ['base', 'config', 'ops', 'stream/frame.h', 'stream/mailbox.h'],
    '.': ['base', 'config', 'market', 'wire', 'stream', 'ops', 'net', 'cluster'],
};

// A library's header -> the files that may include it.
const libraries = [
    [/^duckdb\.h$/, /^market\/store/],
    [/^uv\.h$/, /^(net\/|cluster\/|server\.c$)/],
    [/^hiredis\//, /^cluster\//],
    [/^openssl\//, /^(wire|net)\//],
    [/^jansson\.h$/, /^(stream|cluster)\//],
    [/^zlib\.h$/, /^wire\/deflate\.c$/],
    [/^libdeflate\.h$/, /^net\/gzip\.c$/],
];

function* files(folder) {
    for (const name of readdirSync(folder).sort()) {
        const path = join(folder, name);
        if (statSync(path).isDirectory()) yield* files(path);
        else if (/\.[ch]$/.test(name)) yield path;
    }
}

let breaches = 0;
let count = 0;
function report(file, line, text) {
    console.error(`src/${file}:${line}: ${text}`);
    breaches++;
}

for (const path of files(source)) {
    const file = relative(source, path);
    const module = dirname(file);
    const may = allowed[module];
    count++;
    if (!may) {
        report(file, 1, `the folder ${module} is not in the module table`);
        continue;
    }
    readFileSync(path, 'utf8')
        .split('\n')
        .forEach((text, index) => {
            const match = /^\s*#\s*include\s+(["<])([^">]+)[">]/.exec(text);
            if (!match) return;
            const [, quote, header] = match;
            if (quote === '"') {
                const other = dirname(header);
                if (other !== module && !may.includes(other) && !may.includes(header))
                    report(file, index + 1, `${module} must not know ${header}`);
            }
            for (const [pattern, owners] of libraries)
                if (pattern.test(header) && !owners.test(file))
                    report(file, index + 1, `${header} belongs to ${owners.source} alone`);
        });
}
if (breaches > 0) process.exit(1);
console.log(`include rules hold in ${count} files`);
