/* One accepted socket: first HTTP, perhaps a WebSocket later. Private to net/.
 *
 * There is one way to end: connection_close() makes it unusable at once; the memory goes when
 * libuv has let go of the handle and no thread-pool work refers to it. All on the worker's loop. */
#ifndef HEATCAST_NET_CONNECTION_H
#define HEATCAST_NET_CONNECTION_H

#include "net/http.h"
#include "net/tls.h"
#include "net/worker.h"
#include "stream/session.h"

#define HTTP_HEAD_TIMEOUT_MS 10000 /* for the first one from when the connection was accepted */
#define HTTP_IDLE_TIMEOUT_MS 60000 /* between requests */
#define LINGER_TIMEOUT_MS 2000     /* after our end of stream, for the peer's */

enum connection_state {
    CONNECTION_HTTP,      /* reading a head, or between requests */
    CONNECTION_ANSWERING, /* a request is being worked on or its answer written */
    CONNECTION_WEBSOCKET,
    CONNECTION_LINGERING, /* our side is shut down; input is discarded until the peer's end */
    CONNECTION_CLOSED,
};

/* What a write needs comes first: a broadcast has it fetched ahead (stream/hub.c). */
struct connection {
    struct tls *tls; /* NULL: plain */
    int fd;
    uint8_t state;  /* enum connection_state */
    uint8_t wanted; /* the events that the state waits for */
    uint8_t events; /* what libuv watches: those, and what TLS waits for */
    bool has_place; /* counted as a WebSocket connection */
    uv_poll_t poll;
    struct list in_worker;
    struct list in_http; /* of the worker, until it is a WebSocket; oldest first */
    struct worker *worker;
    struct http_exchange *http; /* while there is anything of a request; else NULL */
    struct session *session;    /* NULL until it is a WebSocket */
    uint64_t deadline_ns;       /* HTTP and lingering: closed when it passes */
    uint64_t address_key;       /* where it is counted as well, if that is limited */
};

/* Takes over an accepted, non-blocking socket. */
void connection_open(struct worker *worker, int fd);

void connection_close(struct connection *connection);

/* Shuts down the sending side, so that the peer gets all of it, then closes. */
void connection_finish(struct connection *connection);

/* The answer in connection->http is complete: write it. */
void connection_send_answer(struct connection *connection);

/* Takes one of the places of WS_MAX_CONNECTIONS and WS_MAX_CONNECTIONS_PER_IP, given back when the
 * connection ends. `head` tells who is behind a trusted proxy. False, and why, if there is none;
 * that is counted. */
bool connection_take_place(struct connection *connection, const struct http_head *head,
                           enum refusal *reason);

/* About once a second. */
void connection_check_liveness(struct connection *connection, uint64_t now_ns);

/* The server is stopping. */
void connection_drain(struct connection *connection);

#endif
