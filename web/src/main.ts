// The page's composition root: makes the parts and joins them. What the user chooses is in the
// view; from there it goes to the feed, which fetches, and to the chart, which shows. What they
// report goes to the elements around the chart.

import { ClusterPanel } from './cluster-panel.js';
import { ConnectionView } from './connection.js';
import { Controls } from './controls.js';
import type { Hover } from './crosshair.js';
import { element, make } from './dom.js';
import { Feed, type Selection } from './feed.js';
import { candleInterval } from './interval.js';
import { MapChart } from './map-chart.js';
import { Messages } from './messages.js';
import { missingIn } from './missing.js';
import { rangeOf } from './range.js';
import { readView, writeView } from './state.js';
import { Summary } from './summary.js';
import { Symbols } from './symbols.js';
import { Tooltip } from './tooltip.js';

const AGE_EVERY_MS = 5_000;

const view = readView();
const chartBox = element('chart', HTMLElement);
const profile = element('profile', HTMLCanvasElement);
let hovered: Hover | null = null;
/** The finest bucket of a symbol's range, where a finer one was refused. */
let fitting: { symbol: string; range: string; bucket: number } | null = null;

const chart = new MapChart(chartBox, profile, {
    onHover: showHover,
    onScale: (scale) => controls.showScale(scale),
    onSight: (sight) => {
        feed.setSight(sight);
        const { selection } = feed;
        if (!selection || view.candles !== 'auto') return;
        const seconds = sight.to - sight.from;
        const { range, interval } = selection;
        feed.setInterval(candleInterval('auto', range, seconds, sight.width, interval));
    },
});
const connection = new ConnectionView();
const summary = new Summary(
    chart,
    () => feed.time,
    (oldAge) => connection.showAge(oldAge),
);
const tooltip = new Tooltip(chartBox);
const clusters = new ClusterPanel((price) => chart.pointAtPrice(price));
const messages = new Messages(() => {
    if (feed.selection) feed.reload();
    else void symbols.start();
});

const controls = new Controls(view, {
    onSelect: select,
    onSide: (side) => {
        chart.setSide(side);
        showMissing();
    },
    onZoom: (zoom) => chart.setZoom(zoom),
    onThreshold: (low) => chart.setThreshold(low),
    onColors: (palette, theme) => chart.setColors(palette, theme),
    onFit: () => chart.fit(),
});

const symbols = new Symbols(view, {
    onSelect: () => {
        chart.setThreshold(view.threshold);
        select();
    },
    onReplay: () => summary.showReplay(true),
    onFailure: (reason) => messages.showFailure(reason),
});

const feed = new Feed({
    onLoading: () => {
        messages.showLoading();
        chart.clear();
        summary.clear();
        clusters.clear();
    },
    onMap: ({ selection, grid, candles, fittingBucket, isRefresh }) => {
        messages.hide();
        chart.show(grid, candles, selection.interval.seconds, isRefresh);
        showBucket(selection, fittingBucket);
        summary.showMap(selection);
        summary.showCandle(null);
        showClusters();
        showMissing();
    },
    onDetail: (detail) => chart.showDetail(detail),
    onSnapshot: (column, snapshot) => {
        const change = chart.applySnapshot(column);
        if (change === 'gap' || change === 'old') return change;
        summary.showSnapshot(snapshot);
        showClusters();
        showMissing();
        showHover(hovered);
        return change;
    },
    onNewCandles: (candles) => {
        chart.mergeCandles(candles);
        showHover(hovered);
    },
    onCandles: (candles, selection) => {
        chart.showCandles(candles, selection.interval.seconds);
        summary.showCandle(null);
        controls.showCandles(selection);
    },
    onFailure: ({ code, message }, { symbol }) => {
        if (code !== 'NO_DATA') messages.showFailure(message);
        else messages.showEmpty(symbol, message, symbols.isImportMissing);
    },
    whyEmpty: (symbol) => symbols.whyEmpty(symbol),
    onStatus: ({ status }) => {
        connection.showStatus(status);
        // It may be another server now: other symbols, real data instead of simulated.
        if (status === 'connected' && symbols.isKnown) symbols.refresh();
    },
    onPolling: (isPolling) => connection.showPolling(isPolling),
    onWarning: (warning) => connection.showWarning(warning),
});

/** Shows what the view says, from the start. */
function select(): void {
    const { symbol, bucket, candles } = view;
    if (!symbol) return;
    const range = rangeOf(view.range);
    const interval = candleInterval(candles, range, range.seconds, chart.width);
    const selection = { symbol, range, interval, bucket };
    controls.show(selection, symbols.bucketOf(symbol), fittingOf(selection));
    writeView(view);
    feed.select(selection);
}

function fittingOf({ symbol, range }: Selection): number | null {
    return fitting?.symbol === symbol && fitting.range === range.id ? fitting.bucket : null;
}

/** What is chosen is what is shown, also where a finer bucket was asked for. */
function showBucket(selection: Selection, fittingBucket: number | null): void {
    const { symbol, range, bucket } = selection;
    const isFitted = fittingBucket !== null;
    if (isFitted) fitting = { symbol, range: range.id, bucket: fittingBucket };
    else if (bucket === null) fitting = null; /* the server's own fits */
    if (view.bucket !== bucket) {
        view.bucket = bucket;
        writeView(view);
    }
    if (isFitted) controls.show(selection, symbols.bucketOf(symbol), fittingBucket);
}

function showClusters(): void {
    const { grid } = chart;
    if (grid) clusters.show(grid.newestLevels(), grid.bucket, grid.lastClose, chart.decimals);
}

function showMissing(): void {
    const { selection } = feed;
    const missing = missingIn(chart.grid, view.side, selection && fittingOf(selection));
    const notes = [symbols.note, missing].filter((note) => note !== null);
    messages.showNote(notes.length > 0 ? notes.join(' ') : null);
}

function showHover(hover: Hover | null): void {
    hovered = hover;
    const { grid } = chart;
    if (hover && grid) {
        tooltip.show(hover, { bucket: grid.bucket, side: view.side });
    } else {
        tooltip.hide();
    }
    summary.showCandle(hover?.candle ?? null);
}

/** The chart library's licence requires its name and a link. Nothing is loaded from there. */
function nameChartLibrary(): void {
    const link = make('a', '', 'Charts by TradingView');
    link.href = 'https://www.tradingview.com/';
    link.target = '_blank';
    link.rel = 'noopener';
    element('charts', HTMLElement).append(link);
}

profile.addEventListener('pointermove', (event) => chart.pointAtNewest(event.offsetY));
profile.addEventListener('pointerleave', () => chart.pointAtNewest(null));
setInterval(() => summary.showAge(), AGE_EVERY_MS);
nameChartLibrary();
controls.start();
feed.connect();
void symbols.start();
