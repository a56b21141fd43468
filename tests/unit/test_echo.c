/* The protocol of /ws/echo. */
#include "session_fixture.h"

#include "stream/echo.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(the_echo_returns_messages_with_their_opcode),
        fact(the_echo_takes_16_mib_in_65537_fragments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
