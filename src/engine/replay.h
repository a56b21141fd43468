/* The past as if it happened now: a clock that begins at a moment of the past and runs so many
 * times as fast as the real one, and a database in which nothing is found that was not known by
 * that clock. It ends where the data end; from then on it stands.
 *
 * Made before the generator, whose thread moves it on; the other functions may be called on any
 * thread. */
#ifndef HEATCAST_ENGINE_REPLAY_H
#define HEATCAST_ENGINE_REPLAY_H

#include "config/value.h"
#include "store/store.h"

#include <stdatomic.h>

/* `speed` is to be from one to the other. */
#define REPLAY_SPEED_MIN 0.01
#define REPLAY_SPEED_MAX 1e6

struct replay {
    struct store *store;
    int64_t from_ms, end_ms;
    double speed;
    /* Relaxed: a number that hands nothing over. What can be read by then is the store's to say. */
    atomic_int_least64_t now_ms;
    /* The generator's thread alone. */
    bool has_begun, has_ended;
    uint64_t begun_ns;
};

/* From this moment on, until the newest candle of any of the symbols closes; `store` is to outlive
 * the replay, and sees the past from now on. STATUS_NO_DATA: there are no candles before that
 * moment, or none after it. Otherwise what keeps the database from being read. */
enum status replay_open(struct replay *replay, struct store *store,
                        const struct symbol_list *symbols, int64_t from_ms, double speed,
                        struct error *error);

/* Sets its clock, and lets the store see what has become known by that. The first call is the
 * moment at which it begins. */
void replay_advance(struct replay *replay);

/* How often it is worth to look for what is new, in seconds: as candles come, but not more often
 * than `shortest`, nor, so that none is late, more seldom than `longest`. */
double replay_interval_seconds(const struct replay *replay, double shortest, double longest);

int64_t replay_now_ms(const struct replay *replay);

#endif
