/* Brings followers up to date with the database: asks for the digests of their windows, and reads
 * the blocks that have changed. For all of them in a few queries, unless one fails: then each by
 * itself, so that what is wrong with one symbol's rows leaves the others alone.
 *
 * Belongs to one thread. */
#ifndef HEATCAST_ENGINE_REFRESH_H
#define HEATCAST_ENGINE_REFRESH_H

#include "base/buffer.h"
#include "engine/follower.h"

/* One follower, what is taken for the database's newest candle of it, and what came of it. */
struct refresh_item {
    size_t index; /* the caller's */
    struct follower *follower;
    bool has_newest;
    int64_t newest_ms;

    struct error outcome; /* STATUS_OK: it is loaded, or not regular */
    bool is_due;          /* it has blocks that may have to be read; what follows is of these */
    bool has_seen;        /* there are digests of candles; the newest is of `seen_ms` */
    bool is_astray;       /* which are not those that `newest_ms` promised; */
    bool was_astray;      /*  not for the first time */
    bool is_read;         /* a query that is under way has given a row of it */
    bool is_off_mark;     /* some candle is on no mark of five minutes */
    int64_t seen_ms;
};

/* Memory that is used again. */
struct refresh {
    bool has_told_values; /* that some open interest has no contracts */
    struct slots rows;
    struct buffer names;
    size_t due_count, due_capacity;
    struct refresh_due *due;
};

/* `= {0}` ... refresh_deinit(). Returns STATUS_OK, with the outcome of each in its item, or
 * STATUS_CANCELLED; then all are unloaded. The items change places. */
enum status refresh_run(struct refresh *refresh, struct store_session *session,
                        struct refresh_item *items, size_t count, struct error *error);
void refresh_deinit(struct refresh *refresh);

#endif
