// Legend and threshold in one: a bar of the map's colours from weak to strong on a logarithmic USD
// scale. Its handle marks where the colours begin; what is weaker is hidden.

import { element, make, setText } from './dom.js';
import { formatUsd } from './format.js';
import type { ColorScale } from './map-layers.js';
import { cssGradient, type PaletteName, type Theme } from './palette.js';

const DECADES = 3; /* what the bar spans below the strongest colour */
const STEPS = 150;
const END_TICK_PIXELS = 78; /* room for the last label and the gap before it */

export class ColorScaleBar {
    readonly #input = element('threshold', HTMLInputElement);
    readonly #value = element('threshold-value', HTMLOutputElement);
    readonly #ticks = element('ticks', HTMLElement);
    #scale: ColorScale | null = null;
    #palette: PaletteName = 'heat';
    #theme: Theme = 'dark';
    #frame = 0;

    constructor(onThreshold: (low: number | null) => void) {
        const input = this.#input;
        input.min = '0';
        // In the last tenth of the bar hardly any colours would remain.
        input.max = String(Math.round(STEPS * 0.9));
        input.title = 'Hide what is weaker than this; double click or Escape for automatic';
        const automatic = (): void => {
            cancelAnimationFrame(this.#frame); /* the clicks of a double click */
            onThreshold(null);
        };
        input.addEventListener('input', () => {
            // One repaint a frame, however fast the handle moves.
            cancelAnimationFrame(this.#frame);
            this.#frame = requestAnimationFrame(() => {
                if (this.#scale) onThreshold(densityAt(this.#scale, Number(input.value)));
            });
        });
        input.addEventListener('dblclick', automatic);
        input.addEventListener('keydown', ({ key }) => {
            if (key === 'Escape') automatic();
        });
    }

    /** null: there is nothing to hide. */
    show(scale: ColorScale | null): void {
        const isKnown = scale !== null && scale.high > 0 && Number.isFinite(scale.high);
        this.#scale = isKnown ? scale : null;
        const input = this.#input;
        input.disabled = !isKnown;
        input.value = String(Math.round(this.#start * STEPS));
        const text = isKnown ? formatUsd(scale.low) : '–';
        setText(this.#value, text);
        input.setAttribute('aria-valuetext', `hide below ${text}`);
        this.#drawTicks();
        this.#drawBar();
    }

    setColors(palette: PaletteName, theme: Theme): void {
        this.#palette = palette;
        this.#theme = theme;
        this.#drawBar();
    }

    /** Where the colours begin. */
    get #start(): number {
        return this.#scale ? positionOf(this.#scale, this.#scale.low) : 0;
    }

    #drawTicks(): void {
        const scale = this.#scale;
        if (!scale) {
            this.#ticks.replaceChildren();
            return;
        }
        const ticks: HTMLElement[] = [];
        const { clientWidth } = this.#ticks;
        for (const density of powersOfTen(scale.high)) {
            const position = positionOf(scale, density);
            if (position > 0.03 && (1 - position) * clientWidth > END_TICK_PIXELS) {
                ticks.push(this.#tick(formatUsd(density).replace('.0', ''), position));
            }
        }
        const end = this.#tick(`≥ ${formatUsd(scale.high)}`, 1);
        end.className = 'at-end';
        this.#ticks.replaceChildren(...ticks, end);
    }

    #tick(text: string, position: number): HTMLElement {
        const tick = make('span', '', text);
        tick.style.left = `${position * 100}%`;
        return tick;
    }

    #drawBar(): void {
        const from = `${this.#start * 100}%`;
        const gradient = cssGradient(this.#palette, this.#theme, 'to right');
        const { style } = this.#input;
        // Colours right of the handle; left of it the bar is empty, as the map is.
        style.backgroundImage = gradient;
        style.backgroundSize = `calc(100% - ${from}) 100%`;
        style.backgroundPosition = 'right';
        style.backgroundRepeat = 'no-repeat';
    }
}

const densityAt = ({ high }: ColorScale, step: number): number =>
    high * 10 ** ((step / STEPS - 1) * DECADES);

/** 0 at the left end of the bar, 1 at the right. */
function positionOf({ high }: ColorScale, density: number): number {
    if (!(density > 0)) return 0;
    return Math.min(1, Math.max(0, 1 + Math.log10(density / high) / DECADES));
}

/** Those that the bar may span: as many as it has decades, whatever its end is. */
function powersOfTen(high: number): number[] {
    const least = Math.floor(Math.log10(high)) - DECADES;
    return Array.from({ length: DECADES + 1 }, (_, i) => 10 ** (least + i));
}
