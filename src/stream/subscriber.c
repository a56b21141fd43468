/* A client that reads as fast as it should has nothing waiting, and a broadcast writes to it
 * directly. The others are in one of two lists of their group:
 *
 *                    something may go              the socket is full
 *     (in no list) --------------------> ready ------------------------> blocked
 *          ^                               |                               |
 *          +----------- all is out --------+--------- all is out ----------+
 *
 * *Ready* ones are written at the end of the loop's turn, so that replies and snapshots of several
 * symbols leave in one system call. *Blocked* ones are left alone until their socket can be
 * written: trying them before would cost a system call each, which all others pay. They alone can
 * be late, so they alone are checked for deadlines, and a client that reads costs no timer.
 *
 * Whatever ends a subscriber, end() does it, unless its connection is closed first: it leaves both
 * lists, its subscriptions are removed, and the transport is called once. The owner frees the
 * memory in a later turn of the loop, so that a walk over subscribers may end any of them. */
#include "stream/subscriber.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define MS_NS UINT64_C(1000000)

enum { STALL_WARNING_MS = 60000 }; /* at most one line in this time says that the loop was away */

static const char *const end_names[SUBSCRIBER_END_COUNT] = {
    [SUBSCRIBER_END_CLIENT] = "client", [SUBSCRIBER_END_SLOW] = "slow",
    [SUBSCRIBER_END_IDLE] = "idle",     [SUBSCRIBER_END_PROTOCOL_ERROR] = "protocol_error",
    [SUBSCRIBER_END_RATE] = "rate",     [SUBSCRIBER_END_SHUTDOWN] = "shutdown",
};

const char *subscriber_end_name(enum subscriber_end reason)
{
    return end_names[reason];
}

void subscriber_group_init(struct subscriber_group *group, const struct config *config,
                           struct publisher *publisher,
                           const struct subscriber_transport *transport)
{
    memset(group, 0, sizeof *group);
    group->slow_timeout_ns = (uint64_t)(config->ws_slow_consumer_timeout_seconds * 1e9);
    group->slow_disconnect_ns = (uint64_t)(config->ws_slow_consumer_disconnect_seconds * 1e9);
    group->publisher = publisher;
    group->transport = transport;
    outbox_meter_init(&group->meter, config->symbols.count);
    list_init(&group->ready);
    list_init(&group->blocked);
}

void subscriber_group_deinit(struct subscriber_group *group)
{
    outbox_meter_deinit(&group->meter);
}

/* -- subscriptions ----------------------------------------------------------------------------- */

static struct subscription *slot_subscription(struct list *link)
{
    return list_entry(link, struct subscription, slot.in_outbox);
}

void subscriber_visit(const struct subscriber *subscriber,
                      void (*visit)(struct subscription *subscription, void *context),
                      void *context)
{
    const struct list *slots = &subscriber->outbox.slots;
    for (struct list *link = slots->next; link != slots; link = link->next)
        visit(slot_subscription(link), context);
}

struct subscription *subscriber_add(struct subscriber *subscriber, size_t symbol_index)
{
    struct subscription *subscription = memory_allocate_zeroed(1, sizeof *subscription);
    subscription->subscriber = subscriber;
    subscription->symbol_index = (uint16_t)symbol_index;
    subscription->awaits_first = true;
    list_init(&subscription->in_symbol);
    list_init(&subscription->in_held);
    outbox_add_slot(&subscriber->outbox, &subscription->slot);
    publisher_add_subscriber(subscriber->group->publisher, symbol_index);
    return subscription;
}

void subscription_end(struct subscription *subscription)
{
    struct subscriber *subscriber = subscription->subscriber;
    outbox_remove_slot(&subscriber->outbox, &subscription->slot);
    list_remove(&subscription->in_symbol);
    list_remove(&subscription->in_held);
    publisher_remove_subscriber(subscriber->group->publisher, subscription->symbol_index);
    free(subscription);
}

static struct print_subscription *tape_subscription(struct list *link)
{
    return list_entry(link, struct print_subscription, tape.in_outbox);
}

void subscriber_visit_prints(const struct subscriber *subscriber,
                             void (*visit)(struct print_subscription *subscription, void *context),
                             void *context)
{
    const struct list *tapes = &subscriber->outbox.tapes;
    for (struct list *link = tapes->next; link != tapes; link = link->next)
        visit(tape_subscription(link), context);
}

struct print_subscription *subscriber_add_prints(struct subscriber *subscriber, size_t symbol_index,
                                                 const struct print_ring *ring)
{
    struct print_subscription *subscription = memory_allocate_zeroed(1, sizeof *subscription);
    subscription->subscriber = subscriber;
    subscription->symbol_index = (uint16_t)symbol_index;
    list_init(&subscription->in_symbol);
    outbox_add_tape(&subscriber->outbox, &subscription->tape, ring);
    publisher_add_print_follower(subscriber->group->publisher);
    return subscription;
}

