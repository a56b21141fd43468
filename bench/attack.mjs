// What a healthy client feels of an attack: the round trips of its pings, how long publications
// take to reach it, and what a load balancer feels, `/readyz`; in turn without and with each
// attack, so that the ratio is of two measurements a moment apart. The attackers (attacker.mjs) are
// on the core of those who measure, and run when nothing else there wants to. What they cost the
// measurement all the same, and the machine, is measured as well: by the same attack on another
// server, which in turn runs only when the one that is measured does not want to.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';

import { WebSocket } from 'ws';

import { importMarket, median, quantile, run, sleep } from './market.mjs';

export const attacks = [
    { name: 'questions-4', title: '4 connections ask, no two questions the same' },
    { name: 'questions-80', title: '80 connections ask, no two questions the same' },
    { name: 'unread', title: '1,040 connections ask for 5 MB and do not read' },
    { name: 'unread-distinct', title: '80 ask for 5 MB each, all different, and do not read' },
    { name: 'subscribe', title: '80 clients subscribe and unsubscribe without end' },
    { name: 'compressed', title: '80 clients send 67 bytes that are 4 KB inflated' },
    { name: 'handshakes', title: '64 connections say hello over TLS, and leave', isTls: true },
    { name: 'scrapes', title: '80 connections ask for /metrics' },
    { name: 'pages', title: '80 connections ask for the newest snapshot' },
];

const subscribers = 20;
const publishEveryMs = 20;
const pingEveryMs = 2;
const readyEveryMs = 20;
const answerDeadlineMs = 10_000;
const rampMs = 500;
const cores = cpus().length;
const here = dirname(fileURLToPath(import.meta.url));

// The server gets the first core, all others the last.
const pinned = (core, command) =>
    cores > 1 ? ['taskset', '-c', String(core), ...command] : command;

// Whatever else wants to run takes the core from it at once (sched(7), SCHED_IDLE).
const idle = (command) => ['chrt', '--idle', '0', ...command];

// -- the server -----------------------------------------------------------------------------------

async function makeCertificate(folder) {
    const files = { cert: join(folder, 'bench.crt'), key: join(folder, 'bench.key') };
    const subject = ['-subj', '/CN=bench', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const out = ['-keyout', files.key, '-out', files.cert];
    await run('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject, ...out]);
    return { ...files, ca: readFileSync(files.cert) };
}

async function startServer({ programs, database, certificate, isIdle }) {
    const tls = certificate ? ['--tls-cert', certificate.cert, '--tls-key', certificate.key] : [];
    const source = join(programs, 'heatcast_source');
    const command = [source, '--levels', '240', '--db', database, ...tls];
    const [program, ...args] = pinned(0, isIdle ? idle(command) : command);
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const kill = () => child.kill('SIGKILL');
    process.once('exit', kill);
    const [line] = await Promise.race([once(child.stdout, 'data'), once(child, 'close')]);
    const port = Number(/^listening (\d+)/.exec(String(line))?.[1]);
    if (!port) throw new Error('heatcast did not start');
    return {
        port,
        ca: certificate?.ca,
        publish: () => child.stdin.write('p'),
        // Resident bytes.
        memory: () =>
            Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]) *
            1024,
        async stop() {
            const closed = once(child, 'close');
            child.stdin.end();
            await closed;
            process.removeListener('exit', kill);
        },
    };
}

// -- those who measure ----------------------------------------------------------------------------

async function openSocket(server, path) {
    const url = `${server.ca ? 'wss' : 'ws'}://127.0.0.1:${server.port}${path}`;
    const socket = new WebSocket(url, { perMessageDeflate: false, ca: server.ca });
    await once(socket, 'open');
    return socket;
}

// Settles with the milliseconds until `happens`; as many as the deadline has, where it does not.
async function time(happens) {
    const startedMs = performance.now();
    let timer;
    const tooLate = new Promise((settle) => (timer = setTimeout(settle, answerDeadlineMs)));
    await Promise.race([happens, tooLate]);
    clearTimeout(timer);
    return performance.now() - startedMs;
}

async function repeatUntil(isDone, everyMs, measure) {
    const times = [];
    while (!isDone()) {
        times.push(await measure());
        await sleep(everyMs);
    }
    return times.flat();
}

