// A real redis-server for the length of one test, and redis-cli to speak to it.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { freePort } from './ports.mjs';
import { eventually, scratch, start } from './process.mjs';

const runFile = promisify(execFile);

export class Redis {
    constructor(port, folder, options) {
        Object.assign(this, { port, folder, options });
        this.url = `redis://127.0.0.1:${port}`;
    }

    // `--save ''` and no append-only file: a restart forgets everything, the hardest case.
    async start() {
        this.process = start(
            [
                '--port',
                String(this.port),
                '--bind',
                '127.0.0.1',
                '--dir',
                this.folder,
                '--save',
                '',
                '--appendonly',
                'no',
                '--daemonize',
                'no',
                ...this.options,
            ],
            { program: 'redis-server' },
        );
        this.process.stdout.resume();
        this.process.stderr.resume();
        await eventually('Redis answers', async () => /PONG|NOAUTH/.test(await this.cli('PING')));
    }

    async stop(signal = 'SIGKILL') {
        this.process.kill(signal);
        await this.process.ended;
    }

    signal(signal) {
        this.process.kill(signal);
    }

    // What redis-cli prints, its errors too.
    async cli(...words) {
        const args = ['-p', String(this.port), '--no-auth-warning', ...words];
        const { stdout, stderr } = await runFile('redis-cli', args, { maxBuffer: 1e8 }).catch(
            (error) => error,
        );
        return `${stdout}${stderr}`.trimEnd();
    }

    // Publishes a text of any size, as it is; an object as JSON. Returns the number of receivers.
    async publish(channel, message) {
        const text =
            typeof message === 'object' && !Buffer.isBuffer(message)
                ? JSON.stringify(message)
                : message;
        return Number(await this.#feed(['-x', 'PUBLISH', channel], text));
    }

    // Many commands, one a line.
    pipe(lines) {
        return this.#feed([], lines);
    }

    #feed(args, input) {
        return new Promise((settle, fail) => {
            const child = execFile(
                'redis-cli',
                ['-p', String(this.port), ...args],
                { maxBuffer: 1e8 },
                (error, stdout) => (error ? fail(error) : settle(stdout)),
            );
            child.stdin.on('error', () => {});
            child.stdin.end(input);
        });
    }
}

export async function redisFor(t, ...options) {
    const redis = new Redis(await freePort(), await scratch(t), options);
    await redis.start();
    t.after(async () => {
        redis.signal('SIGCONT');
        await redis.stop();
    });
    return redis;
}
