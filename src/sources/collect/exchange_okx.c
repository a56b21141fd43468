/* OKX's linear perpetual swaps.
 *
 * What it does differently, and what follows from it:
 *   - It counts contracts, of which each has a size in coins (ctVal, ctMult). Volumes and open
 *     interest come in coins as well, which are taken; liquidations do not, so without the size of
 *     the contract, which the list of instruments has, none can be told.
 *   - Lists are newest first. `after` means older than, `before` newer than, both exclusive.
 * Candles say whether they are closed.
 *   - The newest 1,440 candles are one endpoint, older ones another with smaller pages. The history
 *     of open interest has 1,440 rows, five days of them; their stamp is that of a period.
 *   - Candles are on another WebSocket path than the rest. A connection without any message for 30
 *     seconds is cut: it has to be pinged, with the bare text.
 *   - Liquidations are one subscription for all contracts, at most one a second of each, and begin
 *     with some old ones, which are passed over by their time. `side` is that of the order;
 * `posSide` is not told of accounts that hold one position a contract (net). */
#include "sources/collect/exchange_ask.h"
#include "sources/collect/exchange_json.h"
#include "sources/collect/exchange_rows.h"

#include "base/decimal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUDGET_CANDLES, BUDGET_HISTORY, BUDGET_PUBLIC, BUDGET_STATISTICS };

/* Rows of a page. Of open interest 100 are allowed, and two may be beyond either end. */
enum { CANDLES_MAX = 300, HISTORY_MAX = 100, INTEREST_MAX = 98, INTEREST_LIMIT = 100 };
enum { SUBSCRIBE_MAX = 50 };

/* The newest 1,440 rows, less two that may pass while the request is under way. */
#define REACH_MS (1438 * CANDLE_MS)

#define BUSINESS_PATH "/ws/v5/business"
#define PUBLIC_PATH "/ws/v5/public"

/* -- requests ---------------------------------------------------------------------------------- */

static size_t listings(const char *name, struct exchange_listing *listings)
{
    struct exchange_name_parts parts;
    size_t count = 0;
    if (strchr(name, '-') != NULL)
        return exchange_add_listing(listings, 0, 0, "%s", name);
    if (!exchange_split_name(name, &parts))
        return 0;
    int base = (int)parts.base.size, quote = (int)parts.quote.size;
    int digits = (int)(parts.base.data - name); /* "1000" */
    if (parts.bundle_digits > 0)
        count = exchange_add_listing(listings, count, 0, "%.*s%.*s-%.*s-SWAP", digits, name, base,
                                     parts.base.data, quote, parts.quote.data);
    return exchange_add_listing(listings, count, parts.bundle_digits, "%.*s-%.*s-SWAP", base,
                                parts.base.data, quote, parts.quote.data);
}

/* Older candles are asked for where they are; the newest part first is worth a page of the other
 * endpoint. */
static void build_candles(const struct exchange_query *query, const char *native,
                          struct exchange_request *request)
{
    int64_t recent_ms = query->now_ms - REACH_MS;
    struct exchange_request recent = *request;
    int rows = exchange_fit_page(query, &recent, CANDLES_MAX);
    bool is_recent = recent.start_ms >= recent_ms;
    if (is_recent)
        *request = recent;
    else
        rows = exchange_fit_page(query, request, HISTORY_MAX);
    request->budget = is_recent ? BUDGET_CANDLES : BUDGET_HISTORY;
    snprintf(request->path, sizeof request->path,
             "/api/v5/market/%s?instId=%s&bar=5m&before=%lld&after=%lld&limit=%d",
             is_recent ? "candles" : "history-candles", native, (long long)request->start_ms - 1,
             (long long)request->end_ms, rows);
}

