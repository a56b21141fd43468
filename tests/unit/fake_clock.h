/* A clock that goes when the test says so: these definitions take the place of base/clock.c. */
#ifndef HEATCAST_TESTS_FAKE_CLOCK_H
#define HEATCAST_TESTS_FAKE_CLOCK_H

#include "base/clock.h"

#define FAKE_START_NS (UINT64_C(1000000000) * 1000)

static uint64_t fake_now_ns = FAKE_START_NS;

uint64_t clock_monotonic_ns(void)
{
    return fake_now_ns;
}

int64_t clock_wall_ms(void)
{
    return INT64_C(1766932200000) + (int64_t)((fake_now_ns - FAKE_START_NS) / 1000000);
}

static inline void fake_clock_advance_ms(uint64_t ms)
{
    fake_now_ns += ms * UINT64_C(1000000);
}

#endif
