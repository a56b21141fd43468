/* Written by hand, because heatcast needs little of HTTP and that strictly: methods without a body
 * of any meaning, and no form that two parsers could read differently, which request smuggling is
 * made of (RFC 9112 §11.2): a blank before a colon, a second Content-Length or Host, a length and
 * chunks together, codings that are not just "chunked", control characters in values are all
 * refused.
 *
 * There is no state. While a head is incomplete it is parsed again from its start whenever more of
 * it has come; a head is at most HTTP_HEAD_SIZE_MAX bytes and nearly always comes in one piece, so
 * that costs less than a state machine would, and the parts are slices of the caller's bytes. A
 * client that sends it in many pieces is what http_head_has_news() is for. Each step answers DONE,
 * NEEDS_MORE at the end of the bytes, or what is wrong, and TRY passes on what is not DONE. */
#include "wire/http_head.h"

#include <arpa/inet.h>
#include <string.h>

/* So that the number fits 64 bits. */
enum { CONTENT_LENGTH_DIGITS_MAX = 18, PORT_MAX = 65535 };

bool http_is_token_char(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

/* Some characters that RFC 3986 wants encoded are sent by browsers, too. A fragment is not: what
 * reads it as one, and what does not, would see different paths (RFC 9112 §3.2). */
static bool is_target_char(char c)
{
    return c > ' ' && c < 0x7f && c != '#';
}

bool http_is_value_char(char c)
{
    return c == '\t' || (c >= ' ' && c < 0x7f) || (unsigned char)c >= 0x80;
}

static bool starts_line_end(const struct slice *rest)
{
    return rest->size > 0 && (*rest->data == '\r' || *rest->data == '\n');
}

static enum http_head_result take_char(struct slice *rest, char c)
{
    if (rest->size == 0)
        return HTTP_HEAD_NEEDS_MORE;
    return *slice_take(rest, 1).data == c ? HTTP_HEAD_DONE : HTTP_HEAD_BAD;
}

/* CRLF, or a lone LF as RFC 9112 §2.2 lets a server accept. */
static enum http_head_result take_line_end(struct slice *rest)
{
    slice_try_take(rest, "\r");
    return take_char(rest, '\n');
}

#define TRY(step)                                                                                  \
    do {                                                                                           \
        enum http_head_result step_result = (step);                                                \
        if (step_result != HTTP_HEAD_DONE)                                                         \
            return step_result;                                                                    \
    } while (0)

static enum http_head_result take_digit(struct slice *rest, int *digit)
{
    if (rest->size == 0)
        return HTTP_HEAD_NEEDS_MORE;
    *digit = *slice_take(rest, 1).data - '0';
    return *digit >= 0 && *digit <= 9 ? HTTP_HEAD_DONE : HTTP_HEAD_BAD;
}

/* "HTTP/1.1", of a request at the end of its line. Of the same major version, a greater minor one
 * is taken as the greatest that is known (RFC 9110 §2.5). */
static enum http_head_result take_version(struct slice *rest, int *minor)
{
    int major;
    for (const char *c = "HTTP/"; *c != '\0'; c++)
        TRY(take_char(rest, *c));
    TRY(take_digit(rest, &major));
    TRY(take_char(rest, '.'));
    TRY(take_digit(rest, minor));
    if (major != 1)
        return HTTP_HEAD_BAD_VERSION;
    if (*minor > 1)
        *minor = 1;
    return HTTP_HEAD_DONE;
}

/* -- targets (RFC 9112 §3.2) ------------------------------------------------------------------- */

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~", c) != NULL);
}

/* Removes "%2D" and gives its value; -1, and nothing is removed, if that does not stand there. */
static int take_encoded(struct slice *rest)
{
    int high, low;
    if (rest->size < 3 || rest->data[0] != '%' || (high = slice_hex_value(rest->data[1])) < 0 ||
        (low = slice_hex_value(rest->data[2])) < 0)
        return -1;
    slice_take(rest, 3);
    return high * 16 + low;
}

static bool is_rightly_encoded(struct slice path)
{
    while (path.size > 0)
        if (*path.data != '%')
            slice_take(&path, 1);
        else if (take_encoded(&path) < 0)
            return false;
    return true;
}

