/* libcurl connects, through proxies and TLS, and then lends the connection: curl_easy_send() and
 * curl_easy_recv() move bytes, a uv_poll on its socket says when. The rest is wire/.
 *
 *     CONNECTING -> SHAKING -> OPEN -> CLOSING -> CLOSED
 *          \___________\_________________-> ENDING _/      (websocket_client_close())
 *
 * end() leads to CLOSED from anywhere and tells on_closed; websocket_client_destroy() to DESTROYED.
 *
 * OpenSSL wants a write that did not go repeated with the same bytes. So what is being sent stays
 * as it is, in `sending`, and what is said meanwhile waits in `queued`. Nothing is written from
 * inside the callers' calls, but when the socket is writable: an error there is the loop's to tell.
 *
 * libcurl may hold decrypted bytes that the socket knows nothing of. So reading continues until it
 * has none left, in turns of READ_TURN_BYTES, between which other sockets are served. */
#include "link/websocket_client.h"

#include "base/buffer.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/slice.h"
#include "link/client_internal.h"
#include "link/transport.h"
#include "wire/deflate.h"
#include "wire/websocket_handshake.h"

#include <stdlib.h>
#include <string.h>

enum { READ_BYTES = 16 * 1024, READ_TURN_BYTES = 256 * 1024 };
enum { CLOSE_NOT_RECEIVED = 1006 }; /* RFC 6455 §7.4.1 */

enum state { CONNECTING, SHAKING, OPEN, CLOSING, ENDING, CLOSED, DESTROYED };

struct websocket_client {
    struct multi_entry entry;
    struct http_client *client;
    enum state state;
    struct websocket_client_options options; /* its texts are not kept */
    char *url;                               /* as libcurl knows it: http:// or https:// */

    uv_poll_t poll;
    uv_timer_t deadline; /* of the handshake, of closing; fires at once to end from a call */
    uv_idle_t again;     /* there is more to read */
    int handle_count;    /* that are not closed yet */
    bool has_poll;

    struct ws_handshake handshake;
    struct ws_decoder decoder;
    struct ws_inflater *inflater; /* compression is in use */
    struct buffer head;           /* of the handshake's answer, as it comes */
    struct buffer message, inflated;
    struct buffer sending, queued;
    size_t sent; /* of `sending` */
    uint64_t last_byte_ns;
    char error_text[CURL_ERROR_SIZE];
};

/* -- its end ----------------------------------------------------------------------------------- */

static void stop_watching(struct websocket_client *ws)
{
    if (ws->has_poll)
        uv_poll_stop(&ws->poll);
    uv_timer_stop(&ws->deadline);
    uv_idle_stop(&ws->again);
}

/* The one way to CLOSED. The socket must not be watched when libcurl closes it. */
static void end(struct websocket_client *ws, const struct websocket_end *how)
{
    if (ws->state == CLOSED || ws->state == DESTROYED)
        return;
    stop_watching(ws);
    multi_remove(ws->client->multi, &ws->entry);
    ws->state = CLOSED;
    ws->options.on_closed(how, ws->options.context);
}

static void end_with_words(struct websocket_client *ws, enum http_outcome outcome, int close_code,
                           const char *words)
{
    struct buffer message = {0};
    transport_append_message(&message, ws->url, outcome, words);
    end(ws, &(struct websocket_end){.outcome = outcome,
                                    .retry_after_ms = -1,
                                    .was_open = ws->state == OPEN || ws->state == CLOSING,
                                    .close_code = close_code,
                                    .message = buffer_text(&message)});
    buffer_deinit(&message);
}

static void end_by_error(struct websocket_client *ws, CURLcode code)
{
    const char *words = ws->error_text[0] != '\0' ? ws->error_text : curl_easy_strerror(code);
    end_with_words(ws, transport_outcome(ws->entry.easy, code), CLOSE_NOT_RECEIVED, words);
}

