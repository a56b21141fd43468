/* Whether liquidated dollars lie where a map is dense: the area under its ROC curve, over any
 * choice of days. Private to score/. */
#ifndef HEATCAST_SCORE_ROC_H
#define HEATCAST_SCORE_ROC_H

#include "score/ranks.h"
#include "score/reach.h"

/* Owns its arrays: roc_deinit(). */
struct roc {
    size_t day_count;
    double *wins;    /* [a * day_count + b]: dollars of day a, times the empty buckets of day b that
                        are less dense than theirs; of those that are as dense, half */
    double *dollars; /* of each day */
    double *buckets; /* buckets without a liquidation, of each day */
    double *below;   /* while it is measured: of each day, the empty ones that are less dense */
    double *as_dense; /* the same: that are as dense */
};

/* False if there is no memory; roc_deinit() in any case. */
bool roc_init(struct roc *roc, size_t day_count);
void roc_deinit(struct roc *roc);

/* Of all pairs, by the density that a map has in each. `ranked` has room for all. */
void roc_measure(struct roc *roc, const struct reach *reach, const double *densities,
                 struct ranked *ranked);

/* 0 to 1, where each day counts as often as `times` says (NULL: once); NaN where there is no
 * liquidation, or no bucket without one. */
double roc_area(const struct roc *roc, const uint16_t *times);

#endif
