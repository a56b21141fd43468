/* RFC 6455 frames as a client reads and writes them: what a server sends is read whole and split at
 * every byte; what is written is understood by the server's side of the codec. */
#include "wire/websocket.h"

#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

enum { FINAL = 0x80 };

/* A frame as a server sends it. */
static void put_frame(struct buffer *out, enum ws_opcode opcode, bool is_final, const char *payload,
                      size_t size)
{
    char header[WS_FRAME_HEADER_MAX];
    size_t header_size = ws_encode_header(header, opcode, size);
    if (!is_final)
        header[0] = (char)(header[0] & ~FINAL);
    buffer_append(out, header, header_size);
    buffer_append(out, payload, size);
}

static void put_text(struct buffer *out, enum ws_opcode opcode, bool is_final, const char *payload)
{
    put_frame(out, opcode, is_final, payload, strlen(payload));
}

/* Notes what the decoder says of a piece, which is copied to memory of exactly its size, so that a
 * sanitizer sees any step beyond it. False once it has failed. */
static bool feed(struct ws_decoder *decoder, struct buffer *log, const char *bytes, size_t size)
{
    char *piece = malloc(size > 0 ? size : 1), *at = piece;
    bool is_alive = true;
    memcpy(piece, bytes, size);
    while (is_alive) {
        size_t consumed;
        struct ws_event event = ws_decoder_feed(decoder, at, size, &consumed);
        at += consumed;
        size -= consumed;
        if (event.type == WS_EVENT_NEEDS_MORE)
            break;
        if (event.type == WS_EVENT_ERROR) {
            buffer_append_format(log, "error:%u:%s", event.close_code, event.reason);
            is_alive = false;
        } else if (event.type == WS_EVENT_CONTROL) {
            buffer_append_format(log, "control %d:%.*s ", event.opcode, (int)event.payload_size,
                                 event.payload);
        } else {
            if (event.is_message_start)
                buffer_append_format(log, "message %d:", event.opcode);
            buffer_append(log, event.payload, event.payload_size);
            if (event.is_message_end)
                buffer_append_char(log, ' ');
        }
    }
    free(piece);
    return is_alive;
}

/* What a decoder says of the bytes in two pieces, terminated. */
static void decode(struct buffer *log, const struct buffer *bytes, size_t split, bool is_client)
{
    struct ws_decoder decoder;
    ws_decoder_init(&decoder);
    decoder.is_client = is_client;
    buffer_clear(log);
    if (feed(&decoder, log, bytes->data, split))
        feed(&decoder, log, bytes->data + split, bytes->size - split);
    ws_decoder_deinit(&decoder);
    buffer_text(log);
}

/* A client reads this, wherever the bytes are split. Frees them. */
static void expect(struct buffer *bytes, const char *expected)
{
    struct buffer log = {0};
    for (size_t split = 0; split <= bytes->size; split++) {
        decode(&log, bytes, split, true);
        assert_string_equal(log.data, expected);
    }
    buffer_deinit(&log);
    buffer_deinit(bytes);
}

static void unmasked_frames_of_a_server_are_read(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    put_text(&bytes, WS_TEXT, true, "Hello");
    put_text(&bytes, WS_BINARY, true, "");
    expect(&bytes, "message 1:Hello message 2: ");
}

static void fragments_of_a_server_make_one_message_around_its_pings(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    put_text(&bytes, WS_TEXT, false, "Hel");
    put_text(&bytes, WS_PING, true, "there?");
    put_text(&bytes, WS_CONTINUATION, false, "");
    put_text(&bytes, WS_CONTINUATION, true, "lo");
    put_frame(&bytes, WS_CLOSE, true, "\x03\xe8", 2);
    expect(&bytes, "message 1:Hel"
                   "control 9:there? lo control 8:\x03\xe8 ");
}

