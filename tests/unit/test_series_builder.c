/* Which rows of the tables count, and what candles and changes of open interest they make. */
#include "base/decimal.h"
#include "config/value.h"
#include "model/series_builder.h"

#include <setjmp.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define E8 DECIMAL_ONE
#define T0 INT64_C(1764547200000) /* 2025-12-01T00:00:00Z */

/* A row of one of the tables; times are counted from T0. */
struct candle_row {
    int64_t offset_us;
    int open, high, low, close;
    double volume;
};

struct interest_row {
    int64_t offset_us;
    int64_t value; /* quote currency */
};

#define AT(index) ((index)*CANDLE_MS * 1000)

static struct series build(int64_t interval_ms, const struct candle_row *candles,
                           size_t candle_count, const struct interest_row *interests,
                           size_t interest_count)
{
    struct series series = {0};
    struct series_builder builder;
    series_builder_init(&builder, &series, interval_ms);
    for (size_t i = 0; i < candle_count; i++) {
        const struct candle_row *row = &candles[i];
        struct candle candle = {.open_e8 = row->open * E8,
                                .high_e8 = row->high * E8,
                                .low_e8 = row->low * E8,
                                .close_e8 = row->close * E8,
                                .volume = row->volume};
        series_builder_add_candle(&builder, T0 * 1000 + row->offset_us, &candle);
    }
    for (size_t i = 0; i < interest_count; i++) {
        const struct interest_reading reading = {.time_us = T0 * 1000 + interests[i].offset_us,
                                                 .value_e8 = (__int128)interests[i].value * E8};
        series_builder_add_interest(&builder, &reading);
    }
    series_builder_finish(&builder);
    return series;
}

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define build_from(interval_ms, candles, interests)                                                \
    build(interval_ms, candles, COUNT(candles), interests, COUNT(interests))
#define build_candles(interval_ms, candles) build(interval_ms, candles, COUNT(candles), NULL, 0)

static void assert_candle(const struct series *series, size_t index, int64_t offset_us, int open,
                          int high, int low, int close, double volume)
{
    assert_true(index < series->count);
    const struct candle *candle = &series->candles[index];
    assert_int_equal(candle->open_time_ms, T0 + offset_us / 1000);
    assert_int_equal(candle->open_e8, open * E8);
    assert_int_equal(candle->high_e8, high * E8);
    assert_int_equal(candle->low_e8, low * E8);
    assert_int_equal(candle->close_e8, close * E8);
    assert_true(candle->volume == volume);
}

static void assert_deltas(struct series series, const double *deltas, size_t count)
{
    assert_int_equal(series.count, count);
    for (size_t i = 0; i < count; i++)
        if (series.deltas[i] != deltas[i])
            fail_msg("delta %zu is %f instead of %f", i, series.deltas[i], deltas[i]);
    series_deinit(&series);
}

#define assert_deltas_are(series, ...)                                                             \
    assert_deltas(series, (const double[]){__VA_ARGS__}, COUNT(((const double[]){__VA_ARGS__})))

/* Five candles of which nothing matters but the time. */
static const struct candle_row five[] = {{AT(0), 100, 103, 97, 101, 1},
                                         {AT(1), 100, 103, 97, 101, 1},
                                         {AT(2), 100, 103, 97, 101, 1},
                                         {AT(3), 100, 103, 97, 101, 1},
                                         {AT(4), 100, 103, 97, 101, 1}};

/* -- candles ----------------------------------------------------------------------------------- */

static void rows_become_candles_in_their_order(void **state)
{
    (void)state;
    const struct candle_row rows[] = {{AT(0), 100, 103, 97, 101, 2.5},
                                      {AT(1), 101, 110, 101, 109, 0},
                                      {AT(4), 109, 109, 104, 105, 7}};
    struct series series = build_candles(CANDLE_MS, rows);
    assert_int_equal(series.count, 3);
    assert_candle(&series, 0, AT(0), 100, 103, 97, 101, 2.5);
    assert_candle(&series, 1, AT(1), 101, 110, 101, 109, 0);
    assert_candle(&series, 2, AT(4), 109, 109, 104, 105, 7);
    assert_deltas_are(series, 0, 0, 0);
}

static void no_rows_make_an_empty_series(void **state)
{
    (void)state;
    struct series series = build(CANDLE_MS, NULL, 0, NULL, 0);
    assert_int_equal(series.count, 0);
    const struct interest_row interests[] = {{AT(0), 1000}, {AT(1), 1500}};
    series_deinit(&series);
    series = build(CANDLE_MS, NULL, 0, interests, COUNT(interests));
    assert_int_equal(series.count, 0);
    series_deinit(&series);
}

