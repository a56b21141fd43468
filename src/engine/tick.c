/* A tick, of the database and of what was fed.
 *
 *     version (stat) -> [changed] session -> survey: newest candles of all
 *                                         -> refresh: the wanted symbols' rows
 *                               session ends -> snapshots
 *     fed rows       -> snapshots
 *
 * What costs is done only where something can have changed: a file whose version is the one that
 * the symbols were computed from is not even opened, and a symbol whose hash is the last one is not
 * published again. The version is read before the data, so that a change in between is found at the
 * next tick, never missed. A symbol whose query fails leaves the others their turn, keeps its last
 * snapshot, and is tried again at each tick, wanted or not, since many causes pass (too many open
 * files, a file that is restored), and generator_check() is to report that they have.
 *
 * A file that is not what it was when the session began was changed past all locks. What was read
 * may be of two files, so it is thrown away, and read again in the next tick. */
#include "base/clock.h"
#include "base/log.h"
#include "engine/generator_internal.h"

#include <stdlib.h>
#include <string.h>

static double milliseconds(uint64_t ns)
{
    return (double)ns / 1e6;
}

/* -- one symbol -------------------------------------------------------------------------------- */

static void log_computed(const struct generator *generator, uint64_t query_ns, uint64_t compute_ns,
                         bool is_news)
{
    log_debug("symbol computed", log_text("symbol", generator->snapshot.symbol),
              log_int("levels", (int64_t)generator->snapshot.levels.count),
              log_real("query_ms", milliseconds(query_ns)),
              log_real("compute_ms", milliseconds(compute_ns)),
              log_text("published", is_news ? "yes" : "no"));
}

/* A symbol that is not kept in memory: reads its window, and computes it from its start. */
static enum status compute_whole(struct generator *generator, struct store_session *session,
                                 const struct refresh_item *item, int64_t bucket_e8,
                                 struct error *error)
{
    const char *symbol = item->follower->symbol;
    int64_t newest_ms = item->newest_ms;
    const int64_t begin_ms =
        model_begin(generator->options.model, newest_ms, generator->options.settings->lookback_ms);
    enum status status =
        store_load(session, symbol, begin_ms, newest_ms, CANDLE_MS, &generator->series, error);
    if (status == STATUS_OK && generator->series.count == 0)
        return error_set(error, STATUS_NO_DATA, "no usable candles of %s", symbol);
    if (status != STATUS_OK)
        return status;
    status = snapshot_compute(&generator->snapshot, generator->books.scratch, symbol,
                              &generator->series, bucket_e8, error);
    if (status == STATUS_OK)
        change_sums_note(&item->follower->sums, slots_number(newest_ms),
                         generator->snapshot.change);
    return status;
}

/* `item` is NULL where nothing was read for it, since it is loaded. */
static enum status compute(struct generator *generator, struct store_session *session, size_t index,
                           const struct refresh_item *item, uint64_t query_ns, struct error *error)
{
    struct known_symbol *state = &generator->states[index];
    struct follower *follower = &state->follower;
    uint64_t start_ns = clock_monotonic_ns();
    const int64_t bucket_e8 = state->bucket_e8;
    enum status status =
        follower->is_loaded || item == NULL
            ? follower_snapshot(follower, &generator->books, bucket_e8, &generator->snapshot, error)
            : compute_whole(generator, session, item, bucket_e8, error);
    if (status != STATUS_OK)
        return status;
    bool is_news = outcome_publish(generator, index);
    uint64_t end_ns = clock_monotonic_ns(), compute_ns = end_ns - start_ns;
    state->has_live = false;
    state->live_ns = end_ns;
    pthread_mutex_lock(&generator->mutex);
    generator->stats.compute_ns_sum += compute_ns;
    generator->stats.computed++;
    pthread_mutex_unlock(&generator->mutex);
    if (generator->options.on_computed != NULL)
        generator->options.on_computed(index, query_ns, compute_ns, generator->options.context);
    log_computed(generator, query_ns, compute_ns, is_news);
    return STATUS_OK;
}

/* -- what was fed ------------------------------------------------------------------------------ */

static bool is_shown(const struct generator *generator, size_t index)
{
    return generator->epoch != 0 && generator->states[index].follower.is_loaded &&
           generator->options.is_wanted(index, generator->options.context);
}

