/* Which market a symbol's candles are of. A database has one series a symbol, and BTCUSDT is traded
 * for another price on the spot market than as a future; what is in the series cannot be told from
 * its prices later. So what is known when candles are stored is noted beside them.
 *
 * Databases of earlier versions, and of other programs, have no notes: their candles are taken for
 * those of futures, which are what heatcast reads unless somebody says otherwise. A database has
 * the table from its first note on. */
#include "store/internal.h"

#include "store/rows.h"

#include <string.h>

static const char create_sql[] =
    "CREATE TABLE IF NOT EXISTS symbol_markets (symbol VARCHAR PRIMARY "
    "KEY, market VARCHAR NOT NULL)";

/* Whether the symbol has any candle, a note, and whether that is of the market. */
static const char find_sql[] =
    "SELECT EXISTS (SELECT 1 FROM klines_5m_history WHERE symbol = $1), "
    "EXISTS (SELECT 1 FROM symbol_markets WHERE symbol = $1), "
    "EXISTS (SELECT 1 FROM symbol_markets WHERE symbol = $1 AND market = $2)";

enum status store_write_market(struct store_session *session, const char *symbol,
                               const char *market, bool is_certain, struct error *error)
{
    static const char insert_sql[] = "INSERT INTO symbol_markets VALUES ($1, $2)";
    const struct parameter parameters[] = {
        {.type = PARAMETER_TEXT, .text = symbol},
        {.type = PARAMETER_TEXT, .text = market},
    };
    enum { HAS_CANDLES, HAS_NOTE, IS_SAME, COUNT };
    int64_t found[COUNT] = {0};
    enum status status = store_run(session, create_sql, NULL, 0, NULL, error);
    if (status == STATUS_OK)
        status = store_run_row(session, find_sql, parameters, 2, found, NULL, COUNT, error);
    if (status != STATUS_OK || found[IS_SAME])
        return status;
    if (found[HAS_NOTE])
        return error_set(error, STATUS_INVALID,
                         "the candles of %s that are stored are of another market than '%s'; "
                         "import these into a database of their own",
                         symbol, market);
    if (found[HAS_CANDLES] && strcmp(market, "um") != 0)
        return error_set(error, STATUS_INVALID,
                         "candles of %s are stored already, and nothing says that they are of the "
                         "market '%s'; import these into a database of their own",
                         symbol, market);
    return is_certain ? store_run(session, insert_sql, parameters, 2, NULL, error) : STATUS_OK;
}

enum status store_find_other_markets(struct store_session *session, const char *market,
                                     void (*on_symbol)(struct slice symbol, struct slice market,
                                                       void *context),
                                     void *context, struct error *error)
{
    static const char sql[] = "SELECT symbol, market FROM symbol_markets WHERE market <> $1";
    const struct parameter parameter = {.type = PARAMETER_TEXT, .text = market};
    struct rows rows = {.column_count = 2};
    struct error reason = {0};
    enum status status = store_run(session, sql, &parameter, 1, &rows.result, &reason);
    if (status != STATUS_OK && strstr(reason.message, "does not exist") != NULL)
        return STATUS_OK; /* nothing was noted */
    if (status != STATUS_OK)
        return error_set(error, status, "%s", reason.message);
    while (rows_next(&rows))
        on_symbol(rows_text(&rows, 0), rows_text(&rows, 1), context);
    return rows_close(&rows)
               ? STATUS_OK
               : store_fail(session->store, STATUS_NO_MEMORY, "no memory for a result", error);
}