static void a_row_without_all_four_prices_is_no_candle(void **state)
{
    (void)state;
    const struct candle_row rows[] = {{AT(0), 0, 103, 97, 101, 9},   {AT(1), 100, 0, 97, 101, 9},
                                      {AT(2), 100, 103, 0, 101, 9},  {AT(3), 100, 103, 97, -1, 9},
                                      {AT(4), 100, 103, 97, 101, 0}, {AT(4), 100, 103, 97, 0, 9}};
    struct series series = build_candles(CANDLE_MS, rows);
    assert_int_equal(series.count, 1);
    assert_candle(&series, 0, AT(4), 100, 103, 97, 101, 0);
    series_deinit(&series);
}

static void of_candles_with_the_same_time_the_same_one_counts_in_any_order(void **state)
{
    (void)state;
    /* More volume; then the higher high, low, open and close. */
    const struct candle_row rows[] = {{AT(1), 100, 105, 97, 104, 7}, {AT(1), 100, 105, 97, 102, 7},
                                      {AT(1), 99, 105, 97, 104, 7},  {AT(1), 101, 105, 96, 104, 7},
                                      {AT(1), 101, 104, 98, 104, 7}, {AT(1), 110, 111, 98, 109, 6},
                                      {AT(1), 100, 105, 97, 104, 7}};
    for (size_t turn = 0; turn < COUNT(rows); turn++)
        for (int reversed = 0; reversed < 2; reversed++) {
            struct candle_row turned[COUNT(rows) + 2] = {five[0]};
            for (size_t i = 0; i < COUNT(rows); i++)
                turned[1 + (reversed ? COUNT(rows) - 1 - i : i)] = rows[(i + turn) % COUNT(rows)];
            turned[COUNT(rows) + 1] = five[2];
            struct series series = build_candles(CANDLE_MS, turned);
            assert_int_equal(series.count, 3);
            assert_candle(&series, 1, AT(1), 100, 105, 97, 104, 7);
            series_deinit(&series);
        }
}

static void times_are_told_apart_by_the_millisecond(void **state)
{
    (void)state;
    const struct candle_row rows[] = {{AT(0), 100, 103, 97, 101, 1},
                                      {AT(0) + 999, 100, 104, 97, 102, 2},
                                      {AT(0) + 1000, 100, 105, 97, 103, 3}};
    struct series series = build_candles(CANDLE_MS, rows);
    assert_int_equal(series.count, 1); /* two candles, of the same five minutes */
    assert_candle(&series, 0, AT(0), 100, 105, 97, 103, 5);
    series_deinit(&series);
}

static void longer_intervals_join_candles(void **state)
{
    (void)state;
    const struct candle_row rows[] = {{AT(0), 100, 105, 95, 102, 1},
                                      {AT(1), 102, 120, 101, 110, 1},
                                      {AT(2), 110, 111, 90, 108, 1},
                                      {AT(3), 108, 109, 107, 109, 1},
                                      {AT(11), 120, 122, 119, 121, 4}};
    struct series series = build_candles(3 * CANDLE_MS, rows);
    assert_int_equal(series.count, 3);
    assert_candle(&series, 0, AT(0), 100, 120, 90, 108, 3);
    assert_candle(&series, 1, AT(3), 108, 109, 107, 109, 1);
    assert_candle(&series, 2, AT(9), 120, 122, 119, 121, 4);
    series_deinit(&series);
}

static void intervals_before_1970_begin_at_their_start(void **state)
{
    (void)state;
    const struct candle_row rows[] = {{-T0 * 1000 - 1, 100, 103, 97, 101, 1}};
    const struct interest_row interests[] = {{-T0 * 1000 - AT(5), 1000}, {-T0 * 1000 - 1, 1700}};
    struct series series = build_from(3 * CANDLE_MS, rows, interests);
    assert_int_equal(series.count, 1);
    assert_int_equal(series.candles[0].open_time_ms, -3 * CANDLE_MS);
    assert_deltas_are(series, 700);
}

/* -- open interest ----------------------------------------------------------------------------- */

static void the_first_bucket_has_no_change(void **state)
{
    (void)state;
    const struct interest_row interests[] = {
        {AT(0), 1000}, {AT(1), 1500}, {AT(2), 1200}, {AT(3), 1200}, {AT(4), 1201}};
    assert_deltas_are(build_from(CANDLE_MS, five, interests), 0, 500, -300, 0, 1);
}

