/* Waits between tries, and the numbers that chance comes from. */
#include "base/backoff.h"

#include <stdarg.h>
#include <stdbool.h>

#include <setjmp.h>

#include <cmocka.h>

static void waits_double_up_to_the_bound_and_begin_again(void **state)
{
    (void)state;
    struct backoff backoff;
    for (uint64_t seed = 0; seed < 100; seed++) {
        backoff_init(&backoff, 500, 10000, (struct random){seed});
        for (uint64_t bound_ms = 1000; bound_ms < 40000; bound_ms *= 2) {
            uint64_t most_ms = bound_ms < 10000 ? bound_ms : 10000;
            assert_in_range(backoff_next_ms(&backoff), most_ms / 2, most_ms);
        }
        backoff_reset(&backoff);
        assert_in_range(backoff_next_ms(&backoff), 500, 1000);
    }
}

static void a_narrow_range_is_kept(void **state)
{
    (void)state;
    struct backoff backoff;
    backoff_init(&backoff, 100, 120, (struct random){1});
    for (int i = 0; i < 100; i++)
        assert_in_range(backoff_next_ms(&backoff), 100, 120);
    backoff_init(&backoff, 7, 7, (struct random){1});
    assert_int_equal(backoff_next_ms(&backoff), 7);
}

static void two_clients_do_not_wait_alike(void **state)
{
    (void)state;
    struct backoff a, b;
    int same = 0;
    backoff_init(&a, 500, 10000, random_seeded_by_system());
    backoff_init(&b, 500, 10000, random_seeded_by_system());
    for (int i = 0; i < 20; i++)
        same += backoff_next_ms(&a) == backoff_next_ms(&b);
    assert_true(same < 10);
}

static void the_same_seed_gives_the_same_numbers_everywhere(void **state)
{
    (void)state;
    struct random random = {.state = 1234567};
    /* The reference implementation's first numbers. */
    assert_true(random_next(&random) == UINT64_C(6457827717110365317));
    assert_true(random_next(&random) == UINT64_C(3203168211198807973));
    for (int i = 0; i < 1000; i++) {
        double unit = random_unit(&random);
        assert_true(unit > 0 && unit < 1);
        assert_in_range(random_between(&random, 3, 5), 3, 5);
    }
    assert_int_equal(random_between(&random, 9, 9), 9);
    random_between(&random, 0, UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_double_up_to_the_bound_and_begin_again),
        cmocka_unit_test(a_narrow_range_is_kept),
        cmocka_unit_test(two_clients_do_not_wait_alike),
        cmocka_unit_test(the_same_seed_gives_the_same_numbers_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
