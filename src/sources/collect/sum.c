/* Steps wait in a ring for their last member, as many as the window that is collected has: members
 * are back-filled at their own pace, one perhaps by days behind another. A step that is told stays
 * in its place, so that a figure that comes again does not tell it twice. */
#include "sources/collect/sum.h"

#include "base/check.h"
#include "sources/collect/collect_internal.h"

#include <stdlib.h>

#define READINGS_APART_MAX_MS MINUTE_MS

struct summand_step {
    int64_t time_ms; /* 0: the place is free */
    bool is_told;
    unsigned members; /* that are in it; a bit each */
    int64_t contracts_e8, value_e8;
};

struct sum {
    size_t member_count;
    struct venue_market *members[EXCHANGE_COUNT];
    size_t step_count;
    struct summand_step *steps;
};

_Static_assert(EXCHANGE_COUNT <= 32, "a member is a bit");

struct sum *sum_create(size_t step_count)
{
    struct sum *sum = memory_allocate_zeroed(1, sizeof *sum);
    sum->step_count = step_count;
    sum->steps = memory_allocate_zeroed(step_count, sizeof *sum->steps);
    return sum;
}

void sum_destroy(struct sum *sum)
{
    if (sum != NULL)
        free(sum->steps);
    free(sum);
}

void sum_add(struct sum *sum, struct venue_market *market)
{
    check(sum->member_count < EXCHANGE_COUNT);
    sum->members[sum->member_count++] = market;
}

struct venue_market *sum_first(const struct sum *sum)
{
    return sum->members[0];
}

static bool is_needed(const struct venue_market *market)
{
    return market->state != MARKET_MISSING && market->state != MARKET_FOREIGN &&
           market->venue->api->offers[EXCHANGE_INTEREST_HISTORY].is_offered;
}

static unsigned needed_of(const struct sum *sum)
{
    unsigned needed = 0;
    for (size_t i = 0; i < sum->member_count; i++)
        if (is_needed(sum->members[i]))
            needed |= 1U << i;
    return needed;
}

static unsigned bit_of(const struct sum *sum, const struct venue_market *market)
{
    for (size_t i = 0; i < sum->member_count; i++)
        if (sum->members[i] == market)
            return 1U << i;
    check(!"a market of another sum");
    return 0;
}

/* Tells a step that is complete, once. */
static bool tell(const struct sum *sum, struct summand_step *step,
                 struct exchange_interest *interest)
{
    unsigned needed = needed_of(sum);
    if (step->is_told || step->time_ms == 0 || needed == 0 || (step->members & needed) != needed)
        return false;
    step->is_told = true;
    *interest = (struct exchange_interest){
        .time_ms = step->time_ms,
        .has_contracts = true,
        .has_value = true,
        .contracts_e8 = step->contracts_e8,
        .value_e8 = step->value_e8,
    };
    return true;
}

bool sum_take(struct sum *sum, const struct venue_market *market,
              struct exchange_interest *interest)
{
    int64_t time_ms = interest->time_ms - interest->time_ms % CANDLE_MS;
    struct summand_step *step = &sum->steps[(size_t)(time_ms / CANDLE_MS) % sum->step_count];
    unsigned bit = bit_of(sum, market);
    if (step->time_ms > time_ms || !is_needed(market))
        return false;
    if (step->time_ms != time_ms)
        *step = (struct summand_step){.time_ms = time_ms};
    if ((step->members & bit) != 0 || interest->value_e8 > INT64_MAX - step->value_e8 ||
        interest->contracts_e8 > INT64_MAX - step->contracts_e8)
        return false;
    step->members |= bit;
    step->contracts_e8 += interest->contracts_e8;
    step->value_e8 += interest->value_e8;
    return tell(sum, step, interest);
}

void sum_forget(struct sum *sum, int64_t time_ms)
{
    struct summand_step *step = &sum->steps[(size_t)(time_ms / CANDLE_MS) % sum->step_count];
    if (step->time_ms == time_ms)
        *step = (struct summand_step){0};
}

bool sum_settle(struct sum *sum, struct exchange_interest *interest)
{
    for (size_t i = 0; i < sum->step_count; i++)
        if (tell(sum, &sum->steps[i], interest))
            return true;
    return false;
}

/* A change between two five minutes belongs to the first of them, so readings of both make no sum:
 * it would show what one member lost in a candle in which it did not. */
static bool are_of_one_moment(int64_t oldest_ms, int64_t newest_ms)
{
    return newest_ms - oldest_ms <= READINGS_APART_MAX_MS &&
           newest_ms / CANDLE_MS == oldest_ms / CANDLE_MS;
}

bool sum_present(const struct sum *sum, struct exchange_interest *interest)
{
    int64_t oldest_ms = INT64_MAX;
    *interest = (struct exchange_interest){.has_contracts = true, .has_value = true};
    for (size_t i = 0; i < sum->member_count; i++) {
        const struct exchange_interest *reading = &sum->members[i]->reading;
        if (!is_needed(sum->members[i]))
            continue;
        if (!reading->has_value || reading->value_e8 > INT64_MAX - interest->value_e8 ||
            reading->contracts_e8 > INT64_MAX - interest->contracts_e8)
            return false;
        interest->contracts_e8 += reading->contracts_e8;
        interest->value_e8 += reading->value_e8;
        if (reading->time_ms > interest->time_ms)
            interest->time_ms = reading->time_ms;
        if (reading->time_ms < oldest_ms)
            oldest_ms = reading->time_ms;
    }
    return interest->time_ms > 0 && are_of_one_moment(oldest_ms, interest->time_ms);
}
