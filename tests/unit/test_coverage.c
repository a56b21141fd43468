/* Which steps of a series are there, and which are fetched next. */
#include "sources/collect/coverage.h"

#include "base/random.h"

#include <stdarg.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#define STEP_MS INT64_C(300000)
#define AT(step) ((step)*STEP_MS)
#define STEP_COUNT 100

/* Steps 901 to 1000. */
static struct coverage window(void)
{
    struct coverage coverage;
    coverage_init(&coverage, STEP_MS, STEP_COUNT, AT(1000) + 1234);
    return coverage;
}

static void assert_next(const struct coverage *coverage, int64_t until_ms, size_t max,
                        int64_t first, int64_t last)
{
    struct coverage_range range;
    assert_true(coverage_next(coverage, 0, until_ms, max, &range));
    assert_int_equal(range.first_ms, AT(first));
    assert_int_equal(range.last_ms, AT(last));
}

static void assert_complete(const struct coverage *coverage, int64_t until_ms)
{
    struct coverage_range range;
    assert_false(coverage_next(coverage, 0, until_ms, 1000, &range));
    assert_int_equal(coverage_missing(coverage, 0, until_ms), 0);
}

static void all_of_an_empty_window_is_missing_oldest_first(void **state)
{
    (void)state;
    struct coverage coverage = window();
    assert_next(&coverage, AT(1000), 1000, 901, 1000);
    assert_next(&coverage, AT(1000), 30, 901, 930);
    assert_next(&coverage, AT(999), 1000, 901, 999);
    assert_int_equal(coverage_missing(&coverage, 0, AT(1000)), 100);
    struct coverage_range range;
    assert_false(coverage_next(&coverage, 0, AT(900), 10, &range));
    assert_true(coverage_next(&coverage, AT(950), AT(1000), 10, &range));
    assert_int_equal(range.first_ms, AT(950));
    int64_t newest_ms;
    assert_false(coverage_newest(&coverage, &newest_ms));
    coverage_deinit(&coverage);
}

static void a_row_within_a_step_is_that_step(void **state)
{
    (void)state;
    struct coverage coverage = window();
    coverage_mark(&coverage, AT(950) + 2000);
    assert_true(coverage_has(&coverage, AT(950)));
    assert_false(coverage_has(&coverage, AT(951)));
    int64_t newest_ms;
    assert_true(coverage_newest(&coverage, &newest_ms));
    assert_int_equal(newest_ms, AT(950));
    coverage_deinit(&coverage);
}

static void a_hole_is_found_and_a_page_reaches_over_what_is_there(void **state)
{
    (void)state;
    struct coverage coverage = window();
    coverage_mark_range(&coverage, (struct coverage_range){AT(0), AT(2000)});
    assert_complete(&coverage, AT(1000));
    coverage_unmark(&coverage, (struct coverage_range){AT(940), AT(941)});
    coverage_unmark(&coverage, (struct coverage_range){AT(950), AT(950)});
    assert_next(&coverage, AT(1000), 1000, 940, 950);
    assert_next(&coverage, AT(1000), 10, 940, 941);
    assert_int_equal(coverage_missing(&coverage, 0, AT(1000)), 3);
    coverage_deinit(&coverage);
}

static void what_the_exchange_has_not_is_not_asked_again_until_it_is_forgotten(void **state)
{
    (void)state;
    struct coverage coverage = window();
    coverage_mark(&coverage, AT(920));
    coverage_mark_absent(&coverage, (struct coverage_range){AT(901), AT(990)});
    assert_next(&coverage, AT(1000), 1000, 991, 1000);
    coverage_forget_absent(&coverage, AT(980));
    assert_next(&coverage, AT(1000), 1000, 980, 1000);
    coverage_forget_absent(&coverage, 0);
    assert_next(&coverage, AT(1000), 1000, 901, 1000);
    assert_true(coverage_has(&coverage, AT(920)));
    coverage_deinit(&coverage);
}

static void time_brings_missing_steps_and_forgets_old_ones(void **state)
{
    (void)state;
    struct coverage coverage = window();
    coverage_mark_range(&coverage, (struct coverage_range){AT(901), AT(1000)});
    coverage_advance(&coverage, AT(1003) + 1);
    assert_next(&coverage, AT(1003), 1000, 1001, 1003);
    assert_false(coverage_has(&coverage, AT(903)));
    assert_true(coverage_has(&coverage, AT(904)));
    coverage_advance(&coverage, AT(990)); /* a clock that was set back */
    assert_next(&coverage, AT(1003), 1000, 1001, 1003);
    coverage_advance(&coverage, AT(500000)); /* one that was years behind */
    assert_next(&coverage, AT(500000), 1000, 499901, 500000);
    coverage_deinit(&coverage);
}

