// `make bench`: heatcast beside its peers and the physical limit, in one run on one machine.
//
// Machines are noisy, and a figure of one means nothing on another: servers take turns within each
// repeat, each ratio is of two measurements of the same repeat, and what is reported is the median
// over the repeats. QUICK=1 does less of everything and takes a few minutes.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { deflateRawSync } from 'node:zlib';

import { markdownReport, summarise } from './report.mjs';
import { servers } from './servers.mjs';

const quick = !['', '0', undefined].includes(process.env.QUICK);
const wanted = process.env.SERVERS?.split(',');
const parts = process.env.PARTS?.split(',');
const repeats = Number(process.env.REPEATS ?? (quick ? 3 : 7));
const seconds = Number(process.env.SECONDS ?? (quick ? 0.6 : 2));
const build = resolve(process.argv[2] ?? 'build');
const programs = join(build, 'bench');

const everybody = servers.map((server) => server.name);
const compressing = ['limit', 'heatcast', 'nchan', 'bun', 'lws', 'ws'];
// Near enough to each other that only many repeats tell them apart; the others take part in half.
const fastest = ['limit', 'heatcast', 'nchan', 'bun'];

// A snapshot of 22 levels is a message of about 1,500 bytes; one of 240 is what a week makes.
const small = { levels: 22, deflates: false };
const compressed = { levels: 240, deflates: true };
const scenarios = [
    {
        name: 'plain-1000',
        title: '1,500 bytes to 1,000 subscribers',
        clients: 1000,
        who: everybody,
        ...small,
    },
    {
        name: 'plain-10000',
        title: '1,500 bytes to 10,000 subscribers',
        clients: 10000,
        who: quick ? fastest : everybody,
        ...small,
    },
    {
        name: 'compressed-1000',
        title: 'a snapshot of 240 levels, compressed, to 1,000 subscribers',
        clients: 1000,
        who: compressing,
        ...compressed,
    },
    {
        name: 'compressed-10000',
        title: 'a snapshot of 240 levels, compressed, to 10,000 subscribers',
        clients: 10000,
        who: quick ? [] : fastest,
        ...compressed,
    },
    {
        name: 'stalled',
        title: '1,500 bytes to 900 subscribers, and to 100 that take nothing',
        clients: 900,
        stalled: 100,
        who: quick ? ['heatcast', 'bun'] : ['heatcast', 'nchan', 'bun', 'lws', 'ws'],
        ...small,
    },
    {
        name: 'return',
        title: '10,000 at once, each gets the current snapshot',
        clients: 10000,
        who: ['heatcast'],
        load: ['--connect-only', '--first', '--window', '10000'],
        ...small,
    },
    {
        name: 'idle',
        title: '10,000 WebSocket connections without a subscription',
        clients: 10000,
        who: ['heatcast'],
        load: ['--connect-only'],
        path: '/ws/heatmap',
        ...small,
    },
    {
        name: 'idle-http',
        title: '10,000 idle HTTP connections',
        clients: 10000,
        who: ['heatcast'],
        load: ['--connect-only', '--http'],
        path: '/healthz',
        ...small,
    },
];

