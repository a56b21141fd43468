// The chart: candles, the map behind them, the profile beside them, the view of all three and the
// crosshair. Each of these is a module of its own; this one creates them and passes each change of
// data and colours to all that depend on it, in order. It does not know where data come from.

import {
    CandlestickSeries,
    createChart,
    LineStyle,
    type IChartApi,
    type IPriceLine,
    type ISeriesApi,
} from 'lightweight-charts';
import type { Candle } from './api.js';
import { CandleSeries } from './candle-series.js';
import { candleOptions, CHART_COLORS, chartOptions, fixedOptions } from './chart-look.js';
import { ChartView } from './chart-view.js';
import { Crosshair, type Hover } from './crosshair.js';
import type { Sight } from './detail.js';
import { bucketDecimals, decimalsLimit, priceDecimals } from './format.js';
import type { Grid, GridChange, NewestColumn, Side } from './grid.js';
import { HeatmapPrimitive } from './heatmap-primitive.js';
import { MapLayers, type ColorScale } from './map-layers.js';
import type { PaletteName, Theme } from './palette.js';
import { Profile } from './profile.js';
import type { Zoom } from './state.js';

export interface MapChartHandlers {
    /** What is under the crosshair; null: nothing. */
    onHover: (hover: Hover | null) => void;
    /** null: no cell has a colour. */
    onScale: (scale: ColorScale | null) => void;
    /** The view has come to rest. */
    onSight: (sight: Sight) => void;
}

export class MapChart {
    readonly #chart: IChartApi;
    readonly #series: ISeriesApi<'Candlestick'>;
    readonly #candles: CandleSeries;
    readonly #layers: MapLayers;
    readonly #view: ChartView;
    readonly #crosshair: Crosshair;
    readonly #primitive: HeatmapPrimitive;
    readonly #profile: Profile;
    readonly #onHover: (hover: Hover | null) => void;
    #priceLine: IPriceLine | null = null;
    #decimals = 1;
    #theme: Theme = 'dark';

    constructor(container: HTMLElement, profile: HTMLCanvasElement, handlers: MapChartHandlers) {
        const { onHover, onScale, onSight } = handlers;
        const chart = createChart(
            container,
            fixedOptions(() => this.#decimals),
        );
        // The library's own line and label would follow the last visible candle, not the newest.
        const series = chart.addSeries(CandlestickSeries, {
            borderVisible: false,
            priceLineVisible: false,
            lastValueVisible: false,
            // Instead of the library's, which is from the lowest low to the highest high.
            autoscaleInfoProvider: () => {
                const range = this.#view.priceRange(this.grid);
                return range && { priceRange: { minValue: range.min, maxValue: range.max } };
            },
        });
        this.#chart = chart;
        this.#series = series;
        this.#onHover = onHover;
        this.#candles = new CandleSeries(series);
        this.#layers = new MapLayers(onScale);
        this.#view = new ChartView(container, chart, series, this.#candles, onSight);
        this.#crosshair = new Crosshair(chart, series, this.#candles, this.#layers, onHover);
        this.#primitive = this.#attachPrimitive();
        this.#profile = new Profile(profile);
        new ResizeObserver(() => this.#primitive.redraw()).observe(profile);
        this.#applyTheme();
    }

    #attachPrimitive(): HeatmapPrimitive {
        const primitive = new HeatmapPrimitive(this.#candles.axis);
        primitive.halo = () => ({
            candles: this.#candles.all,
            color: CHART_COLORS[this.#theme].halo,
        });
        primitive.veil = () => {
            const { veil, veilLine } = CHART_COLORS[this.#theme];
            return { background: veil, line: veilLine };
        };
        primitive.onDrawn = () => this.#drawProfile();
        this.#series.attachPrimitive(primitive);
        return primitive;
    }

    get width(): number {
        return this.#view.width;
    }

    /** Of a price that is shown. */
    get decimals(): number {
        return this.#decimals;
    }

    /** Of the whole map. */
    get grid(): Grid | null {
        return this.#layers.grid;
    }

    /** The candle of a moment, the first one where it is older; null: there is none. */
    candleAt(time: number): Candle | null {
        return this.#candles.at(time);
    }

    get lastCandle(): Candle | null {
        return this.#candles.last;
    }

    // --- data ---

    /** Shows another map. `isSameView`: newer data of what is shown already; the view stays put. */
    show(grid: Grid, candles: Candle[], interval: number, isSameView: boolean): void {
        this.#decimals = Math.min(
            Math.max(priceDecimals(grid.lastClose), bucketDecimals(grid.bucket)),
            decimalsLimit(candles.reduce((most, { high }) => Math.max(most, high), grid.priceMax)),
        );
        this.#layers.show(grid);
        this.#series.applyOptions({
            priceFormat: {
                type: 'price',
                precision: this.#decimals,
                minMove: 10 ** -this.#decimals,
                base: 10 ** this.#decimals /* 1 / minMove would have a rounding error */,
            },
        });
        this.#setCandles(candles, interval, isSameView);
    }

    /** Shows the same map with other candles; the view stays put. */
    showCandles(candles: Candle[], interval: number): void {
        this.#setCandles(candles, interval, true);
    }

    #setCandles(candles: Candle[], interval: number, isSameView: boolean): void {
        const times = isSameView ? this.#view.times() : null;
        this.#candles.set(candles, interval);
        this.#update();
        if (times) this.#view.showTimes(times);
        else this.#view.fit();
    }

