/* What is common to all that a WebSocket may carry: frames become messages, and replies and
 * snapshots become writes; pings, deadlines, one way to end. What the messages say is the
 * protocol's (request.c, echo.c). */
#include "stream/session.h"

#include "base/clock.h"
#include "wire/deflate.h"

#include <stdio.h>
#include <string.h>

#define MS_NS UINT64_C(1000000)

void session_init(struct session *session, struct hub *hub, const struct session_protocol *protocol,
                  bool deflates, void *context)
{
    memset(session, 0, sizeof *session);
    session->hub = hub;
    session->protocol = protocol;
    session->context = context;
    list_init(&session->in_ready);
    list_init(&session->in_blocked);
    outbox_init(&session->outbox);
    session->outbox.reply_bytes_max = protocol->reply_bytes_max;
    session->outbox.deflates = deflates;
    ws_decoder_init(&session->decoder);
    session->decoder.allows_compression = deflates;
    if (deflates)
        publisher_add_deflater(hub->publisher);
    uint64_t now_ns = clock_monotonic_ns();
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
    if (session->outbox.deflates)
        publisher_remove_deflater(session->hub->publisher);
    outbox_deinit(&session->outbox);
    buffer_deinit(&session->message);
    ws_decoder_deinit(&session->decoder);
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
    /* A full socket is written when it says that it is writable: trying before costs all others. */
    bool is_blocked = !list_is_empty(&session->in_blocked);
    if (session->state == SESSION_OPEN && !is_blocked && list_is_empty(&session->in_ready))
        list_push_back(&session->hub->ready, &session->in_ready);
}

