/* What is stored of many symbols: the newest row of each, and the steps of five minutes that are
 * missing. A collector asks it of all symbols at start, to know what to fetch.
 *
 * One query for all symbols and bounded by a range of time costs a fraction of one a symbol: in a
 * table that is written in the order of time DuckDB passes over all blocks outside the range, and
 * reads those inside once. Only rows that a model would use count (series_builder.c): one without a
 * price, or open interest of 0, is missing data and may have been mended since by the exchange. */
#include "store/internal.h"

#include "base/buffer.h"
#include "base/check.h"
#include "store/rows.h"

/* The symbols travel as one text, since names hold no line break. */
#define WANTED                                                                                     \
    "WITH wanted AS (SELECT unnest(names) AS symbol, unnest(range(len(names))) AS number "         \
    "FROM (SELECT string_split($1, chr(10)) AS names)), "
#define CANDLES                                                                                    \
    "found AS (SELECT number, TRY_CAST(open_time AS TIMESTAMP) AS time "                           \
    "FROM klines_5m_history JOIN wanted USING (symbol) "                                           \
    "WHERE TRY_CAST(open_time AS TIMESTAMP) >= $2 AND TRY_CAST(open_time AS TIMESTAMP) < $3 "      \
    "AND " USABLE_CANDLE ") "
#define INTEREST                                                                                   \
    "found AS (SELECT number, TRY_CAST(timestamp AS TIMESTAMP) AS time "                           \
    "FROM open_interest_history JOIN wanted USING (symbol) "                                       \
    "WHERE TRY_CAST(timestamp AS TIMESTAMP) >= $2 AND TRY_CAST(timestamp AS TIMESTAMP) < $3 "      \
    "AND TRY_CAST(open_interest_value AS DECIMAL(28,8)) > 0) "
#define NEWEST "SELECT number, epoch_ms(max(time)) FROM found GROUP BY number"
/* Sentinels beside the range make holes at its ends like any other. */
#define HOLES                                                                                      \
    ", steps AS (SELECT DISTINCT number, epoch_ms(time) // 300000 AS step FROM found "             \
    "UNION ALL SELECT number, unnest([$4 - 1, $5 + 1]) FROM wanted), "                             \
    "gaps AS (SELECT number, step, lead(step) OVER (PARTITION BY number ORDER BY step) AS next "   \
    "FROM steps) SELECT number, step + 1, next - 1 FROM gaps WHERE next > step + 1 "               \
    "ORDER BY number, step"

static const char *const newest_sql[] = {
    [STORE_CANDLES] = WANTED CANDLES NEWEST,
    [STORE_INTEREST] = WANTED INTEREST NEWEST,
};
static const char *const holes_sql[] = {
    [STORE_CANDLES] = WANTED CANDLES HOLES,
    [STORE_INTEREST] = WANTED INTEREST HOLES,
};

void store_append_symbols(const struct store_scope *scope, struct buffer *names)
{
    for (size_t i = 0; i < scope->symbol_count; i++)
        buffer_append_format(names, "%s%s", i > 0 ? "\n" : "", scope->symbols[i]);
}

/* Runs one of the queries above, of which each takes the first parameters. */
static enum status ask(struct store_session *session, const char *sql,
                       const struct store_scope *scope, size_t parameter_count, struct rows *rows,
                       struct error *error)
{
    struct buffer names = {0};
    store_append_symbols(scope, &names);
    const struct parameter parameters[] = {
        {.type = PARAMETER_TEXT, .text = buffer_text(&names)},
        {.type = PARAMETER_TIME, .time_ms = scope->from_ms},
        {.type = PARAMETER_TIME, .time_ms = scope->to_ms + CANDLE_MS},
        {.type = PARAMETER_INTEGER, .integer = scope->from_ms / CANDLE_MS},
        {.type = PARAMETER_INTEGER, .integer = scope->to_ms / CANDLE_MS},
    };
    check(scope->from_ms % CANDLE_MS == 0 && scope->to_ms % CANDLE_MS == 0);
    enum status status = store_run(session, sql, parameters, parameter_count, &rows->result, error);
    buffer_deinit(&names);
    return status;
}

static enum status end(struct store_session *session, struct rows *rows, struct error *error)
{
    return rows_close(rows)
               ? STATUS_OK
               : store_fail(session->store, STATUS_NO_MEMORY, "no memory for a result", error);
}

enum status store_newest_of_each(struct store_session *session, enum store_kind kind,
                                 const struct store_scope *scope, int64_t *newest_ms,
                                 struct error *error)
{
    struct rows rows = {.column_count = 2};
    for (size_t i = 0; i < scope->symbol_count; i++)
        newest_ms[i] = STORE_NONE;
    if (scope->symbol_count == 0)
        return STATUS_OK;
    enum status status = ask(session, newest_sql[kind], scope, 3, &rows, error);
    if (status != STATUS_OK)
        return status;
    while (rows_next(&rows))
        newest_ms[rows_int64(&rows, 0)] = rows_int64(&rows, 1);
    return end(session, &rows, error);
}

enum status store_find_holes(struct store_session *session, enum store_kind kind,
                             const struct store_scope *scope,
                             void (*on_hole)(size_t symbol, int64_t first_ms, int64_t last_ms,
                                             void *context),
                             void *context, struct error *error)
{
    struct rows rows = {.column_count = 3};
    if (scope->symbol_count == 0 || scope->from_ms > scope->to_ms)
        return STATUS_OK;
    enum status status = ask(session, holes_sql[kind], scope, 5, &rows, error);
    if (status != STATUS_OK)
        return status;
    while (rows_next(&rows))
        on_hole((size_t)rows_int64(&rows, 0), rows_int64(&rows, 1) * CANDLE_MS,
                rows_int64(&rows, 2) * CANDLE_MS, context);
    return end(session, &rows, error);
}
