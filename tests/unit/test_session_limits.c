/* What bounds a client: the size and the rate of its messages, and of the replies that it causes.
 */
#include "session_fixture.h"

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

static void a_header_that_announces_too_much_is_answered_at_once(void **state)
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

/* -- the rate of messages ---------------------------------------------------------------------- */

static void a_burst_of_20_messages_and_then_10_a_second_are_accepted(void **state)
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

static void a_client_that_stays_over_the_limit_is_closed(void **state)
{
    (void)state;
    struct client *client = connect_client();
    subscribe(client, "\"BTCUSDT\"");
    for (int i = 1; i < 20 + REQUEST_RATE_VIOLATIONS_MAX; i++)
        send_text(client, "{\"action\":\"unsubscribe\",\"symbols\":[\"SOLUSDT\"]}");
    assert_int_equal(count_lines(client, "RATE_LIMITED: "), REQUEST_RATE_VIOLATIONS_MAX);
    publish(BTC, 1);
    expect(client, "BTCUSDT 1\n"); /* the stream has not stopped */
    send_text(client, "{\"action\":\"ping\"}");
    expect(client, "close:1008:too many messages\n");
    assert_true(client->is_finished);
    disconnect(client);
    assert_int_equal(atomic_load(&hub.group.ended[SUBSCRIBER_END_RATE]), 1);
}

static void old_violations_are_forgotten_after_a_pause(void **state)
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

static void a_client_that_floods_with_pings_is_closed(void **state)
{
    (void)state;
    struct client *client = connect_client();
    for (int second = 0; second < 3; second++) { /* as many as are allowed, every second */
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

/* -- replies that wait ------------------------------------------------------------------------- */

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

static void a_client_that_causes_replies_without_reading_them_is_cut_off(void **state)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(a_message_may_come_in_fragments_with_pings_between),
        fact(a_message_may_come_byte_by_byte),
        fact(a_message_may_have_4096_bytes),
        fact(a_header_that_announces_too_much_is_answered_at_once),
        fact(a_burst_of_20_messages_and_then_10_a_second_are_accepted),
        fact(a_client_that_stays_over_the_limit_is_closed),
        fact(old_violations_are_forgotten_after_a_pause),
        fact(a_client_that_floods_with_pings_is_closed),
        fact(more_errors_than_may_wait_are_written_in_between),
        fact(a_client_that_causes_replies_without_reading_them_is_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
