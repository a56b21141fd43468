/* The channel "liquidations": every one to those who follow, in order, and no queue for who reads
 * slowly. */
#include "session_fixture.h"

static void publish_print(size_t symbol, int number)
{
    char text[200];
    const int size =
        snprintf(text, sizeof text, "{\"type\":\"liquidation\",\"symbol\":\"%s\",\"value\":%d}",
                 config.symbols.names[symbol], number);
    assert_true(publisher_publish_print(publisher, symbol, (uint64_t)number, text, (size_t)size));
}

static void deliver_prints(void)
{
    struct frame *prints[MAILBOX_PRINTS_MAX];
    hub_deliver_prints(&hub, prints, mailbox_take_prints(&mailbox, prints, MAILBOX_PRINTS_MAX));
}

static void print(size_t symbol, int number)
{
    publish_print(symbol, number);
    deliver_prints();
}

static void request(struct client *client, const char *action, const char *members)
{
    char text[200];
    snprintf(text, sizeof text, "{\"action\":\"%s\",\"symbols\":[\"BTCUSDT\"]%s}", action, members);
    send_text(client, text);
}

static void expect_prints(struct client *client, int first, int last)
{
    struct buffer expected = {0};
    for (int i = first; i <= last; i++)
        buffer_append_format(&expected,
                             "{\"type\":\"liquidation\",\"symbol\":\"BTCUSDT\",\"value\":%d}\n", i);
    expect(client, buffer_text(&expected));
    buffer_deinit(&expected);
}

static void who_follows_gets_every_one_in_order(void **state)
{
    (void)state;
    struct client *client = connect_client(), *other = connect_client();
    request(client, "subscribe", ",\"channels\":[\"liquidations\"]");
    request(client, "subscribe", ",\"channels\":[\"liquidations\"]"); /* harmless */
    request(other, "subscribe", "");
    for (int i = 1; i <= 600; i++)
        print(i % 3 == 0 ? ETH : BTC, i);
    for (int i = 1000; i < 1100; i++) /* as one mail */
        publish_print(BTC, i);
    deliver_prints();
    struct buffer lines = take_lines(client);
    int last = 0, count = 0;
    for (const char *at = buffer_text(&lines); (at = strstr(at, "\"value\":")) != NULL; count++) {
        const int value = atoi(at += strlen("\"value\":"));
        assert_true(value > last && (value > 600 || value % 3 != 0));
        last = value;
    }
    assert_int_equal(count, 500);
    buffer_deinit(&lines);
    expect(other, "");
    publish(BTC, 1); /* that is another channel */
    expect(client, "");
    expect(other, "BTCUSDT 1\n");
    assert_int_equal(atomic_load(&hub.group.meter.prints_sent), 500);
    disconnect(other);
    disconnect(client);
}

static void channels_are_followed_and_left_one_by_one(void **state)
{
    (void)state;
    struct client *client = connect_client();
    request(client, "subscribe", ",\"channels\":[\"snapshots\",\"liquidations\"]");
    publish(BTC, 1);
    print(BTC, 1);
    expect(client, "BTCUSDT 1\n{\"type\":\"liquidation\",\"symbol\":\"BTCUSDT\",\"value\":1}\n");
    request(client, "unsubscribe", ",\"channels\":[\"snapshots\"]");
    publish(BTC, 2);
    print(BTC, 2);
    expect_prints(client, 2, 2);
    request(client, "subscribe", "");
    expect(client, "BTCUSDT 2\n");
    request(client, "unsubscribe", ",\"channels\":[\"liquidations\"]");
    print(BTC, 3);
    publish(BTC, 3);
    expect(client, "BTCUSDT 3\n");
    request(client, "subscribe", ",\"channels\":[\"liquidations\"]");
    request(client, "unsubscribe", ""); /* both */
    print(BTC, 4);
    publish(BTC, 4);
    expect(client, "");
    disconnect(client);
}

static void a_channel_that_there_is_not_is_refused_by_name(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "[\"trades\"]", "[]", "\"liquidations\"", "[1]", "{}", "[\"liquidations\",\"x\"]", "true"};
    struct client *client = connect_client();
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char members[80];
        snprintf(members, sizeof members, ",\"channels\":%s", wrong[i]);
        request(client, "subscribe", members);
        expect(client, "INVALID_MESSAGE: 'channels' must be a list of at least one of "
                       "\"snapshots\" and \"liquidations\"\n");
    }
    print(BTC, 1);
    expect(client, "");
    disconnect(client);
}

