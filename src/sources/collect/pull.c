/* What is missing is fetched: instruments first, then for each market in turn the candles and the
 * open interest that coverage.h misses, oldest first; and, where no socket brings them, the candle
 * that forms and the open interest as it is now.
 *
 * A request is made only if its exchange's budget (rate.h) has room, and of a track one at a time.
 * So a thousand symbols that come back after a night fill up as fast as the exchange allows and no
 * faster, each a page in turn.
 *
 * When an answer is in, its steps are there, or the exchange does not have them: *absent*, and not
 * asked again before collector.c forgets it. Steps of the last RECENT_MS are not given up so
 * soon: exchanges publish late.
 *
 * What an exchange does not answer as it should waits (rests.c), the rest goes on. */
#include "sources/collect/collect_internal.h"

#include "base/check.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUESTS_MAX 4        /* of an exchange at a time */
#define STEPS_MAX 1500        /* that one request may be for; the exchange may take fewer */
#define LABELLED_STEPS_MIN 24 /* of open interest that has to be dated, of which 12 are needed */
#define TIMEOUT_MS 60000      /* of a request, in the machine's time */

#define CANDLE_GRACE_MS (15 * SECOND_MS) /* for a socket to bring the candle that has closed */
#define UNPUSHED_GRACE_MS (CLOCK_TOLERANCE_MS + SECOND_MS)
#define INTEREST_GRACE_MS (15 * SECOND_MS)
#define RECENT_MS (30 * MINUTE_MS)
#define LATE_RETRY_MS (20 * SECOND_MS)
#define UNDATED_RETRY_MS MINUTE_MS /* open interest whose labels say too little yet */
#define UNDATED_MS (3 * 60 * MINUTE_MS)
#define CANDLE_POLL_MS (10 * SECOND_MS)
#define INTEREST_POLL_MS (30 * SECOND_MS)
#define INTEREST_READING_MS (90 * SECOND_MS) /* a socket's reading that is older has stopped */
#define INSTRUMENTS_MS (6 * 60 * MINUTE_MS)
#define MISSING_MS (60 * MINUTE_MS) /* instruments again, where a symbol was not among them */
#define LIMITED_MAX_MS (7 * 24 * 60 * MINUTE_MS) /* whatever it says */
#define REFUSED_MS (10 * MINUTE_MS)              /* of a series whose request it does not accept */
#define LIST_PAGES_MAX 200
#define WAIT_MIN_MS SECOND_MS
#define WAIT_MAX_MS (2 * MINUTE_MS)

static const enum exchange_request_kind kinds[TRACK_COUNT] = {
    [TRACK_CANDLES] = EXCHANGE_CANDLES, [TRACK_INTEREST] = EXCHANGE_INTEREST_HISTORY};

struct pull_transfer {
    struct list link; /* of its venue's */
    struct venue *venue;
    struct venue_market *market; /* NULL: of all */
    struct track *track;         /* NULL: a poll, or instruments */
    struct coverage_range range; /* of the track, that the request is for */
    struct exchange_query query;
    struct exchange_request request;
    struct http_transfer *http;
};

static int64_t now_of(const struct venue *venue)
{
    return collector_now_ms(venue->collector);
}

static int64_t step_of(int64_t time_ms)
{
    return time_ms - time_ms % CANDLE_MS;
}

/* -- what answers bring ------------------------------------------------------------------------ */

/* The steps that were asked for are there by now, or the exchange does not have them: then they are
 * given up if they are older than `recent_ms`. */
static void settle(struct pull_transfer *transfer, int64_t recent_ms, int64_t retry_ms)
{
    struct track *track = transfer->track;
    struct coverage_range given_up = transfer->range, rest;
    recent_ms = step_of(venue_now_ms(transfer->venue) - recent_ms);
    if (given_up.last_ms >= recent_ms)
        given_up.last_ms = recent_ms - CANDLE_MS;
    coverage_mark_absent(&track->coverage, given_up);
    if (coverage_next(&track->coverage, transfer->range.first_ms, transfer->range.last_ms,
                      STEPS_MAX, &rest))
        track->due_ms = now_of(transfer->venue) + retry_ms;
}

