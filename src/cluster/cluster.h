/* Several servers behind one name: one generates, all broadcast, Redis carries (docs/cluster.md).
 *
 * Everything runs on the main loop, apart from the functions that say "any thread", which never
 * wait for Redis. Callbacks come on the main loop's thread. */
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
    CLUSTER_ALONE,     /* hears no generator; generates for its own clients, unless a relay */
    CLUSTER_STATE_COUNT,
};

const char *cluster_state_name(enum cluster_state state); /* "following" */

struct cluster_options {
    uv_loop_t *loop;
    const struct config *config; /* must outlive the cluster */
    bool may_generate;

    /* The state or the epoch has changed: generate under this epoch from now on; 0: do not. */
    void (*on_state)(enum cluster_state state, uint64_t epoch, void *context);
    /* A snapshot from Redis for the clients. `is_foreign`: it came without numbers, and this
     * server has given it those that it has. False if the clients have a newer one. */
    bool (*on_publication)(const struct publication *publication, bool is_foreign, void *context);
    /* A liquidation from Redis for the clients, with its key. False if it is known. */
    bool (*on_print)(size_t symbol_index, uint64_t key, const char *text, size_t text_size,
                     void *context);
    /* The numbers of the newest snapshot that the clients have; 0, 0 if there is none. */
    void (*find_newest)(size_t symbol_index, uint64_t *epoch, uint64_t *seq, void *context);
    void *context;
};

/* What /readyz and the metrics show. */
struct cluster_reading {
    enum cluster_state state;
    bool is_connected; /* commands are answered and publications come through */
    char reason[160];  /* why it is not; "" if it is */
};

/* Copies the options, and begins to connect. */
struct cluster *cluster_create(const struct cluster_options *options);

/* The generator has made a snapshot: sends it to the other servers, if this one leads. Takes a
 * reference of its own, and returns at once. Any thread. */
void cluster_publish(struct cluster *cluster, struct frame *frame);

/* Sends a liquidation to the other servers, whichever of them generates. It is lost while Redis
 * cannot be reached: nothing waits. Copies the text, and returns at once. Any thread. */
void cluster_publish_print(struct cluster *cluster, size_t symbol_index, const char *text,
                           size_t text_size);

/* Whether a snapshot of this epoch may still be published, here or in Redis. Any thread. */
bool cluster_admits(struct cluster *cluster, uint64_t epoch);

/* Whether the generator can read its database: one that cannot leaves the lease to another. Any
 * thread. */
void cluster_report_database(struct cluster *cluster, bool is_readable);

void cluster_read(struct cluster *cluster, struct cluster_reading *reading); /* any thread */

/* A collector for ops/metrics. Any thread. */
void cluster_collect(struct buffer *out, void *cluster);

/* Gives the lease back and closes. No callback comes any more. The loop then has to run until it
 * has nothing left, which takes CLUSTER_GOODBYE_MS at most. */
void cluster_begin_stop(struct cluster *cluster);
void cluster_destroy(struct cluster *cluster); /* after that, and after all threads that use it */

#define CLUSTER_GOODBYE_MS 300

#endif
