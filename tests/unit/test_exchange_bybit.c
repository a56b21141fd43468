/* Bybit as it is documented: what it is asked, what its answers and messages become, and what its
 * refusals mean. Shapes and figures are those of its documentation, moved to our days. */
#include "exchange_fixture.h"

static struct exchange_test start(void)
{
    return test_of(exchange_api_of(EXCHANGE_BYBIT), "BTCUSDT", "BYBIT:BTCUSDT");
}

#define ANSWER(result)                                                                             \
    "{\"retCode\":0,\"retMsg\":\"OK\",\"result\":" result ",\"retExtInfo\":{},\"time\":"           \
    "1764547210050}"

/* -- requests ---------------------------------------------------------------------------------- */

static void pages_have_a_start_and_an_end(void **state)
{
    (void)state;
    struct exchange_test test = start();
    assert_true(test_ask(&test, EXCHANGE_CANDLES, 2016));
    assert_string_equal(test.request.path,
                        "/v5/market/kline?category=linear&symbol=BTCUSDT&interval=5"
                        "&start=1764547200000&end=1764847199999&limit=1000");
    assert_true(test_ask(&test, EXCHANGE_INTEREST_HISTORY, 2016));
    assert_string_equal(test.request.path,
                        "/v5/market/open-interest?category=linear&symbol=BTCUSDT"
                        "&intervalTime=5min&startTime=1764547200000&endTime=1764607199999"
                        "&limit=200");
    test.query.is_newest_first = true;
    assert_true(exchange_request_build(test.api, &test.query, &test.request));
    assert_int_equal(test.request.end_ms, T0 + 2016 * STEP);
    assert_int_equal(test.request.start_ms, T0 + 1816 * STEP);
    assert_true(test_ask(&test, EXCHANGE_INTEREST_NOW, 0));
    assert_string_equal(test.request.path, "/v5/market/tickers?category=linear&symbol=BTCUSDT");
    test_end(&test);
}

static void the_list_of_instruments_is_asked_for_page_by_page(void **state)
{
    (void)state;
    struct exchange_test test = start();
    assert_true(test_ask(&test, EXCHANGE_INSTRUMENTS, 0));
    assert_string_equal(test.request.path,
                        "/v5/market/instruments-info?category=linear&limit=1000");
    expect_answer(&test,
                  ANSWER("{\"category\":\"linear\",\"nextPageCursor\":\"first%3D10000000%26last%3D9"
                         "\",\"list\":[{\"symbol\":\"BTCUSDT\",\"contractType\":"
                         "\"LinearPerpetual\",\"status\":\"Trading\",\"launchTime\":"
                         "\"1585526400000\"},{\"symbol\":\"OLDUSDT\",\"status\":\"Closed\"}]}"),
                  "instrument BTCUSDT contract=1 listed=2020-03-30T00:00:00Z trading\n"
                  "instrument OLDUSDT contract=1 listed=?\n");
    test.query.cursor = "first%3D10000000&last \x01";
    assert_true(exchange_request_build(test.api, &test.query, &test.request));
    assert_string_equal(test.request.path, "/v5/market/instruments-info?category=linear&limit=1000"
                                           "&cursor=first%3D10000000%26last%20%01");
    expect_answer(&test, ANSWER("{\"nextPageCursor\":null,\"list\":[]}"), "");
    assert_string_equal(test.answer.cursor, "");
    test_end(&test);
}

/* -- answers ----------------------------------------------------------------------------------- */

static void the_first_candle_of_a_list_is_open(void **state)
{
    (void)state;
    struct exchange_test test = start();
    test.sink.now_ms = T0 + STEP + 7000;
    assert_true(test_ask(&test, EXCHANGE_CANDLES, 3));
    expect_answer(
        &test,
        ANSWER("{\"category\":\"linear\",\"symbol\":\"BTCUSDT\",\"list\":["
               "[\"1764547500000\",\"27450\",\"27460\",\"27440\",\"27455\",\"123.45\",\"3390000\"],"
               "[\"1764547200000\",\"27440\",\"27450.5\",\"27440\",\"27450\",\"1\",\"27440\"]]}"),
        "candle BYBIT:BTCUSDT 2025-12-01T00:05:00Z 27450 27460 27440 27455 v=123.45 q=3390000 n=? "
        "tb=? tq=? open\n"
        "candle BYBIT:BTCUSDT 2025-12-01T00:00:00Z 27440 27450.5 27440 27450 v=1 q=27440 n=? tb=? "
        "tq=? closed\n");
    assert_int_equal(test.answer.server_ms, 1764547210050);
    test_end(&test);
}

