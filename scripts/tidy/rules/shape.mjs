// The shape of C code in src/: no function is long, no struct has two definitions, and what one
// file shares with another is declared in a header.
import { definitions, structs } from '../c-source.mjs';
import { lineAt } from '../scan.mjs';

const functionLinesMax = 60;

function longFunctions(path, code) {
    return definitions(code)
        .filter(({ lines }) => lines > functionLinesMax)
        .map(({ name, line, lines }) => ({
            path,
            line,
            text: `${name}() has ${lines} lines, over ${functionLinesMax}`,
        }));
}

function externs(path, code) {
    return [...code.matchAll(/\bextern\b/g)].map((match) => ({
        path,
        line: lineAt(code, match.index),
        text: 'extern in a .c file: the declaration belongs in a header',
    }));
}

export function shape(tree) {
    const breaches = [];
    const first = new Map(); // tag -> where it was defined first
    for (const path of tree.matching(/^src\/.*\.[ch]$/)) {
        const { code } = tree.scan(path);
        breaches.push(...longFunctions(path, code));
        if (path.endsWith('.c')) breaches.push(...externs(path, code));
        for (const { tag, line } of structs(code)) {
            const other = first.get(tag);
            if (other) breaches.push({ path, line, text: `struct ${tag} is also in ${other}` });
            else first.set(tag, `${path}:${line}`);
        }
    }
    return breaches;
}
