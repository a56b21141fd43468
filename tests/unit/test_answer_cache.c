/* Answers are computed once, kept while they are used, and never mixed up. */
#include "net/answer_cache.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

struct question {
    const char *text; /* the answer repeats it */
    size_t size;      /* of the answer, if not 0 */
    enum status status;
    unsigned delay_us;
    atomic_int computed;
};

static enum status compute(void *context, struct answer *answer, struct error *error)
{
    struct buffer *body = &answer->body;
    struct question *question = context;
    question->computed++;
    if (question->delay_us > 0)
        usleep(question->delay_us);
    buffer_append_text(body, question->text);
    while (body->size < question->size)
        buffer_append_char(body, '.');
    if (question->status != STATUS_OK)
        return error_set(error, question->status, "no %s", question->text);
    return STATUS_OK;
}

/* Appends the answer's body to `out`. */
static enum status ask(struct answer_cache *cache, struct question *question, struct buffer *out,
                       struct error *error)
{
    struct answer *answer = NULL;
    enum status status = answer_cache_get(cache, question->text, strlen(question->text), compute,
                                          question, &answer, error);
    assert_true((status == STATUS_OK) == (answer != NULL));
    if (answer != NULL)
        buffer_append(out, answer->body.data, answer->body.size);
    answer_release(answer);
    return status;
}

static void an_answer_is_computed_once(void **state)
{
    (void)state;
    struct answer_cache *cache = answer_cache_create(2, 1000);
    struct question question = {.text = "a"};
    struct buffer out = {0};
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(cache, &question, &out, NULL), STATUS_OK);
    assert_string_equal(buffer_text(&out), "aaa");
    assert_int_equal(question.computed, 1);
    buffer_deinit(&out);
    answer_cache_destroy(cache);
}

static void the_answer_used_longest_ago_goes_first(void **state)
{
    (void)state;
    struct answer_cache *cache = answer_cache_create(2, 1000);
    struct question a = {.text = "a"}, b = {.text = "b"}, c = {.text = "c"};
    struct buffer out = {0};
    ask(cache, &a, &out, NULL);
    ask(cache, &b, &out, NULL);
    ask(cache, &a, &out, NULL);
    ask(cache, &c, &out, NULL); /* b goes */
    ask(cache, &a, &out, NULL);
    ask(cache, &c, &out, NULL);
    assert_int_equal(a.computed + c.computed, 2);
    ask(cache, &b, &out, NULL);
    assert_int_equal(b.computed, 2);
    assert_string_equal(buffer_text(&out), "abacacb");
    buffer_deinit(&out);
    answer_cache_destroy(cache);
}

static void the_bytes_kept_are_bounded(void **state)
{
    (void)state;
    struct answer_cache *cache = answer_cache_create(100, 1000);
    struct question a = {.text = "a", .size = 600}, b = {.text = "b", .size = 600};
    struct question huge = {.text = "h", .size = 1001};
    struct buffer out = {0};
    ask(cache, &a, &out, NULL);
    ask(cache, &b, &out, NULL); /* a goes */
    buffer_clear(&out);
    ask(cache, &huge, &out, NULL); /* is not kept, and makes nothing go */
    assert_int_equal(out.size, 1001);
    ask(cache, &huge, &out, NULL);
    assert_int_equal(out.size, 2002);
    ask(cache, &b, &out, NULL);
    assert_int_equal(b.computed, 1);
    ask(cache, &a, &out, NULL);
    assert_int_equal(a.computed, 2);
    assert_int_equal(huge.computed, 2);
    buffer_deinit(&out);
    answer_cache_destroy(cache);
}

static void a_failure_is_told_and_not_kept(void **state)
{
    (void)state;
    struct answer_cache *cache = answer_cache_create(2, 1000);
    struct question question = {.text = "a", .status = STATUS_BUSY};
    struct buffer out = {0};
    struct error error;
    assert_int_equal(ask(cache, &question, &out, &error), STATUS_BUSY);
    assert_string_equal(error.message, "no a");
    assert_int_equal(out.size, 0);
    assert_int_equal(ask(cache, &question, &out, NULL), STATUS_BUSY);
    assert_int_equal(question.computed, 2);
    question.status = STATUS_OK;
    assert_int_equal(ask(cache, &question, &out, &error), STATUS_OK);
    buffer_deinit(&out);
    answer_cache_destroy(cache);
}

