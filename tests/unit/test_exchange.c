/* What is the same for all exchanges: names, what a row must be to be taken, and what an answer is
 * that no exchange would give. */
#include "exchange_fixture.h"

/* -- names ------------------------------------------------------------------------------------- */

static void symbols_have_names_on_each_exchange(void **state)
{
    (void)state;
    static const struct {
        enum exchange_id id;
        const char *name, *listings;
    } expected[] = {
        {EXCHANGE_BINANCE, "BTCUSDT", "BTCUSDT "},
        {EXCHANGE_BINANCE, "BTCUSDT_260626", "BTCUSDT_260626 "},
        {EXCHANGE_BINANCE, "1000PEPEUSDT", "1000PEPEUSDT PEPEUSDTx3 "},
        {EXCHANGE_BYBIT, "BTCUSDT", "BTCUSDT "},
        {EXCHANGE_BYBIT, "BTCUSDC", "BTCUSDC BTCPERP "},
        {EXCHANGE_BYBIT, "1000SHIBUSDT", "1000SHIBUSDT SHIB1000USDT SHIBUSDTx3 "},
        {EXCHANGE_BYBIT, "1INCHUSDT", "1INCHUSDT "},
        {EXCHANGE_OKX, "BTCUSDT", "BTC-USDT-SWAP "},
        {EXCHANGE_OKX, "ETHUSDC", "ETH-USDC-SWAP "},
        {EXCHANGE_OKX, "1000PEPEUSDT", "1000PEPE-USDT-SWAP PEPE-USDT-SWAPx3 "},
        {EXCHANGE_OKX, "1000000MOGUSDT", "1000000MOG-USDT-SWAP MOG-USDT-SWAPx6 "},
        {EXCHANGE_OKX, "BTC-USDT-SWAP", "BTC-USDT-SWAP "},
        {EXCHANGE_OKX, "BTCUSD", ""},
        {EXCHANGE_OKX, "USDT", ""},
        {EXCHANGE_HYPERLIQUID, "BTCUSDT", "BTC "},
        {EXCHANGE_HYPERLIQUID, "BTC", "BTC "},
        {EXCHANGE_HYPERLIQUID, "1000PEPEUSDT", "kPEPE PEPEx3 "},
        {EXCHANGE_HYPERLIQUID, "1000000MOGUSDT", "kMOGx3 MOGx6 "},
        {EXCHANGE_HYPERLIQUID, "1000USDT", "1000 "},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct exchange_listing listings[EXCHANGE_LISTINGS_MAX];
        struct buffer found = {0};
        size_t count =
            exchange_listings(exchange_api_of(expected[i].id), expected[i].name, listings);
        for (size_t j = 0; j < count; j++) {
            buffer_append_text(&found, listings[j].native);
            if (listings[j].bundle_digits > 0)
                buffer_append_format(&found, "x%d", listings[j].bundle_digits);
            buffer_append_char(&found, ' ');
        }
        assert_string_equal(buffer_text(&found), expected[i].listings);
        buffer_deinit(&found);
    }
}

static void exchanges_are_what_their_place_says(void **state)
{
    (void)state;
    for (int id = 0; id < EXCHANGE_COUNT; id++) {
        const struct exchange_api *api = exchange_api_of((enum exchange_id)id);
        assert_int_equal(api->id, id);
        assert_true(api->offers[EXCHANGE_CANDLES].is_offered);
        assert_true(api->offers[EXCHANGE_INSTRUMENTS].is_offered);
        assert_true(api->needs_interest_samples ||
                    api->offers[EXCHANGE_INTEREST_HISTORY].is_offered);
        assert_non_null(api->streams[EXCHANGE_STREAM_CANDLES].path);
        assert_non_null(api->streams[EXCHANGE_STREAM_TICKER].path);
        assert_true(api->socket.subscriptions_max > 0 && api->socket.acknowledge_ms > 0);
        assert_true(api->socket.silence_ms > api->socket.ping_interval_ms);
        assert_int_equal(api->socket.ping != NULL, api->socket.ping_interval_ms > 0);
    }
}

/* -- candles ----------------------------------------------------------------------------------- */

static struct exchange_test start(void)
{
    struct exchange_test test = test_of(exchange_api_of(EXCHANGE_BYBIT), "BTCUSDT", "BTCUSDT");
    assert_true(test_ask(&test, EXCHANGE_CANDLES, 20));
    return test;
}

