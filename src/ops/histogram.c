/* For durations that several servers' pages show: counts by fixed bounds can be added up over
 * servers and over time, which quantiles (ops/summary.h) cannot. The bounds are the caller's, few
 * and ascending, so finding a bucket is a short walk. */
#include "ops/histogram.h"

#include "base/check.h"

void histogram_init(struct histogram *histogram, const uint64_t *bounds_ns, size_t bound_count)
{
    check(bound_count <= HISTOGRAM_BOUNDS_MAX);
    histogram->bounds_ns = bounds_ns;
    histogram->bound_count = bound_count;
    for (size_t i = 0; i <= HISTOGRAM_BOUNDS_MAX; i++)
        atomic_init(&histogram->counts[i], 0);
    atomic_init(&histogram->sum_ns, 0);
}

/* Relaxed: counters order nothing. A reader may see a duration that is counted and not yet in the
 * sum. */
void histogram_record(struct histogram *histogram, uint64_t duration_ns)
{
    size_t bucket = 0;
    while (bucket < histogram->bound_count && duration_ns > histogram->bounds_ns[bucket])
        bucket++;
    atomic_fetch_add_explicit(&histogram->counts[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum_ns, duration_ns, memory_order_relaxed);
}

void histogram_read(struct histogram *histogram, struct histogram_reading *reading)
{
    reading->bounds_ns = histogram->bounds_ns;
    reading->bound_count = histogram->bound_count;
    for (size_t i = 0; i <= histogram->bound_count; i++)
        reading->counts[i] = atomic_load_explicit(&histogram->counts[i], memory_order_relaxed);
    reading->sum_ns = atomic_load_explicit(&histogram->sum_ns, memory_order_relaxed);
}