static void an_answer_outlives_its_place(void **state)
{
    (void)state;
    struct answer_cache *cache = answer_cache_create(1, 1000);
    struct question a = {.text = "a"}, b = {.text = "b"};
    struct answer *kept, *same;
    struct buffer out = {0};
    assert_int_equal(answer_cache_get(cache, "a", 1, compute, &a, &kept, NULL), STATUS_OK);
    assert_int_equal(answer_cache_get(cache, "a", 1, compute, &a, &same, NULL), STATUS_OK);
    assert_ptr_equal(kept, same); /* nothing is copied */
    answer_release(same);
    ask(cache, &b, &out, NULL); /* a goes */
    answer_cache_destroy(cache);
    assert_string_equal(buffer_text(&kept->body), "a");
    answer_release(kept);
    buffer_deinit(&out);
}

enum { THREADS = 8 };

struct asker {
    struct answer_cache *cache;
    struct question *question;
    enum status status;
    struct error error;
    struct buffer out;
};

static void *ask_in_thread(void *context)
{
    struct asker *asker = context;
    asker->status = ask(asker->cache, asker->question, &asker->out, &asker->error);
    return NULL;
}

static void ask_at_once(struct asker *askers)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_in_thread, &askers[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void those_who_ask_at_once_share_one_computation(void **state)
{
    (void)state;
    static const enum status statuses[] = {STATUS_OK, STATUS_NO_DATA};
    for (size_t s = 0; s < 2; s++) {
        struct answer_cache *cache = answer_cache_create(2, 1000);
        struct question question = {.text = "a", .delay_us = 200000, .status = statuses[s]};
        struct asker askers[THREADS] = {{0}};
        for (int i = 0; i < THREADS; i++)
            askers[i] = (struct asker){.cache = cache, .question = &question};
        ask_at_once(askers);
        assert_int_equal(question.computed, 1);
        for (int i = 0; i < THREADS; i++) {
            assert_int_equal(askers[i].status, statuses[s]);
            assert_string_equal(buffer_text(&askers[i].out), statuses[s] == STATUS_OK ? "a" : "");
            if (statuses[s] != STATUS_OK)
                assert_string_equal(askers[i].error.message, "no a");
            buffer_deinit(&askers[i].out);
        }
        answer_cache_destroy(cache);
    }
}

static void *ask_many(void *context)
{
    struct asker *asker = context;
    for (unsigned i = 0; i < 20000; i++) {
        char text[16];
        snprintf(text, sizeof text, "%u", i * 7919u % 13);
        struct question question = {.text = text, .size = i % 11 * 20};
        buffer_clear(&asker->out);
        asker->status |= ask(asker->cache, &question, &asker->out, NULL);
        asker->status |= memcmp(asker->out.data, text, strlen(text)) != 0;
    }
    return NULL;
}

static void many_threads_get_their_own_answers(void **state)
{
    (void)state;
    struct answer_cache *cache = answer_cache_create(4, 300);
    struct asker askers[THREADS] = {{0}};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        askers[i].cache = cache;
        assert_int_equal(pthread_create(&threads[i], NULL, ask_many, &askers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(askers[i].status, STATUS_OK);
        buffer_deinit(&askers[i].out);
    }
    answer_cache_destroy(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_computed_once),
        cmocka_unit_test(the_answer_used_longest_ago_goes_first),
        cmocka_unit_test(the_bytes_kept_are_bounded),
        cmocka_unit_test(a_failure_is_told_and_not_kept),
        cmocka_unit_test(an_answer_outlives_its_place),
        cmocka_unit_test(those_who_ask_at_once_share_one_computation),
        cmocka_unit_test(many_threads_get_their_own_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
