/* What `heatcast fetch` knows without asking anybody: which files a range of days makes, where they
 * are, what a checksum is, and how missing days are told. */
#include "sources/archive/fetch_plan.h"

#include "base/iso_time.h"
#include "sources/archive/checksum.h"
#include "sources/archive/missing_days.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int64_t day_of(const char *text)
{
    int64_t time_ms;
    assert_true(iso_time_parse(text, strlen(text), &time_ms));
    return time_ms / 86400000;
}

/* The plan of a range, "2025-12-31 2026-01 2026-02-01". */
static void assert_plan(enum fetch_kind kind, const char *from, const char *to,
                        const char *expected)
{
    struct buffer text = {0};
    int64_t day = day_of(from), last_day = day_of(to), count = 0;
    for (; day <= last_day; count++) {
        char first[FETCH_DAY_SIZE];
        struct fetch_period period = fetch_plan_next(kind, day, last_day);
        fetch_plan_day(period.first_day, first);
        buffer_append_format(&text, "%s%.*s", count > 0 ? " " : "", period.day_count > 1 ? 7 : 10,
                             first);
        day += period.day_count;
    }
    assert_string_equal(buffer_text(&text), expected);
    assert_int_equal(fetch_plan_count(kind, day_of(from), last_day), count);
    assert_int_equal(day, last_day + 1);
    buffer_deinit(&text);
}

static void whole_months_of_candles_are_one_file(void **state)
{
    (void)state;
    assert_plan(FETCH_KLINES, "2025-12-31", "2026-02-01", "2025-12-31 2026-01 2026-02-01");
    assert_plan(FETCH_KLINES, "2025-12-01", "2025-12-31", "2025-12");
    assert_plan(FETCH_KLINES, "2025-12-01", "2025-12-01", "2025-12-01");
    assert_plan(FETCH_KLINES, "2025-12-02", "2025-12-04", "2025-12-02 2025-12-03 2025-12-04");
    assert_plan(FETCH_KLINES, "2024-02-01", "2024-02-29", "2024-02");
    assert_plan(FETCH_KLINES, "2025-02-01", "2025-03-01", "2025-02 2025-03-01");
    assert_plan(FETCH_KLINES, "2025-04-30", "2025-05-31", "2025-04-30 2025-05");
    assert_int_equal(fetch_plan_count(FETCH_KLINES, day_of("2025-12-01"), day_of("2025-12-30")),
                     30);
    assert_int_equal(fetch_plan_count(FETCH_KLINES, day_of("2020-01-01"), day_of("2025-12-31")),
                     72);
}

static void open_interest_has_days_alone(void **state)
{
    (void)state;
    assert_plan(FETCH_INTEREST, "2025-12-30", "2026-01-02",
                "2025-12-30 2025-12-31 2026-01-01 2026-01-02");
    assert_int_equal(fetch_plan_count(FETCH_INTEREST, day_of("2024-01-01"), day_of("2024-12-31")),
                     366);
}

static void assert_path(enum fetch_kind kind, const char *symbol, int64_t day_count,
                        bool is_encoded, const char *expected)
{
    struct buffer path = {0};
    const struct fetch_period period = {day_of("2025-12-01"), day_count};
    fetch_plan_append_path(&path, kind, symbol, period, is_encoded);
    assert_string_equal(buffer_text(&path), expected);
    buffer_deinit(&path);
}

static void files_are_where_the_archive_has_them(void **state)
{
    (void)state;
    assert_path(FETCH_KLINES, "BTCUSDT", 1, true,
                "data/futures/um/daily/klines/BTCUSDT/5m/BTCUSDT-5m-2025-12-01.zip");
    assert_path(FETCH_KLINES, "BTCUSDT", 31, true,
                "data/futures/um/monthly/klines/BTCUSDT/5m/BTCUSDT-5m-2025-12.zip");
    assert_path(FETCH_INTEREST, "ETHUSDT", 1, true,
                "data/futures/um/daily/metrics/ETHUSDT/ETHUSDT-metrics-2025-12-01.zip");
    assert_path(FETCH_INTEREST, "币USDT", 1, false,
                "data/futures/um/daily/metrics/币USDT/币USDT-metrics-2025-12-01.zip");
    assert_path(FETCH_INTEREST, "币USDT", 1, true,
                "data/futures/um/daily/metrics/%E5%B8%81USDT/"
                "%E5%B8%81USDT-metrics-2025-12-01.zip");
}

/* -- checksums --------------------------------------------------------------------------------- */

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static bool is_checksum(const char *text)
{
    char checksum[STORE_CHECKSUM_SIZE];
    bool is_one = archive_checksum_read(slice_of(text), "BTCUSDT-5m-2025-12.zip", checksum);
    if (is_one)
        assert_string_equal(checksum, ABC);
    return is_one;
}

