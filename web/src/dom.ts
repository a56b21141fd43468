// Helpers for the page's elements. An element that is missing from index.html is an error at start.

export function element<T extends HTMLElement>(id: string, kind: new () => T): T {
    const found = document.getElementById(id);
    if (!(found instanceof kind)) throw new Error(`index.html lacks #${id}`);
    return found;
}

export function make<K extends keyof HTMLElementTagNameMap>(
    tag: K,
    className: string,
    ...children: (string | Node)[]
): HTMLElementTagNameMap[K] {
    const made = document.createElement(tag);
    if (className) made.className = className;
    made.append(...children);
    return made;
}

/** Sets text only where it differs, so that a live region is not read out for no reason. */
export function setText(target: HTMLElement, text: string): void {
    if (target.textContent !== text) target.textContent = text;
}

export interface Choice<T extends string> {
    value: T;
    label: string;
    title?: string;
}

/** Radio buttons styled as one switch: arrow keys and screen readers work as for any others. */
export function fillSegmented<T extends string>(
    id: string,
    choices: readonly Choice<T>[],
    chosen: T,
    onChange: (value: T) => void,
): void {
    const fieldset = element(id, HTMLFieldSetElement);
    for (const { value, label, title } of choices) {
        const input = make('input', '');
        input.type = 'radio';
        input.name = id;
        input.value = value;
        input.checked = value === chosen;
        input.addEventListener('change', () => onChange(value));
        const item = make('label', '', input, make('span', '', label));
        if (title) item.title = title;
        fieldset.append(item);
    }
}

export function fillSelect(
    select: HTMLSelectElement,
    choices: readonly Choice<string>[],
    chosen: string,
): void {
    select.replaceChildren(
        ...choices.map(({ value, label }) => {
            const option = make('option', '', label);
            option.value = value;
            return option;
        }),
    );
    select.value = chosen;
}
