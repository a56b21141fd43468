// The project's text files, as the rules see them: by path from the root, read once.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { languageOf, scan } from './scan.mjs';

// What is made, fetched or local, as .gitignore has it.
const skippedFolders = /^(\.git|\.cache|node_modules|build(-.*)?|data|dist)$/;

function* walk(root, folder) {
    const entries = readdirSync(join(root, folder), { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
        const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
        if (entry.isFile()) yield path;
        else if (entry.isDirectory() && !skippedFolders.test(entry.name)) yield* walk(root, path);
    }
}

export class Tree {
    #read;
    #texts = new Map();
    #scans = new Map();

    // `paths` are those of files, from the root, with slashes; `read` returns a file's text.
    constructor(paths, read) {
        this.paths = [...paths];
        this.folders = new Set(
            this.paths.flatMap((path) => {
                const parts = path.split('/').slice(0, -1);
                return parts.map((_, i) => parts.slice(0, i + 1).join('/'));
            }),
        );
        this.#read = read;
    }

    static of(root) {
        return new Tree(walk(root, ''), (path) => readFileSync(join(root, path), 'utf8'));
    }

    // An object of path and text: what the rules' tests are written with.
    static from(texts) {
        return new Tree(Object.keys(texts), (path) => texts[path]);
    }

    has(path) {
        return this.paths.includes(path) || this.folders.has(path);
    }

    text(path) {
        if (!this.#texts.has(path)) this.#texts.set(path, this.#read(path));
        return this.#texts.get(path);
    }

    // The comments of a source file and its code without them: see scan.mjs.
    scan(path) {
        if (!this.#scans.has(path)) this.#scans.set(path, scan(this.text(path), languageOf(path)));
        return this.#scans.get(path);
    }

    matching(pattern) {
        return this.paths.filter((path) => pattern.test(path));
    }
}
