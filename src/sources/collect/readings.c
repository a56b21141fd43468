/* How each stream stands, for /readyz, /api/v1/symbols and the metrics. Made on the collector's
 * thread once a second, and copied from there, so that nobody who asks waits for it. */
#include "sources/collect/collect_internal.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows that are late by less are on their way. */
#define FILLING_AFTER_MS (30 * MINUTE_MS)
#define INTEREST_PUSHED_MS (90 * SECOND_MS)

static const enum exchange_request_kind kinds[TRACK_COUNT] = {
    [TRACK_CANDLES] = EXCHANGE_CANDLES, [TRACK_INTEREST] = EXCHANGE_INTEREST_HISTORY};

size_t market_missing(const struct venue_market *market, enum track_kind kind)
{
    const struct venue *venue = market->venue;
    bool is_fetched = market->state != MARKET_MISSING && market->state != MARKET_FOREIGN &&
                      (kind != TRACK_CANDLES || market_has_candles(market)) &&
                      venue->api->offers[kinds[kind]].is_offered;
    return is_fetched
               ? coverage_missing(&market->tracks[kind].coverage, market->instrument.listed_ms,
                                  venue_now_ms(venue) - FILLING_AFTER_MS)
               : 0;
}

/* Why requests for a track are not answered, those by which it is kept current where no socket
 * does, and when the next is due; "": they are. Before the exchange's list is read, it is that. */
static const char *failure_of(const struct venue_market *market, enum track_kind kind,
                              int64_t *due_ms)
{
    const struct venue *venue = market->venue;
    const struct track *track = &market->tracks[kind];
    bool has_history = venue->api->offers[kinds[kind]].is_offered;
    enum exchange_request_kind asked = market->state == MARKET_SOUGHT ? EXCHANGE_INSTRUMENTS
                                       : has_history                  ? kinds[kind]
                                                                      : EXCHANGE_INTEREST_NOW;
    bool is_own = has_history && market->state == MARKET_TRADING;
    size_t budget = is_own ? track->budget : venue->endpoints[asked].budget;
    const char *why = venue_rest(venue, asked, budget, due_ms);
    if (is_own && track->failure[0] != '\0') {
        why = why[0] != '\0' ? why : track->failure;
        *due_ms = track->due_ms > *due_ms ? track->due_ms : *due_ms;
    }
    return why;
}

/* Why rows of a track that are missing are not fetched. Open interest waits for the candles by
 * which it is dated. */
static const char *filling_failure_of(const struct venue_market *market, enum track_kind kind,
                                      int64_t *due_ms)
{
    const char *why = failure_of(market, kind, due_ms);
    const struct venue_market *priced_by = market_priced_by(market);
    bool waits = kind == TRACK_INTEREST && market_missing(market, TRACK_INTEREST) > 0 &&
                 market_missing(priced_by, TRACK_CANDLES) > 0;
    return why[0] == '\0' && waits ? failure_of(priced_by, TRACK_CANDLES, due_ms) : why;
}

/* Why no socket brings the present; "": one does, or none is wanted for it. */
static const char *socket_failure_of(const struct venue_market *market, enum track_kind kind,
                                     int64_t *due_ms)
{
    enum exchange_stream_kind stream =
        kind == TRACK_CANDLES ? EXCHANGE_STREAM_CANDLES : EXCHANGE_STREAM_TICKER;
    return push_fault(market_stream(market, stream), due_ms);
}

/* Where there is no history, what a socket tells of the present becomes the rows. */
static bool is_pushed(const struct venue_market *market, enum track_kind kind)
{
    int64_t pushed_ms = market->tracks[kind].pushed_ms;
    if (kind == TRACK_CANDLES)
        return market_is_pushed(market);
    return !market->venue->api->offers[EXCHANGE_INTEREST_HISTORY].is_offered && pushed_ms > 0 &&
           collector_now_ms(market->venue->collector) - pushed_ms < INTEREST_PUSHED_MS;
}

static enum source_state state_of(const struct venue_market *market, bool is_pushed,
                                  uint64_t missing, bool is_failing)
{
    return market->state == MARKET_FOREIGN           ? SOURCE_FOREIGN
           : market->state == MARKET_MISSING         ? SOURCE_UNKNOWN
           : is_failing && market->venue->is_blocked ? SOURCE_BLOCKED
           : is_failing                              ? SOURCE_FAILING
           : market->state == MARKET_SOUGHT          ? SOURCE_STARTING
           : missing > 0                             ? SOURCE_FILLING
           : is_pushed                               ? SOURCE_LIVE
                                                     : SOURCE_POLLED;
}

static void set_fault(struct source_reading *reading, const struct venue *venue, const char *fault,
                      int64_t due_ms)
{
    int64_t now_ms = collector_now_ms(venue->collector);
    if (reading->state == SOURCE_FOREIGN) {
        strcpy(reading->fault, FOREIGN_FAULT);
        return;
    }
    if (reading->state == SOURCE_UNKNOWN) {
        fault = "the exchange does not have this symbol; its list is read again every hour";
        due_ms = venue->instruments_due_ms;
    }
    snprintf(reading->fault, sizeof reading->fault, "%s", fault);
    reading->next_try_ms = due_ms > now_ms ? due_ms - now_ms : 0;
}

