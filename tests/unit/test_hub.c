/* What the hub does besides snapshots: requests that wait for one, and failures of the generator.
 */
#include "session_fixture.h"

/* -- requests that wait ------------------------------------------------------------------------ */

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

static void waiters_are_answered_once_by_the_next_check(void **state)
{
    (void)state;
    struct waiter one = {.waiter.on_ready = on_ready}, two = one, gone = one;
    list_init(&gone.waiter.in_symbol);
    hub_stop_waiting(&gone.waiter); /* harmless before */
    hub_wait(&hub, BTC, &one.waiter);
    hub_wait(&hub, BTC, &two.waiter);
    hub_wait(&hub, BTC, &gone.waiter);
    hub_stop_waiting(&gone.waiter);
    publish(BTC, 1); /* a snapshot alone is no check */
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

/* -- failures of the generator ----------------------------------------------------------------- */

static void a_client_that_waits_for_a_first_snapshot_gets_one_error_when_it_fails(void **state)
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
        while (clients[i]->session.subscriber.outbox.reply_bytes + 160 < OUTBOX_REPLY_BYTES_MAX)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(waiters_are_answered_once_by_the_next_check),
        fact(a_client_that_waits_for_a_first_snapshot_gets_one_error_when_it_fails),
        fact(a_symbol_without_data_is_no_failure),
        fact(a_failure_report_may_end_sessions_on_its_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
