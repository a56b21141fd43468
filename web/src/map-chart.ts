// The chart: candles, the map behind them, the profile beside them, and the view on all three.
// Knows nothing of where data come from.

import {
    CandlestickSeries,
    ColorType,
    createChart,
    CrosshairMode,
    LineStyle,
    TickMarkType,
    type CandlestickData,
    type IChartApi,
    type ISeriesApi,
    type Logical,
    type MouseEventParams,
    type Time,
    type UTCTimestamp,
} from 'lightweight-charts';
import type { Snapshot } from 'heatcast-client';
import type { Candle } from './api.js';
import {
    bucketDecimals,
    formatClock,
    formatDay,
    formatMonth,
    formatPrice,
    formatTime,
    formatYear,
    priceDecimals,
} from './format.js';
import type { Grid, GridChange, Side } from './grid.js';
import { colorRange, HeatImage } from './heat-image.js';
import { HeatmapPrimitive } from './heatmap-primitive.js';
import { lookupTable, type PaletteName, type Theme } from './palette.js';
import { Profile } from './profile.js';
import { lastAtOrBefore, TimeAxis } from './time-axis.js';

/** How much of the map automatic scaling shows around the candles. */
export type Zoom = 'near' | 'wide' | 'full';

/** Room above and below the visible candles: a part of their height, at least a part of price. */
const ZOOM_ROOM: Readonly<Record<'near' | 'wide', { ofHeight: number; ofPrice: number }>> = {
    near: { ofHeight: 0.55, ofPrice: 0.022 },
    wide: { ofHeight: 1.2, ofPrice: 0.065 },
};

const RIGHT_ROOM = 0.06; /* of the candles' width, right of the newest */

/* What a key does: the part of the visible time it moves by, the factor it zooms by. */
const KEY_SHIFT = 0.1;
const KEY_ZOOM = 1.25;

/** What is under the crosshair. */
export interface Hover {
    x: number;
    y: number;
    time: number;
    /** Lower edge of the price bucket. */
    price: number;
    long: number;
    short: number;
    candle: Candle | null;
    /** Right of the newest column, where the map shows what is waiting now. */
    isFuture: boolean;
}

export interface ColorScale {
    /** Densities in USD: hidden below `low`, the strongest colour from `high` on. */
    low: number;
    high: number;
}

interface ChartColors {
    background: string;
    text: string;
    grid: string;
    border: string;
    crosshair: string;
    label: string;
    up: string;
    down: string;
    long: string;
    short: string;
    line: string;
    halo: string;
}

const CHART_COLORS: Readonly<Record<Theme, ChartColors>> = {
    dark: {
        background: '#0d0a1a',
        text: '#9a9fb5',
        grid: 'rgba(255, 255, 255, 0.035)',
        border: '#23243a',
        crosshair: 'rgba(226, 229, 245, 0.55)',
        label: '#3a3563',
        up: '#1fdc9c',
        down: '#ff4f6d',
        long: '#23c493',
        short: '#f4506c',
        line: '#e8eaf4',
        halo: 'rgba(10, 7, 22, 0.62)',
    },
    light: {
        background: '#ffffff',
        text: '#5a6078',
        grid: 'rgba(20, 24, 50, 0.05)',
        border: '#d9dce8',
        crosshair: 'rgba(20, 24, 50, 0.5)',
        label: '#4b4570',
        up: '#00875f',
        down: '#d81b43',
        long: '#0f9f72',
        short: '#df3b58',
        line: '#1b1d2c',
        halo: 'rgba(255, 255, 255, 0.7)',
    },
};

export class MapChart {
    readonly #container: HTMLElement;
    readonly #chart: IChartApi;
    readonly #series: ISeriesApi<'Candlestick'>;
    readonly #axis = new TimeAxis();
    readonly #image = new HeatImage();
    readonly #primitive: HeatmapPrimitive;
    readonly #profile: Profile;
    #grid: Grid | null = null;
    #candles: Candle[] = [];
    #interval = 300;
    #decimals = 1;
    #side: Side = 'both';
    #zoom: Zoom = 'near';
    #palette: PaletteName = 'heat';
    #theme: Theme = 'dark';
    #scale: ColorScale = { low: 0, high: 1 };
    #isScaleChosen = false;

    onHover: ((hover: Hover | null) => void) | null = null;
    onScale: ((scale: ColorScale) => void) | null = null;

