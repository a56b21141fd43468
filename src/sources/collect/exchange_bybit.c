/* Bybit's linear contracts.
 *
 * What it does differently, and what follows from it:
 *   - Lists are newest first, all figures are text, and candles do not say whether they are closed.
 *   - A start without an end is ignored, so both are always sent.
 *   - `openInterest` counts both sides of each contract, `singleOpenInterest` one. Where only the
 *     former is given it is halved, as the documentation says. History reaches to the listing.
 *   - Errors are a `retCode` in an answer of status 200; too many requests are a 403 whose body
 *     says so, and so is what it tells countries that it does not serve.
 *   - Tickers come whole once and then only with what changed. A message without the mark price
 * says nothing about it.
 *   - All liquidations are told, with the side of the position (Buy: a long one), in coins, at the
 *     bankruptcy price. They have no id, and several may be equal. */
#include "sources/collect/exchange_ask.h"
#include "sources/collect/exchange_json.h"
#include "sources/collect/exchange_rows.h"

#include "base/decimal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { CANDLES_MAX = 1000, INTEREST_MAX = 200, INSTRUMENTS_MAX = 1000, SUBSCRIBE_MAX = 100 };

#define STREAM_PATH "/v5/public/linear"
#define FREQUENT_WAIT_MS (10 * MINUTE_MS) /* after a 403 for too many requests */

/* What names subscriptions may have in one connection, and the longest of one. */
enum { TOPICS_SIZE_MAX = 21000, TOPIC_SIZE_MAX = 15 + EXCHANGE_NATIVE_SIZE };
enum { SUBSCRIPTIONS_MAX = 300 };
_Static_assert(SUBSCRIPTIONS_MAX *TOPIC_SIZE_MAX <= TOPICS_SIZE_MAX, "too many subscriptions");

/* -- requests ---------------------------------------------------------------------------------- */

static size_t listings(const char *name, struct exchange_listing *listings)
{
    struct exchange_name_parts parts;
    size_t count = exchange_add_listing(listings, 0, 0, "%s", name);
    if (!exchange_split_name(name, &parts))
        return count;
    int base = (int)parts.base.size, quote = (int)parts.quote.size;
    if (parts.bundle_digits > 0) {
        int digits = (int)(parts.base.data - name);
        count = exchange_add_listing(listings, count, 0, "%.*s%.*s%.*s", base, parts.base.data,
                                     digits, name, quote, parts.quote.data);
    } else if (slice_equals(parts.quote, "USDC")) {
        count = exchange_add_listing(listings, count, 0, "%.*sPERP", base, parts.base.data);
    }
    return exchange_add_listing(listings, count, parts.bundle_digits, "%.*s%.*s", base,
                                parts.base.data, quote, parts.quote.data);
}

/* The cursor comes percent-encoded; whatever else could end the query is encoded, too. */
static void append_cursor(char *path, size_t size, const char *cursor)
{
    size_t length = strlen(path);
    for (; *cursor != '\0' && length + 4 < size; cursor++) {
        bool is_plain = (*cursor >= '0' && *cursor <= '9') || (*cursor >= 'A' && *cursor <= 'Z') ||
                        (*cursor >= 'a' && *cursor <= 'z') || strchr("%-._~", *cursor) != NULL;
        length += (size_t)snprintf(path + length, size - length, is_plain ? "%c" : "%%%02X",
                                   (unsigned char)*cursor);
    }
}

