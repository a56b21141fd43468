/* The simulated market as a source: markets (market.c) and who holds positions in them (crowd.c),
 * which a thread moves and writes.
 *
 *     start -> step: fill --.
 *                           v            the same opening as before: move
 *              thread: wait -> step --<
 *                ^                |      otherwise (a write failed, or the store has opened the
 *                `----------------'      file again): fill
 *
 * After a write that failed, and when the store has opened the file again, nothing is known of what
 * the database holds. So the next step is the one of the start: it finds where the database ends,
 * continues from there, and fills up to now. All markets are written in one transaction. Positions
 * are in no database: they are opened anew with what is filled, and with what comes.
 *
 * Threads: simulate_start() writes history on the caller's thread; afterwards everything belongs to
 * the simulator's thread but `is_stopping` and how the last step ended, which `mutex` guards. */
#include "sources/simulate/simulate.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "sources/simulate/crowd.h"
#include "sources/simulate/market.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* A week that is shown, the week before that its map rests on, and a day more. */
#define HISTORY_MS (15 * DAY_MS)
#define CANDLE_SECONDS ((double)CANDLE_MS / 1000)
#define LOG_PAUSE_NS                                                                               \
    UINT64_C(60000000000) /* between two lines about a market that stands still                    \
                           */

enum {
    HISTORY_STEPS = 10,       /* of a candle of the past */
    PRINTS_A_STEP_MAX = 1024, /* liquidations that are told of at once; the rest is stored alone */
    RETRY_STEPS = 5, /* until the next try, after one that failed: it reads the whole log again */
};

struct simulator {
    struct source base; /* first: a pointer to it is one to the whole */
    struct store *store;
    double step_seconds;
    size_t market_count;
    struct market *markets;
    struct crowd *crowds; /* of each market */
    uint64_t opening;     /* store_opening() of the last step that succeeded; 0: it did not */
    uint64_t logged_ns;
    bool is_logged;           /* that it stands still */
    simulate_print *on_print; /* or NULL */
    void *context;
    size_t print_count;
    struct stepped_print {
        size_t symbol_index;
        struct liquidation_row row;
    } prints[PRINTS_A_STEP_MAX]; /* of the step under way, until it is stored */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wakeup;
    bool is_stopping;
    uint64_t failures;
    struct error fault; /* of the last step; its own thread reads it without the mutex */
};

static enum status write_market(const struct market *market, struct store_session *session,
                                struct error *error)
{
    const struct interest_row interest = market_interest(market);
    enum status status = store_write_kline(session, &market->candle, error);
    return status == STATUS_OK ? store_write_interest(session, &interest, error) : status;
}

/* Where the liquidations of a market go. */
struct printing {
    struct store_session *session;
    struct simulator *simulator; /* NULL: the past is filled in, which nobody is told of */
    size_t symbol_index;
};

static enum status write_liquidation(const struct liquidation_row *row, void *context,
                                     struct error *error)
{
    const struct printing *printing = context;
    struct simulator *simulator = printing->simulator;
    if (simulator != NULL && simulator->on_print != NULL &&
        simulator->print_count < PRINTS_A_STEP_MAX)
        simulator->prints[simulator->print_count++] =
            (struct stepped_print){printing->symbol_index, *row};
    return store_write_liquidation(printing->session, row, error);
}

/* They are stored. */
static void tell_prints(struct simulator *simulator)
{
    for (size_t i = 0; i < simulator->print_count; i++)
        simulator->on_print(simulator->prints[i].symbol_index, &simulator->prints[i].row,
                            simulator->context);
    simulator->print_count = 0;
}

/* Moves a market and those who hold positions in it, up to a moment. */
static enum status move_to(struct market *market, struct crowd *crowd, double seconds,
                           int64_t time_ms, struct printing *printing, struct error *error)
{
    market_step(market, seconds);
    return crowd_step(crowd, market, time_ms, write_liquidation, printing, error);
}

/* -- history ----------------------------------------------------------------------------------- */

/* Where an earlier run stopped: price, open interest, the open time of its newest candle. */
static enum status resume_market(struct market *market, struct store_session *session,
                                 int64_t *newest_ms, struct error *error)
{
    struct series series = {0};
    int64_t interest_e8;
    enum status status = store_newest(session, market->symbol, newest_ms, error);
    if (status == STATUS_OK)
        status =
            store_load(session, market->symbol, *newest_ms, *newest_ms, CANDLE_MS, &series, error);
    if (status == STATUS_OK)
        status = store_newest_interest(session, market->symbol, &interest_e8, error);
    if (status == STATUS_OK && series.count == 1)
        market_resume(market, series_last(&series), interest_e8);
    series_deinit(&series);
    return status;
}

/* Writes the finished candles that are missing before `now_ms`, at most HISTORY_MS of them, and
 * leaves the market with its forming candle begun, which an earlier run may have done. */
