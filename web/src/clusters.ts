// Clusters: narrow price ranges that hold much volume, whose liquidations would happen together.
//
// The largest single buckets would often be neighbours, and so the same range five times. A cluster
// is therefore the window of neighbouring buckets, half a percent of the price high, that holds the
// most; the next one is the best of what remains above and below it, and so on.

import type { Level } from 'heatcast-client';

export interface Cluster {
    /** Lower and upper edge. */
    low: number;
    high: number;
    /** USD, long and short together. */
    volume: number;
    /** The mean price, weighted by volume. */
    middle: number;
    /** From the current price to the middle: 0.01 is one percent above. */
    distance: number;
}

const HEIGHT = 0.005; /* of the price */

const volumeOf = ({ long_density, short_density }: Level): number => long_density + short_density;

interface Window {
    /** Neighbouring levels, and where among them the window begins and ends (exclusive). */
    part: readonly Level[];
    first: number;
    end: number;
    volume: number;
}

/** The window with the most volume; null if there is no volume. */
function bestWindow(part: readonly Level[], height: number): Window | null {
    let best: Window | null = null;
    let end = 0;
    let volume = 0;
    part.forEach((level, first) => {
        for (let next = part[end]; next && next.price - level.price < height; next = part[end]) {
            volume += volumeOf(next);
            end += 1;
        }
        if (volume > (best?.volume ?? 0)) best = { part, first, end, volume };
        volume -= volumeOf(level);
    });
    return best;
}

function strongest(levels: readonly Level[], height: number, count: number): Window[] {
    const taken: Window[] = [];
    let parts = [levels];
    while (taken.length < count) {
        let best: Window | null = null;
        for (const part of parts) {
            const window = bestWindow(part, height);
            if (window && window.volume > (best?.volume ?? 0)) best = window;
        }
        if (!best) break;
        const { part, first, end } = best;
        taken.push(best);
        parts = [...parts.filter((other) => other !== part), part.slice(0, first), part.slice(end)];
    }
    return taken;
}

/** The strongest clusters above and below the price, each strongest first. */
export function findClusters(
    levels: readonly Level[],
    bucket: number,
    price: number,
    count: number,
): { above: Cluster[]; below: Cluster[] } {
    if (!(price > 0)) return { above: [], below: [] };
    // A whole number of buckets, at least one, so that rounding does not decide.
    const height = (Math.max(1, Math.floor((price * HEIGHT) / bucket)) - 0.5) * bucket;
    const toCluster = ({ part, first, end, volume }: Window): Cluster => {
        const inside = part.slice(first, end);
        const moment = inside.reduce(
            (sum, level) => sum + (level.price + bucket / 2) * volumeOf(level),
            0,
        );
        const middle = moment / volume;
        return {
            low: inside[0]?.price ?? 0,
            high: (inside[inside.length - 1]?.price ?? 0) + bucket,
            volume,
            middle,
            distance: middle / price - 1,
        };
    };
    const isAbove = (level: Level): boolean => level.price + bucket / 2 > price;
    const pick = (wanted: boolean): Cluster[] =>
        strongest(
            levels.filter((level) => isAbove(level) === wanted),
            height,
            count,
        ).map(toCluster);
    return { above: pick(true), below: pick(false) };
}
