/* A candle reaches, beyond the candle before it, some prices below that one's low or above its
 * high, or both, or none. A position that was open before the candle is liquidated there or not at
 * all: all other prices of the candle were reached before, and what lay there is gone.
 *
 * A candle is scored if the one before it is five minutes older, since price may have been anywhere
 * in a hole; and, where falls of open interest stand in for liquidations, if that is known at its
 * beginning and at its end. */
#include "score/reach.h"

#include "base/memory.h"
#include "model/liquidation.h"
#include "model/rows.h"

#include <stdlib.h>

static bool is_scored(const struct score_request *request, size_t at)
{
    const struct series *series = request->series;
    const struct candle *candles = series->candles;
    if (at == 0 || candles[at - 1].open_time_ms + CANDLE_MS != candles[at].open_time_ms)
        return false;
    return request->has_prints || (series->contracts[at - 1] > 0 && series->contracts[at] > 0);
}

/* The buckets of a candle; what happened in them is not known yet. */
static struct reach_candle find_buckets(const struct score_request *request, size_t at)
{
    const struct candle *candle = &request->series->candles[at], *before = candle - 1;
    const int64_t bucket_e8 = request->bucket_e8;
    struct reach_candle found = {.at = at};
    int64_t below_count = 0, above_count = 0;
    if (candle->low_e8 < before->low_e8) {
        found.below = liquidation_bucket(candle->low_e8, bucket_e8);
        below_count = liquidation_bucket(before->low_e8 - 1, bucket_e8) - found.below + 1;
    }
    if (candle->high_e8 > before->high_e8) {
        found.above = liquidation_bucket(before->high_e8 + 1, bucket_e8);
        above_count = liquidation_bucket(candle->high_e8, bucket_e8) - found.above + 1;
    }
    /* One more than all pairs that there may be is as good as any number of them. */
    const int64_t count_max = SCORE_PAIRS_MAX + 1;
    found.below_count = (uint32_t)(below_count < count_max ? below_count : count_max);
    found.above_count = (uint32_t)(above_count < count_max ? above_count : count_max);
    return found;
}

static double fall_of(const struct series *series, size_t at)
{
    const double fall = series->contracts[at - 1] - series->contracts[at];
    return fall > 0 ? fall * ((double)series->candles[at].close_e8 / 1e8) : 0;
}

static enum status too_many(const char *what, const char *allowed, struct error *error)
{
    return error_set(error, STATUS_TOO_LARGE, "the range has more than %s, which one score may %s",
                     what, allowed);
}

#define TEXT_OF(number) TEXT_OF_VALUE(number)
#define TEXT_OF_VALUE(number) #number

/* Counts candles, pairs and days; `candles` may be NULL. */
static enum status walk(struct reach *reach, const struct score_request *request,
                        struct reach_candle *candles, struct error *error)
{
    int64_t day = INT64_MIN;
    reach->count = reach->pair_count = reach->day_count = 0;
    for (size_t at = request->first; at < request->series->count; at++) {
        if (!is_scored(request, at))
            continue;
        struct reach_candle found = find_buckets(request, at);
        const int64_t its_day =
            candle_floor_time(request->series->candles[at].open_time_ms, DAY_MS);
        reach->day_count += its_day != day;
        day = its_day;
        found.day = (uint32_t)reach->day_count - 1;
        found.first_pair = reach->pair_count;
        if (!request->has_prints)
            found.outcome = fall_of(request->series, at);
        reach->pair_count += (size_t)found.below_count + found.above_count;
        if (reach->day_count > SCORE_DAYS_MAX)
            return too_many(TEXT_OF(SCORE_DAYS_MAX) " days", "span; ask for a shorter one", error);
        if (reach->pair_count > SCORE_PAIRS_MAX)
            return too_many(TEXT_OF(SCORE_PAIRS_MAX) " buckets that price reached",
                            "look at; ask for a greater bucket or a shorter range", error);
        if (candles != NULL)
            candles[reach->count] = found;
        reach->count++;
    }
    return STATUS_OK;
}

/* The pair of a price, or SIZE_MAX: the candle did not reach it, or not from that side. */
static size_t find_pair(const struct reach_candle *candle, int64_t bucket, bool is_long)
{
    const int64_t first = is_long ? candle->below : candle->above;
    const uint32_t count = is_long ? candle->below_count : candle->above_count;
    if (bucket < first || bucket - first >= count)
        return SIZE_MAX;
    return candle->first_pair + (is_long ? 0 : candle->below_count) + (size_t)(bucket - first);
}

static void place_prints(struct reach *reach, const struct score_request *request)
{
    const struct candle *candles = request->series->candles;
    size_t next = 0;
    for (size_t i = 0; i < reach->count; i++) {
        struct reach_candle *candle = &reach->candles[i];
        const int64_t start_ms = candles[candle->at].open_time_ms;
        while (next < request->print_count && request->prints[next].time_ms < start_ms)
            next++;
        for (; next < request->print_count && request->prints[next].time_ms < start_ms + CANDLE_MS;
             next++) {
            const struct score_print *print = &request->prints[next];
            const size_t pair = find_pair(
                candle, liquidation_bucket(print->price_e8, request->bucket_e8), print->is_long);
            candle->outcome += print->value;
            if (pair == SIZE_MAX)
                continue;
            reach->values[pair] += print->value;
            reach->in_reach += print->value;
        }
    }
}

static void note_days(struct reach *reach)
{
    size_t liquidated_end = 0; /* the day after the last one that counts */
    for (size_t i = 0; i < reach->count; i++) {
        const struct reach_candle *candle = &reach->candles[i];
        const size_t count = (size_t)candle->below_count + candle->above_count;
        for (size_t pair = 0; pair < count; pair++)
            reach->days[candle->first_pair + pair] = candle->day;
        reach->liquidated += candle->outcome;
        if (candle->outcome > 0 && candle->day >= liquidated_end) {
            reach->liquidated_days++;
            liquidated_end = candle->day + 1;
        }
    }
}

enum status reach_find(struct reach *reach, const struct score_request *request,
                       struct error *error)
{
    enum status status = walk(reach, request, NULL, error);
    if (status != STATUS_OK)
        return status;
    if (reach->count == 0)
        return error_set(error, STATUS_NO_DATA,
                         request->has_prints
                             ? "no candle of the range can be scored: none follows another"
                             : "no candle of the range can be scored: open interest is not known");
    reach->candles = memory_try_allocate_zeroed(reach->count, sizeof *reach->candles);
    reach->values = memory_try_allocate_zeroed(reach->pair_count + 1, sizeof *reach->values);
    reach->days = memory_try_allocate_zeroed(reach->pair_count + 1, sizeof *reach->days);
    if (reach->candles == NULL || reach->values == NULL || reach->days == NULL)
        return error_set(error, STATUS_NO_MEMORY, "not enough memory for a score just now");
    status = walk(reach, request, reach->candles, error);
    if (request->has_prints)
        place_prints(reach, request);
    note_days(reach);
    return status;
}

void reach_deinit(struct reach *reach)
{
    free(reach->candles);
    free(reach->values);
    free(reach->days);
    *reach = (struct reach){0};
}
