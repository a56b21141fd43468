/* Taking text apart: each cut removes exactly what it returns. */
#include "base/slice.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static void assert_slice(struct slice slice, const char *expected)
{
    if (!slice_equals(slice, expected))
        fail_msg("'%.*s' is not '%s'", slice_arguments(slice), expected);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void comparing_minds_the_size(void **state)
{
    (void)state;
    struct slice slice = {"Upgrade: x", 7};
    assert_true(slice_equals(slice, "Upgrade"));
    assert_false(slice_equals(slice, "Upgrad"));
    assert_false(slice_equals(slice, "upgrade"));
    assert_true(slice_equals_ignoring_case(slice, "uPGRADE"));
    assert_false(slice_equals_ignoring_case(slice, "Upgrade:"));
    assert_true(slice_starts_with(slice, "Up"));
    assert_true(slice_starts_with(slice, ""));
    assert_false(slice_starts_with(slice, "Upgrade:"));
    assert_true(slice_equals((struct slice){0}, ""));
}

static void trimming_takes_blanks_and_tabs_off_both_ends(void **state)
{
    (void)state;
    assert_slice(slice_trim(slice_of(" \t a b\t ")), "a b");
    assert_slice(slice_trim(slice_of(" \t ")), "");
    assert_slice(slice_trim(slice_of("\na")), "\na");
}

static void what_is_taken_is_gone(void **state)
{
    (void)state;
    struct slice rest = slice_of("2025-12");
    assert_slice(slice_take_while(&rest, is_digit), "2025");
    assert_false(slice_try_take(&rest, "--"));
    assert_slice(rest, "-12");
    assert_true(slice_try_take(&rest, "-"));
    assert_slice(slice_take(&rest, 2), "12");
    assert_int_equal(rest.size, 0);
    assert_slice(slice_take_while(&rest, is_digit), "");
}

static void splitting_removes_the_separator(void **state)
{
    (void)state;
    struct slice rest = slice_of("key=a=b"), before;
    assert_true(slice_split(&rest, '=', &before));
    assert_slice(before, "key");
    assert_slice(rest, "a=b");
    rest = slice_of("alone");
    assert_false(slice_split(&rest, '=', &before));
    assert_slice(before, "alone");
    assert_int_equal(rest.size, 0);
}

static void the_last_separator_splits_from_the_end(void **state)
{
    (void)state;
    struct slice rest = slice_of("a@b@c"), after;
    assert_true(slice_split_last(&rest, '@', &after));
    assert_slice(rest, "a@b");
    assert_slice(after, "c");
    rest = slice_of("@");
    assert_true(slice_split_last(&rest, '@', &after));
    assert_slice(rest, "");
    assert_slice(after, "");
    rest = slice_of("alone");
    assert_false(slice_split_last(&rest, '@', &after));
    assert_slice(rest, "");
    assert_slice(after, "alone");
}

static void words_are_never_empty(void **state)
{
    (void)state;
    struct slice rest = slice_of(" ,a, b ,,c,"), word;
    const char *const expected[] = {"a", "b", "c"};
    for (size_t i = 0; i < 3; i++) {
        assert_true(slice_take_word(&rest, ", ", &word));
        assert_slice(word, expected[i]);
    }
    assert_false(slice_take_word(&rest, ", ", &word));
    assert_int_equal(rest.size, 0);
    rest = (struct slice){"a\0b", 3}; /* a NUL separates nothing */
    assert_true(slice_take_word(&rest, ", ", &word));
    assert_int_equal(word.size, 3);
}

static void a_list_has_an_item_more_than_separators(void **state)
{
    (void)state;
    struct slice_list list = {.rest = slice_of(" a,b ,,")};
    const char *const expected[] = {"a", "b", "", ""};
    struct slice item;
    for (size_t i = 0; i < 4; i++) {
        assert_true(slice_list_next(&list, ',', &item));
        assert_slice(item, expected[i]);
    }
    assert_false(slice_list_next(&list, ',', &item));
    list = (struct slice_list){.rest = slice_of("")};
    assert_true(slice_list_next(&list, ',', &item));
    assert_slice(item, "");
    assert_false(slice_list_next(&list, ',', &item));
}

static void a_copy_fits_whole_or_not_at_all(void **state)
{
    (void)state;
    char text[4] = "xyz";
    assert_false(slice_copy(slice_of("abcd"), text, sizeof text));
    assert_false(slice_copy((struct slice){"a\0b", 3}, text, sizeof text));
    assert_string_equal(text, "xyz");
    assert_true(slice_copy(slice_of("abc"), text, sizeof text));
    assert_string_equal(text, "abc");
    assert_true(slice_copy((struct slice){0}, text, sizeof text));
    assert_string_equal(text, "");
}

static void numbers_are_digits_alone_up_to_a_bound(void **state)
{
    (void)state;
    uint64_t value;
    assert_true(slice_parse_unsigned(slice_of("0042"), 42, &value));
    assert_int_equal(value, 42);
    assert_true(slice_parse_unsigned(slice_of("18446744073709551615"), UINT64_MAX, &value));
    assert_true(value == UINT64_MAX);
    static const char *const wrong[] = {"",
                                        "43",
                                        "+1",
                                        "-1",
                                        " 1",
                                        "1 ",
                                        "1.0",
                                        "0x1",
                                        "18446744073709551616",
                                        "99999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(slice_parse_unsigned(slice_of(wrong[i]), i == 1 ? 42 : UINT64_MAX, &value));
}

static void fractions_are_decimal_and_finite(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } expected[] = {{"0", 0}, {"-1.5", -1.5}, {"+2e3", 2000}, {".5", 0.5}, {"007", 7}};
    double value = 0;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_true(slice_parse_double(slice_of(expected[i].text), &value));
        assert_true(value == expected[i].value);
    }
    assert_true(slice_parse_double((struct slice){"12e", 2}, &value));
    assert_true(value == 12);
    char longest[65];
    memset(longest, '0', sizeof longest);
    assert_true(slice_parse_double((struct slice){longest, 63}, &value));
    assert_false(slice_parse_double((struct slice){longest, 64}, &value));
    static const char *const wrong[] = {"",    ".",     "e5", "1e", "1.2.3", "0x10", "nan",
                                        "inf", "1e999", " 1", "1 ", "1,5",   "--1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (slice_parse_double(slice_of(wrong[i]), &value))
            fail_msg("'%s' is %g", wrong[i], value);
}

static void percent_encoding_is_undone_or_refused(void **state)
{
    (void)state;
    char text[8];
    assert_true(slice_percent_decode(slice_of("a%2Cb%2f+"), true, text, sizeof text));
    assert_string_equal(text, "a,b/ ");
    assert_true(slice_percent_decode(slice_of("a+b"), false, text, sizeof text));
    assert_string_equal(text, "a+b");
    assert_true(slice_percent_decode(slice_of("1234567"), false, text, sizeof text));
    assert_true(slice_percent_decode((struct slice){0}, false, text, sizeof text));
    static const char *const wrong[] = {"%", "%2", "%zz", "%2z", "%00", "12345678"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(slice_percent_decode(slice_of(wrong[i]), false, text, sizeof text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparing_minds_the_size),
        cmocka_unit_test(trimming_takes_blanks_and_tabs_off_both_ends),
        cmocka_unit_test(what_is_taken_is_gone),
        cmocka_unit_test(splitting_removes_the_separator),
        cmocka_unit_test(the_last_separator_splits_from_the_end),
        cmocka_unit_test(words_are_never_empty),
        cmocka_unit_test(a_list_has_an_item_more_than_separators),
        cmocka_unit_test(a_copy_fits_whole_or_not_at_all),
        cmocka_unit_test(numbers_are_digits_alone_up_to_a_bound),
        cmocka_unit_test(fractions_are_decimal_and_finite),
        cmocka_unit_test(percent_encoding_is_undone_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
