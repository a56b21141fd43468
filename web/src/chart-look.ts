// The chart's style: the colours of both themes, and the labels of the axes.

import {
    ColorType,
    CrosshairMode,
    LineStyle,
    TickMarkType,
    type CandlestickStyleOptions,
    type ChartOptions,
    type DeepPartial,
    type Time,
} from 'lightweight-charts';
import {
    bucketDecimals,
    formatAnyPrice,
    formatClock,
    formatDay,
    formatMonth,
    formatPrice,
    formatTime,
    formatYear,
} from './format.js';
import type { Theme } from './palette.js';

export interface ChartColors {
    background: string;
    text: string;
    grid: string;
    border: string;
    crosshair: string;
    label: string;
    up: string;
    down: string;
    long: string;
    short: string;
    line: string;
    halo: string;
    veil: string;
    veilLine: string;
}

export const CHART_COLORS: Readonly<Record<Theme, ChartColors>> = {
    dark: {
        background: '#0d0a1a',
        text: '#9a9fb5',
        grid: 'rgba(255, 255, 255, 0.035)',
        border: '#23243a',
        crosshair: 'rgba(226, 229, 245, 0.55)',
        label: '#3a3563',
        up: '#1fdc9c',
        down: '#ff4f6d',
        long: '#23c493',
        short: '#f4506c',
        line: '#e8eaf4',
        halo: 'rgba(10, 7, 22, 0.62)',
        veil: 'rgba(38, 40, 58, 0.55)',
        veilLine: 'rgba(154, 159, 181, 0.28)',
    },
    light: {
        background: '#ffffff',
        text: '#5a6078',
        grid: 'rgba(20, 24, 50, 0.05)',
        border: '#d9dce8',
        crosshair: 'rgba(20, 24, 50, 0.5)',
        label: '#4b4570',
        up: '#00875f',
        down: '#d81b43',
        long: '#0f9f72',
        short: '#df3b58',
        line: '#1b1d2c',
        halo: 'rgba(255, 255, 255, 0.7)',
        veil: 'rgba(236, 238, 245, 0.6)',
        veilLine: 'rgba(90, 96, 120, 0.3)',
    },
};

/** The options that do not depend on the theme. `decimals` returns those of the current symbol. */
export const fixedOptions = (decimals: () => number): DeepPartial<ChartOptions> => ({
    autoSize: true,
    layout: {
        fontFamily: getComputedStyle(document.body).fontFamily,
        fontSize: 12,
        // The logo adds an inline style, which the page's Content-Security-Policy forbids. The page
        // names and links TradingView itself (main.ts).
        attributionLogo: false,
    },
    crosshair: { mode: CrosshairMode.Normal },
    timeScale: {
        timeVisible: true,
        secondsVisible: false,
        minBarSpacing: 0.05,
        tickMarkFormatter: formatTickMark,
    },
    localization: {
        timeFormatter: (time: Time) => `${formatTime(time as number)} UTC`,
        priceFormatter: (price: number) => formatAnyPrice(price, decimals()),
        tickmarksPriceFormatter: formatPriceTicks,
    },
});

export const chartOptions = (colors: ChartColors): DeepPartial<ChartOptions> => {
    const line = {
        color: colors.crosshair,
        style: LineStyle.Dashed,
        labelBackgroundColor: colors.label,
    };
    return {
        layout: {
            background: { type: ColorType.Solid, color: colors.background },
            textColor: colors.text,
        },
        grid: { vertLines: { color: colors.grid }, horzLines: { color: colors.grid } },
        crosshair: { vertLine: line, horzLine: line },
        rightPriceScale: { borderColor: colors.border },
        timeScale: { borderColor: colors.border },
    };
};

export const candleOptions = (colors: ChartColors): DeepPartial<CandlestickStyleOptions> => ({
    upColor: colors.up,
    wickUpColor: colors.up,
    downColor: colors.down,
    wickDownColor: colors.down,
});

function formatTickMark(time: Time, type: TickMarkType): string {
    const seconds = time as number;
    switch (type) {
        case TickMarkType.Year:
            return formatYear(seconds);
        case TickMarkType.Month:
            return formatMonth(seconds);
        case TickMarkType.DayOfMonth:
            return formatDay(seconds);
        default:
            return formatClock(seconds);
    }
}

/** Axis labels with as few decimals as distinguish them: 98,500 rather than 98,500.0. */
function formatPriceTicks(prices: readonly number[]): string[] {
    let distance = Infinity;
    for (let i = 1; i < prices.length; i += 1) {
        const between = Math.abs((prices[i] ?? 0) - (prices[i - 1] ?? 0));
        if (between > 0) distance = Math.min(distance, between);
    }
    // Rounded, because the distance carries the error of a subtraction.
    const step = Number.isFinite(distance) ? Number(distance.toPrecision(6)) : 1;
    const decimals = bucketDecimals(step);
    return prices.map((price) => formatPrice(price, decimals));
}
