// What a map lacks, in words. A map without levels is a picture of nothing, which looks like a
// fault of the page; the reason is in the data.

import { bucketDecimals, formatPrice } from './format.js';
import type { Grid, Side } from './grid.js';

/** null: nothing, or there is no map. `fitting`: the finest bucket that these prices can be shown
 * in, if finer ones were refused. */
export function missingIn(grid: Grid | null, side: Side, fitting: number | null): string | null {
    if (!grid) return null;
    if (grid.hasLevels) {
        if (side !== 'both' && !hasSide(grid, side)) {
            return `No ${side} position has been waiting in this range.`;
        }
        if (fitting !== grid.bucket) return null;
        const step = formatPrice(fitting, bucketDecimals(fitting));
        return `Prices range too widely for price steps below $${step}.`;
    }
    if (grid.interestChanges === 0 && (grid.interestKnown ?? 0) > 1) {
        return 'Open interest did not change here: levels are estimated from its changes.';
    }
    if (grid.interestChanges === 0) {
        return 'No open interest yet: levels are estimated from its changes, and none is known here.';
    }
    return 'No levels: none of the positions opened in this range is waiting to be liquidated.';
}

const hasSide = (grid: Grid, side: 'long' | 'short'): boolean =>
    grid[side].subarray(0, grid.columns * grid.rows).some((byte) => byte > 0);
