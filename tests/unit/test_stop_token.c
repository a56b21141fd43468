/* What may end work before it is done. */
#include "base/clock.h"
#include "base/stop_token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

static void a_token_that_says_nothing_stops_nothing(void **state)
{
    (void)state;
    assert_int_equal(stop_token_check(NULL, NULL), STATUS_OK);
    assert_int_equal(stop_token_check(&(struct stop_token){0}, NULL), STATUS_OK);
}

static void a_flag_cancels(void **state)
{
    (void)state;
    atomic_bool is_cancelled = false;
    const struct stop_token token = {.is_cancelled = &is_cancelled, .deadline_ns = 1};
    const struct stop_token patient = {.is_cancelled = &is_cancelled};
    struct error error;
    assert_int_equal(stop_token_check(&patient, &error), STATUS_OK);
    atomic_store(&is_cancelled, true);
    assert_int_equal(stop_token_check(&patient, &error), STATUS_CANCELLED);
    assert_string_equal(error.message, "the answer is not wanted any more");
    assert_int_equal(stop_token_check(&token, NULL), STATUS_CANCELLED); /* rather than late */
}

static void a_deadline_passes(void **state)
{
    (void)state;
    struct stop_token token = {.deadline_ns = clock_monotonic_ns() + UINT64_C(3600000000000)};
    struct error error;
    assert_int_equal(stop_token_check(&token, &error), STATUS_OK);
    token.deadline_ns = clock_monotonic_ns();
    assert_int_equal(stop_token_check(&token, &error), STATUS_TIMEOUT);
    assert_int_equal(error.status, STATUS_TIMEOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_that_says_nothing_stops_nothing),
        cmocka_unit_test(a_flag_cancels),
        cmocka_unit_test(a_deadline_passes),
    };
    return cmocka_run_group_tests_name("stop_token", tests, NULL, NULL);
}
