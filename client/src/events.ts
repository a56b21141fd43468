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

// Taken from EventTarget's own methods, because Node's types lack the DOM's names for them.
type AnyListener = Parameters<EventTarget['addEventListener']>[1];
type AddOptions = Parameters<EventTarget['addEventListener']>[2];
type RemoveOptions = Parameters<EventTarget['removeEventListener']>[2];

/** An EventTarget. `Events` maps the names of its events to the types of their details. */
export class TypedEventTarget<Events> extends EventTarget {
    override addEventListener<K extends keyof Events & string>(
        type: K,
        listener: DetailListener<Events[K]> | null,
        options?: AddOptions,
    ): void;
    override addEventListener(type: string, listener: AnyListener, options?: AddOptions): void;
    override addEventListener(type: string, listener: unknown, options?: AddOptions): void {
        super.addEventListener(type, listener as AnyListener, options);
    }

    override removeEventListener<K extends keyof Events & string>(
        type: K,
        listener: DetailListener<Events[K]> | null,
        options?: RemoveOptions,
    ): void;
    override removeEventListener(
        type: string,
        listener: AnyListener,
        options?: RemoveOptions,
    ): void;
    override removeEventListener(type: string, listener: unknown, options?: RemoveOptions): void {
        super.removeEventListener(type, listener as AnyListener, options);
    }

    protected emit<K extends keyof Events & string>(type: K, detail: Events[K]): void {
        this.dispatchEvent(new DetailEvent(type, detail));
    }
}
