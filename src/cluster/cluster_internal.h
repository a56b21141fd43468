/* What the parts of the cluster share. Private to cluster/.
 *
 *     cluster.c    life, heartbeat, probe, what state this server is in
 *     outgoing.c   frames of the generator -> Redis
 *     feed.c       Redis -> clients
 *     reply.c      what Redis answers, taken apart
 *     cluster_metrics.c
 *
 * All on the main loop, but for the atomics, the mailbox and what the lock guards. Each file has
 * the reasons for what it does; lease.c is the election, redis_link.c one connection. */
#ifndef HEATCAST_CLUSTER_CLUSTER_INTERNAL_H
#define HEATCAST_CLUSTER_CLUSTER_INTERNAL_H

#include "cluster/cluster.h"
#include "cluster/lease.h"
#include "cluster/message.h"
#include "cluster/redis_link.h"
#include "stream/mailbox.h"

#include <pthread.h>
#include <stdatomic.h>

#define SERVER_ID_SIZE 17
/* The prefix, "@" and a database's number, and what follows. */
#define REDIS_NAME_SIZE (CHANNEL_PREFIX_SIZE + 64)

/* What a command was, in the low byte of its tag; the symbol's index is above it. */
enum command {
    COMMAND_HEARTBEAT,
    COMMAND_PROBE,
    COMMAND_RELEASE,
    COMMAND_SUBSCRIBE,
    COMMAND_FETCH,
    COMMAND_PUBLISH,
    COMMAND_KEEP,
    COMMAND_PRINT
};

static inline uint32_t command_tag(enum command command, size_t symbol_index)
{
    return (uint32_t)(symbol_index << 8) | (uint32_t)command;
}

/* Why a message that came was not given to the clients; the first are message_fault's. */
enum ignored {
    IGNORED_OWN = MESSAGE_FAULT_COUNT, /* this server's, come back */
    IGNORED_OLD,                       /* the clients have a newer one */
    IGNORED_UNKNOWN_SYMBOL,            /* not in SYMBOLS */
    IGNORED_NOT_A_LIQUIDATION,         /* of that type, with a member that is missing or wrong */
    IGNORED_KNOWN_LIQUIDATION,         /* the clients have it, as this server's that came back */
    IGNORED_COUNT,
};

enum publish_failure {
    PUBLISH_FAILED_LEASE,     /* another server has taken over */
    PUBLISH_FAILED_REDIS,     /* it answered with an error */
    PUBLISH_FAILED_LOST,      /* the connection went before the answer came */
    PUBLISH_FAILED_TOO_LARGE, /* other servers would refuse it */
    PUBLISH_FAILURE_COUNT,
};

/* Written on the main loop, some on the generator's thread, and read by any that renders the
 * metrics. Relaxed, because a counter orders nothing. */
struct cluster_counters {
    atomic_uint_least64_t received, ignored[IGNORED_COUNT];
    atomic_uint_least64_t published, replaced, failures[PUBLISH_FAILURE_COUNT];
    atomic_uint_least64_t prints_published, prints_dropped;
    atomic_uint_least64_t losses, probe_failures, probe_ns, state_changes;
    atomic_bool commands_ready, subscription_ready;
};

/* One symbol's way out: at most one command under way, and the newest that waits for it. */
struct outgoing {
    struct frame *waiting, *under_way;     /* references */
    bool is_foreign, is_under_way_foreign; /* it is to be kept, but not published */
};

/* What orders the snapshots of a symbol. {0} is before all. */
struct numbers {
    uint64_t epoch, seq;
};

/* One symbol's way in; feed.c has the reasons. */
struct incoming {
    struct numbers kept; /* the newest that Redis keeps, as far as its replies said */
    struct numbers renumbered_from, renumbered_to; /* the last whose own numbers had gone back */
    uint64_t
        older_since_ns;    /* since when another program's are ignored as older; 0: they are not */
    struct numbers oldest; /* the lowest of those */
    uint64_t dropped_since_ns;        /* since when the generator's are ignored; 0: they are not */
    enum message_fault dropped_fault; /* why; MESSAGE_OK: as older */
    uint64_t heal_due_ns;             /* a greater epoch is asked for no earlier */
};