static void build(const struct exchange_query *query, struct exchange_request *request)
{
    char native[EXCHANGE_ENCODED_SIZE] = "";
    long long start_ms, end_ms;
    int rows;
    if (query->instrument != NULL)
        exchange_encode(query->instrument->native, native);
    request->weight = 1;
    switch (query->kind) {
    case EXCHANGE_CANDLES:
        rows = exchange_fit_page(query, request, CANDLES_MAX);
        start_ms = request->start_ms;
        end_ms = request->end_ms - 1;
        snprintf(request->path, sizeof request->path,
                 "/v5/market/kline?category=linear&symbol=%s&interval=5&start=%lld&end=%lld"
                 "&limit=%d",
                 native, start_ms, end_ms, rows);
        break;
    case EXCHANGE_INTEREST_HISTORY:
        rows = exchange_fit_page(query, request, INTEREST_MAX);
        start_ms = request->start_ms;
        end_ms = request->end_ms - 1;
        snprintf(request->path, sizeof request->path,
                 "/v5/market/open-interest?category=linear&symbol=%s&intervalTime=5min"
                 "&startTime=%lld&endTime=%lld&limit=%d",
                 native, start_ms, end_ms, rows);
        break;
    case EXCHANGE_INTEREST_NOW:
        snprintf(request->path, sizeof request->path,
                 "/v5/market/tickers?category=linear&symbol=%s", native);
        break;
    default:
        snprintf(request->path, sizeof request->path,
                 "/v5/market/instruments-info?category=linear&limit=%d%s", INSTRUMENTS_MAX,
                 query->cursor != NULL ? "&cursor=" : "");
        if (query->cursor != NULL)
            append_cursor(request->path, sizeof request->path, query->cursor);
    }
}

/* Its headers count by user and endpoint, which is not the limit that requests without a key meet.
 */
static int64_t used_weight(const struct exchange_request *request,
                           const struct exchange_response *response)
{
    (void)request;
    (void)response;
    return -1;
}

/* -- errors ------------------------------------------------------------------------------------ */

enum {
    CODE_SERVER_TIMEOUT = 10000,
    CODE_BAD_PARAMETER = 10001,
    CODE_TOO_MANY_VISITS = 10006,
    CODE_ADDRESS_BANNED = 10009,
    CODE_SERVER_ERROR = 10016,
    CODE_ADDRESS_TOO_FREQUENT = 10018,
    CODE_NOT_FROM_HERE = 10024,
    CODE_OVERLOADED = 10429,
};

static bool judge_code(int64_t code, const char *text, int64_t until_ms,
                       struct exchange_verdict *verdict)
{
    enum exchange_verdict_kind kind = EXCHANGE_REFUSED;
    if (code == CODE_TOO_MANY_VISITS || code == CODE_ADDRESS_TOO_FREQUENT)
        kind = EXCHANGE_RATE_LIMITED;
    else if (code == CODE_ADDRESS_BANNED)
        kind = EXCHANGE_BANNED;
    else if (code == CODE_NOT_FROM_HERE)
        kind = EXCHANGE_BLOCKED;
    else if (code == CODE_SERVER_TIMEOUT || code == CODE_SERVER_ERROR || code == CODE_OVERLOADED)
        kind = EXCHANGE_UNAVAILABLE;
    else if (code == CODE_BAD_PARAMETER && strcasestr(text, "symbol") != NULL)
        kind = EXCHANGE_NO_SYMBOL;
    bool has_until = kind == EXCHANGE_RATE_LIMITED || kind == EXCHANGE_BANNED;
    return exchange_judge(verdict, kind, has_until ? until_ms : 0, "Bybit: %.300s (retCode %lld)",
                          text, (long long)code);
}

static bool has_words(const struct exchange_response *response, const char *words)
{
    struct slice rest = {response->body, response->body_size};
    for (size_t size = strlen(words); rest.size >= size; slice_take(&rest, 1))
        if (strncasecmp(rest.data, words, size) == 0)
            return true;
    return false;
}

/* One status for three things, which only the words tell apart: too many requests, of which the
 * address is free again after ten minutes; a country that is not served; and neither. */
static bool judge_403(const struct exchange_response *response, const char *text, int64_t until_ms,
                      struct exchange_verdict *verdict)
{
    if (has_words(response, "too frequent") || has_words(response, "too many"))
        return exchange_judge(verdict, EXCHANGE_RATE_LIMITED, until_ms,
                              "Bybit asks to wait for ten minutes: too many requests came from "
                              "this address (HTTP 403)");
    if (has_words(response, "country") || has_words(response, "restricted"))
        return exchange_judge(verdict, EXCHANGE_BLOCKED, 0,
                              "Bybit does not serve this country (HTTP 403): collect from another "
                              "exchange (EXCHANGES), or by a proxy elsewhere (HTTPS_PROXY)");
    return exchange_judge(verdict, EXCHANGE_BLOCKED, until_ms,
                          "Bybit refuses this address (HTTP 403%s%.200s) for too many requests, "
                          "or for its country: if it stays so, collect from another exchange "
                          "(EXCHANGES), or by a proxy elsewhere (HTTPS_PROXY)",
                          text != NULL ? ": " : "", text != NULL ? text : "");
}

