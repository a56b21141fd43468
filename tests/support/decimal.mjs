// Decimal numbers as BigInt scaled by 10^8, the precision of the tables.
export const one = 100_000_000n;

export function parseDecimal(text) {
    const [, sign, whole, fraction = ''] = /^(-?)(\d+)(?:\.(\d{1,8}))?$/.exec(text);
    const value = BigInt(whole) * one + BigInt(fraction.padEnd(8, '0') || '0');
    return sign ? -value : value;
}

export function formatDecimal(value) {
    const digits = (value < 0n ? -value : value).toString().padStart(9, '0');
    const fraction = digits.slice(-8).replace(/0+$/, '');
    return `${value < 0n ? '-' : ''}${digits.slice(0, -8)}${fraction && '.'}${fraction}`;
}
