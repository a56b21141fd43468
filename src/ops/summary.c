/* A window that slides over single durations would have to keep all of them. This one keeps
 * counts: a slot for each two minutes, in a ring, and in each slot a counter for each size of
 * duration. Sizes are logarithmic, with 32 steps to a factor of two, so that a step is 3.1 % wide
 * at most and its middle 1.6 % away from what was recorded; below 64 ns they are exact. When the
 * ring comes round to a slot again, the first record that falls into it clears it; a reader leaves
 * out slots that are older than the window. A slot takes 4.6 KB, a summary 28 KB, of which the
 * system need not give what is never written.
 *
 * A mutex guards all of it, since recording, which happens once a broadcast, touches several words
 * that belong together. */
#include "ops/summary.h"

#include "base/check.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    STEP_BITS = 5,
    STEPS = 1 << STEP_BITS,
    DURATION_BITS = 40, /* longer ones count as the longest, 1,100 s */
    BUCKETS = (DURATION_BITS - STEP_BITS + 1) * STEPS,
};

const double summary_quantiles[SUMMARY_QUANTILES] = {0.5, 0.95, 0.99};

struct slot {
    uint64_t period;     /* which one since the clock's zero, from 1; 0: never used */
    uint32_t first, end; /* counts that are not 0 are between these */
    uint32_t counts[BUCKETS];
};

struct summary {
    pthread_mutex_t lock;
    uint64_t count, sum_ns;
    struct slot slots[SUMMARY_SLOTS];
};

struct summary *summary_create(void)
{
    struct summary *summary = memory_allocate_zeroed(1, sizeof *summary);
    check(pthread_mutex_init(&summary->lock, NULL) == 0);
    return summary;
}

void summary_destroy(struct summary *summary)
{
    if (summary == NULL)
        return;
    pthread_mutex_destroy(&summary->lock);
    free(summary);
}

static uint64_t period_of(uint64_t now_ns)
{
    return now_ns / SUMMARY_SLOT_NS + 1;
}

static size_t bucket_of(uint64_t duration_ns)
{
    const uint64_t longest = (UINT64_C(1) << DURATION_BITS) - 1;
    uint64_t value = duration_ns < longest ? duration_ns : longest;
    if (value < 2 * STEPS)
        return (size_t)value;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - STEP_BITS;
    return shift * STEPS + (size_t)(value >> shift);
}

static double middle_of(size_t bucket)
{
    if (bucket < (size_t)2 * STEPS)
        return (double)bucket;
    size_t shift = bucket / STEPS - 1;
    uint64_t steps = STEPS + bucket % STEPS;
    return ((double)steps + 0.5) * (double)(UINT64_C(1) << shift);
}

void summary_record(struct summary *summary, uint64_t duration_ns, uint64_t now_ns)
{
    uint64_t period = period_of(now_ns);
    struct slot *slot = &summary->slots[period % SUMMARY_SLOTS];
    pthread_mutex_lock(&summary->lock);
    if (slot->period != period) {
        memset(slot, 0, sizeof *slot);
        slot->period = period;
        slot->first = BUCKETS;
    }
    uint32_t bucket = (uint32_t)bucket_of(duration_ns);
    slot->counts[bucket]++;
    if (bucket < slot->first)
        slot->first = bucket;
    if (bucket >= slot->end)
        slot->end = bucket + 1;
    summary->count++;
    summary->sum_ns += duration_ns;
    pthread_mutex_unlock(&summary->lock);
}

/* The durations of some slots together. Durations are of few sizes, so most counts need not be
 * looked at. */
struct merged {
    size_t first, end; /* counts that were set; the others are not */
    uint64_t total;
    uint64_t counts[BUCKETS];
};

static bool is_in_window(const struct slot *slot, uint64_t period)
{
    return slot->period != 0 && slot->period + SUMMARY_SLOTS > period;
}

static void merge(const struct summary *summary, uint64_t period, struct merged *merged)
{
    merged->first = BUCKETS;
    merged->end = merged->total = 0;
    for (size_t i = 0; i < SUMMARY_SLOTS; i++) {
        const struct slot *slot = &summary->slots[i];
        if (!is_in_window(slot, period))
            continue;
        merged->first = slot->first < merged->first ? slot->first : merged->first;
        merged->end = slot->end > merged->end ? slot->end : merged->end;
    }
    for (size_t j = merged->first; j < merged->end; j++)
        merged->counts[j] = 0;
    for (size_t i = 0; i < SUMMARY_SLOTS; i++) {
        const struct slot *slot = &summary->slots[i];
        for (size_t j = slot->first; j < slot->end && is_in_window(slot, period); j++) {
            merged->counts[j] += slot->counts[j];
            merged->total += slot->counts[j];
        }
    }
}

/* The smallest duration that this part of all does not pass, in seconds. */
static double quantile(const struct merged *merged, double part)
{
    if (merged->total == 0)
        return NAN;
    uint64_t rank = (uint64_t)ceil(part * (double)merged->total), seen = 0;
    size_t bucket = merged->first;
    while (bucket < merged->end - 1 && (seen += merged->counts[bucket]) < rank)
        bucket++;
    return middle_of(bucket) / 1e9;
}

void summary_read(struct summary *summary, uint64_t now_ns, struct summary_reading *reading)
{
    struct merged merged;
    pthread_mutex_lock(&summary->lock);
    merge(summary, period_of(now_ns), &merged);
    reading->count = summary->count;
    reading->sum_ns = summary->sum_ns;
    pthread_mutex_unlock(&summary->lock);
    for (size_t i = 0; i < SUMMARY_QUANTILES; i++)
        reading->values[i] = quantile(&merged, summary_quantiles[i]);
}
