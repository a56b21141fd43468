/* The sockets of a loop's connections, in classes that do not wait for each other. Private to net/.
 *
 * Each class is an epoll set of its own, and the loop watches the sets. Each gets a slice of time
 * in a turn, and what is still ready then comes in the next turn, before what became ready later.
 * All on the loop's thread. */
#ifndef HEATCAST_NET_POLLER_H
#define HEATCAST_NET_POLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <uv.h>

/* Of a turn, for each class but the first, while that has any sockets. A broadcast may have to wait
 * for all slices of a turn, so they are short. */
#define POLLER_SLICE_US 500
#define POLLER_FIRST_SLICE_US 1000 /* a thousand clients that are well */
#define POLLER_EVENTS_MAX 1024     /* of a class in a turn */

enum poll_class {
    POLL_FIRST,    /* known to cost little */
    POLL_ORDINARY, /* may cost anything */
    POLL_CROWD,    /* as well, and there are many from one address */
    POLL_CLASS_COUNT,
};

struct poller;

struct poll_set {
    struct poller *poller;
    uv_poll_t handle;
    int fd;
    size_t count;     /* of its sockets */
    bool is_behind;   /* more were ready than were served in its last turn */
    uint64_t emptied; /* how often all that were ready have been served */
};

struct poller {
    struct poll_set sets[POLL_CLASS_COUNT];
    /* `events` as epoll_wait(2) has them. It may come once more for a socket that was removed in
     * this turn, so the context must live until the turn is over. */
    void (*on_ready)(void *context, uint32_t events);
};

void poller_init(struct poller *poller, uv_loop_t *loop,
                 void (*on_ready)(void *context, uint32_t events));

/* When it has no sockets any more. Its memory must live until the loop has run once more. */
void poller_close(struct poller *poller);

/* The socket is not the poller's: it must be removed before it is closed. False: the kernel has no
 * memory for it. */
bool poller_add(struct poller *poller, enum poll_class class, int fd, uint32_t events,
                void *context);

/* Other events of a socket; errors and the end of both sides are always reported. */
void poller_change(struct poller *poller, enum poll_class class, int fd, uint32_t events,
                   void *context);

/* To another class. False: the kernel has no memory for that, and it stays where it is. */
bool poller_move(struct poller *poller, enum poll_class from, enum poll_class to, int fd,
                 uint32_t events, void *context);

void poller_remove(struct poller *poller, enum poll_class class, int fd);

/* Whether a class that has a slice is behind, and how often one has caught up. */
bool poller_is_behind(const struct poller *poller);
uint64_t poller_emptied(const struct poller *poller);

#endif
