// The command line: help, versions, exit codes, settings.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { get } from '../support/http.mjs';
import { run, scratch } from '../support/process.mjs';
import { serveFor } from '../support/server.mjs';

const commands = ['serve', 'import', 'fetch', 'snapshot', 'history', 'score', 'config'];

const settings = {
    WS_ENABLED: 'true',
    WS_UPDATE_INTERVAL: '5',
    LIVE_UPDATE_INTERVAL: '1',
    WS_MAX_CONNECTIONS: '1000',
    WS_MAX_CONNECTIONS_PER_IP: '0',
    WS_MAX_QUEUE_SIZE: '0',
    WS_SLOW_CONSUMER_TIMEOUT: '1.0',
    WS_SLOW_CONSUMER_DISCONNECT: '60',
    WS_ALLOWED_ORIGINS: 'same origin',
    ALLOWED_HOSTS: 'local names on 127.0.0.1 and ::1, else all',
    LISTEN: '127.0.0.1:8000',
    DUCKDB_PATH: 'data/heatcast.duckdb',
    SYMBOLS: 'BTCUSDT,ETHUSDT',
    HEATMAP_LOOKBACK: '7d',
    HEATMAP_LEVERAGE_WEIGHTS: '5:15,10:30,25:25,50:20,100:10',
    HEATMAP_MODEL: 'survival',
    HEATMAP_TURNOVER: '0',
    LOG_LEVEL: 'info',
    LOG_FORMAT: 'text',
};

const flagOf = (name) => `--${name.toLowerCase().replaceAll('_', '-')}`;

const lineOf = (table, name) => table.split('\n').find((line) => line.startsWith(`${name} `));

test('help names every command, on standard output, with exit code 0', async () => {
    for (const argument of ['--help', '-h', 'help']) {
        const { code, stdout, stderr } = await run([argument]);
        assert.equal(code, 0);
        assert.equal(stderr, '');
        for (const command of commands) assert.match(stdout, new RegExp(`heatcast ${command}\\b`));
    }
});

test('each command has its own help, with all settings as flags', async () => {
    for (const command of commands) {
        const { code, stdout } = await run([command, '--help']);
        assert.equal(code, 0);
        assert.match(stdout, new RegExp(`usage: heatcast ${command}\\b`));
        for (const name of Object.keys(settings))
            assert.ok(stdout.includes(flagOf(name)), `${command} ${name}`);
    }
});

test('every command prints the same version', async () => {
    const { code, stdout } = await run(['--version']);
    assert.equal(code, 0);
    assert.match(stdout, /^heatcast \d+\.\d+\.\d+\S*\n$/);
    for (const command of commands) {
        const of = await run([command, '--version']);
        assert.deepEqual([of.code, of.stdout], [0, stdout], command);
    }
});

test('no command, an unknown one and unknown options are wrong usage', async () => {
    for (const [args, named] of [
        [[], 'usage'],
        [['frobnicate'], 'frobnicate'],
        [['serve', '--frobnicate'], '--frobnicate'],
        [['serve', '--frobnicate=1'], '--frobnicate'],
        [['serve', '-x'], '-x'],
        [['serve', 'extra'], 'extra'],
        [['snapshot', '--demo'], '--demo'],
        [['config', '--listen'], '--listen'],
        [['snapshot', '--symbol', 'BTCUSDT', '--symbol', 'ETHUSDT'], '--symbol'],
        [['import'], 'import'],
        [['snapshot', '--symbol', 'not a symbol'], 'not a symbol'],
        [['snapshot', '--at', 'yesterday'], 'yesterday'],
        [['history', '--window', 'long'], 'long'],
        [['history', '--interval', '7m'], '7m'],
        [['history', '--bucket', '0'], 'bucket'],
        [['history', '--weights', '5:-1'], 'negative'],
    ]) {
        const { code, stdout, stderr } = await run(args);
        assert.equal(code, 2, `${args}: ${stderr}`);
        assert.equal(stdout, '', String(args));
        assert.ok(stderr.includes(named), `${args}: ${stderr}`);
    }
});

