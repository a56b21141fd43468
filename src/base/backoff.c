/* Exponential backoff with "equal jitter": half of the bound is always waited, the rest is random.
 * Full jitter would spread retries a little better, but some would come at once, which a server
 * that is just starting does not need. */
#include "base/backoff.h"

#include "base/check.h"

void backoff_init(struct backoff *backoff, uint64_t min_ms, uint64_t max_ms, struct random random)
{
    check(min_ms > 0 && min_ms <= max_ms);
    *backoff = (struct backoff){.min_ms = min_ms, .max_ms = max_ms, .random = random};
}

uint64_t backoff_next_ms(struct backoff *backoff)
{
    uint64_t bound_ms = backoff->bound_ms * 2;
    if (bound_ms < 2 * backoff->min_ms)
        bound_ms = 2 * backoff->min_ms;
    if (bound_ms > backoff->max_ms)
        bound_ms = backoff->max_ms;
    backoff->bound_ms = bound_ms;
    uint64_t low_ms = bound_ms / 2 > backoff->min_ms ? bound_ms / 2 : backoff->min_ms;
    return random_between(&backoff->random, low_ms, bound_ms);
}

void backoff_reset(struct backoff *backoff)
{
    backoff->bound_ms = 0;
}
