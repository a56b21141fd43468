// The compiler marks a class that has private members as `#private;`, which the types of a package
// need not say in a way that only newer targets know (TS18028): any private member will do.
import { readdir, readFile, writeFile } from 'node:fs/promises';

const folder = new URL('dist/', import.meta.url);
for (const name of await readdir(folder)) {
    if (!name.endsWith('.d.ts')) continue;
    const file = new URL(name, folder);
    const types = await readFile(file, 'utf8');
    // Of each class by another name: one that extends another has both.
    const own = `_${name.replace(/\W/g, '_')}`;
    await writeFile(file, types.replaceAll('#private;', `private ${own};`));
}