    /** Shows a finer map in the place of a part of the whole; null: none. */
    showDetail(detail: Grid | null): void {
        this.#layers.showPart(detail);
        this.#update();
    }

    clear(): void {
        this.#layers.clear();
        this.#candles.clear();
        this.#update();
        this.#profile.draw(null);
        this.#onHover(null);
    }

    /** Makes a snapshot the newest column and its price the forming candle's. */
    applySnapshot(column: NewestColumn): GridChange {
        const change = this.#layers.apply(column);
        if (change === 'gap' || change === 'old') return change;
        this.#candles.followPrice(column.time, column.price);
        this.#update();
        return change;
    }

    /** Puts exact candles in the place of those that followed the price. */
    mergeCandles(candles: readonly Candle[]): void {
        this.#candles.merge(candles);
        this.#update();
    }

    /** After a change of maps or candles. */
    #update(): void {
        this.#markPrice();
        this.#primitive.update(this.#layers.whole, this.#layers.part);
    }

    // --- the view ---

    /** All of the time range, and automatic price scaling. */
    fit(): void {
        this.#view.fit();
    }

    setZoom(zoom: Zoom): void {
        this.#view.setZoom(zoom);
        this.#primitive.redraw();
    }

    /** Moves the crosshair to the newest bar at a height of the chart; null: takes it away. */
    pointAtNewest(y: number | null): void {
        this.#crosshair.pointAtNewest(y);
    }

    /** The same at a price, whether or not it is in sight. */
    pointAtPrice(price: number | null): void {
        this.#crosshair.pointAtPrice(price);
    }

    // --- colours ---

    setSide(side: Side): void {
        this.#layers.setSide(side);
        this.#primitive.redraw();
    }

    setColors(palette: PaletteName, theme: Theme): void {
        this.#theme = theme;
        this.#applyTheme();
        this.#layers.setColors(palette, theme);
        this.#primitive.redraw();
    }

    /** Hides what is below this many USD; null: what suits the map. */
    setThreshold(low: number | null): void {
        this.#layers.setThreshold(low);
        this.#primitive.redraw();
    }

    #applyTheme(): void {
        const colors = CHART_COLORS[this.#theme];
        this.#chart.applyOptions(chartOptions(colors));
        this.#series.applyOptions(candleOptions(colors));
        this.#markPrice();
        this.#profile.setColors(colors);
    }

    /** A line across the chart at the current price, and a label on its axis. */
    #markPrice(): void {
        const { line: color, background } = CHART_COLORS[this.#theme];
        const price = this.grid?.lastClose ?? 0;
        const options = {
            price,
            color,
            axisLabelColor: color,
            axisLabelTextColor: background,
            axisLabelVisible: price > 0,
            lineVisible: price > 0,
            lineStyle: LineStyle.Dotted,
            lineWidth: 1,
        } as const;
        if (this.#priceLine) this.#priceLine.applyOptions(options);
        else this.#priceLine = this.#series.createPriceLine(options);
    }

    /** With each drawing of the chart, so that the bars stay at the height of their prices. */
    #drawProfile(): void {
        const { grid } = this;
        if (!grid) return;
        this.#profile.draw({
            levels: grid.newestLevels(),
            bucket: grid.bucket,
            side: this.#layers.side,
            currentPrice: grid.lastClose,
            yOf: (price) => this.#series.priceToCoordinate(price),
            paneHeight: this.#chart.panes()[0]?.getHeight() ?? 0,
        });
    }
}
