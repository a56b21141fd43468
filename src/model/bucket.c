/* A thousandth of the price makes some hundred levels of the prices at which positions of 5x to
 * 100x are liquidated, and a heatmap is drawn over a chart, whose grid has round steps too. Bitcoin
 * in dollars has a rule of its own: 100 at any price, which is what its traders expect.
 *
 * "Nearest" is nearest in ratio, since steps grow by ratios: between 2 and 5 the border is at their
 * geometric mean. Compared as squares of integers, it is exact. */
#include "model/bucket.h"

#include "base/decimal.h"
#include "config/value.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static const unsigned mantissas[] = {1, 2, 5, 10}; /* of a decade, and the first of the next */

static bool is_bitcoin_in_dollars(const char *symbol)
{
    static const char *const quotes[] = {"USDT", "USDC", "BUSD", "FDUSD", "TUSD", "USD"};
    const char *rest = value_symbol_name(symbol);
    if (strncmp(rest, "BTC", 3) != 0)
        return false;
    rest += 3;
    rest += *rest == '-' || *rest == '_';
    for (size_t i = 0; i < sizeof quotes / sizeof quotes[0]; i++) {
        size_t size = strlen(quotes[i]);
        if (strncmp(rest, quotes[i], size) != 0)
            continue;
        /* Nothing follows, or the kind of contract: BTCUSD_PERP, BTCUSDT_260626. */
        if (rest[size] == '\0' || rest[size] == '_' || rest[size] == '-')
            return true;
    }
    return false;
}

int64_t bucket_default(const char *symbol, int64_t close_e8)
{
    if (is_bitcoin_in_dollars(symbol))
        return 100 * DECIMAL_ONE;
    /* Of two neighbours a < b, x is nearer in ratio to a iff x * x < a * b; everything times 1000.
     */
    unsigned __int128 close = close_e8 > 0 ? (unsigned __int128)close_e8 : 0;
    unsigned __int128 power = 1;
    for (;; power *= 10)
        for (size_t i = 0; i < 3; i++) {
            unsigned __int128 step = mantissas[i] * power, next = mantissas[i + 1] * power;
            if (close * close < 1000 * step * 1000 * next)
                return (int64_t)step;
        }
}

int64_t bucket_least(double step_min_e8)
{
    for (int64_t power = 1;; power *= 10)
        for (size_t i = 0; i < 3; i++)
            if ((double)(power * mantissas[i]) >= step_min_e8)
                return power * mantissas[i];
}
