/* What the backend says is asked for once as long as it stays true, in either form. */
#include "net/answers.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
#include <zlib.h>

#include <setjmp.h>

#include <cmocka.h>

/* A backend whose answers say what they were asked, followed by `size` dots. */
static struct {
    atomic_int asked;
    uint64_t version;
    size_t size;
    unsigned delay_us;
    enum status status;
} world;

static enum status answer(void *context, const struct backend_request *question, struct buffer *out,
                          struct error *error)
{
    (void)context;
    atomic_fetch_add(&world.asked, 1);
    usleep(world.delay_us);
    buffer_append_format(out, "%d %s", question->question, question->symbol);
    for (size_t i = 0; i < question->parameter_count; i++)
        buffer_append_format(out, " %s=%s", question->parameters[i].name,
                             question->parameters[i].value);
    for (size_t i = 0; i < world.size; i++)
        buffer_append_char(out, '.');
    return world.status == STATUS_OK ? STATUS_OK
                                     : error_set(error, world.status, "it is %s", out->data);
}

static bool version(void *context, const struct backend_request *question, uint64_t *result)
{
    (void)context;
    *result = world.version;
    return question->question != BACKEND_READY;
}

static const struct backend backend = {.answer = answer, .version = version};
static struct answers *answers;

static int prepare(void **state)
{
    (void)state;
    atomic_store(&world.asked, 0);
    world.version = 1;
    world.size = 0;
    world.delay_us = 0;
    world.status = STATUS_OK;
    answers = answers_create(&backend);
    return 0;
}

static int clean_up(void **state)
{
    (void)state;
    answers_destroy(answers);
    return 0;
}

static struct answer *get(const struct backend_request *question, bool gzips)
{
    struct answer *result;
    assert_int_equal(answers_get(answers, question, gzips, &result, NULL), STATUS_OK);
    return result;
}

static void get_and_release(const struct backend_request *question, bool gzips)
{
    answer_release(get(question, gzips));
}

static void expect_text(const struct backend_request *question, const char *text)
{
    struct answer *got = get(question, false);
    assert_string_equal(buffer_text(&got->body), text);
    answer_release(got);
}

static void a_question_is_asked_once_until_the_data_change(void **state)
{
    (void)state;
    struct backend_request question = {.question = BACKEND_HISTORY, .symbol = "BTCUSDT"};
    struct answer *first = get(&question, false), *second = get(&question, false);
    assert_ptr_equal(first, second);
    assert_int_equal(world.asked, 1);
    world.version++;
    struct answer *third = get(&question, false);
    assert_ptr_not_equal(first, third);
    assert_int_equal(first->tag, third->tag); /* of the same content */
    assert_int_equal(world.asked, 2);
    answer_release(first);
    answer_release(second);
    answer_release(third);
}

static void questions_that_differ_have_their_own_answers(void **state)
{
    (void)state;
    struct backend_request question = {.question = BACKEND_HISTORY, .symbol = "BTCUSDT"};
    for (int i = 0; i < 2; i++) {
        struct backend_request other = question;
        expect_text(&question, "1 BTCUSDT");
        other.question = BACKEND_GRID;
        expect_text(&other, "3 BTCUSDT");
        strcpy(other.symbol, "ETHUSDT");
        expect_text(&other, "3 ETHUSDT");
        other.parameter_count = 1;
        other.parameters[0] = (struct backend_parameter){"window", "7d"};
        expect_text(&other, "3 ETHUSDT window=7d");
        other.parameters[0] = (struct backend_parameter){"window", "8d"};
        expect_text(&other, "3 ETHUSDT window=8d");
        other.parameter_count = 2;
        other.parameters[1] = (struct backend_parameter){"bucket", "1"};
        expect_text(&other, "3 ETHUSDT window=8d bucket=1");
        other.parameter_count = 1; /* one value that looks like two parameters */
        other.parameters[0] = (struct backend_parameter){"window", "8d bucket=1"};
        expect_text(&other, "3 ETHUSDT window=8d bucket=1");
    }
    assert_int_equal(world.asked, 7);
}

