/* An exchange exists only while there is anything of a request: between requests a connection costs
 * no more than itself, and most connections are idle or WebSockets. Hence a struct of its own, and
 * buffers that are freed rather than kept.
 *
 * Bodies come from four places: an owned buffer, a file of the page, a shared frame, a shared
 * answer. They leave through the same write of two pieces, and none is copied to get there. */
#include "net/exchange.h"

#include "base/check.h"
#include "base/log.h"
#include "base/clock.h"
#include "wire/http_fields.h"

#include <stdio.h>
#include <stdlib.h>

struct exchange *exchange_create(const struct exchange_host *host, void *owner)
{
    struct exchange *exchange = memory_allocate_zeroed(1, sizeof *exchange);
    exchange->host = host;
    exchange->owner = owner;
    exchange->asker.inbox = host->inbox;
    list_init(&exchange->waiter.in_symbol);
    return exchange;
}

static void forget_answer(struct exchange *exchange)
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
    exchange->due_ns = 0;
    exchange->is_head_request = exchange->accepts_gzip = exchange->fails_if_match = false;
    free(exchange->if_none_match);
    exchange->if_none_match = NULL;
    exchange->is_answered = false;
    exchange->websocket = NULL;
    free(exchange->websocket_symbols);
    exchange->websocket_symbols = NULL;
    free(exchange->noted);
    exchange->noted = NULL;
}

void exchange_destroy(struct exchange *exchange)
{
    if (exchange == NULL)
        return;
    hub_stop_waiting(&exchange->waiter);
    questions_leave(exchange->host->shared->questions, &exchange->asker);
    forget_answer(exchange);
    buffer_deinit(&exchange->in);
    free(exchange);
}

/* Joins the lines of a list field, which mean the same as one (RFC 9110 §5.3). NULL: there is none.
 */
static char *join_lines(const struct http_head *head, const char *name)
{
    struct buffer list = {0};
    for (size_t i = 0; i < head->header_count; i++) {
        const struct http_header *header = &head->headers[i];
        if (!slice_equals_ignoring_case(header->name, name))
            continue;
        if (list.size > 0)
            buffer_append_char(&list, ',');
        buffer_append(&list, header->value.data, header->value.size);
    }
    if (list.size == 0)
        return NULL;
    buffer_text(&list);
    return buffer_detach(&list);
}

static void remember_request(struct exchange *exchange, const struct http_head *head)
{
    exchange->is_head_request = slice_equals(head->method, "HEAD");
    exchange->accepts_gzip = http_accepts_gzip(head);
    exchange->if_none_match = join_lines(head, "If-None-Match");
    exchange->fails_if_match =
        http_head_find(head, "If-Match") != NULL && !http_etag_matches(head, "If-Match", "", false);
    /* No request needs its body: the connection ends behind the answer, and what comes of the body
     * until then is discarded. What follows a body is never taken for a request. */
    exchange->is_keep_alive = head->is_keep_alive && head->content_length == 0;
}

static bool is_line_end(char c)
{
    return c == '\r' || c == '\n';
}

/* What cannot be parsed may still be a HEAD, whose answer has no body. */
static void remember_bad_request(struct exchange *exchange)
{
    struct slice start = {exchange->in.data, exchange->in.size};
    slice_take_while(&start, is_line_end);
    exchange->is_head_request = slice_starts_with(start, "HEAD ");
    exchange->is_keep_alive = false;
}

enum http_head_result exchange_begin_request(struct exchange *exchange, struct http_head *head)
{
    const struct buffer *in = &exchange->in;
    if (in->size == 0 || !http_head_has_news(in->data, in->size, exchange->parsed_size))
        return HTTP_HEAD_NEEDS_MORE;
    enum http_head_result result = http_head_parse(head, in->data, in->size);
    exchange->parsed_size = result == HTTP_HEAD_NEEDS_MORE ? in->size : 0;
    if (result == HTTP_HEAD_NEEDS_MORE)
        return result;
    forget_answer(exchange);
    if (result == HTTP_HEAD_DONE)
        remember_request(exchange, head);
    else
        remember_bad_request(exchange);
    return result;
}

