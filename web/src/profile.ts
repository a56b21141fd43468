// The newest snapshot beside the price axis: bars show the volume at each price, curves the total
// that is liquidated when the price gets that far, long positions downwards and short ones upwards.
// Both are linear, each on its own scale: lengths compare amounts, where the colours of the map,
// which are logarithmic, compare decades.

import type { Level } from 'heatcast-client';
import type { Side } from './grid.js';

export interface ProfileView {
    levels: readonly Level[];
    bucket: number;
    side: Side;
    currentPrice: number;
    /** Of a price, in CSS pixels from the top of the chart's pane; null if not known. */
    yOf: (price: number) => number | null;
    /** Height of the pane: the bars end where the chart's time axis begins. */
    paneHeight: number;
}

export interface ProfileColors {
    long: string;
    short: string;
    line: string;
}

interface Bar {
    long: number;
    short: number;
}

interface Curve {
    /** The edge of a bucket that price reaches first, and the volume in it. */
    steps: readonly (readonly [number, number])[];
    /** Where the curve leaves the chart. */
    end: number;
    color: string;
}

/** The volume between the current price and another: longs on the way down, shorts on the way up.
 * The whole bucket of that price counts, of which `price` is the lower edge but for rounding: two
 * ways to compute an edge need not give the same number. */
export function cumulativeAt(
    { levels, bucket }: { levels: readonly Level[]; bucket: number },
    currentPrice: number,
    price: number,
    side: Side,
): number {
    const half = bucket / 2;
    let sum = 0;
    for (const level of levels) {
        const isAbove = level.price > currentPrice;
        if (isAbove && level.price < price + half && side !== 'long') {
            sum += level.short_density;
        }
        if (!isAbove && level.price > price - half && side !== 'short') {
            sum += level.long_density;
        }
    }
    return sum;
}

export class Profile {
    readonly #canvas: HTMLCanvasElement;
    #colors: ProfileColors = { long: '#2dd4a7', short: '#ff5c7a', line: '#fff' };

    constructor(canvas: HTMLCanvasElement) {
        this.#canvas = canvas;
    }

    setColors(colors: ProfileColors): void {
        this.#colors = colors;
    }

    draw(view: ProfileView | null): void {
        const canvas = this.#canvas;
        const ratio = globalThis.devicePixelRatio || 1;
        const width = Math.round(canvas.clientWidth * ratio);
        const height = Math.round(canvas.clientHeight * ratio);
        if (width === 0 || height === 0) return;
        if (canvas.width !== width || canvas.height !== height) {
            canvas.width = width;
            canvas.height = height;
        }
        const context = canvas.getContext('2d');
        if (!context) return;
        context.clearRect(0, 0, width, height);
        if (!view) return;
        const paneHeight = Math.min(height, Math.round(view.paneHeight * ratio));
        context.save();
        context.beginPath();
        context.rect(0, 0, width, paneHeight);
        context.clip();
        this.#drawBars(context, view, width, paneHeight, ratio);
        this.#drawCurves(context, view, width, ratio);
        this.#drawPrice(context, view, width, ratio);
        context.restore();
    }

