/* A market that looks like one, without claiming to be one.
 *
 * Price moves in steps of any length: a random walk whose volatility wanders (an Ornstein-Uhlenbeck
 * process of its logarithm), with fat tails, a weak pull towards an anchor so that a week stays in
 * one picture, and now and then a cascade: some minutes of a hard run in one direction while open
 * interest falls, as when positions are force-closed. Open interest counts contracts, is pulled to
 * its mean and grows a little with moves; its value in quote currency moves with the price too.
 *
 * The same step function makes the week of history (ten steps a candle) and the live market (one of
 * a second or so on the forming candle), so the map has no seam between them. Randomness is a
 * generator of its own, seeded by symbol and time: a demo can be repeated in a test.
 *
 * After a write that failed, and when the store has opened the file anew, nothing is known of what
 * the database holds; so the next step is the one of the start: it looks where the database ends,
 * goes on from there, and fills up to now.
 *
 * Threads: simulate_start() writes history on the caller's thread; afterwards everything belongs to
 * the simulator's thread but `is_stopping` and how the last step ended, which `mutex` guards. */
#include "sources/simulate/simulate.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HISTORY_MS (7 * DAY_MS)
#define HISTORY_STEPS 10 /* of a candle of the past */
#define RETRY_STEPS                                                                                \
    5 /* until the next try, after one that failed: it reads the whole log again                   \
       */
#define LOG_PAUSE_NS                                                                               \
    UINT64_C(60000000000) /* between two lines about a market that stands still                    \
                           */
#define CANDLE_SECONDS 300.0

/* Per square root of a 5-minute candle. */
#define VOLATILITY 0.0011
#define VOLATILITY_LOG_LIMIT 1.1
#define INTEREST_VOLATILITY 0.0009
/* Contracts close into strength and open into weakness, which offsets most of what the price alone
 * does to their value; without it, nearly every rise in value would come with a rising candle. */
#define INTEREST_PRICE_OFFSET 0.8
/* Per candle. */
#define ANCHOR_PULL 0.002
#define INTEREST_PULL 0.001
#define CASCADE_CHANCE 0.003
#define CASCADE_DRIFT 0.0028
#define CASCADE_INTEREST_FALL 0.003
#define CASCADE_CANDLES_MAX 5

struct market {
    char symbol[SYMBOL_SIZE];
    double tick;          /* smallest price step */
    double anchor;        /* price that the walk is pulled to */
    double mean_interest; /* contracts */
    double price, interest;
    double volatility_log;
    double cascade_seconds; /* left of the present one */
    int cascade_direction;
    uint64_t random;
    struct kline_row candle; /* the forming one */
};

struct simulator {
    struct store *store;
    double step_seconds;
    size_t market_count;
    struct market *markets;
    uint64_t opening; /* store_opening() of the last step that went well; 0: it did not */
    uint64_t logged_ns;
    bool is_logged; /* that it stands still */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wakeup;
    bool is_stopping;
    uint64_t failures;
    struct error fault; /* of the last step; its own thread reads it without the mutex */
};

/* -- randomness -------------------------------------------------------------------------------- */