/* `candles` are the rows of a list. */
static void feed_candles(struct exchange_test *test, const char *candles)
{
    char body[2048];
    test->query.instrument = &test->instruments[0]; /* which has moved since start() */
    snprintf(body, sizeof body, "{\"retCode\":0,\"result\":{\"symbol\":\"BTCUSDT\",\"list\":[%s]}}",
             candles);
    feed_answer(test, 200, body, strlen(body));
    assert_int_equal(test->answer.verdict.kind, EXCHANGE_OK);
}

static void a_candle_that_cannot_be_is_refused(void **state)
{
    (void)state;
    static const char *const candles[][2] = {
        {"[1764547200000,\"5\",\"4\",\"6\",\"5\",1]", "its high is below its low"},
        {"[1764547200000,\"7\",\"6\",\"4\",\"5\",1]", "its open is not between its low"},
        {"[1764547200000,\"3\",\"6\",\"4\",\"5\",1]", "its open is not between its low"},
        {"[1764547200000,\"5\",\"6\",\"4\",\"7\",1]", "its close is not between its low"},
        {"[1764547200000,\"5\",\"6\",\"4\",\"3\",1]", "its close is not between its low"},
        {"[1764547200000,\"0\",\"6\",\"0\",\"5\",1]", "its open is '0', which is not above 0"},
        {"[1764547200000,\"-5\",\"6\",\"4\",\"5\",1]", "its open is '-5', which is not above 0"},
        {"[1764547200000,\"5\",\"NaN\",\"4\",\"5\",1]", "its high is 'NaN', which is no price"},
        {"[1764547200000,\"5\",\"inf\",\"4\",\"5\",1]", "its high is 'inf', which is no price"},
        {"[1764547200000,\"5\",null,\"4\",\"5\",1]", "its high is nothing, which is no price"},
        {"[1764547200000,\"5\",\"6\",[],\"5\",1]", "its low is no number, which is no price"},
        {"[1764547200000,\"5\",\"6\",\"4\",\"\",1]", "its close is '', which is no price"},
        {"[1764547200000,\"5\",\"1e30\",\"4\",\"5\",1]", "its high is '1e30', which is too large"},
        {"[1764547200000,\"5\",\"6e10\",\"4\",\"5\",1]", "its high is '6e10', which is too large"},
        {"[1764547200000,\"0.000000004\",\"6\",\"4\",\"5\",1]", "which has more than 8 decimals"},
        {"[1764547200000,\"5\",\"6\",\"4\",\"5\",-1]", "its volume is -1, not from 0"},
        {"[1764547200000,\"5\",\"6\",\"4\",\"5\",\"nan\"]", "its volume is 'nan', not from 0"},
        {"[1764547200000,\"5\",\"6\",\"4\",\"5\"]", "its volume is nothing, not from 0"},
        {"[1764547200001,\"5\",\"6\",\"4\",\"5\",1]", "its time is no multiple of 5 minutes"},
        {"[1764547260000,\"5\",\"6\",\"4\",\"5\",1]", "its time is no multiple of 5 minutes"},
        {"[4070908800000,\"5\",\"6\",\"4\",\"5\",1]", "its time is in the future"},
        {"[1764550500000,\"5\",\"6\",\"4\",\"5\",1]", "its time is in the future"},
        {"[\"300\",\"5\",\"6\",\"4\",\"5\",1]", "its time is before 2010"},
        {"[0,\"5\",\"6\",\"4\",\"5\",1]", "its time is 0"},
        {"[\"today\",\"5\",\"6\",\"4\",\"5\",1]", "its time is 'today'"},
        {"[-1764547200000,\"5\",\"6\",\"4\",\"5\",1]", "its time is -1764547200000"},
        {"[]", "its time is nothing"},
        {"{}", "its time is nothing"},
        {"7", "its time is nothing"},
    };
    struct exchange_test test = start();
    for (size_t i = 0; i < sizeof candles / sizeof candles[0]; i++) {
        feed_candles(&test, candles[i][0]);
        const char *rows = buffer_text(&test.rows);
        if (strncmp(rows, "refused candle BTCUSDT: ", 24) != 0 ||
            strstr(rows, candles[i][1]) == NULL)
            fail_msg("%s gave '%s'", candles[i][0], rows);
        assert_int_equal(test.answer.rows.refused, 1);
        assert_int_equal(test.answer.rows.taken, 0);
    }
    test_end(&test);
}

