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
        const char *path, *symbol, *word;
        enum archive_name_kind kind;
    } names[] = {
        {"BTCUSDT-5m-2025-12.csv", "BTCUSDT", "5m", ARCHIVE_NAME_KLINES},
        {"BTCUSDT-5m-2025-12-01.zip", "BTCUSDT", "5m", ARCHIVE_NAME_KLINES},
        {"/a/b.csv/ETHUSDT-metrics-2025-12-01.csv", "ETHUSDT", "metrics", ARCHIVE_NAME_INTEREST},
        {"BTCUSDT-5m-2025-12.csv.gz", "BTCUSDT", "5m", ARCHIVE_NAME_KLINES},
        {"BTCUSDT-metrics-2025-12-01.gz", "BTCUSDT", "metrics", ARCHIVE_NAME_INTEREST},
        {"BTCUSDT-1m-2025-12.csv", "BTCUSDT", "1m", ARCHIVE_NAME_OTHER_INTERVAL},
        {"BTCUSDT-15m-2025-12.csv", "BTCUSDT", "15m", ARCHIVE_NAME_OTHER_INTERVAL},
        {"BTCUSDT-1mo-2025-12.csv", "BTCUSDT", "1mo", ARCHIVE_NAME_OTHER_INTERVAL},
        {"BTC-USDT-SWAP-5m-2025-12.csv", "BTC-USDT-SWAP", "5m", ARCHIVE_NAME_KLINES},
        {"BTCUSDT_260626-metrics-x.zip", "BTCUSDT_260626", "metrics", ARCHIVE_NAME_INTEREST},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct archive_name name = archive_name_read(names[i].path);
        assert_int_equal(name.kind, names[i].kind);
        assert_int_equal(name.market, ARCHIVE_MARKET_UNKNOWN);
        assert_string_equal(name.symbol, names[i].symbol);
        assert_string_equal(name.word, names[i].word);
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
                                        "BTCUSDT-5m-2025-12.zip.CHECKSUM",
                                        "BTCUSDT-5m-2025-12.tar.xz",
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
}

static void a_name_of_a_symbol_in_another_form_says_which_is_meant(void **state)
{
    (void)state;
    static const char *const paths[][2] = {
        {"x/btcusdt-5m-2025-12.csv", "BTCUSDT"},
        {"btc-usdt-swap-metrics-2025-12-01.zip", "BTC-USDT-SWAP"},
        {"BTCUSDT-5m-2025-12.csv", NULL}, /* a symbol as it is */
        {"btcusdt-5m.csv", NULL},
        {"btcusdt-notes-2025.csv", NULL},
        {"b;c-5m-2025-12.csv", NULL},
        {"", NULL},
    };
    char symbol[SYMBOL_SIZE];
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        assert_int_equal(archive_name_guess_symbol(paths[i][0], symbol), paths[i][1] != NULL);
        if (paths[i][1] != NULL)
            assert_string_equal(symbol, paths[i][1]);
    }
}

