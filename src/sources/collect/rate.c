/* Within one window at most the full bucket and what refills meanwhile is spent: RATE_BURST of the
 * limit, and RATE_SHARE - RATE_BURST of it. */
#include "sources/collect/rate.h"

static double burst_of(const struct rate *rate)
{
    return rate->limit * RATE_BURST;
}

static void refill(struct rate *rate, int64_t now_ms)
{
    double passed_ms = (double)(now_ms - rate->refilled_ms);
    rate->refilled_ms = now_ms;
    if (passed_ms > 0)
        rate->tokens += passed_ms / rate->window_ms * rate->limit * (RATE_SHARE - RATE_BURST);
    if (rate->tokens > burst_of(rate))
        rate->tokens = burst_of(rate);
}

void rate_init(struct rate *rate, int64_t limit, int64_t window_ms, int64_t now_ms)
{
    *rate = (struct rate){.refilled_ms = now_ms};
    rate_set_rule(rate, limit, window_ms);
    rate->tokens = burst_of(rate);
}

void rate_set_rule(struct rate *rate, int64_t limit, int64_t window_ms)
{
    double spent = burst_of(rate) - rate->tokens;
    rate->limit = limit > 0 ? (double)limit : 1;
    rate->window_ms = window_ms > 0 ? (double)window_ms : 1;
    rate->tokens = burst_of(rate) - spent;
}

/* A weight above the burst would never be affordable: it is let through a full bucket, which then
 * owes the rest. */
bool rate_try_spend(struct rate *rate, double weight, int64_t now_ms)
{
    refill(rate, now_ms);
    double burst = burst_of(rate);
    if (now_ms < rate->stopped_until_ms || rate->tokens < (weight < burst ? weight : burst))
        return false;
    rate->tokens -= weight;
    return true;
}

void rate_note_used(struct rate *rate, int64_t used, int64_t now_ms)
{
    refill(rate, now_ms);
    double most = (double)used < rate->limit ? (double)used : rate->limit;
    double left = rate->limit * RATE_SHARE - most;
    if (left < rate->tokens)
        rate->tokens = left;
}

void rate_stop(struct rate *rate, int64_t until_ms)
{
    if (until_ms > rate->stopped_until_ms)
        rate->stopped_until_ms = until_ms;
}
