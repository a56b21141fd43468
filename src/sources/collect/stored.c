/* What the database has when the collector starts, and so what it does not have to fetch. Open
 * times and opens of candles come a symbol at a time, since opens are needed to date and value open
 * interest; which steps of that are there comes for all symbols in one query. */
#include "sources/collect/collect_internal.h"

#include "base/check.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

/* The newest candle may have been imported while it formed, and so is fetched again. */
static void read_candles(struct venue_market *market, struct store_session *session,
                         struct series *candles)
{
    struct track *track = &market->tracks[TRACK_CANDLES];
    int64_t now_ms = venue_now_ms(market->venue);
    if (store_load(session, market->instrument.symbol, now_ms - market->venue->collector->depth_ms,
                   now_ms, CANDLE_MS, candles, NULL) != STATUS_OK ||
        candles->count == 0)
        return;
    for (size_t i = 0; i < candles->count; i++) {
        const struct candle *candle = &candles->candles[i];
        coverage_mark(&track->coverage, candle->open_time_ms);
        intake_note_open(market, candle->open_time_ms, candle->open_e8);
    }
    track->newest_ms = series_last(candles)->open_time_ms;
    coverage_unmark(&track->coverage, (struct coverage_range){track->newest_ms, track->newest_ms});
}

static void on_hole(size_t symbol, int64_t first_ms, int64_t last_ms, void *context)
{
    struct venue *venue = context;
    coverage_unmark(&venue->markets[symbol].tracks[TRACK_INTEREST].coverage,
                    (struct coverage_range){first_ms, last_ms});
}

static enum status read_interest(struct venue *venue, struct store_session *session,
                                 struct error *error)
{
    const char **symbols = memory_allocate_zeroed(venue->market_count, sizeof *symbols);
    int64_t now_ms = venue_now_ms(venue);
    const struct store_scope scope = {
        .symbols = symbols,
        .symbol_count = venue->market_count,
        .from_ms = now_ms - now_ms % CANDLE_MS - venue->collector->depth_ms,
        .to_ms = now_ms - now_ms % CANDLE_MS,
    };
    for (size_t i = 0; i < venue->market_count; i++) {
        symbols[i] = venue->markets[i].instrument.symbol;
        coverage_mark_range(&venue->markets[i].tracks[TRACK_INTEREST].coverage,
                            (struct coverage_range){scope.from_ms, scope.to_ms});
    }
    enum status status = store_find_holes(session, STORE_INTEREST, &scope, on_hole, venue, error);
    for (size_t i = 0; i < venue->market_count; i++) {
        struct track *track = &venue->markets[i].tracks[TRACK_INTEREST];
        if (status != STATUS_OK)
            coverage_unmark(&track->coverage, (struct coverage_range){scope.from_ms, scope.to_ms});
        coverage_newest(&track->coverage, &track->newest_ms);
    }
    free(symbols);
    return status;
}

/* Futures have other prices than the spot market: added to its candles they would make a series of
 * neither. */
static void on_other_market(struct slice symbol, struct slice market, void *context)
{
    struct collector *collector = context;
    size_t found = 0;
    for (size_t v = 0; v < collector->venue_count; v++)
        for (size_t i = 0; i < collector->venues[v].market_count; i++) {
            struct venue_market *own = &collector->venues[v].markets[i];
            if (!slice_equals(symbol, own->instrument.symbol))
                continue;
            own->state = MARKET_FOREIGN;
            found++;
        }
    if (found == 0)
        return;
    char names[2][SYMBOL_SIZE];
    snprintf(names[0], sizeof names[0], "%.*s", (int)symbol.size, symbol.data);
    snprintf(names[1], sizeof names[1], "%.*s", (int)market.size, market.data);
    log_error("a symbol is not collected: " FOREIGN_FAULT, log_text("symbol", names[0]),
              log_text("market", names[1]));
}

static enum status read_all(struct collector *collector, struct store_session *session,
                            struct error *error)
{
    struct series candles = {0};
    enum status status =
        store_find_other_markets(session, COLLECTED_MARKET, on_other_market, collector, error);
    for (size_t v = 0; v < collector->venue_count && status == STATUS_OK; v++) {
        struct venue *venue = &collector->venues[v];
        for (size_t i = 0; i < venue->market_count; i++)
            if (market_has_candles(&venue->markets[i]))
                read_candles(&venue->markets[i], session, &candles);
        if (venue->market_count > 0)
            status = read_interest(venue, session, error);
    }
    series_deinit(&candles);
    return status;
}

enum status collector_prepare(struct store *store, struct error *error)
{
    struct store_session *session = NULL;
    uint64_t version;
    if (store_version(store, &version, error) != STATUS_NOT_FOUND)
        return STATUS_OK;
    enum status status = store_begin_brief(store, &session, error);
    store_end(session);
    return status == STATUS_BUSY ? STATUS_OK : status;
}

/* A database that cannot be read is taken for an empty one: what is stored twice is stored once. */
void stored_read(struct collector *collector)
{
    struct store_session *session = NULL;
    struct error error = {0};
    enum status status = store_begin(collector->store, &session, &error);
    if (status == STATUS_OK)
        status = read_all(collector, session, &error);
    store_end(session);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        log_warn("the database cannot be read; all of the lookback is fetched",
                 log_text("reason", error.message));
}
