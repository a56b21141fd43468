/* The opening handshake of RFC 6455 as a client makes it: the request, and whether the answer
 * accepts it. No I/O. One thread. */
#ifndef HEATCAST_WIRE_WEBSOCKET_HANDSHAKE_H
#define HEATCAST_WIRE_WEBSOCKET_HANDSHAKE_H

#include "base/buffer.h"
#include "wire/http_head.h"
#include "wire/websocket.h"

struct ws_handshake {
    char accept[WS_ACCEPT_SIZE]; /* what Sec-WebSocket-Accept must say */
    bool offers_compression;
};

/* Appends the request. `authority` is host[:port] as in the URL, `target` path and query. With
 * `offers_compression`, permessage-deflate without context takeover is offered: what
 * wire/deflate.h inflates. */
void ws_handshake_begin(struct ws_handshake *handshake, const char *authority, const char *target,
                        const char *user_agent, bool offers_compression, struct buffer *out);

enum ws_handshake_result {
    WS_HANDSHAKE_NEEDS_MORE,
    WS_HANDSHAKE_ACCEPTED,
    WS_HANDSHAKE_REFUSED, /* an answer of HTTP, with another status than 101 */
    WS_HANDSHAKE_BROKEN,  /* no HTTP, or no acceptance of this handshake: see `reason` */
};

struct ws_handshake_answer {
    struct http_head head; /* ACCEPTED, REFUSED; points into the bytes */
    int status;
    bool is_compressed; /* permessage-deflate is in use */
    const char *reason; /* BROKEN: for people */
};

/* Reads all bytes that have come so far. What follows head.size are frames, or a body. */
enum ws_handshake_result ws_handshake_read(const struct ws_handshake *handshake, const char *bytes,
                                           size_t size, struct ws_handshake_answer *answer);

#endif
