/* Sessions on a hub, with a real publisher and mailbox, a transport that takes as much as the test
 * says, and a clock that goes when the test says: PROTOCOL.md §1 as a client sees it. */
#include "fake_clock.h"
#include "publish.h"

#include "base/check.h"
#include "server_frames.h"
#include "stream/echo.h"
#include "stream/request.h"
#include "wire/deflate.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

enum { BTC, ETH, SOL };

/* -- a client ---------------------------------------------------------------------------------- */

struct client {
    struct session session;
    struct buffer written; /* what reached it and was not looked at yet */
    size_t room;           /* what its socket still takes */
    unsigned writes;       /* calls that had anything for it */
    bool is_broken, wants_writable, is_finished, is_aborted;
};

static uint64_t write_duration_ns; /* of each write, by the fake clock */

static ssize_t client_write(void *context, const struct iovec *pieces, int count)
{
    struct client *client = context;
    size_t taken = 0;
    assert_false(client->is_finished || client->is_aborted);
    client->writes++;
    fake_now_ns += write_duration_ns;
    if (client->is_broken)
        return -1;
    for (int i = 0; i < count; i++) {
        size_t size = pieces[i].iov_len;
        if (size > client->room)
            size = client->room;
        buffer_append(&client->written, pieces[i].iov_base, size);
        client->room -= size;
        taken += size;
    }
    return (ssize_t)taken;
}

static void client_wants_writable(void *context, bool wanted)
{
    struct client *client = context;
    assert_true(client->wants_writable != wanted);
    client->wants_writable = wanted;
}

static void client_finish(void *context)
{
    struct client *client = context;
    assert_false(client->is_finished || client->is_aborted);
    client->is_finished = true;
}

static void client_abort(void *context)
{
    struct client *client = context;
    assert_false(client->is_finished || client->is_aborted);
    client->is_aborted = true;
}

static const struct subscriber_transport transport = {
    .write = client_write,
    .want_writable = client_wants_writable,
    .finish = client_finish,
    .abort = client_abort,
};

/* -- the server -------------------------------------------------------------------------------- */

static struct config config;
static struct publisher *publisher;
static struct mailbox mailbox;
static struct hub hub;
static unsigned wanted_count[SYMBOLS_MAX];

static void on_wanted(size_t symbol_index, void *context)
{
    (void)context;
    wanted_count[symbol_index]++;
}

static int start(void **state)
{
    (void)state;
    struct error error;
    config = (struct config){.ws_slow_consumer_timeout_seconds = 1,
                             .ws_slow_consumer_disconnect_seconds = 60};
    value_parse_symbols("BTCUSDT,ETHUSDT,SOLUSDT", &config.symbols, &error);
    fake_now_ns = FAKE_START_NS;
    write_duration_ns = 0;
    memset(wanted_count, 0, sizeof wanted_count);
    publisher = publisher_create(&config.symbols, on_wanted, NULL);
    mailbox_init(&mailbox, NULL, NULL);
    publisher_add_mailbox(publisher, &mailbox);
    hub_init(&hub, &config, publisher, &transport);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    for (size_t i = 0; i < config.symbols.count; i++)
        assert_int_equal(publisher_subscriber_count(publisher, i), 0);
    assert_true(list_is_empty(&hub.group.ready) && list_is_empty(&hub.group.blocked) &&
                list_is_empty(&hub.held));
    assert_int_equal(atomic_load(&hub.group.slow_count), 0);
    hub_deinit(&hub);
    mailbox_deinit(&mailbox);
    publisher_destroy(publisher);
    return 0;
}

static void deliver(void)
{
    struct mail mail[SYMBOLS_MAX];
    if (mailbox_take(&mailbox, mail))
        hub_deliver(&hub, mail);
}

static void publish_undelivered(size_t symbol, uint64_t seq)
{
    publish_data(publisher, &config.symbols, symbol, 9, seq, seq, "{}");
}

static void publish(size_t symbol, uint64_t seq)
{
    publish_undelivered(symbol, seq);
    deliver();
}

static void tick_for_ms(uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i += HUB_TICK_MS) {
        fake_clock_advance_ms(HUB_TICK_MS);
        hub_tick(&hub, fake_now_ns);
    }
}

static struct client *connect_with(const struct session_protocol *protocol, bool deflates)
{
    struct client *client = memory_allocate_zeroed(1, sizeof *client);
    client->room = SIZE_MAX;
    session_init(&client->session, &hub, protocol, deflates, client);
    return client;
}

static struct client *connect_client(void)
{
    return connect_with(&request_protocol, false);
}

static void disconnect(struct client *client)
{
    session_deinit(&client->session);
    buffer_deinit(&client->written);
    free(client);
}

/* -- talking ----------------------------------------------------------------------------------- */

static void put_frame(struct buffer *out, int first, const char *payload, size_t size)
{
    static const char mask[] = {0x11, 0x22, 0x33, 0x44};
    buffer_append_char(out, (char)first);
    if (size < 126) {
        buffer_append_char(out, (char)(0x80 | size));
    } else {
        buffer_append_char(out, (char)(0x80 | 126));
        buffer_append_char(out, (char)(size >> 8));
        buffer_append_char(out, (char)size);
    }
    buffer_append(out, mask, 4);
    for (size_t i = 0; i < size; i++)
        buffer_append_char(out, (char)(payload[i] ^ mask[i % 4]));
}

static void receive(struct client *client, struct buffer *bytes)
{
    session_receive(&client->session, bytes->data, bytes->size);
    buffer_deinit(bytes);
}

static void send_frame(struct client *client, int first, const char *payload, size_t size)
{
    struct buffer bytes = {0};
    put_frame(&bytes, first, payload, size);
    receive(client, &bytes);
}

static void send_text(struct client *client, const char *text)
{
    send_frame(client, 0x81, text, strlen(text));
}