static void build(const struct exchange_query *query, struct exchange_request *request)
{
    char native[EXCHANGE_ENCODED_SIZE] = "";
    if (query->instrument != NULL)
        exchange_encode(query->instrument->native, native);
    request->weight = 1;
    switch (query->kind) {
    case EXCHANGE_CANDLES:
        build_candles(query, native, request);
        break;
    case EXCHANGE_INTEREST_HISTORY:
        exchange_fit_page(query, request, INTEREST_MAX);
        request->budget = BUDGET_STATISTICS;
        snprintf(request->path, sizeof request->path,
                 "/api/v5/rubik/stat/contracts/open-interest-history?instId=%s&period=5m"
                 "&begin=%lld&end=%lld&limit=%d",
                 native, (long long)request->start_ms - 1, (long long)request->end_ms,
                 INTEREST_LIMIT);
        break;
    case EXCHANGE_INTEREST_NOW:
        request->budget = BUDGET_PUBLIC;
        snprintf(request->path, sizeof request->path, "/api/v5/public/open-interest?instType=SWAP");
        break;
    default:
        request->budget = BUDGET_PUBLIC;
        snprintf(request->path, sizeof request->path, "/api/v5/public/instruments?instType=SWAP");
    }
}

static int64_t used_weight(const struct exchange_request *request,
                           const struct exchange_response *response)
{
    (void)request;
    (void)response;
    return -1;
}

/* -- errors ------------------------------------------------------------------------------------ */

static bool is_one_of(int64_t code, const int64_t *codes)
{
    while (*codes != 0 && *codes != code)
        codes++;
    return *codes == code;
}

static bool judge_code(int64_t code, const char *text, int64_t until_ms,
                       struct exchange_verdict *verdict)
{
    static const int64_t limits[] = {50011, 50040, 50061, 60014, 60023, 0};
    static const int64_t failures[] = {50001, 50004, 50005, 50013, 50026, 63999, 0};
    static const int64_t no_symbol[] = {51001, 60018, 0};
    enum exchange_verdict_kind kind = is_one_of(code, limits)      ? EXCHANGE_RATE_LIMITED
                                      : is_one_of(code, failures)  ? EXCHANGE_UNAVAILABLE
                                      : is_one_of(code, no_symbol) ? EXCHANGE_NO_SYMBOL
                                                                   : EXCHANGE_REFUSED;
    return exchange_judge(verdict, kind, kind == EXCHANGE_RATE_LIMITED ? until_ms : 0,
                          "OKX: %.300s (code %lld)", text, (long long)code);
}

/* {"code":"50011","msg":"Too Many Requests"}; "0" is success, and a missing page has the number
 * 404.
 */
static bool judge(const struct exchange_response *response, const json_t *root, int64_t now_ms,
                  struct exchange_verdict *verdict)
{
    const char *text = exchange_json_text(root, "msg");
    int64_t code;
    if (!exchange_json_whole(json_object_get(root, "code"), &code) || code == 0)
        return false;
    return judge_code(code, text != NULL ? text : "no reason given",
                      exchange_retry_ms(response, now_ms), verdict);
}

/* -- answers ----------------------------------------------------------------------------------- */

/* Coins in a contract, ctVal x ctMult; 0 if that is not told, or is no number of coins. */
static int64_t contract_size(const json_t *row, const char *native)
{
    const char *coin = exchange_json_text(row, "ctValCcy");
    const json_t *multiplier = json_object_get(row, "ctMult");
    int64_t value_e8, times_e8 = DECIMAL_ONE;
    if (coin == NULL || strncmp(native, coin, strlen(coin)) != 0 || native[strlen(coin)] != '-' ||
        exchange_json_decimal(json_object_get(row, "ctVal"), 0, &value_e8, NULL) !=
            EXCHANGE_FIGURE_EXACT ||
        value_e8 <= 0)
        return 0;
    if (multiplier != NULL && !exchange_json_is(row, "ctMult", "") &&
        exchange_json_decimal(multiplier, 0, &times_e8, NULL) != EXCHANGE_FIGURE_EXACT)
        return 0;
    __int128 size = (__int128)value_e8 * times_e8 / DECIMAL_ONE;
    return size > 0 && size <= INT64_MAX ? (int64_t)size : 0;
}