static void a_window_that_moves_keeps_what_lies_in_both_places(void **state)
{
    (void)state;
    struct coverage coverage = window();
    coverage_mark_range(&coverage, (struct coverage_range){AT(901), AT(1000)});
    coverage_move(&coverage, AT(980) + 1);
    assert_next(&coverage, AT(1000), 1000, 881, 900);
    assert_true(coverage_has(&coverage, AT(980)));
    assert_false(coverage_has(&coverage, AT(981)));
    coverage_move(&coverage, AT(1000));
    assert_next(&coverage, AT(1000), 1000, 981, 1000);
    assert_true(coverage_has(&coverage, AT(901)));
    coverage_move(&coverage, AT(1000));
    assert_int_equal(coverage_missing(&coverage, 0, AT(1000)), 20);
    coverage_move(&coverage, AT(500)); /* one that was years ahead */
    assert_next(&coverage, AT(1000), 1000, 401, 500);
    coverage_deinit(&coverage);
}

static void a_window_before_1970_begins_there(void **state)
{
    (void)state;
    struct coverage coverage;
    coverage_init(&coverage, STEP_MS, STEP_COUNT, AT(3));
    coverage_mark(&coverage, -1);
    assert_next(&coverage, AT(3), 1000, 0, 3);
    coverage_deinit(&coverage);
}

enum { MODEL_STEPS = 700 };

static size_t count_absent(const bool *present, int64_t from, int64_t to)
{
    size_t count = 0;
    for (int64_t step = from; step <= to; step++)
        count += !present[step];
    return count;
}

/* Beside an array of flags that does not move, in steps 0 to 699. */
static void random_changes_agree_with_plain_flags(void **state)
{
    (void)state;
    struct random random = {7};
    for (int round = 0; round < 50; round++) {
        bool present[MODEL_STEPS] = {false};
        struct coverage coverage;
        size_t count = (size_t)random_between(&random, 1, 150);
        int64_t last = (int64_t)random_between(&random, 200, 300);
        coverage_init(&coverage, STEP_MS, count, AT(last));
        for (int change = 0; change < 200; change++) {
            int64_t a = (int64_t)random_between(&random, 0, MODEL_STEPS - 1);
            int64_t b = a + (int64_t)random_between(&random, 0, 9);
            b = b < MODEL_STEPS ? b : MODEL_STEPS - 1;
            bool is_mark = random_between(&random, 0, 2) > 0;
            struct coverage_range range = {AT(a), AT(b)};
            (is_mark ? coverage_mark_range : coverage_unmark)(&coverage, range);
            for (int64_t step = a; step <= b; step++)
                if (step <= last) /* what lies ahead of the window is not kept */
                    present[step] = is_mark;
            if (random_between(&random, 0, 9) == 0) {
                last += (int64_t)random_between(&random, 0, 3);
                coverage_advance(&coverage, AT(last));
            }
        }
        for (int64_t step = 0; step < MODEL_STEPS; step++) {
            bool is_inside = step <= last && step > last - (int64_t)count;
            assert_int_equal(coverage_has(&coverage, AT(step)), is_inside && present[step]);
        }
        int64_t first = last + 1 - (int64_t)count;
        for (int64_t from = first; from <= last; from += 7)
            for (int64_t to = from; to <= last; to += 5)
                assert_int_equal(coverage_missing(&coverage, AT(from), AT(to)),
                                 count_absent(present, from, to));
        coverage_deinit(&coverage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_an_empty_window_is_missing_oldest_first),
        cmocka_unit_test(a_row_within_a_step_is_that_step),
        cmocka_unit_test(a_hole_is_found_and_a_page_reaches_over_what_is_there),
        cmocka_unit_test(what_the_exchange_has_not_is_not_asked_again_until_it_is_forgotten),
        cmocka_unit_test(time_brings_missing_steps_and_forgets_old_ones),
        cmocka_unit_test(a_window_that_moves_keeps_what_lies_in_both_places),
        cmocka_unit_test(a_window_before_1970_begins_there),
        cmocka_unit_test(random_changes_agree_with_plain_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
