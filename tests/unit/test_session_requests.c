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

static void known_symbols_of_a_list_are_subscribed_and_one_error_names_the_others(void **state)
{
    (void)state;
    struct client *client = connect_client();
    send_text(client, "{\"action\":\"subscribe\",\"id\":1,"
                      "\"symbols\":[\"XYZUSDT\",\"BTCUSDT\",\"btcusdt\",\"ETHUSDT\",\"\"]}");
    expect(client, "INVALID_SYMBOL: Symbols 'XYZUSDT', 'btcusdt' and '' not supported. "
                   "Valid: BTCUSDT, ETHUSDT, SOLUSDT [1]\n"
                   "{\"type\":\"ack\",\"id\":1,\"action\":\"subscribe\","
                   "\"symbols\":[\"BTCUSDT\",\"ETHUSDT\"]}\n");
    publish(BTC, 1);
    publish(ETH, 1);
    expect(client, "BTCUSDT 1\nETHUSDT 1\n");
    disconnect(client);
}

static void an_error_names_three_unknown_symbols_and_counts_the_rest(void **state)
{
    (void)state;
    static const struct {
        const char *symbols, *error;
    } lists[] = {
        {"\"A\"", "Symbol 'A' not"},
        {"\"A\",\"B\"", "Symbols 'A' and 'B' not"},
        {"\"A\",\"B\",\"C\"", "Symbols 'A', 'B' and 'C' not"},
        {"\"A\",\"B\",\"C\",\"D\"", "Symbols 'A', 'B', 'C' and 1 more not"},
        {"\"A\",\"B\",\"C\",\"D\",\"B\",\"E\"", "Symbols 'A', 'B', 'C' and 2 more not"},
        {"\"A\",\"A\",\"A\"", "Symbol 'A' not"},
    };
    struct client *client = connect_client();
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        char expected[160];
        snprintf(expected, sizeof expected,
                 "INVALID_SYMBOL: %s supported. Valid: BTCUSDT, ETHUSDT, SOLUSDT\n",
                 lists[i].error);
        subscribe(client, lists[i].symbols);
        expect(client, expected);
    }
    disconnect(client);
}

static void a_symbol_that_is_named_twice_counts_once(void **state)
{
    (void)state;
    struct client *client = connect_client();
    publish(BTC, 1);
    send_text(client, "{\"action\":\"subscribe\",\"symbols\":[\"BTCUSDT\",\"BTCUSDT\"],\"id\":7}");
    expect(client, "{\"type\":\"ack\",\"id\":7,\"action\":\"subscribe\","
                   "\"symbols\":[\"BTCUSDT\"]}\n"
                   "BTCUSDT 1\n");
    disconnect(client);
}

static void names_at_connect_are_treated_as_those_of_a_message(void **state)
{
    (void)state;
    struct client *client = connect_client();
    publish(BTC, 1);
    request_subscribe_list(&client->session, "X,BTCUSDT,,Y,BTCUSDT,");
    flush(client);
    expect(client, "INVALID_SYMBOL: Symbols 'X' and 'Y' not supported. "
                   "Valid: BTCUSDT, ETHUSDT, SOLUSDT\n"
                   "BTCUSDT 1\n");
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
         "INVALID_MESSAGE: 'id' must be an integer or a string"},
        {"{\"action\":\"ping\",\"id\":{}}", "INVALID_MESSAGE: 'id' must be an integer or a string"},
        {"{\"action\":\"ping\",\"id\":null}",
         "INVALID_MESSAGE: 'id' must be an integer or a string"},
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

/* `count` names, of which the last is a symbol. */
static struct buffer list_of_names(int count)
{
    struct buffer list = {0};
    for (int i = 1; i < count; i++)
        buffer_append_format(&list, "\"%d\",", i);
    buffer_append_text(&list, "\"BTCUSDT\"");
    return list;
}

static void a_list_may_have_as_many_names_as_a_message_has_room_for(void **state)
{
    (void)state;
    struct client *client = connect_client();
    struct buffer list = list_of_names(600);
    subscribe(client, buffer_text(&list));
    expect(client, "INVALID_SYMBOL: Symbols '1', '2', '3' and 596 more not supported. "
                   "Valid: BTCUSDT, ETHUSDT, SOLUSDT\n");
    assert_int_equal(publisher_subscriber_count(publisher, BTC), 1);
    fake_clock_advance_ms(2000);
    send_text(client, "{\"action\":\"unsubscribe\",\"symbols\":[\"BTCUSDT\"]}");
    assert_int_equal(publisher_subscriber_count(publisher, BTC), 0);
    request_subscribe_list(&client->session, "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,"
                                             "21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,"
                                             "38,39,40,41,42,43,44,45,46,47,48,49,50,51,52,53,54,"
                                             "55,56,57,58,59,60,61,62,63,64,65,1,2,BTCUSDT");
    flush(client);
    expect(client, "INVALID_SYMBOL: Symbols '1', '2', '3' and 62 more not supported. "
                   "Valid: BTCUSDT, ETHUSDT, SOLUSDT\n");
    assert_int_equal(publisher_subscriber_count(publisher, BTC), 1);
    buffer_deinit(&list);
    disconnect(client);
}

static void an_id_may_have_64_bytes(void **state)
{
    (void)state;
    struct client *client = connect_client();
    char id[REQUEST_ID_SIZE_MAX + 2] = "", text[200];
    memset(id, 'i', REQUEST_ID_SIZE_MAX);
    snprintf(text, sizeof text, "{\"action\":\"jump\",\"id\":\"%s\"}", id);
    send_text(client, text);
    struct buffer lines = take_lines(client);
    assert_non_null(strstr(buffer_text(&lines), id));
    buffer_deinit(&lines);
    id[REQUEST_ID_SIZE_MAX] = 'i';
    snprintf(text, sizeof text, "{\"action\":\"ping\",\"id\":\"%s\"}", id);
    send_text(client, text); /* and the error does not repeat it */
    expect(client, "INVALID_MESSAGE: 'id' must be an integer or a string of at most 64 bytes\n");
    disconnect(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(a_request_with_an_id_is_acknowledged),
        fact(a_ping_is_answered_with_the_time),
        fact(errors_carry_the_id_of_their_request),
        fact(known_symbols_of_a_list_are_subscribed_and_one_error_names_the_others),
        fact(an_error_names_three_unknown_symbols_and_counts_the_rest),
        fact(a_symbol_that_is_named_twice_counts_once),
        fact(names_at_connect_are_treated_as_those_of_a_message),
        fact(wrong_messages_get_an_error_and_change_nothing),
        fact(binary_messages_get_an_error),
        fact(long_names_are_cut_in_errors_and_stay_json),
        fact(a_list_may_have_as_many_names_as_a_message_has_room_for),
        fact(an_id_may_have_64_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
