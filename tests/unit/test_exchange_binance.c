/* Binance as it is documented: what it is asked, what its answers and messages become, and what its
 * refusals mean. Shapes and figures are those of its documentation, moved to our days. */
#include "exchange_fixture.h"

static struct exchange_test start(void)
{
    return test_of(exchange_api_of(EXCHANGE_BINANCE), "BTCUSDT", "BTCUSDT");
}

/* -- requests ---------------------------------------------------------------------------------- */

static void pages_are_asked_for_from_either_end(void **state)
{
    (void)state;
    struct exchange_test test = start();
    assert_true(test_ask(&test, EXCHANGE_CANDLES, 12));
    assert_string_equal(test.request.path, "/fapi/v1/klines?symbol=BTCUSDT&interval=5m"
                                           "&startTime=1764547200000&endTime=1764550799999"
                                           "&limit=12");
    assert_string_equal(test.request.body, "");
    assert_int_equal(test.request.weight, 1);
    assert_true(test_ask(&test, EXCHANGE_CANDLES, 2016));
    assert_int_equal(test.request.weight, 2);
    assert_int_equal(test.request.start_ms, T0);
    assert_int_equal(test.request.end_ms, T0 + 499 * STEP);
    test.query.is_newest_first = true;
    assert_true(exchange_request_build(test.api, &test.query, &test.request));
    assert_int_equal(test.request.start_ms, T0 + (2016 - 499) * STEP);
    assert_int_equal(test.request.end_ms, T0 + 2016 * STEP);
    test_end(&test);
}

static void open_interest_is_not_asked_for_beyond_30_days(void **state)
{
    (void)state;
    struct exchange_test test = start();
    assert_true(test_ask(&test, EXCHANGE_INTEREST_HISTORY, 3));
    assert_string_equal(test.request.path, "/futures/data/openInterestHist?symbol=BTCUSDT"
                                           "&period=5m&startTime=1764547200000"
                                           "&endTime=1764548099999&limit=3");
    test.query.now_ms = T0 + 30 * DAY_MS + STEP;
    assert_false(exchange_request_build(test.api, &test.query, &test.request));
    test.query.end_ms = T0 + 4 * STEP;
    assert_true(exchange_request_build(test.api, &test.query, &test.request));
    assert_int_equal(test.request.start_ms, T0 + 3 * STEP);
    test_end(&test);
}

static void nothing_is_asked_for_before_the_listing(void **state)
{
    (void)state;
    struct exchange_test test = start();
    test.instruments[0].listed_ms = T0 + STEP + 1000;
    assert_true(test_ask(&test, EXCHANGE_CANDLES, 3));
    assert_int_equal(test.request.start_ms, T0 + STEP);
    assert_false(test_ask(&test, EXCHANGE_CANDLES, 1));
    test_end(&test);
}

static void names_of_any_script_are_encoded(void **state)
{
    (void)state;
    struct exchange_test test =
        test_of(exchange_api_of(EXCHANGE_BINANCE), "币USDT", "BINANCE:BUSDT");
    assert_true(test_ask(&test, EXCHANGE_INTEREST_NOW, 0));
    assert_string_equal(test.request.path, "/fapi/v1/openInterest?symbol=%E5%B8%81USDT");
    test_end(&test);
}

/* -- answers ----------------------------------------------------------------------------------- */

static void the_last_candle_of_a_list_is_open(void **state)
{
    (void)state;
    struct exchange_test test = start();
    test.sink.now_ms = T0 + STEP + 7000;
    assert_true(test_ask(&test, EXCHANGE_CANDLES, 3));
    expect_answer(
        &test,
        "[[1764547200000,\"90.1\",\"95.5\",\"89\",\"91\",\"12.5\",1764547499999,\"1130.25\",7,"
        "\"6.25\",\"565\",\"0\"],"
        "[1764547500000,\"91\",\"92\",\"90.5\",\"91.5\",\"0.001\",1764547799999,\"0.0915\",1,"
        "\"0\",\"0\",\"0\"]]",
        "candle BTCUSDT 2025-12-01T00:00:00Z 90.1 95.5 89 91 v=12.5 q=1130.25 n=7 tb=6.25 tq=565 "
        "closed\n"
        "candle BTCUSDT 2025-12-01T00:05:00Z 91 92 90.5 91.5 v=0.001 q=0.0915 n=1 tb=0 tq=0 "
        "open\n");
    assert_int_equal(test.answer.rows.taken, 2);
    assert_int_equal(test.answer.rows.oldest_ms, T0);
    assert_int_equal(test.answer.rows.newest_ms, T0 + STEP);
    test_end(&test);
}

