/* Runs the HTTP and WebSocket clients of link/ at the word of a test: reads commands, one JSON
 * object a line, from standard input, and writes what comes of them, one object a line, to standard
 * output. tests/support/link-probe.mjs speaks with it. Ends, and frees everything, when its input
 * ends. */
#include "base/check.h"
#include "base/json.h"
#include "link/websocket_client.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ID_COUNT = 64 };

/* A request or a connection, by the number that the test gave it. */
struct subject {
    int id;
    struct http_transfer *transfer;
    struct websocket_client *websocket;
    int64_t stop_after; /* bytes of a body that is streamed; 0: all */
    int64_t streamed;
    const char *on_text; /* what to do at the first message: "close", "destroy"; or NULL */
    char on_text_room[16];
};

struct probe {
    uv_loop_t loop;
    uv_pipe_t input;
    struct buffer line;
    struct http_client *client;
    struct subject subjects[ID_COUNT];
};

static struct probe probe;

static void print(struct buffer *out)
{
    buffer_append_char(out, '\n');
    fwrite(out->data, 1, out->size, stdout);
    fflush(stdout);
    buffer_deinit(out);
}

static struct json begin_event(struct buffer *out, const struct subject *subject, const char *event)
{
    struct json json = json_start(out);
    json_open_object(&json);
    json_member_integer(&json, "id", subject->id);
    json_member_text(&json, "event", event);
    return json;
}

static const char *outcome_name(enum http_outcome outcome)
{
    static const char *const names[] = {
        [HTTP_ANSWERED] = "answered",
        [HTTP_NAME_UNKNOWN] = "name unknown",
        [HTTP_NOT_CONNECTED] = "not connected",
        [HTTP_NOT_TRUSTED] = "not trusted",
        [HTTP_TLS_FAILED] = "tls failed",
        [HTTP_PROXY_FAILED] = "proxy failed",
        [HTTP_TIMED_OUT] = "timed out",
        [HTTP_CUT_OFF] = "cut off",
        [HTTP_TOO_LARGE] = "too large",
        [HTTP_BROKEN] = "broken",
        [HTTP_REDIRECT_REFUSED] = "redirect refused",
        [HTTP_STOPPED] = "stopped",
        [HTTP_FAILED] = "failed",
    };
    return names[outcome];
}

/* -- HTTP -------------------------------------------------------------------------------------- */

static bool on_bytes(int status, const char *bytes, size_t size, void *context)
{
    struct subject *subject = context;
    struct buffer out = {0};
    subject->streamed += (int64_t)size;
    struct json json = begin_event(&out, subject, "bytes");
    json_member_integer(&json, "status", status);
    json_key(&json, "bytes");
    json_text_of(&json, bytes, size);
    json_close_object(&json);
    print(&out);
    return subject->stop_after == 0 || subject->streamed < subject->stop_after;
}

static void on_done(const struct http_result *result, void *context)
{
    struct subject *subject = context;
    struct buffer out = {0};
    const char *tag = http_result_header(result, "etag");
    struct json json = begin_event(&out, subject, "done");
    subject->transfer = NULL;
    json_member_text(&json, "outcome", outcome_name(result->outcome));
    json_member_integer(&json, "status", result->status);
    json_key(&json, "body");
    json_text_of(&json, result->body, result->body_size);
    json_member_text(&json, "message", result->message);
    json_member_integer(&json, "retryAfter", result->retry_after_ms);
    json_member_bool(&json, "isTransient", http_result_is_transient(result));
    if (tag != NULL)
        json_member_text(&json, "etag", tag);
    json_close_object(&json);
    print(&out);
}

static const char *text_of(const json_t *command, const char *key)
{
    return json_string_value(json_object_get(command, key));
}

static int64_t number_of(const json_t *command, const char *key)
{
    return json_integer_value(json_object_get(command, key));
}

static void start_request(struct subject *subject, const json_t *command)
{
    const char *lines[] = {text_of(command, "header"), NULL};
    const char *method = text_of(command, "method");
    const char *body = text_of(command, "body");
    subject->stop_after = number_of(command, "stopAfter");
    subject->streamed = 0;
    subject->transfer = http_client_start(
        probe.client,
        &(struct http_request){
            .method = method != NULL ? method : "GET",
            .url = text_of(command, "url"),
            .header_lines = lines,
            .body = body,
            .body_size = body != NULL ? strlen(body) : 0,
            .content_type = text_of(command, "contentType"),
            .connect_timeout_ms = (uint64_t)number_of(command, "connectTimeout"),
            .silence_timeout_ms = (uint64_t)number_of(command, "silenceTimeout"),
            .timeout_ms = (uint64_t)number_of(command, "timeout"),
            .answer_bytes_max = (size_t)number_of(command, "max"),
            .wants_gzip = json_is_true(json_object_get(command, "gzip")),
            .on_bytes = json_is_true(json_object_get(command, "stream")) ? on_bytes : NULL,
            .on_done = on_done,
            .context = subject,
        });
}

/* -- WebSocket --------------------------------------------------------------------------------- */

static void on_open(void *context)
{
    struct buffer out = {0};
    struct json json = begin_event(&out, context, "open");
    json_close_object(&json);
    print(&out);
}

