/* Which rows of the archive are good, what they mean, and how a bad one is named. */
#include "base/decimal.h"
#include "sources/archive/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define T0 INT64_C(1764547200000) /* 2025-12-01T00:00:00Z */
#define TAIL ",5804.585,1764547499999,1,2,3,4,0"

static struct archive_unheld unheld; /* of the row that was read last */

/* The columns of a file that begins with this line, and has no header. */
static struct archive_columns columns_of(enum import_kind kind, const char *line)
{
    struct archive_columns columns;
    archive_columns_guess(kind, slice_of(line), &columns);
    return columns;
}

static enum status read_kline(const char *line, struct kline_row *row, struct error *error)
{
    const struct archive_columns columns = columns_of(IMPORT_KLINES, ",,,,,,,,,,,");
    return archive_row_read_kline(&columns, slice_of(line), row, &unheld, error);
}

static enum status read_interest(const char *line, struct interest_row *row, struct error *error)
{
    const struct archive_columns columns = columns_of(IMPORT_INTEREST, "");
    return archive_row_read_interest(&columns, slice_of(line), row, &unheld, error);
}

static struct kline_row good_kline(const char *line)
{
    struct kline_row row;
    struct error error = {0};
    if (read_kline(line, &row, &error) != STATUS_OK)
        fail_msg("%s: %s", line, error.message);
    return row;
}

static struct interest_row good_interest(const char *line)
{
    struct interest_row row;
    struct error error = {0};
    if (read_interest(line, &row, &error) != STATUS_OK)
        fail_msg("%s: %s", line, error.message);
    return row;
}

static void assert_bad_kline(const char *line, const char *word)
{
    struct kline_row row;
    struct error error = {0};
    if (read_kline(line, &row, &error) != STATUS_INVALID)
        fail_msg("%s is accepted", line);
    if (strstr(error.message, word) == NULL)
        fail_msg("%s: '%s' does not say '%s'", line, error.message, word);
}

static void assert_bad_interest(const char *line, const char *word)
{
    struct interest_row row;
    struct error error = {0};
    if (read_interest(line, &row, &error) != STATUS_INVALID)
        fail_msg("%s is accepted", line);
    if (strstr(error.message, word) == NULL)
        fail_msg("%s: '%s' does not say '%s'", line, error.message, word);
}

static void a_whole_kline_is_read(void **state)
{
    (void)state;
    struct kline_row row = good_kline("1764547200000,60029.01,60076.57,60018.0,60041.19,36.92698,"
                                      "1764547499999,2217155.3233957,8127,19.69808,1182671.5,0");
    assert_int_equal(row.candle.open_time_ms, T0);
    assert_int_equal(row.candle.open_e8, 6002901000000);
    assert_int_equal(row.candle.high_e8, 6007657000000);
    assert_int_equal(row.candle.low_e8, 6001800000000);
    assert_int_equal(row.candle.close_e8, 6004119000000);
    assert_int_equal(row.volume_e8, 3692698000);
    assert_int_equal(row.close_time_ms, T0 + 299999);
    assert_true(row.has_quote_volume && row.has_count && row.has_taker_buy_volume &&
                row.has_taker_buy_quote_volume);
    assert_int_equal(row.quote_volume_e8, 221715532339570);
    assert_int_equal(row.count, 8127);
    assert_int_equal(row.taker_buy_volume_e8, 1969808000);
    assert_int_equal(row.taker_buy_quote_volume_e8, 118267150000000);
}

static void blank_columns_are_unknown_not_zero(void **state)
{
    (void)state;
    struct kline_row row = good_kline("1764547200000,90,91,89,90,5,,,,,,");
    assert_false(row.has_quote_volume || row.has_count || row.has_taker_buy_volume ||
                 row.has_taker_buy_quote_volume);
    assert_int_equal(row.close_time_ms, 0);
    row = good_kline("1764547200000,90,91,89,90,5,nan,NaN,None,NULL,null,NA");
    assert_false(row.has_quote_volume || row.has_count || row.has_taker_buy_volume ||
                 row.has_taker_buy_quote_volume);
}

static void the_magnitude_of_a_time_says_its_unit(void **state)
{
    (void)state;
    assert_int_equal(good_kline("1764547200,9,9,9,9,5,,,,,,").candle.open_time_ms, T0);
    assert_int_equal(good_kline("1764547200000,9,9,9,9,5,,,,,,").candle.open_time_ms, T0);
    struct kline_row row = good_kline("1764547200000000,9,9,9,9,5,1764547499999999,,,,,");
    assert_int_equal(row.candle.open_time_ms, T0);
    assert_int_equal(row.close_time_ms, T0 + 299999);
    assert_int_equal(good_interest("1764547200000,BTCUSDT,1,2,,,,").timestamp_ms, T0);
    assert_int_equal(good_interest("2025-12-01 00:00:02,BTCUSDT,1,2,,,,").timestamp_ms, T0 + 2000);
    assert_int_equal(good_kline("1764547200000000000,9,9,9,9,5,,,,,,").candle.open_time_ms, T0);
    assert_bad_kline("17645472000000000000,9,9,9,9,5,,,,,,", "2100");
    assert_bad_kline("99999999999999999999999999,9,9,9,9,5,,,,,,", "2100");
    assert_bad_kline("0,9,9,9,9,5,,,,,,", "open_time");
    assert_bad_kline("-1764547200000,9,9,9,9,5,,,,,,", "open_time");
    assert_bad_kline(",9,9,9,9,5,,,,,,", "open_time is empty");
}

