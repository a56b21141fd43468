/* Hyperliquid's perpetuals.
 *
 * What it does differently, and what follows from it:
 *   - Every question is a POST to /info; what is asked stands in its body.
 *   - It is a market of coins against the dollar, named by the coin alone: BTCUSDT is BTC, and a
 *     thousand PEPE are kPEPE. Open interest is in coins, of one side.
 *   - Candles do not say whether they are closed, in their stream neither; lists end with the one
 *     that is open. There are the newest 5,000, some 17 days.
 *   - Open interest is told only as it is now, of all coins in one answer, in two lists joined by
 *     their index, and in the stream of a coin's context. It has no time: that of its arrival is
 *     taken.
 *   - There is no feed of the market's liquidations.
 *   - The first message of a connection is a sentence, not JSON. Each subscription is a message of
 *     its own. A connection on which it has nothing to send is closed after a minute. */
#include "sources/collect/exchange_ask.h"
#include "sources/collect/exchange_json.h"
#include "sources/collect/exchange_rows.h"

#include "base/decimal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* An answer's weight, and for how many candles one more is added. */
enum { CANDLES_MAX = 5000, WEIGHT = 20, CANDLES_OF_WEIGHT = 60 };

#define REACH_MS ((CANDLES_MAX - 2) * CANDLE_MS)

#define STREAM_PATH "/ws"
#define GREETING "Websocket connection established."

/* -- requests ---------------------------------------------------------------------------------- */

static size_t listings(const char *name, struct exchange_listing *listings)
{
    enum { THOUSAND_DIGITS = 3 };
    struct exchange_name_parts parts;
    if (!exchange_split_name(name, &parts))
        return exchange_add_listing(listings, 0, 0, "%s", name);
    int base = (int)parts.base.size, digits = parts.bundle_digits;
    size_t count = 0;
    if (digits >= THOUSAND_DIGITS)
        count = exchange_add_listing(listings, count, digits - THOUSAND_DIGITS, "k%.*s", base,
                                     parts.base.data);
    return exchange_add_listing(listings, count, digits, "%.*s", base, parts.base.data);
}

static void build_candles(const struct exchange_query *query, struct exchange_request *request)
{
    struct buffer body = {0};
    int rows = exchange_fit_page(query, request, CANDLES_MAX);
    buffer_append_text(&body, "{\"type\":\"candleSnapshot\",\"req\":{\"coin\":");
    exchange_append_topic(&body, 0, "", query->instrument->native, "");
    buffer_append_format(&body, ",\"interval\":\"5m\",\"startTime\":%lld,\"endTime\":%lld}}",
                         (long long)request->start_ms, (long long)request->end_ms - 1);
    snprintf(request->body, sizeof request->body, "%s", buffer_text(&body));
    buffer_deinit(&body);
    request->weight = WEIGHT + rows / CANDLES_OF_WEIGHT + 1;
}

static void build(const struct exchange_query *query, struct exchange_request *request)
{
    snprintf(request->path, sizeof request->path, "/info");
    request->weight = WEIGHT;
    if (query->kind == EXCHANGE_CANDLES)
        build_candles(query, request);
    else
        snprintf(request->body, sizeof request->body, "{\"type\":\"%s\"}",
                 query->kind == EXCHANGE_INSTRUMENTS ? "meta" : "metaAndAssetCtxs");
}

static int64_t used_weight(const struct exchange_request *request,
                           const struct exchange_response *response)
{
    (void)request;
    (void)response;
    return -1;
}

/* A coin that it does not know is a 500 with null. */
static bool judge(const struct exchange_response *response, const json_t *root, int64_t now_ms,
                  struct exchange_verdict *verdict)
{
    (void)root;
    (void)now_ms;
    struct slice body = {response->body, response->body_size};
    if (response->status == 500 && slice_equals(slice_trim(body), "null"))
        return exchange_judge(verdict, EXCHANGE_NO_SYMBOL, 0,
                              "Hyperliquid does not know the coin (HTTP 500, null)");
    if (response->status == 422)
        return exchange_judge(verdict, EXCHANGE_REFUSED, 0, "Hyperliquid: %.*s (HTTP 422)",
                              slice_arguments(body));
    return false;
}

