/* Values as people write them: what is understood, and that a refusal says what is allowed. */
#include "base/decimal.h"
#include "config/value.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static void durations_are_a_number_and_a_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } expected[] = {
        {"90s", 90000},          {"15m", 900000},     {"48h", 172800000},
        {"7d", 604800000},       {"2w", 1209600000},  {"1s", 1000},
        {"3660d", 316224000000}, {"007d", 604800000}, {"2y", 2 * INT64_C(365) * 86400000}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        int64_t ms = 0;
        assert_int_equal(value_parse_duration(expected[i].text, &ms, NULL), STATUS_OK);
        assert_int_equal(ms, expected[i].ms);
    }
}

static void other_durations_are_refused_with_what_is_allowed(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",    "7",   "d",    "0d",   "-1d",
        "+1d", " 1d", "1d ",  "1.5h", "3661d",
        "11y", "1dd", "1e3s", "0x5m", "99999999999999999999999999d"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct error error;
        int64_t ms = 5;
        assert_int_equal(value_parse_duration(texts[i], &ms, &error), STATUS_INVALID);
        assert_int_equal(ms, 5);
        assert_non_null(strstr(error.message, texts[i]));
        assert_non_null(strstr(error.message, "7d"));
    }
}

static void durations_are_written_in_their_largest_unit_up_to_days(void **state)
{
    (void)state;
    char text[24];
    assert_string_equal(value_format_duration(90 * 60000, text), "90m");
    assert_string_equal(value_format_duration(7 * DAY_MS, text), "7d");
    assert_string_equal(value_format_duration(48 * 3600000, text), "2d");
    assert_string_equal(value_format_duration(CANDLE_MS, text), "5m");
    assert_string_equal(value_format_duration(1500, text), "1500ms");
}

static void intervals_form_a_ladder(void **state)
{
    (void)state;
    static const char *const names[] = {"5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d"};
    int64_t expected_ms = value_next_interval(0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        int64_t ms;
        char text[24];
        assert_int_equal(value_parse_interval(names[i], &ms, NULL), STATUS_OK);
        assert_int_equal(ms, expected_ms);
        assert_string_equal(value_format_duration(ms, text), names[i]);
        expected_ms = value_next_interval(ms);
    }
    assert_int_equal(expected_ms, 0);
    struct error error;
    int64_t ms;
    assert_int_equal(value_parse_interval("3m", &ms, &error), STATUS_INVALID);
    assert_non_null(strstr(error.message, "'3m' is not an interval (5m, 15m"));
    assert_int_equal(value_parse_interval("5M", &ms, NULL), STATUS_INVALID);
}

static void sizes_are_written_with_a_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t bytes;
    } sizes[] = {{"0KB", 0}, {"512KB", 512000}, {"64MB", 64000000}, {"3GB", 3000000000}};
    size_t bytes;
    char text[24];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_int_equal(value_parse_bytes(sizes[i].text, &bytes, NULL), STATUS_OK);
        assert_int_equal(bytes, sizes[i].bytes);
        if (bytes > 0)
            assert_string_equal(value_format_bytes(bytes, text), sizes[i].text);
    }
    static const char *const wrong[] = {"",
                                        "1",
                                        "MB",
                                        "1mb",
                                        "1 MB",
                                        "1.5MB",
                                        "-1MB",
                                        "1MBs",
                                        "99999999999999999999GB",
                                        "18446744074GB"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(value_parse_bytes(wrong[i], &bytes, NULL), STATUS_INVALID);
}

