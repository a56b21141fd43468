/* A broadcast is one pass over the subscribers of a symbol, and at ten thousand of them it decides
 * how fast heatcast is. So the pass does as little as it can. A subscriber that waits for nothing
 * is written to at once: one system call, nothing queued, nothing allocated. Only the others go
 * through their outbox: those whose socket is full, that have replies waiting, or whose
 * update_interval has not passed; and all, where snapshots of several symbols came in one mail, so
 * that each client gets them in one write at the end of the turn. The pass waits for memory more
 * than it computes, which fetch_ahead() is for.
 *
 * A hub belongs to one loop and takes no locks. A subscriber may end within the pass, when its
 * peer turns out to be gone: then it takes its own subscriptions off the lists and no other's.
 * Snapshots that an update_interval holds back wait in `held`, and hub_tick() releases them; a
 * tick of 50 ms is exact enough for intervals of a second and more. */
#include "stream/hub.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "wire/deflate.h"

#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE_SIZE = 64 };

void hub_init(struct hub *hub, const struct config *config, struct publisher *publisher,
              const struct subscriber_transport *transport)
{
    memset(hub, 0, sizeof *hub);
    subscriber_group_init(&hub->group, config, publisher, transport);
    hub->symbols = &config->symbols;
    hub->by_symbol = memory_allocate_lines(hub->symbols->count, sizeof *hub->by_symbol);
    hub->found = memory_allocate_lines(hub->symbols->count, sizeof *hub->found);
    hub->found_prints = memory_allocate_lines(hub->symbols->count, sizeof *hub->found_prints);
    hub->sent_before = memory_allocate_lines(hub->symbols->count, sizeof *hub->sent_before);
    list_init(&hub->held);
    for (size_t i = 0; i < hub->symbols->count; i++) {
        for (size_t stream = 0; stream < HUB_STREAMS; stream++)
            list_init(&hub->by_symbol[i].subscriptions[stream]);
        list_init(&hub->by_symbol[i].print_subscriptions);
        list_init(&hub->by_symbol[i].waiters);
    }
}

void hub_deinit(struct hub *hub)
{
    for (size_t i = 0; i < hub->symbols->count; i++) {
        struct hub_symbol *symbol = &hub->by_symbol[i];
        for (size_t stream = 0; stream < HUB_STREAMS; stream++)
            check(list_is_empty(&symbol->subscriptions[stream]));
        check(list_is_empty(&symbol->print_subscriptions) && list_is_empty(&symbol->waiters));
        frame_release(symbol->newest);
        print_ring_destroy(symbol->prints);
        if (symbol->since_last != NULL)
            since_last_deinit(symbol->since_last);
        free(symbol->since_last);
    }
    free(hub->by_symbol);
    free(hub->found);
    free(hub->found_prints);
    free(hub->sent_before);
    subscriber_group_deinit(&hub->group);
    ws_inflater_destroy(hub->inflater);
    ws_deflater_destroy(hub->deflater);
}

/* No snapshot goes to the subscriber before this moment. */
static uint64_t due_ns(const struct subscription *subscription)
{
    if (subscription->released_ns == 0)
        return subscription->first_due_ns;
    return subscription->released_ns +
           (uint64_t)subscription->update_interval_ms * UINT64_C(1000000);
}

/* Makes the waiting snapshot the one with since_last. That is done when it may go out, and not when
 * it begins to wait: most that an interval holds back are replaced. */
static void add_since_last(struct subscription *subscription)
{
    struct hub *hub = hub_of(subscription->subscriber);
    struct hub_symbol *symbol = &hub->by_symbol[subscription->symbol_index];
    struct outbox_slot *slot = &subscription->slot;
    if (!subscription->wants_since_last || slot->pending == NULL)
        return;
    if (symbol->since_last == NULL)
        symbol->since_last = memory_allocate_zeroed(1, sizeof *symbol->since_last);
    const bool is_deflated =
        subscription->subscriber->outbox.deflates && frame_deflated(slot->pending) != NULL;
    struct frame *made = since_last_frame(symbol->since_last, slot->pending, &slot->sent,
                                          is_deflated ? hub_deflater(hub) : NULL);
    frame_release(slot->pending);
    slot->pending = made;
}

/* The waiting snapshot may go out. */
static void release(struct subscription *subscription, uint64_t now_ns)
{
    if (subscription->slot.is_held) {
        list_remove(&subscription->in_held);
        subscription->slot.is_held = false;
        subscription->slot.waiting_since_ns = now_ns;
    }
    subscription->released_ns = now_ns;
    add_since_last(subscription);
    subscriber_mark_ready(subscription->subscriber);
}

