// What is deployed around the server speaks of metrics that exist, in forms that their readers
// take.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { marketFor, memberFor, newerOf, subscriberFor, untilState } from '../support/cluster.mjs';
import { collectingServerFor, realStandIn } from '../support/collect.mjs';
import { binance } from '../support/exchanges/binance.mjs';
import { parseExposition } from '../support/exposition.mjs';
import { get } from '../support/http.mjs';
import { eventually } from '../support/process.mjs';
import { redisFor } from '../support/redis.mjs';

const runFile = promisify(execFile);
const pathOf = (name) => fileURLToPath(new URL(`../../deploy/${name}`, import.meta.url));

const hasProgram = (name, ...args) =>
    runFile(name, args).then(
        () => true,
        () => false,
    );

// Name and labels of every series that an expression speaks of.
function seriesIn(expression) {
    const found = [];
    for (const [, name, , labels] of expression.matchAll(
        /\b((?:heatcast|ws|process)_[a-z0-9_]+)(\{([^}]*)\})?/g,
    ))
        found.push({
            name,
            labels: [...(labels ?? '').matchAll(/([a-z_]+)(=~?|!~)"([^"]*)"/g)].map((m) =>
                m.slice(1),
            ),
        });
    return found;
}

async function samplesOf(server) {
    const families = parseExposition((await get(`${server.url}/metrics`)).text);
    return [...families.values()].flatMap((family) => family.samples);
}

// One that has collected something.
async function collecting(t) {
    const server = await collectingServerFor(t, [await realStandIn(t, binance)], ['BTCUSDT']);
    await eventually('collected rows', async () => {
        const samples = await samplesOf(server);
        return samples.some(({ name }) => name === 'heatcast_collect_age_seconds');
    });
    return server;
}

async function seriesOfServers(t) {
    const redis = await redisFor(t);
    const market = await marketFor(t);
    const server = await memberFor(t, redis.url, { database: market.database });
    await untilState(server, 'leading');
    await newerOf(await subscriberFor(t, server), market.time);
    return [...(await samplesOf(server)), ...(await samplesOf(await collecting(t)))];
}

test('every alert and every panel asks for series that the server has', async (t) => {
    const samples = await seriesOfServers(t);
    const rules = await readFile(pathOf('prometheus/heatcast.rules.yml'), 'utf8');
    const dashboard = JSON.parse(await readFile(pathOf('grafana/heatcast.json'), 'utf8'));
    const panels = dashboard.panels.filter((panel) => panel.type !== 'row');
    const expressions = panels.flatMap((panel) => panel.targets.map((target) => target.expr));
    // Comments and texts apart, what a rule file says of metrics is in its expressions.
    expressions.push(
        ...rules
            .split(/- alert: /)
            .slice(1)
            .map((rule) => rule.slice(0, rule.indexOf('for:'))),
    );
    assert.ok(panels.length >= 15 && expressions.length > 30);
    let count = 0;
    for (const expression of expressions)
        for (const { name, labels } of seriesIn(expression)) {
            count++;
            const fits = samples.some(
                (sample) =>
                    sample.name === name &&
                    labels.every(
                        ([label, operator, value]) =>
                            ['instance', 'job'].includes(label) ||
                            value.startsWith('$') ||
                            (operator === '='
                                ? sample.labels[label] === value
                                : operator === '=~'
                                  ? new RegExp(`^(${value})$`).test(sample.labels[label])
                                  : label in sample.labels),
                    ),
            );
            assert.ok(fits, `${name} ${JSON.stringify(labels)} of: ${expression}`);
        }
    assert.ok(count > 35, String(count));
    assert.equal(new Set(dashboard.panels.map((panel) => panel.id)).size, dashboard.panels.length);
    for (const panel of dashboard.panels) {
        const { x, y, w, h } = panel.gridPos;
        assert.ok(x >= 0 && x + w <= 24 && y >= 0 && h > 0, panel.title);
    }
});

test('Prometheus takes the configuration, and the alerts come when they should', async (t) => {
    if (!(await hasProgram('promtool', '--version'))) {
        t.skip('promtool is not installed (Debian package prometheus)');
        return;
    }
    await runFile('promtool', ['check', 'config', pathOf('prometheus/prometheus.yml')]);
    await runFile('promtool', ['test', 'rules', pathOf('prometheus/heatcast.rules.test.yml')]);
});

test('systemd takes the unit', async (t) => {
    if (!(await hasProgram('systemd-analyze', '--version'))) {
        t.skip('systemd-analyze is not installed');
        return;
    }
    const { stderr } = await runFile('systemd-analyze', [
        'verify',
        pathOf('systemd/heatcast.service'),
    ]).catch((error) => error);
    const lines = stderr
        .split('\n')
        .filter((line) => line !== '' && !/heatcast is not executable/.test(line));
    assert.deepEqual(lines, []);
});
