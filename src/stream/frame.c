/* Header and JSON stand in one allocation, so that a broadcast is one pointer and one size for
 * send(), and an HTTP answer is the same bytes behind the header. The compressed form is an
 * allocation of its own, because it is often not needed when the frame is made, and a frame that
 * is published already may still get one: for the first client that wants it. Readers see either
 * none or a whole one, through one atomic pointer. */
#include "stream/frame.h"

#include "base/check.h"
#include "base/clock.h"
#include "wire/deflate.h"
#include "wire/websocket.h"

#include <stdlib.h>
#include <string.h>

struct frame *frame_create(uint32_t symbol_index, uint64_t epoch, uint64_t seq, uint64_t hash,
                           const char *json, size_t json_size)
{
    char header[WS_FRAME_HEADER_MAX];
    size_t header_size = ws_encode_header(header, WS_TEXT, json_size);
    struct frame *frame = memory_allocate(sizeof *frame + header_size + json_size);
    atomic_init(&frame->references, 1);
    atomic_init(&frame->loops_left, 0);
    atomic_init(&frame->delivered_ns, 0);
    atomic_init(&frame->deflated, NULL);
    frame->symbol_index = symbol_index;
    frame->epoch = epoch;
    frame->seq = seq;
    frame->hash = hash;
    frame->totals = (struct publication_totals){0};
    frame->published_ns = clock_monotonic_ns();
    frame->header_size = (uint32_t)header_size;
    frame->size = header_size + json_size;
    memcpy(frame->bytes, header, header_size);
    memcpy(frame->bytes + header_size, json, json_size);
    return frame;
}

struct frame *frame_acquire(struct frame *frame)
{
    /* Relaxed: the caller has a reference, or holds the mutex under which there is one, so the
     * count is above zero, and the bytes were ordered before the pointer came to this thread. */
    if (frame != NULL)
        atomic_fetch_add_explicit(&frame->references, 1, memory_order_relaxed);
    return frame;
}

void frame_release(struct frame *frame)
{
    if (frame == NULL)
        return;
    /* Release orders this thread's last reads before its decrement; acquire orders the decrements
     * of all other threads before the last holder frees. */
    if (atomic_fetch_sub_explicit(&frame->references, 1, memory_order_acq_rel) != 1)
        return;
    free(atomic_load_explicit(&frame->deflated, memory_order_relaxed));
    free(frame);
}

void frame_deflate(struct frame *frame, struct ws_deflater *deflater)
{
    if (frame_deflated(frame) != NULL)
        return;
    struct buffer payload = {0};
    char header[WS_FRAME_HEADER_MAX];
    ws_deflate(deflater, frame_json(frame), frame_json_size(frame), &payload);
    size_t header_size = ws_encode_header(header, WS_TEXT, payload.size);
    ws_mark_compressed(header);
    struct frame_deflated *made = memory_allocate(sizeof *made + header_size + payload.size);
    made->header_size = (uint32_t)header_size;
    made->size = header_size + payload.size;
    memcpy(made->bytes, header, header_size);
    memcpy(made->bytes + header_size, payload.data, payload.size);
    buffer_deinit(&payload);
    atomic_store_explicit(&frame->deflated, made, memory_order_release);
}