static void buckets_are_above_zero(void **state)
{
    (void)state;
    int64_t bucket_e8;
    assert_int_equal(value_parse_bucket("100", &bucket_e8, NULL), STATUS_OK);
    assert_int_equal(bucket_e8, 100 * DECIMAL_ONE);
    assert_int_equal(value_parse_bucket("0.0001", &bucket_e8, NULL), STATUS_OK);
    assert_int_equal(bucket_e8, 10000);
    static const char *const texts[] = {"", "0", "-1", "0.000000001", "x", "1e30"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(value_parse_bucket(texts[i], &bucket_e8, NULL), STATUS_INVALID);
}

static void symbols_are_upper_case_and_short(void **state)
{
    (void)state;
    assert_true(value_is_symbol("BTCUSDT", 7));
    assert_true(value_is_symbol("1000PEPE_USDT-PERP", 18));
    assert_true(value_is_symbol("ABCDEFGHIJKLMNOPQRST", 20));
    assert_false(value_is_symbol("ABCDEFGHIJKLMNOPQRSTU", 21));
    assert_false(value_is_symbol("", 0));
    assert_false(value_is_symbol("btcusdt", 7));
    assert_false(value_is_symbol("BTC/USD", 7));
    assert_false(value_is_symbol("BTC\0USD", 7));
}

static void symbols_may_be_of_any_script_that_can_be_seen(void **state)
{
    (void)state;
    static const char *const good[] = {
        "币安人生USDT",         "我踏马来了USDT",       "ΔUSDT",
        "\xF0\x9F\x9A\x80USDT", "币币币币币币币币币币", /* ten characters, thirty bytes */
        "BYBIT:币安人生USDT",
    };
    static const char *const bad[] = {
        "币安 USDT",               /* a blank */
        "币安\xE3\x80\x80USDT",    /* an ideographic one */
        "BTC\xE2\x80\x8BUSDT",     /* of no width */
        "BTC\xE2\x80\xAEUSDT",     /* from right to left */
        "BTC\xC2\x85USDT",         /* a control character */
        "BTCUSD\xCC\x81T",         /* an accent of its own */
        "BTC\xEF\xBB\xBF",         /* a byte order mark */
        "BTC\xE5\xB8",             /* half a character */
        "BTC\xFFUSDT",             /* none */
        "\xED\xA0\x80",            /* a surrogate */
        "BTC\xF3\xA0\x81\x81USDT", /* a tag */
        "币币币币币币币币币币币",  /* thirty-three bytes */
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!value_is_symbol(good[i], strlen(good[i])))
            fail_msg("%s is a symbol", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (value_is_symbol(bad[i], strlen(bad[i])))
            fail_msg("number %zu is not a symbol", i);
}

static void a_symbol_in_another_form_is_guessed(void **state)
{
    (void)state;
    static const char *const forms[][2] = {
        {"btcusdt", "BTCUSDT"},       {"BTC/USDT", "BTCUSDT"},
        {"btc/usdt:usdt", "BTCUSDT"}, {"bybit:btcusdt", "BYBIT:BTCUSDT"},
        {"BTC USDT", "BTCUSDT"},      {"币安人生usdt", "币安人生USDT"},
    };
    static const char *const none[] = {"BTCUSDT",
                                       "BYBIT:BTCUSDT",
                                       "",
                                       "/",
                                       "a;b",
                                       "mtgox:btcusdt",
                                       "abcdefghijklmnopqrstu",
                                       "abcdefghijklmnopqrstuvwxyzabcdefghi"
                                       "jklmnopqrstuvwxyz"};
    char symbol[SYMBOL_SIZE];
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        assert_true(value_guess_symbol(slice_of(forms[i][0]), symbol));
        assert_string_equal(symbol, forms[i][1]);
    }
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_false(value_guess_symbol(slice_of(none[i]), symbol));
}

static void an_exchange_may_stand_before_a_symbol(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "MTGOX:BTCUSDT", "binance:BTCUSDT",           ":BTCUSDT",    "BINANCE:",
        "BINANCE:BTC:X", "ALL:BINANCE:BTC",           "all:BTCUSDT", "BINANCE :BTC",
        "ALL: BTC",      "ALL:ABCDEFGHIJKLMNOPQRSTU",
    };
    char symbol[SYMBOL_SIZE];
    struct bucket_map map;
    assert_int_equal(value_parse_symbol(slice_of("HYPERLIQUID:ABCDEFGHIJKLMNOPQRST"), symbol, NULL),
                     STATUS_OK);
    assert_string_equal(symbol, "HYPERLIQUID:ABCDEFGHIJKLMNOPQRST");
    assert_string_equal(value_symbol_name(symbol), "ABCDEFGHIJKLMNOPQRST");
    assert_string_equal(value_symbol_name("ALL:BTCUSDT"), "BTCUSDT");
    assert_string_equal(value_symbol_name("BTCUSDT"), "BTCUSDT");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(value_parse_symbol(slice_of(wrong[i]), symbol, NULL), STATUS_INVALID);
    assert_int_equal(value_parse_buckets("ALL:BTCUSDT:50,BINANCE:ETHUSDT:2", &map, NULL),
                     STATUS_OK);
    assert_int_equal(bucket_map_find(&map, "ALL:BTCUSDT"), 50 * DECIMAL_ONE);
    assert_int_equal(bucket_map_find(&map, "BINANCE:ETHUSDT"), 2 * DECIMAL_ONE);
}

