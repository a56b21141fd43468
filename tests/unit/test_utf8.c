/* UTF-8 validity: whole, and cut at every byte. */
#include "base/utf8.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static bool is_valid_in_pieces(const char *text, size_t size, size_t cut)
{
    struct utf8 state = {0};
    return utf8_feed(&state, text, cut) && utf8_feed(&state, text + cut, size - cut) &&
           utf8_is_complete(&state);
}

/* The verdict, which must not depend on where the text is cut. */
static bool is_valid(const char *text)
{
    size_t size = strlen(text);
    bool whole = is_valid_in_pieces(text, size, 0);
    for (size_t cut = 1; cut <= size; cut++)
        assert_int_equal(is_valid_in_pieces(text, size, cut), whole);
    return whole;
}

static void every_code_point_but_the_surrogates_is_valid(void **state)
{
    (void)state;
    for (uint32_t point = 1; point < 0x110000; point++) {
        char text[5] = {0};
        if (point < 0x80) {
            text[0] = (char)point;
        } else if (point < 0x800) {
            text[0] = (char)(0xC0 | point >> 6);
            text[1] = (char)(0x80 | (point & 63));
        } else if (point < 0x10000) {
            text[0] = (char)(0xE0 | point >> 12);
            text[1] = (char)(0x80 | (point >> 6 & 63));
            text[2] = (char)(0x80 | (point & 63));
        } else {
            text[0] = (char)(0xF0 | point >> 18);
            text[1] = (char)(0x80 | (point >> 12 & 63));
            text[2] = (char)(0x80 | (point >> 6 & 63));
            text[3] = (char)(0x80 | (point & 63));
        }
        bool is_surrogate = point >= 0xD800 && point < 0xE000;
        if (is_valid(text) == is_surrogate)
            fail_msg("U+%04X", point);
        assert_int_equal(utf8_sequence_size(text, strlen(text)), is_surrogate ? 0 : strlen(text));
    }
}

static void malformed_sequences_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\x80",     /* a continuation alone */
        "\xC0\x80", /* overlong */
        "\xC1\xBF",
        "\xE0\x9F\xBF",
        "\xF0\x8F\xBF\xBF",
        "\xED\xA0\x80",     /* a surrogate */
        "\xF4\x90\x80\x80", /* above U+10FFFF */
        "\xF5\x80\x80\x80",
        "\xFF",
        "\xC3", /* cut short */
        "\xE2\x82",
        "\xF0\x9F\x98",
        "\xE2\x82\x41", /* a letter where a continuation belongs */
        "abc\xC3\xC3\xA4",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (is_valid(texts[i]))
            fail_msg("text %zu was accepted", i);
}

static void a_wrong_byte_is_noticed_at_once(void **state)
{
    (void)state;
    struct utf8 utf8 = {0};
    assert_true(utf8_feed(&utf8, "\xE0", 1));
    assert_false(utf8_feed(&utf8, "\x80", 1));
}

static void an_empty_text_is_valid(void **state)
{
    (void)state;
    assert_true(is_valid(""));
    assert_int_equal(utf8_sequence_size("", 0), 0);
    assert_int_equal(utf8_sequence_size("\xC3\xA4", 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_but_the_surrogates_is_valid),
        cmocka_unit_test(malformed_sequences_are_refused),
        cmocka_unit_test(a_wrong_byte_is_noticed_at_once),
        cmocka_unit_test(an_empty_text_is_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