/* Inverse contracts, which are margined and counted in coins, are passed over. */
static void read_instrument(const json_t *row, struct exchange_reader *reader)
{
    struct exchange_instrument instrument = {0};
    if (exchange_json_is(row, "ctType", "inverse")) {
        reader->rows->outside++;
        return;
    }
    if (!exchange_name_instrument(reader, exchange_json_text(row, "instId"), &instrument))
        return;
    instrument.contract_e8 = contract_size(row, instrument.native);
    if (instrument.contract_e8 == 0) {
        exchange_refuse(reader, NULL, EXCHANGE_ROW_INSTRUMENT,
                        "the size of a contract of %s is not told", instrument.native);
        return;
    }
    exchange_json_time(json_object_get(row, "listTime"), &instrument.listed_ms);
    instrument.is_trading = exchange_json_is(row, "state", "live");
    exchange_take_instrument(reader, &instrument);
}

/* [ts, open, high, low, close, contracts, coins, quote, confirm] */
static void read_candle(const json_t *row, const struct exchange_instrument *instrument,
                        struct exchange_reader *reader)
{
    int64_t confirm;
    if (!exchange_json_whole(json_array_get(row, 8), &confirm) || confirm > 1) {
        exchange_refuse(reader, instrument, EXCHANGE_ROW_CANDLE,
                        "it does not say whether it is closed");
        return;
    }
    struct exchange_candle candle = {
        .time = exchange_json_at(row, 0),
        .open = json_array_get(row, 1),
        .high = json_array_get(row, 2),
        .low = json_array_get(row, 3),
        .close = json_array_get(row, 4),
        .volume = json_array_get(row, 6),
        .quote_volume = json_array_get(row, 7),
    };
    exchange_take_candle(reader, instrument, &candle,
                         confirm == 1 ? EXCHANGE_CLOSED_YES : EXCHANGE_CLOSED_NO);
}

/* Open interest as it is, of any contract. */
static void read_interest(const json_t *row, struct exchange_reader *reader)
{
    const struct exchange_instrument *instrument =
        exchange_find(reader, exchange_json_text(row, "instId"));
    const json_t *value = json_object_get(row, "oiUsd");
    if (instrument != NULL)
        exchange_take_interest(reader, instrument, EXCHANGE_INTEREST_STATE,
                               exchange_json_member(row, "ts"), exchange_json_member(row, "oiCcy"),
                               exchange_json_is(row, "oiUsd", "") ? NULL : value, 1);
}

static bool read_answer(const struct exchange_request *request, const json_t *root,
                        struct exchange_reader *reader, struct exchange_answer *answer)
{
    const json_t *data = json_object_get(root, "data");
    (void)answer;
    for (size_t i = 0; i < json_array_size(data); i++) {
        const json_t *row = json_array_get(data, i);
        switch (request->kind) {
        case EXCHANGE_INSTRUMENTS:
            read_instrument(row, reader);
            break;
        case EXCHANGE_CANDLES:
            read_candle(row, reader->instrument, reader);
            break;
        case EXCHANGE_INTEREST_HISTORY: /* [ts, contracts, coins, value] */
            exchange_take_interest(reader, reader->instrument, EXCHANGE_INTEREST_LABEL,
                                   exchange_json_at(row, 0), exchange_json_at(row, 2),
                                   exchange_json_at(row, 3), 1);
            break;
        default:
            read_interest(row, reader);
        }
    }
    return json_is_array(data);
}

/* -- messages ---------------------------------------------------------------------------------- */

static void append_channel(struct buffer *out, bool is_first, const char *channel,
                           const char *native)
{
    buffer_append_format(out, "%s{\"channel\":\"%s\",\"instId\":", is_first ? "" : ",", channel);
    exchange_append_topic(out, 0, "", native, "");
    buffer_append_char(out, '}');
}

