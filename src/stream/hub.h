/* The ConnectionManager of one worker loop: symbol -> subscribers.
 *
 * Each loop has a hub of its own, so nothing here is locked. Subscribing and unsubscribing are
 * O(1) in the number of clients, and a broadcast touches the subscribers of its symbol alone. The
 * counters are written by the loop and read by any thread. */
#ifndef HEATCAST_STREAM_HUB_H
#define HEATCAST_STREAM_HUB_H

#include "base/list.h"
#include "config/config.h"
#include "stream/mailbox.h"
#include "stream/outbox.h"
#include "stream/publisher.h"

#include <stdatomic.h>

struct session;
struct ws_deflater;
struct ws_inflater;

/* One client's interest in one symbol. What a broadcast looks at comes first, here and in the
 * structs that it goes on to: few cache lines are touched, and fetched ahead. */
struct subscription {
    struct list in_symbol; /* hub_symbol.subscriptions */
    struct session *session;
    uint64_t released_ns;        /* when the newest snapshot that was not held could go; 0: never */
    uint32_t update_interval_ms; /* 0: every change */
    uint8_t symbol_index;
    bool awaits_first; /* has had no snapshot yet */
    struct outbox_slot slot;
    struct list in_held; /* hub.held, while a snapshot waits for its time */
};

/* Somebody (an HTTP request) who waits for the symbol to be looked at. */
struct hub_waiter {
    struct list in_symbol;
    /* `frame` is the newest or NULL (it keeps the hub's reference); the waiter is unlinked. */
    void (*on_ready)(struct hub_waiter *waiter, struct frame *frame, enum status status);
};

struct hub_symbol {
    struct list subscriptions;
    struct list waiters;
    struct frame *newest;
    atomic_size_t subscriber_count;
};

/* Why sessions ended. */
enum session_end {
    SESSION_END_CLIENT, /* it closed, or was lost */
    SESSION_END_SLOW,   /* it took nothing for too long, or did not read its replies */
    SESSION_END_IDLE,   /* no byte came for too long */
    SESSION_END_PROTOCOL_ERROR,
    SESSION_END_RATE, /* too many messages */
    SESSION_END_SHUTDOWN,
    SESSION_END_COUNT,
};

/* How the hub's sessions reach their sockets; installed by the network side. */
struct session_transport {
    outbox_writer *write;                              /* context: the session's */
    void (*want_writable)(void *context, bool wanted); /* call session_flush() when it is */
    void (*finish)(void *context); /* all is out, end the sending side and then the connection */
    void (*abort)(void *context);  /* end the connection now */
};

struct hub {
    const struct symbol_list *symbols;
    struct publisher *publisher;
    const struct session_transport *transport;
    uint64_t slow_timeout_ns, slow_disconnect_ns;
    struct list ready;   /* sessions that were offered something in this turn */
    struct list blocked; /* sessions whose socket is full */
    struct list held;    /* subscriptions whose snapshot waits for its time */
    struct outbox_meter meter;
    struct ws_inflater
        *inflater; /* for all sessions, one message at a time; NULL: not needed yet */
    struct ws_deflater *deflater;
    atomic_size_t slow_sessions;
    atomic_uint_least64_t ended[SESSION_END_COUNT]; /* sessions, by why they ended */
    struct hub_symbol by_symbol[SYMBOLS_MAX];
};

/* `config` and the others must outlive the hub. */
void hub_init(struct hub *hub, const struct config *config, struct publisher *publisher,
              const struct session_transport *transport);
void hub_deinit(struct hub *hub); /* all sessions and waiters must be gone */

/* Subscribes; a second time only changes the interval. The current snapshot goes into the outbox;
 * the caller flushes. */
void hub_subscribe(struct hub *hub, struct session *session, size_t symbol_index,
                   uint32_t update_interval_ms);
void hub_unsubscribe(struct hub *hub, struct session *session, size_t symbol_index);
void hub_unsubscribe_all(struct hub *hub, struct session *session);

/* Broadcasts what the mailbox held. */
void hub_deliver(struct hub *hub, struct mail mail[static SYMBOLS_MAX]);

/* To be called every HUB_TICK_MS: held snapshots whose time has come, late ones, dead sockets. */
#define HUB_TICK_MS 50
void hub_tick(struct hub *hub, uint64_t now_ns);

/* The loop's own, made when they are first needed. */
struct ws_inflater *hub_inflater(struct hub *hub);
struct ws_deflater *hub_deflater(struct hub *hub);

void hub_wait(struct hub *hub, size_t symbol_index, struct hub_waiter *waiter);
void hub_stop_waiting(struct hub_waiter *waiter); /* harmless when it is not waiting */

#endif
