/* Rows on their way into the database: what is collected is put here, and a thread writes it in
 * short transactions, so that no process is kept from the file for long.
 *
 * Rows wait in memory, at most `waiting_bytes_max` of them (waiting.h says which are dropped over
 * that). What cannot be written (another process has the file, a full disk, a fault) is kept and
 * tried again, and said once in the log. A row that the tables cannot hold is dropped alone, and
 * named.
 *
 * All rows are idempotent. A candle or open interest of a moment that is stored already replaces
 * it; a liquidation that is stored (exchange, symbol, time, id) stays as it is.
 *
 * The same thread removes what is older than is to be kept, in small steps between the writes: rows
 * of the symbols that are named, whoever wrote them, and no others.
 *
 * Threads: any thread may call any function but writer_start() and writer_stop(), which one thread
 * calls; only writer_stop() blocks. */
#ifndef HEATCAST_SOURCES_COLLECT_WRITER_H
#define HEATCAST_SOURCES_COLLECT_WRITER_H

#include "store/store.h"

struct writer;

/* A row that can be fetched again. */
struct writer_dropped {
    bool is_candle; /* else it is open interest */
    const char *symbol;
    int64_t time_ms;
};

struct writer_options {
    struct store *store;      /* of either mode; outlives the writer */
    double write_seconds;     /* from the first row that waits to its transaction */
    size_t waiting_bytes_max; /* of rows that wait; at least 1 MB */
    /* What is removed; 0 keeps all. The age is counted from the newest candle of these symbols, and
     * from now where that is earlier: nothing is removed where nothing new comes. */
    int64_t keep_candles_ms, keep_liquidations_ms;
    const char *const *symbols; /* outlive the writer */
    size_t symbol_count;
    /* A candle or open interest was dropped for want of room, and will not be written. Called on
     * the thread that puts a row, within that call, and must not call the writer. May be NULL. */
    void (*on_dropped)(const struct writer_dropped *dropped, void *context);
    void *context;
};

/* What is counted is counted since the start. */
struct writer_status {
    uint64_t waiting_rows, waiting_bytes; /* those that are being written as well */
    int64_t waiting_ms;                   /* since the oldest of them was put */
    uint64_t written_klines, written_interest,
        written_liquidations; /* that were not there before */
    uint64_t dropped_klines, dropped_interest, dropped_liquidations; /* for want of room */
    uint64_t refused_rows; /* that the tables cannot hold */
    uint64_t removed_rows; /* that were too old */
    uint64_t writes;       /* that succeeded */
    double held_seconds;   /* that the file was held, for all that was done to it */
    uint64_t failures;     /* writes that failed */
    struct error fault;    /* of the last write; STATUS_OK: it succeeded */
};

struct writer *writer_start(const struct writer_options *options);

void writer_put_kline(struct writer *writer, const struct kline_row *row);

/* `source` is what the row names as its source, the exchange's name: a constant. */
void writer_put_interest(struct writer *writer, const struct interest_row *row, const char *source);
void writer_put_liquidation(struct writer *writer, const struct liquidation_row *row);

/* Whether half of the room is taken: what need not come now, such as a back-fill, should wait. */
bool writer_is_full(struct writer *writer);

void writer_status(struct writer *writer, struct writer_status *status);

/* Writes what waits, tries again for at most `timeout_ms` where that fails, then ends the thread
 * and frees the writer. STATUS_OK: all of it is written. Otherwise the message and the log say how
 * many rows of what are lost, and why. A write that is under way is not cut off. NULL is harmless.
 */
enum status writer_stop(struct writer *writer, uint64_t timeout_ms, struct error *error);

#endif
