/* The parameters of a question about the past: how they are read, which questions are the same, and
 * which window they give. */
#include "base/decimal.h"
#include "engine/range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define T0 INT64_C(1764547200000) /* 2025-12-01T00:00:00Z */
#define HOUR_MS (60 * MINUTE_MS)
#define NEWEST_MS (T0 + 10 * DAY_MS)
#define LOOKBACK_MS (7 * DAY_MS)

/* Parameters as "name=value&name=value". */
static struct range range_of(const char *parameters)
{
    struct range range = {.symbol = "BTCUSDT"};
    struct error error;
    char text[512], *rest = text, *item;
    snprintf(text, sizeof text, "%s", parameters);
    while ((item = strsep(&rest, "&")) != NULL && *item != '\0') {
        char *value = strchr(item, '=');
        *value++ = '\0';
        if (range_set(&range, item, value, &error) != STATUS_OK)
            fail_msg("%s", error.message);
    }
    return range;
}

/* -- parameters -------------------------------------------------------------------------------- */

static void parameters_are_set_by_name(void **state)
{
    (void)state;
    struct range range = range_of("start=2025-12-01&end=2025-12-02T00:00:00Z&window=48h&"
                                  "interval=1h&bucket=0.5&weights=10:1,20:3&"
                                  "shown_start=2025-12-01T01:00:00Z&shown_end=2025-12-01T02:00&"
                                  "tiers=high, low");
    assert_true(range.has_start && range.has_end && range.has_weights);
    assert_int_equal(range.start_ms, T0);
    assert_int_equal(range.end_ms, T0 + DAY_MS);
    assert_int_equal(range.window_ms, 2 * DAY_MS);
    assert_int_equal(range.interval_ms, HOUR_MS);
    assert_int_equal(range.bucket_e8, DECIMAL_ONE / 2);
    assert_int_equal(range.weights.count, 2);
    assert_int_equal(range.tier_groups, TIERS_HIGH | TIERS_LOW);
    assert_true(range.has_shown_start && range.has_shown_end);
    assert_int_equal(range.shown_start_ms, T0 + HOUR_MS);
    assert_int_equal(range.shown_end_ms, T0 + 2 * HOUR_MS);
}

static void a_wrong_parameter_is_named(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"start", "yesterday"}, {"end", "12:00"}, {"window", "2"},        {"interval", "7m"},
        {"bucket", "0"},        {"weights", "x"}, {"shown_start", "now"}, {"shown_end", "9"},
        {"tiers", "5x"},        {"tiers", ""},    {"tiers", "high,all"}};
    struct range range = {0};
    struct error error;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(range_set(&range, wrong[i][0], wrong[i][1], &error), STATUS_INVALID);
        assert_memory_equal(error.message, wrong[i][0], strlen(wrong[i][0]));
        assert_non_null(strstr(error.message, wrong[i][1]));
    }
    assert_false(range.has_start || range.has_end || range.has_weights);
    assert_false(range.has_shown_start || range.has_shown_end);
    assert_int_equal(range_set(&range, "limit", "5", &error), STATUS_NOT_FOUND);
    assert_non_null(strstr(error.message, "'limit'"));
}

static void parameters_that_contradict_each_other_are_refused(void **state)
{
    (void)state;
    struct error error;
    struct range range = range_of("start=2025-12-01&end=2025-12-02&window=1h");
    assert_int_equal(range_check(&range, &error), STATUS_INVALID);
    assert_non_null(strstr(error.message, "contradict"));
    range = range_of("start=2025-12-02&end=2025-12-01");
    assert_int_equal(range_check(&range, &error), STATUS_INVALID);
    assert_non_null(strstr(error.message, "2025-12-02T00:00:00Z is after"));
    static const char *const right[] = {"", "start=2025-12-01&end=2025-12-01",
                                        "start=2025-12-01&window=1h", "end=2025-12-01&window=1h",
                                        "window=1h"};
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        range = range_of(right[i]);
        assert_int_equal(range_check(&range, &error), STATUS_OK);
    }
}

static void weights_have_one_form(void **state)
{
    (void)state;
    struct range range = range_of("weights=100:2,5:1,50:0,10:1");
    static const struct {
        int leverage;
        double weight;
    } expected[] = {{5, 0.25}, {10, 0.25}, {100, 0.5}};
    assert_int_equal(range.weights.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(range.weights.tiers[i].leverage, expected[i].leverage);
        assert_true(range.weights.tiers[i].weight == expected[i].weight);
    }
}

