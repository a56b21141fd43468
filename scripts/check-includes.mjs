// Holds the #include lines of src/ to src/modules.txt: who may know whom, and which libraries belong
// to one place only. Prints each breach; exit code 1 if there is one.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const source = join(dirname(fileURLToPath(import.meta.url)), '..', 'src');

const modules = new Map(); // name -> what it may include: modules, or single headers
const libraries = []; // [start of a header's name, modules or files that may include it]
for (const line of readFileSync(join(source, 'modules.txt'), 'utf8').split('\n')) {
    const [, kind, names, list] = /^(module|library) ([^:]+):(.*)$/.exec(line) ?? [];
    const allowed = list?.split(' ').filter((word) => word !== '');
    if (kind === 'module') modules.set(names, allowed);
    if (kind === 'library') libraries.push([names.split(/ +/)[1], allowed]);
}

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
    const module = file.split('/')[0];
    const may = modules.get(module);
    count++;
    if (!may) {
        report(file, 1, `the folder ${module} is not in src/modules.txt`);
        continue;
    }
    readFileSync(path, 'utf8')
        .split('\n')
        .forEach((text, index) => {
            const match = /^\s*#\s*include\s+(["<])([^">]+)[">]/.exec(text);
            if (!match) return;
            const [, quote, header] = match;
            const other = header.split('/')[0];
            if (quote === '"' && other !== module && !may.includes('*'))
                if (!may.includes(other) && !may.includes(header))
                    report(file, index + 1, `${module} must not know ${header}`);
            for (const [start, owners] of libraries)
                if (header.startsWith(start) && !owners.includes(module) && !owners.includes(file))
                    report(file, index + 1, `${header} belongs to ${owners.join(', ')}`);
        });
}
if (breaches > 0) process.exit(1);
console.log(`include rules hold in ${count} files`);
