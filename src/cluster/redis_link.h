/* One connection to Redis that reconnects by itself: resolve, connect, AUTH, SELECT, PING, ready;
 * lost, wait (base/backoff, 0.5 s to 10 s), again. Private to cluster/; main loop thread.
 *
 * Nothing is kept over a loss: a command that had no reply yet gets none, and the owner sends
 * again what still matters. A connection on which a reply is overdue is lost. */
#ifndef HEATCAST_CLUSTER_REDIS_LINK_H
#define HEATCAST_CLUSTER_REDIS_LINK_H

#include "base/backoff.h"
#include "base/error.h"
#include "config/redis_url.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include <hiredis/async.h>
#include <uv.h>

#define LINK_REPLY_TIMEOUT_MS 2000
#define LINK_CONNECT_TIMEOUT_MS 3000 /* until it is ready */
#define LINK_BACKOFF_MIN_MS 500
#define LINK_BACKOFF_MAX_MS 10000
#define LINK_STEADY_MS                                                                             \
    5000                   /* after being ready for so long, waits begin with the shortest again   \
                            */
#define LINK_STALL_MS 1000 /* a loop that slept for longer has not read what came */
#define LINK_ADDRESSES_MAX 8

enum link_state {
    LINK_WAITING, /* until due_ns */
    LINK_RESOLVING,
    LINK_CONNECTING, /* TCP, then the greeting; until due_ns at most */
    LINK_READY,
    LINK_CLOSED,
};

struct redis_link;

struct link_events {
    void (*on_ready)(struct redis_link *link);
    void (*on_lost)(struct redis_link *link); /* it was ready, and is no longer */
    /* `tag` is the command's. The reply is valid during the call. */
    void (*on_reply)(struct redis_link *link, uint32_t tag, const redisReply *reply);
};

struct redis_link {
    uv_loop_t *loop;
    const struct redis_url *url;
    const struct link_events *events;
    const char *name; /* for the log */
    void *owner;
    enum link_state state;
    redisAsyncContext *context;
    uint64_t due_ns, ready_ns, ticked_ns;
    struct backoff backoff;
    uint64_t progress_ns;     /* the last reply, or the first command after it */
    uint32_t awaited;         /* commands without their reply; not subscriptions */
    uint64_t losses;          /* of a link that was ready */
    char reason[128];         /* why it is not ready; "" when it is */
    char logged[128];         /* the reason that the log has already */
    uv_getaddrinfo_t resolve; /* in use while is_resolving */
    bool is_resolving;
    size_t address_count, address_next;
    char addresses[LINK_ADDRESSES_MAX][64];
};

void redis_link_init(struct redis_link *link, uv_loop_t *loop, const struct redis_url *url,
                     const char *name, const struct link_events *events, void *owner);

/* To be called several times a second: connects, and finds what is overdue. */
void redis_link_tick(struct redis_link *link, uint64_t now_ns);

/* Gives the current connection up, as if it had been lost. `reason` may be part of a reply. */
void redis_link_fail(struct redis_link *link, const char *reason);

/* Sends a command on a ready link. Its reply comes with `tag`. `sizes` may be NULL: the arguments
 * are terminated then. All is copied. */
void redis_link_command(struct redis_link *link, uint32_t tag, int count, const char **arguments,
                        const size_t *sizes);

/* PSUBSCRIBE; the link then takes no other command. What comes for it has `tag`. */
void redis_link_subscribe(struct redis_link *link, uint32_t tag, const char *pattern);

/* Closes it: no callback comes any more. The memory may be freed when the loop has run until it
 * has nothing left. */
void redis_link_close(struct redis_link *link);

#endif
