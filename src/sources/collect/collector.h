/* Live data: follows the symbols on their exchanges, and keeps a database complete and current.
 *
 * For each symbol there are candles, open interest and liquidations. Sockets push what they can;
 * what is missing - at the start, after an outage, because a socket was silent, or since an
 * exchange does not push it - is fetched. Rows that are final go to the database by a writer of
 * their own (writer.h); candles that still form, and open interest as it is now, go to the feed.
 *
 * A running source (sources/source.h), on a thread of its own with a loop of its own. */
#ifndef HEATCAST_SOURCES_COLLECT_COLLECTOR_H
#define HEATCAST_SOURCES_COLLECT_COLLECTOR_H

#include "config/config.h"
#include "model/candle.h"
#include "model/interest.h"
#include "sources/source.h"
#include "store/row.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where rows go at once, besides the database. Called on the collector's thread; must not block.
 * Functions may be NULL. */
struct collector_feed {
    void (*on_candle)(size_t symbol_index, const struct candle *candle, bool is_closed,
                      void *context);
    void (*on_interest)(size_t symbol_index, const struct interest *interest, void *context);
    void (*on_liquidation)(size_t symbol_index, const struct liquidation_row *row, void *context);
    void *context;
};

/* What time it is. A clock that runs `rate` times as fast as the machine's makes timers as much
 * shorter: days can be collected in minutes. */
struct collector_clock {
    int64_t (*now_ms)(void *context); /* since 1970, evenly from where it began; any thread */
    int64_t (*wall_ms)(
        void *context); /* what the machine shows, which may be set; NULL: the same as `now_ms` */
    double rate;
    void *context;
};

struct collector_options {
    const struct config *config; /* its symbols, exchanges and collecting settings; outlives it */
    struct store *store;         /* shared mode; outlives it */
    struct collector_feed feed;
    const struct collector_clock *clock; /* NULL: the machine's */
    /* How long stopping tries to write what waits, while another program has the file. */
    uint64_t stop_timeout_ms;
};

/* Makes the database with its tables if there is none, so that those who only read find one.
 * Another program that holds the file is no failure. */
enum status collector_prepare(struct store *store, struct error *error);

/* Reads what the database has, then starts. STATUS_INVALID: a symbol names an exchange that is not
 * in EXCHANGES. A database that cannot be read now does not keep it from starting. */
enum status collector_start(const struct collector_options *options, struct source **source,
                            struct error *error);

#endif
