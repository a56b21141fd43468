/* hiredis calls for reading and writing to be watched or not, one at a time, and libuv watches a
 * socket for a set of events: this keeps the set. The handle outlives the context, since libuv
 * closes handles in a later turn of the loop. */
#include "cluster/redis_poll.h"

#include "base/check.h"

#include <stdlib.h>

struct redis_poll {
    uv_poll_t handle;
    redisAsyncContext *context; /* NULL once hiredis has let go */
    int events;
};

static void on_event(uv_poll_t *handle, int status, int events)
{
    struct redis_poll *poll = handle->data;
    if (status != 0) /* reading or writing will find out what it is */
        events = poll->events;
    if (poll->context != NULL && (events & UV_READABLE))
        redisAsyncHandleRead(poll->context);
    if (poll->context != NULL && (events & UV_WRITABLE))
        redisAsyncHandleWrite(poll->context);
}

static void watch(struct redis_poll *poll, int events)
{
    if (events == poll->events)
        return;
    poll->events = events;
    if (events == 0)
        uv_poll_stop(&poll->handle);
    else
        uv_poll_start(&poll->handle, events, on_event);
}

static void add_read(void *data)
{
    struct redis_poll *poll = data;
    watch(poll, poll->events | UV_READABLE);
}

static void remove_read(void *data)
{
    struct redis_poll *poll = data;
    watch(poll, poll->events & ~UV_READABLE);
}

static void add_write(void *data)
{
    struct redis_poll *poll = data;
    watch(poll, poll->events | UV_WRITABLE);
}

static void remove_write(void *data)
{
    struct redis_poll *poll = data;
    watch(poll, poll->events & ~UV_WRITABLE);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void cleanup(void *data)
{
    struct redis_poll *poll = data;
    poll->context = NULL;
    uv_close((uv_handle_t *)&poll->handle, on_closed);
}

bool redis_poll_attach(redisAsyncContext *context, uv_loop_t *loop)
{
    struct redis_poll *poll = memory_allocate_zeroed(1, sizeof *poll);
    if (uv_poll_init(loop, &poll->handle, context->c.fd) != 0) {
        free(poll);
        return false;
    }
    poll->handle.data = poll;
    poll->context = context;
    context->ev.data = poll;
    context->ev.addRead = add_read;
    context->ev.delRead = remove_read;
    context->ev.addWrite = add_write;
    context->ev.delWrite = remove_write;
    context->ev.cleanup = cleanup;
    return true;
}
