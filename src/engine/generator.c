/* The loop that turns database content into snapshots, on a thread that may block.
 *
 *     wait -> version (stat) -> [changed] session -> per symbol: query, compute, hash -> publish
 *
 * It must never end and must not flood the log. What costs is done only where something can have
 * changed: a file whose version is the one that a symbol was computed from is not even opened, and
 * a symbol whose hash is the last one is not published again. The version is read before the data,
 * so that a change in between is found at the next tick, never missed. One session serves all
 * symbols of a tick; a symbol whose query fails leaves the others their turn, keeps its last
 * snapshot, and is tried again at each tick, wanted or not, since many causes pass (too many open
 * files, a file that is restored), and generator_check() is to report that they have.
 *
 * A file that is not what it was when the session began was changed past all locks. What was read
 * may be of two files, so it is thrown away, and read again in the next tick.
 *
 * Memory that every tick needs (the series, the book, the text) is kept from one to the next: half
 * of what a week costs to compute in new memory is to get that memory.
 *
 * Threads: the state of the symbols belongs to the generator's thread. `mutex` guards what others
 * touch: the wake flags, the stop flag, the statistics, the last fault and the session pointer,
 * which generator_stop() needs to interrupt a query. Callbacks run without it. */
#include "engine/generator.h"

#include "base/buffer.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "model/snapshot_text.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND_NS UINT64_C(1000000000)
#define LOG_PAUSE_NS (60 * SECOND_NS) /* between two logged failures of a symbol */

/* What is known of one symbol. */
struct known_symbol {
    struct buffer text; /* of the message, until it is published */

    bool is_computed; /* `version` and `status` are of a completed computation */
    uint64_t version;
    enum status status; /* STATUS_OK or STATUS_NO_DATA; if it has failed, why */
    char message[ERROR_MESSAGE_MAX];
    bool has_failed; /* at its last tick, though the database could be opened */

    bool is_published;  /* under the present epoch */
    uint64_t hash, seq; /* of the last snapshot published */

    char logged_message[ERROR_MESSAGE_MAX];
    uint64_t logged_ns;
};

/* What a tick has made and found out, and has not reported yet. */
struct batch {
    uint64_t since_ns; /* when the first of it was added */
    size_t published_count, checked_count;
    struct publication published[SYMBOLS_MAX];
    size_t checked[SYMBOLS_MAX]; /* symbols; their outcome is in their state */
};

struct generator {
    struct generator_options options; /* its lists are those below */
    struct symbol_list symbols;
    struct bucket_map buckets;
    uint64_t epoch; /* 0: it rests */
    uint64_t interval_ns;
    pthread_t thread;

    pthread_mutex_t mutex;
    pthread_cond_t wakeup;
    bool is_stopping;
    bool is_woken; /* some flag below is set */
    bool woken[SYMBOLS_MAX];
    uint64_t wanted_epoch; /* what generator_lead() has asked for */
    struct {
        uint64_t epoch, seq;
    } used[SYMBOLS_MAX];           /* numbers that others have used */
    struct store_session *session; /* while a tick has one */
    struct generator_stats stats;
    struct error fault; /* the last tick's */

    bool has_tried;       /* to open the database, since the start */
    enum status database; /* why the last tick could not use it; STATUS_OK */
    unsigned logged;      /* what was logged since it last could; a bit for each fault */
    struct known_symbol states[SYMBOLS_MAX];
    struct batch batch;
    struct series series; /* this and what follows: of the symbol being computed */
    struct book *book;
    struct snapshot snapshot;
    struct buffer data;
};

static double milliseconds(uint64_t ns)
{
    return (double)ns / 1e6;
}

/* -- outcomes ---------------------------------------------------------------------------------- */

#define count_stat(generator, field, amount)                                                       \
    do {                                                                                           \
        pthread_mutex_lock(&(generator)->mutex);                                                   \
        (generator)->stats.field += (amount);                                                      \
        pthread_mutex_unlock(&(generator)->mutex);                                                 \
    } while (0)

