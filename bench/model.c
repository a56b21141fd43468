/* What one computation of the model costs: a whole window of candles to a snapshot, as a tick does
 * it. Prints one JSON object; times are the best of several, in microseconds.
 *
 *     model_bench [SECONDS [MODEL]]       seconds of measuring per window (0.2) */
#include "base/buffer.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/streams.h"
#include "model/snapshot.h"
#include "walk.h"

#include <stdio.h>
#include <stdlib.h>

static const size_t windows[] = {288, 2016, 8640, 105120}; /* a day, a week, a month, a year */

enum { REPEATS_MIN = 3 };

#define LOOKBACK_MS (30 * DAY_MS) /* of a model that has one */

static double measure(struct book *book, const struct series *series, double seconds,
                      size_t *levels)
{
    struct snapshot snapshot = {0};
    uint64_t best_ns = UINT64_MAX, start_ns = clock_monotonic_ns();
    for (int i = 0; i < REPEATS_MIN || (double)(clock_monotonic_ns() - start_ns) < seconds * 1e9;
         i++) {
        uint64_t begin_ns = clock_monotonic_ns();
        check(snapshot_compute(&snapshot, book, "BTCUSDT", series, 0, NULL) == STATUS_OK);
        uint64_t ns = clock_monotonic_ns() - begin_ns;
        best_ns = ns < best_ns ? ns : best_ns;
    }
    *levels = snapshot.levels.count;
    snapshot_deinit(&snapshot);
    return (double)best_ns / 1e3;
}

int main(int argc, char **argv)
{
    streams_open_standard();
    double seconds = argc > 1 ? atof(argv[1]) : 0.2;
    const struct model *model;
    struct model_settings settings = {.lookback_ms = LOOKBACK_MS};
    check(model_find(argc > 2 ? argv[2] : MODEL_DEFAULT, &model, NULL) == STATUS_OK);
    check(value_parse_weights(LEVERAGE_WEIGHTS_DEFAULT, &settings.weights, NULL) == STATUS_OK);
    struct buffer out = {0};
    buffer_append_text(&out, "{\"windows\":[");
    for (size_t w = 0; w < sizeof windows / sizeof windows[0]; w++) {
        buffer_append_format(&out, "%s{\"candles\":%zu", w > 0 ? "," : "", windows[w]);
        for (int interest = 0; interest < WALK_COUNT; interest++) {
            struct book *book = book_create(model, &settings);
            struct series series = {0};
            size_t levels;
            walk_make(&series, (enum walk_interest)interest, windows[w]);
            double us = measure(book, &series, seconds, &levels);
            buffer_append_format(&out, ",\"%s\":{\"us\":%.1f,\"levels\":%zu}", walk_names[interest],
                                 us, levels);
            series_deinit(&series);
            book_destroy(book);
        }
        buffer_append_char(&out, '}');
    }
    buffer_append_text(&out, "]}");
    puts(buffer_text(&out));
    buffer_deinit(&out);
    return 0;
}
