// The message that every peer sends: a real one of heatcast's, with new numbers each time.
import { readFileSync } from 'node:fs';

const place = '"seq":';
const digits = 6;

export function loadPayload(path) {
    const text = readFileSync(path, 'utf8');
    const at = text.indexOf(place) + place.length;
    const before = text.slice(0, at);
    const after = text.slice(at + digits);
    let published = 0;
    return () => before + String(++published % 10 ** digits).padStart(digits, '0') + after;
}
