// The page's composition root: what the user chooses goes to feed and chart, what they tell goes
// into the page's elements.

import { getSymbols, type ApiError, type SymbolInfo } from './api.js';
import { ClusterPanel } from './cluster-panel.js';
import { ColorScaleBar } from './color-scale.js';
import { ConnectionView } from './connection.js';
import { element, fillSegmented, fillSelect, make, setText, type Choice } from './dom.js';
import { Feed, type Selection } from './feed.js';
import { bucketDecimals, formatPrice } from './format.js';
import type { Side } from './grid.js';
import { bucketChoices, candleInterval, CANDLE_INTERVALS, isFitting } from './interval.js';
import type { Hover } from './crosshair.js';
import { MapChart } from './map-chart.js';
import { PALETTES, type PaletteName } from './palette.js';
import { RANGES, rangeOf } from './range.js';
import { readView, writeView, type Zoom } from './state.js';
import { Summary } from './summary.js';
import { Tooltip } from './tooltip.js';

const SYMBOLS_EVERY_MS = 60_000;
const AGE_EVERY_MS = 5_000;
const START_AGAIN_MS = 5_000;
const THRESHOLD_REST_MS = 200;

const view = readView();

const chartBox = element('chart', HTMLElement);
const symbolSelect = element('symbol', HTMLSelectElement);
const candlesSelect = element('candles', HTMLSelectElement);
const bucketSelect = element('bucket', HTMLSelectElement);
const paletteSelect = element('palette', HTMLSelectElement);
const themeButton = element('theme', HTMLButtonElement);
const fullScreenButton = element('fullscreen', HTMLButtonElement);
const profile = element('profile', HTMLCanvasElement);

let symbols: SymbolInfo[] = [];
let database = 'ok';
let selection: Selection | null = null;
let hovered: Hover | null = null;

const chart = new MapChart(chartBox, profile, {
    onHover: showHover,
    onScale: (scale) => scaleBar.show(scale),
    onSight: (sight) => {
        feed.look(sight);
        if (!selection || view.candles !== 'auto') return;
        const seconds = sight.to - sight.from;
        const { range, interval } = selection;
        feed.setInterval(candleInterval('auto', range, seconds, sight.width, interval));
    },
});
const summary = new Summary(chart);
const connection = new ConnectionView();
const tooltip = new Tooltip(chartBox);
const clusters = new ClusterPanel((price) => chart.pointAtPrice(price));
let thresholdTimer: number | undefined;
const scaleBar = new ColorScaleBar((low) => {
    view.threshold = low;
    chart.setThreshold(low);
    // Browsers refuse an address that changes with every frame.
    clearTimeout(thresholdTimer);
    thresholdTimer = setTimeout(() => writeView(view), THRESHOLD_REST_MS);
});

const feed = new Feed({
    onLoading: () => {
        hideMessage();
        element('loading', HTMLElement).hidden = false;
        chart.clear();
        summary.clear();
        clusters.clear();
    },
    onMap: (grid, candles, shown, isRefresh) => {
        hideMessage();
        element('loading', HTMLElement).hidden = true;
        chart.show(grid, candles, shown.interval.seconds, isRefresh);
        summary.showMap(shown);
        summary.showCandle(null);
        showClusters();
    },
    onDetail: (detail) => chart.showDetail(detail),
    onSnapshot: (column, snapshot) => {
        const result = chart.applySnapshot(column);
        if (result === 'gap' || result === 'old') return result;
        summary.showSnapshot(snapshot);
        showClusters();
        showHover(hovered);
        return result;
    },
    onNewCandles: (candles) => chart.mergeCandles(candles),
    onCandles: (candles, interval) => {
        chart.showCandles(candles, interval.seconds);
        summary.showCandle(null);
        showCandleChoices();
    },
    onFailure: showFailure,
    whyEmpty: async (symbol) => {
        if (isKnownEmpty(symbol)) await readSymbols().catch(() => {});
        if (!isKnownEmpty(symbol)) return null;
        return database === 'ok' ? 'The database holds no candle of this symbol.' : database;
    },
    onStatus: (detail) => {
        connection.showStatus(detail.status);
        // After a restart the server may be another one: other symbols, real data instead of
        // simulated.
        const isBack = detail.status === 'connected' && symbols.length > 0;
        if (isBack) void refreshSymbols().catch(() => {});
    },
    onPolling: (isPolling) => connection.showPolling(isPolling),
    onWarning: (warning) => connection.showWarning(warning),
});

