/* permessage-deflate: what is negotiated, what is made, what is understood (RFC 7692). */
#include "base/check.h"
#include "wire/deflate.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include <setjmp.h>

#include <cmocka.h>

#define ANSWER "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

/* -- negotiation ------------------------------------------------------------------------------- */

/* Negotiates with a head that has one Sec-WebSocket-Extensions for each line of `lists`. */
static enum ws_deflate_offer negotiate(const char *lists, char answer[WS_DEFLATE_ANSWER_SIZE])
{
    struct http_head head = {0};
    const char *start = lists;
    answer[0] = '\0';
    for (;;) {
        size_t size = strcspn(start, "\n");
        head.headers[head.header_count++] =
            (struct http_header){{"sec-websocket-extensions", 24}, {start, size}};
        if (start[size] == '\0')
            break;
        start += size + 1;
    }
    return ws_deflate_negotiate(&head, answer);
}

static void legal_offers_are_accepted(void **state)
{
    (void)state;
    static const struct {
        const char *offer, *answer;
    } legal[] = {
        {"permessage-deflate", ANSWER},
        {"PerMessage-Deflate", ANSWER},
        {"permessage-deflate; client_max_window_bits", ANSWER},
        {"permessage-deflate;client_max_window_bits=8", ANSWER},
        {"permessage-deflate; client_max_window_bits=15", ANSWER},
        {"permessage-deflate; server_no_context_takeover", ANSWER},
        {"permessage-deflate; client_no_context_takeover; server_no_context_takeover", ANSWER},
        {"permessage-deflate; server_max_window_bits=8", ANSWER "; server_max_window_bits=8"},
        {"permessage-deflate; server_max_window_bits=\"10\"", ANSWER "; server_max_window_bits=10"},
        {"permessage-deflate ; server_max_window_bits = 15 ; client_max_window_bits",
         ANSWER "; server_max_window_bits=15"},
        {"x-webkit-deflate-frame, permessage-deflate", ANSWER},
        {"permessage-bzip2; level=9, permessage-deflate", ANSWER},
        {"permessage-deflate; server_max_window_bits=9, permessage-deflate",
         ANSWER "; server_max_window_bits=9"},
        {", ,permessage-deflate,", ANSWER},
        {"foo\npermessage-deflate", ANSWER},
        {"permessage-deflate\npermessage-deflate; server_max_window_bits=9", ANSWER},
    };
    for (size_t i = 0; i < sizeof legal / sizeof *legal; i++) {
        char answer[WS_DEFLATE_ANSWER_SIZE];
        if (negotiate(legal[i].offer, answer) != WS_DEFLATE_ACCEPTED)
            fail_msg("'%s' is not accepted", legal[i].offer);
        assert_string_equal(answer, legal[i].answer);
    }
}

static void an_invalid_offer_is_skipped_for_the_next(void **state)
{
    (void)state;
    static const char *const invalid[] = {
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=08",
        "permessage-deflate; server_max_window_bits=1a",
        "permessage-deflate; server_max_window_bits=999999999999",
        "permessage-deflate; client_max_window_bits=0",
        "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover=true",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; client_max_window_bits; client_max_window_bits=9",
        "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9",
        "permessage-deflate; mux",
        "permessage-deflat",
        "x-permessage-deflate",
    };
    char answer[WS_DEFLATE_ANSWER_SIZE], list[256];
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
        if (negotiate(invalid[i], answer) != WS_DEFLATE_NONE)
            fail_msg("'%s' is accepted", invalid[i]);
        snprintf(list, sizeof list, "%s, permessage-deflate; server_max_window_bits=12",
                 invalid[i]);
        assert_int_equal(negotiate(list, answer), WS_DEFLATE_ACCEPTED);
        assert_string_equal(answer, ANSWER "; server_max_window_bits=12");
    }
    assert_int_equal(negotiate("", answer), WS_DEFLATE_NONE);
}

static void what_is_no_list_of_extensions_is_malformed(void **state)
{
    (void)state;
    static const char *const malformed[] = {
        "permessage-deflate;",
        "permessage-deflate; =9",
        "permessage-deflate; server_max_window_bits=",
        "permessage-deflate; server_max_window_bits=\"9",
        "permessage-deflate; server_max_window_bits=\"\"",
        "permessage-deflate; server_max_window_bits=\" 9\"",
        "permessage-deflate client_max_window_bits",
        "permessage-deflate=1",
        "permessage/deflate",
        "; permessage-deflate",
        "permessage-deflate, @",
        "permessage-deflate\n;",
    };
    char answer[WS_DEFLATE_ANSWER_SIZE];
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++)
        if (negotiate(malformed[i], answer) != WS_DEFLATE_MALFORMED)
            fail_msg("'%s' is not found malformed", malformed[i]);
}

