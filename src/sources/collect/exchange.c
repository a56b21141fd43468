/* What is the same for all exchanges: which is which, what a request must be before an exchange
 * writes it, and the order in which an answer is judged.
 *
 * Anything may come as an answer: a firewall's page instead of JSON, with whatever status; half a
 * body; an error in a body of status 200. So the exchange's own words come first, as they say more
 * than a status; then the status; then whether there is JSON; and only then rows are read. JSON
 * with the same member twice is refused, since readers differ on which of the two counts. */
#include "sources/collect/exchange.h"

#include "base/check.h"
#include "base/iso_time.h"
#include "sources/collect/exchange_ask.h"
#include "sources/collect/exchange_rows.h"

#include <stdio.h>
#include <string.h>

enum { SHOWN_BYTES = 80 }; /* of a body that is not understood */

#define EXCHANGE_API(id, name, rest, websocket) [EXCHANGE_##id] = &exchange_api_##name,
static const struct exchange_api *const apis[EXCHANGE_COUNT] = {EXCHANGES(EXCHANGE_API)};

const struct exchange_api *exchange_api_of(enum exchange_id id)
{
    check(id < EXCHANGE_COUNT && apis[id]->id == id);
    return apis[id];
}

const char *exchange_verdict_name(enum exchange_verdict_kind kind)
{
    static const char *const names[] = {
        [EXCHANGE_OK] = "ok",
        [EXCHANGE_RATE_LIMITED] = "rate limited",
        [EXCHANGE_BANNED] = "banned",
        [EXCHANGE_BLOCKED] = "blocked",
        [EXCHANGE_NO_SYMBOL] = "no such symbol",
        [EXCHANGE_OUT_OF_RANGE] = "out of range",
        [EXCHANGE_REFUSED] = "refused",
        [EXCHANGE_BROKEN] = "broken",
        [EXCHANGE_UNAVAILABLE] = "unavailable",
    };
    return names[kind];
}

size_t exchange_listings(const struct exchange_api *api, const char *name,
                         struct exchange_listing listings[static EXCHANGE_LISTINGS_MAX])
{
    return api->listings(name, listings);
}

/* -- asking ------------------------------------------------------------------------------------ */

static bool is_paged(enum exchange_request_kind kind)
{
    return kind == EXCHANGE_CANDLES || kind == EXCHANGE_INTEREST_HISTORY;
}

/* The first multiple of 5 minutes that is not before `time_ms`. */
static int64_t grid_after(int64_t time_ms)
{
    return (time_ms + CANDLE_MS - 1) / CANDLE_MS * CANDLE_MS;
}

bool exchange_request_build(const struct exchange_api *api, const struct exchange_query *query,
                            struct exchange_request *request)
{
    const struct exchange_offer *offer = &api->offers[query->kind];
    *request =
        (struct exchange_request){.kind = query->kind, .answer_bytes_max = EXCHANGE_PAGE_BYTES_MAX};
    if (!offer->is_offered)
        return false;
    if (query->kind == EXCHANGE_INSTRUMENTS)
        request->answer_bytes_max = EXCHANGE_INSTRUMENTS_BYTES_MAX;
    check(offer->is_for_all || query->instrument != NULL);
    if (is_paged(query->kind)) {
        check(query->start_ms >= 0 && query->start_ms % CANDLE_MS == 0 &&
              query->end_ms % CANDLE_MS == 0);
        request->start_ms = query->start_ms;
        request->end_ms = query->end_ms;
        int64_t reach_ms = grid_after(query->now_ms - offer->reach_ms);
        if (offer->reach_ms != 0 && request->start_ms < reach_ms)
            request->start_ms = reach_ms;
        if (query->instrument->listed_ms > request->start_ms)
            request->start_ms = query->instrument->listed_ms / CANDLE_MS * CANDLE_MS;
        if (request->start_ms >= request->end_ms)
            return false;
    }
    api->build(query, request);
    check(request->budget < EXCHANGE_BUDGETS_MAX && api->budgets[request->budget].name != NULL);
    return true;
}

size_t exchange_subscribe(const struct exchange_api *api,
                          const struct exchange_subscription *subscriptions, size_t count,
                          bool is_end, uint64_t number, struct buffer *out)
{
    check(count > 0);
    size_t taken = api->subscribe(subscriptions, count, is_end, number, out);
    check(taken > 0 && taken <= count);
    return taken;
}

/* -- the exchange's clock ---------------------------------------------------------------------- */

/* "Tue, 15 Nov 1994 08:12:31 GMT" (RFC 9110 §5.6.7, the form that servers must send); 0 if it is
 * something else. */
static int64_t parse_date(const char *text)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char month[4];
    int day, year, hour, minute, second;
    if (sscanf(text, "%*3c, %2d %3c %4d %2d:%2d:%2d GMT", &day, month, &year, &hour, &minute,
               &second) != 6)
        return 0;
    month[3] = '\0';
    const char *found = strstr(months, month);
    if (found == NULL || (found - months) % 3 != 0 || day < 1 || day > 31 || hour < 0 ||
        hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
        return 0;
    int64_t days = iso_time_days(year, (int)(found - months) / 3 + 1, day);
    return ((days * 24 + hour) * 60 + minute) * MINUTE_MS + second * 1000;
}

static int64_t header_clock(const struct exchange_response *response)
{
    const char *date =
        response->find_header != NULL ? response->find_header("Date", response->context) : NULL;
    return date != NULL ? parse_date(date) : 0;
}

/* -- judging ----------------------------------------------------------------------------------- */

