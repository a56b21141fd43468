/* What clients may ask, and what they are answered. A wrong message gets an error and changes
 * nothing: a program with a mistake in one message keeps its subscriptions and its connection.
 * Only a client that stays over its rate of messages is closed, after so many refusals that it
 * cannot be a burst.
 *
 * jansson reads the messages, which are small and foreign; the answers are written by
 * base/json. */
#include "stream/request.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/slice.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { UPDATE_INTERVAL_MIN_MS = 1000, UPDATE_INTERVAL_MAX_MS = 60000 };

/* -- answers ----------------------------------------------------------------------------------- */

static struct json begin_reply(struct buffer *out, const char *type)
{
    struct json json = json_start(out);
    json_open_object(&json);
    json_member_text(&json, "type", type);
    return json;
}

static void send_reply(struct session *session, struct json *json)
{
    json_close_object(json);
    session_reply(session, WS_TEXT, json->out->data, json->out->size);
    buffer_deinit(json->out);
}

static void append_id(struct json *json, const json_t *id)
{
    if (id == NULL)
        return;
    json_key(json, "id");
    if (json_is_integer(id))
        json_int(json, json_integer_value(id));
    else
        json_text_of(json, json_string_value(id), json_string_length(id));
}

static void reply_error(struct session *session, const json_t *id, const char *code,
                        const char *message)
{
    struct buffer out = {0};
    struct json json = begin_reply(&out, "error");
    json_member_text(&json, "code", code);
    json_member_text(&json, "message", message);
    append_id(&json, id);
    send_reply(session, &json);
}

static void reply_invalid_symbol(struct session *session, const json_t *id, const char *name,
                                 size_t name_size)
{
    enum { SHOWN_MAX = 40 };
    const struct symbol_list *symbols = session_hub(session)->symbols;
    struct buffer text = {0};
    buffer_append_text(&text, "Symbol '");
    buffer_append(&text, name, name_size < SHOWN_MAX ? name_size : SHOWN_MAX);
    buffer_append_text(&text, "' not supported. Valid: ");
    for (size_t i = 0; i < symbols->count; i++)
        buffer_append_format(&text, "%s%s", i > 0 ? ", " : "", symbols->names[i]);
    reply_error(session, id, "INVALID_SYMBOL", buffer_text(&text));
    buffer_deinit(&text);
}

static void on_unavailable(struct session *session, const char *symbol, enum status status)
{
    char message[128];
    const char *why = status == STATUS_BUSY          ? "the database is locked by a writer"
                      : status == STATUS_NOT_FOUND   ? "the database, or a part of it, is missing"
                      : status == STATUS_UNREACHABLE ? "the server that makes it cannot be reached"
                                                     : "the database cannot be read";
    snprintf(message, sizeof message, "No snapshot of %s yet: %s. It follows when there is one",
             symbol, why);
    reply_error(session, NULL, "SERVER_ERROR", message);
}

/* -- requests ---------------------------------------------------------------------------------- */

struct request {
    const char *action;
    const json_t *id;      /* NULL: no acknowledgement is wanted */
    const json_t *symbols; /* a non-empty array of strings */
    uint32_t update_interval_ms;
};

/* What is wrong with the symbols, or NULL. */
static const char *fault_in_symbols(const json_t *symbols)
{
    if (!json_is_array(symbols) || json_array_size(symbols) == 0)
        return "'symbols' must be a list of at least one string, as in [\"BTCUSDT\"]";
    for (size_t i = 0; i < json_array_size(symbols); i++)
        if (!json_is_string(json_array_get(symbols, i)))
            return "'symbols' must hold strings only, as in [\"BTCUSDT\"]";
    return NULL;
}

static const char *read_update_interval(const json_t *value, uint32_t *interval_ms)
{
    *interval_ms = 0;
    if (value == NULL || json_is_null(value))
        return NULL;
    if (!json_is_number(value))
        return "'update_interval' must be a number of seconds from 1 to 60";
    double ms = json_number_value(value) * 1000;
    *interval_ms = ms < UPDATE_INTERVAL_MIN_MS   ? UPDATE_INTERVAL_MIN_MS
                   : ms > UPDATE_INTERVAL_MAX_MS ? UPDATE_INTERVAL_MAX_MS
                                                 : (uint32_t)ms;
    return NULL;
}

/* The list of those names that are symbols. */
static void append_known(struct json *json, const struct symbol_list *symbols, const json_t *names)
{
    json_open_array(json);
    for (size_t i = 0; i < json_array_size(names); i++) {
        const json_t *name = json_array_get(names, i);
        if (symbol_list_find(symbols, json_string_value(name), json_string_length(name)) >= 0)
            json_text(json, json_string_value(name));
    }
    json_close_array(json);
}

static void reply_ack(struct session *session, const struct request *request)
{
    if (request->id == NULL)
        return;
    struct buffer out = {0};
    struct json json = begin_reply(&out, "ack");
    append_id(&json, request->id);
    json_member_text(&json, "action", request->action);
    if (request->symbols != NULL) {
        json_key(&json, "symbols");
        append_known(&json, session_hub(session)->symbols, request->symbols);
    }
    send_reply(session, &json);
}