/* RFC 3986 §3.2.2: unreserved characters, those of sub-delims, and encoded ones. */
static bool is_registered_name(struct slice host)
{
    while (host.size > 0)
        if (is_unreserved(*host.data) || (*host.data != '\0' && strchr("!$&'()*+,;=", *host.data)))
            slice_take(&host, 1);
        else if (take_encoded(&host) < 0)
            return false;
    return true;
}

/* "[::1]" */
static bool is_ip_literal(struct slice host)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (host.size < 2 || host.data[host.size - 1] != ']')
        return false;
    struct slice inside = {host.data + 1, host.size - 2};
    return slice_copy(inside, text, sizeof text) && inet_pton(AF_INET6, text, &address) == 1;
}

bool http_authority_split(struct slice authority, struct slice *host, struct slice *port)
{
    uint64_t number;
    bool is_literal = slice_starts_with(authority, "[");
    const char *end = is_literal ? memchr(authority.data, ']', authority.size) : NULL;
    *host = authority;
    *port = (struct slice){authority.data, 0};
    size_t host_size = end != NULL ? (size_t)(end - authority.data) + 1 : 0;
    while (!is_literal && host_size < authority.size && authority.data[host_size] != ':')
        host_size++;
    if (host_size < authority.size) {
        *port = authority;
        *host = slice_take(port, host_size);
        if (!slice_try_take(port, ":"))
            return false;
        if (port->size > 0 && !slice_parse_unsigned(*port, PORT_MAX, &number))
            return false;
    }
    return is_literal ? is_ip_literal(*host) : is_registered_name(*host);
}

static bool has_host(struct slice authority)
{
    struct slice host, port;
    return http_authority_split(authority, &host, &port) && host.size > 0;
}

static bool is_authority_char(char c)
{
    return c != '/' && c != '?';
}

/* Cuts "http://host" off a target in absolute form, which a server must accept (§3.2.2). False if
 * that does not stand there. */
static bool take_authority(struct slice *target, struct slice *authority)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < 2; i++) {
        struct slice rest = *target;
        size_t size = strlen(schemes[i]);
        if (rest.size < size || !slice_equals_ignoring_case(slice_take(&rest, size), schemes[i]))
            continue;
        *authority = slice_take_while(&rest, is_authority_char);
        *target = rest;
        return has_host(*authority);
    }
    return false;
}

/* The authority form (§3.2.3) is that of CONNECT alone, the asterisk (§3.2.4) that of OPTIONS. */
static bool split_target(struct http_head *head)
{
    struct slice rest = head->target, host, port;
    bool is_options = slice_equals(head->method, "OPTIONS");
    head->authority = head->path = head->query = (struct slice){rest.data, 0};
    if (slice_equals(head->method, "CONNECT")) {
        head->authority = rest;
        return http_authority_split(rest, &host, &port) && host.size > 0 && port.size > 0;
    }
    if (is_options && slice_equals(rest, "*")) {
        head->path = rest;
        return true;
    }
    if (!slice_starts_with(rest, "/") && !take_authority(&rest, &head->authority))
        return false;
    head->query = rest;
    slice_split(&head->query, '?', &head->path);
    if (head->path.size == 0) /* RFC 9110 §4.2.3 */
        head->path = slice_of(is_options ? "*" : "/");
    return is_rightly_encoded(head->path);
}

bool http_path_normalize(struct slice path, char *text, size_t size)
{
    size_t length = 0;
    while (path.size > 0 && length + 1 < size) {
        struct slice rest = path;
        int decoded = take_encoded(&rest);
        if (decoded >= 0 && is_unreserved((char)decoded)) {
            text[length++] = (char)decoded;
            path = rest;
        } else {
            text[length++] = *slice_take(&path, 1).data;
        }
    }
    if (size > 0)
        text[length] = '\0';
    return path.size == 0 && size > 0;
}

/* -- lines ------------------------------------------------------------------------------------- */