void print_subscription_end(struct print_subscription *subscription)
{
    outbox_remove_tape(&subscription->tape);
    list_remove(&subscription->in_symbol);
    publisher_remove_print_follower(subscription->subscriber->group->publisher);
    free(subscription);
}

static void end_subscriptions(struct subscriber *subscriber)
{
    list_for_each_safe(link, following, &subscriber->outbox.slots)
        subscription_end(slot_subscription(link));
    list_for_each_safe(link, following, &subscriber->outbox.tapes)
        print_subscription_end(tape_subscription(link));
}

/* -- life -------------------------------------------------------------------------------------- */

void subscriber_init(struct subscriber *subscriber, struct subscriber_group *group,
                     const struct subscriber_kind *kind, bool deflates, void *context)
{
    memset(subscriber, 0, sizeof *subscriber);
    subscriber->group = group;
    subscriber->kind = kind;
    subscriber->context = context;
    list_init(&subscriber->in_ready);
    list_init(&subscriber->in_blocked);
    outbox_init(&subscriber->outbox);
    subscriber->outbox.deflates = deflates;
    if (deflates)
        publisher_add_deflater(group->publisher);
}

/* True if that has changed. */
static bool count_slow(struct subscriber *subscriber, bool is_slow)
{
    if (subscriber->is_counted_slow == is_slow)
        return false;
    subscriber->is_counted_slow = is_slow;
    atomic_fetch_add_explicit(&subscriber->group->slow_count, is_slow ? 1 : (size_t)-1,
                              memory_order_relaxed); /* a counter orders nothing */
    return true;
}

/* Takes it out of all that could still write to it. */
static void detach(struct subscriber *subscriber)
{
    end_subscriptions(subscriber);
    list_remove(&subscriber->in_ready);
    list_remove(&subscriber->in_blocked);
    count_slow(subscriber, false);
}

static void end(struct subscriber *subscriber, void (*how)(void *context),
                enum subscriber_end reason)
{
    if (subscriber->state == SUBSCRIBER_ENDED)
        return;
    if (subscriber->state == SUBSCRIBER_OPEN)
        subscriber->end_reason = (uint8_t)reason;
    subscriber->state = SUBSCRIBER_ENDED;
    detach(subscriber);
    how(subscriber->context);
}

void subscriber_deinit(struct subscriber *subscriber)
{
    struct subscriber_group *group = subscriber->group;
    detach(subscriber);
    meter_add(&group->ended[subscriber->end_reason], 1);
    log_debug("client ended", log_text("reason", end_names[subscriber->end_reason]));
    if (subscriber->outbox.deflates)
        publisher_remove_deflater(group->publisher);
    outbox_deinit(&subscriber->outbox);
}

void subscriber_abort(struct subscriber *subscriber, enum subscriber_end reason)
{
    end(subscriber, subscriber->group->transport->abort, reason);
}

/* -- writing ----------------------------------------------------------------------------------- */

void subscriber_mark_ready(struct subscriber *subscriber)
{
    if (subscriber->state == SUBSCRIBER_OPEN && !subscriber_is_blocked(subscriber) &&
        !subscriber_is_ready(subscriber))
        list_push_back(&subscriber->group->ready, &subscriber->in_ready);
}

/* Asks the transport how far the peer is. Returns what lies unsent in the socket; `*has_taken`: it
 * has taken something since the last time. */
static uint64_t look(struct subscriber *subscriber, bool *has_taken)
{
    struct transport_progress progress;
    subscriber->group->transport->read_progress(subscriber->context, &progress);
    *has_taken = subscriber->is_watched && progress.taken_bytes != subscriber->taken_bytes;
    subscriber->is_watched = true;
    subscriber->taken_bytes = progress.taken_bytes;
    return progress.unsent_bytes;
}

/* Draws the consequences of a write. */
static void settle(struct subscriber *subscriber, enum outbox_result result)
{
    const struct subscriber_transport *transport = subscriber->group->transport;
    bool was_blocked = subscriber_is_blocked(subscriber), has_taken;
    switch (result) {
    case OUTBOX_EMPTY:
        if (was_blocked) {
            list_remove(&subscriber->in_blocked);
            transport->want_writable(subscriber->context, false);
            if (count_slow(subscriber, false))
                log_debug("slow client recovered");
        }
        if (subscriber->state == SUBSCRIBER_CLOSING)
            end(subscriber, transport->finish, SUBSCRIBER_END_CLIENT);
        break;
    case OUTBOX_BLOCKED:
        if (!was_blocked) {
            list_push_back(&subscriber->group->blocked, &subscriber->in_blocked);
            transport->want_writable(subscriber->context, true);
            look(subscriber, &has_taken); /* what it takes counts from here on */
        }
        break;
    case OUTBOX_BROKEN:
        end(subscriber, transport->abort, SUBSCRIBER_END_CLIENT);
        break;
    }
}

