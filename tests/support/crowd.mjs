// Thousands of WebSocket clients in one process: bare sockets that shake hands, count what comes
// and keep nothing of it. Each connects again when asked to, for as long as that takes.
import { connect } from 'node:net';

const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

class Member {
    constructor(port, path) {
        Object.assign(this, { port, path, snapshots: 0, epochs: [], closeCode: undefined });
        this.open();
    }

    open() {
        this.rest = Buffer.alloc(0);
        this.isOpen = false;
        const socket = connect(this.port, '127.0.0.1');
        this.socket = socket;
        socket.on('connect', () =>
            socket.write(
                `GET ${this.path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
                    `${key}Sec-WebSocket-Version: 13\r\n\r\n`,
            ),
        );
        socket.on('data', (bytes) => this.take(bytes));
        socket.on('error', () => {}); // the close follows
        socket.on('close', () => {
            // One that reopen() has replaced may be closed after it.
            if (socket === this.socket && this.wantsOpen && !this.isOpen)
                this.timer = setTimeout(() => this.open(), 100);
        });
    }

    reopen() {
        this.wantsOpen = true;
        this.socket.destroy();
        this.open();
    }

    take(bytes) {
        this.rest = this.rest.length > 0 ? Buffer.concat([this.rest, bytes]) : bytes;
        if (!this.isOpen) {
            const end = this.rest.indexOf('\r\n\r\n');
            if (end < 0) return;
            this.isOpen = this.rest.subarray(0, 12).toString() === 'HTTP/1.1 101';
            if (!this.isOpen) return void this.socket.destroy();
            this.rest = this.rest.subarray(end + 4);
        }
        while (this.takeFrame());
        if (this.rest.length === 0) this.rest = Buffer.alloc(0); // lets go of the piece it was cut from
    }

    takeFrame() {
        if (this.rest.length < 2) return false;
        const short = this.rest[1];
        const headSize = short < 126 ? 2 : short === 126 ? 4 : 10;
        if (this.rest.length < headSize) return false;
        const size =
            headSize === 2
                ? short
                : headSize === 4
                  ? this.rest.readUInt16BE(2)
                  : Number(this.rest.readBigUInt64BE(2));
        if (this.rest.length < headSize + size) return false;
        this.takePayload(this.rest[0] & 15, this.rest.subarray(headSize, headSize + size));
        this.rest = this.rest.subarray(headSize + size);
        return true;
    }

    takePayload(opcode, payload) {
        if (opcode === 8) this.closeCode = payload.readUInt16BE(0);
        if (opcode !== 1) return;
        const match = /"epoch":(\d+)/.exec(payload.toString('latin1', 0, 200));
        if (match === null) return;
        this.snapshots++;
        this.epochs.push(Number(match[1]));
    }
}

export class Crowd {
    constructor(t, port, path, count) {
        this.members = Array.from({ length: count }, () => new Member(port, path));
        t.after(() => {
            for (const member of this.members) {
                member.wantsOpen = false;
                clearTimeout(member.timer);
                member.socket.destroy();
            }
        });
    }

    reconnect() {
        for (const member of this.members) member.reopen();
    }
}
