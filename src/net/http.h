/* One HTTP connection's present request and its answer: made when the first byte of a head comes,
 * gone when all that came is answered. Private to net/. */
#ifndef HEATCAST_NET_HTTP_H
#define HEATCAST_NET_HTTP_H

#include "base/buffer.h"
#include "base/error.h"
#include "net/answer.h"
#include "stream/frame.h"
#include "stream/hub.h"
#include "wire/http_head.h"

#include <stdbool.h>
#include <stdint.h>

struct connection;

struct http_exchange {
    struct buffer in;   /* received, not parsed yet */
    struct buffer head; /* the answer's head */
    struct buffer body; /* owned; or one of the three below */
    const void *static_body;
    struct frame *frame_body; /* holds a reference, as does the next */
    struct answer *answer_body;
    size_t body_size;    /* of whichever it is */
    size_t sent;         /* bytes of head and body that are out */
    bool is_dispatching; /* http_exchange_next() is on the stack */
    bool is_keep_alive, is_head_request, accepts_gzip;
    bool deflates; /* the WebSocket that it becomes negotiated permessage-deflate */
    const struct session_protocol *websocket; /* what the connection becomes; NULL: it stays HTTP */
    char if_none_match[80];
    char websocket_symbols[SYMBOLS_MAX * SYMBOL_SIZE]; /* room for all of them */
    struct hub_waiter waiter;
    struct connection *connection;
    struct list in_work; /* those who wait for the same answer from the thread pool */
};

struct http_exchange *http_exchange_create(struct connection *connection);
/* Lets go of waits and work. NULL is harmless. */
void http_exchange_destroy(struct http_exchange *exchange);

/* Takes the next request off exchange->in, if it is complete, and answers it: at once, or later
 * from the thread pool or the hub. False if more input is needed. */
bool http_exchange_next(struct http_exchange *exchange);

/* -- answering, for routes --------------------------------------------------------------------- */

/* The answer's body is exchange->body (JSON is gzipped where the client accepts it). `extra` are
 * further header lines, each ended with CRLF, or NULL. */
void http_answer(struct http_exchange *exchange, int status, const char *content_type,
                 const char *extra);

/* 200 with an answer of the backend, of which it holds a reference, and its ETag; 304 to those who
 * have it. */
void http_answer_shared(struct http_exchange *exchange, struct answer *answer);

/* {"error":{"code","message"}} */
void http_answer_error(struct http_exchange *exchange, int status, const char *code,
                       const char *message, const char *extra);

/* A body that stays where it is. `encoding` is the Content-Encoding, or NULL. */
void http_answer_static(struct http_exchange *exchange, const char *content_type, const void *body,
                        size_t size, const char *encoding, const char *extra);

/* 304, with no body. */
void http_answer_not_modified(struct http_exchange *exchange, const char *extra);

/* The newest snapshot, with its ETag; gzipped where the client accepts it, from the frame's
 * compressed form. */
void http_answer_frame(struct http_exchange *exchange, struct frame *frame);

/* The error's code and HTTP status for a failed backend call. */
void http_answer_failure(struct http_exchange *exchange, enum status status, const char *message);

#endif
