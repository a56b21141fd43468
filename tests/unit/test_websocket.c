/* RFC 6455 frames: every vector is fed whole and split at every byte, with the same result. */
#include "base/buffer.h"
#include "wire/websocket.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

enum { FINAL = 0x80, COMPRESSED = 0x40, MASKED = 0x80, NO_SPLIT = -1 };

/* -- making a client's bytes ------------------------------------------------------------------- */

static void put_payload(struct buffer *out, const char *mask, const void *payload, size_t size)
{
    buffer_append(out, mask, 4);
    for (size_t i = 0; i < size; i++)
        buffer_append_char(out, (char)(((const char *)payload)[i] ^ mask[i % 4]));
}

/* A masked frame whose first byte is `first` (FIN, RSV and opcode). */
static void put_frame(struct buffer *out, int first, const void *payload, size_t size)
{
    buffer_append_char(out, (char)first);
    if (size < 126) {
        buffer_append_char(out, (char)(MASKED | size));
    } else {
        size_t bytes = size < 65536 ? 2 : 8;
        buffer_append_char(out, (char)(MASKED | (bytes == 2 ? 126 : 127)));
        for (size_t i = 0; i < bytes; i++)
            buffer_append_char(out, (char)((uint64_t)size >> (8 * (bytes - 1 - i))));
    }
    put_payload(out, "\x37\xfa\x21\x3d", payload, size);
}

static void put_text_frame(struct buffer *out, int first, const char *text)
{
    put_frame(out, first, text, strlen(text));
}

static void put_close(struct buffer *out, int code, const char *reason, size_t reason_size)
{
    char payload[WS_CONTROL_PAYLOAD_MAX] = {(char)(code >> 8), (char)code};
    memcpy(payload + 2, reason, reason_size);
    put_frame(out, FINAL | WS_CLOSE, payload, 2 + reason_size);
}

/* -- what the decoder says, as text ------------------------------------------------------------ */

struct transcript {
    struct buffer log;     /* one word an event, messages joined: "text:Hello ping:x error:1002" */
    struct buffer message; /* pieces of the current message */
    bool is_in_message;
};

static void note_payload(struct buffer *log, const char *payload, size_t size)
{
    if (size <= 200)
        buffer_append(log, payload, size);
    else /* a long one as its length and sum */
        for (uint32_t i = 0, sum = 0; i <= size; i++) {
            if (i == size)
                buffer_append_format(log, "<%zu bytes, %u>", size, sum);
            else
                sum = sum * 31 + (unsigned char)payload[i];
        }
    buffer_append_char(log, ' ');
}

static void note_data(struct transcript *transcript, const struct ws_event *event)
{
    assert_int_equal(event->is_message_start, !transcript->is_in_message);
    transcript->is_in_message = !event->is_message_end;
    buffer_append(&transcript->message, event->payload, event->payload_size);
    if (!event->is_message_end)
        return;
    buffer_append_text(&transcript->log, event->opcode == WS_TEXT ? "text:" : "binary:");
    note_payload(&transcript->log, transcript->message.data, transcript->message.size);
    buffer_clear(&transcript->message);
}

static void note_control(struct transcript *transcript, const struct ws_event *event)
{
    if (event->opcode == WS_CLOSE) {
        size_t code_size = event->payload_size > 0 ? 2 : 0;
        buffer_append_format(&transcript->log, "close:%u:", event->close_code);
        note_payload(&transcript->log, event->payload + code_size, event->payload_size - code_size);
        return;
    }
    buffer_append_text(&transcript->log, event->opcode == WS_PING ? "ping:" : "pong:");
    note_payload(&transcript->log, event->payload, event->payload_size);
}

/* Feeds a piece from memory of exactly its size, so that a sanitizer sees any step beyond it.
 * Returns false once the decoder has failed. */