static void good_rows_beside_bad_ones_are_taken_in_any_order(void **state)
{
    (void)state;
    struct exchange_test test = start();
    feed_candles(&test, "[1764547500000,2,2,2,2,0],[1764547800000,3,1,3,3,0],"
                        "[1764547200000,1,1,1,1,0],[1764547500000,2,2,2,2,0]");
    assert_rows(&test, "candle BTCUSDT 2025-12-01T00:05:00Z 2 2 2 2 v=0 q=? n=? tb=? tq=? closed\n"
                       "refused candle BTCUSDT: its high is below its low: "
                       "2025-12-01T00:10:00Z\n"
                       "candle BTCUSDT 2025-12-01T00:00:00Z 1 1 1 1 v=0 q=? n=? tb=? tq=? closed\n"
                       "candle BTCUSDT 2025-12-01T00:05:00Z 2 2 2 2 v=0 q=? n=? tb=? tq=? "
                       "closed\n");
    assert_int_equal(test.answer.rows.oldest_ms, T0);
    assert_int_equal(test.answer.rows.newest_ms, T0 + STEP);
    test_end(&test);
}

static void rows_outside_of_the_question_are_passed_over(void **state)
{
    (void)state;
    struct exchange_test test = start();
    assert_true(test_ask(&test, EXCHANGE_CANDLES, 2));
    feed_candles(&test, "[1764546900000,1,1,1,1,0],[1764547800000,1,1,1,1,0]");
    assert_rows(&test, "");
    assert_int_equal(test.answer.rows.outside, 2);
    assert_int_equal(test.answer.rows.newest_ms, 0);
    test_end(&test);
}

static void times_are_of_any_unit_and_type(void **state)
{
    (void)state;
    static const char *const times[] = {
        "1764547200",       "\"1764547200\"",       "1764547200000",           "\"1764547200000\"",
        "1764547200000000", "\"1764547200000000\"", "\"1764547200000000000\"", "1764547200000.0",
        "1.7645472e12",     "\"1.7645472e12\"",
    };
    struct exchange_test test = start();
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char candle[200];
        snprintf(candle, sizeof candle, "[%s,1,1,1,1,0]", times[i]);
        feed_candles(&test, candle);
        assert_int_equal(test.answer.rows.taken, 1);
        assert_int_equal(test.answer.rows.newest_ms, T0);
    }
    test_end(&test);
}

static void prices_are_exact_as_text_and_as_numbers(void **state)
{
    (void)state;
    struct exchange_test test = start();
    feed_candles(&test, "[1764547200000,\"0.00000432\",98450.12345678,4.32e-6,\"9.84e4\",1]");
    assert_rows(&test, "candle BTCUSDT 2025-12-01T00:00:00Z 0.00000432 98450.12345678 0.00000432 "
                       "98400 v=1 q=? n=? tb=? tq=? closed\n");
    feed_candles(&test, "[1764547200000,\"0.10000000000\",0.3,0.1,\"0.3000000000000\",1]");
    assert_rows(&test, "candle BTCUSDT 2025-12-01T00:00:00Z 0.1 0.3 0.1 0.3 v=1 q=? n=? tb=? tq=? "
                       "closed\n");
    test_end(&test);
}

static void a_volume_that_no_column_holds_is_not_known(void **state)
{
    (void)state;
    struct exchange_test test = start();
    feed_candles(&test, "[1764547200000,1,1,1,1,\"12345678901\",\"1e12\"]");
    assert_rows(&test,
                "candle BTCUSDT 2025-12-01T00:00:00Z 1 1 1 1 v=? q=? n=? tb=? tq=? closed\n");
    feed_candles(&test, "[1764547200000,1,1,1,1,\"123456789012345678\",\"\"]");
    assert_rows(&test,
                "candle BTCUSDT 2025-12-01T00:00:00Z 1 1 1 1 v=? q=? n=? tb=? tq=? closed\n");
    test_end(&test);
}

