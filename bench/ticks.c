/* What a tick costs where the rows are in memory: when the open candle has moved, when a candle has
 * closed, and what that is beside computing the whole window, which is what it gives. For many
 * symbols in turn, each with a window of its own, so that caches are as cold as in a server. Prints
 * one JSON object; times are of the processor, in microseconds.
 *
 *     ticks_bench [SYMBOLS [ROUNDS [MODEL]]]       500 symbols, each with 60 ticks of its open
 * candle
 *
 * A tick ends with the text and its hash, as the generator's does; what the frame and its
 * compression cost, where the snapshot is published, is told beside it. */
#include "base/buffer.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/streams.h"
#include "engine/follower.h"
#include "fail.h"
#include "model/publication.h"
#include "model/snapshot_text.h"
#include "stream/frame.h"
#include "walk.h"
#include "wire/deflate.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { CLOSES = 6, EXTRA = CLOSES + 1, DAY_CANDLES = 288 };

static struct model_settings settings;
static const struct model *model;

static uint64_t cpu_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* What this process has allocated. */
static size_t allocated_bytes(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* A market of a symbol: rows as a database would have them. */
struct rows {
    struct series series;
    double *interest, *contracts; /* of the slot in which the candle opens */
};

static void make_rows(struct rows *rows, enum walk_interest interest, size_t candles)
{
    double value = 1e9;
    *rows = (struct rows){0};
    walk_make(&rows->series, interest, candles);
    rows->interest = memory_allocate_zeroed(candles, sizeof *rows->interest);
    rows->contracts = memory_allocate_zeroed(candles, sizeof *rows->contracts);
    for (size_t i = 0; i < candles; i++) {
        rows->interest[i] = value += rows->series.deltas[i];
        rows->contracts[i] = i > 0 ? rows->series.contracts[i - 1] : 0;
    }
}

static void free_rows(struct rows *rows)
{
    series_deinit(&rows->series);
    free(rows->interest);
    free(rows->contracts);
}

/* What a follower reads of a database that has the rows up to `end`. */
static void load(struct follower *follower, const struct rows *rows, size_t end)
{
    const struct candle *candles = rows->series.candles;
    struct slots slots = {0};
    check(follower_expect(follower, &candles[end - 1].open_time_ms) == STATUS_OK);
    check(follower_begin_load(follower));
    check(slots_span(&slots, slots_number(candles[0].open_time_ms),
                     slots_number(candles[end - 1].open_time_ms) + 1));
    for (size_t i = 0; i < end; i++) {
        slots_set_candle(&slots, slots_number(candles[i].open_time_ms), &candles[i]);
        slots_set_interest(&slots, slots_number(candles[i].open_time_ms), rows->interest[i]);
        slots_set_contracts(&slots, slots_number(candles[i].open_time_ms), rows->contracts[i]);
    }
    follower_load(follower, STORE_CANDLES, &slots);
    follower_load(follower, STORE_INTEREST, &slots);
    follower_end_load(follower, true);
    slots_deinit(&slots);
}

/* The part of a tick that is the generator's. */
struct maker {
    struct run_books books;
    struct snapshot snapshot;
    struct buffer data, text;
    uint64_t hash, seq;
};

static void write_text(struct maker *maker)
{
    buffer_clear(&maker->data);
    snapshot_text_append_data(&maker->data, &maker->snapshot);
    maker->hash =
        publication_hash(maker->snapshot.timestamp_ms, maker->data.data, maker->data.size);
    buffer_clear(&maker->text);
    snapshot_text_append_message(&maker->text, &maker->snapshot,
                                 &(struct snapshot_envelope){.epoch = 1, .seq = ++maker->seq},
                                 maker->data.data, maker->data.size);
}

static void make(struct maker *maker, struct follower *follower)
{
    check(follower_snapshot(follower, &maker->books, 0, &maker->snapshot, NULL) == STATUS_OK);
    write_text(maker);
}

struct result {
    double load_us, open_us, close_us, whole_us, frame_us, deflated_us;
    double bytes;
    size_t levels;
};

static double per(uint64_t since_ns, size_t count)
{
    return (double)(cpu_ns() - since_ns) / 1e3 / (double)count;
}

/* Feeds the candle as it forms: its close goes from where it opened to where it closes. */
static void feed_open(struct follower *follower, struct candle candle, size_t round, size_t rounds)
{
    candle.close_e8 = candle.open_e8 +
                      (candle.close_e8 - candle.open_e8) * (int64_t)(round + 1) / (int64_t)rounds;
    check(follower_feed_candle(follower, &candle, false));
}

static void measure_ticks(struct maker *maker, struct follower *followers, size_t count,
                          const struct rows *rows, size_t window, size_t rounds,
                          struct result *result)
{
    uint64_t open_ns = 0, close_ns = 0, start_ns;
    for (size_t close = 0; close < CLOSES; close++) {
        const size_t at = window + close;
        const struct candle *candle = &rows->series.candles[at];
        for (size_t round = 0; round < rounds / CLOSES; round++) {
            start_ns = cpu_ns();
            for (size_t i = 0; i < count; i++) {
                feed_open(&followers[i], *candle, round, rounds / CLOSES);
                make(maker, &followers[i]);
            }
            if (round > 0) /* the first begins a candle, and closes the one before */
                open_ns += cpu_ns() - start_ns;
        }
        const struct interest interest = {.time_ms = candle->open_time_ms,
                                          .value_e8 = (int64_t)(rows->interest[at] * 1e8),
                                          .contracts_e8 = (int64_t)(rows->contracts[at] * 1e8)};
        start_ns = cpu_ns();
        for (size_t i = 0; i < count; i++) {
            follower_feed_candle(&followers[i], candle, true);
            follower_feed_interest(&followers[i], &interest);
            feed_open(&followers[i], rows->series.candles[at + 1], 0, 10);
            make(maker, &followers[i]);
        }
        close_ns += cpu_ns() - start_ns;
    }
    result->open_us = (double)open_ns / 1e3 / (double)(count * CLOSES * (rounds / CLOSES - 1));
    result->close_us = (double)close_ns / 1e3 / (double)(count * CLOSES);
}

/* The same snapshot from the whole window, and what it costs to publish it. */
static void measure_whole(struct maker *maker, const struct rows *rows, size_t window,
                          struct result *result)
{
    enum { TIMES = 30 };
    struct series series = {.count = window,
                            .candles = rows->series.candles + CLOSES,
                            .deltas = rows->series.deltas + CLOSES,
                            .contracts = rows->series.contracts + CLOSES};
    struct ws_deflater *deflater = ws_deflater_create();
    uint64_t start_ns = cpu_ns();
    for (size_t i = 0; i < TIMES; i++) {
        check(snapshot_compute(&maker->snapshot, maker->books.scratch, "BTCUSDT", &series, 0,
                               NULL) == STATUS_OK);
        write_text(maker);
    }
    result->whole_us = per(start_ns, TIMES);
    for (int deflates = 0; deflates < 2; deflates++) {
        start_ns = cpu_ns();
        for (size_t i = 0; i < TIMES; i++) {
            struct frame *frame =
                frame_create(0, 1, maker->seq, maker->hash, maker->text.data, maker->text.size);
            if (deflates)
                frame_deflate(frame, deflater);
            frame_release(frame);
        }
        *(deflates ? &result->deflated_us : &result->frame_us) = per(start_ns, TIMES);
    }
    result->levels = maker->snapshot.levels.count;
    ws_deflater_destroy(deflater);
}

static void measure(size_t days, enum walk_interest interest, size_t count, size_t rounds,
                    struct result *result)
{
    const int64_t lookback_ms = (int64_t)days * DAY_MS;
    /* A book of moments begins days before the lookback. */
    const int64_t before_ms = model_begin(model, DAY_MS - CANDLE_MS, 0);
    const size_t window = (size_t)((lookback_ms + DAY_MS - before_ms) / CANDLE_MS);
    settings.lookback_ms = lookback_ms;
    struct rows rows;
    struct maker maker = {0};
    struct follower *followers = memory_allocate_zeroed(count, sizeof *followers);
    make_rows(&rows, interest, window + EXTRA);
    check(run_books_init(&maker.books, model, &settings));
    size_t before = allocated_bytes();
    uint64_t start_ns = cpu_ns();
    for (size_t i = 0; i < count; i++) {
        follower_init(&followers[i], "BTCUSDT", model, &settings);
        load(&followers[i], &rows, window);
        make(&maker, &followers[i]);
    }
    result->load_us = per(start_ns, count);
    measure_ticks(&maker, followers, count, &rows, window, rounds, result);
    result->bytes = (double)(allocated_bytes() - before) / (double)count;
    measure_whole(&maker, &rows, window, result);
    for (size_t i = 0; i < count; i++)
        follower_deinit(&followers[i]);
    free(followers);
    free_rows(&rows);
    run_books_deinit(&maker.books);
    snapshot_deinit(&maker.snapshot);
    buffer_deinit(&maker.data);
    buffer_deinit(&maker.text);
}

int main(int argc, char **argv)
{
    static const size_t days[] = {7, 30};
    streams_open_standard();
    const size_t count = argc > 1 ? (size_t)atoi(argv[1]) : 500;
    const size_t rounds = argc > 2 ? (size_t)atoi(argv[2]) : 60;
    if (count == 0 || rounds < 2 * CLOSES)
        fail("usage: ticks_bench [SYMBOLS [ROUNDS [MODEL]]], at least 12 rounds", NULL);
    check(value_parse_weights(LEVERAGE_WEIGHTS_DEFAULT, &settings.weights, NULL) == STATUS_OK);
    check(model_find(argc > 3 ? argv[3] : MODEL_DEFAULT, &model, NULL) == STATUS_OK);
    struct buffer out = {0};
    buffer_append_format(&out, "{\"symbols\":%zu,\"windows\":[", count);
    for (size_t d = 0; d < sizeof days / sizeof days[0]; d++) {
        buffer_append_format(&out, "%s{\"days\":%zu", d > 0 ? "," : "", days[d]);
        for (int interest = 0; interest < WALK_FROZEN; interest++) {
            struct result result = {0};
            measure(days[d], (enum walk_interest)interest, count, rounds, &result);
            buffer_append_format(
                &out,
                ",\"%s\":{\"open_us\":%.1f,\"close_us\":%.1f,\"whole_us\":%.1f,\"frame_us\":%.1f,"
                "\"deflated_us\":%.1f,\"load_us\":%.1f,\"bytes\":%.0f,\"levels\":%zu}",
                walk_names[interest], result.open_us, result.close_us, result.whole_us,
                result.frame_us, result.deflated_us, result.load_us, result.bytes, result.levels);
        }
        buffer_append_char(&out, '}');
    }
    buffer_append_text(&out, "]}");
    puts(buffer_text(&out));
    buffer_deinit(&out);
    return 0;
}
