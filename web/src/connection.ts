// The state of the connection: its status, which is always visible, and warnings, which are shown
// for a while or until they are dismissed. A connection brings nothing new where the server has no
// new data, so the status says that as well: it is good only if both are.

import type { ConnectionStatus, WarningDetail } from 'heatcast-client';
import { element, setText } from './dom.js';
import { formatCount } from './format.js';

const CONNECTING_SHOWN_AFTER_MS = 500;
const NOTICE_SHOWN_MS = 15_000;

const WORDS = {
    connecting: 'Connecting',
    connected: 'Connected',
    slow: 'Slow',
    disconnected: 'Disconnected',
} as const;

export class ConnectionView {
    readonly #status = element('status', HTMLElement);
    readonly #text = element('status-text', HTMLElement);
    readonly #notice = element('notice', HTMLElement);
    readonly #noticeText = element('notice-text', HTMLElement);
    #now: ConnectionStatus = 'connecting';
    #isPolling = false;
    #oldAge: string | null = null;
    #connectingTimer: number | undefined;
    #noticeTimer: number | undefined;

    constructor() {
        element('notice-close', HTMLButtonElement).addEventListener('click', () => this.#hide());
    }

    showStatus(status: ConnectionStatus): void {
        this.#now = status;
        clearTimeout(this.#connectingTimer);
        // Delayed: attempts that fail at once would make the text flicker while the server is down.
        if (status === 'connecting') {
            this.#connectingTimer = setTimeout(() => this.#draw(), CONNECTING_SHOWN_AFTER_MS);
        } else {
            this.#draw();
        }
    }

    /** Whether snapshots come over HTTP because there is no WebSocket. */
    showPolling(isPolling: boolean): void {
        this.#isPolling = isPolling;
        this.#draw();
    }

    /** The age of the newest candle in words, if the data are old; null: they are not. */
    showAge(oldAge: string | null): void {
        if (oldAge === this.#oldAge) return;
        this.#oldAge = oldAge;
        this.#draw();
    }

    #draw(): void {
        const hasSocket = this.#now === 'connected' || this.#now === 'slow';
        const isPolling = this.#isPolling && !hasSocket;
        const isOld = this.#oldAge !== null && (hasSocket || isPolling);
        this.#status.dataset.status = isPolling ? 'polling' : this.#now;
        this.#status.dataset.stale = String(isOld);
        // Numbers of a market that has moved on do not look like those of one that is followed.
        const isFollowed = (hasSocket || isPolling) && !isOld;
        document.documentElement.dataset.followed = String(isFollowed);
        const reasons = [
            ...(isPolling
                ? ['WebSocket not available: data are fetched every few seconds instead']
                : []),
            ...(isOld ? [`The server has no newer candle than that of ${this.#oldAge}`] : []),
        ];
        this.#status.title = reasons.join('. ');
        const word = isPolling ? 'Polling' : WORDS[this.#now];
        setText(this.#text, isOld ? `${word}, old data` : word);
    }

    showWarning({ code, message, droppedMessages }: WarningDetail): void {
        const isSlow = code === 'SLOW_CONSUMER';
        const skipped = `${formatCount(droppedMessages)} update${droppedMessages === 1 ? '' : 's'}`;
        setText(
            this.#noticeText,
            isSlow && droppedMessages > 0
                ? `Your connection is slow: ${skipped} left out. The map shows the newest data.`
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