/* Labels of open interest that say too little may be told when there are more rows, of this or of
 * another symbol. */
static void settle_undated(struct pull_transfer *transfer)
{
    bool is_any_known = false;
    for (size_t i = 0; i < INTEREST_LABEL_OFFSETS; i++)
        is_any_known |= transfer->venue->labels.spans[i].last_ms != 0;
    settle(transfer, is_any_known ? UNDATED_MS : INT64_MAX / 2, UNDATED_RETRY_MS);
}

static void take_instrument(const struct exchange_instrument *instrument, struct intake *intake)
{
    venue_offer(intake->venue, instrument);
    intake->venue->listed_count++;
}

static void begin_list(struct venue *venue)
{
    venue->instruments_cursor[0] = '\0';
    venue->listed_count = venue->list_pages = 0;
}

/* NULL, or why the list is none: an empty one, or one that has no end. */
static const char *read_list_end(struct venue *venue, const struct exchange_answer *answer)
{
    bool is_last = answer->cursor[0] == '\0', is_endless = ++venue->list_pages == LIST_PAGES_MAX;
    bool is_empty = is_last && venue->listed_count == 0;
    strcpy(venue->instruments_cursor, answer->cursor);
    if (is_last || is_endless)
        begin_list(venue);
    if (!is_last || is_empty)
        return is_empty ? "its list is empty" : is_endless ? "its list has no end" : NULL;
    bool is_complete = venue_settle_markets(venue);
    venue->instruments_due_ms = now_of(venue) + (is_complete ? INSTRUMENTS_MS : MISSING_MS);
    venue->has_instruments = true;
    return NULL;
}

/* Without its list, an exchange that counts in coins can be asked by the name that a symbol should
 * have. */
static void do_without_list(struct venue *venue)
{
    if (venue->has_instruments || venue->api->needs_contract_size)
        return;
    venue_assume_markets(venue);
    venue->has_instruments = true;
}

/* A request that the exchange does not accept rests alone: others of its kind may be accepted. */
static void rest(struct pull_transfer *transfer)
{
    int64_t until_ms = now_of(transfer->venue) + REFUSED_MS;
    struct venue_market *market = transfer->market;
    if (transfer->request.kind == EXCHANGE_INSTRUMENTS)
        begin_list(transfer->venue);
    else if (transfer->track != NULL)
        transfer->track->due_ms = until_ms;
    else if (market != NULL && transfer->request.kind == EXCHANGE_CANDLES)
        market->candle_polled_ms = until_ms;
    else if (market != NULL)
        market->interest_polled_ms = until_ms;
}

/* How long the exchange asks to wait; 0: it does not say. `until_ms` is of its clock, which was
 * taken to be `read_ms` when that was reckoned; 0: not told. */
static int64_t told_wait(const struct venue *venue, int64_t until_ms, int64_t read_ms)
{
    int64_t now_ms = venue_now_ms(venue) < read_ms ? venue_now_ms(venue) : read_ms;
    if (until_ms <= now_ms)
        return 0;
    return until_ms - now_ms < LIMITED_MAX_MS ? until_ms - now_ms : LIMITED_MAX_MS;
}

/* The series of a market that the request was for, be it its past or its present; NULL: of none. */
static struct track *series_of(const struct pull_transfer *transfer)
{
    bool is_candles = transfer->request.kind == EXCHANGE_CANDLES;
    if (transfer->market == NULL || (!is_candles && transfer->track == NULL))
        return NULL;
    return &transfer->market->tracks[is_candles ? TRACK_CANDLES : TRACK_INTEREST];
}

static void note_failure(struct pull_transfer *transfer, const char *why, int64_t told_ms)
{
    struct track *series = series_of(transfer);
    venue_note_failure(transfer->venue, transfer->request.kind, why, told_ms);
    if (series != NULL)
        snprintf(series->failure, sizeof series->failure, "%s", why);
}

