// The page's composition root: what the user chooses goes to feed and chart, what they tell goes
// into the page's elements.

import type { Snapshot, StatusDetail } from 'heatcast-client';
import { getSymbols, type ApiError, type Candle, type SymbolInfo } from './api.js';
import { ColorScaleBar } from './color-scale.js';
import { element, fillSegmented, fillSelect, make, setText } from './dom.js';
import { Feed, type Selection } from './feed.js';
import {
    formatAge,
    formatDay,
    formatInterval,
    formatPercent,
    formatPrice,
    formatTime,
    formatUsd,
} from './format.js';
import { CANDLE_SECONDS, type Side } from './grid.js';
import { MapChart, type Hover, type Zoom } from './map-chart.js';
import { PALETTES, type PaletteName } from './palette.js';
import {
    CANDLE_INTERVALS,
    candleInterval,
    isFitting,
    RANGES,
    rangeOf,
    readPreferences,
    readView,
    writePreferences,
    writeView,
} from './state.js';
import { Tooltip } from './tooltip.js';

const STALE_SECONDS = 15 * 60;
const SYMBOLS_EVERY_MS = 60_000;
const CONNECTING_SHOWN_AFTER_MS = 500;

const STATUS_WORDS = {
    connecting: 'Connecting',
    connected: 'Connected',
    slow: 'Slow connection',
    disconnected: 'Disconnected',
} as const;

const view = readView();
const preferences = readPreferences();

const stage = element('chart', HTMLElement).parentElement as HTMLElement;
const symbolSelect = element('symbol', HTMLSelectElement);
const candlesSelect = element('candles', HTMLSelectElement);
const paletteSelect = element('palette', HTMLSelectElement);
const themeButton = element('theme', HTMLButtonElement);
const price = element('price', HTMLElement);
const change = element('change', HTMLElement);
const age = element('age', HTMLElement);
const caption = element('caption', HTMLElement);
const status = element('status', HTMLElement);
const profile = element('profile', HTMLCanvasElement);

let side: Side = 'both';
let symbols: SymbolInfo[] = [];
let database = 'ok';
let selection: Selection | null = null;
let shownPrice: number | null = null;
let moveTimer: number | undefined;

const chart = new MapChart(element('chart', HTMLElement), profile);
const scaleBar = new ColorScaleBar((low) => chart.setThreshold(low));
const tooltip = new Tooltip(stage);

const feed = new Feed({
    onLoading: () => {
        hideMessage();
        element('loading', HTMLElement).hidden = false;
        chart.clear();
        clearNumbers();
    },
    onMap: (grid, candles, shown, isRefresh) => {
        hideMessage();
        element('loading', HTMLElement).hidden = true;
        chart.show(grid, candles, shown.interval.seconds, isRefresh);
        showTotals();
        showPrice(grid.lastClose);
        showAge();
        showCaption(chart.lastCandle);
    },
    onSnapshot: (snapshot) => {
        const result = chart.applySnapshot(snapshot);
        if (result !== 'gap' && result !== 'old') showSnapshot(snapshot);
        return result;
    },
    onCandles: (candles) => chart.mergeCandles(candles),
    onFailure: showFailure,
    whyEmpty: async (symbol) => {
        if (isKnownEmpty(symbol)) await readSymbols().catch(() => {});
        if (!isKnownEmpty(symbol)) return null;
        return database === 'ok' ? 'The database holds no candle of this symbol.' : database;
    },
    onStatus: showStatus,
});

// --- the head of the page ---

function clearNumbers(): void {
    shownPrice = null;
    price.removeAttribute('data-move');
    for (const id of ['price', 'created', 'consumed', 'total-long', 'total-short', 'age']) {
        setText(element(id, HTMLElement), '–');
    }
    age.dataset['stale'] = 'false';
    setText(change, '');
    caption.replaceChildren();
    document.title = 'heatcast';
}

function showPrice(value: number): void {
    setText(price, formatPrice(value, chart.decimals));
    if (shownPrice !== null && value !== shownPrice) {
        price.dataset['move'] = value > shownPrice ? 'up' : 'down';
        clearTimeout(moveTimer);
        moveTimer = setTimeout(() => price.removeAttribute('data-move'), 800);
    }
    shownPrice = value;
    const first = chart.firstCandle;
    const grid = chart.grid;
    if (first && grid && selection) {
        const ratio = value / first.open - 1;
        const range = rangeOf(selection.range);
        // The database may begin later than the range that was asked for.
        const isWhole = grid.lastTime - first.time > range.seconds * 0.95;
        const since = isWhole ? `in ${range.label}` : `since ${formatDay(first.time)}`;
        setText(change, `${formatPercent(ratio)} ${since}`);
        change.className = ratio < 0 ? 'short' : 'long';
    }
    if (selection) document.title = `${price.textContent} ${selection.symbol} · heatcast`;
}

function showTotals(): void {
    let long = 0;
    let short = 0;
    for (const level of chart.grid?.newestLevels() ?? []) {
        long += level.long_density;
        short += level.short_density;
    }
    setText(element('total-long', HTMLElement), formatUsd(long));
    setText(element('total-short', HTMLElement), formatUsd(short));
}

