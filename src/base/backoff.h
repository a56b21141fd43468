/* How long to wait before another try: at most twice as long as last time, up to a bound, and at
 * random within the upper half, so that many clients of a server that failed do not return at the
 * same time. One thread at a time. */
#ifndef HEATCAST_BASE_BACKOFF_H
#define HEATCAST_BASE_BACKOFF_H

#include "base/random.h"

#include <stdint.h>

struct backoff {
    uint64_t min_ms, max_ms; /* of a wait; min_ms is above 0 and at most max_ms */
    uint64_t bound_ms;       /* of the last wait; 0: there was none since the reset */
    struct random random;
};

void backoff_init(struct backoff *backoff, uint64_t min_ms, uint64_t max_ms, struct random random);

/* The next wait, from min_ms to max_ms. */
uint64_t backoff_next_ms(struct backoff *backoff);

/* After a success: waits start at min_ms again. */
void backoff_reset(struct backoff *backoff);

#endif
