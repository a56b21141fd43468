// Draws the map behind the candles, as a primitive of their series: the chart calls it in the same
// animation frame in which it draws itself, so that both move as one.
//
// The picture's columns stand on the chart in *runs*: within a run all columns are equally wide, so
// one drawImage() serves it. Without holes in the data there is one run, plus the newest column.

import type {
    AutoscaleInfo,
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

/** How strongly the newest column goes on into the empty space right of the last candle. */
const FUTURE_ALPHA = 0.42;

/** How far the veil reaches beyond a candle, in CSS pixels. */
const HALO = 1.5;

export class HeatmapPrimitive implements ISeriesPrimitive<Time> {
    #chart: IChartApi | null = null;
    #series: ISeriesApi<'Candlestick'> | null = null;
    #requestUpdate: (() => void) | null = null;
    #grid: Grid | null = null;
    #runs: Run[] = [];
    readonly #image: HeatImage;
    readonly #axis: TimeAxis;
    readonly #views: readonly IPrimitivePaneView[];

    /** Called after each drawing, for what has to keep pace with the chart. */
    onDrawn: (() => void) | null = null;
    /** The price range that automatic scaling should show beside the visible candles. */
    priceRange: ((from: number, to: number) => { min: number; max: number } | null) | null = null;

    /** The candles, and the colour of the veil behind them. */
    halo: (() => { candles: readonly Candle[]; color: string }) | null = null;

    constructor(image: HeatImage, axis: TimeAxis) {
        this.#image = image;
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

    autoscaleInfo(from: Logical, to: Logical): AutoscaleInfo | null {
        const range = this.priceRange?.(from, to);
        return range ? { priceRange: { minValue: range.min, maxValue: range.max } } : null;
    }

    /** The grid, or the bars below it, have changed. */
    update(grid: Grid | null): void {
        this.#grid = grid;
        this.#runs = grid ? this.#findRuns(grid) : [];
        this.#requestUpdate?.();
    }

    redraw(): void {
        this.#requestUpdate?.();
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
        const grid = this.#grid;
        const timeScale = this.#chart?.timeScale();
        const series = this.#series;
        if (!grid || grid.rows === 0 || !timeScale || !series) return;
        const origin = timeScale.logicalToCoordinate(0 as Logical);
        const next = timeScale.logicalToCoordinate(1 as Logical);
        const top = series.priceToCoordinate(grid.priceMax);
        const bottom = series.priceToCoordinate(grid.priceMin);
        if (origin === null || next === null || top === null || bottom === null) return;

        const { context, bitmapSize, horizontalPixelRatio, verticalPixelRatio } = scope;
        const barWidth = (next - origin) * horizontalPixelRatio;
        const xOf = (position: number): number =>
            origin * horizontalPixelRatio + position * barWidth;
        const rowHeight = ((bottom - top) * verticalPixelRatio) / grid.rows;
        // Only the rows in sight: a scale zoomed in far would make the rest thousands of pixels.
        const firstRow = Math.max(0, Math.floor(-(top * verticalPixelRatio) / rowHeight));
        const endRow = Math.min(
            grid.rows,
            Math.ceil((bitmapSize.height - top * verticalPixelRatio) / rowHeight),
        );
        if (endRow <= firstRow) return;
        const rows = { first: firstRow, count: endRow - firstRow };
        const y = top * verticalPixelRatio + firstRow * rowHeight;
        const height = rows.count * rowHeight;

        context.save();
        for (const run of this.#runs) {
            const width = run.width * barWidth;
            const start = xOf(run.left);
            const first = Math.max(0, Math.floor(-start / width));
            const end = Math.min(run.count, Math.ceil((bitmapSize.width - start) / width));
            if (end <= first) continue;
            this.#drawPart(context, run.column + first, end - first, rows, {
                x: start + first * width,
                y,
                width: (end - first) * width,
                height,
            });
        }
        const run = this.#runs[this.#runs.length - 1];
        const x = run ? xOf(run.left + run.width * run.count) : bitmapSize.width;
        if (x < bitmapSize.width) {
            context.globalAlpha = FUTURE_ALPHA;
            const width = bitmapSize.width - x;
            this.#drawPart(context, grid.columns - 1, 1, rows, { x, y, width, height });
        }
        context.globalAlpha = 1;
        this.#drawHalo(scope, xOf);
        context.restore();
    }

    #drawPart(
        context: CanvasRenderingContext2D,
        column: number,
        count: number,
        rows: { first: number; count: number },
        to: { x: number; y: number; width: number; height: number },
    ): void {
        const { canvas, columnsPerPixel } = this.#image.at(count / to.width);
        // Enlarged cells keep their edges; only rows that share a pixel are blended.
        context.imageSmoothingEnabled = to.height < rows.count;
        context.imageSmoothingQuality = 'medium';
        context.drawImage(
            canvas,
            column / columnsPerPixel,
            rows.first,
            count / columnsPerPixel,
            rows.count,
            to.x,
            to.y,
            to.width,
            to.height,
        );
    }

    /** A veil of the background's colour around the candles in sight, so that they stand out from
     * the map however bright it is. */
    #drawHalo(scope: BitmapCoordinatesRenderingScope, xOf: (position: number) => number): void {
        const series = this.#series;
        if (!series || !this.halo) return;
        const { context, horizontalPixelRatio, verticalPixelRatio, bitmapSize } = scope;
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
            if (!candle || x - body > bitmapSize.width) break;
            const fill = (width: number, high: number, low: number): void => {
                const top = series.priceToCoordinate(high);
                const bottom = series.priceToCoordinate(low);
                if (top === null || bottom === null) return;
                context.fillRect(
                    x - width / 2,
                    (top - HALO) * verticalPixelRatio,
                    width,
                    (bottom - top + 2 * HALO) * verticalPixelRatio,
                );
            };
            fill(wick, candle.high, candle.low);
            fill(body, Math.max(candle.open, candle.close), Math.min(candle.open, candle.close));
        }
    }
}
