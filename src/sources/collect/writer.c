/* The thread that writes what was collected.
 *
 *     put (any thread) -> waiting -> take -> batch -> written: freed
 *                            ^                 |
 *                            '---- put back ---' failed: tried again, later each time
 *
 * A transaction comes some seconds after its first row, so that the candles of fifty symbols, which
 * end in the same moment, make one. When more waits than one should hold (a back-fill, a file that
 * another program had for an hour), transactions follow each other with a pause in which other
 * programs can have the file. What is too old is removed in steps between them (retention.c).
 *
 * Threads: `mutex` guards all but what only the thread uses: the retention, the backoff, and rows
 * that are taken. It is held for moments only; writing is done without it. */
#include "sources/collect/writer.h"

#include "base/backoff.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "sources/collect/batch.h"
#include "sources/collect/retention.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MS_NS UINT64_C(1000000)

enum {
    ROWS_MAX = 4000,   /* of a transaction: a tenth of a second, mostly */
    PAUSE_MS = 250,    /* between transactions, in which others can have the file */
    RETRY_MIN_MS = 50, /* after one that failed */
    RETRY_MAX_MS = 5000,
    STOP_RETRY_MS = 100, /* while stopping */
    BUSY_LOG_MS = 10000, /* others have the file for moments; longer is worth a line */
};

struct writer {
    struct store *store;
    uint64_t write_ns;
    struct retention retention;
    struct backoff backoff;
    pthread_t thread;

    pthread_mutex_t mutex;
    pthread_cond_t wakeup;
    struct waiting waiting;
    void (*on_dropped)(const struct writer_dropped *dropped, void *context);
    void *dropped_context;
    int64_t taken_since_ms;    /* of rows that are being written; 0: none */
    uint64_t first_put_ns;     /* of rows that are not; 0: there are none */
    uint64_t last_end_ns;      /* of the last use of the file */
    uint64_t retry_ns;         /* not before that, after a failure; 0: there was none */
    uint64_t failing_since_ns; /* 0: it does not */
    struct log_pause fault_log, drop_log;
    bool is_fault_logged; /* the one that lasts */
    bool is_stopping;
    uint64_t stop_ns; /* then, the end of all tries */
    struct writer_status status;
};

/* -- putting ----------------------------------------------------------------------------------- */

/* Liquidations are lost. */
static void on_dropped(enum waiting_kind kind, const void *row, void *context)
{
    const struct writer *writer = context;
    const struct kline_row *kline = row;
    const struct labelled_interest *interest = row;
    struct writer_dropped dropped = {.is_candle = kind == WAITING_KLINES};
    if (writer->on_dropped == NULL || kind == WAITING_LIQUIDATIONS)
        return;
    dropped.symbol = dropped.is_candle ? kline->symbol : interest->row.symbol;
    dropped.time_ms = dropped.is_candle ? kline->candle.open_time_ms : interest->row.timestamp_ms;
    writer->on_dropped(&dropped, writer->dropped_context);
}

static void log_dropped(const uint64_t dropped[static WAITING_KINDS])
{
    log_warn("collected rows are dropped: COLLECT_MEMORY_MAX has no room for all that wait to be "
             "written",
             log_int("candles", (int64_t)dropped[WAITING_KLINES]),
             log_int("open_interest", (int64_t)dropped[WAITING_INTEREST]),
             log_int("liquidations", (int64_t)dropped[WAITING_LIQUIDATIONS]));
}

/* The machine's clock may be set while rows wait. */
static int64_t monotonic_ms(void)
{
    return (int64_t)(clock_monotonic_ns() / 1000000);
}

static void put(struct writer *writer, enum waiting_kind kind, const void *row)
{
    uint64_t dropped[WAITING_KINDS];
    pthread_mutex_lock(&writer->mutex);
    uint64_t now_ns = clock_monotonic_ns();
    bool is_first = writer->first_put_ns == 0;
    bool has_dropped = !waiting_put(&writer->waiting, kind, row, monotonic_ms());
    bool is_told = has_dropped && log_end_pause(&writer->drop_log);
    memcpy(dropped, writer->waiting.dropped, sizeof dropped);
    if (is_first)
        writer->first_put_ns = now_ns;
    if (is_first || waiting_count(&writer->waiting) == ROWS_MAX)
        pthread_cond_signal(&writer->wakeup);
    pthread_mutex_unlock(&writer->mutex);
    if (is_told)
        log_dropped(dropped);
}

void writer_put_kline(struct writer *writer, const struct kline_row *row)
{
    put(writer, WAITING_KLINES, row);
}

void writer_put_interest(struct writer *writer, const struct interest_row *row, const char *source)
{
    const struct labelled_interest interest = {*row, source};
    put(writer, WAITING_INTEREST, &interest);
}

void writer_put_liquidation(struct writer *writer, const struct liquidation_row *row)
{
    put(writer, WAITING_LIQUIDATIONS, row);
}

