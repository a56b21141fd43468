// A strict reader of the Prometheus text format 0.0.4: what a lenient scraper would let pass is an
// error here. Returns families by name: { type, help, samples: [{ name, labels, value }] }.
import assert from 'node:assert/strict';

const namePattern = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;
const typePattern = /^# TYPE (\S+) (counter|gauge|histogram|summary)$/;
const labelPattern = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\[\\"n])*)"(,|\})/;
const numberPattern = /^(NaN|[+-]Inf|[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?)$/;
const suffixes = {
    counter: [''],
    gauge: [''],
    histogram: ['_bucket', '_sum', '_count'],
    summary: ['', '_sum', '_count'],
};
const escapes = { '\\\\': '\\', '\\"': '"', '\\n': '\n' };

function parseNumber(text) {
    assert.match(text, numberPattern);
    return Number(text.replace('Inf', 'Infinity'));
}

function parseSample(line) {
    const [name] = namePattern.exec(line) ?? assert.fail(line);
    let rest = line.slice(name.length);
    const labels = {};
    if (rest.startsWith('{')) {
        rest = rest.slice(1);
        for (let end = ','; end === ','; ) {
            const match = labelPattern.exec(rest) ?? assert.fail(line);
            assert.equal(Object.hasOwn(labels, match[1]), false, `twice the same label: ${line}`);
            labels[match[1]] = match[2].replace(/\\./g, (text) => escapes[text]);
            end = match[3];
            rest = rest.slice(match[0].length);
        }
    }
    assert.ok(rest.startsWith(' '), line);
    return { name, labels, value: parseNumber(rest.slice(1)) };
}

// The samples of each set of labels, but for the one that makes the parts.
function grouped(samples, partLabel) {
    const groups = new Map();
    for (const sample of samples) {
        const { [partLabel]: part, ...labels } = sample.labels;
        const key = JSON.stringify(labels);
        if (!groups.has(key)) groups.set(key, []);
        groups.get(key).push({ ...sample, part });
    }
    return [...groups.values()];
}

function only(group, name) {
    const found = group.filter((sample) => sample.name === name);
    assert.equal(found.length, 1, `one ${name}`);
    assert.equal(found[0].part, undefined, name);
    return found[0].value;
}

function checkHistogram(name, samples) {
    for (const group of grouped(samples, 'le')) {
        const buckets = group.filter((sample) => sample.name === `${name}_bucket`);
        const bounds = buckets.map((bucket) => parseNumber(bucket.part));
        bounds.forEach((bound, i) =>
            assert.ok(i === 0 || bound > bounds[i - 1], `${name} le=${bound}`),
        );
        buckets.forEach(({ value }, i) => {
            assert.ok(Number.isInteger(value), `${name} counts`);
            assert.ok(i === 0 || value >= buckets[i - 1].value, `${name} is cumulative`);
        });
        assert.equal(bounds.at(-1), Infinity, name);
        assert.equal(only(group, `${name}_count`), buckets.at(-1).value, name);
        assert.ok(only(group, `${name}_sum`) >= 0, name);
    }
}

function checkSummary(name, samples) {
    for (const group of grouped(samples, 'quantile')) {
        const parts = group.filter((sample) => sample.name === name);
        assert.ok(parts.length > 0, name);
        const quantiles = parts.map(({ part }) => parseNumber(part));
        quantiles.forEach((q, i) =>
            assert.ok(q >= 0 && q <= 1 && (i === 0 || q > quantiles[i - 1]), name),
        );
        const values = parts.map(({ value }) => value);
        values.forEach((value, i) =>
            assert.ok(i === 0 || !(value < values[i - 1]), `${name} ${values}`),
        );
        const count = only(group, `${name}_count`);
        assert.ok(Number.isInteger(count) && only(group, `${name}_sum`) >= 0, name);
        if (count === 0) assert.ok(values.every(Number.isNaN), name);
    }
}

export function parseExposition(text) {
    assert.ok(text.endsWith('\n'));
    const families = new Map();
    const seen = new Set();
    let family;
    let help;
    for (const line of text.slice(0, -1).split('\n')) {
        const [, helpName, text] = /^# HELP (\S+) (.+)$/.exec(line) ?? [];
        const [, typeName, type] = typePattern.exec(line) ?? [];
        if (helpName !== undefined) {
            assert.equal(help, undefined, line);
            assert.equal(families.has(helpName), false, `a second time: ${line}`);
            help = { name: helpName, text };
        } else if (typeName !== undefined) {
            assert.equal(help?.name, typeName, line);
            assert.equal(namePattern.exec(typeName)?.[0], typeName, line);
            family = { name: typeName, type, help: help.text, samples: [] };
            families.set(family.name, family);
            help = undefined;
        } else {
            assert.equal(help, undefined, `a sample between HELP and TYPE: ${line}`);
            const sample = parseSample(line);
            const names = suffixes[family.type].map((suffix) => family.name + suffix);
            assert.ok(names.includes(sample.name), `not of ${family.name}: ${line}`);
            const key = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
            assert.equal(seen.has(key), false, `a second time: ${line}`);
            seen.add(key);
            family.samples.push(sample);
        }
    }
    for (const { name, type, samples } of families.values()) {
        if (type === 'counter') {
            assert.ok(name.endsWith('_total'), name);
            for (const { value } of samples) assert.ok(value >= 0 && Number.isFinite(value), name);
        }
        if (type === 'histogram') checkHistogram(name, samples);
        if (type === 'summary') checkSummary(name, samples);
    }
    return families;
}
