/* Linux gives out memory that it does not have, so malloc() fails only at a limit: of the address
 * space (ulimit -v), or one that the program sets itself. The budget is such a limit, and the one
 * that matters: a server whose questions together may take no more than the machine has never meets
 * the others, which would end the process at whichever allocation comes next.
 *
 * A budget belongs to a thread and not to the containers that grow, because a question is answered
 * by one thread from its beginning to its end, and a dozen kinds of arrays grow meanwhile; none of
 * them has to know what it is part of. malloc_usable_size() tells what an array took before, so
 * that no size has to be carried to where it is freed. */
#include "base/memory.h"

#include "base/check.h"

#include <malloc.h>
#include <stdlib.h>

static _Thread_local struct memory_budget *thread_budget; /* NULL: none */
static _Thread_local uint64_t calls_until_failure;        /* 0: none fails */

void memory_budget_begin(struct memory_budget *budget, size_t bytes_max)
{
    check(thread_budget == NULL);
    *budget = (struct memory_budget){.bytes_max = bytes_max};
    thread_budget = budget;
}

void memory_budget_end(void)
{
    check(thread_budget != NULL);
    thread_budget = NULL;
}

uint64_t memory_fail_call(uint64_t number)
{
    uint64_t left = calls_until_failure;
    calls_until_failure = number;
    return left;
}

/* Whether `size` bytes may take the place of `size_before`. */
static bool may_take(size_t size_before, size_t size)
{
    struct memory_budget *budget = thread_budget;
    if (calls_until_failure > 0 && --calls_until_failure == 0)
        return false;
    if (budget == NULL || budget->bytes_max == 0 || size <= size_before)
        return true;
    if (size - size_before <= budget->bytes_max - budget->bytes_taken)
        return true;
    budget->is_exceeded = true;
    return false;
}

static void count_taken(size_t size_before, size_t size)
{
    struct memory_budget *budget = thread_budget;
    if (budget == NULL || budget->bytes_max == 0 || size <= size_before)
        return;
    size_t taken = size - size_before, left = budget->bytes_max - budget->bytes_taken;
    budget->bytes_taken += taken < left ? taken : left; /* malloc() rounds up */
}

void *memory_try_allocate_zeroed(size_t count, size_t size)
{
    check(size > 0 && count <= SIZE_MAX / size);
    if (!may_take(0, count * size))
        return NULL;
    void *memory = calloc(count > 0 ? count : 1, size);
    if (memory != NULL)
        count_taken(0, malloc_usable_size(memory));
    return memory;
}

void *memory_try_resize(void *memory, size_t count, size_t size)
{
    check(size > 0 && count <= SIZE_MAX / size);
    size_t size_before = malloc_usable_size(memory); /* of NULL: 0 */
    if (!may_take(size_before, count * size))
        return NULL;
    void *resized = realloc(memory, count > 0 ? count * size : 1);
    if (resized != NULL)
        count_taken(size_before, malloc_usable_size(resized));
    return resized;
}
