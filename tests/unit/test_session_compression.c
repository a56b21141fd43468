/* permessage-deflate, RFC 7692. */
#include "session_fixture.h"

static void snapshots_are_compressed_for_clients_that_negotiated_it(void **state)
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
        send_frame(client, i == 0 ? 0x41 : 0, text, 100); /* it never ends */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(snapshots_are_compressed_for_clients_that_negotiated_it),
        fact(compressed_messages_are_understood_whole_and_in_pieces),
        fact(a_compressed_message_is_bounded_by_what_it_says),
        fact(broken_compressed_messages_close_with_1007),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
