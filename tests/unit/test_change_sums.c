/* Sums of what candles did, told again and again. */
#include "model/change_sums.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <setjmp.h>

#include <cmocka.h>

enum { SLOT = 5889774 }; /* 2025-12-28T14:30:00Z */

static void note(struct change_sums *sums, int64_t slot, uint32_t created, uint32_t consumed)
{
    change_sums_note(sums, slot, (struct book_change){created, consumed});
}

static void each_candle_counts_as_it_was_told_last(void **state)
{
    (void)state;
    struct change_sums sums = {0};
    note(&sums, SLOT, 0, 2);
    note(&sums, SLOT, 0, 3); /* it forms */
    note(&sums, SLOT + 1, 0, 1);
    note(&sums, SLOT, 5, 3); /* open interest came late */
    assert_int_equal(sums.created, 5);
    assert_int_equal(sums.consumed, 4);
    note(&sums, SLOT, 2, 0); /* and was corrected */
    assert_int_equal(sums.created, 2);
    assert_int_equal(sums.consumed, 1);
}

static void a_window_that_is_computed_again_counts_once(void **state)
{
    (void)state;
    struct change_sums sums = {0};
    for (int round = 0; round < 3; round++)
        for (int64_t i = 0; i < 5 * CHANGE_SUMS_RECENT; i++)
            note(&sums, SLOT + i, 2, 1);
    assert_int_equal(sums.created, 2 * 5 * CHANGE_SUMS_RECENT);
    assert_int_equal(sums.consumed, 5 * CHANGE_SUMS_RECENT);
    /* After a hole, whose candles come later, in part too late. */
    note(&sums, SLOT + 6 * CHANGE_SUMS_RECENT + 1, 2, 1);
    note(&sums, SLOT + 6 * CHANGE_SUMS_RECENT, 2, 1);
    note(&sums, SLOT + 5 * CHANGE_SUMS_RECENT + 1, 2, 1);
    assert_int_equal(sums.consumed, 5 * CHANGE_SUMS_RECENT + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_candle_counts_as_it_was_told_last),
        cmocka_unit_test(a_window_that_is_computed_again_counts_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