static enum http_head_result take_request_line(struct slice *rest, struct http_head *head)
{
    while (starts_line_end(rest)) /* empty lines before the request are skipped, RFC 9112 §2.2 */
        TRY(take_line_end(rest));
    head->method = slice_take_while(rest, http_is_token_char);
    TRY(take_char(rest, ' '));
    head->target = slice_take_while(rest, is_target_char);
    if (head->target.size > HTTP_TARGET_SIZE_MAX)
        return HTTP_HEAD_TARGET_TOO_LONG;
    TRY(take_char(rest, ' '));
    TRY(take_version(rest, &head->minor_version));
    TRY(take_line_end(rest));
    return head->method.size > 0 && split_target(head) ? HTTP_HEAD_DONE : HTTP_HEAD_BAD;
}

/* RFC 9112 §4: the reason may be empty, and the blank before it is often missing then. */
static enum http_head_result take_status_line(struct slice *rest, struct http_head *head,
                                              int *status)
{
    int hundreds, tens, ones;
    TRY(take_version(rest, &head->minor_version));
    TRY(take_char(rest, ' '));
    TRY(take_digit(rest, &hundreds));
    TRY(take_digit(rest, &tens));
    TRY(take_digit(rest, &ones));
    *status = hundreds * 100 + tens * 10 + ones;
    if (!starts_line_end(rest))
        TRY(take_char(rest, ' '));
    slice_take_while(rest, http_is_value_char);
    TRY(take_line_end(rest));
    return hundreds > 0 ? HTTP_HEAD_DONE : HTTP_HEAD_BAD;
}

static enum http_head_result take_header(struct slice *rest, struct http_head *head)
{
    struct http_header header;
    header.name = slice_take_while(rest, http_is_token_char);
    TRY(take_char(rest, ':'));
    if (header.name.size == 0)
        return HTTP_HEAD_BAD;
    header.value = slice_trim(slice_take_while(rest, http_is_value_char));
    TRY(take_line_end(rest));
    if (head->header_count == HTTP_HEADERS_MAX)
        return HTTP_HEAD_TOO_LARGE;
    head->headers[head->header_count++] = header;
    return HTTP_HEAD_DONE;
}

/* HTTP/1.1 names exactly one host, and rightly (RFC 9112 §3.2); the one in the target wins
 * (§3.2.2).
 */
static enum http_head_result settle_host(struct http_head *head)
{
    size_t count = 0;
    for (size_t i = 0; i < head->header_count; i++) {
        struct slice host, port;
        if (!slice_equals_ignoring_case(head->headers[i].name, "Host"))
            continue;
        if (!http_authority_split(head->headers[i].value, &host, &port))
            return HTTP_HEAD_BAD;
        count++;
        if (head->authority.size > 0)
            head->headers[i].value = head->authority;
    }
    return count == 1 || (count == 0 && head->minor_version == 0) ? HTTP_HEAD_DONE : HTTP_HEAD_BAD;
}

static bool is_token(struct slice text)
{
    slice_take_while(&text, http_is_token_char);
    return text.size == 0;
}

/* One line of Transfer-Encoding; `*is_chunked` is what the codings before it have made of it. The
 * one coding that is known must be the last and stand there once (RFC 9112 §6.3, §7); an empty
 * element is refused here, though lists may have them elsewhere. */
static enum http_head_result take_codings(struct slice value, bool *is_chunked, bool *is_unknown)
{
    struct slice_list list = {.rest = value};
    struct slice item, name;
    while (slice_list_next(&list, ',', &item)) {
        bool has_parameters = slice_split(&item, ';', &name);
        name = slice_trim(name);
        if (name.size == 0 || !is_token(name) || *is_chunked)
            return HTTP_HEAD_BAD;
        *is_chunked = !has_parameters && slice_equals_ignoring_case(name, "chunked");
        *is_unknown = *is_unknown || !*is_chunked;
    }
    return HTTP_HEAD_DONE;
}

/* How long the body is. A length beside a coding, and a coding in HTTP/1.0, are what smuggling is
 * made of (RFC 9112 §6.1). */
