/* OKX as it is documented: what it is asked, what its answers and messages become, and what its
 * refusals mean. Shapes and figures are those of its documentation, moved to our days. */
#include "exchange_fixture.h"

/* A contract of a hundredth of a coin. */
static struct exchange_test start(void)
{
    struct exchange_test test =
        test_of(exchange_api_of(EXCHANGE_OKX), "BTC-USDT-SWAP", "OKX:BTCUSDT");
    test.instruments[0].contract_e8 = DECIMAL_ONE / 100;
    return test;
}

#define ANSWER(data) "{\"code\":\"0\",\"msg\":\"\",\"data\":" data "}"

/* -- requests ---------------------------------------------------------------------------------- */

static void older_candles_are_asked_for_elsewhere(void **state)
{
    (void)state;
    struct exchange_test test = start();
    assert_true(test_ask(&test, EXCHANGE_CANDLES, 10));
    assert_string_equal(test.request.path,
                        "/api/v5/market/candles?instId=BTC-USDT-SWAP&bar=5m&before=1764547199999"
                        "&after=1764550200000&limit=10");
    size_t budget = test.request.budget;
    test.sink.now_ms = T0 + 2000 * STEP;
    assert_true(test_ask(&test, EXCHANGE_CANDLES, 2000));
    assert_string_equal(test.request.path,
                        "/api/v5/market/history-candles?instId=BTC-USDT-SWAP&bar=5m"
                        "&before=1764547199999&after=1764577200000&limit=100");
    assert_int_equal(test.request.end_ms, T0 + 100 * STEP);
    assert_true(test.request.budget != budget);
    test.query.is_newest_first = true;
    assert_true(exchange_request_build(test.api, &test.query, &test.request));
    assert_int_equal(test.request.start_ms, T0 + 1700 * STEP);
    assert_int_equal(test.request.budget, budget);
    test_end(&test);
}

static void open_interest_reaches_back_five_days(void **state)
{
    (void)state;
    struct exchange_test test = start();
    test.sink.now_ms = T0 + 2000 * STEP;
    assert_true(test_ask(&test, EXCHANGE_INTEREST_HISTORY, 2000));
    assert_int_equal(test.request.start_ms, T0 + (2000 - 1438) * STEP);
    assert_int_equal(test.request.end_ms, test.request.start_ms + 98 * STEP);
    assert_string_equal(test.request.path,
                        "/api/v5/rubik/stat/contracts/open-interest-history?instId=BTC-USDT-SWAP"
                        "&period=5m&begin=1764715799999&end=1764745200000&limit=100");
    assert_false(test_ask(&test, EXCHANGE_INTEREST_HISTORY, 500));
    test_end(&test);
}

/* -- answers ----------------------------------------------------------------------------------- */

static void instruments_have_sizes(void **state)
{
    (void)state;
    struct exchange_test test = start();
    assert_true(test_ask(&test, EXCHANGE_INSTRUMENTS, 0));
    assert_string_equal(test.request.path, "/api/v5/public/instruments?instType=SWAP");
    expect_answer(
        &test,
        ANSWER("[{\"ctMult\":\"1\",\"ctType\":\"inverse\",\"ctVal\":\"100\",\"ctValCcy\":\"USD\","
               "\"instId\":\"BTC-USD-SWAP\",\"state\":\"live\"},"
               "{\"ctMult\":\"1\",\"ctType\":\"linear\",\"ctVal\":\"0.01\",\"ctValCcy\":\"BTC\","
               "\"instId\":\"BTC-USDT-SWAP\",\"listTime\":\"1573557408000\",\"state\":\"live\"},"
               "{\"ctMult\":\"\",\"ctType\":\"linear\",\"ctVal\":\"10000000\",\"ctValCcy\":"
               "\"PEPE\",\"instId\":\"PEPE-USDT-SWAP\",\"listTime\":\"\",\"state\":\"suspend\"},"
               "{\"ctMult\":\"10\",\"ctType\":\"linear\",\"ctVal\":\"0.1\",\"ctValCcy\":\"X\","
               "\"instId\":\"X-USDT-SWAP\",\"state\":\"live\"},"
               "{\"ctMult\":\"1\",\"ctType\":\"linear\",\"ctVal\":\"1\",\"ctValCcy\":\"USDT\","
               "\"instId\":\"Y-USDT-SWAP\",\"state\":\"live\"},"
               "{\"ctType\":\"linear\",\"ctVal\":\"\",\"ctValCcy\":\"Z\",\"instId\":"
               "\"Z-USDT-SWAP\"}]"),
        "instrument BTC-USDT-SWAP contract=0.01 listed=2019-11-12T11:16:48Z trading\n"
        "instrument PEPE-USDT-SWAP contract=10000000 listed=?\n"
        "instrument X-USDT-SWAP contract=1 listed=? trading\n"
        "refused instrument ?: the size of a contract of Y-USDT-SWAP is not told\n"
        "refused instrument ?: the size of a contract of Z-USDT-SWAP is not told\n");
    test_end(&test);
}

