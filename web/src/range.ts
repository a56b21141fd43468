// The ranges of time that the page offers to show, all of them back from the newest candle.

export interface Range {
    /** As the server and the page's address name it. */
    id: string;
    label: string;
    seconds: number;
}

const DAY = 24 * 3600;

const WEEK: Range = { id: '7d', label: '7 days', seconds: 7 * DAY };

export const RANGES: readonly Range[] = [
    { id: '48h', label: '48 hours', seconds: 2 * DAY },
    { id: '3d', label: '3 days', seconds: 3 * DAY },
    WEEK,
    { id: '14d', label: '14 days', seconds: 14 * DAY },
    { id: '30d', label: '30 days', seconds: 30 * DAY },
];

/** The range of this id; a week where there is none. */
export const rangeOf = (id: string | null): Range =>
    RANGES.find((range) => range.id === id) ?? WEEK;
