/* Hyperliquid as it is documented: what it is asked, what its answers and messages become, and what
 * its refusals mean. Shapes and figures are those of its documentation, moved to our days. */
#include "exchange_fixture.h"

static struct exchange_test start(void)
{
    return test_of(exchange_api_of(EXCHANGE_HYPERLIQUID), "BTC", "HYPERLIQUID:BTCUSDT");
}

/* -- requests ---------------------------------------------------------------------------------- */

static void questions_are_posted(void **state)
{
    (void)state;
    struct exchange_test test = start();
    assert_true(test_ask(&test, EXCHANGE_CANDLES, 120));
    assert_string_equal(test.request.path, "/info");
    assert_string_equal(test.request.body,
                        "{\"type\":\"candleSnapshot\",\"req\":{\"coin\":\"BTC\",\"interval\":"
                        "\"5m\",\"startTime\":1764547200000,\"endTime\":1764583199999}}");
    assert_int_equal(test.request.weight, 23);
    assert_true(test_ask(&test, EXCHANGE_INSTRUMENTS, 0));
    assert_string_equal(test.request.body, "{\"type\":\"meta\"}");
    assert_true(test_ask(&test, EXCHANGE_INTEREST_NOW, 0));
    assert_string_equal(test.request.body, "{\"type\":\"metaAndAssetCtxs\"}");
    assert_int_equal(test.request.weight, 20);
    assert_false(test_ask(&test, EXCHANGE_INTEREST_HISTORY, 3));
    assert_true(test.api->needs_interest_samples);
    test_end(&test);
}

static void candles_reach_back_seventeen_days(void **state)
{
    (void)state;
    struct exchange_test test = start();
    test.sink.now_ms = T0 + 6000 * STEP;
    assert_true(test_ask(&test, EXCHANGE_CANDLES, 6000));
    assert_int_equal(test.request.start_ms, T0 + (6000 - 4998) * STEP);
    assert_int_equal(test.request.end_ms, T0 + 6000 * STEP);
    test_end(&test);
}

/* -- answers ----------------------------------------------------------------------------------- */

#define CANDLE(open, close, coin, interval)                                                        \
    "{\"T\":" close ",\"c\":\"0.001604\",\"h\":\"0.001616\",\"i\":\"" interval                     \
    "\",\"l\":\"0.001601\",\"n\":709,\"o\":\"0.001601\",\"s\":\"" coin "\",\"t\":" open            \
    ",\"v\":\"520665683.0\"}"

static void the_last_candle_of_a_list_is_open(void **state)
{
    (void)state;
    struct exchange_test test =
        test_of(exchange_api_of(EXCHANGE_HYPERLIQUID), "kPEPE", "1000PEPEUSDT");
    test.sink.now_ms = T0 + STEP + 7000;
    assert_true(test_ask(&test, EXCHANGE_CANDLES, 3));
    expect_answer(&test,
                  "[" CANDLE("1764547200000", "1764547499999", "kPEPE",
                             "5m") "," CANDLE("1764547500000", "1764547799999", "kPEPE", "5m") "]",
                  "candle 1000PEPEUSDT 2025-12-01T00:00:00Z 0.001601 0.001616 0.001601 0.001604 "
                  "v=520665683 q=? n=709 tb=? tq=? closed\n"
                  "candle 1000PEPEUSDT 2025-12-01T00:05:00Z 0.001601 0.001616 0.001601 0.001604 "
                  "v=520665683 q=? n=709 tb=? tq=? open\n");
    expect_answer(&test,
                  "[" CANDLE("1764547200000", "1764547499999", "PEPE",
                             "5m") "," CANDLE("1764547200000", "1764550799999", "kPEPE", "1h") "]",
                  "refused candle 1000PEPEUSDT: it is of PEPE, and kPEPE was asked for\n"
                  "refused candle 1000PEPEUSDT: it does not last 5 minutes\n");
    test_end(&test);
}