/* That the present is answered says nothing of a past that is not. */
static void note_success(struct pull_transfer *transfer)
{
    struct track *series = series_of(transfer);
    venue_note_success(transfer->venue, transfer->request.kind, transfer->request.budget);
    if (series != NULL &&
        (transfer->track != NULL || market_missing(transfer->market, TRACK_CANDLES) == 0))
        series->failure[0] = '\0';
}

/* `read_ms` is the exchange's time by which the verdict was made. */
static void note_verdict(struct pull_transfer *transfer, const struct exchange_verdict *verdict,
                         int64_t read_ms)
{
    struct venue *venue = transfer->venue;
    const struct exchange_request *request = &transfer->request;
    int64_t told_ms = told_wait(venue, verdict->until_ms, read_ms);
    switch (verdict->kind) {
    case EXCHANGE_OK:
        break;
    case EXCHANGE_RATE_LIMITED:
    case EXCHANGE_BANNED:
        venue_note_limited(venue, request->budget, verdict->kind == EXCHANGE_BANNED,
                           verdict->message, told_ms);
        break;
    case EXCHANGE_BLOCKED:
        venue_note_blocked(venue, request->kind, verdict->message, told_ms);
        break;
    case EXCHANGE_NO_SYMBOL:
        if (transfer->market != NULL)
            market_lose(transfer->market, verdict->message);
        break;
    case EXCHANGE_OUT_OF_RANGE:
        if (transfer->track != NULL)
            settle(transfer, RECENT_MS, LATE_RETRY_MS);
        break;
    case EXCHANGE_REFUSED:
        rest(transfer);
        note_failure(transfer, verdict->message, 0);
        break;
    case EXCHANGE_BROKEN:
    case EXCHANGE_UNAVAILABLE:
        note_failure(transfer, verdict->message, told_ms);
        break;
    }
}

static const char *find_header(const char *name, void *context)
{
    return http_result_header(context, name);
}

static void read_answer(struct pull_transfer *transfer, const struct http_result *result)
{
    struct venue *venue = transfer->venue;
    struct intake intake = {
        .venue = venue,
        .is_history = transfer->request.kind == EXCHANGE_INTEREST_HISTORY,
        .market = transfer->market,
        .on_instrument = take_instrument,
    };
    const struct exchange_sink sink = intake_sink(&intake);
    const struct exchange_response response = {
        .status = result->status,
        .body = result->body,
        .body_size = result->body_size,
        .retry_after_seconds =
            result->retry_after_ms < 0 ? -1 : (result->retry_after_ms + 999) / 1000,
        .find_header = find_header,
        .context = (void *)result,
    };
    struct exchange_answer answer;
    exchange_answer_read(venue->api, &transfer->query, &transfer->request, &response, &sink,
                         &answer);
    intake_end(&intake);
    venue_note_clock(venue, answer.server_ms);
    if (answer.used_weight >= 0)
        rate_note_used(&venue->rates[transfer->request.budget], answer.used_weight, now_of(venue));
    note_verdict(transfer, &answer.verdict, sink.now_ms);
    if (answer.verdict.kind != EXCHANGE_OK)
        return;
    const char *fault =
        transfer->request.kind == EXCHANGE_INSTRUMENTS ? read_list_end(venue, &answer) : NULL;
    if (fault != NULL) {
        note_failure(transfer, fault, 0);
        return;
    }
    note_success(transfer);
    if (transfer->track != NULL && !intake.has_undated)
        settle(transfer, RECENT_MS, LATE_RETRY_MS);
    else if (transfer->track != NULL)
        settle_undated(transfer);
}

static void on_done(const struct http_result *result, void *context)
{
    struct pull_transfer *transfer = context;
    struct venue *venue = transfer->venue;
    list_remove(&transfer->link);
    venue->transfer_count--;
    if (transfer->track != NULL)
        transfer->track->is_asking = false;
    if (result->outcome == HTTP_ANSWERED)
        read_answer(transfer, result);
    else
        note_failure(transfer, result->message, 0);
    if (transfer->request.kind == EXCHANGE_INSTRUMENTS)
        do_without_list(venue);
    free(transfer);
}

