/* hiredis gives a tree whose nodes may be of any type at any place, and whose members mean
 * something for their type alone. So each form is checked whole before a member is used, in
 * functions without a connection, which are tested and fuzzed with bytes. */
#include "cluster/reply.h"

#include "base/slice.h"
#include "cluster/message.h"

static bool is_list(const redisReply *reply, size_t count)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == count;
}

static bool is_text(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING;
}

/* Numbers that may be greater than 2^31 come as text, since scripts cut fractions and large values.
 */
static bool read_number(const redisReply *reply, uint64_t *number)
{
    return is_text(reply) &&
           slice_parse_unsigned((struct slice){reply->str, reply->len}, MESSAGE_NUMBER_MAX, number);
}

bool reply_read_heartbeat(const redisReply *reply, struct heartbeat_reply *heartbeat)
{
    if (!is_list(reply, 5) || !is_text(reply->element[0]) ||
        !read_number(reply->element[1], &heartbeat->epoch) || heartbeat->epoch == 0 ||
        reply->element[2]->type != REDIS_REPLY_INTEGER || !is_text(reply->element[3]) ||
        !is_text(reply->element[4]))
        return false;
    int64_t left_ms = reply->element[2]->integer;
    heartbeat->holder = reply->element[0]->str;
    heartbeat->left_ms = left_ms > 0 ? (uint64_t)left_ms : 0;
    heartbeat->fault = reply->element[3]->str;
    heartbeat->replaced = reply->element[4]->str;
    return true;
}

bool reply_read_publish(const redisReply *reply, struct publish_reply *publish)
{
    if (!is_list(reply, 3) || reply->element[0]->type != REDIS_REPLY_INTEGER ||
        !is_text(reply->element[1]) || !read_number(reply->element[2], &publish->kept_epoch))
        return false;
    publish->has_lease = reply->element[0]->integer >= 0;
    publish->receivers = reply->element[0]->integer;
    publish->fault = reply->element[1]->str;
    return true;
}

bool reply_read_kept(const redisReply *reply, uint64_t *epoch, uint64_t *seq)
{
    return is_list(reply, 2) && read_number(reply->element[0], epoch) &&
           read_number(reply->element[1], seq);
}

static bool is_word(const redisReply *reply, const char *word)
{
    return is_text(reply) && slice_equals((struct slice){reply->str, reply->len}, word);
}

bool reply_read_publication(const redisReply *reply, struct publication_reply *publication)
{
    if (!is_list(reply, 4) || !is_word(reply->element[0], "pmessage") ||
        !is_text(reply->element[2]) || !is_text(reply->element[3]))
        return false;
    publication->channel = reply->element[2];
    publication->text = reply->element[3];
    return true;
}

bool reply_is_subscribed(const redisReply *reply)
{
    return is_list(reply, 3) && is_word(reply->element[0], "psubscribe");
}

const char *reply_fault(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR ? reply->str : "an unexpected reply";
}
