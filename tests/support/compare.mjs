// Snapshots against the reference model: prices exactly, densities to nine digits.
import assert from 'node:assert/strict';

function isClose(actual, expected) {
    return Math.abs(actual - expected) <= 1e-9 * Math.max(Math.abs(actual), Math.abs(expected));
}

export function assertLevels(actual, expected, where) {
    assert.deepEqual(
        actual.map((l) => l.price),
        expected.map((l) => l.price),
        `${where}: prices`,
    );
    actual.forEach((level, i) => {
        for (const side of ['long_density', 'short_density'])
            assert.ok(
                isClose(level[side], expected[i][side]),
                `${where}: ${side} at ${level.price} is ${level[side]}, expected ${expected[i][side]}`,
            );
    });
}

// `actual` is a snapshot of a history.
export function assertMoment(actual, expected) {
    assert.equal(actual.timestamp, expected.timestamp);
    assertLevels(actual.levels, expected.levels, expected.timestamp);
    assert.equal(actual.positions_created, expected.positions_created, expected.timestamp);
    assert.equal(actual.positions_consumed, expected.positions_consumed, expected.timestamp);
}

// `actual` is a message, as the WebSocket and the command line give it.
export function assertSnapshot(actual, symbol, expected) {
    assert.equal(actual.type, 'snapshot');
    assert.equal(actual.symbol, symbol);
    assertMoment({ ...actual.data, timestamp: actual.timestamp }, expected);
    assert.equal(actual.data.current_price, expected.current_price);
}
