/* What questions about the past have in common.
 *
 *     range -> window (resolve) -> series (load) -> answer (history, candles, map)
 *
 * Any client may ask, and the question decides how much work it is. So each has limits, which are
 * checked as early as possible: candles are counted before they are read, a history is measured
 * before it is written (history_size.c). What cannot be known before is bounded while it grows: the
 * text by its buffer, all other memory by the thread's budget (base/memory.h), time by the stop
 * token, which the database and every loop over candles check. Containers remember that they have
 * failed, so that only these loops check them, and end_limits() once more. */
#include "engine/question.h"

#include "base/clock.h"
#include "base/iso_time.h"
#include "base/log.h"
#include "model/bucket.h"
#include "model/rows.h"

/* -- the window -------------------------------------------------------------------------------- */

static enum status resolve(struct question *question, struct error *error)
{
    const struct question_type *type = question->type;
    const struct range *range = question->range;
    int64_t newest_ms = 0;
    enum status status = (type->find_newest != NULL ? type->find_newest : store_newest)(
        question->session, range->symbol, &newest_ms, error);
    if (status != STATUS_OK)
        return status;
    if (type->may_be_empty && range->has_start && range->start_ms > newest_ms)
        newest_ms = range_clamp_time(range->start_ms);
    return range_resolve(range, newest_ms, question->settings.lookback_ms, &question->window,
                         error);
}

static void log_answer(const struct question *question, const char *outcome, size_t size,
                       uint64_t start_ns)
{
    char start[ISO_TIME_SIZE], end[ISO_TIME_SIZE];
    log_debug("question answered", log_text("question", question->type->name),
              log_text("symbol", question->range->symbol),
              log_text("start", iso_time_format(question->window.start_ms, start)),
              log_text("end", iso_time_format(question->window.end_ms, end)),
              log_int("candles", (int64_t)question->series.count), log_text("outcome", outcome),
              log_int("bytes", (int64_t)size),
              log_int("memory", (int64_t)question->budget.bytes_taken),
              log_real("ms", (double)(clock_monotonic_ns() - start_ns) / 1e6));
}

/* -- limits ------------------------------------------------------------------------------------ */

static const struct question_limits no_limits;

enum status question_no_memory(const struct question *question, struct error *error)
{
    return error_set(error, STATUS_NO_MEMORY, "not enough memory for %s of %s just now",
                     question->type->name, question->range->symbol);
}

/* What became of the answer's buffer. */
static enum status check_answer(const struct question *question, struct error *error)
{
    if (question->bound.failure == BUFFER_NO_MEMORY)
        return question_no_memory(question, error);
    if (question->bound.failure == BUFFER_OVER_BOUND)
        return error_set(error, STATUS_TOO_LARGE,
                         "the answer would have more than the %.1f MB that it may have; ask for a "
                         "greater bucket or a shorter range",
                         (double)question->limits->answer_bytes_max / 1e6);
    return STATUS_OK;
}

enum status question_check_progress(const struct question *question, const struct book *book,
                                    const struct level_list *levels, struct error *error)
{
    if (book->has_failed || levels->has_failed)
        return question_no_memory(question, error);
    enum status status = check_answer(question, error);
    return status == STATUS_OK ? stop_token_check(&question->limits->stop, error) : status;
}

/* -- one question ------------------------------------------------------------------------------ */

/* Bounds the buffer and the memory of this thread, until end_limits(). */
static void begin_limits(struct question *question, struct buffer *out)
{
    const struct question_limits *limits = question->limits;
    question->bound.size_max =
        limits->answer_bytes_max > 0 ? out->size + limits->answer_bytes_max : SIZE_MAX;
    out->bound = &question->bound;
    memory_budget_begin(&question->budget, limits->memory_bytes_max);
}

/* The status of the whole: a part may have been left out, and memory that is missing for this
 * question alone is a limit of its own. */
static enum status end_limits(const struct question *question, struct buffer *out,
                              enum status status, struct error *error)
{
    memory_budget_end();
    out->bound = NULL;
    if (status == STATUS_OK)
        status = check_answer(question, error);
    if (status == STATUS_NO_MEMORY && question->budget.is_exceeded)
        return error_set(error, STATUS_TOO_LARGE,
                         "the answer would take more than the %.1f MB of memory that it may take; "
                         "ask for a greater bucket or a shorter range",
                         (double)question->limits->memory_bytes_max / 1e6);
    return status;
}

/* Leaves no part of an answer, and where there was nothing before no memory either. */
static void take_back(struct buffer *out, size_t size_before)
{
    out->size = size_before;
    if (size_before == 0)
        buffer_deinit(out);
}