static void set_newest(struct source_reading *reading, const struct venue *venue, int64_t newest_ms,
                       int64_t length_ms)
{
    reading->newest_ms = newest_ms;
    reading->age_ms = newest_ms > 0 ? venue_now_ms(venue) - newest_ms - length_ms : -1;
}

static void read_track(const struct venue_market *market, enum track_kind kind,
                       struct source_reading *reading)
{
    const struct venue *venue = market->venue;
    const struct track *track = &market->tracks[kind];
    int64_t due_ms = 0;
    const char *failure = filling_failure_of(market, kind, &due_ms);
    bool is_live = is_pushed(market, kind);
    *reading = (struct source_reading){
        .symbol_index = market->symbol_index,
        .exchange = venue_name(venue),
        .stream = kind == TRACK_CANDLES ? SOURCE_CANDLES : SOURCE_INTEREST,
        .taken = track->taken,
        .refused = track->refused,
        .missing = market_missing(market, kind),
    };
    /* What a socket brings is well without requests, but for the rows that only they can fill in.
     */
    bool is_failing = failure[0] != '\0' && (!is_live || reading->missing > 0);
    reading->state = state_of(market, is_live, reading->missing, is_failing);
    set_newest(reading, venue, track->newest_ms, kind == TRACK_CANDLES ? CANDLE_MS : 0);
    if (failure[0] == '\0' && !is_live)
        failure = socket_failure_of(market, kind, &due_ms);
    if (failure[0] != '\0')
        set_fault(reading, venue, failure, due_ms);
    else
        set_fault(reading, venue, track->fault, 0);
}

static enum source_state liquidation_state(const struct venue_market *market,
                                           const struct stream *stream, const char *fault)
{
    bool is_refused = market->state == MARKET_TRADING && stream->fault[0] != '\0';
    enum source_state state = state_of(market, push_is_live(stream), 0, fault[0] != '\0');
    return is_refused                   ? SOURCE_REFUSED
           : state != SOURCE_POLLED     ? state
           : stream->connection == NULL ? SOURCE_FAILING
                                        : SOURCE_STARTING;
}

/* Liquidations have no past that could be fetched: they come by a socket, or are lost. */
static void read_liquidations(const struct venue_market *market, struct source_reading *reading)
{
    const struct venue *venue = market->venue;
    const struct stream *stream = market_stream(market, EXCHANGE_STREAM_LIQUIDATIONS);
    int64_t due_ms = 0;
    const char *fault = market->state == MARKET_SOUGHT ? failure_of(market, TRACK_CANDLES, &due_ms)
                                                       : push_fault(stream, &due_ms);
    *reading = (struct source_reading){
        .symbol_index = market->symbol_index,
        .exchange = venue_name(venue),
        .stream = SOURCE_LIQUIDATIONS,
        .taken = market->liquidations,
    };
    reading->state = liquidation_state(market, stream, fault);
    set_newest(reading, venue, market->liquidation_ms, 0);
    if (market->state == MARKET_TRADING && stream->connection == NULL)
        fault = "the exchange allows fewer subscriptions than there are symbols";
    set_fault(reading, venue, fault, due_ms);
}

static void read_market(const struct venue_market *market, struct source_reading *readings,
                        size_t *count)
{
    for (int kind = 0; kind < TRACK_COUNT; kind++)
        if (kind != TRACK_CANDLES || market_has_candles(market))
            read_track(market, (enum track_kind)kind, &readings[(*count)++]);
    if (market->venue->api->streams[EXCHANGE_STREAM_LIQUIDATIONS].path != NULL)
        read_liquidations(market, &readings[(*count)++]);
}

void readings_make(struct collector *collector)
{
    size_t count = 0;
    for (size_t v = 0; v < collector->venue_count; v++)
        for (size_t i = 0; i < collector->venues[v].market_count; i++)
            read_market(&collector->venues[v].markets[i], collector->readings_made, &count);
    pthread_mutex_lock(&collector->mutex);
    memcpy(collector->readings, collector->readings_made, count * sizeof *collector->readings);
    collector->reading_count = count;
    pthread_mutex_unlock(&collector->mutex);
}

size_t readings_copy(struct collector *collector, struct source_reading *readings, size_t count_max)
{
    pthread_mutex_lock(&collector->mutex);
    size_t count = collector->reading_count;
    if (readings != NULL)
        memcpy(readings, collector->readings,
               (count < count_max ? count : count_max) * sizeof *readings);
    pthread_mutex_unlock(&collector->mutex);
    return count;
}

void readings_init(struct collector *collector)
{
    size_t most = 0;
    for (size_t v = 0; v < collector->venue_count; v++)
        most += collector->venues[v].market_count * SOURCE_STREAM_COUNT;
    collector->readings = memory_allocate_zeroed(most, sizeof *collector->readings);
    collector->readings_made = memory_allocate_zeroed(most, sizeof *collector->readings_made);
    check(pthread_mutex_init(&collector->mutex, NULL) == 0);
}

void readings_deinit(struct collector *collector)
{
    pthread_mutex_destroy(&collector->mutex);
    free(collector->readings);
    free(collector->readings_made);
}
