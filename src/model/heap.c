/* A book pushes far more than it pops: most positions of a tier are never reached, and most volumes
 * never become dust. So a heap that was filled by its owner is put in order only when something is
 * to be popped. */
#include "model/heap.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 64 };

/* Moves the entry at `at` towards the top, to where it belongs. */
static void sift_up(struct heap_entry *entries, size_t at)
{
    struct heap_entry moved = entries[at];
    while (at > 0) {
        size_t parent = (at - 1) / 2;
        if (entries[parent].key <= moved.key)
            break;
        entries[at] = entries[parent];
        at = parent;
    }
    entries[at] = moved;
}

/* Fills the place at `at`: the smaller children move up to the bottom of the heap, and `moved`
 * rises from there. An entry taken from the end belongs near the bottom nearly always, so this
 * compares half as often as sifting it down, and the choice of a child compiles without a branch.
 */
static void fill(struct heap_entry *entries, size_t count, size_t at, struct heap_entry moved)
{
    size_t top = at, child;
    while ((child = 2 * at + 1) + 1 < count) {
        child += entries[child + 1].key < entries[child].key;
        entries[at] = entries[child];
        at = child;
    }
    if (child < count) {
        entries[at] = entries[child];
        at = child;
    }
    while (at > top && entries[(at - 1) / 2].key > moved.key) {
        entries[at] = entries[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    entries[at] = moved;
}

void heap_clear(struct heap *heap)
{
    heap->count = heap->stale = 0;
    heap->lowest = INT64_MAX;
    heap->is_ordered = true;
}

/* False if there is no memory for so many entries. */
static bool grow(struct heap *heap, size_t capacity)
{
    struct heap_entry *entries = memory_try_resize(heap->entries, capacity, sizeof *entries);
    if (entries == NULL)
        return false;
    heap->entries = entries;
    heap->capacity = capacity;
    return true;
}

bool heap_push(struct heap *heap, struct heap_entry entry)
{
    if (heap->count == heap->capacity &&
        !grow(heap, heap->capacity > 0 ? heap->capacity * 2 : CAPACITY_MIN))
        return false;
    heap->entries[heap->count++] = entry;
    if (entry.key < heap->lowest)
        heap->lowest = entry.key;
    if (heap->is_ordered)
        sift_up(heap->entries, heap->count - 1);
    return true;
}

struct heap_entry heap_pop(struct heap *heap)
{
    if (!heap->is_ordered)
        for (size_t i = heap->count / 2; i-- > 0;)
            fill(heap->entries, heap->count, i, heap->entries[i]);
    heap->is_ordered = true;
    struct heap_entry top = heap->entries[0];
    if (--heap->count > 0)
        fill(heap->entries, heap->count, 0, heap->entries[heap->count]);
    heap->lowest = heap->count > 0 ? heap->entries[0].key : INT64_MAX;
    return top;
}

bool heap_copy(struct heap *to, const struct heap *from)
{
    if (to->capacity < from->count && !grow(to, from->capacity))
        return false;
    if (from->count > 0)
        memcpy(to->entries, from->entries, from->count * sizeof *to->entries);
    to->count = from->count;
    to->stale = from->stale;
    to->lowest = from->lowest;
    to->is_ordered = from->is_ordered;
    return true;
}

void heap_deinit(struct heap *heap)
{
    free(heap->entries);
    *heap = (struct heap){0};
}
