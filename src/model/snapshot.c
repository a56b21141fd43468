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
    check(series->count > 0);
    book_reset(book);
    for (size_t i = 0; i < series->count; i++)
        snapshot->change = book_advance(book, &series->candles[i], series_interest(series, i));
    return snapshot_take(snapshot, book, symbol, series_last(series), bucket_e8, error);
}

enum status snapshot_take(struct snapshot *snapshot, struct book *book, const char *symbol,
                          const struct candle *newest, int64_t bucket_e8, struct error *error)
{
    snprintf(snapshot->symbol, sizeof snapshot->symbol, "%s", symbol);
    snapshot->timestamp_ms = newest->open_time_ms;
    snapshot->current_price_e8 = newest->close_e8;
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
