/* What the network side has counted, over all workers: /ws/stats and its metrics. Private to net/.
 *
 * Each loop counts for itself, and here it is added up, on whichever thread asks. */
#ifndef HEATCAST_NET_SERVER_STATS_H
#define HEATCAST_NET_SERVER_STATS_H

#include "base/buffer.h"
#include "net/server.h"
#include "net/shared.h"
#include "net/worker.h"

#define STATS_WINDOW_SECONDS 60

struct net_server {
    struct net_shared shared;
    struct backend asked; /* what questions go to: the backend, and the page of metrics */
    size_t worker_count;
    struct worker **workers;
    int port;
    /* messages_sent at each of the last seconds; written by net_server_tick() alone. */
    atomic_uint_least64_t sent_at[STATS_WINDOW_SECONDS];
    atomic_size_t sent_next;
    struct summary **broadcasts; /* how long they took, by symbol */
};

/* Before anything is published; deinit when nothing is published any more. */
void server_stats_init(struct net_server *server);
void server_stats_deinit(struct net_server *server);

/* net_shared.append_stats. Any loop. */
void server_stats_append_json(struct buffer *out, struct net_server *server);

/* A collector for ops/metrics. */
void server_stats_collect(struct buffer *out, void *server);

/* Snapshots sent so far, all symbols. */
uint64_t server_stats_messages_sent(struct net_server *server);

#endif
