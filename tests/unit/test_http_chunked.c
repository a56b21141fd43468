/* Where a chunked body ends, however its bytes come, and what is refused because that could not be
 * told. */
#include "wire/http_chunked.h"

#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Skips in pieces of `piece` bytes, each in memory of its own. Returns the result and how much the
 * body had. */
static enum http_chunked_result skip_body(const char *text, size_t size, size_t piece,
                                          size_t *total)
{
    struct http_chunked chunked = {0};
    enum http_chunked_result result = HTTP_CHUNKED_NEEDS_MORE;
    *total = 0;
    for (size_t at = 0; at < size && result == HTTP_CHUNKED_NEEDS_MORE; at += piece) {
        size_t count = size - at < piece ? size - at : piece, consumed;
        char *copy = malloc(count);
        memcpy(copy, text + at, count);
        result = http_chunked_skip(&chunked, copy, count, &consumed);
        if (result == HTTP_CHUNKED_NEEDS_MORE)
            assert_int_equal(consumed, count);
        *total += consumed;
        free(copy);
    }
    size_t consumed;
    assert_int_equal(http_chunked_skip(&chunked, "0\r\n\r\n", 0, &consumed), result);
    assert_int_equal(consumed, 0);
    return result;
}

/* With `behind` behind the body: the next request. */
static void expect_end(const char *section, const char *body)
{
    static const char behind[] = "GET / HTTP/1.1\r\n\r\n";
    size_t size = strlen(body), total;
    struct buffer text = {0};
    buffer_append_text(&text, body);
    buffer_append_text(&text, behind);
    for (size_t piece = 1; piece <= text.size; piece++)
        if (skip_body(text.data, text.size, piece, &total) != HTTP_CHUNKED_DONE || total != size)
            fail_msg("%s: '%s' ends at %zu, in pieces of %zu", section, body, total, piece);
    for (size_t cut = 0; cut < size; cut++)
        assert_int_equal(skip_body(body, cut, SIZE_MAX, &total), HTTP_CHUNKED_NEEDS_MORE);
    buffer_deinit(&text);
}

static void expect_bad(const char *section, const char *body)
{
    size_t total;
    for (size_t piece = 1; piece <= strlen(body); piece++)
        if (skip_body(body, strlen(body), piece, &total) != HTTP_CHUNKED_BAD)
            fail_msg("%s: '%s' is not refused in pieces of %zu", section, body, piece);
}