static bool feed(struct ws_decoder *decoder, struct transcript *transcript, const char *bytes,
                 size_t size)
{
    char *piece = malloc(size > 0 ? size : 1), *at = piece;
    bool is_alive = true;
    memcpy(piece, bytes, size);
    for (;;) {
        size_t consumed;
        struct ws_event event = ws_decoder_feed(decoder, at, size, &consumed);
        assert_true(consumed <= size);
        at += consumed;
        size -= consumed;
        if (event.type == WS_EVENT_NEEDS_MORE)
            break;
        if (event.type == WS_EVENT_ERROR) {
            assert_non_null(event.reason);
            buffer_append_format(&transcript->log, "error:%u ", event.close_code);
            is_alive = false;
            break;
        }
        if (event.type == WS_EVENT_DATA)
            note_data(transcript, &event);
        else
            note_control(transcript, &event);
    }
    free(piece);
    return is_alive;
}

/* The transcript of `bytes`, given in two pieces, or one for NO_SPLIT. */
static char *decode(const struct buffer *bytes, int split)
{
    struct ws_decoder decoder;
    struct transcript transcript = {0};
    ws_decoder_init(&decoder);
    size_t first = split == NO_SPLIT ? bytes->size : (size_t)split;
    if (feed(&decoder, &transcript, bytes->data, first))
        feed(&decoder, &transcript, bytes->data + first, bytes->size - first);
    ws_decoder_deinit(&decoder);
    buffer_append_char(&transcript.log, '\0');
    buffer_deinit(&transcript.message);
    return buffer_detach(&transcript.log);
}

static char *decode_byte_by_byte(const struct buffer *bytes)
{
    struct ws_decoder decoder;
    struct transcript transcript = {0};
    ws_decoder_init(&decoder);
    for (size_t i = 0; i < bytes->size; i++)
        if (!feed(&decoder, &transcript, bytes->data + i, 1))
            break;
    ws_decoder_deinit(&decoder);
    buffer_append_char(&transcript.log, '\0');
    buffer_deinit(&transcript.message);
    return buffer_detach(&transcript.log);
}

/* Whole, split at every byte, and byte by byte, the decoder says `expected`. Frees `bytes`. */
static void expect(struct buffer *bytes, const char *expected)
{
    int step = bytes->size > 2000 ? 997 : 1;
    for (int split = NO_SPLIT; split <= (int)bytes->size; split += split < 64 ? 1 : step) {
        char *log = decode(bytes, split);
        if (strcmp(log, expected) != 0)
            print_message("split at %d\n", split);
        assert_string_equal(log, expected);
        free(log);
    }
    char *log = decode_byte_by_byte(bytes);
    assert_string_equal(log, expected);
    free(log);
    buffer_deinit(bytes);
}

/* After how many bytes, fed one by one, the decoder refuses; 0 if it never does. */
static size_t bytes_until_error(const struct buffer *bytes)
{
    struct ws_decoder decoder;
    struct transcript transcript = {0};
    ws_decoder_init(&decoder);
    size_t count = 0;
    bool is_alive = true;
    while (is_alive && count < bytes->size)
        is_alive = feed(&decoder, &transcript, bytes->data + count++, 1);
    ws_decoder_deinit(&decoder);
    buffer_deinit(&transcript.log);
    buffer_deinit(&transcript.message);
    return is_alive ? 0 : count;
}

/* -- facts: frames and messages ---------------------------------------------------------------- */

static void the_examples_of_the_rfc_are_understood(void **state)
{
    (void)state;
    struct buffer bytes = {0}; /* RFC 6455 §5.7: a single-frame masked text message */
    buffer_append(&bytes, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
    expect(&bytes, "text:Hello ");
    buffer_append(&bytes, "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
    expect(&bytes, "pong:Hello ");
}

static void every_length_form_is_read_at_its_boundaries(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 125, 126, 127, 65535, 65536, 70000};
    char *payload = malloc(70000);
    for (size_t i = 0; i < 70000; i++)
        payload[i] = (char)(i * 7 + i / 256);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct buffer bytes = {0}, expected = {0};
        put_frame(&bytes, FINAL | WS_BINARY, payload, sizes[i]);
        put_text_frame(&bytes, FINAL | WS_TEXT, "next");
        buffer_append_text(&expected, "binary:");
        note_payload(&expected, payload, sizes[i]);
        buffer_append(&expected, "text:next ", 11); /* with its terminator */
        if (sizes[i] <= 200) { /* the payload holds zeros, so that no string can be compared */
            char *log = decode(&bytes, NO_SPLIT);
            assert_memory_equal(log, expected.data, expected.size);
            free(log);
            buffer_deinit(&bytes);
        } else {
            expect(&bytes, expected.data);
        }
        buffer_deinit(&expected);
    }
    free(payload);
}