/* What comes of a write. */
static void settle(struct session *session, enum outbox_result result)
{
    const struct session_transport *transport = session->hub->transport;
    bool was_blocked = !list_is_empty(&session->in_blocked);
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

void session_flush(struct session *session)
{
    if (session->state == SESSION_ENDED)
        return;
    struct hub *hub = session->hub;
    settle(session, outbox_flush(&session->outbox, clock_monotonic_ns(), hub->transport->write,
                                 session->context, &hub->meter));
}

void session_send(struct session *session, struct outbox_slot *slot,
                  struct outbox_broadcast *broadcast)
{
    struct hub *hub = session->hub;
    enum outbox_result result = outbox_send(&session->outbox, slot, broadcast,
                                            hub->transport->write, session->context, &hub->meter);
    if (result != OUTBOX_EMPTY) /* it was so before */
        settle(session, result);
}

void session_check_deadlines(struct session *session, uint64_t now_ns)
{
    struct hub *hub = session->hub;
    if (now_ns > session->outbox.blocked_since_ns + hub->slow_disconnect_ns) {
        /* It may take a little, and yet not enough for the system to call it writable. */
        uint64_t blocked_since_ns = session->outbox.blocked_since_ns;
        session_flush(session);
        if (session->outbox.blocked_since_ns == blocked_since_ns)
            end(session, hub->transport->abort, SESSION_END_SLOW);
        return;
    }
    if (session->state != SESSION_OPEN)
        return; /* a warning would come behind the close frame, RFC 6455 §5.5.1 */
    outbox_check_deadlines(&session->outbox, now_ns, hub->slow_timeout_ns, &hub->meter);
    if (session->outbox.is_slow)
        count_slow_session(session, true);
}

typedef bool reply_pusher(struct outbox *outbox, enum ws_opcode opcode, const char *payload,
                          size_t payload_size);

/* One message can provoke more replies than may wait, so they are written before there is no room.
 * A client that provokes them faster than it reads them gives up its place. */
static void push_reply(struct session *session, reply_pusher *push, enum ws_opcode opcode,
                       const char *payload, size_t size)
{
    if (session->state != SESSION_OPEN)
        return;
    bool is_taken = push(&session->outbox, opcode, payload, size);
    if (!is_taken) {
        session_flush(session);
        is_taken = session->state == SESSION_OPEN && push(&session->outbox, opcode, payload, size);
    }
    if (is_taken)
        session_mark_ready(session);
    else
        end(session, session->hub->transport->abort, SESSION_END_SLOW);
}

void session_reply(struct session *session, enum ws_opcode opcode, const char *payload, size_t size)
{
    push_reply(session, outbox_push_reply, opcode, payload, size);
}

void session_reply_deflated(struct session *session, enum ws_opcode opcode, const char *payload,
                            size_t size)
{
    struct buffer deflated = {0};
    ws_deflate(hub_deflater(session->hub), payload, size, &deflated);
    push_reply(session, outbox_push_deflated_reply, opcode, deflated.data, deflated.size);
    buffer_deinit(&deflated);
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

/* -- coming in --------------------------------------------------------------------------------- */

static void close_too_big(struct session *session)
{
    char text[64];
    snprintf(text, sizeof text, "a message may have at most %zu bytes",
             session->protocol->message_size_max);
    session_close(session, WS_CLOSE_TOO_BIG, text, SESSION_END_PROTOCOL_ERROR);
}

/* Text can be checked to be UTF-8 only here, where it is text again. */
static void take_compressed(struct session *session, enum ws_opcode opcode, const char *payload,
                            size_t size)
{
    struct buffer message = {0};
    struct utf8 utf8 = {0};
    enum ws_inflate_result result = ws_inflate(hub_inflater(session->hub), payload, size,
                                               session->protocol->message_size_max, &message);
    if (result == WS_INFLATE_TOO_BIG)
        close_too_big(session);
    else if (result == WS_INFLATE_INVALID)
        session_close(session, WS_CLOSE_INVALID_PAYLOAD, "a compressed message that is broken",
                      SESSION_END_PROTOCOL_ERROR);
    else if (opcode == WS_TEXT &&
             (!utf8_feed(&utf8, message.data, message.size) || !utf8_is_complete(&utf8)))
        session_close(session, WS_CLOSE_INVALID_PAYLOAD, "text that is not UTF-8",
                      SESSION_END_PROTOCOL_ERROR);
    else
        session->protocol->on_message(session, opcode, message.data, message.size);
    buffer_deinit(&message);
}

static void take_message(struct session *session, const struct ws_event *last, const char *payload,
                         size_t size)
{
    if (last->is_compressed)
        take_compressed(session, last->opcode, payload, size);
    else
        session->protocol->on_message(session, last->opcode, payload, size);
}

/* Whether the message at hand would be too long with `more` bytes. What cannot be compressed grows
 * by the heads of its blocks; what comes of it is bounded when it is inflated. */
static bool is_too_big(const struct session *session, bool is_compressed, uint64_t more)
{
    size_t size_max = session->protocol->message_size_max;
    if (is_compressed)
        size_max += size_max / 8 + SESSION_DEFLATE_OVERHEAD_MAX;
    return more > size_max - session->message.size;
}

/* A message that came in one piece is taken where it lies; pieces are joined first. */
static void handle_data(struct session *session, const struct ws_event *event)
{
    if (is_too_big(session, event->is_compressed, event->payload_size)) {
        close_too_big(session);
        return;
    }
    if (event->is_message_start && event->is_message_end) {
        take_message(session, event, event->payload, event->payload_size);
        return;
    }
    buffer_append(&session->message, event->payload, event->payload_size);
    if (!event->is_message_end)
        return;
    struct buffer message = session->message;
    session->message = (struct buffer){0};
    take_message(session, event, message.data, message.size);
    buffer_deinit(&message);
}

static void handle_control(struct session *session, const struct ws_event *event)
{
    if (event->opcode == WS_PING)
        session_reply(session, WS_PONG, event->payload, event->payload_size);
    else if (event->opcode == WS_CLOSE)
        session_close(session, event->close_code, "",
                      SESSION_END_CLIENT); /* the echo of RFC 6455 §5.5.1 */
}

void session_receive(struct session *session, char *bytes, size_t size)
{
    if (session->state == SESSION_OPEN) /* who is being closed cannot put that off */
        session->received_ns = clock_monotonic_ns();
    while (session->state == SESSION_OPEN && size > 0) {
        size_t consumed;
        struct ws_event event = ws_decoder_feed(&session->decoder, bytes, size, &consumed);
        bytes += consumed;
        size -= consumed;
        if (event.type == WS_EVENT_NEEDS_MORE) {
            /* A header that promises too much is not waited out. */
            if (is_too_big(session, session->decoder.is_compressed,
                           ws_decoder_data_left(&session->decoder)))
                close_too_big(session);
            break;
        }
        if (++session->frames > session->protocol->frames_max)
            session_close(session, WS_CLOSE_POLICY, "too many frames", SESSION_END_RATE);
        else if (event.type == WS_EVENT_DATA)
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

void session_check_liveness(struct session *session, uint64_t now_ns)
{
    session->frames = 0;
    if (now_ns > session->received_ns + SESSION_IDLE_TIMEOUT_MS * MS_NS) {
        end(session, session->hub->transport->abort, SESSION_END_IDLE);
        return;
    }
    if (session->state != SESSION_OPEN || now_ns < session->ping_due_ns)
        return;
    session->ping_due_ns = now_ns + SESSION_PING_INTERVAL_MS * MS_NS;
    session_reply(session, WS_PING, "", 0);
    list_remove(&session->in_ready);
    session_flush(session);
}