    constructor(container: HTMLElement, profile: HTMLCanvasElement) {
        this.#container = container;
        this.#profile = new Profile(profile);
        this.#chart = createChart(container, {
            autoSize: true,
            layout: { fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 12 },
            crosshair: { mode: CrosshairMode.Normal },
            timeScale: {
                timeVisible: true,
                secondsVisible: false,
                minBarSpacing: 0.05,
                tickMarkFormatter: formatTickMark,
            },
            localization: {
                timeFormatter: (time: Time) => `${formatTime(time as number)} UTC`,
                priceFormatter: (price: number) => formatPrice(price, this.#decimals),
                tickmarksPriceFormatter: formatPriceTicks,
            },
        });
        this.#series = this.#chart.addSeries(CandlestickSeries, { borderVisible: false });
        this.#primitive = new HeatmapPrimitive(this.#image, this.#axis);
        this.#primitive.priceRange = (from, to) => this.#priceRange(from, to);
        this.#primitive.halo = () => ({
            candles: this.#candles,
            color: CHART_COLORS[this.#theme].halo,
        });
        this.#primitive.onDrawn = () => this.#drawProfile();
        this.#series.attachPrimitive(this.#primitive);
        this.#chart.subscribeCrosshairMove((event) => this.onHover?.(this.#hoverOf(event)));
        container.addEventListener('keydown', (event) => this.#keyPressed(event));
        new ResizeObserver(() => this.#primitive.redraw()).observe(profile);
        this.#applyTheme();
    }

    get width(): number {
        return this.#container.clientWidth;
    }

    get decimals(): number {
        return this.#decimals;
    }

    get grid(): Grid | null {
        return this.#grid;
    }

    get firstCandle(): Candle | null {
        return this.#candles[0] ?? null;
    }

    get lastCandle(): Candle | null {
        return this.#candles[this.#candles.length - 1] ?? null;
    }

    // --- data ---

    /** Shows another map. `isSameView`: newer data of what is shown already; the view stays put. */
    show(grid: Grid, candles: Candle[], interval: number, isSameView: boolean): void {
        const visible = isSameView ? this.#chart.timeScale().getVisibleLogicalRange() : null;
        const from = visible ? this.#axis.timeAt(visible.from) : 0;
        const to = visible ? this.#axis.timeAt(visible.to) : 0;
        const isSameSymbol = this.#grid?.symbol === grid.symbol;

        this.#grid = grid;
        this.#candles = candles;
        this.#interval = interval;
        this.#decimals = Math.max(
            priceDecimals(grid.lastClose),
            bucketDecimals(grid.bucket),
        );
        this.#axis.set(
            candles.map(({ time }) => time),
            interval,
        );
        if (!isSameSymbol) this.#isScaleChosen = false;
        this.#fitScale();
        this.#series.applyOptions({
            priceFormat: {
                type: 'price',
                precision: this.#decimals,
                minMove: 10 ** -this.#decimals,
            },
        });
        this.#series.setData(candles.map(toBar));
        this.#paint();
        this.#primitive.update(grid);
        if (visible) {
            this.#chart.timeScale().setVisibleLogicalRange({
                from: this.#axis.positionOf(from),
                to: this.#axis.positionOf(to),
            });
        } else {
            this.fit();
        }
    }

    clear(): void {
        this.#grid = null;
        this.#candles = [];
        this.#axis.set([], this.#interval);
        this.#series.setData([]);
        this.#primitive.update(null);
        this.#profile.draw(null);
        this.onHover?.(null);
    }

    /** Makes a snapshot the newest column and its price the forming candle's. */
    applySnapshot(snapshot: Snapshot): GridChange {
        const grid = this.#grid;
        if (!grid) return 'gap';
        const time = Date.parse(snapshot.timestamp) / 1000;
        const { levels, current_price } = snapshot.data;
        const change = grid.apply(time, current_price, levels);
        if (change === 'gap' || change === 'old') return change;
        if (change === 'relaid') this.#paint();
        else this.#image.paintLast(grid);
        this.#followPrice(time, current_price);
        this.#primitive.update(grid);
        return change;
    }

    /** Puts exact candles in the place of those that followed the price. */
    mergeCandles(candles: readonly Candle[]): void {
        for (const candle of candles) {
            let index = this.#candles.length - 1;
            while (index > 0 && (this.#candles[index]?.time ?? 0) > candle.time) index -= 1;
            const isKnown = this.#candles[index]?.time === candle.time;
            if (!isKnown && index !== this.#candles.length - 1) continue;
            if (isKnown) {
                this.#candles[index] = candle;
                this.#series.update(toBar(candle), index < this.#candles.length - 1);
            } else {
                this.#appendCandle(candle);
            }
        }
        this.#primitive.update(this.#grid);
    }

    #followPrice(time: number, price: number): void {
        const open = time - (time % this.#interval);
        const last = this.#candles[this.#candles.length - 1];
        if (!last || open < last.time) return;
        if (open > last.time) {
            this.#appendCandle({
                time: open,
                open: last.close,
                high: Math.max(last.close, price),
                low: Math.min(last.close, price),
                close: price,
            });
            return;
        }
        last.close = price;
        last.high = Math.max(last.high, price);
        last.low = Math.min(last.low, price);
        this.#series.update(toBar(last));
    }

    #appendCandle(candle: Candle): void {
        this.#candles.push(candle);
        this.#axis.append(candle.time);
        this.#series.update(toBar(candle));
    }

    // --- the view ---

    /** All of the time range, and automatic price scaling. */
    fit(): void {
        const count = this.#candles.length;
        this.#chart.timeScale().setVisibleLogicalRange({
            from: -0.5,
            to: count - 0.5 + Math.max(2, count * RIGHT_ROOM),
        });
        this.#series.priceScale().setAutoScale(true);
    }

    /** Moves by a part of the visible time (negative: back), or zooms around its newest end. */
    #shift(part: number, factor = 1): void {
        const visible = this.#chart.timeScale().getVisibleLogicalRange();
        if (!visible) return;
        const width = visible.to - visible.from;
        const to = visible.to + width * part;
        this.#chart.timeScale().setVisibleLogicalRange({ from: to - width * factor, to });
    }

    #keyPressed(event: KeyboardEvent): void {
        if (event.ctrlKey || event.altKey || event.metaKey) return;
        if (event.key === 'ArrowLeft') this.#shift(-KEY_SHIFT);
        else if (event.key === 'ArrowRight') this.#shift(KEY_SHIFT);
        else if (event.key === '+' || event.key === '=') this.#shift(0, 1 / KEY_ZOOM);
        else if (event.key === '-') this.#shift(0, KEY_ZOOM);
        else if (event.key === 'Home') this.fit();
        else return;
        event.preventDefault();
    }

    setZoom(zoom: Zoom): void {
        this.#zoom = zoom;
        // Switched on again, the scale is computed anew with what #priceRange() says now.
        this.#series.priceScale().setAutoScale(true);
        this.#primitive.redraw();
    }

    #priceRange(from: number, to: number): { min: number; max: number } | null {
        const grid = this.#grid;
        if (!grid) return null;
        if (this.#zoom === 'full') return { min: grid.priceMin, max: grid.priceMax };
        let min = Infinity;
        let max = -Infinity;
        const end = Math.min(this.#candles.length - 1, Math.ceil(to));
        for (let i = Math.max(0, Math.floor(from)); i <= end; i += 1) {
            const candle = this.#candles[i];
            if (!candle) continue;
            min = Math.min(min, candle.low);
            max = Math.max(max, candle.high);
        }
        if (!(max >= min)) return null;
        const { ofHeight, ofPrice } = ZOOM_ROOM[this.#zoom];
        const room = Math.max((max - min) * ofHeight, max * ofPrice);
        return { min: min - room, max: max + room };
    }

    // --- colours ---

    setSide(side: Side): void {
        this.#side = side;
        this.#isScaleChosen = false;
        this.#fitScale();
        this.#repaint();
    }

    setPalette(palette: PaletteName): void {
        this.#palette = palette;
        this.#repaint();
    }

    setTheme(theme: Theme): void {
        this.#theme = theme;
        this.#applyTheme();
        this.#repaint();
    }

    /** Hides what is below this many USD; null: what suits the map. */
    setThreshold(low: number | null): void {
        this.#isScaleChosen = low !== null;
        if (low === null) this.#fitScale();
        else this.#scale = { ...this.#scale, low };
        this.#repaint();
        this.onScale?.(this.#scale);
    }

    #fitScale(): void {
        const grid = this.#grid;
        if (!grid) return;
        const { low, high } = colorRange(grid, this.#side);
        this.#scale = {
            low: this.#isScaleChosen ? this.#scale.low : grid.densityOf(low),
            high: grid.densityOf(high),
        };
        this.onScale?.(this.#scale);
    }

    #paint(): void {
        const grid = this.#grid;
        if (!grid) return;
        const low = grid.byteOf(this.#scale.low);
        const high = grid.byteOf(this.#scale.high);
        this.#image.setColors(this.#side, lookupTable(this.#palette, this.#theme, low, high));
        this.#image.paint(grid);
    }

    #repaint(): void {
        this.#paint();
        this.#primitive.redraw();
    }

    #applyTheme(): void {
        const colors = CHART_COLORS[this.#theme];
        const line = {
            color: colors.crosshair,
            style: LineStyle.Dashed,
            labelBackgroundColor: colors.label,
        };
        this.#chart.applyOptions({
            layout: {
                background: { type: ColorType.Solid, color: colors.background },
                textColor: colors.text,
            },
            grid: { vertLines: { color: colors.grid }, horzLines: { color: colors.grid } },
            crosshair: { vertLine: line, horzLine: line },
            rightPriceScale: { borderColor: colors.border },
            timeScale: { borderColor: colors.border },
        });
        this.#series.applyOptions({
            upColor: colors.up,
            wickUpColor: colors.up,
            downColor: colors.down,
            wickDownColor: colors.down,
            priceLineColor: colors.line,
            priceLineStyle: LineStyle.Dotted,
        });
        this.#profile.setColors(colors);
    }

    // --- beside and above ---

    #drawProfile(): void {
        const grid = this.#grid;
        if (!grid) return;
        this.#profile.draw({
            levels: grid.newestLevels(),
            bucket: grid.bucket,
            side: this.#side,
            currentPrice: grid.lastClose,
            yOf: (price) => this.#series.priceToCoordinate(price),
            paneHeight: this.#chart.panes()[0]?.getHeight() ?? 0,
        });
    }

    /** Moves the crosshair to the newest bar at a height of the chart, as the mouse would. */
    pointAtNewest(y: number | null): void {
        const last = this.lastCandle;
        const price = y === null ? null : this.#series.coordinateToPrice(y);
        if (price === null || !last) {
            this.#chart.clearCrosshairPosition();
            this.onHover?.(null);
            return;
        }
        this.#chart.setCrosshairPosition(price, last.time as UTCTimestamp, this.#series);
        const x = this.#chart.timeScale().logicalToCoordinate(this.#candles.length as Logical);
        this.onHover?.(this.#hoverAt(Math.min(this.width, x ?? 0), y ?? 0));
    }

    #hoverOf(event: MouseEventParams): Hover | null {
        return event.point ? this.#hoverAt(event.point.x, event.point.y) : null;
    }

    #hoverAt(x: number, y: number): Hover | null {
        const grid = this.#grid;
        const price = this.#series.coordinateToPrice(y);
        const origin = this.#chart.timeScale().logicalToCoordinate(0 as Logical);
        const next = this.#chart.timeScale().logicalToCoordinate(1 as Logical);
        if (!grid || price === null || origin === null || next === null || next === origin) {
            return null;
        }
        const position = (x - origin) / (next - origin);
        const time = this.#axis.timeAt(position);
        const column = lastAtOrBefore(grid.times, time);
        const row = grid.rowOf(price);
        const { long, short } = grid.cell(column, row);
        const isFuture = position > this.#candles.length - 0.5;
        return {
            x,
            y,
            time: grid.times[column] ?? time,
            price: grid.priceOf(row),
            long: this.#side === 'short' ? 0 : long,
            short: this.#side === 'long' ? 0 : short,
            candle: isFuture ? null : (this.#candles[Math.max(0, Math.round(position))] ?? null),
            isFuture,
        };
    }
}

const toBar = ({ time, open, high, low, close }: Candle): CandlestickData => ({
    time: time as UTCTimestamp,
    open,
    high,
    low,
    close,
});

function formatTickMark(time: Time, type: TickMarkType): string {
    const seconds = time as number;
    switch (type) {
        case TickMarkType.Year:
            return formatYear(seconds);
        case TickMarkType.Month:
            return formatMonth(seconds);
        case TickMarkType.DayOfMonth:
            return formatDay(seconds);
        default:
            return formatClock(seconds);
    }
}

/** Axis labels with no more decimals than tell them apart: 98,500 rather than 98,500.0. */
function formatPriceTicks(prices: readonly number[]): string[] {
    let distance = Infinity;
    for (let i = 1; i < prices.length; i += 1) {
        const between = Math.abs((prices[i] ?? 0) - (prices[i - 1] ?? 0));
        if (between > 0) distance = Math.min(distance, between);
    }
    // Rounded to what the axis can mean: the distance carries the error of a subtraction.
    const step = Number.isFinite(distance) ? Number(distance.toPrecision(6)) : 1;
    const decimals = bucketDecimals(step);
    return prices.map((price) => formatPrice(price, decimals));
}
