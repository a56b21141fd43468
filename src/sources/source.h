/* What a source is: something that fills a store with candles and open interest, on a thread of its
 * own.
 *
 * Some follow a market until they are stopped: the simulated market of `serve --demo`, and the
 * collector of `--collect`. Others end by themselves, when all that they were asked for is in the
 * store: files of the archive that are imported (archive/importing.h) or fetched (archive/fetch.h).
 * Each is started by a function of its own, since each needs other settings and tells of other
 * things, and from then on it is a `struct source`, whoever runs it.
 *
 * A source writes to a store that outlives it, under a label of its own. */
#ifndef HEATCAST_SOURCES_SOURCE_H
#define HEATCAST_SOURCES_SOURCE_H

#include "base/error.h"
#include "config/value.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Labels: what rows of open interest name as their source. They are in users' databases, and so
 * never change. */
#define SOURCE_ARCHIVE "binance"
#define SOURCE_SIMULATED "simulated"
#define SOURCE_SUM "all" /* added up over exchanges; a single one's rows bear its name */

struct source;

/* What a symbol has on an exchange. */
enum source_stream { SOURCE_CANDLES, SOURCE_INTEREST, SOURCE_LIQUIDATIONS, SOURCE_STREAM_COUNT };

/* How a stream is doing; up to SOURCE_FILLING it is well. */
enum source_state {
    SOURCE_LIVE,     /* it comes by itself, as it happens */
    SOURCE_POLLED,   /* it is asked for */
    SOURCE_STARTING, /* it has just begun */
    SOURCE_FILLING,  /* rows of the past are missing, and fetched; that does not fail */
    SOURCE_FAILING,  /* `fault` says why */
    SOURCE_REFUSED,  /* the exchange does not accept its subscription; `fault` has its words */
    SOURCE_BLOCKED,  /* the exchange does not serve this network */
    SOURCE_UNKNOWN,  /* the exchange does not have the symbol */
    SOURCE_FOREIGN,  /* the database has candles of another market as the symbol's */
    SOURCE_STATE_COUNT
};

enum { SOURCE_FAULT_SIZE = 320 };

/* One stream as it stands. */
struct source_reading {
    size_t symbol_index;
    const char *exchange; /* constant */
    enum source_stream stream;
    enum source_state state;
    int64_t newest_ms; /* time of the newest final row, UTC; 0: there was none */
    int64_t age_ms;    /* how old that is by the exchange's clock; -1: there was none */
    uint64_t taken, refused, missing; /* rows since the start; that are to be fetched */
    int64_t next_try_ms;              /* from now; 0: at once, or nothing failed */
    char fault[SOURCE_FAULT_SIZE];    /* the last refusal or failure; "": none since all was well */
};

/* What a source has not written yet, or could not. */
struct source_backlog {
    uint64_t waiting_rows, waiting_bytes, lost_rows;
    int64_t waiting_ms; /* since the oldest of them came */
    struct error fault; /* of the last attempt to write; STATUS_OK: it succeeded */
};

/* The contract of each function is that of source_<name>() below. */
struct source_type {
    enum status (*status)(struct source *source, uint64_t *failures, struct error *error);
    size_t (*read)(struct source *source, struct source_reading *readings, size_t count_max);
    void (*read_backlog)(struct source *source, struct source_backlog *backlog);
    bool (*wait)(struct source *source, uint64_t timeout_ms);
    enum status (*stop)(struct source *source, struct error *error);
};

/* The part of a source that all of them have. A source's own begins with it. */
struct source {
    const struct source_type *type;
};

/* STATUS_OK, or why the source stands still: how its last attempt to write ended, or it all.
 * `failures` (may be NULL) becomes the number of attempts that failed so far. Any thread, does not
 * block; NULL is a source that is well. */
static inline enum status source_status(struct source *source, uint64_t *failures,
                                        struct error *error)
{
    if (source != NULL)
        return source->type->status(source, failures, error);
    if (failures != NULL)
        *failures = 0;
    return STATUS_OK;
}

/* How each stream stands: fills at most `count_max` and returns how many there are; 0 for a source
 * that has no exchanges. Any thread, does not block. */
static inline size_t source_read(struct source *source, struct source_reading *readings,
                                 size_t count_max)
{
    return source != NULL && source->type->read != NULL
               ? source->type->read(source, readings, count_max)
               : 0;
}

/* False if the source writes as it goes. Any thread, does not block. */
static inline bool source_read_backlog(struct source *source, struct source_backlog *backlog)
{
    if (source == NULL || source->type->read_backlog == NULL)
        return false;
    source->type->read_backlog(source, backlog);
    return true;
}

/* Waits at most so long, and returns whether the source has ended by itself; false at once for one
 * that never does. Any thread. */
static inline bool source_wait(struct source *source, uint64_t timeout_ms)
{
    return source->type->wait != NULL && source->type->wait(source, timeout_ms);
}

/* Ends its thread and frees it; returns when the thread is gone. STATUS_OK: all that it had, or was
 * asked for, is in the store. Otherwise what is not, and why; STATUS_CANCELLED: it was stopped
 * before its end, and the same again continues. NULL is harmless. */
static inline enum status source_stop(struct source *source, struct error *error)
{
    return source != NULL ? source->type->stop(source, error) : STATUS_OK;
}

#endif
