/* since_last: what happened since the snapshot that a client got last. */
#include "session_fixture.h"

/* A snapshot up to which 10 positions were created and 1 was consumed for each number. */
static void publish_sums(uint64_t epoch, uint64_t seq)
{
    publish_totals(publisher, &config.symbols, BTC, epoch, seq, seq, "{}",
                   (struct publication_totals){true, (int64_t)seq * 10, (int64_t)seq});
    deliver();
}

static void wish(struct client *client, const char *members)
{
    char text[160];
    snprintf(text, sizeof text, "{\"action\":\"subscribe\",\"symbols\":[\"BTCUSDT\"]%s}", members);
    send_text(client, text);
}

static void every_snapshot_says_what_happened_since_the_one_before(void **state)
{
    (void)state;
    struct client *client = connect_client(), *other = connect_client();
    publish_sums(9, 1);
    wish(client, ",\"since_last\":true");
    wish(other, "");
    expect(client, "BTCUSDT 1\n");
    publish_sums(9, 2);
    publish_sums(9, 5); /* two were made for no one */
    expect(client, "BTCUSDT 2 since 1: 10 1\nBTCUSDT 5 since 2: 30 3\n");
    expect(other, "BTCUSDT 1\nBTCUSDT 2\nBTCUSDT 5\n");
    disconnect(other);
    disconnect(client);
}

static void what_an_interval_skips_is_in_the_sums(void **state)
{
    (void)state;
    struct client *client = connect_client();
    wish(client, ",\"since_last\":true,\"update_interval\":5");
    publish_sums(9, 1);
    for (uint64_t seq = 2; seq <= 4; seq++) {
        tick_for_ms(1000);
        publish_sums(9, seq);
    }
    expect(client, "BTCUSDT 1\n");
    tick_for_ms(2000);
    expect(client, "BTCUSDT 4 since 1: 30 3\n");
    disconnect(client);
}

static void what_a_full_socket_skips_is_in_the_sums(void **state)
{
    (void)state;
    struct client *client = connect_client();
    wish(client, ",\"since_last\":true");
    publish_sums(9, 1);
    client->room = 5; /* the next one begins, and ends later */
    for (uint64_t seq = 2; seq <= 7; seq++)
        publish_sums(9, seq);
    client->room = SIZE_MAX;
    flush(client);
    publish_sums(9, 8);
    expect(client, "BTCUSDT 1\nBTCUSDT 2 since 1: 10 1\nBTCUSDT 7 since 2: 50 5\n"
                   "BTCUSDT 8 since 7: 10 1\n");
    disconnect(client);
}

static void another_generators_sums_are_not_compared(void **state)
{
    (void)state;
    struct client *client = connect_client();
    wish(client, ",\"since_last\":true");
    publish_sums(9, 3);
    publish_sums(10, 1);
    publish_sums(10, 2);
    publish_data(publisher, &config.symbols, BTC, 10, 3, 99, "{}"); /* it tells none */
    deliver();
    publish_sums(10, 4);
    publish_sums(10, 5);
    expect(client, "BTCUSDT 3\nBTCUSDT 1\nBTCUSDT 2 since 1: 10 1\nBTCUSDT 3\nBTCUSDT 4\n"
                   "BTCUSDT 5 since 4: 10 1\n");
    disconnect(client);
}

static void a_correction_takes_nothing_back(void **state)
{
    (void)state;
    struct client *client = connect_client();
    wish(client, ",\"since_last\":true");
    publish_sums(9, 1);
    publish_totals(publisher, &config.symbols, BTC, 9, 2, 2, "{}",
                   (struct publication_totals){true, 4, 3});
    deliver();
    expect(client, "BTCUSDT 1\nBTCUSDT 2 since 1: 0 2\n");
    disconnect(client);
}

static void it_can_be_wished_for_and_given_up(void **state)
{
    (void)state;
    struct client *client = connect_client();
    wish(client, "");
    publish_sums(9, 1);
    wish(client, ",\"since_last\":true"); /* what was sent before is not known */
    publish_sums(9, 2);
    publish_sums(9, 3);
    wish(client, ",\"since_last\":false");
    publish_sums(9, 4);
    expect(client, "BTCUSDT 1\nBTCUSDT 2\nBTCUSDT 3 since 2: 10 1\nBTCUSDT 4\n");
    wish(client, ",\"since_last\":1");
    expect(client, "INVALID_MESSAGE: 'since_last' must be true or false\n");
    disconnect(client);
}

/* Clients that got the same one last get the same bytes, made once. */
static void it_is_made_once_for_all_that_got_the_same(void **state)
{
    (void)state;
    enum { CLIENTS = 40 };
    struct client *clients[CLIENTS];
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i] = connect_with(&request_protocol, i % 2 == 0);
        wish(clients[i], ",\"since_last\":true");
    }
    publish_sums(9, 1);
    publish_sums(9, 2);
    assert_int_equal(hub.by_symbol[BTC].since_last->count, 1);
    assert_int_equal(hub.by_symbol[BTC].since_last->deflated_count, 1);
    for (size_t i = 0; i < CLIENTS; i++) {
        expect(clients[i], "BTCUSDT 1\nBTCUSDT 2 since 1: 10 1\n");
        disconnect(clients[i]);
    }
}

/* However many different ones there are: some are kept, fewer are compressed, all arrive. */
static void many_different_ones_are_bounded(void **state)
{
    (void)state;
    enum { CLIENTS = SINCE_LAST_KEPT_MAX + 5 };
    struct client *clients[CLIENTS];
    for (uint64_t i = 0; i < CLIENTS; i++) {
        clients[i] = connect_with(&request_protocol, true);
        wish(clients[i], ",\"since_last\":true");
        publish_sums(9, i + 1);
        clients[i]->room = 0;
    }
    assert_int_equal(hub.by_symbol[BTC].since_last->count, SINCE_LAST_KEPT_MAX);
    assert_int_equal(hub.by_symbol[BTC].since_last->deflated_count, SINCE_LAST_DEFLATED_MAX);
    for (size_t i = 0; i < CLIENTS; i++) {
        char expected[80];
        const int lacks = (int)(CLIENTS + 1 - (i + 1));
        clients[i]->room = SIZE_MAX;
        if (i == 0)
            publish_sums(9, CLIENTS + 1);
        flush(clients[i]);
        snprintf(expected, sizeof expected, "BTCUSDT %d since %d: %d %d\n", CLIENTS + 1, (int)i + 1,
                 lacks * 10, lacks);
        struct buffer lines = take_lines(clients[i]);
        assert_non_null(strstr(buffer_text(&lines), expected));
        buffer_deinit(&lines);
    }
    for (size_t i = 0; i < CLIENTS; i++)
        disconnect(clients[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(every_snapshot_says_what_happened_since_the_one_before),
        fact(what_an_interval_skips_is_in_the_sums),
        fact(what_a_full_socket_skips_is_in_the_sums),
        fact(another_generators_sums_are_not_compared),
        fact(a_correction_takes_nothing_back),
        fact(it_can_be_wished_for_and_given_up),
        fact(it_is_made_once_for_all_that_got_the_same),
        fact(many_different_ones_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
