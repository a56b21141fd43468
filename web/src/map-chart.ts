// The chart: candles, the map behind them, the profile beside them, and the view on all three.
// Knows nothing of where data come from.

import {
    CandlestickSeries,
    createChart,
    CrosshairMode,
    LineStyle,
    type CandlestickData,
    type IChartApi,
    type IPriceLine,
    type ISeriesApi,
    type Logical,
    type MouseEventParams,
    type Time,
    type UTCTimestamp,
} from 'lightweight-charts';
import type { Candle } from './api.js';
import {
    candleOptions,
    CHART_COLORS,
    chartOptions,
    formatPriceTicks,
    formatTickMark,
} from './chart-look.js';
import type { Sight } from './detail.js';
import type { NewestColumn } from './feed.js';
import { bucketDecimals, formatPrice, formatTime, priceDecimals } from './format.js';
import { CANDLE_SECONDS, type Grid, type GridChange, type Side } from './grid.js';
import { colorRange, HeatImage } from './heat-image.js';
import { HeatmapPrimitive } from './heatmap-primitive.js';
import { lookupTable, type PaletteName, type Theme } from './palette.js';
import { cumulativeAt, Profile } from './profile.js';
import type { Zoom } from './state.js';
import { lastAtOrBefore, TimeAxis } from './time-axis.js';

/** Room above and below the visible candles: a part of their height, at least a part of price. */
const ZOOM_ROOM: Readonly<Record<'near' | 'wide', { ofHeight: number; ofPrice: number }>> = {
    near: { ofHeight: 0.55, ofPrice: 0.022 },
    wide: { ofHeight: 1.2, ofPrice: 0.065 },
};

const RIGHT_ROOM = 0.06; /* of the candles' width, right of the newest */

/** How long the view must rest before anything is fetched for it. */
const SIGHT_DELAY_MS = 180;

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
    /** There: what would be liquidated in all, if price came as far. */
    cumulative: number;
}

export interface ColorScale {
    /** Densities in USD: hidden below `low`, the strongest colour from `high` on. */
    low: number;
    high: number;
}

export class MapChart {
    readonly #container: HTMLElement;
    readonly #chart: IChartApi;
    readonly #series: ISeriesApi<'Candlestick'>;
    readonly #axis = new TimeAxis();
    readonly #image = new HeatImage();
    readonly #detailImage = new HeatImage();
    readonly #primitive: HeatmapPrimitive;
    readonly #profile: Profile;
    #priceLine: IPriceLine | null = null;
    #grid: Grid | null = null;
    #detail: Grid | null = null;
    #sightTimer: number | undefined;
    /** Where something beside the chart points at the newest column. */
    #pointedY: number | null = null;
    #candles: Candle[] = [];
    #interval = 300;
    #decimals = 1;
    #side: Side = 'both';
    #zoom: Zoom = 'near';
    #palette: PaletteName = 'heat';
    #theme: Theme = 'dark';
    #fittingScale: ColorScale = { low: 0, high: 1 };
    #scale: ColorScale = this.#fittingScale;
    #threshold: number | null = null;

    onHover: ((hover: Hover | null) => void) | null = null;
    onScale: ((scale: ColorScale) => void) | null = null;
    /** The view has come to rest. */
    onSight: ((sight: Sight) => void) | null = null;