// --- what the chart tells ---

function showClusters(): void {
    const { grid } = chart;
    if (grid) clusters.show(grid.newestLevels(), grid.bucket, grid.lastClose, chart.decimals);
}

function showHover(hover: Hover | null): void {
    hovered = hover;
    const { grid } = chart;
    if (hover && grid) {
        tooltip.show(hover, {
            bucket: grid.bucket,
            currentPrice: grid.lastClose,
            side: view.side,
        });
    } else {
        tooltip.hide();
    }
    summary.showCandle(hover?.candle ?? null);
}

profile.addEventListener('pointermove', (event) => chart.pointAtNewest(event.offsetY));
profile.addEventListener('pointerleave', () => chart.pointAtNewest(null));

// --- messages ---

function hideMessage(): void {
    element('message', HTMLElement).hidden = true;
}

function showMessage(title: string, text: string, hasHelp: boolean): void {
    element('loading', HTMLElement).hidden = true;
    setText(element('message-title', HTMLElement), title);
    setText(element('message-text', HTMLElement), text);
    element('message-help', HTMLElement).hidden = !hasHelp;
    element('message', HTMLElement).hidden = false;
}

function showFailure(error: ApiError, { symbol }: Selection): void {
    if (error.code === 'NO_DATA') {
        // Whatever is wrong with the database, help with importing only where that would help.
        const isImportMissing = database === 'ok' || database.includes('heatcast import');
        showMessage(`${symbol} has no data yet`, error.message, isImportMissing);
    } else {
        showMessage('The map cannot be shown', error.message, false);
    }
}

element('retry', HTMLButtonElement).addEventListener('click', () => {
    if (selection) feed.reload();
    else void start();
});

// --- choices ---

/** Shows what is chosen, from the start. */
function select(): void {
    if (!view.symbol) return;
    const range = rangeOf(view.range);
    selection = {
        symbol: view.symbol,
        range,
        interval: candleInterval(view.candles, range, range.seconds, chart.width),
        bucket: view.bucket,
    };
    showCandleChoices();
    showBucketChoices();
    writeView(view);
    feed.select(selection);
}

function showCandleChoices(): void {
    if (!selection) return;
    const { range, interval } = selection;
    const fitting = CANDLE_INTERVALS.filter((other) => isFitting(other, range));
    const isChosen = fitting.some(({ id }) => id === view.candles);
    const auto = isChosen ? 'Auto' : `Auto · ${interval.id}`;
    fillSelect(
        candlesSelect,
        [{ value: 'auto', label: auto }, ...fitting.map(({ id }) => ({ value: id, label: id }))],
        isChosen ? view.candles : 'auto',
    );
}

function showBucketChoices(): void {
    const usual = symbols.find(({ symbol }) => symbol === view.symbol)?.bucket ?? null;
    const label = (bucket: number): string => `$${formatPrice(bucket, bucketDecimals(bucket))}`;
    const choices: Choice<string>[] = [
        { value: 'auto', label: usual === null ? 'Auto' : `Auto · ${label(usual)}` },
    ];
    const known = usual === null ? [] : bucketChoices(usual);
    const all = new Set(view.bucket === null ? known : [...known, view.bucket]);
    for (const bucket of [...all].sort((a, b) => a - b)) {
        choices.push({ value: String(bucket), label: label(bucket) });
    }
    fillSelect(bucketSelect, choices, view.bucket === null ? 'auto' : String(view.bucket));
}

/** Whether the server has said that there is nothing of this symbol: asking would be an error. */
const isKnownEmpty = (symbol: string): boolean =>
    symbols.some((info) => info.symbol === symbol && info.newest === null);

fillSegmented(
    'range',
    RANGES.map(({ id, label }) => ({ value: id, label: id, title: label })),
    view.range,
    (range) => {
        view.range = range;
        select();
    },
);

fillSegmented<Side>(
    'side',
    [
        { value: 'both', label: 'Both', title: 'Long and short positions' },
        { value: 'long', label: 'Long', title: 'Long positions alone' },
        { value: 'short', label: 'Short', title: 'Short positions alone' },
    ],
    view.side,
    (side) => {
        view.side = side;
        chart.setSide(side);
        writeView(view);
    },
);

fillSegmented<Zoom>(
    'zoom',
    [
        { value: 'near', label: 'Near', title: 'Prices around the candles' },
        { value: 'wide', label: 'Wide', title: 'A wider range of prices' },
        { value: 'full', label: 'Full', title: 'All prices of the map' },
    ],
    view.zoom,
    (zoom) => {
        view.zoom = zoom;
        chart.setZoom(zoom);
        writeView(view);
    },
);

