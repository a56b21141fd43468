/* Binance USD-M futures.
 *
 * What it does differently, and what follows from it:
 *   - Its lists of candles end with the one that is still open, and do not say so.
 *   - Its history of open interest reaches 30 days back, and an older start is an error (-1130),
 * not an empty list. The label of a row has meant the end of its 5 minutes, and later the start; so
 *     rows are labelled here, and what the label means is detected where both figures are known.
 *     There is no stream of open interest.
 *   - Weight is counted by the minute and told in a header. Going on after a 429 turns into a 418,
 * a ban of minutes to days whose end stands in the message (-1003).
 *   - Where it may not do business everything is a 451.
 *   - Its WebSocket paths of before 2026 (/ws, /stream) still connect and then say nothing.
 *   - Liquidations are orders: a sold order closes a long position. Of a symbol there is at most
 * one a second. Streams of all symbols bring those of coin-margined contracts along; `st` tells.
 *   - A liquidation is told with the price of its fills, where there are any, and the quantity that
 *     was filled. */
#include "sources/collect/exchange_ask.h"
#include "sources/collect/exchange_json.h"
#include "sources/collect/exchange_rows.h"

#include "base/decimal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUDGET_WEIGHT, BUDGET_DATA };

/* Rows of a page. A page of candles may have 1500 rows, but 499 are the most for their weight. */
enum { CANDLES_MAX = 499, CANDLES_LIGHT_MAX = 99, INTEREST_MAX = 500, SUBSCRIBE_MAX = 100 };

/* A little less than 30 days: they have not yet passed when the request arrives. */
#define INTEREST_REACH_MS (30 * DAY_MS - 10 * MINUTE_MS)

#define STREAM_PATH "/market/stream"

/* -- requests ---------------------------------------------------------------------------------- */

static size_t listings(const char *name, struct exchange_listing *listings)
{
    struct exchange_name_parts parts;
    size_t count = exchange_add_listing(listings, 0, 0, "%s", name);
    if (!exchange_split_name(name, &parts))
        return count;
    return exchange_add_listing(listings, count, parts.bundle_digits, "%.*s%.*s",
                                (int)parts.base.size, parts.base.data, (int)parts.quote.size,
                                parts.quote.data);
}

static void build(const struct exchange_query *query, struct exchange_request *request)
{
    char native[EXCHANGE_ENCODED_SIZE] = "";
    if (query->instrument != NULL)
        exchange_encode(query->instrument->native, native);
    request->budget = BUDGET_WEIGHT;
    request->weight = 1;
    int rows;
    switch (query->kind) {
    case EXCHANGE_CANDLES:
        rows = exchange_fit_page(query, request, CANDLES_MAX);
        request->weight = rows <= CANDLES_LIGHT_MAX ? 1 : 2;
        snprintf(request->path, sizeof request->path,
                 "/fapi/v1/klines?symbol=%s&interval=5m&startTime=%lld&endTime=%lld&limit=%d",
                 native, (long long)request->start_ms, (long long)request->end_ms - 1, rows);
        break;
    case EXCHANGE_INTEREST_HISTORY:
        rows = exchange_fit_page(query, request, INTEREST_MAX);
        request->budget = BUDGET_DATA;
        snprintf(request->path, sizeof request->path,
                 "/futures/data/openInterestHist?symbol=%s&period=5m&startTime=%lld&endTime=%lld"
                 "&limit=%d",
                 native, (long long)request->start_ms, (long long)request->end_ms - 1, rows);
        break;
    case EXCHANGE_INTEREST_NOW:
        snprintf(request->path, sizeof request->path, "/fapi/v1/openInterest?symbol=%s", native);
        break;
    default:
        snprintf(request->path, sizeof request->path, "/fapi/v1/exchangeInfo");
    }
}

static int64_t used_weight(const struct exchange_request *request,
                           const struct exchange_response *response)
{
    return request->budget == BUDGET_WEIGHT
               ? exchange_header_number(response, "X-MBX-USED-WEIGHT-1M")
               : -1;
}

/* -- errors ------------------------------------------------------------------------------------ */

