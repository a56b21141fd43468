// What happens on a stand-in exchange: the truth that all its answers and messages are made from.
// One symbol; everything follows from the seed and the time, so a test can ask for any row again.
//
// In a candle the price takes a step every ten seconds; the candle as it is at some moment consists
// of the steps before it. Open interest is a walk from one 5-minute step to the next, in a straight
// line between. Liquidations come in clusters, some of them equal to the letter.
//
// Prices, quantities and values are BigInt scaled by 10^8, times epoch milliseconds.
import { parseDecimal } from '../decimal.mjs';
import { makeRandom } from '../market.mjs';

export const candleMs = 300_000;
const stepMs = 10_000;
const steps = candleMs / stepMs;
const one = 100_000_000n;
const pathsMax = 16;

export const floorTime = (time, ms = candleMs) => Math.floor(time / ms) * ms;

function hash(text) {
    let value = 0x811c9dc5;
    for (const char of text) value = Math.imul(value ^ char.codePointAt(0), 0x01000193) >>> 0;
    return value;
}

const multiply = (a, b) => (a * b) / one;

// A path from `open`, in ticks, pulled back to `middle` where it is far away.
function walk(open, middle, random) {
    const ticks = [open];
    for (let i = 1; i < steps; i++) {
        const last = ticks[i - 1];
        const pull = (middle - last) * 0.0005;
        const size = Math.max(2, middle * 0.0006);
        ticks.push(Math.max(1, Math.round(last + pull + (random() - 0.5) * 2 * size)));
    }
    return ticks;
}

export class Market {
    #middle;
    #tick;
    #lot;
    #contracts; // in lots, in the middle
    #opens = []; // ticks, by the number of the candle
    #interest = []; // lots, by the number of the step
    #seeds;
    #paths = new Map(); // the last few, by the number of the candle

    // `start` is when the symbol was listed. `price` is around where it moves. Two markets of one
    // name move alike in price, and differ in all else if their exchanges differ.
    constructor({
        name = 'BTCUSDT',
        exchange = '',
        start = '2025-11-08T00:00:00Z',
        price = '90000',
        tick = '0.1',
        lot = '0.001',
        contracts = '75000',
    } = {}) {
        this.name = name;
        this.startMs = floorTime(new Date(start).getTime());
        this.#tick = parseDecimal(tick);
        this.#lot = parseDecimal(lot);
        this.#middle = Number(parseDecimal(price) / this.#tick);
        this.#contracts = Number(parseDecimal(contracts) / this.#lot);
        this.#seeds = { price: hash(name), other: hash(`${exchange} ${name}`) };
    }

    #random(kind, index) {
        return makeRandom((this.#seeds[kind] ^ Math.imul(index + 1, 0x9e3779b1)) >>> 0);
    }

    #index(time) {
        return Math.floor((time - this.startMs) / candleMs);
    }

    // The prices of a candle, by its number, in ticks.
    #path(index) {
        if (this.#opens.length === 0) this.#opens.push(this.#middle);
        for (let i = this.#opens.length - 1; i < index; i++)
            this.#opens.push(walk(this.#opens[i], this.#middle, this.#random('price', i)).at(-1));
        let path = this.#paths.get(index);
        if (!path) {
            path = walk(this.#opens[index], this.#middle, this.#random('price', index));
            if (this.#paths.size >= pathsMax) this.#paths.clear();
            this.#paths.set(index, path);
        }
        return path;
    }

    #price(ticks) {
        return BigInt(ticks) * this.#tick;
    }

    // The candle that opens then, as it is at `now`; undefined where there is none (yet).
    candle(openMs, now = Infinity) {
        if (openMs < this.startMs || now < openMs || (openMs - this.startMs) % candleMs !== 0)
            return undefined;
        const index = this.#index(openMs);
        const count = Math.min(steps, Math.floor((now - openMs) / stepMs) + 1);
        const path = this.#path(index).slice(0, count);
        const random = this.#random('other', index);
        const lots = path.map(() => 1 + Math.floor(random() * 3000));
        const taken = lots.map((number) => Math.floor(number * 0.4));
        const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
        const coins = (numbers) => BigInt(sum(numbers)) * this.#lot;
        const value = (numbers) =>
            multiply(BigInt(sum(numbers.map((n, i) => n * path[i]))) * this.#tick, this.#lot);
        return {
            openMs,
            open: this.#price(path[0]),
            high: this.#price(Math.max(...path)),
            low: this.#price(Math.min(...path)),
            close: this.#price(path.at(-1)),
            volume: coins(lots),
            quoteVolume: value(lots),
            count: sum(lots.map((number) => 1 + (number % 7))),
            takerVolume: coins(taken),
            takerQuoteVolume: value(taken),
            isClosed: now >= openMs + candleMs,
        };
    }

    // Those that open in [from, to), oldest first, as they are at `now`.
    candles(from, to, now = Infinity) {
        const list = [];
        const first = Math.max(this.startMs, floorTime(from + candleMs - 1));
        for (let openMs = first; openMs < to && openMs <= now; openMs += candleMs)
            list.push(this.candle(openMs, now));
        return list;
    }

    mark(time) {
        const openMs = floorTime(Math.max(time, this.startMs));
        const path = this.#path(this.#index(openMs));
        return this.#price(path[Math.min(steps - 1, Math.floor((time - openMs) / stepMs))]);
    }

    #lots(index) {
        if (this.#interest.length === 0) this.#interest.push(this.#contracts);
        for (let i = this.#interest.length; i <= index; i++) {
            const last = this.#interest[i - 1];
            const pull = (this.#contracts - last) * 0.002;
            const change = (this.#random('other', i + 500_000)() - 0.5) * this.#contracts * 0.01;
            this.#interest.push(Math.max(1, Math.round(last + pull + change)));
        }
        return this.#interest[index];
    }

    // The state at a moment: coins of one side, and what they are worth.
    interest(time) {
        if (time < this.startMs) return undefined;
        const index = this.#index(time);
        const part = (time - this.startMs - index * candleMs) / candleMs;
        const from = this.#lots(index);
        const lots = part === 0 ? from : Math.round(from + (this.#lots(index + 1) - from) * part);
        const contracts = BigInt(lots) * this.#lot;
        return { timeMs: time, contracts, value: multiply(contracts, this.mark(time)) };
    }

    // Whose positions were liquidated in [from, to), in order of time.
    liquidations(from, to) {
        const list = [];
        const first = Math.max(this.#index(from), 0);
        for (let index = first; this.startMs + index * candleMs < to; index++)
            list.push(...this.#liquidationsOf(index));
        return list.filter((row) => row.timeMs >= from && row.timeMs < to);
    }

    #liquidationsOf(index) {
        const random = this.#random('other', index + 1_000_000);
        const openMs = this.startMs + index * candleMs;
        const path = this.#path(index);
        const list = [];
        for (let left = Math.floor(random() * 8); left > 0; left--) {
            const at = Math.floor(random() * steps);
            const isLong = random() < 0.5 ? path[at] <= path[0] : random() < 0.5;
            const row = {
                timeMs: openMs + at * stepMs + Math.floor(random() * stepMs),
                isLong,
                price: this.#price(Math.max(1, path[at] + (isLong ? -3 : 3))),
                quantity: BigInt(1 + Math.floor(random() * 5000)) * this.#lot,
            };
            row.value = multiply(row.price, row.quantity);
            for (let times = random() < 0.2 ? 3 : 1; times > 0; times--) list.push({ ...row });
        }
        list.sort((a, b) => a.timeMs - b.timeMs);
        return list.map((row, number) => ({ ...row, id: `${openMs}/${number}` }));
    }
}
