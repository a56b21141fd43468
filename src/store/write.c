/* What sources write.
 *
 * Rows go through an appender into temporary staging tables, and from there into the real tables
 * with two statements at commit. That is fast for a month of rows and for one, needs no constraint
 * of the target table (a database that another program made may have none, or a key on the time
 * alone), and counts exactly what is new. An anti-join decides what is new rather than ON CONFLICT,
 * which would silently drop the other symbol where the key is the time alone. The join covers the
 * batch's time range only, so that its cost does not grow with the table.
 *
 * All of it, staging tables included, is one DuckDB transaction. Transactions of a store take turns
 * (write_mutex): writers in one process wait for each other instead of failing on a conflict. */
#include "store/internal.h"

#include "base/buffer.h"
#include "base/check.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *create;
} staging[TABLE_COUNT] = {
    [TABLE_KLINES] = {"staged_klines",
                      "CREATE OR REPLACE TEMP TABLE staged_klines (row BIGINT, symbol VARCHAR, "
                      "time_us BIGINT, open_e8 BIGINT, high_e8 BIGINT, low_e8 BIGINT, "
                      "close_e8 BIGINT, volume_e8 BIGINT, close_time_us BIGINT, "
                      "quote_volume_e8 BIGINT, trade_count BIGINT, taker_buy_volume_e8 BIGINT, "
                      "taker_buy_quote_volume_e8 BIGINT)"},
    [TABLE_INTEREST] = {"staged_interest",
                        "CREATE OR REPLACE TEMP TABLE staged_interest (row BIGINT, "
                        "symbol VARCHAR, time_us BIGINT, value_e8 BIGINT, contracts_e8 BIGINT, "
                        "source VARCHAR)"},
};

/* -- staging ----------------------------------------------------------------------------------- */

enum status store_write_begin(struct store_session *session, const char *source, bool replaces,
                              struct error *error)
{
    check(session->instance->is_writable && !session->write.is_open);
    pthread_mutex_lock(&session->store->write_mutex);
    bool is_faulty = store_instance_is_faulty(session->instance);
    enum status status =
        is_faulty ? store_fail(session->store, STATUS_IO, "an earlier write failed", error)
                  : store_run(session, "BEGIN TRANSACTION", NULL, 0, NULL, error);
    if (status != STATUS_OK) {
        pthread_mutex_unlock(&session->store->write_mutex);
        return status;
    }
    session->write = (struct write){.is_open = true, .replaces = replaces};
    store_write_source(session, source);
    return STATUS_OK;
}

void store_write_source(struct store_session *session, const char *source)
{
    check(session->write.is_open);
    snprintf(session->write.source, sizeof session->write.source, "%s", source);
}

void store_stage_time(struct stage *stage, int64_t time_ms)
{
    if (stage->row_count == 0 || time_ms < stage->time_min_ms)
        stage->time_min_ms = time_ms;
    if (stage->row_count == 0 || time_ms > stage->time_max_ms)
        stage->time_max_ms = time_ms;
    stage->row_count++;
}

static enum status append_failed(struct store_session *session, duckdb_appender appender,
                                 struct error *error)
{
    return store_fail(session->store, STATUS_IO, duckdb_appender_error(appender), error);
}

/* The table's stage, created with the first row, with the first columns of the next row in it. */
static enum status begin_row(struct store_session *session, enum table table, const char *symbol,
                             int64_t time_ms, duckdb_appender *appender, struct error *error)
{
    check(session->write.is_open);
    struct stage *stage = &session->write.stages[table];
    if (stage->appender == NULL) {
        enum status status = store_run(session, staging[table].create, NULL, 0, NULL, error);
        if (status != STATUS_OK)
            return status;
        if (duckdb_appender_create_ext(session->connection, "temp", "main", staging[table].name,
                                       &stage->appender) != DuckDBSuccess) {
            status = append_failed(session, stage->appender, error);
            duckdb_appender_destroy(&stage->appender);
            return status;
        }
    }
    *appender = stage->appender;
    duckdb_append_int64(*appender, stage->row_count);
    store_stage_time(stage, time_ms);
    duckdb_append_varchar(*appender, symbol);
    duckdb_append_int64(*appender, time_ms * 1000);
    return STATUS_OK;
}

static void append_optional(duckdb_appender appender, bool is_known, int64_t value)
{
    if (is_known)
        duckdb_append_int64(appender, value);
    else
        duckdb_append_null(appender);
}

