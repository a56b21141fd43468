/* The simulated market of `serve --demo`: believable candles and open interest, for the eye.
 *
 * A database gets a week of history when it has none, and is then kept moving: a thread rewrites
 * the forming candle every second or so and begins a new one every five minutes of the wall clock.
 * All of it goes through the store, as real data would. The rows' source is 'simulated'. */
#ifndef HEATCAST_MARKET_SIMULATE_H
#define HEATCAST_MARKET_SIMULATE_H

#include "market/store.h"

struct simulator;

/* Fills what is missing up to now (an owner-mode store), then starts the thread. STATUS_INVALID:
 * the database holds real data, which a simulation must not be mixed with. `step_seconds` is the
 * time between two movements. */
enum status simulate_start(struct store *store, const struct symbol_list *symbols,
                           double step_seconds, struct simulator **simulator, struct error *error);
void simulate_stop(
    struct simulator *simulator); /* returns when the thread is gone; NULL is harmless */

#endif
