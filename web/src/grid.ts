// The map in memory: one byte per time column, price row and side.
//
// A byte b means no volume if 0, else max_density * 10^((b - 255) / 51): five decades on a
// logarithmic scale. The colours are logarithmic too, so a byte is nearly a colour. The scale makes
// two things cheap: the sum of two bytes is a table look-up by their difference, and a new greatest
// density shifts every byte by the same amount. The scale may end below the greatest density, where
// that is so far above all others that these would be alike: then 255 means that much or more.
//
// Columns are stored one after the other (column-major), so that a new one is appended without
// moving the others. Only a level outside the rows, which is rare, moves everything.

import type { Level } from 'heatcast-client';

export interface GridMessage {
    meta: {
        symbol: string;
        bucket: number;
        price_min: number;
        rows: number;
        columns: number;
        max_density: number;
        /** Absent from servers whose scale always ends there. */
        greatest_density?: number;
        /** Candles with which open interest changed; absent from servers that do not count them. */
        interest_changes?: number;
        /** Candles of whose end it is known; absent from servers that do not count them. */
        interest_known?: number;
        /** Columns before it lack positions of which the database does not know; null: all do;
         * absent: that is not said. */
        known_from?: string | null;
    };
    times: number[];
    closes: number[];
    long: string;
    short: string;
}

/** A snapshot in the map's bucket, as it becomes the newest column. */
export interface NewestColumn {
    time: number;
    price: number;
    levels: readonly Level[];
}

export type Side = 'both' | 'long' | 'short';

/**
 * - `replaced`: the last column changed
 * - `appended`: there is a new last column
 * - `relaid`: rows or scale changed as well: everything derived from the bytes is out of date
 * - `gap`: columns between the last one and this one are missing, or there are too many rows
 *   between its levels and the others; nothing was changed
 * - `old`: older than the last column; nothing was changed
 */
export type GridChange = 'replaced' | 'appended' | 'relaid' | 'gap' | 'old';

export const CANDLE_SECONDS = 300;

/** Seconds since 1970: the year 5138. */
const TIME_MAX = 1e11;

const BYTE_MAX = 255;
export const BYTES_PER_DECADE = 51;
const SPARE_COLUMNS = 64;
const SPARE_ROWS = 16;

/** Somewhat more than a server's map has, so that snapshots can add to it. */
const ROWS_MAX = 20_000;
const CELLS_MAX = 6 << 20;

/** How far snapshots may move the end of the scale: two decades, so that three remain for what the
 * map has held before. */
const RESCALE_MAX = 100;

/** Beyond any sum of money: where the scale of a map that was empty ends at most. */
const DENSITY_MAX = 1e30;

/** How much the greater of two bytes grows when their densities are added, by their difference. */
const SUM_GAIN = Uint8Array.from({ length: 256 }, (_, difference) =>
    Math.round(BYTES_PER_DECADE * Math.log10(1 + 10 ** (-difference / BYTES_PER_DECADE))),
);

export function sumBytes(a: number, b: number): number {
    if (a === 0) return b;
    if (b === 0) return a;
    const difference = a > b ? a - b : b - a;
    return Math.min(BYTE_MAX, Math.max(a, b) + (SUM_GAIN[difference] ?? 0));
}

function decodeBase64(text: string): Uint8Array {
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < bytes.length; i += 1) bytes[i] = binary.charCodeAt(i);
    return bytes;
}

/** Turns the server's row-major bytes into column-major ones. `spare`: columns added at the end. */
function transpose(source: Uint8Array, rows: number, columns: number, spare: number): Uint8Array {
    const target = new Uint8Array(rows * (columns + spare));
    for (let row = 0; row < rows; row += 1) {
        for (let column = 0, at = row * columns; column < columns; column += 1, at += 1) {
            target[column * rows + row] = source[at] ?? 0;
        }
    }
    return target;
}

