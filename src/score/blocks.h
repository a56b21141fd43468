/* How sure a number is: what it would have been, had the days been others of their kind. Private to
 * score/.
 *
 * Whole days are drawn, with repetition, as many as there are (a block bootstrap): candles of one
 * day are not independent of each other, and numbers of candles alone would claim too much. All
 * numbers of a score are computed over the same draws, so that a difference of two is as sure as it
 * is, and not as unsure as both. */
#ifndef HEATCAST_SCORE_BLOCKS_H
#define HEATCAST_SCORE_BLOCKS_H

#include "score/score.h"

/* How often each day is in each draw. Owns the array: blocks_deinit(). */
struct blocks {
    size_t day_count;
    uint16_t *counts; /* SCORE_DRAWS times day_count */
};

/* The same draws each time. False if there is no memory. */
bool blocks_init(struct blocks *blocks, size_t day_count);
void blocks_deinit(struct blocks *blocks);

static inline const uint16_t *blocks_draw(const struct blocks *blocks, size_t draw)
{
    return &blocks->counts[draw * blocks->day_count];
}

/* The estimate of a number and of what it was in each draw; NaN where it could not be told in one.
 * Sorts the SCORE_DRAWS numbers. */
struct score_estimate blocks_estimate(const struct blocks *blocks, double value, double *drawn);

/* One that is not known. */
struct score_estimate blocks_unknown(void);

#endif
