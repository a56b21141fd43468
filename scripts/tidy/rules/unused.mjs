// What a header of src/ declares is used by the program, not by its tests alone, unless its comment
// says that it is `for tests`.
import { prototypes } from '../c-source.mjs';

function countWords(tree, pattern) {
    const counts = new Map();
    for (const path of tree.matching(pattern))
        for (const [word] of tree.scan(path).code.matchAll(/\b[A-Za-z_]\w*\b/g))
            counts.set(word, (counts.get(word) ?? 0) + 1);
    return counts;
}

// The comment that speaks of a declaration: on its own line, or directly above it and the
// declarations between.
function saysForTests(tree, path, { line, lines }) {
    const rows = tree.text(path).split('\n');
    let from = line - 1;
    while (from > 0 && rows[from - 1].trim() !== '') from--;
    return /for (the )?tests/.test(rows.slice(from, line - 1 + lines).join('\n'));
}

export function unused(tree) {
    // A function stands twice, declared and defined; what is more is a use.
    const inSource = countWords(tree, /^src\/.*\.[ch]$/);
    const inBench = countWords(tree, /^bench\/.*\.[ch]$/);
    const inTests = countWords(tree, /^tests\/.*\.[ch]$/);
    const breaches = [];
    for (const path of tree.matching(/^src\/.*\.h$/))
        for (const found of prototypes(tree.scan(path).code)) {
            const { name, line, isStatic } = found;
            if (isStatic || inSource.get(name) > 2 || inBench.has(name)) continue;
            if (!inTests.has(name)) breaches.push({ path, line, text: `nothing calls ${name}()` });
            else if (!saysForTests(tree, path, found))
                breaches.push({
                    path,
                    line,
                    text: `only tests call ${name}(): its comment must say that it is for tests`,
                });
        }
    return breaches;
}
