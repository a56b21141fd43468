/* Clients that do not read as fast as snapshots come. */
#include "session_fixture.h"

static void a_slow_client_is_warned_and_gets_the_newest_and_others_notice_nothing(void **state)
{
    (void)state;
    struct client *slow = connect_client(), *other = connect_client();
    subscribe(slow, "\"BTCUSDT\",\"ETHUSDT\"");
    subscribe(other, "\"BTCUSDT\"");
    slow->room = 10;
    publish(BTC, 1);
    assert_true(slow->wants_writable);
    tick_for_ms(1100);
    assert_int_equal(atomic_load(&hub.group.slow_count), 1);
    for (uint64_t seq = 2; seq <= 4; seq++) {
        publish(BTC, seq);
        publish(ETH, seq);
        tick_for_ms(1000);
    }
    expect(other, "BTCUSDT 1\nBTCUSDT 2\nBTCUSDT 3\nBTCUSDT 4\n");
    slow->room = SIZE_MAX;
    flush(slow);
    assert_false(slow->wants_writable);
    expect(slow, "BTCUSDT 1\nSLOW_CONSUMER 4\nETHUSDT 4\nBTCUSDT 4\n");
    assert_int_equal(atomic_load(&hub.group.slow_count), 0);
    assert_int_equal(atomic_load(&hub.group.meter.slow[BTC]), 4);
    assert_int_equal(atomic_load(&hub.group.meter.slow[ETH]), 3);
    assert_int_equal(atomic_load(&hub.group.meter.dropped), 4);
    disconnect(slow);
    disconnect(other);
}

static void an_old_snapshot_makes_no_new_subscriber_slow(void **state)
{
    (void)state;
    publish(BTC, 1);
    tick_for_ms(300000);
    struct client *client = connect_client();
    client->room = 10;
    subscribe(client, "\"BTCUSDT\"");
    tick_for_ms(900);
    assert_int_equal(atomic_load(&hub.group.meter.slow[BTC]), 0);
    client->room = SIZE_MAX;
    flush(client);
    expect(client, "BTCUSDT 1\n");
    disconnect(client);
}

static void a_socket_that_takes_nothing_for_a_minute_is_closed(void **state)
{
    (void)state;
    struct client *client = connect_client();
    subscribe(client, "\"BTCUSDT\"");
    client->room = 10;
    publish(BTC, 1);
    tick_for_ms(50000);
    client->room = 1; /* one byte is progress */
    flush(client);
    tick_for_ms(59950);
    assert_false(client->is_aborted);
    tick_for_ms(100);
    assert_true(client->is_aborted);
    assert_int_equal(publisher_subscriber_count(publisher, BTC), 0);
    publish(BTC, 2);
    tick_for_ms(1000);
    disconnect(client);
}

static void a_client_that_takes_a_little_is_not_closed_even_if_it_never_polls_writable(void **state)
{
    (void)state;
    struct client *client = connect_client();
    subscribe(client, "\"BTCUSDT\"");
    client->room = 5;
    publish(BTC, 1);
    for (uint64_t minute = 2; minute < 6; minute++) {
        client->progress.taken_bytes++; /* without an event */
        tick_for_ms(60050);
        assert_false(client->is_aborted);
    }
    tick_for_ms(60050);
    assert_true(client->is_aborted);
    disconnect(client);
}

/* -- silence ----------------------------------------------------------------------------------- */

/* Seconds pass, in each of which the client takes `taken` bytes. */
static void let_pass(struct client *client, unsigned seconds, unsigned taken)
{
    for (unsigned i = 0; i < seconds && !client->is_aborted; i++) {
        client->progress.taken_bytes += taken;
        tick_for_ms(1000);
        if (!client->is_aborted)
            session_check_liveness(&client->session, fake_now_ns);
    }
}

static void a_silent_client_is_alive_while_it_takes_what_waits_in_the_socket(void **state)
{
    (void)state;
    struct client *client = connect_client();
    client->progress.unsent_bytes = 40000; /* and the pings behind it */
    let_pass(client, 300, 8000);
    assert_false(client->is_aborted);
    client->progress.unsent_bytes = 30000;
    let_pass(client, 59, 0);
    assert_false(client->is_aborted);
    let_pass(client, 2, 0);
    assert_true(client->is_aborted);
    assert_int_equal(client->session.subscriber.end_reason, SUBSCRIBER_END_IDLE);
    disconnect(client);
}

