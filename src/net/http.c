/* Requests are taken one at a time: while one is being answered, what a client pipelines stays in
 * the socket. Bodies come from four places (an owned buffer, a static file of the page, a shared
 * frame, a shared answer) and leave through the same two-piece write. */
#include "net/http.h"

#include "base/check.h"
#include "base/clock.h"
#include "net/connection.h"
#include "net/gzip.h"
#include "net/routes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#define TYPE_JSON "application/json"

static const struct {
    int status;
    const char *text;
} status_texts[] = {
    {200, "OK"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {414, "URI Too Long"},
    {426, "Upgrade Required"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

static void on_frame_ready(struct hub_waiter *waiter, struct frame *frame, enum status status)
{
    struct http_exchange *exchange =
        (struct http_exchange *)((char *)waiter - offsetof(struct http_exchange, waiter));
    if (frame != NULL && status != STATUS_NO_DATA)
        http_answer_frame(exchange, frame);
    else
        http_answer_failure(exchange, status, "there is no snapshot of this symbol yet");
    connection_send_answer(exchange->connection);
}

struct http_exchange *http_exchange_create(struct connection *connection)
{
    struct http_exchange *exchange = memory_allocate_zeroed(1, sizeof *exchange);
    exchange->connection = connection;
    exchange->waiter.on_ready = on_frame_ready;
    list_init(&exchange->waiter.in_symbol);
    list_init(&exchange->in_work);
    return exchange;
}

static void reset_answer(struct http_exchange *exchange)
{
    buffer_deinit(&exchange->head);
    buffer_deinit(&exchange->body);
    frame_release(exchange->frame_body);
    answer_release(exchange->answer_body);
    exchange->frame_body = NULL;
    exchange->answer_body = NULL;
    exchange->static_body = NULL;
    exchange->body_size = 0;
    exchange->sent = 0;
    exchange->websocket = NULL;
    exchange->websocket_symbols[0] = '\0';
}

void http_exchange_destroy(struct http_exchange *exchange)
{
    if (exchange == NULL)
        return;
    hub_stop_waiting(&exchange->waiter);
    list_remove(&exchange->in_work);
    reset_answer(exchange);
    buffer_deinit(&exchange->in);
    free(exchange);
}

static void answer_bad_head(struct http_exchange *exchange, enum http_head_result result)
{
    exchange->is_keep_alive = false;
    if (result == HTTP_HEAD_TOO_LARGE)
        http_answer_error(exchange, 431, "HEAD_TOO_LARGE",
                          "A request head may have 16384 bytes and 64 headers", NULL);
    else if (result == HTTP_HEAD_TARGET_TOO_LONG)
        http_answer_error(exchange, 414, "TARGET_TOO_LONG", "A request target may have 8000 bytes",
                          NULL);
    else if (result == HTTP_HEAD_UNKNOWN_CODING)
        http_answer_error(exchange, 501, "UNKNOWN_CODING",
                          "No transfer coding but chunked is known here", NULL);
    else if (result == HTTP_HEAD_BAD_VERSION)
        http_answer_error(exchange, 505, "BAD_VERSION", "HTTP/1.0 and HTTP/1.1 are spoken here",
                          NULL);
    else
        http_answer_error(exchange, 400, "BAD_REQUEST",
                          "This is not a request that HTTP/1.1 allows", NULL);
    connection_send_answer(exchange->connection);
}

/* Whether an Accept-Encoding names gzip, and not with a weight of zero (RFC 9110 §12.5.3). */
static bool takes_gzip(struct slice list)
{
    const char *end = list.data + list.size, *at = memmem(list.data, list.size, "gzip", 4);
    if (at == NULL)
        return false;
    for (at += 4; at < end && (*at == ' ' || *at == '\t' || *at == ';'); at++)
        continue;
    if (end - at < 3 || memcmp(at, "q=0", 3) != 0)
        return true;
    for (at += 3; at < end && (*at == '.' || *at == '0'); at++)
        continue;
    return at < end && *at >= '1' && *at <= '9';
}

static void remember_negotiation(struct http_exchange *exchange, const struct http_head *head)
{
    exchange->is_head_request = slice_equals(head->method, "HEAD");
    exchange->accepts_gzip = false;
    exchange->if_none_match[0] = '\0';
    for (size_t i = 0; i < head->header_count; i++) {
        const struct http_header *header = &head->headers[i];
        if (slice_equals_ignoring_case(header->name, "Accept-Encoding"))
            exchange->accepts_gzip |= takes_gzip(header->value);
        if (slice_equals_ignoring_case(header->name, "If-None-Match") &&
            header->value.size < sizeof exchange->if_none_match) {
            memcpy(exchange->if_none_match, header->value.data, header->value.size);
            exchange->if_none_match[header->value.size] = '\0';
        }
    }
    /* A body is never wanted; reading past it is not worth the code, so the connection ends. */
    exchange->is_keep_alive = head->is_keep_alive && head->content_length == 0;
}

bool http_exchange_next(struct http_exchange *exchange)
{
    if (exchange->in.size == 0)
        return false;
    struct http_head head;
    enum http_head_result result = http_head_parse(&head, exchange->in.data, exchange->in.size);
    if (result == HTTP_HEAD_NEEDS_MORE)
        return false;
    reset_answer(exchange);
    exchange->connection->state = CONNECTION_ANSWERING;
    if (result != HTTP_HEAD_DONE) {
        answer_bad_head(exchange, result);
        return true;
    }
    /* The head points into `in`, so its bytes go before any call that could end the exchange. */
    struct buffer in = exchange->in;
    exchange->in = (struct buffer){0};
    buffer_append(&exchange->in, in.data + head.size, in.size - head.size);
    remember_negotiation(exchange, &head);
    routes_dispatch(exchange, &head);
    buffer_deinit(&in);
    return true; /* the exchange may be gone: the connection's state tells */
}

static const char *status_text(int status)
{
    for (size_t i = 0; i < sizeof status_texts / sizeof status_texts[0]; i++)
        if (status_texts[i].status == status)
            return status_texts[i].text;
    check(!"a status without a text");
    return "";
}

/* RFC 9110 §6.6.1, in the form of §5.6.7. */
static void append_date(struct buffer *head)
{
    char text[64];
    struct tm fields;
    time_t now = (time_t)(clock_wall_ms() / 1000);
    strftime(text, sizeof text, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime_r(&now, &fields));
    buffer_append_text(head, text);
}

/* Every answer carries the same safety headers; the page's policy allows no foreign source. */
static void write_head(struct http_exchange *exchange, int status, const char *content_type,
                       const char *extra)
{
    struct buffer *head = &exchange->head;
    buffer_clear(head);
    buffer_append_format(head, "HTTP/1.1 %d %s\r\n", status, status_text(status));
    append_date(head);
    if (content_type != NULL)
        buffer_append_format(head, "Content-Type: %s\r\n", content_type);
    if (status != 304)
        buffer_append_format(head, "Content-Length: %zu\r\n", exchange->body_size);
    buffer_append_format(head,
                         "%sVary: Accept-Encoding\r\n"
                         "Connection: %s\r\n"
                         "X-Content-Type-Options: nosniff\r\n"
                         "Referrer-Policy: no-referrer\r\n\r\n",
                         extra != NULL ? extra : "",
                         exchange->is_keep_alive ? "keep-alive" : "close");
}

static void write_json_head(struct http_exchange *exchange, size_t body_size, bool is_gzipped,
                            const char *extra)
{
    char headers[192];
    snprintf(headers, sizeof headers, "%s%s", extra,
             is_gzipped ? "Content-Encoding: gzip\r\n" : "");
    exchange->body_size = body_size;
    write_head(exchange, 200, TYPE_JSON, headers);
}

static void compress_body(struct http_exchange *exchange)
{
    struct buffer plain = exchange->body;
    exchange->body = (struct buffer){0};
    gzip_append(&exchange->body, plain.data, plain.size);
    buffer_deinit(&plain);
}

void http_answer(struct http_exchange *exchange, int status, const char *content_type,
                 const char *extra)
{
    struct buffer headers = {0};
    if (extra != NULL)
        buffer_append_text(&headers, extra);
    if (exchange->accepts_gzip && exchange->body.size >= GZIP_SIZE_MIN) {
        compress_body(exchange);
        buffer_append_text(&headers, "Content-Encoding: gzip\r\n");
    }
    exchange->body_size = exchange->body.size;
    write_head(exchange, status, content_type, buffer_text(&headers));
    buffer_deinit(&headers);
}

void http_answer_error(struct http_exchange *exchange, int status, const char *code,
                       const char *message, const char *extra)
{
    buffer_clear(&exchange->body);
    buffer_append_format(&exchange->body, "{\"error\":{\"code\":\"%s\",\"message\":", code);
    buffer_append_json_string(&exchange->body, message, strlen(message));
    buffer_append_text(&exchange->body, "}}");
    http_answer(exchange, status, TYPE_JSON, extra);
}

void http_answer_static(struct http_exchange *exchange, const char *content_type, const void *body,
                        size_t size, const char *encoding, const char *extra)
{
    struct buffer headers = {0};
    buffer_append_text(&headers, extra);
    if (encoding != NULL)
        buffer_append_format(&headers, "Content-Encoding: %s\r\n", encoding);
    exchange->static_body = body;
    exchange->body_size = size;
    write_head(exchange, 200, content_type, buffer_text(&headers));
    buffer_deinit(&headers);
}

void http_answer_not_modified(struct http_exchange *exchange, const char *extra)
{
    buffer_clear(&exchange->body);
    exchange->body_size = 0;
    write_head(exchange, 304, NULL, extra);
}

/* If-None-Match, RFC 9110 §13.1.2: a list of tags, weak or not, or a star. */
static bool matches_etag(const struct http_exchange *exchange, const char *etag)
{
    return strcmp(exchange->if_none_match, "*") == 0 ||
           strstr(exchange->if_none_match, etag) != NULL;
}

/* Writes the lines of a tag that names the content; true if that is all the client wants to know.
 */
static bool answer_tag(struct http_exchange *exchange, uint64_t hash, char extra[static 128])
{
    char etag[32];
    snprintf(etag, sizeof etag, "\"%016" PRIx64 "\"", hash);
    snprintf(extra, 128, "ETag: %s\r\nCache-Control: no-cache\r\n", etag);
    if (!matches_etag(exchange, etag))
        return false;
    http_answer_not_modified(exchange, extra);
    return true;
}

void http_answer_shared(struct http_exchange *exchange, struct answer *answer)
{
    char extra[128];
    if (answer_tag(exchange, answer->tag, extra))
        return;
    exchange->answer_body = answer_acquire(answer);
    write_json_head(exchange, answer->body.size, answer->is_gzipped, extra);
}

void http_answer_frame(struct http_exchange *exchange, struct frame *frame)
{
    char extra[128];
    if (answer_tag(exchange, frame->hash, extra))
        return;
    const struct frame_deflated *deflated = frame_deflated(frame);
    if (exchange->accepts_gzip && deflated != NULL) {
        gzip_wrap(&exchange->body, frame_deflated_payload(deflated), frame_json(frame),
                  frame_json_size(frame));
        write_json_head(exchange, exchange->body.size, true, extra);
    } else if (exchange->accepts_gzip) { /* a look that began before the request came: seldom */
        buffer_append(&exchange->body, frame_json(frame), frame_json_size(frame));
        http_answer(exchange, 200, TYPE_JSON, extra);
    } else {
        exchange->frame_body = frame_acquire(frame);
        write_json_head(exchange, frame_json_size(frame), false, extra);
    }
}

void http_answer_failure(struct http_exchange *exchange, enum status status, const char *message)
{
    switch (status) {
    case STATUS_INVALID:
        http_answer_error(exchange, 400, "INVALID_PARAMETER", message, NULL);
        break;
    case STATUS_TOO_LARGE:
        http_answer_error(exchange, 400, "RANGE_TOO_LARGE", message, NULL);
        break;
    case STATUS_NO_DATA:
        http_answer_error(exchange, 404, "NO_DATA", message, NULL);
        break;
    case STATUS_BUSY:
        http_answer_error(exchange, 503, "DATABASE_LOCKED", message, "Retry-After: 1\r\n");
        break;
    case STATUS_UNREACHABLE:
        http_answer_error(exchange, 503, "GENERATOR_UNREACHABLE", message, "Retry-After: 5\r\n");
        break;
    default:
        http_answer_error(exchange, 503, "DATABASE_UNAVAILABLE", message, "Retry-After: 5\r\n");
        break;
    }
}