bool writer_is_full(struct writer *writer)
{
    pthread_mutex_lock(&writer->mutex);
    bool is_full = writer->waiting.bytes > writer->waiting.bytes_max / 2;
    pthread_mutex_unlock(&writer->mutex);
    return is_full;
}

void writer_status(struct writer *writer, struct writer_status *status)
{
    pthread_mutex_lock(&writer->mutex);
    const struct waiting *waiting = &writer->waiting;
    *status = writer->status;
    status->waiting_rows = waiting_count(waiting);
    status->waiting_bytes = waiting->bytes;
    int64_t since_ms =
        writer->taken_since_ms != 0 ? writer->taken_since_ms : waiting_since_ms(waiting);
    status->waiting_ms = since_ms != 0 ? monotonic_ms() - since_ms : 0;
    status->dropped_klines = waiting->dropped[WAITING_KLINES];
    status->dropped_interest = waiting->dropped[WAITING_INTEREST];
    status->dropped_liquidations = waiting->dropped[WAITING_LIQUIDATIONS];
    pthread_mutex_unlock(&writer->mutex);
}

/* -- writing ----------------------------------------------------------------------------------- */

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* When the rows that wait are to be written. With the mutex held, as below. */
static uint64_t write_due_ns(const struct writer *writer)
{
    size_t count = waiting_count(&writer->waiting);
    if (count == 0)
        return UINT64_MAX;
    if (writer->retry_ns != 0)
        return writer->retry_ns;
    if (writer->is_stopping)
        return 0;
    if (count >= ROWS_MAX)
        return writer->last_end_ns + PAUSE_MS * MS_NS;
    return later(writer->first_put_ns, writer->last_end_ns) + writer->write_ns;
}

static uint64_t prune_due_ns(const struct writer *writer)
{
    uint64_t due_ns = retention_due_ns(&writer->retention);
    if (writer->is_stopping || due_ns == UINT64_MAX)
        return UINT64_MAX;
    return later(later(due_ns, writer->retry_ns), writer->last_end_ns + PAUSE_MS * MS_NS);
}

/* How a use of the file has ended. */
static void note_end(struct writer *writer, const struct error *fault)
{
    uint64_t now_ns = clock_monotonic_ns();
    writer->last_end_ns = now_ns;
    writer->status.fault = *fault;
    if (fault->status == STATUS_OK) {
        if (writer->is_fault_logged)
            log_info("what was collected is written again",
                     log_real("after_seconds", (double)(now_ns - writer->failing_since_ns) / 1e9),
                     log_int("rows_waiting", (int64_t)waiting_count(&writer->waiting)));
        writer->is_fault_logged = false;
        writer->failing_since_ns = writer->retry_ns = 0;
        backoff_reset(&writer->backoff);
        return;
    }
    writer->status.failures++;
    if (writer->failing_since_ns == 0)
        writer->failing_since_ns = now_ns;
    uint64_t wait_ms = writer->is_stopping ? STOP_RETRY_MS : backoff_next_ms(&writer->backoff);
    writer->retry_ns = now_ns + wait_ms * MS_NS;
    bool is_short =
        fault->status == STATUS_BUSY && now_ns - writer->failing_since_ns < BUSY_LOG_MS * MS_NS;
    if (!writer->is_fault_logged && !is_short && log_end_pause(&writer->fault_log)) {
        writer->is_fault_logged = true;
        log_warn("what was collected cannot be written; it waits in memory and is tried again",
                 log_text("reason", fault->message),
                 log_int("rows_waiting", (int64_t)waiting_count(&writer->waiting)));
    }
}

/* Frees what is written and puts the rest back. */
static void give_back(struct writer *writer, const struct batch_result *result,
                      struct list taken[static WAITING_KINDS])
{
    for (enum waiting_kind kind = 0; kind < WAITING_KINDS; kind++) {
        if (result->is_written[kind])
            waiting_free(&writer->waiting, kind, &taken[kind]);
        else
            waiting_put_back(&writer->waiting, kind, &taken[kind]);
    }
    writer->status.written_klines += result->new_rows[WAITING_KLINES];
    writer->status.written_interest += result->new_rows[WAITING_INTEREST];
    writer->status.written_liquidations += result->new_rows[WAITING_LIQUIDATIONS];
    writer->status.refused_rows += result->refused_rows;
    writer->status.held_seconds += (double)result->held_ns / 1e9;
    writer->taken_since_ms = 0;
    if (waiting_count(&writer->waiting) > 0 && writer->first_put_ns == 0)
        writer->first_put_ns = clock_monotonic_ns();
}

static void write_batch(struct writer *writer)
{
    struct list taken[WAITING_KINDS];
    struct batch_result result;
    struct error fault = {0};
    writer->taken_since_ms = waiting_since_ms(&writer->waiting);
    waiting_take(&writer->waiting, ROWS_MAX, taken);
    writer->first_put_ns = 0;
    pthread_mutex_unlock(&writer->mutex);
    fault.status = batch_write(writer->store, taken, &result, &fault);
    pthread_mutex_lock(&writer->mutex);
    give_back(writer, &result, taken);
    writer->status.writes += fault.status == STATUS_OK;
    note_end(writer, &fault);
}

