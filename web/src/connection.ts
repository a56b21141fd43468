// What is told of the connection: its status, always, and its warnings, for a while.

import type { StatusDetail, WarningDetail } from 'heatcast-client';
import { element, setText } from './dom.js';
import { formatCount } from './format.js';

const CONNECTING_SHOWN_AFTER_MS = 500;
const NOTICE_SHOWN_MS = 15_000;

const WORDS = {
    connecting: 'Connecting',
    connected: 'Connected',
    slow: 'Slow connection',
    disconnected: 'Disconnected',
} as const;

export class ConnectionView {
    readonly #status = element('status', HTMLElement);
    readonly #text = element('status-text', HTMLElement);
    readonly #notice = element('notice', HTMLElement);
    readonly #noticeText = element('notice-text', HTMLElement);
    #connectingTimer: number | undefined;
    #noticeTimer: number | undefined;

    constructor() {
        element('notice-close', HTMLButtonElement).addEventListener('click', () => this.#hide());
    }

    /** `hasPoller`: while no WebSocket can be had, data come over HTTP. */
    showStatus({ status }: StatusDetail, hasPoller: boolean): void {
        clearTimeout(this.#connectingTimer);
        const isPolling = hasPoller && (status === 'connecting' || status === 'disconnected');
        const show = (): void => {
            this.#status.dataset['status'] = isPolling ? 'polling' : status;
            this.#status.title = isPolling
                ? 'No WebSocket can be had: data are fetched every few seconds instead'
                : '';
            setText(this.#text, isPolling ? 'Polling' : WORDS[status]);
        };
        // Attempts that fail at once would make the word flicker while the server is away.
        if (status === 'connecting' && !isPolling) {
            this.#connectingTimer = setTimeout(show, CONNECTING_SHOWN_AFTER_MS);
        } else {
            show();
        }
    }

    showWarning({ code, message, droppedMessages }: WarningDetail): void {
        const isSlow = code === 'SLOW_CONSUMER';
        const skipped = `${formatCount(droppedMessages)} update${droppedMessages === 1 ? '' : 's'}`;
        setText(
            this.#noticeText,
            isSlow && droppedMessages > 0
                ? `Your connection is slow: ${skipped} left out. The map shows the newest.`
                : message,
        );
        this.#notice.hidden = false;
        clearTimeout(this.#noticeTimer);
        this.#noticeTimer = setTimeout(() => this.#hide(), NOTICE_SHOWN_MS);
    }

    #hide(): void {
        clearTimeout(this.#noticeTimer);
        this.#notice.hidden = true;
    }
}