static void deadline_passed(uv_timer_t *timer)
{
    struct websocket_client *ws = timer->data;
    if (ws->state == SHAKING)
        end_with_words(ws, HTTP_TIMED_OUT, CLOSE_NOT_RECEIVED, "no answer to the handshake");
    else if (ws->state == CLOSING)
        end_with_words(ws, HTTP_TIMED_OUT, CLOSE_NOT_RECEIVED, "the close frame was not answered");
    else
        end_with_words(ws, HTTP_STOPPED, CLOSE_NOT_RECEIVED, "closed before it was open");
}

/* -- sending ----------------------------------------------------------------------------------- */

static size_t waiting_bytes(const struct websocket_client *ws)
{
    return ws->sending.size - ws->sent + ws->queued.size;
}

/* Sends what goes without waiting. */
static CURLcode flush(struct websocket_client *ws)
{
    while (waiting_bytes(ws) > 0) {
        size_t count = 0;
        if (ws->sent == ws->sending.size) {
            struct buffer empty = ws->sending;
            buffer_clear(&empty);
            ws->sending = ws->queued;
            ws->queued = empty;
            ws->sent = 0;
        }
        CURLcode code = curl_easy_send(ws->entry.easy, ws->sending.data + ws->sent,
                                       ws->sending.size - ws->sent, &count);
        if (code == CURLE_AGAIN)
            return CURLE_OK;
        if (code != CURLE_OK)
            return code;
        ws->sent += count;
    }
    return CURLE_OK;
}

static void poll_ready(uv_poll_t *poll, int status, int events);

static void watch(struct websocket_client *ws)
{
    int events = UV_READABLE | (waiting_bytes(ws) > 0 ? UV_WRITABLE : 0);
    check(uv_poll_start(&ws->poll, events, poll_ready) == 0);
}

/* False if the peer takes nothing. */
static bool send_frame(struct websocket_client *ws, enum ws_opcode opcode, const char *payload,
                       size_t size)
{
    if (size > WEBSOCKET_OUTGOING_BYTES_MAX ||
        waiting_bytes(ws) > WEBSOCKET_OUTGOING_BYTES_MAX - size)
        return false;
    ws_append_masked_frame(&ws->queued, opcode, payload, size);
    watch(ws);
    return true;
}

static void send_close(struct websocket_client *ws, uint16_t code)
{
    char payload[WS_CONTROL_PAYLOAD_MAX];
    size_t size = code == WS_CLOSE_NO_STATUS ? 0 : ws_encode_close(payload, code, "");
    send_frame(ws, WS_CLOSE, payload, size);
}

/* The peer broke the protocol or a limit: tells it, as far as that goes at once, and ends. */
static void fail(struct websocket_client *ws, uint16_t code, enum http_outcome outcome,
                 const char *words)
{
    if (ws->state == OPEN)
        send_close(ws, code);
    flush(ws);
    end_with_words(ws, outcome, CLOSE_NOT_RECEIVED, words);
}

/* -- messages ---------------------------------------------------------------------------------- */

static bool is_alive(const struct websocket_client *ws)
{
    return ws->state == OPEN || ws->state == CLOSING;
}

static bool is_utf8(const struct buffer *text)
{
    struct utf8 utf8 = {0};
    return utf8_feed(&utf8, text->data, text->size) && utf8_is_complete(&utf8);
}

static void deliver(struct websocket_client *ws, struct buffer *text)
{
    buffer_text(text); /* terminates it */
    ws->options.on_text(text->data, text->size, ws->options.context);
}

static void take_compressed(struct websocket_client *ws)
{
    buffer_clear(&ws->inflated);
    enum ws_inflate_result result = ws_inflate(ws->inflater, ws->message.data, ws->message.size,
                                               ws->options.message_bytes_max, &ws->inflated);
    if (result == WS_INFLATE_TOO_BIG)
        fail(ws, WS_CLOSE_TOO_BIG, HTTP_TOO_LARGE, "a message");
    else if (result == WS_INFLATE_INVALID)
        fail(ws, WS_CLOSE_INVALID_PAYLOAD, HTTP_BROKEN, "a compressed message");
    else if (!is_utf8(&ws->inflated))
        fail(ws, WS_CLOSE_INVALID_PAYLOAD, HTTP_BROKEN, "text that is not UTF-8");
    else
        deliver(ws, &ws->inflated);
}