static void times_are_read_as_programs_write_them(void **state)
{
    (void)state;
    static const char *const times[] = {
        "1764547200.0",
        "1764547200000.0",
        "1.7645472e+12",
        "1.7645472e9",
        "1.7645472e15",
        "1764547200000000.0",
        "1.7645472E18",
        "2025-12-01",
        "2025-12-01 00:00:00",
        "2025-12-01T00:00:00Z",
        "2025-12-01T00:00:00.000000Z",
        "2025-12-01 00:00:00+00:00",
        "2025-12-01T08:00:00+08:00",
        "2025-11-30T19:00:00.000-0500",
    };
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char line[128];
        snprintf(line, sizeof line, "%s,9,9,9,9,5,,,,,,", times[i]);
        assert_int_equal(good_kline(line).candle.open_time_ms, T0);
    }
    assert_bad_kline("1.7e30,9,9,9,9,5,,,,,,", "2100");
    assert_bad_kline("-1.7645472e12,9,9,9,9,5,,,,,,", "2100");
    assert_bad_kline("nan,9,9,9,9,5,,,,,,", "is not a time");
    assert_bad_kline("2025-13-01,9,9,9,9,5,,,,,,", "is not a time");
}

static void a_kline_covers_five_minutes(void **state)
{
    (void)state;
    assert_bad_kline("1764547260000,9,9,9,9,5,,,,,,", "multiple of 5 minutes");
    assert_bad_kline("1764547200000,9,9,9,9,5,1764547259999,,,,,", "close_time");
    assert_bad_kline("1764547200000,9,9,9,9,5,1764548099999,,,,,", "close_time");
    assert_bad_kline("1764547200000,9,9,9,9,5,soon,,,,,", "close_time 'soon'");
    good_kline("1764547200000,9,9,9,9,5,1764547500000,,,,,");
}

static void prices_must_be_possible(void **state)
{
    (void)state;
    assert_bad_kline("1764547200000,0,91,0,90" TAIL, "open '0' is not above 0");
    assert_bad_kline("1764547200000,90,91,-1,90" TAIL, "low '-1'");
    assert_bad_kline("1764547200000,90,91,89," TAIL, "close is empty");
    assert_bad_kline("1764547200000,abc,91,89,90" TAIL, "open 'abc' is not a number");
    assert_bad_kline("1764547200000,nan,91,89,90" TAIL, "open 'nan' is not a number");
    assert_bad_kline("1764547200000,90,inf,89,90" TAIL, "high 'inf' is not a number");
    assert_bad_kline("1764547200000,0x5A,91,89,90" TAIL, "open '0x5A' is not a number");
    assert_bad_kline("1764547200000,90,89,89,90" TAIL, "high '89' is below");
    assert_bad_kline("1764547200000,90,91,90.5,90.7" TAIL, "low '90.5' is above");
    assert_bad_kline("1764547200000,90,10000000000,89,90" TAIL, "10 digits");
    assert_bad_kline("1764547200000,90,1e300,89,90" TAIL, "10 digits");
    good_kline("1764547200000,90,9999999999.99999999,0.00000001,90" TAIL);
}

static void a_volume_is_needed_and_not_below_zero(void **state)
{
    (void)state;
    assert_bad_kline("1764547200000,9,9,9,9,,,,,,,", "volume is empty");
    assert_bad_kline("1764547200000,9,9,9,9,-1,,,,,,", "volume '-1'");
    assert_bad_kline("1764547200000,9,9,9,9,x,,,,,,", "volume 'x'");
    assert_bad_kline("1764547200000,9,9,9,9,None,,,,,,", "volume 'None'");
    assert_bad_kline("1764547200000,9,9,9,9,1,,-1,,,,", "quote_volume");
    assert_bad_kline("1764547200000,9,9,9,9,1,,,1.5,,,", "count '1.5' is not a whole");
    assert_int_equal(good_kline("1764547200000,9,9,9,9,0,,,7.0,,,").count, 7);
}

static void an_amount_beyond_the_tables_is_unknown(void **state)
{
    (void)state;
    struct kline_row row =
        good_kline("1764547200000,9,9,9,9,123456789012.5,,999999999999999,99999999999,1e11,1e11,0");
    assert_int_equal(row.volume_e8, -1);
    assert_true(row.candle.volume == 0);
    assert_false(row.has_quote_volume || row.has_count || row.has_taker_buy_volume ||
                 row.has_taker_buy_quote_volume);
    assert_string_equal(unheld.name, "volume");
    assert_true(slice_equals(unheld.value, "123456789012.5"));
    struct interest_row interest;
    assert_int_equal(read_interest("1764547200000,BTCUSDT,20000000000,5,,,,", &interest, NULL),
                     STATUS_OK);
    assert_false(interest.has_contracts);
    assert_string_equal(unheld.name, "sum_open_interest");
    assert_int_equal(read_interest("1764547200000,BTCUSDT,None,5,,,,", &interest, NULL), STATUS_OK);
    assert_string_equal(unheld.name, "");
}