static void a_plus_that_a_query_made_a_blank_is_an_offset_where_it_can_be_nothing_else(void **state)
{
    (void)state;
    static const char *const same[] = {
        "start=2025-12-01T02:00:00+02:00", "start=2025-12-01T02:00:00 02:00",
        "start=2025-12-01T02:00 0200",     "start=2025-12-01 02:00:00 02",
        "start=2025-11-30T18:30:00-05:30", "start=2025-12-01 00:00",
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        if (range_of(same[i]).start_ms != T0)
            fail_msg("%s", same[i]);
    assert_int_equal(range_of("start=2025-12-01 02:00").start_ms, T0 + 2 * HOUR_MS);
    static const char *const wrong[] = {"2025-12-01 ", "2025-12-01  02:00", "2025-12-01T02:00 Z",
                                        "2025-12-01T02:00 -02:00", "2025-12-01T02:00 24:00"};
    struct range range = {0};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (range_set(&range, "start", wrong[i], NULL) != STATUS_INVALID)
            fail_msg("'%s' was read", wrong[i]);
}

/* -- canonical text ---------------------------------------------------------------------------- */

static const char *canonical(struct buffer *out, const char *parameters)
{
    const struct range range = range_of(parameters);
    buffer_clear(out);
    range_append_canonical(out, &range);
    return buffer_text(out);
}

/* Each group is one question, asked in different ways. */
static const char *const questions[][6] = {
    {"", "interval=5m"},
    {"window=48h", "window=2d", "window=2880m&interval=5m", "window=172800s"},
    {"window=49h"},
    {"window=48h&interval=1h", "interval=1h&window=2d"},
    {"bucket=100", "bucket=100.0", "bucket=1e2", "bucket=100.00000000"},
    {"bucket=100.5", "bucket=100.50"},
    {"weights=5:15,10:30,100:55", "weights=100:55,5:15,10:30", "weights=10:0.3,100:0.55,5:0.15",
     "weights=5:3,10:6,100:11,50:0", "weights= 10:6 , 5:3,100:11"},
    {"weights=5:15,10:30,100:56"},
    {"weights=5:1,10:2,25:3", "weights=25:3,10:2,5:1", "weights=10:0.2,25:0.3,5:0.1"},
    {"start=2025-12-01&end=2025-12-02", "end=2025-12-02T00:00:00Z&start=2025-12-01T00:00",
     "start=2025-12-01&window=1d", "end=2025-12-02&window=24h",
     "start=2025-12-01T02:00:00+02:00&window=1d"},
    {"start=2025-12-01"},
    {"end=2025-12-01"},
    {"start=2025-12-01&end=2025-12-02&shown_start=2025-12-01",
     "window=24h&start=2025-12-01&shown_start=2025-12-01T00:00:00.000Z"},
    {"start=2025-12-01&end=2025-12-02&shown_end=2025-12-01"},
};

enum { QUESTIONS = sizeof questions / sizeof questions[0], WAYS = 6 };

static void the_same_question_has_the_same_text_however_it_is_asked(void **state)
{
    (void)state;
    struct buffer first = {0}, other = {0};
    for (size_t q = 0; q < QUESTIONS; q++) {
        canonical(&first, questions[q][0]);
        for (size_t w = 1; w < WAYS && questions[q][w] != NULL; w++)
            assert_string_equal(canonical(&other, questions[q][w]), first.data);
    }
    buffer_deinit(&first);
    buffer_deinit(&other);
}

static void different_questions_have_different_texts(void **state)
{
    (void)state;
    struct buffer first = {0}, other = {0};
    for (size_t q = 0; q < QUESTIONS; q++)
        for (size_t r = 0; r < q; r++) {
            canonical(&first, questions[q][0]);
            if (strcmp(first.data, canonical(&other, questions[r][0])) == 0)
                fail_msg("%s and %s are both %s", questions[q][0], questions[r][0], first.data);
        }
    struct range range = range_of("window=48h");
    strcpy(range.symbol, "ETHUSDT");
    buffer_clear(&first);
    range_append_canonical(&first, &range);
    assert_string_not_equal(buffer_text(&first), canonical(&other, "window=48h"));
    buffer_deinit(&first);
    buffer_deinit(&other);
}

static void a_canonical_text_can_be_read(void **state)
{
    (void)state;
    struct buffer out = {0};
    assert_string_equal(canonical(&out, ""), "BTCUSDT");
    assert_string_equal(canonical(&out, "bucket=0.5&weights=20:3,10:1&interval=1h&window=2d"),
                        "BTCUSDT window=172800000 interval=3600000 bucket=50000000 "
                        "weights=10:0.25,20:0.75");
    assert_string_equal(canonical(&out, "start=2025-12-01&window=1h&shown_end=2025-12-01"),
                        "BTCUSDT start=1764547200000 end=1764550800000 shown_end=1764547200000");
    buffer_deinit(&out);
}

/* -- windows ----------------------------------------------------------------------------------- */

static void assert_window(const char *parameters, int64_t start_ms, int64_t end_ms)
{
    const struct range range = range_of(parameters);
    struct window window;
    struct error error;
    if (range_resolve(&range, NEWEST_MS, LOOKBACK_MS, &window, &error) != STATUS_OK)
        fail_msg("%s: %s", parameters, error.message);
    assert_int_equal(window.start_ms, start_ms);
    assert_int_equal(window.end_ms, end_ms);
    assert_int_equal(window.interval_ms, CANDLE_MS);
}

static void a_window_is_what_start_end_and_window_make(void **state)
{
    (void)state;
    assert_window("", NEWEST_MS - LOOKBACK_MS, NEWEST_MS);
    assert_window("window=1h", NEWEST_MS - HOUR_MS, NEWEST_MS);
    assert_window("start=2025-12-02", T0 + DAY_MS, NEWEST_MS);
    assert_window("end=2025-12-09", T0 + DAY_MS, T0 + 8 * DAY_MS);
    assert_window("end=2025-12-09&window=1h", T0 + 8 * DAY_MS - HOUR_MS, T0 + 8 * DAY_MS);
    assert_window("start=2025-12-02&window=1h", T0 + DAY_MS, T0 + DAY_MS + HOUR_MS);
    assert_window("start=2025-12-02&end=2025-12-03", T0 + DAY_MS, T0 + 2 * DAY_MS);
}

static void a_window_ends_with_the_newest_candle_at_the_latest(void **state)
{
    (void)state;
    assert_window("end=2030-01-01&window=3000d", INT64_C(1893456000000) - 3000 * DAY_MS, NEWEST_MS);
    assert_window("start=2025-12-02&window=30d", T0 + DAY_MS, NEWEST_MS);
    assert_window("start=2025-12-11", NEWEST_MS, NEWEST_MS);
}

static void a_range_after_the_newest_candle_has_no_data(void **state)
{
    (void)state;
    const struct range range = range_of("start=2025-12-12");
    struct window window;
    struct error error;
    assert_int_equal(range_resolve(&range, NEWEST_MS, LOOKBACK_MS, &window, &error),
                     STATUS_NO_DATA);
    assert_non_null(strstr(error.message, "its newest is of 2025-12-11T00:00:00Z"));
}

static void the_interval_of_a_range_is_that_of_its_window(void **state)
{
    (void)state;
    const struct range range = range_of("interval=4h");
    struct window window;
    assert_int_equal(range_resolve(&range, NEWEST_MS, LOOKBACK_MS, &window, NULL), STATUS_OK);
    assert_int_equal(window.interval_ms, 4 * HOUR_MS);
}

static void moments_far_away_do_not_overflow(void **state)
{
    (void)state;
    struct range range = {.has_start = true, .start_ms = INT64_MIN};
    struct window window;
    assert_int_equal(range_resolve(&range, NEWEST_MS, LOOKBACK_MS, &window, NULL), STATUS_OK);
    assert_int_equal(window.start_ms, range_clamp_time(INT64_MIN));
    range = (struct range){.has_end = true, .end_ms = INT64_MIN, .window_ms = WINDOW_MAX_MS};
    assert_int_equal(range_resolve(&range, NEWEST_MS, LOOKBACK_MS, &window, NULL), STATUS_OK);
    assert_int_equal(window.end_ms - window.start_ms, WINDOW_MAX_MS);
    range = (struct range){.has_end = true, .end_ms = INT64_MAX};
    assert_int_equal(range_resolve(&range, INT64_MAX, LOOKBACK_MS, &window, NULL), STATUS_OK);
    assert_int_equal(range_clamp_time(T0), T0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_set_by_name),
        cmocka_unit_test(a_wrong_parameter_is_named),
        cmocka_unit_test(
            a_plus_that_a_query_made_a_blank_is_an_offset_where_it_can_be_nothing_else),
        cmocka_unit_test(parameters_that_contradict_each_other_are_refused),
        cmocka_unit_test(weights_have_one_form),
        cmocka_unit_test(the_same_question_has_the_same_text_however_it_is_asked),
        cmocka_unit_test(different_questions_have_different_texts),
        cmocka_unit_test(a_canonical_text_can_be_read),
        cmocka_unit_test(a_window_is_what_start_end_and_window_make),
        cmocka_unit_test(a_window_ends_with_the_newest_candle_at_the_latest),
        cmocka_unit_test(a_range_after_the_newest_candle_has_no_data),
        cmocka_unit_test(the_interval_of_a_range_is_that_of_its_window),
        cmocka_unit_test(moments_far_away_do_not_overflow),
    };
    return cmocka_run_group_tests_name("range", tests, NULL, NULL);
}
