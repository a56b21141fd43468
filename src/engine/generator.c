/* The thread of the generator: what it waits for, and what wakes it.
 *
 *     a tick is due, a client wakes it, a new epoch    -> tick_run()
 *     a source feeds it                                -> the followers at once, and tick_live() as
 *                                                         soon as the symbol's live interval allows
 *
 * It must never end and must not flood the log. What it does in a tick is tick.c.
 *
 * Threads: `mutex` guards what others touch: the wake flags, the inbox, the stop flag, the
 * statistics, the last fault and the session pointer, which generator_stop() needs to interrupt a
 * query. Callbacks run without it. */
#include "engine/generator.h"

#include "base/check.h"
#include "base/clock.h"
#include "engine/generator_internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FORGET_NS (600 * SECOND_NS) /* after which a window that nobody wants is given up */

bool generator_is_stopping(struct generator *generator)
{
    pthread_mutex_lock(&generator->mutex);
    bool is_stopping = generator->is_stopping;
    pthread_mutex_unlock(&generator->mutex);
    return is_stopping;
}

static void tell_newest(struct generator *generator, size_t index)
{
    const struct known_symbol *state = &generator->states[index];
    int64_t newest_ms = state->stored_ms > state->fed_ms ? state->stored_ms : state->fed_ms;
    if (generator->options.on_newest != NULL)
        generator->options.on_newest(index, newest_ms, generator->options.context);
}

static void on_other(struct slice symbol, void *context)
{
    struct generator *generator = context;
    inventory_see_other(&generator->inventory, symbol);
}

static void on_interest(size_t index, int64_t time_ms, void *context)
{
    struct generator *generator = context;
    if (generator->options.on_interest != NULL)
        generator->options.on_interest(index, time_ms, generator->options.context);
}

static void on_stored(size_t index, int64_t open_time_ms, void *context)
{
    struct generator *generator = context;
    generator->states[index].stored_ms = open_time_ms;
    tell_newest(generator, index);
}

/* -- the thread -------------------------------------------------------------------------------- */

/* Takes the epoch that generator_lead() wants; with a new one every symbol starts over. Under the
 * lock. */
static bool take_epoch(struct generator *generator)
{
    if (generator->epoch == generator->wanted_epoch)
        return false;
    generator->epoch = generator->wanted_epoch;
    for (size_t i = 0; i < generator->symbols->count; i++) {
        struct known_symbol *state = &generator->states[i];
        state->is_computed = state->is_published = false;
        state->seq = 0;
    }
    return generator->epoch != 0;
}

/* Takes what generator_calibrate() was given. Under the lock. */
static void take_calibrations(struct generator *generator)
{
    for (size_t i = 0; i < generator->symbols->count && generator->has_calibrated; i++) {
        struct given_calibration *given = &generator->calibrated[i];
        struct known_symbol *state = &generator->states[i];
        if (!given->is_new)
            continue;
        given->is_new = false;
        state->calibration = given->calibration;
        state->is_computed = false;
    }
    generator->has_calibrated = false;
}

/* What has woken the thread. */
struct wakening {
    bool is_new_epoch, has_woken; /* the latter: some flag is set in `woken` */
    bool *woken;                  /* by symbol */
};

/* Waits until something is due, another thread wakes this one, or it is to stop. Takes the wake
 * flags, and the epoch. */
static void wait_for_work(struct generator *generator, uint64_t due_ns, struct wakening *wakening)
{
    const size_t count = generator->symbols->count;
    const struct timespec due = {.tv_sec = (time_t)(due_ns / SECOND_NS),
                                 .tv_nsec = (long)(due_ns % SECOND_NS)};
    pthread_mutex_lock(&generator->mutex);
    while (!generator->is_stopping && !generator->is_woken && clock_monotonic_ns() < due_ns)
        pthread_cond_timedwait(&generator->wakeup, &generator->mutex, &due);
    wakening->has_woken = generator->has_woken;
    if (generator->has_woken) {
        memcpy(wakening->woken, generator->woken, count * sizeof *generator->woken);
        memset(generator->woken, 0, count * sizeof *generator->woken);
    }
    generator->is_woken = generator->has_woken = false;
    wakening->is_new_epoch = take_epoch(generator);
    take_calibrations(generator);
    pthread_mutex_unlock(&generator->mutex);
}

/* Those that were woken, and when the tick is due all that are wanted or that have failed; none
 * while it rests. */
