/* A subscriber whose protocol is not a session: what the hub does for it, and what it asks of it.
 */
#include "session_fixture.h"

struct reader {
    struct subscriber subscriber;
    struct client socket; /* its session is not used */
    unsigned unavailable_count;
};

static void on_unavailable(struct subscriber *subscriber, const char *symbol, enum status status)
{
    struct reader *reader = (struct reader *)subscriber;
    assert_string_equal(symbol, "BTCUSDT");
    assert_int_equal(status, STATUS_BUSY);
    reader->unavailable_count++;
}

static const struct subscriber_kind kind = {.on_unavailable = on_unavailable};

static void reader_init(struct reader *reader)
{
    *reader = (struct reader){.socket.room = SIZE_MAX};
    subscriber_init(&reader->subscriber, &hub.group, &kind, false, &reader->socket);
    hub_subscribe(&hub, &reader->subscriber, (const uint16_t[]){BTC}, 1,
                  (struct subscription_wish){0});
}

static void reader_deinit(struct reader *reader)
{
    subscriber_deinit(&reader->subscriber);
    buffer_deinit(&reader->socket.written);
}

static void a_broadcast_reaches_a_subscriber_of_any_protocol(void **state)
{
    (void)state;
    struct reader reader;
    struct client *client = connect_client();
    subscribe(client, "\"BTCUSDT\"");
    reader_init(&reader);
    publish(BTC, 1);
    expect(client, "BTCUSDT 1\n");
    expect(&reader.socket, "BTCUSDT 1\n");
    hub_unsubscribe(&hub, &reader.subscriber, (const uint16_t[]){BTC}, 1);
    publish(BTC, 2);
    expect(client, "BTCUSDT 2\n");
    expect(&reader.socket, "");
    disconnect(client);
    reader_deinit(&reader);
}

static void its_kind_is_asked_once_to_report_that_a_first_snapshot_failed(void **state)
{
    (void)state;
    struct reader reader;
    reader_init(&reader);
    for (int i = 0; i < 2; i++) {
        publisher_checked(publisher, BTC, STATUS_BUSY);
        deliver();
    }
    assert_int_equal(reader.unavailable_count, 1);
    reader_deinit(&reader);
}

static void one_that_has_ended_is_in_no_list_and_gets_nothing_more(void **state)
{
    (void)state;
    struct reader ready, blocked;
    reader_init(&ready);
    reader_init(&blocked);
    blocked.socket.room = 0;
    publish(BTC, 1);
    subscriber_reply(&ready.subscriber, WS_TEXT, false, "{}", 2);
    assert_true(subscriber_is_ready(&ready.subscriber));
    struct reader *both[] = {&ready, &blocked};
    for (size_t i = 0; i < 2; i++) {
        struct subscriber *subscriber = &both[i]->subscriber;
        subscriber_abort(subscriber, SUBSCRIBER_END_IDLE);
        subscriber_abort(subscriber, SUBSCRIBER_END_SLOW); /* the transport is called once only */
        subscriber_close(subscriber, "", 0, SUBSCRIBER_END_SHUTDOWN);
        subscriber_reply(subscriber, WS_TEXT, false, "{}", 2);
        subscriber_flush(subscriber);
        assert_true(both[i]->socket.is_aborted);
    }
    assert_true(list_is_empty(&hub.group.ready) && list_is_empty(&hub.group.blocked));
    publish(BTC, 2);
    subscriber_group_flush(&hub.group);
    expect(&ready.socket, "BTCUSDT 1\n");
    expect(&blocked.socket, "");
    reader_deinit(&ready);
    reader_deinit(&blocked);
    assert_int_equal(atomic_load(&hub.group.ended[SUBSCRIBER_END_IDLE]), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(a_broadcast_reaches_a_subscriber_of_any_protocol),
        fact(its_kind_is_asked_once_to_report_that_a_first_snapshot_failed),
        fact(one_that_has_ended_is_in_no_list_and_gets_nothing_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
