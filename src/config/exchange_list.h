/* The exchanges that heatcast knows, and symbols that name one: BTCUSDT is of the first of the
 * EXCHANGES, BYBIT:BTCUSDT of that one, and ALL:BTCUSDT the sum over all of them.
 *
 * How an exchange is asked is in sources/collect/exchange.h; here is what settings need. Any
 * thread. */
#ifndef HEATCAST_CONFIG_EXCHANGE_LIST_H
#define HEATCAST_CONFIG_EXCHANGE_LIST_H

#include "base/error.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/* One line an exchange: its number, its name, and the base addresses of its REST answers and of its
 * WebSockets, which <NAME>_REST_URL and <NAME>_WS_URL replace. */
#define EXCHANGES(X)                                                                               \
    X(BINANCE, binance, "https://fapi.binance.com", "wss://fstream.binance.com")                   \
    X(BYBIT, bybit, "https://api.bybit.com", "wss://stream.bybit.com")                             \
    X(OKX, okx, "https://www.okx.com", "wss://ws.okx.com:8443")                                    \
    X(HYPERLIQUID, hyperliquid, "https://api.hyperliquid.xyz", "wss://api.hyperliquid.xyz")

#define EXCHANGE_ENUM(id, name, rest, websocket) EXCHANGE_##id,
enum exchange_id { EXCHANGES(EXCHANGE_ENUM) EXCHANGE_COUNT };
#undef EXCHANGE_ENUM

/* "binance": in settings, logs, metrics, messages and the database. */
const char *exchange_name(enum exchange_id id);

/* "BINANCE": before the names of symbols and of settings. */
const char *exchange_prefix_name(enum exchange_id id);

/* Some of them, in the order of the user's preference, each once; at least one. */
struct exchange_list {
    size_t count;
    enum exchange_id ids[EXCHANGE_COUNT];
};

/* "binance,bybit", in any case. */
enum status exchange_list_parse(const char *text, struct exchange_list *list, struct error *error);

enum exchange_scope { EXCHANGE_SCOPE_FIRST, EXCHANGE_SCOPE_ONE, EXCHANGE_SCOPE_ALL };

/* What stands before the name of a symbol. */
struct exchange_prefix {
    enum exchange_scope scope;
    enum exchange_id id; /* of EXCHANGE_SCOPE_ONE */
};

/* Removes the prefix of a symbol, which may have none, so that its name is left. False, and nothing
 * is removed, if something else stands before a colon. Prefixes are upper case. */
bool exchange_prefix_take(struct slice *symbol, struct exchange_prefix *prefix);

#endif
