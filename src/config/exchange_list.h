/* The exchanges that heatcast knows, and symbols that name one: BTCUSDT is of the first of the
 * EXCHANGES, BYBIT:BTCUSDT of that one, and ALL:BTCUSDT the sum over all of them.
 *
 * How an exchange is asked is in sources/collect/exchange.h; here is what settings need. Any
 * thread. */
#ifndef HEATCAST_CONFIG_EXCHANGE_LIST_H
#define HEATCAST_CONFIG_EXCHANGE_LIST_H

/* One line an exchange: its number, its name, and the base addresses of its REST answers and of its
 * WebSockets, which <NAME>_REST_URL and <NAME>_WS_URL replace. */
#define EXCHANGES(X) X(BINANCE, binance, "https://fapi.binance.com", "wss://fstream.binance.com")

#define EXCHANGE_ENUM(id, name, rest, websocket) EXCHANGE_##id,
enum exchange_id { EXCHANGES(EXCHANGE_ENUM) EXCHANGE_COUNT };
#undef EXCHANGE_ENUM

/* "BINANCE": before the names of symbols and of settings. */
const char *exchange_prefix_name(enum exchange_id id);

#endif
