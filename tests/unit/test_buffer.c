/* Buffers: growing, JSON strings, Base64. */
#include "base/base64.h"
#include "base/buffer.h"
#include "base/decimal.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

static void an_empty_buffer_is_an_empty_text(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    assert_string_equal(buffer_text(&buffer), "");
    assert_int_equal(buffer.size, 0);
    buffer_deinit(&buffer);
    buffer_deinit(&buffer);
    buffer_append(&buffer, "", 0);
    buffer_consume(&buffer, 0);
    assert_null(buffer_detach(&buffer));
}

static void a_buffer_grows_as_it_is_filled(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    for (int i = 0; i < 100000; i++)
        buffer_append_char(&buffer, (char)('a' + i % 26));
    assert_int_equal(buffer.size, 100000);
    for (size_t i = 0; i < buffer.size; i++)
        assert_int_equal(buffer.data[i], 'a' + (int)(i % 26));
    buffer_clear(&buffer);
    assert_true(buffer.capacity >= 100000);
    buffer_deinit(&buffer);
}

static void a_large_buffer_keeps_its_content_as_it_grows(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    for (uint32_t i = 0; i < 3000000; i++)
        buffer_append(&buffer, &i, sizeof i);
    assert_int_equal(buffer.size, 12000000);
    for (uint32_t i = 0; i < 3000000; i++)
        assert_memory_equal(buffer.data + (size_t)4 * i, &i, sizeof i);
    buffer_deinit(&buffer);
}

static void integers_are_written_in_full(void **state)
{
    (void)state;
    static const int64_t values[] = {0, 1, -1, 9, 10, 1234567890, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct buffer buffer = {0};
        char expected[32];
        snprintf(expected, sizeof expected, "%lld", (long long)values[i]);
        buffer_append_int(&buffer, values[i]);
        assert_string_equal(buffer_text(&buffer), expected);
        buffer_deinit(&buffer);
    }
}

static void formatted_text_of_any_length_fits(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    buffer_append_format(&buffer, "%s-%d", "x", 7);
    buffer_append_format(&buffer, "%1000d", 5);
    assert_int_equal(buffer.size, 1003);
    assert_memory_equal(buffer.data, "x-7  ", 5);
    buffer_deinit(&buffer);
}

static void json_strings_escape_what_must_be_escaped(void **state)
{
    (void)state;
    static const char text[] = "a\"b\\c\n\x01\x7f\0\xC3\xA4\xFF\xE2\x82z";
    struct buffer buffer = {0};
    buffer_append_json_string(&buffer, text, sizeof text - 1);
    assert_string_equal(buffer_text(&buffer),
                        "\"a\\\"b\\\\c\\u000a\\u0001\\u007f\\u0000\xC3\xA4\xEF\xBF\xBD\xEF\xBF\xBD"
                        "\xEF\xBF\xBDz\"");
    buffer_deinit(&buffer);
}

static void consuming_keeps_the_rest(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    buffer_append_text(&buffer, "hello world");
    buffer_consume(&buffer, 6);
    assert_string_equal(buffer_text(&buffer), "world");
    buffer_consume(&buffer, 5);
    assert_int_equal(buffer.size, 0);
    buffer_deinit(&buffer);
}

static void a_detached_text_belongs_to_the_caller(void **state)
{
    (void)state;
    struct buffer buffer = {0};
    buffer_append_text(&buffer, "mine");
    buffer_text(&buffer);
    char *text = buffer_detach(&buffer);
    assert_int_equal(buffer.capacity, 0);
    assert_string_equal(text, "mine");
    free(text);
}

static void what_is_over_the_bound_is_left_out_with_all_behind_it(void **state)
{
    (void)state;
    struct buffer_bound bound = {.size_max = 20};
    struct buffer buffer = {.bound = &bound};
    buffer_append_text(&buffer, "0123456789");
    buffer_append_format(&buffer, "%d", 12345);
    assert_false(buffer_has_failed(&buffer));
    buffer_append_text(&buffer, "too long");
    assert_int_equal(bound.failure, BUFFER_OVER_BOUND);
    /* It would fit, and be text with a hole. */
    buffer_append_char(&buffer, 'x');
    buffer_append_int(&buffer, 7);
    buffer_append_format(&buffer, "%s", "y");
    buffer_append_json_string(&buffer, "z", 1);
    base64_append(&buffer, "z", 1);
    decimal_append(&buffer, 5);
    decimal_append_double(&buffer, 5);
    assert_null(buffer_reserve(&buffer, 1));
    buffer_fail(&buffer);
    assert_int_equal(bound.failure, BUFFER_OVER_BOUND);
    assert_int_equal(buffer.size, 15);
    buffer.bound = NULL;
    assert_string_equal(buffer_text(&buffer), "012345678912345");
    buffer_deinit(&buffer);
}

static void a_bounded_buffer_takes_no_more_than_its_bound(void **state)
{
    (void)state;
    struct buffer_bound bound = {.size_max = 1000};
    struct buffer buffer = {.bound = &bound};
    for (int i = 0; i < 1000; i++)
        buffer_append_char(&buffer, 'x');
    assert_false(buffer_has_failed(&buffer));
    assert_int_equal(buffer.capacity, 1000);
    buffer_append_char(&buffer, 'x');
    assert_true(buffer_has_failed(&buffer));
    assert_int_equal(buffer.size, 1000);
    buffer_deinit(&buffer);
}

static void a_bounded_buffer_survives_that_there_is_no_memory(void **state)
{
    (void)state;
    struct buffer_bound bound = {.size_max = SIZE_MAX};
    struct buffer buffer = {.bound = &bound};
    buffer_append_text(&buffer, "some");
    memory_fail_call(1);
    assert_null(buffer_reserve(&buffer, 1000));
    assert_int_equal(bound.failure, BUFFER_NO_MEMORY);
    buffer_append_text(&buffer, " more");
    assert_int_equal(buffer.size, 4);
    assert_memory_equal(buffer.data, "some", 4);
    buffer_deinit(&buffer);
}

static void base64_encodes_the_vectors_of_rfc_4648(void **state)
{
    (void)state;
    static const char *const vectors[][2] = {{"", ""},
                                             {"f", "Zg=="},
                                             {"fo", "Zm8="},
                                             {"foo", "Zm9v"},
                                             {"foob", "Zm9vYg=="},
                                             {"fooba", "Zm9vYmE="},
                                             {"foobar", "Zm9vYmFy"},
                                             {"\xFB\xFF\xFE", "+//+"}};
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct buffer buffer = {0};
        base64_append(&buffer, vectors[i][0], strlen(vectors[i][0]));
        assert_string_equal(buffer_text(&buffer), vectors[i][1]);
        buffer_deinit(&buffer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_is_an_empty_text),
        cmocka_unit_test(a_buffer_grows_as_it_is_filled),
        cmocka_unit_test(a_large_buffer_keeps_its_content_as_it_grows),
        cmocka_unit_test(integers_are_written_in_full),
        cmocka_unit_test(formatted_text_of_any_length_fits),
        cmocka_unit_test(json_strings_escape_what_must_be_escaped),
        cmocka_unit_test(consuming_keeps_the_rest),
        cmocka_unit_test(a_detached_text_belongs_to_the_caller),
        cmocka_unit_test(what_is_over_the_bound_is_left_out_with_all_behind_it),
        cmocka_unit_test(a_bounded_buffer_takes_no_more_than_its_bound),
        cmocka_unit_test(a_bounded_buffer_survives_that_there_is_no_memory),
        cmocka_unit_test(base64_encodes_the_vectors_of_rfc_4648),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
