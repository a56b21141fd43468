/* What the generator asks at a tick (engine/refresh.c), of all its symbols in one query each: which
 * are the newest candles, which blocks of time have changed, what is in them.
 *
 * A digest is taken over the columns as they are stored, without the casts that reading them needs:
 * where a cast would give the same of another value, a block is read for nothing. Sums of hashes do
 * not depend on the order of rows, and unlike exclusive-or they tell two equal rows from none. */
#include "store/internal.h"

#include "store/rows.h"

#define BETWEEN                                                                                    \
    "FROM klines_5m_history WHERE TRY_CAST(open_time AS TIMESTAMP) >= $1 "                         \
    "AND TRY_CAST(open_time AS TIMESTAMP) <= $2 "
#define NEWEST_OF_ALL(close, usable)                                                               \
    "SELECT CAST(symbol AS VARCHAR), epoch_ms(max(TRY_CAST(open_time AS TIMESTAMP)))" close        \
    " " BETWEEN usable " GROUP BY symbol"
#define CLOSE ", arg_max(TRY_CAST(close AS DECIMAL(18,8)), TRY_CAST(open_time AS TIMESTAMP))"

/* By whether closes are wanted, and whether there are rows in between that are no candles. */
static const char *const newest_all_sql[2][2] = {
    {NEWEST_OF_ALL("", ""), NEWEST_OF_ALL("", "AND " USABLE_CANDLE)},
    {NEWEST_OF_ALL(CLOSE, ""), NEWEST_OF_ALL(CLOSE, "AND " USABLE_CANDLE)},
};
static const char has_unusable_sql[] =
    "SELECT EXISTS (SELECT 1 " BETWEEN "AND (" USABLE_CANDLE ") IS NOT TRUE)";

/* $3 is STORE_BLOCK_MS, $4 the last candle, or the end of the open interest. */
static const char candle_digest_sql[] =
    "SELECT CAST(symbol AS VARCHAR), epoch_ms(TRY_CAST(open_time AS TIMESTAMP)) // $3 AS block, "
    "epoch_ms(min(TRY_CAST(open_time AS TIMESTAMP)) FILTER (" USABLE_CANDLE ")), "
    "epoch_ms(max(TRY_CAST(open_time AS TIMESTAMP)) FILTER (" USABLE_CANDLE ")), count(*), "
    "sum(hash(open_time, open, high, low, close, volume)) FROM klines_5m_history "
    "WHERE symbol IN (SELECT unnest(string_split($1, chr(10)))) "
    "AND TRY_CAST(open_time AS TIMESTAMP) >= $2 "
    "AND TRY_CAST(open_time AS TIMESTAMP) <= $4 GROUP BY symbol, block";

#define INTEREST_DIGEST(columns)                                                                   \
    "SELECT CAST(symbol AS VARCHAR), epoch_ms(TRY_CAST(timestamp AS TIMESTAMP)) // $3 AS block, "  \
    "epoch_ms(min(TRY_CAST(timestamp AS TIMESTAMP))), "                                            \
    "epoch_ms(max(TRY_CAST(timestamp AS TIMESTAMP))), count(*), "                                  \
    "sum(hash(" columns ")) FROM open_interest_history "                                           \
    "WHERE symbol IN (SELECT unnest(string_split($1, chr(10)))) "                                  \
    "AND TRY_CAST(timestamp AS TIMESTAMP) >= $2 "                                                  \
    "AND TRY_CAST(timestamp AS TIMESTAMP) < $4 GROUP BY symbol, block"

static const char read_candles_sql[] =
    "SELECT CAST(symbol AS VARCHAR) AS name, TRY_CAST(open_time AS TIMESTAMP) AS candle_time, "
    "TRY_CAST(open AS DECIMAL(18,8)), TRY_CAST(high AS DECIMAL(18,8)), "
    "TRY_CAST(low AS DECIMAL(18,8)), TRY_CAST(close AS DECIMAL(18,8)), "
    "TRY_CAST(volume AS DOUBLE) FROM klines_5m_history "
    "WHERE symbol IN (SELECT unnest(string_split($1, chr(10)))) "
    "AND TRY_CAST(open_time AS TIMESTAMP) >= $2 AND TRY_CAST(open_time AS TIMESTAMP) < $3 "
    "AND TRY_CAST(open_time AS TIMESTAMP) <= $4 ORDER BY name, candle_time";

#define READ_INTEREST(contracts)                                                                   \
    "SELECT CAST(symbol AS VARCHAR) AS name, TRY_CAST(timestamp AS TIMESTAMP) AS stamp, "          \
    "TRY_CAST(open_interest_value AS DECIMAL(28,8)) AS amount, "                                   \
    "TRY_CAST(" contracts " AS DECIMAL(28,8)) AS contracts FROM open_interest_history "            \
    "WHERE symbol IN (SELECT unnest(string_split($1, chr(10)))) "                                  \
    "AND TRY_CAST(timestamp AS TIMESTAMP) >= $2 AND TRY_CAST(timestamp AS TIMESTAMP) < $3 "        \
    "AND TRY_CAST(timestamp AS TIMESTAMP) < $4 ORDER BY name, stamp, amount, contracts"

/* By kind; the last is open interest of a table without contracts. */
enum { INTEREST_WITHOUT_CONTRACTS = STORE_INTEREST + 1, BLOCK_QUERIES };

static const char *const digest_sql[BLOCK_QUERIES] = {
    [STORE_CANDLES] = candle_digest_sql,
    [STORE_INTEREST] = INTEREST_DIGEST("timestamp, open_interest_value, open_interest_contracts"),
    [INTEREST_WITHOUT_CONTRACTS] = INTEREST_DIGEST("timestamp, open_interest_value"),
};

