// The symbols that the server has, and what else it says along with them: the state of its database,
// whether its data are simulated, its version.
//
// The list changes while a page is open: data are imported for a symbol that had none, or another
// server comes up at the same address. So it is read again every minute and with each new
// connection, and shown again when symbols have come or gone, or have got their first data.

import { getSymbols, type SymbolInfo } from './api.js';
import { element, fillSelect, setText } from './dom.js';
import type { View } from './state.js';

const REFRESH_EVERY_MS = 60_000;
const START_AGAIN_MS = 5_000;

export interface SymbolHandlers {
    /** `view.symbol` is known for the first time, or is another one now. */
    onSelect: () => void;
    /** The list cannot be read; start() tries again by itself. */
    onFailure: (reason: string) => void;
}

export class Symbols {
    readonly #view: View;
    readonly #handlers: SymbolHandlers;
    readonly #select = element('symbol', HTMLSelectElement);
    readonly #simulated = element('simulated', HTMLElement);
    readonly #version = element('version', HTMLElement);
    #list: readonly SymbolInfo[] = [];
    #database = 'ok';
    #startTimer: number | undefined;

    constructor(view: View, handlers: SymbolHandlers) {
        this.#view = view;
        this.#handlers = handlers;
        this.#select.addEventListener('change', () => this.#chosen(this.#select.value));
        setInterval(() => this.refresh(), REFRESH_EVERY_MS);
    }

    /** Whether the server has named any symbol yet. */
    get isKnown(): boolean {
        return this.#list.length > 0;
    }

    /** Whatever is wrong with the database, whether importing data would help. */
    get isImportMissing(): boolean {
        return this.#database === 'ok' || this.#database.includes('heatcast import');
    }

    /** The bucket that the server chooses for a symbol; null: not known. */
    bucketOf(symbol: string | null): number | null {
        return this.#list.find((info) => info.symbol === symbol)?.bucket ?? null;
    }

    /** Why there is nothing of a symbol; null: there may be something, so the map can be asked for. */
    async whyEmpty(symbol: string): Promise<string | null> {
        if (this.#isEmpty(symbol)) await this.#read().catch(() => {});
        if (!this.#isEmpty(symbol)) return null;
        return this.#database === 'ok'
            ? 'The database holds no candle of this symbol.'
            : this.#database;
    }

    /** Reads the list until that succeeds, and selects a symbol. */
    async start(): Promise<void> {
        clearTimeout(this.#startTimer);
        try {
            await this.#read();
        } catch (cause) {
            this.#handlers.onFailure((cause as Error).message);
            this.#startTimer = setTimeout(() => void this.start(), START_AGAIN_MS);
            return;
        }
        this.#show();
        this.#handlers.onSelect();
    }

    /** Reads the list again; where that fails, the next time will do. */
    refresh(): void {
        void this.#refresh().catch(() => {});
    }

    async #refresh(): Promise<void> {
        const essence = (): string =>
            this.#list.map(({ symbol, newest }) => `${symbol} ${newest !== null}`).join();
        const shown = essence();
        await this.#read();
        if (essence() === shown) return;
        const chosen = this.#view.symbol;
        this.#show();
        if (this.#view.symbol !== chosen) this.#handlers.onSelect();
    }

    async #read(): Promise<void> {
        const message = await getSymbols();
        this.#list = message.symbols;
        this.#database = message.database ?? 'ok';
        this.#simulated.hidden = !message.simulated;
        setText(this.#version, `heatcast ${message.version}`);
    }

    /** Shows the symbol of the view; where the server lacks it, the first that has data. */
    #show(): void {
        const view = this.#view;
        const asked = this.#list.find(({ symbol }) => symbol === view.symbol);
        const first = this.#list.find(({ newest }) => newest !== null) ?? this.#list[0];
        view.symbol = (asked ?? first)?.symbol ?? null;
        fillSelect(
            this.#select,
            this.#list.map(({ symbol }) => ({ value: symbol, label: symbol })),
            view.symbol ?? '',
        );
        this.#select.disabled = this.#list.length === 0;
    }

    #chosen(symbol: string): void {
        this.#view.symbol = symbol;
        // Steps and sums of another price would not mean the same.
        this.#view.bucket = this.#view.threshold = null;
        this.#handlers.onSelect();
    }

    /** Whether the server has said that there is nothing of this symbol. */
    #isEmpty(symbol: string): boolean {
        return this.#list.some((info) => info.symbol === symbol && info.newest === null);
    }
}