static void payloads_of_every_short_length_are_unmasked_at_every_split(void **state)
{
    (void)state;
    for (size_t size = 0; size <= 127; size++) {
        char text[128], expected[160];
        for (size_t i = 0; i < size; i++)
            text[i] = (char)('a' + i % 26);
        text[size] = '\0';
        struct buffer bytes = {0};
        put_text_frame(&bytes, FINAL | WS_TEXT, text);
        snprintf(expected, sizeof expected, "text:%s ", text);
        expect(&bytes, expected);
    }
}

static void each_frame_has_a_mask_of_its_own(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    buffer_append(&bytes, "\x81\x83", 2);
    put_payload(&bytes, "\x00\x00\x00\x00", "abc", 3);
    buffer_append(&bytes, "\x81\x83", 2);
    put_payload(&bytes, "\xff\x01\x80\x7f", "def", 3);
    expect(&bytes, "text:abc text:def ");
}

static void fragments_make_one_message_and_control_frames_may_stand_between(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    put_text_frame(&bytes, WS_TEXT, "Hel");
    put_text_frame(&bytes, FINAL | WS_PING, "are you there");
    put_text_frame(&bytes, WS_CONTINUATION, "");
    put_text_frame(&bytes, WS_CONTINUATION, "lo, ");
    put_text_frame(&bytes, FINAL | WS_PONG, "");
    put_text_frame(&bytes, FINAL | WS_CONTINUATION, "world");
    put_text_frame(&bytes, FINAL | WS_TEXT, "second");
    expect(&bytes, "ping:are you there pong: text:Hello, world text:second ");
}

static void empty_fragments_are_allowed_at_both_ends(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    put_text_frame(&bytes, WS_BINARY, "");
    put_text_frame(&bytes, WS_CONTINUATION, "");
    put_text_frame(&bytes, WS_CONTINUATION, "x");
    put_text_frame(&bytes, FINAL | WS_CONTINUATION, "");
    put_text_frame(&bytes, WS_TEXT, "");
    put_text_frame(&bytes, FINAL | WS_CONTINUATION, "");
    expect(&bytes, "binary:x text: ");
}

static void the_longest_control_payload_is_125_bytes(void **state)
{
    (void)state;
    char text[126] = {0}, expected[160];
    memset(text, 'p', 125);
    struct buffer bytes = {0};
    put_text_frame(&bytes, FINAL | WS_PING, text);
    snprintf(expected, sizeof expected, "ping:%s ", text);
    expect(&bytes, expected);
    buffer_append(&bytes, "\x89\xfe\x00\x7e", 4);
    expect(&bytes, "error:1002 ");
}

/* -- facts: faults ----------------------------------------------------------------------------- */

/* The decoder refuses these bytes, however they are split, at the given byte. */
static void expect_fault(const void *bytes, size_t size, int close_code, size_t at)
{
    struct buffer copy = {0};
    char expected[32];
    buffer_append(&copy, bytes, size);
    snprintf(expected, sizeof expected, "error:%d ", close_code);
    assert_int_equal(bytes_until_error(&copy), at);
    expect(&copy, expected);
}

static void reserved_bits_and_opcodes_are_refused_at_the_first_byte(void **state)
{
    (void)state;
    static const int first[] = {0xC1, 0xA1, 0x91, 0xF1, 0x83, 0x84,
                                0x87, 0x8B, 0x8C, 0x8F, 0x03, 0x0F};
    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++) {
        char bytes[] = {(char)first[i], (char)0x81, 1, 2, 3, 4, 'x' ^ 1};
        expect_fault(bytes, sizeof bytes, 1002, 1);
    }
}