enum {
    CODE_DISCONNECTED = -1001,
    CODE_TOO_MANY_REQUESTS = -1003,
    CODE_TIMEOUT = -1007,
    CODE_OVERLOADED = -1008,
    CODE_TOO_MANY_ORDERS = -1015,
    CODE_SHUTTING_DOWN = -1016,
    CODE_BAD_SYMBOL = -1121,
    CODE_OUT_OF_RANGE = -1130,
};

/* The end of a ban in "... banned until 1700000000000. ..."; 0 if there is none. */
static int64_t banned_until(const char *text)
{
    static const char mark[] = "banned until ";
    const char *found = strstr(text, mark);
    return found != NULL ? strtoll(found + sizeof mark - 1, NULL, 10) : 0;
}

static bool judge_code(int64_t code, const char *text, int64_t retry_ms,
                       struct exchange_verdict *verdict)
{
    int64_t until_ms = banned_until(text);
    switch (code) {
    case CODE_TOO_MANY_REQUESTS:
    case CODE_TOO_MANY_ORDERS:
        if (until_ms != 0)
            return exchange_judge(verdict, EXCHANGE_BANNED, until_ms, "Binance: %.300s", text);
        return exchange_judge(verdict, EXCHANGE_RATE_LIMITED, retry_ms, "Binance: %.300s", text);
    case CODE_BAD_SYMBOL:
        return exchange_judge(verdict, EXCHANGE_NO_SYMBOL, 0, "Binance: %.300s", text);
    case CODE_OUT_OF_RANGE:
        return exchange_judge(verdict, EXCHANGE_OUT_OF_RANGE, 0, "Binance: %.300s", text);
    case CODE_DISCONNECTED:
    case CODE_TIMEOUT:
    case CODE_OVERLOADED:
    case CODE_SHUTTING_DOWN:
        return exchange_judge(verdict, EXCHANGE_UNAVAILABLE, retry_ms, "Binance: %.300s", text);
    default:
        return exchange_judge(verdict, EXCHANGE_REFUSED, 0, "Binance: %.300s (code %lld)", text,
                              (long long)code);
    }
}

/* {"code":-1121,"msg":"Invalid symbol."}; the 451 has the code 0. */
static bool judge(const struct exchange_response *response, const json_t *root, int64_t now_ms,
                  struct exchange_verdict *verdict)
{
    const json_t *code = json_object_get(root, "code");
    const char *text = exchange_json_text(root, "msg");
    int status = response->status;
    if (status == 451)
        return exchange_judge(
            verdict, EXCHANGE_BLOCKED, 0,
            "Binance serves no futures in this country (HTTP 451%s%.200s): collect from another "
            "exchange (EXCHANGES), or use its public archive, which answers everywhere",
            text != NULL ? ": " : "", text != NULL ? text : "");
    if (status == 403)
        return exchange_judge(
            verdict, EXCHANGE_BLOCKED, exchange_retry_ms(response, now_ms),
            "Binance's firewall refuses this address (HTTP 403%s%.200s): if it stays so, collect "
            "from another exchange (EXCHANGES), or use its public archive, which answers "
            "everywhere",
            text != NULL ? ": " : "", text != NULL ? text : "");
    if (!json_is_integer(code) || text == NULL)
        return false;
    int64_t retry_ms = exchange_retry_ms(response, now_ms);
    judge_code(json_integer_value(code), text, retry_ms, verdict);
    if (status == 418)
        return exchange_judge(verdict, EXCHANGE_BANNED,
                              verdict->until_ms != 0 ? verdict->until_ms : retry_ms,
                              "Binance: %.300s", text);
    if (status == 429)
        return exchange_judge(verdict, EXCHANGE_RATE_LIMITED,
                              verdict->until_ms > retry_ms ? verdict->until_ms : retry_ms,
                              "Binance: %.300s", text);
    return true;
}

/* -- answers ----------------------------------------------------------------------------------- */

static void read_limits(const json_t *limits, struct exchange_reader *reader)
{
    for (size_t i = 0; i < json_array_size(limits); i++) {
        const json_t *limit = json_array_get(limits, i);
        int64_t count, units;
        if (!exchange_json_is(limit, "rateLimitType", "REQUEST_WEIGHT") ||
            !exchange_json_is(limit, "interval", "MINUTE") ||
            !exchange_json_whole(json_object_get(limit, "limit"), &count) ||
            !exchange_json_whole(json_object_get(limit, "intervalNum"), &units) || count < 1 ||
            units < 1 || reader->sink->on_budget == NULL)
            continue;
        reader->sink->on_budget(BUDGET_WEIGHT, units * MINUTE_MS, count, reader->sink->context);
    }
}