/* -- messages ---------------------------------------------------------------------------------- */

static struct buffer deflate_text(const char *text, size_t size)
{
    struct ws_deflater *deflater = ws_deflater_create();
    struct buffer out = {0};
    ws_deflate(deflater, "an earlier message, of which nothing is remembered", 50, &out);
    buffer_clear(&out);
    ws_deflate(deflater, text, size, &out);
    ws_deflater_destroy(deflater);
    return out;
}

static enum ws_inflate_result inflate_bytes(const void *payload, size_t size, size_t size_max,
                                            struct buffer *out)
{
    struct ws_inflater *inflater = ws_inflater_create();
    struct buffer earlier = {0};
    ws_inflate(inflater, "\xff\xff", 2, 10, &earlier); /* a broken one leaves nothing behind */
    ws_inflate(inflater, "\xf2\x48\xcd", 3, 10, &earlier);
    buffer_deinit(&earlier);
    char *exact = malloc(size > 0 ? size : 1); /* so that a sanitizer sees a step beyond */
    memcpy(exact, payload, size);
    enum ws_inflate_result result = ws_inflate(inflater, exact, size, size_max, out);
    free(exact);
    ws_inflater_destroy(inflater);
    return result;
}

/* A snapshot's text of `count` levels. */
static struct buffer snapshot_text(size_t count)
{
    struct buffer text = {0};
    uint32_t random = 1;
    for (size_t i = 0; i < count; i++) {
        random = random * 1664525 + 1013904223;
        buffer_append_format(&text, "{\"price\":%zu,\"long_density\":%u.%u,\"short_density\":0},",
                             80000 + i * 100, random >> 8, random & 0xFFFF);
    }
    return text;
}

static void what_is_compressed_inflates_to_the_same(void **state)
{
    (void)state;
    for (size_t count = 0; count < 400; count += count < 5 ? 1 : 79) {
        struct buffer text = snapshot_text(count), out = {0};
        struct buffer deflated = deflate_text(text.data, text.size);
        assert_int_equal(inflate_bytes(deflated.data, deflated.size, text.size, &out),
                         WS_INFLATE_DONE);
        assert_int_equal(out.size, text.size);
        assert_memory_equal(out.data, text.data, text.size);
        assert_true(count < 5 || deflated.size * 2 < text.size);
        buffer_deinit(&text);
        buffer_deinit(&deflated);
        buffer_deinit(&out);
    }
}

static void data_that_does_not_compress_is_carried_too(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20 };
    char *noise = malloc(SIZE);
    uint32_t random = 7;
    for (size_t i = 0; i < SIZE; i++)
        noise[i] = (char)((random = random * 1664525 + 1013904223) >> 24);
    struct buffer out = {0}, deflated = deflate_text(noise, SIZE);
    assert_int_equal(inflate_bytes(deflated.data, deflated.size, SIZE, &out), WS_INFLATE_DONE);
    assert_int_equal(out.size, SIZE);
    assert_memory_equal(out.data, noise, SIZE);
    buffer_deinit(&deflated);
    buffer_deinit(&out);
    free(noise);
}

/* Inflates with a window of 256 bytes, one byte at a time, so that nothing farther is in reach. */
static bool fits_smallest_window(const struct buffer *deflated, size_t text_size)
{
    z_stream stream = {.next_in = (Bytef *)deflated->data, .avail_in = (uInt)deflated->size};
    size_t made = 0;
    int result = inflateInit2(&stream, -8);
    while (result == Z_OK && made < text_size) {
        Bytef byte;
        stream.next_out = &byte;
        stream.avail_out = 1;
        result = inflate(&stream, Z_SYNC_FLUSH);
        made += stream.avail_out == 0;
    }
    inflateEnd(&stream);
    return made == text_size;
}

