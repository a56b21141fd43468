/* The newest liquidations of one symbol, print by print, for all clients of a loop that follow
 * them.
 *
 * Each is a frame, encoded once, whose `seq` counts the symbol's prints from 1. A client has no
 * queue, but a place in the ring: one that reads too slowly finds that the oldest are gone, and how
 * many. So what all of them cost is the ring. One thread, the loop's. */
#ifndef HEATCAST_STREAM_PRINT_RING_H
#define HEATCAST_STREAM_PRINT_RING_H

#include "stream/frame.h"

#define PRINT_RING_SIZE 256

struct print_ring {
    uint64_t end; /* the number of the next one */
    struct frame
        *frames[PRINT_RING_SIZE]; /* by number, modulo the size; NULL: it never came here */
};

/* An empty one, in which `end` comes next. */
struct print_ring *print_ring_create(uint64_t end);
void print_ring_destroy(struct print_ring *ring); /* NULL is harmless */

/* With a reference of its own. One that is older than `end` is ignored. */
void print_ring_put(struct print_ring *ring, struct frame *frame);

/* The first one from the place `*next` on, which becomes its number, and how many were missed
 * before it (`*missed` grows by that). NULL: there is none, and `*next` is the end. */
struct frame *print_ring_find(const struct print_ring *ring, uint64_t *next, uint64_t *missed);

#endif
