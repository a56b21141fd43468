/* Durations counted by size, for Prometheus to add up over servers and time. Any thread may record
 * and read. */
#ifndef HEATCAST_OPS_HISTOGRAM_H
#define HEATCAST_OPS_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BOUNDS_MAX 24

/* What metrics_histogram() writes. Counts are of each bucket alone, not cumulative; the last one
 * is of what passed every bound. */
struct histogram_reading {
    const uint64_t *bounds_ns; /* ascending; a bucket holds its bound */
    size_t bound_count;
    uint64_t counts[HISTOGRAM_BOUNDS_MAX + 1];
    uint64_t sum_ns;
};

struct histogram {
    const uint64_t *bounds_ns;
    size_t bound_count;
    atomic_uint_least64_t counts[HISTOGRAM_BOUNDS_MAX + 1];
    atomic_uint_least64_t sum_ns;
};

/* The bounds must outlive the histogram. */
void histogram_init(struct histogram *histogram, const uint64_t *bounds_ns, size_t bound_count);
void histogram_record(struct histogram *histogram, uint64_t duration_ns);
void histogram_read(struct histogram *histogram, struct histogram_reading *reading);

#endif