static void take_data(struct websocket_client *ws, const struct ws_event *event)
{
    if (ws->state == CLOSING) /* nobody wants it any more */
        return;
    if (event->is_message_start)
        buffer_clear(&ws->message);
    if (event->payload_size > ws->options.message_bytes_max - ws->message.size) {
        fail(ws, WS_CLOSE_TOO_BIG, HTTP_TOO_LARGE, "a message");
        return;
    }
    buffer_append(&ws->message, event->payload, event->payload_size);
    if (!event->is_message_end)
        return;
    if (event->is_compressed)
        take_compressed(ws);
    else if (event->opcode == WS_BINARY && !is_utf8(&ws->message))
        fail(ws, WS_CLOSE_INVALID_PAYLOAD, HTTP_BROKEN, "a binary message that is no text");
    else
        deliver(ws, &ws->message);
}

static void take_close(struct websocket_client *ws, const struct ws_event *event)
{
    struct buffer words = {0};
    buffer_append_format(&words, "closed by the server with code %d", event->close_code);
    if (event->payload_size > 2)
        buffer_append_format(&words, ": %.*s", (int)event->payload_size - 2, event->payload + 2);
    if (ws->state == OPEN)
        send_close(ws, event->close_code);
    flush(ws);
    end_with_words(ws, HTTP_ANSWERED, event->close_code, buffer_text(&words));
    buffer_deinit(&words);
}

static void take_control(struct websocket_client *ws, const struct ws_event *event)
{
    if (event->opcode == WS_CLOSE)
        take_close(ws, event);
    else if (event->opcode == WS_PING && ws->state == OPEN &&
             !send_frame(ws, WS_PONG, event->payload, event->payload_size))
        fail(ws, WS_CLOSE_POLICY, HTTP_CUT_OFF, "it does not read what is sent");
}

static void take_frames(struct websocket_client *ws, char *bytes, size_t size)
{
    while (is_alive(ws)) {
        size_t consumed;
        struct ws_event event = ws_decoder_feed(&ws->decoder, bytes, size, &consumed);
        bytes += consumed;
        size -= consumed;
        if (event.type == WS_EVENT_NEEDS_MORE)
            return;
        if (event.type == WS_EVENT_DATA)
            take_data(ws, &event);
        else if (event.type == WS_EVENT_CONTROL)
            take_control(ws, &event);
        else
            fail(ws, event.close_code, HTTP_BROKEN, event.reason);
    }
}

/* -- the handshake ----------------------------------------------------------------------------- */

static void refuse(struct websocket_client *ws, const struct ws_handshake_answer *answer)
{
    struct buffer message = {0}, words = {0};
    const struct slice *retry_after = http_head_find_only(&answer->head, "Retry-After");
    char text[64];
    int64_t wait_ms = -1;
    if (retry_after != NULL && slice_copy(*retry_after, text, sizeof text))
        wait_ms = transport_retry_after_ms(text);
    buffer_append_format(&words, "the handshake was refused with status %d", answer->status);
    transport_append_message(&message, ws->url, HTTP_ANSWERED, buffer_text(&words));
    end(ws, &(struct websocket_end){.outcome = HTTP_ANSWERED,
                                    .http_status = answer->status,
                                    .retry_after_ms = wait_ms,
                                    .close_code = CLOSE_NOT_RECEIVED,
                                    .message = buffer_text(&message)});
    buffer_deinit(&words);
    buffer_deinit(&message);
}

static void open_connection(struct websocket_client *ws, const struct ws_handshake_answer *answer)
{
    size_t head_size = answer->head.size;
    uv_timer_stop(&ws->deadline);
    ws->decoder.allows_compression = answer->is_compressed;
    if (answer->is_compressed)
        ws->inflater = ws_inflater_create();
    ws->state = OPEN;
    ws->options.on_open(ws->options.context);
    take_frames(ws, ws->head.data + head_size, ws->head.size - head_size);
    buffer_deinit(&ws->head);
}

