// Headings and links of Markdown documents.
import { lineAt } from './scan.mjs';

const plain = (heading) =>
    heading
        .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
        .replace(/[`*]/g, '')
        .trim();

// The anchor that GitHub makes of a heading.
const slug = (heading) =>
    heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replace(/\s/g, '-');

const withoutFences = (text) =>
    text.replace(/^(```|~~~)[\s\S]*?^\1.*$/gm, (block) => block.replace(/[^\n]/g, ' '));

// {titles, anchors}: what a reference to the document may name.
export function headings(text) {
    const titles = new Set();
    const anchors = new Set();
    for (const match of withoutFences(text).matchAll(/^#{1,6}\s+(.*?)\s*#*$/gm)) {
        const title = plain(match[1]);
        titles.add(title);
        let anchor = slug(title);
        for (let i = 1; anchors.has(anchor); i++) anchor = `${slug(title)}-${i}`;
        anchors.add(anchor);
    }
    return { titles, anchors };
}

// {line, target} of each link and picture, outside of code.
export function links(text) {
    const prose = withoutFences(text)
        .replace(/^( {4}|\t).*$/gm, '')
        .replace(/`[^`\n]*`/g, (code) => ' '.repeat(code.length));
    const found = [];
    for (const match of prose.matchAll(/\]\(\s*([^)\s]+)[^)]*\)|^\[[^\]]+\]:\s*(\S+)/gm))
        found.push({ line: lineAt(prose, match.index), target: match[1] ?? match[2] });
    return found;
}
