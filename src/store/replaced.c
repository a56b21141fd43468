/* Rows that a replaced file does not have any more. What a transaction brings overwrites what is
 * stored of the same symbol and time (merge.c), but a row that is in the old file alone would stay
 * for good, and nothing would tell that it is nowhere else. So the writer says from when to when
 * the rows of the old file were, and what is stored of that time and not staged is deleted, after
 * the stage was moved into the table. */
#include "store/internal.h"

#include "base/buffer.h"
#include "base/check.h"

#include <stdlib.h>
#include <string.h>

enum { RANGES_MIN = 8, SOURCE_COLUMN = 5 /* of open interest */ };

void store_write_replaced(struct store_session *session, enum store_kind kind, const char *symbol,
                          int64_t first_ms, int64_t last_ms)
{
    struct write *write = &session->write;
    check(write->is_open && write->replaces && kind != STORE_LIQUIDATIONS);
    if (write->replaced_count == write->replaced_capacity) {
        write->replaced_capacity =
            write->replaced_capacity > 0 ? 2 * write->replaced_capacity : RANGES_MIN;
        write->replaced =
            memory_resize(write->replaced, write->replaced_capacity, sizeof *write->replaced);
    }
    struct replaced_range *range = &write->replaced[write->replaced_count++];
    *range = (struct replaced_range){.table = kind == STORE_CANDLES ? TABLE_KLINES : TABLE_INTEREST,
                                     .first_ms = first_ms,
                                     .last_ms = last_ms};
    check(slice_copy(slice_of(symbol), range->symbol, sizeof range->symbol));
}

/* Parameters are as store_append_match() wants them; $3 is the symbol, $4 the source. */
static enum status delete_range(struct store_session *session, const struct replaced_range *range,
                                struct error *error)
{
    const char *name = store_tables[range->table].name;
    bool has_source = range->table == TABLE_INTEREST &&
                      session->instance->schema.has[TABLE_INTEREST][SOURCE_COLUMN];
    const struct parameter parameters[] = {
        {.type = PARAMETER_TIME, .time_ms = range->first_ms},
        {.type = PARAMETER_TIME, .time_ms = range->last_ms},
        {.type = PARAMETER_TEXT, .text = range->symbol},
        {.type = PARAMETER_TEXT, .text = session->write.source},
    };
    struct buffer sql = {0};
    duckdb_result result;
    buffer_append_format(&sql,
                         "DELETE FROM %s AS target WHERE target.symbol = $3 AND "
                         "TRY_CAST(target.%s AS TIMESTAMP) BETWEEN $1 AND $2 "
                         "AND NOT EXISTS (SELECT 1 FROM temp.%s AS staged WHERE ",
                         name, store_tables[range->table].time_column,
                         store_stage_names[range->table]);
    store_append_match(range->table, &sql);
    buffer_append_char(&sql, ')');
    if (has_source)
        buffer_append_text(&sql, " AND target.source = $4");
    enum status status =
        store_run(session, buffer_text(&sql), parameters, has_source ? 4 : 3, &result, error);
    if (status == STATUS_OK) {
        /* As prune.c says. */
        session->moves_log = session->moves_log || duckdb_rows_changed(&result) > 0;
        duckdb_destroy_result(&result);
    }
    buffer_deinit(&sql);
    return status;
}

enum status store_delete_replaced(struct store_session *session, enum table table,
                                  struct error *error)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < session->write.replaced_count && status == STATUS_OK; i++)
        if (session->write.replaced[i].table == table)
            status = delete_range(session, &session->write.replaced[i], error);
    return status;
}
