/* permessage-deflate, RFC 7692, without context takeover in either direction.
 *
 * Every message is compressed on its own, so one compressed form of a message serves every client
 * that negotiated the extension, whatever window it asked for: see deflate.c. No I/O. A deflater
 * or an inflater serves any number of connections, on one thread at a time. */
#ifndef HEATCAST_WIRE_DEFLATE_H
#define HEATCAST_WIRE_DEFLATE_H

#include "base/buffer.h"
#include "wire/http_head.h"

#include <stdbool.h>

#define WS_DEFLATE_ANSWER_SIZE 128

enum ws_deflate_offer {
    WS_DEFLATE_NONE,      /* not offered, or not in a way that can be accepted: do without */
    WS_DEFLATE_ACCEPTED,  /* answer with Sec-WebSocket-Extensions: `answer` */
    WS_DEFLATE_MALFORMED, /* not a list of extensions: refuse the handshake, RFC 6455 §9.1 */
};

/* Searches all Sec-WebSocket-Extensions of a handshake for the first offer of permessage-deflate
 * that is valid (RFC 7692 §5, §7.1); those that are not are skipped. */
enum ws_deflate_offer ws_deflate_negotiate(const struct http_head *head,
                                           char answer[WS_DEFLATE_ANSWER_SIZE]);

/* What a client offers, and whether a server's Sec-WebSocket-Extensions accepts exactly that: the
 * offer's two parameters, of which the server may leave out the client's, and windows of any size.
 */
#define WS_DEFLATE_OFFER                                                                           \
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
bool ws_deflate_is_accepted(const struct http_head *head);

struct ws_deflater;
struct ws_deflater *ws_deflater_create(void);
void ws_deflater_destroy(struct ws_deflater *deflater); /* NULL is harmless */

/* Appends the payload of a compressed message (RFC 7692 §7.2.1). Followed by WS_DEFLATE_TAIL it is
 * a raw DEFLATE stream (RFC 1951) that ends on a byte and may be continued. */
void ws_deflate(struct ws_deflater *deflater, const char *data, size_t size, struct buffer *out);

#define WS_DEFLATE_TAIL "\x00\x00\xff\xff" /* what §7.2.1 takes off; four bytes */
#define WS_DEFLATE_TAIL_SIZE 4

struct ws_inflater;
struct ws_inflater *ws_inflater_create(void);
void ws_inflater_destroy(struct ws_inflater *inflater); /* NULL is harmless */

enum ws_inflate_result {
    WS_INFLATE_DONE,
    WS_INFLATE_INVALID, /* not what a compressed message may hold */
    WS_INFLATE_TOO_BIG, /* it would be longer than `size_max`; no more than that was inflated */
};

/* Appends the inflated form of a whole message (RFC 7692 §7.2.2), at most `size_max` bytes. */
enum ws_inflate_result ws_inflate(struct ws_inflater *inflater, const char *payload, size_t size,
                                  size_t size_max, struct buffer *out);

#endif
