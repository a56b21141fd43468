/* A minimum heap of 64-bit keys, each with the name of a position: its slot, and the generation of
 * that slot. A model keeps its positions in several, one for each order in which it takes them out.
 *
 * Owns its array: heap_deinit(). `struct heap heap = {0}; heap_clear(&heap);` is a valid empty one.
 * One thread at a time. */
#ifndef HEATCAST_MODEL_HEAP_H
#define HEATCAST_MODEL_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_entry {
    int64_t key;
    uint32_t slot, generation;
};

struct heap {
    size_t count, capacity;
    size_t stale;    /* entries whose position is gone; its owner counts them */
    int64_t lowest;  /* key; INT64_MAX when empty */
    bool is_ordered; /* otherwise the entries are in any order, until the first is to be popped */
    struct heap_entry *entries;
};

void heap_clear(struct heap *heap); /* keeps the memory */

/* False if there is no memory for the entry. */
bool heap_push(struct heap *heap, struct heap_entry entry);

/* Takes the lowest entry of a heap that is not empty. */
struct heap_entry heap_pop(struct heap *heap);

/* Makes one a copy of the other, entry by entry in the same places. False if there is no memory for
 * it. */
bool heap_copy(struct heap *to, const struct heap *from);

void heap_deinit(struct heap *heap);

#endif
