// The cell of the map under the crosshair, in a box beside the pointer.

import { element, make } from './dom.js';
import { bucketDecimals, formatPercent, formatPrice, formatTime, formatUsd } from './format.js';
import type { Side } from './grid.js';
import type { Hover } from './crosshair.js';

const MARGIN = 4;
const DISTANCE = 18; /* pixels between the pointer and the tooltip */
const AXIS = 70; /* pixels of the price axis, which is not covered */

export interface TooltipContext {
    bucket: number;
    side: Side;
}

export class Tooltip {
    readonly #box = element('tooltip', HTMLElement);
    readonly #chart: HTMLElement;

    constructor(chart: HTMLElement) {
        this.#chart = chart;
    }

    hide(): void {
        this.#box.hidden = true;
    }

    show(hover: Hover, { bucket, side }: TooltipContext): void {
        const decimals = bucketDecimals(bucket);
        const low = formatPrice(hover.price, decimals);
        const high = formatPrice(hover.price + bucket, decimals);
        const middle = hover.price + bucket / 2;
        const when = hover.isFuture ? `Now (${formatTime(hover.time)})` : formatTime(hover.time);
        const list = make('dl', '');
        const add = (name: string, value: string, className = ''): void => {
            const term = make('dt', '');
            if (className) term.append(make('i', className));
            term.append(name);
            list.append(term, make('dd', className, value));
        };
        const usd = (density: number): string => {
            if (hover.isIncomplete && density === 0) return 'not known';
            if (hover.isIncomplete || density >= hover.scaleEnd) return `≥ ${formatUsd(density)}`;
            const isMost = density > 0 && density <= hover.scaleStart;
            return `${isMost ? '≤ ' : ''}${formatUsd(density)}`;
        };
        if (side !== 'short') add('Long', usd(hover.long), 'long');
        if (side !== 'long') add('Short', usd(hover.short), 'short');
        const distance = middle / hover.marketPrice - 1;
        if (Number.isFinite(distance)) add('From price', formatPercent(distance));
        if (hover.cumulative > 0) add('Cumulative', formatUsd(hover.cumulative));
        this.#box.replaceChildren(
            make('div', 'when', when),
            make('div', 'bucket', `${low} – ${high}`),
            list,
        );
        if (hover.isIncomplete)
            this.#box.append(make('div', 'incomplete', 'Older positions are not known here.'));
        this.#box.hidden = false;
        this.#place(hover.x, hover.y);
    }

    /** Beside the pointer, on the side that has room, never under it. */
    #place(x: number, y: number): void {
        const { offsetWidth: width, offsetHeight: height } = this.#box;
        const { clientWidth, clientHeight } = this.#chart;
        const left =
            x + DISTANCE + width < clientWidth - AXIS ? x + DISTANCE : x - DISTANCE - width;
        const top = y + DISTANCE + height < clientHeight ? y + DISTANCE : y - DISTANCE - height;
        const within = (value: number, end: number): number =>
            Math.max(MARGIN, Math.min(value, end - MARGIN));
        this.#box.style.transform =
            `translate(${within(left, clientWidth - width)}px, ` +
            `${within(top, clientHeight - height)}px)`;
    }
}
