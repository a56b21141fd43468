/* Which buckets each candle came to, and what happened there: what maps are scored on. Private to
 * score/. */
#ifndef HEATCAST_SCORE_REACH_H
#define HEATCAST_SCORE_REACH_H

#include "score/score.h"

#define REACH_NO_DAY UINT32_MAX

/* A candle that is scored. Its buckets below the candle before it, where longs are liquidated, are
 * the pairs from `first_pair` on; then come those above, of shorts. */
struct reach_candle {
    size_t at; /* in the series */
    size_t first_pair;
    int64_t below, above; /* the lowest bucket of each */
    uint32_t below_count, above_count;
    uint32_t day;   /* counted over the days that have candles */
    double outcome; /* what was liquidated in it, or the fall of open interest; quote currency */
};

/* Owns its arrays: reach_deinit(). `= {0}` is a valid empty one. */
struct reach {
    size_t count, pair_count, day_count;
    size_t liquidated_days; /* in which anything was liquidated */
    struct reach_candle *candles;
    double *values;    /* of each pair: what was liquidated in it, of its side; quote currency */
    uint32_t *days;    /* of each pair; REACH_NO_DAY: it does not count */
    double liquidated; /* in all candles */
    double in_reach;   /* in all pairs */
};

/* Statuses as score_compute(). */
enum status reach_find(struct reach *reach, const struct score_request *request,
                       struct error *error);
void reach_deinit(struct reach *reach);

#endif
