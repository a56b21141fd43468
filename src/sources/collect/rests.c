/* When an exchange is not asked, why, and until when. There are three reasons to wait:
 *
 *   - A kind of request fails: it is asked again ever more seldom, while others go on.
 *   - A budget rests, because the exchange wants fewer requests (429); all rest while it bans this
 *     address (418).
 *   - It says "not from here" (403, 451). Of one kind of request that may be a firewall's doubt
 *     about it alone, so that kind rests alone, and seldom tries again. If it is the list of
 *     instruments, or whatever else is asked, nothing is to be had from this network, and all rest.
 *
 * Each keeps its words: what waits can say for what, and for how long (readings.c). */
#include "sources/collect/collect_internal.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define FAILURES_LOGGED 3 /* in a row, before the log hears of it */
#define BLOCKED_MS (60 * MINUTE_MS)
#define LIMITED_MS MINUTE_MS /* at first, where the exchange does not say how long */
#define BANNED_MS (5 * MINUTE_MS)
#define UNTOLD_MAX_MS (15 * MINUTE_MS) /* in the end */

static const char *const request_names[EXCHANGE_REQUEST_KIND_COUNT] = {
    [EXCHANGE_INSTRUMENTS] = "instruments",
    [EXCHANGE_CANDLES] = "candles",
    [EXCHANGE_INTEREST_HISTORY] = "open interest",
    [EXCHANGE_INTEREST_NOW] = "present open interest",
};

static int64_t now_of(const struct venue *venue)
{
    return collector_now_ms(venue->collector);
}

/* -- not from here ----------------------------------------------------------------------------- */

/* Some kinds are not asked before others are answered, so it takes two that are blocked, and none
 * that is served. */
static bool is_nothing_served(const struct venue *venue)
{
    enum { BLOCKED_MIN = 2 };
    int blocked = 0;
    if (venue->endpoints[EXCHANGE_INSTRUMENTS].is_blocked)
        return true;
    for (int kind = EXCHANGE_INSTRUMENTS + 1; kind < EXCHANGE_REQUEST_KIND_COUNT; kind++) {
        blocked += venue->endpoints[kind].is_blocked;
        if (venue->endpoints[kind].is_served)
            return false;
    }
    return blocked >= BLOCKED_MIN;
}

static void block(struct venue *venue, struct endpoint *endpoint, const char *why, int64_t wait_ms)
{
    endpoint->is_blocked = true;
    endpoint->is_served = false;
    endpoint->due_ms = now_of(venue) + wait_ms;
    snprintf(endpoint->fault, sizeof endpoint->fault, "%s", why);
}

void venue_note_blocked(struct venue *venue, enum exchange_request_kind kind, const char *why,
                        int64_t told_ms)
{
    struct endpoint *endpoint = &venue->endpoints[kind];
    int64_t wait_ms = told_ms > 0 ? told_ms : BLOCKED_MS;
    bool was_blocked = endpoint->is_blocked || venue->is_blocked;
    endpoint->failed++;
    block(venue, endpoint, why, wait_ms);
    if (!venue->is_blocked && is_nothing_served(venue)) {
        venue->is_blocked = true;
        log_error("the exchange does not serve this network",
                  log_text("exchange", venue_name(venue)), log_text("reason", why));
    } else if (!was_blocked) {
        log_error("the exchange refuses one kind of request to this network; the others go on",
                  log_text("exchange", venue_name(venue)), log_text("what", request_names[kind]),
                  log_text("reason", why));
    }
    for (int i = 0; venue->is_blocked && i < EXCHANGE_REQUEST_KIND_COUNT; i++)
        block(venue, &venue->endpoints[i], why, wait_ms);
}

/* One kind is answered. Where all rested, the others are tried. */
static void note_served(struct venue *venue, enum exchange_request_kind kind)
{
    struct endpoint *endpoint = &venue->endpoints[kind];
    if (venue->is_blocked) {
        log_info("the exchange serves this network again", log_text("exchange", venue_name(venue)));
        venue->is_blocked = false;
        for (int i = 0; i < EXCHANGE_REQUEST_KIND_COUNT; i++) {
            venue->endpoints[i].is_blocked = false;
            venue->endpoints[i].due_ms = 0;
            venue->endpoints[i].fault[0] = '\0';
        }
    } else if (endpoint->is_blocked) {
        log_info("the exchange answers again", log_text("exchange", venue_name(venue)),
                 log_text("what", request_names[kind]));
    }
    endpoint->is_blocked = false;
    endpoint->is_served = true;
}

