/* Liquidations on their way from a loop's mailbox to the clients that follow them. They come one by
 * one and are few beside deliveries of snapshots, so there is no direct way to the socket: a client
 * is marked, and gets what is new with its next write, at the end of this turn. What is new for it,
 * its place in the ring says. */
#include "base/check.h"
#include "base/log.h"
#include "stream/hub.h"

static void note_found(struct print_subscription *subscription, void *hub)
{
    ((struct hub *)hub)->found_prints[subscription->symbol_index] = subscription;
}

static void forget_found(struct print_subscription *subscription, void *hub)
{
    ((struct hub *)hub)->found_prints[subscription->symbol_index] = NULL;
}

static void subscribe(struct hub *hub, struct subscriber *subscriber, size_t symbol_index)
{
    struct hub_symbol *symbol = &hub->by_symbol[symbol_index];
    if (hub->found_prints[symbol_index] != NULL)
        return;
    if (symbol->prints == NULL)
        symbol->prints =
            print_ring_create(publisher_next_print(hub->group.publisher, symbol_index));
    struct print_subscription *subscription =
        subscriber_add_prints(subscriber, symbol_index, symbol->prints);
    list_push_back(&symbol->print_subscriptions, &subscription->in_symbol);
    log_debug("liquidations subscribed", log_text("symbol", hub->symbols->names[symbol_index]));
}

void hub_subscribe_prints(struct hub *hub, struct subscriber *subscriber, const uint16_t symbols[],
                          size_t count)
{
    check(subscriber->group == &hub->group);
    subscriber_visit_prints(subscriber, note_found, hub);
    for (size_t i = 0; i < count; i++)
        subscribe(hub, subscriber, symbols[i]);
    subscriber_visit_prints(subscriber, forget_found, hub);
}

void hub_unsubscribe_prints(struct hub *hub, struct subscriber *subscriber,
                            const uint16_t symbols[], size_t count)
{
    check(subscriber->group == &hub->group);
    subscriber_visit_prints(subscriber, note_found, hub);
    for (size_t i = 0; i < count; i++) {
        if (hub->found_prints[symbols[i]] != NULL)
            print_subscription_end(hub->found_prints[symbols[i]]);
        hub->found_prints[symbols[i]] = NULL;
    }
    subscriber_visit_prints(subscriber, forget_found, hub);
}

void hub_deliver_prints(struct hub *hub, struct frame *const prints[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct hub_symbol *symbol = &hub->by_symbol[prints[i]->symbol_index];
        if (symbol->prints != NULL)
            print_ring_put(symbol->prints, prints[i]);
        list_for_each_safe(link, following, &symbol->print_subscriptions) subscriber_mark_ready(
            list_entry(link, struct print_subscription, in_symbol)->subscriber);
        frame_release(prints[i]);
    }
    subscriber_group_flush(&hub->group);
}