/* The same print of two servers, or of one that hears it again. */
static void a_liquidation_that_is_known_is_sent_once(void **state)
{
    (void)state;
    struct client *client = connect_client();
    request(client, "subscribe", ",\"channels\":[\"liquidations\"]");
    print(BTC, 1);
    print(BTC, 2);
    assert_false(publisher_publish_print(publisher, BTC, 1, "{}", 2));
    assert_true(publisher_publish_print(publisher, ETH, 1, "{}", 2)); /* of another symbol */
    deliver_prints();
    expect_prints(client, 1, 2);
    disconnect(client);
}

static void a_slow_client_is_told_how_many_it_missed(void **state)
{
    (void)state;
    struct client *client = connect_client(), *other = connect_client();
    request(client, "subscribe", ",\"channels\":[\"snapshots\",\"liquidations\"]");
    request(other, "subscribe", ",\"channels\":[\"liquidations\"]");
    client->room = 30; /* the first goes in part */
    for (int i = 1; i <= PRINT_RING_SIZE + 11; i++)
        print(BTC, i);
    publish(BTC, 1);
    client->room = SIZE_MAX;
    flush(client);
    struct buffer lines = take_lines(client);
    static const char begin[] = "{\"type\":\"liquidation\",\"symbol\":\"BTCUSDT\",\"value\":1}\n"
                                "SLOW_CONSUMER 0\n"
                                "{\"type\":\"liquidation\",\"symbol\":\"BTCUSDT\",\"value\":12}\n";
    assert_int_equal(strncmp(buffer_text(&lines), begin, strlen(begin)), 0);
    assert_non_null(strstr(buffer_text(&lines), "\"value\":267}\nBTCUSDT 1\n"));
    buffer_deinit(&lines);
    expect_prints(other, 1, PRINT_RING_SIZE + 11);
    assert_int_equal(atomic_load(&hub.group.meter.prints_missed), 10);
    print(BTC, 1000);
    expect_prints(client, 1000, 1000);
    disconnect(other);
    disconnect(client);
}

static void a_warning_names_the_liquidations_that_were_missed(void **state)
{
    (void)state;
    struct client *client = connect_client();
    request(client, "subscribe", ",\"channels\":[\"liquidations\"]");
    client->room = 0;
    for (int i = 1; i <= PRINT_RING_SIZE + 5; i++)
        print(BTC, i);
    client->room = SIZE_MAX;
    flush(client);
    static const char told[] = "\"dropped_messages\":0,\"dropped_liquidations\":5}";
    assert_non_null(memmem(client->written.data, client->written.size, told, strlen(told)));
    disconnect(client);
}

/* At any byte, none is lost, doubled or torn. */
static void a_socket_that_takes_a_few_bytes_at_a_time_gets_whole_ones(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 140; piece++) {
        struct client *client = connect_client();
        request(client, "subscribe", ",\"channels\":[\"liquidations\"]");
        const int first = (int)piece * 100;
        client->room = piece;
        for (int i = first; i < first + 20; i++)
            print(BTC, i);
        for (int i = 0; i < 2000 && client->wants_writable; i++) {
            client->room = piece;
            flush(client);
        }
        expect_prints(client, first, first + 19);
        assert_int_equal(atomic_load(&hub.group.meter.slow[BTC]), 0);
        disconnect(client);
    }
}

/* A loop that lags: its mailbox keeps the newest. */
static void a_loop_that_lags_is_not_flooded(void **state)
{
    (void)state;
    struct client *client = connect_client();
    request(client, "subscribe", ",\"channels\":[\"liquidations\"]");
    for (int i = 1; i <= MAILBOX_PRINTS_MAX + 100; i++)
        publish_print(BTC, i);
    deliver_prints();
    struct buffer lines = take_lines(client);
    const int missed = MAILBOX_PRINTS_MAX + 100 - PRINT_RING_SIZE;
    assert_int_equal(atomic_load(&hub.group.meter.prints_missed), missed);
    assert_non_null(strstr(buffer_text(&lines), "\"value\":1124}\n"));
    buffer_deinit(&lines);
    disconnect(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(who_follows_gets_every_one_in_order),
        fact(channels_are_followed_and_left_one_by_one),
        fact(a_channel_that_there_is_not_is_refused_by_name),
        fact(a_liquidation_that_is_known_is_sent_once),
        fact(a_slow_client_is_told_how_many_it_missed),
        fact(a_warning_names_the_liquidations_that_were_missed),
        fact(a_socket_that_takes_a_few_bytes_at_a_time_gets_whole_ones),
        fact(a_loop_that_lags_is_not_flooded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
