/* Written by hand, because heatcast needs little of HTTP and that strictly: methods without a body
 * of any meaning, and no form that two parsers could read differently, which request smuggling is
 * made of (RFC 9112 §11.2): a blank before a colon, a second Content-Length or Host, a chunked
 * body, control characters in values are all refused.
 *
 * There is no state. While a head is incomplete it is parsed again from its start whenever more of
 * it has come; a head is at most HTTP_HEAD_SIZE_MAX bytes and nearly always comes in one piece, so
 * that costs less than a state machine would, and the parts are slices of the caller's bytes. Each
 * step answers DONE, NEEDS_MORE at the end of the bytes, or what is wrong, and TRY passes on what
 * is not DONE. */
#include "wire/http_head.h"

#include <string.h>

/* So that the number fits 64 bits. */
enum { CONTENT_LENGTH_DIGITS_MAX = 18 };

bool http_is_token_char(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool is_target_char(char c)
{
    return c > ' ' && c < 0x7f;
}

/* Field values: visible characters, blanks, and bytes above 0x7f (RFC 9110 §5.5). */
static bool is_value_char(char c)
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

static enum http_head_result take_version(struct slice *rest, int *minor)
{
    for (const char *c = "HTTP/"; *c != '\0'; c++)
        TRY(take_char(rest, *c));
    for (const char *c = "1."; *c != '\0'; c++) {
        enum http_head_result result = take_char(rest, *c);
        if (result != HTTP_HEAD_DONE)
            return result == HTTP_HEAD_BAD ? HTTP_HEAD_BAD_VERSION : result;
    }
    if (rest->size == 0)
        return HTTP_HEAD_NEEDS_MORE;
    if (*rest->data != '0' && *rest->data != '1')
        return HTTP_HEAD_BAD_VERSION;
    *minor = *slice_take(rest, 1).data - '0';
    return take_line_end(rest);
}

static bool is_authority_char(char c)
{
    return c != '/' && c != '?';
}

/* Cuts "http://host" off a target in absolute form, which a server must accept (RFC 9112 §3.2.2);
 * leaves one in origin form as it is. False for any other form. */
static bool take_authority(struct slice *target, struct slice *authority)
{
    static const char *const schemes[] = {"http://", "https://"};
    *authority = (struct slice){target->data, 0};
    if (slice_starts_with(*target, "/"))
        return true;
    for (size_t i = 0; i < 2; i++) {
        struct slice rest = *target;
        size_t size = strlen(schemes[i]);
        if (rest.size < size || !slice_equals_ignoring_case(slice_take(&rest, size), schemes[i]))
            continue;
        *authority = slice_take_while(&rest, is_authority_char);
        *target = rest;
        return authority->size > 0;
    }
    return false;
}

static bool split_target(struct http_head *head)
{
    head->query = head->target;
    if (!take_authority(&head->query, &head->authority))
        return false;
    slice_split(&head->query, '?', &head->path);
    if (head->path.size == 0)
        head->path = slice_of("/");
    return true;
}

static enum http_head_result take_request_line(struct slice *rest, struct http_head *head)
{
    while (starts_line_end(rest)) /* empty lines before the request are skipped, RFC 9112 §2.2 */
        TRY(take_line_end(rest));
    head->method = slice_take_while(rest, http_is_token_char);
    TRY(take_char(rest, ' '));
    head->target = slice_take_while(rest, is_target_char);
    TRY(take_char(rest, ' '));
    TRY(take_version(rest, &head->minor_version));
    return head->method.size > 0 && split_target(head) ? HTTP_HEAD_DONE : HTTP_HEAD_BAD;
}

static enum http_head_result take_header(struct slice *rest, struct http_head *head)
{
    struct http_header header;
    header.name = slice_take_while(rest, http_is_token_char);
    TRY(take_char(rest, ':'));
    if (header.name.size == 0)
        return HTTP_HEAD_BAD;
    header.value = slice_trim(slice_take_while(rest, is_value_char));
    TRY(take_line_end(rest));
    if (head->header_count == HTTP_HEADERS_MAX)
        return HTTP_HEAD_TOO_LARGE;
    head->headers[head->header_count++] = header;
    return HTTP_HEAD_DONE;
}

/* HTTP/1.1 names exactly one host (RFC 9112 §3.2); the one in the target wins (§3.2.2). */
static enum http_head_result settle_host(struct http_head *head)
{
    size_t count = 0;
    for (size_t i = 0; i < head->header_count; i++) {
        if (!slice_equals_ignoring_case(head->headers[i].name, "Host"))
            continue;
        count++;
        if (head->authority.size > 0)
            head->headers[i].value = head->authority;
    }
    return count == 1 || (count == 0 && head->minor_version == 0) ? HTTP_HEAD_DONE : HTTP_HEAD_BAD;
}

/* How long the body is, and whether the connection stays open (RFC 9112 §6.3, §9.3). A chunked
 * body is refused: no request to heatcast has one. */
static enum http_head_result settle_framing(struct http_head *head)
{
    head->content_length = 0;
    bool has_length = false;
    for (size_t i = 0; i < head->header_count; i++) {
        struct http_header *header = &head->headers[i];
        if (slice_equals_ignoring_case(header->name, "Transfer-Encoding"))
            return HTTP_HEAD_BAD;
        if (!slice_equals_ignoring_case(header->name, "Content-Length"))
            continue;
        if (has_length || header->value.size > CONTENT_LENGTH_DIGITS_MAX ||
            !slice_parse_unsigned(header->value, UINT64_MAX, &head->content_length))
            return HTTP_HEAD_BAD;
        has_length = true;
    }
    if (http_head_has_token(head, "Connection", "close"))
        head->is_keep_alive = false;
    else
        head->is_keep_alive =
            head->minor_version == 1 || http_head_has_token(head, "Connection", "keep-alive");
    return HTTP_HEAD_DONE;
}

/* All of the head, with the empty line at its end. */
static enum http_head_result take_lines(struct slice *rest, struct http_head *head)
{
    head->header_count = 0;
    TRY(take_request_line(rest, head));
    while (!starts_line_end(rest)) {
        if (rest->size == 0)
            return HTTP_HEAD_NEEDS_MORE;
        TRY(take_header(rest, head));
    }
    return take_line_end(rest);
}

enum http_head_result http_head_parse(struct http_head *head, const char *bytes, size_t size)
{
    size_t visible = size < HTTP_HEAD_SIZE_MAX ? size : HTTP_HEAD_SIZE_MAX;
    struct slice rest = {bytes, visible};
    enum http_head_result result = take_lines(&rest, head);
    if (result == HTTP_HEAD_NEEDS_MORE && visible == HTTP_HEAD_SIZE_MAX)
        return HTTP_HEAD_TOO_LARGE;
    if (result != HTTP_HEAD_DONE)
        return result;
    head->size = visible - rest.size;
    result = settle_host(head);
    return result == HTTP_HEAD_DONE ? settle_framing(head) : result;
}

const struct slice *http_head_find(const struct http_head *head, const char *name)
{
    for (size_t i = 0; i < head->header_count; i++)
        if (slice_equals_ignoring_case(head->headers[i].name, name))
            return &head->headers[i].value;
    return NULL;
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
    *is_valid = slice_percent_decode(left, true, name, name_size) &&
                slice_percent_decode(pair, true, value, value_size);
    return true;
}
