/* The area under the ROC curve is the probability that a liquidated dollar lies in a denser bucket
 * than a bucket that price reached without liquidating anything; equal ones count half. Both are
 * walked once, in the order of density, and what each day has against each day is kept: so the area
 * over a draw of days takes as long as there are pairs of days, however many buckets they have. */
#include "score/roc.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool roc_init(struct roc *roc, size_t day_count)
{
    *roc = (struct roc){
        .day_count = day_count,
        .wins = memory_try_allocate_zeroed(day_count * day_count, sizeof *roc->wins),
        .dollars = memory_try_allocate_zeroed(day_count, sizeof *roc->dollars),
        .buckets = memory_try_allocate_zeroed(day_count, sizeof *roc->buckets),
        .below = memory_try_allocate_zeroed(day_count, sizeof *roc->below),
        .as_dense = memory_try_allocate_zeroed(day_count, sizeof *roc->as_dense),
    };
    return roc->wins != NULL && roc->dollars != NULL && roc->buckets != NULL &&
           roc->below != NULL && roc->as_dense != NULL;
}

void roc_deinit(struct roc *roc)
{
    free(roc->wins);
    free(roc->dollars);
    free(roc->buckets);
    free(roc->below);
    free(roc->as_dense);
    *roc = (struct roc){0};
}

static void clear(struct roc *roc)
{
    const size_t days = roc->day_count;
    memset(roc->wins, 0, days * days * sizeof *roc->wins);
    memset(roc->dollars, 0, days * sizeof *roc->dollars);
    memset(roc->buckets, 0, days * sizeof *roc->buckets);
    memset(roc->below, 0, days * sizeof *roc->below);
}

static void add_dollars(struct roc *roc, uint32_t day, double value)
{
    double *wins = &roc->wins[day * roc->day_count];
    roc->dollars[day] += value;
    for (size_t other = 0; other < roc->day_count; other++)
        wins[other] += value * (roc->below[other] + roc->as_dense[other] / 2);
}

/* Pairs of the same density. */
static void add_group(struct roc *roc, const struct reach *reach, const struct ranked *ranked,
                      size_t count)
{
    memset(roc->as_dense, 0, roc->day_count * sizeof *roc->as_dense);
    for (size_t i = 0; i < count; i++)
        if (reach->days[ranked[i].index] != REACH_NO_DAY)
            roc->as_dense[reach->days[ranked[i].index]] += 1;
    for (size_t i = 0; i < count; i++)
        if (reach->days[ranked[i].index] != REACH_NO_DAY && reach->values[ranked[i].index] > 0)
            add_dollars(roc, reach->days[ranked[i].index], reach->values[ranked[i].index]);
    for (size_t day = 0; day < roc->day_count; day++) {
        roc->below[day] += roc->as_dense[day];
        roc->buckets[day] += roc->as_dense[day];
    }
}

void roc_measure(struct roc *roc, const struct reach *reach, const double *densities,
                 struct ranked *ranked)
{
    const size_t count = reach->pair_count;
    clear(roc);
    ranks_sort(densities, count, ranked);
    for (size_t start = 0, end; start < count; start = end) {
        for (end = start + 1; end < count && ranked[end].value == ranked[start].value; end++)
            ;
        add_group(roc, reach, &ranked[start], end - start);
    }
}

double roc_area(const struct roc *roc, const uint16_t *times)
{
    double wins = 0, dollars = 0, buckets = 0;
    for (size_t day = 0; day < roc->day_count; day++) {
        const double weight = times != NULL ? times[day] : 1;
        double against = 0;
        dollars += weight * roc->dollars[day];
        buckets += weight * roc->buckets[day];
        if (weight == 0)
            continue;
        for (size_t other = 0; other < roc->day_count; other++)
            against += (times != NULL ? times[other] : 1) * roc->wins[day * roc->day_count + other];
        wins += weight * against;
    }
    return dollars > 0 && buckets > 0 ? wins / (dollars * buckets) : (double)NAN;
}