static void a_silent_client_is_alive_while_it_takes_what_waits_in_the_outbox(void **state)
{
    (void)state;
    struct client *client = connect_client();
    subscribe(client, "\"BTCUSDT\"");
    client->room = 10;
    publish(BTC, 1);
    assert_true(client->wants_writable);
    let_pass(client, 300, 1);
    assert_false(client->is_aborted);
    let_pass(client, 61, 0);
    assert_true(client->is_aborted);
    disconnect(client);
}

/* Its machine takes the pings, but no program answers them. */
static void a_silent_client_that_has_everything_is_dead(void **state)
{
    (void)state;
    struct client *client = connect_client();
    let_pass(client, 60, 2);
    assert_false(client->is_aborted);
    let_pass(client, 1, 2);
    assert_true(client->is_aborted);
    disconnect(client);
}

static void what_a_client_took_before_it_was_in_doubt_does_not_count(void **state)
{
    (void)state;
    struct client *client = connect_client();
    client->progress = (struct transport_progress){1000000, 40000};
    let_pass(client, 60, 0);
    assert_false(client->is_aborted);
    let_pass(client, 1, 0);
    assert_true(client->is_aborted);
    disconnect(client);
}

/* -- a loop that was away ---------------------------------------------------------------------- */

static void the_deadlines_of_silence_start_over_after_a_stall(void **state)
{
    (void)state;
    struct client *client = connect_client();
    let_pass(client, 20, 0);
    buffer_clear(&client->written);
    fake_clock_advance_ms(70000);
    assert_int_equal(hub_tick(&hub, fake_now_ns), UINT64_C(70000000000));
    session_check_liveness(&client->session, fake_now_ns);
    assert_false(client->is_aborted);
    expect(client, "ping\n"); /* which is overdue */
    let_pass(client, 60, 0);
    assert_false(client->is_aborted);
    let_pass(client, 1, 0);
    assert_true(client->is_aborted);
    disconnect(client);
}

static void a_client_is_not_slow_because_the_loop_was_away(void **state)
{
    (void)state;
    struct client *client = connect_client();
    tick_for_ms(HUB_TICK_MS);
    subscribe(client, "\"BTCUSDT\"");
    client->room = 10;
    publish(BTC, 1);
    fake_clock_advance_ms(70000);
    assert_int_equal(hub_tick(&hub, fake_now_ns), UINT64_C(70000000000));
    tick_for_ms(900);
    assert_int_equal(atomic_load(&hub.group.slow_count), 0);
    tick_for_ms(200); /* it has had its time, and is slow */
    assert_int_equal(atomic_load(&hub.group.slow_count), 1);
    tick_for_ms(58800);
    assert_false(client->is_aborted);
    tick_for_ms(200);
    assert_true(client->is_aborted);
    disconnect(client);
}

static void a_tick_that_is_a_little_late_is_no_stall(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        fake_clock_advance_ms(SUBSCRIBER_STALL_MS);
        assert_int_equal(hub_tick(&hub, fake_now_ns), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(a_slow_client_is_warned_and_gets_the_newest_and_others_notice_nothing),
        fact(an_old_snapshot_makes_no_new_subscriber_slow),
        fact(a_socket_that_takes_nothing_for_a_minute_is_closed),
        fact(a_client_that_takes_a_little_is_not_closed_even_if_it_never_polls_writable),
        fact(a_silent_client_is_alive_while_it_takes_what_waits_in_the_socket),
        fact(a_silent_client_is_alive_while_it_takes_what_waits_in_the_outbox),
        fact(a_silent_client_that_has_everything_is_dead),
        fact(what_a_client_took_before_it_was_in_doubt_does_not_count),
        fact(the_deadlines_of_silence_start_over_after_a_stall),
        fact(a_client_is_not_slow_because_the_loop_was_away),
        fact(a_tick_that_is_a_little_late_is_no_stall),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
