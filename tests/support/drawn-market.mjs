// Markets that are drawn: price and open interest are functions of the candle's index. For what no
// market of the usual shape has: prices of eight decimals, a fall by six decades, a single wick.
import { candleMs } from './market.mjs';
import { parseDecimal } from './decimal.mjs';

// BigInt scaled by 10^8, of a number or of a text where doubles are too coarse.
const scaled = (value) => parseDecimal(typeof value === 'string' ? value : value.toFixed(8));

// `price(i)` is the close of candle i (i = -1: the first open), or a whole candle: { open, high,
// low, close }. `interest(i)` is the open interest in quote currency; null: no row. Without it
// there is none at all.
export function drawMarket({
    symbol = 'BTCUSDT',
    start = '2025-12-01T00:00:00Z',
    candles,
    price,
    interest = () => null,
    volume = () => 1,
}) {
    const market = { symbol, candles: [], interest: [] };
    let last = price(-1);
    for (let i = 0; i < candles; i += 1) {
        const drawn = price(i);
        const candle =
            typeof drawn === 'object'
                ? drawn
                : {
                      open: last,
                      high: Math.max(last, drawn) * 1.001,
                      low: Math.min(last, drawn) * 0.999,
                      close: drawn,
                  };
        last = candle.close;
        const time = Date.parse(start) + i * candleMs;
        market.candles.push({
            time,
            open: scaled(candle.open),
            high: scaled(candle.high),
            low: scaled(candle.low),
            close: scaled(candle.close),
            volume: scaled(volume(i)),
        });
        const value = interest(i);
        if (value !== null) market.interest.push({ time, value: scaled(value) });
    }
    return market;
}

// A price that goes up and down around another.
export const wave =
    (around, part = 0.03) =>
    (i) =>
        around * (1 + part * Math.sin(i / 40) + 0.3 * part * Math.sin(i / 7));

// Open interest that grows by half a million to one and a half a candle.
export const growing = (i) => 5e8 + 1e6 * (i + 0.5 * Math.sin(i));