static bool is_stopping(struct generator *generator)
{
    pthread_mutex_lock(&generator->mutex);
    bool is_stopping = generator->is_stopping;
    pthread_mutex_unlock(&generator->mutex);
    return is_stopping;
}

static void report(struct generator *generator, size_t index, enum status status,
                   const char *message)
{
    generator->options.on_checked(index, status, status == STATUS_OK ? NULL : message,
                                  generator->options.context);
}

/* A failure that another symbol has logged, for the same cause, is not logged again. */
static bool is_logged(const struct generator *generator, const char *message)
{
    for (size_t i = 0; i < generator->symbols.count; i++)
        if (strcmp(generator->states[i].logged_message, message) == 0)
            return true;
    return false;
}

/* Logs a failure once, until the symbol can be computed again; if the reason changes, not at every
 * tick. */
static void report_failure(struct generator *generator, size_t index, const struct error *error)
{
    struct known_symbol *state = &generator->states[index];
    uint64_t now_ns = clock_monotonic_ns();
    bool is_pausing = state->logged_message[0] != '\0' && now_ns - state->logged_ns < LOG_PAUSE_NS;
    if (!is_pausing && !is_logged(generator, error->message)) {
        log_warn("symbol skipped", log_text("symbol", generator->symbols.names[index]),
                 log_text("reason", error->message));
        memcpy(state->logged_message, error->message, sizeof state->logged_message);
        state->logged_ns = now_ns;
    }
    state->is_computed = false;
    state->has_failed = true;
    state->status = error->status;
    memcpy(state->message, error->message, sizeof state->message);
    count_stat(generator, failures, 1);
    report(generator, index, error->status, error->message);
}

static enum generator_fault fault_of(enum status status)
{
    return status == STATUS_NOT_FOUND ? GENERATOR_FAULT_MISSING
           : status == STATUS_BUSY    ? GENERATOR_FAULT_LOCKED
                                      : GENERATOR_FAULT_UNREADABLE;
}

/* Logs when the database becomes unusable, and when it is back, and nothing in between. */
static void note_database(struct generator *generator, const struct error *fault)
{
    const char *path = store_path(generator->options.store);
    generator->database = fault->status;
    if (fault->status == STATUS_OK) {
        if (generator->logged != 0)
            log_info("the database can be read again", log_text("path", path));
        generator->logged = 0;
        return;
    }
    unsigned bit = 1U << fault_of(fault->status);
    if ((generator->logged & bit) == 0)
        log_warn("the database cannot be read, updates wait", log_text("reason", fault->message));
    generator->logged |= bit;
}

/* What generator_check() returns from now on: the database's fault, or that of a symbol. */
static void note_fault(struct generator *generator, struct error *fault)
{
    for (size_t i = 0; i < generator->symbols.count; i++) {
        const struct known_symbol *state = &generator->states[i];
        if (fault->status == STATUS_OK && state->has_failed)
            error_set(fault, state->status, "%s: %s", generator->symbols.names[i], state->message);
    }
    pthread_mutex_lock(&generator->mutex);
    generator->fault = *fault;
    if (fault->status != STATUS_OK)
        generator->stats.faults[fault_of(fault->status)]++;
    pthread_mutex_unlock(&generator->mutex);
}

/* -- one symbol -------------------------------------------------------------------------------- */

static enum status load_window(struct generator *generator, struct store_session *session,
                               const char *symbol, struct error *error)
{
    int64_t newest_ms;
    enum status status = store_newest(session, symbol, &newest_ms, error);
    if (status != STATUS_OK)
        return status;
    status = store_load(session, symbol, newest_ms - generator->options.lookback_ms, newest_ms,
                        CANDLE_MS, &generator->series, error);
    if (status == STATUS_OK && generator->series.count == 0)
        return error_set(error, STATUS_NO_DATA, "no usable candles of %s", symbol);
    return status;
}

