// Relative links of the documents lead somewhere, down to the heading.
import { posix } from 'node:path';

import { headings, links as linksOf } from '../markdown.mjs';

function check(tree, path, { line, target }) {
    if (/^[a-z]+:/.test(target)) return [];
    const [file, anchor] = target.split('#');
    const to = file === '' ? path : posix.join(posix.dirname(path), file).replace(/\/$/, '');
    if (to !== '.' && !tree.has(to)) return [{ path, line, text: `${target}: no such file` }];
    if (anchor === undefined || !to.endsWith('.md')) return [];
    if (headings(tree.text(to)).anchors.has(anchor)) return [];
    return [{ path, line, text: `${target}: ${to} has no such heading` }];
}

export function links(tree) {
    return tree
        .matching(/\.md$/)
        .flatMap((path) => linksOf(tree.text(path)).flatMap((link) => check(tree, path, link)));
}