static void subscribe(struct client *client, const char *symbols)
{
    struct buffer text = {0};
    buffer_append_format(&text, "{\"action\":\"subscribe\",\"symbols\":[%s]}", symbols);
    send_text(client, buffer_text(&text));
    buffer_deinit(&text);
}

/* One line a frame: snapshots as "BTCUSDT 7", errors as "INVALID_SYMBOL: text", warnings as
 * "SLOW_CONSUMER 3", control frames as "ping", "pong:payload", "close:1000:reason", the rest as
 * its JSON. An error's id stands behind it in brackets. */
static void describe(struct buffer *out, const struct server_frame *frame)
{
    const unsigned char *bytes = (const unsigned char *)frame->payload;
    if (frame->opcode == WS_PING) {
        buffer_append_text(out, "ping");
    } else if (frame->opcode == WS_PONG) {
        buffer_append_format(out, "pong:%.*s", (int)frame->size, frame->payload);
    } else if (frame->opcode == WS_CLOSE) {
        buffer_append_format(out, "close:%d", frame->size == 0 ? 0 : bytes[0] << 8 | bytes[1]);
        if (frame->size > 2)
            buffer_append_format(out, ":%.*s", (int)frame->size - 2, frame->payload + 2);
    } else {
        json_t *root = json_loadb(frame->payload, frame->size, 0, NULL);
        assert_non_null(root);
        const char *type = json_string_value(json_object_get(root, "type"));
        const char *code = json_string_value(json_object_get(root, "code"));
        const json_t *id = json_object_get(root, "id");
        if (strcmp(type, "snapshot") == 0)
            buffer_append_format(out, "%s %d", json_string_value(json_object_get(root, "symbol")),
                                 (int)json_integer_value(json_object_get(root, "seq")));
        else if (strcmp(type, "error") == 0)
            buffer_append_format(out, "%s: %s", code,
                                 json_string_value(json_object_get(root, "message")));
        else if (strcmp(type, "warning") == 0)
            buffer_append_format(
                out, "%s %d", code,
                (int)json_integer_value(json_object_get(root, "dropped_messages")));
        else
            buffer_append(out, frame->payload, frame->size);
        if (strcmp(type, "error") == 0 && id != NULL) {
            char *text = json_dumps(id, JSON_ENCODE_ANY);
            buffer_append_format(out, " [%s]", text);
            free(text);
        }
        json_decref(root);
    }
    buffer_append_char(out, '\n');
}

/* All that the client got since the last look; fails unless it is whole frames. */
static struct buffer take_lines(struct client *client)
{
    struct buffer lines = {0};
    struct server_frame frame = {0};
    for (size_t at = 0; at < client->written.size;) {
        assert_true(server_frame_next(&client->written, &at, &frame));
        struct buffer text = {0};
        if (frame.is_compressed) {
            assert_int_equal(
                ws_inflate(hub_inflater(&hub), frame.payload, frame.size, 100000, &text),
                WS_INFLATE_DONE);
            frame.payload = text.data;
            frame.size = text.size;
        }
        describe(&lines, &frame);
        buffer_deinit(&text);
    }
    buffer_clear(&client->written);
    return lines;
}

static void expect(struct client *client, const char *expected)
{
    struct buffer lines = take_lines(client);
    assert_string_equal(buffer_text(&lines), expected);
    buffer_deinit(&lines);
}

/* The client got one line, and it begins so. */
static void expect_start(struct client *client, const char *expected)
{
    struct buffer lines = take_lines(client);
    const char *text = buffer_text(&lines);
    if (strncmp(text, expected, strlen(expected)) != 0 ||
        strchr(text, '\n') != text + lines.size - 1)
        fail_msg("'%s' does not begin with '%s'", text, expected);
    buffer_deinit(&lines);
}

/* How many lines of those that came begin so. */
static unsigned count_lines(struct client *client, const char *start)
{
    struct buffer lines = take_lines(client);
    unsigned count = 0;
    for (const char *line = buffer_text(&lines); *line != '\0'; line = strchr(line, '\n') + 1)
        count += strncmp(line, start, strlen(start)) == 0;
    buffer_deinit(&lines);
    return count;
}

/* -- subscribing ------------------------------------------------------------------------------- */

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

static void who_subscribes_again_gets_the_current_snapshot_again(void **state)
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
    subscriber_flush(&client->session.subscriber);
    expect(client, "");
    disconnect(client);
}

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

static void known_symbols_of_a_list_are_subscribed_and_each_unknown_one_is_told(void **state)
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

static void wrong_messages_are_told_and_change_nothing(void **state)
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

static void binary_messages_are_told_apart(void **state)
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

/* Bad input alone never costs a client its connection, as long as it reads. */
static void more_errors_than_may_wait_are_written_in_between(void **state)
{
    (void)state;
    struct client *client = connect_client();
    subscribe(client, "\"BTCUSDT\"");
    struct buffer message = {0}, bytes = {0};
    buffer_append_text(&message, "{\"action\":\"subscribe\",\"symbols\":[\"\"");
    for (int i = 1; i < 1000; i++)
        buffer_append_text(&message, ",\"\"");
    buffer_append_text(&message, "]}");
    for (int i = 0; i < 15; i++)
        put_frame(&bytes, 0x81, message.data, message.size);
    receive(client, &bytes); /* 15 times 1,000 errors of about 110 bytes, in one read */
    assert_int_equal(client->session.subscriber.state, SUBSCRIBER_OPEN);
    assert_true(client->written.size > OUTBOX_REPLY_BYTES_MAX);
    assert_int_equal(count_lines(client, "INVALID_SYMBOL: Symbol '' not supported"), 15 * 1000);
    publish(BTC, 1);
    expect(client, "BTCUSDT 1\n");
    buffer_deinit(&message);
    disconnect(client);
}

