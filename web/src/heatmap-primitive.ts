// Draws the map behind the candles, as a primitive of their series: the chart calls it in the same
// animation frame in which it draws itself, so that both move together.
//
// There may be two layers: the whole map, and a finer one that replaces a part of it. A layer's
// columns form *runs*: within a run all columns are equally wide, so that one drawImage() draws it.
// Without holes in the data there is one run, plus the newest column.

import type {
    IChartApi,
    IPrimitivePaneRenderer,
    IPrimitivePaneView,
    ISeriesApi,
    ISeriesPrimitive,
    Logical,
    SeriesAttachedParameter,
    Time,
} from 'lightweight-charts';
import type { BitmapCoordinatesRenderingScope, CanvasRenderingTarget2D } from 'fancy-canvas';
import type { Candle } from './api.js';
import { CANDLE_SECONDS, type Grid } from './grid.js';
import type { HeatImage } from './heat-image.js';
import type { TimeAxis } from './time-axis.js';

interface Run {
    column: number;
    count: number;
    /** Bar position of its left edge, and the width of one column in bars. */
    left: number;
    width: number;
}

export interface MapLayer {
    grid: Grid;
    image: HeatImage;
}

interface Layer extends MapLayer {
    runs: Run[];
    /** Bar positions of its edges. */
    left: number;
    right: number;
}

/** Of what lies over the part of the map that is not wholly known. */
export interface VeilColors {
    background: string;
    line: string;
}

/** Where things are on the canvas. */
interface Placement {
    xOf: (position: number) => number;
    yOf: (price: number) => number | null;
    width: number;
    height: number;
}

/** Opacity of the newest column where it continues into the space right of the last candle. */
const FUTURE_ALPHA = 0.42;

/** Between the lines of the veil, in CSS pixels. */
const VEIL_STEP = 9;

/** How far the halo extends beyond a candle, in CSS pixels. */
const HALO = 1.5;

export class HeatmapPrimitive implements ISeriesPrimitive<Time> {
    #chart: IChartApi | null = null;
    #series: ISeriesApi<'Candlestick'> | null = null;
    #requestUpdate: (() => void) | null = null;
    #whole: Layer | null = null;
    #part: Layer | null = null;
    readonly #axis: TimeAxis;
    readonly #views: readonly IPrimitivePaneView[];

    /** Called after each drawing, for what must be drawn in the same frame. */
    onDrawn: (() => void) | null = null;
    /** The candles, and the colour of the halo behind them. */
    halo: (() => { candles: readonly Candle[]; color: string }) | null = null;
    veil: (() => VeilColors) | null = null;

    constructor(axis: TimeAxis) {
        this.#axis = axis;
        const renderer: IPrimitivePaneRenderer = {
            draw: (target: CanvasRenderingTarget2D) => {
                target.useBitmapCoordinateSpace((scope) => this.#draw(scope));
                this.onDrawn?.();
            },
        };
        this.#views = [{ zOrder: () => 'bottom', renderer: () => renderer }];
    }

    attached(parameters: SeriesAttachedParameter<Time, 'Candlestick'>): void {
        this.#chart = parameters.chart as IChartApi;
        this.#series = parameters.series;
        this.#requestUpdate = parameters.requestUpdate;
    }

    detached(): void {
        this.#chart = this.#series = this.#requestUpdate = null;
    }

    paneViews(): readonly IPrimitivePaneView[] {
        return this.#views;
    }

    /** To be called when maps or bars have changed. */
    update(whole: MapLayer | null, part: MapLayer | null): void {
        this.#whole = whole ? this.#lay(whole) : null;
        this.#part = part ? this.#lay(part) : null;
        this.#requestUpdate?.();
    }

    redraw(): void {
        this.#requestUpdate?.();
    }

    #lay({ grid, image }: MapLayer): Layer {
        const runs = this.#findRuns(grid);
        const last = runs[runs.length - 1];
        return {
            grid,
            image,
            runs,
            left: runs[0]?.left ?? 0,
            right: last ? last.left + last.width * last.count : 0,
        };
    }

