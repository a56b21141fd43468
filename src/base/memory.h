/* Memory that may run out.
 *
 * What is made of clients' questions takes its memory here: where there is none, or the thread's
 * budget is used up, the call returns NULL and the answer fails, not the process. The program's own
 * small allocations, of which it has a bounded number, cannot fail (base/check.h).
 *
 * Any thread. All memory is released with free(). */
#ifndef HEATCAST_BASE_MEMORY_H
#define HEATCAST_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* calloc() and realloc() for `count` elements of `size` bytes. NULL: there is no memory, and
 * `memory` is as it was. */
void *memory_try_allocate_zeroed(size_t count, size_t size) __attribute__((malloc));
void *memory_try_resize(void *memory, size_t count, size_t size);

/* How many bytes one thread may take by the functions above, from memory_budget_begin() to
 * memory_budget_end(). What it frees meanwhile counts all the same. The struct is the caller's, and
 * a thread has one budget at a time. */
struct memory_budget {
    size_t bytes_max; /* 0: no limit */
    size_t bytes_taken;
    bool is_exceeded; /* a call returned NULL for this reason */
};

void memory_budget_begin(struct memory_budget *budget, size_t bytes_max);
void memory_budget_end(void);

/* Only for tests: of the calling thread's next calls of the functions above, the one with this
 * number (1 is the next) returns NULL; 0: none does. Returns how many calls were still to come: 0
 * if the one that was set before has failed. */
uint64_t memory_fail_call(uint64_t number);

#endif
