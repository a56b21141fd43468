// Runs the real binary. Every process and folder that a test makes is ended and removed by it, and
// a last net on exit catches what a failed test left behind.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const binary = resolve(
    process.env.HEATCAST_BINARY ?? fileURLToPath(new URL('../../build/heatcast', import.meta.url)),
);

// Generous, for a busy machine and a sanitized binary: nothing is waited for longer than needed.
export const patienceMs = 60_000;

const children = new Set();
const folders = new Set();

process.on('exit', () => {
    for (const child of children) child.kill('SIGKILL');
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

// A runner that gives up sends a signal, which alone would skip the handler above.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

const settingName =
    /^(WS_|HEATMAP_|REDIS_|LOG_|CLUSTER_|TLS_|QUESTIONS?_|ANSWERS?_|FETCH_|COLLECT_|RETENTION_)|^(BINANCE|BYBIT|OKX|HYPERLIQUID)_|^(CA_FILE|CONNECTIONS_PER_IP|EXCHANGES|REQUEST_TIMEOUT|LISTEN|WORKERS|DUCKDB_PATH|SYMBOLS|TRUSTED_PROXIES|ALLOWED_HOSTS|SHUTDOWN_DELAY)$|^(http|https|all|no)_proxy$/i;

// The environment without settings and proxies of its own, and in a time zone that is not
// UTC, so that a local time anywhere shows.
function cleanEnvironment(extra = {}) {
    const kept = Object.entries(process.env).filter(([name]) => !settingName.test(name));
    return { ...Object.fromEntries(kept), TZ: 'America/New_York', ...extra };
}

export async function makeFolder() {
    const folder = await mkdtemp(join(tmpdir(), 'heatcast-test-'));
    folders.add(folder);
    return folder;
}

export async function removeFolder(folder) {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    folders.delete(folder);
}

// A folder for the length of one test.
export async function scratch(t) {
    const folder = await makeFolder();
    t.after(() => removeFolder(folder));
    return folder;
}

// `program` is another one than heatcast; `under` a command that heatcast is started by, as
// prlimit.
export function start(args, { env, cwd, program = binary, under = [], stdin = 'ignore' } = {}) {
    const [command, ...rest] = [...under, program, ...args];
    const child = spawn(command, rest, {
        cwd,
        env: cleanEnvironment(env),
        stdio: [stdin, 'pipe', 'pipe'],
    });
    children.add(child);
    child.stdout.setEncoding('utf8');
    child.stderr.setEncoding('utf8');
    child.ended = new Promise((settle, fail) => {
        child.once('error', (error) => {
            children.delete(child);
            fail(error);
        });
        child.once('close', (code, signal) => {
            children.delete(child);
            settle({ code, signal });
        });
    });
    child.ended.catch(() => {});
    return child;
}

// Runs a command to its end. One that does not end is killed, which its code (null) shows.
export async function run(args, { deadlineMs = patienceMs, ...options } = {}) {
    const child = start(args, options);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (text) => (stdout += text));
    child.stderr.on('data', (text) => (stderr += text));
    const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs);
    try {
        return { ...(await child.ended), stdout, stderr };
    } finally {
        clearTimeout(timer);
    }
}

export const sleep = (ms) => new Promise((settle) => setTimeout(settle, ms));

// Asks until the answer is truthy (or, thrown at, until it stops throwing).
export async function eventually(what, question, { deadlineMs = patienceMs, everyMs = 50 } = {}) {
    const deadline = Date.now() + deadlineMs;
    let fault;
    for (;;) {
        try {
            fault = undefined;
            const answer = await question();
            if (answer) return answer;
        } catch (error) {
            fault = error;
        }
        if (Date.now() > deadline)
            throw new Error(`${what}: not within ${deadlineMs / 1000} s`, { cause: fault });
        await sleep(everyMs);
    }
}

// Waits for a line of a server's log, which is written a moment after what it tells of.
export const logged = (server, pattern) =>
    eventually(`the log has ${pattern}`, () => pattern.test(server.logs()));
