/* Headers are obeyed: which field is what, in any order, under usual names, or why not. */
#include "sources/archive/columns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct archive_columns good(const char *header)
{
    struct archive_columns columns;
    struct error error = {0};
    if (archive_columns_read(slice_of(header), &columns, &error) != STATUS_OK)
        fail_msg("%s: %s", header, error.message);
    return columns;
}

static void assert_bad(const char *header, enum status expected, const char *words)
{
    struct archive_columns columns;
    struct error error = {0};
    assert_int_equal(archive_columns_read(slice_of(header), &columns, &error), expected);
    if (strstr(error.message, words) == NULL)
        fail_msg("%s: '%s' does not say '%s'", header, error.message, words);
}

static void the_archives_own_headers_are_known(void **state)
{
    (void)state;
    struct archive_columns klines =
        good("open_time,open,high,low,close,volume,close_time,quote_volume,count,"
             "taker_buy_volume,taker_buy_quote_volume,ignore");
    assert_int_equal(klines.kind, IMPORT_KLINES);
    assert_int_equal(klines.field_count, 12);
    assert_int_equal(klines.at[COLUMN_TIME], 0);
    assert_int_equal(klines.at[COLUMN_CLOSE], 4);
    assert_int_equal(klines.at[COLUMN_TAKER_BUY_QUOTE_VOLUME], 10);
    assert_int_equal(klines.at[COLUMN_SYMBOL], -1);
    struct archive_columns interest =
        good("create_time,symbol,sum_open_interest,sum_open_interest_value,"
             "count_toptrader_long_short_ratio,sum_toptrader_long_short_ratio,"
             "count_long_short_ratio,sum_taker_long_short_vol_ratio");
    assert_int_equal(interest.kind, IMPORT_INTEREST);
    assert_int_equal(interest.at[COLUMN_SYMBOL], 1);
    assert_int_equal(interest.at[COLUMN_CONTRACTS], 2);
    assert_int_equal(interest.at[COLUMN_VALUE], 3);
}

static void columns_come_in_any_order_with_others_among_them(void **state)
{
    (void)state;
    struct archive_columns columns = good(",open_time,close,rsi,high,low,open,volume,");
    assert_int_equal(columns.at[COLUMN_TIME], 1);
    assert_int_equal(columns.at[COLUMN_CLOSE], 2);
    assert_int_equal(columns.at[COLUMN_OPEN], 6);
    assert_int_equal(columns.at[COLUMN_VOLUME], 7);
    assert_int_equal(columns.field_count, 9);
    assert_int_equal(columns.named_count, 8);
}

static void usual_names_are_known(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "timestamp,open,high,low,close,volume",
        "date,open,high,low,close,volume",
        "Datetime,Open,High,Low,Close,Volume",
        "\"Open time\",\"Open\",\"High\",\"Low\",\"Close\",\"Volume\",\"Close time\"",
        "time;open;high;low;close;volume",
        "t\to\th\tl\tc\tv",
        " OpenTime , OPEN , HIGH , LOW , CLOSE , VOLUME ",
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        struct archive_columns columns = good(headers[i]);
        assert_int_equal(columns.kind, IMPORT_KLINES);
        for (int k = 0; k < 6; k++)
            assert_int_equal(columns.at[k == 0 ? COLUMN_TIME : COLUMN_OPEN + k - 1], k);
    }
    struct archive_columns columns = good("timestamp,open,high,low,close,volume,close_time,"
                                          "quote_av,trades,tb_base_av,tb_quote_av,ignore");
    assert_int_equal(columns.at[COLUMN_QUOTE_VOLUME], 7);
    assert_int_equal(columns.at[COLUMN_TRADE_COUNT], 8);
    assert_int_equal(columns.at[COLUMN_TAKER_BUY_QUOTE_VOLUME], 10);
}