export class Grid {
    readonly symbol: string;
    readonly bucket: number;
    /** Seconds between columns; the newest one may be between two steps. */
    readonly step: number;
    readonly times: number[];
    readonly closes: number[];
    /** Candles with which open interest changed; null: not known. */
    readonly interestChanges: number | null;
    /** Candles of whose end it is known; null: not known. */
    readonly interestKnown: number | null;
    /** Seconds since 1970: before it a cell holds at least what it says, since older positions are
     * not known. Infinity: everywhere; -Infinity: nowhere. */
    readonly knownFrom: number;
    priceMin: number;
    rows: number;
    /** What a byte of 255 stands for, and the greatest density that there is. */
    maxDensity: number;
    #greatestDensity: number;
    #maxDensityLimit: number;
    long: Uint8Array;
    short: Uint8Array;
    /** The exact levels of the newest snapshot; null before the first. */
    levels: readonly Level[] | null = null;

    static decode(message: GridMessage): Grid {
        return new Grid(message);
    }

    private constructor(message: GridMessage) {
        const { meta, times, closes, long, short } = message;
        const { rows } = meta;
        const columns = times.length;
        const longBytes = decodeBase64(long);
        const shortBytes = decodeBase64(short);
        const isWhole = longBytes.length === rows * columns && shortBytes.length === rows * columns;
        if (!isWhole || !isSound(message))
            throw new Error('the heatmap from the server is damaged');
        this.symbol = meta.symbol;
        this.bucket = meta.bucket;
        this.step = stepSeconds(times);
        this.times = times;
        this.closes = closes;
        this.priceMin = meta.price_min;
        this.rows = rows;
        this.maxDensity = meta.max_density;
        this.#greatestDensity = meta.greatest_density ?? meta.max_density;
        this.#maxDensityLimit = meta.max_density > 0 ? meta.max_density * RESCALE_MAX : DENSITY_MAX;
        this.interestChanges = meta.interest_changes ?? null;
        this.interestKnown = meta.interest_known ?? null;
        this.knownFrom = knownFrom(meta.known_from);
        this.long = transpose(longBytes, rows, columns, SPARE_COLUMNS);
        this.short = transpose(shortBytes, rows, columns, SPARE_COLUMNS);
    }

    /** Whether there is any level, now or before. */
    get hasLevels(): boolean {
        return this.maxDensity > 0;
    }

    get columns(): number {
        return this.times.length;
    }

    get lastTime(): number {
        return this.times[this.times.length - 1] ?? 0;
    }

    get lastClose(): number {
        return this.closes[this.closes.length - 1] ?? 0;
    }

    get priceMax(): number {
        return this.priceMin + this.rows * this.bucket;
    }

    densityOf(byte: number): number {
        return byte === 0 ? 0 : this.maxDensity * 10 ** ((byte - BYTE_MAX) / BYTES_PER_DECADE);
    }

    /** From here on a density of the map is at least what it says; Infinity: each is exact. */
    get scaleEnd(): number {
        const isBeyond = this.#greatestDensity > this.maxDensity * 1.02;
        return isBeyond ? this.maxDensity * 0.999 : Infinity;
    }

    /** Up to here a density of the map is at most what it says. */
    get scaleStart(): number {
        return this.densityOf(1) * 1.001;
    }

    byteOf(density: number): number {
        if (!(density > 0) || !(this.maxDensity > 0)) return 0;
        const byte = BYTE_MAX + BYTES_PER_DECADE * Math.log10(density / this.maxDensity);
        return Math.min(BYTE_MAX, Math.max(1, Math.round(byte)));
    }

    /** The row of a price; below 0 or above the last row where the grid ends before it. */
    rowOf(price: number): number {
        // A price that is the edge of a bucket must not fall below it by a rounding error.
        return Math.floor((price - this.priceMin) / this.bucket + 1e-6);
    }

