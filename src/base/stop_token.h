/* Says whether long work is to end before it is done: because its result is not wanted any more, or
 * because its time is over. The caller of the work makes the token; the work asks it now and then,
 * and returns its status. A plain value; any thread. */
#ifndef HEATCAST_BASE_STOP_TOKEN_H
#define HEATCAST_BASE_STOP_TOKEN_H

#include "base/error.h"

#include <stdatomic.h>
#include <stdint.h>

/* `struct stop_token token = {0}` never stops anything. */
struct stop_token {
    const atomic_bool
        *is_cancelled;    /* set by any thread; must outlive the work. NULL: it never is */
    uint64_t deadline_ns; /* as clock_monotonic_ns(); 0: there is none */
};

/* STATUS_OK: the work continues. STATUS_CANCELLED or STATUS_TIMEOUT: it returns this. Costs some
 * ten nanoseconds. NULL is a token that never stops anything. */
enum status stop_token_check(const struct stop_token *token, struct error *error);

#endif