    constructor(container: HTMLElement, profile: HTMLCanvasElement) {
        this.#container = container;
        this.#profile = new Profile(profile);
        this.#chart = createChart(container, {
            autoSize: true,
            layout: {
                fontFamily: getComputedStyle(document.body).fontFamily,
                fontSize: 12,
                // It would bring a style of its own, which the page's policy forbids; the page
                // names and links TradingView itself.
                attributionLogo: false,
            },
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
        // The library's own line and label would follow the last candle in sight, not the newest.
        this.#series = this.#chart.addSeries(CandlestickSeries, {
            borderVisible: false,
            priceLineVisible: false,
            lastValueVisible: false,
        });
        this.#primitive = new HeatmapPrimitive(this.#axis);
        this.#primitive.priceRange = (from, to) => this.#priceRange(from, to);
        this.#primitive.halo = () => ({
            candles: this.#candles,
            color: CHART_COLORS[this.#theme].halo,
        });
        this.#primitive.onDrawn = () => this.#drawProfile();
        this.#series.attachPrimitive(this.#primitive);
        this.#chart.subscribeCrosshairMove((event) => this.onHover?.(this.#hoverOf(event)));
        this.#chart.timeScale().subscribeVisibleLogicalRangeChange(() => this.#sightChanged());
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
        this.#grid = grid;
        this.#decimals = Math.max(priceDecimals(grid.lastClose), bucketDecimals(grid.bucket));
        this.#fitScale();
        this.#series.applyOptions({
            priceFormat: {
                type: 'price',
                precision: this.#decimals,
                minMove: 10 ** -this.#decimals,
            },
        });
        this.#paint();
        this.#setCandles(candles, interval, isSameView);
    }

    /** Shows the same map with other candles; the view stays put. */
    showCandles(candles: Candle[], interval: number): void {
        this.#setCandles(candles, interval, true);
    }

    #setCandles(candles: Candle[], interval: number, isSameView: boolean): void {
        const visible = isSameView ? this.#chart.timeScale().getVisibleLogicalRange() : null;
        const from = visible ? this.#axis.timeAt(visible.from) : 0;
        const to = visible ? this.#axis.timeAt(visible.to) : 0;
        this.#candles = candles;
        this.#interval = interval;
        this.#axis.set(
            candles.map(({ time }) => time),
            interval,
        );
        this.#series.setData(candles.map(toBar));
        this.#updateMaps();
        if (visible) {
            this.#chart.timeScale().setVisibleLogicalRange({
                from: this.#axis.positionOf(from),
                to: this.#axis.positionOf(to),
            });
        } else {
            this.fit();
        }
    }

    /** Shows a finer map in the place of a part of the whole; null: no more. */
    showDetail(detail: Grid | null): void {
        this.#detail = detail;
        this.#paintDetail();
        this.#updateMaps();
    }

    /** A line across the chart at the current price, and a label on its axis. */
    #markPrice(): void {
        const { line: color, background } = CHART_COLORS[this.#theme];
        const price = this.#grid?.lastClose ?? 0;
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

    #updateMaps(): void {
        this.#markPrice();
        const [whole, part] = [this.#grid, this.#detail];
        this.#primitive.update(
            whole && { grid: whole, image: this.#image },
            part && { grid: part, image: this.#detailImage },
        );
    }

    clear(): void {
        this.#grid = this.#detail = null;
        this.#candles = [];
        this.#axis.set([], this.#interval);
        this.#series.setData([]);
        this.#updateMaps();
        this.#profile.draw(null);
        this.onHover?.(null);
    }

    /** Makes a snapshot the newest column and its price the forming candle's. */
    applySnapshot({ time, price, levels }: NewestColumn): GridChange {
        const grid = this.#grid;
        if (!grid) return 'gap';
        const change = grid.apply(time, price, levels);
        if (change === 'gap' || change === 'old') return change;
        if (change === 'relaid') this.#paint();
        else this.#image.paintLast(grid);
        if (this.#detail) {
            const detailChange = this.#detail.apply(time, price, levels);
            if (detailChange === 'relaid') this.#paintDetail();
            else this.#detailImage.paintLast(this.#detail);
        }
        this.#followPrice(time, price);
        this.#updateMaps();
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
        this.#updateMaps();
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

    #sightChanged(): void {
        clearTimeout(this.#sightTimer);
        this.#sightTimer = setTimeout(() => {
            const sight = this.sight;
            if (sight) this.onSight?.(sight);
        }, SIGHT_DELAY_MS);
    }

    /** What is in sight; null while there is nothing. */
    get sight(): Sight | null {
        const visible = this.#chart.timeScale().getVisibleLogicalRange();
        if (!visible || this.#candles.length === 0) return null;
        return {
            from: this.#axis.timeAt(visible.from),
            to: this.#axis.timeAt(visible.to),
            width: this.width,
        };
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
        this.#threshold = low;
        this.#showScale();
        this.#repaint();
    }

    #fitScale(): void {
        const grid = this.#grid;
        if (!grid) return;
        const { low, high } = colorRange(grid, this.#side);
        this.#fittingScale = { low: grid.densityOf(low), high: grid.densityOf(high) };
        this.#showScale();
    }

    #showScale(): void {
        if (!this.#grid) return;
        const { low, high } = this.#fittingScale;
        this.#scale = { low: this.#threshold ?? low, high };
        this.onScale?.(this.#scale);
    }

    #paint(): void {
        if (this.#grid) this.#paintMap(this.#grid, this.#image);
    }

    #paintDetail(): void {
        if (this.#detail) this.#paintMap(this.#detail, this.#detailImage);
    }

    /** A byte means another density in each map; the colours mean the same in all. */
    #paintMap(grid: Grid, image: HeatImage): void {
        const low = grid.byteOf(this.#scale.low);
        const high = grid.byteOf(this.#scale.high);
        image.setColors(this.#side, lookupTable(this.#palette, this.#theme, low, high));
        image.paint(grid);
    }

    #repaint(): void {
        this.#paint();
        this.#paintDetail();
        this.#primitive.redraw();
    }

    #applyTheme(): void {
        const colors = CHART_COLORS[this.#theme];
        this.#chart.applyOptions(chartOptions(colors));
        this.#series.applyOptions(candleOptions(colors));
        this.#markPrice();
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

    /** Moves the crosshair to the newest bar at a height of the chart, as the mouse would; the chart
     * tells of it as of the mouse. */
    pointAtNewest(y: number | null): void {
        const last = this.lastCandle;
        const price = y === null ? null : this.#series.coordinateToPrice(y);
        this.#pointedY = price === null || !last ? null : y;
        if (price !== null && last) {
            this.#chart.setCrosshairPosition(price, last.time as UTCTimestamp, this.#series);
        } else {
            this.#chart.clearCrosshairPosition();
            this.onHover?.(null);
        }
    }

    /** The same at a price, whether or not it is in sight. */
    pointAtPrice(price: number | null): void {
        this.pointAtNewest(price === null ? null : this.#series.priceToCoordinate(price));
    }

    #hoverOf({ point }: MouseEventParams): Hover | null {
        if (this.#pointedY === null) return point ? this.#hoverAt(point.x, point.y) : null;
        const x = this.#chart.timeScale().logicalToCoordinate(this.#candles.length as Logical);
        return this.#hoverAt(Math.min(this.#chart.timeScale().width(), x ?? 0), this.#pointedY);
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
        const map = this.#mapAt(time) ?? grid;
        const column = lastAtOrBefore(map.times, time);
        const row = map.rowOf(price);
        const { long, short } = map.cell(column, row);
        const isFuture = position > this.#candles.length - 0.5;
        const bucketPrice = map.priceOf(row);
        return {
            x,
            y,
            time: map.times[column] ?? time,
            price: bucketPrice,
            long: this.#side === 'short' ? 0 : long,
            short: this.#side === 'long' ? 0 : short,
            candle: isFuture ? null : (this.#candles[Math.max(0, Math.round(position))] ?? null),
            isFuture,
            cumulative: isFuture
                ? cumulativeAt(grid.newestLevels(), grid.lastClose, bucketPrice, this.#side)
                : 0,
        };
    }

    /** The finer map, where it is shown. */
    #mapAt(time: number): Grid | null {
        const detail = this.#detail;
        const isInside =
            detail !== null &&
            time >= (detail.times[0] ?? Infinity) &&
            time < detail.lastTime + CANDLE_SECONDS;
        return isInside ? detail : null;
    }
}

const toBar = ({ time, open, high, low, close }: Candle): CandlestickData => ({
    time: time as UTCTimestamp,
    open,
    high,
    low,
    close,
});
