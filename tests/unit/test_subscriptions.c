/* Subscriptions of a connection: which are said next, and whom an answer is for. */
#include "sources/collect/subscriptions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { COUNT = 3 };

struct fixture {
    struct stream streams[COUNT];
    struct subscriptions list;
    struct exchange_subscription chosen[COUNT];
    struct stream *next[COUNT];
};

static void begin(struct fixture *test)
{
    *test = (struct fixture){0};
    for (int i = 0; i < COUNT; i++)
        subscriptions_add(&test->list,
                          (struct exchange_subscription){.kind = (enum exchange_stream_kind)i},
                          &test->streams[i]);
}

/* Says what may be said next, and returns how many that is. */
static size_t say(struct fixture *test, uint64_t number, int64_t now_ms)
{
    size_t count = subscriptions_choose(&test->list, now_ms, test->chosen, test->next);
    assert_int_equal(count > 0, subscriptions_has_unsaid(&test->list, now_ms));
    for (size_t i = 0; i < count; i++)
        stream_say(test->next[i], number, now_ms);
    return count;
}

static void all_are_said_at_once_and_taken_by_one_answer(void **state)
{
    (void)state;
    struct fixture test;
    begin(&test);
    assert_int_equal(say(&test, 1, 1000), COUNT);
    assert_int_equal(say(&test, 2, 1000), 0);
    assert_int_equal(subscriptions_unanswered_since(&test.list), 1000);
    subscriptions_acknowledge(&test.list, 7); /* an answer to something else */
    assert_int_equal(test.streams[0].state, STREAM_SAID);
    subscriptions_acknowledge(&test.list, 1);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(test.streams[i].state, STREAM_TAKEN);
    assert_int_equal(subscriptions_unanswered_since(&test.list), 0);
    subscriptions_deinit(&test.list);
}

static void of_a_refused_message_each_is_said_alone_and_one_rests(void **state)
{
    (void)state;
    struct fixture test;
    begin(&test);
    say(&test, 1, 1000);
    assert_null(subscriptions_refuse(&test.list, 1, "no", 5000));
    assert_int_equal(say(&test, 2, 1000), 1);
    assert_int_equal(say(&test, 3, 1001), 1);
    assert_int_equal(say(&test, 4, 1002), 1);
    assert_int_equal(say(&test, 5, 1003), 0);
    subscriptions_acknowledge(&test.list, 2);
    const struct dealt_stream *refused = subscriptions_refuse(&test.list, 3, "not this one", 5000);
    assert_ptr_equal(refused->stream, &test.streams[1]);
    assert_string_equal(test.streams[1].fault, "not this one");
    subscriptions_acknowledge(&test.list, 3); /* a further answer to it */
    subscriptions_acknowledge(&test.list, 4);
    assert_int_equal(test.streams[0].state, STREAM_TAKEN);
    assert_int_equal(test.streams[1].state, STREAM_REFUSED);
    assert_int_equal(test.streams[2].state, STREAM_TAKEN);
    subscriptions_deinit(&test.list);
}

static void a_refused_one_is_said_again_at_its_time_and_not_when_it_connects(void **state)
{
    (void)state;
    struct fixture test;
    begin(&test);
    test.streams[0].is_alone = true;
    say(&test, 1, 1000);
    subscriptions_refuse(&test.list, 1, "no", 5000);
    subscriptions_reset(&test.list);
    assert_int_equal(say(&test, 2, 2000), COUNT - 1);
    assert_int_equal(say(&test, 3, 4999), 0);
    assert_int_equal(say(&test, 3, 5000), 1);
    assert_string_equal(test.streams[0].fault, "no"); /* until it is acknowledged */
    subscriptions_acknowledge(&test.list, 3);
    assert_string_equal(test.streams[0].fault, "");
    subscriptions_reset(&test.list);
    assert_int_equal(say(&test, 4, 6000), 1); /* all again */
    assert_int_equal(say(&test, 5, 6000), COUNT - 1);
    subscriptions_deinit(&test.list);
}

static void an_answer_without_a_number_is_to_the_oldest(void **state)
{
    (void)state;
    struct fixture test;
    begin(&test);
    for (int i = 0; i < COUNT; i++)
        test.streams[i].is_alone = true;
    for (uint64_t number = 1; number <= COUNT; number++)
        assert_int_equal(say(&test, number, 1000 + (int64_t)number), 1);
    subscriptions_acknowledge(&test.list, 0);
    assert_int_equal(test.streams[0].state, STREAM_TAKEN);
    assert_int_equal(subscriptions_unanswered_since(&test.list), 1002);
    assert_ptr_equal(subscriptions_refuse(&test.list, 0, "no", 9000)->stream, &test.streams[1]);
    subscriptions_acknowledge(&test.list, 0);
    assert_int_equal(test.streams[2].state, STREAM_TAKEN);
    assert_null(subscriptions_refuse(&test.list, 0, "to nothing", 9000));
    assert_int_equal(test.streams[2].state, STREAM_TAKEN);
    subscriptions_deinit(&test.list);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(all_are_said_at_once_and_taken_by_one_answer),
    cmocka_unit_test(of_a_refused_message_each_is_said_alone_and_one_rests),
    cmocka_unit_test(a_refused_one_is_said_again_at_its_time_and_not_when_it_connects),
    cmocka_unit_test(an_answer_without_a_number_is_to_the_oldest),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
