// Numbers and times as traders write them. All times are UTC, as candles are.

const STEPS: readonly (readonly [number, string])[] = [
    [1e12, 'T'],
    [1e9, 'B'],
    [1e6, 'M'],
    [1e3, 'K'],
];

const grouped = (value: number, decimals: number): string =>
    value.toLocaleString('en-US', {
        minimumFractionDigits: decimals,
        maximumFractionDigits: decimals,
    });

/** 1.2M, 45.1K, 870; three significant digits at most, but 1,235T. */
function compact(value: number): string {
    for (const [size, suffix] of STEPS) {
        // 999,950 is written as 1.0M, because it would round to "1000K".
        if (value >= size * 0.9995) {
            const scaled = value / size;
            return `${grouped(scaled, scaled >= 99.95 ? 0 : 1)}${suffix}`;
        }
    }
    return value.toFixed(0);
}

/** $1.2M, $45.1K, $870 */
export function formatUsd(value: number): string {
    if (!(value > 0)) return '$0';
    return value < 1 ? '<$1' : `$${compact(value)}`;
}

/** 1,234 */
export const formatCount = (value: number): string =>
    Number.isFinite(value) ? value.toLocaleString('en-US') : '–';

/** Of any number that the server sends. */
const DECIMALS_MAX = 8;

/** Decimals that suit a price of this size: 98,450.1 but 0.08123. */
export function priceDecimals(price: number): number {
    if (price >= 10_000) return 1;
    if (price >= 100 || !(price > 0)) return 2;
    if (price >= 1) return 4;
    return price >= 0.01 ? 5 : DECIMALS_MAX;
}

/** Decimals that a multiple of `bucket` needs. */
export function bucketDecimals(bucket: number): number {
    for (let decimals = 0; decimals < DECIMALS_MAX; decimals += 1) {
        const scaled = bucket * 10 ** decimals;
        // Relative, because a bucket may be as small as any fixed tolerance.
        if (Math.abs(scaled - Math.round(scaled)) < 1e-6 * scaled) return decimals;
    }
    return DECIMALS_MAX;
}

/** A bucket as a program reads it: 0.00000005, not 5e-8. */
export const bucketText = (bucket: number): string => bucket.toFixed(bucketDecimals(bucket));

/** The most decimals whose last one still counts in prices up to `greatest`: doubles have 15
 * digits, and the chart's axis counts in steps of the last decimal. */
export const decimalsLimit = (greatest: number): number =>
    Math.max(0, 15 - Math.ceil(Math.log10(Math.max(1, greatest))));

export const formatPrice = (price: number, decimals: number): string =>
    Number.isFinite(price) ? grouped(price, decimals) : '–';

/** The same for a price that may be far below the others: with three significant digits at least,
 * so that 0.00005 is not 0.0001 or 0 among prices around 77. */
export function formatAnyPrice(price: number, decimals: number): string {
    const digits = price > 0 ? 2 - Math.floor(Math.log10(price)) : 0;
    return formatPrice(price, Math.min(DECIMALS_MAX, Math.max(decimals, digits)));
}

export const formatPercent = (ratio: number): string => percentWith(ratio, 2);

/** The same with one decimal. */
export const formatShortPercent = (ratio: number): string => percentWith(ratio, 1);

/** From where on decimals say nothing, and from where on there are too many digits to read. */
const WHOLE_PERCENT = 1_000;
const COMPACT_PERCENT = 10_000;

function percentWith(ratio: number, decimals: number): string {
    if (!Number.isFinite(ratio)) return '–';
    const size = Math.abs(ratio * 100);
    const whole = size < COMPACT_PERCENT ? size.toFixed(0) : compact(size);
    const percent = size < WHOLE_PERCENT ? size.toFixed(decimals) : whole;
    const sign = ratio > 0 ? '+' : '−';
    return `${Number(percent) === 0 ? '' : sign}${percent}%`;
}

const pad = (value: number): string => String(value).padStart(2, '0');

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

export const formatClock = (seconds: number): string => {
    const date = new Date(seconds * 1000);
    return `${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}`;
};

export const formatDay = (seconds: number): string => {
    const date = new Date(seconds * 1000);
    return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`;
};

export const formatMonth = (seconds: number): string =>
    MONTHS[new Date(seconds * 1000).getUTCMonth()] ?? '';

export const formatYear = (seconds: number): string =>
    String(new Date(seconds * 1000).getUTCFullYear());

/** 28 Dec 2025 14:30 */
export const formatTime = (seconds: number): string =>
    `${formatDay(seconds)} ${formatYear(seconds)} ${formatClock(seconds)}`;

/** "just now", "2 min ago", "3 h ago", "5 days ago", "4 months ago". */
export function formatAge(seconds: number): string {
    if (seconds < 60) return 'just now';
    const minutes = Math.floor(seconds / 60);
    if (minutes < 60) return `${minutes} min ago`;
    const hours = Math.floor(minutes / 60);
    if (hours < 48) return `${hours} h ago`;
    const days = Math.floor(hours / 24);
    if (days < 60) return `${days} days ago`;
    if (days < 730) return `${Math.floor(days / 30.44)} months ago`;
    return `${Math.floor(days / 365.25)} years ago`;
}

/** 5m, 1h, 1d */
export function formatInterval(seconds: number): string {
    if (seconds % 86400 === 0) return `${seconds / 86400}d`;
    if (seconds % 3600 === 0) return `${seconds / 3600}h`;
    return `${seconds / 60}m`;
}