/* -- asking ------------------------------------------------------------------------------------ */

static bool is_due(const struct venue *venue, enum exchange_request_kind kind)
{
    return now_of(venue) >= venue->endpoints[kind].due_ms;
}

/* Takes over the transfer. */
static void start(struct pull_transfer *transfer)
{
    struct venue *venue = transfer->venue;
    const struct exchange_request *request = &transfer->request;
    struct buffer url = {0};
    buffer_append_format(&url, "%s%s", venue->rest_url, request->path);
    list_push_back(&venue->transfers, &transfer->link);
    venue->transfer_count++;
    venue->endpoints[request->kind].asked++;
    if (transfer->track != NULL)
        transfer->track->is_asking = true;
    bool is_post = request->body[0] != '\0';
    transfer->http = http_client_start(venue->collector->http,
                                       &(struct http_request){
                                           .method = is_post ? "POST" : "GET",
                                           .url = buffer_text(&url),
                                           .body = is_post ? request->body : NULL,
                                           .body_size = strlen(request->body),
                                           .content_type = is_post ? "application/json" : NULL,
                                           .timeout_ms = TIMEOUT_MS,
                                           .answer_bytes_max = request->answer_bytes_max,
                                           .wants_gzip = true,
                                           .on_done = on_done,
                                           .context = transfer,
                                       });
    buffer_deinit(&url);
}

enum asked {
    ASKED,      /* a request is under way */
    ASKED_NONE, /* there is nothing to ask */
    ASKED_LATER /* its budget has no room now */
};

/* Makes the request for as much of the query as one answer holds. */
static enum asked ask(struct venue *venue, struct venue_market *market, struct track *track,
                      const struct exchange_query *query, struct coverage_range range)
{
    struct exchange_request request;
    if (!exchange_request_build(venue->api, query, &request))
        return ASKED_NONE;
    venue->endpoints[request.kind].budget = request.budget;
    if (track != NULL)
        track->budget = request.budget;
    if (!rate_try_spend(&venue->rates[request.budget], request.weight, now_of(venue)))
        return ASKED_LATER;
    struct pull_transfer *transfer = memory_allocate_zeroed(1, sizeof *transfer);
    *transfer = (struct pull_transfer){.venue = venue,
                                       .market = market,
                                       .track = track,
                                       .range = range,
                                       .query = *query,
                                       .request = request};
    start(transfer);
    return ASKED;
}

/* -- tracks ------------------------------------------------------------------------------------ */

static int64_t grace_of(const struct venue_market *market, enum track_kind kind)
{
    if (kind == TRACK_INTEREST)
        return INTEREST_GRACE_MS;
    bool is_pushed = market->venue->api->streams[EXCHANGE_STREAM_CANDLES].tells_closed &&
                     market_is_pushed(market);
    return is_pushed ? CANDLE_GRACE_MS : UNPUSHED_GRACE_MS;
}

/* The newest step that has to be there by now: the last candle that has closed, the last state of
 * open interest. */
static int64_t last_step_of(const struct venue_market *market, enum track_kind kind)
{
    int64_t step_ms = step_of(venue_now_ms(market->venue) - grace_of(market, kind));
    return kind == TRACK_CANDLES ? step_ms - CANDLE_MS : step_ms;
}

/* When the next step has to be there. */
static int64_t next_due_ms(const struct venue_market *market, enum track_kind kind)
{
    int64_t grace_ms = grace_of(market, kind);
    int64_t next_ms = step_of(venue_now_ms(market->venue) - grace_ms) + CANDLE_MS + grace_ms;
    return next_ms - market->venue->difference_ms;
}

/* Open interest is dated and valued by the opens of candles. */
static bool has_candles_for(const struct venue_market *market, struct coverage_range range)
{
    struct coverage_range missing;
    int64_t last_ms = last_step_of(market, TRACK_CANDLES);
    market = market_priced_by(market);
    return !coverage_next(&market->tracks[TRACK_CANDLES].coverage, range.first_ms,
                          range.last_ms < last_ms ? range.last_ms : last_ms, 1, &missing);
}

