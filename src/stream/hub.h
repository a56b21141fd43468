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
#include "stream/publisher.h"
#include "stream/subscriber.h"

struct ws_deflater;
struct ws_inflater;

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
};

struct hub {
    struct subscriber_group group;
    const struct symbol_list *symbols;
    struct list held; /* subscriptions whose snapshot waits for its time */
    struct ws_inflater
        *inflater; /* for all sessions, one message at a time; NULL: not needed yet */
    struct ws_deflater *deflater;
    struct hub_symbol by_symbol[SYMBOLS_MAX];
};

/* The hub whose group the subscriber is in. */
static inline struct hub *hub_of(const struct subscriber *subscriber)
{
    return list_entry(subscriber->group, struct hub, group);
}

/* `config` and the others must outlive the hub. */
void hub_init(struct hub *hub, const struct config *config, struct publisher *publisher,
              const struct subscriber_transport *transport);
void hub_deinit(struct hub *hub); /* all subscribers and waiters must be gone */

/* Subscribes; a second time only changes the interval. The current snapshot goes into the outbox;
 * the caller flushes. */
void hub_subscribe(struct hub *hub, struct subscriber *subscriber, size_t symbol_index,
                   uint32_t update_interval_ms);
void hub_unsubscribe(struct hub *hub, struct subscriber *subscriber, size_t symbol_index);

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
