// The map as a picture: one pixel a cell, on a canvas that is not part of the page but scaled onto
// the chart. Colouring takes milliseconds and is done when data or colours change. Scaling is done
// by the browser, and is all that panning and zooming costs.
//
// When zoomed out, many columns share a pixel. Browsers shrink pictures in both directions at once,
// which would blur the rows, so there are narrower copies: each level has half the columns of the
// one before, two averaged into one, and all the rows.

import { BYTES_PER_DECADE, sumBytes, type Grid, type Side } from './grid.js';

const SPARE_COLUMNS = 64;

const LEVELS_MAX = 7;

/* By default the strongest colour is that of one cell in a hundred, and what is below a fiftieth of
 * it has none. */
const STRONGEST = 0.99;
const SPAN = Math.round(BYTES_PER_DECADE * Math.log10(50));

const contextOf = (canvas: HTMLCanvasElement): CanvasRenderingContext2D => {
    const context = canvas.getContext('2d');
    if (!context) throw new Error('this browser cannot draw on a canvas');
    return context;
};

export class HeatImage {
    readonly #levels = [document.createElement('canvas')];
    /** How many levels are up to date. */
    #freshLevels = 1;
    #side: Side = 'both';
    #table: Uint32Array = new Uint32Array(256);

    /** The copy whose columns are as wide as `columnsPerPixel` needs. */
    at(columnsPerPixel: number): { canvas: HTMLCanvasElement; columnsPerPixel: number } {
        const wanted = Math.ceil(Math.log2(Math.max(1, columnsPerPixel)) - 0.01);
        const level = Math.min(LEVELS_MAX, Math.max(0, wanted));
        for (; this.#freshLevels <= level; this.#freshLevels += 1) this.#halve(this.#freshLevels);
        return { canvas: this.#canvas(level), columnsPerPixel: 2 ** level };
    }

    #canvas(level: number): HTMLCanvasElement {
        this.#levels[level] ??= document.createElement('canvas');
        return this.#levels[level];
    }

    #halve(level: number): void {
        const from = this.#canvas(level - 1);
        const to = this.#canvas(level);
        to.width = Math.max(1, from.width >> 1);
        to.height = from.height;
        const context = contextOf(to);
        // At exactly half the width, bilinear smoothing is the average of two columns.
        context.imageSmoothingQuality = 'low';
        context.drawImage(from, 0, 0, to.width * 2, from.height, 0, 0, to.width, to.height);
    }

    setColors(side: Side, table: Uint32Array): void {
        this.#side = side;
        this.#table = table;
    }

    /** Colours everything. */
    paint(grid: Grid): void {
        const canvas = this.#canvas(0);
        // With spare columns at the right, new ones need no full painting. The width is a multiple
        // of what all levels divide by, so that halving loses no column.
        const multiple = 2 ** LEVELS_MAX;
        canvas.width = Math.ceil((grid.columns + SPARE_COLUMNS) / multiple) * multiple;
        canvas.height = Math.max(1, grid.rows);
        this.#paintColumns(grid, 0, grid.columns);
    }

    /** Colours only the last column where that is enough, else everything. */
    paintLast(grid: Grid): void {
        const { width, height } = this.#canvas(0);
        if (grid.columns > width || grid.rows !== height) {
            this.paint(grid);
        } else {
            this.#paintColumns(grid, grid.columns - 1, grid.columns);
        }
    }

    #paintColumns(grid: Grid, from: number, to: number): void {
        const { rows, long, short } = grid;
        const width = to - from;
        if (width <= 0 || rows <= 0) return;
        const context = contextOf(this.#canvas(0));
        const image = context.createImageData(width, rows);
        const pixels = new Uint32Array(image.data.buffer);
        const table = this.#table;
        const side = this.#side;
        for (let column = from; column < to; column += 1) {
            let at = column * rows;
            // Row 0 is the lowest price and belongs at the bottom.
            let pixel = (rows - 1) * width + (column - from);
            for (let row = 0; row < rows; row += 1, at += 1, pixel -= width) {
                const a = side === 'short' ? 0 : (long[at] ?? 0);
                const b = side === 'long' ? 0 : (short[at] ?? 0);
                pixels[pixel] = table[a === 0 ? b : b === 0 ? a : sumBytes(a, b)] ?? 0;
            }
        }
        context.putImageData(image, from, 0);
        this.#freshLevels = 1;
    }
}

/** The range of bytes that the colours should cover; null: no cell holds anything. A few cells hold
 * so much that up to the greatest of them nearly everything would be dark. */
export function colorRange(grid: Grid, side: Side): { low: number; high: number } | null {
    const counts = new Uint32Array(256);
    let total = 0;
    const { long, short } = grid;
    const size = grid.columns * grid.rows;
    for (let at = 0; at < size; at += 1) {
        const a = side === 'short' ? 0 : (long[at] ?? 0);
        const b = side === 'long' ? 0 : (short[at] ?? 0);
        const byte = a === 0 ? b : b === 0 ? a : sumBytes(a, b);
        if (byte > 0) {
            counts[byte] = (counts[byte] ?? 0) + 1;
            total += 1;
        }
    }
    if (total === 0) return null;
    let high = 1;
    for (let below = counts[1] ?? 0; below <= total * STRONGEST && high < 255; ) {
        high += 1;
        below += counts[high] ?? 0;
    }
    return { low: Math.max(1, high - SPAN), high };
}