enum status question_ask(struct history *history, const struct question_type *type,
                         const struct range *range, const struct question_limits *limits,
                         struct buffer *out, struct error *error)
{
    struct question question = {
        .type = type,
        .history = history,
        .range = range,
        .model = range->model != NULL ? range->model : history->model,
        .settings = history->settings,
    };
    if (range->tier_groups != TIERS_ALL)
        question.settings.tier_groups = range->tier_groups;
    if (range->has_weights)
        question.settings.weights = range->weights;
    question.limits = limits != NULL ? limits : &no_limits;
    size_t size_before = out->size;
    uint64_t start_ns = clock_monotonic_ns();
    begin_limits(&question, out);
    enum status status = range_check(range, error);
    if (status == STATUS_OK)
        status =
            store_begin_stoppable(history->store, &question.limits->stop, &question.session, error);
    if (status == STATUS_OK)
        status = resolve(&question, error);
    if (status == STATUS_OK)
        status = type->answer(&question, out, error);
    store_end(question.session);
    status = end_limits(&question, out, status, error);
    if (status != STATUS_OK)
        take_back(out, size_before);
    const char *reason = error != NULL ? error->message : "failed";
    log_answer(&question, status == STATUS_OK ? "ok" : reason, out->size - size_before, start_ns);
    series_deinit(&question.series);
    return status;
}

/* -- the series -------------------------------------------------------------------------------- */

enum status question_no_candle(const char *symbol, int64_t start_ms, int64_t end_ms,
                               struct error *error)
{
    char start[ISO_TIME_SIZE], end[ISO_TIME_SIZE];
    return error_set(error, STATUS_NO_DATA, "no candle of %s from %s to %s", symbol,
                     iso_time_format(start_ms, start), iso_time_format(end_ms, end));
}

static enum status too_many_candles(const struct question *question, int64_t begin_ms,
                                    int64_t count, struct error *error)
{
    char window[24];
    const int64_t candles_max = question->limits->candles_max;
    int64_t before_ms = question->window.start_ms - begin_ms;
    if (before_ms > 0) /* it begins with a day, and that of another window is up to one longer */
        before_ms += DAY_MS - before_ms % DAY_MS;
    int64_t fitting_ms = (candles_max - 1) * CANDLE_MS - before_ms;
    if (fitting_ms > DAY_MS)
        fitting_ms -= fitting_ms % DAY_MS;
    if (fitting_ms < CANDLE_MS)
        return error_set(error, STATUS_TOO_LARGE,
                         "the map of a moment rests on %lld candles of 5m, and a question may read "
                         "%lld at most",
                         (long long)count, (long long)candles_max);
    error_set(error, STATUS_TOO_LARGE,
              "the range holds %lld candles of 5m, and a question may read %lld at most; "
              "window=%s fits",
              (long long)count, (long long)candles_max, value_format_duration(fitting_ms, window));
    error_set_fit(error, "window", window);
    return STATUS_TOO_LARGE;
}

/* Longer intervals are joined from candles of 5 minutes, so these are what reading costs. Where the
 * time that they span would allow too many, they are counted: data begin somewhere. */
static enum status check_candles(const struct question *question, int64_t begin_ms,
                                 struct error *error)
{
    const struct window *window = &question->window;
    int64_t candles_max = question->limits->candles_max, count = 0;
    if (candles_max == 0 || (window->end_ms - begin_ms) / CANDLE_MS < candles_max)
        return STATUS_OK;
    enum status status = store_count_rows(question->session, question->range->symbol, begin_ms,
                                          window->end_ms, &count, error);
    if (status == STATUS_OK && count > candles_max)
        return too_many_candles(question, begin_ms, count, error);
    return status;
}

/* `shown_from_ms`: candles before only feed the book. */
static enum status load(struct question *question, int64_t begin_ms, int64_t shown_from_ms,
                        int64_t interval_ms, struct error *error)
{
    const struct window *window = &question->window;
    struct series *series = &question->series;
    const char *symbol = question->range->symbol;
    enum status status = check_candles(question, begin_ms, error);
    if (status == STATUS_OK)
        status = store_load(question->session, symbol, begin_ms, window->end_ms, interval_ms,
                            series, error);
    store_end(question->session); /* computing takes much longer, and keeps writers from the file */
    question->session = NULL;
    question->shown_first = 0;
    while (question->shown_first < series->count &&
           series->candles[question->shown_first].open_time_ms < shown_from_ms)
        question->shown_first++;
    if (status == STATUS_OK && question->shown_first == series->count)
        return question_no_candle(symbol, window->start_ms, window->end_ms, error);
    return status == STATUS_OK ? stop_token_check(&question->limits->stop, error) : status;
}

