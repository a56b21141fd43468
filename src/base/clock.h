/* Two clocks: one that never goes back, and the date and time of day. Any thread. */
#ifndef HEATCAST_BASE_CLOCK_H
#define HEATCAST_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds since an arbitrary moment. For durations and deadlines. */
uint64_t clock_monotonic_ns(void);

/* Milliseconds since 1970-01-01T00:00:00Z; may jump when the machine's clock is set. */
int64_t clock_wall_ms(void);

#endif