static void open_interest_is_labelled_in_its_history_only(void **state)
{
    (void)state;
    struct exchange_test test = start();
    assert_true(test_ask(&test, EXCHANGE_INTEREST_HISTORY, 3));
    expect_answer(&test,
                  "[{\"symbol\":\"BTCUSDT\",\"sumOpenInterest\":\"20403.12345678\","
                  "\"sumOpenInterestValue\":\"176196512.12345678\",\"CMCCirculatingSupply\":"
                  "\"165880.538\",\"timestamp\":\"1764547200000\"},"
                  "{\"symbol\":\"BTCUSDT\",\"sumOpenInterest\":20403.5,"
                  "\"sumOpenInterestValue\":176196513,\"timestamp\":1764547500000}]",
                  "interest BTCUSDT 2025-12-01T00:00:00Z c=20403.12345678 v=176196512.12345678 "
                  "label\n"
                  "interest BTCUSDT 2025-12-01T00:05:00Z c=20403.5 v=176196513 label\n");
    assert_true(test_ask(&test, EXCHANGE_INTEREST_NOW, 0));
    expect_answer(&test,
                  "{\"openInterest\":\"10659.509\",\"symbol\":\"BTCUSDT\",\"time\":"
                  "1764547260011}",
                  "interest BTCUSDT 2025-12-01T00:01:00.011Z c=10659.509 v=?\n");
    test_end(&test);
}

static void instruments_come_with_the_limit_of_the_address(void **state)
{
    (void)state;
    struct exchange_test test = start();
    assert_true(test_ask(&test, EXCHANGE_INSTRUMENTS, 0));
    expect_answer(
        &test,
        "{\"timezone\":\"UTC\",\"serverTime\":1764547200123,\"rateLimits\":["
        "{\"interval\":\"MINUTE\",\"intervalNum\":1,\"limit\":1200,\"rateLimitType\":"
        "\"REQUEST_WEIGHT\"},{\"interval\":\"SECOND\",\"intervalNum\":10,\"limit\":300,"
        "\"rateLimitType\":\"ORDERS\"}],\"assets\":[],\"symbols\":[{\"symbol\":\"BTCUSDT\","
        "\"contractType\":\"PERPETUAL\",\"onboardDate\":1569398400000,\"status\":\"TRADING\"},"
        "{\"symbol\":\"LUNAUSDT\",\"onboardDate\":\"1612767600000\",\"status\":\"SETTLING\"},"
        "{\"pair\":\"X\"}]}",
        "budget 0 60000 1200\n"
        "instrument BTCUSDT contract=1 listed=2019-09-25T08:00:00Z trading\n"
        "instrument LUNAUSDT contract=1 listed=2021-02-08T07:00:00Z\n"
        "refused instrument ?: it has no usable name\n");
    assert_int_equal(test.answer.server_ms, 1764547200123);
    assert_string_equal(test.answer.cursor, "");
    test_end(&test);
}

/* -- messages ---------------------------------------------------------------------------------- */

#define KLINE                                                                                      \
    "{\"e\":\"kline\",\"E\":1764547230250,\"s\":\"BTCUSDT\",\"k\":{\"t\":1764547200000,\"T\":"     \
    "1764547499999,\"s\":\"BTCUSDT\",\"i\":\"5m\",\"f\":100,\"L\":200,\"o\":\"0.0010\",\"c\":"     \
    "\"0.0020\",\"h\":\"0.0025\",\"l\":\"0.0010\",\"v\":\"1000\",\"n\":100,\"x\":false,\"q\":"     \
    "\"1.0000\",\"V\":\"500\",\"Q\":\"0.500\",\"B\":\"123456\"}}"
#define KLINE_ROW                                                                                  \
    "candle BTCUSDT 2025-12-01T00:00:00Z 0.001 0.0025 0.001 0.002 v=1000 q=1 n=100 tb=500 "        \
    "tq=0.5 open\n"

static void messages_come_bare_and_wrapped(void **state)
{
    (void)state;
    struct exchange_test test = start();
    expect_message(&test, KLINE, KLINE_ROW);
    expect_message(&test, "{\"stream\":\"btcusdt@kline_5m\",\"data\":" KLINE "}", KLINE_ROW);
    assert_int_equal(test.message.server_ms, 1764547230250);
    test_end(&test);
}