void subscriber_flush(struct subscriber *subscriber)
{
    struct subscriber_group *group = subscriber->group;
    list_remove(&subscriber->in_ready);
    if (subscriber->state != SUBSCRIBER_ENDED)
        settle(subscriber,
               outbox_flush(&subscriber->outbox, clock_monotonic_ns(), group->transport->write,
                            subscriber->context, &group->meter));
}

void subscriber_send(struct subscriber *subscriber, struct outbox_slot *slot,
                     struct outbox_broadcast *broadcast)
{
    struct subscriber_group *group = subscriber->group;
    enum outbox_result result =
        outbox_send(&subscriber->outbox, slot, broadcast, group->transport->write,
                    subscriber->context, &group->meter);
    if (result != OUTBOX_EMPTY) /* it was so before */
        settle(subscriber, result);
}

void subscriber_group_flush(struct subscriber_group *group)
{
    while (!list_is_empty(&group->ready))
        subscriber_flush(list_entry(group->ready.next, struct subscriber, in_ready));
}

/* -- deadlines --------------------------------------------------------------------------------- */

/* A client that takes bytes need not make its socket writable by that: the kernel waits until half
 * of what it holds unsent is gone, which takes a slow one longer than any deadline. */
bool subscriber_is_taking(struct subscriber *subscriber, uint64_t now_ns)
{
    bool has_taken, is_blocked = subscriber_is_blocked(subscriber);
    uint64_t unsent_bytes = look(subscriber, &has_taken);
    if (has_taken && is_blocked)
        subscriber->outbox.blocked_since_ns = now_ns;
    return has_taken && (is_blocked || unsent_bytes > 0);
}

static void check_deadlines(struct subscriber *subscriber, uint64_t now_ns)
{
    struct subscriber_group *group = subscriber->group;
    struct outbox *outbox = &subscriber->outbox;
    uint64_t since_ns = subscriber_group_patient_since(group, outbox->blocked_since_ns);
    if (now_ns > since_ns + group->slow_disconnect_ns &&
        !subscriber_is_taking(subscriber, now_ns)) {
        subscriber_abort(subscriber, SUBSCRIBER_END_SLOW);
        return;
    }
    if (subscriber->state != SUBSCRIBER_OPEN)
        return; /* a warning would come behind the close frame, RFC 6455 §5.5.1 */
    if (now_ns > group->resumed_ns + group->slow_timeout_ns)
        outbox_check_deadlines(outbox, now_ns, group->slow_timeout_ns, &group->meter);
    if (outbox->is_slow && count_slow(subscriber, true))
        log_debug("client slow", log_int("dropped", outbox->dropped),
                  log_int("reply_bytes", outbox->reply_bytes));
}

/* Returns for how long the loop was away. */
static uint64_t note_time(struct subscriber_group *group, uint64_t now_ns)
{
    uint64_t since_ns = group->ticked_ns;
    group->ticked_ns = now_ns;
    if (since_ns == 0 || now_ns - since_ns <= SUBSCRIBER_STALL_MS * MS_NS)
        return 0;
    group->resumed_ns = now_ns;
    if (now_ns >= group->stall_warning_due_ns) {
        group->stall_warning_due_ns = now_ns + STALL_WARNING_MS * MS_NS;
        log_warn("a loop was stopped or starved; its clients' deadlines start over",
                 log_int("away_ms", (int64_t)((now_ns - since_ns) / MS_NS)));
    }
    return now_ns - since_ns;
}

uint64_t subscriber_group_tick(struct subscriber_group *group, uint64_t now_ns)
{
    uint64_t away_ns = note_time(group, now_ns);
    list_for_each_safe(link, following, &group->blocked)
        check_deadlines(list_entry(link, struct subscriber, in_blocked), now_ns);
    return away_ns;
}

/* -- replies ----------------------------------------------------------------------------------- */

void subscriber_reply(struct subscriber *subscriber, enum ws_opcode opcode, bool is_deflated,
                      const char *payload, size_t size)
{
    if (subscriber->state != SUBSCRIBER_OPEN)
        return;
    if (outbox_push_reply(&subscriber->outbox, opcode, is_deflated, payload, size))
        subscriber_mark_ready(subscriber);
    else
        subscriber_abort(subscriber, SUBSCRIBER_END_SLOW);
}

void subscriber_close(struct subscriber *subscriber, const char *payload, size_t size,
                      enum subscriber_end reason)
{
    if (subscriber->state != SUBSCRIBER_OPEN)
        return;
    end_subscriptions(subscriber);
    subscriber->outbox.owes_warning = false;
    bool is_queued = outbox_push_reply(&subscriber->outbox, WS_CLOSE, false, payload, size);
    subscriber->state = SUBSCRIBER_CLOSING;
    subscriber->end_reason = (uint8_t)reason;
    if (is_queued)
        subscriber_flush(subscriber);
    else
        subscriber_abort(subscriber, reason);
}
