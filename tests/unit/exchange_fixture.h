/* What the tests of the exchanges share: a sink that writes what it gets as lines of text, so that
 * a test compares one text; and answers and messages that are fed whole and cut off at every byte.
 *
 *     candle BTCUSDT 2025-12-01T00:00:00Z 90 95.5 89 91 v=12.5 q=1130 n=7 tb=6 tq=500 closed
 *     interest BTCUSDT 2025-12-01T00:05:00Z c=20403.5 v=1761965.1 label
 *     liquidation BTCUSDT 2025-12-01T00:01:02.003Z long 9910.5 q=0.014 v=138.747
 *     price BTCUSDT 2025-12-01T00:01:02Z 90.5
 *     instrument BTCUSDT contract=1 listed=2019-09-08T17:57:51Z trading
 *     budget 0 60000 2400
 *     refused candle BTCUSDT: its high is below its low: 2025-12-01T00:00:00Z */
#ifndef HEATCAST_TESTS_EXCHANGE_FIXTURE_H
#define HEATCAST_TESTS_EXCHANGE_FIXTURE_H

#include "base/check.h"
#include "base/decimal.h"
#include "base/iso_time.h"
#include "sources/collect/exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define T0 INT64_C(1764547200000) /* 2025-12-01T00:00:00Z */
#define STEP CANDLE_MS

struct exchange_test {
    const struct exchange_api *api;
    struct exchange_sink sink;
    struct exchange_instrument instruments[4];
    size_t instrument_count;
    struct exchange_query query;
    struct exchange_request request;
    const char *header_name, *header_value; /* of the answers */
    int64_t retry_after_seconds;
    struct exchange_answer answer;
    struct exchange_message message;
    struct buffer rows; /* what the sink got */
};

/* -- the sink ---------------------------------------------------------------------------------- */

static inline void put_figure(struct buffer *out, const char *name, bool is_known, int64_t value_e8)
{
    buffer_append_format(out, " %s=", name);
    if (is_known)
        decimal_append(out, value_e8);
    else
        buffer_append_char(out, '?');
}

static inline void put_start(struct exchange_test *test, const char *kind, const char *symbol,
                             int64_t time_ms)
{
    char iso[ISO_TIME_SIZE];
    buffer_append_format(&test->rows, "%s %s %s", kind, symbol, iso_time_format(time_ms, iso));
}

static inline void put_decimal(struct exchange_test *test, int64_t value_e8)
{
    buffer_append_char(&test->rows, ' ');
    decimal_append(&test->rows, value_e8);
}

static inline const struct exchange_instrument *test_find(const char *native, void *context)
{
    struct exchange_test *test = context;
    for (size_t i = 0; i < test->instrument_count; i++)
        if (strcmp(test->instruments[i].native, native) == 0)
            return &test->instruments[i];
    return NULL;
}

static inline void test_on_instrument(const struct exchange_instrument *instrument, void *context)
{
    struct exchange_test *test = context;
    char iso[ISO_TIME_SIZE];
    buffer_append_format(&test->rows, "instrument %s", instrument->native);
    put_figure(&test->rows, "contract", instrument->contract_e8 > 0, instrument->contract_e8);
    buffer_append_format(&test->rows, " listed=%s%s\n",
                         instrument->listed_ms != 0 ? iso_time_format(instrument->listed_ms, iso)
                                                    : "?",
                         instrument->is_trading ? " trading" : "");
}

static inline void test_on_candle(const struct exchange_instrument *instrument,
                                  const struct kline_row *row, bool is_closed, void *context)
{
    struct exchange_test *test = context;
    const struct candle *candle = &row->candle;
    check(strcmp(row->symbol, instrument->symbol) == 0);
    check(row->close_time_ms == candle->open_time_ms + CANDLE_MS - 1);
    check(row->volume_e8 < 0 || decimal_to_double(row->volume_e8) - candle->volume < 1e-8);
    put_start(test, "candle", row->symbol, candle->open_time_ms);
    put_decimal(test, candle->open_e8);
    put_decimal(test, candle->high_e8);
    put_decimal(test, candle->low_e8);
    put_decimal(test, candle->close_e8);
    put_figure(&test->rows, "v", row->volume_e8 >= 0, row->volume_e8);
    put_figure(&test->rows, "q", row->has_quote_volume, row->quote_volume_e8);
    put_figure(&test->rows, "n", row->has_count, row->count * DECIMAL_ONE);
    put_figure(&test->rows, "tb", row->has_taker_buy_volume, row->taker_buy_volume_e8);
    put_figure(&test->rows, "tq", row->has_taker_buy_quote_volume, row->taker_buy_quote_volume_e8);
    buffer_append_text(&test->rows, is_closed ? " closed\n" : " open\n");
}

