/* One worker loop: a thread, its listener, its connections, its hub. Private to net/.
 *
 * Everything in it belongs to its thread, but for the mailbox and the inbox, which say themselves
 * which threads may put something there, and the hub's counters. */
#ifndef HEATCAST_NET_WORKER_H
#define HEATCAST_NET_WORKER_H

#include "net/exchange.h"
#include "net/poller.h"
#include "net/transport.h"
#include "net/waker.h"
#include "stream/hub.h"

#include <uv.h>

struct worker {
    uv_loop_t loop;
    uv_thread_t thread;
    struct waker wake;     /* mail, or the end */
    struct waker answered; /* answers to questions */
    uv_poll_t listener;
    uv_timer_t tick;     /* every HUB_TICK_MS */
    uv_check_t turn_end; /* frees what was closed in the turn */
    struct poller poller;
    int listener_fd;
    bool is_started, is_listening, is_draining;
    int unread; /* accepted since `emptied` of the poller was as it is here */
    uint64_t emptied;
    uint64_t accept_paused_until_ns; /* out of file descriptors; 0: not */
    uint64_t accept_warning_due_ns;
    uint64_t liveness_due_ns, drain_started_ns;
    struct net_shared *shared;
    struct list connections;
    struct list http;         /* those of them that are not WebSockets, oldest first */
    struct list refused;      /* those that are told so; oldest first */
    struct list closed;       /* those that are freed at the end of this turn */
    struct list on_probation; /* WebSockets that are not known yet, in the order of their ends */
    size_t refused_count;
    size_t connection_count;
    struct mailbox mailbox;
    struct mail *mail; /* what was taken out of it; room for all symbols */
    struct question_inbox inbox;
    struct exchange_host host;
    struct hub hub;
    /* What one connection may bring in one turn; for all of them, since nothing is kept in it. */
    char read_buffer[TRANSPORT_READ_SIZE];
};

/* Takes the listening socket over; the mailbox can take mail from here on. */
struct worker *worker_create(struct net_shared *shared, int listener_fd);
void worker_start(struct worker *worker); /* starts the thread */

/* Any thread: begins to end. */
void worker_begin_stop(struct worker *worker);

void worker_join(struct worker *worker);    /* waits for the thread */
void worker_destroy(struct worker *worker); /* when no mail can come any more */

#endif