static void a_sold_order_liquidates_a_long_position(void **state)
{
    (void)state;
    struct exchange_test test = start();
    expect_message(&test,
                   "{\"e\":\"forceOrder\",\"E\":1764547230250,\"o\":{\"s\":\"BTCUSDT\",\"S\":"
                   "\"SELL\",\"o\":\"LIMIT\",\"f\":\"IOC\",\"q\":\"0.014\",\"p\":"
                   "\"9910.00000000\",\"ap\":\"9910.50000000\",\"X\":\"FILLED\",\"l\":\"0.014\","
                   "\"z\":\"0.014\",\"T\":1764547230200}}",
                   "liquidation BTCUSDT 2025-12-01T00:00:30.200Z long 9910.5 q=0.014 v=138.747\n");
    test_end(&test);
}

static void further_figures_are_not_needed(void **state)
{
    (void)state;
    struct exchange_test test = start();
    expect_message(&test,
                   "{\"e\":\"markPriceUpdate\",\"E\":1764547230000,\"s\":\"BTCUSDT\",\"p\":"
                   "\"11794.15000000\",\"i\":\"11784.62659091\",\"ap\":\"1\",\"r\":\"0.00038167\","
                   "\"T\":1764547200000,\"st\":1,\"new\":{\"a\":[1]}}",
                   "price BTCUSDT 2025-12-01T00:00:30Z 11794.15\n");
    expect_message(&test,
                   "{\"e\":\"kline\",\"E\":1764547500001,\"s\":\"BTCUSDT\",\"k\":{\"t\":"
                   "1764547200000,\"T\":1764547499999,\"s\":\"BTCUSDT\",\"i\":\"5m\",\"o\":1,"
                   "\"c\":2.5,\"h\":\"3e0\",\"l\":0.5,\"v\":7,\"n\":\"9\",\"x\":true}}",
                   "candle BTCUSDT 2025-12-01T00:00:00Z 1 3 0.5 2.5 v=7 q=? n=9 tb=? tq=? "
                   "closed\n");
    test_end(&test);
}

static void lists_of_events_and_other_events_are_taken(void **state)
{
    (void)state;
    struct exchange_test test = start();
    feed_text(&test,
              "{\"stream\":\"!markPrice@arr\",\"data\":["
              "{\"e\":\"markPriceUpdate\",\"E\":1764547230000,\"s\":\"BTCUSDT\",\"p\":\"5\"},"
              "{\"e\":\"markPriceUpdate\",\"E\":1764547230000,\"s\":\"ETHUSDT\",\"p\":\"6\"}]}");
    assert_rows(&test, "price BTCUSDT 2025-12-01T00:00:30Z 5\n");
    assert_int_equal(test.message.rows.outside, 1);
    feed_text(&test, "{\"e\":\"aggTrade\",\"E\":1764547230000,\"s\":\"BTCUSDT\",\"p\":\"5\"}");
    assert_int_equal(test.message.kind, EXCHANGE_MESSAGE_OTHER);
    assert_rows(&test, "");
    test_end(&test);
}

static void candles_of_another_interval_are_refused(void **state)
{
    (void)state;
    struct exchange_test test = start();
    static const char *const rows[] = {
        "\"t\":1764547200000,\"T\":1764547259999,\"i\":\"1m\"",
        "\"t\":1764547200000,\"T\":1764547259999,\"i\":\"5m\"",
        "\"t\":1764547200000,\"i\":\"5m\"",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "{\"e\":\"kline\",\"s\":\"BTCUSDT\",\"k\":{\"s\":\"BTCUSDT\",%s,\"o\":\"1\","
                 "\"h\":\"1\",\"l\":\"1\",\"c\":\"1\",\"v\":\"1\",\"x\":false}}",
                 rows[i]);
        feed_text(&test, text);
        assert_rows(&test, "refused candle BTCUSDT: it does not last 5 minutes\n");
    }
    test_end(&test);
}

#define ORDER(more, figures)                                                                       \
    "{\"e\":\"forceOrder\",\"E\":1764547230250," more "\"o\":{\"s\":\"BTCUSDT\"," figures          \
    ",\"T\":1764547230200}}"

