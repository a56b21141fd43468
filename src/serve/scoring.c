/* A score reads a month of candles and takes half a second of a core: too much to be made for every
 * scrape, and nobody looks at it more often than it changes. So one thread makes them, one symbol
 * after the other, gives way to all others, and rests after each for many times as long as it took:
 * a thousand symbols take longer than SCORE_EVERY then, and never more than a twentieth of a core.
 * The limits of a client's question hold for each.
 *
 * By the same means the thread finds what recorded liquidations say of the amounts, and hands it to
 * the generator, whose snapshots then say what is expected. It rests on whole days before the
 * newest candle's, so it is the same all day long, on every server, unless rows of the past come.
 *
 * The metrics page reads what was found under a lock that is held for the copy of some numbers. A
 * score that cannot be made (too little data, the database is busy) leaves the one before, whose
 * age is a metric too; only where there are no data any more it is forgotten. */
#include "serve/scoring.h"

#include "base/check.h"
#include "base/log.h"
#include "ops/metrics.h"
#include "serve/server_internal.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { SCORING_NICENESS = 10 }; /* added: a tenth of a loop's weight */
#define FIRST_NS                                                                                   \
    (60 * UINT64_C(1000000000)) /* after the start, or SCORE_EVERY where that is less */
#define SCORING_REST 19         /* times as long as a score has taken */

/* What the page says of a symbol. */
struct scored {
    int64_t time_ms; /* when it was scored; 0: it was not */
    double location, location_lead, rank, rank_lead, factor;
};

struct scoring {
    struct server *server;
    uint64_t interval_ns;
    pthread_t thread;
    pthread_mutex_t mutex; /* for the next two, and for waiting */
    pthread_cond_t wakeup;
    struct scored *of; /* by symbol */
    uint64_t failures;
    /* Relaxed where a question reads it: it hands nothing over. */
    atomic_bool is_stopping;
};

static bool is_stopping(struct scoring *scoring)
{
    return atomic_load_explicit(&scoring->is_stopping, memory_order_relaxed);
}

/* False when it is time to stop. */
static bool wait_until(struct scoring *scoring, uint64_t time_ns)
{
    const struct timespec until = {.tv_sec = (time_t)(time_ns / 1000000000),
                                   .tv_nsec = (long)(time_ns % 1000000000)};
    int result = 0;
    pthread_mutex_lock(&scoring->mutex);
    while (!is_stopping(scoring) && result != ETIMEDOUT)
        result = pthread_cond_timedwait(&scoring->wakeup, &scoring->mutex, &until);
    pthread_mutex_unlock(&scoring->mutex);
    return !is_stopping(scoring);
}

/* -- scoring ----------------------------------------------------------------------------------- */

static void note_score(struct scored *scored, const struct score *score)
{
    scored->time_ms = clock_wall_ms();
    scored->location = score->maps[SCORE_MODEL].location.value;
    scored->location_lead = score_least_lead(score, SCORE_LOCATION);
    scored->rank = score->maps[SCORE_MODEL].rank.value;
    scored->rank_lead = score_least_lead(score, SCORE_RANK);
    scored->factor = score->factor.value;
}

static struct question_limits limits_of(const struct scoring *scoring)
{
    const struct config *config = scoring->server->config;
    return (struct question_limits){
        .stop = {.is_cancelled = &scoring->is_stopping,
                 .deadline_ns =
                     clock_monotonic_ns() + (uint64_t)(config->question_seconds_max * 1e9)},
        .candles_max = config->question_candles_max,
        .memory_bytes_max = config->question_memory_max,
    };
}

static enum status calibrate_symbol(struct scoring *scoring, size_t index, struct error *error)
{
    const struct server *server = scoring->server;
    const struct question_limits limits = limits_of(scoring);
    const int64_t newest_ms = publisher_data_time_ms(server->publisher, index);
    struct calibration calibration;
    if (newest_ms == 0)
        return STATUS_OK;
    const enum status status =
        history_calibrate(server->history, server->config->symbols.names[index], newest_ms, NULL,
                          &limits, &calibration, error);
    if (status == STATUS_OK)
        generator_calibrate(server->role.generator, index, &calibration);
    return status;
}

static void score_symbol(struct scoring *scoring, size_t index)
{
    const struct server *server = scoring->server;
    const char *symbol = server->config->symbols.names[index];
    const struct question_limits limits = limits_of(scoring);
    struct score score;
    struct error error;
    enum status status = history_score_numbers(server->history, symbol, &limits, &score, &error);
    pthread_mutex_lock(&scoring->mutex);
    if (status == STATUS_OK)
        note_score(&scoring->of[index], &score);
    else if (status == STATUS_NO_DATA)
        scoring->of[index].time_ms = 0;
    pthread_mutex_unlock(&scoring->mutex);
    if (status == STATUS_OK)
        status = calibrate_symbol(scoring, index, &error);
    if (status == STATUS_OK)
        return;
    log_debug("not scored", log_text("symbol", symbol), log_text("reason", error.message));
    pthread_mutex_lock(&scoring->mutex);
    scoring->failures += status != STATUS_NO_DATA && status != STATUS_CANCELLED;
    pthread_mutex_unlock(&scoring->mutex);
}

