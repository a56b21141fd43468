#include "wire/http_head.h"

#include <string.h>
#include <strings.h>

/* A cursor over the bytes at hand. */
struct scanner {
    const char *at, *end;
};

/* The characters of a token, RFC 9110 §5.6.2. */
static bool is_token_char(char c)
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

static struct slice take_while(struct scanner *scanner, bool (*accepts)(char))
{
    const char *start = scanner->at;
    while (scanner->at < scanner->end && accepts(*scanner->at))
        scanner->at++;
    return (struct slice){start, (size_t)(scanner->at - start)};
}

/* CRLF, or a lone LF as RFC 9112 §2.2 lets a server accept. */
static enum http_head_result take_line_end(struct scanner *scanner)
{
    if (scanner->at < scanner->end && *scanner->at == '\r')
        scanner->at++;
    if (scanner->at == scanner->end)
        return HTTP_HEAD_NEEDS_MORE;
    return *scanner->at++ == '\n' ? HTTP_HEAD_DONE : HTTP_HEAD_BAD;
}

static enum http_head_result take_char(struct scanner *scanner, char c)
{
    if (scanner->at == scanner->end)
        return HTTP_HEAD_NEEDS_MORE;
    return *scanner->at++ == c ? HTTP_HEAD_DONE : HTTP_HEAD_BAD;
}

static enum http_head_result take_version(struct scanner *scanner, int *minor)
{
    static const char expected[] = "HTTP/1.";
    for (size_t i = 0; i < sizeof expected - 1; i++) {
        if (scanner->at == scanner->end)
            return HTTP_HEAD_NEEDS_MORE;
        if (*scanner->at != expected[i])
            return i >= 5 ? HTTP_HEAD_BAD_VERSION : HTTP_HEAD_BAD;
        scanner->at++;
    }
    if (scanner->at == scanner->end)
        return HTTP_HEAD_NEEDS_MORE;
    if (*scanner->at != '0' && *scanner->at != '1')
        return HTTP_HEAD_BAD_VERSION;
    *minor = *scanner->at++ - '0';
    return take_line_end(scanner);
}

#define TRY(step)                                                                                  \
    do {                                                                                           \
        enum http_head_result step_result = (step);                                                \
        if (step_result != HTTP_HEAD_DONE)                                                         \
            return step_result;                                                                    \
    } while (0)

/* Cuts "http://host" off a target in absolute form, which a server must accept (RFC 9112 §3.2.2);
 * leaves one in origin form as it is. False for any other form. */
static bool take_authority(struct slice *target, struct slice *authority)
{
    static const char *const schemes[] = {"http://", "https://"};
    *authority = (struct slice){target->data, 0};
    if (target->size > 0 && target->data[0] == '/')
        return true;
    for (size_t i = 0; i < 2; i++) {
        size_t size = strlen(schemes[i]);
        if (target->size <= size || strncasecmp(target->data, schemes[i], size) != 0)
            continue;
        const char *start = target->data + size, *end = target->data + target->size, *stop = start;
        while (stop < end && *stop != '/' && *stop != '?')
            stop++;
        *authority = (struct slice){start, (size_t)(stop - start)};
        *target = (struct slice){stop, (size_t)(end - stop)};
        return authority->size > 0;
    }
    return false;
}

static bool split_target(struct http_head *head)
{
    struct slice rest = head->target;
    if (!take_authority(&rest, &head->authority))
        return false;
    const char *mark = memchr(rest.data, '?', rest.size);
    head->path = rest;
    head->query = (struct slice){rest.data + rest.size, 0};
    if (mark != NULL) {
        head->path.size = (size_t)(mark - rest.data);
        head->query = (struct slice){mark + 1, rest.size - head->path.size - 1};
    }
    if (head->path.size == 0)
        head->path = (struct slice){"/", 1};
    return true;
}

static enum http_head_result take_request_line(struct scanner *scanner, struct http_head *head)
{
    /* Empty lines before the request are passed over, RFC 9112 §2.2. */
    while (scanner->at < scanner->end && (*scanner->at == '\r' || *scanner->at == '\n'))
        TRY(take_line_end(scanner));
    head->method = take_while(scanner, is_token_char);
    TRY(take_char(scanner, ' '));
    head->target = take_while(scanner, is_target_char);
    TRY(take_char(scanner, ' '));
    TRY(take_version(scanner, &head->minor_version));
    return head->method.size > 0 && split_target(head) ? HTTP_HEAD_DONE : HTTP_HEAD_BAD;
}

static enum http_head_result take_header(struct scanner *scanner, struct http_head *head)
{
    struct http_header header;
    header.name = take_while(scanner, is_token_char);
    TRY(take_char(scanner, ':'));
    if (header.name.size == 0)
        return HTTP_HEAD_BAD;
    while (scanner->at < scanner->end && (*scanner->at == ' ' || *scanner->at == '\t'))
        scanner->at++;
    header.value = take_while(scanner, is_value_char);
    TRY(take_line_end(scanner));
    while (header.value.size > 0 && (header.value.data[header.value.size - 1] == ' ' ||
                                     header.value.data[header.value.size - 1] == '\t'))
        header.value.size--;
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

/* How long the body is and whether the connection goes on (RFC 9112 §6.3, §9.3). A chunked body is
 * refused: no request to heatcast has one. */
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
        if (has_length || header->value.size == 0 || header->value.size > 18)
            return HTTP_HEAD_BAD;
        has_length = true;
        for (size_t j = 0; j < header->value.size; j++) {
            char digit = header->value.data[j];
            if (digit < '0' || digit > '9')
                return HTTP_HEAD_BAD;
            head->content_length = head->content_length * 10 + (uint64_t)(digit - '0');
        }
    }
    if (http_head_has_token(head, "Connection", "close"))
        head->is_keep_alive = false;
    else
        head->is_keep_alive =
            head->minor_version == 1 || http_head_has_token(head, "Connection", "keep-alive");
    return HTTP_HEAD_DONE;
}

enum http_head_result http_head_parse(struct http_head *head, const char *bytes, size_t size)
{
    size_t visible = size < HTTP_HEAD_SIZE_MAX ? size : HTTP_HEAD_SIZE_MAX;
    struct scanner scanner = {bytes, bytes + visible};
    head->header_count = 0;
    enum http_head_result result = take_request_line(&scanner, head);
    while (result == HTTP_HEAD_DONE) {
        if (scanner.at == scanner.end) {
            result = HTTP_HEAD_NEEDS_MORE;
        } else if (*scanner.at == '\r' || *scanner.at == '\n') {
            result = take_line_end(&scanner);
            break;
        } else {
            result = take_header(&scanner, head);
        }
    }
    if (result == HTTP_HEAD_NEEDS_MORE && visible == HTTP_HEAD_SIZE_MAX)
        return HTTP_HEAD_TOO_LARGE;
    if (result != HTTP_HEAD_DONE)
        return result;
    head->size = (size_t)(scanner.at - bytes);
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