static void volumes_are_in_coins(void **state)
{
    (void)state;
    struct exchange_test test = start();
    assert_true(test_ask(&test, EXCHANGE_CANDLES, 3));
    expect_answer(&test,
                  ANSWER("[[\"1764547500000\",\"8533.02\",\"8553.74\",\"8527.17\",\"8548.26\","
                         "\"45247\",\"452.47\",\"3861000.5\",\"0\"],"
                         "[\"1764547200000\",\"8530\",\"8540\",\"8527.17\",\"8533.02\",\"100\","
                         "\"1\",\"8530\",\"1\"],"
                         "[\"1764547200000\",\"8530\",\"8540\",\"8527.17\",\"8533.02\",\"100\","
                         "\"1\",\"8530\"]]"),
                  "candle OKX:BTCUSDT 2025-12-01T00:05:00Z 8533.02 8553.74 8527.17 8548.26 "
                  "v=452.47 q=3861000.5 n=? tb=? tq=? open\n"
                  "candle OKX:BTCUSDT 2025-12-01T00:00:00Z 8530 8540 8527.17 8533.02 v=1 q=8530 "
                  "n=? tb=? tq=? closed\n"
                  "refused candle OKX:BTCUSDT: it does not say whether it is closed\n");
    test_end(&test);
}

static void open_interest_is_in_coins(void **state)
{
    (void)state;
    struct exchange_test test = start();
    assert_true(test_ask(&test, EXCHANGE_INTEREST_HISTORY, 3));
    expect_answer(
        &test, ANSWER("[[\"1764547200000\",\"731377.57500501\",\"7313.77575005\",\"640000000\"]]"),
        "interest OKX:BTCUSDT 2025-12-01T00:00:00Z c=7313.77575005 v=640000000 label\n");
    assert_true(test_ask(&test, EXCHANGE_INTEREST_NOW, 0));
    expect_answer(&test,
                  ANSWER("[{\"instType\":\"SWAP\",\"instId\":\"ETH-USDT-SWAP\",\"oi\":\"5\","
                         "\"oiCcy\":\"6\",\"oiUsd\":\"7\",\"ts\":\"1764547205000\"},"
                         "{\"instType\":\"SWAP\",\"instId\":\"BTC-USDT-SWAP\",\"oi\":\"5000\","
                         "\"oiCcy\":\"50\",\"oiUsd\":\"\",\"ts\":\"1764547205000\"}]"),
                  "interest OKX:BTCUSDT 2025-12-01T00:00:05Z c=50 v=?\n");
    assert_int_equal(test.answer.rows.outside, 1);
    test_end(&test);
}

/* -- messages ---------------------------------------------------------------------------------- */

static void pushes_name_their_channel(void **state)
{
    (void)state;
    struct exchange_test test = start();
    expect_message(&test,
                   "{\"arg\":{\"channel\":\"candle5m\",\"instId\":\"BTC-USDT-SWAP\"},\"data\":[["
                   "\"1764547200000\",\"8530\",\"8540\",\"8527.17\",\"8533.02\",\"100\",\"1\","
                   "\"8530\",\"1\"]]}",
                   "candle OKX:BTCUSDT 2025-12-01T00:00:00Z 8530 8540 8527.17 8533.02 v=1 q=8530 "
                   "n=? tb=? tq=? closed\n");
    expect_message(&test,
                   "{\"arg\":{\"channel\":\"mark-price\",\"instId\":\"BTC-USDT-SWAP\"},\"data\":"
                   "[{\"instType\":\"SWAP\",\"instId\":\"BTC-USDT-SWAP\",\"markPx\":\"42310.6\","
                   "\"ts\":\"1764547230000\"}]}",
                   "price OKX:BTCUSDT 2025-12-01T00:00:30Z 42310.6\n");
    expect_message(&test,
                   "{\"arg\":{\"channel\":\"open-interest\",\"instId\":\"BTC-USDT-SWAP\"},"
                   "\"data\":[{\"instId\":\"BTC-USDT-SWAP\",\"instType\":\"SWAP\",\"oi\":\"2216113"
                   "\",\"oiCcy\":\"22161.1\",\"oiUsd\":\"939857000\",\"ts\":\"1764547230000\"}]}",
                   "interest OKX:BTCUSDT 2025-12-01T00:00:30Z c=22161.1 v=939857000\n");
    feed_text(&test,
              "{\"arg\":{\"channel\":\"candle1m\",\"instId\":\"BTC-USDT-SWAP\"},\"data\":[]}");
    assert_rows(&test, "refused candle ?: candle1m does not last 5 minutes\n");
    feed_text(&test, "{\"arg\":{\"channel\":\"trades\",\"instId\":\"X\"},\"data\":[{}]}");
    assert_int_equal(test.message.kind, EXCHANGE_MESSAGE_OTHER);
    test_end(&test);
}

