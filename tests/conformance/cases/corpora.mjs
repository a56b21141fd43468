// What is compressed: five kinds of data of our own, of the sizes and kinds of the public suite's
// files, from very regular to hardly compressible. The texts are ASCII, so that they can be cut
// anywhere.
import { makeRandom } from '../../support/market.mjs';

const words = (
    'the of price and heat a level market to in long short was that above below candle it fell rose with ' +
    'interest open close volume position liquidation leverage again until nobody where deep under river night'
).split(' ');

const fill = (size, piece) => {
    let text = '';
    while (text.length < size) text += piece();
    return Buffer.from(text.slice(0, size), 'latin1');
};

function json(size, random) {
    const level = () =>
        `{"price":${98000 + Math.floor(random() * 400) * 10},"long_density":${(random() * 2e6).toFixed(2)},"short_density":0}`;
    const levels = () => Array.from({ length: 20 }, level).join(',');
    return fill(size, () => `{"type":"snapshot","symbol":"BTCUSDT","levels":[${levels()}]}\n`);
}

// Rows of grey that change slowly, with noise in the lowest bits.
function bitmap(size, random) {
    return Buffer.from(
        Uint8Array.from(
            { length: size },
            (_, i) => 128 + 90 * Math.sin((i % 512) / 80) * Math.cos(i / 512 / 60) + 6 * random(),
        ),
    );
}

function prose(size, random) {
    const word = () => words[Math.floor(random() ** 2 * words.length)];
    return fill(
        size,
        () => `${Array.from({ length: 6 + Math.floor(random() * 9) }, word).join(' ')}.\r\n`,
    );
}

function html(size, random) {
    const word = () => words[Math.floor(random() * words.length)];
    const row = () =>
        `<tr class="row-${Math.floor(random() * 3)}"><td>${word()}</td><td>${random().toFixed(6)}</td></tr>\n`;
    return fill(size, () => `<table>\n${Array.from({ length: 12 }, row).join('')}</table>\n`);
}

// Streams that are compressed already, between short headers.
function packed(size, random) {
    const bytes = Buffer.alloc(size);
    for (let i = 0; i < size; i++) bytes[i] = random() * 256;
    for (let at = 0; at + 64 < size; at += 9000)
        bytes.write(`endstream endobj ${at} 0 obj <</Filter /FlateDecode>> stream`, at);
    return bytes;
}

const make = (title, isBinary, size, generate, seed) => ({
    title,
    isBinary,
    data: generate(size, makeRandom(seed)),
});

export const corpora = [
    make('JSON', false, 194056, json, 1),
    make('a bitmap', true, 263222, bitmap, 2),
    make('prose', true, 222218, prose, 3),
    make('HTML', false, 263527, html, 4),
    make('packed data', true, 1042328, packed, 5),
];