static void read_instrument(const json_t *row, struct exchange_reader *reader)
{
    struct exchange_instrument instrument = {.contract_e8 = DECIMAL_ONE};
    if (!exchange_name_instrument(reader, exchange_json_text(row, "symbol"), &instrument))
        return;
    exchange_json_time(json_object_get(row, "onboardDate"), &instrument.listed_ms);
    instrument.is_trading = exchange_json_is(row, "status", "TRADING");
    exchange_take_instrument(reader, &instrument);
}

static bool read_instruments(const json_t *root, struct exchange_reader *reader,
                             struct exchange_answer *answer)
{
    const json_t *symbols = json_object_get(root, "symbols");
    if (!json_is_array(symbols))
        return false;
    exchange_json_time(json_object_get(root, "serverTime"), &answer->server_ms);
    read_limits(json_object_get(root, "rateLimits"), reader);
    for (size_t i = 0; i < json_array_size(symbols); i++)
        read_instrument(json_array_get(symbols, i), reader);
    return true;
}

/* [openTime, open, high, low, close, volume, closeTime, quoteVolume, count, takerVolume,
 * takerQuoteVolume, ...] */
static void read_candle(const json_t *row, struct exchange_reader *reader)
{
    if (!exchange_lasts_candle(json_array_get(row, 0), json_array_get(row, 6))) {
        exchange_refuse(reader, reader->instrument, EXCHANGE_ROW_CANDLE,
                        "it does not last 5 minutes");
        return;
    }
    struct exchange_candle candle = {
        .time = exchange_json_at(row, 0),
        .open = json_array_get(row, 1),
        .high = json_array_get(row, 2),
        .low = json_array_get(row, 3),
        .close = json_array_get(row, 4),
        .volume = json_array_get(row, 5),
        .quote_volume = json_array_get(row, 7),
        .count = json_array_get(row, 8),
        .taker_volume = json_array_get(row, 9),
        .taker_quote_volume = json_array_get(row, 10),
    };
    exchange_take_candle(reader, reader->instrument, &candle, EXCHANGE_CLOSED_BY_CLOCK);
}

static bool read_candles(const json_t *root, struct exchange_reader *reader)
{
    if (!json_is_array(root))
        return false;
    exchange_note_candles(reader, root, NULL);
    for (size_t i = 0; i < json_array_size(root); i++)
        read_candle(json_array_get(root, i), reader);
    return true;
}

static bool read_history(const json_t *root, struct exchange_reader *reader)
{
    if (!json_is_array(root))
        return false;
    for (size_t i = 0; i < json_array_size(root); i++) {
        const json_t *row = json_array_get(root, i);
        if (exchange_is_asked(reader, EXCHANGE_ROW_INTEREST, exchange_json_text(row, "symbol")))
            exchange_take_interest(reader, reader->instrument, EXCHANGE_INTEREST_LABEL,
                                   exchange_json_member(row, "timestamp"),
                                   exchange_json_member(row, "sumOpenInterest"),
                                   exchange_json_member(row, "sumOpenInterestValue"), 1);
    }
    return true;
}

static bool read_answer(const struct exchange_request *request, const json_t *root,
                        struct exchange_reader *reader, struct exchange_answer *answer)
{
    switch (request->kind) {
    case EXCHANGE_INSTRUMENTS:
        return read_instruments(root, reader, answer);
    case EXCHANGE_CANDLES:
        return read_candles(root, reader);
    case EXCHANGE_INTEREST_HISTORY:
        return read_history(root, reader);
    default:
        if (!json_is_object(root))
            return false;
        if (exchange_is_asked(reader, EXCHANGE_ROW_INTEREST, exchange_json_text(root, "symbol")))
            exchange_take_interest(reader, reader->instrument, EXCHANGE_INTEREST_STATE,
                                   exchange_json_member(root, "time"),
                                   exchange_json_member(root, "openInterest"), NULL, 1);
        return true;
    }
}

/* -- messages ---------------------------------------------------------------------------------- */

