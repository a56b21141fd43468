// Each rule passes a good tree, and reports the line of what is wrong in a bad one.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { essays } from '../../scripts/tidy/rules/essays.mjs';
import { includes } from '../../scripts/tidy/rules/includes.mjs';
import { lines } from '../../scripts/tidy/rules/lines.mjs';
import { links } from '../../scripts/tidy/rules/links.mjs';
import { moduleTable } from '../../scripts/tidy/rules/module-table.mjs';
import { names } from '../../scripts/tidy/rules/names.mjs';
import { references } from '../../scripts/tidy/rules/references.mjs';
import { shape } from '../../scripts/tidy/rules/shape.mjs';
import { unused } from '../../scripts/tidy/rules/unused.mjs';
import { Tree } from '../../scripts/tidy/tree.mjs';

function assertHolds(rule, files) {
    assert.deepEqual(rule(Tree.from(files)), []);
}

// Exactly these breaches: [path:line, what the text says].
function assertBreaks(rule, files, ...expected) {
    const breaches = rule(Tree.from(files));
    const shown = breaches.map(({ path, line, text }) => `${path}:${line}: ${text}`).join('\n');
    assert.equal(breaches.length, expected.length, shown);
    expected.forEach(([where, says], i) => {
        assert.equal(`${breaches[i].path}:${breaches[i].line}`, where, shown);
        assert.match(breaches[i].text, says);
    });
}

const modules = [
    '# Who may know whom.',
    'module base:',
    'module model: base',
    'module net:   base model/plain.h',
    'module serve: *',
    'library LIBUV uv.h: net serve/main.c',
].join('\n');

describe('includes', () => {
    const files = { 'src/modules.txt': modules };

    test('what the table allows', () => {
        assertHolds(includes, {
            ...files,
            'src/base/a.h': '#include <stdio.h>\n',
            'src/model/book.c': '#include "model/book.h"\n#include "base/a.h"\n',
            'src/net/loop.c': '#include "model/plain.h"\n#include <uv.h>\n',
            'src/serve/main.c': '#include "net/loop.h"\n#include <uv.h>\n',
        });
    });

    test('a module, a header and a library that are not for this file', () => {
        assertBreaks(
            includes,
            {
                ...files,
                'src/base/a.c': '\n#include "model/book.h"\n',
                'src/net/b.c': '#include "model/book.h"\n',
                'src/serve/c.c': '#include <uv.h>\n',
            },
            ['src/base/a.c:2', /base may not include model\/book\.h/],
            ['src/net/b.c:1', /net may not include model\/book\.h/],
            ['src/serve/c.c:1', /uv\.h is for net, serve\/main\.c only/],
        );
    });

    test('a folder that the table does not have', () => {
        assertBreaks(includes, { ...files, 'src/new/a.c': '' }, ['src/new/a.c:1', /src\/new/]);
    });

    test('a table whose modules may include each other', () => {
        const circle = 'module base: net\nmodule net: base\n';
        assertBreaks(includes, { 'src/modules.txt': circle }, ['src/modules.txt:1', /base.*net/]);
    });

    test('headers that include each other, by way of a third', () => {
        assertBreaks(
            includes,
            {
                ...files,
                'src/base/a.h': '#include "base/b.h"\n',
                'src/base/b.h': '#include "base/c.h"\n',
                'src/base/c.h': '\n#include "base/a.h"\n',
            },
            ['src/base/c.h:2', /base\/a\.h -> base\/b\.h -> base\/c\.h -> base\/a\.h/],
        );
    });
});

describe('module-table', () => {
    const table = (...rows) => ({
        'src/modules.txt': modules,
        'ARCHITECTURE.md': ['| folder | what | may include |', '|---|---|---|', ...rows].join('\n'),
    });
    const base = '| `src/base/` | small things | the C library |';
    const model = '| `src/model/` | the model | base |';
    const net = '| `src/net/` | sockets | base, `model/plain.h` |';
    const serve = '| `src/serve/` | the root | all |';

    test('the table of the document that is src/modules.txt, and rows of other folders', () => {
        assertHolds(moduleTable, table(base, model, net, serve, '| `web/` | the page | |'));
    });

    test('a row that is missing, one that differs, one of no module', () => {
        const wrong = '| `src/net/` | sockets | base, model |';
        assertBreaks(
            moduleTable,
            table(base, wrong, serve, '| `src/market/` | gone | base |'),
            ['ARCHITECTURE.md:1', /src\/model/],
            ['ARCHITECTURE.md:4', /src\/net\/ may include base, model\/plain\.h.*not base, model/],
            ['ARCHITECTURE.md:6', /no module market/],
        );
    });
});

