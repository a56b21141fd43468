/* Subscribing and unsubscribing: which snapshots a client gets. */
#include "session_fixture.h"

static void subscribing_is_silent_and_snapshots_follow(void **state)
{
    (void)state;
    struct client *client = connect_client();
    subscribe(client, "\"BTCUSDT\"");
    expect(client, "");
    assert_int_equal(wanted_count[BTC], 1);
    publish(BTC, 1);
    publish(ETH, 1);
    publish(BTC, 2);
    expect(client, "BTCUSDT 1\nBTCUSDT 2\n");
    disconnect(client);
}

static void a_late_subscriber_gets_the_current_snapshot(void **state)
{
    (void)state;
    publish(BTC, 7);
    struct client *client = connect_client();
    subscribe(client, "\"BTCUSDT\",\"ETHUSDT\"");
    expect(client, "BTCUSDT 7\n");
    disconnect(client);
}

static void a_snapshot_is_not_delivered_twice(void **state)
{
    (void)state;
    struct client *client = connect_client();
    publish_undelivered(BTC, 1); /* published, and still in the mailbox */
    subscribe(client, "\"BTCUSDT\"");
    expect(client, "BTCUSDT 1\n");
    deliver();
    expect(client, "");
    publish(BTC, 1);
    expect(client, "");
    disconnect(client);
}

static void subscribing_twice_is_harmless(void **state)
{
    (void)state;
    struct client *client = connect_client();
    publish(BTC, 1);
    subscribe(client, "\"BTCUSDT\",\"BTCUSDT\"");
    subscribe(client, "\"BTCUSDT\"");
    expect(client, "BTCUSDT 1\n");
    assert_int_equal(publisher_subscriber_count(publisher, BTC), 1);
    publish(BTC, 2);
    expect(client, "BTCUSDT 2\n");
    disconnect(client);
}

static void unsubscribing_ends_the_stream_of_that_symbol_alone(void **state)
{
    (void)state;
    struct client *client = connect_client();
    subscribe(client, "\"BTCUSDT\",\"ETHUSDT\"");
    send_text(client, "{\"action\":\"unsubscribe\",\"symbols\":[\"BTCUSDT\",\"SOLUSDT\"]}");
    publish(BTC, 1);
    publish(ETH, 1);
    expect(client, "ETHUSDT 1\n");
    assert_int_equal(publisher_subscriber_count(publisher, BTC), 0);
    assert_int_equal(publisher_subscriber_count(publisher, ETH), 1);
    disconnect(client);
}

static void a_client_that_subscribes_again_gets_the_current_snapshot_again(void **state)
{
    (void)state;
    struct client *client = connect_client();
    publish(BTC, 1);
    subscribe(client, "\"BTCUSDT\"");
    send_text(client, "{\"action\":\"unsubscribe\",\"symbols\":[\"BTCUSDT\"]}");
    subscribe(client, "\"BTCUSDT\"");
    expect(client, "BTCUSDT 1\nBTCUSDT 1\n");
    disconnect(client);
}

static void subscribe_again(struct client *client)
{
    send_text(client, "{\"action\":\"unsubscribe\","
                      "\"symbols\":[\"BTCUSDT\",\"ETHUSDT\",\"SOLUSDT\"]}");
    subscribe(client, "\"BTCUSDT\",\"ETHUSDT\",\"SOLUSDT\"");
}

static void all_current_snapshots_may_be_had_twice_at_once_and_then_once_a_period(void **state)
{
    (void)state;
    struct client *client = connect_client();
    for (size_t symbol = 0; symbol < 3; symbol++)
        publish(symbol, 1);
    for (int i = 0; i < 4; i++)
        subscribe_again(client);
    assert_int_equal(count_lines(client, ""), 2 * 3);
    tick_for_ms(HUB_FIRSTS_PERIOD_MS - HUB_TICK_MS);
    expect(client, "");
    tick_for_ms(2 * HUB_TICK_MS);
    assert_int_equal(count_lines(client, ""), 3);

    for (int second = 0; second < 60; second++) {
        tick_for_ms(1000);
        for (int i = 0; i < 3; i++)
            subscribe_again(client);
    }
    assert_int_equal(count_lines(client, "BTCUSDT "), 0);
    tick_for_ms(HUB_FIRSTS_PERIOD_MS + HUB_TICK_MS);
    assert_int_equal(count_lines(client, ""), 3); /* and no later, however long it went on */

    tick_for_ms(4 * HUB_FIRSTS_PERIOD_MS);
    subscribe_again(client);
    assert_int_equal(count_lines(client, ""), 3); /* at once again */
    disconnect(client);
}

