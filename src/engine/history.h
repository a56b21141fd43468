/* Questions about the past: history, candles, the map as a grid, liquidations, how good the map
 * was, one snapshot at a moment.
 *
 * Each call opens the database, loads a series, runs the model over it and writes JSON; nothing is
 * kept between calls. It may block for long, so it belongs on a thread pool or in a command. Safe
 * on several threads at once. */
#ifndef HEATCAST_ENGINE_HISTORY_H
#define HEATCAST_ENGINE_HISTORY_H

#include "base/buffer.h"
#include "base/stop_token.h"
#include "engine/range.h"
#include "model/snapshot.h"
#include "score/score.h"
#include "store/store.h"

#define HISTORY_SNAPSHOTS_MAX 5000 /* snapshots or candles one answer may hold */
#define HISTORY_LIQUIDATIONS_MAX 20000

struct history; /* what all questions share: the settings below */

struct history_options {
    struct store *store;                   /* must outlive the history */
    const struct model *model;             /* constant; where a question names none */
    const struct bucket_map *buckets;      /* must outlive it, too */
    const struct model_settings *settings; /* copied; the weights where a question has none, and the
                                              lookback is the default window, too */
};

struct history *history_create(const struct history_options *options);
void history_destroy(struct history *history); /* NULL is harmless */

/* -- answers -----------------------------------------------------------------------------------
 *
 * What one answer may cost; 0 is no limit. A plain value of the caller's. */
struct question_limits {
    struct stop_token stop;  /* obeyed within some ten milliseconds */
    int64_t candles_max;     /* 5-minute candles that it may read, in whatever interval it has */
    size_t answer_bytes_max; /* of its text */
    size_t memory_bytes_max; /* that it takes while it is made, its text included, besides what the
                                database takes (store/database.c) */
};

/* The answers of docs/protocol.md, appended to `out`, whole or not at all, over the window of the
 * range (range_resolve()). `limits` may be NULL: there are none. The statuses, each with a message
 * for the client:
 *
 *     STATUS_INVALID     as range_check(), or a part of a grid is asked for
 *     STATUS_NO_DATA     there is no candle in the window
 *     STATUS_TOO_LARGE   over HISTORY_SNAPSHOTS_MAX or over a limit; the message, and for programs
 *                        the error's `fit`, name an interval, a window or a bucket that fits, if
 *                        one does
 *     STATUS_TIMEOUT, STATUS_CANCELLED   as stop_token_check()
 *     STATUS_NO_MEMORY   there is too little just now, though the limits allow it
 *     others             as store_begin()
 *
 * `start_time` and `end_time` are the timestamps of the first and the last snapshot; `price_range`
 * holds null where no snapshot has a level. A model of moments (model/model.h) is led through what
 * is before the window too, so that the first snapshot is as right as the last; where the database
 * does not reach that far, `known_from` is the first moment of which all is known. The book of
 * another model is empty before the first candle of the window. */
enum status history_run(struct history *history, const struct range *range,
                        const struct question_limits *limits, struct buffer *out,
                        struct error *error);
enum status history_candles(struct history *history, const struct range *range,
                            const struct question_limits *limits, struct buffer *out,
                            struct error *error);

/* The whole map as one compact picture, for pages: the form is model/grid.h's. A book that depends
 * on its window is followed for at least the default lookback before the end, also where the range
 * is shorter, so that the last column is the live snapshot. With shown_start or shown_end only that
 * part of the range becomes columns, from the same book: a part in finer steps. STATUS_NO_DATA: no
 * candle is in it. STATUS_TOO_LARGE: over GRID_CELLS_MAX or GRID_ROWS_MAX; a bucket fits. */
enum status history_grid(struct history *history, const struct range *range,
                         const struct question_limits *limits, struct buffer *out,
                         struct error *error);

/* The recorded liquidations of a range of times, by default of a day. A range without an end goes
 * up to the newest candle's close or the newest liquidation. STATUS_TOO_LARGE: over
 * HISTORY_LIQUIDATIONS_MAX; a start fits. STATUS_INVALID: it has other parameters than times.
 * `as_csv`: the text is what an import takes, with the ids, and not JSON. */
enum status history_liquidations(struct history *history, const struct range *range,
                                 const struct question_limits *limits, bool as_csv,
                                 struct buffer *out, struct error *error);

/* How good the map of the range was, candle by candle, beside maps that know less
 * (score/score.h), by default over 30 days. Candles before `known_from`, or before the first
 * liquidation that was recorded, are not scored. STATUS_NO_DATA: none can be; STATUS_TOO_LARGE:
 * over the limits of a score, too; STATUS_INVALID: it has an interval. */
enum status history_score(struct history *history, const struct range *range,
                          const struct question_limits *limits, struct buffer *out,
                          struct error *error);

/* The numbers of that answer, of the default range. */
enum status history_score_numbers(struct history *history, const char *symbol,
                                  const struct question_limits *limits, struct score *score,
                                  struct error *error);

#define CALIBRATION_DAYS_MIN 7 /* with recorded liquidations, before anything is calibrated */

/* What the 30 days before the day of a moment (UTC) say of the amounts of a symbol's map; of that
 * day itself nothing is used. `model` may be NULL: that of the history. STATUS_OK with a factor of
 * 0: they do not tell, as on fewer than CALIBRATION_DAYS_MIN days something was recorded, or more
 * than a score may read. */
enum status history_calibrate(struct history *history, const char *symbol, int64_t moment_ms,
                              const struct model *model, const struct question_limits *limits,
                              struct calibration *calibration, struct error *error);

/* The snapshot after the newest candle at or before `at_ms` (INT64_MAX: the newest), computed over
 * the default lookback before it, and calibrated. `model` may be NULL: that of the history.
 * `snapshot` must be zeroed or an earlier result. */
enum status history_snapshot(struct history *history, const char *symbol, int64_t at_ms,
                             const struct model *model, struct snapshot *snapshot,
                             struct error *error);

#endif
