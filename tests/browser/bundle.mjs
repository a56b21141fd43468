// Gives the tests the TypeScript sources as modules: bundled in memory, imported from a data URL.
import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

export async function importTypeScript(path) {
    const result = await build({
        entryPoints: [`${root}/${path}`],
        bundle: true,
        write: false,
        format: 'esm',
        target: 'es2022',
        conditions: ['source'],
        logLevel: 'silent',
    });
    const code = Buffer.from(result.outputFiles[0].contents).toString('base64');
    return import(`data:text/javascript;base64,${code}`);
}