static void who_provokes_replies_without_reading_is_cut_off(void **state)
{
    (void)state;
    struct client *client = connect_client();
    subscribe(client, "\"BTCUSDT\"");
    char payload[125];
    memset(payload, 'p', sizeof payload);
    client->room = 0;
    for (int i = 0; i < 600 && !client->is_aborted; i++)
        send_frame(client, 0x89, payload, sizeof payload);
    assert_true(client->is_aborted);
    assert_int_equal(publisher_subscriber_count(publisher, BTC), 0);
    publish(BTC, 1); /* nothing more goes to it */
    disconnect(client);
}

/* -- fragments and sizes ----------------------------------------------------------------------- */

static void a_message_may_come_in_fragments_with_pings_between(void **state)
{
    (void)state;
    struct client *client = connect_client();
    send_frame(client, 0x01, "{\"action\":", 10);
    send_frame(client, 0x89, "still there?", 12);
    send_frame(client, 0x00, "\"ping", 5);
    send_frame(client, 0x80, "\"}", 2);
    expect(client, "pong:still there?\n"
                   "{\"type\":\"pong\",\"timestamp\":\"2025-12-28T14:30:00Z\"}\n");
    assert_int_equal(client->session.message.capacity, 0);
    disconnect(client);
}

static void a_message_may_come_byte_by_byte(void **state)
{
    (void)state;
    struct client *client = connect_client();
    struct buffer bytes = {0};
    put_frame(&bytes, 0x81, "{\"action\":\"ping\"}", 17);
    for (size_t i = 0; i < bytes.size; i++)
        session_receive(&client->session, bytes.data + i, 1);
    buffer_deinit(&bytes);
    expect(client, "{\"type\":\"pong\",\"timestamp\":\"2025-12-28T14:30:00Z\"}\n");
    disconnect(client);
}

static void a_message_may_have_4096_bytes(void **state)
{
    (void)state;
    char text[REQUEST_SIZE_MAX + 1];
    memset(text, ' ', sizeof text);
    memcpy(text, "{\"action\":\"ping\"}", 17);
    struct client *client = connect_client();
    send_frame(client, 0x81, text, REQUEST_SIZE_MAX);
    expect_start(client, "{\"type\":\"pong\"");
    send_frame(client, 0x01, text, 4000);
    send_frame(client, 0x80, text + 4000, REQUEST_SIZE_MAX - 4000);
    expect_start(client, "{\"type\":\"pong\"");
    send_frame(client, 0x81, text, REQUEST_SIZE_MAX + 1);
    expect(client, "close:1009:a message may have at most 4096 bytes\n");
    assert_true(client->is_finished);
    disconnect(client);

    client = connect_client();
    send_frame(client, 0x01, text, 4000);
    send_frame(client, 0x00, text, 97);
    expect_start(client, "close:1009:");
    assert_true(client->is_finished);
    disconnect(client);
}

/* -- the rate of messages ---------------------------------------------------------------------- */

static void a_header_that_promises_too_much_is_answered_at_once(void **state)
{
    (void)state;
    static const char *const headers[] = {"\x81\xfe\x10\x01mask",
                                          "\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xffmask"};
    static const size_t sizes[] = {8, 14};
    for (size_t i = 0; i < 2; i++) {
        struct client *client = connect_client();
        struct buffer bytes = {0};
        buffer_append(&bytes, headers[i], sizes[i]);
        receive(client, &bytes);
        expect(client, "close:1009:a message may have at most 4096 bytes\n");
        disconnect(client);
    }
    struct client *client = connect_client();
    struct buffer bytes = {0};
    send_frame(client, WS_TEXT, "1234", 4); /* together with what came before */
    buffer_append(&bytes, "\x80\xfe\x0f\xfdmask", 8);
    receive(client, &bytes);
    expect(client, "close:1009:a message may have at most 4096 bytes\n");
    disconnect(client);
}

static void a_burst_of_20_messages_is_fine_and_10_a_second_go_on(void **state)
{
    (void)state;
    struct client *client = connect_client();
    for (int i = 0; i < 20; i++)
        send_text(client, "{\"action\":\"ping\"}");
    assert_int_equal(count_lines(client, "{\"type\":\"pong\""), 20);
    for (int i = 0; i < 3; i++)
        send_text(client, "{\"action\":\"ping\"}");
    assert_int_equal(count_lines(client, "RATE_LIMITED: "), 3);
    for (int i = 0; i < 100; i++) {
        fake_clock_advance_ms(101);
        send_text(client, "{\"action\":\"ping\"}");
    }
    assert_int_equal(count_lines(client, "{\"type\":\"pong\""), 100);
    assert_int_equal(client->session.subscriber.state, SUBSCRIBER_OPEN);
    disconnect(client);
}

static void who_goes_on_over_the_limit_is_closed(void **state)
{
    (void)state;
    struct client *client = connect_client();
    subscribe(client, "\"BTCUSDT\"");
    for (int i = 1; i < 20 + REQUEST_RATE_VIOLATIONS_MAX; i++)
        send_text(client, "{\"action\":\"unsubscribe\",\"symbols\":[\"SOLUSDT\"]}");
    assert_int_equal(count_lines(client, "RATE_LIMITED: "), REQUEST_RATE_VIOLATIONS_MAX);
    publish(BTC, 1);
    expect(client, "BTCUSDT 1\n"); /* the stream went on meanwhile */
    send_text(client, "{\"action\":\"ping\"}");
    expect(client, "close:1008:too many messages\n");
    assert_true(client->is_finished);
    disconnect(client);
    assert_int_equal(atomic_load(&hub.group.ended[SUBSCRIBER_END_RATE]), 1);
}

static void old_violations_are_forgiven_after_a_pause(void **state)
{
    (void)state;
    struct client *client = connect_client();
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 20 + 50; i++)
            send_text(client, "{\"action\":\"ping\"}");
        fake_clock_advance_ms(2000);
    }
    assert_int_equal(client->session.subscriber.state, SUBSCRIBER_OPEN);
    disconnect(client);
}

