/* What is common to all WebSockets here: frames become messages, messages are bounded and checked,
 * pings keep the connection alive. What the messages mean is the protocol's (request.c, echo.c),
 * and what goes out, and when, is the subscriber's that every session embeds.
 *
 * A message is taken where it lies in the read buffer, unless it came in pieces: a client that
 * only listens needs no memory for messages. Each limit is checked before memory is used for what
 * would pass it: a frame header that announces too much is answered at once, and a compressed
 * message is inflated no further than its limit. */
#include "stream/session.h"

#include "base/clock.h"
#include "wire/deflate.h"

#include <stdio.h>
#include <string.h>

#define MS_NS UINT64_C(1000000)

static void on_unavailable(struct subscriber *subscriber, const char *symbol, enum status status)
{
    struct session *session = list_entry(subscriber, struct session, subscriber);
    if (session->protocol->on_unavailable != NULL)
        session->protocol->on_unavailable(session, symbol, status);
}

static const struct subscriber_kind session_kind = {.on_unavailable = on_unavailable};

void session_init(struct session *session, struct hub *hub, const struct session_protocol *protocol,
                  bool deflates, void *context)
{
    memset(session, 0, sizeof *session);
    subscriber_init(&session->subscriber, &hub->group, &session_kind, deflates, context);
    session->subscriber.outbox.reply_bytes_max = protocol->reply_bytes_max;
    session->protocol = protocol;
    ws_decoder_init(&session->decoder);
    session->decoder.allows_compression = deflates;
    uint64_t now_ns = clock_monotonic_ns();
    session->alive_ns = now_ns;
    session->ping_due_ns = now_ns + SESSION_PING_INTERVAL_MS * MS_NS;
}

void session_deinit(struct session *session)
{
    subscriber_deinit(&session->subscriber);
    buffer_deinit(&session->message);
    ws_decoder_deinit(&session->decoder);
}

/* -- going out --------------------------------------------------------------------------------- */

void session_reply(struct session *session, enum ws_opcode opcode, const char *payload, size_t size)
{
    subscriber_reply(&session->subscriber, opcode, false, payload, size);
}

void session_reply_deflated(struct session *session, enum ws_opcode opcode, const char *payload,
                            size_t size)
{
    struct buffer deflated = {0};
    ws_deflate(hub_deflater(session_hub(session)), payload, size, &deflated);
    subscriber_reply(&session->subscriber, opcode, true, deflated.data, deflated.size);
    buffer_deinit(&deflated);
}

void session_close(struct session *session, uint16_t code, const char *text,
                   enum subscriber_end reason)
{
    char payload[WS_CONTROL_PAYLOAD_MAX];
    size_t size = code == WS_CLOSE_NO_STATUS ? 0 : ws_encode_close(payload, code, text);
    subscriber_close(&session->subscriber, payload, size, reason);
}

/* -- coming in --------------------------------------------------------------------------------- */

static void close_too_big(struct session *session)
{
    char text[64];
    snprintf(text, sizeof text, "a message may have at most %zu bytes",
             session->protocol->message_size_max);
    session_close(session, WS_CLOSE_TOO_BIG, text, SUBSCRIBER_END_PROTOCOL_ERROR);
}

/* Text can be checked to be UTF-8 only here, where it is text again. */
static void take_compressed(struct session *session, enum ws_opcode opcode, const char *payload,
                            size_t size)
{
    struct buffer message = {0};
    struct utf8 utf8 = {0};
    enum ws_inflate_result result = ws_inflate(hub_inflater(session_hub(session)), payload, size,
                                               session->protocol->message_size_max, &message);
    if (result == WS_INFLATE_TOO_BIG)
        close_too_big(session);
    else if (result == WS_INFLATE_INVALID)
        session_close(session, WS_CLOSE_INVALID_PAYLOAD, "a compressed message that is broken",
                      SUBSCRIBER_END_PROTOCOL_ERROR);
    else if (opcode == WS_TEXT &&
             (!utf8_feed(&utf8, message.data, message.size) || !utf8_is_complete(&utf8)))
        session_close(session, WS_CLOSE_INVALID_PAYLOAD, "text that is not UTF-8",
                      SUBSCRIBER_END_PROTOCOL_ERROR);
    else
        session->protocol->on_message(session, opcode, message.data, message.size);
    buffer_deinit(&message);
}