static void a_body_ends_behind_its_last_chunk_and_trailers(void **state)
{
    (void)state;
    static const char *const bodies[][2] = {
        {"RFC 9112 §7.1", "0\r\n\r\n"},
        {"RFC 9112 §7.1", "000\r\n\r\n"},
        {"RFC 9112 §7.1", "3\r\nabc\r\n0\r\n\r\n"},
        {"RFC 9112 §7.1", "3\r\n\r\n\r\r\n1\r\nx\r\n0\r\n\r\n"},
        {"RFC 9112 §7.1", "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"},
        {"RFC 9112 §7.1", "00000000000000000010\r\n0123456789abcdef\r\n0\r\n\r\n"},
        {"RFC 9112 §7.1.1", "1;a\r\nx\r\n0;b=c;d=\"e f\"\r\n\r\n"},
        {"RFC 9112 §7.1.1", "1 ; a = b\r\nx\r\n0\t\r\n\r\n"},
        {"RFC 9112 §7.1.2", "0\r\nA: 1\r\nB: \xc3\xa4\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        expect_end(bodies[i][0], bodies[i][1]);
}

static void what_could_end_elsewhere_for_another_parser_is_refused(void **state)
{
    (void)state;
    static const char *const bodies[][2] = {
        {"RFC 9112 §7.1", "\r\n"},
        {"RFC 9112 §7.1", "x\r\n"},
        {"RFC 9112 §7.1", "-1\r\n"},
        {"RFC 9112 §7.1", "+1\r\n"},
        {"RFC 9112 §7.1", "0x1\r\n"},
        {"RFC 9112 §7.1", " 1\r\n"},
        {"RFC 9112 §7.1", "1\nx"},
        {"RFC 9112 §7.1", "1\rx"},
        {"RFC 9112 §7.1", "1\r\nxy"},
        {"RFC 9112 §7.1", "1\r\nx\n"},
        {"RFC 9112 §7.1", "1\r\nx\r\r"},
        {"RFC 9112 §7.1", "0\r\n\n"},
        {"RFC 9112 §7.1", "0\r\n\rx"},
        {"RFC 9112 §7.1", "10000000000000000\r\n"},
        {"RFC 9112 §7.1", "ffffffffffffffff\r\n"},
        {"RFC 9112 §7.1.1", "1;a\nx"},
        {"RFC 9112 §7.1.1", "1;a\rx"},
        {"RFC 9112 §7.1.1", "1;\x01"},
        {"RFC 9112 §7.1.2", "0\r\n A: 1"},
        {"RFC 9112 §7.1.2", "0\r\nA: 1\n"},
        {"RFC 9112 §7.1.2", "0\r\nA: \x7f"},
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        expect_bad(bodies[i][0], bodies[i][1]);
}

static struct buffer padded(const char *before, size_t size)
{
    struct buffer text = {0};
    buffer_append_text(&text, before);
    while (text.size < size)
        buffer_append_char(&text, '0');
    return text;
}

static void extensions_and_trailers_have_a_limit(void **state)
{
    (void)state; /* RFC 9112 §7.1.1 */
    size_t total;
    struct buffer text = padded("1;", HTTP_CHUNK_LINE_MAX);
    assert_int_equal(skip_body(text.data, text.size, SIZE_MAX, &total), HTTP_CHUNKED_NEEDS_MORE);
    buffer_append_char(&text, '0');
    assert_int_equal(skip_body(text.data, text.size, SIZE_MAX, &total), HTTP_CHUNKED_BAD);
    buffer_deinit(&text);
    text = padded("", HTTP_CHUNK_LINE_MAX + 1); /* a size of many zeros */
    assert_int_equal(skip_body(text.data, text.size, SIZE_MAX, &total), HTTP_CHUNKED_BAD);
    buffer_deinit(&text);
    text = padded("0\r\nA:", 3 + HTTP_TRAILERS_MAX + 1);
    assert_int_equal(skip_body(text.data, text.size - 2, SIZE_MAX, &total),
                     HTTP_CHUNKED_NEEDS_MORE);
    assert_int_equal(skip_body(text.data, text.size, SIZE_MAX, &total), HTTP_CHUNKED_BAD);
    buffer_deinit(&text);
}

static void the_data_of_a_chunk_have_no_limit(void **state)
{
    (void)state;
    struct http_chunked chunked = {0};
    static const char zeros[65536];
    size_t consumed;
    assert_int_equal(http_chunked_skip(&chunked, "100000000\r\n", 11, &consumed),
                     HTTP_CHUNKED_NEEDS_MORE);
    for (uint64_t left = UINT64_C(0x100000000); left > 0; left -= sizeof zeros) {
        assert_int_equal(http_chunked_skip(&chunked, zeros, sizeof zeros, &consumed),
                         HTTP_CHUNKED_NEEDS_MORE);
        assert_int_equal(consumed, sizeof zeros);
    }
    assert_int_equal(http_chunked_skip(&chunked, "\r\n0\r\n\r\nx", 8, &consumed),
                     HTTP_CHUNKED_DONE);
    assert_int_equal(consumed, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_ends_behind_its_last_chunk_and_trailers),
        cmocka_unit_test(what_could_end_elsewhere_for_another_parser_is_refused),
        cmocka_unit_test(extensions_and_trailers_have_a_limit),
        cmocka_unit_test(the_data_of_a_chunk_have_no_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