/* Puts a snapshot into the subscriber's slot; holds it there if the client's interval says so. One
 * that takes the place of a snapshot that waits for the socket alone is not held: the client is
 * owed one already. */
static void offer(struct hub *hub, struct subscription *subscription, struct frame *frame,
                  uint64_t since_ns, uint64_t now_ns)
{
    struct outbox_slot *slot = &subscription->slot;
    bool is_owed = slot->pending != NULL && !slot->is_held;
    if (!outbox_offer(&subscription->subscriber->outbox, slot, frame, since_ns, &hub->group.meter))
        return; /* it subscribed between publication and mail, and has it already */
    subscription->awaits_first = false;
    if (is_owed || now_ns >= due_ns(subscription)) {
        release(subscription, now_ns);
    } else if (!slot->is_held) {
        slot->is_held = true;
        list_push_back(&hub->held, &subscription->in_held);
    }
}

/* When the snapshot that a subscription begins with may go. A client that subscribes and
 * unsubscribes in turns would have the same snapshots again and again, megabytes for a few bytes.
 * So each is paid for with a share of HUB_FIRSTS_PERIOD_MS; a client may be two periods ahead of
 * the clock, and what it asks for beyond that waits, one more period at the most. */
static uint64_t first_due_ns(const struct hub *hub, struct subscriber *subscriber, uint64_t now_ns)
{
    const uint64_t period_ns = HUB_FIRSTS_PERIOD_MS * UINT64_C(1000000);
    const uint64_t ahead_max_ns = 2 * period_ns;
    uint64_t *paid_until_ns = &subscriber->firsts_paid_until_ns;
    if (*paid_until_ns < now_ns)
        *paid_until_ns = now_ns;
    *paid_until_ns += period_ns / hub->symbols->count;
    if (*paid_until_ns > now_ns + ahead_max_ns + period_ns)
        *paid_until_ns = now_ns + ahead_max_ns + period_ns;
    return *paid_until_ns > now_ns + ahead_max_ns ? *paid_until_ns - ahead_max_ns : now_ns;
}

static void log_change(struct hub *hub, const char *message, size_t symbol_index)
{
    size_t count = publisher_subscriber_count(hub->group.publisher, symbol_index);
    log_debug(message, log_text("symbol", hub->symbols->names[symbol_index]),
              log_int("subscribers", (int64_t)count));
}

/* What went out before it was wished for is not known to the slot, so the sums begin anew. */
static void set_wish(struct hub *hub, struct subscription *subscription,
                     struct subscription_wish wish)
{
    const enum hub_stream stream = wish.since_last ? HUB_SINCE_LAST : HUB_PLAIN;
    struct hub_symbol *symbol = &hub->by_symbol[subscription->symbol_index];
    subscription->update_interval_ms = wish.update_interval_ms;
    if (!list_is_empty(&subscription->in_symbol) &&
        subscription->wants_since_last == wish.since_last)
        return;
    subscription->wants_since_last = wish.since_last;
    subscription->slot.sent = (struct since_last_base){0};
    list_remove(&subscription->in_symbol);
    list_push_back(&symbol->subscriptions[stream], &subscription->in_symbol);
}

static void subscribe(struct hub *hub, struct subscriber *subscriber, size_t symbol_index,
                      struct subscription_wish wish)
{
    struct subscription *subscription = hub->found[symbol_index];
    if (subscription != NULL) {
        set_wish(hub, subscription, wish);
        return;
    }
    subscription = subscriber_add(subscriber, symbol_index);
    set_wish(hub, subscription, wish);
    struct frame *newest = publisher_newest(hub->group.publisher, symbol_index);
    if (newest != NULL) {
        uint64_t now_ns = clock_monotonic_ns();
        subscription->first_due_ns = first_due_ns(hub, subscriber, now_ns);
        offer(hub, subscription, newest, now_ns, now_ns);
    }
    frame_release(newest);
    log_change(hub, "subscribed", symbol_index);
}

static void unsubscribe(struct hub *hub, size_t symbol_index)
{
    if (hub->found[symbol_index] == NULL)
        return;
    subscription_end(hub->found[symbol_index]);
    log_change(hub, "unsubscribed", symbol_index);
}

static void note_found(struct subscription *subscription, void *hub)
{
    ((struct hub *)hub)->found[subscription->symbol_index] = subscription;
}