/* It costs little, however much it would be: a flood consists of such messages. */
static void refuse_message(struct session *session, const struct ws_event *last,
                           const char *payload, size_t size)
{
    const struct session_protocol *protocol = session->protocol;
    struct buffer inflated = {0};
    if (size > protocol->refused_size_max ||
        (last->is_compressed &&
         ws_inflate(hub_inflater(session_hub(session)), payload, size, protocol->refused_size_max,
                    &inflated) != WS_INFLATE_DONE))
        protocol->on_refused(session, NULL, size);
    else if (last->is_compressed)
        protocol->on_refused(session, inflated.data, inflated.size);
    else
        protocol->on_refused(session, payload, size);
    buffer_deinit(&inflated);
}

static void take_message(struct session *session, const struct ws_event *last, const char *payload,
                         size_t size)
{
    const struct session_protocol *protocol = session->protocol;
    bool is_accepted = protocol->try_accept == NULL || protocol->try_accept(session);
    if (!session_is_open(session))
        return;
    if (!is_accepted)
        refuse_message(session, last, payload, size);
    else if (last->is_compressed)
        take_compressed(session, last->opcode, payload, size);
    else
        protocol->on_message(session, last->opcode, payload, size);
}

/* Whether the current message would be too long with `more` bytes. Data that does not compress
 * grows by the headers of its blocks; the inflated size is bounded when it is inflated. */
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
                      SUBSCRIBER_END_CLIENT); /* the echo of RFC 6455 §5.5.1 */
}

void session_receive(struct session *session, char *bytes, size_t size)
{
    if (session_is_open(session)) { /* a close is not put off by what the client still sends */
        session->alive_ns = clock_monotonic_ns();
        subscriber_stop_watching(&session->subscriber);
    }
    while (session_is_open(session) && size > 0) {
        size_t consumed;
        struct ws_event event = ws_decoder_feed(&session->decoder, bytes, size, &consumed);
        bytes += consumed;
        size -= consumed;
        if (event.type == WS_EVENT_NEEDS_MORE) {
            /* A header that announces too much is refused before its payload has come. */
            if (is_too_big(session, session->decoder.is_compressed,
                           ws_decoder_data_left(&session->decoder)))
                close_too_big(session);
            break;
        }
        if (++session->frames > session->protocol->frames_max)
            session_close(session, WS_CLOSE_POLICY, "too many frames", SUBSCRIBER_END_RATE);
        else if (event.type == WS_EVENT_DATA)
            handle_data(session, &event);
        else if (event.type == WS_EVENT_CONTROL)
            handle_control(session, &event);
        else
            session_close(session, event.close_code, event.reason, SUBSCRIBER_END_PROTOCOL_ERROR);
    }
    if (subscriber_is_ready(&session->subscriber))
        subscriber_flush(&session->subscriber);
}

/* A ping waits behind what its client has not taken yet, and so does the answer. Therefore a client
 * that is silent, but takes some of what waits for it, is not dead: it is slow. */
static void check_silence(struct session *session, uint64_t now_ns)
{
    struct subscriber *subscriber = &session->subscriber;
    uint64_t since_ns = subscriber_group_patient_since(subscriber->group, session->alive_ns);
    bool is_in_doubt = subscriber->is_watched || now_ns > since_ns + SESSION_DOUBT_MS * MS_NS;
    if (is_in_doubt && subscriber_is_taking(subscriber, now_ns) && session_is_open(session))
        session->alive_ns = since_ns = now_ns;
    if (now_ns > since_ns + SESSION_IDLE_TIMEOUT_MS * MS_NS)
        subscriber_abort(subscriber, SUBSCRIBER_END_IDLE);
}

void session_check_liveness(struct session *session, uint64_t now_ns)
{
    session->frames = 0;
    check_silence(session, now_ns);
    if (!session_is_open(session) || now_ns < session->ping_due_ns)
        return;
    session->ping_due_ns = now_ns + SESSION_PING_INTERVAL_MS * MS_NS;
    session_reply(session, WS_PING, "", 0);
    subscriber_flush(&session->subscriber);
}
