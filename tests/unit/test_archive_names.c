/* What the names of the archive's files say, and what others do not. */
#include "sources/archive/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void a_name_says_what_a_file_holds_and_of_which_symbol(void **state)
{
    (void)state;
    static const struct {
        const char *path, *symbol, *interval;
        enum archive_name_kind kind;
        bool is_zip;
    } names[] = {
        {"BTCUSDT-5m-2025-12.csv", "BTCUSDT", "5m", ARCHIVE_NAME_KLINES, false},
        {"BTCUSDT-5m-2025-12-01.zip", "BTCUSDT", "5m", ARCHIVE_NAME_KLINES, true},
        {"/a/b.csv/ETHUSDT-metrics-2025-12-01.csv", "ETHUSDT", "", ARCHIVE_NAME_INTEREST, false},
        {"BTCUSDT-1m-2025-12.csv", "BTCUSDT", "1m", ARCHIVE_NAME_OTHER_INTERVAL, false},
        {"BTCUSDT-15m-2025-12.csv", "BTCUSDT", "15m", ARCHIVE_NAME_OTHER_INTERVAL, false},
        {"BTCUSDT-1mo-2025-12.csv", "BTCUSDT", "1mo", ARCHIVE_NAME_OTHER_INTERVAL, false},
        {"BTC-USD_PERP-5m-2025-12.csv", "BTC-USD_PERP", "5m", ARCHIVE_NAME_KLINES, false},
        {"BTCUSDT_260626-metrics-x.zip", "BTCUSDT_260626", "", ARCHIVE_NAME_INTEREST, true},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct archive_name name = archive_name_read(names[i].path);
        assert_int_equal(name.kind, names[i].kind);
        assert_int_equal(name.is_zip, names[i].is_zip);
        assert_string_equal(name.symbol, names[i].symbol);
        assert_string_equal(name.interval, names[i].interval);
    }
}

static void other_names_say_nothing(void **state)
{
    (void)state;
    static const char *const paths[] = {"",
                                        "/",
                                        "data.csv",
                                        "BTCUSDT-5m.csv",
                                        "-5m-x.csv",
                                        "BTCUSDT-5m-2025-12.txt",
                                        "BTCUSDT",
                                        "BTCUSDT-5m-2025-12.csv/",
                                        "5m-x-y.csv",
                                        "btcusdt-5m-2025-12.csv",
                                        "A-500m-x.csv",
                                        "A-m-x.csv",
                                        "A-5x-x.csv",
                                        "ABCDEFGHIJKLMNOPQRSTU-5m-2025-12.csv",
                                        "A--x.csv",
                                        "BTCUSDT-metric-2025-12-01.csv"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct archive_name name = archive_name_read(paths[i]);
        assert_int_equal(name.kind, ARCHIVE_NAME_OTHER);
        assert_string_equal(name.symbol, "");
    }
    assert_true(archive_name_read("anything.zip").is_zip);
}

static void the_folder_of_klines_says_the_symbol(void **state)
{
    (void)state;
    char symbol[SYMBOL_SIZE] = "";
    assert_true(archive_name_folder_symbol("/data/SOLUSDT/klines/5m/x.csv", symbol));
    assert_string_equal(symbol, "SOLUSDT");
    assert_true(archive_name_folder_symbol("ETHUSDT/klines/x.csv", symbol));
    assert_string_equal(symbol, "ETHUSDT");
    assert_true(archive_name_folder_symbol("klines/klines/ADAUSDT/klines/x.csv", symbol));
    assert_string_equal(symbol, "ADAUSDT");
    assert_false(archive_name_folder_symbol("klines/x.csv", symbol));
    assert_false(archive_name_folder_symbol("/klines/x.csv", symbol));
    assert_false(archive_name_folder_symbol("BTCUSDT/klines", symbol));
    assert_false(archive_name_folder_symbol("btc/klines/x.csv", symbol));
    assert_false(archive_name_folder_symbol("BTCUSDT/klines2/x.csv", symbol));
    assert_string_equal(symbol, "ADAUSDT");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_says_what_a_file_holds_and_of_which_symbol),
        cmocka_unit_test(other_names_say_nothing),
        cmocka_unit_test(the_folder_of_klines_says_the_symbol),
    };
    return cmocka_run_group_tests_name("archive_names", tests, NULL, NULL);
}