static void forget_found(struct subscription *subscription, void *hub)
{
    ((struct hub *)hub)->found[subscription->symbol_index] = NULL;
}

void hub_subscribe(struct hub *hub, struct subscriber *subscriber, const uint16_t symbols[],
                   size_t count, struct subscription_wish wish)
{
    check(subscriber->group == &hub->group);
    subscriber_visit(subscriber, note_found, hub);
    for (size_t i = 0; i < count; i++) {
        check(symbols[i] < hub->symbols->count);
        subscribe(hub, subscriber, symbols[i], wish);
    }
    subscriber_visit(subscriber, forget_found, hub);
}

void hub_unsubscribe(struct hub *hub, struct subscriber *subscriber, const uint16_t symbols[],
                     size_t count)
{
    check(subscriber->group == &hub->group);
    subscriber_visit(subscriber, note_found, hub);
    for (size_t i = 0; i < count; i++) {
        check(symbols[i] < hub->symbols->count);
        unsubscribe(hub, symbols[i]);
        hub->found[symbols[i]] = NULL;
    }
    subscriber_visit(subscriber, forget_found, hub);
}

/* A subscriber that waits for nothing and may have the snapshot now gets it at once: its slot and
 * the ready list would only lead to the same write. False: it must be offered. */
static bool try_send(struct subscription *subscription, struct outbox_broadcast *broadcast,
                     uint64_t now_ns)
{
    struct outbox_slot *slot = &subscription->slot;
    if (!subscriber_awaits_nothing(subscription->subscriber) || slot->pending != NULL ||
        now_ns < due_ns(subscription) || !frame_is_after(broadcast->frame, slot->epoch, slot->seq))
        return false;
    subscription->awaits_first = false;
    subscription->released_ns = now_ns;
    subscriber_send(subscription->subscriber, slot, broadcast);
    return true;
}

/* Thousands of subscribers fit no cache, and the way from a subscription to its subscriber to its
 * connection waits for memory three times. So while one is written to, what the next ones need is
 * fetched: each step of that way one write before it is taken. Inlined by force, since GCC removes
 * calls of a function that only fetches. */
static inline __attribute__((always_inline)) void fetch_ahead(const struct list *next,
                                                              const struct list *end)
{
    const struct list *second = next->next;
    if (next == end || second == end)
        return;
    const struct subscriber *nearer = list_entry(next, struct subscription, in_symbol)->subscriber;
    const struct subscriber *farther =
        list_entry(second, struct subscription, in_symbol)->subscriber;
    __builtin_prefetch(nearer->context); /* the transport keeps there what a write needs */
    __builtin_prefetch(farther);
    __builtin_prefetch((const char *)farther + CACHE_LINE_SIZE);
    __builtin_prefetch(second->next);
    __builtin_prefetch((const char *)second->next + CACHE_LINE_SIZE);
}

/* To those who get it as it is. `is_alone`: no other symbol's snapshot came with it; several leave
 * in one write. */
static void broadcast(struct hub *hub, const struct list *subscriptions, struct frame *frame,
                      bool is_alone, uint64_t now_ns)
{
    struct outbox_broadcast sending = {.frame = frame, .now_ns = now_ns};
    /* A subscriber that ends here takes its own subscription off the list, and no other. */
    list_for_each_safe(link, following, subscriptions)
    {
        struct subscription *subscription = list_entry(link, struct subscription, in_symbol);
        fetch_ahead(following, subscriptions);
        if (!is_alone || !try_send(subscription, &sending, now_ns))
            offer(hub, subscription, frame, frame->published_ns, now_ns);
        if (sending.plain_count + sending.deflated_count == OUTBOX_COUNT_EVERY)
            outbox_count_sent(&sending, clock_monotonic_ns(), &hub->group.meter);
    }
    outbox_count_sent(&sending, clock_monotonic_ns(), &hub->group.meter);
}

static void deliver(struct hub *hub, struct hub_symbol *symbol, struct frame *frame, bool is_alone,
                    uint64_t now_ns)
{
    if (symbol->newest != NULL &&
        !frame_is_after(frame, symbol->newest->epoch, symbol->newest->seq))
        return;
    frame_release(symbol->newest);
    symbol->newest = frame_acquire(frame);
    broadcast(hub, &symbol->subscriptions[HUB_PLAIN], frame, is_alone, now_ns);
    list_for_each_safe(link, following, &symbol->subscriptions[HUB_SINCE_LAST]) offer(
        hub, list_entry(link, struct subscription, in_symbol), frame, frame->published_ns, now_ns);
}

