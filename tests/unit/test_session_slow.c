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

static void a_socket_that_takes_a_little_is_not_closed_even_if_it_never_polls_writable(void **state)
{
    (void)state;
    struct client *client = connect_client();
    subscribe(client, "\"BTCUSDT\"");
    client->room = 5;
    publish(BTC, 1);
    for (uint64_t minute = 2; minute < 6; minute++) {
        client->room = 5; /* without an event */
        tick_for_ms(60050);
        assert_false(client->is_aborted);
        assert_int_equal(client->room, 0);
    }
    tick_for_ms(60050);
    assert_true(client->is_aborted);
    disconnect(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(a_slow_client_is_warned_and_gets_the_newest_and_others_notice_nothing),
        fact(an_old_snapshot_makes_no_new_subscriber_slow),
        fact(a_socket_that_takes_nothing_for_a_minute_is_closed),
        fact(a_socket_that_takes_a_little_is_not_closed_even_if_it_never_polls_writable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