static void the_list_of_another_symbol_is_refused(void **state)
{
    (void)state;
    static const char list[] = ANSWER("{\"category\":\"linear\",\"symbol\":\"ETHUSDT\",\"list\":["
                                      "[\"1764547200000\",\"1\",\"1\",\"1\",\"1\",\"1\",\"1\"]]}");
    struct exchange_test test = start();
    assert_true(test_ask(&test, EXCHANGE_CANDLES, 3));
    expect_answer(&test, list,
                  "refused candle BYBIT:BTCUSDT: it is of ETHUSDT, and BTCUSDT was asked for\n");
    test_end(&test);
}

static void open_interest_is_that_of_one_side(void **state)
{
    (void)state;
    struct exchange_test test = start();
    assert_true(test_ask(&test, EXCHANGE_INTEREST_HISTORY, 3));
    expect_answer(&test,
                  ANSWER("{\"category\":\"linear\",\"symbol\":\"BTCUSDT\",\"list\":["
                         "{\"openInterest\":\"63910.69\",\"singleOpenInterest\":\"31955.346\","
                         "\"timestamp\":\"1764547500000\"},{\"openInterest\":\"63910.5\","
                         "\"timestamp\":\"1764547200000\"},{\"timestamp\":\"1764547200000\"}],"
                         "\"nextPageCursor\":\"lastid%3D44487872\"}"),
                  "interest BYBIT:BTCUSDT 2025-12-01T00:05:00Z c=31955.346 v=?\n"
                  "interest BYBIT:BTCUSDT 2025-12-01T00:00:00Z c=31955.25 v=?\n"
                  "refused interest BYBIT:BTCUSDT: it has no open interest\n");
    assert_string_equal(test.answer.cursor, ""); /* pages are told by their times */
    assert_true(test_ask(&test, EXCHANGE_INTEREST_NOW, 0));
    expect_answer(&test,
                  ANSWER("{\"category\":\"linear\",\"list\":[{\"symbol\":\"BTCUSDT\",\"markPrice\":"
                         "\"27000.5\",\"openInterest\":\"80\",\"singleOpenInterest\":\"40\"}]}"),
                  "interest BYBIT:BTCUSDT 2025-12-01T00:00:10.050Z c=40 v=?\n"
                  "price BYBIT:BTCUSDT 2025-12-01T00:00:10.050Z 27000.5\n");
    test_end(&test);
}

/* -- messages ---------------------------------------------------------------------------------- */

static void candles_say_when_they_are_closed(void **state)
{
    (void)state;
    struct exchange_test test = start();
    expect_message(&test,
                   "{\"topic\":\"kline.5.BTCUSDT\",\"data\":[{\"start\":1764547200000,\"end\":"
                   "1764547499999,\"interval\":\"5\",\"open\":\"16649.5\",\"close\":\"16677\","
                   "\"high\":\"16677\",\"low\":\"16608\",\"volume\":\"2.081\",\"turnover\":"
                   "\"34666.4005\",\"confirm\":true,\"timestamp\":1764547500012}],\"ts\":"
                   "1764547500013,\"type\":\"snapshot\"}",
                   "candle BYBIT:BTCUSDT 2025-12-01T00:00:00Z 16649.5 16677 16608 16677 v=2.081 "
                   "q=34666.4005 n=? tb=? tq=? closed\n");
    assert_int_equal(test.message.server_ms, 1764547500013);
    feed_text(&test, "{\"topic\":\"kline.1.BTCUSDT\",\"data\":[{\"start\":1764547200000,\"end\":"
                     "1764547259999,\"interval\":\"1\",\"open\":\"1\",\"close\":\"1\",\"high\":"
                     "\"1\",\"low\":\"1\",\"volume\":\"2\",\"confirm\":false}],\"ts\":1}");
    assert_rows(&test, "refused candle BYBIT:BTCUSDT: it does not last 5 minutes\n");
    feed_text(&test, "{\"topic\":\"kline.5.ETHUSDT\",\"data\":[{}],\"ts\":1}");
    assert_rows(&test, "");
    assert_int_equal(test.message.rows.outside, 1);
    test_end(&test);
}

