/* What the database has when the collector starts, and so what it does not have to fetch: open
 * times and opens of candles, since opens are needed to date and value open interest, and which
 * steps of that are there. Both come for all symbols at once: with a thousand of them, a query a
 * symbol takes more than a minute. */
#include "sources/collect/collect_internal.h"

#include "base/check.h"
#include "base/log.h"
#include "model/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PART_MS DAY_MS /* of the candles, that one query reads */

/* Markets whose candles are collected, in order of their symbols, of which each has one. */
struct candle_markets {
    size_t count;
    struct venue_market **markets;
};

static int compare_symbols(const void *a, const void *b)
{
    const struct venue_market *const *first = a, *const *second = b;
    return strcmp((*first)->instrument.symbol, (*second)->instrument.symbol);
}

static int compare_to_symbol(const void *key, const void *element)
{
    const struct slice *name = key;
    const char *symbol = (*(struct venue_market *const *)element)->instrument.symbol;
    int order = strncmp(name->data, symbol, name->size);
    return order != 0 ? order : symbol[name->size] == '\0' ? 0 : -1;
}

static struct candle_markets find_candle_markets(struct collector *collector)
{
    struct candle_markets found = {0};
    found.markets = memory_allocate_zeroed(collector->config->symbols.count, sizeof *found.markets);
    for (size_t v = 0; v < collector->venue_count; v++)
        for (size_t i = 0; i < collector->venues[v].market_count; i++)
            if (market_has_candles(&collector->venues[v].markets[i]))
                found.markets[found.count++] = &collector->venues[v].markets[i];
    if (found.count > 0)
        qsort(found.markets, found.count, sizeof *found.markets, compare_symbols);
    return found;
}

static void on_candle(const struct store_row *row, void *context)
{
    const struct candle_markets *all = context;
    const int64_t time_ms = row->time_us / 1000;
    if (row->time_us % (CANDLE_MS * 1000) != 0 || !candle_has_prices(&row->candle))
        return;
    struct venue_market **market = bsearch(&row->symbol, all->markets, all->count,
                                           sizeof(struct venue_market *), compare_to_symbol);
    if (market == NULL)
        return;
    struct track *track = &(*market)->tracks[TRACK_CANDLES];
    coverage_mark(&track->coverage, time_ms);
    intake_note_open(*market, time_ms, row->candle.open_e8);
    if (time_ms > track->newest_ms)
        track->newest_ms = time_ms;
}

/* The newest candle may have been imported while it formed, and so is fetched again. */
static void forget_newest(const struct candle_markets *all)
{
    for (size_t i = 0; i < all->count; i++) {
        struct track *track = &all->markets[i]->tracks[TRACK_CANDLES];
        coverage_unmark(&track->coverage,
                        (struct coverage_range){track->newest_ms, track->newest_ms});
    }
}

/* Of all symbols, some time after the other: rows of a time lie together, and those of a day and a
 * thousand symbols are what a query may hold. */
static enum status read_candles(struct collector *collector, struct store_session *session,
                                struct error *error)
{
    struct candle_markets all = find_candle_markets(collector);
    struct buffer names = {0};
    enum status status = STATUS_OK;
    const int64_t now_ms = collector_now_ms(collector);
    for (size_t i = 0; i < all.count; i++)
        buffer_append_format(&names, "%s%s", i > 0 ? "\n" : "", all.markets[i]->instrument.symbol);
    for (int64_t from_ms = now_ms - collector->depth_ms;
         from_ms <= now_ms && all.count > 0 && status == STATUS_OK; from_ms += PART_MS)
        status = store_read(session, STORE_CANDLES, buffer_text(&names), from_ms,
                            from_ms + PART_MS <= now_ms ? from_ms + PART_MS : now_ms + 1, on_candle,
                            &all, error);
    forget_newest(&all);
    buffer_deinit(&names);
    free(all.markets);
    return status;
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
    enum status status =
        store_find_other_markets(session, COLLECTED_MARKET, on_other_market, collector, error);
    if (status == STATUS_OK)
        status = read_candles(collector, session, error);
    for (size_t v = 0; v < collector->venue_count && status == STATUS_OK; v++)
        if (collector->venues[v].market_count > 0)
            status = read_interest(&collector->venues[v], session, error);
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
