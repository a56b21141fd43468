/* Files and folders of the archive: what is taken, what is refused, what is counted. */
#include "import_fixture.h"

#include "sources/archive/walk.h"

#define WINDOWS_HEADER                                                                             \
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"         \
    "taker_buy_quote_volume,ignore\r\n"

static void a_folder_of_the_archive_is_imported(void **state)
{
    put(state, "in/BTCUSDT/klines/5m/BTCUSDT-5m-2025-12-01.csv", KLINE_HEADER KLINE_0 KLINE_1);
    put(state, "in/BTCUSDT/klines/5m/BTCUSDT-5m-2025-12-02.csv", KLINE_2);
    put(state, "in/BTCUSDT/metrics/BTCUSDT-metrics-2025-12-01.csv",
        METRICS_HEADER METRIC_0 METRIC_1);
    put(state, "in/BTCUSDT/klines/1m/BTCUSDT-1m-2025-12-01.csv", "not read");
    put(state, "in/README.md", "not read");
    put(state, "in/.BTCUSDT-5m-hidden.csv", "not read");
    struct outcome outcome = run_new(state, NULL, true, path_in(state, "in"));
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.problems, 0);
    assert_int_equal(outcome.klines.files, 2);
    assert_int_equal(outcome.klines.rows_read, 3);
    assert_int_equal(outcome.klines.rows_new, 3);
    assert_int_equal(outcome.interest.files, 1);
    assert_int_equal(outcome.interest.rows_new, 2);
    assert_true(outcome.progress >= 3 && outcome.bytes_done == outcome.bytes_total);
    struct series series = stored(state, "BTCUSDT");
    assert_int_equal(series.count, 3);
    assert_int_equal(series.candles[2].close_e8, 103 * DECIMAL_ONE);
    assert_true(series.deltas[1] == 500);
    series_deinit(&series);
}

static void importing_twice_changes_nothing(void **state)
{
    put(state, "in/BTCUSDT-5m-2025-12-01.csv", KLINE_HEADER KLINE_0 KLINE_1);
    put(state, "in/BTCUSDT-metrics-2025-12-01.csv", METRICS_HEADER METRIC_0 METRIC_1);
    run_new(state, NULL, false, path_in(state, "in"));
    struct outcome outcome = run_new(state, NULL, false, path_in(state, "in"));
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.klines.rows_read, 2);
    assert_int_equal(outcome.klines.rows_new, 0);
    assert_int_equal(outcome.interest.rows_new, 0);
    assert_int_equal(outcome.klines.rows_bad + outcome.interest.rows_bad, 0);
}

static void rows_may_be_out_of_order_repeated_and_end_in_crlf(void **state)
{
    const char *path =
        put(state, "BTCUSDT-5m-x.csv",
            "\xEF\xBB\xBF" WINDOWS_HEADER "1764547800000,102,105,99,103,5,,,,,,0\r\n"
            "\r\n"
            "1764547200000000,100,103,97,101,5,1764547499999999,,,,,0\r\n" WINDOWS_HEADER
            "1764547800000,102,105,99,103,5,,,,,,0\r\n"
            "1764547500000,101,104,98,102,5,,,,,,0");
    struct outcome outcome = run_new(state, NULL, true, path);
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.klines.rows_read, 4);
    assert_int_equal(outcome.klines.rows_new, 3);
    assert_int_equal(outcome.klines.rows_bad, 0);
    assert_stored(state, "BTCUSDT", 3);
}

static void a_bad_row_is_named_and_the_good_ones_are_kept(void **state)
{
    const char *path = put(state, "BTCUSDT-5m-x.csv",
                           KLINE_HEADER KLINE_0 "1764547500000,abc,104,98,102,5,,,,,,0\n" KLINE_2);
    struct outcome outcome = run_new(state, NULL, false, path);
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.klines.rows_read, 3);
    assert_int_equal(outcome.klines.rows_new, 2);
    assert_int_equal(outcome.klines.rows_bad, 1);
    assert_int_equal(outcome.problems, 1);
    assert_says(&outcome, "BTCUSDT-5m-x.csv:3: open 'abc'");
    assert_stored(state, "BTCUSDT", 2);
}

