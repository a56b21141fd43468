/* A ping is answered in microseconds, a TLS handshake takes half a millisecond, and a thousand
 * requests that come at once take as long as they take. On one list of ready sockets the ping waits
 * for whatever happens to stand before it. So a loop has several lists, each with a slice of time
 * in every turn, however many sockets it has and whatever they want: that of clients which are
 * known to be well, which is hardly ever used up, and those of all others. That a flood cannot
 * delay a healthy client by more than the slices of one turn is all that is promised; it is not
 * that the flood is served.
 *
 *     loop (libuv) ── POLL_FIRST    ── sockets      for POLLER_FIRST_SLICE_US
 *                  ├─ POLL_ORDINARY ── sockets      for POLLER_SLICE_US
 *                  ├─ POLL_CROWD    ── sockets      for POLLER_SLICE_US
 *                  ├─ listener, timers
 *                  └─ mail: a broadcast
 *
 * The lists are epoll sets, which the loop watches like sockets of its own: a set is readable while
 * one of its sockets is ready. What is left in a set after its slice makes it readable in the next
 * turn, and costs nothing in between. The kernel keeps ready sockets in the order in which they
 * became so, and puts one that was reported behind all others; hence one event at a time is
 * fetched, so that none is reported that is not served.
 *
 * A uv_poll_t for each connection, which is what this replaces, also costs 160 bytes and two more
 * system calls when it begins, and when what it watches changes. */
#include "net/poller.h"

#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <unistd.h>

/* -- a turn ------------------------------------------------------------------------------------ */

static bool fetch(const struct poll_set *set, struct epoll_event *event)
{
    int ready = epoll_wait(set->fd, event, 1, 0);
    check(ready >= 0 || errno == EINTR);
    return ready == 1;
}

/* When the slice of a set that begins now is over. Newcomers take all that they need while there is
 * nobody whom they keep waiting. */
static uint64_t slice_end_ns(const struct poll_set *set)
{
    const struct poll_set *first = &set->poller->sets[POLL_FIRST];
    uint64_t slice_us = set == first ? POLLER_FIRST_SLICE_US : POLLER_SLICE_US;
    return first->count > 0 ? clock_monotonic_ns() + slice_us * 1000 : UINT64_MAX;
}

/* At least one is served, so that each turn brings the rest nearer. */
static void on_set_ready(uv_poll_t *handle, int status, int events)
{
    (void)status, (void)events;
    struct poll_set *set = handle->data;
    struct epoll_event ready;
    uint64_t end_ns = slice_end_ns(set);
    int served = 0;
    set->is_behind = false;
    while (!set->is_behind && fetch(set, &ready)) {
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
        check(uv_poll_start(&set->handle, UV_READABLE, on_set_ready) == 0);
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
