/* Arrays rather than one of structs: candles come first, all of them, and what is known of open
 * interest is filled in when a second query has them. The memory of a series is used again for the
 * next one, since a series is loaded at every tick and its size hardly changes. */
#include "model/series.h"

#include "base/memory.h"
#include "model/rows.h"

#include <stdlib.h>

enum { SERIES_CAPACITY_MIN = 256 };

static bool grow(struct series *series)
{
    size_t capacity = series->capacity > 0 ? series->capacity * 2 : SERIES_CAPACITY_MIN;
    struct candle *candles = memory_try_resize(series->candles, capacity, sizeof *candles);
    if (candles != NULL)
        series->candles = candles;
    double *deltas = memory_try_resize(series->deltas, capacity, sizeof *deltas);
    if (deltas != NULL)
        series->deltas = deltas;
    double *contracts = memory_try_resize(series->contracts, capacity, sizeof *contracts);
    if (contracts != NULL)
        series->contracts = contracts;
    if (candles == NULL || deltas == NULL || contracts == NULL) {
        series->has_failed = true;
        return false;
    }
    series->capacity = capacity;
    return true;
}

void series_push(struct series *series, const struct candle *candle, double delta)
{
    if (series->count == series->capacity && !grow(series))
        return;
    series->candles[series->count] = *candle;
    series->contracts[series->count] = 0;
    series->deltas[series->count++] = delta;
}

bool series_ends_interval(const struct series *series, size_t index, int64_t interval_ms,
                          int64_t *time_ms)
{
    *time_ms = candle_floor_time(series->candles[index].open_time_ms, interval_ms);
    return index + 1 == series->count ||
           series->candles[index + 1].open_time_ms >= *time_ms + interval_ms;
}

bool series_first_change(const struct series *series, int64_t *time_ms)
{
    size_t known = 0;
    for (size_t i = 0; i < series->count; i++) {
        known += series->contracts[i] > 0;
        *time_ms = series->candles[i].open_time_ms;
        if (known == 2)
            return true;
    }
    return false;
}

void series_deinit(struct series *series)
{
    free(series->candles);
    free(series->deltas);
    free(series->contracts);
    *series = (struct series){0};
}
