/* Ranges of the past, on request: history, candles, grid, one snapshot at a moment. Each call runs
 * a query and the model and writes JSON, each time anew; it may block, and runs on libuv's thread
 * pool or in a command. Safe on several threads at once. */
#ifndef HEATCAST_ENGINE_HISTORY_H
#define HEATCAST_ENGINE_HISTORY_H

#include "base/buffer.h"
#include "model/snapshot.h"
#include "store/store.h"

#define HISTORY_SNAPSHOTS_MAX 5000     /* snapshots one answer may hold */
#define HISTORY_BYTES_MAX (256u << 20) /* its size, which only very fine buckets reach */

/* `struct history_request r = {0}` with a symbol is the default: the lookback before the newest
 * candle, at 5 minutes. */
struct history_request {
    char symbol[SYMBOL_SIZE];
    bool has_start, has_end;
    int64_t start_ms, end_ms; /* inclusive */
    int64_t window_ms;        /* 0: not given */
    int64_t interval_ms;      /* 0: 5 minutes */
    int64_t bucket_e8;        /* 0: configured or default */
    bool has_weights;
    struct leverage_weights weights;
    /* Of a grid alone: the part of the range whose columns are wanted. */
    bool has_shown_start, has_shown_end;
    int64_t shown_start_ms, shown_end_ms; /* inclusive */
};

#define HISTORY_PARAMETERS                                                                         \
    "start, end, window, interval, bucket, weights; a grid's shown_start, shown_end"

struct history; /* the settings below */

struct history_options {
    struct store *store; /* must outlive the history */
    const struct model *model;
    const struct bucket_map *buckets; /* copied, as is `weights` */
    const struct leverage_weights *weights;
    int64_t lookback_ms; /* default window */
};

struct history *history_create(const struct history_options *options);
void history_destroy(struct history *history);

/* Sets one named parameter: those of HISTORY_PARAMETERS. STATUS_NOT_FOUND if
 * there is none of that name, STATUS_INVALID (which names it) if the value is wrong. */
enum status history_request_set(struct history_request *request, const char *name,
                                const char *value, struct error *error);

/* The range of a request. Both ends are open times of candles, inclusive.
 *   end:   as given; else start and window together make it; else the newest candle
 *   start: as given; else the window (default: the lookback) before the end
 * Start, end and window together, or a start after the end, are STATUS_INVALID.
 *
 * The answers of PROTOCOL.md §2, appended to `out`, whole or not at all. STATUS_TOO_LARGE: over
 * HISTORY_SNAPSHOTS_MAX; the message names an interval that fits. STATUS_NO_DATA: no candle in the
 * range. Others as store_begin().
 *
 * The book of a history is empty before the first candle of the range; `start_time` and `end_time`
 * are the timestamps of the first and the last snapshot; `price_range` holds null where no snapshot
 * has a level. */
enum status history_run(struct history *history, const struct history_request *request,
                        struct buffer *out, struct error *error);
enum status history_candles(struct history *history, const struct history_request *request,
                            struct buffer *out, struct error *error);

/* The whole map as one compact picture, for pages:
 *   {"meta":{"symbol","start_time","end_time","interval","step","bucket","price_min","rows",
 *            "columns","max_density"},
 *    "times":[epoch seconds of each column],
 *    "closes":[...],
 *    "long":"<base64>","short":"<base64>"}
 * rows x columns bytes each, row 0 the lowest price, columns in time order within a row. A byte b
 * stands for 0 if b = 0, else for max_density * 10^((b - 255) / 51): a logarithmic scale over five
 * decades, the lowest byte standing for everything below as well. The book is followed for at least
 * the default lookback before the end, also where the range shown is shorter, so that the last
 * column is the live snapshot. Columns are the candles at multiples of `step` (chosen so that there
 * are at most 2,100) and always the newest one. `interval` and `step` are durations as text ("5m").
 * With shown_start or shown_end only that part of the range becomes columns, from the same book: a
 * part that is looked at closely, in finer steps. STATUS_NO_DATA: no candle is in it.
 * STATUS_TOO_LARGE: over 4,194,304 cells; the message names a bucket that fits. */
enum status history_grid(struct history *history, const struct history_request *request,
                         struct buffer *out, struct error *error);

/* The snapshot after the newest candle at or before `at_ms` (INT64_MAX: the newest), computed over
 * the default lookback before it. `snapshot` must be zeroed or an earlier result. */
enum status history_snapshot(struct history *history, const char *symbol, int64_t at_ms,
                             struct snapshot *snapshot, struct error *error);

#endif