uint64_t tick_live(struct generator *generator)
{
    uint64_t now_ns = clock_monotonic_ns(), next_ns = UINT64_MAX;
    size_t kept = 0;
    for (size_t i = 0; i < generator->live_count; i++) {
        size_t index = generator->live[i];
        struct known_symbol *state = &generator->states[index];
        struct error error = {0};
        if (!state->has_live)
            continue;
        if (state->live_due_ns > now_ns) {
            generator->live[kept++] = index;
            next_ns = state->live_due_ns < next_ns ? state->live_due_ns : next_ns;
            continue;
        }
        state->has_live = false;
        if (is_shown(generator, index) &&
            compute(generator, NULL, index, NULL, 0, &error) == STATUS_NO_MEMORY)
            outcome_failed(generator, index, &error);
        outcome_end_old_batch(generator);
    }
    generator->live_count = kept;
    outcome_end_batch(generator);
    return next_ns;
}

/* -- what is due ------------------------------------------------------------------------------- */

static void fail_all(struct generator *generator, const struct selection *selection,
                     const struct error *error)
{
    count_stat(generator, failures, selection->count);
    for (size_t i = 0; i < selection->count; i++)
        outcome_report(generator, selection->indexes[i], error->status, error->message);
}

static void skip_locked(struct generator *generator, const struct selection *selection,
                        const struct error *error)
{
    count_stat(generator, skipped[GENERATOR_SKIP_LOCKED], selection->count);
    for (size_t i = 0; i < selection->count; i++)
        outcome_report(generator, selection->indexes[i], STATUS_BUSY, error->message);
}

/* Whether the database has nothing for the symbol that was not looked at. */
static bool is_current(const struct known_symbol *state, uint64_t version)
{
    const struct follower *follower = &state->follower;
    int64_t newest_ms;
    bool is_missing =
        follower->is_regular && !follower->is_loaded && follower_newest(follower, &newest_ms);
    return state->is_computed && state->version == version && !is_missing &&
           !follower_needs_blocks(follower);
}

/* Leaves those in the selection that are not current. */
static void skip_unchanged(struct generator *generator, struct selection *selection,
                           uint64_t version)
{
    size_t kept = 0;
    for (size_t i = 0; i < selection->count; i++) {
        size_t index = selection->indexes[i];
        const struct known_symbol *state = &generator->states[index];
        if (!is_current(state, version)) {
            selection->indexes[kept++] = index;
            continue;
        }
        count_stat(generator, skipped[GENERATOR_SKIP_UNCHANGED], 1);
        outcome_report(generator, index, state->status, state->message);
    }
    selection->count = kept;
}

/* -- reading ----------------------------------------------------------------------------------- */

/* Opens the database if something may have changed in it, or to find out whether it is back. */
static enum status open_changed(struct generator *generator, struct selection *selection,
                                uint64_t *version, struct store_session **session,
                                struct error *fault)
{
    *session = NULL;
    enum status status = store_version(generator->options.store, version, fault);
    if (status != STATUS_OK)
        return status;
    skip_unchanged(generator, selection, *version);
    if (selection->count == 0 && generator->has_tried && generator->database == STATUS_OK &&
        !survey_is_due(&generator->survey, *version))
        return STATUS_OK;
    return store_begin(generator->options.store, session, fault);
}

/* What the newest candle of the symbol is, by the survey, or where that has failed by itself. */
static enum status find_newest(struct generator *generator, struct store_session *session,
                               struct refresh_item *item, struct error *error)
{
    const struct survey *survey = &generator->survey;
    if (survey->has_run) {
        item->has_newest = survey->found[item->index].has_newest;
        item->newest_ms = survey->found[item->index].newest_ms;
        return STATUS_OK;
    }
    enum status status = store_newest(session, item->follower->symbol, &item->newest_ms, error);
    item->has_newest = status == STATUS_OK;
    return status == STATUS_NO_DATA ? STATUS_OK : status;
}

static int compare_indexes(const void *a, const void *b)
{
    const struct refresh_item *first = a, *second = b;
    return (first->index > second->index) - (first->index < second->index);
}

/* Brings the followers of the selection up to date; those that were are in `items`. Returns how
 * many, or 0 if the generator is to stop. */
static size_t refresh(struct generator *generator, struct store_session *session,
                      const struct selection *selection, uint64_t version)
{
    struct error error = {0};
    size_t count = 0;
    if (survey_is_due(&generator->survey, version))
        survey_run(&generator->survey, session, version, &error);
    for (size_t i = 0; i < selection->count && !generator_is_stopping(generator); i++) {
        struct refresh_item *item = &generator->items[count];
        size_t index = selection->indexes[i];
        *item =
            (struct refresh_item){.index = index, .follower = &generator->states[index].follower};
        if (find_newest(generator, session, item, &error) == STATUS_OK)
            count++;
        else if (error.status != STATUS_CANCELLED)
            outcome_failed(generator, index, &error);
    }
    if (refresh_run(&generator->refresh, session, generator->items, count, &error) != STATUS_OK)
        return 0;
    if (count > 0)
        qsort(generator->items, count, sizeof *generator->items, compare_indexes);
    return count;
}