/* {"retCode":10006,"retMsg":"Too many visits!",...}; 0 is success. */
static bool judge(const struct exchange_response *response, const json_t *root, int64_t now_ms,
                  struct exchange_verdict *verdict)
{
    const json_t *code = json_object_get(root, "retCode");
    const char *text = exchange_json_text(root, "retMsg");
    int64_t until_ms = exchange_header_number(response, "X-Bapi-Limit-Reset-Timestamp");
    if (until_ms < now_ms)
        until_ms = exchange_retry_ms(response, now_ms);
    if (response->status == 403)
        return judge_403(response, text, until_ms > now_ms ? until_ms : now_ms + FREQUENT_WAIT_MS,
                         verdict);
    if (!json_is_integer(code) || json_integer_value(code) == 0)
        return false;
    return judge_code(json_integer_value(code), text != NULL ? text : "no reason given", until_ms,
                      verdict);
}

/* -- answers ----------------------------------------------------------------------------------- */

static void read_instrument(const json_t *row, struct exchange_reader *reader)
{
    struct exchange_instrument instrument = {.contract_e8 = DECIMAL_ONE};
    if (!exchange_name_instrument(reader, exchange_json_text(row, "symbol"), &instrument))
        return;
    exchange_json_time(json_object_get(row, "launchTime"), &instrument.listed_ms);
    instrument.is_trading = exchange_json_is(row, "status", "Trading");
    exchange_take_instrument(reader, &instrument);
}

/* [start, open, high, low, close, volume, turnover] */
static void read_candle(const json_t *row, struct exchange_reader *reader)
{
    struct exchange_candle candle = {
        .time = exchange_json_at(row, 0),
        .open = json_array_get(row, 1),
        .high = json_array_get(row, 2),
        .low = json_array_get(row, 3),
        .close = json_array_get(row, 4),
        .volume = json_array_get(row, 5),
        .quote_volume = json_array_get(row, 6),
    };
    exchange_take_candle(reader, reader->instrument, &candle, EXCHANGE_CLOSED_BY_CLOCK);
}

/* Of a ticker or a row of history; false if it has none. `time` as in exchange_take_interest(). */
static bool take_interest(const json_t *row, const struct exchange_instrument *instrument,
                          enum exchange_interest_kind kind, const json_t *time,
                          struct exchange_reader *reader)
{
    const json_t *one_side = json_object_get(row, "singleOpenInterest");
    const json_t *both = json_object_get(row, "openInterest");
    if (one_side != NULL)
        exchange_take_interest(reader, instrument, kind, time, one_side, NULL, 1);
    else if (both != NULL)
        exchange_take_interest(reader, instrument, kind, time, both, NULL, 2);
    return one_side != NULL || both != NULL;
}

static void read_step(const json_t *row, struct exchange_reader *reader)
{
    if (!take_interest(row, reader->instrument, EXCHANGE_INTEREST_STEP,
                       exchange_json_member(row, "timestamp"), reader))
        exchange_refuse(reader, reader->instrument, EXCHANGE_ROW_INTEREST,
                        "it has no open interest");
}

/* A message with what has changed may have neither. */
static void read_ticker(const json_t *row, const json_t *time, struct exchange_reader *reader)
{
    const struct exchange_instrument *instrument =
        exchange_find(reader, exchange_json_text(row, "symbol"));
    const json_t *price = json_object_get(row, "markPrice");
    if (instrument == NULL)
        return;
    take_interest(row, instrument, EXCHANGE_INTEREST_STATE, time, reader);
    if (price != NULL)
        exchange_take_price(reader, instrument, time, price);
}

static bool read_list(enum exchange_request_kind kind, const json_t *list, const json_t *time,
                      struct exchange_reader *reader)
{
    if (kind == EXCHANGE_CANDLES)
        exchange_note_candles(reader, list, NULL);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *row = json_array_get(list, i);
        switch (kind) {
        case EXCHANGE_INSTRUMENTS:
            read_instrument(row, reader);
            break;
        case EXCHANGE_CANDLES:
            read_candle(row, reader);
            break;
        case EXCHANGE_INTEREST_HISTORY:
            read_step(row, reader);
            break;
        default:
            read_ticker(row, time, reader);
        }
    }
    return json_is_array(list);
}