static void one_symbol_has_one_sentence_everywhere(void **state)
{
    (void)state;
    static const char sentence[] =
        "'btc' is not a symbol (1 to 20 of A-Z, 0-9, _ and -, or of another script; the name of an "
        "exchange or ALL and a colon may stand before them): is BTC meant?";
    char symbol[SYMBOL_SIZE] = "";
    struct symbol_list list;
    struct bucket_map map;
    struct error error;
    assert_int_equal(value_parse_symbol((struct slice){"BTCUSDT:5", 7}, symbol, NULL), STATUS_OK);
    assert_string_equal(symbol, "BTCUSDT");
    assert_int_equal(value_parse_symbol(slice_of("btc"), symbol, &error), STATUS_INVALID);
    assert_string_equal(error.message, sentence);
    assert_string_equal(symbol, "BTCUSDT");
    assert_int_equal(value_parse_symbols("ETHUSDT,btc", &list, &error), STATUS_INVALID);
    assert_string_equal(error.message, sentence);
    assert_int_equal(value_parse_buckets("ETHUSDT:5,btc:5", &map, &error), STATUS_INVALID);
    assert_string_equal(error.message, sentence);
}

static void symbol_lists_keep_their_order_and_drop_repetitions(void **state)
{
    (void)state;
    struct symbol_list list;
    assert_int_equal(value_parse_symbols(" BTCUSDT ,ETHUSDT,\tBTCUSDT", &list, NULL), STATUS_OK);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.names[0], "BTCUSDT");
    assert_int_equal(symbol_list_find(&list, "ETHUSDTX", 7), 1);
    assert_int_equal(symbol_list_find(&list, "ETHUSD", 6), -1);
    static const char *const texts[] = {"", ",", "BTCUSDT,", "btc", "BTC USDT"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(value_parse_symbols(texts[i], &list, NULL), STATUS_INVALID);
}

static void a_list_of_too_many_symbols_is_refused(void **state)
{
    (void)state;
    struct buffer text = {0};
    struct symbol_list list;
    struct error error;
    for (int i = 0; i < SYMBOLS_MAX; i++)
        buffer_append_format(&text, "%sS%d", i > 0 ? "," : "", i);
    assert_int_equal(value_parse_symbols(buffer_text(&text), &list, NULL), STATUS_OK);
    assert_int_equal(list.count, SYMBOLS_MAX);
    for (int i = 0; i < SYMBOLS_MAX; i++) {
        assert_int_equal(symbol_list_find(&list, list.names[i], strlen(list.names[i])), i);
        assert_int_equal(symbol_list_find(&list, list.names[i], strlen(list.names[i]) - 1),
                         i < 10 ? -1 : i / 10);
    }
    assert_int_equal(symbol_list_find(&list, "", 0), -1);
    buffer_append_text(&text, ",MORE");
    assert_int_equal(value_parse_symbols(buffer_text(&text), &list, &error), STATUS_INVALID);
    assert_non_null(strstr(error.message, "more than 4096 symbols"));
    buffer_deinit(&text);
}

