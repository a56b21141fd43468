/* HTTP/1.1 heads (RFC 9112), of requests and of answers, parsed in place.
 *
 * The parser owns no memory and keeps no state: it is given all bytes received so far and either
 * needs more, or returns slices of them. Bodies are not read here: only their length is, or that
 * they are chunked. What single fields mean is in wire/http_fields.h. Any thread. */
#ifndef HEATCAST_WIRE_HTTP_HEAD_H
#define HEATCAST_WIRE_HTTP_HEAD_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_SIZE_MAX (16 * 1024) /* room for all cookies of a browser */
#define HTTP_TARGET_SIZE_MAX 8000      /* what RFC 9112 §3 recommends at the least */
#define HTTP_HEADERS_MAX 64

/* The length of a body that tells its end itself: it is chunked. */
#define HTTP_CONTENT_CHUNKED UINT64_MAX

struct http_header {
    struct slice name, value; /* the value without the blanks around it */
};

struct http_head {
    struct slice method;
    struct slice target;     /* as sent: path, and query behind '?' */
    struct slice authority;  /* of a target in absolute or authority form; empty otherwise */
    struct slice path;       /* at least "/"; "*" of an OPTIONS for all, empty of a CONNECT */
    struct slice query;      /* without '?'; empty if there is none */
    int minor_version;       /* 0, or 1 for all greater ones (RFC 9110 §2.5) */
    uint64_t content_length; /* of the body that follows; 0 if there is none */
    bool is_keep_alive;
    size_t size; /* bytes of the head, its empty line included */
    size_t header_count;
    struct http_header headers[HTTP_HEADERS_MAX];
};

enum http_head_result {
    HTTP_HEAD_DONE,
    HTTP_HEAD_NEEDS_MORE,
    HTTP_HEAD_BAD,             /* 400: not HTTP, or not what RFC 9112 allows */
    HTTP_HEAD_TARGET_TOO_LONG, /* 414 */
    HTTP_HEAD_TOO_LARGE,       /* 431: more bytes or headers than allowed */
    HTTP_HEAD_UNKNOWN_CODING,  /* 501: a transfer coding other than chunked */
    HTTP_HEAD_BAD_VERSION,     /* 505 */
};

/* `head` is valid for HTTP_HEAD_DONE only, and points into `bytes`. */
enum http_head_result http_head_parse(struct http_head *head, const char *bytes, size_t size);

/* The same for the head of an answer: `status` is 100 to 999. Of the fields that a request line or
 * a body would fill, none is set. HTTP_HEAD_DONE, HTTP_HEAD_NEEDS_MORE, HTTP_HEAD_BAD,
 * HTTP_HEAD_TOO_LARGE or HTTP_HEAD_BAD_VERSION. */
enum http_head_result http_head_parse_answer(struct http_head *head, int *status, const char *bytes,
                                             size_t size);

/* Whether it is worth while to parse again, when `parsed_size` bytes were parsed before and needed
 * more. A client that sends a head byte by byte would otherwise have all of it parsed each time. */
static inline bool http_head_has_news(const char *bytes, size_t size, size_t parsed_size)
{
    return parsed_size == 0 || size >= HTTP_HEAD_SIZE_MAX ||
           (size > parsed_size && memchr(bytes + parsed_size, '\n', size - parsed_size) != NULL);
}

/* The first header of that name (any case), or NULL. */
const struct slice *http_head_find(const struct http_head *head, const char *name);

/* The header of that name if it stands there exactly once; NULL otherwise. */
const struct slice *http_head_find_only(const struct http_head *head, const char *name);

/* Whether a comma-separated header has this token (any case), in any of its lines. */
bool http_head_has_token(const struct http_head *head, const char *name, const char *token);

/* The characters of a token, RFC 9110 §5.6.2. */
bool http_is_token_char(char c);

/* Field values: visible characters, blanks, and bytes above 0x7f (RFC 9110 §5.5). */
bool http_is_value_char(char c);

/* Cuts "host:port" in two: a name, an IPv4 address, or an IPv6 address in brackets, which stay, and
 * a number up to 65535, which may be missing (RFC 3986 §3.2). False if it is anything else; a user
 * before the host is (RFC 9110 §4.2.4). The host may be empty. */
bool http_authority_split(struct slice authority, struct slice *host, struct slice *port);

/* Writes a path as it is compared: unreserved characters that are percent-encoded stand for
 * themselves (RFC 3986 §6.2.2.2). False if that does not fit. */
bool http_path_normalize(struct slice path, char *text, size_t size);

/* Walks "a=1&b=2": cuts the next pair off `*query`, percent-decoding both (RFC 3986 §2.1; '+' is a
 * blank). False at the end. Sets *is_valid to false (and returns true) for a pair that is too long
 * or wrongly encoded; then `name` is that of the pair if it fits and is right, and "" otherwise, so
 * that the caller can tell one that it does not know. */
bool http_query_next(struct slice *query, char *name, size_t name_size, char *value,
                     size_t value_size, bool *is_valid);

#endif
