/* The log: what is off costs nothing and says nothing, and an event is one line in either format.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

/* -- standard error in a pipe ------------------------------------------------------------------ */

static int saved_stderr, pipe_ends[2];

static int catch_stderr(void **state)
{
    (void)state;
    saved_stderr = dup(STDERR_FILENO);
    return saved_stderr < 0 || pipe(pipe_ends) != 0 || dup2(pipe_ends[1], STDERR_FILENO) < 0;
}

static int restore_stderr(void **state)
{
    (void)state;
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    log_configure(LOG_INFO, LOG_FORMAT_TEXT);
    return 0;
}

/* What was logged since the last call. A line of its own ends it, since an empty pipe blocks. */
static const char *read_log(void)
{
    static char text[4096];
    assert_int_equal(write(STDERR_FILENO, "$", 1), 1);
    size_t size = 0;
    while (size == 0 || text[size - 1] != '$') {
        ssize_t count = read(pipe_ends[0], text + size, sizeof text - size);
        assert_true(count > 0);
        size += (size_t)count;
    }
    text[size - 1] = '\0';
    return text;
}

/* -- tests ------------------------------------------------------------------------------------- */

static int evaluated;

static int64_t count_evaluation(void)
{
    return ++evaluated;
}

static void a_level_that_is_off_evaluates_nothing(void **state)
{
    (void)state;
    evaluated = 0;
    log_configure(LOG_WARN, LOG_FORMAT_TEXT);
    log_debug("off", log_int("count", count_evaluation()));
    log_info("off", log_int("count", count_evaluation()));
    assert_int_equal(evaluated, 0);
    assert_string_equal(read_log(), "");
    log_warn("on", log_int("count", count_evaluation()));
    assert_int_equal(evaluated, 1);
    assert_non_null(strstr(read_log(), " warn  on count=1\n"));
}

static void every_level_is_on_at_debug(void **state)
{
    (void)state;
    log_configure(LOG_DEBUG, LOG_FORMAT_TEXT);
    log_debug("first");
    log_error("last");
    const char *text = read_log();
    assert_non_null(strstr(text, "Z debug first\n"));
    assert_non_null(strstr(text, "Z error last\n"));
}

static void text_that_is_no_plain_word_is_quoted(void **state)
{
    (void)state;
    log_configure(LOG_INFO, LOG_FORMAT_TEXT);
    log_info("event", log_text("plain", "a-b"), log_text("blank", "a b"), log_text("empty", ""),
             log_text("null", NULL), log_text("break", "a\n\"b"), log_real("share", 0.25));
    assert_non_null(strstr(read_log(), " info  event plain=a-b blank=\"a b\" empty=\"\" null=\"\" "
                                       "break=\"a\\u000a\\\"b\" share=0.25\n"));
}

static void json_has_the_same_fields(void **state)
{
    (void)state;
    log_configure(LOG_INFO, LOG_FORMAT_JSON);
    log_info("an event", log_text("key", "a\nb"), log_int("count", -3));
    const char *text = read_log();
    assert_int_equal(strncmp(text, "{\"time\":\"", 9), 0);
    assert_non_null(strstr(text,
                           "\",\"level\":\"info\",\"message\":\"an event\",\"key\":\"a\\u000ab\","
                           "\"count\":-3}\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_level_that_is_off_evaluates_nothing, catch_stderr,
                                        restore_stderr),
        cmocka_unit_test_setup_teardown(every_level_is_on_at_debug, catch_stderr, restore_stderr),
        cmocka_unit_test_setup_teardown(text_that_is_no_plain_word_is_quoted, catch_stderr,
                                        restore_stderr),
        cmocka_unit_test_setup_teardown(json_has_the_same_fields, catch_stderr, restore_stderr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
