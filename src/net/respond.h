/* Answers to an exchange. Each of these writes head and body and completes the exchange, which may
 * be gone when it returns; so it is the last thing that a caller does. Private to net/. On the
 * exchange's loop. */
#ifndef HEATCAST_NET_RESPOND_H
#define HEATCAST_NET_RESPOND_H

#include "net/exchange.h"

#define TYPE_JSON "application/json"
#define TYPE_CSV "text/csv; charset=utf-8"
#define NO_STORE "Cache-Control: no-store\r\n"

/* The body is exchange->body, gzipped where the client accepts it. `extra` are further header
 * lines, each ended with CRLF, or NULL; so it is below. */
void respond(struct exchange *exchange, int status, const char *content_type, const char *extra);

/* {"error":{"code","message"}} */
void respond_error(struct exchange *exchange, int status, const char *code, const char *message,
                   const char *extra);

/* The error's code and HTTP status for a failed call of the backend. What only those who run the
 * server may know is not in the answer, whatever the message says (net/fault.h). Where `fit`, which
 * may be NULL, names a parameter, "fits":{PARAMETER:VALUE} follows the message of one that is too
 * large. */
void respond_failure(struct exchange *exchange, enum status status, const char *message,
                     const struct error_fit *fit);

/* 200 with an answer of the backend, of which it keeps a reference, and its ETag; 304 to a client
 * that has it. */
void respond_answer(struct exchange *exchange, struct answer *answer, const char *content_type);

/* 200 with an answer that is about this moment: it has no tag, and is not to be kept. */
void respond_page(struct exchange *exchange, struct answer *answer, const char *content_type);

/* The newest snapshot, in the same way as other answers; gzipped where the client accepts it, from
 * the frame's compressed form. */
void respond_frame(struct exchange *exchange, struct frame *frame);

/* A body that stays where it is. `encoding` is the Content-Encoding, or NULL. */
void respond_static(struct exchange *exchange, const char *content_type, const void *body,
                    size_t size, const char *encoding, const char *extra);

/* 304, with no body. */
void respond_not_modified(struct exchange *exchange, const char *extra);

/* True if If-Match or If-None-Match decide the answer (RFC 9110 §13.2.2), which is then given: 412,
 * or 304 with the header lines `extra`. `etag` is that of the content. */
bool respond_if_decided(struct exchange *exchange, const char *etag, const char *extra);

/* 101: the connection becomes a WebSocket that speaks `protocol` when this is out. `extensions` is
 * what was negotiated, or "". */
void respond_websocket(struct exchange *exchange, const struct session_protocol *protocol,
                       const char *accept, const char *extensions, struct slice subprotocol);

#endif
