/* An exchange and its markets: which of the symbols it has, and what time it is there. A symbol has
 * several names under which the exchange may list it; of those that are listed the best counts, so
 * the whole list is read before a market is said to trade or to be missing. */
#include "sources/collect/collect_internal.h"

#include "base/check.h"
#include "base/decimal.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLOCK_STEP_MS (5 * SECOND_MS)     /* a network may be late by less */
#define AHEAD_MS (2 * CLOCK_TOLERANCE_MS) /* the exchange's clock may be */
#define LOST_AGAIN_MS (2 * 60 * MINUTE_MS)

const char *venue_name(const struct venue *venue)
{
    return exchange_name(venue->api->id);
}

/* The time is another than it was taken for, so windows lie elsewhere. What was found to be absent
 * may have been asked for at the wrong time; and where nothing but the machine's clock said which
 * candles had closed, what was taken (`is_doubted`) is fetched again. */
static void lay_anew(struct venue_market *market, bool is_doubted)
{
    const struct coverage *candles = &market->tracks[TRACK_CANDLES].coverage;
    const int64_t old_first = candles->first_step, count = (int64_t)candles->step_count;
    const int64_t end_ms = venue_now_ms(market->venue) + AHEAD_MS;
    for (int kind = 0; kind < TRACK_COUNT; kind++) {
        struct track *track = &market->tracks[kind];
        coverage_move(&track->coverage, end_ms);
        coverage_forget_absent(&track->coverage, 0);
        if (is_doubted)
            coverage_unmark(&track->coverage, (struct coverage_range){0, end_ms});
        track->due_ms = 0;
    }
    for (int64_t step = candles->first_step; step < candles->first_step + count; step++)
        if (step < old_first || step >= old_first + count)
            market->opens_e8[step % count] = 0;
    if (market->reading.time_ms > end_ms)
        market->reading = (struct exchange_interest){0};
}

static void set_difference(struct venue *venue, int64_t difference_ms, bool is_doubted)
{
    int64_t change_ms = difference_ms - venue->difference_ms;
    venue->difference_ms = difference_ms;
    if (change_ms > -CANDLE_MS && change_ms < CANDLE_MS)
        return;
    for (size_t i = 0; i < venue->market_count; i++)
        lay_anew(&venue->markets[i], is_doubted);
}

void venue_follow_wall(struct venue *venue)
{
    if (!venue->is_clock_known)
        set_difference(venue, venue->collector->wall_ahead_ms, true);
}

void venue_note_clock(struct venue *venue, int64_t server_ms)
{
    const struct collector *collector = venue->collector;
    int64_t now_ms = collector_now_ms(collector), wall_ms = now_ms + collector->wall_ahead_ms;
    int64_t off_ms = server_ms - venue_now_ms(venue);
    bool is_believable = exchange_clock_is_believable(server_ms, wall_ms);
    if (server_ms <= 0)
        return;
    venue->is_clock_known |= is_believable;
    if (off_ms > -CLOCK_STEP_MS && off_ms < CLOCK_STEP_MS)
        return;
    if (!is_believable) {
        if (pace_allows(&venue->clock_pace, now_ms))
            log_warn("the exchange's clock is days off by this machine's, and is not followed: is "
                     "this machine's right?",
                     log_text("exchange", venue_name(venue)),
                     log_int("ahead_seconds", (server_ms - wall_ms) / SECOND_MS));
        return;
    }
    set_difference(venue, venue->difference_ms + off_ms, false);
    if (!venue->is_clock_told)
        log_warn("the exchange's clock and this machine's differ; the exchange's is followed",
                 log_text("exchange", venue_name(venue)), log_int("ahead_ms", server_ms - wall_ms));
    venue->is_clock_told = true;
}

/* -- finding markets --------------------------------------------------------------------------- */

struct venue_market *market_of_instrument(const struct exchange_instrument *instrument)
{
    return (struct venue_market *)(void *)instrument; /* its first member; NULL stays NULL */
}

static int compare_native(const void *a, const void *b)
{
    const struct venue_market *const *left = a, *const *right = b;
    return strcmp((*left)->instrument.native, (*right)->instrument.native);
}

static int compare_key(const void *native, const void *market)
{
    return strcmp(native, (*(struct venue_market *const *)market)->instrument.native);
}

struct venue_market *venue_find(struct venue *venue, const char *native)
{
    if (venue->found_count == 0)
        return NULL;
    struct venue_market **found =
        bsearch(native, venue->found, venue->found_count, sizeof *found, compare_key);
    return found != NULL ? *found : NULL;
}

