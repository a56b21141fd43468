/* Deleting what should not be there: rows with a wrong time, a candle that was imported while it
 * formed, a symbol of another market. Somebody has asked for it, so it is one transaction, however
 * large, and not in steps as pruning is. */
#include "store/internal.h"

#include <string.h>

/* $1 is the symbol, $2 and $3 the first and the last time, $4 whether all times are meant, those
 * that are none among them (infinity, NULL). */
#define OF_KLINES                                                                                  \
    "FROM klines_5m_history WHERE symbol = $1 "                                                    \
    "AND ($4 = 1 OR TRY_CAST(open_time AS TIMESTAMP) BETWEEN $2 AND $3)"
#define OF_INTEREST                                                                                \
    "FROM open_interest_history WHERE symbol = $1 "                                                \
    "AND ($4 = 1 OR TRY_CAST(timestamp AS TIMESTAMP) BETWEEN $2 AND $3)"
#define TIME(time) "TRY_CAST(" time " AS TIMESTAMP)"
#define COUNT(time)                                                                                \
    "SELECT count(*), epoch_ms(min(" TIME(time) ") FILTER (isfinite(" TIME(                        \
        time) "))), "                                                                              \
              "epoch_ms(max(" TIME(time) ") FILTER (isfinite(" TIME(time) "))) "

static enum status find(struct store_session *session, const struct parameter parameters[4],
                        struct store_deleted *deleted, struct error *error)
{
    enum { ROWS, FIRST, LAST, COUNT };
    static const char *const sql[TABLE_COUNT] = {
        [TABLE_KLINES] = COUNT("open_time") OF_KLINES,
        [TABLE_INTEREST] = COUNT("timestamp") OF_INTEREST,
    };
    uint64_t *counts[TABLE_COUNT] = {&deleted->candle_count, &deleted->interest_count};
    bool has_time = false;
    for (enum table table = 0; table < TABLE_COUNT; table++) {
        int64_t found[COUNT];
        bool is_null[COUNT];
        enum status status =
            store_run_row(session, sql[table], parameters, 4, found, is_null, COUNT, error);
        if (status != STATUS_OK)
            return status;
        *counts[table] = (uint64_t)found[ROWS];
        if (is_null[FIRST])
            continue;
        if (!has_time || found[FIRST] < deleted->first_ms)
            deleted->first_ms = found[FIRST];
        if (!has_time || found[LAST] > deleted->last_ms)
            deleted->last_ms = found[LAST];
        has_time = true;
    }
    return STATUS_OK;
}

/* Deletes notes, of whose tables there may be none. */
static enum status forget(struct store_session *session, const char *table, const char *sql,
                          const struct parameter *symbol, struct error *error)
{
    static const char find_sql[] =
        "SELECT EXISTS (SELECT 1 FROM duckdb_tables() WHERE table_name = $1 AND "
        "database_name = current_database())";
    const struct parameter name = {.type = PARAMETER_TEXT, .text = table};
    int64_t is_there = 0;
    enum status status = store_run_row(session, find_sql, &name, 1, &is_there, NULL, 1, error);
    return status == STATUS_OK && is_there ? store_run(session, sql, symbol, 1, NULL, error)
                                           : status;
}

static enum status delete_rows(struct store_session *session, const struct parameter parameters[4],
                               struct error *error)
{
    enum status status = store_run(session, "DELETE " OF_KLINES, parameters, 4, NULL, error);
    if (status == STATUS_OK)
        status = store_run(session, "DELETE " OF_INTEREST, parameters, 4, NULL, error);
    if (status == STATUS_OK)
        status = forget(session, "archive_files", "DELETE FROM archive_files WHERE symbol = $1",
                        parameters, error);
    if (status == STATUS_OK)
        status = forget(session, "symbol_markets",
                        "DELETE FROM symbol_markets WHERE symbol = $1 AND NOT EXISTS "
                        "(SELECT 1 FROM klines_5m_history WHERE symbol = $1)",
                        parameters, error);
    return status;
}

enum status store_delete(struct store_session *session, const char *symbol, int64_t from_ms,
                         int64_t to_ms, bool is_trial, struct store_deleted *deleted,
                         struct error *error)
{
    const struct parameter parameters[] = {
        {.type = PARAMETER_TEXT, .text = symbol},
        {.type = PARAMETER_TIME, .time_ms = from_ms},
        {.type = PARAMETER_TIME, .time_ms = to_ms},
        {.type = PARAMETER_INTEGER,
         .integer = from_ms <= STORE_TIME_FIRST && to_ms >= STORE_TIME_LAST},
    };
    *deleted = (struct store_deleted){0};
    enum status status = store_write_begin(session, "", false, error);
    if (status != STATUS_OK)
        return status;
    status = find(session, parameters, deleted, error);
    bool is_wanted = !is_trial && deleted->candle_count + deleted->interest_count > 0;
    if (status == STATUS_OK && is_wanted)
        status = delete_rows(session, parameters, error);
    if (status == STATUS_OK && is_wanted) {
        session->moves_log = true; /* as prune.c says */
        return store_write_commit(session, NULL, NULL, error);
    }
    store_write_rollback(session);
    return status;
}
