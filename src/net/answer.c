#include "net/answer.h"

#include "base/check.h"

#include <stdlib.h>

struct answer *answer_create(void)
{
    struct answer *answer = memory_allocate_zeroed(1, sizeof *answer);
    atomic_init(&answer->references, 1);
    return answer;
}

struct answer *answer_acquire(struct answer *answer)
{
    /* Relaxed: who hands the pointer over has ordered the content before it. */
    atomic_fetch_add_explicit(&answer->references, 1, memory_order_relaxed);
    return answer;
}

void answer_release(struct answer *answer)
{
    /* Release and acquire: all reading is over before the last holder frees. */
    if (answer == NULL ||
        atomic_fetch_sub_explicit(&answer->references, 1, memory_order_acq_rel) != 1)
        return;
    buffer_deinit(&answer->body);
    free(answer);
}