/* The number after the last one, its own or another's. */
static uint64_t next_seq(struct generator *generator, size_t index)
{
    struct known_symbol *state = &generator->states[index];
    pthread_mutex_lock(&generator->mutex);
    if (generator->used[index].epoch == generator->epoch && generator->used[index].seq > state->seq)
        state->seq = generator->used[index].seq;
    pthread_mutex_unlock(&generator->mutex);
    return ++state->seq;
}

/* Adds the snapshot to the batch if a client could tell it from the one before. False if not. */
static bool add_publication(struct generator *generator, size_t index)
{
    struct known_symbol *state = &generator->states[index];
    struct batch *batch = &generator->batch;
    const struct buffer *data = &generator->data;
    uint64_t hash = publication_hash(generator->snapshot.timestamp_ms, data->data, data->size);
    if (state->is_published && state->hash == hash)
        return false;
    state->is_published = true;
    state->hash = hash;
    uint64_t seq = next_seq(generator, index);
    buffer_clear(&state->text);
    snapshot_text_append_message(&state->text, &generator->snapshot, generator->epoch, seq,
                                 data->data, data->size);
    batch->published[batch->published_count++] = (struct publication){
        .symbol_index = index,
        .timestamp_ms = generator->snapshot.timestamp_ms,
        .epoch = generator->epoch,
        .seq = seq,
        .hash = hash,
        .text = state->text.data,
        .text_size = state->text.size,
    };
    count_stat(generator, snapshots, 1);
    return true;
}

/* Publishes the batch, and then reports the outcome of its symbols: a client that waits for one
 * finds its snapshot there. */
static void end_batch(struct generator *generator)
{
    struct batch *batch = &generator->batch;
    if (batch->published_count > 0)
        generator->options.on_published(batch->published, batch->published_count,
                                        generator->options.context);
    for (size_t i = 0; i < batch->checked_count; i++) {
        const struct known_symbol *state = &generator->states[batch->checked[i]];
        report(generator, batch->checked[i], state->status, state->message);
    }
    batch->published_count = batch->checked_count = 0;
}

static void add_checked(struct generator *generator, size_t index)
{
    struct batch *batch = &generator->batch;
    if (batch->checked_count == 0)
        batch->since_ns = clock_monotonic_ns();
    batch->checked[batch->checked_count++] = index;
}

static void log_computed(const struct generator *generator, uint64_t query_ns, uint64_t compute_ns,
                         bool is_news)
{
    log_debug("symbol computed", log_text("symbol", generator->snapshot.symbol),
              log_int("candles", (int64_t)generator->series.count),
              log_int("levels", (int64_t)generator->snapshot.levels.count),
              log_real("query_ms", milliseconds(query_ns)),
              log_real("compute_ms", milliseconds(compute_ns)),
              log_text("published", is_news ? "yes" : "no"));
}

static enum status compute_symbol(struct generator *generator, struct store_session *session,
                                  size_t index, struct error *error)
{
    const struct generator_options *options = &generator->options;
    const char *symbol = generator->symbols.names[index];
    uint64_t start_ns = clock_monotonic_ns();
    enum status status = load_window(generator, session, symbol, error);
    if (!store_is_current(session))
        return error_set(error, STATUS_BUSY, "%s was changed while it was read",
                         store_path(options->store));
    if (status != STATUS_OK)
        return status;
    uint64_t loaded_ns = clock_monotonic_ns();
    status = snapshot_compute(&generator->snapshot, generator->book, symbol, &generator->series,
                              bucket_map_find(&generator->buckets, symbol), error);
    if (status != STATUS_OK)
        return status;
    buffer_clear(&generator->data);
    snapshot_text_append_data(&generator->data, &generator->snapshot);
    uint64_t computed_ns = clock_monotonic_ns();

    pthread_mutex_lock(&generator->mutex);
    generator->stats.query_ns_sum += loaded_ns - start_ns;
    generator->stats.compute_ns_sum += computed_ns - loaded_ns;
    generator->stats.computed++;
    pthread_mutex_unlock(&generator->mutex);
    if (options->on_computed != NULL)
        options->on_computed(index, loaded_ns - start_ns, computed_ns - loaded_ns,
                             options->context);
    bool is_news = add_publication(generator, index);
    log_computed(generator, loaded_ns - start_ns, computed_ns - loaded_ns, is_news);
    return STATUS_OK;
}

