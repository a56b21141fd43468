/* All that there is of an exchange outside its own file comes from one line of the table EXCHANGES:
 * its number, its name, its settings, and its place among the functions that ask it
 * (sources/collect/exchange.c). So a further one is that line and its file. */
#include "config/exchange_list.h"

#define EXCHANGE_PREFIX(id, name, rest, websocket) [EXCHANGE_##id] = #id,
static const char *const prefixes[EXCHANGE_COUNT] = {EXCHANGES(EXCHANGE_PREFIX)};

const char *exchange_prefix_name(enum exchange_id id)
{
    return prefixes[id];
}