static void fragmented_control_frames_are_refused_at_the_first_byte(void **state)
{
    (void)state;
    expect_fault("\x09\x80\0\0\0\0", 6, 1002, 1);
    expect_fault("\x08\x80\0\0\0\0", 6, 1002, 1);
    expect_fault("\x0a\x80\0\0\0\0", 6, 1002, 1);
}

static void a_frame_without_a_mask_is_refused_at_its_second_byte(void **state)
{
    (void)state;
    expect_fault("\x81\x05Hello", 7, 1002, 2);
    expect_fault("\x89\x00", 2, 1002, 2);
    expect_fault("\x82\x7e\x01\x00", 4, 1002, 2);
}

static void continuations_belong_to_a_message_and_messages_do_not_nest(void **state)
{
    (void)state;
    expect_fault("\x80\x80\0\0\0\0", 6, 1002, 1);
    expect_fault("\x00\x80\0\0\0\0", 6, 1002, 1);
    struct buffer bytes = {0};
    put_text_frame(&bytes, WS_TEXT, "a");
    put_text_frame(&bytes, FINAL | WS_TEXT, "b");
    expect(&bytes, "error:1002 ");
    put_text_frame(&bytes, FINAL | WS_TEXT, "a");
    put_text_frame(&bytes, FINAL | WS_CONTINUATION, "b");
    expect(&bytes, "text:a error:1002 ");
}

static void lengths_must_be_in_their_shortest_form(void **state)
{
    (void)state;
    expect_fault("\x82\xfe\x00\x7d\0\0\0\0", 8, 1002, 8);
    expect_fault("\x82\xfe\x00\x00\0\0\0\0", 8, 1002, 8);
    expect_fault("\x82\xff\0\0\0\0\0\0\xff\xff\0\0\0\0", 14, 1002, 14);
    expect_fault("\x82\xff\0\0\0\0\0\0\0\x01\0\0\0\0", 14, 1002, 14);
}

static void a_64_bit_length_must_not_have_its_highest_bit(void **state)
{
    (void)state;
    expect_fault("\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0", 14, 1002, 14);
    expect_fault("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 14, 1002, 14);
}

static void a_huge_frame_is_passed_on_as_it_comes(void **state)
{
    (void)state;
    struct ws_decoder decoder;
    ws_decoder_init(&decoder);
    char bytes[] = "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0data";
    size_t consumed;
    struct ws_event event = ws_decoder_feed(&decoder, bytes, 18, &consumed);
    assert_int_equal(event.type, WS_EVENT_DATA);
    assert_int_equal(consumed, 18);
    assert_int_equal(event.payload_size, 4);
    assert_true(event.is_message_start);
    assert_false(event.is_message_end);
}

static void after_an_error_nothing_is_taken_any_more(void **state)
{
    (void)state;
    struct ws_decoder decoder;
    ws_decoder_init(&decoder);
    char bad[] = "\xc1\x80", good[] = "\x81\x81\0\0\0\0x";
    size_t consumed;
    assert_int_equal(ws_decoder_feed(&decoder, bad, 2, &consumed).type, WS_EVENT_ERROR);
    for (int i = 0; i < 3; i++) {
        struct ws_event event = ws_decoder_feed(&decoder, good, 7, &consumed);
        assert_int_equal(event.type, WS_EVENT_ERROR);
        assert_int_equal(event.close_code, 1002);
        assert_non_null(event.reason);
        assert_int_equal(consumed, 0);
    }
    assert_memory_equal(good, "\x81\x81\0\0\0\0x", 7);
}

/* -- facts: UTF-8 ------------------------------------------------------------------------------ */

static void characters_may_be_cut_by_fragments_and_pings(void **state)
{
    (void)state;
    const char *text = "\xce\xba\xe1\xbd\xb9\xf0\x9f\x8e\x88!";
    for (size_t cut = 0; cut <= strlen(text); cut++) {
        struct buffer bytes = {0};
        put_frame(&bytes, WS_TEXT, text, cut);
        put_text_frame(&bytes, FINAL | WS_PING, "\xff"); /* a ping's payload is any bytes */
        put_text_frame(&bytes, FINAL | WS_CONTINUATION, text + cut);
        struct buffer expected = {0};
        buffer_append_format(&expected, "ping:\xff text:%s ", text);
        expect(&bytes, buffer_text(&expected));
        buffer_deinit(&expected);
    }
}

static void text_that_cannot_become_utf8_is_refused_at_the_byte_that_shows_it(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t good; /* bytes before the one that shows the fault */
    } wrong[] = {
        {"\xff", 0},
        {"abc\x80", 3},
        {"\xc0\xaf", 0},
        {"\xe0\x80\x80", 1},
        {"\xed\xa0\x80", 1},
        {"\xf4\x90\x80\x80", 1},
        {"\xf0\x80\x80\x80", 1},
        {"\xf5\x80\x80\x80", 0},
        {"\xce\xba\xe1\xbd!", 4},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct buffer bytes = {0};
        put_text_frame(&bytes, FINAL | WS_TEXT, wrong[i].text);
        assert_int_equal(bytes_until_error(&bytes), 6 + wrong[i].good + 1);
        expect(&bytes, "error:1007 ");
    }
}

