/* Exchanges are foreign servers, and what stands between may answer in their place. The first line
 * of the input is "<exchange> <what> <status>", the rest an answer or a message. Whatever it is, a
 * row that reaches the sink must be one that can be true, and what is refused must say why in one
 * line. */
#include "fuzz.h"

#include "base/decimal.h"
#include "base/slice.h"
#include "sources/collect/exchange.h"

#define NOW INT64_C(1764550230000) /* 2025-12-01T00:50:30Z */
#define TOLERANCE_MS 5000
#define COLUMN_MAX INT64_C(999999999999999999)

static const char *const words[] = {"instruments", "candles", "history", "now", "message"};
enum { WORD_MESSAGE = EXCHANGE_REQUEST_KIND_COUNT, WORD_COUNT };

static const char *const natives[][2] = {
    [EXCHANGE_BINANCE] = {"BTCUSDT", "1000PEPEUSDT"},
    [EXCHANGE_BYBIT] = {"BTCUSDT", "PEPEUSDT"},
    [EXCHANGE_OKX] = {"BTC-USDT-SWAP", "PEPE-USDT-SWAP"},
    [EXCHANGE_HYPERLIQUID] = {"BTC", "kPEPE"},
};

struct found {
    struct exchange_instrument instruments[2];
    size_t rows, refused;
};

/* -- what reaches the sink --------------------------------------------------------------------- */

static void check_line(const char *text)
{
    check(text[0] != '\0');
    for (const char *at = text; *at != '\0'; at++)
        check((unsigned char)*at >= ' ' && *at != 0x7f);
}

static const struct exchange_instrument *find_instrument(const char *native, void *context)
{
    struct found *found = context;
    for (size_t i = 0; i < 2; i++)
        if (strcmp(found->instruments[i].native, native) == 0)
            return &found->instruments[i];
    return NULL;
}

static void check_instrument(const struct found *found,
                             const struct exchange_instrument *instrument)
{
    check(instrument == &found->instruments[0] || instrument == &found->instruments[1]);
}

static void on_instrument(const struct exchange_instrument *instrument, void *context)
{
    struct found *found = context;
    check(instrument->native[0] != '\0' && instrument->contract_e8 > 0);
    check(instrument->listed_ms >= 0 && instrument->symbol[0] == '\0');
    found->rows++;
}

static void check_price(int64_t price_e8)
{
    check(price_e8 > 0 && price_e8 <= COLUMN_MAX);
}

static void check_time(int64_t time_ms)
{
    check(time_ms > 0 && time_ms <= NOW + TOLERANCE_MS);
}

static void on_candle(const struct exchange_instrument *instrument, const struct kline_row *row,
                      bool is_closed, void *context)
{
    struct found *found = context;
    const struct candle *candle = &row->candle;
    check_instrument(found, instrument);
    check_time(candle->open_time_ms);
    check(candle->open_time_ms % CANDLE_MS == 0);
    check(row->close_time_ms == candle->open_time_ms + CANDLE_MS - 1);
    check(!is_closed || row->close_time_ms <= NOW + TOLERANCE_MS);
    check_price(candle->low_e8);
    check_price(candle->high_e8);
    check(candle->low_e8 <= candle->open_e8 && candle->open_e8 <= candle->high_e8);
    check(candle->low_e8 <= candle->close_e8 && candle->close_e8 <= candle->high_e8);
    check(candle->volume >= 0 && row->volume_e8 <= COLUMN_MAX);
    check(!row->has_count || row->count >= 0);
    check(strcmp(row->symbol, instrument->symbol) == 0);
    found->rows++;
}

static void on_interest(const struct exchange_instrument *instrument,
                        const struct exchange_interest *interest, void *context)
{
    struct found *found = context;
    check_instrument(found, instrument);
    check_time(interest->time_ms);
    check(interest->has_contracts || interest->has_value);
    check(!interest->has_contracts || interest->contracts_e8 > 0);
    check(!interest->has_value || interest->value_e8 > 0);
    found->rows++;
}

static void on_liquidation(const struct exchange_instrument *instrument,
                           const struct exchange_liquidation *row, void *context)
{
    struct found *found = context;
    check_instrument(found, instrument);
    check_time(row->time_ms);
    check_price(row->price_e8);
    check(!row->has_quantity || row->quantity_e8 > 0);
    check(row->value_e8 > 0 && row->ordinal >= 0);
    found->rows++;
}

static void on_price(const struct exchange_instrument *instrument, int64_t time_ms,
                     int64_t price_e8, void *context)
{
    struct found *found = context;
    check_instrument(found, instrument);
    check_time(time_ms);
    check_price(price_e8);
    found->rows++;
}

