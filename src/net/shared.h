/* What all worker loops of a server share. Private to net/.
 *
 * Made by net_server_create() and constant while the loops run, but for the atomics, and for the
 * parts that are pointed to, which say themselves which threads may call them. */
#ifndef HEATCAST_NET_SHARED_H
#define HEATCAST_NET_SHARED_H

#include "config/config.h"
#include "net/backend.h"
#include "net/notices.h"
#include "net/places.h"
#include "ops/metrics.h"
#include "stream/publisher.h"

#include <stdatomic.h>

struct net_server;
struct questions;
struct tls_context;

/* Why a connection was not taken on, gave way, or did not become a WebSocket. */
enum refusal {
    REFUSED_LIMIT,                   /* WS_MAX_CONNECTIONS */
    REFUSED_LIMIT_PER_ADDRESS,       /* WS_MAX_CONNECTIONS_PER_IP */
    REFUSED_HTTP_LIMIT,              /* HTTP_PLACES_MORE */
    REFUSED_CONNECTIONS_PER_ADDRESS, /* CONNECTIONS_PER_IP */
    REFUSED_ORIGIN,                  /* WS_ALLOWED_ORIGINS */
    REFUSED_HOST,                    /* ALLOWED_HOSTS */
    REFUSED_COUNT,
};

/* The atomics are counters that order nothing: relaxed is enough for each. `is_stopping` is the
 * exception; see net_server_begin_stop(). */
struct net_shared {
    const struct config *config;
    struct publisher *publisher;
    const struct backend *backend;
    struct questions *questions;
    struct metrics *metrics;
    struct places places;
    struct tls_context *tls; /* NULL: plain */
    bool has_echo;           /* /ws/echo is open */
    bool is_local;           /* site.h */
    /* GET /ws/stats. Any loop. */
    void (*append_stats)(struct buffer *out, struct net_server *server);
    struct net_server *server;
    atomic_bool is_stopping;
    atomic_uint_least64_t accepted, refused[REFUSED_COUNT];
    struct log_pause refused_pauses[REFUSED_COUNT];
    struct notices notices;
};

static inline void net_count_refusal(struct net_shared *shared, enum refusal reason)
{
    atomic_fetch_add_explicit(&shared->refused[reason], 1, memory_order_relaxed);
}

static inline uint64_t net_refusals(const struct net_shared *shared, enum refusal reason)
{
    return atomic_load_explicit(&shared->refused[reason], memory_order_relaxed);
}

#endif