static void the_number_of_columns_must_be_right(void **state)
{
    (void)state;
    assert_bad_kline("1764547200000,9,9,9,9,5,,,,,", "is 11 instead of 12");
    assert_bad_kline("1764547200000,9,9,9,9,5,,,,,,0,7", "is 13 instead of 12");
    good_kline("1764547200000,9,9,9,9,5,,,,,,0,");
    assert_bad_kline("", "is 1 instead");
    assert_bad_interest("1764547200000,BTCUSDT,1,2", "is 4 instead of 8");
}

static void quotes_and_blanks_around_a_field_are_no_part_of_it(void **state)
{
    (void)state;
    struct kline_row row = good_kline("\"1764547200000\", 90 ,\"91\",\" 89\",90\t,5,,,,,,\"0\"");
    assert_int_equal(row.candle.low_e8, 89 * DECIMAL_ONE);
    assert_string_equal(good_interest("\"2025-12-01 00:00:00\",\"BTCUSDT\",1,2,,,,").symbol,
                        "BTCUSDT");
    assert_bad_kline("1764547200000,\"90,91,89,90" TAIL, "open");
    assert_bad_kline("1764547200000,\"90\"x,91,89,90" TAIL, "open");
    assert_bad_kline("1764547200000,\"1,90\",91,89,90" TAIL, "open '1,90' is not a number");
    assert_bad_kline("1764547200000,\"9\"\"0\",91,89,90" TAIL, "open '9\"\"0' is not a number");
}

static void a_whole_open_interest_row_is_read(void **state)
{
    (void)state;
    struct interest_row row =
        good_interest("2025-12-01 00:05:00,BTCUSDT,89832.175,8064963864.475081,1.5,2.5,abc,");
    assert_string_equal(row.symbol, "BTCUSDT");
    assert_int_equal(row.timestamp_ms, T0 + 300000);
    assert_int_equal(row.value_e8, 806496386447508100);
    assert_true(row.has_contracts);
    assert_int_equal(row.contracts_e8, 8983217500000);
}

static void an_open_interest_of_zero_is_valid(void **state)
{
    (void)state;
    assert_int_equal(good_interest("1764547200000,BTCUSDT,0,0,,,,").value_e8, 0);
    assert_false(good_interest("1764547200000,BTCUSDT,,5,,,,").has_contracts);
    assert_false(good_interest("1764547200000,PEPEUSDT,99999999999,5,,,,").has_contracts);
}

static void a_bad_open_interest_row_is_named(void **state)
{
    (void)state;
    assert_bad_interest("2025-02-30 00:00:00,BTCUSDT,1,2,,,,", "create_time '2025-02-30");
    assert_bad_interest("2025-12-01 00:05:00,btcusdt,1,2,,,,", "symbol: 'btcusdt' is not a symbol");
    assert_bad_interest("2025-12-01 00:05:00,,1,2,,,,", "symbol is empty");
    assert_bad_interest("2025-12-01 00:05:00,BTCUSDT,1,,,,,", "sum_open_interest_value is empty");
    assert_bad_interest("2025-12-01 00:05:00,ABCDEFGHIJKLMNOPQRSTU,1,2,,,,", "symbol");
    assert_bad_interest("2025-12-01 00:05:00,BTCUSDT,1,-2,,,,", "value '-2' is below 0");
    assert_bad_interest("2025-12-01 00:05:00,BTCUSDT,1,x,,,,", "value 'x'");
    assert_bad_interest("2025-12-01 00:05:00,BTCUSDT,1,99999999999,,,,", "92 billion");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_kline_is_read),
        cmocka_unit_test(blank_columns_are_unknown_not_zero),
        cmocka_unit_test(the_magnitude_of_a_time_says_its_unit),
        cmocka_unit_test(times_are_read_as_programs_write_them),
        cmocka_unit_test(a_kline_covers_five_minutes),
        cmocka_unit_test(prices_must_be_possible),
        cmocka_unit_test(a_volume_is_needed_and_not_below_zero),
        cmocka_unit_test(an_amount_beyond_the_tables_is_unknown),
        cmocka_unit_test(the_number_of_columns_must_be_right),
        cmocka_unit_test(quotes_and_blanks_around_a_field_are_no_part_of_it),
        cmocka_unit_test(a_whole_open_interest_row_is_read),
        cmocka_unit_test(an_open_interest_of_zero_is_valid),
        cmocka_unit_test(a_bad_open_interest_row_is_named),
    };
    return cmocka_run_group_tests_name("archive_rows", tests, NULL, NULL);
}