/* The one for the liquidations of all contracts goes alone: if it is refused, the others are not.
 */
static size_t fit_message(const struct exchange_subscription *subscriptions, size_t count)
{
    size_t taken = 0;
    while (taken < count && taken < SUBSCRIBE_MAX &&
           subscriptions[taken].kind != EXCHANGE_STREAM_LIQUIDATIONS)
        taken++;
    return taken > 0 ? taken : 1;
}

static size_t subscribe(const struct exchange_subscription *subscriptions, size_t count,
                        bool is_end, uint64_t number, struct buffer *out)
{
    size_t taken = fit_message(subscriptions, count);
    buffer_append_format(out, "{\"id\":\"%llu\",\"op\":\"%s\",\"args\":[",
                         (unsigned long long)number, is_end ? "unsubscribe" : "subscribe");
    for (size_t i = 0; i < taken; i++) {
        enum exchange_stream_kind kind = subscriptions[i].kind;
        if (kind == EXCHANGE_STREAM_LIQUIDATIONS) {
            buffer_append_text(out, "{\"channel\":\"liquidation-orders\",\"instType\":\"SWAP\"}");
            continue;
        }
        const char *native = subscriptions[i].instrument->native;
        if (kind == EXCHANGE_STREAM_CANDLES) {
            append_channel(out, i == 0, "candle5m", native);
        } else {
            append_channel(out, i == 0, "mark-price", native);
            append_channel(out, false, "open-interest", native);
        }
    }
    buffer_append_text(out, "]}");
    return taken;
}

/* The position that an order of liquidation closes. The two members must not contradict. */
static enum exchange_side side_of(const json_t *detail)
{
    bool is_sold = exchange_json_is(detail, "side", "sell");
    if (!is_sold && !exchange_json_is(detail, "side", "buy"))
        return EXCHANGE_SIDE_UNKNOWN;
    if (exchange_json_is(detail, "posSide", is_sold ? "short" : "long"))
        return EXCHANGE_SIDE_UNKNOWN;
    return is_sold ? EXCHANGE_SIDE_LONG : EXCHANGE_SIDE_SHORT;
}

static void read_liquidations(const json_t *row, struct exchange_reader *reader)
{
    const json_t *details = json_object_get(row, "details");
    for (size_t i = 0; i < json_array_size(details); i++) {
        const json_t *detail = json_array_get(details, i);
        const struct exchange_instrument *instrument =
            exchange_find(reader, exchange_json_text(row, "instId"));
        if (instrument != NULL)
            exchange_take_liquidation(reader, instrument, exchange_json_member(detail, "ts"),
                                      side_of(detail), exchange_json_member(detail, "bkPx"),
                                      exchange_json_member(detail, "sz"),
                                      exchange_ordinal(details, i));
    }
}

static void read_price(const json_t *row, struct exchange_reader *reader)
{
    const struct exchange_instrument *instrument =
        exchange_find(reader, exchange_json_text(row, "instId"));
    if (instrument != NULL)
        exchange_take_price(reader, instrument, exchange_json_member(row, "ts"),
                            exchange_json_member(row, "markPx"));
}

static void read_push(const char *channel, const char *native, const json_t *data,
                      struct exchange_reader *reader, struct exchange_message *message)
{
    bool is_candle = strcmp(channel, "candle5m") == 0;
    if (strncmp(channel, "candle", 6) == 0 && !is_candle) {
        exchange_refuse(reader, NULL, EXCHANGE_ROW_CANDLE, "%.20s does not last 5 minutes",
                        channel);
        return;
    }
    for (size_t i = 0; i < json_array_size(data); i++) {
        const json_t *row = json_array_get(data, i);
        if (is_candle) {
            const struct exchange_instrument *instrument = exchange_find(reader, native);
            if (instrument != NULL)
                read_candle(row, instrument, reader);
        } else if (strcmp(channel, "open-interest") == 0) {
            read_interest(row, reader);
        } else if (strcmp(channel, "mark-price") == 0) {
            read_price(row, reader);
        } else if (strcmp(channel, "liquidation-orders") == 0) {
            read_liquidations(row, reader);
        } else {
            message->kind = EXCHANGE_MESSAGE_OTHER;
        }
    }
}

