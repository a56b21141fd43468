// A public archive as data.binance.vision is one, on loopback: files, their checksums, ranges, an
// error of S3 for what is not there. It misbehaves on command.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';

import { listenFor } from './link-probe.mjs';
import { cutMarket, klinesCsv, metricsCsv } from './market.mjs';
import { eventually } from './process.mjs';
import { zip } from './zip.mjs';

const dayMs = 86_400_000;
const dayOf = (ms) => new Date(ms).toISOString().slice(0, 10);

const notFound = (path) =>
    '<?xml version="1.0" encoding="UTF-8"?>\n' +
    '<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message>' +
    `<Key>${path}</Key><RequestId>0</RequestId><HostId>0</HostId></Error>`;

export const archivePath = (symbol, kind, period) =>
    kind === 'metrics'
        ? `data/futures/um/daily/metrics/${symbol}/${symbol}-metrics-${period}.zip`
        : `data/futures/um/${period.length === 7 ? 'monthly' : 'daily'}/klines/${symbol}/5m/` +
          `${symbol}-5m-${period}.zip`;

class Archive {
    files = new Map(); // path -> bytes
    checksums = new Map(); // path -> what is published instead of the truth
    requests = []; // {path, range, status}
    onRequest; // is told of each when it is over
    atATime = { now: 0, most: 0 }; // requests under way
    #rules = [];

    put(path, bytes) {
        this.files.set(path, bytes);
    }

    // The files of a market as the archive has them: each day's, and of whole months if `months`.
    putMarket(market, { months = false } = {}) {
        const { symbol } = market;
        const label = months ? (ms) => dayOf(ms).slice(0, 7) : dayOf;
        const from = Math.floor(market.candles[0].time / dayMs) * dayMs;
        const pieces = new Map();
        for (let day = from; day <= market.candles.at(-1).time; day += dayMs)
            pieces.set(label(day), [...(pieces.get(label(day)) ?? []), day]);
        for (const [period, days] of pieces) {
            const part = cutMarket(market, days[0], days.at(-1) + dayMs);
            this.putKlines(symbol, period, part.candles);
            if (!months) this.putMetrics(symbol, period, part.interest);
        }
    }

    putKlines(symbol, period, candles) {
        const content = { [`${symbol}-5m-${period}.csv`]: klinesCsv(candles) };
        this.put(archivePath(symbol, 'klines', period), zip(content));
    }

    putMetrics(symbol, day, interest) {
        const content = { [`${symbol}-metrics-${day}.csv`]: metricsCsv(symbol, interest) };
        this.put(archivePath(symbol, 'metrics', day), zip(content));
    }

    // Requests whose path fits `pattern` get what `how` says, `times` times:
    //   {status, headers, body}   another answer
    //   {cut: bytes}              so much of the body, and the connection ends
    //   {stall: bytes}            so much of it, and silence
    //   {silent: true}            not even a head
    //   {ignoresRange: true}      all of it, whatever was asked for
    misbehave(pattern, how, times = Number.POSITIVE_INFINITY) {
        this.#rules.push({ pattern, how, left: times });
    }

    behave() {
        this.#rules = [];
    }

    #ruleFor(path) {
        const rule = this.#rules.find(({ pattern, left }) => left > 0 && pattern.test(path));
        if (rule) rule.left -= 1;
        return rule?.how ?? {};
    }

    #content(path) {
        if (!path.endsWith('.CHECKSUM')) return this.files.get(path);
        const of = path.slice(0, -'.CHECKSUM'.length);
        const file = this.files.get(of);
        if (file === undefined) return undefined;
        const digits = this.checksums.get(of) ?? createHash('sha256').update(file).digest('hex');
        return Buffer.from(`${digits}  ${of.split('/').at(-1)}\n`);
    }

    answer(request, response) {
        const path = decodeURIComponent(request.url.slice(1));
        const how = this.#ruleFor(path);
        const noted = { path, range: request.headers.range };
        this.requests.push(noted);
        this.atATime.now += 1;
        this.atATime.most = Math.max(this.atATime.most, this.atATime.now);
        response.on('close', () => {
            this.atATime.now -= 1;
            this.onRequest?.(noted);
        });
        const content = this.#content(path);
        if (how.silent) return;
        if (how.status !== undefined) return this.#send(response, noted, how, how.body ?? '');
        if (content === undefined)
            return this.#send(response, noted, { status: 404 }, notFound(path));
        this.#sendFile(response, noted, content, how);
    }

    #send(response, noted, { status, headers }, body) {
        noted.status = status;
        response.writeHead(status, { 'Content-Type': 'application/xml', ...headers });
        response.end(body);
    }

    #sendFile(response, noted, content, how) {
        const asked = how.ignoresRange ? undefined : /^bytes=(\d+)-$/.exec(noted.range ?? '')?.[1];
        const from = Number(asked ?? 0);
        if (from >= content.length && from > 0) return this.#send(response, noted, { status: 416 });
        const body = content.subarray(from);
        noted.status = asked === undefined ? 200 : 206;
        response.writeHead(noted.status, {
            'Content-Length': body.length,
            ETag: `"${createHash('md5').update(content).digest('hex')}"`,
            ...(asked && {
                'Content-Range': `bytes ${from}-${content.length - 1}/${content.length}`,
            }),
        });
        if (how.cut !== undefined)
            response.write(body.subarray(0, how.cut), () => response.socket?.destroySoon());
        else if (how.stall !== undefined) response.write(body.subarray(0, how.stall));
        else response.end(body);
    }

    // Requests for files themselves, not for checksums, whose path fits.
    downloads(pattern = /./) {
        return this.requests.filter(({ path }) => path.endsWith('.zip') && pattern.test(path));
    }

    asked(pattern) {
        return eventually(`a request for ${pattern}`, () =>
            this.requests.some(({ path }) => pattern.test(path)),
        );
    }
}

// An archive for the length of one test; with `pair` over TLS.
export async function serveArchive(t, { pair } = {}) {
    const archive = new Archive();
    const answer = (request, response) => archive.answer(request, response);
    const server = pair
        ? createTlsServer({ cert: pair.ca, key: pair.keyBytes }, answer)
        : createServer(answer);
    archive.port = await listenFor(t, server);
    archive.url = `${pair ? 'https' : 'http'}://127.0.0.1:${archive.port}`;
    return archive;
}
