// Which times and prices are in sight. Times follow mouse, keys and the reset button; prices follow
// automatic scaling until the user moves the price axis.
//
// The library counts time in bars, so other candles would move the view. To keep it in place, call
// times() before the candles change and showTimes() afterwards.

import type { IChartApi, ISeriesApi } from 'lightweight-charts';
import type { CandleSeries } from './candle-series.js';
import type { Sight } from './detail.js';
import type { Grid } from './grid.js';
import { robustRange, wholeRange, type PriceRange } from './robust-range.js';
import type { Zoom } from './state.js';

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

interface Times {
    from: number;
    to: number;
}

export class ChartView {
    readonly #container: HTMLElement;
    readonly #chart: IChartApi;
    readonly #series: ISeriesApi<'Candlestick'>;
    readonly #candles: CandleSeries;
    readonly #onSight: (sight: Sight) => void;
    #zoom: Zoom = 'near';
    #sightTimer: number | undefined;

    /** `onSight`: the view has changed and come to rest. */
    constructor(
        container: HTMLElement,
        chart: IChartApi,
        series: ISeriesApi<'Candlestick'>,
        candles: CandleSeries,
        onSight: (sight: Sight) => void,
    ) {
        this.#container = container;
        this.#chart = chart;
        this.#series = series;
        this.#candles = candles;
        this.#onSight = onSight;
        chart.timeScale().subscribeVisibleLogicalRangeChange(() => this.#changed());
        container.addEventListener('keydown', (event) => this.#keyPressed(event));
    }

    get width(): number {
        return this.#container.clientWidth;
    }

    // --- time ---

    /** All candles, and automatic price scaling. */
    fit(): void {
        const { length } = this.#candles.all;
        this.#chart.timeScale().setVisibleLogicalRange({
            from: -0.5,
            to: length - 0.5 + Math.max(2, length * RIGHT_ROOM),
        });
        this.#series.priceScale().setAutoScale(true);
    }

    /** The moments at the edges, in seconds since 1970; null while there is no view. */
    times(): Times | null {
        const visible = this.#chart.timeScale().getVisibleLogicalRange();
        const { axis } = this.#candles;
        return visible && { from: axis.timeAt(visible.from), to: axis.timeAt(visible.to) };
    }

    showTimes({ from, to }: Times): void {
        const { axis } = this.#candles;
        this.#chart.timeScale().setVisibleLogicalRange({
            from: axis.positionOf(from),
            to: axis.positionOf(to),
        });
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

    #changed(): void {
        clearTimeout(this.#sightTimer);
        this.#sightTimer = setTimeout(() => {
            const times = this.times();
            const isEmpty = this.#candles.all.length === 0;
            if (times && !isEmpty) this.#onSight({ ...times, width: this.width });
        }, SIGHT_DELAY_MS);
    }

    // --- price ---

    setZoom(zoom: Zoom): void {
        this.#zoom = zoom;
        // Also makes the library ask for priceRange() again.
        this.#series.priceScale().setAutoScale(true);
    }

    /** What automatic scaling shows of these bars and this map; null: there is nothing. */
    priceRange(grid: Grid | null): PriceRange | null {
        const visible = this.#chart.timeScale().getVisibleLogicalRange();
        const candles = visible ? this.#candles.between(visible.from, visible.to) : [];
        if (this.#zoom === 'full') return union(wholeRange(candles), rangeOf(grid));
        const range = robustRange(candles);
        if (!range) return null;
        const { min, max } = range;
        const { ofHeight, ofPrice } = ZOOM_ROOM[this.#zoom];
        const room = Math.max((max - min) * ofHeight, max * ofPrice);
        return { min: Math.max(0, min - room), max: max + room };
    }
}

const rangeOf = (grid: Grid | null): PriceRange | null =>
    grid && grid.rows > 0 ? { min: grid.priceMin, max: grid.priceMax } : null;

const union = (a: PriceRange | null, b: PriceRange | null): PriceRange | null =>
    a && b ? { min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) } : (a ?? b);