/* The query for a range of a track's steps. Labels of open interest may be a step off, and it takes
 * some rows to find out how they are meant. */
static struct exchange_query query_of(const struct venue_market *market, enum track_kind kind,
                                      struct coverage_range range)
{
    struct exchange_query query = {
        .kind = kinds[kind],
        .instrument = &market->instrument,
        .now_ms = venue_now_ms(market->venue),
        .start_ms = range.first_ms,
        .end_ms = range.last_ms + CANDLE_MS,
    };
    if (kind == TRACK_INTEREST && market->is_labelled) {
        query.start_ms -= (LABELLED_STEPS_MIN + 1) * CANDLE_MS;
        query.end_ms += CANDLE_MS;
    }
    return query;
}

/* The part of a range that a request is for; steps before it the exchange does not answer for. */
static struct coverage_range part_of(const struct venue_market *market, enum track_kind kind,
                                     struct coverage_range range,
                                     const struct exchange_request *request)
{
    int64_t margin_ms = kind == TRACK_INTEREST && market->is_labelled ? CANDLE_MS : 0;
    if (request->end_ms - CANDLE_MS - margin_ms < range.last_ms)
        range.last_ms = request->end_ms - CANDLE_MS - margin_ms;
    return range;
}

static enum asked pull_track(struct venue_market *market, enum track_kind kind)
{
    struct venue *venue = market->venue;
    struct track *track = &market->tracks[kind];
    struct coverage_range range;
    while (coverage_next(&track->coverage, market->instrument.listed_ms, last_step_of(market, kind),
                         STEPS_MAX, &range)) {
        if (kind == TRACK_INTEREST && !has_candles_for(market, range))
            return ASKED_NONE;
        const struct exchange_query query = query_of(market, kind, range);
        struct exchange_request request;
        if (!exchange_request_build(venue->api, &query, &request)) {
            coverage_mark_absent(&track->coverage, range);
            continue;
        }
        if (request.start_ms > range.first_ms) {
            coverage_mark_absent(
                &track->coverage,
                (struct coverage_range){range.first_ms, request.start_ms - CANDLE_MS});
            continue;
        }
        return ask(venue, market, track, &query, part_of(market, kind, range, &request));
    }
    track->due_ms = next_due_ms(market, kind);
    return ASKED_NONE;
}

static bool is_track_due(const struct venue_market *market, enum track_kind kind)
{
    const struct track *track = &market->tracks[kind];
    return (kind != TRACK_CANDLES || market_has_candles(market)) && !track->is_asking &&
           now_of(market->venue) >= track->due_ms &&
           market->venue->api->offers[kinds[kind]].is_offered && is_due(market->venue, kinds[kind]);
}

/* -- the present, where no socket brings it ---------------------------------------------------- */

static enum asked poll_candle(struct venue_market *market)
{
    struct venue *venue = market->venue;
    int64_t step_ms = step_of(venue_now_ms(venue));
    if (!market_has_candles(market) || market_is_pushed(market) ||
        !is_due(venue, EXCHANGE_CANDLES) ||
        now_of(venue) - market->candle_polled_ms < CANDLE_POLL_MS)
        return ASKED_NONE;
    const struct exchange_query query = {
        .kind = EXCHANGE_CANDLES,
        .instrument = &market->instrument,
        .now_ms = venue_now_ms(venue),
        .start_ms = step_ms - CANDLE_MS,
        .end_ms = step_ms + CANDLE_MS,
        .is_newest_first = true,
    };
    enum asked asked = ask(venue, market, NULL, &query, (struct coverage_range){0});
    if (asked == ASKED)
        market->candle_polled_ms = now_of(venue);
    return asked;
}

