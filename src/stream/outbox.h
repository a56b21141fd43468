/* What one client is still owed, in the order in which it will get it (docs/protocol.md, "Slow
 * clients").
 *
 * Sans-I/O: outbox_flush() hands pieces to a write function and keeps what was not taken. Pending
 * snapshots live in the client's subscriptions, one slot each, where the newest wins: memory is
 * O(symbols), whatever the backlog. A frame of which a part is out stays referenced, with an
 * offset, until the rest is. Order: the rest of what was begun, replies and control frames, an
 * owed warning, liquidations, then the newest snapshot of each symbol, in turn. One thread: the
 * connection's loop. */
#ifndef HEATCAST_STREAM_OUTBOX_H
#define HEATCAST_STREAM_OUTBOX_H

#include "base/list.h"
#include "stream/frame.h"
#include "stream/print_ring.h"
#include "stream/since_last.h"
#include "wire/websocket.h"

#include <stdbool.h>
#include <sys/uio.h>

/* What replies that wait may take in memory, by default; a client that causes more before they are
 * written is cut off. */
#define OUTBOX_REPLY_BYTES_MAX (64 * 1024)

struct outbox_reply; /* an owned, whole WebSocket frame */

struct outbox {
    bool deflates; /* the client negotiated permessage-deflate; set it after init */
    bool is_slow;  /* a snapshot has been late since the socket was last free */
    bool owes_warning;
    bool is_begun_late;     /* begun_frame has been counted */
    bool is_begun_deflated; /* it is the compressed form of begun_frame that is partly out */
    bool is_begun_print;    /* it is a liquidation */
    struct list slots;      /* struct outbox_slot */
    struct list tapes;      /* struct outbox_tape */
    struct outbox_reply *replies, *replies_last;
    struct frame *begun_frame; /* partly written, or NULL */
    struct outbox_reply *begun_reply;
    size_t begun_offset;
    uint64_t begun_waiting_since_ns; /* as its slot's was */
    uint64_t blocked_since_ns; /* when it last took anything, while it is full; 0: it is not */
    uint32_t reply_bytes, reply_bytes_max; /* of replies that wait, in memory */
    uint32_t dropped;                      /* snapshots replaced since the last warning */
    uint64_t missed;                       /* liquidations, the same */
};

/* A client's place in the liquidations of a symbol. */
struct outbox_tape {
    const struct print_ring *ring;
    uint64_t next; /* the number of the next one that it gets */
    struct list in_outbox;
};

/* One symbol's place in the outbox. */
struct outbox_slot {
    uint64_t epoch, seq;       /* of the newest snapshot ever offered */
    bool is_held;              /* not to be sent yet (the client's update_interval) */
    bool is_late;              /* has been counted */
    struct frame *pending;     /* the newest snapshot that is not out, or NULL */
    uint64_t waiting_since_ns; /* since when the first one waits; kept when replaced */
    struct list in_outbox;
    struct since_last_base sent; /* the last one that outbox_flush() sent, or began to send */
};

#define OUTBOX_DELIVERY_BOUNDS 16
extern const uint64_t outbox_delivery_bounds_ns[OUTBOX_DELIVERY_BOUNDS];

/* What all outboxes of a loop have done. Written by that loop alone, read by any thread. */
struct outbox_meter {
    atomic_uint_least64_t *frames_sent; /* whole snapshots, by symbol */
    atomic_uint_least64_t *slow;        /* snapshots that became late, by symbol */
    atomic_uint_least64_t dropped;      /* snapshots replaced while the socket was blocked */
    atomic_uint_least64_t prints_sent, prints_missed;              /* liquidations */
    atomic_uint_least64_t plain_bytes_sent, compressed_bytes_sent; /* snapshots and replies */
    /* Whole snapshots by how long they had waited: those within outbox_delivery_bounds_ns[i], and
     * last those beyond all. From publication (or when the client could first have it: its
     * subscription, its update_interval) until the write that finished it began, or in a broadcast
     * until the clock was next read after it; of those that replaced another, since the first one
     * waited. */
    atomic_uint_least64_t delivered[OUTBOX_DELIVERY_BOUNDS + 1];
    atomic_uint_least64_t delivery_ns_sum;
};

