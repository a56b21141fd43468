/* One snapshot at a moment of the past: what the live stream would have sent then, so the window is
 * the one before the newest candle of that moment. */
#include "engine/question.h"

#include "base/iso_time.h"

static enum status load_newest_before(struct store_session *session, const char *symbol,
                                      int64_t at_ms, struct series *series, struct error *error)
{
    /* In the hour before it nearly always, else, across a hole of any length, on the last day that
     * has one. */
    enum status status =
        store_load(session, symbol, at_ms - DAY_MS / 24, at_ms, CANDLE_MS, series, error);
    if (status != STATUS_OK || series->count > 0)
        return status;
    status = store_load(session, symbol, range_clamp_time(INT64_MIN), at_ms, DAY_MS, series, error);
    if (status != STATUS_OK || series->count == 0)
        return status;
    return store_load(session, symbol, series_last(series)->open_time_ms, at_ms, CANDLE_MS, series,
                      error);
}

/* Open time of the newest candle at or before a moment. */
static enum status find_candle(struct store_session *session, const char *symbol, int64_t at_ms,
                               int64_t *open_time_ms, struct series *series, struct error *error)
{
    enum status status = store_newest(session, symbol, open_time_ms, error);
    if (status != STATUS_OK || *open_time_ms <= at_ms)
        return status;
    status = load_newest_before(session, symbol, at_ms, series, error);
    if (status == STATUS_OK && series->count == 0) {
        char at[ISO_TIME_SIZE];
        return error_set(error, STATUS_NO_DATA, "no candle of %s at or before %s", symbol,
                         iso_time_format(at_ms, at));
    }
    if (status == STATUS_OK)
        *open_time_ms = series_last(series)->open_time_ms;
    return status;
}

static enum status compute(const struct history *history, const struct model *model,
                           const char *symbol, const struct series *series,
                           struct snapshot *snapshot, struct error *error)
{
    struct book *book = book_create(model, &history->settings);
    if (book == NULL)
        return error_set(error, STATUS_NO_MEMORY, "no memory for a book");
    enum status status = snapshot_compute(snapshot, book, symbol, series,
                                          bucket_map_find(history->buckets, symbol), error);
    book_destroy(book);
    return status;
}

enum status history_snapshot(struct history *history, const char *symbol, int64_t at_ms,
                             const struct model *model, struct snapshot *snapshot,
                             struct error *error)
{
    if (model == NULL)
        model = history->model;
    struct store_session *session = NULL;
    struct series series = {0};
    int64_t end_ms = 0, begin_ms = 0;
    enum status status = store_begin(history->store, &session, error);
    if (status == STATUS_OK)
        status = find_candle(session, symbol, range_clamp_time(at_ms), &end_ms, &series, error);
    if (status == STATUS_OK) {
        begin_ms = model_begin(model, end_ms, history->settings.lookback_ms);
        status = store_load(session, symbol, begin_ms, end_ms, CANDLE_MS, &series, error);
    }
    if (status == STATUS_OK && series.count == 0)
        status = question_no_candle(symbol, begin_ms, end_ms, error);
    if (status == STATUS_OK)
        status = compute(history, model, symbol, &series, snapshot, error);
    store_end(session);
    series_deinit(&series);
    if (status == STATUS_OK)
        status = history_calibrate(history, symbol, snapshot->timestamp_ms, model, NULL,
                                   &snapshot->calibration, error);
    return status;
}