static void check_symbol(struct generator *generator, struct store_session *session, size_t index,
                         uint64_t version)
{
    struct known_symbol *state = &generator->states[index];
    struct error error = {0};
    enum status status = compute_symbol(generator, session, index, &error);
    if (status == STATUS_CANCELLED)
        return;
    if (status == STATUS_BUSY) {
        state->is_computed = false;
        count_stat(generator, skipped[GENERATOR_SKIP_REPLACED], 1);
        report(generator, index, status, error.message);
        return;
    }
    if (status != STATUS_OK && status != STATUS_NO_DATA) {
        report_failure(generator, index, &error);
        return;
    }
    state->is_computed = true;
    state->has_failed = false;
    state->version = version;
    state->status = status;
    memcpy(state->message, error.message, sizeof state->message);
    if (state->logged_message[0] != '\0')
        log_info("symbol recovered", log_text("symbol", generator->symbols.names[index]));
    state->logged_message[0] = '\0';
    add_checked(generator, index);
}

/* -- one tick ---------------------------------------------------------------------------------- */

/* The symbols of one tick. */
struct selection {
    size_t count;
    size_t indexes[SYMBOLS_MAX];
};

static void fail_all(struct generator *generator, const struct selection *selection,
                     const struct error *error)
{
    count_stat(generator, failures, selection->count);
    for (size_t i = 0; i < selection->count; i++)
        report(generator, selection->indexes[i], error->status, error->message);
}

static void skip_locked(struct generator *generator, const struct selection *selection,
                        const struct error *error)
{
    count_stat(generator, skipped[GENERATOR_SKIP_LOCKED], selection->count);
    for (size_t i = 0; i < selection->count; i++)
        report(generator, selection->indexes[i], STATUS_BUSY, error->message);
}

/* Leaves those in the selection that were not computed from this version yet. */
static void skip_unchanged(struct generator *generator, struct selection *selection,
                           uint64_t version)
{
    size_t kept = 0;
    for (size_t i = 0; i < selection->count; i++) {
        size_t index = selection->indexes[i];
        const struct known_symbol *state = &generator->states[index];
        if (!state->is_computed || state->version != version) {
            selection->indexes[kept++] = index;
            continue;
        }
        count_stat(generator, skipped[GENERATOR_SKIP_UNCHANGED], 1);
        report(generator, index, state->status, state->message);
    }
    selection->count = kept;
}

static void set_session(struct generator *generator, struct store_session *session)
{
    pthread_mutex_lock(&generator->mutex);
    generator->session = session;
    pthread_mutex_unlock(&generator->mutex);
}

/* Opens the database if something may have changed in it, or to find out whether it is back. */
static enum status open_changed(struct generator *generator, struct selection *selection,
                                uint64_t *version, struct store_session **session,
                                struct error *fault)
{
    uint64_t start_ns = clock_monotonic_ns();
    *session = NULL;
    enum status status = store_version(generator->options.store, version, fault);
    if (status != STATUS_OK)
        return status;
    skip_unchanged(generator, selection, *version);
    if (selection->count == 0 && generator->has_tried && generator->database == STATUS_OK)
        return STATUS_OK;
    status = store_begin(generator->options.store, session, fault);
    if (status == STATUS_OK)
        count_stat(generator, query_ns_sum, clock_monotonic_ns() - start_ns);
    return status;
}

static void check_symbols(struct generator *generator, struct store_session *session,
                          const struct selection *selection, uint64_t version)
{
    const uint64_t batch_ns = GENERATOR_BATCH_MS * (SECOND_NS / 1000);
    for (size_t i = 0; i < selection->count && !is_stopping(generator); i++) {
        check_symbol(generator, session, selection->indexes[i], version);
        if (clock_monotonic_ns() - generator->batch.since_ns > batch_ns)
            end_batch(generator);
    }
    end_batch(generator);
}

