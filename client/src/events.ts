// Typed events on top of the platform's EventTarget. CustomEvent would do, but Node 18 lacks it.
//
// What a listener throws must not end the program that follows a market: Node's EventTarget would
// make it an uncaught exception. It is reported instead, as browsers do with such errors, and the
// other listeners get the event all the same.

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

function report(cause: unknown): void {
    if (typeof reportError === 'function') reportError(cause);
    else console.error('heatcast-client: a listener failed:', cause);
}

/** Calls the listener; what it throws, now or later, is reported. */
function guarded(listener: AnyListener): (event: Event) => void {
    const call = (event: Event): unknown =>
        typeof listener === 'function' ? listener(event) : listener?.handleEvent(event);
    return (event) => {
        try {
            const result = call(event);
            if (result instanceof Promise) result.catch(report);
        } catch (cause) {
            report(cause);
        }
    };
}

/** An EventTarget. `Events` maps the names of its events to the types of their details. */
export class TypedEventTarget<Events> extends EventTarget {
    /** One for each listener, so that adding it twice is adding it once, and it can be removed. */
    readonly #guarded = new WeakMap<object, (event: Event) => void>();

    override addEventListener<K extends keyof Events & string>(
        type: K,
        listener: DetailListener<Events[K]> | null,
        options?: AddOptions,
    ): void;
    override addEventListener(type: string, listener: AnyListener, options?: AddOptions): void;
    override addEventListener(type: string, listener: unknown, options?: AddOptions): void {
        super.addEventListener(type, this.#guard(listener), options);
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
        super.removeEventListener(type, this.#guard(listener), options);
    }

    #guard(listener: unknown): ((event: Event) => void) | null {
        if (listener === null || listener === undefined) return null;
        const known = this.#guarded.get(listener);
        if (known) return known;
        const made = guarded(listener as AnyListener);
        this.#guarded.set(listener, made);
        return made;
    }

    protected emit<K extends keyof Events & string>(type: K, detail: Events[K]): void {
        this.dispatchEvent(new DetailEvent(type, detail));
    }
}
