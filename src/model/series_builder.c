/* The tables may come from another program, and exchanges publish rows late, twice, and with values
 * that are none. This is where one series is made of them, in one pass over two sorted streams,
 * which takes half the time of grouping and joining in SQL.
 *
 *     candles    |-----|-----|-----|           |-----|    joined by interval, holes stay holes
 *     interest    x  x  x        x       x      x   x     averaged by interval: a bucket
 *     deltas       (0)   +        +             +         to the previous bucket that exists
 *
 * A bucket gives its change to the candle of the same time. One without a candle gives it to none,
 * but the next bucket is still compared with it; after a hole in the open interest the next bucket
 * carries the whole change. The first bucket has nothing to be compared with, and no change.
 *
 * The result depends on the rows alone and not on their order in a file, which a database may
 * change: of candles with the same time the same one is always chosen, and open interest is added
 * up as integers. */
#include "model/series_builder.h"

#include "base/check.h"
#include "config/value.h"

static int64_t floor_to(int64_t time, int64_t unit)
{
    int64_t rest = time % unit;
    return time - (rest < 0 ? rest + unit : rest);
}

static int64_t milliseconds(int64_t time_us)
{
    return floor_to(time_us, 1000) / 1000;
}

void series_builder_init(struct series_builder *builder, struct series *series, int64_t interval_ms)
{
    check(interval_ms >= CANDLE_MS && interval_ms % CANDLE_MS == 0);
    series_clear(series);
    *builder = (struct series_builder){.series = series, .interval_ms = interval_ms};
}

int64_t series_builder_interest_end(int64_t end_ms)
{
    return floor_to(end_ms, CANDLE_MS) + CANDLE_MS;
}

/* -- candles ----------------------------------------------------------------------------------- */

static bool has_prices(const struct candle *candle)
{
    return candle->open_e8 > 0 && candle->high_e8 > 0 && candle->low_e8 > 0 && candle->close_e8 > 0;
}

/* Which of two candles of the same time counts: the one with more volume has seen more of its five
 * minutes. The other comparisons only make the choice the same in any order. */
static bool is_preferred(const struct candle *a, const struct candle *b)
{
    if (a->volume != b->volume)
        return a->volume > b->volume;
    const int64_t in_a[] = {a->high_e8, a->low_e8, a->open_e8, a->close_e8};
    const int64_t in_b[] = {b->high_e8, b->low_e8, b->open_e8, b->close_e8};
    for (size_t i = 0; i < 4; i++)
        if (in_a[i] != in_b[i])
            return in_a[i] > in_b[i];
    return false;
}

static void join(struct candle *candle, const struct candle *later)
{
    if (later->high_e8 > candle->high_e8)
        candle->high_e8 = later->high_e8;
    if (later->low_e8 < candle->low_e8)
        candle->low_e8 = later->low_e8;
    candle->close_e8 = later->close_e8;
    candle->volume += later->volume;
}

/* The five minutes of the chosen candle are over: adds it to the last candle of the series if that
 * is of the same interval. */
static void end_candle(struct series_builder *builder)
{
    struct series *series = builder->series;
    struct candle candle = builder->candle;
    candle.open_time_ms = floor_to(candle.open_time_ms, builder->interval_ms);
    if (series->count > 0 && series->candles[series->count - 1].open_time_ms == candle.open_time_ms)
        join(&series->candles[series->count - 1], &candle);
    else
        series_push(series, &candle, 0);
    builder->has_candle = false;
}

void series_builder_add_candle(struct series_builder *builder, int64_t time_us,
                               const struct candle *candle)
{
    check(!builder->has_interest);
    if (!has_prices(candle))
        return;
    int64_t time_ms = milliseconds(time_us);
    bool is_same = builder->has_candle && builder->candle.open_time_ms == time_ms;
    if (is_same && !is_preferred(candle, &builder->candle))
        return;
    if (builder->has_candle && !is_same)
        end_candle(builder);
    builder->candle = *candle;
    builder->candle.open_time_ms = time_ms;
    builder->has_candle = true;
}

/* -- open interest ----------------------------------------------------------------------------- */

static void end_bucket(struct series_builder *builder)
{
    const struct series *series = builder->series;
    size_t at = builder->at;
    double value = (double)builder->bucket_sum_e8 / 1e8 / (double)builder->bucket_count;
    while (at < series->count && series->candles[at].open_time_ms < builder->bucket_time_ms)
        at++;
    if (builder->has_previous && at < series->count &&
        series->candles[at].open_time_ms == builder->bucket_time_ms)
        series->deltas[at] = value - builder->previous;
    builder->at = at;
    builder->previous = value;
    builder->has_previous = true;
    builder->bucket_count = 0;
    builder->bucket_sum_e8 = 0;
}

void series_builder_add_interest(struct series_builder *builder, int64_t time_us, __int128 value_e8)
{
    if (value_e8 <= 0)
        return;
    if (builder->has_candle)
        end_candle(builder);
    bool is_repeated = builder->has_interest && builder->interest_time_us == time_us &&
                       builder->interest_e8 == value_e8;
    if (is_repeated)
        return;
    builder->has_interest = true;
    builder->interest_time_us = time_us;
    builder->interest_e8 = value_e8;

    int64_t time_ms = floor_to(milliseconds(time_us), builder->interval_ms);
    if (builder->bucket_count > 0 && builder->bucket_time_ms != time_ms)
        end_bucket(builder);
    builder->bucket_time_ms = time_ms;
    builder->bucket_sum_e8 += value_e8;
    builder->bucket_count++;
}

void series_builder_finish(struct series_builder *builder)
{
    if (builder->has_candle)
        end_candle(builder);
    if (builder->bucket_count > 0)
        end_bucket(builder);
}