static void tick(struct generator *generator, struct selection *selection)
{
    struct store_session *session;
    struct error fault = {0};
    uint64_t version, start_ns = clock_monotonic_ns();
    const size_t selected = selection->count;
    count_stat(generator, ticks, selected);
    fault.status = open_changed(generator, selection, &version, &session, &fault);
    generator->has_tried = true;
    note_database(generator, &fault);
    if (fault.status == STATUS_BUSY)
        skip_locked(generator, selection, &fault);
    else if (fault.status != STATUS_OK)
        fail_all(generator, selection, &fault);
    if (session != NULL) {
        set_session(generator, session);
        check_symbols(generator, session, selection, version);
        set_session(generator, NULL);
        store_end(session);
    }
    log_debug("tick", log_int("symbols", (int64_t)selected),
              log_int("unchanged", (int64_t)(selected - selection->count)),
              log_text("database", fault.status == STATUS_OK ? "ok" : fault.message),
              log_real("ms", milliseconds(clock_monotonic_ns() - start_ns)));
    note_fault(generator, &fault);
}

/* -- the thread -------------------------------------------------------------------------------- */

/* Takes the epoch that generator_lead() wants; with a new one every symbol starts over. Under the
 * lock. */
static bool take_epoch(struct generator *generator)
{
    if (generator->epoch == generator->wanted_epoch)
        return false;
    generator->epoch = generator->wanted_epoch;
    for (size_t i = 0; i < generator->symbols.count; i++) {
        struct known_symbol *state = &generator->states[i];
        state->is_computed = state->is_published = false;
        state->seq = 0;
    }
    return generator->epoch != 0;
}

/* Waits until the tick is due, another thread wakes this one, or it is to stop. Takes the wake
 * flags, and the epoch: true if that is a new one. */
static bool wait_for_work(struct generator *generator, uint64_t due_ns, bool woken[SYMBOLS_MAX])
{
    const struct timespec due = {.tv_sec = (time_t)(due_ns / SECOND_NS),
                                 .tv_nsec = (long)(due_ns % SECOND_NS)};
    pthread_mutex_lock(&generator->mutex);
    while (!generator->is_stopping && !generator->is_woken && clock_monotonic_ns() < due_ns)
        pthread_cond_timedwait(&generator->wakeup, &generator->mutex, &due);
    memcpy(woken, generator->woken, sizeof generator->woken);
    memset(generator->woken, 0, sizeof generator->woken);
    generator->is_woken = false;
    bool is_new_epoch = take_epoch(generator);
    pthread_mutex_unlock(&generator->mutex);
    return is_new_epoch;
}

/* Those that were woken, and when the tick is due all that are wanted or that have failed; none
 * while it rests. */
static void select_symbols(const struct generator *generator, const bool woken[SYMBOLS_MAX],
                           bool is_due, struct selection *selection)
{
    const struct generator_options *options = &generator->options;
    selection->count = 0;
    for (size_t i = 0; generator->epoch != 0 && i < generator->symbols.count; i++)
        if (woken[i] || (is_due && (generator->states[i].has_failed ||
                                    options->is_wanted(i, options->context))))
            selection->indexes[selection->count++] = i;
}

static void *run(void *context)
{
    struct generator *generator = context;
    struct selection selection;
    bool woken[SYMBOLS_MAX];
    uint64_t due_ns = clock_monotonic_ns();
    while (!is_stopping(generator)) {
        bool is_new_epoch = wait_for_work(generator, due_ns, woken);
        uint64_t now_ns = clock_monotonic_ns();
        if (is_new_epoch)
            due_ns = now_ns;
        bool is_due = now_ns >= due_ns;
        select_symbols(generator, woken, is_due, &selection);
        if (is_due) {
            /* Ticks that were missed while it slept or worked are not made up. */
            due_ns += generator->interval_ns;
            due_ns = due_ns > now_ns ? due_ns : now_ns + generator->interval_ns;
        }
        if ((is_due || selection.count > 0) && !is_stopping(generator))
            tick(generator, &selection);
    }
    return NULL;
}

