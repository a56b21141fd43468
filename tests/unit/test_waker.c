/* Threads that wake a loop. */
#include "net/waker.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { THREADS = 4, CALLS = 1000 };

struct fixture {
    uv_loop_t loop;
    struct waker waker;
    int sent, seen; /* `sent` is written before a call, and read where it arrives */
    int times;
};

static void on_woken(void *context)
{
    struct fixture *fixture = context;
    fixture->times++;
    fixture->seen = __atomic_load_n(&fixture->sent, __ATOMIC_RELAXED);
    if (fixture->seen == THREADS * CALLS)
        waker_close(&fixture->waker);
}

static void *wake_often(void *context)
{
    struct fixture *fixture = context;
    for (int i = 0; i < CALLS; i++) {
        __atomic_fetch_add(&fixture->sent, 1, __ATOMIC_RELAXED);
        waker_wake(&fixture->waker);
    }
    return NULL;
}

static void open_loop(struct fixture *fixture)
{
    *fixture = (struct fixture){0};
    assert_int_equal(uv_loop_init(&fixture->loop), 0);
    waker_init(&fixture->waker, &fixture->loop, on_woken, fixture);
}

static void close_loop(struct fixture *fixture)
{
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    waker_wake(&fixture->waker); /* a thread that is late */
    waker_deinit(&fixture->waker);
}

static void the_loop_sees_all_that_was_there_before_it_was_woken(void **state)
{
    (void)state;
    struct fixture fixture;
    pthread_t threads[THREADS];
    open_loop(&fixture);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wake_often, &fixture), 0);
    uv_run(&fixture.loop, UV_RUN_DEFAULT); /* until it has seen the last of them */
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(fixture.seen, THREADS * CALLS);
    close_loop(&fixture);
}

static void many_calls_wake_it_once(void **state)
{
    (void)state;
    struct fixture fixture;
    open_loop(&fixture);
    for (int i = 0; i < 3; i++)
        waker_wake(&fixture.waker);
    for (int i = 0; i < 3; i++)
        uv_run(&fixture.loop, UV_RUN_NOWAIT);
    assert_int_equal(fixture.times, 1);
    waker_wake(&fixture.waker);
    for (int i = 0; i < 3; i++)
        uv_run(&fixture.loop, UV_RUN_NOWAIT);
    assert_int_equal(fixture.times, 2);
    waker_close(&fixture.waker);
    close_loop(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_loop_sees_all_that_was_there_before_it_was_woken),
        cmocka_unit_test(many_calls_wake_it_once),
    };
    return cmocka_run_group_tests_name("waker", tests, NULL, NULL);
}
