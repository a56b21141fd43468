// What a comment or a document points to exists: files and folders of the project, headings of its
// documents. Sections (§) are of RFCs, since no document of the project numbers its own.
import { posix } from 'node:path';

import { includes } from '../c-source.mjs';
import { headings } from '../markdown.mjs';
import { languageOf, lineAt } from '../scan.mjs';

const blank = (text) => text.replace(/[^\n]/g, ' ');

const extensions = 'c|h|md|mjs|ts|sh|css|html|json|yml|yaml|conf|py|dict';
const piece = '(?:[\\w.*<>-]|\\{[\\w.*,-]*\\})'; // of a name
const before = '(?<![\\w./$@}~-])';
const fileName = new RegExp(
    `${before}(?:${piece}+/)*${piece}+\\.` +
        `(?:${extensions}|\\{(?:${extensions})(?:,(?:${extensions}))+\\})(?![\\w/(-])`,
    'g',
);
const topFolders = '(?:src|docs|tests|bench|scripts|deploy|client|web)';
const folderPath = new RegExp(`${before}${topFolders}/(?:${piece}+/)*${piece}*`, 'g');

// What a build makes, and a name that stands for any, as OUT.c does.
const isForeign = (mention) =>
    /^(build|node_modules)\b/.test(mention) || /^[A-Z_]+\.(?!md)\w+$/.test(mention);

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

// Words in angle brackets and asterisks stand for any name, braces for each of theirs. A program is
// mentioned without the extension of its source.
function patternsOf(mention) {
    const braces = /\{([^{}]*)\}/.exec(mention);
    if (braces)
        return braces[1].split(',').flatMap((word) => patternsOf(mention.replace(braces[0], word)));
    const parts = mention.split(/\*\*|<\w+>|\*/).map(escaped);
    return [new RegExp(`(^|/)${parts.join('[^/]*')}(\\.\\w+)?$`)];
}

class Names {
    constructor(tree) {
        this.tree = tree;
        this.known = [...tree.paths, ...tree.folders];
        this.systemHeaders = new Set();
        for (const path of tree.matching(/\.[ch]$/))
            for (const { header } of includes(tree.text(path))) this.systemHeaders.add(header);
    }

    exists(mention, from) {
        const near = posix.join(posix.dirname(from), mention);
        if (this.tree.has(near) || this.tree.has(mention)) return true;
        if (this.systemHeaders.has(mention.replace(/^include\//, ''))) return true;
        return patternsOf(mention).every((pattern) => this.known.some((p) => pattern.test(p)));
    }

    // The document of that name; undefined if there is none.
    document(mention, from) {
        const near = posix.join(posix.dirname(from), mention);
        if (this.tree.has(near)) return near;
        return this.tree.paths.find((path) => path === mention || path.endsWith(`/${mention}`));
    }
}

// [offset, text of the breach]
function* missingFiles(text, from, names) {
    const seen = new Set();
    for (const pattern of [fileName, folderPath])
        for (const match of text.matchAll(pattern)) {
            const mention = match[0].replace(/[./-]+$/, '').replace(/^<(?!\w+>)/, '');
            if (mention === '' || isForeign(mention) || seen.has(match.index)) continue;
            seen.add(match.index);
            if (!names.exists(mention, from)) yield [match.index, `${mention} does not exist`];
        }
}

function* missingHeadings(text, from, names) {
    const heading = /([\w./-]+\.md)(?:#([\w-]+)|[`,]*\s+\(?["“]([^"”]+)["”])/g;
    for (const match of text.matchAll(heading)) {
        const path = names.document(match[1], from);
        if (!path) continue; // reported as a file
        const { titles, anchors } = headings(names.tree.text(path));
        const title = match[3]?.replace(/\s+/g, ' ').replaceAll('`', '');
        if (match[2] !== undefined ? anchors.has(match[2]) : titles.has(title)) continue;
        yield [match.index, `${path} has no heading "${match[2] ?? title}"`];
    }
}

// A section's number belongs to what was named last before it, in this comment or an earlier one of
// the file.
function* strangeSections(text, earlier) {
    for (const match of text.matchAll(/§\s*[\d.]*\d/g)) {
        const before = `${earlier}\n${text.slice(0, match.index)}`;
        const owner = /.*\b(RFC \d+|[\w./-]+\.md)\b/s.exec(before)?.[1];
        if (!owner?.startsWith('RFC')) yield [match.index, `${match[0]} is no section of an RFC`];
    }
}

// The change log tells of files as they were.
const isHistory = (path) => path === 'CHANGELOG.md';

export function references(tree) {
    const names = new Names(tree);
    const breaches = [];
    for (const path of tree.paths) {
        if (languageOf(path) === undefined || isHistory(path)) continue;
        let earlier = '';
        for (const { line, text } of tree.scan(path).comments) {
            const words = text.replace(/[a-z]+:\/\/[^\s)>`]+/g, blank);
            const found = [
                ...missingFiles(words, path, names),
                ...missingHeadings(words, path, names),
                ...strangeSections(words, earlier),
            ];
            earlier += `${words}\n`;
            for (const [offset, what] of found)
                breaches.push({ path, line: lineAt(text, offset, line), text: what });
        }
    }
    return breaches;
}