static void orders_of_coin_margined_contracts_are_passed_over(void **state)
{
    (void)state;
    struct exchange_test test = start();
    feed_text(&test, ORDER("\"st\":2,", "\"S\":\"SELL\",\"q\":\"1\",\"p\":\"2\""));
    assert_rows(&test, "");
    assert_int_equal(test.message.rows.outside, 1);
    feed_text(&test, ORDER("\"st\":1,", "\"S\":\"BUY\",\"q\":\"1\",\"p\":\"2\""));
    assert_rows(&test, "liquidation BTCUSDT 2025-12-01T00:00:30.200Z short 2 q=1 v=2\n");
    test_end(&test);
}

static void what_was_filled_counts(void **state)
{
    (void)state;
    struct exchange_test test = start();
    feed_text(&test, ORDER("", "\"S\":\"SELL\",\"q\":\"8\",\"p\":\"2\",\"ap\":\"0\",\"z\":\"0\""));
    assert_rows(&test, "liquidation BTCUSDT 2025-12-01T00:00:30.200Z long 2 q=8 v=16\n");
    feed_text(&test, ORDER("", "\"S\":\"SELL\",\"q\":\"8\",\"p\":\"2\",\"ap\":\"3\",\"z\":\"4\""));
    assert_rows(&test, "liquidation BTCUSDT 2025-12-01T00:00:30.200Z long 3 q=4 v=12\n");
    feed_text(&test, ORDER("", "\"S\":\"?\",\"q\":\"8\",\"p\":\"2\""));
    assert_rows(&test, "refused liquidation BTCUSDT: it does not say which side was liquidated\n");
    test_end(&test);
}

static void subscriptions_are_lower_case_and_bounded(void **state)
{
    (void)state;
    struct exchange_test test = start();
    const struct exchange_instrument *btc = &test.instruments[0];
    struct exchange_subscription three[] = {{EXCHANGE_STREAM_CANDLES, btc},
                                            {EXCHANGE_STREAM_LIQUIDATIONS, btc},
                                            {EXCHANGE_STREAM_TICKER, btc}};
    expect_subscribe(&test, three, 3, false, 3,
                     "{\"method\":\"SUBSCRIBE\",\"params\":[\"btcusdt@kline_5m\","
                     "\"btcusdt@forceOrder\",\"btcusdt@markPrice@1s\"],\"id\":7}");
    expect_subscribe(&test, three, 1, true, 1,
                     "{\"method\":\"UNSUBSCRIBE\",\"params\":[\"btcusdt@kline_5m\"],\"id\":7}");
    struct exchange_subscription many[150];
    struct buffer out = {0};
    for (size_t i = 0; i < 150; i++)
        many[i] = three[0];
    assert_int_equal(exchange_subscribe(test.api, many, 150, false, 1, &out), 100);
    buffer_deinit(&out);
    test_end(&test);
}

static void replies_are_told_from_rows(void **state)
{
    (void)state;
    struct exchange_test test = start();
    feed_text(&test, "{\"result\":null,\"id\":7}");
    assert_int_equal(test.message.kind, EXCHANGE_MESSAGE_ACKNOWLEDGED);
    assert_int_equal(test.message.number, 7);
    feed_text(&test,
              "{\"error\":{\"code\":2,\"msg\":\"Invalid request: unknown stream\"},\"id\":8}");
    assert_int_equal(test.message.kind, EXCHANGE_MESSAGE_FAULT);
    assert_int_equal(test.message.verdict.kind, EXCHANGE_REFUSED);
    assert_int_equal(test.message.number, 8);
    feed_text(&test, "{\"code\":-1003,\"msg\":\"Too many requests\"}");
    assert_int_equal(test.message.verdict.kind, EXCHANGE_RATE_LIMITED);
    test_end(&test);
}

/* -- refusals ---------------------------------------------------------------------------------- */

static void a_ban_ends_when_its_message_says(void **state)
{
    (void)state;
    static const char body[] =
        "{\"code\":-1003,\"msg\":\"Way too many requests; IP(1.2.3.4) banned until 1764550000000. "
        "Please use the websocket for live updates to avoid bans.\"}";
    struct exchange_test test = start();
    assert_true(test_ask(&test, EXCHANGE_CANDLES, 3));
    test.retry_after_seconds = 120;
    expect_verdict(&test, 418, body, EXCHANGE_BANNED, 1764550000000);
    expect_verdict(&test, 400, body, EXCHANGE_BANNED, 1764550000000);
    expect_verdict(&test, 418, "{\"code\":-1003,\"msg\":\"banned\"}", EXCHANGE_BANNED,
                   test.sink.now_ms + 120000);
    test_end(&test);
}

