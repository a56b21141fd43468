/* The simulated market of `serve --demo`: believable candles and open interest, for the eye.
 *
 * A database gets a week of history when it has none, and is then kept moving: a thread rewrites
 * the forming candle every second or so and begins a new one every five minutes of the wall clock.
 * All of it goes through the store, as real data would. The rows' source is 'simulated'.
 *
 * A write that fails (a full disk) is tried again every few steps, and once one goes well the
 * candles that are missing are made up for. A database that comes to be another one is filled as at
 * the start; real data in it is left alone, and the market stands still. */
#ifndef HEATCAST_SOURCES_SIMULATE_SIMULATE_H
#define HEATCAST_SOURCES_SIMULATE_SIMULATE_H

#include "store/store.h"

struct simulator;

/* Fills what is missing up to now (an owner-mode store), then starts the thread. STATUS_INVALID:
 * the database holds real data, which a simulation must not be mixed with. `step_seconds` is the
 * time between two movements. */
enum status simulate_start(struct store *store, const struct symbol_list *symbols,
                           double step_seconds, struct simulator **simulator, struct error *error);

/* How the last step ended: STATUS_OK, or why the market stands still. `failures` (may be NULL) is
 * the number of steps that failed so far. Any thread; NULL is a market that is well. */
enum status simulate_check(struct simulator *simulator, uint64_t *failures, struct error *error);

/* Returns when the thread is gone; NULL is harmless. */
void simulate_stop(struct simulator *simulator);

#endif