static enum status fill_market(struct market *market, struct crowd *crowd,
                               struct store_session *session, int64_t now_ms, struct error *error)
{
    int64_t forming_ms = now_ms - now_ms % CANDLE_MS;
    int64_t first_ms = forming_ms - HISTORY_MS, newest_ms;
    struct printing printing = {.session = session};
    enum status status = resume_market(market, session, &newest_ms, error);
    if (status == STATUS_OK && newest_ms + CANDLE_MS > first_ms)
        first_ms = newest_ms + CANDLE_MS;
    else if (status != STATUS_OK && status != STATUS_NO_DATA)
        return status;
    crowd_deinit(crowd);
    crowd_init(crowd, market);
    status = STATUS_OK;
    for (int64_t open_ms = first_ms; open_ms < forming_ms; open_ms += CANDLE_MS) {
        market_begin_candle(market, open_ms);
        for (int step = 1; step <= HISTORY_STEPS && status == STATUS_OK; step++)
            status = move_to(market, crowd, CANDLE_SECONDS / HISTORY_STEPS,
                             open_ms + step * CANDLE_MS / HISTORY_STEPS - 1, &printing, error);
        if (status == STATUS_OK)
            status = write_market(market, session, error);
        if (status != STATUS_OK)
            return status;
    }
    if (market->candle.candle.open_time_ms != forming_ms)
        market_begin_candle(market, forming_ms);
    log_debug("simulated market filled", log_text("symbol", market->symbol),
              log_int("candles", first_ms < forming_ms ? (forming_ms - first_ms) / CANDLE_MS : 0));
    return write_market(market, session, error);
}

/* -- the live market --------------------------------------------------------------------------- */

/* Finishes the candles that the clock has passed and moves the forming one. */
static enum status move_market(struct simulator *simulator, size_t index,
                               struct store_session *session, int64_t now_ms, struct error *error)
{
    struct market *market = &simulator->markets[index];
    struct crowd *crowd = &simulator->crowds[index];
    struct printing printing = {session, simulator, index};
    const double seconds = simulator->step_seconds;
    int64_t forming_ms = now_ms - now_ms % CANDLE_MS;
    enum status status = STATUS_OK;
    if (forming_ms - market->candle.candle.open_time_ms > HISTORY_MS)
        market_begin_candle(market, forming_ms - HISTORY_MS); /* the machine slept for long */
    while (status == STATUS_OK && market->candle.candle.open_time_ms < forming_ms) {
        status = write_market(market, session, error);
        market_begin_candle(market, market->candle.candle.open_time_ms + CANDLE_MS);
        if (status == STATUS_OK && market->candle.candle.open_time_ms < forming_ms)
            status = move_to(market, crowd, CANDLE_SECONDS,
                             market->candle.candle.open_time_ms + CANDLE_MS - 1, &printing, error);
    }
    if (status == STATUS_OK)
        status = move_to(market, crowd, seconds, now_ms, &printing, error);
    return status == STATUS_OK ? write_market(market, session, error) : status;
}

static enum status refuse_real_data(struct simulator *simulator, struct store_session *session,
                                    struct error *error)
{
    bool has_real = false;
    enum status status = store_has_others(session, SOURCE_SIMULATED, &has_real, error);
    if (status == STATUS_OK && has_real)
        return error_set(error, STATUS_INVALID,
                         "%s holds real data, which a simulated market must not be mixed with; "
                         "choose another database for the demo (--db)",
                         store_path(simulator->store));
    return status;
}

/* One transaction for all markets. */
static enum status write_all(struct simulator *simulator, struct store_session *session, bool fills,
                             struct error *error)
{
    int64_t now_ms = clock_wall_ms();
    enum status status = store_write_begin(session, SOURCE_SIMULATED, true, error);
    for (size_t i = 0; i < simulator->market_count && status == STATUS_OK; i++) {
        struct market *market = &simulator->markets[i];
        struct crowd *crowd = &simulator->crowds[i];
        status = fills ? fill_market(market, crowd, session, now_ms, error)
                       : move_market(simulator, i, session, now_ms, error);
    }
    if (status == STATUS_OK)
        return store_write_commit(session, NULL, NULL, error);
    store_write_rollback(session);
    return status;
}

/* Moves the markets in a database that is known from the step before; fills any other. */
static enum status step(struct simulator *simulator, struct error *error)
{
    struct store_session *session = NULL;
    enum status status = store_begin(simulator->store, &session, error);
    if (status != STATUS_OK)
        return status;
    bool fills = store_opening(session) != simulator->opening;
    simulator->print_count = 0;
    if (fills)
        status = refuse_real_data(simulator, session, error);
    if (status == STATUS_OK)
        status = write_all(simulator, session, fills, error);
    simulator->opening = status == STATUS_OK ? store_opening(session) : 0;
    store_end(session);
    if (status == STATUS_OK)
        tell_prints(simulator);
    return status;
}