/* SplitMix64 (Steele, Lea, Flood 2014): small, and good enough for a picture. */
static uint64_t next_random(struct market *market)
{
    uint64_t z = market->random += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static double uniform(struct market *market)
{
    return (double)((next_random(market) >> 11) + 1) / 9007199254740993.0; /* (0, 1) */
}

/* A standard normal deviate (Box-Muller). */
static double normal(struct market *market)
{
    double radius = sqrt(-2 * log(uniform(market)));
    return radius * cos(2 * M_PI * uniform(market));
}

/* -- one market -------------------------------------------------------------------------------- */

/* A tick of about a millionth of the price, a power of ten. */
static double tick_for(double price)
{
    double tick = pow(10, floor(log10(price)) - 5);
    return tick < 1e-8 ? 1e-8 : tick;
}

static void init_market(struct market *market, const char *symbol)
{
    memset(market, 0, sizeof *market);
    strcpy(market->symbol, symbol);
    market->random = hash_bytes(HASH_START, symbol, strlen(symbol));
    double interest_value = 4e8 * (1 + uniform(market));
    market->anchor = pow(10, -1 + 3 * uniform(market));
    if (strncmp(symbol, "BTC", 3) == 0) {
        market->anchor = 98000;
        interest_value = 8e9;
    } else if (strncmp(symbol, "ETH", 3) == 0) {
        market->anchor = 3400;
        interest_value = 5e9;
    }
    market->tick = tick_for(market->anchor);
    market->mean_interest = interest_value / market->anchor;
    market->price = market->anchor;
    market->interest = market->mean_interest;
}

/* Draws how the next `candles` (usually a fraction of one) go: the relative moves of price and of
 * open interest. */
static void step_cascade(struct market *market, double candles, double *move, double *flow)
{
    if (market->cascade_seconds <= 0) {
        if (uniform(market) >= CASCADE_CHANCE * candles)
            return;
        market->cascade_seconds =
            CANDLE_SECONDS * (1 + (CASCADE_CANDLES_MAX - 1) * uniform(market));
        market->cascade_direction = uniform(market) < 0.55 ? -1 : 1;
    }
    market->cascade_seconds -= candles * CANDLE_SECONDS;
    *move += market->cascade_direction * CASCADE_DRIFT * candles;
    *flow -= CASCADE_INTEREST_FALL * candles;
}

static void step_market(struct market *market, double seconds)
{
    double candles = seconds / CANDLE_SECONDS, root = sqrt(candles);
    market->volatility_log +=
        -0.01 * candles * market->volatility_log + 0.09 * root * normal(market);
    market->volatility_log =
        fmax(-VOLATILITY_LOG_LIMIT, fmin(VOLATILITY_LOG_LIMIT, market->volatility_log));
    double tail = uniform(market) < 0.02 ? 3 : 1;
    double move = VOLATILITY * exp(market->volatility_log) * tail * root * normal(market);
    double flow = INTEREST_VOLATILITY * root * normal(market) + 0.12 * fabs(move) * root;
    move -= ANCHOR_PULL * candles * log(market->price / market->anchor);
    flow -= INTEREST_PRICE_OFFSET * move;
    flow -= INTEREST_PULL * candles * log(market->interest / market->mean_interest);
    step_cascade(market, candles, &move, &flow);
    market->price = fmax(market->tick, market->price * exp(move));
    market->interest *= exp(flow);

    struct candle *candle = &market->candle.candle;
    candle->close_e8 = llround(round(market->price / market->tick) * market->tick * 1e8);
    if (candle->close_e8 > candle->high_e8)
        candle->high_e8 = candle->close_e8;
    if (candle->close_e8 < candle->low_e8)
        candle->low_e8 = candle->close_e8;
    double activity = 0.3 + fabs(move) / (VOLATILITY * root) + (tail > 1);
    candle->volume += market->mean_interest * 0.004 * candles * activity;
    market->candle.volume_e8 = llround(candle->volume * 1e8);
}

/* A new candle opens where the last one closed. */
static void begin_candle(struct market *market, int64_t open_time_ms)
{
    int64_t open_e8 = llround(round(market->price / market->tick) * market->tick * 1e8);
    market->candle = (struct kline_row){
        .candle = {.open_time_ms = open_time_ms,
                   .open_e8 = open_e8,
                   .high_e8 = open_e8,
                   .low_e8 = open_e8,
                   .close_e8 = open_e8},
        .close_time_ms = open_time_ms + CANDLE_MS - 1,
    };
    strcpy(market->candle.symbol, market->symbol);
}

static enum status write_market(const struct market *market, struct store_session *session,
                                struct error *error)
{
    struct interest_row interest = {
        .timestamp_ms = market->candle.candle.open_time_ms,
        .value_e8 = llround(market->interest * market->price * 1e8),
        .has_contracts = true,
        .contracts_e8 = llround(market->interest * 1e8),
    };
    strcpy(interest.symbol, market->symbol);
    enum status status = store_write_kline(session, &market->candle, error);
    return status == STATUS_OK ? store_write_interest(session, &interest, error) : status;
}

/* -- history ----------------------------------------------------------------------------------- */

/* Where an earlier run has left off: price, open interest, the open time of its newest candle. */
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
    if (status == STATUS_OK && series.count == 1) {
        market->price = (double)series.candles[0].close_e8 / 1e8;
        market->interest = (double)interest_e8 / 1e8 / market->price;
        market->random ^= (uint64_t)*newest_ms;
        market->candle.candle = series.candles[0];
    }
    series_deinit(&series);
    return status;
}

/* Writes the finished candles that are missing before `now_ms`, at most HISTORY_MS of them, and
 * leaves the market with its forming candle begun. */
