/* How fast an exchange's budget is spent. */
#include "sources/collect/rate.h"

#include "base/random.h"

#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>

#include <cmocka.h>

#define MINUTE_MS 60000

/* Spends all it may, each 10 ms for three windows, and returns the most of any window. */
static double most_in_a_window(double weight)
{
    enum { COUNT = 3 * MINUTE_MS / 10, WINDOW = MINUTE_MS / 10 };
    static double spent[COUNT];
    struct rate rate;
    rate_init(&rate, 2400, MINUTE_MS, 0);
    for (int i = 0; i < COUNT; i++)
        for (spent[i] = 0; rate_try_spend(&rate, weight, i * 10); spent[i] += weight)
            ;
    double most = 0, sum = 0;
    for (int i = 0; i < COUNT; i++) {
        sum += spent[i] - (i >= WINDOW ? spent[i - WINDOW] : 0);
        most = sum > most ? sum : most;
    }
    return most;
}

static void no_window_takes_more_than_its_share_and_most_of_it_is_used(void **state)
{
    (void)state;
    for (int weight = 1; weight <= 10; weight++) {
        double most = most_in_a_window(weight);
        assert_true(most <= 2400 * RATE_SHARE + 1e-6);
        assert_true(most >= 2400 * (RATE_SHARE - RATE_BURST));
    }
}

static void what_others_have_used_is_taken_off(void **state)
{
    (void)state;
    struct rate rate;
    rate_init(&rate, 1000, MINUTE_MS, 0);
    rate_note_used(&rate, 790, 0);
    int count = 0;
    while (rate_try_spend(&rate, 1, 0))
        count++;
    assert_int_equal(count, 10);
    rate_note_used(&rate, 1000, 0); /* over: it refills before anything is spent */
    assert_false(rate_try_spend(&rate, 1, 20000));
    assert_true(rate_try_spend(&rate, 1, 40000));
}

static void what_no_window_can_hold_stops_nothing_for_longer_than_a_window(void **state)
{
    (void)state;
    struct rate rate;
    rate_init(&rate, 2400, MINUTE_MS, 0);
    rate_note_used(&rate, 100000000, 0);
    assert_false(rate_try_spend(&rate, 1, 0));
    assert_true(rate_try_spend(&rate, 1, MINUTE_MS));
}

static void a_stop_lasts_as_long_as_it_says(void **state)
{
    (void)state;
    struct rate rate;
    rate_init(&rate, 1000, MINUTE_MS, 0);
    rate_stop(&rate, 5000);
    rate_stop(&rate, 3000); /* a shorter one does not end it */
    assert_false(rate_try_spend(&rate, 1, 4999));
    assert_true(rate_try_spend(&rate, 1, 5000));
}

static void a_clock_that_goes_back_refills_nothing(void **state)
{
    (void)state;
    struct rate rate;
    rate_init(&rate, 100, MINUTE_MS, 1000000);
    while (rate_try_spend(&rate, 1, 1000000))
        ;
    assert_false(rate_try_spend(&rate, 1, 500000));
    assert_false(rate_try_spend(&rate, 1, 500001));
    assert_true(rate_try_spend(&rate, 1, 500000 + MINUTE_MS));
}

static void a_weight_above_the_burst_goes_through_once_in_a_while(void **state)
{
    (void)state;
    struct rate rate;
    rate_init(&rate, 10, MINUTE_MS, 0);
    assert_true(rate_try_spend(&rate, 8, 0));
    assert_false(rate_try_spend(&rate, 8, MINUTE_MS));
    assert_true(rate_try_spend(&rate, 8, 2 * MINUTE_MS));
}

static void a_new_rule_keeps_what_was_spent(void **state)
{
    (void)state;
    struct rate rate;
    rate_init(&rate, 1000, MINUTE_MS, 0);
    for (int i = 0; i < 100; i++)
        assert_true(rate_try_spend(&rate, 1, 0));
    rate_set_rule(&rate, 500, MINUTE_MS);
    int count = 0;
    while (rate_try_spend(&rate, 1, 0))
        count++;
    assert_int_equal(count, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_window_takes_more_than_its_share_and_most_of_it_is_used),
        cmocka_unit_test(what_others_have_used_is_taken_off),
        cmocka_unit_test(what_no_window_can_hold_stops_nothing_for_longer_than_a_window),
        cmocka_unit_test(a_stop_lasts_as_long_as_it_says),
        cmocka_unit_test(a_clock_that_goes_back_refills_nothing),
        cmocka_unit_test(a_weight_above_the_burst_goes_through_once_in_a_while),
        cmocka_unit_test(a_new_rule_keeps_what_was_spent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
