/* How sessions live and end. */
#include "session_fixture.h"

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
        flush(client);
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

static void messages_before_a_fault_in_one_read_are_still_answered(void **state)
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
    flush(client);
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
    flush(client);
    expect(client, "BTCUSDT 1\nclose:1001:server shutdown\n");
    disconnect(client);
}

static void a_client_cannot_put_off_its_close_by_sending(void **state)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(the_server_pings_every_25_seconds_and_gives_up_after_60_of_silence),
        fact(a_close_is_answered_in_kind),
        fact(broken_frames_close_with_their_code),
        fact(messages_before_a_fault_in_one_read_are_still_answered),
        fact(a_shutdown_waits_for_the_socket_and_nothing_follows_the_close),
        fact(a_snapshot_late_while_closing_brings_no_warning_behind_the_close),
        fact(a_client_cannot_put_off_its_close_by_sending),
        fact(a_close_that_the_socket_does_not_take_ends_at_the_deadline),
        fact(each_session_that_ends_is_counted_once_by_its_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
