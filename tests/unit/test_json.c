/* The JSON writer: commas, escapes and numbers. */
#include "base/json.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <math.h>
#include <setjmp.h>

#include <cmocka.h>

static void nesting_needs_no_thought_of_commas(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct json json = json_start(&out);
    json_open_object(&json);
    json_member_text(&json, "symbol", "BTCUSDT");
    json_key(&json, "empty");
    json_open_array(&json);
    json_close_array(&json);
    json_key(&json, "levels");
    json_open_array(&json);
    for (int i = 0; i < 2; i++) {
        json_open_object(&json);
        json_member_integer(&json, "i", i);
        json_member_bool(&json, "is_last", i == 1);
        json_close_object(&json);
    }
    json_none(&json);
    json_raw(&json, "[1]", 3);
    json_begin_raw(&json);
    buffer_append_text(&out, "\"by hand\"");
    json_close_array(&json);
    json_member_null(&json, "end");
    json_close_object(&json);
    assert_string_equal(buffer_text(&out), "{\"symbol\":\"BTCUSDT\",\"empty\":[],\"levels\":["
                                           "{\"i\":0,\"is_last\":false},{\"i\":1,\"is_last\":true},"
                                           "null,[1],\"by hand\"],\"end\":null}");
    buffer_deinit(&out);
}

static void values_have_their_forms(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct json json = json_start(&out);
    json_open_array(&json);
    json_text(&json, "a\"\n\xff");
    json_text_of(&json, "bcd", 2);
    json_int(&json, INT64_MIN);
    json_decimal(&json, 50000001);
    json_number(&json, 1e21);
    json_number(&json, NAN);
    json_number(&json, -INFINITY);
    json_time(&json, INT64_C(1766932200000));
    json_close_array(&json);
    assert_string_equal(buffer_text(&out),
                        "[\"a\\\"\\u000a\xEF\xBF\xBD\",\"bc\",-9223372036854775808,0.50000001,"
                        "1000000000000000000000,null,null,\"2025-12-28T14:30:00Z\"]");
    buffer_deinit(&out);
}

static void members_carry_each_type(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct json json = json_start(&out);
    json_open_object(&json);
    json_member_decimal(&json, "a", 1);
    json_member_number(&json, "b", 0.25);
    json_member_time(&json, "c", 0);
    json_close_object(&json);
    assert_string_equal(buffer_text(&out),
                        "{\"a\":0.00000001,\"b\":0.25,\"c\":\"1970-01-01T00:00:00Z\"}");
    buffer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nesting_needs_no_thought_of_commas),
        cmocka_unit_test(values_have_their_forms),
        cmocka_unit_test(members_carry_each_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