describe('references', () => {
    const files = {
        'docs/model.md': '# The model\n\n## Which candle `counts`\n',
        'src/stream/hub.c': '/* The hub. */\n#include <uv.h>\n',
        'tests/fuzz/fuzz_config.c': '',
        'tests/fuzz/corpus/config/no': '',
        'bench/load.c': '',
    };

    test('what exists: by path, by name, by pattern, by heading', () => {
        assertHolds(references, {
            ...files,
            'src/stream/hub.h': [
                '/* See stream/hub.c, hub.c, uv.h, docs/model.md and `docs/model.md#the-model`,',
                ' * also (docs/model.md, "Which candle counts"). tests/fuzz/fuzz_<name>.c has its',
                ' * inputs in tests/fuzz/corpus/<name>; bench/load is a program; and so is bench/.',
                ' * `hub.{c,h}` are two, https://example.com/src/none.c and /etc/none.conf are',
                ' * elsewhere, build/none.c is made. RFC 6455 §5.5 says more.',
                ' *',
                ' * So does §5.6. */',
            ].join('\n'),
            'web/main.ts': "const text = 'src/none.c'; // not a comment\n",
        });
    });

    test('what does not exist, on the line of its mention', () => {
        assertBreaks(
            references,
            {
                ...files,
                'src/stream/hub.h': '/* One.\n * See ENGINE.md and\n * stream/none.c. */\n',
                'tests/a.test.mjs': "// As docs/none says.\nf('docs/nothing');\n",
                'README.md': 'See `src/none/` and\n`hub.{c,ts}`.\n',
            },
            ['src/stream/hub.h:2', /ENGINE\.md/],
            ['src/stream/hub.h:3', /stream\/none\.c/],
            ['tests/a.test.mjs:1', /docs\/none/],
            ['README.md:2', /hub\.\{c,ts\}/],
            ['README.md:1', /src\/none/],
        );
    });

    test('a heading that a document does not have, by title and by anchor', () => {
        assertBreaks(
            references,
            {
                ...files,
                'a.sh': '# See docs/model.md, "Which\n# tick counts", docs/model.md#none\n',
            },
            ['a.sh:1', /"Which tick counts"/],
            ['a.sh:2', /"none"/],
        );
    });

    test('a section of what is no RFC', () => {
        assertBreaks(
            references,
            { ...files, 'src/stream/hub.h': '/* RFC 6455 §5, docs/model.md §1 */' },
            ['src/stream/hub.h:1', /§1/],
        );
    });
});

describe('names', () => {
    const files = {
        'src/base/a.h':
            'int first(void);\n#define SECOND(x) x\nstruct a { void (*on_third)(int); };\n',
        'src/base/a.c': 'int first(void) { return sendmsg(0); }\n',
    };

    test('functions, macros, members, and functions of libraries that are called', () => {
        assertHolds(names, {
            ...files,
            'src/base/b.h': '/* As first(), SECOND(), on_third(), sendmsg() and fork() do. */\n',
            'web/a.ts': 'export function draw() {}\n',
            'README.md': '`first()` and `draw()`\n',
        });
    });

    test('a function that does not exist', () => {
        assertBreaks(
            names,
            {
                ...files,
                'src/base/b.h': '/* Read it with\n * gone(). */\n',
                'README.md': 'as `gone()` does\n',
            },
            ['src/base/b.h:2', /gone\(\)/],
            ['README.md:1', /gone\(\)/],
        );
    });
});

describe('essays', () => {
    test('a file that opens with two lines of reasons', () => {
        const line = 'The list is doubly linked, so that an element leaves it in one step.';
        assertHolds(essays, { 'src/base/a.c': `/* ${line}\n *\n * ${line} */\n#include "a.h"\n` });
    });

    test('a file that opens with its includes, or with a word', () => {
        assertBreaks(
            essays,
            {
                'src/base/a.c': '#include "a.h"\n/* The list is doubly linked. */\n',
                'src/base/b.c': '/* A list. */\n',
                'src/base/b.h': '#define B\n',
            },
            ['src/base/a.c:1', /no comment/],
            ['src/base/b.c:1', /1 line/],
        );
    });
});