void outbox_meter_init(struct outbox_meter *meter, size_t symbol_count);
void outbox_meter_deinit(struct outbox_meter *meter);

/* For counters that one thread writes, so that no read-modify-write is needed. Relaxed, because a
 * counter orders nothing. */
static inline void meter_add(atomic_uint_least64_t *counter, uint64_t amount)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + amount, memory_order_relaxed);
}

void outbox_init(struct outbox *outbox);
void outbox_deinit(struct outbox *outbox); /* slots must have been removed */

void outbox_add_slot(struct outbox *outbox, struct outbox_slot *slot);
void outbox_remove_slot(struct outbox *outbox, struct outbox_slot *slot); /* drops its snapshot */

/* From the next liquidation on. The ring must outlive the tape's time in the outbox. */
void outbox_add_tape(struct outbox *outbox, struct outbox_tape *tape,
                     const struct print_ring *ring);
void outbox_remove_tape(struct outbox_tape *tape);

/* Queues a reply: a final frame of that opcode. `is_deflated`: ws_deflate() made the payload.
 * False if reply_bytes_max would be passed. */
bool outbox_push_reply(struct outbox *outbox, enum ws_opcode opcode, bool is_deflated,
                       const char *payload, size_t payload_size);

/* Puts a snapshot into its slot, with a reference of its own; one that waits there is replaced.
 * Its deadline counts from `since_ns`: its publication, or when the client may have it if that is
 * later. False, and nothing done, unless it is newer than every one offered before. */
bool outbox_offer(struct outbox *outbox, struct outbox_slot *slot, struct frame *frame,
                  uint64_t since_ns, struct outbox_meter *meter);

enum outbox_result {
    OUTBOX_EMPTY,   /* everything that may go is out */
    OUTBOX_BLOCKED, /* the socket is full: flush again when it is writable */
    OUTBOX_BROKEN,  /* writing failed: close */
};

/* Writes as writev(2): the bytes taken, 0 if none can be taken now, negative for a broken peer. */
typedef ssize_t outbox_writer(void *context, const struct iovec *pieces, int count);

enum outbox_result outbox_flush(struct outbox *outbox, uint64_t now_ns, outbox_writer *write,
                                void *context, struct outbox_meter *meter);

/* One broadcast's writes to clients that wait for nothing. Reading the clock and writing the meter
 * for each of them would take a measurable part of the whole, so they are counted a few at a time,
 * by the clock after the last of them: none is counted as faster than it was. */
#define OUTBOX_COUNT_EVERY 16
struct outbox_broadcast {
    struct frame *frame;
    uint64_t now_ns;                      /* when the clock was last read */
    uint32_t plain_count, deflated_count; /* frames that went whole and are not counted yet */
};

/* outbox_offer() and outbox_flush() in one, for an outbox from which nothing could go now: held
 * snapshots of other symbols may wait in it. The frame must be newer than every one that the slot
 * was offered. What went whole is counted later, by outbox_count_sent(). */
enum outbox_result outbox_send(struct outbox *outbox, struct outbox_slot *slot,
                               struct outbox_broadcast *broadcast, outbox_writer *write,
                               void *context, struct outbox_meter *meter);

/* Counts what went whole since the last time; `now_ns` is the time now. */
void outbox_count_sent(struct outbox_broadcast *broadcast, uint64_t now_ns,
                       struct outbox_meter *meter);

/* Finds snapshots that are late. To be called several times a second while it is blocked. */
void outbox_check_deadlines(struct outbox *outbox, uint64_t now_ns, uint64_t timeout_ns,
                            struct outbox_meter *meter);

static inline bool outbox_is_blocked(const struct outbox *outbox)
{
    return outbox->blocked_since_ns != 0;
}

#endif