test('config lists every setting with its value, origin, default and meaning', async () => {
    const { code, stdout } = await run(['config']);
    assert.equal(code, 0);
    for (const [name, value] of Object.entries(settings)) {
        const line = lineOf(stdout, name);
        assert.ok(line, `no line for ${name}`);
        assert.ok(line.includes(value), line);
        assert.match(line, /\bdefault\b/);
    }
    assert.ok(lineOf(stdout, 'WORKERS') && lineOf(stdout, 'HEATMAP_BUCKET'));
});

test('there is one worker for each processor that it may use', async () => {
    const status = await readFile('/proc/self/status', 'utf8');
    const [first] = /^Cpus_allowed_list:\s*(\d+)/m.exec(status).slice(1);
    const { stdout } = await run(['config'], { under: ['taskset', '-c', first] });
    assert.match(lineOf(stdout, 'WORKERS'), /^WORKERS +1 +default/);
});

test('the environment overrides a default, and a flag overrides the environment', async () => {
    const env = { WS_UPDATE_INTERVAL: '2.5', SYMBOLS: 'DOGEUSDT', LOG_LEVEL: '' };
    const { stdout } = await run(['config', '--symbols', 'SOLUSDT,XRPUSDT'], { env });
    assert.match(lineOf(stdout, 'WS_UPDATE_INTERVAL'), /2\.5 +environment/);
    assert.match(lineOf(stdout, 'SYMBOLS'), /SOLUSDT,XRPUSDT +flag/);
    assert.match(lineOf(stdout, 'LOG_LEVEL'), /info +default/);
});

test('--db is another name of --duckdb-path', async () => {
    const { stdout } = await run(['config', '--db', 'elsewhere.duckdb']);
    assert.match(lineOf(stdout, 'DUCKDB_PATH'), /elsewhere\.duckdb +flag/);
});

test('a flag takes its value behind a blank or behind =, also where it is true or false', async () => {
    for (const args of [['--ws-enabled', 'false'], ['--ws-enabled=false']]) {
        const { code, stdout, stderr } = await run(['config', ...args]);
        assert.equal(code, 0, stderr);
        assert.match(lineOf(stdout, 'WS_ENABLED'), /false +flag/);
    }
});

test('a wrong setting stops the start with one line: setting, value, what is allowed', async () => {
    for (const [name, value, allowed] of [
        ['WS_ENABLED', 'maybe', /true.*false/],
        ['WS_UPDATE_INTERVAL', '0.05', /0\.1 to 3600/],
        ['WS_UPDATE_INTERVAL', '3601', /0\.1 to 3600/],
        ['WS_UPDATE_INTERVAL', 'soon', /0\.1 to 3600/],
        ['WS_MAX_CONNECTIONS', '-1', /from 1 to/],
        ['WS_MAX_CONNECTIONS', '12x', /from 1 to/],
        ['WS_SLOW_CONSUMER_TIMEOUT', 'nan', /seconds/],
        ['LISTEN', '127.0.0.1:99999', /127\.0\.0\.1:8000/],
        ['LISTEN', 'nowhere', /127\.0\.0\.1:8000/],
        ['WORKERS', '0', /from 1 to/],
        ['SYMBOLS', 'btc/usdt', /A-Z/],
        ['HEATMAP_LOOKBACK', '7 days', /15m/],
        ['HEATMAP_LOOKBACK', '1m', /5m/],
        ['HEATMAP_BUCKET', 'BTCUSDT=100', /BTCUSDT:100/],
        ['HEATMAP_BUCKET', 'BTCUSDT:0', /above 0/],
        ['HEATMAP_LEVERAGE_WEIGHTS', '5:0,10:0', /above 0/],
        ['HEATMAP_LEVERAGE_WEIGHTS', '5:-3', /negative/],
        ['HEATMAP_LEVERAGE_WEIGHTS', '5', /5:15/],
        ['LOG_LEVEL', 'loud', /debug, info, warn/],
        ['LOG_FORMAT', 'xml', /text.*json/],
    ]) {
        const byEnvironment = await run(['config'], { env: { [name]: value } });
        const byFlag = await run(['config', `${flagOf(name)}=${value}`]);
        for (const [result, shown] of [
            [byEnvironment, name],
            [byFlag, flagOf(name)],
        ]) {
            assert.equal(result.code, 2, `${name}=${value}: ${result.stderr}`);
            assert.equal(result.stdout, '');
            const line = result.stderr.split('\n')[0];
            assert.ok(line.includes(shown), line);
            assert.ok(line.includes(value.split(',')[0]), line);
            assert.match(line, allowed);
        }
        for (const { stderr } of [byEnvironment, byFlag])
            assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
    }
});