static void prune(struct writer *writer)
{
    struct error fault = {0};
    uint64_t removed = 0;
    pthread_mutex_unlock(&writer->mutex);
    uint64_t start_ns = clock_monotonic_ns();
    fault.status = retention_step(&writer->retention, writer->store, &removed, &fault);
    uint64_t end_ns = clock_monotonic_ns();
    pthread_mutex_lock(&writer->mutex);
    writer->status.removed_rows += removed;
    if (fault.status == STATUS_OK)
        writer->status.held_seconds += (double)(end_ns - start_ns) / 1e9;
    note_end(writer, &fault);
}

static bool is_over(const struct writer *writer)
{
    return writer->is_stopping &&
           (waiting_count(&writer->waiting) == 0 || clock_monotonic_ns() >= writer->stop_ns);
}

static void sleep_until(struct writer *writer, uint64_t until_ns)
{
    if (until_ns == UINT64_MAX) {
        pthread_cond_wait(&writer->wakeup, &writer->mutex);
        return;
    }
    const struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000),
                                   .tv_nsec = (long)(until_ns % 1000000000)};
    pthread_cond_timedwait(&writer->wakeup, &writer->mutex, &until);
}

static void *run(void *argument)
{
    struct writer *writer = argument;
    pthread_mutex_lock(&writer->mutex);
    while (!is_over(writer)) {
        uint64_t now_ns = clock_monotonic_ns();
        uint64_t write_ns = write_due_ns(writer), prune_ns = prune_due_ns(writer);
        if (write_ns <= now_ns)
            write_batch(writer);
        else if (prune_ns <= now_ns)
            prune(writer);
        else
            sleep_until(writer, write_ns < prune_ns ? write_ns : prune_ns);
    }
    pthread_mutex_unlock(&writer->mutex);
    return NULL;
}

/* -- life -------------------------------------------------------------------------------------- */

struct writer *writer_start(const struct writer_options *options)
{
    struct writer *writer = memory_allocate_zeroed(1, sizeof *writer);
    pthread_condattr_t attributes;
    writer->store = options->store;
    writer->write_ns = (uint64_t)(options->write_seconds * 1e9);
    writer->retention = (struct retention){.keep_candles_ms = options->keep_candles_ms,
                                           .keep_liquidations_ms = options->keep_liquidations_ms,
                                           .symbols = options->symbols,
                                           .symbol_count = options->symbol_count};
    backoff_init(&writer->backoff, RETRY_MIN_MS, RETRY_MAX_MS, random_seeded_by_system());
    waiting_init(&writer->waiting, options->waiting_bytes_max);
    writer->waiting.on_dropped = on_dropped;
    writer->waiting.context = writer;
    writer->on_dropped = options->on_dropped;
    writer->dropped_context = options->context;
    check(pthread_mutex_init(&writer->mutex, NULL) == 0);
    check(pthread_condattr_init(&attributes) == 0);
    check(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    check(pthread_cond_init(&writer->wakeup, &attributes) == 0);
    pthread_condattr_destroy(&attributes);
    check(pthread_create(&writer->thread, NULL, run, writer) == 0);
    return writer;
}

/* After the end of the thread. */
static enum status tell_lost(const struct writer *writer, struct error *error)
{
    const struct waiting *left = &writer->waiting;
    const struct error *fault = &writer->status.fault;
    if (waiting_count(left) == 0)
        return STATUS_OK;
    const size_t *counts = left->row_counts;
    log_error("collected rows could not be written before the end, and are lost",
              log_text("reason", fault->message),
              log_int("candles", (int64_t)counts[WAITING_KLINES]),
              log_int("open_interest", (int64_t)counts[WAITING_INTEREST]),
              log_int("liquidations", (int64_t)counts[WAITING_LIQUIDATIONS]));
    return error_set(error, STATUS_IO,
                     "%zu liquidations, %zu candles and %zu rows of open interest could not be "
                     "written before the end, and are lost: %s",
                     counts[WAITING_LIQUIDATIONS], counts[WAITING_KLINES], counts[WAITING_INTEREST],
                     fault->message[0] != '\0' ? fault->message
                                               : "there was no time for all of them");
}

enum status writer_stop(struct writer *writer, uint64_t timeout_ms, struct error *error)
{
    if (writer == NULL)
        return STATUS_OK;
    pthread_mutex_lock(&writer->mutex);
    writer->is_stopping = true;
    writer->stop_ns = clock_monotonic_ns() + timeout_ms * MS_NS;
    writer->retry_ns = 0; /* one more try in any case */
    pthread_cond_signal(&writer->wakeup);
    pthread_mutex_unlock(&writer->mutex);
    pthread_join(writer->thread, NULL);

    enum status status = tell_lost(writer, error);
    waiting_deinit(&writer->waiting);
    pthread_cond_destroy(&writer->wakeup);
    pthread_mutex_destroy(&writer->mutex);
    free(writer);
    return status;
}
