/* The simulated market of `serve --demo`: believable candles, open interest and liquidations, for
 * the eye, and for a score that has to tell a right map from a wrong one.
 *
 * A database gets fifteen days of history when it has none, and is then kept moving: a thread
 * rewrites the forming candle every second or so and begins a new one every five minutes of the
 * wall clock. All of it goes through the store, as real data would.
 *
 * A write that fails (a full disk) is tried again every few steps, and once one succeeds the
 * candles that are missing are filled in. A database whose file was replaced is filled as at the
 * start; real data in it is left alone, and the market stands still. */
#ifndef HEATCAST_SOURCES_SIMULATE_SIMULATE_H
#define HEATCAST_SOURCES_SIMULATE_SIMULATE_H

#include "config/value.h"
#include "sources/source.h"
#include "store/store.h"

/* Where liquidations go at once, when they are stored; those of the past that is filled in do not.
 * Called on the simulator's thread; must not block. May be NULL. */
typedef void simulate_print(size_t symbol_index, const struct liquidation_row *row, void *context);

/* Fills what is missing up to now (an owner-mode store), then starts the thread. `symbols` is
 * copied. STATUS_INVALID: the database holds real data, which a simulation must not be mixed with;
 * others as store_begin() and store_write_commit(). `step_seconds` is the time between two
 * movements. */
enum status simulate_start(struct store *store, const struct symbol_list *symbols,
                           double step_seconds, simulate_print *on_print, void *context,
                           struct source **source, struct error *error);

#endif
