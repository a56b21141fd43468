/* Classes of sockets: what waits for what, and in which order. */
#include "net/poller.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOCKETS = 20, ORDER_MAX = 200 };

/* A pair of sockets: what is written to `far` makes `near` readable, until it is read. */
struct socket_pair {
    struct fixture *fixture;
    enum poll_class class;
    int near, far;
    void (*on_served)(struct socket_pair *pair);
};

struct fixture {
    uv_loop_t loop;
    struct poller poller;
    struct socket_pair pairs[SOCKETS];
    int order[ORDER_MAX]; /* indexes of pairs, as they were served */
    int served;
};

static void write_to(const struct socket_pair *pair)
{
    assert_int_equal(write(pair->far, "x", 1), 1);
}

static void on_ready(void *context, uint32_t events)
{
    struct socket_pair *pair = context;
    struct fixture *fixture = pair->fixture;
    char byte;
    assert_true(events & EPOLLIN);
    assert_int_equal(read(pair->near, &byte, 1), 1);
    assert_true(fixture->served < ORDER_MAX);
    fixture->order[fixture->served++] = (int)(pair - fixture->pairs);
    if (pair->on_served != NULL)
        pair->on_served(pair);
}

static int open_poller(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_int_equal(uv_loop_init(&fixture->loop), 0);
    poller_init(&fixture->poller, &fixture->loop, on_ready);
    for (int i = 0; i < SOCKETS; i++) {
        struct socket_pair *pair = &fixture->pairs[i];
        int ends[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        *pair = (struct socket_pair){fixture, POLL_ORDINARY, ends[0], ends[1], NULL};
        assert_true(poller_add(&fixture->poller, POLL_ORDINARY, pair->near, EPOLLIN, pair));
    }
    *state = fixture;
    return 0;
}

static int close_poller(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < SOCKETS; i++) {
        const struct socket_pair *pair = &fixture->pairs[i];
        poller_remove(&fixture->poller, pair->class, pair->near);
        close(pair->near);
        close(pair->far);
    }
    poller_close(&fixture->poller);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    free(fixture);
    return 0;
}

/* Turns, until nothing is ready. */
static void run(struct fixture *fixture)
{
    for (int served = -1; served != fixture->served;) {
        served = fixture->served;
        for (int i = 0; i < 3; i++)
            uv_run(&fixture->loop, UV_RUN_NOWAIT);
    }
}

static void move(struct socket_pair *pair, enum poll_class class)
{
    assert_true(poller_move(&pair->fixture->poller, pair->class, class, pair->near, EPOLLIN, pair));
    pair->class = class;
}

/* As long as a slice, so that it is over afterwards. */
static void take_long(struct socket_pair *pair)
{
    (void)pair;
    uint64_t end_ns = clock_monotonic_ns() + POLLER_SLICE_US * UINT64_C(1000);
    while (clock_monotonic_ns() < end_ns)
        continue;
}

static void take_long_and_wake_the_last(struct socket_pair *pair)
{
    take_long(pair);
    write_to(&pair->fixture->pairs[SOCKETS - 1]);
}

static void a_client_that_is_well_waits_for_a_slice_and_not_for_all(void **state)
{
    struct fixture *fixture = *state;
    move(&fixture->pairs[SOCKETS - 1], POLL_FIRST);
    for (int i = 0; i < SOCKETS - 1; i++) {
        fixture->pairs[i].on_served = take_long;
        write_to(&fixture->pairs[i]);
    }
    fixture->pairs[0].on_served = take_long_and_wake_the_last;
    run(fixture);
    assert_int_equal(fixture->served, SOCKETS);
    assert_int_equal(fixture->order[0], 0);
    assert_int_not_equal(fixture->order[SOCKETS - 1], SOCKETS - 1);
    /* One more slice may have come before it in the same turn. */
    assert_true(fixture->order[1] == SOCKETS - 1 || fixture->order[2] == SOCKETS - 1);
}