static bool read_answer(const struct exchange_request *request, const json_t *root,
                        struct exchange_reader *reader, struct exchange_answer *answer)
{
    const json_t *result = json_object_get(root, "result"), *list = json_object_get(result, "list");
    const json_t *time = exchange_json_member(root, "time");
    const char *symbol = exchange_json_text(result, "symbol");
    const char *cursor = exchange_json_text(result, "nextPageCursor");
    exchange_json_time(time, &answer->server_ms);
    if (request->kind == EXCHANGE_INSTRUMENTS && cursor != NULL &&
        !slice_copy(slice_of(cursor), answer->cursor, sizeof answer->cursor))
        return false;
    /* Candles name their symbol once for the whole list, and history need not. */
    if ((request->kind == EXCHANGE_CANDLES || symbol != NULL) && json_array_size(list) > 0 &&
        reader->instrument != NULL &&
        !exchange_is_asked(
            reader, request->kind == EXCHANGE_CANDLES ? EXCHANGE_ROW_CANDLE : EXCHANGE_ROW_INTEREST,
            symbol))
        return true;
    return read_list(request->kind, list, time, reader);
}

/* -- messages ---------------------------------------------------------------------------------- */

static size_t subscribe(const struct exchange_subscription *subscriptions, size_t count,
                        bool is_end, uint64_t number, struct buffer *out)
{
    static const char *const topics[] = {
        [EXCHANGE_STREAM_CANDLES] = "kline.5.",
        [EXCHANGE_STREAM_LIQUIDATIONS] = "allLiquidation.",
        [EXCHANGE_STREAM_TICKER] = "tickers.",
    };
    size_t taken = count < SUBSCRIBE_MAX ? count : SUBSCRIBE_MAX;
    buffer_append_format(out, "{\"req_id\":\"%llu\",\"op\":\"%s\",\"args\":[",
                         (unsigned long long)number, is_end ? "unsubscribe" : "subscribe");
    for (size_t i = 0; i < taken; i++)
        exchange_append_topic(out, i, topics[subscriptions[i].kind],
                              subscriptions[i].instrument->native, "");
    buffer_append_text(out, "]}");
    return taken;
}

static void read_klines(const char *native, const json_t *data, struct exchange_reader *reader)
{
    for (size_t i = 0; i < json_array_size(data); i++) {
        const json_t *row = json_array_get(data, i);
        const struct exchange_instrument *instrument = exchange_find(reader, native);
        if (instrument == NULL)
            continue;
        if (!exchange_json_is(row, "interval", "5") ||
            !exchange_lasts_candle(json_object_get(row, "start"), json_object_get(row, "end"))) {
            exchange_refuse(reader, instrument, EXCHANGE_ROW_CANDLE, "it does not last 5 minutes");
            continue;
        }
        struct exchange_candle candle = {
            .time = exchange_json_member(row, "start"),
            .open = json_object_get(row, "open"),
            .high = json_object_get(row, "high"),
            .low = json_object_get(row, "low"),
            .close = json_object_get(row, "close"),
            .volume = json_object_get(row, "volume"),
            .quote_volume = json_object_get(row, "turnover"),
        };
        exchange_take_candle(reader, instrument, &candle,
                             json_is_true(json_object_get(row, "confirm")) ? EXCHANGE_CLOSED_YES
                                                                           : EXCHANGE_CLOSED_NO);
    }
}

static void read_liquidations(const json_t *data, struct exchange_reader *reader)
{
    for (size_t i = 0; i < json_array_size(data); i++) {
        const json_t *row = json_array_get(data, i);
        const struct exchange_instrument *instrument =
            exchange_find(reader, exchange_json_text(row, "s"));
        if (instrument == NULL)
            continue;
        enum exchange_side side = exchange_json_is(row, "S", "Buy")    ? EXCHANGE_SIDE_LONG
                                  : exchange_json_is(row, "S", "Sell") ? EXCHANGE_SIDE_SHORT
                                                                       : EXCHANGE_SIDE_UNKNOWN;
        exchange_take_liquidation(reader, instrument, exchange_json_member(row, "T"), side,
                                  exchange_json_member(row, "p"), exchange_json_member(row, "v"),
                                  exchange_ordinal(data, i));
    }
}

