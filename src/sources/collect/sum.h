/* A symbol that is the sum over exchanges (ALL:BTCUSDT): prices are those of the first exchange,
 * liquidations of all of them as they are, and open interest is added up. Private to collect/; the
 * collector's thread.
 *
 * A sum is of the same exchanges at every step, since one that comes or goes would look like
 * positions that were opened or closed. It is made of those that have the symbol and tell the past
 * of its open interest (one that tells the present only would be missing before each start); a step
 * that one of them does not have has no sum. */
#ifndef HEATCAST_SOURCES_COLLECT_SUM_H
#define HEATCAST_SOURCES_COLLECT_SUM_H

#include "sources/collect/exchange.h"

struct venue_market;
struct sum;

/* Over `step_count` steps of five minutes. */
struct sum *sum_create(size_t step_count);
void sum_destroy(struct sum *sum);

/* The first that is added gives the prices. */
void sum_add(struct sum *sum, struct venue_market *market);
struct venue_market *sum_first(const struct sum *sum);

/* A member's open interest at a full five minutes. True if the sum at that time is complete with
 * it, and becomes `interest`; once for each time. */
bool sum_take(struct sum *sum, const struct venue_market *market,
              struct exchange_interest *interest);

/* The sum at this time was lost before it was stored: it is made anew of what members tell. */
void sum_forget(struct sum *sum, int64_t time_ms);

/* The sum of the members' present readings, if these are of the same five minutes and at most one
 * minute apart: as near as a reading has to be to the moment that it stands for (intake.c). Its
 * time is the newest one's. It is for the map of the present alone: what is stored are sums of
 * states of the same moment. */
bool sum_present(const struct sum *sum, struct exchange_interest *interest);

/* Which exchanges have the symbol may have changed. Gives one step that is complete by that, until
 * there is none. */
bool sum_settle(struct sum *sum, struct exchange_interest *interest);

#endif