/* -- update_interval --------------------------------------------------------------------------- */

static void subscribe_with_interval(struct client *client, const char *interval)
{
    char text[120];
    snprintf(text, sizeof text,
             "{\"action\":\"subscribe\",\"symbols\":[\"BTCUSDT\"],\"update_interval\":%s}",
             interval);
    send_text(client, text);
}

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
        struct subscription *subscription =
            list_entry(hub.by_symbol[BTC].subscriptions.next, struct subscription, in_symbol);
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
    subscriber_flush(&client->session.subscriber);
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
    subscribe_with_interval(client, "60"); /* gets it here, */
    deliver();                             /* and here again */
    client->room = SIZE_MAX;
    subscriber_flush(&client->session.subscriber);
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

/* -- slow consumers ---------------------------------------------------------------------------- */

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
    subscriber_flush(&slow->session.subscriber);
    assert_false(slow->wants_writable);
    expect(slow, "BTCUSDT 1\nSLOW_CONSUMER 4\nBTCUSDT 4\nETHUSDT 4\n");
    assert_int_equal(atomic_load(&hub.group.slow_count), 0);
    assert_int_equal(atomic_load(&hub.group.meter.slow[BTC]), 4);
    assert_int_equal(atomic_load(&hub.group.meter.slow[ETH]), 3);
    assert_int_equal(atomic_load(&hub.group.meter.dropped), 4);
    disconnect(slow);
    disconnect(other);
}

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
    subscriber_flush(&slow->session.subscriber);
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
    assert_int_equal(broadcast_count, 0); /* nobody is there */
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
    subscriber_flush(&slow->session.subscriber);
    assert_int_equal(broadcast_count, 1);
    disconnect(client);
    slow->room = 0;
    publish(BTC, 3);
    assert_int_equal(broadcast_count, 1); /* who is left could not take it */
    disconnect(slow);
}

static void each_session_that_ends_is_counted_once_by_its_reason(void **state)
{
    (void)state;
    struct client *gone = connect_client(), *wrong = connect_client(), *told = connect_client(),
                  *idle = connect_client(), *full = connect_client(), *polite = connect_client();
    send_frame(wrong, 0xFF, "", 0); /* reserved bits */
    send_frame(polite, 0x88, "\x03\xE8", 2);
    session_close(&told->session, WS_CLOSE_GOING_AWAY, "server shutdown", SUBSCRIBER_END_SHUTDOWN);
    subscribe(full, "\"BTCUSDT\"");
    full->room = 10;
    publish(BTC, 1);
    tick_for_ms(60100);
    assert_true(full->is_aborted);
    session_check_liveness(&idle->session, fake_now_ns);
    assert_true(idle->is_aborted);
    struct client *all[] = {gone, wrong, told, idle, full, polite};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        disconnect(all[i]);
    assert_int_equal(atomic_load(&hub.group.ended[SUBSCRIBER_END_CLIENT]), 2);
    assert_int_equal(atomic_load(&hub.group.ended[SUBSCRIBER_END_PROTOCOL_ERROR]), 1);
    assert_int_equal(atomic_load(&hub.group.ended[SUBSCRIBER_END_SHUTDOWN]), 1);
    assert_int_equal(atomic_load(&hub.group.ended[SUBSCRIBER_END_IDLE]), 1);
    assert_int_equal(atomic_load(&hub.group.ended[SUBSCRIBER_END_SLOW]), 1);
    assert_int_equal(atomic_load(&hub.group.ended[SUBSCRIBER_END_RATE]), 0);
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
    subscriber_flush(&client->session.subscriber);
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
    client->room = 1; /* one byte is life */
    subscriber_flush(&client->session.subscriber);
    tick_for_ms(59950);
    assert_false(client->is_aborted);
    tick_for_ms(100);
    assert_true(client->is_aborted);
    assert_int_equal(publisher_subscriber_count(publisher, BTC), 0);
    publish(BTC, 2);
    tick_for_ms(1000);
    disconnect(client);
}

static void a_socket_that_takes_a_little_is_not_closed_even_if_it_never_says_so(void **state)
{
    (void)state;
    struct client *client = connect_client();
    subscribe(client, "\"BTCUSDT\"");
    client->room = 5;
    publish(BTC, 1);
    for (uint64_t minute = 2; minute < 6; minute++) {
        client->room = 5; /* and no event tells of it */
        tick_for_ms(60050);
        assert_false(client->is_aborted);
        assert_int_equal(client->room, 0);
    }
    tick_for_ms(60050);
    assert_true(client->is_aborted);
    disconnect(client);
}

static void a_broken_socket_leaves_the_others_in_peace(void **state)
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

/* -- broadcasts written at once ---------------------------------------------------------------- */

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
        subscriber_flush(&client->session.subscriber);
        assert_false(client->wants_writable);
        char expected[100];
        int begun =
            room > 0 ? snprintf(expected, sizeof expected, "BTCUSDT %d\n", (int)seq - 2) : 0;
        snprintf(expected + begun, sizeof expected - (size_t)begun, "BTCUSDT %d\nETHUSDT %d\n",
                 (int)seq, (int)seq - 1);
        expect(client, expected);
    }
    disconnect(client);
    return is_cut;
}

/* Wherever the socket cuts it, a snapshot that was begun is finished, before anything newer. */
static void what_a_socket_takes_in_part_of_a_broadcast_is_finished_first(void **state)
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

/* A socket that has room again, but has not said so yet, still is owed a warning. */
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
    subscriber_flush(&client->session.subscriber);
    expect(client, "BTCUSDT 1\nSLOW_CONSUMER 1\nETHUSDT 2\n");
    disconnect(client);
}

