// The controls around the chart, except the list of symbols. Each shows what the view says. When it
// is used, it changes the view, keeps the page's address up to date and reports the change.
//
// Two of them offer choices that depend on what is shown: the candles that fit the range, and the
// buckets that fit the price. show() fills these.

import { ColorScaleBar } from './color-scale.js';
import { element, fillSegmented, fillSelect, type Choice } from './dom.js';
import type { Selection } from './feed.js';
import { bucketDecimals, bucketText, formatPrice } from './format.js';
import type { Side } from './grid.js';
import { bucketChoices, CANDLE_INTERVALS, isFitting } from './interval.js';
import type { ColorScale } from './map-layers.js';
import { PALETTES, type PaletteName, type Theme } from './palette.js';
import { RANGES } from './range.js';
import { writeView, type View, type Zoom } from './state.js';

const THRESHOLD_REST_MS = 200;

const SIDES: readonly Choice<Side>[] = [
    { value: 'both', label: 'Both', title: 'Long and short positions' },
    { value: 'long', label: 'Long', title: 'Long positions alone' },
    { value: 'short', label: 'Short', title: 'Short positions alone' },
];

const ZOOMS: readonly Choice<Zoom>[] = [
    { value: 'near', label: 'Near', title: 'Prices around the candles' },
    { value: 'wide', label: 'Wide', title: 'A wider range of prices' },
    { value: 'full', label: 'Full', title: 'All prices of map and candles' },
];

export interface ControlHandlers {
    /** Range, candles or bucket, which need other data. */
    onSelect: () => void;
    onSide: (side: Side) => void;
    onZoom: (zoom: Zoom) => void;
    /** Hides what is below this many USD; null: what suits the map. */
    onThreshold: (low: number | null) => void;
    onColors: (palette: PaletteName, theme: Theme) => void;
    onFit: () => void;
}

export class Controls {
    readonly #view: View;
    readonly #handlers: ControlHandlers;
    readonly #candles = element('candles', HTMLSelectElement);
    readonly #bucket = element('bucket', HTMLSelectElement);
    readonly #palette = element('palette', HTMLSelectElement);
    readonly #theme = element('theme', HTMLButtonElement);
    readonly #scaleBar = new ColorScaleBar((low) => this.#thresholdChanged(low));
    #thresholdTimer: number | undefined;

    constructor(view: View, handlers: ControlHandlers) {
        this.#view = view;
        this.#handlers = handlers;
        this.#addSegments();
        this.#addSelects();
        this.#addButtons();
        addFullScreen();
    }

    /** Reports the choices that need no data, as if they had just been made. */
    start(): void {
        const { side, zoom, threshold } = this.#view;
        this.#handlers.onSide(side);
        this.#handlers.onZoom(zoom);
        this.#handlers.onThreshold(threshold);
        this.#applyColors();
    }

    /** `usualBucket`: the server's own for this symbol; null: not known. `fittingBucket`: the
     * finest for the range of prices, if the usual one is too fine. */
    show(
        selection: Selection,
        usualBucket: number | null,
        fittingBucket: number | null = null,
    ): void {
        this.showCandles(selection);
        this.#showBuckets(usualBucket, fittingBucket);
    }

    showCandles({ range, interval }: Selection): void {
        const { candles } = this.#view;
        const fitting = CANDLE_INTERVALS.filter((other) => isFitting(other, range));
        const isChosen = fitting.some(({ id }) => id === candles);
        const auto = isChosen ? 'Auto' : `Auto · ${interval.id}`;
        fillSelect(
            this.#candles,
            [
                { value: 'auto', label: auto },
                ...fitting.map(({ id }) => ({ value: id, label: id })),
            ],
            isChosen ? candles : 'auto',
        );
    }