#define LIQUIDATIONS(details)                                                                      \
    "{\"arg\":{\"channel\":\"liquidation-orders\",\"instType\":\"SWAP\"},\"data\":[{\"details\":"  \
    "[" details                                                                                    \
    "],\"instFamily\":\"BTC-USDT\",\"instId\":\"BTC-USDT-SWAP\",\"instType\":\"SWAP\","            \
    "\"uly\":\"BTC-USDT\"},{\"details\":[{\"side\":\"buy\"}],\"instId\":\"IOST-USDT-SWAP\"}]}"
#define DETAIL(side, position, time)                                                               \
    "{\"bkLoss\":\"0\",\"bkPx\":\"42000.5\",\"ccy\":\"\",\"posSide\":\"" position                  \
    "\",\"side\":\"" side "\",\"sz\":\"13\",\"ts\":\"" time "\"}"

static void contracts_become_coins(void **state)
{
    (void)state;
    struct exchange_test test = start();
    expect_message(&test,
                   LIQUIDATIONS(DETAIL("buy", "short", "1764547230000") "," DETAIL(
                       "sell", "net", "1764547230001") "," DETAIL("buy", "short", "1764547230000")),
                   "liquidation OKX:BTCUSDT 2025-12-01T00:00:30Z short 42000.5 q=0.13 v=5460.065\n"
                   "liquidation OKX:BTCUSDT 2025-12-01T00:00:30.001Z long 42000.5 q=0.13 "
                   "v=5460.065\n"
                   "liquidation OKX:BTCUSDT 2025-12-01T00:00:30Z short 42000.5 q=0.13 v=5460.065 "
                   "again=1\n");
    assert_int_equal(test.message.rows.outside, 1);
    test.instruments[0].contract_e8 = 0;
    feed_text(&test, LIQUIDATIONS(DETAIL("buy", "short", "1764547230000")));
    assert_rows(&test, "refused liquidation OKX:BTCUSDT: the size of a contract is not known\n");
    test_end(&test);
}

static void sides_that_contradict_are_refused(void **state)
{
    (void)state;
    struct exchange_test test = start();
    expect_message(&test, LIQUIDATIONS(DETAIL("buy", "long", "1764547230000")),
                   "refused liquidation OKX:BTCUSDT: it does not say which side was "
                   "liquidated\n");
    test_end(&test);
}

static void liquidations_from_before_the_subscription_are_passed_over(void **state)
{
    (void)state;
    struct exchange_test test = start();
    test.sink.subscribed_ms = T0 + 60000;
    test.sink.tolerance_ms = 2000;
    expect_message(&test,
                   LIQUIDATIONS(DETAIL("buy", "short", "1764547230000") "," DETAIL(
                       "sell", "long", "1764547258000")),
                   "liquidation OKX:BTCUSDT 2025-12-01T00:00:58Z long 42000.5 q=0.13 "
                   "v=5460.065\n");
    assert_int_equal(test.message.rows.outside, 2);
    test_end(&test);
}

static void subscriptions_name_channels(void **state)
{
    (void)state;
    struct exchange_test test = start();
    const struct exchange_instrument *btc = &test.instruments[0];
    struct exchange_subscription candles[] = {{EXCHANGE_STREAM_CANDLES, btc},
                                              {EXCHANGE_STREAM_CANDLES, btc}};
    struct exchange_subscription others[] = {{EXCHANGE_STREAM_LIQUIDATIONS, NULL},
                                             {EXCHANGE_STREAM_TICKER, btc},
                                             {EXCHANGE_STREAM_LIQUIDATIONS, NULL}};
    expect_subscribe(&test, candles, 2, false, 2,
                     "{\"id\":\"7\",\"op\":\"subscribe\",\"args\":[{\"channel\":\"candle5m\","
                     "\"instId\":\"BTC-USDT-SWAP\"},{\"channel\":\"candle5m\",\"instId\":"
                     "\"BTC-USDT-SWAP\"}]}");
    /* The one for all contracts goes alone, wherever it stands. */
    expect_subscribe(&test, others, 2, true, 1,
                     "{\"id\":\"7\",\"op\":\"unsubscribe\",\"args\":[{\"channel\":"
                     "\"liquidation-orders\",\"instType\":\"SWAP\"}]}");
    expect_subscribe(&test, others + 1, 2, false, 1,
                     "{\"id\":\"7\",\"op\":\"subscribe\",\"args\":[{\"channel\":\"mark-price\","
                     "\"instId\":\"BTC-USDT-SWAP\"},{\"channel\":\"open-interest\",\"instId\":"
                     "\"BTC-USDT-SWAP\"}]}");
    assert_string_not_equal(test.api->streams[EXCHANGE_STREAM_CANDLES].path,
                            test.api->streams[EXCHANGE_STREAM_TICKER].path);
    test_end(&test);
}