/* Subscribers by the dozen, every third of which takes compressed frames. Publishes to them, 3 ms
 * before it is delivered, and returns what the meter made of it. */
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
    hub.group.meter = (struct outbox_meter){0};
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
    assert_int_equal(atomic_load(&at_once.frames_sent[BTC]), 3 * OUTBOX_COUNT_EVERY + 2);
    assert_true(atomic_load(&at_once.compressed_bytes_sent) > 0);
    struct outbox_meter in_turn = meter_of_a_broadcast(2, false);
    in_turn.compressed_bytes_sent =
        at_once.compressed_bytes_sent; /* digits may deflate otherwise */
    assert_memory_equal(&at_once, &in_turn, sizeof at_once);
}

/* Each write takes half a millisecond: the histogram says so of the last ones, and of none less. */
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

/* -- failures of the generator ----------------------------------------------------------------- */

static void who_waits_for_a_first_snapshot_is_told_once_that_it_failed(void **state)
{
    (void)state;
    struct client *client = connect_client(), *other = connect_client();
    subscribe(client, "\"BTCUSDT\"");
    subscribe(other, "\"ETHUSDT\"");
    publish(ETH, 1);
    expect(other, "ETHUSDT 1\n");
    for (int i = 0; i < 3; i++) {
        publisher_checked(publisher, BTC, STATUS_BUSY);
        publisher_checked(publisher, ETH, STATUS_BUSY);
        deliver();
    }
    expect(client, "SERVER_ERROR: No snapshot of BTCUSDT yet: the database is locked by a writer. "
                   "It follows when there is one\n");
    expect(other, ""); /* its last good snapshot stays */
    publish(BTC, 1);
    expect(client, "BTCUSDT 1\n");
    disconnect(client);
    disconnect(other);
}

static void a_symbol_without_data_is_no_failure(void **state)
{
    (void)state;
    struct client *client = connect_client();
    subscribe(client, "\"BTCUSDT\"");
    publisher_checked(publisher, BTC, STATUS_NO_DATA);
    publisher_checked(publisher, ETH, STATUS_IO);
    deliver();
    expect(client, "");
    publish(BTC, 1);
    expect(client, "BTCUSDT 1\n");
    disconnect(client);
}

static void a_failure_report_may_end_sessions_on_its_way(void **state)
{
    (void)state;
    struct client *clients[4];
    char payload[125] = {0};
    for (size_t i = 0; i < 4; i++) {
        clients[i] = connect_client();
        subscribe(clients[i], "\"BTCUSDT\",\"ETHUSDT\"");
    }
    for (size_t i = 0; i < 3; i++) { /* no room for a reply, and a socket that takes none */
        clients[i]->room = 0;
        for (int j = 0; j < 515; j++)
            send_frame(clients[i], 0x89, payload, sizeof payload);
        assert_int_equal(clients[i]->session.subscriber.state, SUBSCRIBER_OPEN);
    }
    publisher_checked(publisher, BTC, STATUS_IO);
    publisher_checked(publisher, ETH, STATUS_NOT_FOUND);
    deliver();
    for (size_t i = 0; i < 3; i++)
        assert_true(clients[i]->is_aborted);
    assert_int_equal(count_lines(clients[3], "SERVER_ERROR: "), 2);
    for (size_t i = 0; i < 4; i++)
        disconnect(clients[i]);
}

/* -- life and closing -------------------------------------------------------------------------- */

static void the_server_pings_every_25_seconds_and_gives_up_after_60_of_silence(void **state)
{
    (void)state;
    struct client *client = connect_client();
    for (int second = 1; second <= 60; second++) {
        fake_clock_advance_ms(1000);
        session_check_liveness(&client->session, fake_now_ns);
        expect(client, second % 25 == 0 ? "ping\n" : "");
    }
    send_frame(client, 0x8A, "", 0); /* any byte counts as life */
    fake_clock_advance_ms(60000);
    session_check_liveness(&client->session, fake_now_ns);
    assert_false(client->is_aborted);
    fake_clock_advance_ms(1);
    session_check_liveness(&client->session, fake_now_ns);
    assert_true(client->is_aborted);
    disconnect(client);
}

static void who_floods_with_pings_is_closed(void **state)
{
    (void)state;
    struct client *client = connect_client();
    for (int second = 0; second < 3; second++) { /* as many as may be, every second */
        for (int i = 0; i < REQUEST_FRAMES_MAX; i++)
            send_frame(client, 0x89, "", 0);
        assert_int_equal(client->session.subscriber.state, SUBSCRIBER_OPEN);
        session_check_liveness(&client->session, fake_now_ns);
        buffer_clear(&client->written);
    }
    for (int i = 0; i <= REQUEST_FRAMES_MAX; i++) {
        buffer_clear(&client->written);
        send_frame(client, 0x89, "", 0);
    }
    expect(client, "close:1008:too many frames\n");
    disconnect(client);
}

static void a_close_is_answered_in_kind(void **state)
{
    (void)state;
    static const struct {
        const char *payload;
        size_t size;
        const char *answer;
    } closes[] = {{"\x03\xe8"
                   "bye",
                   5, "close:1000\n"},
                  {"", 0, "close:0\n"},
                  {"\x0f\xa0", 2, "close:4000\n"},
                  {"\x03\xed", 2, "close:1002:a close code that must not be sent\n"},
                  {"\x03", 1, "close:1002:a close frame with half a code\n"},
                  {"\x03\xe8\xff", 3, "close:1007:a close reason that is not UTF-8\n"}};
    for (size_t i = 0; i < sizeof closes / sizeof closes[0]; i++) {
        struct client *client = connect_client();
        subscribe(client, "\"BTCUSDT\"");
        publish(BTC, i + 1);
        buffer_clear(&client->written);
        send_frame(client, 0x88, closes[i].payload, closes[i].size);
        expect(client, closes[i].answer);
        assert_true(client->is_finished);
        send_text(client, "{\"action\":\"ping\"}"); /* discarded */
        session_close(&client->session, 1001, "too late", SUBSCRIBER_END_SHUTDOWN);
        subscriber_flush(&client->session.subscriber);
        expect(client, "");
        disconnect(client);
    }
}

