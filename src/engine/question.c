/* What questions about the past have in common.
 *
 *     range -> window (resolve) -> series (load) -> answer (history, candles, map)
 *
 * The size of an answer is bounded before the work is done, where the window alone tells, and
 * during it otherwise. */
#include "engine/question.h"

#include "base/clock.h"
#include "base/iso_time.h"
#include "base/log.h"
#include "model/bucket.h"

static enum status resolve(struct question *question, struct error *error)
{
    int64_t newest_ms;
    enum status status =
        store_newest(question->session, question->range->symbol, &newest_ms, error);
    if (status != STATUS_OK)
        return status;
    return range_resolve(question->range, newest_ms, question->history->lookback_ms,
                         &question->window, error);
}

static void log_answer(const struct question *question, const char *outcome, size_t size,
                       uint64_t start_ns)
{
    char start[ISO_TIME_SIZE], end[ISO_TIME_SIZE];
    log_debug("question answered", log_text("question", question->name),
              log_text("symbol", question->range->symbol),
              log_text("start", iso_time_format(question->window.start_ms, start)),
              log_text("end", iso_time_format(question->window.end_ms, end)),
              log_int("candles", (int64_t)question->series.count), log_text("outcome", outcome),
              log_int("bytes", (int64_t)size),
              log_real("ms", (double)(clock_monotonic_ns() - start_ns) / 1e6));
}

enum status question_ask(struct history *history, const char *name, const struct range *range,
                         const atomic_bool *is_cancelled,
                         enum status (*answer)(struct question *question, struct buffer *out,
                                               struct error *error),
                         struct buffer *out, struct error *error)
{
    struct question question = {
        .name = name, .history = history, .range = range, .is_cancelled = is_cancelled};
    size_t size_before = out->size;
    uint64_t start_ns = clock_monotonic_ns();
    enum status status = range_check(range, error);
    if (status == STATUS_OK)
        status = store_begin(history->store, &question.session, error);
    if (status == STATUS_OK)
        status = resolve(&question, error);
    if (status == STATUS_OK)
        status = answer(&question, out, error);
    if (status != STATUS_OK)
        out->size = size_before; /* no part of an answer */
    const char *reason = error != NULL ? error->message : "failed";
    log_answer(&question, status == STATUS_OK ? "ok" : reason, out->size - size_before, start_ns);
    store_end(question.session);
    series_deinit(&question.series);
    return status;
}

enum status question_check_wanted(const struct question *question, struct error *error)
{
    /* Relaxed: the flag hands nothing over, it only makes the rest of the work unnecessary. */
    if (question->is_cancelled == NULL ||
        !atomic_load_explicit(question->is_cancelled, memory_order_relaxed))
        return STATUS_OK;
    return error_set(error, STATUS_CANCELLED, "the answer is not wanted any more");
}

/* -- the series -------------------------------------------------------------------------------- */

enum status question_no_candle(const char *symbol, int64_t start_ms, int64_t end_ms,
                               struct error *error)
{
    char start[ISO_TIME_SIZE], end[ISO_TIME_SIZE];
    return error_set(error, STATUS_NO_DATA, "no candle of %s from %s to %s", symbol,
                     iso_time_format(start_ms, start), iso_time_format(end_ms, end));
}

enum status question_load(struct question *question, struct error *error)
{
    const struct window *window = &question->window;
    const char *symbol = question->range->symbol;
    enum status status = store_load(question->session, symbol, window->start_ms, window->end_ms,
                                    window->interval_ms, &question->series, error);
    if (status == STATUS_OK && question->series.count == 0)
        return question_no_candle(symbol, window->start_ms, window->end_ms, error);
    return status == STATUS_OK ? question_check_wanted(question, error) : status;
}

/* Candles that a window can hold at most; the first and the last may be cut. */
static int64_t candles_max(const struct window *window)
{
    return (window->end_ms - window->start_ms) / window->interval_ms + 2;
}

static enum status count_candles(const struct question *question, int64_t interval_ms,
                                 int64_t *count, struct error *error)
{
    return store_count(question->session, question->range->symbol, question->window.start_ms,
                       question->window.end_ms, interval_ms, count, error);
}

/* Refuses a window of `count` candles and names the shortest interval that fits. */
static enum status too_many_snapshots(const struct question *question, int64_t count,
                                      struct error *error)
{
    char interval[24], fitting[24];
    int64_t fitting_ms = question->window.interval_ms, fitting_count = count;
    value_format_duration(question->window.interval_ms, interval);
    while (fitting_ms != 0 && fitting_count > HISTORY_SNAPSHOTS_MAX) {
        fitting_ms = value_next_interval(fitting_ms);
        enum status status = STATUS_OK;
        if (fitting_ms != 0)
            status = count_candles(question, fitting_ms, &fitting_count, error);
        if (status != STATUS_OK)
            return status;
    }
    if (fitting_ms == 0)
        return error_set(error, STATUS_TOO_LARGE,
                         "the range holds %lld candles of %s, an answer at most %d; "
                         "ask for a shorter one",
                         (long long)count, interval, HISTORY_SNAPSHOTS_MAX);
    return error_set(error, STATUS_TOO_LARGE,
                     "the range holds %lld candles of %s, an answer at most %d; interval=%s fits",
                     (long long)count, interval, HISTORY_SNAPSHOTS_MAX,
                     value_format_duration(fitting_ms, fitting));
}

/* Where the time that the window spans would allow too many candles, they are counted first: data
 * have holes, and begin somewhere. */
enum status question_load_bounded(struct question *question, struct error *error)
{
    const struct window *window = &question->window;
    enum status status = STATUS_OK;
    int64_t count = 0;
    if (candles_max(window) > HISTORY_SNAPSHOTS_MAX)
        status = count_candles(question, window->interval_ms, &count, error);
    if (status == STATUS_OK && count > HISTORY_SNAPSHOTS_MAX)
        status = too_many_snapshots(question, count, error);
    return status == STATUS_OK ? question_load(question, error) : status;
}

/* -- settings ---------------------------------------------------------------------------------- */

int64_t question_bucket(const struct question *question)
{
    const struct range *range = question->range;
    if (range->bucket_e8 != 0)
        return range->bucket_e8;
    int64_t bucket_e8 = bucket_map_find(&question->history->buckets, range->symbol);
    if (bucket_e8 != 0)
        return bucket_e8;
    return bucket_default(range->symbol, series_last(&question->series)->close_e8);
}

const struct leverage_weights *question_weights(const struct question *question)
{
    return question->range->has_weights ? &question->range->weights : &question->history->weights;
}

void question_open_meta(const struct question *question, struct json *json)
{
    char interval[24];
    json_key(json, "meta");
    json_open_object(json);
    json_member_text(json, "symbol", question->range->symbol);
    json_member_time(json, "start_time", question->series.candles[0].open_time_ms);
    json_member_time(json, "end_time", series_last(&question->series)->open_time_ms);
    json_member_text(json, "interval",
                     value_format_duration(question->window.interval_ms, interval));
}
