// Zip archives as the public archive serves them: deflated members, sizes before the content.
import { deflateRawSync } from 'node:zlib';

const localSignature = 0x04034b50;
const centralSignature = 0x02014b50;
const endSignature = 0x06054b50;
const needed = 20; // version 2.0: deflate

function localHeader({ name, packed, content }) {
    const header = Buffer.alloc(30);
    header.writeUInt32LE(localSignature, 0);
    header.writeUInt16LE(needed, 4);
    header.writeUInt16LE(8, 8); // deflated
    header.writeUInt32LE(checksum(content), 14);
    header.writeUInt32LE(packed.length, 18);
    header.writeUInt32LE(content.length, 22);
    header.writeUInt16LE(name.length, 26);
    return Buffer.concat([header, name]);
}

function centralHeader(member, offset) {
    const header = Buffer.alloc(46);
    header.writeUInt32LE(centralSignature, 0);
    header.writeUInt16LE(needed, 4);
    localHeader(member).copy(header, 6, 4, 30);
    header.writeUInt32LE(offset, 42);
    return Buffer.concat([header, member.name]);
}

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    return crc;
});

// CRC-32. Node's zlib has it from version 22 on only.
function checksum(content) {
    let crc = 0xffffffff;
    for (const byte of content) crc = (crc >>> 8) ^ table[(crc ^ byte) & 0xff];
    return (crc ^ 0xffffffff) >>> 0;
}

// `files` is name -> content.
export function zip(files) {
    const parts = [];
    const central = [];
    let offset = 0;
    for (const [name, text] of Object.entries(files)) {
        const content = Buffer.from(text);
        const member = { name: Buffer.from(name), content, packed: deflateRawSync(content) };
        const local = Buffer.concat([localHeader(member), member.packed]);
        central.push(centralHeader(member, offset));
        parts.push(local);
        offset += local.length;
    }
    const end = Buffer.alloc(22);
    end.writeUInt32LE(endSignature, 0);
    end.writeUInt16LE(central.length, 8);
    end.writeUInt16LE(central.length, 10);
    end.writeUInt32LE(Buffer.concat(central).length, 12);
    end.writeUInt32LE(offset, 16);
    return Buffer.concat([...parts, ...central, end]);
}