static enum status fill_market(struct market *market, struct store_session *session, int64_t now_ms,
                               struct error *error)
{
    int64_t forming_ms = now_ms - now_ms % CANDLE_MS;
    int64_t first_ms = forming_ms - HISTORY_MS, newest_ms;
    enum status status = resume_market(market, session, &newest_ms, error);
    if (status == STATUS_OK && newest_ms + CANDLE_MS > first_ms)
        first_ms = newest_ms + CANDLE_MS;
    else if (status != STATUS_OK && status != STATUS_NO_DATA)
        return status;
    for (int64_t open_ms = first_ms; open_ms < forming_ms; open_ms += CANDLE_MS) {
        begin_candle(market, open_ms);
        for (int step = 0; step < HISTORY_STEPS; step++)
            step_market(market, CANDLE_SECONDS / HISTORY_STEPS);
        status = write_market(market, session, error);
        if (status != STATUS_OK)
            return status;
    }
    const struct candle newest = market->candle.candle;
    begin_candle(market, forming_ms);
    if (newest.open_time_ms == forming_ms) { /* an earlier run had begun it */
        market->candle.candle = newest;
        market->candle.volume_e8 = llround(newest.volume * 1e8);
    }
    return write_market(market, session, error);
}

/* -- the live market --------------------------------------------------------------------------- */

/* Finishes the candles that the clock has passed and moves the forming one. */
static enum status move_market(struct market *market, struct store_session *session, double seconds,
                               int64_t now_ms, struct error *error)
{
    int64_t forming_ms = now_ms - now_ms % CANDLE_MS;
    enum status status = STATUS_OK;
    if (forming_ms - market->candle.candle.open_time_ms > HISTORY_MS)
        begin_candle(market, forming_ms - HISTORY_MS); /* the machine slept for long */
    while (status == STATUS_OK && market->candle.candle.open_time_ms < forming_ms) {
        status = write_market(market, session, error);
        begin_candle(market, market->candle.candle.open_time_ms + CANDLE_MS);
        if (market->candle.candle.open_time_ms < forming_ms)
            step_market(market, CANDLE_SECONDS);
    }
    step_market(market, seconds);
    return status == STATUS_OK ? write_market(market, session, error) : status;
}

static enum status refuse_real_data(struct simulator *simulator, struct store_session *session,
                                    struct error *error)
{
    bool has_real = false;
    enum status status = store_has_others(session, "simulated", &has_real, error);
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
    enum status status = store_write_begin(session, "simulated", true, error);
    for (size_t i = 0; i < simulator->market_count && status == STATUS_OK; i++) {
        struct market *market = &simulator->markets[i];
        status = fills ? fill_market(market, session, now_ms, error)
                       : move_market(market, session, simulator->step_seconds, now_ms, error);
    }
    if (status == STATUS_OK)
        return store_write_commit(session, NULL, NULL, error);
    store_write_rollback(session);
    return status;
}

/* Moves the market on, in a database that is known from the step before; fills any other. */
static enum status step(struct simulator *simulator, struct error *error)
{
    struct store_session *session = NULL;
    enum status status = store_begin(simulator->store, &session, error);
    if (status != STATUS_OK)
        return status;
    bool fills = store_opening(session) != simulator->opening;
    if (fills)
        status = refuse_real_data(simulator, session, error);
    if (status == STATUS_OK)
        status = write_all(simulator, session, fills, error);
    simulator->opening = status == STATUS_OK ? store_opening(session) : 0;
    store_end(session);
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
    bool goes_on = !simulator->is_stopping;
    pthread_mutex_unlock(&simulator->mutex);
    return goes_on;
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
    free(simulator->markets);
    free(simulator);
}

enum status simulate_start(struct store *store, const struct symbol_list *symbols,
                           double step_seconds, struct simulator **result, struct error *error)
{
    *result = NULL;
    struct simulator *simulator = memory_allocate_zeroed(1, sizeof *simulator);
    simulator->store = store;
    simulator->step_seconds = step_seconds;
    simulator->market_count = symbols->count;
    simulator->markets = memory_allocate_zeroed(symbols->count, sizeof *simulator->markets);
    for (size_t i = 0; i < symbols->count; i++)
        init_market(&simulator->markets[i], symbols->names[i]);
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
    *result = simulator;
    return STATUS_OK;
}

enum status simulate_check(struct simulator *simulator, uint64_t *failures, struct error *error)
{
    if (failures != NULL)
        *failures = 0;
    if (simulator == NULL)
        return STATUS_OK;
    pthread_mutex_lock(&simulator->mutex);
    const struct error fault = simulator->fault;
    if (failures != NULL)
        *failures = simulator->failures;
    pthread_mutex_unlock(&simulator->mutex);
    return fault.status == STATUS_OK ? STATUS_OK
                                     : error_set(error, fault.status, "%s", fault.message);
}

void simulate_stop(struct simulator *simulator)
{
    if (simulator == NULL)
        return;
    pthread_mutex_lock(&simulator->mutex);
    simulator->is_stopping = true;
    pthread_cond_signal(&simulator->wakeup);
    pthread_mutex_unlock(&simulator->mutex);
    pthread_join(simulator->thread, NULL);
    destroy(simulator);
}
