// Colours of the map. A palette is a few colours from weak to strong, interpolated in sRGB. The
// weakest densities fade into the background, so that noise stays dark.

import { BYTES_PER_DECADE } from './grid.js';

export type PaletteName = 'heat' | 'viridis' | 'inferno' | 'magma';
export type Theme = 'dark' | 'light';

interface Palette {
    label: string;
    stops: readonly string[];
    /** On a light page; absent: the stops in reverse. */
    lightStops?: readonly string[];
}

export const PALETTES: Readonly<Record<PaletteName, Palette>> = {
    heat: {
        label: 'Heat',
        lightStops: [
            '#f4eeff',
            '#e2d4ff',
            '#cbb2fb',
            '#b08bf0',
            '#9463e0',
            '#7840c8',
            '#5b27a6',
            '#421781',
            '#2b0c5b',
            '#150436',
        ],
        stops: [
            '#1c0f3f',
            '#331a6b',
            '#4a2b91',
            '#3f55ad',
            '#2a86b4',
            '#27b1a0',
            '#6fd266',
            '#c6e53a',
            '#fff12e',
            '#fffbd0',
        ],
    },
    viridis: {
        label: 'Viridis (colour-blind safe)',
        stops: [
            '#440154',
            '#482878',
            '#3e4989',
            '#31688e',
            '#26828e',
            '#1f9e89',
            '#35b779',
            '#6ece58',
            '#b5de2b',
            '#fde725',
        ],
    },
    inferno: {
        label: 'Inferno',
        stops: [
            '#1b0c41',
            '#320a5e',
            '#4a0c6b',
            '#781c6d',
            '#a52c60',
            '#cf4446',
            '#ed6925',
            '#fb9b06',
            '#f7d13d',
            '#fcffa4',
        ],
    },
    magma: {
        label: 'Magma',
        stops: [
            '#180f3d',
            '#341069',
            '#51127c',
            '#721f81',
            '#932b80',
            '#b73779',
            '#de4968',
            '#f7705c',
            '#feb078',
            '#fcfdbf',
        ],
    },
};

export const isPaletteName = (name: string): name is PaletteName => name in PALETTES;

type Rgb = readonly [number, number, number];

const parseColor = (hex: string): Rgb => {
    const value = parseInt(hex.slice(1), 16);
    return [value >> 16, (value >> 8) & 255, value & 255];
};

const mix = (a: number, b: number, t: number): number => Math.round(a + (b - a) * t);

/** Somewhat above 1: more of the scale is given to the dark colours, and only the strongest are
 * bright. */
const GAMMA = 1.25;

/** On a light page from light to dark: the strongest must differ most from the background. */
const stopsOf = ({ stops, lightStops }: Palette, theme: Theme): readonly string[] =>
    theme === 'dark' ? stops : (lightStops ?? [...stops].reverse());

/** The colour at t (0 weakest, 1 strongest). */
export function colorAt(name: PaletteName, theme: Theme, t: number): Rgb {
    const stops = stopsOf(PALETTES[name], theme);
    const position = t ** GAMMA * (stops.length - 1);
    const index = Math.min(stops.length - 2, Math.floor(position));
    const from = parseColor(stops[index] ?? '#000000');
    const to = parseColor(stops[index + 1] ?? '#000000');
    const part = position - index;
    return [mix(from[0], to[0], part), mix(from[1], to[1], part), mix(from[2], to[2], part)];
}

/** The part of the scale in which the weakest densities fade in. */
const FADE = 0.1;

/** The pixels of the 256 bytes, as a canvas holds them: transparent below `low`, the strongest
 * colour from `high` on, and between them nearly in proportion to the density, though the bytes are
 * its logarithm: half of everything holds a fifth of what the strongest bands hold, and on a
 * logarithmic scale it would look nearly as strong. */
export function lookupTable(
    name: PaletteName,
    theme: Theme,
    low: number,
    high: number,
): Uint32Array {
    const table = new Uint32Array(256);
    const channels = new Uint8ClampedArray(table.buffer);
    const ratioOf = (byte: number): number => 10 ** ((byte - high) / BYTES_PER_DECADE);
    const start = ratioOf(low);
    for (let byte = Math.max(1, low); byte < 256; byte += 1) {
        const t = byte >= high ? 1 : (ratioOf(byte) - start) / (1 - start);
        const alpha = Math.min(1, 0.25 + (0.75 * t) / FADE);
        channels.set([...colorAt(name, theme, t), Math.round(alpha * 255)], byte * 4);
    }
    return table;
}

/** A CSS gradient of the scale from weak to strong. */
export function cssGradient(name: PaletteName, theme: Theme, direction: string): string {
    const colors = Array.from({ length: 16 }, (_, i) => {
        return `rgb(${colorAt(name, theme, i / 15).join(' ')})`;
    });
    return `linear-gradient(${direction}, ${colors.join(', ')})`;
}