static void clients_that_are_well_are_many_at_times_and_have_a_slice_as_well(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < SOCKETS; i++) {
        move(&fixture->pairs[i], POLL_FIRST);
        fixture->pairs[i].on_served = take_long;
        write_to(&fixture->pairs[i]);
    }
    uv_run(&fixture->loop, UV_RUN_NOWAIT);
    assert_in_range(fixture->served, 1, POLLER_FIRST_SLICE_US / POLLER_SLICE_US);
    run(fixture);
    assert_int_equal(fixture->served, SOCKETS);
}

static void those_that_share_a_slice_are_served_in_the_order_in_which_they_came(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < SOCKETS; i++) {
        fixture->pairs[i].on_served = take_long;
        write_to(&fixture->pairs[(i + 7) % SOCKETS]);
    }
    run(fixture);
    assert_int_equal(fixture->served, SOCKETS);
    for (int i = 0; i < SOCKETS; i++)
        assert_int_equal(fixture->order[i], (i + 7) % SOCKETS);
}

static void one_that_is_ready_again_and_again_comes_behind_the_others(void **state)
{
    struct fixture *fixture = *state;
    fixture->pairs[0].on_served = take_long;
    for (int i = 0; i < 50; i++)
        write_to(&fixture->pairs[0]);
    for (int i = 1; i < SOCKETS; i++)
        write_to(&fixture->pairs[i]);
    run(fixture);
    assert_int_equal(fixture->served, 50 + SOCKETS - 1);
    for (int i = 0; i < SOCKETS; i++)
        assert_int_equal(fixture->order[i], i);
}

static void it_is_known_whether_all_that_were_ready_had_their_turn(void **state)
{
    struct fixture *fixture = *state;
    const struct poller *poller = &fixture->poller;
    move(&fixture->pairs[SOCKETS - 1], POLL_FIRST);
    fixture->pairs[0].on_served = take_long;
    write_to(&fixture->pairs[0]);
    write_to(&fixture->pairs[1]);
    uv_run(&fixture->loop, UV_RUN_NOWAIT);
    assert_int_equal(fixture->served, 1);
    assert_true(poller_is_behind(poller));
    assert_int_equal(poller_emptied(poller), 0);
    assert_int_equal(poller->sets[POLL_ORDINARY].count, SOCKETS - 1);
    for (int i = 0; poller_is_behind(poller); i++) { /* the machine may take a slice away */
        assert_true(i < 1000);
        write_to(&fixture->pairs[1]);
        run(fixture);
    }
    assert_true(poller_emptied(poller) > 0);
}

static void where_there_is_nobody_to_be_kept_waiting_all_are_served(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < SOCKETS; i++) {
        fixture->pairs[i].on_served = take_long;
        write_to(&fixture->pairs[i]);
    }
    uv_run(&fixture->loop, UV_RUN_NOWAIT);
    assert_int_equal(fixture->served, SOCKETS);
    assert_false(poller_is_behind(&fixture->poller));
}

static void a_socket_that_was_removed_is_not_reported(void **state)
{
    struct fixture *fixture = *state;
    struct socket_pair *pair = &fixture->pairs[3];
    write_to(pair);
    poller_remove(&fixture->poller, POLL_ORDINARY, pair->near);
    run(fixture);
    assert_int_equal(fixture->served, 0);
    assert_true(poller_add(&fixture->poller, POLL_ORDINARY, pair->near, 0, pair));
    run(fixture);
    assert_int_equal(fixture->served, 0);
    poller_change(&fixture->poller, POLL_ORDINARY, pair->near, EPOLLIN, pair);
    run(fixture);
    assert_int_equal(fixture->served, 1);
}

#define with_poller(test) cmocka_unit_test_setup_teardown(test, open_poller, close_poller)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_poller(a_client_that_is_well_waits_for_a_slice_and_not_for_all),
        with_poller(clients_that_are_well_are_many_at_times_and_have_a_slice_as_well),
        with_poller(those_that_share_a_slice_are_served_in_the_order_in_which_they_came),
        with_poller(one_that_is_ready_again_and_again_comes_behind_the_others),
        with_poller(it_is_known_whether_all_that_were_ready_had_their_turn),
        with_poller(where_there_is_nobody_to_be_kept_waiting_all_are_served),
        with_poller(a_socket_that_was_removed_is_not_reported),
    };
    return cmocka_run_group_tests_name("poller", tests, NULL, NULL);
}
