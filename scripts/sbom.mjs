// The software bill of materials of a build, in CycloneDX 1.5 (JSON), on standard output:
//
//   node scripts/sbom.mjs build/heatcast
//
// Three kinds of parts: the shared libraries that the program loads, by the Debian packages that they
// come from; DuckDB, which is pinned by version and SHA-512; the npm packages that the page is bundled
// from. It names versions and hashes, and where the parts are licensed by their packages, not what
// they are licensed as.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const program = process.argv[2];
if (program === undefined) {
    console.error('usage: node scripts/sbom.mjs PROGRAM');
    process.exit(2);
}

const output = (command, ...args) =>
    execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
const hash = (algorithm, path) => createHash(algorithm).update(readFileSync(path)).digest('hex');

// "libuv.so.1 => /lib/x86_64-linux-gnu/libuv.so.1 (0x...)"
function librariesOf(path) {
    return [...output('ldd', path).matchAll(/=> (\/\S+)/g)].map((match) => realpathSync(match[1]));
}

function debianPackageOf(path) {
    for (const known of [path, path.replace(/^\/usr/, '')]) {
        try {
            const [owner] = output('dpkg-query', '--search', known).split('\n');
            return owner.slice(0, owner.lastIndexOf(': '));
        } catch {
            // Known under the other name, or not Debian's.
        }
    }
    return undefined;
}

function debianComponent(name, paths) {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is dpkg-query's
    const format = '${Package}\t${Version}\t${Architecture}';
    const [packageName, version, architecture] = output(
        'dpkg-query',
        '--show',
        `--showformat=${format}`,
        name,
    ).split('\t');
    const purl = `pkg:deb/debian/${packageName}@${encodeURIComponent(version)}?arch=${architecture}`;
    return {
        type: 'library',
        name: packageName,
        version,
        purl,
        'bom-ref': purl,
        hashes: paths.map((path) => ({ alg: 'SHA-256', content: hash('sha256', path) })),
    };
}

function libraries() {
    const byPackage = new Map();
    const components = [];
    for (const path of librariesOf(program)) {
        const owner = debianPackageOf(path);
        if (owner !== undefined) byPackage.set(owner, [...(byPackage.get(owner) ?? []), path]);
        else if (path.endsWith('libduckdb.so')) components.push(duckdb(path));
        else throw new Error(`${path} belongs to no package`);
    }
    for (const [name, paths] of byPackage) components.push(debianComponent(name, paths));
    return components;
}

function duckdb(path) {
    const script = readFileSync(join(root, 'scripts/fetch-duckdb.sh'), 'utf8');
    const version = /^version=(\S+)/m.exec(script)[1];
    return {
        type: 'library',
        name: 'duckdb',
        version,
        purl: `pkg:generic/duckdb@${version}`,
        'bom-ref': `pkg:generic/duckdb@${version}`,
        hashes: [{ alg: 'SHA-256', content: hash('sha256', path) }],
    };
}

// What is bundled into the page, from the lock file: all that web/ needs to run.
function npmPackages() {
    const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
    return Object.entries(packages)
        .filter(([path, entry]) => path.startsWith('node_modules/') && !entry.dev && !entry.link)
        .filter(([, entry]) => !entry.optional && entry.integrity !== undefined)
        .map(([path, { version, integrity }]) => {
            const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
            const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
            const content = Buffer.from(integrity.replace('sha512-', ''), 'base64').toString('hex');
            return {
                type: 'library',
                name,
                version,
                purl,
                'bom-ref': purl,
                hashes: [{ alg: 'SHA-512', content }],
            };
        });
}

const version = readFileSync(join(root, 'VERSION'), 'utf8').trim();
const components = [...libraries(), ...npmPackages()].sort((a, b) => (a.purl < b.purl ? -1 : 1));
const bom = {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: {
        component: {
            type: 'application',
            name: 'heatcast',
            version,
            'bom-ref': 'heatcast',
            hashes: [{ alg: 'SHA-256', content: hash('sha256', program) }],
        },
    },
    components,
    dependencies: [{ ref: 'heatcast', dependsOn: components.map(({ purl }) => purl) }],
};
console.log(JSON.stringify(bom, null, 2));
