/* Open interest that is added up over exchanges. */
#include "sources/collect/sum.h"

#include "base/check.h"
#include "base/decimal.h"
#include "sources/collect/collect_internal.h"

#include <stdarg.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

#define STEP_COUNT 20
#define AT(step) (INT64_C(1767225600000) + (step)*CANDLE_MS)

/* Two exchanges that tell the past, and one that does not. */
struct fixture {
    struct exchange_api apis[3];
    struct venue venues[3];
    struct venue_market markets[3];
    struct sum *sum;
};

static int set_up(void **state)
{
    struct fixture *fixture = memory_allocate_zeroed(1, sizeof *fixture);
    fixture->sum = sum_create(STEP_COUNT);
    for (int i = 0; i < 3; i++) {
        fixture->apis[i].offers[EXCHANGE_INTEREST_HISTORY].is_offered = i < 2;
        fixture->venues[i].api = &fixture->apis[i];
        fixture->markets[i].venue = &fixture->venues[i];
        fixture->markets[i].state = MARKET_TRADING;
        sum_add(fixture->sum, &fixture->markets[i]);
    }
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    sum_destroy(fixture->sum);
    free(fixture);
    return 0;
}

static bool take(struct fixture *fixture, int member, int64_t time_ms, int64_t coins,
                 struct exchange_interest *interest)
{
    *interest = (struct exchange_interest){.time_ms = time_ms,
                                           .has_contracts = true,
                                           .has_value = true,
                                           .contracts_e8 = coins * DECIMAL_ONE,
                                           .value_e8 = coins * 100 * DECIMAL_ONE};
    return sum_take(fixture->sum, &fixture->markets[member], interest);
}

static void assert_sum(const struct exchange_interest *interest, int64_t time_ms, int64_t coins)
{
    assert_int_equal(interest->time_ms, time_ms);
    assert_int_equal(interest->contracts_e8, coins * DECIMAL_ONE);
    assert_int_equal(interest->value_e8, coins * 100 * DECIMAL_ONE);
}

static void a_sum_is_there_when_its_last_member_is(void **state)
{
    struct exchange_interest interest;
    assert_false(take(*state, 0, AT(1), 3, &interest));
    assert_false(take(*state, 1, AT(2), 5, &interest));
    assert_true(take(*state, 1, AT(1) + 1500, 4, &interest));
    assert_sum(&interest, AT(1), 7);
    assert_true(take(*state, 0, AT(2), 6, &interest));
    assert_sum(&interest, AT(2), 11);
}

static void a_sum_that_was_lost_is_made_again(void **state)
{
    struct fixture *fixture = *state;
    struct exchange_interest interest;
    assert_false(take(*state, 0, AT(1), 3, &interest));
    assert_true(take(*state, 1, AT(1), 4, &interest));
    sum_forget(fixture->sum, AT(1));
    assert_false(take(*state, 0, AT(1), 3, &interest));
    assert_true(take(*state, 1, AT(1), 4, &interest));
    assert_sum(&interest, AT(1), 7);
}

static void a_figure_that_comes_twice_counts_once(void **state)
{
    struct exchange_interest interest;
    assert_false(take(*state, 0, AT(1), 3, &interest));
    assert_false(take(*state, 0, AT(1), 3, &interest));
    assert_true(take(*state, 1, AT(1), 4, &interest));
    assert_sum(&interest, AT(1), 7);
    assert_false(take(*state, 1, AT(1), 4, &interest));
}

static void an_exchange_without_a_past_is_not_in_it(void **state)
{
    struct exchange_interest interest;
    assert_false(take(*state, 2, AT(1), 100, &interest));
    assert_false(take(*state, 0, AT(1), 3, &interest));
    assert_true(take(*state, 1, AT(1), 4, &interest));
    assert_sum(&interest, AT(1), 7);
}

static void sums_that_waited_for_an_exchange_without_the_symbol_are_told(void **state)
{
    struct fixture *fixture = *state;
    struct exchange_interest interest;
    fixture->markets[1].state = MARKET_SOUGHT;
    assert_false(take(fixture, 0, AT(1), 3, &interest));
    assert_false(take(fixture, 0, AT(2), 4, &interest));
    assert_false(sum_settle(fixture->sum, &interest));
    fixture->markets[1].state = MARKET_MISSING;
    int64_t coins = 0;
    for (int i = 0; i < 2; i++) {
        assert_true(sum_settle(fixture->sum, &interest));
        coins += interest.contracts_e8 / DECIMAL_ONE;
    }
    assert_int_equal(coins, 7);
    assert_false(sum_settle(fixture->sum, &interest));
}

static void a_place_is_taken_by_a_later_step_and_not_by_an_earlier_one(void **state)
{
    struct exchange_interest interest;
    assert_false(take(*state, 0, AT(1), 3, &interest));
    assert_false(take(*state, 0, AT(1 + STEP_COUNT), 5, &interest));
    assert_false(take(*state, 1, AT(1), 4, &interest));
    assert_true(take(*state, 1, AT(1 + STEP_COUNT), 6, &interest));
    assert_sum(&interest, AT(1 + STEP_COUNT), 11);
}

static void what_no_number_holds_is_no_sum(void **state)
{
    struct fixture *fixture = *state;
    struct exchange_interest interest = {.time_ms = AT(1), .value_e8 = INT64_MAX};
    assert_false(sum_take(fixture->sum, &fixture->markets[0], &interest));
    assert_false(take(fixture, 1, AT(1), 4, &interest));
}

static void the_present_is_the_sum_of_readings_of_one_moment(void **state)
{
    struct fixture *fixture = *state;
    struct exchange_interest interest;
    for (int i = 0; i < 2; i++)
        fixture->markets[i].reading = (struct exchange_interest){.time_ms = AT(1) + i * 1000,
                                                                 .has_contracts = true,
                                                                 .has_value = true,
                                                                 .contracts_e8 = DECIMAL_ONE,
                                                                 .value_e8 = 100 * DECIMAL_ONE};
    assert_true(sum_present(fixture->sum, &interest));
    assert_sum(&interest, AT(1) + 1000, 2);
    fixture->markets[0].reading.time_ms = AT(1) + 90 * SECOND_MS; /* the other has stopped */
    assert_false(sum_present(fixture->sum, &interest));
    fixture->markets[0].reading.time_ms = AT(2); /* the other is of the candle before */
    fixture->markets[1].reading.time_ms = AT(2) - 2 * SECOND_MS;
    assert_false(sum_present(fixture->sum, &interest));
    fixture->markets[1].reading.time_ms = AT(2) + 2 * SECOND_MS;
    assert_true(sum_present(fixture->sum, &interest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_sum_is_there_when_its_last_member_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_sum_that_was_lost_is_made_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_figure_that_comes_twice_counts_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_exchange_without_a_past_is_not_in_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            sums_that_waited_for_an_exchange_without_the_symbol_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_place_is_taken_by_a_later_step_and_not_by_an_earlier_one,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_no_number_holds_is_no_sum, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_present_is_the_sum_of_readings_of_one_moment, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