static void strict_imports_nothing_of_a_file_with_a_bad_row(void **state)
{
    put(state, "in/BTCUSDT-5m-a.csv", KLINE_0 "bad\n" KLINE_1);
    put(state, "in/BTCUSDT-5m-b.csv", KLINE_2);
    struct outcome outcome = run_new(state, NULL, true, path_in(state, "in"));
    assert_int_equal(outcome.status, STATUS_INVALID);
    assert_non_null(strstr(outcome.error.message, "--strict"));
    assert_int_equal(outcome.klines.files, 1);
    assert_int_equal(outcome.klines.rows_bad, 1);
    struct series series = stored(state, "BTCUSDT");
    assert_int_equal(series.count, 1);
    assert_int_equal(series.candles[0].open_e8, 102 * DECIMAL_ONE);
    series_deinit(&series);
}

static void lines_that_are_no_text_are_bad_rows(void **state)
{
    const char *path = put(state, "BTCUSDT-5m-x.csv", KLINE_0);
    FILE *file = fopen(path, "a");
    fwrite("17645475\00000", 1, 12, file);
    fputc('\n', file);
    for (int i = 0; i < 1000000; i++)
        fputc('7', file);
    fputs("\n" KLINE_1, file);
    fclose(file);
    struct outcome outcome = run_new(state, NULL, false, path);
    assert_int_equal(outcome.klines.rows_new, 2);
    assert_int_equal(outcome.klines.rows_bad, 2);
    assert_says(&outcome, ":3: is longer than");
}

static void a_flood_of_bad_rows_is_cut_short(void **state)
{
    const char *path = put(state, "BTCUSDT-5m-x.csv", KLINE_0);
    FILE *file = fopen(path, "a");
    for (int i = 0; i < 5000; i++)
        fputs("7,7,7\n", file);
    fclose(file);
    struct outcome outcome = run_new(state, NULL, false, path);
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.klines.rows_bad, 5000);
    assert_true(outcome.problems <= 101);
    assert_says(&outcome, "4900 more bad rows");
}

static void only_bad_rows_is_a_failure(void **state)
{
    const char *path = put(state, "BTCUSDT-5m-x.csv", "1,2,3\n4,5,6\n");
    struct outcome outcome = run_new(state, NULL, false, path);
    assert_int_equal(outcome.status, STATUS_INVALID);
    assert_int_equal(outcome.klines.rows_bad, 2);
}

static void an_unreadable_file_leaves_the_others_alone(void **state)
{
    put(state, "in/BTCUSDT-5m-b.csv", KLINE_0);
    assert_int_equal(symlink("/nonexistent", path_in(state, "in/BTCUSDT-5m-a.csv")), 0);
    struct outcome outcome = run_new(state, NULL, false, path_in(state, "in"));
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.problems, 1);
    assert_says(&outcome, "BTCUSDT-5m-a.csv: No such file");
    assert_int_equal(outcome.klines.rows_new, 1);
}

static void what_cannot_be_imported_says_why(void **state)
{
    struct outcome outcome = run_new(state, NULL, false, path_in(state, "missing"));
    assert_int_equal(outcome.status, STATUS_INVALID);
    assert_says(&outcome, "missing: No such file");
    outcome = run_new(state, NULL, false, put(state, "BTCUSDT-1m-2025-12.csv", KLINE_0));
    assert_int_equal(outcome.status, STATUS_INVALID);
    assert_says(&outcome, "1m klines; only 5m");
    outcome = run_new(state, NULL, false, put(state, "notes.txt", "hello, world\n"));
    assert_int_equal(outcome.status, STATUS_INVALID);
    assert_says(&outcome, "'hello, world' is not known");
    outcome = run_new(state, NULL, false, put(state, "notes.txt", "hello world\n"));
    assert_says(&outcome, "neither its name nor its first line");
    outcome = run_new(state, NULL, false, put(state, "nothing.csv", ""));
    assert_says(&outcome, "holds no row");
    outcome = run_new(state, NULL, false, put(state, "data.csv", KLINE_HEADER KLINE_0));
    assert_says(&outcome, "--symbol");
    mkdir(path_in(state, "void"), 0777);
    outcome = run_new(state, NULL, false, path_in(state, "void"));
    assert_int_equal(outcome.status, STATUS_INVALID);
    assert_says(&outcome, "no file of the archive");
    outcome = run_new(state, "btc", false, path_in(state, "data.csv"));
    assert_int_equal(outcome.status, STATUS_INVALID);
    assert_non_null(strstr(outcome.error.message, "btc"));
}

