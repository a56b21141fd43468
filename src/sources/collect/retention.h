/* The removal of what is too old, a step at a time. One thread. */
#ifndef HEATCAST_SOURCES_COLLECT_RETENTION_H
#define HEATCAST_SOURCES_COLLECT_RETENTION_H

#include "store/store.h"

struct retention {
    int64_t keep_candles_ms, keep_liquidations_ms; /* 0: all */
    const char *const *symbols;
    size_t symbol_count;
    /* The rest is its own; all zero is the beginning. */
    enum retention_phase {
        RETENTION_RESTS,
        RETENTION_CANDLES,
        RETENTION_INTEREST,
        RETENTION_PRINTS
    } phase;
    int64_t now_ms;  /* from which ages are counted */
    uint64_t due_ns; /* of the next step */
};

/* When there is something to do, as clock_monotonic_ns(); UINT64_MAX: never. */
uint64_t retention_due_ns(const struct retention *retention);

/* One step, in a brief session of its own; statuses as store_begin_brief() and store_prune(). */
enum status retention_step(struct retention *retention, struct store *store, uint64_t *removed,
                           struct error *error);

#endif
