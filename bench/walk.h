/* A market to measure with: candles of a random walk, the same in every run, and open interest that
 * behaves in one of the ways that ask most of the model. */
#ifndef HEATCAST_BENCH_WALK_H
#define HEATCAST_BENCH_WALK_H

#include "model/series.h"

enum walk_interest {
    WALK_FLAT,       /* rises and falls by about the same */
    WALK_RISING,     /* rises with every candle: nothing ever leaves but by price */
    WALK_COLLAPSING, /* rises, and falls by a tenth once a day */
    WALK_FROZEN,     /* rises, and falls by nine tenths once a day, while the price stands still:
                        nothing leaves but as dust */
    WALK_COUNT,
};

extern const char *const walk_names[WALK_COUNT];

/* Fills an empty series. */
void walk_make(struct series *series, enum walk_interest interest, size_t count);

#endif
