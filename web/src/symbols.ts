// The list of symbols, and what else the server reports along with it: the state of its database,
// whether its data are simulated, its version.
//
// The list can change while a page is open: a symbol gets its first data, or the server is replaced
// by another. So it is read again every minute and after each reconnect, and the control is filled
// again when symbols were added or removed, or one has got data.

import { getSymbols, type SymbolInfo } from './api.js';
import { element, fillSelect, setText } from './dom.js';
import type { View } from './state.js';

const REFRESH_EVERY_MS = 60_000;
const START_AGAIN_MS = 5_000;
/** Of the name of a symbol that is not one of the server's. */
const NAME_MAX = 40;

export interface SymbolHandlers {
    /** `view.symbol` is known for the first time, or is another one now. */
    onSelect: () => void;
    /** The server replays the past. */
    onReplay: () => void;
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
    #lacking: string | null = null;
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

    /** Whether importing data would help, as opposed to a database that cannot be read. */
    get isImportMissing(): boolean {
        return this.#database === 'ok' || this.#database.includes('heatcast import');
    }

    /** The bucket that the server chooses for a symbol; null: not known. */
    bucketOf(symbol: string | null): number | null {
        return this.#list.find((info) => info.symbol === symbol)?.bucket ?? null;
    }

    /** That the address asks for a symbol that the server lacks; null: it has it. */
    get note(): string | null {
        return this.#lacking === null
            ? null
            : `${this.#lacking} is not served here: this is ${this.#view.symbol}.`;
    }

    /** Why the server has no data of a symbol; null: it may have some. */
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

    /** Reads the list again; after a failure the next refresh tries again. */
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
        if (message.replay) this.#handlers.onReplay();
        setText(this.#version, `heatcast ${message.version}`);
    }

    /** Shows the symbol of the view; where the server lacks it, the first that has data. */
    #show(): void {
        const view = this.#view;
        const asked = this.#find(view.symbol ?? '');
        const first = this.#list.find(({ newest }) => newest !== null) ?? this.#list[0];
        if (view.symbol !== null && !asked) {
            this.#lacking = view.symbol.slice(0, NAME_MAX);
            view.bucket = view.threshold = null; /* they were for other prices */
        }
        view.symbol = (asked ?? first)?.symbol ?? null;
        fillSelect(
            this.#select,
            this.#list.map(({ symbol }) => ({ value: symbol, label: symbol })),
            view.symbol ?? '',
        );
        this.#select.disabled = this.#list.length === 0;
    }

    /** As it is written in an address, else in other letters of the same kind, or as a pair. */
    #find(name: string): SymbolInfo | undefined {
        const plain = (text: string): string =>
            text.toUpperCase().replace(/\/([^:]*)(:.*)?$/, '$1');
        return (
            this.#list.find(({ symbol }) => symbol === name) ??
            this.#list.find(({ symbol }) => plain(symbol) === plain(name))
        );
    }

    #chosen(symbol: string): void {
        this.#view.symbol = symbol;
        this.#lacking = null;
        // A bucket and a threshold mean something else at another price.
        this.#view.bucket = this.#view.threshold = null;
        this.#handlers.onSelect();
    }

    /** Whether the server has reported this symbol as without data. */
    #isEmpty(symbol: string): boolean {
        return this.#list.some((info) => info.symbol === symbol && info.newest === null);
    }
}
