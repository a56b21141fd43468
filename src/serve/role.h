/* Who generates: this server, another one, or both in turn (docs/cluster.md).
 *
 * Joins the generator, the publisher and the cluster. A server that is alone always generates.
 * Where several share a Redis, the cluster tells whether this one does and under which epoch, and
 * brings what others publish. A relay never generates: it has no store and no generator.
 *
 * Belongs to the main thread, which makes, starts and ends it; a function that any thread may call
 * says so. */
#ifndef HEATCAST_SERVE_ROLE_H
#define HEATCAST_SERVE_ROLE_H

#include "cluster/cluster.h"
#include "engine/generator.h"
#include "ops/metrics.h"
#include "stream/publisher.h"

#include <stdatomic.h>
#include <uv.h>

/* What the generator needs that is not in the settings. */
struct role_generator {
    struct store *store;   /* must outlive the role */
    bool is_filled;        /* a source of this process fills it */
    struct replay *replay; /* must outlive it, too; NULL: there is none */
    /* What a symbol tick has cost. Generator's thread. */
    void (*on_computed)(uint64_t query_ns, uint64_t compute_ns, void *context);
    void *context;
};

struct role {
    const struct config *config;
    struct role_generator parts;
    struct publisher *publisher;
    struct model_settings model_settings;
    struct generator *generator;     /* NULL: a relay */
    struct cluster *cluster;         /* NULL: this is the only server */
    atomic_int cluster_state;        /* enum cluster_state */
    atomic_size_t failures_in_a_row; /* symbol ticks that could not use the database */
    atomic_bool *is_asked;           /* by symbol: a client wants it, and no generator here can
                                        be woken */
    uv_async_t asked;                /* some of these are set */
    atomic_bool has_joined;          /* `cluster` is there, for threads that began before it */
    struct frame **frames;           /* the generator's scratch; room for all symbols */
};

/* Whether these settings make a relay. */
bool role_is_relay(const struct config *config);

/* The parts must outlive the role. `publisher` was created with role_on_wanted and this role. */
void role_init(struct role *role, const struct config *config, struct publisher *publisher,
               uv_loop_t *loop);

/* Starts the generator (`generator` is NULL for a relay), and joins the other servers where
 * REDIS_ENABLED, whose metrics are registered. */
void role_start(struct role *role, const struct role_generator *generator, uv_loop_t *loop,
                struct metrics *metrics);

/* A symbol that was not kept current is wanted. `role` is a struct role. Any thread. */
void role_on_wanted(size_t symbol_index, void *role);

/* A liquidation for the clients of all servers; see publisher_publish_print(). Any thread. */
void role_publish_print(struct role *role, size_t symbol_index, uint64_t key, const char *text,
                        size_t text_size);

/* Its place among the servers. Any thread. */
enum cluster_state role_cluster_state(const struct role *role);

/* Leaves the other servers; the loop then has to run until nothing keeps it alive. Clients may
 * still ask, and are answered by the generator. */
void role_begin_stop(struct role *role);

/* Stops the generator; returns when its thread is gone. No thread may call role_on_wanted() any
 * more. The loop then has to run once more, before role_deinit(). */
void role_stop(struct role *role);
void role_deinit(struct role *role);

#endif
