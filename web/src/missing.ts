// What a map lacks, in words. A map without levels is a picture of nothing, which looks like a
// fault of the page; the reason is in the data.

import type { Grid, Side } from './grid.js';

/** null: nothing, or there is no map. */
export function missingIn(grid: Grid | null, side: Side): string | null {
    if (!grid) return null;
    if (grid.hasLevels) {
        const isSideEmpty = side !== 'both' && !hasSide(grid, side);
        return isSideEmpty ? `No ${side} position has been waiting in this range.` : null;
    }
    if (grid.interestChanges === 0) {
        return 'No open interest yet: levels are estimated from its changes, and none is known here.';
    }
    return 'No levels: none of the positions opened in this range is waiting to be liquidated.';
}

const hasSide = (grid: Grid, side: 'long' | 'short'): boolean =>
    grid[side].subarray(0, grid.columns * grid.rows).some((byte) => byte > 0);
