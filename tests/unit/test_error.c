/* What every failure's message keeps to, whatever it quotes. */
#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void a_message_is_one_line_whatever_it_quotes(void **state)
{
    (void)state;
    struct error error;
    assert_int_equal(error_set(&error, STATUS_INVALID, "'%s' is bad", "a\nb\r\033[2J\x7f\tä"),
                     STATUS_INVALID);
    assert_int_equal(error.status, STATUS_INVALID);
    assert_string_equal(error.message, "'a?b??[2J??ä' is bad");
    error_prefix(&error, "%s", "x\ny");
    assert_string_equal(error.message, "x?y: 'a?b??[2J??ä' is bad");
}

static void a_message_that_is_too_long_is_cut(void **state)
{
    (void)state;
    struct error error;
    char text[2 * ERROR_MESSAGE_MAX];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    error_set(&error, STATUS_IO, "%s", text);
    assert_int_equal(strlen(error.message), ERROR_MESSAGE_MAX - 1);
    error_prefix(&error, "file");
    assert_int_equal(strlen(error.message), ERROR_MESSAGE_MAX - 1);
    assert_memory_equal(error.message, "file: aaa", 9);
}

static void who_wants_no_message_gets_the_status_alone(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, STATUS_BUSY, "%d", 1), STATUS_BUSY);
    error_prefix(NULL, "x");
    error_set_fit(NULL, "bucket", "1");
}

static void what_fits_belongs_to_one_failure(void **state)
{
    (void)state;
    struct error error;
    error_set(&error, STATUS_TOO_LARGE, "bucket=0.05 fits");
    assert_string_equal(error.fit.parameter, "");
    error_set_fit(&error, "bucket", "0.05");
    error_prefix(&error, "map");
    assert_string_equal(error.fit.parameter, "bucket");
    assert_string_equal(error.fit.value, "0.05");
    error_set(&error, STATUS_IO, "the disk");
    assert_string_equal(error.fit.parameter, "");
    assert_string_equal(error.fit.value, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_one_line_whatever_it_quotes),
        cmocka_unit_test(a_message_that_is_too_long_is_cut),
        cmocka_unit_test(who_wants_no_message_gets_the_status_alone),
        cmocka_unit_test(what_fits_belongs_to_one_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
