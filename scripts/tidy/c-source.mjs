// What C code declares, found by its brackets: enough for the layout that clang-format keeps, and
// no parser. All functions but includes() take code whose comments and strings are blank, as
// scan.mjs makes it.
import { lineAt } from './scan.mjs';

const keywords = /^(if|for|while|switch|return|sizeof|else|do|defined|_Alignof|_Static_assert)$/;

// The code with preprocessor lines blank too.
function withoutPreprocessor(code) {
    return code.replace(/^[ \t]*#(?:.*\\\n)*.*$/gm, (text) => text.replace(/[^\n]/g, ' '));
}

function closing(code, at, open, close) {
    let depth = 0;
    for (let i = at; i < code.length; i++) {
        if (code[i] === open) depth++;
        else if (code[i] === close && --depth === 0) return i;
    }
    return code.length;
}

function withoutAttributes(text) {
    for (;;) {
        const at = text.indexOf('__attribute__');
        if (at < 0) return text;
        const end = closing(text, at, '(', ')') + 1;
        text = text.slice(0, at) + text.slice(at, end).replace(/[^\n]/g, ' ') + text.slice(end);
    }
}

// The pieces of code outside all braces: what precedes a `{`, `;` or `=`, and the body's extent.
function* declarations(code) {
    let start = 0;
    let depth = 0; // of round brackets
    for (let at = 0; at < code.length; at++) {
        if (code[at] === '(') depth++;
        else if (code[at] === ')') depth--;
        else if (depth === 0 && code[at] === ';') {
            yield { text: code.slice(start, at), start, end: at };
            start = at + 1;
        } else if (depth === 0 && code[at] === '{') {
            const end = closing(code, at, '{', '}');
            yield { text: code.slice(start, at), start, end, hasBody: true };
            at = end;
            // A struct's or an initialiser's own `;` follows; a function ends here.
            start = end + 1;
        }
    }
}

// [name, static?] of a declaration that is a function's; undefined for others.
function functionOf(text) {
    const plain = withoutAttributes(text);
    if (/^\s*typedef\b/.test(plain) || /=/.test(plain)) return undefined;
    const match = /([A-Za-z_]\w*)\s*\(/.exec(plain);
    if (!match || keywords.test(match[1]) || !/\)\s*$/.test(plain)) return undefined;
    const before = plain.slice(0, match.index);
    if (!/\w/.test(before)) return undefined; // a macro's use
    return { name: match[1], isStatic: /\bstatic\b/.test(before) };
}

function* functionsIn(code) {
    for (const { text, start, end, hasBody } of declarations(withoutPreprocessor(code))) {
        const found = functionOf(text);
        if (!found) continue;
        const first = start + text.search(/\S/);
        const line = lineAt(code, first);
        yield { ...found, line, lines: lineAt(code, end) - line + 1, start: first, end, hasBody };
    }
}

// {name, isStatic, line, lines}: `lines` from the one on which it begins to its closing brace.
export function definitions(code) {
    return [...functionsIn(code)].filter((found) => found.hasBody);
}

export function prototypes(code) {
    return [...functionsIn(code)].filter((found) => !found.hasBody);
}

// {tag, line} of each struct and union with members.
export function structs(code) {
    const found = [];
    for (const match of code.matchAll(/\b(?:struct|union)\s+(\w+)\s*\{/g))
        found.push({ tag: match[1], line: lineAt(code, match.index) });
    return found;
}

// {line, header, isLocal} of each #include of the whole text: the name of a local header is a
// string, which blank code does not have.
export function includes(text) {
    const found = [];
    for (const match of text.matchAll(/^[ \t]*#[ \t]*include[ \t]+(["<])([^">\n]+)[">]/gm))
        found.push({
            line: lineAt(text, match.index),
            header: match[2],
            isLocal: match[1] === '"',
        });
    return found;
}

// Every name that the code calls, declares or defines as a function, a macro or a member that
// points to one. What is called exists, or the code would not compile.
export function callables(code) {
    const names = new Set();
    for (const match of code.matchAll(/\b([A-Za-z_]\w*)\s*\(/g)) names.add(match[1]);
    for (const match of code.matchAll(/\(\s*\*\s*(\w+)\s*\)\s*\(/g)) names.add(match[1]);
    return names;
}