static void note_step(struct simulator *simulator, const struct error *fault)
{
    uint64_t now_ns = clock_monotonic_ns();
    bool is_pausing = simulator->logged_ns != 0 && now_ns - simulator->logged_ns < LOG_PAUSE_NS;
    if (fault->status != STATUS_OK && !simulator->is_logged && !is_pausing) {
        log_warn("the simulated market stands still", log_text("reason", fault->message));
        simulator->logged_ns = now_ns;
        simulator->is_logged = true;
    }
    if (fault->status == STATUS_OK && simulator->is_logged) {
        log_info("the simulated market moves again");
        simulator->is_logged = false;
    }
    pthread_mutex_lock(&simulator->mutex);
    simulator->fault = *fault;
    simulator->failures += fault->status != STATUS_OK;
    pthread_mutex_unlock(&simulator->mutex);
}

/* Sleeps until the next step; false when it is time to stop. */
static bool wait_step(struct simulator *simulator)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    double steps = simulator->fault.status == STATUS_OK ? 1 : RETRY_STEPS;
    int64_t nanoseconds = until.tv_nsec + (int64_t)(steps * simulator->step_seconds * 1e9);
    until.tv_sec += nanoseconds / 1000000000;
    until.tv_nsec = nanoseconds % 1000000000;
    pthread_mutex_lock(&simulator->mutex);
    int result = 0;
    while (!simulator->is_stopping && result == 0)
        result = pthread_cond_timedwait(&simulator->wakeup, &simulator->mutex, &until);
    bool is_stopping = simulator->is_stopping;
    pthread_mutex_unlock(&simulator->mutex);
    return !is_stopping;
}

static void *run(void *argument)
{
    struct simulator *simulator = argument;
    while (wait_step(simulator)) {
        struct error fault = {0};
        fault.status = step(simulator, &fault);
        note_step(simulator, &fault);
    }
    return NULL;
}

/* -- life -------------------------------------------------------------------------------------- */

static void destroy(struct simulator *simulator)
{
    pthread_cond_destroy(&simulator->wakeup);
    pthread_mutex_destroy(&simulator->mutex);
    for (size_t i = 0; i < simulator->market_count; i++)
        crowd_deinit(&simulator->crowds[i]);
    free(simulator->crowds);
    free(simulator->markets);
    free(simulator);
}

/* -- the source -------------------------------------------------------------------------------- */

static enum status status_of(struct source *source, uint64_t *failures, struct error *error)
{
    struct simulator *simulator = (struct simulator *)(void *)source;
    pthread_mutex_lock(&simulator->mutex);
    const struct error fault = simulator->fault;
    if (failures != NULL)
        *failures = simulator->failures;
    pthread_mutex_unlock(&simulator->mutex);
    return fault.status == STATUS_OK ? STATUS_OK
                                     : error_set(error, fault.status, "%s", fault.message);
}

/* What a simulation did not write is no loss. */
static enum status stop_source(struct source *source, struct error *error)
{
    (void)error;
    struct simulator *simulator = (struct simulator *)(void *)source;
    pthread_mutex_lock(&simulator->mutex);
    simulator->is_stopping = true;
    pthread_cond_signal(&simulator->wakeup);
    pthread_mutex_unlock(&simulator->mutex);
    pthread_join(simulator->thread, NULL);
    destroy(simulator);
    return STATUS_OK;
}

static const struct source_type simulated = {
    .status = status_of,
    .stop = stop_source,
};

enum status simulate_start(struct store *store, const struct symbol_list *symbols,
                           double step_seconds, simulate_print *on_print, void *context,
                           struct source **source, struct error *error)
{
    *source = NULL;
    struct simulator *simulator = memory_allocate_zeroed(1, sizeof *simulator);
    simulator->base.type = &simulated;
    simulator->store = store;
    simulator->step_seconds = step_seconds;
    simulator->on_print = on_print;
    simulator->context = context;
    simulator->market_count = symbols->count;
    simulator->markets = memory_allocate_zeroed(symbols->count, sizeof *simulator->markets);
    simulator->crowds = memory_allocate_zeroed(symbols->count, sizeof *simulator->crowds);
    for (size_t i = 0; i < symbols->count; i++)
        market_init(&simulator->markets[i], symbols->names[i]);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    check(pthread_cond_init(&simulator->wakeup, &attributes) == 0);
    pthread_condattr_destroy(&attributes);
    check(pthread_mutex_init(&simulator->mutex, NULL) == 0);

    enum status status = step(simulator, error);
    if (status != STATUS_OK) {
        destroy(simulator);
        return status;
    }
    check(pthread_create(&simulator->thread, NULL, run, simulator) == 0);
    *source = &simulator->base;
    return STATUS_OK;
}
