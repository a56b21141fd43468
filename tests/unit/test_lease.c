/* The election as one server sees it, with the clock in the test's hand. */
#include "cluster/lease.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <setjmp.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)

static struct lease lease;
static uint64_t now_ns;
static const int64_t wall_ms = 5000;

static int begin(void **state)
{
    (void)state;
    now_ns = 1000 * MS;
    lease_init(&lease, true, now_ns);
    return 0;
}

static int begin_relay(void **state)
{
    (void)state;
    now_ns = 1000 * MS;
    lease_init(&lease, false, now_ns);
    return 0;
}

/* Time passes as a loop sees it that never sleeps long. */
static void pass(uint64_t ms)
{
    for (uint64_t done = 0; done < ms; done += 100) {
        now_ns += 100 * MS;
        lease_on_tick(&lease, now_ns, wall_ms);
    }
}

static void hear(bool has_holder, bool is_mine, uint64_t epoch)
{
    const struct lease_reply reply = {has_holder, is_mine, epoch};
    lease_on_reply(&lease, &reply, true, now_ns, now_ns);
}

static void an_answer_within_the_first_moments_decides(void **state)
{
    (void)state;
    pass(LEASE_JOIN_MS - 200);
    assert_int_equal(lease.state, LEASE_JOINING);
    assert_int_equal(lease.epoch, 0);
    hear(true, false, 77);
    assert_int_equal(lease.state, LEASE_FOLLOWING);
    assert_int_equal(lease.epoch, 0);
}

static void without_one_it_generates_for_its_own_clients(void **state)
{
    (void)state;
    pass(LEASE_JOIN_MS);
    assert_int_equal(lease.state, LEASE_ALONE);
    assert_int_equal(lease.epoch, wall_ms);
}

static void the_holder_leads_under_the_epoch_it_is_given(void **state)
{
    (void)state;
    hear(true, true, 9000);
    assert_int_equal(lease.state, LEASE_LEADING);
    assert_int_equal(lease.epoch, 9000);
    for (int i = 0; i < 20; i++) {
        pass(1000);
        hear(true, true, 9000);
        assert_int_equal(lease.state, LEASE_LEADING);
        assert_int_equal(lease.epoch, 9000);
    }
    /* Another server has used a greater one meanwhile. */
    hear(true, true, 9500);
    assert_int_equal(lease.epoch, 9500);
}

static void a_lease_that_is_not_renewed_ends_before_redis_gives_it_away(void **state)
{
    (void)state;
    hear(true, true, 9000);
    pass(LEASE_MS - LEASE_MARGIN_MS - 100);
    assert_int_equal(lease.state, LEASE_LEADING);
    pass(100);
    assert_int_equal(lease.state, LEASE_ALONE);
    assert_int_equal(lease.epoch, 9001); /* greater than all it has seen, whatever its clock says */
}

static void the_lease_counts_from_when_the_heartbeat_left(void **state)
{
    (void)state;
    const struct lease_reply reply = {true, true, 9000};
    uint64_t sent_ns = now_ns;
    pass(1500);
    lease_on_reply(&lease, &reply, true, sent_ns, now_ns);
    assert_int_equal(lease.state, LEASE_LEADING);
    assert_int_equal(lease.valid_until_ns, sent_ns + (LEASE_MS - LEASE_MARGIN_MS) * MS);
    /* An answer that took longer than the lease is worth nothing. */
    sent_ns = now_ns - LEASE_MS * MS;
    lease_on_reply(&lease, &reply, true, sent_ns, now_ns);
    assert_int_equal(lease.state, LEASE_FOLLOWING);
}

static void a_renewal_that_comes_after_the_end_does_not_continue_its_epoch(void **state)
{
    (void)state;
    hear(true, true, 9000);
    now_ns += (LEASE_MS - LEASE_MARGIN_MS) * MS; /* no tick has noticed yet */
    hear(true, true, 9000);
    assert_int_equal(lease.state, LEASE_FOLLOWING);
    hear(true, true, 9001);
    assert_int_equal(lease.state, LEASE_LEADING);
    assert_int_equal(lease.epoch, 9001);
}

static void a_server_that_was_stopped_does_not_mistake_that_for_silence(void **state)
{
    (void)state;
    hear(true, true, 9000);
    now_ns += 3600 * 1000 * MS;
    lease_on_tick(&lease, now_ns, wall_ms);
    assert_int_equal(lease.state, LEASE_FOLLOWING); /* its lease has run out */
    assert_int_equal(lease.epoch, 0);
    pass(LEASE_SILENCE_MS - 200);
    assert_int_equal(lease.state, LEASE_FOLLOWING); /* now it listens first */
    hear(true, false, 9100);
    pass(LEASE_SILENCE_MS - 200);
    assert_int_equal(lease.state, LEASE_FOLLOWING);

    /* A follower neither. */
    now_ns += 3600 * 1000 * MS;
    lease_on_tick(&lease, now_ns, wall_ms);
    assert_int_equal(lease.state, LEASE_FOLLOWING);
}

static void a_follower_that_hears_nothing_is_on_its_own(void **state)
{
    (void)state;
    hear(true, false, 9000);
    pass(LEASE_SILENCE_MS - 100);
    assert_int_equal(lease.state, LEASE_FOLLOWING);
    pass(100);
    assert_int_equal(lease.state, LEASE_ALONE);
    assert_int_equal(lease.epoch, 9001);
    hear(true, false, 9001);
    assert_int_equal(lease.state, LEASE_FOLLOWING);
    assert_int_equal(lease.epoch, 0);
    assert_int_equal(lease.seen_epoch, 9001); /* which the next heartbeat sends */
}

