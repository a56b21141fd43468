/* What is asked of the tables. SQL filters, casts and sorts; what the rows mean is series_builder's
 * matter.
 *
 * Everything is cast to one form first, because a database that another program made may hold the
 * same facts as DOUBLE, wider DECIMAL, or times with a zone; a value that has no such form (NaN,
 * too large) becomes NULL, which is missing data. Where a column has the expected type the cast
 * costs nothing. */
#include "store/internal.h"

#include "base/clock.h"
#include "model/series_builder.h"
#include "store/rows.h"

static const char candles_sql[] =
    "SELECT TRY_CAST(open_time AS TIMESTAMP) AS candle_time, TRY_CAST(open AS DECIMAL(18,8)), "
    "TRY_CAST(high AS DECIMAL(18,8)), TRY_CAST(low AS DECIMAL(18,8)), "
    "TRY_CAST(close AS DECIMAL(18,8)), TRY_CAST(volume AS DOUBLE) FROM klines_5m_history "
    "WHERE symbol = $1 AND TRY_CAST(open_time AS TIMESTAMP) BETWEEN $2 AND $3 ORDER BY candle_time";

static const char count_sql[] =
    "SELECT count(DISTINCT epoch_ms(TRY_CAST(open_time AS TIMESTAMP)) // $4) "
    "FROM klines_5m_history "
    "WHERE symbol = $1 AND TRY_CAST(open_time AS TIMESTAMP) BETWEEN $2 AND $3";

static const char count_rows_sql[] =
    "SELECT count(*) FROM klines_5m_history "
    "WHERE symbol = $1 AND TRY_CAST(open_time AS TIMESTAMP) BETWEEN $2 AND $3";

/* Fetched as DECIMAL, since DuckDB is slow at making DOUBLE of the wide ones. */
#define INTEREST_OF(contracts)                                                                     \
    "SELECT TRY_CAST(timestamp AS TIMESTAMP) AS stamp, "                                           \
    "TRY_CAST(open_interest_value AS DECIMAL(28,8)) AS amount, "                                   \
    "TRY_CAST(" contracts " AS DECIMAL(28,8)) AS contracts FROM open_interest_history "            \
    "WHERE symbol = $1 AND TRY_CAST(timestamp AS TIMESTAMP) >= $2 "                                \
    "AND TRY_CAST(timestamp AS TIMESTAMP) < $3 ORDER BY stamp, amount, contracts"

static const char interest_sql[] = INTEREST_OF("open_interest_contracts");
static const char interest_values_sql[] = INTEREST_OF("NULL");

/* $2 and $3 bound the time: comparisons are checked against a block's bounds, not each row. */
#define NEWEST                                                                                     \
    "SELECT epoch_ms(max(TRY_CAST(open_time AS TIMESTAMP))) FROM klines_5m_history "               \
    "WHERE symbol = $1 AND TRY_CAST(open_time AS TIMESTAMP) >= $2 "                                \
    "AND TRY_CAST(open_time AS TIMESTAMP) <= $3"
static const char newest_sql[] = NEWEST;
static const char newest_usable_sql[] = NEWEST " AND " USABLE_CANDLE;
static const char newest_of_any_sql[] =
    "SELECT epoch_ms(max(TRY_CAST(open_time AS TIMESTAMP))) FROM klines_5m_history "
    "WHERE TRY_CAST(open_time AS TIMESTAMP) >= $1 AND TRY_CAST(open_time AS TIMESTAMP) <= $2";

static const char newest_interest_sql[] =
    "SELECT CAST(arg_max(amount, timestamp) * 100000000 AS BIGINT) FROM (SELECT timestamp, "
    "TRY_CAST(open_interest_value AS DECIMAL(20,8)) AS amount FROM open_interest_history "
    "WHERE symbol = $1 AND TRY_CAST(timestamp AS TIMESTAMP) < $2) WHERE amount > 0";

/* Klines do not say which source wrote them; those of a symbol are taken for the source's own where
 * it has written open interest of that symbol. */
static const char others_sql[] =
    "SELECT EXISTS (SELECT 1 FROM open_interest_history WHERE source IS DISTINCT FROM $1) "
    "OR EXISTS (SELECT 1 FROM klines_5m_history WHERE symbol NOT IN "
    "(SELECT symbol FROM open_interest_history WHERE source = $1))";
static const char any_rows_sql[] = "SELECT EXISTS (SELECT 1 FROM open_interest_history) "
                                   "OR EXISTS (SELECT 1 FROM klines_5m_history)";

