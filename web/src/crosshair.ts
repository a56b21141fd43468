// What is under the crosshair. The mouse moves it over the chart; the profile and the list of
// clusters, which are beside the chart, move it to the newest column at one of their prices. In
// both cases the library reports the move, and onHover gets the cell of the map and the candle
// there.

import type {
    IChartApi,
    ISeriesApi,
    Logical,
    MouseEventParams,
    UTCTimestamp,
} from 'lightweight-charts';
import type { Candle } from './api.js';
import type { CandleSeries } from './candle-series.js';
import type { MapLayers } from './map-layers.js';
import { cumulativeAt } from './profile.js';
import { lastAtOrBefore } from './time-axis.js';

/** What is under the crosshair. */
export interface Hover {
    /** On the chart, in CSS pixels. */
    x: number;
    y: number;
    /** Of the map's column, in seconds since 1970. */
    time: number;
    /** Lower edge of the price bucket. */
    price: number;
    long: number;
    short: number;
    /** From here on `long` and `short` are at least what they say, and up to there at most. */
    scaleEnd: number;
    scaleStart: number;
    /** The price at that time: what the bucket's distance is measured from. */
    marketPrice: number;
    candle: Candle | null;
    /** Whether older positions are missing in this column: it holds at least what it says. */
    isIncomplete: boolean;
    /** Right of the newest column, where the map shows what is waiting now. */
    isFuture: boolean;
    /** There: the volume that is liquidated in all when the price gets that far; elsewhere 0. */
    cumulative: number;
}

export class Crosshair {
    readonly #chart: IChartApi;
    readonly #series: ISeriesApi<'Candlestick'>;
    readonly #candles: CandleSeries;
    readonly #layers: MapLayers;
    readonly #onHover: (hover: Hover | null) => void;
    /** The height at which something beside the chart points at the newest column. */
    #pointedY: number | null = null;

    constructor(
        chart: IChartApi,
        series: ISeriesApi<'Candlestick'>,
        candles: CandleSeries,
        layers: MapLayers,
        onHover: (hover: Hover | null) => void,
    ) {
        this.#chart = chart;
        this.#series = series;
        this.#candles = candles;
        this.#layers = layers;
        this.#onHover = onHover;
        chart.subscribeCrosshairMove((event) => onHover(this.#hoverOf(event)));
    }

    /** Moves the crosshair to the newest bar at a height of the chart; null: takes it away. */
    pointAtNewest(y: number | null): void {
        const { last } = this.#candles;
        const price = y === null ? null : this.#series.coordinateToPrice(y);
        this.#pointedY = price === null || !last ? null : y;
        if (price !== null && last) {
            this.#chart.setCrosshairPosition(price, last.time as UTCTimestamp, this.#series);
        } else {
            this.#chart.clearCrosshairPosition();
            this.#onHover(null);
        }
    }

    /** The same at a price, whether or not it is in sight. */
    pointAtPrice(price: number | null): void {
        this.pointAtNewest(price === null ? null : this.#series.priceToCoordinate(price));
    }

    #hoverOf({ point }: MouseEventParams): Hover | null {
        if (this.#pointedY === null) return point ? this.#hoverAt(point.x, point.y) : null;
        const timeScale = this.#chart.timeScale();
        const x = timeScale.logicalToCoordinate(this.#candles.all.length as Logical);
        return this.#hoverAt(Math.min(timeScale.width(), x ?? 0), this.#pointedY);
    }

    #hoverAt(x: number, y: number): Hover | null {
        const { grid, side } = this.#layers;
        const { all: candles, axis } = this.#candles;
        const position = this.#positionAt(x);
        const pointed = this.#series.coordinateToPrice(y);
        // Left of the first candle nothing is known.
        if (!grid || position === null || position < -0.5 || pointed === null) return null;
        const moment = axis.timeAt(position);
        const map = this.#layers.gridAt(moment) ?? grid;
        const column = lastAtOrBefore(map.times, moment);
        const row = map.rowOf(pointed);
        const { long, short } = map.cell(column, row);
        const price = map.priceOf(row);
        const isFuture = position > candles.length - 0.5;
        const time = map.times[column] ?? moment;
        return {
            x,
            y,
            time,
            isIncomplete: time < map.knownFrom,
            price,
            long: side === 'short' ? 0 : long,
            short: side === 'long' ? 0 : short,
            scaleEnd: map.scaleEnd,
            scaleStart: map.scaleStart,
            marketPrice: map.closes[column] ?? grid.lastClose,
            candle: isFuture ? null : (candles[Math.max(0, Math.round(position))] ?? null),
            isFuture,
            cumulative: isFuture
                ? cumulativeAt(
                      { levels: grid.newestLevels(), bucket: grid.bucket },
                      grid.lastClose,
                      price,
                      side,
                  )
                : 0,
        };
    }

    /** The bar position, a fraction, at a distance from the left edge. */
    #positionAt(x: number): number | null {
        const timeScale = this.#chart.timeScale();
        const origin = timeScale.logicalToCoordinate(0 as Logical);
        const next = timeScale.logicalToCoordinate(1 as Logical);
        if (origin === null || next === null || next === origin) return null;
        return (x - origin) / (next - origin);
    }
}
