/* A snapshot is a function of the series alone: the book is emptied first, so nothing that it was
 * used for before can show. That is what makes the live stream, the history, a restart and another
 * server agree. */
#include "model/snapshot.h"

#include "base/check.h"
#include "model/bucket.h"

#include <stdio.h>

enum status snapshot_compute(struct snapshot *snapshot, struct book *book, const char *symbol,
                             const struct series *series, int64_t bucket_e8, struct error *error)
{
    int64_t first_change_ms;
    check(series->count > 0);
    if (!series_first_change(series, &first_change_ms))
        first_change_ms = SNAPSHOT_UNKNOWN;
    book_reset(book);
    for (size_t i = 0; i < series->count; i++)
        snapshot->change = book_advance(book, &series->candles[i], series_interest(series, i));
    return snapshot_take(snapshot, book, symbol, series_last(series), first_change_ms, bucket_e8,
                         error);
}

/* The book at a moment rests on the candles that are less than a lookback older. That of a model
 * whose books depend on where they begin knows all that it is to know. */
static int64_t known_from(const struct book *book, int64_t first_change_ms, int64_t newest_ms)
{
    if (!model_is_of_moment(book->model))
        return SNAPSHOT_KNOWN;
    if (first_change_ms == SNAPSHOT_UNKNOWN)
        return SNAPSHOT_UNKNOWN;
    const int64_t known_ms = first_change_ms + book->lookback_ms - CANDLE_MS;
    return known_ms > newest_ms ? known_ms : SNAPSHOT_KNOWN;
}

enum status snapshot_take(struct snapshot *snapshot, struct book *book, const char *symbol,
                          const struct candle *newest, int64_t first_change_ms, int64_t bucket_e8,
                          struct error *error)
{
    snprintf(snapshot->symbol, sizeof snapshot->symbol, "%s", symbol);
    snapshot->timestamp_ms = newest->open_time_ms;
    snapshot->current_price_e8 = newest->close_e8;
    snapshot->known_from_ms = known_from(book, first_change_ms, newest->open_time_ms);
    snapshot->bucket_e8 = bucket_e8 != 0 ? bucket_e8 : bucket_default(symbol, newest->close_e8);
    book_snapshot(book, snapshot->bucket_e8, &snapshot->levels);
    if (book->has_failed || snapshot->levels.has_failed)
        return error_set(error, STATUS_NO_MEMORY, "no memory for the positions of %s", symbol);
    return STATUS_OK;
}

void snapshot_deinit(struct snapshot *snapshot)
{
    level_list_deinit(&snapshot->levels);
    *snapshot = (struct snapshot){0};
}