static void news_are_sent_at_once_behind_a_snapshot_that_had_to_wait(void **state)
{
    (void)state;
    struct client *client = connect_client();
    publish(BTC, 1);
    for (int i = 0; i < 8; i++)
        subscribe_again(client);
    buffer_clear(&client->written);
    publish(BTC, 2);
    expect(client, "");
    tick_for_ms(HUB_FIRSTS_PERIOD_MS + HUB_TICK_MS);
    expect(client, "BTCUSDT 2\n");
    publish(BTC, 3);
    expect(client, "BTCUSDT 3\n");
    disconnect(client);
}

static void every_subscriber_gets_the_same_bytes(void **state)
{
    (void)state;
    struct client *one = connect_client(), *two = connect_client();
    subscribe(one, "\"BTCUSDT\"");
    subscribe(two, "\"BTCUSDT\"");
    publish(BTC, 1);
    assert_int_equal(one->written.size, two->written.size);
    assert_memory_equal(one->written.data, two->written.data, one->written.size);
    disconnect(one);
    publish(BTC, 2);
    expect(two, "BTCUSDT 1\nBTCUSDT 2\n");
    disconnect(two);
}

static void several_symbols_of_one_mail_leave_in_one_write(void **state)
{
    (void)state;
    struct client *client = connect_client(), *other = connect_client();
    subscribe(client, "\"SOLUSDT\",\"BTCUSDT\",\"ETHUSDT\"");
    subscribe(other, "\"ETHUSDT\"");
    publish_undelivered(BTC, 1);
    publish_undelivered(ETH, 1);
    publish_undelivered(SOL, 1);
    publish_undelivered(SOL, 2);
    deliver();
    assert_int_equal(client->writes, 1);
    expect(client, "SOLUSDT 2\nBTCUSDT 1\nETHUSDT 1\n");
    expect(other, "ETHUSDT 1\n");
    disconnect(client);
    disconnect(other);
}

static void symbols_may_be_named_at_connect(void **state)
{
    (void)state;
    publish(ETH, 3);
    struct client *client = connect_client();
    request_subscribe_list(&client->session, "BTCUSDT,,ETHUSDT,XYZ,");
    session_receive(&client->session, NULL, 0); /* nothing came behind the handshake */
    expect(client, "INVALID_SYMBOL: Symbol 'XYZ' not supported. Valid: BTCUSDT, ETHUSDT, SOLUSDT\n"
                   "ETHUSDT 3\n");
    assert_int_equal(publisher_subscriber_count(publisher, BTC), 1);
    disconnect(client);
    client = connect_client();
    request_subscribe_list(&client->session, "");
    flush(client);
    expect(client, "");
    disconnect(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(subscribing_is_silent_and_snapshots_follow),
        fact(a_late_subscriber_gets_the_current_snapshot),
        fact(a_snapshot_is_not_delivered_twice),
        fact(subscribing_twice_is_harmless),
        fact(unsubscribing_ends_the_stream_of_that_symbol_alone),
        fact(a_client_that_subscribes_again_gets_the_current_snapshot_again),
        fact(all_current_snapshots_may_be_had_twice_at_once_and_then_once_a_period),
        fact(news_are_sent_at_once_behind_a_snapshot_that_had_to_wait),
        fact(every_subscriber_gets_the_same_bytes),
        fact(several_symbols_of_one_mail_leave_in_one_write),
        fact(symbols_may_be_named_at_connect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
