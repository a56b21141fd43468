/* Two arrays rather than one of pairs: candles come first, all of them, and the changes of open
 * interest are filled in when a second query has them. The memory of a series is used again for the
 * next one (`count = 0`), since a series is loaded at every tick and its size hardly changes. */
#include "model/series.h"

#include "base/check.h"

#include <stdlib.h>

enum { SERIES_CAPACITY_MIN = 256 };

void series_push(struct series *series, const struct candle *candle, double delta)
{
    if (series->count == series->capacity) {
        size_t capacity = series->capacity > 0 ? series->capacity * 2 : SERIES_CAPACITY_MIN;
        series->candles = memory_resize(series->candles, capacity, sizeof *series->candles);
        series->deltas = memory_resize(series->deltas, capacity, sizeof *series->deltas);
        series->capacity = capacity;
    }
    series->candles[series->count] = *candle;
    series->deltas[series->count++] = delta;
}

void series_deinit(struct series *series)
{
    free(series->candles);
    free(series->deltas);
    *series = (struct series){0};
}