enum { SOURCE_COLUMN = 5 }; /* in store_tables[TABLE_INTEREST] */

bool store_has_contracts(const struct store_session *session)
{
    enum { CONTRACTS_COLUMN = 4 };
    return session->instance->schema.has[TABLE_INTEREST][CONTRACTS_COLUMN];
}

/* -- a window ---------------------------------------------------------------------------------- */

static void read_candles(struct rows *rows, struct series_builder *builder)
{
    while (rows_next(rows)) {
        const struct candle candle = rows_candle(rows, 1);
        series_builder_add_candle(builder, rows_int64(rows, 0), &candle);
    }
}

static void read_interest(struct rows *rows, struct series_builder *builder)
{
    while (rows_next(rows)) {
        const struct interest_reading reading = rows_interest(rows, 0);
        series_builder_add_interest(builder, &reading);
    }
}

enum status store_load(struct store_session *session, const char *symbol, int64_t start_ms,
                       int64_t end_ms, int64_t interval_ms, struct series *series,
                       struct error *error)
{
    struct series_builder builder;
    struct parameter parameters[] = {
        {.type = PARAMETER_TEXT, .text = symbol},
        {.type = PARAMETER_TIME, .time_ms = start_ms},
        {.type = PARAMETER_TIME, .time_ms = store_last_candle(session, end_ms)},
    };
    struct rows candles = {.column_count = 6}, interest = {.column_count = 3};
    series_builder_init(&builder, series, interval_ms);
    enum status status = store_run(session, candles_sql, parameters, 3, &candles.result, error);
    if (status != STATUS_OK)
        return status;
    read_candles(&candles, &builder);
    bool is_complete = rows_close(&candles);

    const char *sql = store_has_contracts(session) ? interest_sql : interest_values_sql;
    parameters[2].time_ms =
        store_interest_end(session, series_builder_interest_end(end_ms, interval_ms));
    status = store_run(session, sql, parameters, 3, &interest.result, error);
    if (status != STATUS_OK)
        return status;
    read_interest(&interest, &builder);
    is_complete = rows_close(&interest) && is_complete;
    series_builder_finish(&builder);
    if (!is_complete || series->has_failed)
        return error_set(error, STATUS_NO_MEMORY, "no memory for the candles of %s", symbol);
    return STATUS_OK;
}

/* -- single values ----------------------------------------------------------------------------- */

enum status store_count(struct store_session *session, const char *symbol, int64_t start_ms,
                        int64_t end_ms, int64_t interval_ms, int64_t *count, struct error *error)
{
    const struct parameter parameters[] = {
        {.type = PARAMETER_TEXT, .text = symbol},
        {.type = PARAMETER_TIME, .time_ms = start_ms},
        {.type = PARAMETER_TIME, .time_ms = store_last_candle(session, end_ms)},
        {.type = PARAMETER_INTEGER, .integer = interval_ms},
    };
    return store_run_row(session, count_sql, parameters, 4, count, NULL, 1, error);
}

enum status store_count_rows(struct store_session *session, const char *symbol, int64_t start_ms,
                             int64_t end_ms, int64_t *count, struct error *error)
{
    const struct parameter parameters[] = {
        {.type = PARAMETER_TEXT, .text = symbol},
        {.type = PARAMETER_TIME, .time_ms = start_ms},
        {.type = PARAMETER_TIME, .time_ms = store_last_candle(session, end_ms)},
    };
    return store_run_row(session, count_rows_sql, parameters, 3, count, NULL, 1, error);
}

/* A clock that was never set says nothing about what is in the future. */
#define CLOCK_MIN_MS INT64_C(1704067200000) /* 2024 */

int64_t store_time_max_ms(void)
{
    int64_t now_ms = clock_wall_ms();
    return now_ms < CLOCK_MIN_MS ? STORE_TIME_LAST : now_ms + DAY_MS;
}

static enum status newest_within(struct store_session *session, const char *sql, const char *symbol,
                                 int64_t from_ms, int64_t to_ms, int64_t *open_time_ms,
                                 bool *is_null, struct error *error)
{
    const struct parameter parameters[] = {
        {.type = PARAMETER_TEXT, .text = symbol},
        {.type = PARAMETER_TIME, .time_ms = from_ms},
        {.type = PARAMETER_TIME, .time_ms = to_ms},
    };
    return store_run_row(session, sql, parameters, 3, open_time_ms, is_null, 1, error);
}