static void on_refused(const struct exchange_instrument *instrument, enum exchange_row_kind kind,
                       const char *why, void *context)
{
    struct found *found = context;
    (void)instrument;
    (void)kind;
    check_line(why);
    found->refused++;
}

static void on_budget(size_t budget, int64_t window_ms, int64_t limit, void *context)
{
    (void)context;
    check(budget < EXCHANGE_BUDGETS_MAX && window_ms > 0 && limit > 0);
}

/* -- reading ----------------------------------------------------------------------------------- */

static void check_verdict(const struct exchange_verdict *verdict, bool is_fault)
{
    check(is_fault == (verdict->kind != EXCHANGE_OK));
    if (is_fault)
        check_line(verdict->message);
    check(exchange_verdict_name(verdict->kind) != NULL);
}

static void read_answer(const struct exchange_api *api, size_t kind, int status, const char *body,
                        size_t size, const struct exchange_sink *sink)
{
    struct found *found = sink->context;
    struct exchange_query query = {
        .kind = (enum exchange_request_kind)kind,
        .instrument = api->offers[kind].is_for_all ? NULL : &found->instruments[0],
        .now_ms = NOW,
        .start_ms = NOW / CANDLE_MS * CANDLE_MS - 10 * CANDLE_MS,
        .end_ms = NOW / CANDLE_MS * CANDLE_MS + CANDLE_MS,
    };
    struct exchange_request request;
    struct exchange_response response = {.status = status,
                                         .body = body,
                                         .body_size = size,
                                         .retry_after_seconds = status % 2 == 0 ? -1 : 7};
    struct exchange_answer answer;
    if (!exchange_request_build(api, &query, &request))
        return;
    exchange_answer_read(api, &query, &request, &response, sink, &answer);
    check_verdict(&answer.verdict, answer.verdict.kind != EXCHANGE_OK);
    check(answer.rows.taken == found->rows && answer.rows.refused == found->refused);
    check(answer.verdict.kind == EXCHANGE_OK || found->rows == 0);
    check(answer.rows.oldest_ms <= answer.rows.newest_ms);
    if (answer.cursor[0] != '\0') {
        query.cursor = answer.cursor;
        check(exchange_request_build(api, &query, &request));
    }
}

static void read_message(const struct exchange_api *api, const char *text, size_t size,
                         const struct exchange_sink *sink)
{
    struct found *found = sink->context;
    struct exchange_message message;
    exchange_message_read(api, text, size, sink, &message);
    check_verdict(&message.verdict, message.kind == EXCHANGE_MESSAGE_FAULT);
    check(message.rows.taken == found->rows && message.rows.refused == found->refused);
    check(message.kind == EXCHANGE_MESSAGE_ROWS || found->rows == 0);
}

static size_t find_word(struct slice word)
{
    size_t found = 0;
    while (found < WORD_COUNT && !slice_equals(word, words[found]))
        found++;
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = {(const char *)data, size}, line, exchange, word;
    uint64_t status = 200;
    struct exchange_list list;
    char name[24];
    if (size == 0 || !slice_split(&rest, '\n', &line))
        return 0;
    slice_split(&line, ' ', &exchange);
    slice_split(&line, ' ', &word);
    size_t kind = find_word(word);
    if (!slice_copy(exchange, name, sizeof name) || kind == WORD_COUNT ||
        exchange_list_parse(name, &list, NULL) != STATUS_OK || list.count != 1 ||
        (line.size > 0 && !slice_parse_unsigned(line, 599, &status)))
        return 0;
    struct found found = {
        .instruments = {
            {.contract_e8 = DECIMAL_ONE / 100, .symbol = "BTCUSDT"},
            {.contract_e8 = DECIMAL_ONE * 10000000, .symbol = "1000PEPEUSDT", .bundle_digits = 3}}};
    for (size_t i = 0; i < 2; i++)
        strcpy(found.instruments[i].native, natives[list.ids[0]][i]);
    struct exchange_sink sink = {
        .context = &found,
        .now_ms = NOW,
        .tolerance_ms = TOLERANCE_MS,
        .find_instrument = find_instrument,
        .on_instrument = on_instrument,
        .on_candle = on_candle,
        .on_interest = on_interest,
        .on_liquidation = on_liquidation,
        .on_price = on_price,
        .on_refused = on_refused,
        .on_budget = on_budget,
    };
    char *text = fuzz_copy(rest.data, rest.size);
    if (kind == WORD_MESSAGE)
        read_message(exchange_api_of(list.ids[0]), text, rest.size, &sink);
    else
        read_answer(exchange_api_of(list.ids[0]), kind, (int)status, text, rest.size, &sink);
    free(text);
    return 0;
}