/* Subscribes or unsubscribes the known symbols; each unknown one gets its error. */
static void change_subscriptions(struct session *session, const struct request *request,
                                 bool subscribes)
{
    size_t known = 0;
    for (size_t i = 0; i < json_array_size(request->symbols); i++) {
        const json_t *name = json_array_get(request->symbols, i);
        const char *text = json_string_value(name);
        size_t size = json_string_length(name);
        int index = symbol_list_find(session_hub(session)->symbols, text, size);
        if (index < 0) {
            reply_invalid_symbol(session, request->id, text, size);
            continue;
        }
        known++;
        if (!session_is_open(session))
            return;
        if (subscribes)
            hub_subscribe(session_hub(session), &session->subscriber, (size_t)index,
                          request->update_interval_ms);
        else
            hub_unsubscribe(session_hub(session), &session->subscriber, (size_t)index);
    }
    if (known > 0)
        reply_ack(session, request);
}

static void answer_ping(struct session *session, const struct request *request)
{
    struct buffer out = {0};
    struct json json = begin_reply(&out, "pong");
    json_member_time(&json, "timestamp", clock_wall_ms() / 1000 * 1000);
    append_id(&json, request->id);
    send_reply(session, &json);
    reply_ack(session, request);
}

static void perform(struct session *session, const json_t *root, struct request *request)
{
    bool subscribes = strcmp(request->action, "subscribe") == 0;
    if (strcmp(request->action, "ping") == 0) {
        answer_ping(session, request);
        return;
    }
    if (!subscribes && strcmp(request->action, "unsubscribe") != 0) {
        char message[160];
        snprintf(message, sizeof message,
                 "Action '%.40s' is not known. Valid: subscribe, unsubscribe, ping",
                 request->action);
        reply_error(session, request->id, "INVALID_ACTION", message);
        return;
    }
    request->symbols = json_object_get(root, "symbols");
    const char *fault = fault_in_symbols(request->symbols);
    if (fault == NULL && subscribes)
        fault = read_update_interval(json_object_get(root, "update_interval"),
                                     &request->update_interval_ms);
    if (fault != NULL)
        reply_error(session, request->id, "INVALID_MESSAGE", fault);
    else
        change_subscriptions(session, request, subscribes);
}

static void handle_object(struct session *session, const json_t *root)
{
    if (!json_is_object(root)) {
        reply_error(session, NULL, "INVALID_MESSAGE",
                    "A message must be a JSON object, as in {\"action\":\"ping\"}");
        return;
    }
    struct request request = {.id = json_object_get(root, "id")};
    if (request.id != NULL && !json_is_integer(request.id) && !json_is_string(request.id)) {
        reply_error(session, NULL, "INVALID_MESSAGE", "'id' must be a string or an integer");
        return;
    }
    request.action = json_string_value(json_object_get(root, "action"));
    if (request.action == NULL)
        reply_error(session, request.id, "INVALID_MESSAGE",
                    "'action' must be a string: subscribe, unsubscribe or ping");
    else
        perform(session, root, &request);
}

/* A token bucket: REQUESTS_PER_SECOND on average, REQUESTS_BURST at once. */
static bool takes_token(struct session_rate *rate)
{
    uint64_t now_ns = clock_monotonic_ns();
    double gained = (double)(now_ns - rate->updated_ns) / 1e9 * REQUESTS_PER_SECOND;
    double tokens = rate->updated_ns == 0 ? REQUESTS_BURST : (double)rate->tokens + gained;
    rate->tokens = (float)(tokens < REQUESTS_BURST ? tokens : REQUESTS_BURST);
    rate->updated_ns = now_ns;
    if (rate->tokens < 1)
        return false;
    rate->tokens -= 1;
    return true;
}

static void on_message(struct session *session, enum ws_opcode opcode, const char *text,
                       size_t size)
{
    struct session_rate *rate = &session->rate;
    if (!takes_token(rate)) {
        if (++rate->violations > REQUEST_RATE_VIOLATIONS_MAX)
            session_close(session, WS_CLOSE_POLICY, "too many messages", SUBSCRIBER_END_RATE);
        else
            reply_error(session, NULL, "RATE_LIMITED",
                        "More than 10 messages a second; this one was ignored");
        return;
    }
    if (rate->tokens * 2 > REQUESTS_BURST)
        rate->violations = 0;
    if (opcode == WS_BINARY) {
        reply_error(session, NULL, "INVALID_MESSAGE",
                    "Binary messages are not understood; send JSON text");
        return;
    }
    json_error_t fault;
    json_t *root = json_loadb(text, size, JSON_DECODE_ANY, &fault);
    if (root == NULL) {
        char message[256];
        snprintf(message, sizeof message, "Not JSON: %s at byte %d", fault.text, fault.position);
        reply_error(session, NULL, "INVALID_MESSAGE", message);
        return;
    }
    handle_object(session, root);
    json_decref(root);
}

void request_subscribe_list(struct session *session, const char *symbols)
{
    struct hub *hub = session_hub(session);
    struct slice rest = slice_of(symbols), name;
    while (rest.size > 0 && session_is_open(session)) {
        slice_split(&rest, ',', &name);
        int index = symbol_list_find(hub->symbols, name.data, name.size);
        if (index >= 0)
            hub_subscribe(hub, &session->subscriber, (size_t)index, 0);
        else if (name.size > 0)
            reply_invalid_symbol(session, NULL, name.data, name.size);
    }
}

const struct session_protocol request_protocol = {
    .message_size_max = REQUEST_SIZE_MAX,
    .reply_bytes_max = OUTBOX_REPLY_BYTES_MAX,
    .frames_max = REQUEST_FRAMES_MAX,
    .on_message = on_message,
    .on_unavailable = on_unavailable,
};
