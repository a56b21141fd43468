/* One client that snapshots are sent to: what it is subscribed to, what it is still owed (its
 * outbox), and its way to the socket. What a client says, and in which protocol, is not known here:
 * a session embeds a subscriber, feeds it replies, and answers for it through its kind.
 *
 * All calls on the loop of the subscriber's group. Any of them may call the transport, which must
 * not free the subscriber then: it marks the connection, and frees it in a later turn of the loop.
 */
#ifndef HEATCAST_STREAM_SUBSCRIBER_H
#define HEATCAST_STREAM_SUBSCRIBER_H

#include "base/error.h"
#include "base/list.h"
#include "config/config.h"
#include "stream/outbox.h"
#include "stream/publisher.h"

#include <stdatomic.h>

struct subscriber;

/* How far a peer is with what was written to it. */
struct transport_progress {
    uint64_t taken_bytes;  /* in all, as its machine has acknowledged them */
    uint64_t unsent_bytes; /* that lie in the socket until it makes room for them */
};

/* How the subscribers of a group reach their sockets; installed by the network side. `context` is
 * the subscriber's. */
struct subscriber_transport {
    outbox_writer *write;
    void (*want_writable)(void *context, bool wanted); /* call subscriber_flush() when it is */
    void (*read_progress)(void *context, struct transport_progress *progress);
    void (*finish)(void *context); /* all is out: end the sending side, then the connection */
    void (*abort)(void *context);  /* end the connection now */
};

/* What a subscriber leaves to the protocol that embeds it. */
struct subscriber_kind {
    /* The first snapshot of a symbol that it is subscribed to cannot be made yet, and why. */
    void (*on_unavailable)(struct subscriber *subscriber, const char *symbol, enum status status);
};

/* Why a subscriber ended. */
enum subscriber_end {
    SUBSCRIBER_END_CLIENT, /* it closed, or was lost */
    SUBSCRIBER_END_SLOW,   /* it took nothing for too long, or did not read its replies */
    SUBSCRIBER_END_IDLE,   /* no byte came for too long */
    SUBSCRIBER_END_PROTOCOL_ERROR,
    SUBSCRIBER_END_RATE, /* too many messages */
    SUBSCRIBER_END_SHUTDOWN,
    SUBSCRIBER_END_COUNT,
};

const char *subscriber_end_name(enum subscriber_end reason); /* "protocol_error" */

enum subscriber_state {
    SUBSCRIBER_OPEN,
    SUBSCRIBER_CLOSING, /* its close frame is queued, and nothing goes out behind it */
    SUBSCRIBER_ENDED,   /* the transport was called to finish or abort */
};

/* What the subscribers of one loop share; part of that loop's hub. The counters are written by the
 * loop and read by any thread. */
struct subscriber_group {
    struct publisher *publisher;
    const struct subscriber_transport *transport;
    uint64_t slow_timeout_ns;    /* a snapshot that waits for longer is late */
    uint64_t slow_disconnect_ns; /* a socket that takes nothing for longer is given up */
    struct list ready;           /* subscribers that were given something in this turn */
    struct list blocked;         /* subscribers whose socket is full */
    uint64_t ticked_ns;          /* when subscriber_group_tick() was last called; 0: never */
    uint64_t resumed_ns; /* when the loop came back from its last stall; 0: there was none */
    uint64_t stall_warning_due_ns;
    struct outbox_meter meter;
    atomic_size_t slow_count;                          /* subscribers that are slow now */
    atomic_uint_least64_t ended[SUBSCRIBER_END_COUNT]; /* those that are gone, by why they ended */
};

/* What a broadcast reads comes first, here and in the structs that it goes to from here: few cache
 * lines are touched, and hub.c fetches them ahead. */
struct subscriber {
    struct subscriber_group *group;
    void *context;                    /* of the transport */
    struct list in_ready, in_blocked; /* of the group; in one of them at most */
    uint8_t state;                    /* enum subscriber_state */
    uint8_t end_reason;               /* enum subscriber_end, settled when it is no longer open */
    bool is_counted_slow;
    bool is_watched; /* see subscriber_is_taking() */
    struct outbox outbox;
    const struct subscriber_kind *kind;
    uint64_t taken_bytes;          /* what the peer had taken when the transport was last asked */
    uint64_t firsts_paid_until_ns; /* of the hub; see first_due_ns() there */
};

/* How a client wants the snapshots of a symbol. */
struct subscription_wish {
    uint32_t update_interval_ms; /* 0: every change */
    bool since_last;
};

/* One client's interest in one symbol, which lives in its outbox' list of slots. When its
 * snapshots may go is the hub's to say. */
struct subscription {
    struct list in_symbol; /* hub_symbol.subscriptions */
    struct subscriber *subscriber;
    uint64_t first_due_ns;       /* the first snapshot goes no sooner */
    uint64_t released_ns;        /* when the newest snapshot that was not held could go; 0: never */
    uint32_t update_interval_ms; /* 0: every change */
    uint16_t symbol_index;
    bool awaits_first;     /* has had no snapshot yet */
    bool wants_since_last; /* what happened since the last snapshot that it got */
    struct outbox_slot slot;
    struct list in_held; /* hub.held, while a snapshot waits for its time */
};

