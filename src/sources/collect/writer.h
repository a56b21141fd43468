/* Rows on their way into the database: what is collected is put here, and a thread writes it in
 * short transactions, so that no process holds the file for long.
 *
 * Rows wait in memory, at most `waiting_bytes_max` of them. Over that, the oldest candles and open
 * interest are dropped first, which can be fetched again; liquidations, which cannot, only when
 * nothing else is left. What cannot be written (another process has the file, a full disk, a fault)
 * is kept and tried again, and said once in the log.
 *
 * All rows are idempotent. A candle or open interest of a moment that is stored already replaces
 * it; a liquidation that is stored (exchange, symbol, time, id) stays as it is.
 *
 * Threads: any thread may call any function but the one that stops it, which alone may block. */
#ifndef HEATCAST_SOURCES_COLLECT_WRITER_H
#define HEATCAST_SOURCES_COLLECT_WRITER_H

#include "store/store.h"

struct writer;

struct writer_options {
    struct store *store;      /* of either mode; outlives the writer */
    double write_seconds;     /* between transactions; sooner when much waits */
    size_t waiting_bytes_max; /* of rows that wait */
};

struct writer_status {
    uint64_t waiting_rows, waiting_bytes;
    int64_t waiting_since_ms; /* wall clock, when the oldest of them was put; 0: nothing waits */
    /* Since the start. */
    uint64_t written_klines, written_interest, written_liquidations; /* those that were new */
    uint64_t dropped_klines, dropped_interest, dropped_liquidations;
    uint64_t failures;  /* attempts to write */
    struct error fault; /* of the last attempt; STATUS_OK: it succeeded */
};

/* The functions, which follow with their definitions:
 *
 *     struct writer *writer_start(const struct writer_options *options);
 *     void writer_put_kline(struct writer *writer, const struct kline_row *row);
 *     void writer_put_interest(struct writer *writer, const struct interest_row *row,
 *                              const char *source);       the exchange's name
 *     void writer_put_liquidation(struct writer *writer, const struct liquidation_row *row);
 *     bool writer_is_full(const struct writer *writer);   half of the room is taken: back-filling
 *                                                         should pause
 *     void writer_status(struct writer *writer, struct writer_status *status);
 *     void writer_stop(struct writer *writer, uint64_t timeout_ms);
 *                                     writes what waits, for at most that long, and frees it */

#endif