static void append_stream(struct buffer *out, size_t index,
                          const struct exchange_subscription *subscription)
{
    static const char *const streams[] = {
        [EXCHANGE_STREAM_CANDLES] = "@kline_5m",
        [EXCHANGE_STREAM_LIQUIDATIONS] = "@forceOrder",
        [EXCHANGE_STREAM_TICKER] = "@markPrice@1s",
    };
    char lower[EXCHANGE_NATIVE_SIZE];
    size_t size = 0;
    for (const char *at = subscription->instrument->native; *at != '\0'; at++)
        lower[size++] = *at >= 'A' && *at <= 'Z' ? (char)(*at - 'A' + 'a') : *at;
    lower[size] = '\0';
    exchange_append_topic(out, index, "", lower, streams[subscription->kind]);
}

static size_t subscribe(const struct exchange_subscription *subscriptions, size_t count,
                        bool is_end, uint64_t number, struct buffer *out)
{
    size_t taken = count < SUBSCRIBE_MAX ? count : SUBSCRIBE_MAX;
    buffer_append_format(out, "{\"method\":\"%s\",\"params\":[",
                         is_end ? "UNSUBSCRIBE" : "SUBSCRIBE");
    for (size_t i = 0; i < taken; i++)
        append_stream(out, i, &subscriptions[i]);
    buffer_append_format(out, "],\"id\":%llu}", (unsigned long long)number);
    return taken;
}

static void read_kline(const json_t *event, struct exchange_reader *reader)
{
    const json_t *kline = json_object_get(event, "k");
    const struct exchange_instrument *instrument =
        exchange_find(reader, exchange_json_text(kline, "s"));
    if (instrument == NULL)
        return;
    if (!exchange_json_is(kline, "i", "5m") ||
        !exchange_lasts_candle(json_object_get(kline, "t"), json_object_get(kline, "T"))) {
        exchange_refuse(reader, instrument, EXCHANGE_ROW_CANDLE, "it does not last 5 minutes");
        return;
    }
    struct exchange_candle candle = {
        .time = exchange_json_member(kline, "t"),
        .open = json_object_get(kline, "o"),
        .high = json_object_get(kline, "h"),
        .low = json_object_get(kline, "l"),
        .close = json_object_get(kline, "c"),
        .volume = json_object_get(kline, "v"),
        .quote_volume = json_object_get(kline, "q"),
        .count = json_object_get(kline, "n"),
        .taker_volume = json_object_get(kline, "V"),
        .taker_quote_volume = json_object_get(kline, "Q"),
    };
    exchange_take_candle(reader, instrument, &candle,
                         json_is_true(json_object_get(kline, "x")) ? EXCHANGE_CLOSED_YES
                                                                   : EXCHANGE_CLOSED_NO);
}

static void read_mark_price(const json_t *event, struct exchange_reader *reader)
{
    const struct exchange_instrument *instrument =
        exchange_find(reader, exchange_json_text(event, "s"));
    if (instrument != NULL)
        exchange_take_price(reader, instrument, exchange_json_member(event, "E"),
                            exchange_json_member(event, "p"));
}

static bool is_above_zero(const json_t *value)
{
    int64_t figure_e8;
    double figure = 0;
    return exchange_json_decimal(value, 0, &figure_e8, &figure) != EXCHANGE_FIGURE_NONE &&
           figure > 0;
}

static void read_liquidation(const json_t *event, struct exchange_reader *reader)
{
    const json_t *order = json_object_get(event, "o"), *filled = json_object_get(order, "z"),
                 *average = json_object_get(order, "ap");
    const struct exchange_instrument *instrument =
        exchange_find(reader, exchange_json_text(order, "s"));
    if (instrument == NULL)
        return;
    enum exchange_side side = exchange_json_is(order, "S", "SELL")  ? EXCHANGE_SIDE_LONG
                              : exchange_json_is(order, "S", "BUY") ? EXCHANGE_SIDE_SHORT
                                                                    : EXCHANGE_SIDE_UNKNOWN;
    exchange_take_liquidation(reader, instrument, exchange_json_member(order, "T"), side,
                              is_above_zero(average) ? average : exchange_json_member(order, "p"),
                              is_above_zero(filled) ? filled : exchange_json_member(order, "q"), 0);
}

