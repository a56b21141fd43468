// The table of modules in ARCHITECTURE.md says what src/modules.txt says: a row of each module, in
// whose last column stand the modules and headers it may include.
import { readModules } from '../modules.mjs';

const path = 'ARCHITECTURE.md';

function wordsOf(cell) {
    const words = cell.split(',').map((word) => word.trim().replaceAll('`', ''));
    if (words.length === 1 && words[0] === 'the C library') return [];
    if (words.length === 1 && words[0] === 'all') return ['*'];
    return words;
}

// name -> {line, words} of the rows that begin with a folder of src/.
function readRows(text) {
    const rows = new Map();
    text.split('\n').forEach((row, index) => {
        const cells = row.split('|').slice(1, -1);
        const name = /^`src\/(\w+)\/`$/.exec(cells[0]?.trim() ?? '')?.[1];
        if (name && cells.length === 3)
            rows.set(name, { line: index + 1, words: wordsOf(cells.at(-1)) });
    });
    return rows;
}

const listed = (words) => [...words].sort().join(', ') || 'the C library';

export function moduleTable(tree) {
    const { modules } = readModules(tree);
    const rows = readRows(tree.text(path));
    const breaches = [];
    for (const [name, allowed] of modules) {
        const row = rows.get(name);
        if (!row) breaches.push({ path, line: 1, text: `no row of the table is for src/${name}/` });
        else if (listed(row.words) !== listed(allowed))
            breaches.push({
                path,
                line: row.line,
                text: `src/${name}/ may include ${listed(allowed)} by src/modules.txt, not ${listed(row.words)}`,
            });
    }
    for (const [name, { line }] of rows)
        if (!modules.has(name))
            breaches.push({ path, line, text: `src/modules.txt has no module ${name}` });
    return breaches;
}