/* The end of the whole table, whatever symbol has it. */
static enum status newest_of_any(struct store_session *session, int64_t to_ms,
                                 int64_t *open_time_ms, bool *is_null, struct error *error)
{
    const struct parameter parameters[] = {
        {.type = PARAMETER_TIME, .time_ms = STORE_TIME_FIRST},
        {.type = PARAMETER_TIME, .time_ms = to_ms},
    };
    return store_run_row(session, newest_of_any_sql, parameters, 2, open_time_ms, is_null, 1,
                         error);
}

/* The newest row, which may be no candle. Where rows are stored in the order of time, the last days
 * take a fraction of a millisecond, and the whole table tens of them. So the last days before now,
 * or before the moment up to which the session sees, are looked at first, then those before the end
 * of the table, and only then all of it. */
static enum status newest_row(struct store_session *session, const char *symbol, int64_t to_ms,
                              int64_t *open_time_ms, bool *is_null, struct error *error)
{
    enum { NEAR_DAYS = 2 };
    int64_t now_ms = clock_wall_ms();
    int64_t near_ms = (to_ms < now_ms ? to_ms : now_ms) - NEAR_DAYS * DAY_MS;
    enum status status =
        newest_within(session, newest_sql, symbol, near_ms, to_ms, open_time_ms, is_null, error);
    if (status == STATUS_OK && *is_null) {
        status = newest_of_any(session, to_ms, open_time_ms, is_null, error);
        if (status == STATUS_OK && !*is_null)
            status = newest_within(session, newest_sql, symbol, *open_time_ms - NEAR_DAYS * DAY_MS,
                                   to_ms, open_time_ms, is_null, error);
    }
    if (status == STATUS_OK && *is_null)
        status = newest_within(session, newest_sql, symbol, STORE_TIME_FIRST, to_ms, open_time_ms,
                               is_null, error);
    return status;
}

/* The newest candle up to a row, which nearly always is one: then no other row needs to be read.
 * Its time may have microseconds, which were cut off. */
static enum status newest_usable(struct store_session *session, const char *symbol, int64_t row_ms,
                                 int64_t *open_time_ms, bool *is_null, struct error *error)
{
    int64_t to_ms = row_ms + 1;
    enum status status = newest_within(session, newest_usable_sql, symbol, row_ms, to_ms,
                                       open_time_ms, is_null, error);
    if (status != STATUS_OK || !*is_null)
        return status;
    return newest_within(session, newest_usable_sql, symbol, STORE_TIME_FIRST, to_ms, open_time_ms,
                         is_null, error);
}

enum status store_newest(struct store_session *session, const char *symbol, int64_t *open_time_ms,
                         struct error *error)
{
    bool is_null;
    int64_t to_ms = store_last_candle(session, store_time_max_ms());
    enum status status = newest_row(session, symbol, to_ms, open_time_ms, &is_null, error);
    if (status == STATUS_OK && !is_null)
        status = newest_usable(session, symbol, *open_time_ms, open_time_ms, &is_null, error);
    if (status == STATUS_OK && is_null)
        return error_set(error, STATUS_NO_DATA, "no candles of %s in the database", symbol);
    return status;
}

enum status store_newest_interest(struct store_session *session, const char *symbol,
                                  int64_t *value_e8, struct error *error)
{
    const struct parameter parameters[] = {
        {.type = PARAMETER_TEXT, .text = symbol},
        {.type = PARAMETER_TIME, .time_ms = store_interest_end(session, store_time_max_ms())},
    };
    bool is_null;
    enum status status =
        store_run_row(session, newest_interest_sql, parameters, 2, value_e8, &is_null, 1, error);
    if (status == STATUS_OK && is_null)
        return error_set(error, STATUS_NO_DATA, "no open interest of %s in the database", symbol);
    return status;
}

enum status store_has_others(struct store_session *session, const char *source, bool *has_others,
                             struct error *error)
{
    const struct parameter parameter = {.type = PARAMETER_TEXT, .text = source};
    bool has_column = session->instance->schema.has[TABLE_INTEREST][SOURCE_COLUMN];
    int64_t found = 0;
    enum status status =
        has_column ? store_run_row(session, others_sql, &parameter, 1, &found, NULL, 1, error)
                   : store_run_row(session, any_rows_sql, NULL, 0, &found, NULL, 1, error);
    *has_others = found != 0;
    return status;
}
