/* The interval is that of the percentiles: what is left of the draws when one in forty is cut off
 * at each end. It assumes no form of the distribution, and with less than some days it is none. */
#include "score/blocks.h"

#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdlib.h>

#define DRAW_SEED 500 /* any number: the draws are to be the same each time */
#define CUT 0.025     /* of the draws, at each end */

bool blocks_init(struct blocks *blocks, size_t day_count)
{
    struct random random = {.state = DRAW_SEED};
    *blocks = (struct blocks){
        .day_count = day_count,
        .counts = memory_try_allocate_zeroed(SCORE_DRAWS * day_count + 1, sizeof *blocks->counts),
    };
    if (blocks->counts == NULL)
        return false;
    for (size_t draw = 0; draw < SCORE_DRAWS; draw++)
        for (size_t i = 0; i < day_count; i++)
            blocks->counts[draw * day_count + (size_t)random_between(&random, 0, day_count - 1)]++;
    return true;
}

void blocks_deinit(struct blocks *blocks)
{
    free(blocks->counts);
    *blocks = (struct blocks){0};
}

struct score_estimate blocks_unknown(void)
{
    return (struct score_estimate){(double)NAN, (double)NAN, (double)NAN};
}

static int compare(const void *a, const void *b)
{
    const double first = *(const double *)a, second = *(const double *)b;
    return (first > second) - (first < second);
}

struct score_estimate blocks_estimate(const struct blocks *blocks, double value, double *drawn)
{
    struct score_estimate estimate = blocks_unknown();
    size_t count = 0;
    estimate.value = value;
    for (size_t i = 0; i < SCORE_DRAWS; i++)
        if (!isnan(drawn[i]))
            drawn[count++] = drawn[i];
    if (isnan(value) || blocks->day_count < SCORE_DAYS_MIN || count < SCORE_DRAWS / 2)
        return estimate;
    qsort(drawn, count, sizeof *drawn, compare);
    const size_t cut = (size_t)(CUT * (double)count);
    estimate.low = drawn[cut];
    estimate.high = drawn[count - 1 - cut];
    return estimate;
}