static void a_message_names_some_of_many_symbols(void **state)
{
    (void)state;
    struct buffer text = {0}, names = {0};
    struct symbol_list list;
    for (int i = 0; i < 1000; i++)
        buffer_append_format(&text, "%sS%d", i > 0 ? "," : "", i);
    assert_int_equal(value_parse_symbols(buffer_text(&text), &list, NULL), STATUS_OK);
    symbol_list_append_some(&names, &list);
    assert_string_equal(buffer_text(&names),
                        "S0, S1, S2, S3, S4, S5, S6, S7, S8, S9, S10, S11, S12, S13, S14, S15, "
                        "S16, S17, S18, S19 and 980 more (GET /api/v1/symbols has all)");
    buffer_deinit(&text);
    buffer_deinit(&names);
}

static void bucket_maps_name_symbols(void **state)
{
    (void)state;
    struct bucket_map map;
    assert_int_equal(value_parse_buckets("BTCUSDT:100, ETHUSDT:0.5", &map, NULL), STATUS_OK);
    assert_int_equal(bucket_map_find(&map, "BTCUSDT"), 100 * DECIMAL_ONE);
    assert_int_equal(bucket_map_find(&map, "ETHUSDT"), DECIMAL_ONE / 2);
    assert_int_equal(bucket_map_find(&map, "XRPUSDT"), 0);
    assert_int_equal(value_parse_buckets("", &map, NULL), STATUS_OK);
    assert_int_equal(map.count, 0);
    assert_int_equal(value_parse_buckets("  ", &map, NULL), STATUS_OK);
    static const char *const texts[] = {"BTCUSDT", "BTCUSDT:",   "BTCUSDT:0",
                                        ":5",      "BTCUSDT:5,", "BTCUSDT:5,BTCUSDT:6",
                                        "btc:5",   "BTCUSDT:5:6"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(value_parse_buckets(texts[i], &map, NULL), STATUS_INVALID);
}

static void leverage_weights_are_shares_of_their_sum(void **state)
{
    (void)state;
    struct leverage_weights weights;
    assert_int_equal(value_parse_weights(LEVERAGE_WEIGHTS_DEFAULT, &weights, NULL), STATUS_OK);
    static const struct {
        int leverage;
        double weight;
    } expected[] = {{5, .15}, {10, .30}, {25, .25}, {50, .20}, {100, .10}};
    assert_int_equal(weights.count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(weights.tiers[i].leverage, expected[i].leverage);
        assert_true(weights.tiers[i].weight == expected[i].weight);
    }
    assert_int_equal(value_parse_weights(" 3:1 ,125:3", &weights, NULL), STATUS_OK);
    assert_true(weights.tiers[0].weight == 0.25 && weights.tiers[1].weight == 0.75);
    assert_int_equal(value_parse_weights("5:0,10:1e-3", &weights, NULL), STATUS_OK);
    assert_true(weights.tiers[0].weight == 0 && weights.tiers[1].weight == 1);
}

static void wrong_leverage_weights_say_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text, *reason;
    } expected[] = {
        {"", "not LEVERAGE:WEIGHT"},
        {"5", "not LEVERAGE:WEIGHT"},
        {"5:1,", "not LEVERAGE:WEIGHT"},
        {"5:-1", "negative weight"},
        {"5:0,10:0", "above 0"},
        {"5:x", "not a number"},
        {"5:nan", "not a number"},
        {"5:inf", "not a number"},
        {"5:", "not a number"},
        {"5:0x10", "not a number"},
        {"0:1", "from 1 to 1000"},
        {"1001:1", "from 1 to 1000"},
        {"2.5:1", "from 1 to 1000"},
        {"-5:1", "from 1 to 1000"},
        {"5 :1", "from 1 to 1000"},
        {"x:1", "from 1 to 1000"},
        {"5:1,5:2", "repeats a leverage"},
        {"5:1e308,10:1e308", "infinity"},
        {"1:1,2:1,3:1,4:1,5:1,6:1,7:1,8:1,9:1,10:1,11:1,12:1,13:1,14:1,15:1,16:1,17:1", "16"},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct leverage_weights weights;
        struct error error;
        if (value_parse_weights(expected[i].text, &weights, &error) != STATUS_INVALID)
            fail_msg("'%s' was accepted", expected[i].text);
        if (strstr(error.message, expected[i].reason) == NULL)
            fail_msg("'%s': %s", expected[i].text, error.message);
    }
}

