/* Every answer carries the same safety headers, whatever it is, so they are written in one place.
 * The rest is about not writing a body twice: what a client has already is a 304, what exists in
 * compressed form is sent as it is (a frame's DEFLATE stream only gets gzip's head and tail), and
 * what is shared is referenced. Only short texts made for one client are compressed here, on the
 * loop; long ones come from threads that may take their time. */
#include "net/respond.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "wire/http_fields.h"
#include "net/fault.h"
#include "net/gzip.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { TAG_LINES_SIZE = 128 };

static const struct {
    int status;
    const char *text;
} status_texts[] = {
    {200, "OK"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {412, "Precondition Failed"},
    {414, "URI Too Long"},
    {421, "Misdirected Request"},
    {426, "Upgrade Required"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

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

/* RFC 6797: browsers come over TLS only for a year. */
#define TRANSPORT_SECURITY "Strict-Transport-Security: max-age=31536000\r\n"

#define TEXT_OF(number) #number
#define KEEP_ALIVE_FOR(seconds)                                                                    \
    "Connection: keep-alive\r\nKeep-Alive: timeout=" TEXT_OF(seconds) "\r\n"
/* RFC 9112 §9.3 wants no more than the persistence; browsers and programs heed the hint. */
#define KEEP_ALIVE KEEP_ALIVE_FOR(HTTP_KEEP_ALIVE_HINT_S)

/* The page's policy allows no foreign source; it is among its file's own headers. */
static void complete(struct exchange *exchange, int status, const char *content_type,
                     const char *extra)
{
    struct buffer *head = &exchange->head;
    buffer_clear(head);
    buffer_append_format(head, "HTTP/1.1 %d %s\r\n", status, status_text(status));
    append_date(head);
    if (content_type != NULL)
        buffer_append_format(head, "Content-Type: %s\r\n", content_type);
    if (status != 304 && status != 204)
        buffer_append_format(head, "Content-Length: %zu\r\n", exchange->body_size);
    buffer_append_format(head,
                         "%sVary: Accept-Encoding\r\n"
                         "%s"
                         "X-Content-Type-Options: nosniff\r\n"
                         "Referrer-Policy: no-referrer\r\n%s\r\n",
                         extra != NULL ? extra : "",
                         exchange->is_keep_alive ? KEEP_ALIVE : "Connection: close\r\n",
                         exchange->host->shared->tls != NULL ? TRANSPORT_SECURITY : "");
    exchange_complete(exchange);
}

static void complete_tagged(struct exchange *exchange, const char *content_type, size_t body_size,
                            bool is_gzipped, const char *extra)
{
    char headers[TAG_LINES_SIZE + 64];
    snprintf(headers, sizeof headers, "%s%s", extra,
             is_gzipped ? "Content-Encoding: gzip\r\n" : "");
    exchange->body_size = body_size;
    complete(exchange, 200, content_type, headers);
}

/* -- texts of one client ----------------------------------------------------------------------- */

/* False if there is no memory for it. */
static bool compress_body(struct exchange *exchange)
{
    struct buffer gzipped = {0};
    if (!gzip_append(&gzipped, exchange->body.data, exchange->body.size))
        return false;
    buffer_deinit(&exchange->body);
    exchange->body = gzipped;
    return true;
}

void respond(struct exchange *exchange, int status, const char *content_type, const char *extra)
{
    struct buffer headers = {0};
    if (extra != NULL)
        buffer_append_text(&headers, extra);
    if (exchange->accepts_gzip && exchange->body.size >= GZIP_SIZE_MIN && compress_body(exchange))
        buffer_append_text(&headers, "Content-Encoding: gzip\r\n");
    exchange->body_size = exchange->body.size;
    complete(exchange, status, content_type, buffer_text(&headers));
    buffer_deinit(&headers);
}

static void write_error(struct buffer *body, const char *code, const char *message,
                        const struct error_fit *fit)
{
    buffer_clear(body);
    struct json json = json_start(body);
    json_open_object(&json);
    json_key(&json, "error");
    json_open_object(&json);
    json_member_text(&json, "code", code);
    json_member_text(&json, "message", message);
    if (fit != NULL && fit->parameter[0] != '\0') {
        json_key(&json, "fits");
        json_open_object(&json);
        json_member_text(&json, fit->parameter, fit->value);
        json_close_object(&json);
    }
    json_close_object(&json);
    json_close_object(&json);
}

/* The body is the error. */
static void respond_written_error(struct exchange *exchange, int status, const char *extra)
{
    struct buffer lines = {0};
    buffer_append_text(&lines, extra != NULL ? extra : "");
    buffer_append_text(&lines, "Cache-Control: no-store\r\n");
    respond(exchange, status, TYPE_JSON, buffer_text(&lines));
    buffer_deinit(&lines);
}

void respond_error(struct exchange *exchange, int status, const char *code, const char *message,
                   const char *extra)
{
    write_error(&exchange->body, code, message, NULL);
    respond_written_error(exchange, status, extra);
}

void respond_failure(struct exchange *exchange, enum status status, const char *message,
                     const struct error_fit *fit)
{
    if (fault_is_private(status))
        message = fault_text(status);
    switch (status) {
    case STATUS_INVALID:
        respond_error(exchange, 400, "INVALID_PARAMETER", message, NULL);
        break;
    case STATUS_TOO_LARGE:
        write_error(&exchange->body, "RANGE_TOO_LARGE", message, fit);
        respond_written_error(exchange, 400, NULL);
        break;
    case STATUS_NO_DATA:
        respond_error(exchange, 404, "NO_DATA", message, NULL);
        break;
    case STATUS_BUSY:
        respond_error(exchange, 503, "DATABASE_LOCKED", message, "Retry-After: 1\r\n");
        break;
    case STATUS_TIMEOUT:
    case STATUS_CANCELLED:
    case STATUS_NO_MEMORY:
        respond_error(exchange, 503, "BUSY", message, "Retry-After: 1\r\n");
        break;
    case STATUS_UNREACHABLE:
        respond_error(exchange, 503, "GENERATOR_UNREACHABLE", message, "Retry-After: 5\r\n");
        break;
    default:
        respond_error(exchange, 503, "DATABASE_UNAVAILABLE", message, "Retry-After: 5\r\n");
        break;
    }
}

/* -- texts that are shared --------------------------------------------------------------------- */

void respond_static(struct exchange *exchange, const char *content_type, const void *body,
                    size_t size, const char *encoding, const char *extra)
{
    struct buffer headers = {0};
    buffer_append_text(&headers, extra);
    if (encoding != NULL)
        buffer_append_format(&headers, "Content-Encoding: %s\r\n", encoding);
    exchange->static_body = body;
    exchange->body_size = size;
    complete(exchange, 200, content_type, buffer_text(&headers));
    buffer_deinit(&headers);
}

void respond_not_modified(struct exchange *exchange, const char *extra)
{
    buffer_clear(&exchange->body);
    exchange->body_size = 0;
    complete(exchange, 304, NULL, extra);
}

bool respond_if_decided(struct exchange *exchange, const char *etag, const char *extra)
{
    if (exchange->fails_if_match) {
        respond_error(exchange, 412, "PRECONDITION_FAILED",
                      "Entity tags are weak here, and If-Match compares strongly", NULL);
        return true;
    }
    if (exchange->if_none_match == NULL ||
        !http_etag_is_listed(slice_of(exchange->if_none_match), etag, true))
        return false;
    respond_not_modified(exchange, extra);
    return true;
}

/* Writes the header lines of a tag that names the content. It is weak, since plain and gzip form
 * share it (RFC 9110 §8.8.1). True if the request's conditions decide the answer: then it is
 * answered. */
static bool try_tag(struct exchange *exchange, uint64_t hash, char lines[static TAG_LINES_SIZE])
{
    char etag[32];
    snprintf(etag, sizeof etag, "W/\"%016" PRIx64 "\"", hash);
    snprintf(lines, TAG_LINES_SIZE, "ETag: %s\r\nCache-Control: no-cache\r\n", etag);
    return respond_if_decided(exchange, etag, lines);
}

void respond_answer(struct exchange *exchange, struct answer *answer, const char *content_type)
{
    char lines[TAG_LINES_SIZE];
    if (try_tag(exchange, answer->tag, lines))
        return;
    exchange->answer_body = answer_acquire(answer);
    complete_tagged(exchange, content_type, answer->body.size, answer->is_gzipped, lines);
}

void respond_page(struct exchange *exchange, struct answer *answer, const char *content_type)
{
    exchange->answer_body = answer_acquire(answer);
    exchange->body_size = answer->body.size;
    complete(exchange, 200, content_type,
             answer->is_gzipped ? NO_STORE "Content-Encoding: gzip\r\n" : NO_STORE);
}

void respond_frame(struct exchange *exchange, struct frame *frame)
{
    char lines[TAG_LINES_SIZE];
    if (try_tag(exchange, frame->hash, lines))
        return;
    const struct frame_deflated *deflated = frame_deflated(frame);
    if (exchange->accepts_gzip && deflated != NULL &&
        gzip_wrap(&exchange->body, frame_deflated_payload(deflated), frame_json(frame),
                  frame_json_size(frame))) {
        complete_tagged(exchange, TYPE_JSON, exchange->body.size, true, lines);
    } else if (exchange->accepts_gzip && deflated == NULL) {
        /* Published before any client wanted that: rare. */
        buffer_append(&exchange->body, frame_json(frame), frame_json_size(frame));
        respond(exchange, 200, TYPE_JSON, lines);
    } else {
        exchange->frame_body = frame_acquire(frame);
        complete_tagged(exchange, TYPE_JSON, frame_json_size(frame), false, lines);
    }
}

/* -- the handshake ----------------------------------------------------------------------------- */

void respond_websocket(struct exchange *exchange, const struct session_protocol *protocol,
                       const char *accept, const char *extensions, struct slice subprotocol)
{
    buffer_append_format(&exchange->head,
                         "HTTP/1.1 101 Switching Protocols\r\n"
                         "Upgrade: websocket\r\n"
                         "Connection: Upgrade\r\n"
                         "Sec-WebSocket-Accept: %s\r\n",
                         accept);
    if (extensions[0] != '\0')
        buffer_append_format(&exchange->head, "Sec-WebSocket-Extensions: %s\r\n", extensions);
    if (subprotocol.size > 0)
        buffer_append_format(&exchange->head, "Sec-WebSocket-Protocol: %.*s\r\n",
                             (int)subprotocol.size, subprotocol.data);
    buffer_append_text(&exchange->head, "\r\n");
    exchange->deflates = extensions[0] != '\0';
    exchange->websocket = protocol;
    exchange_complete(exchange);
}
