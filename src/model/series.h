/* What a model is run over: candles in time order, each with the open interest that belongs to it.
 * Made by series_builder. One thread at a time. */
#ifndef HEATCAST_MODEL_SERIES_H
#define HEATCAST_MODEL_SERIES_H

#include "model/model.h"

#include <stdbool.h>
#include <stddef.h>

/* Owns its arrays: series_deinit(). `struct series s = {0};` is a valid empty one.
 *
 * Candles for which there is no memory are left out, and `has_failed` is set until the series is
 * emptied: what fills it need not ask after each candle. */
struct series {
    size_t count, capacity;
    struct candle *candles;
    double *deltas;    /* quote currency; 0 where nothing is known */
    double *contracts; /* open when the candle ends; 0 where that is not known */
    bool has_failed;   /* some are missing */
};

/* Appends a candle, which is later than the last one; its contracts are not known yet. */
void series_push(struct series *series, const struct candle *candle, double delta);

/* Keeps the memory. */
static inline void series_clear(struct series *series)
{
    series->count = 0;
    series->has_failed = false;
}

/* The newest candle of a series that is not empty. */
static inline const struct candle *series_last(const struct series *series)
{
    return &series->candles[series->count - 1];
}

/* What belongs to the candle of this place. */
static inline struct interest_step series_interest(const struct series *series, size_t index)
{
    return (struct interest_step){series->deltas[index], series->contracts[index]};
}

/* Whether a candle is the last of its interval, of which it may be a part; `time_ms` is when that
 * begins. */
bool series_ends_interval(const struct series *series, size_t index, int64_t interval_ms,
                          int64_t *time_ms);

/* Time of the first candle of which it is known whether open interest has changed in it. False:
 * there is none. */
bool series_first_change(const struct series *series, int64_t *time_ms);

void series_deinit(struct series *series); /* leaves a valid empty one */

#endif
