/* HTTP/1.1 request heads (RFC 9112), parsed in place.
 *
 * The parser owns no memory and keeps no state: it is given all bytes received so far and either
 * needs more, or returns slices of them. Bodies are not read here; only their length is. Any
 * thread. */
#ifndef HEATCAST_WIRE_HTTP_HEAD_H
#define HEATCAST_WIRE_HTTP_HEAD_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_SIZE_MAX 8192
#define HTTP_HEADERS_MAX 64

struct http_header {
    struct slice name, value; /* the value without the blanks around it */
};

struct http_head {
    struct slice method;
    struct slice target;     /* as sent: path, and query behind '?' */
    struct slice authority;  /* of a target in absolute form; empty otherwise */
    struct slice path;       /* at least "/" */
    struct slice query;      /* without '?'; empty if there is none */
    int minor_version;       /* 0 or 1 */
    uint64_t content_length; /* of the body that follows; 0 if there is none */
    bool is_keep_alive;
    size_t size; /* bytes of the head, its empty line included */
    size_t header_count;
    struct http_header headers[HTTP_HEADERS_MAX];
};

enum http_head_result {
    HTTP_HEAD_DONE,
    HTTP_HEAD_NEEDS_MORE,
    HTTP_HEAD_BAD,         /* 400: not HTTP, or not what RFC 9112 allows */
    HTTP_HEAD_TOO_LARGE,   /* 431: more bytes or headers than allowed */
    HTTP_HEAD_BAD_VERSION, /* 505 */
};

/* `head` is valid for HTTP_HEAD_DONE only, and points into `bytes`. */
enum http_head_result http_head_parse(struct http_head *head, const char *bytes, size_t size);

/* The first header of that name (any case), or NULL. */
const struct slice *http_head_find(const struct http_head *head, const char *name);

/* Whether a comma-separated header has this token (any case), in any of its lines. */
bool http_head_has_token(const struct http_head *head, const char *name, const char *token);

/* The characters of a token, RFC 9110 §5.6.2. */
bool http_is_token_char(char c);

/* Walks "a=1&b=2": cuts the next pair off `*query`, percent-decoding both (RFC 3986 §2.1; '+' is a
 * blank). False at the end. Sets *is_valid to false (and returns true) for a pair that is too long
 * or wrongly encoded. */
bool http_query_next(struct slice *query, char *name, size_t name_size, char *value,
                     size_t value_size, bool *is_valid);

#endif