static void contexts_are_joined_by_their_index(void **state)
{
    (void)state;
    struct exchange_test test = start();
    assert_true(test_ask(&test, EXCHANGE_INTEREST_NOW, 0));
    expect_answer(
        &test,
        "[{\"universe\":[{\"name\":\"ETH\",\"szDecimals\":4,\"maxLeverage\":50},"
        "{\"name\":\"BTC\",\"szDecimals\":5,\"maxLeverage\":50}]},[{\"markPx\":\"1\","
        "\"openInterest\":\"2\"},{\"dayNtlVlm\":\"1169046.29406\",\"funding\":"
        "\"0.0000125\",\"impactPxs\":[\"14.3\",\"14.4\"],\"markPx\":\"94321.5\",\"midPx\":"
        "null,\"openInterest\":\"21688.11\",\"oraclePx\":\"94300\"}]]",
        "interest HYPERLIQUID:BTCUSDT 2025-12-01T00:50:30Z c=21688.11 v=?\n"
        "price HYPERLIQUID:BTCUSDT 2025-12-01T00:50:30Z 94321.5\n");
    static const char one_too_few[] = "[{\"universe\":[{\"name\":\"ETH\"},{\"name\":\"BTC\"}]},"
                                      "[{\"markPx\":\"1\",\"openInterest\":\"2\"}]]";
    expect_verdict(&test, 200, one_too_few, EXCHANGE_BROKEN, 0);
    test_end(&test);
}

static void instruments_are_coins(void **state)
{
    (void)state;
    struct exchange_test test = start();
    assert_true(test_ask(&test, EXCHANGE_INSTRUMENTS, 0));
    expect_answer(&test,
                  "{\"universe\":[{\"isDelisted\":null,\"maxLeverage\":40,\"name\":\"BTC\"},"
                  "{\"name\":\"MATIC\",\"isDelisted\":true},{\"name\":\"\"}]}",
                  "instrument BTC contract=1 listed=? trading\n"
                  "instrument MATIC contract=1 listed=?\n"
                  "refused instrument ?: it has no usable name\n");
    test_end(&test);
}

/* -- messages ---------------------------------------------------------------------------------- */

static void streams_do_not_close_candles(void **state)
{
    (void)state;
    struct exchange_test test =
        test_of(exchange_api_of(EXCHANGE_HYPERLIQUID), "kPEPE", "1000PEPEUSDT");
    expect_message(&test,
                   "{\"channel\":\"candle\",\"data\":" CANDLE("1764547200000", "1764547499999",
                                                              "kPEPE", "5m") "}",
                   "candle 1000PEPEUSDT 2025-12-01T00:00:00Z 0.001601 0.001616 0.001601 0.001604 "
                   "v=520665683 q=? n=709 tb=? tq=? open\n");
    assert_false(test.api->streams[EXCHANGE_STREAM_CANDLES].tells_closed);
    test_end(&test);
}

static void the_context_of_a_coin_has_its_open_interest(void **state)
{
    (void)state;
    struct exchange_test test = start();
    expect_message(&test,
                   "{\"channel\":\"activeAssetCtx\",\"data\":{\"coin\":\"BTC\",\"ctx\":{"
                   "\"dayNtlVlm\":\"1.5\",\"markPx\":94321.5,\"openInterest\":\"21688.11\","
                   "\"oraclePx\":\"94300\"}}}",
                   "interest HYPERLIQUID:BTCUSDT 2025-12-01T00:50:30Z c=21688.11 v=?\n"
                   "price HYPERLIQUID:BTCUSDT 2025-12-01T00:50:30Z 94321.5\n");
    test_end(&test);
}

