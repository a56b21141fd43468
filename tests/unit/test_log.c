/* The log: what is off costs nothing and says nothing, and an event is one line in either format.
 */
#include "base/log.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
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

/* -- the thread that writes -------------------------------------------------------------------- */

enum { MANY = 20000 };

static void log_many(void)
{
    char text[200];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (int i = 0; i < MANY; i++)
        log_info("many", log_int("i", i), log_text("text", text));
}

/* What the pipe holds now, as text. */
static size_t drain(char *text, size_t size)
{
    ssize_t count = read(pipe_ends[0], text, size - 1);
    text[count > 0 ? count : 0] = '\0';
    return count > 0 ? (size_t)count : 0;
}

static void a_log_that_is_not_read_holds_up_no_caller_and_not_the_end(void **state)
{
    (void)state;
    uint64_t lost_before = log_lost();
    log_start();
    log_many(); /* more than pipe and queue take */
    assert_true(log_lost() > lost_before);
    log_stop();
}

static void what_was_lost_is_mentioned_when_the_log_moves_again(void **state)
{
    (void)state;
    static char text[2 * LOG_QUEUE_BYTES_MAX];
    size_t size = 0;
    char *found = NULL;
    log_start();
    log_many();
    while (found == NULL || strchr(found, '\n') == NULL) {
        size_t more = drain(text + size, sizeof text - size);
        assert_true(more > 0);
        size += more;
        found = strstr(text, "log lines lost count=");
    }
    log_stop();
    assert_true(strtoull(found + strlen("log lines lost count="), NULL, 10) > 0);
}

static void all_lines_are_written_before_the_end(void **state)
{
    (void)state;
    static char text[1 << 16];
    log_start();
    for (int i = 0; i < 100; i++)
        log_info("line", log_int("i", i));
    log_stop();
    drain(text, sizeof text);
    assert_non_null(strstr(text, " i=0\n"));
    assert_non_null(strstr(text, " i=99\n"));
}

static void a_line_that_others_cause_is_written_once_a_pause(void **state)
{
    (void)state;
    struct log_pause pause = {0}, other = {0};
    assert_true(log_end_pause(&pause));
    for (int i = 0; i < 100; i++)
        assert_false(log_end_pause(&pause));
    assert_true(log_end_pause(&other));
    atomic_store(&pause.until_ns, clock_monotonic_ns());
    assert_true(log_end_pause(&pause));
    assert_false(log_end_pause(&pause));
    assert_true(atomic_load(&pause.until_ns) <=
                clock_monotonic_ns() + LOG_PAUSE_MS * UINT64_C(1000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_level_that_is_off_evaluates_nothing, catch_stderr,
                                        restore_stderr),
        cmocka_unit_test(a_line_that_others_cause_is_written_once_a_pause),
        cmocka_unit_test_setup_teardown(every_level_is_on_at_debug, catch_stderr, restore_stderr),
        cmocka_unit_test_setup_teardown(text_that_is_no_plain_word_is_quoted, catch_stderr,
                                        restore_stderr),
        cmocka_unit_test_setup_teardown(json_has_the_same_fields, catch_stderr, restore_stderr),
        cmocka_unit_test_setup_teardown(a_log_that_is_not_read_holds_up_no_caller_and_not_the_end,
                                        catch_stderr, restore_stderr),
        cmocka_unit_test_setup_teardown(what_was_lost_is_mentioned_when_the_log_moves_again,
                                        catch_stderr, restore_stderr),
        cmocka_unit_test_setup_teardown(all_lines_are_written_before_the_end, catch_stderr,
                                        restore_stderr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
