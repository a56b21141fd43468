/* Which subscriptions of a connection are made, answered and refused.
 *
 *                    ┌──── the message was for several: each is said again alone
 *                    v                      │
 *     UNSAID ──say──> SAID ──acknowledged──> TAKEN
 *                      │ └────refused────> REFUSED ──its time has come──> is said again
 *
 * An answer names the number of the message that it is to, or is to the oldest that has none. If a
 * message for several is refused, nothing says for whose sake, so each of them is said again alone:
 * the one that is refused then rests, and the others come.
 *
 * Where a refused one stands, and the exchange's words, outlast a connection that ends. No I/O, no
 * clock. One thread. */
#ifndef HEATCAST_SOURCES_COLLECT_SUBSCRIPTIONS_H
#define HEATCAST_SOURCES_COLLECT_SUBSCRIPTIONS_H

#include "sources/collect/exchange.h"
#include "sources/source.h"

struct push_connection;

enum stream_state { STREAM_UNSAID, STREAM_SAID, STREAM_TAKEN, STREAM_REFUSED };

/* How one subscription stands: of a market, or of an exchange for all. Its owner's, zeroed at
 * first. */
struct stream {
    struct push_connection *connection; /* NULL: is not dealt out to one */
    enum stream_state state;
    bool is_alone;   /* needs a message of its own */
    uint64_t number; /* of the message by which it was said */
    int64_t said_ms;
    int64_t due_ms;                /* of a refused one: to be said again */
    char fault[SOURCE_FAULT_SIZE]; /* the exchange's words, until it is acknowledged; "": none */
};

struct dealt_stream {
    struct exchange_subscription what;
    struct stream *stream; /* outlives it */
};

/* Those of a connection; zeroed there are none. */
struct subscriptions {
    size_t count;
    struct dealt_stream *items;
};

void subscriptions_add(struct subscriptions *list, struct exchange_subscription what,
                       struct stream *stream);
void subscriptions_deinit(struct subscriptions *list);

/* The connection has ended: all are to be said, but refused ones keep to their time. */
void subscriptions_reset(struct subscriptions *list);

/* The subscriptions that the next message may be for, into arrays that have room for all of them.
 * Returns how many; 0: there is nothing to say now. */
size_t subscriptions_choose(const struct subscriptions *list, int64_t now_ms,
                            struct exchange_subscription *chosen, struct stream **streams);
bool subscriptions_has_unsaid(const struct subscriptions *list, int64_t now_ms);

/* Number: of the message; in the answers, 0: to the oldest that has none. */
void stream_say(struct stream *stream, uint64_t number, int64_t now_ms);
void subscriptions_acknowledge(struct subscriptions *list, uint64_t number);
/* Returns the subscription that rests now until `due_ms`; NULL: none does. */
const struct dealt_stream *subscriptions_refuse(struct subscriptions *list, uint64_t number,
                                                const char *why, int64_t due_ms);

/* When the oldest that has no answer was said; 0: all have. */
int64_t subscriptions_unanswered_since(const struct subscriptions *list);

#endif