test('a password is in no table and in no error', async () => {
    const table = await run(['config'], { env: { REDIS_URL: 'redis://me:hunter2@redis:7000/1' } });
    assert.equal(table.code, 0);
    assert.match(
        lineOf(table.stdout, 'REDIS_URL'),
        /redis:\/\/me:\*\*\*@redis:7000\/1 +environment/,
    );
    const refused = [
        await run(['config'], { env: { REDIS_URL: 'redis://:hunter2@redis:port' } }),
        await run(['config', '--redis-url', 'http://hunter2']),
    ];
    for (const { code } of refused) assert.equal(code, 2);
    for (const { stdout, stderr } of [table, ...refused])
        assert.doesNotMatch(stdout + stderr, /hunter2/);
});

test('a switch needs no value, and the flag after it stays a flag', async () => {
    const { code, stdout, stderr } = await run([
        'config',
        '--redis-enabled',
        '--log-level',
        'debug',
    ]);
    assert.equal(code, 0, stderr);
    assert.match(lineOf(stdout, 'REDIS_ENABLED'), /true +flag/);
    assert.match(lineOf(stdout, 'LOG_LEVEL'), /debug +flag/);
});

test('buckets may be given for more symbols than are served', async () => {
    const { code, stdout } = await run([
        'config',
        '--symbols',
        'BTCUSDT',
        '--heatmap-bucket',
        'BTCUSDT:100,ETHUSDT:5',
    ]);
    assert.equal(code, 0);
    assert.match(stdout, /HEATMAP_BUCKET +BTCUSDT:100,ETHUSDT:5/);
});

test('a missing database fails with its path, and is not created', async (t) => {
    const folder = await scratch(t);
    for (const command of ['snapshot', 'history']) {
        const { code, stdout, stderr } = await run([command, '--db', 'none.duckdb'], {
            cwd: folder,
        });
        assert.equal(code, 1, stderr);
        assert.equal(stdout, '');
        assert.match(stderr, /none\.duckdb/);
    }
    const again = await run(['snapshot', '--db', join(folder, 'none.duckdb')]);
    assert.equal(again.code, 1);
});

test("the README's table of settings is the program's own", async () => {
    const { stdout } = await run(['config', '--markdown']);
    const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
    assert.ok(
        readme.includes(stdout.trimEnd()),
        'replace it with: build/heatcast config --markdown',
    );
});

test('with port 0 a free port is taken, and named', async (t) => {
    const server = await serveFor(t, {
        database: join(await scratch(t), 'none.duckdb'),
        args: ['--listen', '127.0.0.1:0'],
    });
    assert.ok(server.port > 0);
    assert.equal((await get(`http://127.0.0.1:${server.port}/healthz`)).status, 200);
});

test('a setting that has no effect here says why', async (t) => {
    const server = await serveFor(t, { args: ['--ws-max-queue-size', '100'] });
    assert.match(server.logs(), /WS_MAX_QUEUE_SIZE has no effect: no snapshot is queued/);
});