static void a_message_must_not_end_inside_a_character(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    put_text_frame(&bytes, FINAL | WS_TEXT, "\xe1\xbd");
    expect(&bytes, "error:1007 ");
    put_text_frame(&bytes, WS_TEXT, "\xe1\xbd");
    put_text_frame(&bytes, FINAL | WS_CONTINUATION, "");
    expect(&bytes, "error:1007 ");
    put_text_frame(&bytes, FINAL | WS_BINARY, "\xe1\xbd");
    put_text_frame(&bytes, FINAL | WS_TEXT, "ok");
    expect(&bytes, "binary:\xe1\xbd text:ok ");
}

/* -- facts: close ------------------------------------------------------------------------------ */

static bool may_be_sent(int code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static void every_close_code_is_known_as_allowed_or_not(void **state)
{
    (void)state;
    for (int code = 0; code <= 65535; code++) {
        struct buffer bytes = {0};
        put_close(&bytes, code, "bye", 3);
        char expected[40], *log = decode(&bytes, NO_SPLIT);
        if (may_be_sent(code))
            snprintf(expected, sizeof expected, "close:%d:bye ", code);
        else
            snprintf(expected, sizeof expected, "error:1002 ");
        assert_string_equal(log, expected);
        free(log);
        buffer_deinit(&bytes);
    }
}

static void a_close_may_be_empty_but_not_have_half_a_code(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    put_text_frame(&bytes, FINAL | WS_CLOSE, "");
    expect(&bytes, "close:1005: ");
    put_text_frame(&bytes, FINAL | WS_CLOSE, "\x03");
    expect(&bytes, "error:1002 ");
}

static void a_close_reason_is_utf8_of_up_to_123_bytes(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    put_close(&bytes, 1000, "\xe1\xbd\xb9", 3);
    expect(&bytes, "close:1000:\xe1\xbd\xb9 ");
    put_close(&bytes, 1000, "\xe1\xbd", 2);
    expect(&bytes, "error:1007 ");
    put_close(&bytes, 4000, "a\xff", 2);
    expect(&bytes, "error:1007 ");
    char reason[124] = {0}, expected[160];
    memset(reason, 'r', 123);
    put_close(&bytes, 4999, reason, 123);
    snprintf(expected, sizeof expected, "close:4999:%s ", reason);
    expect(&bytes, expected);
}

/* -- facts: compressed messages (RFC 7692) ------------------------------------------------------
 */

static struct ws_event feed_compressed(struct buffer *bytes, struct ws_decoder *decoder)
{
    size_t consumed;
    ws_decoder_init(decoder);
    decoder->allows_compression = true;
    struct ws_event event = ws_decoder_feed(decoder, bytes->data, bytes->size, &consumed);
    buffer_consume(bytes, consumed);
    return event;
}

static void a_compressed_message_is_marked_and_not_checked_for_utf8(void **state)
{
    (void)state;
    struct ws_decoder decoder;
    struct buffer bytes = {0};
    size_t consumed;
    put_frame(&bytes, COMPRESSED | WS_TEXT, "\xff\xfe", 2);
    put_frame(&bytes, FINAL | WS_PING, "x", 1);
    put_frame(&bytes, FINAL | WS_CONTINUATION, "\xfd", 1);
    put_frame(&bytes, FINAL | WS_TEXT, "plain", 5);
    struct ws_event event = feed_compressed(&bytes, &decoder);
    assert_int_equal(event.type, WS_EVENT_DATA);
    assert_true(event.is_compressed && event.is_message_start && !event.is_message_end);
    event = ws_decoder_feed(&decoder, bytes.data, bytes.size, &consumed);
    buffer_consume(&bytes, consumed);
    assert_int_equal(event.type, WS_EVENT_CONTROL);
    event = ws_decoder_feed(&decoder, bytes.data, bytes.size, &consumed);
    buffer_consume(&bytes, consumed);
    assert_true(event.is_compressed && event.is_message_end);
    event = ws_decoder_feed(&decoder, bytes.data, bytes.size, &consumed);
    assert_false(event.is_compressed);
    assert_memory_equal(event.payload, "plain", 5);
    buffer_deinit(&bytes);
}

static void only_the_first_frame_of_a_message_may_be_marked_compressed(void **state)
{
    (void)state;
    static const int refused[] = {FINAL | COMPRESSED | WS_PING, FINAL | COMPRESSED | WS_CLOSE,
                                  FINAL | COMPRESSED | 0x20 | WS_TEXT, FINAL | 0x10 | WS_TEXT};
    struct ws_decoder decoder;
    struct buffer bytes = {0};
    size_t consumed;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        put_frame(&bytes, refused[i], "", 0);
        struct ws_event event = feed_compressed(&bytes, &decoder);
        assert_int_equal(event.type, WS_EVENT_ERROR);
        assert_int_equal(event.close_code, WS_CLOSE_PROTOCOL_ERROR);
        buffer_clear(&bytes);
    }
    put_frame(&bytes, COMPRESSED | WS_TEXT, "a", 1);
    put_frame(&bytes, FINAL | COMPRESSED | WS_CONTINUATION, "b", 1);
    assert_int_equal(feed_compressed(&bytes, &decoder).type, WS_EVENT_DATA);
    struct ws_event event = ws_decoder_feed(&decoder, bytes.data, bytes.size, &consumed);
    assert_int_equal(event.type, WS_EVENT_ERROR);
    assert_int_equal(consumed, 1);
    buffer_clear(&bytes);
    put_frame(&bytes, FINAL | COMPRESSED | WS_TEXT, "a", 1); /* and nowhere without negotiation */
    expect(&bytes, "error:1002 ");
}

