// The maps that are shown and their colours: the whole map, and sometimes a finer one of a part of
// it. The same byte means another density in each grid, so the colour scale is kept in USD and
// converted to bytes for each map. So the same colour means the same volume in both.
//
// The scale fits the whole map; the user may raise or lower its beginning (the threshold). It
// changes with another map or side but not with each snapshot, so that a change of colour is one of
// the data.

import {
    CANDLE_SECONDS,
    type Grid,
    type GridChange,
    type NewestColumn,
    type Side,
} from './grid.js';
import { colorRange, HeatImage } from './heat-image.js';
import type { MapLayer } from './heatmap-primitive.js';
import { lookupTable, type PaletteName, type Theme } from './palette.js';

/** Densities in USD: hidden below `low`, the strongest colour from `high` on. */
export interface ColorScale {
    low: number;
    high: number;
}

/** The highest threshold, as a part of the scale: beyond it hardly any colours would remain. */
export const THRESHOLD_MAX = 0.9;

export class MapLayers {
    readonly #wholeImage = new HeatImage();
    readonly #partImage = new HeatImage();
    readonly #onScale: (scale: ColorScale | null) => void;
    #whole: Grid | null = null;
    #part: Grid | null = null;
    #side: Side = 'both';
    #palette: PaletteName = 'heat';
    #theme: Theme = 'dark';
    /** null: nothing has a colour, because no cell of this side holds anything. */
    #fittingScale: ColorScale | null = null;
    #threshold: number | null = null;

    /** `onScale` gets null for a map without anything to colour. */
    constructor(onScale: (scale: ColorScale | null) => void) {
        this.#onScale = onScale;
    }

    /** The grid of the whole map. */
    get grid(): Grid | null {
        return this.#whole;
    }

    get side(): Side {
        return this.#side;
    }

    get whole(): MapLayer | null {
        return this.#whole && { grid: this.#whole, image: this.#wholeImage };
    }

    get part(): MapLayer | null {
        return this.#part && { grid: this.#part, image: this.#partImage };
    }

    /** The finest grid that is shown at a moment. */
    gridAt(time: number): Grid | null {
        const part = this.#part;
        const isInside =
            part !== null &&
            time >= (part.times[0] ?? Infinity) &&
            time < part.lastTime + CANDLE_SECONDS;
        return isInside ? part : this.#whole;
    }

    show(whole: Grid): void {
        this.#whole = whole;
        this.#fitScale();
        this.#paintWhole();
    }

    /** Shows a finer map in the place of a part of the whole; null: none. */
    showPart(part: Grid | null): void {
        this.#part = part;
        this.#paintPart();
    }

    clear(): void {
        this.#whole = this.#part = null;
    }

    /** Makes a snapshot the newest column. Without a map it is a gap: all columns are missing. */
    apply({ time, price, levels }: NewestColumn): GridChange {
        const [whole, part] = [this.#whole, this.#part];
        if (!whole) return 'gap';
        const change = whole.apply(time, price, levels);
        if (change === 'gap' || change === 'old') return change;
        if (this.#fittingScale === null && levels.length > 0) {
            this.#fitScale();
            this.#paint();
        } else if (change === 'relaid') {
            this.#paintWhole();
        } else {
            this.#wholeImage.paintLast(whole);
        }
        if (part) {
            const partChange = part.apply(time, price, levels);
            if (partChange === 'relaid') this.#paintPart();
            else this.#partImage.paintLast(part);
        }
        return change;
    }

    setSide(side: Side): void {
        this.#side = side;
        this.#fitScale();
        this.#paint();
    }

    setColors(palette: PaletteName, theme: Theme): void {
        this.#palette = palette;
        this.#theme = theme;
        this.#paint();
    }

    /** Hides what is below this many USD, but never all of the map; null: what suits it. */
    setThreshold(low: number | null): void {
        this.#threshold = low;
        this.#reportScale();
        this.#paint();
    }

    get #scale(): ColorScale | null {
        const fitting = this.#fittingScale;
        if (!fitting) return null;
        const { low, high } = fitting;
        return { low: Math.min(this.#threshold ?? low, THRESHOLD_MAX * high), high };
    }

    #fitScale(): void {
        const whole = this.#whole;
        if (!whole) return;
        const range = colorRange(whole, this.#side);
        this.#fittingScale = range && {
            low: whole.densityOf(range.low),
            high: whole.densityOf(range.high),
        };
        this.#reportScale();
    }

    #reportScale(): void {
        if (this.#whole) this.#onScale(this.#scale);
    }

    #paint(): void {
        this.#paintWhole();
        this.#paintPart();
    }

    #paintWhole(): void {
        if (this.#whole) this.#paintGrid(this.#whole, this.#wholeImage);
    }

    #paintPart(): void {
        if (this.#part) this.#paintGrid(this.#part, this.#partImage);
    }

    #paintGrid(grid: Grid, image: HeatImage): void {
        const scale = this.#scale;
        const table = scale
            ? lookupTable(
                  this.#palette,
                  this.#theme,
                  grid.byteOf(scale.low),
                  grid.byteOf(scale.high),
              )
            : new Uint32Array(256);
        image.setColors(this.#side, table);
        image.paint(grid);
    }
}