/* -- answers ----------------------------------------------------------------------------------- */

static bool read_instruments(const json_t *universe, struct exchange_reader *reader)
{
    for (size_t i = 0; i < json_array_size(universe); i++) {
        const json_t *row = json_array_get(universe, i);
        struct exchange_instrument instrument = {.contract_e8 = DECIMAL_ONE};
        if (!exchange_name_instrument(reader, exchange_json_text(row, "name"), &instrument))
            continue;
        instrument.is_trading = !json_is_true(json_object_get(row, "isDelisted"));
        exchange_take_instrument(reader, &instrument);
    }
    return json_is_array(universe);
}

/* {"t","T","s","i","o","c","h","l","v","n"}, in answers and messages. */
static void read_candle(const json_t *row, const struct exchange_instrument *instrument,
                        enum exchange_closed closed, struct exchange_reader *reader)
{
    if (!exchange_json_is(row, "i", "5m") ||
        !exchange_lasts_candle(json_object_get(row, "t"), json_object_get(row, "T"))) {
        exchange_refuse(reader, instrument, EXCHANGE_ROW_CANDLE, "it does not last 5 minutes");
        return;
    }
    struct exchange_candle candle = {
        .time = exchange_json_member(row, "t"),
        .open = json_object_get(row, "o"),
        .high = json_object_get(row, "h"),
        .low = json_object_get(row, "l"),
        .close = json_object_get(row, "c"),
        .volume = json_object_get(row, "v"),
        .count = json_object_get(row, "n"),
    };
    exchange_take_candle(reader, instrument, &candle, closed);
}

static bool read_candles(const json_t *list, struct exchange_reader *reader)
{
    exchange_note_candles(reader, list, "t");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *row = json_array_get(list, i);
        if (exchange_is_asked(reader, EXCHANGE_ROW_CANDLE, exchange_json_text(row, "s")))
            read_candle(row, reader->instrument, EXCHANGE_CLOSED_BY_CLOCK, reader);
    }
    return json_is_array(list);
}

/* The open interest and the mark price of a coin. */
static void read_context(const char *coin, const json_t *context, struct exchange_reader *reader)
{
    const struct exchange_instrument *instrument = exchange_find(reader, coin);
    if (instrument == NULL)
        return;
    exchange_take_interest(reader, instrument, EXCHANGE_INTEREST_STATE, NULL,
                           exchange_json_member(context, "openInterest"), NULL, 1);
    exchange_take_price(reader, instrument, NULL, exchange_json_member(context, "markPx"));
}

/* [{"universe":[{"name"}]},[{"markPx","openInterest"}]]: without as many names as contexts, nothing
 * says which is whose. */
static bool read_contexts(const json_t *root, struct exchange_reader *reader)
{
    const json_t *universe = json_object_get(json_array_get(root, 0), "universe");
    const json_t *contexts = json_array_get(root, 1);
    if (!json_is_array(universe) || !json_is_array(contexts) ||
        json_array_size(universe) != json_array_size(contexts))
        return false;
    for (size_t i = 0; i < json_array_size(contexts); i++)
        read_context(exchange_json_text(json_array_get(universe, i), "name"),
                     json_array_get(contexts, i), reader);
    return true;
}

static bool read_answer(const struct exchange_request *request, const json_t *root,
                        struct exchange_reader *reader, struct exchange_answer *answer)
{
    (void)answer;
    switch (request->kind) {
    case EXCHANGE_INSTRUMENTS:
        return read_instruments(json_object_get(root, "universe"), reader);
    case EXCHANGE_CANDLES:
        return read_candles(root, reader);
    default:
        return read_contexts(root, reader);
    }
}

/* -- messages ---------------------------------------------------------------------------------- */

