// A port that nobody listens on, for programs that cannot be asked to choose one themselves.
import { createServer } from 'node:net';

export function freePort() {
    return new Promise((settle, fail) => {
        const server = createServer();
        server.once('error', fail);
        server.listen(0, '127.0.0.1', () => {
            const { port } = server.address();
            server.close(() => settle(port));
        });
    });
}
