/* Removing what is older than is to be kept, a few thousand rows at a time: a step holds the file
 * for about as long as a write does, where one statement for a year of fifty symbols would hold it
 * for a minute.
 *
 * A reader needs three times as long to replay the removal of a row as it takes to remove it, a
 * fifth of a second a step; so a brief session that has removed rows leaves no .wal behind.
 *
 * The oldest blocks are read first, and in a table that is written in the order of time those
 * alone. The room in the file is used again for new rows; the file does not become smaller. */
#include "store/internal.h"

#include "base/buffer.h"

static const struct {
    const char *table, *time;
} pruned[] = {
    [STORE_CANDLES] = {"klines_5m_history", "open_time"},
    [STORE_INTEREST] = {"open_interest_history", "timestamp"},
    [STORE_LIQUIDATIONS] = {"liquidations", "time"},
};

static enum status delete_rows(struct store_session *session, enum store_kind kind,
                               const struct store_scope *scope, uint64_t *row_count,
                               struct error *error)
{
    struct buffer sql = {0}, names = {0};
    duckdb_result result;
    store_append_symbols(scope, &names);
    buffer_append_format(&sql,
                         "DELETE FROM %s WHERE rowid IN (SELECT rowid FROM %s "
                         "WHERE TRY_CAST(%s AS TIMESTAMP) <= $2 AND symbol IN "
                         "(SELECT unnest(string_split($1, chr(10)))) LIMIT %d)",
                         pruned[kind].table, pruned[kind].table, pruned[kind].time,
                         STORE_PRUNE_ROWS);
    const struct parameter parameters[] = {
        {.type = PARAMETER_TEXT, .text = buffer_text(&names)},
        {.type = PARAMETER_TIME, .time_ms = scope->to_ms},
    };
    enum status status = store_run(session, buffer_text(&sql), parameters, 2, &result, error);
    if (status == STATUS_OK) {
        *row_count = duckdb_rows_changed(&result);
        duckdb_destroy_result(&result);
    }
    buffer_deinit(&sql);
    buffer_deinit(&names);
    return status;
}

enum status store_prune(struct store_session *session, enum store_kind kind,
                        const struct store_scope *scope, uint64_t *row_count, struct error *error)
{
    bool is_there = true;
    *row_count = 0;
    if (scope->symbol_count == 0)
        return STATUS_OK;
    if (kind == STORE_LIQUIDATIONS) {
        enum status status = store_has_liquidations(session, &is_there, error);
        if (status != STATUS_OK || !is_there)
            return status;
    }
    enum status status = store_write_begin(session, "", false, error);
    if (status == STATUS_OK)
        status = delete_rows(session, kind, scope, row_count, error);
    if (status == STATUS_OK) {
        session->moves_log = session->moves_log || *row_count > 0;
        return store_write_commit(session, NULL, NULL, error);
    }
    store_write_rollback(session);
    return status;
}
