/* The frame: one snapshot as the bytes that every subscriber's socket gets.
 *
 * It is encoded once, by the publisher, immutable from then on, and counted by reference: a
 * broadcast to ten thousand clients sends one piece of memory ten thousand times. A compressed
 * form, the same for all clients that negotiated permessage-deflate, may be added once. Acquire
 * and release are atomic; the bytes may be read on any thread that holds a reference. */
#ifndef HEATCAST_STREAM_FRAME_H
#define HEATCAST_STREAM_FRAME_H

#include "model/publication.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct ws_deflater;

/* The compressed form: a whole WebSocket frame as well. */
struct frame_deflated {
    uint32_t header_size; /* of the WebSocket frame header */
    size_t size;          /* all bytes */
    char bytes[];
};

struct frame {
    atomic_uint references;
    uint32_t symbol_index;
    uint64_t epoch, seq;              /* together they order a symbol's snapshots */
    uint64_t hash;                    /* of what a client sees; the HTTP ETag */
    uint64_t published_ns;            /* monotonic clock */
    struct publication_totals totals; /* set by its maker before others know it */
    uint32_t header_size;             /* of the WebSocket frame header that the bytes begin with */
    size_t size;                      /* all bytes, header and JSON */
    _Atomic(struct frame_deflated *) deflated; /* NULL: not made; never changes once it is set */
    /* How far its broadcast is; for publisher_delivered(). */
    atomic_uint loops_left;             /* mailboxes whose loops are not done with it */
    atomic_uint_least64_t delivered_ns; /* by the latest loop that is done; 0: to no subscriber */
    char bytes[];
};

/* Copies JSON text into a WebSocket text frame. The caller owns one reference. */
struct frame *frame_create(uint32_t symbol_index, uint64_t epoch, uint64_t seq, uint64_t hash,
                           const char *json, size_t json_size);

struct frame *frame_acquire(struct frame *frame); /* returns its argument; NULL stays NULL */
void frame_release(struct frame *frame);          /* NULL is harmless */

/* Adds the compressed form, if there is none. The caller sees to it that no other thread does so
 * at the same time (publisher.publishing); others may read the frame meanwhile. */
void frame_deflate(struct frame *frame, struct ws_deflater *deflater);

/* The compressed form, valid as long as the frame, or NULL. */
static inline const struct frame_deflated *frame_deflated(const struct frame *frame)
{
    /* Acquire: pairs with the release in frame_deflate(), which stored the bytes before. */
    return atomic_load_explicit(&frame->deflated, memory_order_acquire);
}

/* What ws_deflate() made of the JSON. */
static inline struct iovec frame_deflated_payload(const struct frame_deflated *deflated)
{
    return (struct iovec){(char *)deflated->bytes + deflated->header_size,
                          deflated->size - deflated->header_size};
}

static inline const char *frame_json(const struct frame *frame)
{
    return frame->bytes + frame->header_size;
}

static inline size_t frame_json_size(const struct frame *frame)
{
    return frame->size - frame->header_size;
}

/* Whether `frame` comes after the snapshot (epoch, seq); (0, 0) is before all. */
static inline bool frame_is_after(const struct frame *frame, uint64_t epoch, uint64_t seq)
{
    return frame->epoch != epoch ? frame->epoch > epoch : frame->seq > seq;
}

#endif
