/* One WebSocket client's protocol: bytes in, replies and snapshots out (PROTOCOL.md §1).
 *
 * A session knows no socket. It is fed bytes, and writes through the hub's transport with its
 * `context`. All calls on the hub's loop. A transport callback must not free the session inside a
 * session call: it marks the connection and frees it when the loop comes round. */
#ifndef HEATCAST_STREAM_SESSION_H
#define HEATCAST_STREAM_SESSION_H

#include "base/buffer.h"
#include "stream/hub.h"
#include "wire/http_head.h"

#define SESSION_MESSAGE_SIZE_MAX 4096
#define SESSION_MESSAGES_PER_SECOND 10
#define SESSION_MESSAGES_BURST 20
#define SESSION_RATE_VIOLATIONS_MAX 100 /* refused messages after which the client is closed */
#define SESSION_PING_INTERVAL_MS 25000
#define SESSION_IDLE_TIMEOUT_MS 60000

enum session_state {
    SESSION_OPEN,
    SESSION_CLOSING, /* a close frame is queued; nothing else goes out, input is discarded */
    SESSION_ENDED,   /* the transport was told to finish or abort */
};

struct session {
    struct hub *hub;
    void *context;
    struct list in_ready, in_blocked;
    struct outbox outbox;
    struct ws_decoder decoder;
    struct buffer message; /* pieces of a fragmented message; empty otherwise */
    enum session_state state;
    uint16_t rate_violations;
    float rate_tokens;
    uint64_t rate_updated_ns;
    uint64_t received_ns; /* when the last byte came */
    uint64_t ping_due_ns;
    bool is_counted_slow;
    uint8_t end_reason; /* enum session_end, settled when it is no longer open */
};

void session_init(struct session *session, struct hub *hub, void *context);
void session_deinit(struct session *session); /* unsubscribes and frees what waits */

/* The symbols named at connect ("BTCUSDT,ETHUSDT"). */
void session_subscribe_list(struct session *session, const char *symbols);

/* Bytes from the peer; they are unmasked in place. */
void session_receive(struct session *session, char *bytes, size_t size);

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
void session_check_deadlines(struct session *session, uint64_t now_ns);
void session_report_unavailable(struct session *session, const char *symbol, enum status status);

#endif
