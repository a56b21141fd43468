/* What Redis answers, as the bytes that come over the socket: which forms pass, and what they say.
 */
#include "cluster/reply.h"

#include <stdarg.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

/* To free with freeReplyObject(). */
static redisReply *read_reply(const char *bytes)
{
    void *reply = NULL;
    redisReader *reader = redisReaderCreate();
    assert_int_equal(redisReaderFeed(reader, bytes, strlen(bytes)), REDIS_OK);
    assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
    assert_non_null(reply);
    redisReaderFree(reader);
    return reply;
}

static void a_heartbeat_says_who_generates_and_what_was_wrong(void **state)
{
    (void)state;
    struct heartbeat_reply heartbeat;
    redisReply *reply =
        read_reply("*5\r\n$3\r\nabc\r\n$13\r\n1766932200123\r\n:3999\r\n$3\r\nOOM\r\n"
                   "$9\r\nepoch=abc\r\n");
    assert_true(reply_read_heartbeat(reply, &heartbeat));
    assert_string_equal(heartbeat.holder, "abc");
    assert_int_equal(heartbeat.epoch, 1766932200123);
    assert_int_equal(heartbeat.left_ms, 3999);
    assert_string_equal(heartbeat.fault, "OOM");
    assert_string_equal(heartbeat.replaced, "epoch=abc");
    freeReplyObject(reply);

    reply = read_reply("*5\r\n$0\r\n\r\n$1\r\n7\r\n:-2\r\n$0\r\n\r\n$0\r\n\r\n"); /* no lease */
    assert_true(reply_read_heartbeat(reply, &heartbeat));
    assert_string_equal(heartbeat.holder, "");
    assert_int_equal(heartbeat.left_ms, 0);
    freeReplyObject(reply);
}

static void a_publication_says_who_got_it_and_what_is_kept(void **state)
{
    (void)state;
    struct publish_reply publish;
    redisReply *reply = read_reply("*3\r\n:2\r\n$0\r\n\r\n$2\r\n42\r\n");
    assert_true(reply_read_publish(reply, &publish));
    assert_true(publish.has_lease);
    assert_int_equal(publish.receivers, 2);
    assert_int_equal(publish.kept_epoch, 42);
    freeReplyObject(reply);

    reply = read_reply("*3\r\n:-1\r\n$0\r\n\r\n$1\r\n0\r\n");
    assert_true(reply_read_publish(reply, &publish));
    assert_false(publish.has_lease);
    freeReplyObject(reply);

    uint64_t epoch, seq;
    reply = read_reply("*2\r\n$2\r\n42\r\n$1\r\n7\r\n");
    assert_true(reply_read_kept(reply, &epoch, &seq));
    assert_int_equal(epoch, 42);
    assert_int_equal(seq, 7);
    freeReplyObject(reply);
}

static void a_message_comes_with_its_channel(void **state)
{
    (void)state;
    struct publication_reply publication;
    redisReply *reply =
        read_reply("*4\r\n$8\r\npmessage\r\n$9\r\nheatmap:*\r\n$11\r\nheatmap:BTC\r\n"
                   "$2\r\n{}\r\n");
    assert_true(reply_read_publication(reply, &publication));
    assert_string_equal(publication.channel->str, "heatmap:BTC");
    assert_string_equal(publication.text->str, "{}");
    assert_false(reply_is_subscribed(reply));
    freeReplyObject(reply);

    reply = read_reply("*3\r\n$10\r\npsubscribe\r\n$9\r\nheatmap:*\r\n:1\r\n");
    assert_true(reply_is_subscribed(reply));
    assert_false(reply_read_publication(reply, &publication));
    freeReplyObject(reply);
}

static void no_other_form_passes(void **state)
{
    (void)state;
    static const char *const replies[] = {
        "+OK\r\n",
        "-ERR no such command\r\n",
        ":1\r\n",
        "$-1\r\n",
        "*-1\r\n",
        "*0\r\n",
        "*2\r\n$1\r\n1\r\n:2\r\n",
        "*2\r\n$1\r\n1\r\n$16\r\n9007199254740992\r\n",
        "*2\r\n$0\r\n\r\n$1\r\n1\r\n",
        "*2\r\n$2\r\n-1\r\n$1\r\n1\r\n",
        "*2\r\n$1\r\n1\r\n$-1\r\n",
        "*3\r\n$1\r\n2\r\n$0\r\n\r\n$1\r\n1\r\n",
        "*3\r\n:2\r\n-OOM\r\n$1\r\n1\r\n",
        "*3\r\n:2\r\n$-1\r\n$1\r\n1\r\n",
        "*3\r\n:2\r\n$0\r\n\r\n$5\r\n1e100\r\n",
        "*3\r\n$12\r\npunsubscribe\r\n$1\r\n*\r\n:1\r\n",
        "*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n:1\r\n$2\r\n{}\r\n",
        "*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\na\r\n*0\r\n",
        "*4\r\n$7\r\nmessage\r\n$1\r\n*\r\n$1\r\na\r\n$1\r\nb\r\n",
        "*5\r\n$0\r\n\r\n$1\r\n0\r\n:1\r\n$0\r\n\r\n$0\r\n\r\n", /* an epoch begins at 1 */
        "*5\r\n$0\r\n\r\n$16\r\n9007199254740992\r\n:1\r\n$0\r\n\r\n$0\r\n\r\n",
        "*5\r\n$-1\r\n$1\r\n7\r\n:1\r\n$0\r\n\r\n$0\r\n\r\n",
        "*5\r\n$0\r\n\r\n:7\r\n:1\r\n$0\r\n\r\n$0\r\n\r\n",
        "*5\r\n$0\r\n\r\n$1\r\n7\r\n$1\r\n1\r\n$0\r\n\r\n$0\r\n\r\n",
        "*5\r\n$0\r\n\r\n$1\r\n7\r\n:1\r\n*0\r\n$0\r\n\r\n",
        "*5\r\n$0\r\n\r\n$1\r\n7\r\n:1\r\n$0\r\n\r\n$-1\r\n",
    };
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        struct heartbeat_reply heartbeat;
        struct publish_reply publish;
        struct publication_reply publication;
        uint64_t epoch, seq;
        redisReply *reply = read_reply(replies[i]);
        if (reply_read_heartbeat(reply, &heartbeat) || reply_read_publish(reply, &publish) ||
            reply_read_kept(reply, &epoch, &seq) || reply_read_publication(reply, &publication) ||
            reply_is_subscribed(reply))
            fail_msg("%s", replies[i]);
        assert_true(strlen(reply_fault(reply)) > 0);
        freeReplyObject(reply);
    }
    redisReply *reply = read_reply("-ERR no such command\r\n");
    assert_string_equal(reply_fault(reply), "ERR no such command");
    freeReplyObject(reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_heartbeat_says_who_generates_and_what_was_wrong),
        cmocka_unit_test(a_publication_says_who_got_it_and_what_is_kept),
        cmocka_unit_test(a_message_comes_with_its_channel),
        cmocka_unit_test(no_other_form_passes),
    };
    return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