static void the_content_says_what_a_file_of_another_name_holds(void **state)
{
    struct outcome outcome = run_new(state, "BTCUSDT", false, put(state, "a.csv", KLINE_0));
    assert_int_equal(outcome.klines.rows_new, 1);
    outcome = run_new(state, "BTCUSDT", false, put(state, "b", KLINE_HEADER KLINE_1));
    assert_int_equal(outcome.klines.rows_new, 1);
    outcome = run_new(state, NULL, false, put(state, "c.txt", METRICS_HEADER METRIC_0));
    assert_int_equal(outcome.interest.rows_new, 1);
    outcome = run_new(state, NULL, false, put(state, "d", METRIC_1));
    assert_int_equal(outcome.interest.rows_new, 1);
    outcome = run_new(state, NULL, false, put(state, "SOLUSDT/klines/e.csv", KLINE_1));
    assert_int_equal(outcome.klines.rows_new, 1);
    assert_stored(state, "SOLUSDT", 1);
}

static void the_symbol_option_names_klines_and_selects_the_rest(void **state)
{
    struct outcome outcome =
        run_new(state, "XBTUSDT", false, put(state, "BTCUSDT-5m-a.csv", KLINE_0));
    assert_int_equal(outcome.klines.rows_new, 1);
    assert_stored(state, "XBTUSDT", 1);

    outcome = run_new(state, "ETHUSDT", false, put(state, "BTCUSDT-metrics-a.csv", METRIC_0));
    assert_int_equal(outcome.interest.rows_bad, 1);
    assert_says(&outcome, "BTCUSDT is not ETHUSDT");

    put(state, "in/BTCUSDT-5m-a.csv", KLINE_0);
    put(state, "in/ETHUSDT-5m-a.csv", KLINE_0 KLINE_1);
    outcome = run_new(state, "ETHUSDT", false, path_in(state, "in"));
    assert_int_equal(outcome.klines.files, 1);
    assert_stored(state, "ETHUSDT", 2);
    assert_stored(state, "BTCUSDT", 0);
}

static void symbols_may_have_dashes(void **state)
{
    struct outcome outcome =
        run_new(state, NULL, false, put(state, "BTC-USDT-SWAP-5m-2025-12.csv", KLINE_0));
    assert_int_equal(outcome.klines.rows_new, 1);
    assert_stored(state, "BTC-USDT-SWAP", 1);
}

static void open_interest_of_zero_is_stored_and_passed_over(void **state)
{
    put(state, "in/BTCUSDT-5m-a.csv", KLINE_0 KLINE_1 KLINE_2);
    put(state, "in/BTCUSDT-metrics-a.csv",
        METRIC_0 "2025-12-01 00:05:00,BTCUSDT,0,0,,,,\n"
                 "2025-12-01 00:10:00,BTCUSDT,0,0,,,,\n2025-12-01 00:10:01,BTCUSDT,1,1800,,,,\n");
    struct outcome outcome = run_new(state, NULL, true, path_in(state, "in"));
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.interest.rows_new, 4);
    struct series series = stored(state, "BTCUSDT");
    assert_true(series.deltas[1] == 0 && series.deltas[2] == 800);
    series_deinit(&series);
}

