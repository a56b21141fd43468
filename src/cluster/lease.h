/* Who generates: one server's view of the election, without I/O and without a clock of its own.
 *
 *     JOINING --reply--> FOLLOWING <----> LEADING
 *        |                  |  ^             |
 *        +---- silence ---> ALONE <----------+ (lease ran out unanswered)
 *
 * Redis holds the lease (its holder, for LEASE_MS) and the greatest epoch that any server has
 * used. The owner sends heartbeats, feeds their replies to lease_on_reply(), calls
 * lease_on_tick() at least every LEASE_STALL_MS, and reads `state` and `epoch` after each call.
 * Main loop thread. */
#ifndef HEATCAST_CLUSTER_LEASE_H
#define HEATCAST_CLUSTER_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#define LEASE_MS 4000       /* in Redis: a holder that does not renew it for so long has lost it */
#define LEASE_MARGIN_MS 500 /* the holder gives up earlier by this much */
#define LEASE_SILENCE_MS 5000 /* no generator heard for so long: each server is on its own */
#define LEASE_JOIN_MS 2000    /* the same, at the start */
#define LEASE_STALL_MS 1000   /* a loop that slept for longer has not listened either */

/* An epoch is a number that only counts: how far it is from any clock means nothing. Clients
 * count exactly up to 2^53, so there must always be room above an epoch for those that follow. Up
 * to LEASE_EPOCH_MAX it is believed from any program; above that only what continues, in a step of
 * at most LEASE_EPOCH_STEP_MAX, what this cluster uses already. What is stored in Redis may be
 * greater by the room in which generators count on. */
#define LEASE_EPOCH_MAX (UINT64_C(1) << 52)
#define LEASE_EPOCH_STEP_MAX (UINT64_C(1) << 20)
#define LEASE_EPOCH_ROOM (UINT64_C(1) << 51)

enum lease_state {
    LEASE_JOINING,   /* just started: Redis has not answered yet */
    LEASE_FOLLOWING, /* another server generates */
    LEASE_LEADING,   /* this one generates for all */
    LEASE_ALONE,     /* none is heard: this one generates for its own clients, unless a relay */
};

/* What a heartbeat has found. */
struct lease_reply {
    bool has_holder, is_mine;
    uint64_t epoch; /* the greatest of all servers; if the lease is mine, the one to lead with */
};

struct lease {
    enum lease_state state;
    bool may_generate;       /* not a relay */
    uint64_t epoch;          /* LEADING, ALONE: what this server's snapshots bear; otherwise 0 */
    uint64_t seen_epoch;     /* the greatest that this server has seen or used */
    uint64_t valid_until_ns; /* LEADING */
    uint64_t heard_ns;       /* when this server last knew that a generator's snapshots reach it */
    uint64_t ticked_ns;
};

void lease_init(struct lease *lease, bool may_generate, uint64_t now_ns);

/* A snapshot of this epoch has reached the clients: the generator's must be greater. */
void lease_see_epoch(struct lease *lease, uint64_t epoch);

/* The greatest epochs that this server believes now: of a snapshot, and of what Redis stores. */
uint64_t lease_epoch_max(const struct lease *lease);
uint64_t lease_stored_epoch_max(const struct lease *lease);

/* `hears`: publications are known to come through to this server. `sent_ns` is when the heartbeat
 * left, for Redis counts the lease from no earlier. */
void lease_on_reply(struct lease *lease, const struct lease_reply *reply, bool hears,
                    uint64_t sent_ns, uint64_t now_ns);

/* `wall_ms` is where an epoch of this server's own begins if it has seen none that is greater. */
void lease_on_tick(struct lease *lease, uint64_t now_ns, int64_t wall_ms);

/* The server leaves the lease to another. */
void lease_resign(struct lease *lease);

#endif