    #drawBars(
        context: CanvasRenderingContext2D,
        view: ProfileView,
        width: number,
        height: number,
        ratio: number,
    ): void {
        const bars = this.#collect(view, height, ratio);
        let greatest = 0;
        for (const { long, short } of bars.values()) greatest = Math.max(greatest, long + short);
        if (greatest === 0) return;
        const scale = (width - 6 * ratio) / greatest;
        const bucketHeight = this.#bucketHeight(view) * ratio;
        // A hairline between bars, where there is room for one.
        const gap = bucketHeight > 4 * ratio ? ratio : 0;
        const thickness = Math.max(1, bucketHeight - gap);
        for (const [y, { long, short }] of bars) {
            const longWidth = long * scale;
            context.fillStyle = this.#colors.long;
            context.fillRect(0, y, longWidth, thickness);
            context.fillStyle = this.#colors.short;
            context.fillRect(longWidth, y, short * scale, thickness);
        }
    }

    /** Bars by their upper pixel. Levels that share a pixel are shown as the greatest of them: with
     * their sum, bars would grow when the view is zoomed out. */
    #collect(view: ProfileView, height: number, ratio: number): Map<number, Bar> {
        const bars = new Map<number, Bar>();
        const bucketHeight = this.#bucketHeight(view) * ratio;
        for (const { price, long_density, short_density } of view.levels) {
            const top = view.yOf(price + view.bucket);
            if (top === null) continue;
            const y = Math.round(top * ratio);
            if (y + bucketHeight < 0 || y > height) continue;
            const long = view.side === 'short' ? 0 : long_density;
            const short = view.side === 'long' ? 0 : short_density;
            const bar = bars.get(y);
            if (!bar || bar.long + bar.short < long + short) bars.set(y, { long, short });
        }
        return bars;
    }

    #bucketHeight(view: ProfileView): number {
        const low = view.yOf(view.currentPrice);
        const high = view.yOf(view.currentPrice + view.bucket);
        return low === null || high === null ? 1 : low - high;
    }

    /** On one scale for both sides, so that they can be compared. */
    #drawCurves(
        context: CanvasRenderingContext2D,
        view: ProfileView,
        width: number,
        ratio: number,
    ): void {
        const { levels, currentPrice, side } = view;
        const total = Math.max(
            cumulativeAt(view, currentPrice, -Infinity, side),
            cumulativeAt(view, currentPrice, Infinity, side),
        );
        if (!(total > 0)) return;
        const scale = (width - 6 * ratio) / total;
        const above = levels.filter(({ price }) => price > currentPrice);
        const below = levels.filter(({ price }) => price <= currentPrice).reverse();
        if (side !== 'long') {
            const steps = above.map((level) => [level.price, level.short_density] as const);
            const end = -ratio;
            this.#drawCurve(context, view, { steps, end, color: this.#colors.short }, scale, ratio);
        }
        if (side !== 'short') {
            const steps = below.map(
                (level) =>
                    [
                        Math.min(currentPrice, level.price + view.bucket),
                        level.long_density,
                    ] as const,
            );
            const end = (view.paneHeight + 1) * ratio;
            this.#drawCurve(context, view, { steps, end, color: this.#colors.long }, scale, ratio);
        }
    }

    /** A staircase from the current price to the edge of the chart. */
    #drawCurve(
        context: CanvasRenderingContext2D,
        view: ProfileView,
        { steps, end, color }: Curve,
        scale: number,
        ratio: number,
    ): void {
        const start = view.yOf(view.currentPrice);
        if (start === null) return;
        let sum = 0;
        context.beginPath();
        context.moveTo(0, start * ratio);
        for (const [price, volume] of steps) {
            const y = (view.yOf(price) ?? start) * ratio;
            context.lineTo(sum * scale, y);
            sum += volume;
            context.lineTo(sum * scale, y);
        }
        context.lineTo(sum * scale, end);
        context.strokeStyle = this.#colors.line;
        context.globalAlpha = 0.75;
        context.lineWidth = 1.25 * ratio;
        context.stroke();
        context.lineTo(0, end);
        context.closePath();
        context.fillStyle = color;
        context.globalAlpha = 0.13;
        context.fill();
        context.globalAlpha = 1;
    }

    #drawPrice(
        context: CanvasRenderingContext2D,
        view: ProfileView,
        width: number,
        ratio: number,
    ): void {
        const price = view.yOf(view.currentPrice);
        if (price === null) return;
        const y = Math.round(price * ratio) + 0.5;
        context.strokeStyle = this.#colors.line;
        context.lineWidth = ratio;
        context.setLineDash([2 * ratio, 3 * ratio]);
        context.beginPath();
        context.moveTo(0, y);
        context.lineTo(width, y);
        context.stroke();
        context.setLineDash([]);
    }
}
