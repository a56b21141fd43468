/* A connection has some hundreds of subscriptions at most, and what happens to them is rare, but
 * for the question ten times a second whether there is something to say: so all of it is a walk
 * along a list, and none of it an index that has to be kept right. */
#include "sources/collect/subscriptions.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

void subscriptions_add(struct subscriptions *list, struct exchange_subscription what,
                       struct stream *stream)
{
    list->items = memory_resize(list->items, list->count + 1, sizeof *list->items);
    list->items[list->count++] = (struct dealt_stream){.what = what, .stream = stream};
}

void subscriptions_deinit(struct subscriptions *list)
{
    free(list->items);
    *list = (struct subscriptions){0};
}

void subscriptions_reset(struct subscriptions *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct stream *stream = list->items[i].stream;
        bool is_resting = stream->state == STREAM_REFUSED;
        stream->state = is_resting ? STREAM_REFUSED : STREAM_UNSAID;
    }
}

/* -- saying ------------------------------------------------------------------------------------ */

static bool is_to_say(const struct stream *stream, int64_t now_ms)
{
    return stream->state == STREAM_UNSAID ||
           (stream->state == STREAM_REFUSED && now_ms >= stream->due_ms);
}

bool subscriptions_has_unsaid(const struct subscriptions *list, int64_t now_ms)
{
    for (size_t i = 0; i < list->count; i++)
        if (is_to_say(list->items[i].stream, now_ms))
            return true;
    return false;
}

size_t subscriptions_choose(const struct subscriptions *list, int64_t now_ms,
                            struct exchange_subscription *chosen, struct stream **streams)
{
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct stream *stream = list->items[i].stream;
        if (!is_to_say(stream, now_ms) || (count > 0 && stream->is_alone))
            continue;
        chosen[count] = list->items[i].what;
        streams[count++] = stream;
        if (stream->is_alone)
            break;
    }
    return count;
}

void stream_say(struct stream *stream, uint64_t number, int64_t now_ms)
{
    stream->state = STREAM_SAID;
    stream->number = number;
    stream->said_ms = now_ms;
}

/* -- answers ----------------------------------------------------------------------------------- */

static uint64_t oldest_said(const struct subscriptions *list)
{
    uint64_t oldest = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct stream *stream = list->items[i].stream;
        if (stream->state == STREAM_SAID && (oldest == 0 || stream->number < oldest))
            oldest = stream->number;
    }
    return oldest;
}

/* A message may have several answers, of which the last may be a refusal. */
static bool is_said_by(const struct stream *stream, uint64_t number)
{
    return (stream->state == STREAM_SAID || stream->state == STREAM_TAKEN) &&
           stream->number == number;
}

void subscriptions_acknowledge(struct subscriptions *list, uint64_t number)
{
    number = number != 0 ? number : oldest_said(list);
    for (size_t i = 0; i < list->count; i++) {
        struct stream *stream = list->items[i].stream;
        if (!is_said_by(stream, number))
            continue;
        stream->state = STREAM_TAKEN;
        stream->fault[0] = '\0';
    }
}

const struct dealt_stream *subscriptions_refuse(struct subscriptions *list, uint64_t number,
                                                const char *why, int64_t due_ms)
{
    struct dealt_stream *only = NULL;
    size_t count = 0;
    number = number != 0 ? number : oldest_said(list);
    for (size_t i = 0; i < list->count; i++) {
        if (!is_said_by(list->items[i].stream, number))
            continue;
        only = &list->items[i];
        only->stream->state = STREAM_UNSAID;
        only->stream->is_alone = true;
        count++;
    }
    if (count != 1)
        return NULL;
    only->stream->state = STREAM_REFUSED;
    only->stream->due_ms = due_ms;
    snprintf(only->stream->fault, sizeof only->stream->fault, "%s", why);
    return only;
}

int64_t subscriptions_unanswered_since(const struct subscriptions *list)
{
    int64_t since_ms = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct stream *stream = list->items[i].stream;
        if (stream->state == STREAM_SAID && (since_ms == 0 || stream->said_ms < since_ms))
            since_ms = stream->said_ms;
    }
    return since_ms;
}