static void a_thousand_coins_may_be_one(void **state)
{
    (void)state;
    struct exchange_test test = start();
    test.instruments[0].bundle_digits = 3;
    feed_candles(&test, "[1764547200000,\"0.000004321\",\"4.4e-6\",0.000004,\"0.0000042\","
                        "\"520665683000\",\"2249.5\"]");
    assert_rows(&test, "candle BTCUSDT 2025-12-01T00:00:00Z 0.004321 0.0044 0.004 0.0042 "
                       "v=520665683 q=2249.5 n=? tb=? tq=? closed\n");
    feed_text(&test, "{\"topic\":\"allLiquidation.BTCUSDT\",\"data\":[{\"T\":1764547302929,\"s\":"
                     "\"BTCUSDT\",\"S\":\"Buy\",\"v\":\"20000000\",\"p\":\"0.000004321\"}]}");
    assert_rows(&test,
                "liquidation BTCUSDT 2025-12-01T00:01:42.929Z long 0.004321 q=20000 v=86.42\n");
    feed_text(&test,
              "{\"topic\":\"tickers.BTCUSDT\",\"data\":{\"symbol\":\"BTCUSDT\",\"markPrice\":"
              "\"0.000004321\",\"singleOpenInterest\":\"1e12\"},\"ts\":1764547302929}");
    assert_rows(&test, "interest BTCUSDT 2025-12-01T00:01:42.929Z c=1000000000 v=?\n"
                       "price BTCUSDT 2025-12-01T00:01:42.929Z 0.004321\n");
    test_end(&test);
}

/* -- open or closed ---------------------------------------------------------------------------- */

/* The last two candles that are served 7 seconds after the second of them has opened. */
#define TWO "[1764547500000,2,2,2,2,0],[1764547200000,1,1,1,1,0]"

static void expect_open(struct exchange_test *test, const char *candles, const char *states)
{
    feed_candles(test, candles);
    struct buffer found = {0};
    for (const char *at = buffer_text(&test->rows); *at != '\0'; at++)
        if (at[0] == '\n' || at[1] == '\0')
            buffer_append_char(&found, strncmp(at - 5, " open", 5) == 0 ? 'o' : 'c');
    assert_string_equal(buffer_text(&found), states);
    buffer_deinit(&found);
}

static void a_candle_is_closed_when_a_later_one_or_both_clocks_say_so(void **state)
{
    (void)state;
    struct exchange_test test = start();
    test.sink.now_ms = T0 + STEP + 7000;
    expect_open(&test, TWO, "oc");
    expect_open(&test, "[1764547200000,1,1,1,1,0]", "c");
    test.sink.now_ms = T0 + STEP + 4000; /* the tolerance is 5 seconds */
    expect_open(&test, "[1764547200000,1,1,1,1,0]", "o");
    expect_open(&test, TWO, "oc");
    /* Our clock is ten minutes fast, and the server's is known. */
    test.sink.now_ms = T0 + 3 * STEP;
    test.header_name = "Date";
    test.header_value = "Mon, 01 Dec 2025 00:05:07 GMT";
    expect_open(&test, TWO, "oc");
    assert_int_equal(test.answer.server_ms, T0 + STEP + 7000);
    test.header_value = "Mon, 01 Dec 2025 00:05:02 GMT";
    expect_open(&test, "[1764547200000,1,1,1,1,0]", "o");
    /* Our clock is ten minutes slow: nothing is taken for a row of the future. */
    test.sink.now_ms = T0 - STEP;
    test.header_value = "Mon, 01 Dec 2025 00:05:07 GMT";
    expect_open(&test, TWO, "oc");
    test_end(&test);
}

static void a_date_that_is_none_is_no_clock(void **state)
{
    (void)state;
    static const char *const dates[] = {"",
                                        "yesterday",
                                        "Mon, 01 Xxx 2025 00:05:07 GMT",
                                        "Mon, 99 Dec 2025 00:05:07 GMT",
                                        "Mon, 01 anF 2025 00:05:07 GMT",
                                        "Mon, 01 Dec 2025 25:05:07 GMT",
                                        "2025-12-01T00:00:00Z"};
    struct exchange_test test = start();
    test.header_name = "Date";
    for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++) {
        test.header_value = dates[i];
        feed_candles(&test, TWO);
        assert_int_equal(test.answer.server_ms, 0);
    }
    test_end(&test);
}

