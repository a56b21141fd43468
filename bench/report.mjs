// What the runs come to: medians, ratios, and whether the targets are met; as data and as Markdown.

function median(values) {
    const sorted = [...values].sort((a, b) => a - b);
    const middle = Math.floor(sorted.length / 2);
    return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const measures = {
    deliveries_per_second: (run) => run.rounds?.deliveries_per_second,
    cpu_us_per_delivery: (run) => run.rounds?.cpu_us_per_delivery,
    p50_ms: (run) => run.rounds && run.rounds.p50_us / 1e3,
    p99_ms: (run) => run.rounds && run.rounds.p99_us / 1e3,
    bytes_per_delivery: (run) => run.rounds?.bytes_per_delivery,
    accepts_per_second: (run) => run.accepts_per_second,
    cpu_us_per_accept: (run) => run.cpu_us_per_accept,
    kb_per_connection: (run) => (run.memory_per_subscriber ?? run.memory_per_connection) / 1024,
    stalled_p99_ms: (run) => run.stalled && run.stalled.p99_us / 1e3,
    stalled_p99_ratio: (run) => run.stalled && run.stalled.p99_us / run.rounds.p99_us,
    stalled_deliveries_ratio: (run) =>
        run.stalled && run.stalled.deliveries_per_second / run.rounds.deliveries_per_second,
    stalled_bytes_per_round: (run) => run.stalled_memory_per_round,
};

function medians(runs) {
    const result = {};
    for (const [name, measure] of Object.entries(measures)) {
        const values = runs.map(measure).filter((value) => value !== undefined);
        if (values.length > 0) result[name] = median(values);
    }
    return result;
}

// The median over the repeats of one server's figure divided by another's of the same repeat.
function pairedRatio(scenario, name, first, second) {
    const measure = measures[name];
    const ratios = [];
    for (const run of scenario.runs) {
        if (run.server !== first) continue;
        const other = scenario.runs.find((it) => it.server === second && it.repeat === run.repeat);
        if (other && measure(run) !== undefined && measure(other) > 0)
            ratios.push(measure(run) / measure(other));
    }
    return ratios.length > 0 ? median(ratios) : undefined;
}

function summariseScenario(scenario) {
    const names = [...new Set(scenario.runs.map((run) => run.server))];
    return {
        name: scenario.name,
        title: scenario.title,
        servers: names.map((name) => ({
            name,
            ...medians(scenario.runs.filter((run) => run.server === name)),
            deliveries_of_limit: pairedRatio(scenario, 'deliveries_per_second', name, 'limit'),
            cpu_of_limit: pairedRatio(scenario, 'cpu_us_per_delivery', name, 'limit'),
            heatcast_deliveries_of_this: pairedRatio(
                scenario,
                'deliveries_per_second',
                'heatcast',
                name,
            ),
        })),
    };
}

// -- targets --------------------------------------------------------------------------------------

// Each yields [what, value, 'at least' | 'at most', bound, unit]; a value that was not measured is
// left out.
function* targetsOf(result, scenarios) {
    const server = (scenario, name) =>
        scenarios.find((it) => it.name === scenario)?.servers.find((it) => it.name === name);
    const heatcast = (scenario) => server(scenario, 'heatcast');
    for (const clients of ['1000', '10000']) {
        const plain = `plain-${clients}`;
        const compressed = `compressed-${clients}`;
        const who = `${Number(clients).toLocaleString('en')} subscribers`;
        yield [
            `plain, ${who}: deliveries/s of the limit's`,
            heatcast(plain)?.deliveries_of_limit,
            'at least',
            0.95,
        ];
        yield [
            `plain, ${who}: deliveries/s of Bun's`,
            server(plain, 'bun')?.heatcast_deliveries_of_this,
            'at least',
            1,
        ];
        yield [
            `compressed, ${who}: of the limit's`,
            heatcast(compressed)?.deliveries_of_limit,
            'at least',
            0.9,
        ];
        for (const [peer, bound] of [
            ['bun', 20],
            ['ws', 20],
            ['nchan', 1.3],
        ])
            yield [
                `compressed, ${who}: of ${peer}'s`,
                server(compressed, peer)?.heatcast_deliveries_of_this,
                'at least',
                bound,
            ];
    }
    yield [
        'memory of an idle connection',
        heatcast('idle')?.kb_per_connection,
        'at most',
        0.6,
        'KB',
    ];
    yield [
        'memory of an idle HTTP connection',
        heatcast('idle-http')?.kb_per_connection,
        'at most',
        0.6,
        'KB',
    ];
    yield [
        'memory of a subscriber',
        heatcast('plain-10000')?.kb_per_connection,
        'at most',
        1,
        'KB',
    ];
    yield [
        'connections/s with a subscription',
        heatcast('plain-10000')?.accepts_per_second,
        'at least',
        20000,
        '/s',
    ];
    const back = heatcast('return')?.accepts_per_second;
    yield ['10,000 clients are back within', back && 10000 / back, 'at most', 1, 's'];
    yield [
        'a tenth stalled: p99 of that without',
        heatcast('stalled')?.stalled_p99_ratio,
        'at most',
        1.1,
    ];
    yield [
        'a tenth stalled: memory grows by',
        heatcast('stalled')?.stalled_bytes_per_round,
        'at most',
        1024,
        'bytes/round',
    ];
    yield* modelTargets(result.model);
    yield* tickTargets(result.ticks);
    yield* databaseTargets(result.database);
    yield* importTargets(result.imports);
    yield* liveTargets(result.live);
    for (const attack of result.attacks ?? []) yield* attackTargets(attack);
}

function* modelTargets(model) {
    for (const [candles, bound] of [
        [2016, 1],
        [105120, 50],
    ]) {
        const window = model?.windows.find((it) => it.candles === candles);
        if (!window) continue;
        const worst = Math.max(...Object.values(window).map((it) => it.us ?? 0)) / 1e3;
        yield [`model, ${candles.toLocaleString('en')} candles`, worst, 'at most', bound, 'ms'];
    }
}

const openInterests = ({ days, ...interests }) => interests;

// The share of a core that so many symbols take whose open candles move once a second, while one of
// them closes in five minutes, and all snapshots are compressed.
function liveShare({ open_us, close_us, deflated_us }, symbols) {
    return (symbols * (open_us + close_us / 300 + deflated_us)) / 1e6;
}

// Open interest that only ever rises is the model's worst case: a candle that closes then costs the
// whole window, as it did before for every tick.
function* tickTargets(ticks) {
    for (const window of ticks?.windows ?? []) {
        const interests = Object.values(openInterests(window));
        const worst = (field) => Math.max(...interests.map((it) => it[field])) / 1e3;
        const days = `window of ${window.days} days`;
        yield [`open candle, ${days}, worst`, worst('open_us'), 'at most', 0.1, 'ms'];
        yield [`closing candle, ${days}, flat`, window.flat.close_us / 1e3, 'at most', 1, 'ms'];
        yield [
            `500 symbols live, ${days}, worst: of a core`,
            Math.max(...interests.map((it) => liveShare(it, 500))),
            'at most',
            0.5,
        ];
    }
}

function* databaseTargets(database) {
    if (!database) return;
    const { tick, ranges } = database;
    yield [
        'a tick of a symbol: query and model',
        tick.query_ms + tick.compute_ms,
        'at most',
        5,
        'ms',
    ];
    yield ['p99 of a ping during ticks', tick.ping_p99_ms, 'at most', 2, 'ms'];
    for (const range of ranges) {
        const { what, encoding } = range;
        if (what === 'one candle') continue;
        if (encoding === 'identity')
            yield [`${what}, computed`, range.first_ms, 'at most', 20, 'ms'];
        yield [`${what}, ${encoding}, again`, range.cached_ms, 'at most', 20, 'ms'];
        if (range.viewers)
            yield [
                `${what}: answered of ${range.viewers.toLocaleString('en')} at once`,
                range.viewers_answered / range.viewers,
                'at least',
                1,
            ];
    }
}

function* importTargets(imports) {
    for (const { what, of_duckdb } of imports?.cases ?? [])
        yield [`import of ${what}: rows/s of DuckDB's CSV reader`, of_duckdb, 'at least', 0.5];
}

function* liveTargets(live) {
    if (!live) return;
    yield ['from the exchange to the client, p99', live.p99Ms, 'at most', 5, 'ms'];
    yield ['pushes that reached the client', live.arrived / live.pushed, 'at least', 0.99];
}

// What docs/benchmark.md says of the memory: questions, answers that are held, the database, loops.
const memoryBudgetMb = 1000;

function* attackTargets(attack) {
    const under = `under attack, ${attack.name}`;
    yield [`${under}: p99 of a ping of that without`, attack.ping_ratio, 'at most', 3];
    yield [`${under}: p99 of a delivery of that without`, attack.delivery_ratio, 'at most', 3];
    yield [`${under}: p99 of /readyz more than without`, attack.ready_more_ms, 'at most', 50, 'ms'];
    yield [`${under}: memory`, attack.memory_mb, 'at most', memoryBudgetMb, 'MB'];
}

export function summarise(result) {
    const scenarios = result.scenarios.map(summariseScenario);
    const targets = [];
    for (const [what, value, sense, bound, unit = ''] of targetsOf(result, scenarios)) {
        if (value === undefined || Number.isNaN(value)) continue;
        targets.push({
            what,
            value,
            sense,
            bound,
            unit,
            is_met: sense === 'at least' ? value >= bound : value <= bound,
        });
    }
    return { scenarios, targets };
}

// -- Markdown -------------------------------------------------------------------------------------

function number(value, digits = 3) {
    if (value === undefined || Number.isNaN(value)) return '';
    if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en');
    return String(Number(value.toPrecision(digits)));
}

// Padded, so that it can be read in a terminal as well.
function table(heads, rows) {
    const lines = [heads, ...rows].map((row) => row.map((cell) => String(cell ?? '')));
    const widths = heads.map((_, i) => Math.max(3, ...lines.map((line) => line[i].length)));
    const format = (line) =>
        `| ${line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(' | ')} |`;
    const rule = `| ${widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
    return [format(lines[0]), rule, ...lines.slice(1).map(format)].join('\n');
}

const columns = [
    ['deliveries/s', 'deliveries_per_second'],
    ['of the limit', 'deliveries_of_limit'],
    ['CPU us', 'cpu_us_per_delivery'],
    ['p50 ms', 'p50_ms'],
    ['p99 ms', 'p99_ms'],
    ['p99 stalled', 'stalled_p99_ms'],
    ['ratio', 'stalled_p99_ratio'],
    ['growth B/round', 'stalled_bytes_per_round'],
    ['KB/connection', 'kb_per_connection'],
    ['accepts/s', 'accepts_per_second'],
];

function scenarioTable(scenario, labels) {
    const shown = columns.filter(([, field]) =>
        scenario.servers.some((server) => server[field] !== undefined),
    );
    const rows = scenario.servers.map((server) => [
        labels[server.name],
        ...shown.map(([, field]) => number(server[field])),
    ]);
    return table(['server', ...shown.map(([head]) => head)], rows);
}

function modelTable(model) {
    const names = Object.keys(model.windows[0]).filter((name) => name !== 'candles');
    const rows = model.windows.map((window) => [
        window.candles.toLocaleString('en'),
        ...names.map((name) => number(window[name].us / 1e3)),
    ]);
    return table(['candles', ...names], rows);
}

function importTable({ cases, day_memory_mb }) {
    const rows = cases.map((it) => [
        it.what,
        number(it.rows),
        number(it.rows_per_second),
        number(it.of_duckdb),
        number(it.memory_mb),
        number(it.duckdb_memory_mb),
        number(day_memory_mb),
    ]);
    return table(
        ['import of', 'rows', 'rows/s', "of DuckDB's", 'MB', "DuckDB's MB", 'MB of a day'],
        rows,
    );
}

function tickTable({ windows }) {
    const rows = windows.flatMap((window) =>
        Object.entries(openInterests(window)).map(([name, it]) => [
            `${window.days} days, ${name}`,
            number(it.open_us / 1e3),
            number(it.close_us / 1e3),
            number(it.whole_us / 1e3),
            number(it.whole_us / it.open_us),
            number(it.whole_us / it.close_us),
            number(it.deflated_us / 1e3),
            number(liveShare(it, 500)),
            number(it.bytes / 2 ** 20),
        ]),
    );
    return table(
        [
            'window, open interest',
            'open ms',
            'closing ms',
            'whole ms',
            'whole/open',
            'whole/closing',
            'compressing ms',
            '500 live: cores',
            'MB a symbol',
        ],
        rows,
    );
}

function databaseTable({ tick, ranges }) {
    const rows = [
        ['tick of a symbol: query', number(tick.query_ms)],
        ['tick of a symbol: model and JSON', number(tick.compute_ms)],
        ['p99 of a ping without ticks', number(tick.ping_p99_ms_without_ticks)],
        ['p99 of a ping during ticks', number(tick.ping_p99_ms)],
    ];
    for (const range of ranges) {
        const what = `${range.what}, ${range.encoding}`;
        rows.push([
            `${what} (${number(range.bytes / 1024)} KB), the file opened`,
            number(range.first_ms),
        ]);
        rows.push([`${what}, again`, number(range.cached_ms)]);
        if (range.viewers)
            rows.push([`${what}, ${range.viewers} viewers at once, all`, number(range.viewers_ms)]);
    }
    return table(['what', 'ms'], rows);
}

function attackTable(attacks) {
    return table(
        [
            ...['attack', '/s', 'ping ms', 'ratio', 'aside', 'delivery ms', 'ratio', 'aside'],
            ...['/readyz ms', 'more ms', 'MB'],
        ],
        attacks.map((attack) => [
            attack.title,
            number(attack.strikes_per_second),
            number(attack.ping_p99_ms),
            number(attack.ping_ratio),
            number(attack.ping_ratio_aside),
            number(attack.delivery_p99_ms),
            number(attack.delivery_ratio),
            number(attack.delivery_ratio_aside),
            number(attack.ready_p99_ms),
            number(attack.ready_more_ms),
            number(attack.memory_mb),
        ]),
    );
}

function targetTable(targets) {
    return table(
        ['target', 'is', 'should be', ''],
        targets.map(({ what, value, sense, bound, unit, is_met }) => [
            what,
            `${number(value)} ${unit}`.trim(),
            `${sense} ${number(bound)} ${unit}`.trim(),
            is_met ? 'met' : 'MISSED',
        ]),
    );
}

export function markdownReport(result) {
    const { machine, summary } = result;
    const labels = Object.fromEntries(result.servers.map(({ name, label }) => [name, label]));
    const parts = [
        `# heatcast and its peers\n\n${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}. ` +
            `Medians of ${result.repeats} alternating repeats of ${result.seconds} s${result.quick ? ' (QUICK)' : ''}; ` +
            'each ratio is of two measurements of the same repeat. Server on one core, clients on another.\n\n' +
            result.servers.map(({ label, version }) => `${label}: ${version}`).join('; ') +
            '.',
    ];
    for (const { label, needs } of result.missing)
        parts.push(`Not installed: ${label} (${needs}).`);
    for (const { scenario, server, reason } of result.failures)
        parts.push(`Failed: ${labels[server]} in ${scenario}: ${reason}.`);
    for (const scenario of summary.scenarios)
        if (scenario.servers.length > 0)
            parts.push(`## ${scenario.title}\n\n${scenarioTable(scenario, labels)}`);
    if (result.model)
        parts.push(`## The model, ms by candles and open interest\n\n${modelTable(result.model)}`);
    if (result.ticks)
        parts.push(
            `## Ticks of what is in memory, ${result.ticks.symbols} symbols in turn\n\n` +
                tickTable(result.ticks),
        );
    if (result.database)
        parts.push(`## Ticks and history, ms\n\n${databaseTable(result.database)}`);
    if (result.imports) parts.push(`## Imports\n\n${importTable(result.imports)}`);
    if (result.live)
        parts.push(
            `## From the exchange to the client\n\n${result.live.symbols} symbols, ` +
                `${result.live.pushed} candles pushed, ${result.live.arrived} snapshots with their ` +
                `price: p50 ${number(result.live.p50Ms)} ms, p99 ${number(result.live.p99Ms)} ms.`,
        );
    if (result.attacks)
        parts.push(
            '## Under attack\n\np99 of a healthy client without, and how many times that under the attack; ' +
                `resident memory at its most.\n\n${attackTable(result.attacks)}`,
        );
    if (summary.targets.length > 0) parts.push(`## Targets\n\n${targetTable(summary.targets)}`);
    return `${parts.join('\n\n')}\n`;
}