static void *run(void *context)
{
    struct scoring *scoring = context;
    const size_t count = scoring->server->config->symbols.count;
    const uint64_t first_ns = scoring->interval_ns < FIRST_NS ? scoring->interval_ns : FIRST_NS;
    uint64_t next_ns = clock_monotonic_ns() + first_ns;
    errno = 0;
    check(nice(SCORING_NICENESS) != -1 || errno == 0); /* of this thread alone, as Linux has it */
    while (wait_until(scoring, next_ns)) {
        next_ns = clock_monotonic_ns() + scoring->interval_ns;
        for (size_t i = 0; i < count; i++) {
            const uint64_t start_ns = clock_monotonic_ns();
            score_symbol(scoring, i);
            const uint64_t end_ns = clock_monotonic_ns();
            if (!wait_until(scoring, end_ns + SCORING_REST * (end_ns - start_ns)))
                break;
        }
    }
    return NULL;
}

/* -- life -------------------------------------------------------------------------------------- */

struct scoring *scoring_start(struct server *server)
{
    const struct config *config = server->config;
    if (config->score_every_seconds == 0 || server->history == NULL)
        return NULL;
    struct scoring *scoring = memory_allocate_zeroed(1, sizeof *scoring);
    scoring->server = server;
    scoring->interval_ns = (uint64_t)(config->score_every_seconds * 1e9);
    scoring->of = memory_allocate_zeroed(config->symbols.count, sizeof *scoring->of);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    check(pthread_cond_init(&scoring->wakeup, &attributes) == 0);
    pthread_condattr_destroy(&attributes);
    check(pthread_mutex_init(&scoring->mutex, NULL) == 0);
    check(pthread_create(&scoring->thread, NULL, run, scoring) == 0);
    return scoring;
}

void scoring_stop(struct scoring *scoring)
{
    if (scoring == NULL)
        return;
    pthread_mutex_lock(&scoring->mutex);
    atomic_store_explicit(&scoring->is_stopping, true, memory_order_relaxed);
    pthread_cond_signal(&scoring->wakeup);
    pthread_mutex_unlock(&scoring->mutex);
    pthread_join(scoring->thread, NULL);
}

void scoring_destroy(struct scoring *scoring)
{
    if (scoring == NULL)
        return;
    pthread_cond_destroy(&scoring->wakeup);
    pthread_mutex_destroy(&scoring->mutex);
    free(scoring->of);
    free(scoring);
}

/* -- metrics ----------------------------------------------------------------------------------- */

static const struct family {
    const char *name, *help;
    size_t offset; /* of its number in struct scored */
} families[] = {
    {"heatcast_score_location",
     "Probability that a liquidated dollar lies in a denser bucket than one at random; 0.5 is "
     "chance.",
     offsetof(struct scored, location)},
    {"heatcast_score_location_lead",
     "How much that leads all maps that know less, at least; the map is of use above 0.",
     offsetof(struct scored, location_lead)},
    {"heatcast_score_rank",
     "Rank correlation of what the map had where price went with what was lost; 0 is chance.",
     offsetof(struct scored, rank)},
    {"heatcast_score_rank_lead",
     "How much that leads all maps that know less, at least; the map is of use above 0.",
     offsetof(struct scored, rank_lead)},
    {"heatcast_score_factor", "What was liquidated, as a multiple of what the map had there.",
     offsetof(struct scored, factor)},
};

static void collect_family(struct buffer *out, const struct family *family,
                           const struct scored *scored, const struct symbol_list *symbols)
{
    metrics_family(out, family->name, "gauge", family->help);
    for (size_t i = 0; i < symbols->count; i++) {
        double number;
        memcpy(&number, (const char *)&scored[i] + family->offset, sizeof number);
        if (scored[i].time_ms != 0 && !isnan(number))
            metrics_labelled(out, family->name, "symbol", symbols->names[i], number);
    }
}

static void collect_scored(struct buffer *out, const struct scored *scored,
                           const struct symbol_list *symbols)
{
    static const char age[] = "heatcast_score_age_seconds";
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        collect_family(out, &families[i], scored, symbols);
    metrics_family(out, age, "gauge", "Since the symbol's map was scored (SCORE_EVERY).");
    for (size_t i = 0; i < symbols->count; i++)
        if (scored[i].time_ms != 0)
            metrics_labelled(out, age, "symbol", symbols->names[i],
                             (double)(clock_wall_ms() - scored[i].time_ms) / 1000);
}

void scoring_collect_metrics(struct buffer *out, void *context)
{
    const struct server *server = context;
    const struct symbol_list *symbols = &server->config->symbols;
    struct scoring *scoring = server->scoring;
    if (scoring == NULL)
        return;
    struct scored *scored = memory_allocate_zeroed(symbols->count, sizeof *scored);
    pthread_mutex_lock(&scoring->mutex);
    memcpy(scored, scoring->of, symbols->count * sizeof *scored);
    const uint64_t failures = scoring->failures;
    pthread_mutex_unlock(&scoring->mutex);
    collect_scored(out, scored, symbols);
    free(scored);
    metrics_family(out, "heatcast_score_failures_total", "counter",
                   "Scores that could not be made; with LOG_LEVEL=debug the log says why.");
    metrics_sample(out, "heatcast_score_failures_total", (double)failures);
}