/* -- facts: what the server sends -------------------------------------------------------------- */

static void headers_are_written_in_the_shortest_form(void **state)
{
    (void)state;
    static const struct {
        uint64_t size;
        size_t header_size;
        const char *header;
    } expected[] = {
        {0, 2, "\x81\x00"},
        {125, 2, "\x81\x7d"},
        {126, 4, "\x81\x7e\x00\x7e"},
        {127, 4, "\x81\x7e\x00\x7f"},
        {65535, 4, "\x81\x7e\xff\xff"},
        {65536, 10, "\x81\x7f\0\0\0\0\0\x01\0\0"},
        {UINT64_C(0x0123456789abcdef), 10, "\x81\x7f\x01\x23\x45\x67\x89\xab\xcd\xef"},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        char header[WS_FRAME_HEADER_MAX];
        assert_int_equal(ws_encode_header(header, WS_TEXT, expected[i].size),
                         expected[i].header_size);
        assert_memory_equal(header, expected[i].header, expected[i].header_size);
    }
    char header[WS_FRAME_HEADER_MAX];
    ws_encode_header(header, WS_PONG, 3);
    assert_memory_equal(header, "\x8a\x03", 2);
    ws_encode_header(header, WS_TEXT, 3);
    ws_mark_compressed(header);
    assert_memory_equal(header, "\xc1\x03", 2);
}

