/* One WebSocket client: bytes in, messages to its protocol, replies and snapshots out.
 *
 * A session knows no socket. It is fed bytes, and writes through the transport of the hub's group
 * with its `context`; the rules for threads and memory in stream/subscriber.h hold here too. */
#ifndef HEATCAST_STREAM_SESSION_H
#define HEATCAST_STREAM_SESSION_H

#include "base/buffer.h"
#include "stream/allowance.h"
#include "stream/hub.h"
#include "stream/subscriber.h"

#define SESSION_DEFLATE_OVERHEAD_MAX 256 /* bytes that compressing may add to a short message */
#define SESSION_PING_INTERVAL_MS 25000
#define SESSION_DOUBT_MS 30000 /* of silence: the answer to a ping is overdue */
#define SESSION_IDLE_TIMEOUT_MS 60000

struct session;

/* What the messages of a connection mean. */
struct session_protocol {
    size_t message_size_max;  /* of the client's messages, inflated; 1009 beyond */
    uint32_t reply_bytes_max; /* that may wait; see outbox.h */
    uint32_t frames_max;      /* of the client from one session_check_liveness() to the next; 1008
                                 beyond */
    /* A whole message: WS_TEXT, which is valid UTF-8, or WS_BINARY. */
    void (*on_message)(struct session *session, enum ws_opcode opcode, const char *payload,
                       size_t size);
    /* Whether the next message may be looked at; asked before anything is done for it, and may
     * close the session. One that may not comes to on_refused(), without a check of its content; if
     * it has more than `refused_size_max` bytes, inflated, without its payload (NULL), and with the
     * size that it has on the wire. NULL: all may. */
    bool (*try_accept)(struct session *session);
    void (*on_refused)(struct session *session, const char *payload, size_t size);
    size_t refused_size_max;
    /* As in subscriber_kind. NULL for a protocol whose clients cannot subscribe. */
    void (*on_unavailable)(struct session *session, const char *symbol, enum status status);
};

struct session {
    struct subscriber subscriber; /* first: what a broadcast reads */
    const struct session_protocol *protocol;
    struct ws_decoder decoder;
    struct buffer message;      /* pieces of a fragmented message; empty otherwise */
    struct allowance allowance; /* the protocol's, if it limits its messages */
    uint32_t frames;            /* that came since the last session_check_liveness() */
    uint64_t alive_ns;          /* when a byte last came, or was taken while more waited */
    uint64_t ping_due_ns;
};

/* `deflates`: permessage-deflate was negotiated. */
void session_init(struct session *session, struct hub *hub, const struct session_protocol *protocol,
                  bool deflates, void *context);
void session_deinit(struct session *session); /* unsubscribes and frees what waits */

static inline bool session_is_open(const struct session *session)
{
    return session->subscriber.state == SUBSCRIBER_OPEN;
}

static inline struct hub *session_hub(const struct session *session)
{
    return hub_of(&session->subscriber);
}

/* Whether the client has lately sent no more than one that is well: its allowance sufficed, and it
 * sent few frames. */
#define SESSION_FRAMES_FEW 1000 /* from one session_check_liveness() to the next */

static inline bool session_keeps_to_rates(const struct session *session, uint64_t now_ns)
{
    return session->frames <= SESSION_FRAMES_FEW && allowance_is_kept(&session->allowance, now_ns);
}

/* Bytes from the peer; they are unmasked in place. */
void session_receive(struct session *session, char *bytes, size_t size);

/* For protocols: queues a message, written when the current input is done. The second one
 * compresses it, for clients that negotiated that. See subscriber_reply(). */
void session_reply(struct session *session, enum ws_opcode opcode, const char *payload,
                   size_t size);
void session_reply_deflated(struct session *session, enum ws_opcode opcode, const char *payload,
                            size_t size);

/* Sends a close frame and ends when it is out; snapshots that wait are dropped. Harmless when it
 * is closing already. */
void session_close(struct session *session, uint16_t code, const char *text,
                   enum subscriber_end reason);

/* About once a second: protocol pings, and the end of a client that is silent and takes nothing. */
void session_check_liveness(struct session *session, uint64_t now_ns);

#endif
