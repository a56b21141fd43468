/* Messages of clients: acknowledgements, and the errors that wrong ones get. */
#include "session_fixture.h"

/* -- ids and acknowledgements ------------------------------------------------------------------ */

static void a_request_with_an_id_is_acknowledged(void **state)
{
    (void)state;
    struct client *client = connect_client();
    publish(BTC, 1);
    send_text(client, "{\"action\":\"subscribe\",\"symbols\":[\"BTCUSDT\",\"ETHUSDT\"],\"id\":7}");
    expect(client, "{\"type\":\"ack\",\"id\":7,\"action\":\"subscribe\","
                   "\"symbols\":[\"BTCUSDT\",\"ETHUSDT\"]}\n"
                   "BTCUSDT 1\n");
    send_text(client, "{\"action\":\"unsubscribe\",\"symbols\":[\"ETHUSDT\"],\"id\":\"a\\\"b\"}");
    expect(client, "{\"type\":\"ack\",\"id\":\"a\\\"b\",\"action\":\"unsubscribe\","
                   "\"symbols\":[\"ETHUSDT\"]}\n");
    send_text(client, "{\"action\":\"ping\",\"id\":-9223372036854775808}");
    expect(client, "{\"type\":\"pong\",\"timestamp\":\"2025-12-28T14:30:00Z\","
                   "\"id\":-9223372036854775808}\n"
                   "{\"type\":\"ack\",\"id\":-9223372036854775808,\"action\":\"ping\"}\n");
    disconnect(client);
}

static void a_ping_is_answered_with_the_time(void **state)
{
    (void)state;
    struct client *client = connect_client();
    fake_clock_advance_ms(1999);
    send_text(client, "{\"action\":\"ping\"}");
    expect(client, "{\"type\":\"pong\",\"timestamp\":\"2025-12-28T14:30:01Z\"}\n");
    disconnect(client);
}

static void errors_carry_the_id_of_their_request(void **state)
{
    (void)state;
    struct client *client = connect_client();
    send_text(client, "{\"action\":\"jump\",\"id\":5}");
    expect(client, "INVALID_ACTION: Action 'jump' is not known. Valid: subscribe, unsubscribe, "
                   "ping [5]\n");
    send_text(client, "{\"action\":\"subscribe\",\"id\":\"x\"}");
    expect_start(client, "INVALID_MESSAGE: 'symbols' must be a list of at least one string");
    send_text(client, "{\"action\":\"subscribe\",\"symbols\":[\"X\"],\"id\":6}");
    expect(client, "INVALID_SYMBOL: Symbol 'X' not supported. Valid: BTCUSDT, ETHUSDT, SOLUSDT "
                   "[6]\n"); /* and no ack, since nothing was done */
    disconnect(client);
}

static void known_symbols_of_a_list_are_subscribed_and_each_unknown_one_is_an_error(void **state)
{
    (void)state;
    struct client *client = connect_client();
    send_text(client, "{\"action\":\"subscribe\",\"id\":1,"
                      "\"symbols\":[\"XYZUSDT\",\"BTCUSDT\",\"btcusdt\",\"ETHUSDT\",\"\"]}");
    expect(client,
           "INVALID_SYMBOL: Symbol 'XYZUSDT' not supported. Valid: BTCUSDT, ETHUSDT, SOLUSDT [1]\n"
           "INVALID_SYMBOL: Symbol 'btcusdt' not supported. Valid: BTCUSDT, ETHUSDT, SOLUSDT [1]\n"
           "INVALID_SYMBOL: Symbol '' not supported. Valid: BTCUSDT, ETHUSDT, SOLUSDT [1]\n"
           "{\"type\":\"ack\",\"id\":1,\"action\":\"subscribe\","
           "\"symbols\":[\"BTCUSDT\",\"ETHUSDT\"]}\n");
    publish(BTC, 1);
    publish(ETH, 1);
    expect(client, "BTCUSDT 1\nETHUSDT 1\n");
    disconnect(client);
}

/* -- what is wrong ----------------------------------------------------------------------------- */