enum status store_write_kline(struct store_session *session, const struct kline_row *row,
                              struct error *error)
{
    duckdb_appender appender = NULL;
    enum status status =
        begin_row(session, TABLE_KLINES, row->symbol, row->candle.open_time_ms, &appender, error);
    if (status != STATUS_OK)
        return status;
    duckdb_append_int64(appender, row->candle.open_e8);
    duckdb_append_int64(appender, row->candle.high_e8);
    duckdb_append_int64(appender, row->candle.low_e8);
    duckdb_append_int64(appender, row->candle.close_e8);
    append_optional(appender, row->volume_e8 >= 0, row->volume_e8);
    duckdb_append_int64(appender, row->close_time_ms * 1000);
    append_optional(appender, row->has_quote_volume, row->quote_volume_e8);
    append_optional(appender, row->has_count, row->count);
    append_optional(appender, row->has_taker_buy_volume, row->taker_buy_volume_e8);
    append_optional(appender, row->has_taker_buy_quote_volume, row->taker_buy_quote_volume_e8);
    if (duckdb_appender_end_row(appender) != DuckDBSuccess)
        return append_failed(session, appender, error);
    return STATUS_OK;
}

enum status store_write_interest(struct store_session *session, const struct interest_row *row,
                                 struct error *error)
{
    duckdb_appender appender = NULL;
    enum status status =
        begin_row(session, TABLE_INTEREST, row->symbol, row->timestamp_ms, &appender, error);
    if (status != STATUS_OK)
        return status;
    duckdb_append_int64(appender, row->value_e8);
    append_optional(appender, row->has_contracts, row->contracts_e8);
    duckdb_append_varchar(appender, session->write.source);
    if (duckdb_appender_end_row(appender) != DuckDBSuccess)
        return append_failed(session, appender, error);
    return STATUS_OK;
}

/* -- from the stage into the table ------------------------------------------------------------- */

/* Whether a column is given a value. A table of our own has no default for its id and numbers are
 * given; where there is one (a sequence), that sequence must stay ahead of all ids. */
static bool is_written(const struct store_session *session, enum table table, size_t column)
{
    const struct schema *schema = &session->instance->schema;
    bool is_id = table == TABLE_INTEREST && column == 0;
    return schema->has[table][column] && !(is_id && schema->has_default[table][column]);
}

/* One row per symbol and time of the batch. */
static void append_staged_rows(const struct store_session *session, enum table table,
                               struct buffer *sql)
{
    buffer_append_format(sql,
                         "(SELECT * FROM temp.%s QUALIFY row_number() OVER "
                         "(PARTITION BY symbol, time_us ORDER BY row %s) = 1) AS staged",
                         staging[table].name, session->write.replaces ? "DESC" : "ASC");
}

/* Whether `target` is the row that is staged. $1 and $2 are the batch's first and last time. */
static void append_match(enum table table, struct buffer *sql)
{
    buffer_append_format(sql,
                         "target.symbol = staged.symbol AND TRY_CAST(target.%s AS TIMESTAMP) = "
                         "make_timestamp(staged.time_us) AND "
                         "TRY_CAST(target.%s AS TIMESTAMP) BETWEEN $1 AND $2",
                         store_tables[table].time_column, store_tables[table].time_column);
}

static void append_update(const struct store_session *session, enum table table, struct buffer *sql)
{
    const struct table_shape *shape = &store_tables[table];
    const char *separator = " SET ";
    buffer_append_format(sql, "UPDATE %s AS target", shape->name);
    for (size_t i = 0; i < shape->column_count; i++) {
        const struct column *column = &shape->columns[i];
        bool is_key = strcmp(column->name, "id") == 0 || strcmp(column->name, "symbol") == 0 ||
                      strcmp(column->name, shape->time_column) == 0;
        if (is_key || !is_written(session, table, i))
            continue;
        buffer_append_format(sql, "%s%s = %s", separator, column->name, column->staged);
        separator = ", ";
    }
    buffer_append_text(sql, " FROM ");
    append_staged_rows(session, table, sql);
    buffer_append_text(sql, " WHERE ");
    append_match(table, sql);
}

static void append_insert(const struct store_session *session, enum table table, struct buffer *sql)
{
    const struct table_shape *shape = &store_tables[table];
    const char *separator = " (";
    buffer_append_format(sql, "INSERT INTO %s", shape->name);
    for (size_t i = 0; i < shape->column_count; i++) {
        if (!is_written(session, table, i))
            continue;
        buffer_append_format(sql, "%s%s", separator, shape->columns[i].name);
        separator = ", ";
    }
    separator = ") SELECT ";
    for (size_t i = 0; i < shape->column_count; i++) {
        if (!is_written(session, table, i))
            continue;
        buffer_append_format(sql, "%s%s", separator, shape->columns[i].staged);
        separator = ", ";
    }
    buffer_append_text(sql, " FROM ");
    append_staged_rows(session, table, sql);
    buffer_append_format(sql, " WHERE NOT EXISTS (SELECT 1 FROM %s AS target WHERE ", shape->name);
    append_match(table, sql);
    buffer_append_char(sql, ')');
}

