/* The parameters of a question about the past: read from text, brought to one form, and resolved to
 * a window of the data that there is. The command line and HTTP share it.
 *
 *     range_set() for each parameter -> range_check() -> range_append_canonical(): a key
 *                                                     -> range_resolve(): a window
 *
 * Pure: no database, no clock. Plain values; any thread. */
#ifndef HEATCAST_ENGINE_RANGE_H
#define HEATCAST_ENGINE_RANGE_H

#include "base/buffer.h"
#include "config/value.h"
#include "model/model.h"

/* `struct range range = {0}` with a symbol is the default: the lookback before the newest candle,
 * at 5 minutes. */
struct range {
    char symbol[SYMBOL_SIZE];
    bool has_start, has_end;
    int64_t start_ms, end_ms; /* inclusive */
    int64_t window_ms;        /* 0: not given */
    int64_t interval_ms;      /* 0: 5 minutes */
    int64_t bucket_e8;        /* 0: configured or default */
    bool has_weights;
    struct leverage_weights weights; /* ascending by leverage, all above 0 */
    const struct model *model;       /* NULL: configured or default */
    unsigned tier_groups;            /* bits of enum tier_group; 0: all */
    /* Of a grid alone: the part of the range whose columns are wanted. */
    bool has_shown_start, has_shown_end;
    int64_t shown_start_ms, shown_end_ms; /* inclusive */
};

/* For messages. */
#define RANGE_PARAMETERS                                                                           \
    "start, end, window, interval, bucket, weights, model, tiers; a grid's shown_start, shown_end"

/* Sets one of RANGE_PARAMETERS by its name. STATUS_NOT_FOUND if there is none of that name,
 * STATUS_INVALID (which names it) if the value is wrong. */
enum status range_set(struct range *range, const char *name, const char *value,
                      struct error *error);

/* STATUS_INVALID: start, end and window together, or a start after the end. */
enum status range_check(const struct range *range, struct error *error);

/* STATUS_INVALID: a part of a grid is asked for, where the answer is none. */
enum status range_check_no_part(const struct range *range, struct error *error);

/* STATUS_INVALID: it has an interval or a part of a grid, where candles of five minutes are what
 * counts. */
enum status range_check_five_minutes(const struct range *range, struct error *error);

/* STATUS_INVALID: it says more than a time, where that would be without meaning. */
enum status range_check_times_only(const struct range *range, struct error *error);

/* Appends one line of text, without a line end, that is the same for all ways to ask the same
 * question: `48h` and `2d`, `100` and `100.0`, weights in any order and of any sum, an end or the
 * window that makes it, 5 minutes given or not. Ranges that ask different things differ in it
 * (weights to 12 digits). It holds no NUL. The range is one that range_check() accepts. */
void range_append_canonical(struct buffer *out, const struct range *range);

/* The candles that a range covers: open times, inclusive, the end not after the newest candle. */
struct window {
    int64_t start_ms, end_ms;
    int64_t interval_ms;
};

/* Resolves a range that range_check() accepts, against data whose newest candle opens at
 * `newest_ms`:
 *   end:   as given; else start and window together make it; else the newest candle
 *   start: as given; else the window (default: the lookback) before the end
 * STATUS_NO_DATA: it starts after the newest candle. */
enum status range_resolve(const struct range *range, int64_t newest_ms, int64_t lookback_ms,
                          struct window *window, struct error *error);

/* Brings a moment within some 30,000 years around 1970, so that adding windows cannot overflow. */
int64_t range_clamp_time(int64_t time_ms);

#endif
