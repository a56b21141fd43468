/* What a model is run over: candles in time order, each with the change of open interest that
 * belongs to it. Made by series_builder. One thread at a time. */
#ifndef HEATCAST_MODEL_SERIES_H
#define HEATCAST_MODEL_SERIES_H

#include "model/candle.h"

#include <stdbool.h>
#include <stddef.h>

/* Owns its arrays: series_deinit(). `struct series s = {0};` is a valid empty one.
 *
 * Candles for which there is no memory are left out, and `has_failed` is set until the series is
 * emptied: what fills it need not ask after each candle. */
struct series {
    size_t count, capacity;
    struct candle *candles;
    double *deltas;  /* quote currency; 0 where nothing is known */
    bool has_failed; /* some are missing */
};

/* Appends a candle, which is later than the last one. */
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

void series_deinit(struct series *series); /* leaves a valid empty one */

#endif