void exchange_give_up_request(struct exchange *exchange)
{
    forget_answer(exchange);
    remember_bad_request(exchange);
}

bool exchange_has_begun(const struct exchange *exchange)
{
    struct slice rest = {exchange->in.data, exchange->in.size};
    slice_take_while(&rest, is_line_end);
    return rest.size > 0;
}

void exchange_end_request(struct exchange *exchange, const struct http_head *head)
{
    if (exchange->in.size > head->size)
        buffer_consume(&exchange->in, head->size);
    else
        buffer_deinit(&exchange->in); /* it may wait for long */
}

void exchange_note_request(struct exchange *exchange, const struct http_head *head)
{
    char address[CLIENT_ADDRESS_TEXT_SIZE], path[SLICE_SHOWN_MAX + 1], method[SLICE_SHOWN_MAX + 1];
    struct buffer note = {0};
    if (log_threshold > LOG_DEBUG)
        return;
    buffer_append_format(&note, "%s %s %s", slice_show(head->method, method),
                         slice_show(head->path, path),
                         exchange_client_text(exchange, head, address));
    buffer_text(&note);
    exchange->noted = buffer_detach(&note);
    exchange->noted_ns = clock_monotonic_ns();
}

static void log_answered(struct exchange *exchange)
{
    int status = 0;
    if (exchange->noted == NULL)
        return;
    sscanf(buffer_text(&exchange->head), "HTTP/1.1 %d", &status);
    log_debug("answered", log_text("request", exchange->noted), log_int("status", status),
              log_int("bytes", (int64_t)exchange->body_size),
              log_real("ms", (double)(clock_monotonic_ns() - exchange->noted_ns) / 1e6));
}

void exchange_complete(struct exchange *exchange)
{
    exchange->is_answered = true;
    log_answered(exchange);
    if (!exchange->is_serving)
        exchange->host->on_answered(exchange);
}

static const char *body_of(const struct exchange *exchange)
{
    if (exchange->frame_body != NULL)
        return frame_json(exchange->frame_body);
    if (exchange->answer_body != NULL)
        return exchange->answer_body->body.data;
    return exchange->static_body != NULL ? exchange->static_body : exchange->body.data;
}

int exchange_pieces(const struct exchange *exchange, size_t body_max, struct iovec pieces[2])
{
    const struct buffer *head = &exchange->head;
    bool has_body = !exchange->is_head_request && exchange->websocket == NULL;
    size_t head_sent = exchange->sent < head->size ? exchange->sent : head->size;
    size_t body_sent = exchange->sent - head_sent;
    size_t body_left = has_body ? exchange->body_size - body_sent : 0;
    int count = 0;
    if (head_sent < head->size)
        pieces[count++] = (struct iovec){head->data + head_sent, head->size - head_sent};
    if (body_left > 0)
        pieces[count++] = (struct iovec){(char *)body_of(exchange) + body_sent,
                                         body_left < body_max ? body_left : body_max};
    return count;
}

bool exchange_is_from_proxy(struct exchange *exchange)
{
    const struct network_list *trusted = &exchange->host->shared->config->trusted_proxies;
    struct sockaddr_storage peer = {0};
    if (trusted->count == 0)
        return false;
    exchange->host->find_peer(exchange, &peer);
    return network_list_has(trusted, (const struct sockaddr *)&peer);
}

void exchange_find_client(struct exchange *exchange, const struct http_head *head,
                          struct sockaddr_storage *address)
{
    exchange->host->find_peer(exchange, address);
    client_address_find(&exchange->host->shared->config->trusted_proxies, head, address);
}

const char *exchange_client_text(struct exchange *exchange, const struct http_head *head,
                                 char text[CLIENT_ADDRESS_TEXT_SIZE])
{
    struct sockaddr_storage address = {0};
    exchange_find_client(exchange, head, &address);
    return client_address_format((const struct sockaddr *)&address, text);
}