static inline void test_on_interest(const struct exchange_instrument *instrument,
                                    const struct exchange_interest *interest, void *context)
{
    struct exchange_test *test = context;
    put_start(test, "interest", instrument->symbol, interest->time_ms);
    put_figure(&test->rows, "c", interest->has_contracts, interest->contracts_e8);
    put_figure(&test->rows, "v", interest->has_value, interest->value_e8);
    buffer_append_text(&test->rows, interest->is_label ? " label\n" : "\n");
}

static inline void test_on_liquidation(const struct exchange_instrument *instrument,
                                       const struct exchange_liquidation *row, void *context)
{
    struct exchange_test *test = context;
    put_start(test, "liquidation", instrument->symbol, row->time_ms);
    buffer_append_text(&test->rows, row->is_long ? " long" : " short");
    put_decimal(test, row->price_e8);
    put_figure(&test->rows, "q", row->has_quantity, row->quantity_e8);
    put_figure(&test->rows, "v", true, row->value_e8);
    if (row->ordinal > 0)
        buffer_append_format(&test->rows, " again=%d", row->ordinal);
    if (row->id[0] != '\0')
        buffer_append_format(&test->rows, " id=%s", row->id);
    buffer_append_char(&test->rows, '\n');
}

static inline void test_on_price(const struct exchange_instrument *instrument, int64_t time_ms,
                                 int64_t price_e8, void *context)
{
    struct exchange_test *test = context;
    put_start(test, "price", instrument->symbol, time_ms);
    put_decimal(test, price_e8);
    buffer_append_char(&test->rows, '\n');
}

static inline void test_on_refused(const struct exchange_instrument *instrument,
                                   enum exchange_row_kind kind, const char *why, void *context)
{
    struct exchange_test *test = context;
    static const char *const kinds[] = {[EXCHANGE_ROW_INSTRUMENT] = "instrument",
                                        [EXCHANGE_ROW_CANDLE] = "candle",
                                        [EXCHANGE_ROW_INTEREST] = "interest",
                                        [EXCHANGE_ROW_LIQUIDATION] = "liquidation",
                                        [EXCHANGE_ROW_PRICE] = "price"};
    buffer_append_format(&test->rows, "refused %s %s: %s\n", kinds[kind],
                         instrument != NULL ? instrument->symbol : "?", why);
}

static inline void test_on_budget(size_t budget, int64_t window_ms, int64_t limit, void *context)
{
    struct exchange_test *test = context;
    buffer_append_format(&test->rows, "budget %zu %lld %lld\n", budget, (long long)window_ms,
                         (long long)limit);
}

/* -- starting, asking -------------------------------------------------------------------------- */

/* `native` is traded as `symbol`; now is half a minute behind T0 + 10 steps. */
static inline struct exchange_test test_of(const struct exchange_api *api, const char *native,
                                           const char *symbol)
{
    struct exchange_test test = {
        .api = api,
        .sink = {.now_ms = T0 + 10 * STEP + 30000,
                 .tolerance_ms = 5000,
                 .find_instrument = test_find,
                 .on_instrument = test_on_instrument,
                 .on_candle = test_on_candle,
                 .on_interest = test_on_interest,
                 .on_liquidation = test_on_liquidation,
                 .on_price = test_on_price,
                 .on_refused = test_on_refused,
                 .on_budget = test_on_budget},
        .instruments = {{.contract_e8 = DECIMAL_ONE, .is_trading = true}},
        .instrument_count = 1,
        .retry_after_seconds = -1,
    };
    check(slice_copy(slice_of(native), test.instruments[0].native, EXCHANGE_NATIVE_SIZE));
    check(slice_copy(slice_of(symbol), test.instruments[0].symbol, SYMBOL_SIZE));
    return test;
}

static inline void test_end(struct exchange_test *test)
{
    buffer_deinit(&test->rows);
}