/* Two symbols may be the same instrument: BTCUSDT and BINANCE:BTCUSDT. The first one is found, and
 * leads to the others. */
static void index_markets(struct venue *venue)
{
    venue->found_count = 0;
    for (size_t i = 0; i < venue->market_count; i++) {
        struct venue_market *market = &venue->markets[i], *first = NULL;
        market->twin = NULL;
        for (size_t k = 0; k < i && first == NULL; k++)
            if (strcmp(venue->markets[k].instrument.native, market->instrument.native) == 0)
                first = &venue->markets[k];
        market->is_twin = first != NULL && market->state == MARKET_TRADING;
        if (market->state != MARKET_TRADING)
            continue;
        if (market->is_twin) {
            market->twin = first->twin;
            first->twin = market;
        } else {
            venue->found[venue->found_count++] = market;
        }
    }
    qsort(venue->found, venue->found_count, sizeof(struct venue_market *), compare_native);
}

/* -- the exchange's list ----------------------------------------------------------------------- */

static int compare_sought(const void *a, const void *b)
{
    const struct sought_name *first = a, *second = b;
    return strcmp(first->listing.native, second->listing.native);
}

/* All names of all markets, once: a list has hundreds of instruments, and there may be a thousand
 * markets. */
static void seek_names(struct venue *venue)
{
    venue->sought =
        memory_allocate_zeroed(venue->market_count * EXCHANGE_LISTINGS_MAX, sizeof *venue->sought);
    for (size_t i = 0; i < venue->market_count; i++) {
        struct exchange_listing listings[EXCHANGE_LISTINGS_MAX];
        size_t count = exchange_listings(venue->api, venue->markets[i].name, listings);
        for (size_t rank = 0; rank < count; rank++)
            venue->sought[venue->sought_count++] =
                (struct sought_name){listings[rank], rank, &venue->markets[i]};
    }
    if (venue->sought_count > 0)
        qsort(venue->sought, venue->sought_count, sizeof *venue->sought, compare_sought);
}

