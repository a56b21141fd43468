/* Moments as text, there and back. */
#include "base/iso_time.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <setjmp.h>

#include <cmocka.h>

static void assert_reads(const char *text, int64_t expected_ms)
{
    int64_t time_ms = -1;
    if (!iso_time_parse(text, strlen(text), &time_ms) || time_ms != expected_ms)
        fail_msg("%s is %lld", text, (long long)time_ms);
}

static void the_accepted_forms_name_the_same_moment(void **state)
{
    (void)state;
    const int64_t moment_ms = 1766932200000;
    assert_reads("2025-12-28T14:30:00Z", moment_ms);
    assert_reads("2025-12-28T14:30:00", moment_ms);
    assert_reads("2025-12-28 14:30:00", moment_ms);
    assert_reads("2025-12-28T14:30", moment_ms);
    assert_reads("2025-12-28T14:30Z", moment_ms);
    assert_reads("2025-12-28T14:30:00.000000000Z", moment_ms);
    assert_reads("2025-12-28T15:30:00+01:00", moment_ms);
    assert_reads("2025-12-28T15:30:00+0100", moment_ms);
    assert_reads("2025-12-28T09:00:00-05:30", moment_ms);
    assert_reads("2025-12-29T00:30+10:00", moment_ms);
    assert_reads("2025-12-28T14:30:00+00:00", moment_ms);
    assert_reads("2025-12-28T14:30:00-00:00", moment_ms);
    assert_reads("2025-12-28T14:30Z", moment_ms);
    assert_reads("2025-12-28T16:30:00.0+02", moment_ms);
    assert_reads("2025-12-28 14:30+00", moment_ms);
    assert_reads("2025-12-28", moment_ms - (14 * 60 + 30) * 60000);
    assert_reads("2025-12-28T14:30:00.1239Z", moment_ms + 123);
    assert_reads("2025-12-28T14:30:00.5Z", moment_ms + 500);
    assert_reads("1970-01-01", 0);
    assert_reads("1969-12-31T23:59:59.999Z", -1);
    assert_reads("2024-02-29", 1709164800000);
    assert_reads("2000-02-29", 951782400000);
}

static void what_names_no_moment_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "2025",
        "2025-12",
        "2025-1-1",
        "2025-13-01",
        "2025-00-01",
        "2025-12-00",
        "2025-12-32",
        "2025-02-29",
        "1900-02-29",
        "2025-04-31",
        "2025-12-28T",
        "2025-12-28T14",
        "2025-12-28T24:00",
        "2025-12-28T14:60",
        "2025-12-28T14:30:60",
        "2025-12-28T14:30:00.",
        "2025-12-28T14:30:00.1234567890Z",
        "2025-12-28T14:30:00ZZ",
        "2025-12-28T14:30:00 Z",
        "2025-12-28T14:30:00+1",
        "2025-12-28T14:30:00+01:",
        "2025-12-28T14:30:00+01:0",
        "2025-12-28T14:30:00+010",
        "2025-12-28T14:30:00 01:00",
        "2025-12-28+01:00",
        "2025-12-28T14:30:00+24:00",
        "2025-12-28T14:30:00+01:60",
        "2025-12-28t14:30",
        " 2025-12-28",
        "2025-12-28 ",
        "-025-12-28",
        "1766932200000",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        int64_t time_ms = 0;
        if (iso_time_parse(texts[i], strlen(texts[i]), &time_ms))
            fail_msg("'%s' was read as %lld", texts[i], (long long)time_ms);
    }
}

static void assert_writes(int64_t time_ms, const char *expected)
{
    char text[ISO_TIME_SIZE];
    assert_string_equal(iso_time_format(time_ms, text), expected);
}

static void moments_are_written_with_milliseconds_where_they_have_some(void **state)
{
    (void)state;
    assert_writes(0, "1970-01-01T00:00:00Z");
    assert_writes(1766932200000, "2025-12-28T14:30:00Z");
    assert_writes(1766932200123, "2025-12-28T14:30:00.123Z");
    assert_writes(1766932200005, "2025-12-28T14:30:00.005Z");
    assert_writes(-1, "1969-12-31T23:59:59.999Z");
    assert_writes(-86400000, "1969-12-31T00:00:00Z");
    assert_writes(951782400000, "2000-02-29T00:00:00Z");
    assert_writes(INT64_MAX, "9999-12-31T23:59:59.999Z");
    assert_writes(INT64_MIN, "0000-01-01T00:00:00Z");
}

static void every_day_agrees_with_the_c_library(void **state)
{
    (void)state;
    for (int64_t day = -200000; day < 400000; day += 13) {
        time_t seconds = (time_t)(day * 86400 + (day % 86400 + 86400) % 86400);
        struct tm parts;
        char expected[ISO_TIME_SIZE], text[ISO_TIME_SIZE];
        assert_non_null(gmtime_r(&seconds, &parts));
        strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%SZ", &parts);
        assert_string_equal(iso_time_format((int64_t)seconds * 1000, text), expected);
        int64_t back_ms;
        assert_true(iso_time_parse(text, strlen(text), &back_ms));
        assert_int_equal(back_ms, (int64_t)seconds * 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_accepted_forms_name_the_same_moment),
        cmocka_unit_test(what_names_no_moment_is_refused),
        cmocka_unit_test(moments_are_written_with_milliseconds_where_they_have_some),
        cmocka_unit_test(every_day_agrees_with_the_c_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