    priceOf(row: number): number {
        return this.priceMin + row * this.bucket;
    }

    cell(column: number, row: number): { long: number; short: number } {
        if (row < 0 || row >= this.rows || column < 0 || column >= this.columns) {
            return { long: 0, short: 0 };
        }
        const at = column * this.rows + row;
        return {
            long: this.densityOf(this.long[at] ?? 0),
            short: this.densityOf(this.short[at] ?? 0),
        };
    }

    /** Levels of the newest column: exact after a snapshot, else as precise as a byte is. */
    newestLevels(): readonly Level[] {
        if (this.levels) return this.levels;
        const levels: Level[] = [];
        for (let row = 0; row < this.rows; row += 1) {
            const { long, short } = this.cell(this.columns - 1, row);
            if (long > 0 || short > 0) {
                levels.push({ price: this.priceOf(row), long_density: long, short_density: short });
            }
        }
        return levels;
    }

    /** Makes a snapshot, of this map's bucket, the newest column. */
    apply(time: number, close: number, levels: readonly Level[]): GridChange {
        const lastTime = this.lastTime;
        if (!(time >= lastTime)) return 'old';
        if (time > lastTime + CANDLE_SECONDS || !this.#hasRoomFor(levels)) return 'gap';
        const isRelaid = this.#makeRoom(levels);
        // The newest column is always kept; one between two steps is replaced by the next.
        const isNew = time > lastTime && lastTime % this.step === 0;
        const column = isNew ? this.columns : this.columns - 1;
        if (isNew) this.#reserveColumn();
        this.times[column] = time;
        this.closes[column] = close;
        this.#write(column, levels);
        this.levels = levels;
        if (isRelaid) return 'relaid';
        return isNew ? 'appended' : 'replaced';
    }

    /** Whether so many rows can be had; otherwise the server knows in which bucket to show it. */
    #hasRoomFor(levels: readonly Level[]): boolean {
        const first = levels[0];
        const last = levels[levels.length - 1];
        if (!first || !last) return true;
        const rows =
            Math.max(this.rows, this.rowOf(last.price) + 1) - Math.min(0, this.rowOf(first.price));
        return rows <= ROWS_MAX && rows * this.columns <= CELLS_MAX;
    }

    /** Makes the levels fit; returns whether rows or scale had to change. */
    #makeRoom(levels: readonly Level[]): boolean {
        const first = levels[0];
        const last = levels[levels.length - 1];
        if (!first || !last) return false;
        const above = this.rowOf(last.price) - (this.rows - 1);
        const below = -this.rowOf(first.price);
        if (above > 0 || below > 0) {
            this.#growRows(below > 0 ? below + SPARE_ROWS : 0, above > 0 ? above + SPARE_ROWS : 0);
        }
        let greatest = 0;
        for (const { long_density, short_density } of levels) {
            greatest = Math.max(greatest, long_density, short_density);
        }
        this.#greatestDensity = Math.max(this.#greatestDensity, greatest);
        const end = Math.min(greatest, this.#maxDensityLimit);
        const isRescaled = end > this.maxDensity * 1.02;
        if (isRescaled) this.#rescale(end);
        return above > 0 || below > 0 || isRescaled;
    }

