// The newest snapshot as horizontal bars beside the price axis: where liquidations wait now, and
// how much, on a linear scale (the map's is logarithmic: there colours tell decades, here lengths
// tell amounts).

import type { Level } from 'heatcast-client';
import type { Side } from './grid.js';

export interface ProfileView {
    levels: readonly Level[];
    bucket: number;
    side: Side;
    currentPrice: number;
    /** Of a price, in CSS pixels from the top of the chart's pane; null if it cannot be told. */
    yOf: (price: number) => number | null;
    /** Height of the pane: the bars end where the chart's time axis begins. */
    paneHeight: number;
}

interface Bar {
    long: number;
    short: number;
}

export class Profile {
    readonly #canvas: HTMLCanvasElement;
    #colors = { long: '#2dd4a7', short: '#ff5c7a', line: '#fff' };

    constructor(canvas: HTMLCanvasElement) {
        this.#canvas = canvas;
    }

    setColors(colors: { long: string; short: string; line: string }): void {
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
        this.#drawBars(context, view, width, paneHeight, ratio);
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
        const price = view.yOf(view.currentPrice);
        if (price !== null && price * ratio < height) {
            context.strokeStyle = this.#colors.line;
            context.lineWidth = ratio;
            context.setLineDash([2 * ratio, 3 * ratio]);
            context.beginPath();
            context.moveTo(0, Math.round(price * ratio) + 0.5);
            context.lineTo(width, Math.round(price * ratio) + 0.5);
            context.stroke();
            context.setLineDash([]);
        }
    }

    /** Bars by their upper pixel. Levels that share a pixel are shown as the greatest of them: a
     * sum would make bars grow when one zooms out. */
    #collect(view: ProfileView, height: number, ratio: number): Map<number, Bar> {
        const bars = new Map<number, Bar>();
        for (const { price, long_density, short_density } of view.levels) {
            const top = view.yOf(price + view.bucket);
            if (top === null) continue;
            const y = Math.round(top * ratio);
            if (y < -height || y > height) continue;
            const long = view.side === 'short' ? 0 : long_density;
            const short = view.side === 'long' ? 0 : short_density;
            const bar = bars.get(y);
            if (!bar || bar.long + bar.short < long + short) bars.set(y, { long, short });
        }
        for (const y of bars.keys()) {
            if (y + this.#bucketHeight(view) * ratio < 0) bars.delete(y);
        }
        return bars;
    }

    #bucketHeight(view: ProfileView): number {
        const low = view.yOf(view.currentPrice);
        const high = view.yOf(view.currentPrice + view.bucket);
        return low === null || high === null ? 1 : low - high;
    }
}
