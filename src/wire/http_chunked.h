/* The end of a chunked body (RFC 9112 §7.1), for a server that has no use for the body itself.
 *
 * Sans-I/O and resumable at any byte: it is given bytes as they come and keeps no more than where
 * it is. One body, one thread at a time. */
#ifndef HEATCAST_WIRE_HTTP_CHUNKED_H
#define HEATCAST_WIRE_HTTP_CHUNKED_H

#include <stddef.h>
#include <stdint.h>

#define HTTP_CHUNK_LINE_MAX 256 /* bytes of a chunk's first line, its extensions included */
#define HTTP_TRAILERS_MAX 8192  /* bytes of all fields behind the last chunk */

enum http_chunked_result {
    HTTP_CHUNKED_NEEDS_MORE, /* all bytes are consumed */
    HTTP_CHUNKED_DONE,       /* the body has ended; what is not consumed is the next request's */
    HTTP_CHUNKED_BAD, /* 400: where the body ends cannot be told, so neither can what follows */
};

/* All zero at the beginning of a body. */
struct http_chunked {
    uint64_t left;      /* of the chunk's data */
    uint32_t line_size; /* bytes of the chunk's first line so far; of the trailers */
    uint8_t state;
};

/* Skips what belongs to the body. `*consumed` says how much of the bytes that was. At the end, and
 * after a fault, every further call says the same and consumes nothing. */
enum http_chunked_result http_chunked_skip(struct http_chunked *chunked, const char *bytes,
                                           size_t size, size_t *consumed);

#endif
