/* Broadcasts: written at once or in turn, and how they are counted. */
#include "session_fixture.h"

/* -- who gets what, in which order ------------------------------------------------------------- */

static void a_broken_socket_does_not_disturb_the_others(void **state)
{
    (void)state;
    struct client *clients[5];
    for (size_t i = 0; i < 5; i++) {
        clients[i] = connect_client();
        subscribe(clients[i], "\"BTCUSDT\",\"ETHUSDT\"");
        clients[i]->is_broken = i % 2 == 0;
    }
    publish_undelivered(BTC, 1);
    publish_undelivered(ETH, 1);
    deliver();
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(clients[i]->is_aborted, i % 2 == 0);
        if (i % 2 != 0)
            expect(clients[i], "BTCUSDT 1\nETHUSDT 1\n");
    }
    assert_int_equal(publisher_subscriber_count(publisher, BTC), 2);
    for (size_t i = 0; i < 5; i++)
        disconnect(clients[i]);
}

/* False if the socket took all of it. */
static bool is_cut_and_finished(size_t room, bool deflates)
{
    static uint64_t seq;
    struct client *client = connect_with(&request_protocol, deflates);
    subscribe(client, "\"BTCUSDT\",\"ETHUSDT\"");
    buffer_clear(&client->written);
    client->room = room;
    client->writes = 0;
    publish(BTC, ++seq);
    assert_int_equal(client->writes, 1);
    bool is_cut = client->wants_writable;
    if (is_cut) {
        publish(ETH, ++seq);
        publish(BTC, ++seq);
        assert_int_equal(client->writes, 1); /* a full socket is left alone until it is writable */
        client->room = SIZE_MAX;
        flush(client);
        assert_false(client->wants_writable);
        char expected[100];
        if (room > 0) /* the other symbol is next */
            snprintf(expected, sizeof expected, "BTCUSDT %d\nETHUSDT %d\nBTCUSDT %d\n",
                     (int)seq - 2, (int)seq - 1, (int)seq);
        else
            snprintf(expected, sizeof expected, "BTCUSDT %d\nETHUSDT %d\n", (int)seq, (int)seq - 1);
        expect(client, expected);
    }
    disconnect(client);
    return is_cut;
}

/* Wherever the socket cuts it, a snapshot that was begun is finished, before anything newer. */
static void a_broadcast_that_a_socket_took_in_part_is_finished_first(void **state)
{
    (void)state;
    for (int deflates = 0; deflates <= 1; deflates++) {
        size_t room = 0;
        while (is_cut_and_finished(room, deflates != 0))
            room++;
        assert_true(room > 50);
    }
}

static void peers_that_break_in_the_middle_of_a_broadcast_end_alone(void **state)
{
    (void)state;
    struct client *clients[9];
    const bool breaks[9] = {true, false, true, true, false, false, true, false, true};
    for (size_t i = 0; i < 9; i++) {
        clients[i] = connect_client();
        subscribe(clients[i], i % 2 == 0 ? "\"BTCUSDT\"" : "\"ETHUSDT\",\"BTCUSDT\"");
    }
    publish(BTC, 1);
    for (size_t i = 0; i < 9; i++)
        clients[i]->is_broken = breaks[i];
    publish(BTC, 2);
    publish(BTC, 3);
    assert_int_equal(publisher_subscriber_count(publisher, BTC), 4);
    assert_int_equal(atomic_load(&hub.group.meter.frames_sent[BTC]), 9 + 4 + 4);
    for (size_t i = 0; i < 9; i++) {
        assert_int_equal(clients[i]->is_aborted, breaks[i]);
        expect(clients[i], breaks[i] ? "BTCUSDT 1\n" : "BTCUSDT 1\nBTCUSDT 2\nBTCUSDT 3\n");
        disconnect(clients[i]);
    }
    assert_int_equal(atomic_load(&hub.group.ended[SUBSCRIBER_END_CLIENT]), 9);
}

