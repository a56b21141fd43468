/* What a question may cost, and what the refusal of one that would cost more says. */
#include "engine/question.h"
#include "question_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

enum { CANDLES = 4000 };

static struct store *store;
static struct history *history;

static int set_up(void **state)
{
    if (make_folder(state) != 0)
        return -1;
    store = open_store(database(state), STORE_OWNER);
    write_walk(store, CANDLES);
    history = open_history(store);
    return 0;
}

static int tear_down(void **state)
{
    history_destroy(history);
    store_close(store);
    return remove_folder(state);
}

/* The size of an answer. */
static size_t size_within(question_function *ask, struct range range, struct question_limits limits)
{
    struct buffer out = {0};
    assert_ok(ask(history, &range, &limits, &out, fault));
    size_t size = out.size;
    buffer_deinit(&out);
    return size;
}

static struct error refusal(question_function *ask, struct range range,
                            struct question_limits limits, enum status expected)
{
    struct buffer out = {0};
    struct error error = {0};
    enum status status = ask(history, &range, &limits, &out, &error);
    if (status != expected)
        fail_msg("status %d instead of %d: %s", status, expected, error.message);
    assert_null(out.data);
    return error;
}

/* The parameter that fits, "window=7d", which the message names as well: "... window=7d fits". */
static const char *named_parameter(const struct error *error)
{
    static char parameter[64];
    snprintf(parameter, sizeof parameter, "%s=%s", error->fit.parameter, error->fit.value);
    const char *end = strstr(error->message, " fits");
    size_t size = strlen(parameter);
    if (end == NULL || (size_t)(end - error->message) < size ||
        memcmp(end - size, parameter, size) != 0)
        fail_msg("'%s' does not say that %s fits", error->message, parameter);
    return parameter;
}

/* -- candles ----------------------------------------------------------------------------------- */

static void a_range_of_too_many_candles_names_a_window_that_fits(void **state)
{
    (void)state;
    const struct question_limits limits = {.candles_max = 600};
    for (size_t i = 0; i < QUESTION_COUNT; i++) {
        struct error error =
            refusal(questions[i].ask, range_of("window=7d"), limits, STATUS_TOO_LARGE);
        assert_non_null(strstr(error.message, "the range holds 2017 candles of 5m, and a question "
                                              "may read 600 at most"));
        assert_string_equal(named_parameter(&error), "window=2d");
        size_within(questions[i].ask, range_of(named_parameter(&error)), limits);
    }
}

static void longer_intervals_are_read_from_candles_as_well(void **state)
{
    (void)state;
    const struct question_limits limits = {.candles_max = 600};
    for (size_t i = 0; i < QUESTION_COUNT; i++)
        refusal(questions[i].ask, range_of("window=7d", "interval=1d"), limits, STATUS_TOO_LARGE);
}

static void candles_are_counted_where_there_are_any(void **state)
{
    (void)state;
    const struct range all = range_of("start=1970-01-01", "interval=1d");
    for (size_t i = 0; i < QUESTION_COUNT; i++) {
        size_within(questions[i].ask, all, (struct question_limits){.candles_max = CANDLES});
        refusal(questions[i].ask, all, (struct question_limits){.candles_max = CANDLES - 1},
                STATUS_TOO_LARGE);
    }
}

static void a_short_grid_counts_the_lookback_that_it_is_made_from(void **state)
{
    (void)state;
    const struct range range = range_of("window=5m");
    size_within(history_grid, range, (struct question_limits){.candles_max = 289});
    refusal(history_grid, range, (struct question_limits){.candles_max = 288}, STATUS_TOO_LARGE);
}

/* -- the size of an answer --------------------------------------------------------------------- */

static void a_history_that_is_too_large_names_a_bucket_that_fits(void **state)
{
    (void)state;
    static const char *const windows[] = {"window=6h", "window=5d"};
    static const char *const buckets[] = {"bucket=0.01", "bucket=0.3", "bucket=7", "bucket=100"};
    for (size_t w = 0; w < 2; w++)
        for (size_t b = 0; b < 4; b++) {
            size_t size = size_within(history_run, range_of(windows[w], buckets[b]),
                                      (struct question_limits){0});
            for (size_t part = 2; part <= 5; part += 3) {
                const struct question_limits limits = {.answer_bytes_max = size / part};
                struct error error = refusal(history_run, range_of(windows[w], buckets[b]), limits,
                                             STATUS_TOO_LARGE);
                if (strstr(error.message, "; ask for a shorter range") != NULL)
                    assert_string_equal(error.fit.parameter, "");
                else
                    size_within(history_run, range_of(windows[w], named_parameter(&error)), limits);
            }
        }
}

static void a_history_that_fits_is_not_refused(void **state)
{
    (void)state;
    static const char *const windows[] = {"window=30m", "window=6h", "window=5d"};
    static const char *const buckets[] = {"bucket=0.01", "bucket=1", "bucket=100", "bucket=5000"};
    for (size_t w = 0; w < 3; w++)
        for (size_t b = 0; b < 4; b++) {
            struct range range = range_of(windows[w], buckets[b]);
            size_t size = size_within(history_run, range, (struct question_limits){0});
            assert_int_equal(
                size_within(history_run, range,
                            (struct question_limits){.answer_bytes_max = size + size / 5 + 500}),
                size);
        }
}

