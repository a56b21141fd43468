/* Amounts of a map and amounts of the market are skewed, and a few candles have most of them; so
 * their order is compared and not their size (Spearman's correlation). Ranks are given once, over
 * all candles; a draw of days weighs them anew and does not rank them anew, which is a good
 * approximation and makes a draw as cheap as its days. */
#include "score/ranks.h"

#include <math.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    const struct ranked *first = a, *second = b;
    if (first->value != second->value)
        return first->value < second->value ? -1 : 1;
    return (first->index > second->index) - (first->index < second->index);
}

void ranks_sort(const double *values, size_t count, struct ranked *ranked)
{
    for (size_t i = 0; i < count; i++)
        ranked[i] = (struct ranked){values[i], (uint32_t)i};
    qsort(ranked, count, sizeof *ranked, compare);
}

void ranks_of(double *values, size_t count, struct ranked *ranked)
{
    ranks_sort(values, count, ranked);
    for (size_t start = 0, end; start < count; start = end) {
        for (end = start + 1; end < count && ranked[end].value == ranked[start].value; end++)
            ;
        const double rank = (double)(start + 1 + end) / 2;
        for (size_t i = start; i < end; i++)
            values[ranked[i].index] = rank;
    }
}

void ranks_add(struct ranks_day *day, const double *values)
{
    day->count += 1;
    for (size_t a = 0; a < RANKS_VARIABLES; a++) {
        day->sums[a] += values[a];
        for (size_t b = a; b < RANKS_VARIABLES; b++)
            day->products[a][b] += values[a] * values[b];
    }
}

void ranks_add_day(struct ranks_day *sum, const struct ranks_day *day, double times)
{
    sum->count += times * day->count;
    for (size_t a = 0; a < RANKS_VARIABLES; a++) {
        sum->sums[a] += times * day->sums[a];
        for (size_t b = a; b < RANKS_VARIABLES; b++)
            sum->products[a][b] += times * day->products[a][b];
    }
}

static double covariance(const struct ranks_day *sum, size_t a, size_t b)
{
    const double product = a <= b ? sum->products[a][b] : sum->products[b][a];
    return product / sum->count - sum->sums[a] / sum->count * (sum->sums[b] / sum->count);
}

/* What is the same in all candles has no spread but for rounding. */
static bool has_spread(const struct ranks_day *sum, size_t a)
{
    return covariance(sum, a, a) > 1e-9 * sum->products[a][a] / sum->count;
}

double ranks_correlation(const struct ranks_day *sum, size_t a, size_t b)
{
    if (!has_spread(sum, a) || !has_spread(sum, b))
        return (double)NAN;
    return covariance(sum, a, b) / sqrt(covariance(sum, a, a) * covariance(sum, b, b));
}

double ranks_partial(const struct ranks_day *sum, size_t a, size_t b, size_t c)
{
    const double ab = ranks_correlation(sum, a, b), ac = ranks_correlation(sum, a, c),
                 bc = ranks_correlation(sum, b, c);
    const double rest = (1 - ac * ac) * (1 - bc * bc);
    return rest > 1e-12 ? (ab - ac * bc) / sqrt(rest) : (double)NAN;
}
