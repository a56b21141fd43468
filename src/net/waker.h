/* Wakes a loop from other threads. Private to net/.
 *
 * As uv_async_t, but a thread that wakes is done when its system call is: see waker.c. */
#ifndef HEATCAST_NET_WAKER_H
#define HEATCAST_NET_WAKER_H

#include <uv.h>

struct waker {
    uv_poll_t handle;
    int fd;
    void (*on_woken)(void *context);
    void *context;
};

/* `on_woken` is called on the loop's thread, once for any number of calls of waker_wake(). */
void waker_init(struct waker *waker, uv_loop_t *loop, void (*on_woken)(void *context),
                void *context);

/* Any thread, until waker_deinit(); it does nothing after waker_close(). What was written before is
 * seen by `on_woken`. */
void waker_wake(struct waker *waker);

void waker_close(struct waker *waker);  /* the loop may end */
void waker_deinit(struct waker *waker); /* when it has, and no thread wakes it any more */

#endif