/* By a clock of 2100 the candle that forms would be closed, and one of 2099 true. */
static void a_clock_of_another_age_is_no_clock(void **state)
{
    (void)state;
    struct exchange_test test = start();
    test.sink.now_ms = T0 + 60000;
    test.header_name = "Date";
    test.header_value = "Fri, 01 Jan 2100 00:00:00 GMT";
    expect_open(&test, "[1764547200000,1,1,1,1,0]", "o");
    feed_candles(&test, "[1764547800000,1,1,1,1,0]");
    assert_int_equal(test.answer.rows.refused, 1);
    test.header_value = "Thu, 01 Jan 1970 00:00:01 GMT";
    expect_open(&test, "[1764547200000,1,1,1,1,0]", "o");
    test.sink.now_ms = T0 + STEP + 7000;
    expect_open(&test, "[1764547200000,1,1,1,1,0]", "c");
    test_end(&test);
}

static void a_candle_is_not_closed_before_its_end(void **state)
{
    (void)state;
    struct exchange_test test = start();
    test.sink.now_ms = T0 + 60000;
    feed_text(&test, "{\"topic\":\"kline.5.BTCUSDT\",\"data\":[{\"start\":1764547200000,\"end\":"
                     "1764547499999,\"interval\":\"5\",\"open\":\"1\",\"close\":\"1\",\"high\":"
                     "\"1\",\"low\":\"1\",\"volume\":\"2\",\"confirm\":true}]}");
    assert_rows(&test, "refused candle BTCUSDT: it is closed before its end\n");
    test_end(&test);
}

/* -- other rows -------------------------------------------------------------------------------- */

static void expect_refusal(struct exchange_test *test, const char *text, const char *why)
{
    feed_text(test, text);
    if (strstr(buffer_text(&test->rows), why) == NULL)
        fail_msg("%s gave '%s'", text, buffer_text(&test->rows));
    assert_int_equal(test->message.rows.taken, 0);
    assert_int_equal(test->message.rows.refused, 1);
}

#define LIQUIDATION(time, quantity, price)                                                         \
    "{\"topic\":\"allLiquidation.BTCUSDT\",\"data\":[{\"T\":" time                                 \
    ",\"s\":\"BTCUSDT\",\"S\":\"Buy\",\"v\":" quantity ",\"p\":" price "}]}"

static void a_liquidation_that_cannot_be_is_refused(void **state)
{
    (void)state;
    struct exchange_test test = start();
    expect_refusal(&test, LIQUIDATION("1764547302929", "\"0\"", "\"1\""),
                   "its quantity is '0', not above 0");
    expect_refusal(&test, LIQUIDATION("1764547302929", "\"-1\"", "\"1\""),
                   "its quantity is '-1', not above 0");
    expect_refusal(&test, LIQUIDATION("1764547302929", "\"x\"", "\"1\""),
                   "its quantity is 'x', not above 0");
    expect_refusal(&test, LIQUIDATION("1764547302929", "\"1\"", "\"0\""),
                   "its price is '0', which is not above 0");
    expect_refusal(&test, LIQUIDATION("1764547302929", "\"9e9\"", "\"9e9\""),
                   "its value cannot be stored");
    expect_refusal(&test, LIQUIDATION("1764547302929", "\"1e300\"", "\"9e9\""),
                   "its value cannot be stored");
    expect_refusal(&test, LIQUIDATION("4070908800000", "\"1\"", "\"1\""),
                   "its time is in the future");
    expect_refusal(&test,
                   "{\"topic\":\"allLiquidation.BTCUSDT\",\"data\":[{\"s\":\"BTCUSDT\",\"S\":"
                   "\"Buy\",\"v\":\"1\",\"p\":\"1\"}]}",
                   "its time is nothing");
    feed_text(&test, LIQUIDATION("1764547302929", "\"20000000000\"", "\"0.00000432\""));
    assert_rows(&test, "liquidation BTCUSDT 2025-12-01T00:01:42.929Z long 0.00000432 q=? "
                       "v=86400\n");
    test_end(&test);
}

#define TICKER(member)                                                                             \
    "{\"topic\":\"tickers.BTCUSDT\",\"ts\":1764547302929,\"data\":{\"symbol\":"                    \
    "\"BTCUSDT\"," member "}}"

