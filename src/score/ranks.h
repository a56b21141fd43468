/* Numbers in the order of their size, and how two orders agree. Private to score/. */
#ifndef HEATCAST_SCORE_RANKS_H
#define HEATCAST_SCORE_RANKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ranked {
    double value;
    uint32_t index;
};

/* Sorts the values: ascending, and equal ones by their index. */
void ranks_sort(const double *values, size_t count, struct ranked *ranked);

/* Replaces values by their ranks, from 1 on; equal ones share their average. `ranked` has room for
 * all. */
void ranks_of(double *values, size_t count, struct ranked *ranked);

enum { RANKS_VARIABLES = 8 };

/* Sums over the candles of a day, from which correlations over any choice of days follow. */
struct ranks_day {
    double count;
    double sums[RANKS_VARIABLES];
    double products[RANKS_VARIABLES][RANKS_VARIABLES]; /* [a][b] with a <= b alone */
};

void ranks_add(struct ranks_day *day, const double *values);

/* Adds a day so many times. */
void ranks_add_day(struct ranks_day *sum, const struct ranks_day *day, double times);

/* Between -1 and 1; NaN where one of them is always the same. */
double ranks_correlation(const struct ranks_day *sum, size_t a, size_t b);

/* What is left of the correlation of a and b when c is known. */
double ranks_partial(const struct ranks_day *sum, size_t a, size_t b, size_t c);

#endif
