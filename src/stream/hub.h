/* The subscribers of one worker loop, by symbol: a broadcast goes from the loop's mailbox to them.
 *
 * Each loop has a hub of its own, and calls it alone, so nothing here is locked; only the counters
 * of its group may be read by other threads. Subscribing and unsubscribing are O(1) in the number
 * of clients, and a broadcast touches the subscribers of its symbol alone. */
#ifndef HEATCAST_STREAM_HUB_H
#define HEATCAST_STREAM_HUB_H

#include "base/list.h"
#include "config/config.h"
#include "stream/mailbox.h"
#include "stream/publisher.h"
#include "stream/subscriber.h"

struct ws_deflater;
struct ws_inflater;

/* An HTTP request that waits until the symbol has been checked for news. Its owner keeps it alive
 * while it waits. */
struct hub_waiter {
    struct list in_symbol;
    /* `frame` is the newest or NULL, the hub's reference; the waiter is unlinked already. */
    void (*on_ready)(struct hub_waiter *waiter, struct frame *frame, enum status status);
};

/* What subscriptions differ in when a snapshot is broadcast. */
enum hub_stream {
    HUB_PLAIN,
    HUB_SINCE_LAST,
    HUB_STREAMS,
};

struct hub_symbol {
    struct list subscriptions[HUB_STREAMS];
    struct list print_subscriptions; /* of its liquidations */
    struct list waiters;
    struct frame *newest;
    struct print_ring *prints;     /* NULL: nobody has followed them yet */
    struct since_last *since_last; /* NULL: nobody has asked for it yet */
};

struct hub {
    struct subscriber_group group;
    const struct symbol_list *symbols;
    struct list held;             /* subscriptions whose snapshot waits for its time */
    struct ws_inflater *inflater; /* for all sessions; NULL: not needed yet */
    struct ws_deflater *deflater; /* the same */
    struct hub_symbol *by_symbol;
    /* Scratch by symbol: what a client is subscribed to, while that is looked up; and what had been
     * sent, while mail is delivered. */
    struct subscription **found;
    struct print_subscription **found_prints;
    uint64_t *sent_before;
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

/* Snapshots that subscribing alone brings, and no news: a client may have them of all symbols twice
 * at once, and from then on of all symbols once in this time. */
#define HUB_FIRSTS_PERIOD_MS 5000

/* Subscribes to different symbols; a second time only changes what is wished. The newest snapshot
 * of each, if there is one, goes into the outbox, and the caller flushes; or it is held there for a
 * while, if the client had many in this way (HUB_FIRSTS_PERIOD_MS). Both are for subscribers of
 * this hub's group, and cost what they have and what is asked for, not the product. */
void hub_subscribe(struct hub *hub, struct subscriber *subscriber, const uint16_t symbols[],
                   size_t count, struct subscription_wish wish);
void hub_unsubscribe(struct hub *hub, struct subscriber *subscriber, const uint16_t symbols[],
                     size_t count);

/* The same of liquidations, from the next one on (hub_prints.c). */
void hub_subscribe_prints(struct hub *hub, struct subscriber *subscriber, const uint16_t symbols[],
                          size_t count);
void hub_unsubscribe_prints(struct hub *hub, struct subscriber *subscriber,
                            const uint16_t symbols[], size_t count);

/* Liquidations that the mailbox held. Takes the references of the frames over. */
void hub_deliver_prints(struct hub *hub, struct frame *const prints[], size_t count);

/* Broadcasts what the mailbox held. Takes the references of the frames over. */
void hub_deliver(struct hub *hub, const struct mail mail[], size_t count);

/* To be called every HUB_TICK_MS: sends held snapshots whose time has come, finds late ones and
 * dead sockets. Returns for how long the loop was away, if for more than SUBSCRIBER_STALL_MS; 0
 * otherwise. */
#define HUB_TICK_MS 50
uint64_t hub_tick(struct hub *hub, uint64_t now_ns);

/* The hub's, created by the first call. */
struct ws_inflater *hub_inflater(struct hub *hub);
struct ws_deflater *hub_deflater(struct hub *hub);

void hub_wait(struct hub *hub, size_t symbol_index, struct hub_waiter *waiter);
void hub_stop_waiting(struct hub_waiter *waiter); /* harmless when it is not waiting */

#endif
