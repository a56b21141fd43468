// Comments are told from code and from strings that look like them.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { callables, definitions, prototypes, structs } from '../../scripts/tidy/c-source.mjs';
import { headings, links } from '../../scripts/tidy/markdown.mjs';
import { languageOf, scan } from '../../scripts/tidy/scan.mjs';

const commentsOf = (text, language) =>
    scan(text, language).comments.map((comment) => [comment.line, comment.text.trim()]);

test('C: block and line comments, not what stands in strings', () => {
    const text = [
        'int a; /* one */',
        'char *s = "/* no */ // no";',
        "char c = '\"'; // two",
        '              // goes on',
        '',
        '// three',
    ].join('\n');
    assert.deepEqual(commentsOf(text, 'c'), [
        [1, 'one'],
        [3, 'two\n goes on'],
        [6, 'three'],
    ]);
});

test('code without comments and strings keeps its offsets and lines', () => {
    const text = 'f("a(b)"); /* g()\n h() */ i();';
    const { code } = scan(text, 'c');
    assert.equal(code.length, text.length);
    assert.equal(code.indexOf('i()'), text.indexOf('i()'));
    assert.deepEqual([...callables(code)], ['f', 'i']);
});

test('scripts: templates with expressions, regular expressions, divisions', () => {
    const text = [
        `const a = \`// no \${b ? \`/* no */ \${c}\` : { d: 1 }} // no\`; // one`,
        "const e = /[/'] \\/\\/ no/.test(f) ? g / 2 : h / 3; // two",
        'return /"/; // three',
    ].join('\nx();\n');
    assert.deepEqual(
        commentsOf(text, 'script').map(([, words]) => words),
        ['one', 'two', 'three'],
    );
});

test('CSS has no line comments, HTML and shell their own', () => {
    assert.deepEqual(commentsOf('a { b: url(//c); } /* one */', 'css'), [[1, 'one']]);
    assert.deepEqual(commentsOf('<p># no</p>\n<!-- one -->', 'html'), [[2, 'one']]);
    assert.deepEqual(commentsOf('#!/bin/bash\n# one\n# two\na "$#" # three', 'hash'), [
        [2, 'one\n two'],
        [4, 'three'],
    ]);
});

test('the language follows from the name', () => {
    assert.equal(languageOf('src/a/b.h'), 'c');
    assert.equal(languageOf('tests/CMakeLists.txt'), 'hash');
    assert.equal(languageOf('scripts/hooks/pre-commit'), 'hash');
    assert.equal(languageOf('docs/page.png'), undefined);
    assert.equal(languageOf('tests/fuzz/corpus/config/no'), undefined);
});

const declarationsCode = `
#define CALLS(x) other(x)
enum status one(int a,
                int b) __attribute__((format(printf, 1, 2)));
static inline int two(void)
{
    if (a) {
        three();
    }
}
typedef int (*four)(int);
struct five {
    void (*on_six)(int);
};
static const struct five table[] = {{seven}, {CALLS(8)}};
int variable = eight(1);
__attribute__((noinline)) int nine(struct five *a)
{
}
`;

test('C functions are found, whatever stands around them', () => {
    const names = (found) => found.map(({ name }) => name);
    assert.deepEqual(names(prototypes(declarationsCode)), ['one']);
    assert.deepEqual(names(definitions(declarationsCode)), ['two', 'nine']);
    assert.deepEqual(
        definitions(declarationsCode).map(({ line, lines, isStatic }) => [line, lines, isStatic]),
        [
            [5, 6, true],
            [17, 3, false],
        ],
    );
    assert.deepEqual(structs(declarationsCode), [{ tag: 'five', line: 12 }]);
    assert.ok(callables(declarationsCode).has('on_six'));
    assert.ok(callables(declarationsCode).has('CALLS'));
});

test('headings have the anchors of GitHub, and links are found outside of code', () => {
    const text = [
        '# Sockets: `uv_poll`, not `uv_tcp`',
        '## Twice',
        '## Twice',
        '```',
        '# no heading, [no](link)',
        '```',
        'A [link](a.md#b "title"), `[no](link)` and ![picture](c.png).',
        '',
        '[reference]: d.md',
    ].join('\n');
    const { titles, anchors } = headings(text);
    assert.deepEqual([...titles], ['Sockets: uv_poll, not uv_tcp', 'Twice']);
    assert.deepEqual([...anchors], ['sockets-uv_poll-not-uv_tcp', 'twice', 'twice-1']);
    assert.deepEqual(links(text), [
        { line: 7, target: 'a.md#b' },
        { line: 7, target: 'c.png' },
        { line: 9, target: 'd.md' },
    ]);
});