/* The highest id of the table, or one above it. The bound lets DuckDB pass over all blocks with
 * lower ids: without it the whole column is read for each transaction. */
static enum status find_last_id(struct store_session *session, int64_t *last_id,
                                struct error *error)
{
    static const char sql[] =
        "SELECT coalesce(max(id), $1) FROM open_interest_history WHERE id > $1";
    const struct parameter bound = {.type = PARAMETER_INTEGER,
                                    .integer = session->store->interest_id};
    return store_run_row(session, sql, &bound, 1, last_id, NULL, 1, error);
}

/* Moves one stage into its table and counts the rows that were not there. */
static enum status merge_stage(struct store_session *session, enum table table, uint64_t *row_count,
                               struct error *error)
{
    struct stage *stage = &session->write.stages[table];
    enum status status = STATUS_OK;
    struct buffer sql = {0};
    duckdb_result result;
    struct parameter parameters[] = {
        {.type = PARAMETER_TIME, .time_ms = stage->time_min_ms},
        {.type = PARAMETER_TIME, .time_ms = stage->time_max_ms},
        {.type = PARAMETER_INTEGER}, /* the last id */
    };
    bool numbers = table == TABLE_INTEREST && is_written(session, table, 0);
    if (duckdb_appender_close(stage->appender) != DuckDBSuccess)
        return append_failed(session, stage->appender, error);
    if (session->write.replaces) {
        append_update(session, table, &sql);
        status = store_run(session, buffer_text(&sql), parameters, 2, NULL, error);
        if (status != STATUS_OK)
            goto cleanup;
        buffer_clear(&sql);
    }
    if (numbers) {
        status = find_last_id(session, &parameters[2].integer, error);
        if (status != STATUS_OK)
            goto cleanup;
    }
    append_insert(session, table, &sql);
    status = store_run(session, buffer_text(&sql), parameters, numbers ? 3 : 2, &result, error);
    if (status != STATUS_OK)
        goto cleanup;
    *row_count = duckdb_rows_changed(&result);
    duckdb_destroy_result(&result);
    if (numbers)
        session->store->interest_id = parameters[2].integer + (int64_t)*row_count;

    buffer_clear(&sql);
    buffer_append_format(&sql, "DROP TABLE temp.%s", staging[table].name);
    status = store_run(session, buffer_text(&sql), NULL, 0, NULL, error);
cleanup:
    buffer_deinit(&sql);
    return status;
}

static void end_write(struct store_session *session)
{
    for (size_t i = 0; i < TABLE_COUNT; i++)
        duckdb_appender_destroy(&session->write.stages[i].appender);
    duckdb_appender_destroy(&session->write.liquidations.appender);
    session->write.is_open = false;
    pthread_mutex_unlock(&session->store->write_mutex);
}

enum status store_write_commit(struct store_session *session, uint64_t *klines_new,
                               uint64_t *interest_new, struct error *error)
{
    check(session->write.is_open);
    uint64_t counts[TABLE_COUNT] = {0};
    enum status status = STATUS_OK;
    for (enum table table = 0; table < TABLE_COUNT && status == STATUS_OK; table++)
        if (session->write.stages[table].appender != NULL)
            status = merge_stage(session, table, &counts[table], error);
    if (status == STATUS_OK && session->write.liquidations.appender != NULL)
        status = store_merge_liquidations(session, error);
    if (status == STATUS_OK) {
        status = store_run(session, "COMMIT", NULL, 0, NULL, error);
        if (status != STATUS_OK)
            store_mark_faulty(session); /* see instance.c */
    }
    if (status != STATUS_OK) {
        store_write_rollback(session);
        return status;
    }
    /* Release: see store_version(). */
    atomic_fetch_add_explicit(&session->store->changes, 1, memory_order_release);
    end_write(session);
    if (klines_new != NULL)
        *klines_new = counts[TABLE_KLINES];
    if (interest_new != NULL)
        *interest_new = counts[TABLE_INTEREST];
    return STATUS_OK;
}

void store_write_rollback(struct store_session *session)
{
    if (!session->write.is_open)
        return;
    /* An appender that is destroyed flushes what it holds, into a stage that the rollback removes.
     */
    for (size_t i = 0; i < TABLE_COUNT; i++)
        duckdb_appender_destroy(&session->write.stages[i].appender);
    duckdb_appender_destroy(&session->write.liquidations.appender);
    store_run(session, "ROLLBACK", NULL, 0, NULL, NULL);
    end_write(session);
}
