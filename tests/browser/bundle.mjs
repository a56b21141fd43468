// Gives the tests the TypeScript sources: as modules for Node, as a script for a browser.
import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

async function bundle(path, options) {
    const result = await build({
        entryPoints: [`${root}/${path}`],
        bundle: true,
        write: false,
        target: 'es2022',
        conditions: ['source'],
        logLevel: 'silent',
        ...options,
    });
    return Buffer.from(result.outputFiles[0].contents);
}

export async function importTypeScript(path) {
    const code = await bundle(path, { format: 'esm' });
    return import(`data:text/javascript;base64,${code.toString('base64')}`);
}

/** A script that makes the module's exports the properties of a global. */
export async function scriptOf(path, globalName) {
    return (await bundle(path, { format: 'iife', globalName })).toString();
}
