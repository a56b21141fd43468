/* A WebSocket connection to another server (RFC 6455, client role), on a libuv loop.
 *
 * libcurl makes the connection (names, proxies, TLS), the codec is that of wire/websocket.h. Pings
 * are answered here. Fragmented messages are joined, compressed ones inflated. Threads: those of
 * link/http_client.h; no callback comes from inside a call. */
#ifndef HEATCAST_LINK_WEBSOCKET_CLIENT_H
#define HEATCAST_LINK_WEBSOCKET_CLIENT_H

#include "link/http_client.h"

#define WEBSOCKET_HANDSHAKE_TIMEOUT_MS 10000 /* where the options say 0 */
#define WEBSOCKET_CLOSE_TIMEOUT_MS 2000      /* for the peer's close frame */
#define WEBSOCKET_OUTGOING_BYTES_MAX (1024 * 1024)

/* Why a connection ended, or did not come about. */
struct websocket_end {
    enum http_outcome outcome; /* HTTP_ANSWERED: it was open, and a close frame ended it, or the
                                  handshake was refused with `http_status` */
    int http_status;           /* of a handshake that was refused; 0 otherwise */
    int64_t retry_after_ms;    /* of such an answer; -1: there is none */
    bool was_open;
    int close_code;      /* that the peer has sent; 1005: none, 1006: no close frame came */
    const char *message; /* for a person */
};

struct websocket_client_options {
    const char *url;               /* ws:// or wss:// */
    uint64_t connect_timeout_ms;   /* name, connection, proxy, TLS; 0: HTTP_CONNECT_TIMEOUT_MS */
    uint64_t handshake_timeout_ms; /* 0: WEBSOCKET_HANDSHAKE_TIMEOUT_MS */
    size_t message_bytes_max;      /* of one message, inflated; above 0 */
    bool offers_compression;       /* permessage-deflate */

    void (*on_open)(void *context);
    /* A whole text message, which is UTF-8; `data` is terminated behind `size`, and may be changed
     * by the callee. Binary messages are taken for text, since some exchanges send JSON so. */
    void (*on_text)(char *data, size_t size, void *context);
    /* Exactly once, unless the client is destroyed before. websocket_client_destroy() is still to
     * be called. */
    void (*on_closed)(const struct websocket_end *end, void *context);
    void *context;
};

struct websocket_client;

/* All that the options point to is copied, but for the context. Never fails: what is wrong comes
 * by on_closed. */
struct websocket_client *websocket_client_connect(struct http_client *client,
                                                  const struct websocket_client_options *options);

/* Sends a text message. False, and nothing is sent, if the connection is not open, or more than
 * WEBSOCKET_OUTGOING_BYTES_MAX would wait: the peer does not read. */
bool websocket_client_send_text(struct websocket_client *client, const char *text, size_t size);

/* Sends a ping without payload. As websocket_client_send_text(). */
bool websocket_client_send_ping(struct websocket_client *client);

/* Closes in order: a close frame, and on_closed when the peer has answered or
 * WEBSOCKET_CLOSE_TIMEOUT_MS are over. No on_text follows. Harmless where it is closed.
 * So far for tests. */
void websocket_client_close(struct websocket_client *client);

/* Ends it at once at whatever stage, and frees it; no callback follows. May be called from its own
 * callbacks. The loop must run once more before it is closed. NULL is harmless. */
void websocket_client_destroy(struct websocket_client *client);

/* When the last byte came from the peer, as clock_monotonic_ns(); 0 before the first. */
uint64_t websocket_client_last_byte_ns(const struct websocket_client *client);

#endif