static void a_broadcast_does_not_overtake_a_reply(void **state)
{
    (void)state;
    struct client *client = connect_client();
    subscribe(client, "\"BTCUSDT\"");
    session_reply(&client->session, WS_PONG, "first", 5); /* written at the turn's end */
    publish(BTC, 1);
    assert_int_equal(client->writes, 1);
    expect(client, "pong:first\nBTCUSDT 1\n");
    disconnect(client);
}

static void a_broadcast_overtakes_another_symbols_held_snapshot(void **state)
{
    (void)state;
    struct client *client = connect_client();
    subscribe_with_interval(client, "5");
    subscribe(client, "\"ETHUSDT\"");
    publish(BTC, 1);
    publish(BTC, 2); /* held */
    publish(ETH, 1);
    expect(client, "BTCUSDT 1\nETHUSDT 1\n");
    tick_for_ms(5000);
    publish(ETH, 2);
    expect(client, "BTCUSDT 2\nETHUSDT 2\n");
    disconnect(client);
}

/* A client whose socket has room again, but has not been polled yet, is still owed a warning. */
static void a_broadcast_does_not_overtake_a_warning(void **state)
{
    (void)state;
    struct client *client = connect_client();
    subscribe(client, "\"BTCUSDT\",\"ETHUSDT\"");
    client->room = 10;
    publish(BTC, 1);
    tick_for_ms(1100);
    client->room = SIZE_MAX;
    client->writes = 0;
    publish(ETH, 1);
    publish(ETH, 2);
    assert_int_equal(client->writes, 0);
    flush(client);
    expect(client, "BTCUSDT 1\nSLOW_CONSUMER 1\nETHUSDT 2\n");
    disconnect(client);
}

/* -- counting ---------------------------------------------------------------------------------- */

static uint64_t delivered_within_ms(uint64_t bound_ms)
{
    uint64_t count = 0;
    for (size_t i = 0; i < OUTBOX_DELIVERY_BOUNDS; i++)
        if (outbox_delivery_bounds_ns[i] <= bound_ms * 1000000)
            count += atomic_load(&hub.group.meter.delivered[i]);
    return count;
}

static void deliveries_are_counted_by_how_long_the_client_waited(void **state)
{
    (void)state;
    publish(BTC, 1);
    tick_for_ms(300000);
    struct client *client = connect_client(), *slow = connect_client();
    subscribe(client, "\"BTCUSDT\"");
    subscribe(slow, "\"BTCUSDT\"");
    assert_int_equal(delivered_within_ms(1), 2); /* an old snapshot does not make a long wait */
    publish_undelivered(BTC, 2);
    fake_clock_advance_ms(3);
    slow->room = 10;
    deliver();
    assert_int_equal(delivered_within_ms(1), 2);
    assert_int_equal(delivered_within_ms(5), 3);
    tick_for_ms(2000);
    slow->room = SIZE_MAX;
    flush(slow);
    assert_int_equal(delivered_within_ms(1000), 3);
    assert_int_equal(delivered_within_ms(2500), 4);
    assert_int_equal(atomic_load(&hub.group.meter.delivery_ns_sum), UINT64_C(2006) * 1000000);
    disconnect(client);
    disconnect(slow);
}

static unsigned broadcast_count;
static uint64_t broadcast_ns;

static void on_broadcast(size_t symbol_index, uint64_t duration_ns, void *context)
{
    (void)symbol_index, (void)context;
    broadcast_count++;
    broadcast_ns = duration_ns;
}

static void a_broadcast_does_not_wait_for_a_full_socket(void **state)
{
    (void)state;
    broadcast_count = 0;
    publisher_observe(publisher, on_broadcast, NULL);
    publish(BTC, 1);
    assert_int_equal(broadcast_count, 0); /* it has no subscriber */
    struct client *client = connect_client(), *slow = connect_client();
    subscribe(client, "\"BTCUSDT\"");
    subscribe(slow, "\"BTCUSDT\"");
    assert_int_equal(broadcast_count, 0); /* a first snapshot is no broadcast */
    slow->room = 10;
    publish_undelivered(BTC, 2);
    fake_clock_advance_ms(4);
    deliver();
    assert_int_equal(broadcast_count, 1);
    assert_int_equal(broadcast_ns, 4000000);
    tick_for_ms(2000);
    slow->room = SIZE_MAX;
    flush(slow);
    assert_int_equal(broadcast_count, 1);
    disconnect(client);
    slow->room = 0;
    publish(BTC, 3);
    assert_int_equal(broadcast_count, 1); /* the one that is left could not take it */
    disconnect(slow);
}