static void wrong_messages_get_an_error_and_change_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } wrong[] = {
        {"", "INVALID_MESSAGE: Not JSON"},
        {"hello", "INVALID_MESSAGE: Not JSON"},
        {"{\"action\":\"ping\"", "INVALID_MESSAGE: Not JSON"},
        {"{\"action\":\"ping\"} x", "INVALID_MESSAGE: Not JSON"},
        {"{\"action\":\"a\\u0000\"}", "INVALID_MESSAGE: Not JSON"},
        {"{\"action\":\"ping\",\"id\":99999999999999999999}", "INVALID_MESSAGE: Not JSON"},
        {"[]", "INVALID_MESSAGE: A message must be a JSON object"},
        {"7", "INVALID_MESSAGE: A message must be a JSON object"},
        {"{}", "INVALID_MESSAGE: 'action' must be a string"},
        {"{\"action\":1}", "INVALID_MESSAGE: 'action' must be a string"},
        {"{\"action\":\"ping\",\"id\":1.5}",
         "INVALID_MESSAGE: 'id' must be a string or an integer"},
        {"{\"action\":\"ping\",\"id\":{}}", "INVALID_MESSAGE: 'id' must be a string or an integer"},
        {"{\"action\":\"Ping\"}", "INVALID_ACTION: Action 'Ping' is not known"},
        {"{\"action\":\"\"}", "INVALID_ACTION: Action '' is not known"},
        {"{\"action\":\"subscribe\"}", "INVALID_MESSAGE: 'symbols' must be a list"},
        {"{\"action\":\"subscribe\",\"symbols\":\"BTCUSDT\"}",
         "INVALID_MESSAGE: 'symbols' must be a list"},
        {"{\"action\":\"subscribe\",\"symbols\":[]}", "INVALID_MESSAGE: 'symbols' must be a list"},
        {"{\"action\":\"subscribe\",\"symbols\":[\"ETHUSDT\",1]}",
         "INVALID_MESSAGE: 'symbols' must hold strings only"},
        {"{\"action\":\"unsubscribe\",\"symbols\":[null]}",
         "INVALID_MESSAGE: 'symbols' must hold strings only"},
        {"{\"action\":\"subscribe\",\"symbols\":[\"ETHUSDT\"],\"update_interval\":\"5\"}",
         "INVALID_MESSAGE: 'update_interval' must be a number of seconds from 1 to 60"},
        {"{\"action\":\"subscribe\",\"symbols\":[\"\xce\xba\\\"\\n\"]}",
         "INVALID_SYMBOL: Symbol '\xce\xba\"\n' not supported"},
    };
    struct client *client = connect_client();
    subscribe(client, "\"BTCUSDT\"");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        fake_clock_advance_ms(1000);
        send_text(client, wrong[i].text);
        if (strchr(wrong[i].error, '\n') != NULL)
            buffer_clear(&client->written);
        else
            expect_start(client, wrong[i].error);
    }
    assert_int_equal(publisher_subscriber_count(publisher, ETH), 0);
    publish(BTC, 1);
    expect(client, "BTCUSDT 1\n");
    disconnect(client);
}

static void binary_messages_get_an_error(void **state)
{
    (void)state;
    struct client *client = connect_client();
    send_frame(client, 0x82, "{\"action\":\"ping\"}", 17);
    expect_start(client, "INVALID_MESSAGE: Binary messages are not understood");
    assert_int_equal(client->session.subscriber.state, SUBSCRIBER_OPEN);
    disconnect(client);
}

static void long_names_are_cut_in_errors_and_stay_json(void **state)
{
    (void)state;
    struct client *client = connect_client();
    struct buffer name = {0}; /* two-byte characters, cut in the middle of one */
    buffer_append_text(&name, "x");
    for (int i = 0; i < 100; i++)
        buffer_append_text(&name, "\xce\xba");
    struct buffer text = {0};
    buffer_append_format(&text, "{\"action\":\"%s\"}", buffer_text(&name));
    send_text(client, buffer_text(&text));
    expect_start(client, "INVALID_ACTION: Action 'x\xce\xba");
    buffer_clear(&text);
    buffer_append_format(&text, "{\"action\":\"subscribe\",\"symbols\":[\"%s\"]}",
                         buffer_text(&name));
    send_text(client, buffer_text(&text));
    expect_start(client, "INVALID_SYMBOL: Symbol 'x\xce\xba");
    buffer_deinit(&text);
    buffer_deinit(&name);
    disconnect(client);
}

static void a_long_list_answers_each_unknown_symbol_and_subscribes_the_known(void **state)
{
    (void)state;
    struct client *client = connect_client();
    struct buffer list = {0};
    for (int i = 0; i < 1000; i++)
        buffer_append_text(&list, "\"\",");
    buffer_append_text(&list, "\"BTCUSDT\"");
    subscribe(client, buffer_text(&list));
    assert_int_equal(count_lines(client, "INVALID_SYMBOL: Symbol '' not supported"), 1000);
    assert_int_equal(publisher_subscriber_count(publisher, BTC), 1);
    buffer_deinit(&list);
    disconnect(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(a_request_with_an_id_is_acknowledged),
        fact(a_ping_is_answered_with_the_time),
        fact(errors_carry_the_id_of_their_request),
        fact(known_symbols_of_a_list_are_subscribed_and_each_unknown_one_is_an_error),
        fact(wrong_messages_get_an_error_and_change_nothing),
        fact(binary_messages_get_an_error),
        fact(long_names_are_cut_in_errors_and_stay_json),
        fact(a_long_list_answers_each_unknown_symbol_and_subscribes_the_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
