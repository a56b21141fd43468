/* One WebSocket client: bytes in, messages to its protocol, replies and snapshots out.
 *
 * A session knows no socket. It is fed bytes, and writes through the hub's transport with its
 * `context`. All calls on the hub's loop. A transport callback must not free the session inside a
 * session call: it marks the connection and frees it when the loop comes round. */
#ifndef HEATCAST_STREAM_SESSION_H
#define HEATCAST_STREAM_SESSION_H

#include "base/buffer.h"
#include "stream/hub.h"

#define SESSION_DEFLATE_OVERHEAD_MAX 256 /* bytes that compressing may add to a short message */
#define SESSION_PING_INTERVAL_MS 25000
#define SESSION_IDLE_TIMEOUT_MS 60000

enum session_state {
    SESSION_OPEN,
    SESSION_CLOSING, /* a close frame is queued; nothing else goes out, input is discarded */
    SESSION_ENDED,   /* the transport was told to finish or abort */
};

struct session;

/* How many messages the client may still send now; the protocol's alone, zeroed at the start. */
struct session_rate {
    uint64_t updated_ns; /* 0: no message has come yet */
    float tokens;
    uint16_t violations;
};

/* What the messages of a connection mean. */
struct session_protocol {
    size_t message_size_max;  /* of the client's messages, inflated; 1009 beyond */
    uint32_t reply_bytes_max; /* that may wait; see outbox.h */
    uint32_t frames_max;      /* of the client between two looks at its liveness; 1008 beyond */
    /* A whole message: WS_TEXT, which is valid UTF-8, or WS_BINARY. */
    void (*on_message)(struct session *session, enum ws_opcode opcode, const char *payload,
                       size_t size);
};

/* What a broadcast looks at comes first; see hub.h. */
struct session {
    struct hub *hub;
    void *context;
    struct list in_ready, in_blocked;
    enum session_state state;
    struct outbox outbox;
    const struct session_protocol *protocol;
    struct ws_decoder decoder;
    struct buffer message; /* pieces of a fragmented message; empty otherwise */
    struct session_rate rate;
    uint32_t frames;      /* that came since the last look at its liveness */
    uint64_t received_ns; /* when the last byte came */
    uint64_t ping_due_ns;
    bool is_counted_slow;
    uint8_t end_reason; /* enum session_end, settled when it is no longer open */
};

/* `deflates`: permessage-deflate was negotiated. */
void session_init(struct session *session, struct hub *hub, const struct session_protocol *protocol,
                  bool deflates, void *context);
void session_deinit(struct session *session); /* unsubscribes and frees what waits */

/* Bytes from the peer; they are unmasked in place. */
void session_receive(struct session *session, char *bytes, size_t size);

/* For protocols: queues a frame, written when the input at hand is done with. `deflated` compresses
 * the payload, for clients that negotiated it. */
void session_reply(struct session *session, enum ws_opcode opcode, const char *payload,
                   size_t size);
void session_reply_deflated(struct session *session, enum ws_opcode opcode, const char *payload,
                            size_t size);

/* Writes what waits, as far as the socket takes it. */
void session_flush(struct session *session);

/* The server's wish: sends a close frame and ends; pending snapshots are dropped. Harmless when
 * closing already. */
void session_close(struct session *session, uint16_t code, const char *text,
                   enum session_end reason);

/* About once a second: protocol pings, silence. */
void session_check_liveness(struct session *session, uint64_t now_ns);

/* For the hub. */
void session_mark_ready(struct session *session);

/* Nothing in the outbox could go now or will go in this turn, so session_send() comes before
 * nothing. The two lists tell: whoever gives the outbox something that may go marks the session
 * ready, and what the socket does not take leaves it blocked. */
static inline bool session_awaits_nothing(const struct session *session)
{
    return session->state == SESSION_OPEN && list_is_empty(&session->in_ready) &&
           list_is_empty(&session->in_blocked);
}

/* Writes a broadcast's frame at once; see outbox_send(). Should the peer be gone, the session ends,
 * and with it its subscriptions; no other session's. */
void session_send(struct session *session, struct outbox_slot *slot,
                  struct outbox_broadcast *broadcast);

void session_check_deadlines(struct session *session, uint64_t now_ns);

#endif