static void take_head(struct websocket_client *ws, const char *bytes, size_t size)
{
    struct ws_handshake_answer answer;
    buffer_append(&ws->head, bytes, size);
    switch (ws_handshake_read(&ws->handshake, ws->head.data, ws->head.size, &answer)) {
    case WS_HANDSHAKE_NEEDS_MORE:
        return;
    case WS_HANDSHAKE_ACCEPTED:
        open_connection(ws, &answer);
        return;
    case WS_HANDSHAKE_REFUSED:
        refuse(ws, &answer);
        return;
    case WS_HANDSHAKE_BROKEN:
        end_with_words(ws, HTTP_BROKEN, CLOSE_NOT_RECEIVED, answer.reason);
        return;
    }
}

/* -- the socket -------------------------------------------------------------------------------- */

static void read_again(uv_idle_t *idle);

static void read_turn(struct websocket_client *ws)
{
    char bytes[READ_BYTES];
    size_t count, total = 0;
    uv_idle_stop(&ws->again);
    while (total < READ_TURN_BYTES) {
        CURLcode code = curl_easy_recv(ws->entry.easy, bytes, sizeof bytes, &count);
        if (code == CURLE_AGAIN)
            return;
        if (code != CURLE_OK) {
            end_by_error(ws, code);
            return;
        }
        if (count == 0) {
            end_with_words(ws, HTTP_CUT_OFF, CLOSE_NOT_RECEIVED, "without a close frame");
            return;
        }
        total += count;
        ws->last_byte_ns = clock_monotonic_ns();
        if (ws->state == SHAKING)
            take_head(ws, bytes, count);
        else
            take_frames(ws, bytes, count);
        if (ws->state == CLOSED || ws->state == DESTROYED)
            return;
    }
    uv_idle_start(&ws->again, read_again);
}

static void read_again(uv_idle_t *idle)
{
    read_turn(idle->data);
}

static void poll_ready(uv_poll_t *poll, int status, int events)
{
    struct websocket_client *ws = poll->data;
    if (status < 0) {
        end_with_words(ws, HTTP_CUT_OFF, CLOSE_NOT_RECEIVED, uv_strerror(status));
        return;
    }
    if (events & UV_WRITABLE) {
        CURLcode code = flush(ws);
        if (code != CURLE_OK) {
            end_by_error(ws, code);
            return;
        }
        watch(ws);
    }
    if (events & UV_READABLE)
        read_turn(ws);
}

/* -- connecting -------------------------------------------------------------------------------- */

static bool is_in_authority(char c)
{
    return c != '/' && c != '?' && c != '#';
}

static void begin_handshake(struct websocket_client *ws)
{
    struct slice rest = slice_of(strstr(ws->url, "://") + 3);
    struct slice host = slice_take_while(&rest, is_in_authority);
    struct buffer authority = {0}, target = {0};
    buffer_append(&authority, host.data, host.size);
    if (!slice_starts_with(rest, "/"))
        buffer_append_char(&target, '/');
    buffer_append(&target, rest.data, rest.size);
    ws_handshake_begin(&ws->handshake, buffer_text(&authority), buffer_text(&target),
                       ws->client->user_agent, ws->options.offers_compression, &ws->queued);
    buffer_deinit(&authority);
    buffer_deinit(&target);
}

static void connected(struct multi_entry *entry, CURLcode code)
{
    struct websocket_client *ws = list_entry(entry, struct websocket_client, entry);
    uint64_t timeout_ms = ws->options.handshake_timeout_ms;
    curl_socket_t socket = CURL_SOCKET_BAD;
    if (code == CURLE_OK)
        code = curl_easy_getinfo(entry->easy, CURLINFO_ACTIVESOCKET, &socket);
    if (code != CURLE_OK || socket == CURL_SOCKET_BAD ||
        uv_poll_init_socket(multi_loop(ws->client->multi), &ws->poll, socket) != 0) {
        end_by_error(ws, code != CURLE_OK ? code : CURLE_COULDNT_CONNECT);
        return;
    }
    ws->poll.data = ws;
    ws->has_poll = true;
    ws->handle_count++;
    ws->state = SHAKING;
    begin_handshake(ws);
    watch(ws);
    uv_timer_start(&ws->deadline, deadline_passed,
                   timeout_ms > 0 ? timeout_ms : WEBSOCKET_HANDSHAKE_TIMEOUT_MS, 0);
}

