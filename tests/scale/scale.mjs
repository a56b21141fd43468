// `make scale`: three servers around one Redis, 15,000 subscribers in all, every publication to all
// of them; beside it one server with the same 15,000. Prints what docs/scaling.md quotes: what came
// where, and what it cost in proportion. Exit code 1 if a client missed anything.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { GrowingMarket, metric, untilState } from '../support/cluster.mjs';
import { freePort } from '../support/ports.mjs';
import { eventually } from '../support/process.mjs';
import { Redis } from '../support/redis.mjs';
import { startServer } from '../support/server.mjs';

const serverCount = 3;
const clients = Number(process.env.SCALE_CLIENTS ?? 15_000);
const roundCount = Number(process.env.SCALE_ROUNDS ?? 5);

// CPU seconds that a process' threads have used, to the nanosecond.
function cpuOf(pid) {
    const threads = readdirSync(`/proc/${pid}/task`);
    return threads.reduce(
        (sum, thread) =>
            sum +
            Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) /
                1e9,
        0,
    );
}

const memoryOf = (pid) =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;

class Crowd {
    constructor() {
        this.child = fork(fileURLToPath(new URL('./clients.mjs', import.meta.url)));
    }

    ask(order) {
        return new Promise((settle, fail) => {
            this.child.once('message', (answer) =>
                answer.error ? fail(new Error(answer.error)) : settle(answer),
            );
            this.child.send(order);
        });
    }

    open(port, count, deflates) {
        return this.ask({ what: 'open', port, count, deflates });
    }

    report() {
        return this.ask({ what: 'report' });
    }

    end() {
        this.child.disconnect();
    }
}

async function startServers(count, market, redis) {
    const servers = [];
    for (let i = 0; i < count; i++) {
        const isRelay = i > 0;
        const env = {
            REDIS_ENABLED: 'true',
            REDIS_URL: redis.url,
            CLUSTER_ROLE: isRelay ? 'relay' : 'generator',
        };
        const args = [
            '--symbols',
            'BTCUSDT',
            '--workers',
            '1',
            '--ws-update-interval',
            '0.2',
            '--ws-max-connections',
            String(clients + 100),
        ];
        servers.push(
            await startServer({
                database: isRelay ? undefined : market.database,
                args,
                env: count > 1 ? env : {},
            }),
        );
        if (count > 1) await untilState(servers[i], isRelay ? 'following' : 'leading');
    }
    return servers;
}

// Messages that Redis has brought it; none where there is no Redis.
const receivedOf = async (server) =>
    (await metric(server, 'heatcast_redis_messages_received_total')) ?? 0;

// One arrangement, from an empty room to the last round. Returns its figures.
async function measure(count, deflates, market, redis) {
    const servers = await startServers(count, market, redis);
    const crowds = Array.from({ length: serverCount }, () => new Crowd());
    try {
        const emptyBytes = servers.reduce((sum, server) => sum + memoryOf(server.process.pid), 0);
        await Promise.all(
            crowds.map((crowd, i) =>
                crowd.open(servers[i % count].port, clients / serverCount, deflates),
            ),
        );
        const hasAll = (index) =>
            eventually(
                'all have it',
                async () => {
                    const reports = await Promise.all(crowds.map((crowd) => crowd.report()));
                    return (
                        reports.reduce(
                            (sum, { rounds }) => sum + (rounds[index]?.count ?? 0),
                            0,
                        ) === clients && reports
                    );
                },
                { everyMs: 100, deadlineMs: 120_000 },
            );
        await hasAll(0);
        const before = servers.map((server) => cpuOf(server.process.pid));
        const redisBefore = cpuOf(redis.process.pid);
        const receivedBefore = await receivedOf(servers[count - 1]);
        for (let round = 1; round <= roundCount; round++) {
            await market.grow();
            await hasAll(round);
        }
        const reports = await hasAll(roundCount);
        const cpu = servers.map((server, i) => cpuOf(server.process.pid) - before[i]);
        const rounds = reports[0].rounds
            .slice(1)
            .map((_, i) => reports.map((report) => report.rounds[i + 1]));
        for (const parts of rounds)
            assert.equal(new Set(parts.map(({ hash }) => hash)).size, 1, 'one text for all');
        assert.equal(
            reports.reduce((sum, { lost }) => sum + lost, 0),
            0,
            'no client was disconnected',
        );
        const spreads = rounds.map(
            (parts) =>
                Math.max(...parts.map(({ lastMs }) => lastMs)) -
                Math.min(...parts.map(({ firstMs }) => firstMs)),
        );
        return {
            deliveries: clients * roundCount,
            size: rounds.reduce((sum, [{ size }]) => sum + size, 0) / rounds.length,
            cpu: cpu.reduce((sum, seconds) => sum + seconds, 0),
            busiest: Math.max(...cpu),
            redisCpu: cpuOf(redis.process.pid) - redisBefore,
            spreadMs: spreads.sort((a, b) => a - b)[Math.floor(spreads.length / 2)],
            bytesPerConnection:
                (servers.reduce((sum, server) => sum + memoryOf(server.process.pid), 0) -
                    emptyBytes) /
                clients,
            received: (await receivedOf(servers[count - 1])) - receivedBefore,
        };
    } finally {
        for (const crowd of crowds) crowd.end();
        for (const server of servers) await server.stop();
    }
}