static void open_interest_of_nothing_is_refused(void **state)
{
    (void)state;
    struct exchange_test test = start();
    expect_refusal(&test, TICKER("\"openInterest\":\"0\""), "its open interest is '0'");
    expect_refusal(&test, TICKER("\"singleOpenInterest\":-3"), "its open interest is -3");
    expect_refusal(&test, TICKER("\"singleOpenInterest\":\"\""), "its open interest is ''");
    expect_refusal(&test, TICKER("\"singleOpenInterest\":null"), "its open interest is nothing");
    expect_refusal(&test, TICKER("\"singleOpenInterest\":\"1e11\""),
                   "it has no figure that can be stored");
    expect_refusal(&test, TICKER("\"markPrice\":\"\""), "its mark price is ''");
    expect_refusal(&test, TICKER("\"markPrice\":null"), "its mark price is nothing");
    test_end(&test);
}

/* -- instruments ------------------------------------------------------------------------------- */

static void names_that_cannot_be_asked_for_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {
        "null",        "7",
        "\"\"",        "\"A B\"",
        "\"A\\\"B\"",  "\"A\\\\B\"",
        "\"\\u0007\"", "\"\\u007f\"",
        "\"A\\n\"",    "\"LONGER-THAN-47-CHARACTERS-THAT-A-NAME-MAY-HAVE-AND\"",
    };
    struct exchange_test test = start();
    assert_true(test_ask(&test, EXCHANGE_INSTRUMENTS, 0));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char body[256];
        snprintf(body, sizeof body, "{\"retCode\":0,\"result\":{\"list\":[{\"symbol\":%s}]}}",
                 names[i]);
        feed_answer(&test, 200, body, strlen(body));
        assert_int_equal(test.answer.verdict.kind, EXCHANGE_OK);
        assert_rows(&test, "refused instrument ?: it has no usable name\n");
    }
    static const char chinese[] =
        "{\"retCode\":0,\"result\":{\"list\":[{\"symbol\":\"\\u5e01\\u5b89USDT\"}]}}";
    feed_answer(&test, 200, chinese, strlen(chinese));
    assert_rows(&test, "instrument 币安USDT contract=1 listed=?\n");
    test_end(&test);
}

/* -- answers that no exchange would give ------------------------------------------------------- */

static void what_is_not_an_answer_is_told_by_name(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
        enum exchange_verdict_kind kind;
        const char *word;
    } expected[] = {
        {200, "", EXCHANGE_BROKEN, "nothing"},
        {200, "  \r\n<!DOCTYPE html><html>", EXCHANGE_BROKEN, "_REST_URL"},
        {200, "{\"a\":1,\"a\":2}", EXCHANGE_BROKEN, "cut off"},
        {200, "[1,2", EXCHANGE_BROKEN, "cut off"},
        {200, "\x01\x02 and control characters", EXCHANGE_BROKEN, "?? and control"},
        {200, "7", EXCHANGE_BROKEN, "not JSON"},
        {200, "{}", EXCHANGE_BROKEN, "another shape"},
        {200, "[[]]", EXCHANGE_BROKEN, "another shape"},
        {302, "", EXCHANGE_BROKEN, "HTTP 302"},
        {400, "<html>", EXCHANGE_REFUSED, "HTTP 400"},
        {404, "", EXCHANGE_REFUSED, "HTTP 404"},
        {403, "", EXCHANGE_BLOCKED, "EXCHANGES"},
        {418, "", EXCHANGE_BANNED, "418"},
        {429, "", EXCHANGE_RATE_LIMITED, "429"},
        {451, "<html>", EXCHANGE_BLOCKED, "451"},
        {500, "<html>", EXCHANGE_UNAVAILABLE, "HTTP 500"},
        {502, "{", EXCHANGE_UNAVAILABLE, "HTTP 502"},
    };
    for (int id = 0; id < EXCHANGE_COUNT; id++) {
        const struct exchange_api *api = exchange_api_of((enum exchange_id)id);
        struct exchange_test test = test_of(api, "BTC", "BTCUSDT");
        /* Of the forms that are asked for, this one is an object everywhere. */
        assert_true(test_ask(&test, EXCHANGE_INSTRUMENTS, 0));
        for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
            /* Bybit's 403 may be for too many requests, whatever it says. */
            bool is_short = id == EXCHANGE_BYBIT && expected[i].status == 403;
            expect_verdict(&test, expected[i].status, expected[i].body, expected[i].kind,
                           is_short ? test.sink.now_ms + 10 * MINUTE_MS : 0);
            if (strstr(test.answer.verdict.message, expected[i].word) == NULL ||
                strstr(test.answer.verdict.message, api->title) == NULL)
                fail_msg("%s: %s", api->title, test.answer.verdict.message);
        }
        test_end(&test);
    }
}