static void broken_frames_close_with_their_code(void **state)
{
    (void)state;
    struct client *client = connect_client();
    struct buffer bytes = {0};
    buffer_append(&bytes, "\x81\x02hi", 4);
    receive(client, &bytes);
    expect(client, "close:1002:a client's frames must be masked\n");
    assert_true(client->is_finished);
    disconnect(client);
    client = connect_client();
    send_frame(client, 0x81, "\xff", 1);
    expect(client, "close:1007:text that is not UTF-8\n");
    assert_true(client->is_finished);
    disconnect(client);
}

static void what_stands_before_a_fault_in_one_read_is_still_answered(void **state)
{
    (void)state;
    struct client *client = connect_client();
    struct buffer bytes = {0};
    publish(BTC, 1);
    put_frame(&bytes, 0x89, "1", 1);
    const char *request = "{\"action\":\"subscribe\",\"symbols\":[\"BTCUSDT\"],\"id\":1}";
    put_frame(&bytes, 0x81, request, strlen(request));
    put_frame(&bytes, 0x88, "\x03\xe8", 2);
    put_frame(&bytes, 0x89, "2", 1);
    receive(client, &bytes);
    expect(client,
           "pong:1\n"
           "{\"type\":\"ack\",\"id\":1,\"action\":\"subscribe\",\"symbols\":[\"BTCUSDT\"]}\n"
           "close:1000\n"); /* pending snapshots are dropped */
    disconnect(client);
}

static void a_shutdown_waits_for_the_socket_and_nothing_follows_the_close(void **state)
{
    (void)state;
    struct client *client = connect_client();
    subscribe(client, "\"BTCUSDT\",\"ETHUSDT\"");
    client->room = 10;
    publish(BTC, 1);
    tick_for_ms(1100); /* late: a warning is owed */
    publish(BTC, 2);
    publish(ETH, 2);
    session_close(&client->session, WS_CLOSE_GOING_AWAY, "server shutdown",
                  SUBSCRIBER_END_SHUTDOWN);
    assert_int_equal(client->session.subscriber.state, SUBSCRIBER_CLOSING);
    publish(BTC, 3);
    send_frame(client, 0x89, "x", 1);
    fake_clock_advance_ms(26000);
    session_check_liveness(&client->session, fake_now_ns);
    client->room = SIZE_MAX;
    subscriber_flush(&client->session.subscriber);
    expect(client, "BTCUSDT 1\nclose:1001:server shutdown\n");
    assert_true(client->is_finished);
    assert_false(client->wants_writable);
    disconnect(client);
}

static void a_snapshot_late_while_closing_brings_no_warning_behind_the_close(void **state)
{
    (void)state;
    struct client *client = connect_client();
    subscribe(client, "\"BTCUSDT\"");
    client->room = 10;
    publish(BTC, 1);
    session_close(&client->session, WS_CLOSE_GOING_AWAY, "server shutdown",
                  SUBSCRIBER_END_SHUTDOWN);
    tick_for_ms(2000);
    client->room = SIZE_MAX;
    subscriber_flush(&client->session.subscriber);
    expect(client, "BTCUSDT 1\nclose:1001:server shutdown\n");
    disconnect(client);
}

static void who_is_being_closed_cannot_put_it_off_by_sending(void **state)
{
    (void)state;
    struct client *client = connect_client();
    client->room = 0;
    send_frame(client, 0x83, "", 0); /* a reserved opcode: its close waits for the socket */
    assert_int_equal(client->session.subscriber.state, SUBSCRIBER_CLOSING);
    for (int second = 0; second < 61; second++) {
        fake_clock_advance_ms(1000);
        send_frame(client, 0x8a, "", 0);
        session_check_liveness(&client->session, fake_now_ns);
    }
    assert_true(client->is_aborted);
    disconnect(client);
}

static void a_close_that_the_socket_does_not_take_ends_at_the_deadline(void **state)
{
    (void)state;
    struct client *client = connect_client();
    client->room = 0;
    session_close(&client->session, WS_CLOSE_NORMAL, "", SUBSCRIBER_END_SHUTDOWN);
    tick_for_ms(60000);
    assert_false(client->is_aborted);
    tick_for_ms(100);
    assert_true(client->is_aborted);
    assert_false(client->is_finished);
    disconnect(client);
}

/* -- compression (RFC 7692) ---------------------------------------------------------------------
 */

/* Sends a text message compressed, in frames of at most `piece` bytes. */
static void send_compressed(struct client *client, const char *text, size_t size, size_t piece)
{
    struct ws_deflater *deflater = ws_deflater_create();
    struct buffer payload = {0};
    ws_deflate(deflater, text, size, &payload);
    ws_deflater_destroy(deflater);
    for (size_t at = 0; at < payload.size; at += piece) {
        bool is_last = payload.size - at <= piece;
        int first = (at == 0 ? 0x40 | WS_TEXT : 0) | (is_last ? 0x80 : 0);
        send_frame(client, first, payload.data + at, is_last ? payload.size - at : piece);
    }
    buffer_deinit(&payload);
}

static void snapshots_are_compressed_for_who_negotiated_it(void **state)
{
    (void)state;
    struct client *plain = connect_client(), *one = connect_with(&request_protocol, true),
                  *two = connect_with(&request_protocol, true);
    subscribe(plain, "\"BTCUSDT\"");
    subscribe(one, "\"BTCUSDT\"");
    subscribe(two, "\"BTCUSDT\"");
    publish(BTC, 1);
    assert_int_equal((unsigned char)one->written.data[0], 0xC1);
    assert_int_equal((unsigned char)plain->written.data[0], 0x81);
    assert_int_equal(one->written.size, two->written.size);
    assert_memory_equal(one->written.data, two->written.data, one->written.size);
    expect(plain, "BTCUSDT 1\n");
    expect(one, "BTCUSDT 1\n");
    expect(two, "BTCUSDT 1\n");
    disconnect(plain);
    disconnect(one);
    disconnect(two);
}

