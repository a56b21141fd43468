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
    fake_clock_advance_ms(100); /* for what the refusals cost */
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
    for (int i = 1; i < 20 + REQUEST_REFUSALS_MAX; i++)
        send_text(client, "{\"action\":\"unsubscribe\",\"symbols\":[\"SOLUSDT\"]}");
    assert_int_equal(count_lines(client, "RATE_LIMITED: "), REQUEST_REFUSALS_MAX);
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

static void a_refused_message_is_named_by_its_id(void **state)
{
    (void)state;
    struct client *client = connect_client();
    for (int i = 0; i < 20; i++)
        send_text(client, "{\"action\":\"ping\"}");
    buffer_clear(&client->written);
    static const char *const refused[][2] = {
        {"{\"action\":\"ping\",\"id\":7}", " [7]"},
        {"{\"action\":\"ping\",\"id\":\"a\"}", " [\"a\"]"},
        {"{\"action\":\"ping\",\"id\":1.5}", ""},
        {"{\"action\":\"ping\"}", ""},
        {"[7]", ""},
        {"not JSON", ""},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        char expected[120];
        snprintf(expected, sizeof expected,
                 "RATE_LIMITED: More than 10 messages a second; this one was ignored%s\n",
                 refused[i][1]);
        send_text(client, refused[i][0]);
        expect(client, expected);
    }
    send_frame(client, 0x82, "{\"id\":7}", 8);
    expect_start(client, "RATE_LIMITED: ");
    disconnect(client);
}

/* A message of `size` bytes that is answered by a pong. */
static struct buffer padded_ping(size_t size)
{
    struct buffer text = {0};
    buffer_append_text(&text, "{\"action\":\"ping\"");
    while (text.size + 1 < size)
        buffer_append_char(&text, ' ');
    buffer_append_char(&text, '}');
    return text;
}

/* So that refusing is cheap: a flood may be of messages that are long once they are inflated. */
static void a_refused_message_that_is_long_is_not_inflated(void **state)
{
    (void)state;
    struct client *client = connect_with(&request_protocol, true);
    for (int i = 0; i < 20; i++)
        send_text(client, "{\"action\":\"ping\"}");
    buffer_clear(&client->written);
    struct buffer text = {0};
    buffer_append_text(&text, "{\"action\":\"ping\",\"id\":7 ");
    for (size_t size_max = REQUEST_REFUSED_SIZE_MAX; size_max <= REQUEST_SIZE_MAX; size_max *= 8) {
        while (text.size < size_max)
            buffer_append_char(&text, ' ');
        text.data[text.size - 1] = '}';
        send_compressed(client, text.data, text.size, SIZE_MAX);
        text.data[text.size - 1] = ' ';
        expect(client,
               size_max == REQUEST_REFUSED_SIZE_MAX
                   ? "RATE_LIMITED: More than 10 messages a second; this one was ignored "
                     "[7]\n"
                   : "RATE_LIMITED: More than 10 messages a second; this one was ignored\n");
    }
    /* Nor is it found out that there is far too much, or nothing that can be inflated. */
    struct buffer zeros = {0};
    while (zeros.size < 100000)
        buffer_append_char(&zeros, '0');
    send_compressed(client, zeros.data, zeros.size, SIZE_MAX);
    expect_start(client, "RATE_LIMITED: ");
    send_frame(client, 0xc1, "\xff\xff\xff", 3);
    expect_start(client, "RATE_LIMITED: ");
    assert_int_equal(client->session.subscriber.state, SUBSCRIBER_OPEN);
    buffer_deinit(&zeros);
    buffer_deinit(&text);
    disconnect(client);
}

static void a_large_message_counts_as_several_however_well_it_is_compressed(void **state)
{
    (void)state;
    struct buffer small = padded_ping(900), large = padded_ping(REQUEST_SIZE_MAX);
    for (int deflates = 0; deflates < 2; deflates++) {
        struct client *client = connect_with(&request_protocol, deflates);
        for (int i = 0; i < 20; i++)
            send_frame(client, 0x81, small.data, small.size);
        assert_int_equal(count_lines(client, "{\"type\":\"pong\""), 20);
        fake_clock_advance_ms(2000);
        for (int i = 0; i < 8; i++) { /* four tokens each */
            if (deflates)
                send_compressed(client, large.data, large.size, SIZE_MAX);
            else
                send_frame(client, 0x81, large.data, large.size);
        }
        struct buffer lines = take_lines(client);
        const char *text = buffer_text(&lines);
        for (int i = 0; i < 5; i++) {
            assert_int_equal(strncmp(text, "{\"type\":\"pong\"", 14), 0);
            text = strchr(text, '\n') + 1;
        }
        assert_int_equal(strncmp(text, "RATE_LIMITED: ", 14), 0);
        buffer_deinit(&lines);
        disconnect(client);
    }
    buffer_deinit(&small);
    buffer_deinit(&large);
}

static void a_debt_is_paid_off_in_a_pause_of_a_few_seconds(void **state)
{
    (void)state;
    struct buffer large = padded_ping(REQUEST_SIZE_MAX);
    struct client *client = connect_client();
    for (int i = 0; i < 60; i++) /* refused, most of them, and charged all the same */
        send_frame(client, 0x81, large.data, large.size);
    buffer_clear(&client->written);
    fake_clock_advance_ms(100 * ALLOWANCE_DEBT_MAX);
    send_text(client, "{\"action\":\"ping\"}");
    expect_start(client, "RATE_LIMITED: ");
    fake_clock_advance_ms(200);
    send_text(client, "{\"action\":\"ping\"}");
    expect_start(client, "{\"type\":\"pong\"");
    buffer_deinit(&large);
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

static void a_client_keeps_to_its_rates_while_it_sends_few_frames_and_none_is_refused(void **state)
{
    (void)state;
    struct client *client = connect_client();
    for (int i = 0; i < SESSION_FRAMES_FEW; i++)
        send_frame(client, 0x89, "", 0);
    assert_true(session_keeps_to_rates(&client->session, fake_now_ns));
    send_frame(client, 0x89, "", 0);
    assert_false(session_keeps_to_rates(&client->session, fake_now_ns));
    session_check_liveness(&client->session, fake_now_ns);
    assert_true(session_keeps_to_rates(&client->session, fake_now_ns));
    for (int i = 0; i <= ALLOWANCE_BURST; i++)
        send_frame(client, 0x81, "{\"action\":\"ping\"}", 17);
    assert_false(session_keeps_to_rates(&client->session, fake_now_ns));
    fake_now_ns += UINT64_C(1000000000) * ALLOWANCE_BURST / ALLOWANCE_PER_SECOND;
    assert_true(session_keeps_to_rates(&client->session, fake_now_ns));
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
        fact(a_refused_message_is_named_by_its_id),
        fact(a_refused_message_that_is_long_is_not_inflated),
        fact(a_large_message_counts_as_several_however_well_it_is_compressed),
        fact(a_debt_is_paid_off_in_a_pause_of_a_few_seconds),
        fact(a_client_that_floods_with_pings_is_closed),
        fact(a_client_keeps_to_its_rates_while_it_sends_few_frames_and_none_is_refused),
        fact(a_client_that_causes_replies_without_reading_them_is_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
