/* A ping is answered in microseconds, a TLS handshake takes half a millisecond, and a thousand
 * requests that come at once take as long as they take. On one list of ready sockets the ping waits
 * for whatever happens to stand before it. So a loop has several lists: those of clients that are
 * known to be well are served first, and all others share a slice of time, however many they are
 * and whatever they want. That a flood cannot delay a healthy client by more than the slices of one
 * turn is all that is promised; it is not that the flood is served.
 *
 *     loop (libuv) ── POLL_FIRST    ── sockets      all that are ready
 *                  ├─ POLL_ORDINARY ── sockets      for POLLER_SLICE_US
 *                  ├─ POLL_CROWD    ── sockets      for POLLER_SLICE_US
 *                  ├─ listener, timers
 *                  └─ mail: a broadcast
 *
 * The lists are epoll sets, which the loop watches like sockets of its own: a set is readable while
 * one of its sockets is ready. What is left in a set after its slice makes it readable in the next
 * turn, and costs nothing in between. The kernel keeps ready sockets in the order in which they
 * became so, and puts one that was reported behind all others; hence one event at a time is fetched
 * from a set that has a slice, so that none is reported that is not served.
 *
 * A uv_poll_t for each connection, which is what this replaces, also costs 160 bytes and two more
 * system calls when it begins, and when what it watches changes. */
#include "net/poller.h"

#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <unistd.h>

/* -- a turn ------------------------------------------------------------------------------------ */

static int fetch(const struct poll_set *set, struct epoll_event *events, int count)
{
    int ready = epoll_wait(set->fd, events, count, 0);
    check(ready >= 0 || errno == EINTR);
    return ready;
}

static void on_first_ready(uv_poll_t *handle, int status, int events)
{
    (void)status, (void)events;
    const struct poll_set *set = handle->data;
    struct epoll_event ready[POLLER_EVENTS_MAX];
    int count = fetch(set, ready, POLLER_EVENTS_MAX);
    for (int i = 0; i < count; i++)
        set->poller->on_ready(ready[i].data.ptr, ready[i].events);
}

/* When the slice that begins now is over; never, if nobody is kept waiting by it. */
static uint64_t slice_end_ns(const struct poller *poller)
{
    return poller->sets[POLL_FIRST].count > 0
               ? clock_monotonic_ns() + POLLER_SLICE_US * UINT64_C(1000)
               : UINT64_MAX;
}

/* At least one is served, so that each turn brings the rest nearer. */
static void on_others_ready(uv_poll_t *handle, int status, int events)
{
    (void)status, (void)events;
    struct poll_set *set = handle->data;
    struct epoll_event ready;
    uint64_t end_ns = slice_end_ns(set->poller);
    int served = 0;
    set->is_behind = false;
    while (!set->is_behind && fetch(set, &ready, 1) == 1) {
        set->poller->on_ready(ready.data.ptr, ready.events);
        set->is_behind = ++served == POLLER_EVENTS_MAX ||
                         (end_ns != UINT64_MAX && clock_monotonic_ns() >= end_ns);
    }
    set->emptied += !set->is_behind;
}

bool poller_is_behind(const struct poller *poller)
{
    for (size_t i = POLL_FIRST + 1; i < POLL_CLASS_COUNT; i++)
        if (poller->sets[i].is_behind)
            return true;
    return false;
}

uint64_t poller_emptied(const struct poller *poller)
{
    uint64_t sum = 0;
    for (size_t i = POLL_FIRST + 1; i < POLL_CLASS_COUNT; i++)
        sum += poller->sets[i].emptied;
    return sum;
}

/* -- life -------------------------------------------------------------------------------------- */

void poller_init(struct poller *poller, uv_loop_t *loop,
                 void (*on_ready)(void *context, uint32_t events))
{
    poller->on_ready = on_ready;
    for (size_t i = 0; i < POLL_CLASS_COUNT; i++) {
        struct poll_set *set = &poller->sets[i];
        set->poller = poller;
        set->count = 0;
        set->emptied = 0;
        set->is_behind = false;
        set->fd = epoll_create1(EPOLL_CLOEXEC);
        check(set->fd >= 0);
        check(uv_poll_init(loop, &set->handle, set->fd) == 0);
        set->handle.data = set;
        check(uv_poll_start(&set->handle, UV_READABLE,
                            i == POLL_FIRST ? on_first_ready : on_others_ready) == 0);
    }
}

static void on_closed(uv_handle_t *handle)
{
    const struct poll_set *set = handle->data;
    close(set->fd);
}

void poller_close(struct poller *poller)
{
    for (size_t i = 0; i < POLL_CLASS_COUNT; i++) {
        check(poller->sets[i].count == 0);
        uv_close((uv_handle_t *)&poller->sets[i].handle, on_closed);
    }
}

/* -- sockets ----------------------------------------------------------------------------------- */

bool poller_add(struct poller *poller, enum poll_class class, int fd, uint32_t events,
                void *context)
{
    struct epoll_event event = {.events = events, .data.ptr = context};
    struct poll_set *set = &poller->sets[class];
    if (epoll_ctl(set->fd, EPOLL_CTL_ADD, fd, &event) != 0)
        return false;
    set->count++;
    return true;
}

void poller_change(struct poller *poller, enum poll_class class, int fd, uint32_t events,
                   void *context)
{
    struct epoll_event event = {.events = events, .data.ptr = context};
    check(epoll_ctl(poller->sets[class].fd, EPOLL_CTL_MOD, fd, &event) == 0);
}

bool poller_move(struct poller *poller, enum poll_class from, enum poll_class to, int fd,
                 uint32_t events, void *context)
{
    if (!poller_add(poller, to, fd, events, context))
        return false;
    poller_remove(poller, from, fd);
    return true;
}

void poller_remove(struct poller *poller, enum poll_class class, int fd)
{
    struct poll_set *set = &poller->sets[class];
    check(epoll_ctl(set->fd, EPOLL_CTL_DEL, fd, NULL) == 0);
    set->count--;
}