static void both_forms_cost_one_computation_and_one_compression(void **state)
{
    (void)state;
    world.size = 100000;
    struct backend_request question = {.question = BACKEND_GRID, .symbol = "BTCUSDT"};
    struct answer *zipped = get(&question, true), *again = get(&question, true);
    struct answer *plain = get(&question, false);
    assert_int_equal(world.asked, 1);
    assert_ptr_equal(zipped, again);
    assert_true(zipped->is_gzipped);
    assert_false(plain->is_gzipped);
    assert_int_equal(zipped->tag, plain->tag);
    assert_true(zipped->body.size < 1000);

    static char text[200000];
    z_stream stream = {.next_in = (Bytef *)zipped->body.data,
                       .avail_in = (uInt)zipped->body.size,
                       .next_out = (Bytef *)text,
                       .avail_out = sizeof text};
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK); /* with its head and its checksum */
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.total_out, plain->body.size);
    assert_memory_equal(text, plain->body.data, plain->body.size);
    inflateEnd(&stream);
    answer_release(zipped);
    answer_release(again);
    answer_release(plain);
}

static void a_short_answer_stays_plain(void **state)
{
    (void)state;
    struct backend_request question = {.question = BACKEND_GRID, .symbol = "BTCUSDT"};
    struct answer *got = get(&question, true);
    assert_false(got->is_gzipped);
    assert_string_equal(buffer_text(&got->body), "3 BTCUSDT");
    answer_release(got);
}

static void what_has_no_version_is_asked_each_time(void **state)
{
    (void)state;
    struct backend_request question = {.question = BACKEND_READY};
    world.size = 5000;
    get_and_release(&question, false);
    struct answer *got = get(&question, true);
    assert_true(got->is_gzipped);
    answer_release(got);
    assert_int_equal(world.asked, 2);
    world.status = STATUS_IO;
    struct error error;
    assert_int_equal(answers_get(answers, &question, true, &got, &error), STATUS_IO);
    assert_memory_equal(got->body.data, "4 ..", 4); /* what it says nonetheless */
    answer_release(got);
}

static void a_failure_is_told_and_forgotten(void **state)
{
    (void)state;
    struct backend_request question = {.question = BACKEND_HISTORY, .symbol = "BTCUSDT"};
    for (int gzips = 0; gzips < 2; gzips++) {
        struct answer *got;
        struct error error;
        world.status = STATUS_NO_DATA;
        world.version++;
        assert_int_equal(answers_get(answers, &question, gzips, &got, &error), STATUS_NO_DATA);
        assert_null(got);
        assert_non_null(strstr(error.message, "it is 1 BTCUSDT"));
        world.status = STATUS_OK;
        get_and_release(&question, gzips);
        assert_int_equal(world.asked, 2 * (gzips + 1));
    }
}

enum { THREADS = 8 };

static void *ask_in_thread(void *gzips)
{
    struct backend_request question = {.question = BACKEND_HISTORY, .symbol = "BTCUSDT"};
    return get(&question, gzips != NULL);
}

static void a_crowd_costs_one_computation(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    struct answer *got[THREADS];
    world.size = 5000;
    world.delay_us = 200000;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, ask_in_thread, i % 2 == 0 ? &world : NULL), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], (void **)&got[i]);
    assert_int_equal(world.asked, 1);
    for (size_t i = 0; i < THREADS; i++) {
        assert_ptr_equal(got[i], got[i % 2]);
        assert_int_equal(got[i]->tag, got[0]->tag);
    }
    for (size_t i = 0; i < THREADS; i++)
        answer_release(got[i]);
}

#define fact(test) cmocka_unit_test_setup_teardown(test, prepare, clean_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(a_question_is_asked_once_until_the_data_change),
        fact(questions_that_differ_have_their_own_answers),
        fact(both_forms_cost_one_computation_and_one_compression),
        fact(a_short_answer_stays_plain),
        fact(what_has_no_version_is_asked_each_time),
        fact(a_failure_is_told_and_forgotten),
        fact(a_crowd_costs_one_computation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