    #findRuns({ times, step }: Grid): Run[] {
        const runs: Run[] = [];
        const last = times.length - 1;
        times.forEach((time, column) => {
            const until =
                column === last
                    ? time + CANDLE_SECONDS
                    : Math.min(times[column + 1] ?? 0, time + Math.max(step, CANDLE_SECONDS));
            const left = this.#axis.positionOf(time);
            const width = this.#axis.positionOf(until) - left;
            const run = runs[runs.length - 1];
            if (
                run &&
                Math.abs(run.width - width) < 1e-6 &&
                Math.abs(run.left + run.width * run.count - left) < 1e-6
            ) {
                run.count += 1;
            } else if (width > 0) {
                runs.push({ column, count: 1, left, width });
            }
        });
        return runs;
    }

    #draw(scope: BitmapCoordinatesRenderingScope): void {
        const place = this.#placement(scope);
        const whole = this.#whole;
        if (!place || !whole) return;
        const { context } = scope;
        context.save();
        const part = this.#part;
        if (part) {
            const from = Math.round(place.xOf(part.left));
            const to = Math.round(place.xOf(part.right));
            clipTo(context, place, [
                [0, from],
                [to, place.width],
            ]);
            this.#drawLayer(context, place, whole);
            context.restore();
            context.save();
            clipTo(context, place, [[from, to]]);
            this.#drawLayer(context, place, part);
            context.restore();
            context.save();
        } else {
            this.#drawLayer(context, place, whole);
        }
        this.#drawFuture(context, place, whole);
        this.#drawVeil(scope, place, whole);
        this.#drawHalo(scope, place);
        context.restore();
    }

    #placement(scope: BitmapCoordinatesRenderingScope): Placement | null {
        const timeScale = this.#chart?.timeScale();
        const series = this.#series;
        const origin = timeScale?.logicalToCoordinate(0 as Logical) ?? null;
        const next = timeScale?.logicalToCoordinate(1 as Logical) ?? null;
        if (!series || origin === null || next === null) return null;
        const { bitmapSize, horizontalPixelRatio, verticalPixelRatio } = scope;
        return {
            xOf: (position) => (origin + position * (next - origin)) * horizontalPixelRatio,
            yOf: (price) => {
                const y = series.priceToCoordinate(price);
                return y === null ? null : y * verticalPixelRatio;
            },
            width: bitmapSize.width,
            height: bitmapSize.height,
        };
    }

    #drawLayer(context: CanvasRenderingContext2D, place: Placement, layer: Layer): void {
        const band = bandOf(place, layer.grid);
        if (!band) return;
        for (const run of layer.runs) {
            const start = place.xOf(run.left);
            const width = place.xOf(run.left + run.width) - start;
            const first = Math.max(0, Math.floor(-start / width));
            const end = Math.min(run.count, Math.ceil((place.width - start) / width));
            if (end <= first) continue;
            drawColumns(context, layer.image, run.column + first, end - first, band, {
                x: start + first * width,
                width: (end - first) * width,
            });
        }
    }

    /** Continues the newest column to the right of the last candle, fainter. */
    #drawFuture(context: CanvasRenderingContext2D, place: Placement, whole: Layer): void {
        const x = whole.runs.length > 0 ? place.xOf(whole.right) : place.width;
        const band = bandOf(place, whole.grid);
        if (x >= place.width || !band) return;
        context.globalAlpha = FUTURE_ALPHA;
        drawColumns(context, whole.image, whole.grid.columns - 1, 1, band, {
            x,
            width: place.width - x,
        });
        context.globalAlpha = 1;
    }

    /** Hatches the columns that lack older positions: dark there means that little is known, not
     * that little was waiting. */
    #drawVeil(
        scope: BitmapCoordinatesRenderingScope,
        place: Placement,
        { grid, left }: Layer,
    ): void {
        const { knownFrom } = grid;
        if (!this.veil || knownFrom <= (grid.times[0] ?? Infinity)) return;
        const isAll = knownFrom > grid.lastTime;
        const from = Math.max(0, place.xOf(left));
        const to = isAll ? place.width : place.xOf(this.#axis.positionOf(knownFrom));
        const end = Math.min(to, place.width);
        if (end <= from) return;
        const { context, horizontalPixelRatio: ratio } = scope;
        const { background, line } = this.veil();
        context.save();
        clipTo(context, place, [[from, end]]);
        context.fillStyle = background;
        context.fillRect(from, 0, end - from, place.height);
        context.strokeStyle = line;
        context.lineWidth = ratio;
        context.beginPath();
        // The lines belong to the map, and move with its edge.
        const step = VEIL_STEP * ratio;
        const first = to - Math.ceil((to - from + place.height) / step) * step;
        for (let x = first; x < end + place.height; x += step) {
            context.moveTo(x, place.height);
            context.lineTo(x + place.height, 0);
        }
        context.stroke();
        context.restore();
    }

    /** A halo of the background's colour around the visible candles, so that they stand out from
     * the map however bright it is. */
    #drawHalo(scope: BitmapCoordinatesRenderingScope, { xOf, yOf, width }: Placement): void {
        if (!this.halo) return;
        const { context, horizontalPixelRatio, verticalPixelRatio } = scope;
        const barWidth = xOf(1) - xOf(0);
        const from = Math.max(0, Math.floor(-xOf(0) / barWidth));
        const { candles, color } = this.halo();
        const margin = HALO * 2 * horizontalPixelRatio;
        const wick = margin + Math.max(1, Math.floor(horizontalPixelRatio));
        const body = margin + barWidth * 0.8;
        context.fillStyle = color;
        for (let i = from; i < candles.length; i += 1) {
            const candle = candles[i];
            const x = xOf(i);
            if (!candle || x - body > width) break;
            const fill = (thickness: number, high: number, low: number): void => {
                const top = yOf(high);
                const bottom = yOf(low);
                if (top === null || bottom === null) return;
                const room = HALO * verticalPixelRatio;
                context.fillRect(x - thickness / 2, top - room, thickness, bottom - top + 2 * room);
            };
            fill(wick, candle.high, candle.low);
            fill(body, Math.max(candle.open, candle.close), Math.min(candle.open, candle.close));
        }
    }
}

