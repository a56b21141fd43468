/* Memory that may run out: budgets, and allocations that are made to fail. */
#include "base/memory.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* The sanitizers take a request that no machine could fulfil for a bug, unless told so. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void memory_is_zeroed_or_resized(void **state)
{
    (void)state;
    char *memory = memory_try_allocate_zeroed(100, 10);
    assert_non_null(memory);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(memory[i], 0);
    memory[999] = 'x';
    memory = memory_try_resize(memory, 100000, 1);
    assert_int_equal(memory[999], 'x');
    free(memory);
    free(memory_try_resize(NULL, 0, 8));
}

static void what_the_system_does_not_have_is_null(void **state)
{
    (void)state;
    char *memory = memory_try_resize(NULL, 10, 1);
    memory[9] = 'x';
    assert_null(memory_try_resize(memory, PTRDIFF_MAX / 2, 1));
    assert_int_equal(memory[9], 'x');
    assert_null(memory_try_allocate_zeroed(PTRDIFF_MAX / 8, 4));
    free(memory);
}

static void a_budget_bounds_what_is_taken_in_all(void **state)
{
    (void)state;
    struct memory_budget budget;
    memory_budget_begin(&budget, 100000);
    char *one = memory_try_resize(NULL, 50000, 1), *two = memory_try_allocate_zeroed(1, 40000);
    assert_non_null(one);
    assert_non_null(two);
    assert_false(budget.is_exceeded);
    assert_null(memory_try_resize(NULL, 20000, 1));
    assert_true(budget.is_exceeded);
    assert_null(memory_try_resize(one, 70000, 1)); /* counts what is added */
    one = memory_try_resize(one, 55000, 1);
    assert_non_null(one);
    one = memory_try_resize(one, 10, 1);
    assert_non_null(one);
    free(two);
    assert_null(memory_try_resize(NULL, 40000, 1)); /* what was freed stays taken */
    memory_budget_end();
    two = memory_try_resize(NULL, 200000, 1);
    assert_non_null(two);
    free(one);
    free(two);
}

static void *take(void *size)
{
    return memory_try_resize(NULL, *(size_t *)size, 1);
}

static void a_budget_is_its_threads_alone(void **state)
{
    (void)state;
    pthread_t thread;
    struct memory_budget budget;
    void *taken = NULL;
    size_t size = 5000;
    memory_budget_begin(&budget, 1000);
    assert_int_equal(pthread_create(&thread, NULL, take, &size), 0);
    pthread_join(thread, &taken);
    assert_non_null(taken);
    assert_null(take(&size));
    memory_budget_end();
    free(taken);
}

static void a_budget_of_nothing_is_no_limit(void **state)
{
    (void)state;
    struct memory_budget budget;
    memory_budget_begin(&budget, 0);
    void *taken = memory_try_resize(NULL, 1000000, 1);
    assert_non_null(taken);
    assert_false(budget.is_exceeded);
    memory_budget_end();
    free(taken);
}

static void the_call_that_is_to_fail_fails_once(void **state)
{
    (void)state;
    assert_int_equal(memory_fail_call(2), 0);
    void *one = memory_try_resize(NULL, 10, 1);
    assert_non_null(one);
    assert_null(memory_try_resize(one, 20, 1));
    one = memory_try_resize(one, 20, 1);
    assert_non_null(one);
    assert_int_equal(memory_fail_call(5), 0);
    free(memory_try_allocate_zeroed(1, 1));
    assert_int_equal(memory_fail_call(0), 4);
    free(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_or_resized),
        cmocka_unit_test(what_the_system_does_not_have_is_null),
        cmocka_unit_test(a_budget_bounds_what_is_taken_in_all),
        cmocka_unit_test(a_budget_is_its_threads_alone),
        cmocka_unit_test(a_budget_of_nothing_is_no_limit),
        cmocka_unit_test(the_call_that_is_to_fail_fails_once),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
