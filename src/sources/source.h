/* What a source is: something that fills a store with candles and open interest.
 *
 * A *running* source follows a market on a thread of its own until it is stopped; the simulated
 * market of `serve --demo` is one. Each is started by a function of its own, since each needs other
 * settings, and from then on the server knows it as a `struct source`. The archive is a one-shot
 * source: import_run() (archive/import.h) returns when the files are in the store.
 *
 * A source writes to an owner-mode store that outlives it, under its own label. */
#ifndef HEATCAST_SOURCES_SOURCE_H
#define HEATCAST_SOURCES_SOURCE_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* Labels: what rows of open interest name as their source. They are in users' databases, and so
 * never change. */
#define SOURCE_ARCHIVE "binance"
#define SOURCE_SIMULATED "simulated"

struct source;

/* The contract of each function is that of source_<name>() below. */
struct source_type {
    enum status (*status)(struct source *source, uint64_t *failures, struct error *error);
    void (*stop)(struct source *source);
};

/* The part of a running source that all of them have. A source's own begins with it. */
struct source {
    const struct source_type *type;
};

/* STATUS_OK, or why the source stands still: how its last attempt to write ended. `failures` (may
 * be NULL) becomes the number of attempts that failed so far. Any thread, does not block; NULL is a
 * source that is well. */
static inline enum status source_status(struct source *source, uint64_t *failures,
                                        struct error *error)
{
    if (source != NULL)
        return source->type->status(source, failures, error);
    if (failures != NULL)
        *failures = 0;
    return STATUS_OK;
}

/* Ends its thread and frees it; returns when the thread is gone. NULL is harmless. */
static inline void source_stop(struct source *source)
{
    if (source != NULL)
        source->type->stop(source);
}

#endif