/* The first of the sought names that is not before this one. */
static size_t find_sought(const struct venue *venue, const char *native)
{
    size_t low = 0, high = venue->sought_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(venue->sought[middle].listing.native, native) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void venue_offer(struct venue *venue, const struct exchange_instrument *instrument)
{
    if (venue->sought == NULL)
        seek_names(venue);
    for (size_t i = find_sought(venue, instrument->native); i < venue->sought_count; i++) {
        const struct sought_name *sought = &venue->sought[i];
        if (strcmp(sought->listing.native, instrument->native) != 0)
            break;
        if (sought->rank >= sought->market->offered_rank)
            continue;
        sought->market->offered = *instrument;
        sought->market->offered.bundle_digits = sought->listing.bundle_digits;
        sought->market->offered_rank = sought->rank;
    }
}

static void take_offer(struct venue_market *market)
{
    struct exchange_instrument *instrument = &market->instrument;
    bool is_listed = market->offered_rank != MARKET_NOT_OFFERED;
    if (market->state == MARKET_FOREIGN)
        return;
    if (is_listed) {
        market->offered.listed_ms -= market->offered.listed_ms % CANDLE_MS;
        strcpy(market->offered.symbol, instrument->symbol);
        *instrument = market->offered;
    } else if (market->state != MARKET_MISSING) {
        log_warn("the exchange does not have this symbol; it is looked for every hour",
                 log_text("exchange", venue_name(market->venue)),
                 log_text("symbol", instrument->symbol));
    }
    if (is_listed && market->state == MARKET_MISSING)
        log_info("the exchange has this symbol now",
                 log_text("exchange", venue_name(market->venue)),
                 log_text("symbol", instrument->symbol));
    market->state = is_listed ? MARKET_TRADING : MARKET_MISSING;
    market->offered_rank = MARKET_NOT_OFFERED;
}

bool venue_settle_markets(struct venue *venue)
{
    bool is_complete = true;
    for (size_t i = 0; i < venue->market_count; i++) {
        take_offer(&venue->markets[i]);
        is_complete &= venue->markets[i].state != MARKET_MISSING;
    }
    index_markets(venue);
    push_plan(venue);
    for (size_t i = 0; i < venue->market_count; i++)
        intake_settle_sum(&venue->markets[i]);
    return is_complete;
}

void venue_assume_markets(struct venue *venue)
{
    for (size_t i = 0; i < venue->market_count; i++) {
        struct venue_market *market = &venue->markets[i];
        struct exchange_listing listings[EXCHANGE_LISTINGS_MAX];
        if (market->state == MARKET_FOREIGN)
            continue;
        if (exchange_listings(venue->api, market->name, listings) == 0) {
            market->state = MARKET_MISSING;
            continue;
        }
        strcpy(market->instrument.native, listings[0].native);
        market->instrument.bundle_digits = listings[0].bundle_digits;
        market->instrument.contract_e8 = DECIMAL_ONE;
        market->state = MARKET_TRADING;
    }
    index_markets(venue);
    push_plan(venue);
}

/* The list is read anew; seldom, if it has what requests for it are told does not exist. */
void market_lose(struct venue_market *market, const char *why)
{
    if (market->state == MARKET_MISSING)
        return;
    log_warn("the exchange does not know this symbol any more",
             log_text("exchange", venue_name(market->venue)),
             log_text("symbol", market->instrument.symbol), log_text("reason", why));
    int64_t now_ms = collector_now_ms(market->venue->collector);
    bool is_again = market->lost_ms > 0 && now_ms - market->lost_ms < LOST_AGAIN_MS;
    market->state = MARKET_MISSING;
    market->lost_ms = now_ms;
    market->venue->instruments_due_ms = now_ms + (is_again ? LOST_AGAIN_MS / 2 : MINUTE_MS);
}

/* -- time -------------------------------------------------------------------------------------- */

/* Steps enter the windows, and the opens that they take the places of are forgotten. They enter
 * before their time: the exchange's clock may be ahead of what it is taken for. */
void market_advance(struct venue_market *market)
{
    int64_t now_ms = venue_now_ms(market->venue) + AHEAD_MS;
    struct coverage *candles = &market->tracks[TRACK_CANDLES].coverage;
    int64_t end = candles->first_step + (int64_t)candles->step_count;
    for (int kind = 0; kind < TRACK_COUNT; kind++)
        coverage_advance(&market->tracks[kind].coverage, now_ms);
    int64_t new_end = candles->first_step + (int64_t)candles->step_count;
    if (new_end - end > (int64_t)candles->step_count)
        end = new_end - (int64_t)candles->step_count;
    for (; end < new_end; end++)
        market->opens_e8[(size_t)end % candles->step_count] = 0;
}

/* -- life -------------------------------------------------------------------------------------- */

static void init_market(struct venue *venue, struct venue_market *market, size_t symbol_index)
{
    const char *symbol = venue->collector->config->symbols.names[symbol_index];
    size_t step_count = (size_t)(venue->collector->depth_ms / CANDLE_MS);
    struct slice name = slice_of(symbol);
    struct exchange_prefix prefix;
    *market = (struct venue_market){
        .venue = venue, .symbol_index = symbol_index, .offered_rank = MARKET_NOT_OFFERED};
    exchange_prefix_take(&name, &prefix);
    strcpy(market->instrument.symbol, symbol);
    memcpy(market->name, name.data, name.size);
    market->opens_e8 = memory_allocate_zeroed(step_count, sizeof *market->opens_e8);
    for (int kind = 0; kind < TRACK_COUNT; kind++)
        coverage_init(&market->tracks[kind].coverage, CANDLE_MS, step_count, venue_now_ms(venue));
}

void venue_init(struct venue *venue, struct collector *collector, enum exchange_id id)
{
    const struct config *config = collector->config;
    *venue = (struct venue){
        .collector = collector,
        .api = exchange_api_of(id),
        .rest_url = config->exchange_rest_urls[id],
        .ws_url = config->exchange_ws_urls[id],
        .markets = memory_allocate_zeroed(config->symbols.count, sizeof *venue->markets),
        .found = memory_allocate_zeroed(config->symbols.count, sizeof *venue->found),
    };
    pull_init(venue);
    push_init(venue);
}

void venue_add_market(struct venue *venue, size_t symbol_index, struct sum *sum)
{
    struct venue_market *market = &venue->markets[venue->market_count++];
    init_market(venue, market, symbol_index);
    market->sum = sum;
    if (sum != NULL)
        sum_add(sum, market);
}

void venue_deinit(struct venue *venue)
{
    push_deinit(venue);
    pull_deinit(venue);
    for (size_t i = 0; i < venue->market_count; i++) {
        struct venue_market *market = &venue->markets[i];
        for (int kind = 0; kind < TRACK_COUNT; kind++)
            coverage_deinit(&market->tracks[kind].coverage);
        free(market->opens_e8);
    }
    free(venue->markets);
    free(venue->sought);
    free(venue->found);
}
