// Tells comments from code, in every language of the tree.
//
// scan() returns `code`, the text with the insides of comments and strings replaced by blanks (so
// that offsets and lines are those of the text), and `comments`: the line on which each begins and
// its text without the marks, line for line. Line comments that follow each other are one comment,
// since a sentence runs through them.

const byExtension = {
    c: 'c',
    h: 'c',
    ts: 'script',
    mjs: 'script',
    css: 'css',
    jsonc: 'script',
    html: 'html',
    svg: 'html',
    sh: 'hash',
    py: 'hash',
    yaml: 'hash',
    yml: 'hash',
    conf: 'hash',
    service: 'hash',
    dict: 'hash',
    md: 'markdown',
};
const byName = /(^|\/)(CMakeLists\.txt|Makefile|Dockerfile|modules\.txt|\.ci\/\w+|hooks\/[\w-]+)$/;

// undefined: a file whose comments are not read.
export function languageOf(path) {
    if (byName.test(path)) return 'hash';
    return byExtension[/\.(\w+)$/.exec(path)?.[1]];
}

const blank = (text) => text.replace(/[^\n]/g, ' ');

// Where a literal that begins at `at` ends: after its closing quote, or at the end of the line.
function stringEnd(text, at) {
    const quote = text[at];
    for (let i = at + 1; i < text.length; i++) {
        if (text[i] === '\\') i++;
        else if (text[i] === quote) return i + 1;
        else if (text[i] === '\n') return i;
    }
    return text.length;
}

// A slash divides after a value, and begins a regular expression elsewhere.
function beginsRegex(before) {
    const word = /([\w$]+|[^\s\w$])\s*$/.exec(before)?.[1];
    if (word === undefined) return true;
    if (/^[\w$]/.test(word)) return /^(return|typeof|case|in|of|void|yield|await|else)$/.test(word);
    return !/[)\]}'"`]/.test(word);
}

function regexEnd(text, at) {
    let isInClass = false;
    for (let i = at + 1; i < text.length && text[i] !== '\n'; i++) {
        if (text[i] === '\\') i++;
        else if (text[i] === '[') isInClass = true;
        else if (text[i] === ']') isInClass = false;
        else if (text[i] === '/' && !isInClass) return i + 1;
    }
    return at + 1;
}

// The end of a template's text: after its closing quote, or after the `${` of an expression.
function templateEnd(text, at) {
    for (let i = at; i < text.length; i++) {
        if (text[i] === '\\') i++;
        else if (text[i] === '`') return i + 1;
        else if (text[i] === '$' && text[i + 1] === '{') return i + 2;
    }
    return text.length;
}

// Where the template's text that begins at `at` ends; `braces` has an entry for each expression
// that is open, the number of braces within it.
function templateText(text, at, braces) {
    const end = templateEnd(text, at);
    if (text[end - 1] === '{') braces.push(0);
    return ['string', end];
}

// The braces of a template's expressions: the one that ends an expression begins text again.
function braceAt(text, at, braces) {
    if (braces.length === 0) return undefined;
    if (text[at] === '{') braces[braces.length - 1]++;
    if (text[at] !== '}') return undefined;
    if (braces[braces.length - 1] > 0) {
        braces[braces.length - 1]--;
        return undefined;
    }
    braces.pop();
    return templateText(text, at + 1, braces);
}

// The comment or string that begins at `at`, as [kind, end]; undefined where code continues.
function literalAt(text, at, language, braces) {
    if (text.startsWith('/*', at)) {
        const close = text.indexOf('*/', at + 2);
        return ['comment', close < 0 ? text.length : close + 2];
    }
    if (text.startsWith('//', at) && language !== 'css') {
        const close = text.indexOf('\n', at);
        return ['comment', close < 0 ? text.length : close];
    }
    if (text[at] === '"' || text[at] === "'") return ['string', stringEnd(text, at)];
    if (language !== 'script') return undefined;
    if (text[at] === '/' && beginsRegex(text.slice(Math.max(0, at - 80), at)))
        return ['string', regexEnd(text, at)];
    if (text[at] === '`') return templateText(text, at + 1, braces);
    return braceAt(text, at, braces);
}

// Pieces of C, TypeScript, JavaScript or CSS: [kind, piece]; a kind is code, string or comment.
function* pieces(text, language) {
    const braces = [];
    let start = 0;
    for (let at = 0; at < text.length; ) {
        const [kind, end] = literalAt(text, at, language, braces) ?? ['code', at + 1];
        if (kind !== 'code') {
            if (at > start) yield ['code', text.slice(start, at)];
            yield [kind, text.slice(at, end)];
            start = end;
        }
        at = end;
    }
    if (text.length > start) yield ['code', text.slice(start)];
}

const withoutMarks = (comment) =>
    comment
        .replace(/^(\/\*+|\/\/+)/, '')
        .replace(/\*+\/$/, '')
        .replace(/\n[ \t]*\*/g, '\n');

const blankInside = (literal) => literal[0] + blank(literal.slice(1, -1)) + literal.at(-1);

function scanPieces(text, language) {
    const comments = [];
    let code = '';
    let line = 1;
    let isOpen = false; // the last comment was of a line, and only blanks have followed it
    for (const [kind, piece] of pieces(text, language)) {
        const isLine = kind === 'comment' && piece.startsWith('//');
        if (isLine && isOpen) comments.at(-1).text += `\n${withoutMarks(piece)}`;
        else if (kind === 'comment') comments.push({ line, text: withoutMarks(piece) });
        isOpen = isLine || (isOpen && kind === 'code' && /^[ \t]*\n?[ \t]*$/.test(piece));
        if (kind === 'code') code += piece;
        else code += kind === 'string' && piece.length > 1 ? blankInside(piece) : blank(piece);
        line += piece.split('\n').length - 1;
    }
    return { code, comments };
}

function scanHash(text) {
    const comments = [];
    let last = -1; // the line of the last comment that stands alone
    const code = text.split('\n').map((line, index) => {
        const match = /^(|.*\s)#+(\s.*|)$/.exec(line);
        if (!match) return line;
        const isAlone = match[1].trim() === '';
        if (isAlone && last === index - 1 && comments.length > 0)
            comments.at(-1).text += `\n${match[2]}`;
        else comments.push({ line: index + 1, text: match[2] });
        if (isAlone) last = index;
        return match[1];
    });
    return { code: code.join('\n'), comments };
}

function scanHtml(text) {
    const comments = [];
    const code = text.replace(/<!--([\s\S]*?)-->/g, (whole, inside, at) => {
        comments.push({ line: text.slice(0, at).split('\n').length, text: inside });
        return blank(whole);
    });
    return { code, comments };
}

// A document is prose from end to end, but for the blocks of code between fences.
function scanMarkdown(text) {
    const prose = text.replace(/^(```|~~~)[\s\S]*?^\1.*$/gm, blank);
    return { code: '', comments: [{ line: 1, text: prose }] };
}

export function scan(text, language) {
    if (language === 'hash') return scanHash(text);
    if (language === 'html') return scanHtml(text);
    if (language === 'markdown') return scanMarkdown(text);
    if (language === undefined) return { code: text, comments: [] };
    return scanPieces(text, language);
}

// The line of an offset into a comment's text (or into a file's, with line 1).
export function lineAt(text, offset, line = 1) {
    for (let i = text.indexOf('\n'); i >= 0 && i < offset; i = text.indexOf('\n', i + 1)) line++;
    return line;
}