/* Where the series begins of a book that is right from this moment on. */
static int64_t find_begin(const struct question *question, int64_t from_ms)
{
    return model_is_of_moment(question->model)
               ? model_begin(question->model, from_ms, question->settings.lookback_ms)
               : from_ms;
}

enum status question_load(struct question *question, int64_t from_ms, struct error *error)
{
    const struct window *window = &question->window;
    const int64_t begin_ms = find_begin(question, from_ms);
    if (model_is_of_moment(question->model))
        return load(question, begin_ms, window->start_ms, CANDLE_MS, error);
    return load(question, begin_ms, INT64_MIN, window->interval_ms, error);
}

enum status question_load_candles(struct question *question, struct error *error)
{
    const struct window *window = &question->window;
    return load(question, window->start_ms, INT64_MIN, window->interval_ms, error);
}

/* Candles of its interval that a window can hold at most; the first and the last may be cut. */
static int64_t window_candles_max(const struct window *window)
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
    error_set(error, STATUS_TOO_LARGE,
              "the range holds %lld candles of %s, an answer at most %d; interval=%s fits",
              (long long)count, interval, HISTORY_SNAPSHOTS_MAX,
              value_format_duration(fitting_ms, fitting));
    error_set_fit(error, "interval", fitting);
    return STATUS_TOO_LARGE;
}

/* Where the time that the window spans would allow too many candles, they are counted first: data
 * have holes, and begin somewhere. */
enum status question_check_count(struct question *question, bool runs_model, struct error *error)
{
    const struct window *window = &question->window;
    const int64_t begin_ms = runs_model ? find_begin(question, window->start_ms) : window->start_ms;
    enum status status = check_candles(question, begin_ms, error);
    int64_t count = 0;
    if (status == STATUS_OK && window_candles_max(window) > HISTORY_SNAPSHOTS_MAX)
        status = count_candles(question, window->interval_ms, &count, error);
    if (status == STATUS_OK && count > HISTORY_SNAPSHOTS_MAX)
        status = too_many_snapshots(question, count, error);
    return status;
}

/* -- the model --------------------------------------------------------------------------------- */

bool question_step(struct question_walk *walk)
{
    const struct question *question = walk->question;
    const struct series *series = &question->series;
    const int64_t interval_ms = question->window.interval_ms;
    walk->change = (struct book_change){0};
    while (walk->next < series->count) {
        const size_t at = walk->next++;
        struct book_change change =
            book_advance(walk->book, &series->candles[at], series_interest(series, at));
        if (at < question->shown_first)
            continue;
        walk->change.created += change.created;
        walk->change.consumed += change.consumed;
        if (series_ends_interval(series, at, interval_ms, &walk->time_ms))
            return true;
    }
    return false;
}

size_t question_count_steps(const struct question *question)
{
    const struct series *series = &question->series;
    size_t count = 0;
    int64_t time_ms;
    for (size_t i = question->shown_first; i < series->count; i++)
        count += series_ends_interval(series, i, question->window.interval_ms, &time_ms);
    return count;
}

bool question_known_from(const struct question *question, int64_t *time_ms)
{
    const struct series *series = &question->series;
    const int64_t start_ms = question->window.start_ms;
    if (!series_first_change(series, time_ms))
        return false;
    /* The book at a moment rests on the candles that are less than a lookback older. */
    *time_ms += question->settings.lookback_ms - CANDLE_MS;
    *time_ms =
        candle_floor_time(*time_ms > start_ms ? *time_ms : start_ms, question->window.interval_ms);
    return true;
}

/* -- settings ---------------------------------------------------------------------------------- */

int64_t question_bucket(const struct question *question)
{
    const struct range *range = question->range;
    if (range->bucket_e8 != 0)
        return range->bucket_e8;
    int64_t bucket_e8 = bucket_map_find(question->history->buckets, range->symbol);
    if (bucket_e8 != 0)
        return bucket_e8;
    return bucket_default(range->symbol, series_last(&question->series)->close_e8);
}

void question_open_meta(const struct question *question, struct json *json)
{
    char interval[24];
    const struct series *series = &question->series;
    const int64_t interval_ms = question->window.interval_ms;
    const int64_t first_ms = series->candles[question->shown_first].open_time_ms;
    json_key(json, "meta");
    json_open_object(json);
    json_member_text(json, "symbol", question->range->symbol);
    json_member_time(json, "start_time", candle_floor_time(first_ms, interval_ms));
    json_member_time(json, "end_time",
                     candle_floor_time(series_last(series)->open_time_ms, interval_ms));
    json_member_text(json, "interval", value_format_duration(interval_ms, interval));
}
