/* One candle, and the run of candles that the model eats. */
#ifndef HEATCAST_MODEL_SERIES_H
#define HEATCAST_MODEL_SERIES_H

#include <stddef.h>
#include <stdint.h>

struct candle {
    int64_t open_time_ms; /* UTC */
    int64_t open_e8, high_e8, low_e8, close_e8;
    double volume; /* base asset */
};

/* Candles in time order, each with the change of open interest (quote currency) that belongs to it.
 * Owns its arrays: series_deinit(). `struct series s = {0};` is a valid empty one. */
struct series {
    size_t count, capacity;
    struct candle *candles;
    double *deltas;
};

void series_push(struct series *series, const struct candle *candle, double delta);
void series_deinit(struct series *series);

#endif