    #growRows(below: number, above: number): void {
        const rows = this.rows + below + above;
        const capacity = this.columns + SPARE_COLUMNS;
        const grow = (source: Uint8Array): Uint8Array => {
            const target = new Uint8Array(rows * capacity);
            for (let column = 0; column < this.columns; column += 1) {
                const at = column * this.rows;
                target.set(source.subarray(at, at + this.rows), column * rows + below);
            }
            return target;
        };
        this.long = grow(this.long);
        this.short = grow(this.short);
        this.priceMin -= below * this.bucket;
        this.rows = rows;
    }

    #rescale(maxDensity: number): void {
        if (this.maxDensity > 0) {
            const shift = Math.ceil(BYTES_PER_DECADE * Math.log10(maxDensity / this.maxDensity));
            for (const bytes of [this.long, this.short]) {
                for (let i = 0; i < bytes.length; i += 1) {
                    const byte = bytes[i] ?? 0;
                    if (byte > 0) bytes[i] = Math.max(1, byte - shift);
                }
            }
            this.maxDensity *= 10 ** (shift / BYTES_PER_DECADE);
        } else {
            this.maxDensity = maxDensity;
            this.#maxDensityLimit = maxDensity * RESCALE_MAX;
        }
    }

    #reserveColumn(): void {
        const needed = (this.columns + 1) * this.rows;
        if (needed <= this.long.length) return;
        const size = needed + SPARE_COLUMNS * this.rows;
        const grow = (source: Uint8Array): Uint8Array => {
            const target = new Uint8Array(size);
            target.set(source);
            return target;
        };
        this.long = grow(this.long);
        this.short = grow(this.short);
    }

    #write(column: number, levels: readonly Level[]): void {
        const from = column * this.rows;
        this.long.fill(0, from, from + this.rows);
        this.short.fill(0, from, from + this.rows);
        for (const { price, long_density, short_density } of levels) {
            const row = this.rowOf(price);
            if (!(row >= 0 && row < this.rows)) continue;
            this.long[from + row] = this.byteOf(long_density);
            this.short[from + row] = this.byteOf(short_density);
        }
    }
}

/** Whether all that is computed with is a number that can be computed with. */
function isSound({ meta, times, closes }: GridMessage): boolean {
    const { bucket, price_min, rows, max_density } = meta;
    return (
        bucket > 0 &&
        max_density >= 0 &&
        [bucket, price_min, max_density].every(Number.isFinite) &&
        Number.isInteger(rows) &&
        rows >= 0 &&
        times.length > 0 &&
        times.length === closes.length &&
        times.every((time, i) => time > (times[i - 1] ?? 0) && time < TIME_MAX) &&
        closes.every((close) => close > 0)
    );
}

function knownFrom(time: string | null | undefined): number {
    if (time === undefined) return -Infinity;
    const seconds = time === null ? NaN : Date.parse(time) / 1000;
    return Number.isFinite(seconds) ? seconds : Infinity;
}

/** Whether `bucket` is a multiple of `of`, so that levels can be added up exactly. */
export function isMultiple(bucket: number, of: number): boolean {
    const ratio = bucket / of;
    return ratio > 0.5 && Math.abs(ratio - Math.round(ratio)) < 1e-6 * ratio;
}

/** Levels of a finer bucket, added up to those of `bucket`, which is a multiple of it. */
export function foldLevels(levels: readonly Level[], bucket: number): Level[] {
    const folded: Level[] = [];
    let lastIndex = NaN;
    for (const { price, long_density, short_density } of levels) {
        // A price that is the edge of a bucket must not fall below it by a rounding error.
        const index = Math.floor(price / bucket + 1e-6);
        const last = folded[folded.length - 1];
        if (last && index === lastIndex) {
            folded[folded.length - 1] = {
                price: last.price,
                long_density: last.long_density + long_density,
                short_density: last.short_density + short_density,
            };
        } else {
            // Decimal again: 3 * 0.1 is not 0.3.
            const edge = Number((index * bucket).toPrecision(12));
            folded.push({ price: edge, long_density, short_density });
        }
        lastIndex = index;
    }
    return folded;
}

/** The distance between two columns: the least one, because holes are wider. */
function stepSeconds(times: readonly number[]): number {
    let step = Infinity;
    // Without the last distance: the newest column may be between two steps.
    for (let i = 1; i < times.length - 1; i += 1) {
        step = Math.min(step, (times[i] ?? 0) - (times[i - 1] ?? 0));
    }
    return Number.isFinite(step) && step > 0 ? step : CANDLE_SECONDS;
}