static void waiting_is_bounded(void **state)
{
    (void)state;
    struct exchange_test test = start();
    test.retry_after_seconds = INT64_MAX;
    expect_verdict(&test, 429, "", EXCHANGE_RATE_LIMITED, test.sink.now_ms + 7 * DAY_MS);
    test.retry_after_seconds = 0;
    expect_verdict(&test, 503, "", EXCHANGE_UNAVAILABLE, test.sink.now_ms);
    test_end(&test);
}

static void garbage_in_messages_is_a_fault(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "x", "<html>", "{\"a\":1,\"a\":2}", "[", "nul"};
    static const char *const others[] = {"{}", "[]", "[[[{}]]]", "{\"data\":7}", "{\"e\":7}"};
    for (int id = 0; id < EXCHANGE_COUNT; id++) {
        struct exchange_test test = test_of(exchange_api_of((enum exchange_id)id), "B", "B");
        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
            feed_text(&test, texts[i]);
            assert_int_equal(test.message.kind, EXCHANGE_MESSAGE_FAULT);
            assert_int_equal(test.message.verdict.kind, EXCHANGE_BROKEN);
        }
        for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
            feed_text(&test, others[i]);
            assert_int_equal(test.message.kind, EXCHANGE_MESSAGE_OTHER);
            assert_rows(&test, "");
        }
        test_end(&test);
    }
}

static void a_sink_may_want_nothing(void **state)
{
    (void)state;
    struct exchange_test test = start();
    test.sink = (struct exchange_sink){.now_ms = test.sink.now_ms, .find_instrument = test_find};
    feed_candles(&test, TWO ",[]");
    assert_int_equal(test.answer.rows.taken, 2);
    assert_int_equal(test.answer.rows.refused, 1);
    feed_text(&test, LIQUIDATION("1764547302929", "\"1\"", "\"1\""));
    feed_text(&test, TICKER("\"markPrice\":\"1\",\"singleOpenInterest\":\"1\""));
    assert_int_equal(test.message.rows.taken, 2);
    assert_true(test_ask(&test, EXCHANGE_INSTRUMENTS, 0));
    static const char list[] = "{\"retCode\":0,\"result\":{\"list\":[{\"symbol\":\"A\"}]}}";
    feed_answer(&test, 200, list, strlen(list));
    assert_int_equal(test.answer.rows.taken, 1);
    test_end(&test);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(symbols_have_names_on_each_exchange),
    cmocka_unit_test(exchanges_are_what_their_place_says),
    cmocka_unit_test(a_candle_that_cannot_be_is_refused),
    cmocka_unit_test(good_rows_beside_bad_ones_are_taken_in_any_order),
    cmocka_unit_test(rows_outside_of_the_question_are_passed_over),
    cmocka_unit_test(times_are_of_any_unit_and_type),
    cmocka_unit_test(prices_are_exact_as_text_and_as_numbers),
    cmocka_unit_test(a_volume_that_no_column_holds_is_not_known),
    cmocka_unit_test(a_thousand_coins_may_be_one),
    cmocka_unit_test(a_candle_is_closed_when_a_later_one_or_both_clocks_say_so),
    cmocka_unit_test(a_date_that_is_none_is_no_clock),
    cmocka_unit_test(a_clock_of_another_age_is_no_clock),
    cmocka_unit_test(a_candle_is_not_closed_before_its_end),
    cmocka_unit_test(a_liquidation_that_cannot_be_is_refused),
    cmocka_unit_test(open_interest_of_nothing_is_refused),
    cmocka_unit_test(names_that_cannot_be_asked_for_are_refused),
    cmocka_unit_test(what_is_not_an_answer_is_told_by_name),
    cmocka_unit_test(waiting_is_bounded),
    cmocka_unit_test(garbage_in_messages_is_a_fault),
    cmocka_unit_test(a_sink_may_want_nothing),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