static void a_ticker_tells_what_has_changed(void **state)
{
    (void)state;
    struct exchange_test test = start();
    expect_message(&test,
                   "{\"topic\":\"tickers.BTCUSDT\",\"type\":\"snapshot\",\"data\":{\"symbol\":"
                   "\"BTCUSDT\",\"lastPrice\":\"17216.00\",\"markPrice\":\"17217.33\","
                   "\"openInterest\":\"68744.761\",\"singleOpenInterest\":\"34372.38\","
                   "\"openInterestValue\":\"1183601235.91\"},\"cs\":24987956059,\"ts\":"
                   "1764547261686}",
                   "interest BYBIT:BTCUSDT 2025-12-01T00:01:01.686Z c=34372.38 v=?\n"
                   "price BYBIT:BTCUSDT 2025-12-01T00:01:01.686Z 17217.33\n");
    expect_message(&test,
                   "{\"topic\":\"tickers.BTCUSDT\",\"type\":\"delta\",\"data\":{\"symbol\":"
                   "\"BTCUSDT\",\"markPrice\":\"17218\"},\"ts\":1764547261786}",
                   "price BYBIT:BTCUSDT 2025-12-01T00:01:01.786Z 17218\n");
    expect_message(&test,
                   "{\"topic\":\"tickers.BTCUSDT\",\"type\":\"delta\",\"data\":{\"symbol\":"
                   "\"BTCUSDT\",\"bid1Price\":\"17218\"},\"ts\":1764547261886}",
                   "");
    test_end(&test);
}

static void a_bought_position_was_long(void **state)
{
    (void)state;
    struct exchange_test test = test_of(exchange_api_of(EXCHANGE_BYBIT), "ROSEUSDT", "ROSEUSDT");
    expect_message(&test,
                   "{\"topic\":\"allLiquidation.ROSEUSDT\",\"type\":\"snapshot\",\"ts\":"
                   "1764547303204,\"data\":[{\"T\":1764547302929,\"s\":\"ROSEUSDT\",\"S\":\"Sell\","
                   "\"v\":\"20000\",\"p\":\"0.04499\"},{\"T\":1764547302930,\"s\":\"ROSEUSDT\","
                   "\"S\":\"Buy\",\"v\":\"1\",\"p\":\"0.04\"},{\"T\":1764547302929,\"s\":"
                   "\"ROSEUSDT\",\"S\":\"Sell\",\"v\":\"20000\",\"p\":\"0.04499\"}]}",
                   "liquidation ROSEUSDT 2025-12-01T00:01:42.929Z short 0.04499 q=20000 v=899.8\n"
                   "liquidation ROSEUSDT 2025-12-01T00:01:42.930Z long 0.04 q=1 v=0.04\n"
                   "liquidation ROSEUSDT 2025-12-01T00:01:42.929Z short 0.04499 q=20000 v=899.8 "
                   "again=1\n");
    test_end(&test);
}

static void subscriptions_name_topics(void **state)
{
    (void)state;
    struct exchange_test test = start();
    const struct exchange_instrument *btc = &test.instruments[0];
    struct exchange_subscription three[] = {{EXCHANGE_STREAM_CANDLES, btc},
                                            {EXCHANGE_STREAM_LIQUIDATIONS, btc},
                                            {EXCHANGE_STREAM_TICKER, btc}};
    expect_subscribe(&test, three, 3, false, 3,
                     "{\"req_id\":\"7\",\"op\":\"subscribe\",\"args\":[\"kline.5.BTCUSDT\","
                     "\"allLiquidation.BTCUSDT\",\"tickers.BTCUSDT\"]}");
    expect_subscribe(&test, three + 2, 1, true, 1,
                     "{\"req_id\":\"7\",\"op\":\"unsubscribe\",\"args\":[\"tickers.BTCUSDT\"]}");
    test_end(&test);
}

static void replies_are_told_from_rows(void **state)
{
    (void)state;
    struct exchange_test test = start();
    feed_text(&test, "{\"success\":true,\"ret_msg\":\"\",\"conn_id\":\"a-b\",\"req_id\":\"7\","
                     "\"op\":\"subscribe\"}");
    assert_int_equal(test.message.kind, EXCHANGE_MESSAGE_ACKNOWLEDGED);
    assert_int_equal(test.message.number, 7);
    feed_text(&test, "{\"success\":true,\"ret_msg\":\"pong\",\"conn_id\":\"465772b1-7630\","
                     "\"req_id\":\"\",\"op\":\"ping\"}");
    assert_int_equal(test.message.kind, EXCHANGE_MESSAGE_PONG);
    feed_text(&test, "{\"req_id\":\"1\",\"op\":\"pong\",\"args\":[\"1\"]}");
    assert_int_equal(test.message.kind, EXCHANGE_MESSAGE_PONG);
    feed_text(&test, "{\"success\":false,\"ret_msg\":\"Invalid topic: kline.5.NONE\",\"req_id\":"
                     "\"9\",\"op\":\"subscribe\"}");
    assert_int_equal(test.message.kind, EXCHANGE_MESSAGE_FAULT);
    assert_int_equal(test.message.verdict.kind, EXCHANGE_NO_SYMBOL);
    assert_int_equal(test.message.number, 9);
    feed_text(&test, "{\"success\":false,\"ret_msg\":\"error:already subscribed,topic:"
                     "kline.5.BTCUSDT\",\"req_id\":\"9\",\"op\":\"subscribe\"}");
    assert_int_equal(test.message.kind, EXCHANGE_MESSAGE_ACKNOWLEDGED);
    feed_text(&test, "{\"success\":false,\"ret_msg\":\"Too many requests\",\"op\":\"subscribe\"}");
    assert_int_equal(test.message.verdict.kind, EXCHANGE_RATE_LIMITED);
    feed_text(&test, "{\"topic\":\"orderbook.1.BTCUSDT\",\"data\":{},\"ts\":1}");
    assert_int_equal(test.message.kind, EXCHANGE_MESSAGE_OTHER);
    test_end(&test);
}

