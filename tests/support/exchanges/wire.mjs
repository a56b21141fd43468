// How exchanges write figures.
import { formatDecimal } from '../decimal.mjs';

// value * 10^digits of a BigInt scaled by 10^8.
export function formatShifted(value, digits) {
    if (digits >= 0) return formatDecimal(value * 10n ** BigInt(digits));
    const decimals = 8 - digits;
    const text = value.toString().padStart(decimals + 1, '0');
    const fraction = text.slice(-decimals).replace(/0+$/, '');
    return `${text.slice(0, -decimals)}${fraction && '.'}${fraction}`;
}

// Prices and quantities of an instrument: where the exchange's coin is a thousandth of ours
// (bundleDigits), a price has more decimals and a quantity fewer.
export const wirePrice = (instrument, value) => formatShifted(value, -instrument.bundleDigits);
export const wireCoins = (instrument, value) => formatShifted(value, instrument.bundleDigits);
export const wireContracts = (instrument, value) =>
    wireCoins(instrument, (value * 100_000_000n) / instrument.contract);
export { formatDecimal as wireValue };

const isNumber = (text) => /^-?\d+(\.\d+)?$/.test(text);

// The same JSON with every figure as a number, or as text.
export function withNumbers(json) {
    return transform(json, (value) =>
        typeof value === 'string' && isNumber(value) ? Number(value) : value,
    );
}

export function withTexts(json) {
    return transform(json, (value) => (typeof value === 'number' ? String(value) : value));
}

function transform(json, change) {
    if (Array.isArray(json)) return json.map((item) => transform(item, change));
    if (json === null || typeof json !== 'object') return change(json);
    return Object.fromEntries(
        Object.entries(json).map(([key, value]) => [key, transform(value, change)]),
    );
}
