/* Questions about the past: each is a range of candles, the model run over it, and JSON.
 *
 *     request -> range (resolve) -> series (load) -> answer (history, candles, grid)
 *
 * The size of an answer is bounded before the work is done, where the range alone tells, and during
 * it otherwise. */
#include "engine/history.h"

#include "base/check.h"
#include "base/decimal.h"
#include "base/iso_time.h"
#include "model/bucket.h"
#include "model/grid.h"
#include "model/snapshot_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Room that is set aside for each snapshot of an answer, so that it need not move as it grows:
 * addresses, since memory is taken page by page as it is written. A snapshot of 350 levels fits. */
enum { SNAPSHOT_RESERVE = 24 << 10, RESERVE_MAX = 32 << 20 };

/* Moments are clamped to some 30,000 years around 1970, so that adding windows cannot overflow. */
#define TIME_MAX_MS INT64_C(1000000000000000)

struct history {
    struct store *store;
    const struct model *model;
    struct bucket_map buckets;
    struct leverage_weights weights;
    int64_t lookback_ms;
};

/* What a request comes to with the data that there is. */
struct range {
    int64_t start_ms, end_ms; /* open times, inclusive; the end not after the newest candle */
    int64_t interval_ms;
};

/* An answer in the making. */
struct job {
    struct history *history;
    const struct history_request *request;
    struct store_session *session;
    struct range range;
    struct series series;
};

struct history *history_create(const struct history_options *options)
{
    struct history *history = memory_allocate_zeroed(1, sizeof *history);
    history->store = options->store;
    history->model = options->model;
    history->buckets = *options->buckets;
    history->weights = *options->weights;
    history->lookback_ms = options->lookback_ms;
    return history;
}

void history_destroy(struct history *history)
{
    free(history);
}

/* -- the range --------------------------------------------------------------------------------- */

static int64_t clamp_time(int64_t time_ms)
{
    if (time_ms > TIME_MAX_MS)
        return TIME_MAX_MS;
    return time_ms < -TIME_MAX_MS ? -TIME_MAX_MS : time_ms;
}

static enum status check_request(const struct history_request *request, struct error *error)
{
    char start[ISO_TIME_SIZE], end[ISO_TIME_SIZE];
    if (!request->has_start || !request->has_end)
        return STATUS_OK;
    if (request->window_ms != 0)
        return error_set(error, STATUS_INVALID,
                         "start, end and window contradict each other; give two of them");
    if (request->start_ms > request->end_ms)
        return error_set(error, STATUS_INVALID, "start %s is after end %s",
                         iso_time_format(request->start_ms, start),
                         iso_time_format(request->end_ms, end));
    return STATUS_OK;
}

static enum status no_candle(const char *symbol, int64_t start_ms, int64_t end_ms,
                             struct error *error)
{
    char start[ISO_TIME_SIZE], end[ISO_TIME_SIZE];
    return error_set(error, STATUS_NO_DATA, "no candle of %s from %s to %s", symbol,
                     iso_time_format(start_ms, start), iso_time_format(end_ms, end));
}

static enum status resolve_range(struct job *job, struct error *error)
{
    const struct history_request *request = job->request;
    int64_t window_ms = request->window_ms != 0 ? request->window_ms : job->history->lookback_ms;
    int64_t newest_ms;
    enum status status = store_newest(job->session, request->symbol, &newest_ms, error);
    if (status != STATUS_OK)
        return status;
    int64_t start_ms = clamp_time(request->start_ms), end_ms = newest_ms;
    if (request->has_end)
        end_ms = clamp_time(request->end_ms);
    else if (request->has_start && request->window_ms != 0)
        end_ms = start_ms + window_ms;
    if (!request->has_start)
        start_ms = end_ms - window_ms;
    if (start_ms > newest_ms) {
        char start[ISO_TIME_SIZE], newest[ISO_TIME_SIZE];
        return error_set(error, STATUS_NO_DATA, "no candle of %s from %s on; its newest is of %s",
                         request->symbol, iso_time_format(start_ms, start),
                         iso_time_format(newest_ms, newest));
    }
    job->range = (struct range){
        .start_ms = start_ms,
        .end_ms = end_ms < newest_ms ? end_ms : newest_ms,
        .interval_ms = request->interval_ms != 0 ? request->interval_ms : CANDLE_MS,
    };
    return STATUS_OK;
}