static void compressed_messages_are_understood_whole_and_in_pieces(void **state)
{
    (void)state;
    struct client *client = connect_with(&request_protocol, true);
    static const char text[] = "{\"action\":\"subscribe\",\"symbols\":[\"BTCUSDT\"],\"id\":1}";
    for (size_t piece = 1; piece < 80; piece += 13) {
        send_compressed(client, text, sizeof text - 1, piece);
        expect(client, "{\"type\":\"ack\",\"id\":1,\"action\":\"subscribe\","
                       "\"symbols\":[\"BTCUSDT\"]}\n");
    }
    send_text(client, text); /* not every message need be compressed, §6 */
    expect_start(client, "{\"type\":\"ack\"");
    disconnect(client);
}

static void a_compressed_message_is_bounded_by_what_it_says(void **state)
{
    (void)state;
    char *text = memory_allocate_zeroed(1, 1000000);
    struct client *client = connect_with(&request_protocol, true);
    memset(text, ' ', 1000000);
    memcpy(text, "{\"action\":\"ping\"", 16);
    text[4095] = '}';
    send_compressed(client, text, 4096, SIZE_MAX);
    expect_start(client, "{\"type\":\"pong\"");
    send_compressed(client, text, 4097, SIZE_MAX);
    expect(client, "close:1009:a message may have at most 4096 bytes\n");
    disconnect(client);
    client = connect_with(&request_protocol, true);
    send_compressed(client, text, 1000000, 100);
    expect(client, "close:1009:a message may have at most 4096 bytes\n");
    disconnect(client);
    client = connect_with(&request_protocol, true);
    for (int i = 0; i < 100 && client->session.subscriber.state == SUBSCRIBER_OPEN; i++)
        send_frame(client, i == 0 ? 0x41 : 0, text, 100); /* never says its end */
    expect(client, "close:1009:a message may have at most 4096 bytes\n");
    disconnect(client);
    free(text);
}

static void broken_compressed_messages_close_with_1007(void **state)
{
    (void)state;
    struct client *client = connect_with(&request_protocol, true);
    send_frame(client, 0xC1, "\xff\xff\xff", 3);
    expect(client, "close:1007:a compressed message that is broken\n");
    disconnect(client);
    client = connect_with(&request_protocol, true);
    send_compressed(client, "\"\xc3\"", 3, SIZE_MAX);
    expect(client, "close:1007:text that is not UTF-8\n");
    disconnect(client);
    client = connect_with(&request_protocol, true);
    send_compressed(client, "\"\xc3", 2, SIZE_MAX);
    expect(client, "close:1007:text that is not UTF-8\n");
    disconnect(client);
    client = connect_client();
    send_frame(client, 0xC1, "\x00", 1);
    expect(client, "close:1002:reserved bits are set without an extension\n");
    disconnect(client);
}

/* -- echo -------------------------------------------------------------------------------------- */

static void the_echo_returns_messages_with_their_opcode(void **state)
{
    (void)state;
    struct client *client = connect_with(&echo_protocol, false);
    for (int i = 0; i < 100; i++) { /* no rate */
        send_frame(client, 0x82, "\x00\xff", 2);
        assert_int_equal(client->written.size, 4);
        assert_memory_equal(client->written.data, "\x82\x02\x00\xff", 4);
        buffer_clear(&client->written);
    }
    send_frame(client, 0x01, "he", 2);
    send_frame(client, 0x89, "p", 1);
    send_frame(client, 0x80, "llo", 3);
    assert_int_equal(client->written.size, 10);
    assert_memory_equal(client->written.data, "\x8a\x01p\x81\x05hello", 10);
    disconnect(client);
    client = connect_with(&echo_protocol, true);
    send_compressed(client, "hello", 5, 2);
    struct server_frame frame;
    size_t at = 0;
    assert_true(server_frame_next(&client->written, &at, &frame) && frame.is_compressed);
    disconnect(client);
}

static void the_echo_takes_16_mib_in_65537_fragments(void **state)
{
    (void)state;
    struct client *client = connect_with(&echo_protocol, false);
    char *piece = memory_allocate_zeroed(1, 256);
    memset(piece, 'x', 256);
    for (int i = 0; i < 65536; i++)
        send_frame(client, i == 0 ? WS_BINARY : 0, piece, 256);
    assert_int_equal(client->written.size, 0);
    send_frame(client, 0x80, "", 0);
    struct server_frame frame;
    size_t at = 0;
    assert_true(server_frame_next(&client->written, &at, &frame));
    assert_int_equal(frame.size, 16 * 1024 * 1024);
    buffer_clear(&client->written);
    for (int i = 0; i < 65536; i++)
        send_frame(client, i == 0 ? WS_BINARY : 0, piece, 256);
    send_frame(client, 0x80, "x", 1);
    expect(client, "close:1009:a message may have at most 16777216 bytes\n");
    disconnect(client);
    free(piece);
}

/* -- waiters ----------------------------------------------------------------------------------- */

struct waiter {
    struct hub_waiter waiter;
    unsigned calls;
    uint64_t seq;
    enum status status;
};

static void on_ready(struct hub_waiter *hub_waiter, struct frame *frame, enum status status)
{
    struct waiter *waiter = (struct waiter *)hub_waiter;
    waiter->calls++;
    waiter->seq = frame != NULL ? frame->seq : 0;
    waiter->status = status;
}

