/* Every message of the client is answered or silently done, and none disturbs the subscriptions
 * that stand. All texts that clients see are here. */
#include "stream/session.h"

#include "base/clock.h"
#include "base/iso_time.h"

#include <jansson.h>
#include <string.h>

#define MS_NS UINT64_C(1000000)

enum { UPDATE_INTERVAL_MIN_MS = 1000, UPDATE_INTERVAL_MAX_MS = 60000 };

void session_init(struct session *session, struct hub *hub, void *context)
{
    memset(session, 0, sizeof *session);
    session->hub = hub;
    session->context = context;
    list_init(&session->in_ready);
    list_init(&session->in_blocked);
    outbox_init(&session->outbox);
    ws_decoder_init(&session->decoder);
    uint64_t now_ns = clock_monotonic_ns();
    session->rate_tokens = SESSION_MESSAGES_BURST;
    session->rate_updated_ns = now_ns;
    session->received_ns = now_ns;
    session->ping_due_ns = now_ns + SESSION_PING_INTERVAL_MS * MS_NS;
}

static void count_slow_session(struct session *session, bool is_slow)
{
    if (session->is_counted_slow == is_slow)
        return;
    session->is_counted_slow = is_slow;
    atomic_fetch_add_explicit(&session->hub->slow_sessions, is_slow ? 1 : (size_t)-1,
                              memory_order_relaxed);
}

void session_deinit(struct session *session)
{
    count_slow_session(session, false);
    meter_add(&session->hub->ended[session->end_reason], 1);
    hub_unsubscribe_all(session->hub, session);
    list_remove(&session->in_ready);
    list_remove(&session->in_blocked);
    outbox_deinit(&session->outbox);
    buffer_deinit(&session->message);
}

/* -- going out --------------------------------------------------------------------------------- */

static void end(struct session *session, void (*how)(void *context), enum session_end reason)
{
    if (session->state == SESSION_ENDED)
        return;
    if (session->state == SESSION_OPEN)
        session->end_reason = (uint8_t)reason;
    session->state = SESSION_ENDED;
    hub_unsubscribe_all(session->hub, session);
    list_remove(&session->in_blocked);
    count_slow_session(session, false);
    how(session->context);
}

void session_mark_ready(struct session *session)
{
    if (session->state == SESSION_OPEN && list_is_empty(&session->in_ready))
        list_push_back(&session->hub->ready, &session->in_ready);
}

void session_flush(struct session *session)
{
    if (session->state == SESSION_ENDED)
        return;
    const struct session_transport *transport = session->hub->transport;
    bool was_blocked = !list_is_empty(&session->in_blocked);
    enum outbox_result result =
        outbox_flush(&session->outbox, clock_monotonic_ns(), transport->write, session->context,
                     &session->hub->meter);
    switch (result) {
    case OUTBOX_EMPTY:
        if (was_blocked) {
            list_remove(&session->in_blocked);
            transport->want_writable(session->context, false);
            count_slow_session(session, false);
        }
        if (session->state == SESSION_CLOSING)
            end(session, transport->finish, SESSION_END_CLIENT);
        break;
    case OUTBOX_BLOCKED:
        if (!was_blocked) {
            list_push_back(&session->hub->blocked, &session->in_blocked);
            transport->want_writable(session->context, true);
        }
        break;
    case OUTBOX_BROKEN:
        end(session, transport->abort, SESSION_END_CLIENT);
        break;
    }
}

void session_check_deadlines(struct session *session, uint64_t now_ns)
{
    struct hub *hub = session->hub;
    if (now_ns > session->outbox.blocked_since_ns + hub->slow_disconnect_ns) {
        end(session, hub->transport->abort, SESSION_END_SLOW);
        return;
    }
    if (session->state != SESSION_OPEN)
        return; /* a warning would come behind the close frame, RFC 6455 §5.5.1 */
    outbox_check_deadlines(&session->outbox, now_ns, hub->slow_timeout_ns, &hub->meter);
    if (session->outbox.is_slow)
        count_slow_session(session, true);
}

/* One message can provoke more replies than may wait, so they are written before there is no room.
 * A client that provokes them faster than it reads them gives up its place. */
static void reply(struct session *session, enum ws_opcode opcode, const char *payload, size_t size)
{
    if (session->state != SESSION_OPEN)
        return;
    bool is_taken = outbox_push_reply(&session->outbox, opcode, payload, size);
    if (!is_taken) {
        session_flush(session);
        is_taken = session->state == SESSION_OPEN &&
                   outbox_push_reply(&session->outbox, opcode, payload, size);
    }
    if (is_taken)
        session_mark_ready(session);
    else
        end(session, session->hub->transport->abort, SESSION_END_SLOW);
}