describe('shape', () => {
    const body = (count) => `int f(void)\n{\n${'    a();\n'.repeat(count - 3)}}\n`;

    test('functions of 60 lines, structs of one definition', () => {
        assertHolds(shape, {
            'src/a/a.h': 'extern const int a;\nstruct one { int b; };\nstruct two;\n',
            'src/a/a.c': `/* extern */\nstatic struct one c = {1};\n${body(60)}`,
        });
    });

    test('a longer function, a struct with two definitions, extern in a .c file', () => {
        assertBreaks(
            shape,
            {
                'src/a/a.c': `struct one { int a; };\n${body(61)}`,
                'src/a/b.c': 'extern int x;\n\nstruct one {\n    int b;\n};\n',
            },
            ['src/a/a.c:2', /f\(\) has 61 lines/],
            ['src/a/b.c:1', /extern/],
            ['src/a/b.c:3', /struct one is also in src\/a\/a\.c:1/],
        );
    });
});

describe('unused', () => {
    const tests = { 'tests/unit/test_a.c': 'void t(void) { peek(); }\n' };
    const source = { 'src/a/a.c': 'int take(void) { return 0; }\nint peek(void) { return 0; }\n' };

    test('functions that the program or the benchmark calls, and one for tests that says so', () => {
        assertHolds(unused, {
            ...tests,
            ...source,
            'src/a/a.h': 'int take(void);\n\n/* What is in there, for tests. */\nint peek(void);\n',
            'bench/b.c': 'void b(void) { take(); }\n',
        });
    });

    test('functions that only tests call, or nothing', () => {
        assertBreaks(
            unused,
            { ...tests, ...source, 'src/a/a.h': '/* A. */\nint take(void);\nint peek(void);\n' },
            ['src/a/a.h:2', /nothing calls take\(\)/],
            ['src/a/a.h:3', /only tests call peek\(\)/],
        );
    });
});

describe('lines', () => {
    const long = 'x '.repeat(51).trim();

    test('100 columns, 120 of a document, tabs in a Makefile, and what cannot be broken', () => {
        assertHolds(lines, {
            'src/a.c': `/* ${'é'.repeat(94)} */\n`,
            Makefile: 'a:\n\tb\n',
            'a.md': `| ${long} |\n${'x'.repeat(120)}\n`,
            'a.sh': `sum=${'0'.repeat(120)}\n`,
            'a.mjs': `test('${long}');\n`,
        });
    });

    test('101 columns, a tab, blanks at the end', () => {
        assertBreaks(
            lines,
            {
                'src/a.c': `char *a = "${long}";\n`,
                'a.mjs': `    // ${long}\n`,
                'a.md': `a\n${long} ${long}\n`,
                'a.yml': '\ta:\n',
                'a.sh': 'a  \n',
            },
            ['src/a.c:1', /114 columns/],
            ['a.mjs:1', /108 columns/],
            ['a.md:2', /203 columns/],
            ['a.yml:1', /tab/],
            ['a.sh:1', /blanks/],
        );
    });
});

describe('links', () => {
    const files = { 'docs/a.md': '# A heading\n', 'docs/page.png': '' };

    test('links to files, folders, headings and other sites', () => {
        assertHolds(links, {
            ...files,
            'README.md': '[a](docs/a.md#a-heading) [b](docs/) ![c](docs/page.png) [d](https://e)\n',
            'docs/b.md': '# B\n[a](a.md) [b](#b) [c](../README.md)\n',
        });
    });

    test('a link to no file, and to no heading', () => {
        assertBreaks(
            links,
            { ...files, 'docs/b.md': '[a](none.md)\n\n[b](a.md#none)\n[c](#none)\n' },
            ['docs/b.md:1', /no such file/],
            ['docs/b.md:3', /docs\/a\.md has no such heading/],
            ['docs/b.md:4', /docs\/b\.md has no such heading/],
        );
    });
});