struct cluster {
    struct cluster_options options;
    char id[SERVER_ID_SIZE];
    char lease_key[REDIS_NAME_SIZE], epoch_key[REDIS_NAME_SIZE], claim_key[REDIS_NAME_SIZE];
    char channels[REDIS_NAME_SIZE]; /* what all channels of this cluster begin with */
    char pattern[REDIS_NAME_SIZE], probe_channel[REDIS_NAME_SIZE];
    uv_timer_t timer;
    uv_async_t wake; /* the mailbox has frames */

    struct redis_link commands, subscription;
    struct lease lease;
    uint64_t generator_epoch; /* another server's that has the lease, by the last heartbeat; or 0 */
    uint64_t applied_epoch;
    enum lease_state applied_state;
    bool is_stopping, is_heartbeat_awaited, is_subscribed, is_fetched;
    uint64_t ticked_ns;

    uint64_t heartbeat_sent_ns, heartbeat_due_ns;
    char heartbeat_fault[128], keep_fault[128]; /* why Redis refused; "" if it did not */

    uint64_t probe_number, probe_sent_ns, probe_due_ns, probe_heard_ns; /* sent, heard: 0: not */
    uint64_t fetch_due_ns;
    uint64_t barred_until_ns; /* no candidate until then: the database cannot be read */

    struct mailbox outbox;     /* from the generator */
    struct mail *mail;         /* what was taken out of it; room for all symbols */
    struct outgoing *outgoing; /* by symbol */
    size_t prints_under_way;   /* liquidations that Redis has not answered for yet */
    struct buffer numbered;    /* the feed's, reused */
    struct incoming *incoming; /* by symbol */
    uint64_t ignored_logged_ns[IGNORED_COUNT], replaced_logged_ns;

    struct cluster_counters counters;
    atomic_bool is_database_broken; /* relaxed: a flag that the next tick takes; orders nothing */

    pthread_mutex_t lock; /* guards what follows, for other threads; held for a few instructions */
    struct cluster_reading reading;
    uint64_t admitted_epoch, admitted_until_ns; /* cluster_admits() */
};

static inline void count(atomic_uint_least64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* "PREFIX:kind:NAME" or, without a kind, "PREFIX:NAME". A channel's PREFIX also has the number of
 * the database, "heatmap@1", unless it is 0: Redis publishes to all of its databases alike. Both
 * return `text`. */
char *cluster_key(const struct cluster *cluster, const char *kind, const char *name,
                  char text[REDIS_NAME_SIZE]);
char *cluster_channel(const struct cluster *cluster, const char *name, char text[REDIS_NAME_SIZE]);

/* Runs a script; the first `key_count` arguments are its keys. A size of 0: the text is terminated.
 */
struct script_argument {
    const char *text;
    size_t size;
};
void cluster_run(struct cluster *cluster, uint32_t tag, const char *script, int key_count,
                 int count, const struct script_argument *arguments);

/* Sends the next heartbeat at the next tick, because the holder of the lease may have changed. */
void cluster_hurry(struct cluster *cluster);

/* -- outgoing.c -- */
void outgoing_take_mail(struct cluster *cluster);
void outgoing_keep(struct cluster *cluster, struct frame *frame); /* takes the reference */
void outgoing_flush(struct cluster *cluster);
void outgoing_on_reply(struct cluster *cluster, enum command command, size_t symbol_index,
                       const redisReply *reply);
void outgoing_on_printed(struct cluster *cluster);
void outgoing_on_lost(struct cluster *cluster);
void outgoing_deinit(struct cluster *cluster);

/* -- feed.c -- */
void feed_fetch(struct cluster *cluster); /* asks for the newest snapshots that are kept */
void feed_on_fetched(struct cluster *cluster, size_t symbol_index, const redisReply *reply);
void feed_on_publication(struct cluster *cluster, const redisReply *channel,
                         const redisReply *text);
void feed_on_tick(struct cluster *cluster, uint64_t now_ns);
const char *feed_fault(const struct cluster *cluster, uint64_t now_ns); /* for /readyz; "" */

#endif