static void after_a_hole_the_next_bucket_carries_the_whole_change(void **state)
{
    (void)state;
    const struct interest_row interests[] = {{AT(0), 1000}, {AT(3), 1600}, {AT(4), 1500}};
    assert_deltas_are(build_from(CANDLE_MS, five, interests), 0, 0, 0, 600, -100);
}

static void open_interest_of_zero_or_less_is_missing_data(void **state)
{
    (void)state;
    const struct interest_row interests[] = {{AT(0), 0},  {AT(1), 1000}, {AT(2), 0},
                                             {AT(3), -5}, {AT(4), 0},    {AT(4) + 1, 1100}};
    assert_deltas_are(build_from(CANDLE_MS, five, interests), 0, 0, 0, 0, 100);
}

static void a_bucket_without_a_candle_is_what_the_next_one_is_compared_with(void **state)
{
    (void)state;
    const struct candle_row rows[] = {five[0], five[2], five[4]};
    const struct interest_row interests[] = {{AT(-1), 900}, {AT(0), 1000}, {AT(1), 1700},
                                             {AT(2), 1800}, {AT(3), 1000}, {AT(5), 9000}};
    assert_deltas_are(build_from(CANDLE_MS, rows, interests), 100, 100, 0);
}

static void a_late_stamp_belongs_to_the_candle_it_falls_in(void **state)
{
    (void)state;
    const struct interest_row interests[] = {
        {AT(0), 1000}, {AT(1) + 2000000, 1400}, {AT(3) - 1, 1500}, {AT(3), 1700}};
    assert_deltas_are(build_from(CANDLE_MS, five, interests), 0, 400, 100, 200, 0);
}

static void several_values_in_a_bucket_are_averaged(void **state)
{
    (void)state;
    const struct interest_row interests[] = {{AT(0), 1000},
                                             {AT(1), 2000},
                                             {AT(1) + 60000000, 3000},
                                             {AT(2), 2500},
                                             {AT(2) + 1, 2500}}; /* another moment */
    assert_deltas_are(build_from(CANDLE_MS, five, interests), 0, 1500, 0, 0, 0);
}

static void longer_intervals_have_the_change_between_averages(void **state)
{
    (void)state;
    const struct interest_row interests[] = {
        {AT(0), 1000}, {AT(1), 2000}, {AT(2), 3000}, {AT(3), 2500}, {AT(4), 2700}};
    assert_deltas_are(build_from(3 * CANDLE_MS, five, interests), 0, 600);
}

static void the_same_row_twice_counts_once(void **state)
{
    (void)state;
    const struct interest_row interests[] = {{AT(0), 1000}, {AT(0), 1000}, {AT(0), 4000},
                                             {AT(1), 4000}, {AT(1), 4000}, {AT(2), 4000}};
    assert_deltas_are(build_from(CANDLE_MS, five, interests), 0, 1500, 0, 0, 0);
}

static void values_add_up_exactly(void **state)
{
    (void)state;
    /* As doubles, the small ones would be lost beside the large one. */
    struct interest_row interests[1003] = {{AT(0), 1}, {AT(1), 1}};
    interests[2] = (struct interest_row){AT(1) + 1, INT64_C(1000000000000000000)};
    for (int i = 3; i < 1003; i++)
        interests[i] = (struct interest_row){AT(1) + i, 1};
    const struct candle_row rows[] = {five[0], five[1]};
    double average = (1e18 + 1001) / 1002;
    assert_deltas_are(build_from(CANDLE_MS, rows, interests), 0, average - 1);
}

static void a_window_takes_open_interest_until_its_last_candle_ends(void **state)
{
    (void)state;
    const int64_t hour_ms = 12 * CANDLE_MS;
    assert_int_equal(series_builder_interest_end(T0, hour_ms), T0 + CANDLE_MS);
    assert_int_equal(series_builder_interest_end(T0 + CANDLE_MS - 1, hour_ms), T0 + CANDLE_MS);
    assert_int_equal(series_builder_interest_end(T0 - 1, hour_ms), T0);
    assert_int_equal(series_builder_interest_end(-1, hour_ms), 0);
    /* What was open when the last candle ended is told by the rows behind it. */
    assert_int_equal(series_builder_interest_end(T0, CANDLE_MS), T0 + 2 * CANDLE_MS);
}

/* -- contracts --------------------------------------------------------------------------------- */

struct reading_row {
    int64_t offset_us;
    double value, contracts; /* 0: not known */
};