static void on_text(char *data, size_t size, void *context)
{
    struct subject *subject = context;
    struct buffer out = {0};
    check(data[size] == '\0' && websocket_client_last_byte_ns(subject->websocket) > 0);
    struct json json = begin_event(&out, subject, "text");
    json_member_integer(&json, "size", (int64_t)size);
    json_key(&json, "text");
    json_text_of(&json, data, size < 1000 ? size : 1000);
    json_close_object(&json);
    print(&out);
    if (strcmp(subject->on_text, "close") == 0)
        websocket_client_close(subject->websocket);
    if (strcmp(subject->on_text, "destroy") == 0) {
        websocket_client_destroy(subject->websocket);
        subject->websocket = NULL;
    }
}

static void on_closed(const struct websocket_end *end, void *context)
{
    struct subject *subject = context;
    struct buffer out = {0};
    struct json json = begin_event(&out, subject, "closed");
    json_member_text(&json, "outcome", outcome_name(end->outcome));
    json_member_integer(&json, "status", end->http_status);
    json_member_integer(&json, "retryAfter", end->retry_after_ms);
    json_member_bool(&json, "wasOpen", end->was_open);
    json_member_integer(&json, "code", end->close_code);
    json_member_text(&json, "message", end->message);
    json_close_object(&json);
    print(&out);
    websocket_client_destroy(subject->websocket);
    subject->websocket = NULL;
}

static void connect_websocket(struct subject *subject, const json_t *command)
{
    const char *on_text_word = text_of(command, "onText");
    snprintf(subject->on_text_room, sizeof subject->on_text_room, "%s",
             on_text_word != NULL ? on_text_word : "");
    subject->on_text = subject->on_text_room;
    subject->websocket = websocket_client_connect(
        probe.client,
        &(struct websocket_client_options){
            .url = text_of(command, "url"),
            .connect_timeout_ms = (uint64_t)number_of(command, "connectTimeout"),
            .handshake_timeout_ms = (uint64_t)number_of(command, "handshakeTimeout"),
            .message_bytes_max = (size_t)number_of(command, "max"),
            .offers_compression = json_is_true(json_object_get(command, "compression")),
            .on_open = on_open,
            .on_text = on_text,
            .on_closed = on_closed,
            .context = subject,
        });
}

static void send_text(struct subject *subject, const json_t *command)
{
    struct buffer text = {0}, out = {0};
    int64_t repeat = number_of(command, "repeat");
    for (int64_t i = 0; i < (repeat > 0 ? repeat : 1); i++)
        buffer_append_text(&text, text_of(command, "text"));
    bool is_sent = subject->websocket != NULL &&
                   websocket_client_send_text(subject->websocket, text.data, text.size);
    struct json json = begin_event(&out, subject, is_sent ? "sent" : "refused");
    json_close_object(&json);
    print(&out);
    buffer_deinit(&text);
}

/* -- commands ---------------------------------------------------------------------------------- */

static void obey(const json_t *command)
{
    const char *verb = text_of(command, "do");
    struct subject *subject = &probe.subjects[number_of(command, "id")];
    subject->id = (int)number_of(command, "id");
    if (strcmp(verb, "request") == 0)
        start_request(subject, command);
    else if (strcmp(verb, "connect") == 0)
        connect_websocket(subject, command);
    else if (strcmp(verb, "send") == 0)
        send_text(subject, command);
    else if (strcmp(verb, "ping") == 0)
        websocket_client_send_ping(subject->websocket);
    else if (strcmp(verb, "close") == 0)
        websocket_client_close(subject->websocket);
    else if (strcmp(verb, "drop") == 0) {
        if (subject->transfer != NULL)
            http_transfer_cancel(subject->transfer);
        websocket_client_destroy(subject->websocket);
        subject->transfer = NULL;
        subject->websocket = NULL;
        struct buffer out = {0};
        struct json json = begin_event(&out, subject, "dropped");
        json_close_object(&json);
        print(&out);
    } else {
        check(false && "a command that nobody knows");
    }
}

static void end_all(void)
{
    uv_close((uv_handle_t *)&probe.input, NULL);
    for (size_t i = 0; i < ID_COUNT; i++)
        websocket_client_destroy(probe.subjects[i].websocket);
    http_client_destroy(probe.client);
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room)
{
    (void)handle;
    room->base = memory_allocate(suggested);
    room->len = suggested;
}

static void on_input(uv_stream_t *stream, ssize_t count, const uv_buf_t *bytes)
{
    (void)stream;
    if (count > 0)
        buffer_append(&probe.line, bytes->base, (size_t)count);
    free(bytes->base);
    if (count < 0) {
        end_all();
        return;
    }
    char *end;
    while (probe.line.size > 0 && (end = memchr(probe.line.data, '\n', probe.line.size)) != NULL) {
        size_t size = (size_t)(end - probe.line.data);
        json_t *command = json_loadb(probe.line.data, size, 0, NULL);
        check(command != NULL);
        obey(command);
        json_decref(command);
        buffer_consume(&probe.line, size + 1);
    }
}

/* Usage: link_probe [CA_FILE] */
int main(int argc, char **argv)
{
    struct error error;
    signal(SIGPIPE, SIG_IGN);
    check(uv_loop_init(&probe.loop) == 0);
    probe.client =
        http_client_create(&probe.loop,
                           &(struct http_client_options){.ca_file = argc > 1 ? argv[1] : NULL,
                                                         .user_agent = "probe/1"},
                           &error);
    check(probe.client != NULL);
    uv_pipe_init(&probe.loop, &probe.input, 0);
    uv_pipe_open(&probe.input, STDIN_FILENO);
    uv_read_start((uv_stream_t *)&probe.input, give_room, on_input);
    uv_run(&probe.loop, UV_RUN_DEFAULT);
    check(uv_loop_close(&probe.loop) == 0);
    buffer_deinit(&probe.line);
    return 0;
}
