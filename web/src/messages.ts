// What lies over the chart while it has no map to show: that one is loading, or why there is none
// and what can be done about it. At most one of the two is visible. A note stands beside what is
// shown and says what is missing in it.

import { element, setText } from './dom.js';

export class Messages {
    readonly #loading = element('loading', HTMLElement);
    readonly #message = element('message', HTMLElement);
    readonly #title = element('message-title', HTMLElement);
    readonly #text = element('message-text', HTMLElement);
    readonly #importHelp = element('message-help', HTMLElement);
    readonly #note = element('note', HTMLElement);

    constructor(onRetry: () => void) {
        element('retry', HTMLButtonElement).addEventListener('click', onRetry);
    }

    hide(): void {
        this.#loading.hidden = true;
        this.#message.hidden = true;
    }

    showLoading(): void {
        this.showNote(null);
        this.#message.hidden = true;
        this.#loading.hidden = false;
    }

    showFailure(reason: string): void {
        this.#show('The map cannot be shown', reason, false);
    }

    /** `isImportMissing`: explains how data are imported. */
    showEmpty(symbol: string, reason: string, isImportMissing: boolean): void {
        this.#show(`${symbol} has no data yet`, reason, isImportMissing);
    }

    /** What the map lacks; null: nothing. */
    showNote(text: string | null): void {
        this.#note.hidden = text === null;
        setText(this.#note, text ?? '');
    }

    #show(title: string, text: string, hasImportHelp: boolean): void {
        this.#loading.hidden = true;
        this.showNote(null);
        setText(this.#title, title);
        setText(this.#text, text);
        this.#importHelp.hidden = !hasImportHelp;
        this.#message.hidden = false;
    }
}