static void select_symbols(struct generator *generator, const struct wakening *wakening,
                           bool is_due, struct selection *selection)
{
    const struct generator_options *options = &generator->options;
    const uint64_t now_ns = clock_monotonic_ns();
    selection->count = 0;
    if (generator->epoch == 0 || (!is_due && !wakening->has_woken))
        return;
    for (size_t i = 0; i < generator->symbols->count; i++) {
        struct known_symbol *state = &generator->states[i];
        bool is_wanted = (wakening->has_woken && wakening->woken[i]) ||
                         (is_due && options->is_wanted(i, options->context));
        if (is_wanted)
            state->wanted_ns = now_ns;
        if (is_wanted || (is_due && state->has_failed))
            selection->indexes[selection->count++] = i;
    }
}

/* A window takes some hundred kilobytes; one that nobody has wanted for long is read again when
 * somebody does. */
static void forget_unwanted(struct generator *generator)
{
    const uint64_t now_ns = clock_monotonic_ns();
    for (size_t i = 0; i < generator->symbols->count; i++) {
        struct known_symbol *state = &generator->states[i];
        if (!state->follower.is_loaded || now_ns - state->wanted_ns < FORGET_NS)
            continue;
        follower_unload(&state->follower);
        state->is_computed = false;
    }
}

static void feed_follower(struct generator *generator, size_t index,
                          const struct generator_feed *feed)
{
    struct known_symbol *state = &generator->states[index];
    const bool is_interest = feed->kind == GENERATOR_FEED_INTEREST;
    const bool is_closed = feed->kind == GENERATOR_FEED_CLOSED;
    bool is_news = is_interest ? follower_feed_interest(&state->follower, &feed->interest)
                               : follower_feed_candle(&state->follower, &feed->candle, is_closed);
    if (!is_news)
        return;
    if (!is_interest && feed->candle.open_time_ms > state->fed_ms) {
        state->fed_ms = feed->candle.open_time_ms;
        tell_newest(generator, index);
    }
    if (!state->has_live) {
        state->live_due_ns = state->live_ns + generator->live_interval_ns;
        generator->live[generator->live_count++] = index;
    }
    state->has_live = true;
    if (is_closed)
        state->live_due_ns = 0;
}

static void feed_followers(struct generator *generator)
{
    struct inbox_symbol taken;
    size_t index;
    for (;;) {
        pthread_mutex_lock(&generator->mutex);
        bool has_rows = inbox_take(&generator->inbox, &index, &taken);
        pthread_mutex_unlock(&generator->mutex);
        if (!has_rows)
            return;
        for (size_t i = 0; i < taken.count; i++)
            feed_follower(generator, index, &taken.rows[i]);
    }
}

static void *run(void *context)
{
    struct generator *generator = context;
    const size_t count = generator->symbols->count;
    struct selection selection = {.indexes =
                                      memory_allocate_zeroed(count, sizeof *selection.indexes)};
    struct wakening wakening = {.woken = memory_allocate_zeroed(count, sizeof *wakening.woken)};
    uint64_t due_ns = clock_monotonic_ns(), live_due_ns = UINT64_MAX;
    while (!generator_is_stopping(generator)) {
        wait_for_work(generator, live_due_ns < due_ns ? live_due_ns : due_ns, &wakening);
        uint64_t now_ns = clock_monotonic_ns();
        if (wakening.is_new_epoch)
            due_ns = now_ns;
        bool is_due = now_ns >= due_ns;
        feed_followers(generator);
        select_symbols(generator, &wakening, is_due, &selection);
        if (is_due) {
            if (generator->options.replay != NULL && generator->epoch != 0)
                replay_advance(generator->options.replay);
            /* Ticks that were missed while it slept or worked are not made up. */
            due_ns += generator->interval_ns;
            due_ns = due_ns > now_ns ? due_ns : now_ns + generator->interval_ns;
            forget_unwanted(generator);
        }
        if ((is_due || selection.count > 0) && !generator_is_stopping(generator))
            tick_run(generator, &selection);
        live_due_ns = tick_live(generator);
    }
    free(selection.indexes);
    free(wakening.woken);
    return NULL;
}

/* -- life -------------------------------------------------------------------------------------- */

