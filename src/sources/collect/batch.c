/* A batch is one use of the file: opened, a transaction for each kind of rows, closed. Kinds are
 * apart so that a table that takes nothing (another program's, of the same name) does not stop the
 * others; liquidations, which cannot be fetched again, go first.
 *
 * A row that a table cannot hold fails its whole transaction, and would fail it for ever. So a
 * transaction that fails for this reason is divided until the row is found, and the row is dropped
 * alone. */
#include "sources/collect/batch.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/iso_time.h"
#include "base/log.h"

#include <stdlib.h>

struct batch_rows {
    struct store_session *session;
    enum waiting_kind kind;
    const void **rows;
    size_t row_count;
    struct batch_result *result;
};

static enum status put(const struct batch_rows *batch, const void *row, struct error *error)
{
    if (batch->kind == WAITING_KLINES)
        return store_write_kline(batch->session, row, error);
    if (batch->kind == WAITING_LIQUIDATIONS)
        return store_write_liquidation(batch->session, row, error);
    const struct labelled_interest *interest = row;
    store_write_source(batch->session, interest->source);
    return store_write_interest(batch->session, &interest->row, error);
}

/* One transaction. */
static enum status write_rows(struct batch_rows *batch, size_t first, size_t count,
                              struct error *error)
{
    uint64_t klines = 0, interest = 0;
    enum status status = store_write_begin(batch->session, "", true, error);
    for (size_t i = first; i < first + count && status == STATUS_OK; i++)
        status = put(batch, batch->rows[i], error);
    if (status == STATUS_OK)
        status = store_write_commit(batch->session, &klines, &interest, error);
    else
        store_write_rollback(batch->session);
    if (status == STATUS_OK)
        batch->result->new_rows[batch->kind] +=
            klines + interest + store_liquidations_new(batch->session);
    return status;
}

static void refuse(struct batch_rows *batch, const void *row, const struct error *reason)
{
    const struct kline_row *kline = row;
    const struct labelled_interest *interest = row;
    const struct liquidation_row *liquidation = row;
    const char *symbol = batch->kind == WAITING_KLINES     ? kline->symbol
                         : batch->kind == WAITING_INTEREST ? interest->row.symbol
                                                           : liquidation->symbol;
    int64_t time_ms = batch->kind == WAITING_KLINES     ? kline->candle.open_time_ms
                      : batch->kind == WAITING_INTEREST ? interest->row.timestamp_ms
                                                        : liquidation->time_ms;
    static const char *const names[] = {[WAITING_KLINES] = "candle",
                                        [WAITING_INTEREST] = "open interest",
                                        [WAITING_LIQUIDATIONS] = "liquidation"};
    char time[ISO_TIME_SIZE];
    if (batch->result->refused_rows++ == 0)
        log_warn("a row that the database cannot hold is left out",
                 log_text("row", names[batch->kind]), log_text("symbol", symbol),
                 log_text("time", iso_time_format(time_ms, time)),
                 log_text("reason", reason->message));
}

/* As write_rows(), but rows that cannot be stored are left out. */
static enum status write_range(struct batch_rows *batch, size_t first, size_t count,
                               struct error *error)
{
    struct error reason = {0};
    enum status status = write_rows(batch, first, count, &reason);
    if (status == STATUS_OK)
        return STATUS_OK;
    if (status != STATUS_TOO_LARGE)
        return error_set(error, status, "%s", reason.message);
    if (count == 1) {
        refuse(batch, batch->rows[first], &reason);
        return STATUS_OK;
    }
    status = write_range(batch, first, count / 2, error);
    if (status == STATUS_OK)
        status = write_range(batch, first + count / 2, count - count / 2, error);
    return status;
}

static enum status write_kind(struct store_session *session, enum waiting_kind kind,
                              const struct list *taken, struct batch_result *result,
                              struct error *error)
{
    struct batch_rows batch = {.session = session, .kind = kind, .result = result};
    size_t count = 0;
    if (list_is_empty(taken))
        return STATUS_OK;
    for (const struct list *link = taken->next; link != taken; link = link->next)
        batch.row_count += list_entry(link, struct waiting_block, link)->count;
    batch.rows = memory_allocate(batch.row_count * sizeof *batch.rows);
    for (const struct list *link = taken->next; link != taken; link = link->next) {
        const struct waiting_block *block = list_entry(link, struct waiting_block, link);
        for (size_t i = 0; i < block->count; i++)
            batch.rows[count++] = waiting_row(block, kind, i);
    }
    enum status status = write_range(&batch, 0, batch.row_count, error);
    free(batch.rows);
    return status;
}

enum status batch_write(struct store *store, const struct list taken[static WAITING_KINDS],
                        struct batch_result *result, struct error *error)
{
    struct store_session *session = NULL;
    *result = (struct batch_result){0};
    uint64_t start_ns = clock_monotonic_ns();
    enum status worst = store_begin_brief(store, &session, error);
    if (worst != STATUS_OK)
        return worst;
    for (enum waiting_kind kind = 0; kind < WAITING_KINDS; kind++) {
        struct error reason = {0};
        enum status status = write_kind(session, kind, &taken[kind], result, &reason);
        result->is_written[kind] = status == STATUS_OK;
        if (status != STATUS_OK && worst == STATUS_OK)
            worst = error_set(error, status, "%s", reason.message);
    }
    store_end(session);
    result->held_ns = clock_monotonic_ns() - start_ns;
    return worst;
}