/* One request may be for all markets: then the first market's turn stands for all. */
static enum asked poll_interest(struct venue_market *market)
{
    struct venue *venue = market->venue;
    const struct exchange_offer *offer = &venue->api->offers[EXCHANGE_INTEREST_NOW];
    struct venue_market *polled = offer->is_for_all ? &venue->markets[0] : market;
    int64_t now_ms = now_of(venue);
    if (!offer->is_offered || !is_due(venue, EXCHANGE_INTEREST_NOW) ||
        now_ms - polled->interest_polled_ms < INTEREST_POLL_MS ||
        venue_now_ms(venue) - market->reading.time_ms < INTEREST_READING_MS)
        return ASKED_NONE;
    const struct exchange_query query = {
        .kind = EXCHANGE_INTEREST_NOW,
        .instrument = offer->is_for_all ? NULL : &market->instrument,
        .now_ms = venue_now_ms(venue),
    };
    enum asked asked =
        ask(venue, offer->is_for_all ? NULL : market, NULL, &query, (struct coverage_range){0});
    if (asked == ASKED)
        polled->interest_polled_ms = now_ms;
    return asked;
}

/* -- the beat ---------------------------------------------------------------------------------- */

static enum asked pull_tracks(struct venue_market *market)
{
    enum asked asked = ASKED_NONE;
    for (int kind = 0; asked == ASKED_NONE && kind < TRACK_COUNT; kind++)
        if (is_track_due(market, (enum track_kind)kind))
            asked = pull_track(market, (enum track_kind)kind);
    return asked;
}

/* The present and the past in turns: where many symbols have no socket, the one would take all of
 * the budget, and the other never come. */
static enum asked pull_market(struct venue_market *market)
{
    bool was_polled = market->was_polled;
    if (market->state != MARKET_TRADING)
        return ASKED_NONE;
    enum asked asked = was_polled ? pull_tracks(market) : poll_candle(market);
    if (asked == ASKED_NONE)
        asked = was_polled ? poll_candle(market) : pull_tracks(market);
    if (asked == ASKED)
        market->was_polled = !was_polled;
    return asked == ASKED_NONE ? poll_interest(market) : asked;
}

/* Alone, since it changes what the markets are: what is under way ends first. */
static enum asked pull_instruments(struct venue *venue)
{
    const struct exchange_query query = {
        .kind = EXCHANGE_INSTRUMENTS,
        .now_ms = venue_now_ms(venue),
        .cursor = venue->instruments_cursor[0] != '\0' ? venue->instruments_cursor : NULL,
    };
    return list_is_empty(&venue->transfers)
               ? ask(venue, NULL, NULL, &query, (struct coverage_range){0})
               : ASKED_NONE;
}

void pull_beat(struct venue *venue)
{
    bool is_list_due =
        now_of(venue) >= venue->instruments_due_ms && is_due(venue, EXCHANGE_INSTRUMENTS);
    if (is_list_due && pull_instruments(venue) != ASKED_LATER)
        return;
    if (!venue->has_instruments)
        return;
    enum asked asked = ASKED_NONE;
    for (size_t i = 0; i < venue->market_count && asked != ASKED_LATER; i++) {
        if (venue->transfer_count == REQUESTS_MAX || writer_is_full(venue->collector->writer))
            return;
        venue->cursor = (venue->cursor + 1) % venue->market_count;
        asked = pull_market(&venue->markets[venue->cursor]);
    }
}

/* -- life -------------------------------------------------------------------------------------- */

void pull_init(struct venue *venue)
{
    list_init(&venue->transfers);
    for (size_t i = 0; i < EXCHANGE_BUDGETS_MAX && venue->api->budgets[i].name != NULL; i++)
        rate_init(&venue->rates[i], venue->api->budgets[i].limit, venue->api->budgets[i].window_ms,
                  now_of(venue));
    for (int i = 0; i < EXCHANGE_REQUEST_KIND_COUNT; i++)
        backoff_init(&venue->endpoints[i].backoff, WAIT_MIN_MS, WAIT_MAX_MS,
                     (struct random){random_next(&venue->collector->random)});
}

void pull_deinit(struct venue *venue)
{
    list_for_each_safe(link, following, &venue->transfers)
    {
        struct pull_transfer *transfer = list_entry(link, struct pull_transfer, link);
        http_transfer_cancel(transfer->http);
        free(transfer);
    }
    list_init(&venue->transfers);
    venue->transfer_count = 0;
}