static void the_folders_tell_files_of_the_same_name_apart(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        enum archive_name_kind kind;
        enum archive_market market;
        bool is_future, is_spot; /* whether it is imported as such */
        const char *reason;      /* where it is not imported as a future */
    } names[] = {
        {"data/futures/um/daily/klines/BTCUSDT/5m/BTCUSDT-5m-2025-12-01.zip", ARCHIVE_NAME_KLINES,
         ARCHIVE_MARKET_USD_M, true, false, ""},
        {"um/daily/metrics/BTCUSDT/BTCUSDT-metrics-2025-12-01.zip", ARCHIVE_NAME_INTEREST,
         ARCHIVE_MARKET_USD_M, true, true, ""},
        {"spot/daily/klines/BTCUSDT/5m/BTCUSDT-5m-2025-12-01.zip", ARCHIVE_NAME_KLINES,
         ARCHIVE_MARKET_SPOT, false, true, "5m klines of the spot market; --market spot"},
        {"spot/um/x/BTCUSDT-5m-2025-12-01.zip", ARCHIVE_NAME_KLINES, ARCHIVE_MARKET_USD_M, true,
         false, ""},
        {"um/daily/indexPriceKlines/BTCUSDT/5m/BTCUSDT-5m-2025-12-01.zip", ARCHIVE_NAME_OTHER_PRICE,
         ARCHIVE_MARKET_USD_M, false, false, "indexPriceKlines; only klines of trades"},
        {"um/markPriceKlines/BTCUSDT-5m-2025-12-01.csv", ARCHIVE_NAME_OTHER_PRICE,
         ARCHIVE_MARKET_USD_M, false, false, "markPriceKlines"},
        {"premiumIndexKlines/BTCUSDT-1m-2025-12-01.csv", ARCHIVE_NAME_OTHER_PRICE,
         ARCHIVE_MARKET_UNKNOWN, false, false, "premiumIndexKlines"},
        {"cm/daily/klines/BTCUSD_PERP/5m/BTCUSD_PERP-5m-2025-12-01.zip", ARCHIVE_NAME_KLINES,
         ARCHIVE_MARKET_COIN_M, false, false, "coin-margined"},
        {"BTCUSD_PERP-metrics-2025-12-01.zip", ARCHIVE_NAME_INTEREST, ARCHIVE_MARKET_COIN_M, false,
         false, "metrics of the coin-margined market"},
        {"BTCUSD_260626-5m-2025-12-01.zip", ARCHIVE_NAME_KLINES, ARCHIVE_MARKET_COIN_M, false,
         false, "coin-margined"},
        {"BTCUSDT_260626-5m-2025-12-01.zip", ARCHIVE_NAME_KLINES, ARCHIVE_MARKET_UNKNOWN, true,
         true, ""},
        {"option/daily/EOHSummary/BTCUSDT-EOHSummary-2023-10-01.zip", ARCHIVE_NAME_OTHER_DATA,
         ARCHIVE_MARKET_OPTION, false, false, "EOHSummary"},
        {"um/daily/aggTrades/BTCUSDT/BTCUSDT-aggTrades-2025-12-01.zip", ARCHIVE_NAME_OTHER_DATA,
         ARCHIVE_MARKET_USD_M, false, false, "aggTrades; only klines and metrics"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct archive_name name = archive_name_read(names[i].path);
        char reason[ARCHIVE_REASON_SIZE] = "";
        assert_int_equal(name.kind, names[i].kind);
        assert_int_equal(name.market, names[i].market);
        assert_int_equal(archive_name_is_wanted(&name, ARCHIVE_MARKET_SPOT, reason),
                         names[i].is_spot);
        reason[0] = '\0';
        assert_int_equal(archive_name_is_wanted(&name, ARCHIVE_MARKET_USD_M, reason),
                         names[i].is_future);
        assert_non_null(strstr(reason, names[i].reason));
    }
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
    assert_true(archive_name_folder_symbol("um/daily/klines/BNBUSDT/5m/x.csv", symbol));
    assert_string_equal(symbol, "BNBUSDT");
    assert_true(archive_name_folder_symbol("ADAUSDT/klines/x.csv", symbol));
    assert_false(archive_name_folder_symbol("klines/x.csv", symbol));
    assert_false(archive_name_folder_symbol("/klines/x.csv", symbol));
    assert_false(archive_name_folder_symbol("BTCUSDT/klines", symbol));
    assert_false(archive_name_folder_symbol("btc/klines/x.csv", symbol));
    assert_false(archive_name_folder_symbol("BTCUSDT/klines2/x.csv", symbol));
    assert_string_equal(symbol, "ADAUSDT");
}

static void members_that_are_no_tables_are_known_by_their_names(void **state)
{
    (void)state;
    assert_true(archive_name_may_be_table("BTCUSDT-5m-2025-12.csv"));
    assert_true(archive_name_may_be_table("a folder/anything.csv"));
    assert_true(archive_name_may_be_table("rows.txt"));
    assert_true(archive_name_may_be_table("another.zip"));
    assert_false(archive_name_may_be_table("README.md"));
    assert_false(archive_name_may_be_table("csv"));
    assert_false(archive_name_may_be_table("__MACOSX/._BTCUSDT-5m-2025-12.csv"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_says_what_a_file_holds_and_of_which_symbol),
        cmocka_unit_test(other_names_say_nothing),
        cmocka_unit_test(a_name_of_a_symbol_in_another_form_says_which_is_meant),
        cmocka_unit_test(the_folders_tell_files_of_the_same_name_apart),
        cmocka_unit_test(members_that_are_no_tables_are_known_by_their_names),
        cmocka_unit_test(the_folder_of_klines_says_the_symbol),
    };
    return cmocka_run_group_tests_name("archive_names", tests, NULL, NULL);
}