/* Until one has succeeded, a rest that is over may be about to be renewed. */
static void end_rests(struct venue *venue, size_t budget)
{
    for (size_t i = 0; i < EXCHANGE_BUDGETS_MAX; i++) {
        struct rest *rest = &venue->rests[i];
        if ((i == budget || rest->is_ban) && rest->until_ms <= now_of(venue))
            rest->why[0] = '\0';
    }
}

/* -- a kind of request ------------------------------------------------------------------------- */

void venue_note_success(struct venue *venue, enum exchange_request_kind kind, size_t budget)
{
    struct endpoint *endpoint = &venue->endpoints[kind];
    note_served(venue, kind);
    end_rests(venue, budget);
    if (endpoint->failures_in_a_row >= FAILURES_LOGGED)
        log_info("the exchange answers again", log_text("exchange", venue_name(venue)),
                 log_text("what", request_names[kind]));
    endpoint->failures_in_a_row = 0;
    endpoint->fault[0] = '\0';
    backoff_reset(&endpoint->backoff);
}

void venue_note_failure(struct venue *venue, enum exchange_request_kind kind, const char *why,
                        int64_t told_ms)
{
    struct endpoint *endpoint = &venue->endpoints[kind];
    int64_t now_ms = now_of(venue), due_ms = endpoint->due_ms;
    endpoint->failed++;
    if (now_ms + told_ms > due_ms)
        endpoint->due_ms = now_ms + told_ms;
    if (now_ms < due_ms)
        return;
    int64_t wait_ms = (int64_t)backoff_next_ms(&endpoint->backoff);
    if (wait_ms > told_ms)
        endpoint->due_ms = now_ms + wait_ms;
    snprintf(endpoint->fault, sizeof endpoint->fault, "%s", why);
    if (++endpoint->failures_in_a_row == FAILURES_LOGGED)
        log_warn("the exchange does not answer as it should; it is asked again ever more seldom",
                 log_text("exchange", venue_name(venue)), log_text("what", request_names[kind]),
                 log_text("reason", why));
}

/* -- budgets ----------------------------------------------------------------------------------- */

/* How long to wait where the exchange does not say: twice as long each time, as long as every try
 * meets the same. Answers to requests that were under way together count once. */
static int64_t untold_wait(struct venue *venue, bool is_ban)
{
    int64_t now_ms = now_of(venue), wait_ms = is_ban ? BANNED_MS : LIMITED_MS;
    if (now_ms < venue->untold_until_ms)
        return venue->untold_until_ms - now_ms;
    bool is_again = now_ms < venue->untold_until_ms + venue->untold_wait_ms;
    if (is_again && venue->untold_wait_ms * 2 > wait_ms)
        wait_ms = venue->untold_wait_ms * 2;
    venue->untold_wait_ms = wait_ms < UNTOLD_MAX_MS ? wait_ms : UNTOLD_MAX_MS;
    venue->untold_until_ms = now_ms + venue->untold_wait_ms;
    return venue->untold_wait_ms;
}

void venue_note_limited(struct venue *venue, size_t budget, bool is_ban, const char *why,
                        int64_t told_ms)
{
    int64_t wait_ms = told_ms > 0 ? told_ms : untold_wait(venue, is_ban);
    int64_t until_ms = now_of(venue) + wait_ms;
    for (size_t i = 0; i < EXCHANGE_BUDGETS_MAX; i++) {
        if (!is_ban && i != budget)
            continue;
        rate_stop(&venue->rates[i], until_ms);
        if (until_ms >= venue->rests[i].until_ms) {
            venue->rests[i].until_ms = until_ms;
            venue->rests[i].is_ban = is_ban;
            snprintf(venue->rests[i].why, sizeof venue->rests[i].why, "%s", why);
        }
    }
    log_warn("the exchange wants fewer requests; none is made for a while",
             log_text("exchange", venue_name(venue)), log_int("seconds", wait_ms / SECOND_MS),
             log_text("reason", why));
}

/* -- what waits, and why ----------------------------------------------------------------------- */

const char *venue_rest(const struct venue *venue, enum exchange_request_kind kind, size_t budget,
                       int64_t *due_ms)
{
    const struct rest *rest = &venue->rests[budget];
    const struct endpoint *endpoint = &venue->endpoints[kind];
    if (rest->why[0] != '\0' && rest->until_ms >= endpoint->due_ms) {
        *due_ms = rest->until_ms;
        return rest->why;
    }
    *due_ms = endpoint->due_ms;
    return endpoint->fault[0] != '\0' ? endpoint->fault : rest->why;
}