static void a_subscription_is_a_message(void **state)
{
    (void)state;
    struct exchange_test test = start();
    const struct exchange_instrument *btc = &test.instruments[0];
    struct exchange_subscription two[] = {{EXCHANGE_STREAM_CANDLES, btc},
                                          {EXCHANGE_STREAM_TICKER, btc}};
    expect_subscribe(&test, two, 2, false, 1,
                     "{\"method\":\"subscribe\",\"subscription\":{\"type\":\"candle\",\"coin\":"
                     "\"BTC\",\"interval\":\"5m\"}}");
    expect_subscribe(&test, two + 1, 1, true, 1,
                     "{\"method\":\"unsubscribe\",\"subscription\":{\"type\":\"activeAssetCtx\","
                     "\"coin\":\"BTC\"}}");
    assert_null(test.api->streams[EXCHANGE_STREAM_LIQUIDATIONS].path);
    test_end(&test);
}

static void replies_are_told_from_rows(void **state)
{
    (void)state;
    struct exchange_test test = start();
    feed_text(&test, "Websocket connection established.");
    assert_int_equal(test.message.kind, EXCHANGE_MESSAGE_GREETING);
    feed_text(&test, "{\"channel\":\"pong\"}");
    assert_int_equal(test.message.kind, EXCHANGE_MESSAGE_PONG);
    feed_text(&test, "{\"channel\":\"subscriptionResponse\",\"data\":{\"method\":\"subscribe\","
                     "\"subscription\":{\"type\":\"candle\",\"coin\":\"BTC\"}}}");
    assert_int_equal(test.message.kind, EXCHANGE_MESSAGE_ACKNOWLEDGED);
    /* The end of a subscription is no answer to the beginning of another. */
    feed_text(&test, "{\"channel\":\"subscriptionResponse\",\"data\":{\"method\":\"unsubscribe\","
                     "\"subscription\":{\"type\":\"candle\",\"coin\":\"BTC\"}}}");
    assert_int_equal(test.message.kind, EXCHANGE_MESSAGE_OTHER);
    feed_text(&test, "{\"channel\":\"error\",\"data\":\"Already subscribed: {}\"}");
    assert_int_equal(test.message.kind, EXCHANGE_MESSAGE_ACKNOWLEDGED);
    feed_text(&test, "{\"channel\":\"error\",\"data\":\"Invalid subscription\"}");
    assert_int_equal(test.message.kind, EXCHANGE_MESSAGE_FAULT);
    assert_int_equal(test.message.verdict.kind, EXCHANGE_REFUSED);
    feed_text(&test, "{\"channel\":\"allMids\",\"data\":{}}");
    assert_int_equal(test.message.kind, EXCHANGE_MESSAGE_OTHER);
    test_end(&test);
}

/* -- refusals ---------------------------------------------------------------------------------- */

static void statuses_have_their_meaning(void **state)
{
    (void)state;
    struct exchange_test test = start();
    assert_true(test_ask(&test, EXCHANGE_CANDLES, 3));
    expect_verdict(&test, 500, "null", EXCHANGE_NO_SYMBOL, 0);
    expect_verdict(&test, 500, "", EXCHANGE_UNAVAILABLE, 0);
    expect_verdict(&test, 429, "null", EXCHANGE_RATE_LIMITED, 0);
    expect_verdict(&test, 422, "Failed to deserialize the JSON body into the target type",
                   EXCHANGE_REFUSED, 0);
    assert_non_null(strstr(test.answer.verdict.message, "deserialize"));
    expect_verdict(&test, 200, "{}", EXCHANGE_BROKEN, 0);
    test_end(&test);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(questions_are_posted),
    cmocka_unit_test(candles_reach_back_seventeen_days),
    cmocka_unit_test(the_last_candle_of_a_list_is_open),
    cmocka_unit_test(contexts_are_joined_by_their_index),
    cmocka_unit_test(instruments_are_coins),
    cmocka_unit_test(streams_do_not_close_candles),
    cmocka_unit_test(the_context_of_a_coin_has_its_open_interest),
    cmocka_unit_test(a_subscription_is_a_message),
    cmocka_unit_test(replies_are_told_from_rows),
    cmocka_unit_test(statuses_have_their_meaning),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
