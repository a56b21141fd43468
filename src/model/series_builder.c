/* Two sorted streams become one series in one pass, which takes half the time of grouping and
 * joining in SQL. Which rows count is decided in rows.c.
 *
 *     candles    |-----|-----|-----|           |-----|    joined by interval, holes stay holes
 *     interest    x  x  x        x       x      x   x     averaged by interval: a bucket
 *     deltas       (0)   +        +             +         to the previous bucket that exists
 *
 * A bucket gives its change to the candle of the same time. One without a candle gives it to none,
 * but the next bucket is still compared with it; after a hole in the open interest the next bucket
 * carries the whole change. The first bucket has nothing to be compared with, and no change.
 *
 * Contracts are a state, not a change: a bucket begins with the state at its time, in which the
 * candle before it has ended. */
#include "model/series_builder.h"

#include "base/check.h"
#include "config/value.h"

void series_builder_init(struct series_builder *builder, struct series *series, int64_t interval_ms)
{
    check(interval_ms >= CANDLE_MS && interval_ms % CANDLE_MS == 0);
    series_clear(series);
    *builder = (struct series_builder){.series = series, .interval_ms = interval_ms};
}

int64_t series_builder_interest_end(int64_t end_ms, int64_t interval_ms)
{
    /* With a longer interval they could be a part of its last bucket. */
    const int64_t behind_ms = interval_ms == CANDLE_MS ? CANDLE_MS : 0;
    return candle_floor_time(end_ms, CANDLE_MS) + CANDLE_MS + behind_ms;
}

/* -- candles ----------------------------------------------------------------------------------- */

static void join(struct candle *candle, const struct candle *later)
{
    if (later->high_e8 > candle->high_e8)
        candle->high_e8 = later->high_e8;
    if (later->low_e8 < candle->low_e8)
        candle->low_e8 = later->low_e8;
    candle->close_e8 = later->close_e8;
    candle->volume += later->volume;
}

/* Adds a candle to the last one of the series if that is of the same interval. */
static void add_candle(struct series_builder *builder, struct candle *candle)
{
    struct series *series = builder->series;
    candle->open_time_ms = candle_floor_time(candle->open_time_ms, builder->interval_ms);
    if (series->count > 0 && series_last(series)->open_time_ms == candle->open_time_ms)
        join(&series->candles[series->count - 1], candle);
    else
        series_push(series, candle, 0);
}

void series_builder_add_candle(struct series_builder *builder, int64_t time_us,
                               const struct candle *candle)
{
    struct candle ended;
    check(!builder->interest.has_row);
    if (candle_rows_add(&builder->candles, time_us, candle, &ended))
        add_candle(builder, &ended);
}

static void end_candles(struct series_builder *builder)
{
    struct candle ended;
    if (candle_rows_finish(&builder->candles, &ended))
        add_candle(builder, &ended);
}

/* -- open interest ----------------------------------------------------------------------------- */

double series_builder_contracts(const struct interest_average *interest, int64_t price_e8)
{
    if (interest->contracts > 0 || price_e8 <= 0)
        return interest->contracts;
    return interest->value / ((double)price_e8 / 1e8);
}

/* The price at the bucket's time: the open of its candle, else the close of the one before. */
static int64_t price_of(const struct series *series, size_t at, int64_t time_ms)
{
    if (at < series->count && series->candles[at].open_time_ms == time_ms)
        return series->candles[at].open_e8;
    if (at > 0 && time_ms - series->candles[at - 1].open_time_ms <= SERIES_PRICE_AGE_MAX_MS)
        return series->candles[at - 1].close_e8;
    return 0;
}

static void add_bucket(struct series_builder *builder, const struct interest_average *bucket)
{
    const struct series *series = builder->series;
    size_t at = builder->at;
    while (at < series->count && series->candles[at].open_time_ms < bucket->time_ms)
        at++;
    builder->at = at;
    if (at > 0 && series->candles[at - 1].open_time_ms == bucket->time_ms - builder->interval_ms)
        series->contracts[at - 1] =
            series_builder_contracts(bucket, price_of(series, at, bucket->time_ms));
    if (bucket->value == 0)
        return;
    if (builder->has_previous && at < series->count &&
        series->candles[at].open_time_ms == bucket->time_ms)
        series->deltas[at] = bucket->value - builder->previous;
    builder->previous = bucket->value;
    builder->has_previous = true;
}

void series_builder_add_interest(struct series_builder *builder,
                                 const struct interest_reading *reading)
{
    struct interest_average ended;
    end_candles(builder);
    if (interest_rows_add(&builder->interest, reading, builder->interval_ms, &ended))
        add_bucket(builder, &ended);
}

void series_builder_finish(struct series_builder *builder)
{
    struct interest_average ended;
    end_candles(builder);
    if (interest_rows_finish(&builder->interest, &ended))
        add_bucket(builder, &ended);
}