/* Candles that a range can hold at most; the first and the last may be cut. */
static int64_t candles_max(const struct range *range, int64_t interval_ms)
{
    return (range->end_ms - range->start_ms) / interval_ms + 2;
}

static enum status count_candles(const struct job *job, int64_t interval_ms, int64_t *count,
                                 struct error *error)
{
    return store_count(job->session, job->request->symbol, job->range.start_ms, job->range.end_ms,
                       interval_ms, count, error);
}

/* Refuses a range of `count` candles and names the shortest interval that fits. */
static enum status too_many_snapshots(const struct job *job, int64_t count, struct error *error)
{
    char interval[24], fitting[24];
    int64_t fitting_ms = job->range.interval_ms, fitting_count = count;
    value_format_duration(job->range.interval_ms, interval);
    while (fitting_ms != 0 && fitting_count > HISTORY_SNAPSHOTS_MAX) {
        fitting_ms = value_next_interval(fitting_ms);
        enum status status = STATUS_OK;
        if (fitting_ms != 0)
            status = count_candles(job, fitting_ms, &fitting_count, error);
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

static enum status load(struct job *job, struct error *error)
{
    const struct range *range = &job->range;
    enum status status = store_load(job->session, job->request->symbol, range->start_ms,
                                    range->end_ms, range->interval_ms, &job->series, error);
    if (status == STATUS_OK && job->series.count == 0)
        return no_candle(job->request->symbol, range->start_ms, range->end_ms, error);
    return status;
}

/* Loads a range whose every candle becomes a part of the answer. Where the time it spans would
 * allow too many, they are counted first: data have holes, and begin somewhere. */
static enum status load_bounded(struct job *job, struct error *error)
{
    const struct range *range = &job->range;
    enum status status = STATUS_OK;
    int64_t count = 0;
    if (candles_max(range, range->interval_ms) > HISTORY_SNAPSHOTS_MAX)
        status = count_candles(job, range->interval_ms, &count, error);
    if (status == STATUS_OK && count > HISTORY_SNAPSHOTS_MAX)
        status = too_many_snapshots(job, count, error);
    return status == STATUS_OK ? load(job, error) : status;
}

static int64_t bucket_of(const struct job *job)
{
    const struct series *series = &job->series;
    if (job->request->bucket_e8 != 0)
        return job->request->bucket_e8;
    int64_t bucket_e8 = bucket_map_find(&job->history->buckets, job->request->symbol);
    if (bucket_e8 != 0)
        return bucket_e8;
    return bucket_default(job->request->symbol, series->candles[series->count - 1].close_e8);
}

static const struct leverage_weights *weights_of(const struct job *job)
{
    return job->request->has_weights ? &job->request->weights : &job->history->weights;
}

/* -- history ----------------------------------------------------------------------------------- */

static void append_snapshot(struct buffer *out, const struct candle *candle,
                            struct book_change change, const struct level_list *levels,
                            struct level_writer *writer)
{
    char time[ISO_TIME_SIZE];
    buffer_append_text(out, "{\"timestamp\":\"");
    buffer_append_text(out, iso_time_format(candle->open_time_ms, time));
    buffer_append_text(out, "\",\"levels\":");
    level_writer_append(writer, out, levels);
    buffer_append_text(out, ",\"positions_created\":");
    buffer_append_int(out, change.created);
    buffer_append_text(out, ",\"positions_consumed\":");
    buffer_append_int(out, change.consumed);
    buffer_append_char(out, '}');
}

/* What the meta object says about all snapshots. */
struct summary {
    bool has_levels;
    int64_t price_min_e8, price_max_e8;
    double long_volume, short_volume; /* of the last */
    uint64_t consumed;
};

static void summarise(struct summary *summary, struct book_change change,
                      const struct level_list *levels)
{
    summary->consumed += change.consumed;
    if (levels->count == 0)
        return;
    int64_t first_e8 = levels->levels[0].price_e8;
    int64_t last_e8 = levels->levels[levels->count - 1].price_e8;
    if (!summary->has_levels || first_e8 < summary->price_min_e8)
        summary->price_min_e8 = first_e8;
    if (!summary->has_levels || last_e8 > summary->price_max_e8)
        summary->price_max_e8 = last_e8;
    summary->has_levels = true;
}

static void sum_volumes(struct summary *summary, const struct level_list *levels)
{
    for (size_t i = 0; i < levels->count; i++) {
        summary->long_volume += levels->levels[i].long_density;
        summary->short_volume += levels->levels[i].short_density;
    }
}

/* Appends ,"meta":{...} up to what candles and histories have in common. */
static void append_meta_start(const struct job *job, struct buffer *out)
{
    const struct series *series = &job->series;
    char start[ISO_TIME_SIZE], end[ISO_TIME_SIZE], interval[24];
    buffer_append_text(out, ",\"meta\":{\"symbol\":");
    buffer_append_json_string(out, job->request->symbol, strlen(job->request->symbol));
    buffer_append_format(out, ",\"start_time\":\"%s\",\"end_time\":\"%s\",\"interval\":\"%s\"",
                         iso_time_format(series->candles[0].open_time_ms, start),
                         iso_time_format(series->candles[series->count - 1].open_time_ms, end),
                         value_format_duration(job->range.interval_ms, interval));
}

static void append_meta(const struct job *job, int64_t bucket_e8, const struct summary *summary,
                        struct buffer *out)
{
    append_meta_start(job, out);
    buffer_append_text(out, ",\"bucket\":");
    decimal_append(out, bucket_e8);
    buffer_append_format(out,
                         ",\"total_snapshots\":%zu,\"price_range\":{\"min\":", job->series.count);
    if (summary->has_levels) {
        decimal_append(out, summary->price_min_e8);
        buffer_append_text(out, ",\"max\":");
        decimal_append(out, summary->price_max_e8);
    } else {
        buffer_append_text(out, "null,\"max\":null");
    }
    buffer_append_text(out, "},\"total_long_volume\":");
    decimal_append_double(out, summary->long_volume);
    buffer_append_text(out, ",\"total_short_volume\":");
    decimal_append_double(out, summary->short_volume);
    buffer_append_text(out, ",\"total_consumed\":");
    buffer_append_int(out, (int64_t)summary->consumed);
    buffer_append_char(out, '}');
}

/* Appends the snapshot after each candle, until the answer is too large. */
static enum status append_snapshots(const struct job *job, int64_t bucket_e8,
                                    struct summary *summary, struct buffer *out,
                                    struct error *error)
{
    const struct series *series = &job->series;
    struct level_list levels = {0};
    struct level_writer writer = {0};
    struct book *book = book_create(job->history->model, weights_of(job));
    for (size_t i = 0; i < series->count && out->size <= HISTORY_BYTES_MAX; i++) {
        struct book_change change = book_advance(book, &series->candles[i], series->deltas[i]);
        book_snapshot(book, bucket_e8, &levels);
        summarise(summary, change, &levels);
        if (i > 0)
            buffer_append_char(out, ',');
        append_snapshot(out, &series->candles[i], change, &levels, &writer);
    }
    sum_volumes(summary, &levels);
    book_destroy(book);
    level_list_deinit(&levels);
    level_writer_deinit(&writer);
    if (out->size > HISTORY_BYTES_MAX)
        return error_set(error, STATUS_TOO_LARGE,
                         "the answer is over %u MiB; ask for a greater bucket or a shorter range",
                         HISTORY_BYTES_MAX >> 20);
    return STATUS_OK;
}

static enum status answer_history(struct job *job, struct buffer *out, struct error *error)
{
    struct summary summary = {0};
    enum status status = load_bounded(job, error);
    if (status != STATUS_OK)
        return status;
    int64_t bucket_e8 = bucket_of(job);
    size_t wanted = job->series.count * SNAPSHOT_RESERVE;
    buffer_reserve(out, wanted < RESERVE_MAX ? wanted : RESERVE_MAX);
    buffer_append_text(out, "{\"data\":[");
    status = append_snapshots(job, bucket_e8, &summary, out, error);
    buffer_append_char(out, ']');
    append_meta(job, bucket_e8, &summary, out);
    buffer_append_char(out, '}');
    return status;
}

/* -- candles and grid -------------------------------------------------------------------------- */

static void append_candle(struct buffer *out, const struct candle *candle)
{
    char time[ISO_TIME_SIZE];
    buffer_append_text(out, "{\"timestamp\":\"");
    buffer_append_text(out, iso_time_format(candle->open_time_ms, time));
    buffer_append_text(out, "\",\"open\":");
    decimal_append(out, candle->open_e8);
    buffer_append_text(out, ",\"high\":");
    decimal_append(out, candle->high_e8);
    buffer_append_text(out, ",\"low\":");
    decimal_append(out, candle->low_e8);
    buffer_append_text(out, ",\"close\":");
    decimal_append(out, candle->close_e8);
    buffer_append_text(out, ",\"volume\":");
    decimal_append_double(out, isfinite(candle->volume) ? candle->volume : 0);
    buffer_append_char(out, '}');
}

static enum status answer_candles(struct job *job, struct buffer *out, struct error *error)
{
    enum status status = load_bounded(job, error);
    if (status != STATUS_OK)
        return status;
    buffer_append_text(out, "{\"data\":[");
    for (size_t i = 0; i < job->series.count; i++) {
        if (i > 0)
            buffer_append_char(out, ',');
        append_candle(out, &job->series.candles[i]);
    }
    buffer_append_char(out, ']');
    append_meta_start(job, out);
    buffer_append_text(out, "}}");
    return STATUS_OK;
}

static enum status answer_grid(struct job *job, struct buffer *out, struct error *error)
{
    const struct history_request *request = job->request;
    int64_t shown_from_ms = job->range.start_ms, shown_to_ms = job->range.end_ms;
    if (request->has_shown_start && request->shown_start_ms > shown_from_ms)
        shown_from_ms = clamp_time(request->shown_start_ms);
    if (request->has_shown_end && request->shown_end_ms < shown_to_ms)
        shown_to_ms = clamp_time(request->shown_end_ms);
    if (job->range.start_ms > job->range.end_ms - job->history->lookback_ms)
        job->range.start_ms = job->range.end_ms - job->history->lookback_ms;
    enum status status = load(job, error);
    if (status != STATUS_OK)
        return status;
    struct grid_options options = {
        .symbol = request->symbol,
        .model = job->history->model,
        .series = &job->series,
        .shown_from_ms = shown_from_ms,
        .shown_to_ms = shown_to_ms,
        .interval_ms = job->range.interval_ms,
        .bucket_e8 = bucket_of(job),
        .weights = weights_of(job),
    };
    return grid_append_json(&options, out, error);
}

/* -- asking ------------------------------------------------------------------------------------ */

static enum status ask(struct history *history,
                       enum status (*answer)(struct job *, struct buffer *, struct error *),
                       const struct history_request *request, struct buffer *out,
                       struct error *error)
{
    struct job job = {.history = history, .request = request};
    size_t size_before = out->size;
    enum status status = check_request(request, error);
    if (status == STATUS_OK)
        status = store_begin(history->store, &job.session, error);
    if (status == STATUS_OK)
        status = resolve_range(&job, error);
    if (status == STATUS_OK)
        status = answer(&job, out, error);
    if (status != STATUS_OK)
        out->size = size_before; /* no part of an answer */
    store_end(job.session);
    series_deinit(&job.series);
    return status;
}

/* Whether the request asks for no part of a picture, which only a picture has. */
static enum status check_no_shown(const struct history_request *request, struct error *error)
{
    if (request->has_shown_start || request->has_shown_end)
        return error_set(error, STATUS_INVALID, "shown_start and shown_end are for a grid alone");
    return STATUS_OK;
}

enum status history_run(struct history *history, const struct history_request *request,
                        struct buffer *out, struct error *error)
{
    enum status status = check_no_shown(request, error);
    return status != STATUS_OK ? status : ask(history, answer_history, request, out, error);
}

enum status history_candles(struct history *history, const struct history_request *request,
                            struct buffer *out, struct error *error)
{
    enum status status = check_no_shown(request, error);
    return status != STATUS_OK ? status : ask(history, answer_candles, request, out, error);
}

enum status history_grid(struct history *history, const struct history_request *request,
                         struct buffer *out, struct error *error)
{
    return ask(history, answer_grid, request, out, error);
}

/* -- one snapshot ------------------------------------------------------------------------------ */

/* Loads the lookback before `end_ms`. */
static enum status load_lookback(struct history *history, struct store_session *session,
                                 const char *symbol, int64_t end_ms, struct series *series,
                                 struct error *error)
{
    return store_load(session, symbol, end_ms - history->lookback_ms, end_ms, CANDLE_MS, series,
                      error);
}

/* Open time of the newest candle at or before a moment: in the hour before it nearly always, else,
 * across a hole of any length, on the last day that has one. */
static enum status find_candle(struct store_session *session, const char *symbol, int64_t at_ms,
                               int64_t *open_time_ms, struct series *series, struct error *error)
{
    enum status status = store_newest(session, symbol, open_time_ms, error);
    if (status != STATUS_OK || *open_time_ms <= at_ms)
        return status;
    status = store_load(session, symbol, at_ms - DAY_MS / 24, at_ms, CANDLE_MS, series, error);
    if (status == STATUS_OK && series->count == 0) {
        status = store_load(session, symbol, -TIME_MAX_MS, at_ms, DAY_MS, series, error);
        if (status == STATUS_OK && series->count > 0) {
            int64_t day_ms = series->candles[series->count - 1].open_time_ms;
            status = store_load(session, symbol, day_ms, at_ms, CANDLE_MS, series, error);
        }
    }
    if (status == STATUS_OK && series->count == 0) {
        char at[ISO_TIME_SIZE];
        return error_set(error, STATUS_NO_DATA, "no candle of %s at or before %s", symbol,
                         iso_time_format(at_ms, at));
    }
    if (status == STATUS_OK)
        *open_time_ms = series->candles[series->count - 1].open_time_ms;
    return status;
}

enum status history_snapshot(struct history *history, const char *symbol, int64_t at_ms,
                             struct snapshot *snapshot, struct error *error)
{
    struct store_session *session = NULL;
    struct series series = {0};
    int64_t open_time_ms = 0;
    enum status status = store_begin(history->store, &session, error);
    if (status == STATUS_OK)
        status = find_candle(session, symbol, clamp_time(at_ms), &open_time_ms, &series, error);
    if (status == STATUS_OK)
        status = load_lookback(history, session, symbol, open_time_ms, &series, error);
    if (status == STATUS_OK && series.count == 0)
        status = no_candle(symbol, open_time_ms - history->lookback_ms, open_time_ms, error);
    if (status == STATUS_OK) {
        struct book *book = book_create(history->model, &history->weights);
        snapshot_compute(snapshot, book, symbol, &series,
                         bucket_map_find(&history->buckets, symbol));
        book_destroy(book);
    }
    store_end(session);
    series_deinit(&series);
    return status;
}
