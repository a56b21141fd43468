// The list of the largest clusters, in the order of the chart: higher prices above, the current
// price in between.

import type { Level } from 'heatcast-client';
import { findClusters, type Cluster } from './clusters.js';
import { element, make, setText } from './dom.js';
import { bucketDecimals, formatPrice, formatShortPercent, formatUsd } from './format.js';

const COUNT = 7; /* a side */

export class ClusterPanel {
    readonly #above = element('clusters-above', HTMLElement);
    readonly #below = element('clusters-below', HTMLElement);
    readonly #price = element('clusters-price', HTMLElement);
    readonly #onPoint: (price: number | null) => void;

    /** `onPoint`: the pointer is over a cluster around this price; null: over none. */
    constructor(onPoint: (price: number | null) => void) {
        this.#onPoint = onPoint;
        // On the lists, because each snapshot replaces the rows.
        for (const list of [this.#above, this.#below]) {
            list.addEventListener('pointerleave', () => onPoint(null));
        }
    }

    clear(): void {
        this.#above.replaceChildren();
        this.#below.replaceChildren();
        setText(this.#price, '–');
    }

    show(levels: readonly Level[], bucket: number, price: number, decimals: number): void {
        const { above, below } = findClusters(levels, bucket, price, COUNT);
        const greatest = Math.max(0, ...[...above, ...below].map(({ volume }) => volume));
        const fill = (target: HTMLElement, clusters: Cluster[], kind: string): void => {
            const strongest = clusters[0];
            const rows = clusters
                .sort((a, b) => b.low - a.low)
                .map((cluster) => {
                    const row = this.#row(cluster, bucket, greatest, kind);
                    if (cluster === strongest) row.classList.add('strongest');
                    return row;
                });
            target.replaceChildren(
                ...(rows.length > 0 ? rows : [make('li', 'none', 'No liquidations waiting')]),
            );
        };
        fill(this.#above, above, 'short');
        fill(this.#below, below, 'long');
        setText(this.#price, formatPrice(price, decimals));
    }

    #row(cluster: Cluster, bucket: number, greatest: number, kind: string): HTMLLIElement {
        const decimals = bucketDecimals(bucket);
        const range = `${formatPrice(cluster.low, decimals)} – ${formatPrice(cluster.high, decimals)}`;
        const row = make(
            'li',
            kind,
            make('b', '', formatPrice(cluster.middle, decimals)),
            make('span', 'volume', formatUsd(cluster.volume)),
            make('span', 'distance', formatShortPercent(cluster.distance)),
        );
        row.title = `${formatUsd(cluster.volume)} would be liquidated at ${range}`;
        row.style.setProperty('--part', `${((cluster.volume / greatest) * 100).toFixed(1)}%`);
        row.addEventListener('pointerenter', () => this.#onPoint(cluster.middle));
        return row;
    }
}
