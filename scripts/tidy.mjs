// Holds the tree to what its documents say of it; `tidy.mjs [RULE...]`. Prints each breach as
// file:line: text, and exits with 1 if there is one. It needs Node alone, and runs as a test.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { essays } from './tidy/rules/essays.mjs';
import { includes } from './tidy/rules/includes.mjs';
import { lines } from './tidy/rules/lines.mjs';
import { links } from './tidy/rules/links.mjs';
import { moduleTable } from './tidy/rules/module-table.mjs';
import { names } from './tidy/rules/names.mjs';
import { references } from './tidy/rules/references.mjs';
import { shape } from './tidy/rules/shape.mjs';
import { unused } from './tidy/rules/unused.mjs';
import { Tree } from './tidy/tree.mjs';

const rules = {
    includes,
    'module-table': moduleTable,
    references,
    names,
    essays,
    shape,
    unused,
    lines,
    links,
};

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(rules);
const unknown = wanted.filter((name) => !rules[name]);
if (unknown.length > 0) {
    console.error(
        `tidy: no rule ${unknown.join(', ')}; the rules are ${Object.keys(rules).join(', ')}`,
    );
    process.exit(2);
}

const tree = Tree.of(join(dirname(fileURLToPath(import.meta.url)), '..'));
let count = 0;
for (const name of wanted)
    for (const { path, line, text } of rules[name](tree)) {
        console.error(`${path}:${line}: ${text} [${name}]`);
        count++;
    }
if (count > 0) {
    console.error(`tidy: ${count} breaches in ${tree.paths.length} files`);
    process.exit(1);
}
console.log(`tidy: ${tree.paths.length} files keep ${wanted.length} rules`);