static const char *const read_sql[BLOCK_QUERIES] = {
    [STORE_CANDLES] = read_candles_sql,
    [STORE_INTEREST] = READ_INTEREST("open_interest_contracts"),
    [INTEREST_WITHOUT_CONTRACTS] = READ_INTEREST("NULL"),
};

static int query_of(const struct store_session *session, enum store_kind kind)
{
    bool has_no_contracts = kind == STORE_INTEREST && !store_has_contracts(session);
    return has_no_contracts ? INTEREST_WITHOUT_CONTRACTS : (int)kind;
}

/* Ends the walk over a result: STATUS_OK if it came to its end. */
static enum status end_walk(struct store_session *session, struct rows *rows, struct error *error)
{
    return rows_close(rows)
               ? STATUS_OK
               : store_fail(session->store, STATUS_NO_MEMORY, "no memory for a result", error);
}

/* Up to where rows of this kind may be read. */
static struct parameter horizon_of(const struct store_session *session, enum store_kind kind)
{
    int64_t time_max_ms = store_time_max_ms();
    return (struct parameter){
        .type = PARAMETER_TIME,
        .time_ms = kind == STORE_CANDLES ? store_last_candle(session, time_max_ms)
                                         : store_interest_end(session, time_max_ms),
    };
}

/* Times and symbols are read before prices are, as everywhere: a file that was copied over with
 * another one is found out by its symbols, while of its prices DuckDB may make anything. */
static enum status find_newest(struct store_session *session, int64_t start_ms, bool wants_close,
                               struct rows *rows, struct error *error)
{
    const struct parameter parameters[] = {
        {.type = PARAMETER_TIME, .time_ms = start_ms},
        horizon_of(session, STORE_CANDLES),
    };
    const char *const *sql = newest_all_sql[wants_close];
    int64_t has_unusable;
    *rows = (struct rows){.column_count = wants_close ? 3 : 2};
    enum status status = store_run(session, sql[0], parameters, 2, &rows->result, error);
    if (status != STATUS_OK)
        return status;
    status = store_run_row(session, has_unusable_sql, parameters, 2, &has_unusable, NULL, 1, error);
    if (status == STATUS_OK && !has_unusable)
        return STATUS_OK;
    duckdb_destroy_result(&rows->result);
    return status == STATUS_OK ? store_run(session, sql[1], parameters, 2, &rows->result, error)
                               : status;
}

enum status store_newest_all(struct store_session *session, int64_t start_ms, bool wants_close,
                             void (*on_newest)(const struct store_newest *newest, void *context),
                             void *context, struct error *error)
{
    struct rows rows;
    enum status status = find_newest(session, start_ms, wants_close, &rows, error);
    if (status != STATUS_OK)
        return status;
    while (rows_next(&rows)) {
        const struct store_newest newest = {
            .symbol = rows_has(&rows, 0) ? rows_text(&rows, 0) : (struct slice){"", 0},
            .open_time_ms = rows_int64(&rows, 1),
            .close_e8 = wants_close && rows_has(&rows, 2) ? rows_int64(&rows, 2) : 0,
        };
        on_newest(&newest, context);
    }
    return end_walk(session, &rows, error);
}

enum status store_digest(struct store_session *session, enum store_kind kind, const char *symbols,
                         int64_t start_ms,
                         void (*on_digest)(const struct store_digest *digest, void *context),
                         void *context, struct error *error)
{
    const struct parameter parameters[] = {
        {.type = PARAMETER_TEXT, .text = symbols},
        {.type = PARAMETER_TIME, .time_ms = start_ms},
        {.type = PARAMETER_INTEGER, .integer = STORE_BLOCK_MS},
        horizon_of(session, kind),
    };
    struct rows rows = {.column_count = 6};
    enum status status =
        store_run(session, digest_sql[query_of(session, kind)], parameters, 4, &rows.result, error);
    if (status != STATUS_OK)
        return status;
    while (rows_next(&rows)) {
        const struct store_digest digest = {
            .symbol = rows_text(&rows, 0),
            .block = rows_int64(&rows, 1),
            .oldest_ms = rows_has(&rows, 2) ? rows_int64(&rows, 2) : STORE_NONE,
            .newest_ms = rows_has(&rows, 3) ? rows_int64(&rows, 3) : STORE_NONE,
            .count = (uint64_t)rows_int64(&rows, 4),
            .sum = (uint64_t)rows_wide(&rows, 5),
        };
        on_digest(&digest, context);
    }
    return end_walk(session, &rows, error);
}

enum status store_read(struct store_session *session, enum store_kind kind, const char *symbols,
                       int64_t start_ms, int64_t end_ms,
                       void (*on_row)(const struct store_row *row, void *context), void *context,
                       struct error *error)
{
    const struct parameter parameters[] = {
        {.type = PARAMETER_TEXT, .text = symbols},
        {.type = PARAMETER_TIME, .time_ms = start_ms},
        {.type = PARAMETER_TIME, .time_ms = end_ms},
        horizon_of(session, kind),
    };
    struct rows rows = {.column_count = kind == STORE_CANDLES ? 7 : 4};
    enum status status =
        store_run(session, read_sql[query_of(session, kind)], parameters, 4, &rows.result, error);
    if (status != STATUS_OK)
        return status;
    while (rows_next(&rows)) {
        struct store_row row = {.symbol = rows_text(&rows, 0), .time_us = rows_int64(&rows, 1)};
        if (kind == STORE_CANDLES)
            row.candle = rows_candle(&rows, 2);
        else
            row.interest = rows_interest(&rows, 1);
        on_row(&row, context);
    }
    return end_walk(session, &rows, error);
}