/* -- refusals ---------------------------------------------------------------------------------- */

static void errors_come_with_status_200(void **state)
{
    (void)state;
    struct exchange_test test = start();
    assert_true(test_ask(&test, EXCHANGE_CANDLES, 3));
    test.header_name = "X-Bapi-Limit-Reset-Timestamp";
    test.header_value = "1764559999999";
    expect_verdict(&test, 200, "{\"retCode\":10006,\"retMsg\":\"Too many visits!\",\"result\":{}}",
                   EXCHANGE_RATE_LIMITED, 1764559999999);
    test.header_value = "1";
    expect_verdict(&test, 200, "{\"retCode\":10006,\"retMsg\":\"Too many visits!\",\"result\":{}}",
                   EXCHANGE_RATE_LIMITED, 0);
    expect_verdict(&test, 200,
                   "{\"retCode\":10001,\"retMsg\":\"params error: Symbol Invalid\",\"result\":{}}",
                   EXCHANGE_NO_SYMBOL, 0);
    expect_verdict(&test, 200, "{\"retCode\":10001,\"retMsg\":\"Invalid period!\",\"result\":{}}",
                   EXCHANGE_REFUSED, 0);
    expect_verdict(&test, 200, "{\"retCode\":10016,\"retMsg\":\"Server error.\",\"result\":{}}",
                   EXCHANGE_UNAVAILABLE, 0);
    expect_verdict(&test, 200, "{\"retCode\":10024,\"retMsg\":\"Compliance rules\"}",
                   EXCHANGE_BLOCKED, 0);
    expect_verdict(&test, 200, "{\"retCode\":10009,\"retMsg\":\"IP has been banned.\"}",
                   EXCHANGE_BANNED, 0);
    test_end(&test);
}

static void a_403_is_a_limit_or_a_firewall(void **state)
{
    (void)state;
    struct exchange_test test = start();
    assert_true(test_ask(&test, EXCHANGE_CANDLES, 3));
    expect_verdict(&test, 403, "403, access too frequent", EXCHANGE_RATE_LIMITED,
                   test.sink.now_ms + 10 * MINUTE_MS);
    expect_verdict(&test, 403,
                   "<HTML><HEAD><TITLE>ERROR: The request could not be satisfied</TITLE></HEAD>"
                   "<BODY>The Amazon CloudFront distribution is configured to block access from "
                   "your country.</BODY></HTML>",
                   EXCHANGE_BLOCKED, 0);
    assert_non_null(strstr(test.answer.verdict.message, "EXCHANGES"));
    expect_verdict(&test, 403, "<html>Access Too Frequent. Please try again later.</html>",
                   EXCHANGE_RATE_LIMITED, test.sink.now_ms + 10 * MINUTE_MS);
    assert_null(strstr(test.answer.verdict.message, "EXCHANGES"));
    expect_verdict(&test, 403, "{\"retCode\":10006,\"retMsg\":\"Too many visits!\"}",
                   EXCHANGE_RATE_LIMITED, test.sink.now_ms + 10 * MINUTE_MS);
    /* Which of the two it is, a page that says neither does not tell. */
    expect_verdict(&test, 403, "<html>Request blocked.</html>", EXCHANGE_BLOCKED,
                   test.sink.now_ms + 10 * MINUTE_MS);
    assert_non_null(strstr(test.answer.verdict.message, "too many requests, or for its country"));
    test_end(&test);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(pages_have_a_start_and_an_end),
    cmocka_unit_test(the_list_of_instruments_is_asked_for_page_by_page),
    cmocka_unit_test(the_first_candle_of_a_list_is_open),
    cmocka_unit_test(the_list_of_another_symbol_is_refused),
    cmocka_unit_test(open_interest_is_that_of_one_side),
    cmocka_unit_test(candles_say_when_they_are_closed),
    cmocka_unit_test(a_ticker_tells_what_has_changed),
    cmocka_unit_test(a_bought_position_was_long),
    cmocka_unit_test(subscriptions_name_topics),
    cmocka_unit_test(replies_are_told_from_rows),
    cmocka_unit_test(errors_come_with_status_200),
    cmocka_unit_test(a_403_is_a_limit_or_a_firewall),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
