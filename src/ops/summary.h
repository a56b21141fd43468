/* Quantiles of durations over the last minutes, with their sum and count since the start. Any
 * thread may record and read; a lock is held for the length of either. */
#ifndef HEATCAST_OPS_SUMMARY_H
#define HEATCAST_OPS_SUMMARY_H

#include <stdint.h>

/* The window is SUMMARY_SLOTS - 1 whole slots and the one that is being filled. */
#define SUMMARY_SLOT_NS (UINT64_C(120) * 1000000000)
#define SUMMARY_SLOTS 6

#define SUMMARY_QUANTILES 3
extern const double summary_quantiles[SUMMARY_QUANTILES];

struct summary;

struct summary_reading {
    /* Seconds, within 1.6 % (durations up to 1,000 s); NaN if the window is empty. */
    double values[SUMMARY_QUANTILES];
    uint64_t count, sum_ns;
};

struct summary *summary_create(void);
void summary_destroy(struct summary *summary); /* NULL is harmless */

/* `now_ns` is of the monotonic clock. */
void summary_record(struct summary *summary, uint64_t duration_ns, uint64_t now_ns);
void summary_read(struct summary *summary, uint64_t now_ns, struct summary_reading *reading);

#endif