static void one_that_is_answered_but_gets_no_publications_does_not_follow(void **state)
{
    (void)state;
    const struct lease_reply reply = {true, false, 9000};
    hear(true, false, 9000);
    for (int i = 0; i < 6; i++) {
        pass(1000);
        lease_on_reply(&lease, &reply, false, now_ns, now_ns);
    }
    assert_int_equal(lease.state, LEASE_ALONE);
}

static void where_no_server_generates_each_is_on_its_own(void **state)
{
    (void)state;
    hear(true, false, 9000);
    for (int i = 0; i < 6; i++) {
        pass(1000);
        hear(false, false, 9000);
    }
    assert_int_equal(lease.state, LEASE_ALONE);
    uint64_t epoch = lease.epoch;
    hear(false, false, 9000); /* an answer of that kind changes nothing */
    assert_int_equal(lease.state, LEASE_ALONE);
    assert_int_equal(lease.epoch, epoch);
    hear(true, true, 9002);
    assert_int_equal(lease.state, LEASE_LEADING);
    assert_int_equal(lease.epoch, 9002);
}

static void a_lease_that_another_has_taken_is_over(void **state)
{
    (void)state;
    hear(true, true, 9000);
    hear(true, false, 9100);
    assert_int_equal(lease.state, LEASE_FOLLOWING);
    assert_int_equal(lease.epoch, 0);
    hear(true, true, 9200);
    lease_resign(&lease);
    assert_int_equal(lease.state, LEASE_FOLLOWING);
    lease_resign(&lease);
    assert_int_equal(lease.state, LEASE_FOLLOWING);
}

static void an_epoch_of_its_own_passes_all_that_clients_have_seen(void **state)
{
    (void)state;
    lease_see_epoch(&lease, 123456);
    lease_see_epoch(&lease, 99);
    pass(LEASE_JOIN_MS);
    assert_int_equal(lease.state, LEASE_ALONE);
    assert_int_equal(lease.epoch, 123457);
}

static void one_that_is_alone_passes_what_its_clients_have_got_from_another(void **state)
{
    (void)state;
    pass(LEASE_JOIN_MS);
    lease_see_epoch(&lease, lease.epoch); /* its own */
    assert_int_equal(lease.epoch, wall_ms);
    lease_see_epoch(&lease, 123456);
    assert_int_equal(lease.state, LEASE_ALONE);
    assert_int_equal(lease.epoch, 123457);
    hear(false, false, 200000); /* what Redis says has reached no client */
    assert_int_equal(lease.epoch, 123457);
    assert_int_equal(lease.seen_epoch, 200000);
}

static void an_epoch_is_believed_if_there_is_room_above_it_or_if_it_continues(void **state)
{
    (void)state;
    assert_int_equal(lease_epoch_max(&lease), LEASE_EPOCH_MAX);
    hear(true, false, 9000);
    assert_int_equal(lease_epoch_max(&lease), LEASE_EPOCH_MAX);
    hear(true, false, LEASE_EPOCH_MAX);
    assert_int_equal(lease_epoch_max(&lease), LEASE_EPOCH_MAX + LEASE_EPOCH_STEP_MAX);
    assert_int_equal(lease_stored_epoch_max(&lease), LEASE_EPOCH_MAX + LEASE_EPOCH_ROOM);
    hear(true, true, LEASE_EPOCH_MAX + 1);
    assert_int_equal(lease.epoch, LEASE_EPOCH_MAX + 1);
    assert_int_equal(lease_epoch_max(&lease), LEASE_EPOCH_MAX + 1 + LEASE_EPOCH_STEP_MAX);
}

static void a_relay_never_generates(void **state)
{
    (void)state;
    hear(true, true, 9000); /* its lease, whatever has set it */
    assert_int_equal(lease.state, LEASE_FOLLOWING);
    assert_int_equal(lease.epoch, 0);
    for (int i = 0; i < 20; i++) { /* it needs no generator: others may publish */
        pass(1000);
        hear(false, false, 9000);
        assert_int_equal(lease.state, LEASE_FOLLOWING);
    }
    pass(LEASE_SILENCE_MS);
    assert_int_equal(lease.state, LEASE_ALONE);
    lease_see_epoch(&lease, 123456);
    assert_int_equal(lease.epoch, 0);
}

#define fact(test) cmocka_unit_test_setup(test, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(an_answer_within_the_first_moments_decides),
        fact(without_one_it_generates_for_its_own_clients),
        fact(the_holder_leads_under_the_epoch_it_is_given),
        fact(a_lease_that_is_not_renewed_ends_before_redis_gives_it_away),
        fact(the_lease_counts_from_when_the_heartbeat_left),
        fact(a_renewal_that_comes_after_the_end_does_not_continue_its_epoch),
        fact(a_server_that_was_stopped_does_not_mistake_that_for_silence),
        fact(a_follower_that_hears_nothing_is_on_its_own),
        fact(one_that_is_answered_but_gets_no_publications_does_not_follow),
        fact(where_no_server_generates_each_is_on_its_own),
        fact(a_lease_that_another_has_taken_is_over),
        fact(an_epoch_of_its_own_passes_all_that_clients_have_seen),
        fact(one_that_is_alone_passes_what_its_clients_have_got_from_another),
        fact(an_epoch_is_believed_if_there_is_room_above_it_or_if_it_continues),
        cmocka_unit_test_setup(a_relay_never_generates, begin_relay),
    };
    return cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}