static void a_history_that_no_bucket_makes_small_enough_is_told_so(void **state)
{
    (void)state;
    struct error error =
        refusal(history_run, range_of("window=10d"),
                (struct question_limits){.answer_bytes_max = 100000}, STATUS_TOO_LARGE);
    assert_non_null(strstr(error.message, "of 0.1 MB that it may have; ask for a shorter range"));
}

static void any_answer_ends_at_its_size(void **state)
{
    (void)state;
    for (size_t i = 0; i < QUESTION_COUNT; i++) {
        struct range range = range_of("window=6h");
        size_t size = size_within(questions[i].ask, range, (struct question_limits){0});
        struct question_limits limits = {.answer_bytes_max = size - 1};
        refusal(questions[i].ask, range, limits, STATUS_TOO_LARGE);
        limits.answer_bytes_max = size + size / 5; /* a history's is estimated */
        assert_int_equal(size_within(questions[i].ask, range, limits), size);
    }
}

/* -- memory, time ------------------------------------------------------------------------------ */

static void an_answer_that_takes_too_much_memory_says_what_to_ask_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < QUESTION_COUNT; i++) {
        struct error error =
            refusal(questions[i].ask, range_of("window=2d"),
                    (struct question_limits){.memory_bytes_max = 60000}, STATUS_TOO_LARGE);
        assert_non_null(strstr(error.message, "more than the 0.1 MB of memory that it may take"));
        size_within(questions[i].ask, range_of("window=2d"),
                    (struct question_limits){.memory_bytes_max = 100000000});
    }
}

static void an_answer_takes_no_longer_than_it_may(void **state)
{
    (void)state;
    for (size_t i = 0; i < QUESTION_COUNT; i++) {
        struct question_limits limits = {.stop.deadline_ns = clock_monotonic_ns()};
        refusal(questions[i].ask, range_of("window=13d"), limits, STATUS_TIMEOUT);
        limits.stop.deadline_ns = clock_monotonic_ns() + PATIENCE_NS;
        size_within(questions[i].ask, range_of("window=2d"), limits);
    }
}

struct hurry {
    pthread_t thread;
    atomic_bool is_cancelled, is_answered;
    enum status status;
};

static void *ask_for_much(void *context)
{
    struct hurry *hurry = context;
    const struct question_limits limits = {.stop.is_cancelled = &hurry->is_cancelled};
    struct range range = range_of("window=13d", "bucket=0.01");
    struct buffer out = {0};
    while (hurry->status == STATUS_OK) { /* until one is cancelled on its way */
        hurry->status = history_run(history, &range, &limits, &out, NULL);
        buffer_deinit(&out);
    }
    atomic_store(&hurry->is_answered, true);
    return NULL;
}

static void an_answer_is_cancelled_while_it_is_made(void **state)
{
    (void)state;
    struct hurry hurry = {.status = STATUS_OK};
    assert_int_equal(pthread_create(&hurry.thread, NULL, ask_for_much, &hurry), 0);
    sleep_ms(100);
    assert_false(atomic_load(&hurry.is_answered));
    atomic_store(&hurry.is_cancelled, true);
    pthread_join(hurry.thread, NULL);
    assert_int_equal(hurry.status, STATUS_CANCELLED);
}

/* -- the file ---------------------------------------------------------------------------------- */

static enum status write_meanwhile(struct question *question, struct buffer *out,
                                   struct error *error)
{
    struct store_session *session = NULL;
    enum status status = question_load(question, question->window.start_ms, error);
    if (status == STATUS_OK)
        status = store_begin_brief(question->history->store, &session, error);
    store_end(session);
    buffer_append_text(out, "written");
    return status;
}

static void the_file_is_free_while_an_answer_is_computed(void **state)
{
    struct buffer out = {0};
    const struct range range = range_of("window=2h");
    struct store *other = open_store(path_in(state, "other.duckdb"), STORE_OWNER);
    write_walk(other, 50);
    store_close(other);
    other = open_store(path_in(state, "other.duckdb"), STORE_SHARED);
    struct history *there = open_history(other);
    const struct question_type type = {.name = "test", .answer = write_meanwhile};
    assert_ok(question_ask(there, &type, &range, NULL, &out, fault));
    assert_string_equal(buffer_text(&out), "written");
    buffer_deinit(&out);
    history_destroy(there);
    store_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_is_free_while_an_answer_is_computed),
        cmocka_unit_test(a_range_of_too_many_candles_names_a_window_that_fits),
        cmocka_unit_test(longer_intervals_are_read_from_candles_as_well),
        cmocka_unit_test(candles_are_counted_where_there_are_any),
        cmocka_unit_test(a_short_grid_counts_the_lookback_that_it_is_made_from),
        cmocka_unit_test(a_history_that_is_too_large_names_a_bucket_that_fits),
        cmocka_unit_test(a_history_that_fits_is_not_refused),
        cmocka_unit_test(a_history_that_no_bucket_makes_small_enough_is_told_so),
        cmocka_unit_test(any_answer_ends_at_its_size),
        cmocka_unit_test(an_answer_that_takes_too_much_memory_says_what_to_ask_for),
        cmocka_unit_test(an_answer_takes_no_longer_than_it_may),
        cmocka_unit_test(an_answer_is_cancelled_while_it_is_made),
    };
    return cmocka_run_group_tests_name("question_limits", tests, set_up, tear_down);
}