void session_close(struct session *session, uint16_t code, const char *text,
                   enum session_end reason)
{
    if (session->state != SESSION_OPEN)
        return;
    char payload[WS_CONTROL_PAYLOAD_MAX];
    size_t size = code == WS_CLOSE_NO_STATUS ? 0 : ws_encode_close(payload, code, text);
    hub_unsubscribe_all(session->hub, session);
    list_remove(&session->in_ready);
    session->outbox.owes_warning = false;
    bool has_room = outbox_push_reply(&session->outbox, WS_CLOSE, payload, size);
    session->state = SESSION_CLOSING;
    session->end_reason = (uint8_t)reason;
    if (has_room)
        session_flush(session);
    else
        end(session, session->hub->transport->abort, reason);
}

static void append_id(struct buffer *out, const json_t *id)
{
    if (id == NULL)
        return;
    buffer_append_text(out, ",\"id\":");
    if (json_is_integer(id))
        buffer_append_int(out, json_integer_value(id));
    else
        buffer_append_json_string(out, json_string_value(id), json_string_length(id));
}

static void reply_error(struct session *session, const json_t *id, const char *code,
                        const char *message)
{
    struct buffer out = {0};
    buffer_append_format(&out, "{\"type\":\"error\",\"code\":\"%s\",\"message\":", code);
    buffer_append_json_string(&out, message, strlen(message));
    append_id(&out, id);
    buffer_append_char(&out, '}');
    reply(session, WS_TEXT, out.data, out.size);
    buffer_deinit(&out);
}

static void reply_invalid_symbol(struct session *session, const json_t *id, const char *name,
                                 size_t name_size)
{
    enum { SHOWN_MAX = 40 };
    const struct symbol_list *symbols = session->hub->symbols;
    struct buffer text = {0};
    buffer_append_text(&text, "Symbol '");
    buffer_append(&text, name, name_size < SHOWN_MAX ? name_size : SHOWN_MAX);
    buffer_append_text(&text, "' not supported. Valid: ");
    for (size_t i = 0; i < symbols->count; i++)
        buffer_append_format(&text, "%s%s", i > 0 ? ", " : "", symbols->names[i]);
    reply_error(session, id, "INVALID_SYMBOL", buffer_text(&text));
    buffer_deinit(&text);
}

void session_report_unavailable(struct session *session, const char *symbol, enum status status)
{
    char message[128];
    const char *why = status == STATUS_BUSY        ? "the database is locked by a writer"
                      : status == STATUS_NOT_FOUND ? "the database, or a part of it, is missing"
                                                   : "the database cannot be read";
    snprintf(message, sizeof message, "No snapshot of %s yet: %s. It follows when there is one",
             symbol, why);
    reply_error(session, NULL, "SERVER_ERROR", message);
}

/* -- coming in --------------------------------------------------------------------------------- */

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

static void reply_ack(struct session *session, const struct request *request)
{
    if (request->id == NULL)
        return;
    struct buffer out = {0};
    buffer_append_text(&out, "{\"type\":\"ack\"");
    append_id(&out, request->id);
    buffer_append_format(&out, ",\"action\":\"%s\"", request->action);
    if (request->symbols != NULL) {
        bool is_first = true;
        buffer_append_text(&out, ",\"symbols\":[");
        for (size_t i = 0; i < json_array_size(request->symbols); i++) {
            const json_t *name = json_array_get(request->symbols, i);
            if (symbol_list_find(session->hub->symbols, json_string_value(name),
                                 json_string_length(name)) < 0)
                continue;
            buffer_append_format(&out, "%s\"%s\"", is_first ? "" : ",", json_string_value(name));
            is_first = false;
        }
        buffer_append_char(&out, ']');
    }
    buffer_append_char(&out, '}');
    reply(session, WS_TEXT, out.data, out.size);
    buffer_deinit(&out);
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
        int index = symbol_list_find(session->hub->symbols, text, size);
        if (index < 0) {
            reply_invalid_symbol(session, request->id, text, size);
            continue;
        }
        known++;
        if (session->state != SESSION_OPEN)
            return;
        if (subscribes)
            hub_subscribe(session->hub, session, (size_t)index, request->update_interval_ms);
        else
            hub_unsubscribe(session->hub, session, (size_t)index);
    }
    if (known > 0)
        reply_ack(session, request);
}