/* {"event":"subscribe","arg":{...}}, {"event":"error","code":"60012","msg":"..."} */
static void read_event(const json_t *root, const char *event, struct exchange_message *message)
{
    const char *text = exchange_json_text(root, "msg");
    int64_t code = 0, number;
    if (exchange_json_whole(json_object_get(root, "id"), &number))
        message->number = (uint64_t)number;
    if (strcmp(event, "subscribe") == 0 || strcmp(event, "unsubscribe") == 0) {
        message->kind = EXCHANGE_MESSAGE_ACKNOWLEDGED;
    } else if (strcmp(event, "notice") == 0) {
        message->kind = EXCHANGE_MESSAGE_CLOSING;
    } else if (strcmp(event, "error") == 0 || strcmp(event, "channel-conn-count-error") == 0) {
        message->kind = EXCHANGE_MESSAGE_FAULT;
        exchange_json_whole(json_object_get(root, "code"), &code);
        judge_code(code, text != NULL ? text : event, 0, &message->verdict);
    }
}

static void read_message(const json_t *root, const char *text, size_t size,
                         struct exchange_reader *reader, struct exchange_message *message)
{
    const json_t *arg = json_object_get(root, "arg"), *data = json_object_get(root, "data");
    const char *event = exchange_json_text(root, "event");
    const char *channel = exchange_json_text(arg, "channel");
    if (slice_equals((struct slice){text, size}, "pong")) {
        message->kind = EXCHANGE_MESSAGE_PONG;
    } else if (event != NULL) {
        read_event(root, event, message);
    } else if (channel != NULL && json_is_array(data)) {
        message->kind = EXCHANGE_MESSAGE_ROWS;
        read_push(channel, exchange_json_text(arg, "instId"), data, reader, message);
    }
}

/* -- what there is ----------------------------------------------------------------------------- */

const struct exchange_api exchange_api_okx = {
    .id = EXCHANGE_OKX,
    .title = "OKX",
    .needs_contract_size = true,
    .offers =
        {
            [EXCHANGE_INSTRUMENTS] = {.is_offered = true, .is_for_all = true},
            [EXCHANGE_CANDLES] = {.is_offered = true},
            [EXCHANGE_INTEREST_HISTORY] = {.is_offered = true, .reach_ms = REACH_MS},
            [EXCHANGE_INTEREST_NOW] = {.is_offered = true, .is_for_all = true},
        },
    .budgets =
        {
            [BUDGET_CANDLES] = {"candles", 2000, 40},
            [BUDGET_HISTORY] = {"history", 2000, 20},
            [BUDGET_PUBLIC] = {"public", 2000, 20},
            [BUDGET_STATISTICS] = {"statistics", 2000, 10},
        },
    .streams =
        {
            [EXCHANGE_STREAM_CANDLES] = {.path = BUSINESS_PATH,
                                         .tells_closed = true,
                                         .silence_ms = 6 * MINUTE_MS},
            [EXCHANGE_STREAM_LIQUIDATIONS] = {.path = PUBLIC_PATH, .is_for_all = true},
            [EXCHANGE_STREAM_TICKER] = {.path = PUBLIC_PATH,
                                        .gives_interest = true,
                                        .silence_ms = 60000},
        },
    .socket =
        {
            .subscriptions_max = 200,
            .connects = {3, 1000},
            .requests = {480, 60 * MINUTE_MS},
            .send_interval_ms = 250,
            .acknowledge_ms = 10000,
            .ping = "ping",
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