/* Events of coin-margined contracts, which some streams bring along, have the `st` 2. */
static bool is_of_usd_margined(const json_t *event)
{
    int64_t type;
    const json_t *st = json_object_get(event, "st");
    if (st == NULL)
        st = json_object_get(json_object_get(event, "o"), "st");
    return st == NULL || (exchange_json_whole(st, &type) && type == 1);
}

static void read_event(const json_t *event, struct exchange_reader *reader,
                       struct exchange_message *message)
{
    const char *name = exchange_json_text(event, "e");
    if (name == NULL)
        return;
    bool is_kline = strcmp(name, "kline") == 0, is_order = strcmp(name, "forceOrder") == 0;
    if (!is_kline && !is_order && strcmp(name, "markPriceUpdate") != 0)
        return;
    message->kind = EXCHANGE_MESSAGE_ROWS;
    exchange_json_time(json_object_get(event, "E"), &message->server_ms);
    if (!is_of_usd_margined(event))
        reader->rows->outside++;
    else if (is_kline)
        read_kline(event, reader);
    else if (is_order)
        read_liquidation(event, reader);
    else
        read_mark_price(event, reader);
}

/* {"result":null,"id":1}, {"error":{"code":2,"msg":"..."},"id":1}, {"code":2,"msg":"..."} */
static void read_reply(const json_t *root, struct exchange_message *message)
{
    const json_t *error = json_object_get(root, "error"), *id = json_object_get(root, "id");
    const json_t *code = json_object_get(error != NULL ? error : root, "code");
    const char *text = exchange_json_text(error != NULL ? error : root, "msg");
    int64_t number;
    if (exchange_json_whole(id, &number))
        message->number = (uint64_t)number;
    if (json_is_integer(code)) {
        message->kind = EXCHANGE_MESSAGE_FAULT;
        judge_code(json_integer_value(code), text != NULL ? text : "no reason given", 0,
                   &message->verdict);
    } else if (json_object_get(root, "result") != NULL && id != NULL) {
        message->kind = EXCHANGE_MESSAGE_ACKNOWLEDGED;
    }
}

static void read_message(const json_t *root, const char *text, size_t size,
                         struct exchange_reader *reader, struct exchange_message *message)
{
    const json_t *data = json_object_get(root, "data");
    (void)text;
    (void)size;
    if (data == NULL || json_object_get(root, "stream") == NULL)
        data = root;
    for (size_t i = 0; i < json_array_size(data); i++)
        read_event(json_array_get(data, i), reader, message);
    read_event(data, reader, message);
    if (message->kind == EXCHANGE_MESSAGE_OTHER)
        read_reply(root, message);
}

/* -- what there is ----------------------------------------------------------------------------- */

const struct exchange_api exchange_api_binance = {
    .id = EXCHANGE_BINANCE,
    .title = "Binance",
    .offers =
        {
            [EXCHANGE_INSTRUMENTS] = {.is_offered = true, .is_for_all = true},
            [EXCHANGE_CANDLES] = {.is_offered = true},
            [EXCHANGE_INTEREST_HISTORY] = {.is_offered = true, .reach_ms = INTEREST_REACH_MS},
            [EXCHANGE_INTEREST_NOW] = {.is_offered = true},
        },
    .budgets =
        {
            [BUDGET_WEIGHT] = {"weight", MINUTE_MS, 2400},
            [BUDGET_DATA] = {"data", 5 * MINUTE_MS, 1000},
        },
    .streams =
        {
            [EXCHANGE_STREAM_CANDLES] = {.path = STREAM_PATH,
                                         .tells_closed = true,
                                         .silence_ms = 6 * MINUTE_MS},
            [EXCHANGE_STREAM_LIQUIDATIONS] = {.path = STREAM_PATH},
            [EXCHANGE_STREAM_TICKER] = {.path = STREAM_PATH, .silence_ms = 15000},
        },
    .socket =
        {
            .subscriptions_max = 200,
            .connects = {300, 5 * MINUTE_MS},
            .send_interval_ms = 250, /* 10 a second, pongs among them */
            .lifetime_ms = 24 * 60 * MINUTE_MS,
            .acknowledge_ms = 10000,
            .silence_ms = 4 * MINUTE_MS, /* its pings come every 3 minutes */
        },
    .listings = listings,
    .build = build,
    .judge = judge,
    .used_weight = used_weight,
    .read_answer = read_answer,
    .subscribe = subscribe,
    .read_message = read_message,
};
