// Lines have at most 100 columns, those of documents 120, no tabs and no blanks at their end.
import { languageOf } from '../scan.mjs';

const columnsMaxOf = (path) => (path.endsWith('.md') ? 120 : 100);

// The inputs of the fuzz targets have no extension, and every byte of theirs is meant.
const isText = (path) => languageOf(path) !== undefined || /(\.\w+|LICENSE|VERSION)$/.test(path);
// Written by tools, or markup whose attributes cannot be broken.
const isMade = (path) => /(package-lock\.json|\.html|\.svg|\.png|\/grafana\/.*\.json)$/.test(path);
const wantsTabs = (path) => /(^|\/)Makefile$/.test(path);

// What no line break can make shorter: a row of a Markdown table, a long word, a long string of a
// script. Biome lays out the code of TypeScript, JavaScript and CSS, and what it leaves is a string
// that it may not break: of these only comments are held to the limit.
function isUnbreakable(path, row) {
    if (path.endsWith('.md')) return /^\s*\|/.test(row);
    if (/\.(ts|mjs|css)$/.test(path)) return !/^\s*(\/\/|\/?\*)/.test(row);
    return !/\.[ch]$/.test(path) && /\S{80}|(["']).{80,}\1/.test(row);
}

export function lines(tree) {
    const breaches = [];
    for (const path of tree.paths) {
        if (!isText(path) || isMade(path)) continue;
        const columnsMax = columnsMaxOf(path);
        tree.text(path)
            .split('\n')
            .forEach((row, index) => {
                const report = (text) => breaches.push({ path, line: index + 1, text });
                const columns = [...row].length;
                if (columns > columnsMax && !isUnbreakable(path, row))
                    report(`${columns} columns, over ${columnsMax}`);
                if (row.includes('\t') && !wantsTabs(path)) report('a tab');
                if (/\s$/.test(row)) report('blanks at the end of the line');
            });
    }
    return breaches;
}