/* Builds the request for the candles, or states, of `steps` steps from T0. */
static inline bool test_ask(struct exchange_test *test, enum exchange_request_kind kind, int steps)
{
    test->query = (struct exchange_query){
        .kind = kind,
        .instrument = test->api->offers[kind].is_for_all ? NULL : &test->instruments[0],
        .now_ms = test->sink.now_ms,
        .start_ms = T0,
        .end_ms = T0 + steps * STEP,
    };
    return exchange_request_build(test->api, &test->query, &test->request);
}

/* -- feeding ----------------------------------------------------------------------------------- */

static inline const char *test_find_header(const char *name, void *context)
{
    const struct exchange_test *test = context;
    bool is_it =
        test->header_name != NULL && slice_equals_ignoring_case(slice_of(name), test->header_name);
    return is_it ? test->header_value : NULL;
}

/* In memory of its own size, where a byte read beyond it is found. */
static inline char *copy_of(const char *text, size_t size)
{
    char *copy = memory_allocate(size > 0 ? size : 1);
    memcpy(copy, text, size);
    return copy;
}

static inline void feed_answer(struct exchange_test *test, int status, const char *body,
                               size_t size)
{
    char *copy = copy_of(body, size);
    struct exchange_response response = {
        .status = status,
        .body = copy,
        .body_size = size,
        .retry_after_seconds = test->retry_after_seconds,
        .find_header = test_find_header,
        .context = test,
    };
    test->sink.context = test;
    buffer_clear(&test->rows);
    exchange_answer_read(test->api, &test->query, &test->request, &response, &test->sink,
                         &test->answer);
    free(copy);
}

static inline void feed_message(struct exchange_test *test, const char *text, size_t size)
{
    char *copy = copy_of(text, size);
    test->sink.context = test;
    buffer_clear(&test->rows);
    exchange_message_read(test->api, copy, size, &test->sink, &test->message);
    free(copy);
}

static inline void feed_text(struct exchange_test *test, const char *text)
{
    feed_message(test, text, strlen(text));
}

/* -- what must come of it ---------------------------------------------------------------------- */

#define assert_rows(test, expected) assert_string_equal(buffer_text(&(test)->rows), expected)

/* An answer of status 200: its rows, and that each part of it that is cut off gives none. */
static inline void expect_answer(struct exchange_test *test, const char *body, const char *rows)
{
    for (size_t size = 0; size < strlen(body); size++) {
        feed_answer(test, 200, body, size);
        assert_int_equal(test->answer.verdict.kind, EXCHANGE_BROKEN);
        assert_rows(test, "");
    }
    feed_answer(test, 200, body, strlen(body));
    assert_string_equal(test->answer.verdict.message, "");
    assert_int_equal(test->answer.verdict.kind, EXCHANGE_OK);
    assert_rows(test, rows);
}

/* A message: its rows, and that each part of it that is cut off gives none. */
static inline void expect_message(struct exchange_test *test, const char *text, const char *rows)
{
    for (size_t size = 0; size < strlen(text); size++) {
        feed_message(test, text, size);
        assert_int_equal(test->message.kind, EXCHANGE_MESSAGE_FAULT);
        assert_rows(test, "");
    }
    feed_message(test, text, strlen(text));
    assert_string_equal(test->message.verdict.message, "");
    assert_int_equal(test->message.kind, EXCHANGE_MESSAGE_ROWS);
    assert_rows(test, rows);
}

static inline void expect_verdict(struct exchange_test *test, int status, const char *body,
                                  enum exchange_verdict_kind kind, int64_t until_ms)
{
    feed_answer(test, status, body, strlen(body));
    assert_int_equal(test->answer.verdict.kind, kind);
    assert_int_equal(test->answer.verdict.until_ms, until_ms);
    assert_true(test->answer.verdict.message[0] != '\0');
    assert_rows(test, "");
}

static inline void expect_subscribe(struct exchange_test *test,
                                    const struct exchange_subscription *subscriptions, size_t count,
                                    bool is_end, size_t taken, const char *text)
{
    struct buffer out = {0};
    assert_int_equal(exchange_subscribe(test->api, subscriptions, count, is_end, 7, &out), taken);
    assert_string_equal(buffer_text(&out), text);
    buffer_deinit(&out);
}

#endif
