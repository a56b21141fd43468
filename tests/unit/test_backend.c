/* Questions as clients put them: which are the same, and which are refused before any thread is
 * taken. */
#include "serve/backend.h"

#include "serve/server_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static struct config config;
static struct config_origin origin;

static const char *no_environment(const char *name)
{
    (void)name;
    return NULL;
}

static int prepare(void **state)
{
    (void)state;
    return config_load(&config, &origin, no_environment, NULL) != STATUS_OK;
}

static int clean_up(void **state)
{
    (void)state;
    config_origin_deinit(&origin);
    return 0;
}

/* Parameters as "name=value&name=value". A server that runs is not needed for that. */
static enum status canonicalize(enum question_kind kind, const char *parameters,
                                struct buffer *canonical, struct error *error)
{
    struct server server = {.config = &config};
    struct backend backend = backend_of(&server);
    struct backend_request request = {.kind = kind, .symbol = "BTCUSDT"};
    struct slice rest = {parameters, strlen(parameters)}, pair, name;
    while (slice_take_word(&rest, "&", &pair)) {
        struct backend_parameter *parameter = &request.parameters[request.parameter_count++];
        slice_split(&pair, '=', &name);
        assert_true(slice_copy(name, parameter->name, sizeof parameter->name));
        assert_true(slice_copy(pair, parameter->value, sizeof parameter->value));
    }
    return backend.canonicalize(backend.context, &request, canonical, error);
}

static void expect_text(enum question_kind kind, const char *parameters, const char *text)
{
    struct buffer canonical = {0};
    assert_int_equal(canonicalize(kind, parameters, &canonical, NULL), STATUS_OK);
    assert_string_equal(buffer_text(&canonical), text);
    buffer_deinit(&canonical);
}

static void expect_refused(enum question_kind kind, const char *parameters, enum status status,
                           const char *part)
{
    struct buffer canonical = {0};
    struct error error = {.message = ""};
    assert_int_equal(canonicalize(kind, parameters, &canonical, &error), status);
    if (strstr(error.message, part) == NULL)
        fail_msg("'%s' lacks '%s'", error.message, part);
    assert_int_equal(canonical.size, 0);
    buffer_deinit(&canonical);
}

static void questions_that_mean_the_same_have_one_text(void **state)
{
    (void)state;
    static const char *const same[][3] = {
        {"window=2d", "window=48h", "interval=5m&window=2d"},
        {"bucket=100", "bucket=100.0", "bucket=100.00000000"},
        {"weights=5:1,10:3", "weights=10:3,5:1", "weights=10:75,5:25"},
        {"start=2025-12-01&end=2025-12-02", "end=2025-12-02T00:00:00Z&window=24h",
         "start=2025-12-01&window=1d"},
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        struct buffer first = {0};
        assert_int_equal(canonicalize(QUESTION_HISTORY, same[i][0], &first, NULL), STATUS_OK);
        expect_text(QUESTION_HISTORY, same[i][1], buffer_text(&first));
        expect_text(QUESTION_HISTORY, same[i][2], buffer_text(&first));
        buffer_deinit(&first);
    }
    expect_text(QUESTION_HISTORY, "", "BTCUSDT");
    expect_text(QUESTION_READY, "whatever=1", "");
}

static void a_wrong_parameter_is_refused_and_named(void **state)
{
    (void)state;
    expect_refused(QUESTION_HISTORY, "window=soon", STATUS_INVALID, "window");
    expect_refused(QUESTION_GRID, "frobnicate=1", STATUS_INVALID, "no parameter 'frobnicate'");
    expect_refused(QUESTION_CANDLES, "start=2025-12-02&end=2025-12-01", STATUS_INVALID, "start");
    expect_refused(QUESTION_HISTORY, "start=2025-12-01&end=2025-12-02&window=5h", STATUS_INVALID,
                   "window");
    expect_refused(QUESTION_HISTORY, "shown_start=2025-12-01", STATUS_INVALID, "grid");
    expect_text(QUESTION_GRID, "shown_start=1970-01-01", "BTCUSDT shown_start=0");
    expect_refused(QUESTION_LIQUIDATIONS, "bucket=100", STATUS_INVALID, "bucket");
    expect_text(QUESTION_LIQUIDATIONS, "start=1970-01-01", "BTCUSDT start=0");
    expect_refused(QUESTION_SCORE, "interval=1h", STATUS_INVALID, "five minutes");
    expect_refused(QUESTION_SCORE, "shown_end=1970-01-01", STATUS_INVALID, "shown_end");
    expect_text(QUESTION_SCORE, "start=1970-01-01&bucket=10", "BTCUSDT start=0 bucket=1000000000");
}

static void a_relay_says_that_it_has_no_database(void **state)
{
    (void)state;
    config.redis_enabled = true;
    config.cluster_role = CLUSTER_RELAY;
    expect_refused(QUESTION_HISTORY, "", STATUS_UNREACHABLE, "relay");
    expect_text(QUESTION_SYMBOLS, "", "");
}

#define fact(test) cmocka_unit_test_setup_teardown(test, prepare, clean_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(questions_that_mean_the_same_have_one_text),
        fact(a_wrong_parameter_is_refused_and_named),
        fact(a_relay_says_that_it_has_no_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