static void a_close_payload_is_code_and_reason_cut_to_fit(void **state)
{
    (void)state;
    char payload[WS_CONTROL_PAYLOAD_MAX], reason[200] = {0};
    assert_int_equal(ws_encode_close(payload, 1001, "server shutdown"), 17);
    assert_memory_equal(payload, "\x03\xe9server shutdown", 17);
    assert_int_equal(ws_encode_close(payload, 1000, ""), 2);
    memset(reason, 'r', sizeof reason - 1);
    assert_int_equal(ws_encode_close(payload, 4999, reason), 125);
    assert_memory_equal(payload + 2, reason, 123);
}

/* -- facts: the handshake's key ---------------------------------------------------------------- */

static void the_accept_key_of_the_rfc_comes_out(void **state)
{
    (void)state;
    char accept[WS_ACCEPT_SIZE];
    assert_true(ws_accept_key("dGhlIHNhbXBsZSBub25jZQ==", 24, accept)); /* RFC 6455 §1.3 */
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    /* A slice: what stands behind it does not count. */
    assert_true(ws_accept_key("x3JJHMbDL1EzLkh9GBhXDw==garbage", 24, accept));
    assert_string_equal(accept, "HSmrc0sMlYUkAGmm5OPpG2HaGWk=");
}

static void a_key_that_is_not_16_bytes_in_base64_is_refused(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBsZSBub25jZQ=A",
        "dGhlIHNhbXBsZSBub25jZQA=",
        "dGhlIHNhbXBsZSBub25jZQAA",
        "dGhlIHNhbXBsZSBub25j\xc3\xa4==",
        "dGhlIHNhbXBsZSBub25j-_==",
        "dGhl=HNhbXBsZSBub25jZQ==",
        "========================",
        "    IHNhbXBsZSBub25jZQ==",
        "dGhlIHNhbXBsZSBub25jZQ==dGhlIHNhbXBsZSBub25jZQ==",
    };
    char accept[WS_ACCEPT_SIZE];
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (ws_accept_key(keys[i], strlen(keys[i]), accept))
            fail_msg("taken: '%s'", keys[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_rfc_are_understood),
        cmocka_unit_test(every_length_form_is_read_at_its_boundaries),
        cmocka_unit_test(payloads_of_every_short_length_are_unmasked_at_every_split),
        cmocka_unit_test(each_frame_has_a_mask_of_its_own),
        cmocka_unit_test(fragments_make_one_message_and_control_frames_may_stand_between),
        cmocka_unit_test(empty_fragments_are_allowed_at_both_ends),
        cmocka_unit_test(the_longest_control_payload_is_125_bytes),
        cmocka_unit_test(reserved_bits_and_opcodes_are_refused_at_the_first_byte),
        cmocka_unit_test(fragmented_control_frames_are_refused_at_the_first_byte),
        cmocka_unit_test(a_frame_without_a_mask_is_refused_at_its_second_byte),
        cmocka_unit_test(continuations_belong_to_a_message_and_messages_do_not_nest),
        cmocka_unit_test(lengths_must_be_in_their_shortest_form),
        cmocka_unit_test(a_64_bit_length_must_not_have_its_highest_bit),
        cmocka_unit_test(a_huge_frame_is_passed_on_as_it_comes),
        cmocka_unit_test(after_an_error_nothing_is_taken_any_more),
        cmocka_unit_test(characters_may_be_cut_by_fragments_and_pings),
        cmocka_unit_test(text_that_cannot_become_utf8_is_refused_at_the_byte_that_shows_it),
        cmocka_unit_test(a_message_must_not_end_inside_a_character),
        cmocka_unit_test(every_close_code_is_known_as_allowed_or_not),
        cmocka_unit_test(a_close_may_be_empty_but_not_have_half_a_code),
        cmocka_unit_test(a_close_reason_is_utf8_of_up_to_123_bytes),
        cmocka_unit_test(a_compressed_message_is_marked_and_not_checked_for_utf8),
        cmocka_unit_test(only_the_first_frame_of_a_message_may_be_marked_compressed),
        cmocka_unit_test(headers_are_written_in_the_shortest_form),
        cmocka_unit_test(a_close_payload_is_code_and_reason_cut_to_fit),
        cmocka_unit_test(the_accept_key_of_the_rfc_comes_out),
        cmocka_unit_test(a_key_that_is_not_16_bytes_in_base64_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
