/* Threads that compute give way to the loops (net/questions.c), and on a machine with few cores a
 * loop that is woken takes the core from the thread that wakes it, in the midst of doing so. What
 * that thread still has to do then waits until it is its turn again, which is milliseconds where
 * others compute as well. So a thread that gives way must have nothing left to do that the loop
 * needs: no lock to release (question_table_unlock()), and not the flag of a uv_async_t, for which
 * libuv before 1.45 has the loop wait, spinning.
 *
 * An eventfd is one system call for the thread that wakes and one for the loop, as in libuv. */
#include "net/waker.h"

#include "base/check.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void on_readable(uv_poll_t *handle, int status, int events)
{
    (void)status, (void)events;
    struct waker *waker = handle->data;
    eventfd_t count;
    if (eventfd_read(waker->fd, &count) == 0)
        waker->on_woken(waker->context);
}

void waker_init(struct waker *waker, uv_loop_t *loop, void (*on_woken)(void *context),
                void *context)
{
    waker->on_woken = on_woken;
    waker->context = context;
    waker->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    check(waker->fd >= 0 && uv_poll_init(loop, &waker->handle, waker->fd) == 0);
    waker->handle.data = waker;
    check(uv_poll_start(&waker->handle, UV_READABLE, on_readable) == 0);
}

void waker_wake(struct waker *waker)
{
    check(eventfd_write(waker->fd, 1) == 0 || errno == EAGAIN); /* it is awake long since */
}

void waker_close(struct waker *waker)
{
    uv_close((uv_handle_t *)&waker->handle, NULL);
}

void waker_deinit(struct waker *waker)
{
    close(waker->fd);
}