static void limits_say_how_long_to_wait(void **state)
{
    (void)state;
    struct exchange_test test = start();
    assert_true(test_ask(&test, EXCHANGE_CANDLES, 3));
    test.retry_after_seconds = 7;
    expect_verdict(&test, 429,
                   "{\"code\":-1003,\"msg\":\"Too many requests; current limit is 2400\"}",
                   EXCHANGE_RATE_LIMITED, test.sink.now_ms + 7000);
    expect_verdict(&test, 429, "", EXCHANGE_RATE_LIMITED, test.sink.now_ms + 7000);
    test.retry_after_seconds = -1;
    expect_verdict(&test, 429, "<html>", EXCHANGE_RATE_LIMITED, 0);
    test_end(&test);
}

static void what_is_used_of_the_weight_is_read(void **state)
{
    (void)state;
    struct exchange_test test = start();
    assert_true(test_ask(&test, EXCHANGE_CANDLES, 3));
    test.header_name = "x-mbx-used-weight-1m";
    test.header_value = "1234";
    feed_answer(&test, 200, "[]", 2);
    assert_int_equal(test.answer.used_weight, 1234);
    assert_int_equal(test.answer.verdict.kind, EXCHANGE_OK);
    test.header_value = "many";
    feed_answer(&test, 200, "[]", 2);
    assert_int_equal(test.answer.used_weight, -1);
    assert_true(test_ask(&test, EXCHANGE_INTEREST_HISTORY, 3));
    test.header_value = "1234";
    feed_answer(&test, 200, "[]", 2);
    assert_int_equal(test.answer.used_weight, -1); /* of another budget */
    test_end(&test);
}

static void codes_have_their_meaning(void **state)
{
    (void)state;
    struct exchange_test test = start();
    assert_true(test_ask(&test, EXCHANGE_INTEREST_HISTORY, 3));
    expect_verdict(&test, 400, "{\"code\":-1121,\"msg\":\"Invalid symbol.\"}", EXCHANGE_NO_SYMBOL,
                   0);
    expect_verdict(&test, 400, "{\"code\":-1130,\"msg\":\"parameter 'startTime' is invalid.\"}",
                   EXCHANGE_OUT_OF_RANGE, 0);
    expect_verdict(&test, 503, "{\"code\":-1008,\"msg\":\"Server is currently overloaded\"}",
                   EXCHANGE_UNAVAILABLE, 0);
    expect_verdict(&test, 400, "{\"code\":-1102,\"msg\":\"Mandatory parameter\"}", EXCHANGE_REFUSED,
                   0);
    expect_verdict(
        &test, 451,
        "{\"code\":0,\"msg\":\"Service unavailable from a restricted location according to 'b. "
        "Eligibility' in https://www.binance.com/en/terms.\"}",
        EXCHANGE_BLOCKED, 0);
    assert_non_null(strstr(test.answer.verdict.message, "restricted location"));
    assert_non_null(strstr(test.answer.verdict.message, "archive"));
    expect_verdict(&test, 451, "", EXCHANGE_BLOCKED, 0);
    assert_string_equal(exchange_verdict_name(test.answer.verdict.kind), "blocked");
    test_end(&test);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(pages_are_asked_for_from_either_end),
    cmocka_unit_test(open_interest_is_not_asked_for_beyond_30_days),
    cmocka_unit_test(nothing_is_asked_for_before_the_listing),
    cmocka_unit_test(names_of_any_script_are_encoded),
    cmocka_unit_test(the_last_candle_of_a_list_is_open),
    cmocka_unit_test(open_interest_is_labelled_in_its_history_only),
    cmocka_unit_test(instruments_come_with_the_limit_of_the_address),
    cmocka_unit_test(messages_come_bare_and_wrapped),
    cmocka_unit_test(a_sold_order_liquidates_a_long_position),
    cmocka_unit_test(further_figures_are_not_needed),
    cmocka_unit_test(lists_of_events_and_other_events_are_taken),
    cmocka_unit_test(candles_of_another_interval_are_refused),
    cmocka_unit_test(orders_of_coin_margined_contracts_are_passed_over),
    cmocka_unit_test(what_was_filled_counts),
    cmocka_unit_test(subscriptions_are_lower_case_and_bounded),
    cmocka_unit_test(replies_are_told_from_rows),
    cmocka_unit_test(a_ban_ends_when_its_message_says),
    cmocka_unit_test(limits_say_how_long_to_wait),
    cmocka_unit_test(what_is_used_of_the_weight_is_read),
    cmocka_unit_test(codes_have_their_meaning),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