static size_t subscribe(const struct exchange_subscription *subscriptions, size_t count,
                        bool is_end, uint64_t number, struct buffer *out)
{
    bool is_candle = subscriptions[0].kind == EXCHANGE_STREAM_CANDLES;
    (void)count;
    (void)number;
    buffer_append_format(out, "{\"method\":\"%s\",\"subscription\":{\"type\":\"%s\",\"coin\":",
                         is_end ? "unsubscribe" : "subscribe",
                         is_candle ? "candle" : "activeAssetCtx");
    exchange_append_topic(out, 0, "", subscriptions[0].instrument->native, "");
    buffer_append_format(out, "%s}}", is_candle ? ",\"interval\":\"5m\"" : "");
    return 1;
}

static void read_candle_message(const json_t *data, struct exchange_reader *reader)
{
    const struct exchange_instrument *instrument =
        exchange_find(reader, exchange_json_text(data, "s"));
    if (instrument != NULL)
        read_candle(data, instrument, EXCHANGE_CLOSED_NO, reader);
}

static void read_message(const json_t *root, const char *text, size_t size,
                         struct exchange_reader *reader, struct exchange_message *message)
{
    const json_t *data = json_object_get(root, "data");
    const char *channel = exchange_json_text(root, "channel");
    if (slice_equals((struct slice){text, size}, GREETING)) {
        message->kind = EXCHANGE_MESSAGE_GREETING;
    } else if (channel == NULL) {
        return;
    } else if (strcmp(channel, "candle") == 0) {
        message->kind = EXCHANGE_MESSAGE_ROWS;
        for (size_t i = 0; i < json_array_size(data); i++)
            read_candle_message(json_array_get(data, i), reader);
        if (json_is_object(data))
            read_candle_message(data, reader);
    } else if (strcmp(channel, "activeAssetCtx") == 0) {
        message->kind = EXCHANGE_MESSAGE_ROWS;
        read_context(exchange_json_text(data, "coin"), json_object_get(data, "ctx"), reader);
    } else if (strcmp(channel, "subscriptionResponse") == 0) {
        if (!exchange_json_is(data, "method", "unsubscribe"))
            message->kind = EXCHANGE_MESSAGE_ACKNOWLEDGED;
    } else if (strcmp(channel, "pong") == 0) {
        message->kind = EXCHANGE_MESSAGE_PONG;
    } else if (strcmp(channel, "error") == 0) {
        const char *why = json_string_value(data);
        if (why != NULL && strncasecmp(why, "already subscribed", 18) == 0) {
            message->kind = EXCHANGE_MESSAGE_ACKNOWLEDGED;
            return;
        }
        message->kind = EXCHANGE_MESSAGE_FAULT;
        exchange_judge(&message->verdict, EXCHANGE_REFUSED, 0, "Hyperliquid: %.300s",
                       why != NULL ? why : "no reason given");
    }
}

/* -- what there is ----------------------------------------------------------------------------- */

const struct exchange_api exchange_api_hyperliquid = {
    .id = EXCHANGE_HYPERLIQUID,
    .title = "Hyperliquid",
    .needs_interest_samples = true,
    .offers =
        {
            [EXCHANGE_INSTRUMENTS] = {.is_offered = true, .is_for_all = true},
            [EXCHANGE_CANDLES] = {.is_offered = true, .reach_ms = REACH_MS},
            [EXCHANGE_INTEREST_NOW] = {.is_offered = true, .is_for_all = true},
        },
    .budgets = {{"weight", MINUTE_MS, 1200}},
    .streams =
        {
            [EXCHANGE_STREAM_CANDLES] = {.path = STREAM_PATH, .silence_ms = 6 * MINUTE_MS},
            [EXCHANGE_STREAM_TICKER] = {.path = STREAM_PATH,
                                        .gives_interest = true,
                                        .silence_ms = 60000},
        },
    .socket =
        {
            .subscriptions_max = 100,
            .all_subscriptions_max = 1000,
            .connections_max = 100,
            .connects = {30, MINUTE_MS},
            .messages = {2000, MINUTE_MS},
            .send_interval_ms = 50,
            .acknowledge_ms = 10000,
            .ping = "{\"method\":\"ping\"}",
            .ping_interval_ms = 30000,
            .silence_ms = 75000,
        },
    .listings = listings,
    .build = build,
    .judge = judge,
    .used_weight = used_weight,
    .read_answer = read_answer,
    .subscribe = subscribe,
    .read_message = read_message,
};