const folder = mkdtempSync(join(tmpdir(), 'heatcast-bench-'));
const children = new Set();
process.on('exit', () => {
    for (const child of children) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

// Runs a program to its end and returns what it printed.
function run(command, args) {
    return new Promise((settle, fail) => {
        const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
        children.add(child);
        let stdout = '';
        let stderr = '';
        child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
        child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
        child.once('error', fail);
        child.once('close', (code) => {
            children.delete(child);
            if (code === 0) settle(stdout);
            else
                fail(new Error(stderr.trim().split('\n').pop() || `${command} ended with ${code}`));
        });
    });
}

// The message of so many levels, in a file for the peers: its number has a fixed place.
async function makePayload(levels) {
    const text = await run(join(programs, 'heatcast_source'), [
        '--levels',
        String(levels),
        '--print',
    ]);
    const path = join(folder, `payload-${levels}.json`);
    writeFileSync(path, text.replace('"seq":1,', '"seq":000000,'));
    // One message on its own, without the empty block that RFC 7692 §7.2.1 cuts off.
    const deflatedSize = deflateRawSync(text).length + 1;
    return { payload: path, payloadSize: text.length, deflatedSize };
}

async function measure(scenario, server, payload) {
    const { clients, stalled = 0, deflates } = scenario;
    const {
        command,
        path = '/',
        load = [],
    } = await server.start({
        ...scenario,
        ...payload,
        stalled,
        programs,
        folder,
    });
    const args = [
        '--clients',
        clients,
        '--seconds',
        seconds,
        '--path',
        path,
        ...load,
        ...(scenario.load ?? []),
    ];
    if (stalled > 0) args.push('--stalled', stalled);
    if (deflates) args.push('--deflate');
    return JSON.parse(
        await run(join(programs, 'heatcast_load'), [...args.map(String), '--', ...command]),
    );
}

function say(text) {
    process.stderr.write(`${text}\n`);
}

function describe(result) {
    if (!result.rounds) return `${Math.round(result.accepts_per_second)} connections/s`;
    return `${Math.round(result.rounds.deliveries_per_second)} deliveries/s`;
}

async function measureScenario(scenario, present, failures) {
    const payload = await makePayload(scenario.levels);
    const runs = [];
    for (let repeat = 1; repeat <= repeats; repeat++)
        for (const server of present) {
            if (!scenario.who.includes(server.name)) continue;
            if (!fastest.includes(server.name) && repeat > repeats / 2 + 1) continue;
            try {
                const result = await measure(scenario, server, payload);
                runs.push({ server: server.name, repeat, ...result });
                say(`  ${repeat}/${repeats}  ${server.label.padEnd(22)} ${describe(result)}`);
            } catch (error) {
                failures.push({
                    scenario: scenario.name,
                    server: server.name,
                    reason: error.message,
                });
                say(`  ${repeat}/${repeats}  ${server.label.padEnd(22)} failed: ${error.message}`);
            }
        }
    return runs;
}

function installedServers() {
    const present = [];
    const missing = [];
    for (const server of servers) {
        if (wanted && !wanted.includes(server.name)) continue;
        const version = server.version({ programs });
        if (version) present.push({ ...server, version });
        else missing.push({ server: server.name, label: server.label, needs: server.needs });
    }
    return { present, missing };
}

const { present, missing } = installedServers();
for (const { label, needs } of missing) say(`not installed: ${label} (${needs})`);
const result = {
    machine: { cpu: cpus()[0].model.trim(), cores: cpus().length, kernel: release() },
    quick,
    repeats,
    seconds,
    servers: present.map(({ name, label, version }) => ({ name, label, version })),
    missing,
    failures: [],
    scenarios: [],
};
for (const scenario of scenarios) {
    if (parts && !parts.includes(scenario.name)) continue;
    if (!present.some((server) => scenario.who.includes(server.name))) continue;
    say(`== ${scenario.title}`);
    const runs = await measureScenario(scenario, present, result.failures);
    result.scenarios.push({ name: scenario.name, title: scenario.title, runs });
}
if (!parts || parts.includes('model')) {
    say('== the model');
    result.model = JSON.parse(await run(join(programs, 'model_bench'), [quick ? '0.05' : '0.5']));
}
if (!parts || parts.includes('ticks')) {
    say('== ticks of what is in memory');
    result.ticks = JSON.parse(
        await run(join(programs, 'ticks_bench'), quick ? ['100', '24'] : ['500', '60']),
    );
}
if (!parts || parts.includes('database')) {
    say('== ticks and history');
    try {
        const { measureDatabase } = await import('./database.mjs'); // which needs a module of npm's
        result.database = await measureDatabase({ binary: join(build, 'heatcast'), folder, quick });
    } catch (error) {
        result.failures.push({ scenario: 'database', server: 'heatcast', reason: error.message });
        say(`  failed: ${error.message}`);
    }
}
if (!parts || parts.includes('imports')) {
    say('== imports');
    try {
        const { measureImports } = await import('./imports.mjs');
        const binary = join(build, 'heatcast');
        const days = quick ? 60 : 365;
        result.imports = await measureImports({ binary, programs, folder, days, repeats });
    } catch (error) {
        result.failures.push({ scenario: 'imports', server: 'heatcast', reason: error.message });
        say(`  failed: ${error.message}`);
    }
}
if (!parts || parts.includes('live')) {
    say('== from the exchange to the client');
    try {
        const { measureLive } = await import('./live.mjs');
        result.live = await measureLive({ binary: join(build, 'heatcast'), folder, quick });
    } catch (error) {
        result.failures.push({ scenario: 'live', server: 'heatcast', reason: error.message });
        say(`  failed: ${error.message}`);
    }
}
const attackParts = parts?.filter((part) => part.startsWith('attack'));
if (!parts || attackParts.length > 0) {
    say('== under attack');
    try {
        const { measureAttacks } = await import('./attack.mjs');
        result.attacks = await measureAttacks({
            programs,
            binary: join(build, 'heatcast'),
            folder,
            repeats,
            seconds,
            // PARTS=attack is all of them, PARTS=attack:scrapes one
            only: attackParts?.includes('attack')
                ? undefined
                : attackParts?.map((part) => part.slice('attack:'.length)),
            say,
        });
    } catch (error) {
        result.failures.push({ scenario: 'attack', server: 'heatcast', reason: error.message });
        say(`  failed: ${error.message}`);
    }
}
result.summary = summarise(result);

const report = markdownReport(result);
mkdirSync(programs, { recursive: true });
writeFileSync(join(programs, 'report.json'), `${JSON.stringify(result, null, 1)}\n`);
writeFileSync(join(programs, 'report.md'), report);
process.stdout.write(`\n${report}`);
say(`\nwritten: ${join(programs, 'report.md')}, ${join(programs, 'report.json')}`);
if (result.failures.length > 0) process.exitCode = 1;