/** The visible rows, and where they are drawn: with a price axis that is zoomed in far, all rows
 * would be thousands of pixels high. */
interface Band {
    row: number;
    rows: number;
    y: number;
    height: number;
}

function bandOf({ yOf, height }: Placement, grid: Grid): Band | null {
    const top = yOf(grid.priceMax);
    const bottom = yOf(grid.priceMin);
    if (grid.rows === 0 || top === null || bottom === null) return null;
    const rowHeight = (bottom - top) / grid.rows;
    const first = Math.max(0, Math.floor(-top / rowHeight));
    const end = Math.min(grid.rows, Math.ceil((height - top) / rowHeight));
    if (end <= first) return null;
    const rows = end - first;
    return { row: first, rows, y: top + first * rowHeight, height: rows * rowHeight };
}

function drawColumns(
    context: CanvasRenderingContext2D,
    image: HeatImage,
    column: number,
    count: number,
    band: Band,
    to: { x: number; width: number },
): void {
    const { canvas, columnsPerPixel } = image.at(count / to.width);
    // Enlarged cells keep their edges; only rows that share a pixel are blended.
    context.imageSmoothingEnabled = band.height < band.rows;
    context.imageSmoothingQuality = 'medium';
    context.drawImage(
        canvas,
        column / columnsPerPixel,
        band.row,
        count / columnsPerPixel,
        band.rows,
        to.x,
        band.y,
        to.width,
        band.height,
    );
}

/** Restricts drawing to these spans, each from left to right. */
function clipTo(
    context: CanvasRenderingContext2D,
    { height }: Placement,
    spans: readonly (readonly [number, number])[],
): void {
    context.beginPath();
    for (const [from, to] of spans) {
        if (to > from) context.rect(from, 0, to - from, height);
    }
    context.clip();
}