static void a_link_that_leads_back_up_is_not_followed(void **state)
{
    put(state, "in/BTCUSDT-5m-a.csv", KLINE_0);
    assert_int_equal(symlink(".", path_in(state, "in/again")), 0);
    struct outcome outcome = run_new(state, NULL, false, path_in(state, "in"));
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.klines.rows_new, 1);
    assert_int_equal(outcome.problems, 0);
    assert_int_equal(outcome.klines.files, 1);
}

/* A day of candles in a file, of which there are many. */
static void put_day(void **state, int day, bool is_damaged)
{
    char name[64], text[32768];
    size_t size = 0;
    for (int i = 0; i < 288; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "%lld,9,9,9,9,1,,,,,,0\n",
                                 (long long)(T0 + day * DAY_MS + i * CANDLE_MS));
    if (is_damaged)
        snprintf(text + size, sizeof text - size, "open_time,open\n");
    snprintf(name, sizeof name, "in/BTCUSDT-5m-%03d.csv", day);
    put(state, name, text);
}

static void files_share_transactions_but_not_faults(void **state)
{
    enum { DAYS = 200 };
    for (int day = 0; day < DAYS; day++)
        put_day(state, day, day % 50 == 7);
    struct outcome outcome = run_new(state, NULL, false, path_in(state, "in"));
    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(outcome.problems, 4);
    assert_int_equal(outcome.klines.files, DAYS - 4);
    assert_int_equal(outcome.klines.rows_new, (DAYS - 4) * 288);
    struct store *store = open_store(database(state), STORE_SHARED);
    struct store_session *session = begin(store);
    int64_t count;
    assert_ok(
        store_count_rows(session, "BTCUSDT", T0 + 7 * DAY_MS, T0 + 8 * DAY_MS - 1, &count, fault));
    assert_int_equal(count, 0);
    assert_ok(store_count_rows(session, "BTCUSDT", T0, T0 + DAYS * DAY_MS, &count, fault));
    assert_int_equal(count, (DAYS - 4) * 288);
    store_end(session);
    store_close(store);
}

static void open_interest_comes_after_candles(void **state)
{
    put(state, "a/BTCUSDT-metrics-2025-12-01.csv", METRICS_HEADER METRIC_0);
    put(state, "b/BTCUSDT-5m-2025-12-01.csv", KLINE_0);
    struct archive_problems problems = {0};
    struct archive_walk walk = {.problems = &problems};
    assert_true(archive_walk_add(&walk, path_in(state, ".")));
    archive_walk_sort(&walk);
    assert_int_equal(walk.file_count, 2);
    assert_non_null(strstr(walk.files[0].path, "5m"));
    assert_non_null(strstr(walk.files[1].path, "metrics"));
    archive_walk_deinit(&walk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(a_folder_of_the_archive_is_imported),
        in_folder(importing_twice_changes_nothing),
        in_folder(rows_may_be_out_of_order_repeated_and_end_in_crlf),
        in_folder(a_bad_row_is_named_and_the_good_ones_are_kept),
        in_folder(strict_imports_nothing_of_a_file_with_a_bad_row),
        in_folder(lines_that_are_no_text_are_bad_rows),
        in_folder(a_flood_of_bad_rows_is_cut_short),
        in_folder(only_bad_rows_is_a_failure),
        in_folder(an_unreadable_file_leaves_the_others_alone),
        in_folder(what_cannot_be_imported_says_why),
        in_folder(the_content_says_what_a_file_of_another_name_holds),
        in_folder(the_symbol_option_names_klines_and_selects_the_rest),
        in_folder(symbols_may_have_dashes),
        in_folder(open_interest_of_zero_is_stored_and_passed_over),
        in_folder(files_share_transactions_but_not_faults),
        in_folder(open_interest_comes_after_candles),
        in_folder(a_link_that_leads_back_up_is_not_followed),
    };
    return cmocka_run_group_tests_name("import", tests, NULL, NULL);
}
