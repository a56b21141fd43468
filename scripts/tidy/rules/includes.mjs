// The #include lines of src/ keep to src/modules.txt, the table itself has no circle, and no header
// includes, by way of others, itself.
import { includes as includesOf } from '../c-source.mjs';
import { readModules } from '../modules.mjs';

const moduleOf = (path) => path.split('/')[1];

// A module may name those above it only, so that there is no circle between modules.
function checkTable({ modules, lines }) {
    const breaches = [];
    const above = new Set();
    for (const [name, allowed] of modules) {
        for (const word of allowed)
            if (word !== '*' && !above.has(word.split('/')[0]))
                breaches.push({
                    path: 'src/modules.txt',
                    line: lines.get(name),
                    text: `${name} may include ${word}, which is not of a module above it`,
                });
        above.add(name);
    }
    return breaches;
}

function checkFile(path, includes, { modules, libraries }) {
    const file = path.slice('src/'.length);
    const module = moduleOf(path);
    const may = modules.get(module);
    if (!may)
        return [{ path, line: 1, text: `the folder src/${module} is not in src/modules.txt` }];
    const breaches = [];
    for (const { line, header, isLocal } of includes) {
        const other = header.split('/')[0];
        const isAllowed =
            other === module || may.includes('*') || may.includes(other) || may.includes(header);
        if (isLocal && !isAllowed)
            breaches.push({ path, line, text: `${module} may not include ${header}` });
        for (const [start, owners] of libraries)
            if (header.startsWith(start) && !owners.includes(module) && !owners.includes(file))
                breaches.push({ path, line, text: `${header} is for ${owners.join(', ')} only` });
    }
    return breaches;
}

// `graph`: header -> [{line, header}] of the headers of src/ that it includes.
function findCircles(graph) {
    const breaches = [];
    const done = new Set();
    const visit = (header, trail) => {
        if (done.has(header)) return;
        for (const { line, header: next } of graph.get(header) ?? []) {
            const at = [...trail, header].indexOf(next);
            if (at >= 0) {
                const circle = [...trail, header].slice(at).concat(next);
                const text = `a circle of includes: ${circle.join(' -> ')}`;
                breaches.push({ path: `src/${header}`, line, text });
            } else visit(next, [...trail, header]);
        }
        done.add(header);
    };
    for (const header of graph.keys()) visit(header, []);
    return breaches;
}

export function includes(tree) {
    const table = readModules(tree);
    const breaches = checkTable(table);
    const graph = new Map();
    for (const path of tree.matching(/^src\/.*\.[ch]$/)) {
        const found = includesOf(tree.text(path));
        breaches.push(...checkFile(path, found, table));
        if (path.endsWith('.h'))
            graph.set(
                path.slice('src/'.length),
                found.filter(({ isLocal }) => isLocal),
            );
    }
    return [...breaches, ...findCircles(graph)];
}
