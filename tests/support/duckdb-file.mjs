// Databases as another program might leave them. The tests have no DuckDB but the one inside the
// binary, which only makes tables of its own shape, so a name in the catalogue of a database file
// is rewritten in place, and the checksum of its block made right again.
import { readFileSync, writeFileSync } from 'node:fs';

const headersSize = 3 * 4096;
const blockSize = 262_144;
const mask = (1n << 64n) - 1n;

// DuckDB's block checksum: 5381, xor each 64-bit word times a constant.
function checksum(block) {
    let sum = 5381n;
    for (let at = 8; at < block.length; at += 8)
        sum ^= (block.readBigUInt64LE(at) * 0xbf58476d1ce4e5b9n) & mask;
    return sum;
}

// `to` must be as long as `from`. Returns how many places were rewritten.
export function renameInCatalogue(path, from, to) {
    if (from.length !== to.length) throw new Error('the names differ in length');
    const file = readFileSync(path);
    let count = 0;
    for (let at = headersSize; at + blockSize <= file.length; at += blockSize) {
        const block = file.subarray(at, at + blockSize);
        const isSound = block.readBigUInt64LE(0) === checksum(block);
        let isChanged = false;
        for (let found = block.indexOf(from); found >= 0; found = block.indexOf(from, found + 1)) {
            block.write(to, found, 'latin1');
            isChanged = true;
            count++;
        }
        if (!isChanged) continue;
        if (!isSound) throw new Error('the file has another layout than expected');
        block.writeBigUInt64LE(checksum(block), 0);
    }
    writeFileSync(path, file);
    return count;
}