const folder = await mkdtemp(join(tmpdir(), 'heatcast-scale-'));
const redis = new Redis(await freePort(), folder, []);
try {
    await redis.start();
    const market = new GrowingMarket(folder, 'BTCUSDT', 1);
    await market.begin();
    const figures = {};
    for (const deflates of [false, true])
        for (const count of [1, serverCount]) {
            const key = `${count} ${deflates ? 'compressed' : 'plain'}`;
            figures[key] = await measure(count, deflates, market, redis);
            console.error(`measured: ${key}`, process.env.SCALE_VERBOSE ? figures[key] : '');
        }
    const ratio = (a, b) => (a / b).toFixed(2);
    console.log(
        `${clients} subscribers, ${roundCount} publications, every one to all of them, the same bytes to each\n`,
    );
    console.log(
        `| ${serverCount} servers and Redis, against 1 server | plain | compressed |\n|---|---|---|`,
    );
    const row = (name, value) =>
        console.log(`| ${name} | ${value('plain')} | ${value('compressed')} |`);
    const of = (kind) => [figures[`1 ${kind}`], figures[`${serverCount} ${kind}`]];
    row('bytes a snapshot', (kind) => Math.round(of(kind)[1].size));
    row('deliveries', (kind) => `${of(kind)[1].deliveries} of ${clients * roundCount}`);
    row('CPU a delivery, all servers', (kind) => ratio(of(kind)[1].cpu, of(kind)[0].cpu));
    row('CPU of the busiest server', (kind) => ratio(of(kind)[1].busiest, of(kind)[0].cpu));
    row("Redis' CPU, of the servers'", (kind) =>
        (of(kind)[1].redisCpu / of(kind)[1].cpu).toFixed(3),
    );
    row('messages to each server, a publication', (kind) =>
        ratio(of(kind)[1].received, roundCount),
    );
    row('first client to last client', (kind) => ratio(of(kind)[1].spreadMs, of(kind)[0].spreadMs));
    row('server memory a subscriber', (kind) =>
        ratio(of(kind)[1].bytesPerConnection, of(kind)[0].bytesPerConnection),
    );
    console.log(
        `\nCompressed against plain, ${serverCount} servers: CPU ` +
            `${ratio(of('compressed')[1].cpu, of('plain')[1].cpu)}, bytes ${ratio(of('compressed')[1].size, of('plain')[1].size)}.`,
    );
    const perCore = of('plain')[1].deliveries / of('plain')[1].cpu;
    console.error(
        `this machine, clients and servers on the same cores: ${Math.round(perCore)} plain and ` +
            `${Math.round(of('compressed')[1].deliveries / of('compressed')[1].cpu)} compressed deliveries a second of one ` +
            `core, ${Math.round(of('plain')[1].bytesPerConnection)} bytes of server memory a subscriber`,
    );
} finally {
    await redis.stop();
    await rm(folder, { recursive: true, force: true });
}