static void a_published_checksum_is_a_line_of_sha256sum(void **state)
{
    (void)state;
    assert_true(is_checksum(ABC "  BTCUSDT-5m-2025-12.zip\n"));
    assert_true(is_checksum(ABC "  BTCUSDT-5m-2025-12.zip"));
    assert_true(is_checksum(ABC " *BTCUSDT-5m-2025-12.zip\r\n"));
    assert_true(is_checksum("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"
                            "  BTCUSDT-5m-2025-12.zip\n"));
    assert_false(is_checksum(""));
    assert_false(is_checksum("<html>"));
    assert_false(is_checksum(ABC));
    assert_false(is_checksum(ABC "\n"));
    assert_false(is_checksum(ABC "  BTCUSDT-5m-2025-11.zip\n"));
    assert_false(is_checksum(ABC "  BTCUSDT-5m-2025-12.zip x\n"));
    assert_false(is_checksum(ABC "0  BTCUSDT-5m-2025-12.zip\n"));
    assert_false(is_checksum("g" EMPTY "  BTCUSDT-5m-2025-12.zip\n"));
}

static void the_checksum_of_a_file_is_its_sha256(void **state)
{
    (void)state;
    char path[] = "/tmp/heatcast-test-XXXXXX", checksum[STORE_CHECKSUM_SIZE];
    struct error error;
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(archive_checksum_of_file(path, checksum, &error), STATUS_OK);
    assert_string_equal(checksum, EMPTY);
    assert_int_equal(write(file, "abc", 3), 3);
    assert_int_equal(archive_checksum_of_file(path, checksum, &error), STATUS_OK);
    assert_string_equal(checksum, ABC);
    close(file);
    unlink(path);
    assert_int_equal(archive_checksum_of_file(path, checksum, &error), STATUS_NOT_FOUND);
    assert_string_equal(error.message, "No such file or directory");
    assert_int_equal(archive_checksum_of_file("/tmp", checksum, &error), STATUS_IO);
}

/* -- missing days ------------------------------------------------------------------------------ */

static void assert_words(const char *const *days, const char *expected)
{
    struct missing_days missing = {0};
    struct buffer words = {0};
    for (; *days != NULL; days++)
        missing_days_add(&missing, day_of(*days));
    missing_days_append(&words, &missing);
    assert_string_equal(buffer_text(&words), expected);
    buffer_deinit(&words);
    missing_days_deinit(&missing);
}

static void missing_days_in_a_row_are_one_range(void **state)
{
    (void)state;
    assert_words((const char *const[]){"2025-12-01", NULL}, "2025-12-01 (1 day)");
    assert_words((const char *const[]){"2025-12-31", "2026-01-01", NULL},
                 "2025-12-31 to 2026-01-01 (2 days)");
    assert_words(
        (const char *const[]){"2025-12-05", "2025-12-01", "2025-12-03", "2025-12-04", NULL},
        "2025-12-01, 2025-12-03 to 2025-12-05 (4 days)");
    assert_words((const char *const[]){"2025-12-01", "2025-12-03", "2025-12-02", NULL},
                 "2025-12-01 to 2025-12-03 (3 days)");
    assert_words((const char *const[]){"2025-12-03", "2025-12-02", "2025-12-01", NULL},
                 "2025-12-01 to 2025-12-03 (3 days)");
}

static void many_ranges_are_counted_and_the_first_are_named(void **state)
{
    (void)state;
    struct missing_days missing = {0};
    struct buffer words = {0};
    for (int i = 999; i >= 0; i--)
        missing_days_add(&missing, day_of("2020-01-01") + 2 * i);
    assert_int_equal(missing_days_count(&missing), 1000);
    missing_days_append(&words, &missing);
    assert_string_equal(buffer_text(&words),
                        "2020-01-01, 2020-01-03, 2020-01-05, 2020-01-07, 2020-01-09, 2020-01-11, "
                        "2020-01-13, 2020-01-15, 2020-01-17, 2020-01-19, 2020-01-21, 2020-01-23 "
                        "and others (1000 days)");
    buffer_deinit(&words);
    missing_days_deinit(&missing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_months_of_candles_are_one_file),
        cmocka_unit_test(open_interest_has_days_alone),
        cmocka_unit_test(files_are_where_the_archive_has_them),
        cmocka_unit_test(a_published_checksum_is_a_line_of_sha256sum),
        cmocka_unit_test(the_checksum_of_a_file_is_its_sha256),
        cmocka_unit_test(missing_days_in_a_row_are_one_range),
        cmocka_unit_test(many_ranges_are_counted_and_the_first_are_named),
    };
    return cmocka_run_group_tests_name("fetch_plan", tests, NULL, NULL);
}