/* One client's interest in the liquidations of one symbol. */
struct print_subscription {
    struct list in_symbol; /* hub_symbol.print_subscriptions */
    struct subscriber *subscriber;
    uint16_t symbol_index;
    struct outbox_tape tape;
};

/* The publisher and the transport must outlive the group; the configuration is only read here. */
void subscriber_group_init(struct subscriber_group *group, const struct config *config,
                           struct publisher *publisher,
                           const struct subscriber_transport *transport);
void subscriber_group_deinit(struct subscriber_group *group); /* no subscriber is left */

/* Writes to all that are ready. */
void subscriber_group_flush(struct subscriber_group *group);

/* A loop that did not tick for longer was stopped, or starved. It has not read what came meanwhile
 * and has written nothing, which is no fault of its clients: all of their deadlines start over. */
#define SUBSCRIBER_STALL_MS 1000

/* Finds late snapshots and dead sockets. To be called several times a second. Returns how long the
 * loop was away, 0 if it was not. */
uint64_t subscriber_group_tick(struct subscriber_group *group, uint64_t now_ns);

/* `since_ns`, or the end of the last stall if that is later: where a client's deadline begins. */
static inline uint64_t subscriber_group_patient_since(const struct subscriber_group *group,
                                                      uint64_t since_ns)
{
    return since_ns > group->resumed_ns ? since_ns : group->resumed_ns;
}

/* `deflates`: the client takes compressed frames. */
void subscriber_init(struct subscriber *subscriber, struct subscriber_group *group,
                     const struct subscriber_kind *kind, bool deflates, void *context);
void subscriber_deinit(struct subscriber *subscriber); /* unsubscribes and frees what waits */

/* Calls `visit` with each of its subscriptions. */
void subscriber_visit(const struct subscriber *subscriber,
                      void (*visit)(struct subscription *subscription, void *context),
                      void *context);

/* Makes one, which there must not be yet. The caller links it into the symbol's list; all end with
 * the subscriber, or by subscription_end(). */
struct subscription *subscriber_add(struct subscriber *subscriber, size_t symbol_index);
void subscription_end(struct subscription *subscription); /* unlinks and frees it */

/* The same of liquidations, which the ring holds. */
void subscriber_visit_prints(const struct subscriber *subscriber,
                             void (*visit)(struct print_subscription *subscription, void *context),
                             void *context);
struct print_subscription *subscriber_add_prints(struct subscriber *subscriber, size_t symbol_index,
                                                 const struct print_ring *ring);
void print_subscription_end(struct print_subscription *subscription);

/* Something in the outbox may go: it is written at the end of this turn, unless the socket is
 * full. */
void subscriber_mark_ready(struct subscriber *subscriber);

static inline bool subscriber_is_ready(const struct subscriber *subscriber)
{
    return !list_is_empty(&subscriber->in_ready);
}

static inline bool subscriber_is_blocked(const struct subscriber *subscriber)
{
    return !list_is_empty(&subscriber->in_blocked);
}

/* Writes what waits, as far as the socket takes it. */
void subscriber_flush(struct subscriber *subscriber);

/* Nothing in the outbox could go now or will go in this turn, so what subscriber_send() writes
 * overtakes nothing. The two lists say so: what may go has marked the subscriber ready, and what
 * the socket does not take leaves it blocked. */
static inline bool subscriber_awaits_nothing(const struct subscriber *subscriber)
{
    return subscriber->state == SUBSCRIBER_OPEN && list_is_empty(&subscriber->in_ready) &&
           list_is_empty(&subscriber->in_blocked);
}

/* Whether the client, for which more waits, has taken any of it since the last call: it is slow but
 * alive. Asks the transport, which is a system call, so only for clients in doubt, and then about
 * once a second. The first call begins to watch, and is false; a blocked client is watched from the
 * moment when it became so. */
bool subscriber_is_taking(struct subscriber *subscriber, uint64_t now_ns);

/* There is no more doubt. */
static inline void subscriber_stop_watching(struct subscriber *subscriber)
{
    subscriber->is_watched = subscriber_is_blocked(subscriber);
}

/* Writes a broadcast's frame at once; see outbox_send(). If the peer is gone, the subscriber ends,
 * and its subscriptions with it; those of no other subscriber. */
void subscriber_send(struct subscriber *subscriber, struct outbox_slot *slot,
                     struct outbox_broadcast *broadcast);

/* Queues a reply, written at the end of this turn. `is_deflated`: ws_deflate() made the payload.
 * A client that causes more than may wait (outbox.h), in this turn or because it does not read, is
 * ended. Nothing is queued unless it is open. */
void subscriber_reply(struct subscriber *subscriber, enum ws_opcode opcode, bool is_deflated,
                      const char *payload, size_t size);

/* Queues a close frame with that payload, and ends when it is out; snapshots that wait are
 * dropped. Harmless when it is closing already. */
void subscriber_close(struct subscriber *subscriber, const char *payload, size_t size,
                      enum subscriber_end reason);

/* Ends it at once. Harmless when it has ended. */
void subscriber_abort(struct subscriber *subscriber, enum subscriber_end reason);

#endif
