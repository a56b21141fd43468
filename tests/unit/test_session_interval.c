/* update_interval: snapshots that are held until the client wants them. */
#include "session_fixture.h"

static void an_update_interval_is_clamped_to_1_to_60_seconds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t ms;
    } expected[] = {{"5", 5000},  {"1", 1000},   {"60", 60000}, {"2.5", 2500},    {"0", 1000},
                    {"-7", 1000}, {"0.1", 1000}, {"61", 60000}, {"1e300", 60000}, {"null", 0}};
    struct client *client = connect_client();
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        subscribe_with_interval(client, expected[i].text);
        const struct list *subscriptions = &hub.by_symbol[BTC].subscriptions[HUB_PLAIN];
        struct subscription *subscription =
            list_entry(subscriptions->next, struct subscription, in_symbol);
        assert_int_equal(subscription->update_interval_ms, expected[i].ms);
    }
    disconnect(client);
}

static void snapshots_wait_for_their_interval_and_the_newest_is_sent(void **state)
{
    (void)state;
    struct client *client = connect_client(), *other = connect_client();
    subscribe_with_interval(client, "5");
    subscribe(other, "\"BTCUSDT\"");
    publish(BTC, 1);
    expect(client, "BTCUSDT 1\n");
    for (uint64_t seq = 2; seq <= 4; seq++) {
        tick_for_ms(1000);
        publish(BTC, seq);
    }
    expect(client, "");
    expect(other, "BTCUSDT 1\nBTCUSDT 2\nBTCUSDT 3\nBTCUSDT 4\n");
    tick_for_ms(1900);
    expect(client, "");
    tick_for_ms(100);
    expect(client, "BTCUSDT 4\n");
    tick_for_ms(5000);
    expect(client, "");
    publish(BTC, 5); /* its time has come already */
    expect(client, "BTCUSDT 5\n");
    tick_for_ms(2500);
    publish(BTC, 6);
    tick_for_ms(2450);
    expect(client, "");
    tick_for_ms(50);
    expect(client, "BTCUSDT 6\n");
    assert_int_equal(atomic_load(&hub.group.meter.dropped), 0);
    disconnect(other);
    disconnect(client);
}

static void a_new_interval_holds_from_the_last_snapshot_on(void **state)
{
    (void)state;
    struct client *client = connect_client();
    subscribe_with_interval(client, "60");
    publish(BTC, 1);
    tick_for_ms(1000);
    publish(BTC, 2);
    expect(client, "BTCUSDT 1\n");
    subscribe_with_interval(client, "3");
    tick_for_ms(1950);
    expect(client, "");
    tick_for_ms(50);
    expect(client, "BTCUSDT 2\n");
    publish(BTC, 3);
    send_text(client, "{\"action\":\"subscribe\",\"symbols\":[\"BTCUSDT\"]}"); /* every change */
    tick_for_ms(50);
    publish(BTC, 4);
    expect(client, "BTCUSDT 3\nBTCUSDT 4\n");
    disconnect(client);
}

static void the_first_snapshot_is_never_held(void **state)
{
    (void)state;
    fake_now_ns = 5000000; /* the machine has just started */
    publish(BTC, 1);
    struct client *client = connect_client();
    subscribe_with_interval(client, "60");
    expect(client, "BTCUSDT 1\n");
    disconnect(client);
}

static void a_snapshot_that_waits_for_the_socket_is_replaced_not_held(void **state)
{
    (void)state;
    struct client *client = connect_client();
    subscribe_with_interval(client, "60");
    client->room = 5;
    send_frame(client, 0x89, "blocks", 6);
    publish(BTC, 1);
    publish(BTC, 2);
    publish(BTC, 2);
    client->room = SIZE_MAX;
    flush(client);
    expect(client, "pong:blocks\nBTCUSDT 2\n");
    disconnect(client);
}

static void a_repeated_snapshot_does_not_hold_back_the_one_that_waits(void **state)
{
    (void)state;
    struct client *client = connect_client();
    client->room = 5;
    send_frame(client, 0x89, "blocks", 6);
    publish_undelivered(BTC, 1);
    subscribe_with_interval(client, "60"); /* sends it here, */
    deliver();                             /* and again here */
    client->room = SIZE_MAX;
    flush(client);
    expect(client, "pong:blocks\nBTCUSDT 1\n");
    disconnect(client);
}

static void a_held_snapshot_is_not_late_when_it_may_go(void **state)
{
    (void)state;
    struct client *client = connect_client();
    subscribe_with_interval(client, "10");
    publish(BTC, 1);
    publish(BTC, 2);
    expect(client, "BTCUSDT 1\n");
    tick_for_ms(9950);
    client->room = 7; /* it goes in part at its time, 10 s after its publication */
    tick_for_ms(500);
    assert_int_equal(atomic_load(&hub.group.meter.slow[BTC]), 0);
    tick_for_ms(1000);
    assert_int_equal(atomic_load(&hub.group.meter.slow[BTC]), 1);
    disconnect(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(an_update_interval_is_clamped_to_1_to_60_seconds),
        fact(snapshots_wait_for_their_interval_and_the_newest_is_sent),
        fact(a_new_interval_holds_from_the_last_snapshot_on),
        fact(the_first_snapshot_is_never_held),
        fact(a_snapshot_that_waits_for_the_socket_is_replaced_not_held),
        fact(a_repeated_snapshot_does_not_hold_back_the_one_that_waits),
        fact(a_held_snapshot_is_not_late_when_it_may_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
