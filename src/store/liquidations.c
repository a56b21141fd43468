/* The table of liquidations, which collectors fill: single prints of an exchange, so a row is known
 * by exchange, symbol, time and the exchange's id of it. What is told twice (after a reconnection,
 * by two collectors) is stored once.
 *
 * A database has the table from its first liquidation on, so that one that only candles are
 * imported into, or that another program made, gets no table that it has no use for. Rows take the
 * way that write.c describes: a staging table, then what is not there yet. */
#include "store/internal.h"

#include "store/rows.h"

#include <string.h>

static const char create_sql[] =
    "CREATE TABLE IF NOT EXISTS liquidations (exchange VARCHAR, symbol VARCHAR, time TIMESTAMP, "
    "side VARCHAR, price DECIMAL(18,8), quantity DECIMAL(18,8), value DECIMAL(20,8), id VARCHAR, "
    "PRIMARY KEY (exchange, symbol, time, id))";

static const char stage_sql[] =
    "CREATE OR REPLACE TEMP TABLE staged_liquidations (exchange VARCHAR, symbol VARCHAR, "
    "time_us BIGINT, id VARCHAR, side VARCHAR, price_e8 BIGINT, quantity_e8 BIGINT, "
    "value_e8 BIGINT)";

/* Staged numbers are integers scaled by 10^8. $1 and $2 are the first and the last time. */
#define EXACT(column) "CAST(" column " AS DECIMAL(19,0)) * CAST(0.00000001 AS DECIMAL(9,8))"
static const char merge_sql[] =
    "INSERT INTO liquidations (exchange, symbol, time, side, price, quantity, value, id) "
    "SELECT exchange, symbol, make_timestamp(time_us), side, " EXACT("price_e8") ", " EXACT(
        "quantity_e8") ", " EXACT("value_e8") ", id "
                                              "FROM (SELECT * FROM temp.staged_liquidations "
                                              "QUALIFY row_number() OVER "
                                              "(PARTITION BY exchange, symbol, time_us, id) = 1) "
                                              "AS staged "
                                              "WHERE NOT EXISTS (SELECT 1 FROM liquidations AS "
                                              "target WHERE target.exchange = staged.exchange "
                                              "AND target.symbol = staged.symbol AND target.time = "
                                              "make_timestamp(staged.time_us) "
                                              "AND target.id = staged.id AND target.time BETWEEN "
                                              "$1 AND $2)";

static enum status append_failed(struct store_session *session, struct error *error)
{
    return store_fail(session->store, STATUS_IO,
                      duckdb_appender_error(session->write.liquidations.appender), error);
}

static enum status begin_stage(struct store_session *session, struct error *error)
{
    struct stage *stage = &session->write.liquidations;
    enum status status = store_run(session, create_sql, NULL, 0, NULL, error);
    if (status == STATUS_OK)
        status = store_run(session, stage_sql, NULL, 0, NULL, error);
    if (status == STATUS_OK &&
        duckdb_appender_create_ext(session->connection, "temp", "main", "staged_liquidations",
                                   &stage->appender) != DuckDBSuccess) {
        status = append_failed(session, error);
        duckdb_appender_destroy(&stage->appender);
    }
    return status;
}

enum status store_write_liquidation(struct store_session *session,
                                    const struct liquidation_row *row, struct error *error)
{
    struct stage *stage = &session->write.liquidations;
    enum status status = stage->appender == NULL ? begin_stage(session, error) : STATUS_OK;
    if (status != STATUS_OK)
        return status;
    store_stage_time(stage, row->time_ms);
    duckdb_append_varchar(stage->appender, row->exchange);
    duckdb_append_varchar(stage->appender, row->symbol);
    duckdb_append_int64(stage->appender, row->time_ms * 1000);
    duckdb_append_varchar(stage->appender, row->id);
    duckdb_append_varchar(stage->appender, row->is_long ? "long" : "short");
    duckdb_append_int64(stage->appender, row->price_e8);
    duckdb_append_int64(stage->appender, row->quantity_e8);
    duckdb_append_int64(stage->appender, row->value_e8);
    return duckdb_appender_end_row(stage->appender) == DuckDBSuccess
               ? STATUS_OK
               : append_failed(session, error);
}

enum status store_merge_liquidations(struct store_session *session, struct error *error)
{
    struct stage *stage = &session->write.liquidations;
    duckdb_result result;
    const struct parameter range[] = {
        {.type = PARAMETER_TIME, .time_ms = stage->time_min_ms},
        {.type = PARAMETER_TIME, .time_ms = stage->time_max_ms},
    };
    if (duckdb_appender_close(stage->appender) != DuckDBSuccess)
        return append_failed(session, error);
    enum status status = store_run(session, merge_sql, range, 2, &result, error);
    if (status != STATUS_OK)
        return status;
    session->write.liquidations_new = duckdb_rows_changed(&result);
    duckdb_destroy_result(&result);
    return store_run(session, "DROP TABLE temp.staged_liquidations", NULL, 0, NULL, error);
}

uint64_t store_liquidations_new(const struct store_session *session)
{
    return session->write.liquidations_new;
}