/* ws:// and wss:// as libcurl 7.88 knows them. */
static char *http_url(const char *url)
{
    struct buffer out = {0};
    struct slice rest = slice_of(url);
    bool is_tls = slice_try_take(&rest, "wss://");
    check(is_tls || slice_try_take(&rest, "ws://"));
    buffer_append_text(&out, is_tls ? "https://" : "http://");
    buffer_append(&out, rest.data, rest.size);
    buffer_append_char(&out, '\0');
    return buffer_detach(&out);
}

struct websocket_client *websocket_client_connect(struct http_client *client,
                                                  const struct websocket_client_options *options)
{
    struct websocket_client *ws = memory_allocate_zeroed(1, sizeof *ws);
    uv_loop_t *loop = multi_loop(client->multi);
    check(options->message_bytes_max > 0);
    ws->client = client;
    ws->options = *options;
    ws->url = http_url(options->url);
    ws_decoder_init(&ws->decoder);
    ws->decoder.is_client = true;
    check(uv_timer_init(loop, &ws->deadline) == 0 && uv_idle_init(loop, &ws->again) == 0);
    ws->deadline.data = ws->again.data = ws;
    ws->handle_count = 2;
    ws->entry.on_done = connected;
    ws->entry.easy =
        transport_create(ws->url, client->ca_file, options->connect_timeout_ms, ws->error_text);
    curl_easy_setopt(ws->entry.easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(ws->entry.easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
    client->websocket_count++;
    multi_add(client->multi, &ws->entry);
    return ws;
}

/* -- what the owner calls ---------------------------------------------------------------------- */

bool websocket_client_send_text(struct websocket_client *client, const char *text, size_t size)
{
    return client->state == OPEN && send_frame(client, WS_TEXT, text, size);
}

bool websocket_client_send_ping(struct websocket_client *client)
{
    return client->state == OPEN && send_frame(client, WS_PING, "", 0);
}

void websocket_client_close(struct websocket_client *client)
{
    if (client->state >= CLOSING)
        return;
    bool is_open = client->state == OPEN;
    if (is_open) {
        send_close(client, WS_CLOSE_NORMAL);
    } else {
        stop_watching(client);
        multi_remove(client->client->multi, &client->entry);
    }
    client->state = is_open ? CLOSING : ENDING;
    uv_timer_start(&client->deadline, deadline_passed, is_open ? WEBSOCKET_CLOSE_TIMEOUT_MS : 0, 0);
}

static void free_client(uv_handle_t *handle)
{
    struct websocket_client *ws = handle->data;
    if (--ws->handle_count > 0)
        return;
    ws_decoder_deinit(&ws->decoder);
    ws_inflater_destroy(ws->inflater);
    buffer_deinit(&ws->head);
    buffer_deinit(&ws->message);
    buffer_deinit(&ws->inflated);
    buffer_deinit(&ws->sending);
    buffer_deinit(&ws->queued);
    free(ws->url);
    free(ws);
}

void websocket_client_destroy(struct websocket_client *client)
{
    if (client == NULL)
        return;
    stop_watching(client);
    multi_remove(client->client->multi, &client->entry);
    curl_easy_cleanup(client->entry.easy);
    client->client->websocket_count--;
    client->state = DESTROYED;
    if (client->has_poll)
        uv_close((uv_handle_t *)&client->poll, free_client);
    uv_close((uv_handle_t *)&client->deadline, free_client);
    uv_close((uv_handle_t *)&client->again, free_client);
}

uint64_t websocket_client_last_byte_ns(const struct websocket_client *client)
{
    return client->last_byte_ns;
}
