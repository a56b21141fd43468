// The numbers around the chart: price and change, total volume, what the newest candle created and
// consumed, and how old the data are.

import type { Snapshot } from 'heatcast-client';
import type { Candle } from './api.js';
import { element, make, setText } from './dom.js';
import type { Selection } from './feed.js';
import {
    formatAge,
    formatAnyPrice,
    formatCount,
    formatDay,
    formatInterval,
    formatPercent,
    formatPrice,
    formatTime,
    formatUsd,
} from './format.js';
import { CANDLE_SECONDS } from './grid.js';
import type { MapChart } from './map-chart.js';

const STALE_SECONDS = 15 * 60;
const MOVE_SHOWN_MS = 800;

export class Summary {
    readonly #chart: MapChart;
    readonly #onAge: (oldAge: string | null) => void;
    readonly #now: () => number;
    readonly #price = element('price', HTMLElement);
    readonly #change = element('change', HTMLElement);
    readonly #long = element('total-long', HTMLElement);
    readonly #short = element('total-short', HTMLElement);
    readonly #created = element('created', HTMLElement);
    readonly #consumed = element('consumed', HTMLElement);
    readonly #age = element('age', HTMLElement);
    readonly #replay = element('replay', HTMLElement);
    readonly #caption = element('caption', HTMLElement);
    #selection: Selection | null = null;
    #isReplay = false;
    #shownPrice: number | null = null;
    #moveTimer: number | undefined;

    /** `now` in seconds since 1970. `onAge` gets the age of the newest candle in words, if the data
     * are old; null: they are not, or there are none. */
    constructor(chart: MapChart, now: () => number, onAge: (oldAge: string | null) => void) {
        this.#chart = chart;
        this.#now = now;
        this.#onAge = onAge;
    }

    clear(): void {
        this.#shownPrice = null;
        this.#price.removeAttribute('data-move');
        const numbers = [this.#price, this.#created, this.#consumed, this.#long, this.#short];
        for (const number of numbers) setText(number, '–');
        setText(this.#age, 'No candle yet');
        this.#age.dataset.stale = 'false';
        this.#onAge(null);
        setText(this.#change, '');
        this.#caption.replaceChildren();
        document.title = 'heatcast';
    }

    /** To be called when another map is shown. */
    showMap(selection: Selection): void {
        this.#selection = selection;
        this.#showNewest();
    }

    /** Whether the past is shown as if it happened now: then nothing of it is old. A snapshot says
     * so itself, also where it comes from another server than the page does. */
    showReplay(isReplay: boolean): void {
        if (isReplay === this.#isReplay) return;
        this.#isReplay = isReplay;
        this.#replay.hidden = !isReplay;
        this.showAge();
    }

    showSnapshot({ data, replay }: Snapshot): void {
        this.showReplay(replay === true);
        setText(this.#created, formatCount(data.positions_created));
        setText(this.#consumed, formatCount(data.positions_consumed));
        this.#showNewest();
    }

    #showNewest(): void {
        const grid = this.#chart.grid;
        if (!grid) return;
        let long = 0;
        let short = 0;
        for (const level of grid.newestLevels()) {
            long += level.long_density;
            short += level.short_density;
        }
        setText(this.#long, formatUsd(long));
        setText(this.#short, formatUsd(short));
        this.#showPrice(grid.lastClose);
        this.showAge();
    }

    #showPrice(value: number): void {
        const previous = this.#shownPrice;
        this.#shownPrice = value;
        setText(this.#price, formatPrice(value, this.#chart.decimals));
        if (previous !== null && value !== previous) {
            this.#price.dataset.move = value > previous ? 'up' : 'down';
            clearTimeout(this.#moveTimer);
            this.#moveTimer = setTimeout(
                () => this.#price.removeAttribute('data-move'),
                MOVE_SHOWN_MS,
            );
        }
        this.#showChange(value);
        if (this.#selection) {
            const { symbol } = this.#selection;
            document.title = `${this.#price.textContent} ${symbol} · heatcast`;
        }
    }

    #showChange(value: number): void {
        const grid = this.#chart.grid;
        if (!grid || !this.#selection) return;
        const { range } = this.#selection;
        // A page that stays open holds more than the range: that is always back from the newest.
        const first = this.#chart.candleAt(grid.lastTime - range.seconds);
        if (!first) return;
        const ratio = value / first.open - 1;
        // The database may begin later than the range.
        const isWhole = grid.lastTime - first.time > range.seconds * 0.95;
        const since = isWhole ? `in ${range.label}` : `since ${formatDay(first.time)}`;
        setText(this.#change, `${formatPercent(ratio)} ${since}`);
        this.#change.className = ratio < 0 ? 'short' : 'long';
    }

    showAge(): void {
        const time = this.#chart.grid?.lastTime;
        if (!time) return;
        const seconds = Math.max(0, this.#now() - time);
        const isStale = !this.#isReplay && seconds > STALE_SECONDS;
        // A candle's time is its beginning: during its own five minutes it is current.
        const age = formatAge(Math.max(0, seconds - CANDLE_SECONDS));
        const words = this.#isReplay ? 'in a replay' : age;
        const note = isStale ? `old data: ${words}` : words;
        setText(this.#age, `Newest candle ${formatTime(time)} UTC, ${note}`);
        this.#age.dataset.stale = String(isStale);
        this.#onAge(isStale ? words : null);
    }

    /** Open, high, low and close of a candle; null: of the last. */
    showCandle(candle: Candle | null): void {
        const shown = candle ?? this.#chart.lastCandle;
        if (!shown || !this.#selection) return;
        const color = shown.close < shown.open ? 'short' : 'long';
        const value = (name: string, amount: number): HTMLElement =>
            make(
                'span',
                '',
                `${name} `,
                make('i', color, formatAnyPrice(amount, this.#chart.decimals)),
            );
        this.#caption.replaceChildren(
            make('b', '', this.#selection.symbol),
            make('span', '', formatInterval(this.#selection.interval.seconds)),
            value('O', shown.open),
            value('H', shown.high),
            value('L', shown.low),
            value('C', shown.close),
            make('span', color, formatPercent(shown.close / shown.open - 1)),
        );
    }
}
