/* One worker loop: a thread, its listener, its connections, its hub. Private to net/. */
#ifndef HEATCAST_NET_WORKER_H
#define HEATCAST_NET_WORKER_H

#include "net/server.h"
#include "stream/hub.h"

#include <stdatomic.h>
#include <uv.h>

/* What one connection may bring in one turn of the loop: no more, so that others have theirs. */
#define WORKER_READ_SIZE (16 * 1024)

/* Why a connection was not taken on, or gave way. */
enum refusal {
    REFUSED_LIMIT,             /* WS_MAX_CONNECTIONS */
    REFUSED_LIMIT_PER_ADDRESS, /* WS_MAX_CONNECTIONS_PER_IP */
    REFUSED_HTTP_LIMIT,        /* HTTP_CONNECTIONS_MIN, or as many as there may be WebSockets */
    REFUSED_ORIGIN,
    REFUSED_COUNT,
};

/* Connections that are not WebSockets (yet), at a time: all clients may shake hands at once, and
 * pages and programs find room where WebSockets are few. */
#define HTTP_CONNECTIONS_MIN 1024

static inline int http_connections_max(const struct config *config)
{
    return config->ws_max_connections > HTTP_CONNECTIONS_MIN ? config->ws_max_connections
                                                             : HTTP_CONNECTIONS_MIN;
}

struct address_count;
struct answers;
struct tls_context;

/* What all workers share. Atomics are counters; relaxed order is enough for each. */
struct net_shared {
    const struct config *config;
    struct publisher *publisher;
    struct answers *answers;
    struct metrics *metrics;
    struct net_server *server;
    struct address_count *address_counts; /* NULL: no limit per address */
    struct tls_context *tls;              /* NULL: plain */
    bool has_echo;                        /* /ws/echo is open */
    atomic_bool is_stopping;
    atomic_int ws_connections;
    atomic_int http_connections;
    atomic_uint_least64_t accepted, refused[REFUSED_COUNT];
};

struct worker {
    uv_loop_t loop;
    uv_thread_t thread;
    uv_async_t wake; /* mail, or the end */
    uv_poll_t listener;
    uv_timer_t tick; /* every HUB_TICK_MS */
    int listener_fd;
    bool is_started, is_listening, is_draining;
    uint64_t accept_paused_until_ns; /* out of file descriptors; 0: not */
    uint64_t accept_warning_due_ns;
    uint64_t liveness_due_ns, drain_started_ns;
    struct net_shared *shared;
    struct list connections;
    struct list http; /* those of them that are not WebSockets, oldest first */
    size_t connection_count;
    struct list works; /* questions on the thread pool; routes.c */
    struct mailbox mailbox;
    struct hub hub;
    char read_buffer[WORKER_READ_SIZE]; /* shared by all connections: nothing is kept in it */
};

/* Takes the listening socket over; the mailbox can take mail from here on. */
struct worker *worker_create(struct net_shared *shared, int listener_fd);
void worker_start(struct worker *worker); /* starts the thread */

/* Any thread: begins to end. */
void worker_begin_stop(struct worker *worker);

void worker_join(struct worker *worker);    /* waits for the thread */
void worker_destroy(struct worker *worker); /* after nobody puts mail any more */

#endif