static void long_frames_of_a_server_are_read_in_every_form_of_length(void **state)
{
    (void)state;
    static const size_t sizes[] = {125, 126, 65535, 65536};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct buffer bytes = {0}, payload = {0}, log = {0};
        for (size_t j = 0; j < sizes[i]; j++)
            buffer_append_char(&payload, (char)('a' + j % 26));
        put_frame(&bytes, WS_TEXT, true, payload.data, payload.size);
        for (size_t split = 0; split < 12; split++) {
            decode(&log, &bytes, split, true);
            assert_int_equal(log.size, strlen("message 1: ") + sizes[i]);
            assert_memory_equal(log.data + strlen("message 1:"), payload.data, sizes[i]);
        }
        buffer_deinit(&bytes);
        buffer_deinit(&payload);
        buffer_deinit(&log);
    }
}

static void a_masked_frame_of_a_server_is_refused(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    ws_append_masked_frame(&bytes, WS_TEXT, "Hello", 5);
    bytes.size = 2; /* that much shows it */
    expect(&bytes, "error:1002:a server's frames must not be masked");
}

static void what_breaks_the_protocol_in_one_role_breaks_it_in_the_other(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *expected;
    } cases[] = {
        {"\x91\x00", 1, "error:1002:reserved bits are set without an extension"},
        {"\x83\x00", 1, "error:1002:unknown opcode"},
        {"\x09\x00", 1, "error:1002:a control frame must not be fragmented"},
        {"\x80\x00", 1, "error:1002:a continuation without a message"},
        {"\x89\x7e", 2, "error:1002:a control frame is longer than 125 bytes"},
        {"\x81\x7e\x00\x05", 4, "error:1002:a payload length is not in its shortest form"},
        {"\x81\x02\xc3\x28", 4, "message 1:error:1007:text that is not UTF-8"},
        {"\x88\x02\x03\xed", 4, "error:1002:a close code that must not be sent"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer bytes = {0}, log = {0};
        buffer_append(&bytes, cases[i].bytes, cases[i].size);
        decode(&log, &bytes, 0, true);
        const char *error = strstr(cases[i].expected, "error");
        assert_string_equal(strstr(log.data, "error"), error);
        buffer_deinit(&bytes);
        buffer_deinit(&log);
    }
}

static void what_a_client_writes_is_masked_and_read_by_a_server(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 125, 126, 65535, 65536};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct buffer bytes = {0}, payload = {0}, log = {0};
        for (size_t j = 0; j < sizes[i]; j++)
            buffer_append_char(&payload, (char)('a' + j % 26));
        ws_append_masked_frame(&bytes, WS_TEXT, payload.data, payload.size);
        assert_true((bytes.data[1] & 0x80) != 0);
        decode(&log, &bytes, 3, false);
        assert_int_equal(log.size, strlen("message 1: ") + sizes[i]);
        if (sizes[i] > 0)
            assert_memory_equal(log.data + strlen("message 1:"), payload.data, sizes[i]);
        buffer_deinit(&bytes);
        buffer_deinit(&payload);
        buffer_deinit(&log);
    }
}

static void each_frame_of_a_client_has_a_mask_of_its_own(void **state)
{
    (void)state;
    struct buffer first = {0}, second = {0};
    ws_append_masked_frame(&first, WS_TEXT, "the same", 8);
    ws_append_masked_frame(&second, WS_TEXT, "the same", 8);
    assert_int_equal(first.size, second.size);
    assert_memory_not_equal(first.data, second.data, first.size);
    buffer_deinit(&first);
    buffer_deinit(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unmasked_frames_of_a_server_are_read),
        cmocka_unit_test(fragments_of_a_server_make_one_message_around_its_pings),
        cmocka_unit_test(long_frames_of_a_server_are_read_in_every_form_of_length),
        cmocka_unit_test(a_masked_frame_of_a_server_is_refused),
        cmocka_unit_test(what_breaks_the_protocol_in_one_role_breaks_it_in_the_other),
        cmocka_unit_test(what_a_client_writes_is_masked_and_read_by_a_server),
        cmocka_unit_test(each_frame_of_a_client_has_a_mask_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