static void of_several_times_the_surest_is_taken(void **state)
{
    (void)state;
    struct archive_columns columns =
        good("Unix,Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USDT,tradecount");
    assert_int_equal(columns.at[COLUMN_TIME], 0);
    assert_int_equal(columns.at[COLUMN_SYMBOL], 2);
    assert_int_equal(columns.at[COLUMN_VOLUME], 7);
    assert_int_equal(columns.at[COLUMN_QUOTE_VOLUME], 8);
    assert_int_equal(good("date,open_time,open,high,low,close,volume").at[COLUMN_TIME], 1);
    assert_int_equal(good("open_time,timestamp,open,high,low,close,volume").at[COLUMN_TIME], 0);
}

static void what_is_missing_or_given_twice_is_named(void **state)
{
    (void)state;
    assert_bad("open_time,open,high,low,volume", STATUS_INVALID, "has no column close");
    assert_bad("open,high,low,close,volume", STATUS_INVALID, "has no column open_time");
    assert_bad("open_time,open,high,low,close", STATUS_INVALID, "has no column volume");
    assert_bad("symbol,sum_open_interest_value", STATUS_INVALID, "has no column create_time");
    assert_bad("open_time,open,high,low,close,close,volume", STATUS_INVALID, "two columns 'close'");
    assert_bad("foo,bar", STATUS_NOT_FOUND, "'foo,bar' is not known");
    char many[1024] = "open_time,open,high,low,close,volume";
    for (int i = 0; i < 60; i++)
        strcat(many, ",x");
    assert_bad(many, STATUS_INVALID, "more than 64 columns");
}

static void a_header_has_no_numbers(void **state)
{
    (void)state;
    assert_true(archive_line_is_header(slice_of("open_time,open")));
    assert_true(archive_line_is_header(slice_of(",a,b")));
    assert_true(archive_line_is_header(slice_of("\"a 1\";b")));
    assert_false(archive_line_is_header(slice_of("word")));
    assert_false(archive_line_is_header(slice_of("BTCUSDT,1764547200000,9")));
    assert_false(archive_line_is_header(slice_of("a,-1")));
    assert_false(archive_line_is_header(slice_of("a,.5")));
    assert_false(archive_line_is_header(slice_of("2025-12-01 00:05:00,BTCUSDT")));
    assert_false(archive_line_is_header(slice_of("")));
    assert_true(archive_line_is_preamble(slice_of("# made by hand")));
    assert_true(archive_line_is_preamble(slice_of("https://www.example.com")));
    assert_false(archive_line_is_preamble(slice_of("open_time,open")));
}

static void without_a_header_fields_stand_as_in_the_archive(void **state)
{
    (void)state;
    struct archive_columns columns;
    archive_columns_guess(IMPORT_KLINES, slice_of("1764547200000,9,9,9,9,5"), &columns);
    assert_int_equal(columns.field_count, 6);
    assert_int_equal(columns.at[COLUMN_VOLUME], 5);
    assert_int_equal(columns.at[COLUMN_CLOSE_TIME], -1);
    archive_columns_guess(IMPORT_KLINES, slice_of("1764547200000;9;9;9;9;5;;;;;"), &columns);
    assert_int_equal(columns.field_count, 11);
    assert_int_equal(columns.separator, ';');
    assert_int_equal(columns.at[COLUMN_TAKER_BUY_QUOTE_VOLUME], 10);
    archive_columns_guess(IMPORT_KLINES, slice_of("1764547200000"), &columns);
    assert_int_equal(columns.field_count, 12);
    archive_columns_guess(IMPORT_INTEREST, slice_of("1764547200000,BTCUSDT,1,2,,,,"), &columns);
    assert_int_equal(columns.field_count, 8);
    assert_int_equal(columns.at[COLUMN_VALUE], 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_archives_own_headers_are_known),
        cmocka_unit_test(columns_come_in_any_order_with_others_among_them),
        cmocka_unit_test(usual_names_are_known),
        cmocka_unit_test(of_several_times_the_surest_is_taken),
        cmocka_unit_test(what_is_missing_or_given_twice_is_named),
        cmocka_unit_test(a_header_has_no_numbers),
        cmocka_unit_test(without_a_header_fields_stand_as_in_the_archive),
    };
    return cmocka_run_group_tests_name("archive_columns", tests, NULL, NULL);
}
