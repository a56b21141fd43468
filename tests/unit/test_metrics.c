/* Histograms and summaries against sorted arrays, and the text they become. */
#include "ops/metrics.h"

#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)

static const uint64_t bounds_ns[] = {1 * MS, 10 * MS, 100 * MS};
enum { BOUNDS = 3 };

static uint64_t random_state = 88172645463325252U;

/* Between 1 us and 100 s, as many in each decade. */
static uint64_t random_duration_ns(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    double part = (double)(random_state >> 11) / (double)(UINT64_C(1) << 53);
    return (uint64_t)pow(10, 3 + 8 * part);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void assert_quantiles(struct summary *summary, uint64_t now_ns, uint64_t *durations,
                             size_t count)
{
    struct summary_reading reading;
    summary_read(summary, now_ns, &reading);
    qsort(durations, count, sizeof *durations, compare);
    for (size_t i = 0; i < SUMMARY_QUANTILES; i++) {
        size_t rank = (size_t)ceil(summary_quantiles[i] * (double)count);
        double exact = (double)durations[rank - 1] / 1e9;
        assert_true(fabs(reading.values[i] - exact) <= exact * 0.016);
    }
}

/* -- summary ----------------------------------------------------------------------------------- */

static void quantiles_are_those_of_the_sorted_durations(void **state)
{
    (void)state;
    enum { MOST = 3000 };
    static uint64_t durations[MOST];
    for (size_t count = 1; count <= MOST; count = count * 3 / 2 + 1) {
        struct summary *summary = summary_create();
        uint64_t sum = 0;
        for (size_t i = 0; i < count; i++) {
            durations[i] = random_duration_ns();
            sum += durations[i];
            summary_record(summary, durations[i], i);
        }
        assert_quantiles(summary, count, durations, count);
        struct summary_reading reading;
        summary_read(summary, count, &reading);
        assert_int_equal(reading.count, count);
        assert_int_equal(reading.sum_ns, sum);
        summary_destroy(summary);
    }
}

static void the_shortest_and_the_longest_durations_have_their_place(void **state)
{
    (void)state;
    for (uint64_t ns = 0; ns < 200; ns++) {
        struct summary *summary = summary_create();
        struct summary_reading reading;
        summary_record(summary, ns, 0);
        summary_read(summary, 0, &reading);
        assert_true(fabs(reading.values[0] * 1e9 - (double)ns) <= (double)ns * 0.016);
        summary_destroy(summary);
    }
    struct summary *summary = summary_create();
    struct summary_reading reading;
    summary_record(summary, UINT64_MAX / 2, 0);
    summary_read(summary, 0, &reading);
    assert_true(reading.values[2] > 1000 && reading.values[2] < 1200);
    summary_destroy(summary);
}

static void the_window_forgets_what_is_older_and_the_count_does_not(void **state)
{
    (void)state;
    struct summary *summary = summary_create();
    struct summary_reading reading;
    uint64_t now = 1000 * SUMMARY_SLOT_NS;
    summary_read(summary, now, &reading);
    assert_true(isnan(reading.values[0]) && isnan(reading.values[2]));

    summary_record(summary, 900 * MS, now);
    uint64_t recent[SUMMARY_SLOTS * 3];
    size_t count = 0;
    for (uint64_t slot = 1; slot <= SUMMARY_SLOTS; slot++) {
        for (size_t i = 0; i < 3; i++) {
            recent[count] = (slot * 10 + i) * MS;
            summary_record(summary, recent[count++], now + slot * SUMMARY_SLOT_NS);
        }
    }
    now += SUMMARY_SLOTS * SUMMARY_SLOT_NS;
    assert_quantiles(summary, now, recent, count);

    /* Time passes and nothing comes: slot by slot they leave, oldest first. */
    for (size_t gone = 1; gone < SUMMARY_SLOTS; gone++)
        assert_quantiles(summary, now + gone * SUMMARY_SLOT_NS, recent + gone * 3,
                         count - gone * 3);
    summary_read(summary, now + SUMMARY_SLOTS * SUMMARY_SLOT_NS, &reading);
    assert_true(isnan(reading.values[0]));
    assert_int_equal(reading.count, count + 1);

    summary_record(summary, 7 * MS, now + 50 * SUMMARY_SLOT_NS);
    uint64_t only = 7 * MS;
    assert_quantiles(summary, now + 50 * SUMMARY_SLOT_NS, &only, 1);
    summary_destroy(summary);
}

/* -- histogram --------------------------------------------------------------------------------- */

static void a_bucket_includes_its_bound(void **state)
{
    (void)state;
    struct histogram histogram;
    struct histogram_reading reading;
    histogram_init(&histogram, bounds_ns, BOUNDS);
    static const uint64_t durations[] = {0,       1 * MS,       1 * MS + 1,   10 * MS,
                                         11 * MS, 100 * MS - 1, 100 * MS + 1, UINT64_C(1) << 50};
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        histogram_record(&histogram, durations[i]);
        sum += durations[i];
    }
    histogram_read(&histogram, &reading);
    for (size_t i = 0; i <= BOUNDS; i++)
        assert_int_equal(reading.counts[i], 2);
    assert_int_equal(reading.sum_ns, sum);
}