static bool is_html(const char *body, size_t size)
{
    size_t at = 0;
    while (at < size && strchr(" \t\r\n", body[at]) != NULL && body[at] != '\0')
        at++;
    return at < size && body[at] == '<';
}

static void judge_body(const struct exchange_api *api, const struct exchange_response *response,
                       struct exchange_verdict *verdict)
{
    bool is_long = response->body_size > SHOWN_BYTES;
    if (is_html(response->body, response->body_size))
        exchange_judge(verdict, EXCHANGE_BROKEN, 0,
                       "%s answered with a web page instead of JSON: a firewall or a proxy may "
                       "stand between, or its address is wrong (%s_REST_URL)",
                       api->title, exchange_prefix_name(api->id));
    else if (response->body_size == 0)
        exchange_judge(verdict, EXCHANGE_BROKEN, 0, "%s answered with nothing", api->title);
    else
        exchange_judge(verdict, EXCHANGE_BROKEN, 0,
                       "%s answered with what is not JSON, or is cut off: %.*s%s", api->title,
                       is_long ? SHOWN_BYTES : (int)response->body_size, response->body,
                       is_long ? "..." : "");
}

/* What a status says by itself. False if it is one of success. */
static bool judge_status(const struct exchange_api *api, const struct exchange_response *response,
                         int64_t now_ms, struct exchange_verdict *verdict)
{
    int status = response->status;
    int64_t until_ms = exchange_retry_ms(response, now_ms);
    if (status >= 200 && status < 300)
        return false;
    if (status == 429)
        return exchange_judge(verdict, EXCHANGE_RATE_LIMITED, until_ms,
                              "%s asks to wait (HTTP 429)", api->title);
    if (status == 418)
        return exchange_judge(verdict, EXCHANGE_BANNED, until_ms,
                              "%s has banned this address for a time (HTTP 418)", api->title);
    if (status == 451)
        return exchange_judge(verdict, EXCHANGE_BLOCKED, until_ms,
                              "%s does not serve this country (HTTP 451): collect from another "
                              "exchange (EXCHANGES), or by a proxy elsewhere (HTTPS_PROXY)",
                              api->title);
    if (status == 403)
        return exchange_judge(verdict, EXCHANGE_BLOCKED, until_ms,
                              "a firewall of %s refuses this place or network (HTTP 403): if it "
                              "stays so, collect from another exchange (EXCHANGES), or by a proxy "
                              "elsewhere (HTTPS_PROXY)",
                              api->title);
    if (status >= 500)
        return exchange_judge(verdict, EXCHANGE_UNAVAILABLE, until_ms, "%s fails (HTTP %d)",
                              api->title, status);
    if (status >= 400)
        return exchange_judge(verdict, EXCHANGE_REFUSED, 0, "%s refuses the request (HTTP %d)",
                              api->title, status);
    return exchange_judge(verdict, EXCHANGE_BROKEN, 0, "%s answered with HTTP %d", api->title,
                          status);
}

/* -- reading ----------------------------------------------------------------------------------- */

static struct exchange_reader start_reader(const struct exchange_sink *sink,
                                           struct exchange_counts *rows, int64_t server_ms)
{
    int64_t now_ms = sink->now_ms;
    if (!exchange_clock_is_believable(server_ms, now_ms))
        server_ms = 0;
    int64_t latest_ms = server_ms > now_ms ? server_ms : now_ms;
    int64_t earliest_ms = server_ms != 0 && server_ms < now_ms ? server_ms : now_ms;
    return (struct exchange_reader){
        .sink = sink, .rows = rows, .latest_clock_ms = latest_ms, .earliest_clock_ms = earliest_ms};
}

void exchange_answer_read(const struct exchange_api *api, const struct exchange_query *query,
                          const struct exchange_request *request,
                          const struct exchange_response *response,
                          const struct exchange_sink *sink, struct exchange_answer *answer)
{
    *answer = (struct exchange_answer){
        .server_ms = header_clock(response),
        .used_weight = api->used_weight(request, response),
    };
    json_t *root = json_loadb(response->body, response->body_size, JSON_REJECT_DUPLICATES, NULL);
    struct exchange_reader reader = start_reader(sink, &answer->rows, answer->server_ms);
    reader.instrument = query->instrument;
    reader.start_ms = request->start_ms;
    reader.end_ms = request->end_ms;
    if (api->judge(response, root, sink->now_ms, &answer->verdict) ||
        judge_status(api, response, sink->now_ms, &answer->verdict))
        ;
    else if (root == NULL)
        judge_body(api, response, &answer->verdict);
    else if (!api->read_answer(request, root, &reader, answer))
        exchange_judge(&answer->verdict, EXCHANGE_BROKEN, 0,
                       "%s answered with JSON of another shape than it documents", api->title);
    json_decref(root);
}

void exchange_message_read(const struct exchange_api *api, const char *text, size_t size,
                           const struct exchange_sink *sink, struct exchange_message *message)
{
    *message = (struct exchange_message){.kind = EXCHANGE_MESSAGE_OTHER};
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    struct exchange_reader reader = start_reader(sink, &message->rows, 0);
    api->read_message(root, text, size, &reader, message);
    if (message->kind == EXCHANGE_MESSAGE_OTHER && root == NULL) {
        message->kind = EXCHANGE_MESSAGE_FAULT;
        exchange_judge(&message->verdict, EXCHANGE_BROKEN, 0,
                       "%s sent what is not JSON, or is cut off: %.*s", api->title,
                       size > SHOWN_BYTES ? SHOWN_BYTES : (int)size, text);
    }
    json_decref(root);
}