static void replies_are_told_from_rows(void **state)
{
    (void)state;
    struct exchange_test test = start();
    feed_text(&test, "pong");
    assert_int_equal(test.message.kind, EXCHANGE_MESSAGE_PONG);
    feed_text(&test, "{\"id\":\"7\",\"event\":\"subscribe\",\"arg\":{\"channel\":\"candle5m\","
                     "\"instId\":\"BTC-USDT-SWAP\"},\"connId\":\"a4d3ae55\"}");
    assert_int_equal(test.message.kind, EXCHANGE_MESSAGE_ACKNOWLEDGED);
    assert_int_equal(test.message.number, 7);
    feed_text(&test, "{\"event\":\"error\",\"code\":\"60018\",\"msg\":\"Wrong URL or channel:"
                     "candle5m,instId:NONE-USDT-SWAP doesn't exist.\",\"connId\":\"a4d3ae55\"}");
    assert_int_equal(test.message.kind, EXCHANGE_MESSAGE_FAULT);
    assert_int_equal(test.message.verdict.kind, EXCHANGE_NO_SYMBOL);
    feed_text(&test, "{\"event\":\"error\",\"code\":\"60012\",\"msg\":\"Invalid request\"}");
    assert_int_equal(test.message.verdict.kind, EXCHANGE_REFUSED);
    feed_text(&test, "{\"event\":\"notice\",\"code\":\"64008\",\"msg\":\"The connection will soon "
                     "be closed for a service upgrade. Please reconnect.\"}");
    assert_int_equal(test.message.kind, EXCHANGE_MESSAGE_CLOSING);
    feed_text(&test, "{\"event\":\"channel-conn-count\",\"channel\":\"x\",\"connCount\":\"1\"}");
    assert_int_equal(test.message.kind, EXCHANGE_MESSAGE_OTHER);
    test_end(&test);
}

/* -- refusals ---------------------------------------------------------------------------------- */

static void codes_have_their_meaning(void **state)
{
    (void)state;
    struct exchange_test test = start();
    assert_true(test_ask(&test, EXCHANGE_CANDLES, 3));
    test.retry_after_seconds = 3;
    expect_verdict(&test, 429, "{\"msg\":\"Too Many Requests\",\"code\":\"50011\"}",
                   EXCHANGE_RATE_LIMITED, test.sink.now_ms + 3000);
    expect_verdict(&test, 200, "{\"msg\":\"Instrument ID does not exist\",\"code\":\"51001\"}",
                   EXCHANGE_NO_SYMBOL, 0);
    expect_verdict(&test, 200, "{\"msg\":\"System is busy\",\"code\":\"50013\",\"data\":[]}",
                   EXCHANGE_UNAVAILABLE, 0);
    expect_verdict(&test, 200, "{\"msg\":\"Parameter bar error\",\"code\":\"51000\"}",
                   EXCHANGE_REFUSED, 0);
    expect_verdict(&test, 404, "{\"code\":404,\"data\":{},\"msg\":\"Not Found\"}", EXCHANGE_REFUSED,
                   0);
    test_end(&test);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(older_candles_are_asked_for_elsewhere),
    cmocka_unit_test(open_interest_reaches_back_five_days),
    cmocka_unit_test(instruments_have_sizes),
    cmocka_unit_test(volumes_are_in_coins),
    cmocka_unit_test(open_interest_is_in_coins),
    cmocka_unit_test(pushes_name_their_channel),
    cmocka_unit_test(contracts_become_coins),
    cmocka_unit_test(sides_that_contradict_are_refused),
    cmocka_unit_test(liquidations_from_before_the_subscription_are_passed_over),
    cmocka_unit_test(subscriptions_name_channels),
    cmocka_unit_test(replies_are_told_from_rows),
    cmocka_unit_test(codes_have_their_meaning),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