static void answer_ping(struct session *session, const struct request *request)
{
    struct buffer out = {0};
    char time[ISO_TIME_SIZE];
    iso_time_format(clock_wall_ms() / 1000 * 1000, time);
    buffer_append_format(&out, "{\"type\":\"pong\",\"timestamp\":\"%s\"", time);
    append_id(&out, request->id);
    buffer_append_char(&out, '}');
    reply(session, WS_TEXT, out.data, out.size);
    buffer_deinit(&out);
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

/* A token bucket: SESSION_MESSAGES_PER_SECOND on average, SESSION_MESSAGES_BURST at once. */
static bool takes_token(struct session *session)
{
    uint64_t now_ns = clock_monotonic_ns();
    double gained = (double)(now_ns - session->rate_updated_ns) / 1e9 * SESSION_MESSAGES_PER_SECOND;
    double tokens = (double)session->rate_tokens + gained;
    session->rate_tokens =
        (float)(tokens < SESSION_MESSAGES_BURST ? tokens : SESSION_MESSAGES_BURST);
    session->rate_updated_ns = now_ns;
    if (session->rate_tokens < 1)
        return false;
    session->rate_tokens -= 1;
    return true;
}

static void handle_message(struct session *session, enum ws_opcode opcode, const char *text,
                           size_t size)
{
    if (!takes_token(session)) {
        if (++session->rate_violations > SESSION_RATE_VIOLATIONS_MAX)
            session_close(session, WS_CLOSE_POLICY, "too many messages", SESSION_END_RATE);
        else
            reply_error(session, NULL, "RATE_LIMITED",
                        "More than 10 messages a second; this one was ignored");
        return;
    }
    if (session->rate_tokens * 2 > SESSION_MESSAGES_BURST)
        session->rate_violations = 0;
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

/* A message that came in one piece is parsed where it lies; pieces are joined first. */
static void handle_data(struct session *session, const struct ws_event *event)
{
    if (session->message.size + event->payload_size > SESSION_MESSAGE_SIZE_MAX) {
        session_close(session, WS_CLOSE_TOO_BIG, "a message may have at most 4096 bytes",
                      SESSION_END_PROTOCOL_ERROR);
        return;
    }
    if (event->is_message_start && event->is_message_end) {
        handle_message(session, event->opcode, event->payload, event->payload_size);
        return;
    }
    buffer_append(&session->message, event->payload, event->payload_size);
    if (!event->is_message_end)
        return;
    struct buffer message = session->message;
    session->message = (struct buffer){0};
    handle_message(session, event->opcode, message.data, message.size);
    buffer_deinit(&message);
}

static void handle_control(struct session *session, const struct ws_event *event)
{
    if (event->opcode == WS_PING)
        reply(session, WS_PONG, event->payload, event->payload_size);
    else if (event->opcode == WS_CLOSE)
        session_close(session, event->close_code, "",
                      SESSION_END_CLIENT); /* the echo of RFC 6455 §5.5.1 */
}

void session_receive(struct session *session, char *bytes, size_t size)
{
    session->received_ns = clock_monotonic_ns();
    while (session->state == SESSION_OPEN && size > 0) {
        size_t consumed;
        struct ws_event event = ws_decoder_feed(&session->decoder, bytes, size, &consumed);
        bytes += consumed;
        size -= consumed;
        if (event.type == WS_EVENT_NEEDS_MORE)
            break;
        if (event.type == WS_EVENT_DATA)
            handle_data(session, &event);
        else if (event.type == WS_EVENT_CONTROL)
            handle_control(session, &event);
        else
            session_close(session, event.close_code, event.reason, SESSION_END_PROTOCOL_ERROR);
    }
    if (!list_is_empty(&session->in_ready)) {
        list_remove(&session->in_ready);
        session_flush(session);
    }
}

void session_subscribe_list(struct session *session, const char *symbols)
{
    const char *start = symbols;
    while (*start != '\0' && session->state == SESSION_OPEN) {
        size_t size = strcspn(start, ",");
        int index = symbol_list_find(session->hub->symbols, start, size);
        if (index >= 0)
            hub_subscribe(session->hub, session, (size_t)index, 0);
        else if (size > 0)
            reply_invalid_symbol(session, NULL, start, size);
        start += size;
        start += *start == ',';
    }
}

void session_check_liveness(struct session *session, uint64_t now_ns)
{
    if (now_ns > session->received_ns + SESSION_IDLE_TIMEOUT_MS * MS_NS) {
        end(session, session->hub->transport->abort, SESSION_END_IDLE);
        return;
    }
    if (session->state != SESSION_OPEN || now_ns < session->ping_due_ns)
        return;
    session->ping_due_ns = now_ns + SESSION_PING_INTERVAL_MS * MS_NS;
    reply(session, WS_PING, "", 0);
    list_remove(&session->in_ready);
    session_flush(session);
}