async function connectProbe(server) {
    const pinger = await openSocket(server, '/ws/heatmap');
    const listeners = await Promise.all(
        Array.from({ length: subscribers }, () =>
            openSocket(server, '/ws/heatmap?symbols=BTCUSDT'),
        ),
    );
    const { Agent, get } = server.ca ? https : http;
    const agent = new Agent({ keepAlive: true, ca: server.ca });
    const ping = () => {
        const pong = once(pinger, 'pong');
        pinger.ping();
        return time(pong);
    };
    const deliver = async () => {
        const arrivals = listeners.map((listener) => time(once(listener, 'message')));
        server.publish();
        return Promise.all(arrivals);
    };
    const ready = () =>
        time(
            new Promise((settle, fail) =>
                get({ host: '127.0.0.1', port: server.port, path: '/readyz', agent }, (answer) =>
                    answer.resume().on('end', settle),
                ).on('error', fail),
            ),
        );
    return {
        async measure(seconds) {
            const endMs = performance.now() + seconds * 1000;
            const isDone = () => performance.now() >= endMs;
            let memory = 0;
            const [pings, deliveries, readies] = await Promise.all([
                repeatUntil(isDone, pingEveryMs, ping),
                repeatUntil(isDone, publishEveryMs, deliver),
                repeatUntil(isDone, readyEveryMs, ready),
                repeatUntil(isDone, 50, () => (memory = Math.max(memory, server.memory()))),
            ]);
            return {
                ping_p99_ms: quantile(pings, 0.99),
                delivery_p99_ms: quantile(deliveries, 0.99),
                ready_p99_ms: quantile(readies, 0.99),
                memory_bytes: memory,
            };
        },
        close() {
            for (const socket of [pinger, ...listeners]) socket.terminate();
            agent.destroy();
        },
    };
}

// When it is there, they have struck, however long that takes where others want the core.
async function startAttackers(name, port) {
    const attacker = [process.execPath, join(here, 'attacker.mjs'), name, String(port)];
    const [program, ...args] = pinned(cores - 1, idle(attacker));
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const kill = () => child.kill('SIGKILL');
    process.once('exit', kill);
    let strikes = 0;
    child.stdout.on('data', (lines) => (strikes = Number(String(lines).trim().split('\n').pop())));
    const closed = once(child, 'close');
    while (strikes === 0) {
        await Promise.race([once(child.stdout, 'data'), closed]);
        if (child.exitCode !== null) throw new Error(`${name}: the attackers ended`);
    }
    return {
        strikes: () => strikes,
        async stop() {
            kill();
            await closed;
            process.removeListener('exit', kill);
        },
    };
}

// -- the runs -------------------------------------------------------------------------------------

// What is felt while the server at the port is under attack, and how often it was struck.
async function measureUnder(attack, port, probe, seconds) {
    const attackers = await startAttackers(attack.name, port);
    await sleep(rampMs);
    const before = attackers.strikes();
    const felt = await probe.measure(seconds);
    const strikes = attackers.strikes();
    await attackers.stop();
    await sleep(rampMs);
    return { ...felt, strikes, strikes_per_second: (strikes - before) / seconds };
}

async function measureAttack(attack, { programs, database, certificate, repeats, seconds, say }) {
    const options = { programs, database, certificate: attack.isTls ? certificate : undefined };
    const server = await startServer(options);
    const other = await startServer({ ...options, isIdle: true });
    try {
        const probe = await connectProbe(server);
        await probe.measure(0.5);
        const runs = [];
        for (let repeat = 1; repeat <= repeats; repeat++) {
            const without = await probe.measure(seconds);
            const aside = await measureUnder(attack, other.port, probe, seconds);
            const under = await measureUnder(attack, server.port, probe, seconds);
            runs.push({ without, aside, under });
            say(
                `  ${repeat}/${repeats}  ping p99 ${without.ping_p99_ms.toFixed(2)} ms, ` +
                    `beside an attack ${aside.ping_p99_ms.toFixed(2)} ms, ` +
                    `under attack ${under.ping_p99_ms.toFixed(2)} ms`,
            );
        }
        probe.close();
        return runs;
    } finally {
        await other.stop();
        await server.stop();
    }
}

// Medians over the repeats, of the ratio or difference within each.
function summarise(runs) {
    const of = (value) => median(runs.map(value));
    const ratio = (field, when) => of((it) => it[when][field] / it.without[field]);
    return {
        strikes_per_second: of(({ under }) => under.strikes_per_second),
        ping_p99_ms: of(({ without }) => without.ping_p99_ms),
        ping_ratio: ratio('ping_p99_ms', 'under'),
        ping_ratio_aside: ratio('ping_p99_ms', 'aside'),
        delivery_p99_ms: of(({ without }) => without.delivery_p99_ms),
        delivery_ratio: ratio('delivery_p99_ms', 'under'),
        delivery_ratio_aside: ratio('delivery_p99_ms', 'aside'),
        ready_p99_ms: of(({ without }) => without.ready_p99_ms),
        ready_more_ms: of(({ without, under }) => under.ready_p99_ms - without.ready_p99_ms),
        memory_mb: Math.max(...runs.map(({ under }) => under.memory_bytes)) / 1e6,
    };
}

// `only` names the attacks that are wanted; undefined: all of them.
export async function measureAttacks({ programs, binary, folder, repeats, seconds, only, say }) {
    const database = await importMarket({ binary, folder });
    const certificate = await makeCertificate(folder);
    const results = [];
    for (const attack of attacks) {
        if (only && !only.includes(attack.name)) continue;
        say(`-- ${attack.title}`);
        const runs = await measureAttack(attack, {
            programs,
            database,
            certificate,
            repeats,
            seconds,
            say,
        });
        results.push({ name: attack.name, title: attack.title, ...summarise(runs), runs });
    }
    return results;
}