/* Of the five candles. */
static struct series build_readings(const struct reading_row *rows, size_t count)
{
    struct series series = {0};
    struct series_builder builder;
    series_builder_init(&builder, &series, CANDLE_MS);
    for (size_t i = 0; i < COUNT(five); i++) {
        const struct candle candle = {.open_e8 = five[i].open * E8,
                                      .high_e8 = five[i].high * E8,
                                      .low_e8 = five[i].low * E8,
                                      .close_e8 = five[i].close * E8,
                                      .volume = 1};
        series_builder_add_candle(&builder, T0 * 1000 + five[i].offset_us, &candle);
    }
    for (size_t i = 0; i < count; i++) {
        const struct interest_reading reading = {
            .time_us = T0 * 1000 + rows[i].offset_us,
            .value_e8 = (__int128)(rows[i].value * 1e8),
            .contracts_e8 = (__int128)(rows[i].contracts * 1e8),
        };
        series_builder_add_interest(&builder, &reading);
    }
    series_builder_finish(&builder);
    return series;
}

static void assert_contracts_are(const struct reading_row *rows, size_t count,
                                 const double expected[COUNT(five)])
{
    struct series series = build_readings(rows, count);
    assert_int_equal(series.count, COUNT(five));
    for (size_t i = 0; i < COUNT(five); i++)
        assert_true(fabs(series.contracts[i] - expected[i]) < 1e-9);
    series_deinit(&series);
}

static void a_state_is_that_in_which_the_candle_before_it_has_ended(void **state)
{
    (void)state;
    /* The first of all belongs to no candle; one that is two seconds late counts; so does one
     * behind the last candle; and of one that is 0 nothing is known. */
    static const struct reading_row rows[] = {
        {AT(0), 500, 5},   {AT(1) + 2000000, 600, 6}, {AT(2), 0, 0},
        {AT(3), 700, 7.5}, {AT(3) + 9000000, 900, 9}, {AT(5), 800, 8}};
    assert_contracts_are(rows, COUNT(rows), (const double[]){6, 0, 7.5, 0, 8});
}

static void contracts_may_be_known_without_a_value_and_by_their_value(void **state)
{
    (void)state;
    const double open = (double)five[2].open, close = (double)five[4].close;
    const struct reading_row rows[] = {{AT(1), 0, 6}, {AT(2), 14 * open, 0}, {AT(5), 3 * close, 0}};
    assert_contracts_are(rows, COUNT(rows), (const double[]){6, 14, 0, 0, 3});
}

static void a_series_is_overwritten(void **state)
{
    (void)state;
    struct series series = build_candles(CANDLE_MS, five);
    const struct candle *memory = series.candles;
    struct series_builder builder;
    series_builder_init(&builder, &series, CANDLE_MS);
    assert_int_equal(series.count, 0);
    series_builder_add_candle(&builder, T0 * 1000, &(struct candle){1, 1, 1, 1, 1, 1});
    series_builder_finish(&builder);
    assert_int_equal(series.count, 1);
    assert_ptr_equal(series.candles, memory);
    assert_int_equal(series.candles[0].open_time_ms, T0);
    series_deinit(&series);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_become_candles_in_their_order),
        cmocka_unit_test(no_rows_make_an_empty_series),
        cmocka_unit_test(a_row_without_all_four_prices_is_no_candle),
        cmocka_unit_test(of_candles_with_the_same_time_the_same_one_counts_in_any_order),
        cmocka_unit_test(times_are_told_apart_by_the_millisecond),
        cmocka_unit_test(longer_intervals_join_candles),
        cmocka_unit_test(intervals_before_1970_begin_at_their_start),
        cmocka_unit_test(the_first_bucket_has_no_change),
        cmocka_unit_test(after_a_hole_the_next_bucket_carries_the_whole_change),
        cmocka_unit_test(open_interest_of_zero_or_less_is_missing_data),
        cmocka_unit_test(a_bucket_without_a_candle_is_what_the_next_one_is_compared_with),
        cmocka_unit_test(a_late_stamp_belongs_to_the_candle_it_falls_in),
        cmocka_unit_test(several_values_in_a_bucket_are_averaged),
        cmocka_unit_test(longer_intervals_have_the_change_between_averages),
        cmocka_unit_test(the_same_row_twice_counts_once),
        cmocka_unit_test(values_add_up_exactly),
        cmocka_unit_test(a_window_takes_open_interest_until_its_last_candle_ends),
        cmocka_unit_test(a_state_is_that_in_which_the_candle_before_it_has_ended),
        cmocka_unit_test(contracts_may_be_known_without_a_value_and_by_their_value),
        cmocka_unit_test(a_series_is_overwritten),
    };
    return cmocka_run_group_tests_name("series_builder", tests, NULL, NULL);
}
