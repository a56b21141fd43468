/* Several servers behind one name: one generates, all broadcast, Redis carries (docs/cluster.md).
 *
 * Everything runs on the main loop; what says so may be called on any thread and never waits for
 * Redis. Calls back on the main loop's thread only. */
#ifndef HEATCAST_CLUSTER_CLUSTER_H
#define HEATCAST_CLUSTER_CLUSTER_H

#include "base/buffer.h"
#include "config/config.h"
#include "model/publication.h"
#include "stream/frame.h"

#include <stdbool.h>
#include <uv.h>

struct cluster;

enum cluster_state {
    CLUSTER_JOINING,   /* just started: Redis has not answered yet */
    CLUSTER_FOLLOWING, /* broadcasts what another server generates */
    CLUSTER_LEADING,   /* generates for all servers */
    CLUSTER_ALONE,     /* hears no generator; generates for its own clients where it can */
    CLUSTER_STATE_COUNT,
};

const char *cluster_state_name(enum cluster_state state); /* "following" */

struct cluster_options {
    uv_loop_t *loop;
    const struct config *config; /* must outlive the cluster */
    bool may_generate;

    /* Generate under this epoch from now on; 0: do not generate. Also called when only the state
     * has changed. */
    void (*on_state)(enum cluster_state state, uint64_t epoch, void *context);
    /* A snapshot from Redis for the clients. `is_foreign`: it came without numbers, and those it
     * has are this server's. False if the clients have a newer one. */
    bool (*on_publication)(const struct publication *publication, bool is_foreign, void *context);
    /* The numbers of the newest snapshot that the clients have; 0, 0 if there is none. */
    void (*find_newest)(size_t symbol_index, uint64_t *epoch, uint64_t *seq, void *context);
    void *context;
};

/* What is known of it, for people and for the metrics. */
struct cluster_reading {
    enum cluster_state state;
    bool is_connected; /* commands are answered and publications come through */
    char reason[160];  /* why it is not; "" if it is */
};

/* Begins to connect. */
struct cluster *cluster_create(const struct cluster_options *options);

/* The generator has made a snapshot: sends it to the other servers, if this one leads. Takes a
 * reference of its own. Any thread. */
void cluster_publish(struct cluster *cluster, struct frame *frame);

/* Whether a snapshot of this epoch may still be given to anybody. Any thread. */
bool cluster_admits(struct cluster *cluster, uint64_t epoch);

/* Whether the generator can read its database: one that cannot leaves the lease to another. Any
 * thread. */
void cluster_report_database(struct cluster *cluster, bool is_readable);

void cluster_read(struct cluster *cluster, struct cluster_reading *reading); /* any thread */

/* A collector for ops/metrics. Any thread. */
void cluster_collect(struct buffer *out, void *cluster);

/* Gives the lease back and closes; the loop then has to run until it has nothing left, which is at
 * most CLUSTER_GOODBYE_MS. No callback comes any more. */
void cluster_begin_stop(struct cluster *cluster);
void cluster_destroy(struct cluster *cluster); /* after that, and after all threads that use it */

#define CLUSTER_GOODBYE_MS 300

#endif
