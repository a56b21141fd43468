/* Which market a symbol's candles are of. A database has one series a symbol, and BTCUSDT is traded
 * for another price on the spot market than as a future; what is in the series cannot be told from
 * its prices later. So what is known when candles are stored is noted beside them.
 *
 * Databases of earlier versions, and of other programs, have no notes: their candles are taken for
 * those of futures, which are what heatcast reads unless somebody says otherwise. A database has
 * the table from its first note on. */
#include "store/internal.h"

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