static enum http_head_result settle_length(struct http_head *head)
{
    bool has_length = false, has_coding = false, is_chunked = false, is_unknown = false;
    head->content_length = 0;
    for (size_t i = 0; i < head->header_count; i++) {
        const struct http_header *header = &head->headers[i];
        if (slice_equals_ignoring_case(header->name, "Transfer-Encoding")) {
            has_coding = true;
            TRY(take_codings(header->value, &is_chunked, &is_unknown));
        }
        if (!slice_equals_ignoring_case(header->name, "Content-Length"))
            continue;
        if (has_length || header->value.size > CONTENT_LENGTH_DIGITS_MAX ||
            !slice_parse_unsigned(header->value, UINT64_MAX, &head->content_length))
            return HTTP_HEAD_BAD;
        has_length = true;
    }
    if (has_coding && (has_length || head->minor_version == 0))
        return HTTP_HEAD_BAD;
    if (has_coding)
        head->content_length = HTTP_CONTENT_CHUNKED;
    return is_unknown ? HTTP_HEAD_UNKNOWN_CODING : HTTP_HEAD_DONE;
}

/* Whether the connection stays open (RFC 9112 §9.3). */
static void settle_persistence(struct http_head *head)
{
    if (http_head_has_token(head, "Connection", "close"))
        head->is_keep_alive = false;
    else
        head->is_keep_alive =
            head->minor_version == 1 || http_head_has_token(head, "Connection", "keep-alive");
}

/* What follows the first line, with the empty line at the end. */
static enum http_head_result take_headers(struct slice *rest, struct http_head *head)
{
    head->header_count = 0;
    while (!starts_line_end(rest)) {
        if (rest->size == 0)
            return HTTP_HEAD_NEEDS_MORE;
        TRY(take_header(rest, head));
    }
    return take_line_end(rest);
}

/* All of the head: of an answer where there is a place for its status, else of a request. */
static enum http_head_result take_head(struct http_head *head, int *status, const char *bytes,
                                       size_t size)
{
    size_t visible = size < HTTP_HEAD_SIZE_MAX ? size : HTTP_HEAD_SIZE_MAX;
    struct slice rest = {bytes, visible};
    enum http_head_result result =
        status != NULL ? take_status_line(&rest, head, status) : take_request_line(&rest, head);
    if (result == HTTP_HEAD_DONE)
        result = take_headers(&rest, head);
    if (result == HTTP_HEAD_NEEDS_MORE && visible == HTTP_HEAD_SIZE_MAX)
        return HTTP_HEAD_TOO_LARGE;
    head->size = visible - rest.size;
    return result;
}

enum http_head_result http_head_parse_answer(struct http_head *head, int *status, const char *bytes,
                                             size_t size)
{
    return take_head(head, status, bytes, size);
}

enum http_head_result http_head_parse(struct http_head *head, const char *bytes, size_t size)
{
    TRY(take_head(head, NULL, bytes, size));
    TRY(settle_host(head));
    TRY(settle_length(head));
    settle_persistence(head);
    return HTTP_HEAD_DONE;
}

const struct slice *http_head_find(const struct http_head *head, const char *name)
{
    for (size_t i = 0; i < head->header_count; i++)
        if (slice_equals_ignoring_case(head->headers[i].name, name))
            return &head->headers[i].value;
    return NULL;
}

const struct slice *http_head_find_only(const struct http_head *head, const char *name)
{
    const struct slice *found = http_head_find(head, name);
    for (size_t i = 0; found != NULL && i < head->header_count; i++)
        if (&head->headers[i].value != found &&
            slice_equals_ignoring_case(head->headers[i].name, name))
            return NULL;
    return found;
}

static bool list_has_token(struct slice text, const char *token)
{
    struct slice_list list = {.rest = text};
    struct slice item;
    while (slice_list_next(&list, ',', &item))
        if (slice_equals_ignoring_case(item, token))
            return true;
    return false;
}

bool http_head_has_token(const struct http_head *head, const char *name, const char *token)
{
    for (size_t i = 0; i < head->header_count; i++)
        if (slice_equals_ignoring_case(head->headers[i].name, name) &&
            list_has_token(head->headers[i].value, token))
            return true;
    return false;
}

bool http_query_next(struct slice *query, char *name, size_t name_size, char *value,
                     size_t value_size, bool *is_valid)
{
    struct slice pair, left;
    while (slice_try_take(query, "&"))
        continue;
    if (query->size == 0)
        return false;
    slice_split(query, '&', &pair);
    slice_split(&pair, '=', &left);
    *is_valid = slice_percent_decode(left, true, name, name_size);
    if (!*is_valid)
        name[0] = '\0';
    *is_valid = slice_percent_decode(pair, true, value, value_size) && *is_valid;
    return true;
}