static void addresses_come_in_the_usual_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        int port;
    } expected[] = {{"127.0.0.1:8000", "127.0.0.1", 8000},
                    {"[::1]:8000", "::1", 8000},
                    {"[::]:0", "::", 0},
                    {":8000", "0.0.0.0", 8000},
                    {"8000", "0.0.0.0", 8000},
                    {"localhost:80", "127.0.0.1", 80},
                    {"::1:80", "::1", 80},
                    {"0.0.0.0:65535", "0.0.0.0", 65535}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct listen_address address;
        assert_int_equal(value_parse_address(expected[i].text, &address, NULL), STATUS_OK);
        assert_string_equal(address.host, expected[i].host);
        assert_int_equal(address.port, expected[i].port);
    }
    static const char *const texts[] = {
        "",       "127.0.0.1", "127.0.0.1:", "1.2.3:80", "[::1]", "::1",  "host:80",
        ":65536", ":-1",       ":80x",       "[::1:80",  "[]:80", ": 80", "256.0.0.1:80"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct listen_address address;
        if (value_parse_address(texts[i], &address, NULL) != STATUS_INVALID)
            fail_msg("'%s' was read as %s port %d", texts[i], address.host, address.port);
    }
}

static void a_long_wrong_value_is_cut_in_the_message(void **state)
{
    (void)state;
    char text[2000];
    struct error error;
    struct symbol_list list;
    struct bucket_map map;
    struct leverage_weights weights;
    struct listen_address address;
    int64_t number;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(value_parse_duration(text, &number, &error), STATUS_INVALID);
    assert_true(strlen(error.message) < 250);
    assert_int_equal(value_parse_interval(text, &number, &error), STATUS_INVALID);
    assert_int_equal(value_parse_bucket(text, &number, &error), STATUS_INVALID);
    assert_int_equal(value_parse_symbols(text, &list, &error), STATUS_INVALID);
    assert_true(strlen(error.message) < 250);
    assert_int_equal(value_parse_buckets(text, &map, &error), STATUS_INVALID);
    assert_true(strlen(error.message) < 250);
    assert_int_equal(value_parse_weights(text, &weights, &error), STATUS_INVALID);
    assert_true(strlen(error.message) < 250);
    assert_int_equal(value_parse_address(text, &address, &error), STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_a_number_and_a_unit),
        cmocka_unit_test(other_durations_are_refused_with_what_is_allowed),
        cmocka_unit_test(durations_are_written_in_their_largest_unit_up_to_days),
        cmocka_unit_test(intervals_form_a_ladder),
        cmocka_unit_test(sizes_are_written_with_a_unit),
        cmocka_unit_test(buckets_are_above_zero),
        cmocka_unit_test(symbols_are_upper_case_and_short),
        cmocka_unit_test(symbols_may_be_of_any_script_that_can_be_seen),
        cmocka_unit_test(a_symbol_in_another_form_is_guessed),
        cmocka_unit_test(an_exchange_may_stand_before_a_symbol),
        cmocka_unit_test(one_symbol_has_one_sentence_everywhere),
        cmocka_unit_test(symbol_lists_keep_their_order_and_drop_repetitions),
        cmocka_unit_test(a_list_of_too_many_symbols_is_refused),
        cmocka_unit_test(a_message_names_some_of_many_symbols),
        cmocka_unit_test(bucket_maps_name_symbols),
        cmocka_unit_test(leverage_weights_are_shares_of_their_sum),
        cmocka_unit_test(wrong_leverage_weights_say_what_is_wrong),
        cmocka_unit_test(addresses_come_in_the_usual_forms),
        cmocka_unit_test(a_long_wrong_value_is_cut_in_the_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