fillSelect(
    paletteSelect,
    Object.entries(PALETTES).map(([value, { label }]) => ({ value, label })),
    view.palette,
);

function applyColors(): void {
    const { palette, theme } = view;
    document.documentElement.dataset.theme = theme;
    themeButton.setAttribute('aria-pressed', String(theme === 'light'));
    chart.setColors(palette, theme);
    scaleBar.setColors(palette, theme);
}

symbolSelect.addEventListener('change', () => {
    view.symbol = symbolSelect.value;
    // Steps and sums of another price: neither would mean the same.
    view.bucket = view.threshold = null;
    chart.setThreshold(null);
    select();
});

candlesSelect.addEventListener('change', () => {
    view.candles = candlesSelect.value;
    select();
});

bucketSelect.addEventListener('change', () => {
    view.bucket = bucketSelect.value === 'auto' ? null : Number(bucketSelect.value);
    select();
});

paletteSelect.addEventListener('change', () => {
    view.palette = paletteSelect.value as PaletteName;
    applyColors();
    writeView(view);
});

themeButton.addEventListener('click', () => {
    view.theme = view.theme === 'dark' ? 'light' : 'dark';
    applyColors();
    writeView(view);
});

function toggleFullScreen(): void {
    const change = document.fullscreenElement
        ? document.exitFullscreen()
        : document.documentElement.requestFullscreen();
    change.catch(() => {}); /* the browser says why itself */
}

fullScreenButton.hidden = !document.fullscreenEnabled;
fullScreenButton.addEventListener('click', toggleFullScreen);
document.addEventListener('fullscreenchange', () => {
    const isFull = document.fullscreenElement !== null;
    fullScreenButton.setAttribute('aria-pressed', String(isFull));
});
document.addEventListener('keydown', (event) => {
    const isCommand = event.ctrlKey || event.altKey || event.metaKey;
    const isTyping = event.target instanceof HTMLSelectElement;
    if (event.key === 'f' && !isCommand && !isTyping) toggleFullScreen();
});

element('fit', HTMLButtonElement).addEventListener('click', () => chart.fit());

// --- start ---

async function readSymbols(): Promise<void> {
    const message = await getSymbols();
    symbols = message.symbols;
    database = message.database ?? 'ok';
    element('simulated', HTMLElement).hidden = !message.simulated;
    setText(element('version', HTMLElement), `heatcast ${message.version}`);
}

function showSymbols(): void {
    // The symbol asked for, else the first that has something to show.
    const asked = symbols.find(({ symbol }) => symbol === view.symbol);
    const first = symbols.find(({ newest }) => newest !== null) ?? symbols[0];
    view.symbol = (asked ?? first)?.symbol ?? null;
    fillSelect(
        symbolSelect,
        symbols.map(({ symbol }) => ({ value: symbol, label: symbol })),
        view.symbol ?? '',
    );
    symbolSelect.disabled = symbols.length === 0;
}

/** Looks now and then whether there are other symbols, or data where there were none. */
async function refreshSymbols(): Promise<void> {
    const essence = (): string =>
        symbols.map(({ symbol, newest }) => `${symbol} ${newest !== null}`).join();
    const shown = essence();
    await readSymbols();
    if (essence() === shown) return;
    const chosen = view.symbol;
    showSymbols();
    if (view.symbol !== chosen) select();
}

async function start(): Promise<void> {
    try {
        await readSymbols();
    } catch (cause) {
        showMessage('The map cannot be shown', (cause as Error).message, false);
        setTimeout(() => void start(), START_AGAIN_MS);
        return;
    }
    showSymbols();
    select();
}

/** The licence of the chart library asks for its name and a link; the page loads nothing from it. */
function nameChartLibrary(): void {
    const link = make('a', '', 'Charts by TradingView');
    link.href = 'https://www.tradingview.com/';
    link.target = '_blank';
    link.rel = 'noopener';
    element('charts', HTMLElement).append(link);
}

nameChartLibrary();
chart.setSide(view.side);
chart.setZoom(view.zoom);
chart.setThreshold(view.threshold);
applyColors();
feed.connect();
void start();
setInterval(() => summary.showAge(), AGE_EVERY_MS);
setInterval(() => void refreshSymbols().catch(() => {}), SYMBOLS_EVERY_MS);
