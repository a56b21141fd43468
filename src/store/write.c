/* What sources write. Rows go through an appender into temporary staging tables, and from there
 * into the real tables at commit (merge.c).
 *
 * All of it, staging tables included, is one DuckDB transaction. Transactions of a store take turns
 * (write_mutex): writers in one process wait for each other instead of failing on a conflict. */
#include "store/internal.h"

#include "base/buffer.h"
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const store_stage_names[TABLE_COUNT] = {
    [TABLE_KLINES] = "staged_klines",
    [TABLE_INTEREST] = "staged_interest",
};

static const char *const create_sql[TABLE_COUNT] = {
    [TABLE_KLINES] = "CREATE OR REPLACE TEMP TABLE staged_klines (row BIGINT, origin BIGINT, "
                     "symbol VARCHAR, time_us BIGINT, open_e8 BIGINT, high_e8 BIGINT, "
                     "low_e8 BIGINT, close_e8 BIGINT, volume_e8 BIGINT, close_time_us BIGINT, "
                     "quote_volume_e8 BIGINT, trade_count BIGINT, taker_buy_volume_e8 BIGINT, "
                     "taker_buy_quote_volume_e8 BIGINT)",
    [TABLE_INTEREST] = "CREATE OR REPLACE TEMP TABLE staged_interest (row BIGINT, origin BIGINT, "
                       "symbol VARCHAR, time_us BIGINT, value_e8 BIGINT, contracts_e8 BIGINT, "
                       "source VARCHAR)",
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

enum status store_write_tell(struct store_session *session, const struct store_telling *telling,
                             struct error *error)
{
    check(session->write.is_open);
    session->write.telling = *telling;
    enum status status = STATUS_OK;
    for (enum table table = 0; table < TABLE_COUNT && status == STATUS_OK; table++)
        status = store_read_uniques(session, table, error);
    return status;
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

/* STATUS_IO where no row of ours can be written, whatever is in it. */
static enum status check_writable(const struct store_session *session, enum table table,
                                  struct error *error)
{
    const char *column = session->instance->schema.unfilled[table];
    const char *name = store_tables[table].name;
    if (column[0] == '\0')
        return STATUS_OK;
    return error_set(error, STATUS_IO,
                     "%s: the column %s of the table %s must have a value, and has no default; "
                     "nothing can be written until it has one: ALTER TABLE %s ALTER \"%s\" SET "
                     "DEFAULT ...",
                     session->store->path, column, name, name, column);
}

/* The table's stage, created with the first row, with the first columns of the next row in it. */
static enum status begin_row(struct store_session *session, enum table table, uint64_t origin,
                             const char *symbol, int64_t time_ms, duckdb_appender *appender,
                             struct error *error)
{
    check(session->write.is_open);
    struct stage *stage = &session->write.stages[table];
    if (stage->appender == NULL) {
        enum status status = check_writable(session, table, error);
        if (status == STATUS_OK)
            status = store_run(session, create_sql[table], NULL, 0, NULL, error);
        if (status != STATUS_OK)
            return status;
        if (duckdb_appender_create_ext(session->connection, "temp", "main",
                                       store_stage_names[table],
                                       &stage->appender) != DuckDBSuccess) {
            status = append_failed(session, stage->appender, error);
            duckdb_appender_destroy(&stage->appender);
            return status;
        }
    }
    *appender = stage->appender;
    duckdb_append_int64(*appender, stage->row_count);
    duckdb_append_int64(*appender, (int64_t)origin);
    if (stage->row_count == 0) {
        stage->is_series = true;
        strcpy(stage->symbol, symbol);
    } else if (time_ms <= stage->time_max_ms || strcmp(stage->symbol, symbol) != 0) {
        stage->is_series = false;
    }
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
    enum status status = begin_row(session, TABLE_KLINES, row->origin, row->symbol,
                                   row->candle.open_time_ms, &appender, error);
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
    enum status status = begin_row(session, TABLE_INTEREST, row->origin, row->symbol,
                                   row->timestamp_ms, &appender, error);
    if (status != STATUS_OK)
        return status;
    duckdb_append_int64(appender, row->value_e8);
    append_optional(appender, row->has_contracts, row->contracts_e8);
    duckdb_append_varchar(appender, session->write.source);
    if (duckdb_appender_end_row(appender) != DuckDBSuccess)
        return append_failed(session, appender, error);
    return STATUS_OK;
}

/* -- the end ----------------------------------------------------------------------------------- */

static void end_write(struct store_session *session)
{
    for (size_t i = 0; i < TABLE_COUNT; i++)
        duckdb_appender_destroy(&session->write.stages[i].appender);
    duckdb_appender_destroy(&session->write.liquidations.appender);
    free(session->write.replaced);
    session->write.replaced = NULL;
    session->write.is_open = false;
    pthread_mutex_unlock(&session->store->write_mutex);
}

static enum status end_stage(struct store_session *session, enum table table, uint64_t *row_count,
                             struct error *error)
{
    struct stage *stage = &session->write.stages[table];
    if (duckdb_appender_close(stage->appender) != DuckDBSuccess)
        return append_failed(session, stage->appender, error);
    enum status status = STATUS_OK;
    if (session->instance->schema.is_foreign[table] && session->write.telling.on_refused != NULL)
        status = store_refuse_rows(session, table, error);
    return status == STATUS_OK ? store_merge_stage(session, table, row_count, error) : status;
}

enum status store_write_merge(struct store_session *session, struct error *error)
{
    check(session->write.is_open);
    enum status status = STATUS_OK;
    for (enum table table = 0; table < TABLE_COUNT && status == STATUS_OK; table++) {
        struct stage *stage = &session->write.stages[table];
        uint64_t row_count = 0;
        if (stage->appender == NULL)
            continue;
        status = end_stage(session, table, &row_count, error);
        session->write.rows_new[table] += row_count;
        duckdb_appender_destroy(&stage->appender);
        *stage = (struct stage){0};
    }
    return status;
}

enum status store_write_commit(struct store_session *session, uint64_t *klines_new,
                               uint64_t *interest_new, struct error *error)
{
    enum status status = store_write_merge(session, error);
    const uint64_t *counts = session->write.rows_new;
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