/* {"success":true,"ret_msg":"pong","req_id":"7","op":"ping"}; op is "pong" elsewhere. */
static void read_reply(const json_t *root, struct exchange_message *message)
{
    const char *text = exchange_json_text(root, "ret_msg");
    const json_t *success = json_object_get(root, "success");
    int64_t number;
    if (exchange_json_whole(json_object_get(root, "req_id"), &number))
        message->number = (uint64_t)number;
    if (exchange_json_is(root, "op", "pong") || exchange_json_is(root, "op", "ping")) {
        message->kind = EXCHANGE_MESSAGE_PONG;
    } else if (json_is_true(success) ||
               (text != NULL && strcasestr(text, "already subscribed") != NULL)) {
        message->kind = EXCHANGE_MESSAGE_ACKNOWLEDGED;
    } else if (json_is_false(success)) {
        message->kind = EXCHANGE_MESSAGE_FAULT;
        if (text == NULL)
            text = "no reason given";
        bool is_topic = strcasestr(text, "topic") != NULL;
        bool is_rate = strcasestr(text, "too many") != NULL || strcasestr(text, "frequent") != NULL;
        exchange_judge(&message->verdict,
                       is_rate    ? EXCHANGE_RATE_LIMITED
                       : is_topic ? EXCHANGE_NO_SYMBOL
                                  : EXCHANGE_REFUSED,
                       0, "Bybit: %.300s", text);
    }
}

static void read_message(const json_t *root, const char *text, size_t size,
                         struct exchange_reader *reader, struct exchange_message *message)
{
    struct slice topic = {0}, kind;
    const json_t *data = json_object_get(root, "data");
    const char *name = exchange_json_text(root, "topic");
    (void)text;
    (void)size;
    if (name == NULL) {
        read_reply(root, message);
        return;
    }
    exchange_json_time(json_object_get(root, "ts"), &message->server_ms);
    topic = slice_of(name);
    slice_split(&topic, '.', &kind);
    message->kind = EXCHANGE_MESSAGE_ROWS;
    if (slice_equals(kind, "kline")) {
        slice_split(&topic, '.', &kind); /* the interval, which the rows have, too */
        read_klines(topic.data, data, reader);
    } else if (slice_equals(kind, "allLiquidation")) {
        read_liquidations(data, reader);
    } else if (slice_equals(kind, "tickers")) {
        read_ticker(data, exchange_json_member(root, "ts"), reader);
    } else {
        message->kind = EXCHANGE_MESSAGE_OTHER;
    }
}

/* -- what there is ----------------------------------------------------------------------------- */

const struct exchange_api exchange_api_bybit = {
    .id = EXCHANGE_BYBIT,
    .title = "Bybit",
    .offers =
        {
            [EXCHANGE_INSTRUMENTS] = {.is_offered = true, .is_for_all = true},
            [EXCHANGE_CANDLES] = {.is_offered = true},
            [EXCHANGE_INTEREST_HISTORY] = {.is_offered = true},
            [EXCHANGE_INTEREST_NOW] = {.is_offered = true},
        },
    .budgets = {{"requests", 5000, 600}},
    .streams =
        {
            [EXCHANGE_STREAM_CANDLES] = {.path = STREAM_PATH,
                                         .tells_closed = true,
                                         .silence_ms = 6 * MINUTE_MS},
            [EXCHANGE_STREAM_LIQUIDATIONS] = {.path = STREAM_PATH},
            [EXCHANGE_STREAM_TICKER] = {.path = STREAM_PATH,
                                        .gives_interest = true,
                                        .silence_ms = 60000},
        },
    .socket =
        {
            .subscriptions_max = SUBSCRIPTIONS_MAX,
            .connects = {500, 5 * MINUTE_MS},
            .send_interval_ms = 100,
            .acknowledge_ms = 10000,
            .ping = "{\"req_id\":\"ping\",\"op\":\"ping\"}",
            .ping_interval_ms = 20000,
            .silence_ms = 45000,
        },
    .listings = listings,
    .build = build,
    .judge = judge,
    .used_weight = used_weight,
    .read_answer = read_answer,
    .subscribe = subscribe,
    .read_message = read_message,
};
