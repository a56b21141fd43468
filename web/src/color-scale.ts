// Legend and threshold in one: a bar of the map's colours from nothing to the strongest, in USD.
// Its handle marks where the colours begin; what is weaker is hidden.

import { element, make, setText } from './dom.js';
import { formatUsd } from './format.js';
import { THRESHOLD_MAX, type ColorScale } from './map-layers.js';
import { cssGradient, type PaletteName, type Theme } from './palette.js';

const STEPS = 200;
const TICKS_MAX = 4;
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
        input.max = String(Math.round(STEPS * THRESHOLD_MAX));
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
        const step = roundStep(scale.high / TICKS_MAX);
        for (let i = 1; i <= TICKS_MAX; i += 1) {
            const density = i * step;
            const position = positionOf(scale, density);
            if ((1 - position) * clientWidth > END_TICK_PIXELS) {
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

const densityAt = ({ high }: ColorScale, step: number): number => (high * step) / STEPS;

/** 0 at the left end of the bar, 1 at the right. */
const positionOf = ({ high }: ColorScale, density: number): number =>
    Math.min(1, Math.max(0, density / high));

/** The least of 1, 2 or 5 times a power of ten that is not below `step`. */
function roundStep(step: number): number {
    const power = 10 ** Math.floor(Math.log10(step));
    return power * ([1, 2, 5].find((factor) => factor * power >= step) ?? 10);
}
