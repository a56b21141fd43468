/* Liquidations come in bursts, hundreds within a second where a market falls, and each of them
 * matters to who counts them, unlike snapshots, of which the newest says all. So they are kept for
 * a while, and a client that does not read learns of what it has missed by their numbers. */
#include "stream/print_ring.h"

#include "base/check.h"

#include <stdlib.h>

struct print_ring *print_ring_create(uint64_t end)
{
    struct print_ring *ring = memory_allocate_zeroed(1, sizeof *ring);
    ring->end = end;
    return ring;
}

void print_ring_destroy(struct print_ring *ring)
{
    if (ring == NULL)
        return;
    for (size_t i = 0; i < PRINT_RING_SIZE; i++)
        frame_release(ring->frames[i]);
    free(ring);
}

static void set(struct print_ring *ring, uint64_t number, struct frame *frame)
{
    struct frame **place = &ring->frames[number % PRINT_RING_SIZE];
    frame_release(*place);
    *place = frame_acquire(frame);
}

void print_ring_put(struct print_ring *ring, struct frame *frame)
{
    if (frame->seq < ring->end)
        return;
    if (frame->seq - ring->end > PRINT_RING_SIZE)
        ring->end = frame->seq - PRINT_RING_SIZE;
    for (; ring->end < frame->seq; ring->end++)
        set(ring, ring->end, NULL); /* the loop's mailbox had no room for it */
    set(ring, frame->seq, frame);
    ring->end++;
}

struct frame *print_ring_find(const struct print_ring *ring, uint64_t *next, uint64_t *missed)
{
    if (ring->end > PRINT_RING_SIZE && *next < ring->end - PRINT_RING_SIZE) {
        *missed += ring->end - PRINT_RING_SIZE - *next;
        *next = ring->end - PRINT_RING_SIZE;
    }
    for (; *next < ring->end; ++*next, ++*missed) {
        struct frame *frame = ring->frames[*next % PRINT_RING_SIZE];
        if (frame != NULL)
            return frame;
    }
    return NULL;
}