/* DuckDB's list of tables takes many times as long as one that is not there. */
enum status store_has_liquidations(struct store_session *session, bool *is_there,
                                   struct error *error)
{
    struct error reason = {0};
    enum status status =
        store_run(session, "SELECT 1 FROM liquidations LIMIT 0", NULL, 0, NULL, &reason);
    *is_there = status == STATUS_OK;
    if (status == STATUS_OK || strstr(reason.message, "does not exist") != NULL)
        return STATUS_OK;
    return error_set(error, status, "%s", reason.message);
}

enum status store_count_liquidations(struct store_session *session, int64_t *count,
                                     struct error *error)
{
    bool is_there;
    *count = 0;
    enum status status = store_has_liquidations(session, &is_there, error);
    if (status == STATUS_OK && is_there)
        status = store_run_row(session, "SELECT count(*) FROM liquidations", NULL, 0, count, NULL,
                               1, error);
    return status;
}

/* -- reading ----------------------------------------------------------------------------------- */

/* Times are whole milliseconds (writers' rows), or are rounded down to them. */
static const char extent_sql[] =
    "SELECT count(*) FILTER (time BETWEEN $2 AND $3), epoch_ms(min(time)), epoch_ms(max(time)) "
    "FROM liquidations WHERE symbol = $1 AND time <= $4";

static const char after_sql[] =
    "SELECT epoch_ms(time) FROM liquidations WHERE symbol = $1 AND time BETWEEN $2 AND $3 "
    "ORDER BY time DESC LIMIT 1 OFFSET $4";

static const char read_sql[] =
    "SELECT exchange, id, epoch_ms(time), side = 'long', TRY_CAST(price AS DECIMAL(18,8)), "
    "TRY_CAST(quantity AS DECIMAL(18,8)), TRY_CAST(value AS DECIMAL(18,8)) FROM liquidations "
    "WHERE symbol = $1 AND time BETWEEN $2 AND $3 ORDER BY time, exchange, id";

static int64_t last_moment(const struct store_session *session, int64_t end_ms)
{
    return store_interest_end(session, end_ms + 1) - 1;
}

enum status store_liquidations_extent(struct store_session *session, const char *symbol,
                                      int64_t start_ms, int64_t end_ms, struct store_extent *extent,
                                      struct error *error)
{
    const struct parameter parameters[] = {
        {.type = PARAMETER_TEXT, .text = symbol},
        {.type = PARAMETER_TIME, .time_ms = start_ms},
        {.type = PARAMETER_TIME, .time_ms = last_moment(session, end_ms)},
        {.type = PARAMETER_TIME, .time_ms = last_moment(session, store_time_max_ms())},
    };
    bool is_there, is_null[3] = {0};
    int64_t values[3] = {0};
    *extent = (struct store_extent){.oldest_ms = STORE_NONE, .newest_ms = STORE_NONE};
    enum status status = store_has_liquidations(session, &is_there, error);
    if (status == STATUS_OK && is_there)
        status = store_run_row(session, extent_sql, parameters, 4, values, is_null, 3, error);
    if (status != STATUS_OK || !is_there || is_null[1])
        return status;
    *extent = (struct store_extent){values[0], values[1], values[2]};
    return STATUS_OK;
}

enum status store_liquidations_fit(struct store_session *session, const char *symbol,
                                   int64_t start_ms, int64_t end_ms, int64_t count,
                                   int64_t *fitting_start_ms, struct error *error)
{
    const struct parameter parameters[] = {
        {.type = PARAMETER_TEXT, .text = symbol},
        {.type = PARAMETER_TIME, .time_ms = start_ms},
        {.type = PARAMETER_TIME, .time_ms = last_moment(session, end_ms)},
        {.type = PARAMETER_INTEGER, .integer = count},
    };
    int64_t last_left_out_ms = start_ms - 1;
    enum status status =
        store_run_row(session, after_sql, parameters, 4, &last_left_out_ms, NULL, 1, error);
    *fitting_start_ms = last_left_out_ms + 1;
    return status;
}

static int64_t read_amount(const struct rows *rows, size_t column)
{
    return rows_has(rows, column) ? rows_int64(rows, column) : 0;
}

enum status store_read_liquidations(struct store_session *session, const char *symbol,
                                    int64_t start_ms, int64_t end_ms,
                                    void (*on_row)(const struct store_liquidation *row,
                                                   void *context),
                                    void *context, struct error *error)
{
    const struct parameter parameters[] = {
        {.type = PARAMETER_TEXT, .text = symbol},
        {.type = PARAMETER_TIME, .time_ms = start_ms},
        {.type = PARAMETER_TIME, .time_ms = last_moment(session, end_ms)},
    };
    struct rows rows = {.column_count = 7};
    enum status status = store_run(session, read_sql, parameters, 3, &rows.result, error);
    if (status != STATUS_OK)
        return status;
    while (rows_next(&rows))
        on_row(
            &(struct store_liquidation){
                .exchange = rows_text(&rows, 0),
                .id = rows_text(&rows, 1),
                .time_ms = rows_int64(&rows, 2),
                .is_long = rows_bool(&rows, 3),
                .price_e8 = read_amount(&rows, 4),
                .quantity_e8 = read_amount(&rows, 5),
                .value_e8 = read_amount(&rows, 6),
            },
            context);
    return rows_close(&rows)
               ? STATUS_OK
               : error_set(error, STATUS_NO_MEMORY, "no memory for the liquidations of %s", symbol);
}
