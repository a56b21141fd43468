// A function that a comment in C or a document names as `name()` exists in the code.
import { callables } from '../c-source.mjs';
import { lineAt } from '../scan.mjs';

// Functions of the system and of libraries that are spoken of without being called.
const foreign = new Set([
    'duckdb_columns',
    'fork',
    'getopt_long',
    'json_integer',
    'json_null',
    'sendto',
    'unshare',
]);

function codeNames(tree, pattern) {
    const names = new Set(foreign);
    for (const path of tree.matching(pattern))
        for (const name of callables(tree.scan(path).code)) names.add(name);
    return names;
}

function* unknown(text, names) {
    for (const match of text.matchAll(/(?<![\w.>])([A-Za-z_]\w*)\(\)/g))
        if (!names.has(match[1])) yield [match.index, `no function ${match[1]}() exists`];
}

function check(tree, paths, names) {
    const breaches = [];
    for (const path of paths)
        for (const comment of tree.scan(path).comments)
            for (const [offset, text] of unknown(comment.text, names))
                breaches.push({ path, line: lineAt(comment.text, offset, comment.line), text });
    return breaches;
}

export function names(tree) {
    const inSource = codeNames(tree, /^src\/.*\.[ch]$/);
    const inC = codeNames(tree, /\.[ch]$/);
    const anywhere = codeNames(tree, /\.([ch]|ts|mjs|py)$/);
    return [
        ...check(tree, tree.matching(/^src\/.*\.[ch]$/), inSource),
        ...check(tree, tree.matching(/^(tests|bench)\/.*\.[ch]$/), inC),
        ...check(tree, tree.matching(/\.md$/), anywhere),
    ];
}