    #showBuckets(usual: number | null, fitting: number | null): void {
        const { bucket: chosen } = this.#view;
        const label = (bucket: number): string => `$${formatPrice(bucket, bucketDecimals(bucket))}`;
        const own = Math.max(usual ?? 0, fitting ?? 0);
        const choices: Choice<string>[] = [
            { value: 'auto', label: own > 0 ? `Auto · ${label(own)}` : 'Auto' },
        ];
        const known = bucketChoices(own).filter((bucket) => bucket >= (fitting ?? 0));
        const all = new Set(chosen === null ? known : [...known, chosen]);
        for (const bucket of [...all].sort((a, b) => a - b)) {
            choices.push({ value: bucketText(bucket), label: label(bucket) });
        }
        fillSelect(this.#bucket, choices, chosen === null ? 'auto' : bucketText(chosen));
    }

    showScale(scale: ColorScale | null): void {
        this.#scaleBar.show(scale);
    }

    #addSegments(): void {
        const view = this.#view;
        const ranges = RANGES.map(({ id, label }) => ({ value: id, label: id, title: label }));
        fillSegmented('range', ranges, view.range, (range) => {
            view.range = range;
            this.#handlers.onSelect();
        });
        fillSegmented('side', SIDES, view.side, (side) => {
            view.side = side;
            this.#handlers.onSide(side);
            writeView(view);
        });
        fillSegmented('zoom', ZOOMS, view.zoom, (zoom) => {
            view.zoom = zoom;
            this.#handlers.onZoom(zoom);
            writeView(view);
        });
    }

    #addSelects(): void {
        const view = this.#view;
        this.#candles.addEventListener('change', () => {
            view.candles = this.#candles.value;
            this.#handlers.onSelect();
        });
        this.#bucket.addEventListener('change', () => {
            const { value } = this.#bucket;
            view.bucket = value === 'auto' ? null : Number(value);
            this.#handlers.onSelect();
        });
        fillSelect(
            this.#palette,
            Object.entries(PALETTES).map(([value, { label }]) => ({ value, label })),
            view.palette,
        );
        this.#palette.addEventListener('change', () => {
            view.palette = this.#palette.value as PaletteName;
            this.#applyColors();
            writeView(view);
        });
    }

    #addButtons(): void {
        const view = this.#view;
        this.#theme.addEventListener('click', () => {
            view.theme = view.theme === 'dark' ? 'light' : 'dark';
            this.#applyColors();
            writeView(view);
        });
        element('fit', HTMLButtonElement).addEventListener('click', () => this.#reset());
    }

    /** All of the range in automatic steps and colours again. */
    #reset(): void {
        const view = this.#view;
        const hasBucket = view.bucket !== null;
        view.bucket = null;
        if (view.threshold !== null) {
            clearTimeout(this.#thresholdTimer);
            view.threshold = null;
            this.#handlers.onThreshold(null);
        }
        this.#handlers.onFit();
        if (hasBucket) this.#handlers.onSelect();
        else writeView(view);
    }

    #applyColors(): void {
        const { palette, theme } = this.#view;
        document.documentElement.dataset.theme = theme;
        this.#theme.setAttribute('aria-pressed', String(theme === 'light'));
        this.#handlers.onColors(palette, theme);
        this.#scaleBar.setColors(palette, theme);
    }

    #thresholdChanged(low: number | null): void {
        this.#view.threshold = low;
        this.#handlers.onThreshold(low);
        // Browsers refuse an address that changes with every frame.
        clearTimeout(this.#thresholdTimer);
        this.#thresholdTimer = setTimeout(() => writeView(this.#view), THRESHOLD_REST_MS);
    }
}

/** A button and the key F. */
function addFullScreen(): void {
    const button = element('fullscreen', HTMLButtonElement);
    const toggle = (): void => {
        const change = document.fullscreenElement
            ? document.exitFullscreen()
            : document.documentElement.requestFullscreen();
        change.catch(() => {}); /* the browser says why itself */
    };
    button.hidden = !document.fullscreenEnabled;
    button.addEventListener('click', toggle);
    document.addEventListener('fullscreenchange', () => {
        const isFull = document.fullscreenElement !== null;
        button.setAttribute('aria-pressed', String(isFull));
    });
    document.addEventListener('keydown', (event) => {
        const isCommand = event.ctrlKey || event.altKey || event.metaKey;
        const isTyping = event.target instanceof HTMLSelectElement;
        if (event.key === 'f' && !isCommand && !isTyping) toggle();
    });
}