/* Publishes to many subscribers, every third of which takes compressed frames, 3 ms before it is
 * delivered, and returns what the meter counted; what it
 * counted by symbol is in the hub's. */
static struct outbox_meter meter_of_a_broadcast(uint64_t seq, bool is_at_once)
{
    enum { COUNT = 3 * OUTBOX_COUNT_EVERY + 2 };
    struct client *clients[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        clients[i] = connect_with(&request_protocol, i % 3 == 0);
        subscribe(clients[i], "\"BTCUSDT\"");
        if (!is_at_once)
            subscriber_mark_ready(&clients[i]->session.subscriber);
    }
    outbox_meter_deinit(&hub.group.meter);
    outbox_meter_init(&hub.group.meter, config.symbols.count);
    publish_undelivered(BTC, seq);
    fake_clock_advance_ms(3);
    deliver();
    for (size_t i = 0; i < COUNT; i++)
        disconnect(clients[i]);
    return hub.group.meter;
}

static void a_broadcast_is_counted_the_same_at_once_and_in_turn(void **state)
{
    (void)state;
    struct outbox_meter at_once = meter_of_a_broadcast(1, true);
    uint64_t sent = atomic_load(&hub.group.meter.frames_sent[BTC]);
    assert_int_equal(sent, 3 * OUTBOX_COUNT_EVERY + 2);
    assert_true(atomic_load(&at_once.compressed_bytes_sent) > 0);
    struct outbox_meter in_turn = meter_of_a_broadcast(2, false);
    assert_int_equal(atomic_load(&hub.group.meter.frames_sent[BTC]), sent);
    in_turn.compressed_bytes_sent = at_once.compressed_bytes_sent; /* other digits, other sizes */
    in_turn.frames_sent = at_once.frames_sent;
    in_turn.slow = at_once.slow;
    assert_memory_equal(&at_once, &in_turn, sizeof at_once);
}

/* Each write takes half a millisecond, which the histogram must show for the last of them, and must
 * not understate for any. */
static void no_delivery_of_a_broadcast_is_counted_as_faster_than_it_was(void **state)
{
    (void)state;
    const uint64_t half_ms_ns = 500000;
    write_duration_ns = half_ms_ns;
    struct outbox_meter meter = meter_of_a_broadcast(1, true);
    uint64_t count = 3 * OUTBOX_COUNT_EVERY + 2, within = 0;
    for (size_t i = 0; i < OUTBOX_DELIVERY_BOUNDS; i++) {
        within += atomic_load(&meter.delivered[i]);
        uint64_t bound_ns = outbox_delivery_bounds_ns[i];
        uint64_t sooner = bound_ns < 3000000 ? 0 : (bound_ns - 3000000) / half_ms_ns + 1;
        assert_true(within <= (sooner < count ? sooner : count));
    }
    assert_int_equal(within, count);
    uint64_t exact_ns = count * 3000000 + count * (count - 1) / 2 * half_ms_ns;
    uint64_t counted_ns = atomic_load(&meter.delivery_ns_sum);
    assert_in_range(counted_ns, exact_ns, exact_ns + count * OUTBOX_COUNT_EVERY * half_ms_ns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(a_broken_socket_does_not_disturb_the_others),
        fact(a_broadcast_that_a_socket_took_in_part_is_finished_first),
        fact(peers_that_break_in_the_middle_of_a_broadcast_end_alone),
        fact(a_broadcast_does_not_overtake_a_reply),
        fact(a_broadcast_overtakes_another_symbols_held_snapshot),
        fact(a_broadcast_does_not_overtake_a_warning),
        fact(deliveries_are_counted_by_how_long_the_client_waited),
        fact(a_broadcast_does_not_wait_for_a_full_socket),
        fact(a_broadcast_is_counted_the_same_at_once_and_in_turn),
        fact(no_delivery_of_a_broadcast_is_counted_as_faster_than_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
