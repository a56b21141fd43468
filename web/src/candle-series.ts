// The candles: the library's bars, the list that is read back, and the axis that places the map on
// the bars. All three are changed here and nowhere else, so they cannot disagree.
//
// Exact candles come over HTTP: all at first, later each one after it is final. Until then the
// newest candle follows the price of each snapshot; merge() replaces what was made that way.

import type { CandlestickData, ISeriesApi, UTCTimestamp } from 'lightweight-charts';
import type { Candle } from './api.js';
import { CANDLE_SECONDS } from './grid.js';
import { TimeAxis } from './time-axis.js';

export class CandleSeries {
    readonly axis = new TimeAxis();
    readonly #series: ISeriesApi<'Candlestick'>;
    #candles: Candle[] = [];
    #interval = CANDLE_SECONDS;

    constructor(series: ISeriesApi<'Candlestick'>) {
        this.#series = series;
    }

    /** By bar: the one at index i is bar i. */
    get all(): readonly Candle[] {
        return this.#candles;
    }

    /** The candle of a moment, the first one where it is older; null: there is none. */
    at(time: number): Candle | null {
        return this.#candles.find((candle) => candle.time + this.#interval > time) ?? null;
    }

    get last(): Candle | null {
        return this.#candles[this.#candles.length - 1] ?? null;
    }

    /** Takes over `candles`, ascending in time, each `interval` seconds long. */
    set(candles: Candle[], interval: number): void {
        this.#candles = candles;
        this.#interval = interval;
        this.axis.set(
            candles.map(({ time }) => time),
            interval,
        );
        this.#series.setData(candles.map(toBar));
    }

    clear(): void {
        this.set([], this.#interval);
    }

    /** Puts exact candles in the place of those that followed the price. */
    merge(candles: readonly Candle[]): void {
        for (const candle of candles) {
            let index = this.#candles.length - 1;
            while (index > 0 && (this.#candles[index]?.time ?? 0) > candle.time) index -= 1;
            const isKnown = this.#candles[index]?.time === candle.time;
            if (!isKnown && index !== this.#candles.length - 1) continue;
            if (isKnown) {
                this.#candles[index] = candle;
                this.#series.update(toBar(candle), index < this.#candles.length - 1);
            } else {
                this.#append(candle);
            }
        }
    }

    /** Makes `price` the newest candle's close, or the first price of a new candle. */
    followPrice(time: number, price: number): void {
        const open = time - (time % this.#interval);
        const { last } = this;
        if (!last || open < last.time || !(price > 0)) return;
        if (open > last.time) {
            this.#append({
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

    /** The candles of the bars between two positions, those in part included. */
    between(from: number, to: number): Candle[] {
        return this.#candles.slice(Math.max(0, Math.floor(from)), Math.max(0, Math.ceil(to) + 1));
    }

    #append(candle: Candle): void {
        this.#candles.push(candle);
        this.axis.append(candle.time);
        this.#series.update(toBar(candle));
    }
}

const toBar = ({ time, open, high, low, close }: Candle): CandlestickData => ({
    time: time as UTCTimestamp,
    open,
    high,
    low,
    close,
});
