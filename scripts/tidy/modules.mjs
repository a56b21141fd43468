// Reads src/modules.txt, the one table of who may know whom, which CMake reads too.

// modules: name -> what it may include (modules, single headers, or `*`); lines: name -> its line;
// libraries: [start of a header's name, modules or files that may include it].
export function readModules(tree) {
    const table = { modules: new Map(), lines: new Map(), libraries: [] };
    const rows = tree.text('src/modules.txt').split('\n');
    rows.forEach((row, index) => {
        const [, kind, names, list] = /^(module|library) ([^:]+):(.*)$/.exec(row) ?? [];
        const allowed = list?.split(' ').filter((word) => word !== '');
        if (kind === 'module') {
            table.modules.set(names.trim(), allowed);
            table.lines.set(names.trim(), index + 1);
        }
        if (kind === 'library') table.libraries.push([names.split(/ +/)[1], allowed]);
    });
    return table;
}
