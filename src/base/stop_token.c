/* Work is stopped by asking, not by killing its thread: it frees what it has, and the database is
 * left in order. So work that can be long asks every millisecond or so, which costs nothing beside
 * what is done in between. */
#include "base/stop_token.h"

#include "base/clock.h"

#include <stddef.h>

enum status stop_token_check(const struct stop_token *token, struct error *error)
{
    if (token == NULL)
        return STATUS_OK;
    /* Relaxed: the flag hands nothing over, it only makes the rest of the work unnecessary. */
    if (token->is_cancelled != NULL &&
        atomic_load_explicit(token->is_cancelled, memory_order_relaxed))
        return error_set(error, STATUS_CANCELLED, "the answer is not wanted any more");
    if (token->deadline_ns != 0 && clock_monotonic_ns() >= token->deadline_ns)
        return error_set(error, STATUS_TIMEOUT,
                         "the answer takes longer than is allowed; ask for a shorter range");
    return STATUS_OK;
}