function showSnapshot({ data }: Snapshot): void {
    showPrice(data.current_price);
    showTotals();
    setText(element('created', HTMLElement), data.positions_created.toLocaleString('en-US'));
    setText(element('consumed', HTMLElement), data.positions_consumed.toLocaleString('en-US'));
    showAge();
    if (tooltipHover) showHover(tooltipHover);
    else showCaption(chart.lastCandle);
}

function showAge(): void {
    const time = chart.grid?.lastTime;
    if (!time) return;
    const seconds = Math.max(0, Date.now() / 1000 - time);
    const isStale = seconds > STALE_SECONDS;
    // A candle's time is its beginning: during its own five minutes it is as new as can be.
    const words = formatAge(Math.max(0, seconds - CANDLE_SECONDS));
    const note = isStale ? `old data: ${words}` : words;
    setText(age, `Newest candle ${formatTime(time)} UTC, ${note}`);
    age.dataset['stale'] = String(isStale);
}

let connectingTimer: number | undefined;

function showStatus({ status: now }: StatusDetail): void {
    clearTimeout(connectingTimer);
    // After a restart the server may be another one: other symbols, real data instead of simulated.
    if (now === 'connected' && symbols.length > 0) void refreshSymbols().catch(() => {});
    const show = (): void => {
        status.dataset['status'] = now;
        setText(element('status-text', HTMLElement), STATUS_WORDS[now]);
    };
    // Attempts that fail at once would make the word flicker while the server is away.
    if (now === 'connecting') connectingTimer = setTimeout(show, CONNECTING_SHOWN_AFTER_MS);
    else show();
}

// --- crosshair ---

let tooltipHover: Hover | null = null;

function showHover(hover: Hover): void {
    const grid = chart.grid;
    if (!grid) return;
    tooltip.show(hover, { bucket: grid.bucket, currentPrice: grid.lastClose, side });
    showCaption(hover.candle ?? chart.lastCandle);
}

chart.onHover = (hover) => {
    tooltipHover = hover;
    if (hover) {
        showHover(hover);
    } else {
        tooltip.hide();
        showCaption(chart.lastCandle);
    }
};

profile.addEventListener('pointermove', (event) => chart.pointAtNewest(event.offsetY));
profile.addEventListener('pointerleave', () => chart.pointAtNewest(null));

function showCaption(candle: Candle | null): void {
    if (!candle || !selection) return;
    const value = (name: string, amount: number): HTMLElement => {
        const number = make('i', '', formatPrice(amount, chart.decimals));
        number.className = candle.close < candle.open ? 'short' : 'long';
        return make('span', '', `${name} `, number);
    };
    caption.replaceChildren(
        make('b', '', selection.symbol),
        make('span', '', formatInterval(selection.interval.seconds)),
        value('O', candle.open),
        value('H', candle.high),
        value('L', candle.low),
        value('C', candle.close),
    );
}

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

function select(): void {
    if (!view.symbol) return;
    const range = rangeOf(view.range);
    selection = {
        symbol: view.symbol,
        range: range.id,
        interval: candleInterval(view.candles, range, chart.width),
    };
    fillSelect(
        candlesSelect,
        [
            {
                value: 'auto',
                label: `Auto: ${candleInterval('auto', range, chart.width).id} candles`,
            },
            ...CANDLE_INTERVALS.filter((interval) => isFitting(interval, range)).map(({ id }) => ({
                value: id,
                label: `${id} candles`,
            })),
        ],
        view.candles === selection.interval.id ? view.candles : 'auto',
    );
    writeView(view);
    feed.select(selection);
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
    side,
    (chosen) => {
        side = chosen;
        chart.setSide(chosen);
    },
);

fillSegmented<Zoom>(
    'zoom',
    [
        { value: 'near', label: 'Near', title: 'Prices around the candles' },
        { value: 'wide', label: 'Wide', title: 'A wider range of prices' },
        { value: 'full', label: 'Full', title: 'All prices of the map' },
    ],
    'near',
    (zoom) => chart.setZoom(zoom),
);

fillSelect(
    paletteSelect,
    Object.entries(PALETTES).map(([value, { label }]) => ({ value, label })),
    preferences.palette,
);

function applyColors(): void {
    const { palette, theme } = preferences;
    document.documentElement.dataset['theme'] = theme;
    themeButton.setAttribute('aria-pressed', String(theme === 'light'));
    chart.setPalette(palette);
    chart.setTheme(theme);
    scaleBar.setColors(palette, theme);
}

symbolSelect.addEventListener('change', () => {
    view.symbol = symbolSelect.value;
    select();
});

candlesSelect.addEventListener('change', () => {
    view.candles = candlesSelect.value;
    select();
});

paletteSelect.addEventListener('change', () => {
    preferences.palette = paletteSelect.value as PaletteName;
    writePreferences(preferences);
    applyColors();
});

themeButton.addEventListener('click', () => {
    preferences.theme = preferences.theme === 'dark' ? 'light' : 'dark';
    writePreferences(preferences);
    applyColors();
});

element('fit', HTMLButtonElement).addEventListener('click', () => chart.fit());
chart.onScale = (scale) => scaleBar.show(scale);

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
        setTimeout(() => void start(), 5_000);
        return;
    }
    showSymbols();
    select();
}

applyColors();
feed.connect();
void start();
setInterval(showAge, 5_000);
setInterval(() => void refreshSymbols().catch(() => {}), SYMBOLS_EVERY_MS);
