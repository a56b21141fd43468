/* One accepted socket: HTTP first, perhaps a WebSocket later. Private to net/. All on the loop of
 * its worker, which owns it.
 *
 *      accepted
 *         │
 *         v    a request whose answer comes later
 *      READING ──────────────────────────────────> WAITING
 *       ^ │ ^ │                                     │ │ │
 *       │ │ │ └──────── the socket is full ──┐ ┌────┘ │ │
 *       │ │ │                                v v      │ │
 *       │ │ └─── all is out, more came ── WRITING     │ │
 *       │ v                                  │        │ │
 *       │ YIELDING   (many requests at once) │        │ │
 *       │                                    v        │ │
 *       └── first byte ─── IDLE <── all is out, no more came
 *
 * WEBSOCKET follows from READING, WAITING or WRITING when a 101 is out. Every state may go to
 * LINGERING, when our last byte is out, and to CLOSED; there is no way back from either.
 *
 * connection_close() makes a connection unusable at once; its memory goes at the end of the loop's
 * turn, so it may be called while the connection is in use further up the stack. */
#ifndef HEATCAST_NET_CONNECTION_H
#define HEATCAST_NET_CONNECTION_H

#include "net/exchange.h"
#include "net/transport.h"
#include "net/worker.h"
#include "stream/session.h"

#define HTTP_HEAD_TIMEOUT_MS 10000 /* from its first byte; for the first head from the accept */
#define ANSWER_RATE_MIN 16384      /* bytes a second that a client has to take of an answer, */
#define ANSWER_GRACE_MS 10000      /* and so much longer it has in all */
#define LINGER_TIMEOUT_MS 2000     /* after our end of stream, for the peer's */
#define REFUSED_TIMEOUT_MS 2000    /* for the request of a refused connection */

enum connection_state {
    CONNECTION_READING,  /* a request is awaited or has begun to come */
    CONNECTION_IDLE,     /* between requests */
    CONNECTION_YIELDING, /* more requests are here already; other connections have their turn */
    CONNECTION_WAITING,  /* a request is being answered; what comes behind it stays in the socket */
    CONNECTION_WRITING,  /* a part of the answer waits for the socket, or for the next turn */
    CONNECTION_WEBSOCKET,
    CONNECTION_LINGERING, /* our side is shut down; input is discarded until the peer's end */
    CONNECTION_CLOSED,
};

/* What a write needs comes first: a broadcast fetches it ahead (stream/hub.c). */
struct connection {
    struct transport transport;
    uint8_t state;      /* enum connection_state */
    uint8_t poll_class; /* enum poll_class */
    bool is_proxied;    /* the peer is a trusted proxy */
    uint16_t wanted;    /* the events of epoll(7) that the state waits for */
    uint16_t events;    /* what is watched: those, and what the transport waits for */
    uint16_t lingering_reads;
    struct list in_worker;
    /* Of the worker, until it is a WebSocket; or in `refused`, `on_probation` or `closed`. */
    struct list in_http;
    struct worker *worker;
    struct exchange *exchange; /* while there is anything of a request; else NULL */
    struct session *session;   /* NULL until it is a WebSocket */
    /* It is closed when this passes; UINT64_MAX: none. Of a WebSocket, the end of its probation. */
    uint64_t deadline_ns;
    struct place place;
    const char *refusal; /* what it is told instead of being served; NULL: it is served */
};

/* How sessions reach their sockets, and what connections do for exchanges. */
extern const struct subscriber_transport connection_transport;
void connection_init_host(struct exchange_host *host);

struct connection_start {
    struct place place; /* taken over */
    enum poll_class poll_class;
    bool is_proxied;
    const char *refusal; /* as in struct connection; it has no place then */
};

/* Takes over an accepted, non-blocking socket. */
void connection_start(struct worker *worker, int fd, const struct connection_start *start);

void connection_close(struct connection *connection);

/* Of a closed one, at the end of the turn in which it was closed. */
void connection_free(struct connection *connection);

/* The poller's report; `context` is the connection. */
void connection_on_ready(void *context, uint32_t events);

/* The loop was away for so long: deadlines of HTTP are put off. Those of a session are its hub's.
 */
void connection_put_off(struct connection *connection, uint64_t away_ns);

/* About once a second. */
void connection_check_liveness(struct connection *connection, uint64_t now_ns);

/* Of a WebSocket on probation, when its deadline has passed. */
void connection_end_probation(struct connection *connection, uint64_t now_ns);

/* The server is stopping: a WebSocket is closed with 1001, and what waits for a request at once. */
void connection_drain(struct connection *connection);

#endif