struct generator *generator_start(const struct generator_options *options)
{
    struct generator *generator = memory_allocate_zeroed(1, sizeof *generator);
    generator->options = *options;
    generator->symbols = *options->symbols;
    generator->buckets = *options->buckets;
    generator->options.symbols = &generator->symbols;
    generator->options.buckets = &generator->buckets;
    generator->options.weights = NULL; /* the book has a copy */
    generator->book = book_create(options->model, options->weights);
    generator->epoch = generator->wanted_epoch = options->epoch;
    generator->interval_ns = (uint64_t)(options->interval_seconds * (double)SECOND_NS);
    check(generator->symbols.count <= SYMBOLS_MAX && generator->interval_ns > 0);
    check(generator->book != NULL); /* a program without memory for it has not started yet */

    pthread_condattr_t attributes;
    check(pthread_condattr_init(&attributes) == 0);
    check(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    check(pthread_cond_init(&generator->wakeup, &attributes) == 0);
    pthread_condattr_destroy(&attributes);
    check(pthread_mutex_init(&generator->mutex, NULL) == 0);
    check(pthread_create(&generator->thread, NULL, run, generator) == 0);
    pthread_setname_np(generator->thread, "generator");
    return generator;
}

void generator_wake(struct generator *generator, size_t symbol_index)
{
    check(symbol_index < generator->symbols.count);
    pthread_mutex_lock(&generator->mutex);
    generator->woken[symbol_index] = true;
    generator->is_woken = true;
    pthread_cond_signal(&generator->wakeup);
    pthread_mutex_unlock(&generator->mutex);
}

enum status generator_check(struct generator *generator, struct error *error)
{
    pthread_mutex_lock(&generator->mutex);
    const struct error fault = generator->fault;
    pthread_mutex_unlock(&generator->mutex);
    return fault.status == STATUS_OK ? STATUS_OK
                                     : error_set(error, fault.status, "%s", fault.message);
}

void generator_lead(struct generator *generator, uint64_t epoch)
{
    pthread_mutex_lock(&generator->mutex);
    generator->wanted_epoch = epoch;
    generator->is_woken = true;
    pthread_cond_signal(&generator->wakeup);
    pthread_mutex_unlock(&generator->mutex);
}

void generator_skip(struct generator *generator, size_t symbol_index, uint64_t epoch, uint64_t seq)
{
    check(symbol_index < generator->symbols.count);
    pthread_mutex_lock(&generator->mutex);
    generator->used[symbol_index].epoch = epoch;
    generator->used[symbol_index].seq = seq;
    pthread_mutex_unlock(&generator->mutex);
}

void generator_read_stats(struct generator *generator, struct generator_stats *stats)
{
    pthread_mutex_lock(&generator->mutex);
    *stats = generator->stats;
    pthread_mutex_unlock(&generator->mutex);
}

void generator_stop(struct generator *generator)
{
    if (generator == NULL)
        return;
    pthread_mutex_lock(&generator->mutex);
    generator->is_stopping = true;
    if (generator->session != NULL)
        store_interrupt(generator->session);
    pthread_cond_signal(&generator->wakeup);
    pthread_mutex_unlock(&generator->mutex);
    pthread_join(generator->thread, NULL);

    pthread_cond_destroy(&generator->wakeup);
    pthread_mutex_destroy(&generator->mutex);
    for (size_t i = 0; i < generator->symbols.count; i++)
        buffer_deinit(&generator->states[i].text);
    series_deinit(&generator->series);
    book_destroy(generator->book);
    snapshot_deinit(&generator->snapshot);
    buffer_deinit(&generator->data);
    free(generator);
}