static void allocate_state(struct generator *generator)
{
    const size_t count = generator->symbols->count;
    generator->woken = memory_allocate_zeroed(count, sizeof *generator->woken);
    generator->used = memory_allocate_zeroed(count, sizeof *generator->used);
    generator->calibrated = memory_allocate_zeroed(count, sizeof *generator->calibrated);
    generator->states = memory_allocate_zeroed(count, sizeof *generator->states);
    generator->live = memory_allocate_zeroed(count, sizeof *generator->live);
    generator->items = memory_allocate_zeroed(count, sizeof *generator->items);
    generator->batch.published = memory_allocate_zeroed(count, sizeof *generator->batch.published);
    generator->batch.checked = memory_allocate_zeroed(count, sizeof *generator->batch.checked);
    inbox_init(&generator->inbox, count);
    survey_init(&generator->survey, generator->symbols,
                &(struct survey_listener){.on_newest = on_stored,
                                          .on_interest = on_interest,
                                          .on_other = on_other,
                                          .context = generator});
    inventory_init(&generator->inventory, generator->symbols,
                   generator->options.settings->lookback_ms, generator->options.is_filled);
    for (size_t i = 0; i < count; i++) {
        const char *symbol = generator->symbols->names[i];
        generator->states[i].bucket_e8 = bucket_map_find(generator->options.buckets, symbol);
        follower_init(&generator->states[i].follower, symbol, generator->options.model,
                      generator->options.settings);
    }
}

struct generator *generator_start(const struct generator_options *options)
{
    struct generator *generator = memory_allocate_zeroed(1, sizeof *generator);
    generator->options = *options;
    generator->symbols = options->symbols;
    generator->epoch = generator->wanted_epoch = options->epoch;
    generator->interval_ns = (uint64_t)(options->interval_seconds * (double)SECOND_NS);
    generator->live_interval_ns = (uint64_t)(options->live_interval_seconds * (double)SECOND_NS);
    check(generator->interval_ns > 0);
    /* A program without memory for them has not started yet. */
    check(run_books_init(&generator->books, options->model, options->settings));
    allocate_state(generator);

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
    check(symbol_index < generator->symbols->count);
    pthread_mutex_lock(&generator->mutex);
    generator->woken[symbol_index] = true;
    generator->is_woken = generator->has_woken = true;
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
    check(symbol_index < generator->symbols->count);
    pthread_mutex_lock(&generator->mutex);
    generator->used[symbol_index].epoch = epoch;
    generator->used[symbol_index].seq = seq;
    pthread_mutex_unlock(&generator->mutex);
}

static bool is_same(const struct calibration *a, const struct calibration *b)
{
    return a->factor == b->factor && a->low == b->low && a->high == b->high &&
           a->until_ms == b->until_ms;
}

void generator_calibrate(struct generator *generator, size_t symbol_index,
                         const struct calibration *calibration)
{
    check(symbol_index < generator->symbols->count);
    pthread_mutex_lock(&generator->mutex);
    struct given_calibration *given = &generator->calibrated[symbol_index];
    if (!is_same(&given->calibration, calibration)) {
        given->calibration = *calibration;
        given->is_new = generator->has_calibrated = true;
    }
    pthread_mutex_unlock(&generator->mutex);
}

void generator_feed(struct generator *generator, size_t symbol_index,
                    const struct generator_feed *feed)
{
    check(symbol_index < generator->symbols->count);
    pthread_mutex_lock(&generator->mutex);
    inbox_put(&generator->inbox, symbol_index, feed);
    generator->is_woken = true;
    pthread_cond_signal(&generator->wakeup);
    pthread_mutex_unlock(&generator->mutex);
}

void generator_read_stats(struct generator *generator, struct generator_stats *stats)
{
    pthread_mutex_lock(&generator->mutex);
    *stats = generator->stats;
    pthread_mutex_unlock(&generator->mutex);
}

static void free_state(struct generator *generator)
{
    for (size_t i = 0; i < generator->symbols->count; i++) {
        follower_deinit(&generator->states[i].follower);
        buffer_deinit(&generator->states[i].text);
    }
    inbox_deinit(&generator->inbox, generator->symbols->count);
    survey_deinit(&generator->survey);
    inventory_deinit(&generator->inventory);
    refresh_deinit(&generator->refresh);
    run_books_deinit(&generator->books);
    series_deinit(&generator->series);
    snapshot_deinit(&generator->snapshot);
    buffer_deinit(&generator->data);
    free(generator->woken);
    free(generator->used);
    free(generator->calibrated);
    free(generator->states);
    free(generator->live);
    free(generator->items);
    free(generator->batch.published);
    free(generator->batch.checked);
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
    free_state(generator);
    free(generator);
}