static void waiters_are_answered_once_by_the_next_look(void **state)
{
    (void)state;
    struct waiter one = {.waiter.on_ready = on_ready}, two = one, gone = one;
    list_init(&gone.waiter.in_symbol);
    hub_stop_waiting(&gone.waiter); /* harmless before */
    hub_wait(&hub, BTC, &one.waiter);
    hub_wait(&hub, BTC, &two.waiter);
    hub_wait(&hub, BTC, &gone.waiter);
    hub_stop_waiting(&gone.waiter);
    publish(BTC, 1); /* a snapshot alone is not yet the look */
    assert_int_equal(one.calls, 0);
    publisher_checked(publisher, ETH, STATUS_OK);
    deliver();
    assert_int_equal(one.calls, 0);
    publisher_checked(publisher, BTC, STATUS_OK);
    deliver();
    publisher_checked(publisher, BTC, STATUS_OK);
    deliver();
    assert_int_equal(one.calls, 1);
    assert_int_equal(two.calls, 1);
    assert_int_equal(gone.calls, 0);
    assert_int_equal(one.seq, 1);
    assert_int_equal(one.status, STATUS_OK);
    hub_wait(&hub, SOL, &one.waiter);
    publisher_checked(publisher, SOL, STATUS_NO_DATA);
    deliver();
    assert_int_equal(one.calls, 2);
    assert_int_equal(one.seq, 0);
    assert_int_equal(one.status, STATUS_NO_DATA);
}

#define fact(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(subscribing_is_silent_and_snapshots_follow),
        fact(a_late_subscriber_gets_the_current_snapshot),
        fact(a_snapshot_is_not_delivered_twice),
        fact(subscribing_twice_is_harmless),
        fact(unsubscribing_ends_the_stream_of_that_symbol_alone),
        fact(who_subscribes_again_gets_the_current_snapshot_again),
        fact(every_subscriber_gets_the_same_bytes),
        fact(several_symbols_of_one_mail_leave_in_one_write),
        fact(symbols_may_be_named_at_connect),
        fact(a_request_with_an_id_is_acknowledged),
        fact(a_ping_is_answered_with_the_time),
        fact(errors_carry_the_id_of_their_request),
        fact(known_symbols_of_a_list_are_subscribed_and_each_unknown_one_is_told),
        fact(wrong_messages_are_told_and_change_nothing),
        fact(binary_messages_are_told_apart),
        fact(long_names_are_cut_in_errors_and_stay_json),
        fact(a_long_list_answers_each_unknown_symbol_and_subscribes_the_known),
        fact(more_errors_than_may_wait_are_written_in_between),
        fact(who_provokes_replies_without_reading_is_cut_off),
        fact(a_message_may_come_in_fragments_with_pings_between),
        fact(a_message_may_come_byte_by_byte),
        fact(a_message_may_have_4096_bytes),
        fact(a_header_that_promises_too_much_is_answered_at_once),
        fact(a_burst_of_20_messages_is_fine_and_10_a_second_go_on),
        fact(who_goes_on_over_the_limit_is_closed),
        fact(old_violations_are_forgiven_after_a_pause),
        fact(an_update_interval_is_clamped_to_1_to_60_seconds),
        fact(snapshots_wait_for_their_interval_and_the_newest_is_sent),
        fact(a_new_interval_holds_from_the_last_snapshot_on),
        fact(the_first_snapshot_is_never_held),
        fact(a_snapshot_that_waits_for_the_socket_is_replaced_not_held),
        fact(a_repeated_snapshot_does_not_hold_back_the_one_that_waits),
        fact(a_held_snapshot_is_not_late_when_it_may_go),
        fact(a_slow_client_is_warned_and_gets_the_newest_and_others_notice_nothing),
        fact(deliveries_are_counted_by_how_long_the_client_waited),
        fact(a_broadcast_does_not_wait_for_a_full_socket),
        fact(each_session_that_ends_is_counted_once_by_its_reason),
        fact(an_old_snapshot_makes_no_new_subscriber_slow),
        fact(a_socket_that_takes_nothing_for_a_minute_is_closed),
        fact(a_socket_that_takes_a_little_is_not_closed_even_if_it_never_says_so),
        fact(a_broken_socket_leaves_the_others_in_peace),
        fact(what_a_socket_takes_in_part_of_a_broadcast_is_finished_first),
        fact(peers_that_break_in_the_middle_of_a_broadcast_end_alone),
        fact(a_broadcast_does_not_overtake_a_reply),
        fact(a_broadcast_overtakes_another_symbols_held_snapshot),
        fact(a_broadcast_does_not_overtake_a_warning),
        fact(a_broadcast_is_counted_the_same_at_once_and_in_turn),
        fact(no_delivery_of_a_broadcast_is_counted_as_faster_than_it_was),
        fact(who_waits_for_a_first_snapshot_is_told_once_that_it_failed),
        fact(a_symbol_without_data_is_no_failure),
        fact(a_failure_report_may_end_sessions_on_its_way),
        fact(the_server_pings_every_25_seconds_and_gives_up_after_60_of_silence),
        fact(who_floods_with_pings_is_closed),
        fact(a_close_is_answered_in_kind),
        fact(broken_frames_close_with_their_code),
        fact(what_stands_before_a_fault_in_one_read_is_still_answered),
        fact(a_shutdown_waits_for_the_socket_and_nothing_follows_the_close),
        fact(a_snapshot_late_while_closing_brings_no_warning_behind_the_close),
        fact(a_close_that_the_socket_does_not_take_ends_at_the_deadline),
        fact(who_is_being_closed_cannot_put_it_off_by_sending),
        fact(waiters_are_answered_once_by_the_next_look),
        fact(snapshots_are_compressed_for_who_negotiated_it),
        fact(compressed_messages_are_understood_whole_and_in_pieces),
        fact(a_compressed_message_is_bounded_by_what_it_says),
        fact(broken_compressed_messages_close_with_1007),
        fact(the_echo_returns_messages_with_their_opcode),
        fact(the_echo_takes_16_mib_in_65537_fragments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