static void report_to(const struct list *subscriptions, const char *name, enum status status)
{
    list_for_each_safe(link, following, subscriptions)
    {
        struct subscription *subscription = list_entry(link, struct subscription, in_symbol);
        if (!subscription->awaits_first)
            continue;
        struct subscriber *subscriber = subscription->subscriber;
        subscription->awaits_first = false;
        subscriber->kind->on_unavailable(subscriber, name, status);
    }
}

/* A first snapshot could not be made: subscribers that wait for it get an error, once. A symbol
 * without data is no failure; its first snapshot comes when there is data. */
static void report_failure(const struct hub_symbol *symbol, const char *name, enum status status)
{
    for (size_t stream = 0; stream < HUB_STREAMS; stream++)
        if (status != STATUS_OK && status != STATUS_NO_DATA)
            report_to(&symbol->subscriptions[stream], name, status);
}

static void answer_waiters(struct hub_symbol *symbol, struct frame *newest, enum status status)
{
    while (!list_is_empty(&symbol->waiters)) {
        struct hub_waiter *waiter = list_entry(symbol->waiters.next, struct hub_waiter, in_symbol);
        list_remove(&waiter->in_symbol);
        waiter->on_ready(waiter, newest, status);
    }
}

static uint64_t frames_sent(struct hub *hub, size_t symbol_index)
{
    return atomic_load_explicit(&hub->group.meter.frames_sent[symbol_index], memory_order_relaxed);
}

/* Every socket that would take its snapshots has them: reports that to the publisher, with one
 * reading of the clock for all. */
static void report_delivered(struct hub *hub, const struct mail mail[], size_t count)
{
    uint64_t now_ns = clock_monotonic_ns();
    for (size_t i = 0; i < count; i++) {
        size_t index = mail[i].symbol_index;
        if (mail[i].frame == NULL)
            continue;
        bool is_taken = frames_sent(hub, index) != hub->sent_before[index];
        publisher_delivered(hub->group.publisher, mail[i].frame, is_taken ? now_ns : 0);
        frame_release(mail[i].frame);
    }
}

void hub_deliver(struct hub *hub, const struct mail mail[], size_t count)
{
    uint64_t now_ns = clock_monotonic_ns();
    size_t frame_count = 0;
    for (size_t i = 0; i < count; i++) {
        frame_count += mail[i].frame != NULL;
        hub->sent_before[mail[i].symbol_index] = frames_sent(hub, mail[i].symbol_index);
    }
    for (size_t i = 0; i < count; i++) {
        struct hub_symbol *symbol = &hub->by_symbol[mail[i].symbol_index];
        if (mail[i].frame != NULL)
            deliver(hub, symbol, mail[i].frame, frame_count == 1, now_ns);
        if (mail[i].is_checked) {
            report_failure(symbol, hub->symbols->names[mail[i].symbol_index], mail[i].status);
            answer_waiters(symbol, symbol->newest, mail[i].status);
        }
    }
    subscriber_group_flush(&hub->group);
    report_delivered(hub, mail, count);
}

static void release_held(struct hub *hub, uint64_t now_ns)
{
    list_for_each_safe(link, following, &hub->held)
    {
        struct subscription *subscription = list_entry(link, struct subscription, in_held);
        if (now_ns >= due_ns(subscription))
            release(subscription, now_ns);
    }
}

uint64_t hub_tick(struct hub *hub, uint64_t now_ns)
{
    release_held(hub, now_ns);
    subscriber_group_flush(&hub->group);
    return subscriber_group_tick(&hub->group, now_ns);
}

struct ws_inflater *hub_inflater(struct hub *hub)
{
    if (hub->inflater == NULL)
        hub->inflater = ws_inflater_create();
    return hub->inflater;
}

struct ws_deflater *hub_deflater(struct hub *hub)
{
    if (hub->deflater == NULL)
        hub->deflater = ws_deflater_create();
    return hub->deflater;
}

void hub_wait(struct hub *hub, size_t symbol_index, struct hub_waiter *waiter)
{
    check(symbol_index < hub->symbols->count);
    list_push_back(&hub->by_symbol[symbol_index].waiters, &waiter->in_symbol);
}

void hub_stop_waiting(struct hub_waiter *waiter)
{
    list_remove(&waiter->in_symbol);
}