static void one_form_fits_every_window_that_can_be_asked_for(void **state)
{
    (void)state;
    struct buffer text = snapshot_text(500);
    for (size_t gap = 1; gap < 600; gap++) { /* matches at every distance */
        char word[16];
        snprintf(word, sizeof word, "<repeat %zu>", gap);
        buffer_append_text(&text, word);
        for (size_t i = 0; i < gap; i++)
            buffer_append_char(&text, (char)(32 + (i * 7 + gap) % 90));
        buffer_append_text(&text, word);
    }
    struct buffer deflated = deflate_text(text.data, text.size);
    assert_true(fits_smallest_window(&deflated, text.size));
    buffer_deinit(&text);
    buffer_deinit(&deflated);
}

static void the_examples_of_the_rfc_are_understood(void **state)
{
    (void)state;
    static const struct {
        const char *payload;
        size_t size;
        const char *text;
    } examples[] = {
        {"\xf2\x48\xcd\xc9\xc9\x07\x00", 7, "Hello"},                          /* §7.2.3.1 */
        {"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11, "Hello"},         /* §7.2.3.3 */
        {"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8, "Hello"},                      /* §7.2.3.4 */
        {"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13, "Hello"}, /* §7.2.3.5 */
        {"\x00", 1, ""},                                                       /* §7.2.3.6 */
    };
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        struct buffer out = {0};
        assert_int_equal(inflate_bytes(examples[i].payload, examples[i].size, 5, &out),
                         WS_INFLATE_DONE);
        assert_string_equal(buffer_text(&out), examples[i].text);
        buffer_deinit(&out);
    }
}

static void a_message_that_ends_inside_a_block_is_invalid(void **state)
{
    (void)state;
    struct buffer text = snapshot_text(40), deflated = deflate_text(text.data, text.size);
    for (size_t size = 1; size < deflated.size; size++) {
        struct buffer out = {0};
        if (inflate_bytes(deflated.data, size, 100000, &out) == WS_INFLATE_DONE)
            assert_true(out.size == text.size); /* only the padding of the last byte is missing */
        buffer_deinit(&out);
    }
    buffer_deinit(&text);
    buffer_deinit(&deflated);
}

static void what_is_not_deflate_is_invalid(void **state)
{
    (void)state;
    static const char *const broken[] = {"\xff\xff\xff\xff", "\x07", "garbage, plainly",
                                         "\x00\x05\x00\x00\x00Hello"};
    static const size_t sizes[] = {4, 1, 16, 10};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct buffer out = {0};
        assert_int_equal(inflate_bytes(broken[i], sizes[i], 4096, &out), WS_INFLATE_INVALID);
        buffer_deinit(&out);
    }
}

static void a_decompression_bomb_is_not_inflated(void **state)
{
    (void)state;
    enum { SIZE = 50 * 1000 * 1000, MAX = 4096 };
    char *zeros = calloc(1, SIZE);
    struct buffer bomb = deflate_text(zeros, SIZE), out = {0};
    assert_true(bomb.size < SIZE / 100);
    assert_int_equal(inflate_bytes(bomb.data, bomb.size, MAX, &out), WS_INFLATE_TOO_BIG);
    assert_true(out.size <= MAX && out.capacity < 8 * MAX);
    buffer_deinit(&bomb);
    bomb = deflate_text(zeros, MAX + 1);
    buffer_clear(&out);
    assert_int_equal(inflate_bytes(bomb.data, bomb.size, MAX, &out), WS_INFLATE_TOO_BIG);
    buffer_deinit(&bomb);
    bomb = deflate_text(zeros, MAX);
    buffer_clear(&out);
    assert_int_equal(inflate_bytes(bomb.data, bomb.size, MAX, &out), WS_INFLATE_DONE);
    assert_int_equal(out.size, MAX);
    buffer_deinit(&bomb);
    buffer_deinit(&out);
    free(zeros);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(legal_offers_are_accepted),
        cmocka_unit_test(an_invalid_offer_is_skipped_for_the_next),
        cmocka_unit_test(what_is_no_list_of_extensions_is_malformed),
        cmocka_unit_test(what_is_compressed_inflates_to_the_same),
        cmocka_unit_test(data_that_does_not_compress_is_carried_too),
        cmocka_unit_test(one_form_fits_every_window_that_can_be_asked_for),
        cmocka_unit_test(the_examples_of_the_rfc_are_understood),
        cmocka_unit_test(a_message_that_ends_inside_a_block_is_invalid),
        cmocka_unit_test(what_is_not_deflate_is_invalid),
        cmocka_unit_test(a_decompression_bomb_is_not_inflated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
