/* What becomes of a tick's results: snapshots are published together, the outcome of each symbol is
 * told after that, and what goes wrong is logged when it begins and when it ends, and not at every
 * tick in between. */
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "engine/generator_internal.h"
#include "model/snapshot_text.h"

#include <string.h>

#define LOG_PAUSE_NS (60 * SECOND_NS) /* between two logged failures of a symbol */

void outcome_report(struct generator *generator, size_t index, enum status status,
                    const char *message)
{
    generator->options.on_checked(index, status, status == STATUS_OK ? NULL : message,
                                  generator->options.context);
}

/* A failure that another symbol has logged, for the same cause, is not logged again. */
static bool is_logged(const struct generator *generator, const char *message)
{
    for (size_t i = 0; i < generator->symbols->count; i++)
        if (strcmp(generator->states[i].logged_message, message) == 0)
            return true;
    return false;
}

void outcome_failed(struct generator *generator, size_t index, const struct error *error)
{
    struct known_symbol *state = &generator->states[index];
    uint64_t now_ns = clock_monotonic_ns();
    bool is_pausing = state->logged_message[0] != '\0' && now_ns - state->logged_ns < LOG_PAUSE_NS;
    if (!is_pausing && !is_logged(generator, error->message)) {
        log_warn("symbol skipped", log_text("symbol", generator->symbols->names[index]),
                 log_text("reason", error->message));
        memcpy(state->logged_message, error->message, sizeof state->logged_message);
        state->logged_ns = now_ns;
    }
    state->is_computed = false;
    state->has_failed = true;
    state->status = error->status;
    memcpy(state->message, error->message, sizeof state->message);
    count_stat(generator, failures, 1);
    outcome_report(generator, index, error->status, error->message);
}

void outcome_computed(struct generator *generator, size_t index, uint64_t version,
                      const struct error *error)
{
    struct known_symbol *state = &generator->states[index];
    struct batch *batch = &generator->batch;
    state->is_computed = true;
    state->has_failed = false;
    state->version = version;
    state->status = error->status;
    memcpy(state->message, error->message, sizeof state->message);
    if (state->logged_message[0] != '\0')
        log_info("symbol recovered", log_text("symbol", generator->symbols->names[index]));
    state->logged_message[0] = '\0';
    if (batch->checked_count + batch->published_count == 0)
        batch->since_ns = clock_monotonic_ns();
    batch->checked[batch->checked_count++] = index;
}

/* -- the database ------------------------------------------------------------------------------ */

static enum generator_fault fault_of(enum status status)
{
    return status == STATUS_NOT_FOUND ? GENERATOR_FAULT_MISSING
           : status == STATUS_BUSY    ? GENERATOR_FAULT_LOCKED
                                      : GENERATOR_FAULT_UNREADABLE;
}

void outcome_database(struct generator *generator, const struct error *fault)
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

void outcome_fault(struct generator *generator, struct error *fault)
{
    for (size_t i = 0; i < generator->symbols->count; i++) {
        const struct known_symbol *state = &generator->states[i];
        if (fault->status == STATUS_OK && state->has_failed)
            error_set(fault, state->status, "%s: %s", generator->symbols->names[i], state->message);
    }
    pthread_mutex_lock(&generator->mutex);
    generator->fault = *fault;
    if (fault->status != STATUS_OK)
        generator->stats.faults[fault_of(fault->status)]++;
    pthread_mutex_unlock(&generator->mutex);
}

/* -- publishing ---------------------------------------------------------------------------------
 */

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

bool outcome_publish(struct generator *generator, size_t index)
{
    struct known_symbol *state = &generator->states[index];
    struct batch *batch = &generator->batch;
    struct buffer *data = &generator->data;
    buffer_clear(data);
    generator->snapshot.calibration = state->calibration;
    snapshot_text_append_data(data, &generator->snapshot);
    uint64_t hash = publication_hash(generator->snapshot.timestamp_ms, data->data, data->size);
    if (state->is_published && state->hash == hash)
        return false;
    state->is_published = true;
    state->hash = hash;
    const struct snapshot_envelope envelope = {
        .epoch = generator->epoch,
        .seq = next_seq(generator, index),
        .is_replay = generator->options.replay != NULL,
        .totals = {true, state->follower.sums.created, state->follower.sums.consumed},
    };
    buffer_clear(&state->text);
    snapshot_text_append_message(&state->text, &generator->snapshot, &envelope, data->data,
                                 data->size);
    if (batch->checked_count + batch->published_count == 0)
        batch->since_ns = clock_monotonic_ns();
    batch->published[batch->published_count++] = (struct publication){
        .symbol_index = index,
        .timestamp_ms = generator->snapshot.timestamp_ms,
        .epoch = envelope.epoch,
        .seq = envelope.seq,
        .hash = hash,
        .totals = envelope.totals,
        .text = state->text.data,
        .text_size = state->text.size,
    };
    count_stat(generator, snapshots, 1);
    return true;
}

void outcome_end_batch(struct generator *generator)
{
    struct batch *batch = &generator->batch;
    if (batch->published_count > 0)
        generator->options.on_published(batch->published, batch->published_count,
                                        generator->options.context);
    for (size_t i = 0; i < batch->checked_count; i++) {
        const struct known_symbol *state = &generator->states[batch->checked[i]];
        outcome_report(generator, batch->checked[i], state->status, state->message);
    }
    batch->published_count = batch->checked_count = 0;
}

void outcome_end_old_batch(struct generator *generator)
{
    const struct batch *batch = &generator->batch;
    const uint64_t batch_ns = GENERATOR_BATCH_MS * (SECOND_NS / 1000);
    if (batch->checked_count + batch->published_count > 0 &&
        clock_monotonic_ns() - batch->since_ns > batch_ns)
        outcome_end_batch(generator);
}