enum { THREADS = 4, ROUNDS = 20000 };

struct both {
    struct histogram histogram;
    struct summary *summary;
};

static void *record(void *argument)
{
    struct both *both = argument;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        histogram_record(&both->histogram, i * 10000);
        summary_record(both->summary, i, i * MS * 100);
        if (i % 1000 == 0) {
            struct summary_reading reading;
            summary_read(both->summary, i * MS * 100, &reading);
        }
    }
    return NULL;
}

static void threads_record_together(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    struct both both = {.summary = summary_create()};
    histogram_init(&both.histogram, bounds_ns, BOUNDS);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, record, &both), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    struct histogram_reading histogram;
    struct summary_reading summary;
    histogram_read(&both.histogram, &histogram);
    summary_read(both.summary, ROUNDS * MS * 100, &summary);
    uint64_t count = 0;
    for (size_t i = 0; i <= BOUNDS; i++)
        count += histogram.counts[i];
    assert_int_equal(count, THREADS * ROUNDS);
    assert_int_equal(summary.count, THREADS * ROUNDS);
    summary_destroy(both.summary);
}

/* -- text -------------------------------------------------------------------------------------- */

static void assert_text(struct buffer *out, const char *expected)
{
    assert_string_equal(buffer_text(out), expected);
    buffer_deinit(out);
}

static void a_histogram_is_cumulative_and_in_seconds(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct histogram_reading reading = {
        .bounds_ns = bounds_ns, .bound_count = BOUNDS, .counts = {4, 0, 2, 1}, .sum_ns = 1500 * MS};
    metrics_family(&out, "x_seconds", "histogram", "How long.");
    metrics_histogram(&out, "x_seconds", &reading);
    assert_text(&out, "# HELP x_seconds How long.\n"
                      "# TYPE x_seconds histogram\n"
                      "x_seconds_bucket{le=\"0.001\"} 4\n"
                      "x_seconds_bucket{le=\"0.01\"} 4\n"
                      "x_seconds_bucket{le=\"0.1\"} 6\n"
                      "x_seconds_bucket{le=\"+Inf\"} 7\n"
                      "x_seconds_sum 1.5\n"
                      "x_seconds_count 7\n");
}

static void a_summary_has_its_quantiles_sum_and_count(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct summary_reading reading = {.values = {0.25, 0.1, NAN}, .count = 3, .sum_ns = 350 * MS};
    metrics_summary(&out, "x", "symbol", "BTCUSDT", &reading);
    assert_text(&out, "x{symbol=\"BTCUSDT\",quantile=\"0.5\"} 0.25\n"
                      "x{symbol=\"BTCUSDT\",quantile=\"0.95\"} 0.1\n"
                      "x{symbol=\"BTCUSDT\",quantile=\"0.99\"} NaN\n"
                      "x_sum{symbol=\"BTCUSDT\"} 0.35\n"
                      "x_count{symbol=\"BTCUSDT\"} 3\n");
}

static void numbers_and_label_values_are_exact(void **state)
{
    (void)state;
    struct buffer out = {0};
    metrics_sample(&out, "a", 9007199254740991.0);
    metrics_sample(&out, "b", 0.1 + 0.2);
    metrics_labelled(&out, "c", "d", "back\\slash \"quote\" new\nline", 0);
    assert_text(&out, "a 9007199254740991\n"
                      "b 0.30000000000000004\n"
                      "c{d=\"back\\\\slash \\\"quote\\\" new\\nline\"} 0\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_those_of_the_sorted_durations),
        cmocka_unit_test(the_shortest_and_the_longest_durations_have_their_place),
        cmocka_unit_test(the_window_forgets_what_is_older_and_the_count_does_not),
        cmocka_unit_test(a_bucket_includes_its_bound),
        cmocka_unit_test(threads_record_together),
        cmocka_unit_test(a_histogram_is_cumulative_and_in_seconds),
        cmocka_unit_test(a_summary_has_its_quantiles_sum_and_count),
        cmocka_unit_test(numbers_and_label_values_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
