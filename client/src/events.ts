// Typed events on top of the platform's EventTarget. CustomEvent would do, but Node 18 lacks it.

export class DetailEvent<T> extends Event {
    readonly detail: T;

    constructor(type: string, detail: T) {
        super(type);
        this.detail = detail;
    }
}

export type DetailListener<T> =
    | ((event: DetailEvent<T>) => void)
    | { handleEvent(event: DetailEvent<T>): void };
