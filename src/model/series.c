/* Two arrays rather than one of pairs: candles come first, all of them, and the changes of open
 * interest are filled in when a second query has them. The memory of a series is used again for the
 * next one, since a series is loaded at every tick and its size hardly changes. */
#include "model/series.h"

#include "base/memory.h"

#include <stdlib.h>

enum { SERIES_CAPACITY_MIN = 256 };

static bool grow(struct series *series)
{
    size_t capacity = series->capacity > 0 ? series->capacity * 2 : SERIES_CAPACITY_MIN;
    struct candle *candles = memory_try_resize(series->candles, capacity, sizeof *candles);
    if (candles != NULL)
        series->candles = candles;
    double *deltas =
        candles != NULL ? memory_try_resize(series->deltas, capacity, sizeof *deltas) : NULL;
    if (deltas == NULL) {
        series->has_failed = true;
        return false;
    }
    series->deltas = deltas;
    series->capacity = capacity;
    return true;
}

void series_push(struct series *series, const struct candle *candle, double delta)
{
    if (series->count == series->capacity && !grow(series))
        return;
    series->candles[series->count] = *candle;
    series->deltas[series->count++] = delta;
}

void series_deinit(struct series *series)
{
    free(series->candles);
    free(series->deltas);
    *series = (struct series){0};
}