/* What was read may be of two files. */
static void throw_away(struct generator *generator, size_t count)
{
    struct error error;
    error_set(&error, STATUS_BUSY, "%s was changed while it was read",
              store_path(generator->options.store));
    for (size_t i = 0; i < count; i++) {
        size_t index = generator->items[i].index;
        follower_unload(&generator->states[index].follower);
        generator->states[index].is_computed = false;
        count_stat(generator, skipped[GENERATOR_SKIP_REPLACED], 1);
        outcome_report(generator, index, STATUS_BUSY, error.message);
    }
}

static void check_symbol(struct generator *generator, struct store_session *session,
                         const struct refresh_item *item, uint64_t query_ns, uint64_t version)
{
    struct error error = item->outcome;
    if (error.status == STATUS_OK)
        compute(generator, session, item->index, item, query_ns, &error);
    if (error.status == STATUS_CANCELLED)
        return;
    if (error.status != STATUS_OK && error.status != STATUS_NO_DATA) {
        outcome_failed(generator, item->index, &error);
        return;
    }
    outcome_computed(generator, item->index, version, &error);
    if (error.status == STATUS_NO_DATA && !generator->survey.is_complete)
        generator->states[item->index].is_computed = false; /* there may be old data */
}

static int64_t now_ms(const struct generator *generator)
{
    const struct replay *replay = generator->options.replay;
    return replay != NULL ? replay_now_ms(replay) : clock_wall_ms();
}

/* One that is not kept in memory reads its window while it is computed. */
static bool needs_session(const struct refresh_item *item)
{
    return item->outcome.status == STATUS_OK && !item->follower->is_loaded;
}

/* Reads what has changed of the selection, and what is told of all. Returns how many of
 * `generator->items` are to be computed. */
static size_t read_symbols(struct generator *generator, struct store_session *session,
                           const struct selection *selection, uint64_t version, uint64_t *query_ns)
{
    uint64_t start_ns = clock_monotonic_ns();
    size_t count = refresh(generator, session, selection, version);
    *query_ns = clock_monotonic_ns() - start_ns;
    count_stat(generator, query_ns_sum, *query_ns);
    if (!store_is_current(session)) {
        throw_away(generator, count);
        generator->survey.has_run = false;
        return 0;
    }
    if (generator->survey.has_run && !generator_is_stopping(generator))
        inventory_tell(&generator->inventory, &generator->survey, session, now_ms(generator));
    return count;
}

/* With a session those that need one, and without it the others. */
static void check_symbols(struct generator *generator, struct store_session *session, size_t count,
                          uint64_t query_ns, uint64_t version)
{
    for (size_t i = 0; i < count && !generator_is_stopping(generator); i++) {
        const struct refresh_item *item = &generator->items[i];
        if (needs_session(item) != (session != NULL))
            continue;
        check_symbol(generator, session, item, query_ns / count, version);
        outcome_end_old_batch(generator);
    }
}

/* -- a tick ------------------------------------------------------------------------------------ */

static void set_session(struct generator *generator, struct store_session *session)
{
    pthread_mutex_lock(&generator->mutex);
    generator->session = session;
    pthread_mutex_unlock(&generator->mutex);
}

/* The file is let go before what was read of it is computed, so that nobody who wants to write has
 * to wait for that. */
static void use(struct generator *generator, struct store_session *session,
                const struct selection *selection, uint64_t version)
{
    uint64_t query_ns;
    set_session(generator, session);
    size_t count = read_symbols(generator, session, selection, version, &query_ns);
    check_symbols(generator, session, count, query_ns, version);
    set_session(generator, NULL);
    store_end(session);
    check_symbols(generator, NULL, count, query_ns, version);
}

void tick_run(struct generator *generator, struct selection *selection)
{
    struct store_session *session;
    struct error fault = {0};
    uint64_t version, start_ns = clock_monotonic_ns();
    const size_t selected = selection->count;
    count_stat(generator, ticks, selected);
    fault.status = open_changed(generator, selection, &version, &session, &fault);
    generator->has_tried = true;
    outcome_database(generator, &fault);
    if (fault.status == STATUS_BUSY)
        skip_locked(generator, selection, &fault);
    else if (fault.status != STATUS_OK)
        fail_all(generator, selection, &fault);
    if (session != NULL)
        use(generator, session, selection, version);
    /* Who gets a snapshot finds that all is well by then. */
    outcome_fault(generator, &fault);
    outcome_end_batch(generator);
    log_debug("tick", log_int("symbols", (int64_t)selected),
              log_int("unchanged", (int64_t)(selected - selection->count)),
              log_text("database", fault.status == STATUS_OK ? "ok" : fault.message),
              log_real("ms", milliseconds(clock_monotonic_ns() - start_ns)));
}
