/* The collector's life. One thread with one loop does all of it: a beat ten times a second looks
 * at what is due (pull.c, push.c), and everything else is callbacks of sockets. Nothing on it
 * blocks: the database is read before it starts, and written by the writer's thread.
 *
 * What there was before is read from the database, so a start fetches what is missing, whatever
 * the reason: a new database, a night without power, a kill while rows waited to be written. The
 * newest stored candle is fetched again: it may have been imported while it formed. */
#include "sources/collect/collect_internal.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BEAT_MS 100
/* How far back the database is to be complete: the first moment of a map of the lookback rests on
 * the lookback before it. */
#define DEPTH_LOOKBACKS 2
#define DEPTH_MARGIN_STEPS 24      /* more: the change into the first candle, and dating */
#define FORGET_MS (60 * MINUTE_MS) /* what the exchange did not have is asked for again */
#define PROGRESS_MS (10 * SECOND_MS)
#define READING_MS SECOND_MS
#define WALL_STEP_MS (2 * MINUTE_MS) /* by which the machine's clock has been set */

/* -- time -------------------------------------------------------------------------------------- */

/* The machine's clock as it was at the start, and from there evenly on, also while the machine
 * sleeps: by that alone it must not come to be days off. Where it was wrong at the start, and is
 * set right later, that is a difference to this one (follow_wall()). */
static struct {
    pthread_once_t once;
    int64_t wall_ms, boot_ms;
} even = {.once = PTHREAD_ONCE_INIT};

static int64_t boot_ms(void)
{
    struct timespec since;
    check(clock_gettime(CLOCK_BOOTTIME, &since) == 0);
    return (int64_t)since.tv_sec * 1000 + since.tv_nsec / 1000000;
}

static void begin_even_clock(void)
{
    even.wall_ms = clock_wall_ms();
    even.boot_ms = boot_ms();
}

static int64_t even_now_ms(void *context)
{
    (void)context;
    pthread_once(&even.once, begin_even_clock);
    return even.wall_ms + boot_ms() - even.boot_ms;
}

static int64_t machine_wall_ms(void *context)
{
    (void)context;
    return clock_wall_ms();
}

int64_t collector_now_ms(const struct collector *collector)
{
    return collector->clock.now_ms(collector->clock.context);
}

/* A board without a clock of its own begins in some other year, and learns later what time it is.
 */
static void follow_wall(struct collector *collector)
{
    const struct collector_clock *clock = &collector->clock;
    if (clock->wall_ms == NULL)
        return;
    int64_t ahead_ms = clock->wall_ms(clock->context) - collector_now_ms(collector);
    int64_t step_ms = ahead_ms - collector->wall_ahead_ms;
    if (step_ms > -WALL_STEP_MS && step_ms < WALL_STEP_MS)
        return;
    log_warn("this machine's clock was set", log_int("ahead_by_seconds", step_ms / SECOND_MS));
    collector->wall_ahead_ms = ahead_ms;
    for (size_t v = 0; v < collector->venue_count; v++)
        venue_follow_wall(&collector->venues[v]);
}

/* A timer that begins while the clock runs fast must not become 0: the loop would not rest. */
static uint64_t timer_ms(const struct collector *collector, int64_t duration_ms)
{
    uint64_t scaled_ms = (uint64_t)((double)duration_ms / collector->clock.rate);
    return scaled_ms > 0 ? scaled_ms : 1;
}

/* -- progress ---------------------------------------------------------------------------------- */

static size_t missing_of_all(const struct collector *collector)
{
    size_t missing = 0;
    for (size_t v = 0; v < collector->venue_count; v++)
        for (size_t i = 0; i < collector->venues[v].market_count; i++)
            for (int kind = 0; kind < TRACK_COUNT; kind++)
                missing += market_missing(&collector->venues[v].markets[i], (enum track_kind)kind);
    return missing;
}

static void tell_progress(struct collector *collector)
{
    size_t missing = missing_of_all(collector);
    if (missing > 0)
        log_info("back-filling", log_int("rows_missing", (int64_t)missing));
    else if (collector->is_filling)
        log_info("back-filled: all that the exchanges have is there");
    collector->is_filling = missing > 0;
}

/* -- the beat ---------------------------------------------------------------------------------- */

static bool is_time(int64_t *due_ms, int64_t now_ms, int64_t period_ms)
{
    if (now_ms < *due_ms)
        return false;
    *due_ms = now_ms + period_ms;
    return true;
}

static void forget_absent(struct collector *collector)
{
    for (size_t v = 0; v < collector->venue_count; v++)
        for (size_t i = 0; i < collector->venues[v].market_count; i++)
            for (int kind = 0; kind < TRACK_COUNT; kind++) {
                struct track *track = &collector->venues[v].markets[i].tracks[kind];
                coverage_forget_absent(&track->coverage, 0);
                track->due_ms = 0;
            }
}

static void on_beat(uv_timer_t *timer)
{
    struct collector *collector = timer->data;
    int64_t now_ms = collector_now_ms(collector);
    bool has_new_second = is_time(&collector->reading_due_ms, now_ms, READING_MS);
    if (has_new_second)
        follow_wall(collector);
    for (size_t v = 0; v < collector->venue_count; v++) {
        struct venue *venue = &collector->venues[v];
        for (size_t i = 0; has_new_second && i < venue->market_count; i++)
            market_advance(&venue->markets[i]);
        pull_beat(venue);
        push_beat(venue);
    }
    if (has_new_second)
        readings_make(collector);
    if (is_time(&collector->progress_due_ms, now_ms, PROGRESS_MS))
        tell_progress(collector);
    if (is_time(&collector->forget_due_ms, now_ms, FORGET_MS))
        forget_absent(collector);
}

static void on_stop_asked(uv_async_t *async)
{
    struct collector *collector = async->data;
    uv_stop(&collector->loop);
}

static void close_loop(struct collector *collector)
{
    for (size_t v = 0; v < collector->venue_count; v++)
        venue_deinit(&collector->venues[v]);
    http_client_destroy(collector->http);
    uv_close((uv_handle_t *)&collector->beat, NULL);
    uv_close((uv_handle_t *)&collector->stop_asked, NULL);
    uv_run(&collector->loop, UV_RUN_DEFAULT);
    check(uv_loop_close(&collector->loop) == 0);
}

static void *run(void *argument)
{
    struct collector *collector = argument;
    uv_run(&collector->loop, UV_RUN_DEFAULT);
    close_loop(collector);
    return NULL;
}

/* -- life -------------------------------------------------------------------------------------- */

static struct collector *collector_of(struct source *source)
{
    return (struct collector *)(void *)source; /* its first member */
}

/* A database that cannot be written is in the backlog; the collector itself goes on. */
static enum status status_of(struct source *source, uint64_t *failures, struct error *error)
{
    struct writer_status written;
    (void)error;
    writer_status(collector_of(source)->writer, &written);
    if (failures != NULL)
        *failures = written.failures;
    return STATUS_OK;
}

static size_t read_streams(struct source *source, struct source_reading *readings, size_t count_max)
{
    return readings_copy(collector_of(source), readings, count_max);
}

static void read_backlog(struct source *source, struct source_backlog *backlog)
{
    struct writer_status written;
    writer_status(collector_of(source)->writer, &written);
    *backlog = (struct source_backlog){
        .waiting_rows = written.waiting_rows,
        .waiting_bytes = written.waiting_bytes,
        .lost_rows =
            written.dropped_klines + written.dropped_interest + written.dropped_liquidations,
        .waiting_ms = written.waiting_ms,
        .fault = written.fault,
    };
}

static void free_collector(struct collector *collector)
{
    readings_deinit(collector);
    for (size_t i = 0; i < collector->sum_count; i++)
        sum_destroy(collector->sums[i]);
    free(collector->sums);
    free(collector->symbols);
    free(collector->venues);
    free(collector);
}

static enum status stop_source(struct source *source, struct error *error)
{
    struct collector *collector = collector_of(source);
    uv_async_send(&collector->stop_asked);
    pthread_join(collector->thread, NULL);
    enum status status = writer_stop(collector->writer, collector->stop_timeout_ms, error);
    free_collector(collector);
    return status;
}

static const struct source_type collected = {
    .status = status_of,
    .read = read_streams,
    .read_backlog = read_backlog,
    .stop = stop_source,
};

static bool is_of(const struct exchange_prefix *prefix, const struct config *config, size_t place)
{
    return prefix->scope == EXCHANGE_SCOPE_ALL ||
           (prefix->scope == EXCHANGE_SCOPE_FIRST && place == 0) ||
           (prefix->scope == EXCHANGE_SCOPE_ONE && prefix->id == config->exchanges.ids[place]);
}

/* A market on each exchange that the symbol names. False: on none. */
static bool add_symbol(struct collector *collector, size_t symbol_index)
{
    const struct config *config = collector->config;
    struct slice name = slice_of(config->symbols.names[symbol_index]);
    struct exchange_prefix prefix;
    struct sum *sum = NULL;
    bool is_added = false;
    check(exchange_prefix_take(&name, &prefix)); /* the settings have been checked */
    if (prefix.scope == EXCHANGE_SCOPE_ALL) {
        sum = sum_create((size_t)(collector->depth_ms / CANDLE_MS));
        collector->sums[collector->sum_count++] = sum;
    }
    for (size_t place = 0; place < collector->venue_count; place++) {
        if (!is_of(&prefix, config, place))
            continue;
        venue_add_market(&collector->venues[place], symbol_index, sum);
        is_added = true;
    }
    return is_added;
}

static enum status make_venues(struct collector *collector, struct error *error)
{
    const struct config *config = collector->config;
    collector->venues = memory_allocate_zeroed(config->exchanges.count, sizeof *collector->venues);
    collector->sums = memory_allocate_zeroed(config->symbols.count, sizeof(struct sum *));
    collector->venue_count = config->exchanges.count;
    for (size_t v = 0; v < collector->venue_count; v++)
        venue_init(&collector->venues[v], collector, config->exchanges.ids[v]);
    for (size_t i = 0; i < config->symbols.count; i++)
        if (!add_symbol(collector, i))
            return error_set(error, STATUS_INVALID,
                             "SYMBOLS: '%s' is of an exchange that is not among EXCHANGES",
                             config->symbols.names[i]);
    return STATUS_OK;
}

static void open_loop(struct collector *collector)
{
    check(uv_loop_init(&collector->loop) == 0);
    check(uv_timer_init(&collector->loop, &collector->beat) == 0);
    check(uv_async_init(&collector->loop, &collector->stop_asked, on_stop_asked) == 0);
    collector->beat.data = collector->stop_asked.data = collector;
}

static enum status open_client(struct collector *collector, struct error *error)
{
    collector->http = http_client_create(&collector->loop,
                                         &(struct http_client_options){
                                             .ca_file = collector->config->ca_file,
                                             .user_agent = "heatcast",
                                         },
                                         error);
    return collector->http != NULL ? STATUS_OK : error->status;
}

/* Only what is collected here is pruned. */
static void start_writer(struct collector *collector)
{
    const struct config *config = collector->config;
    collector->symbols = memory_allocate_zeroed(config->symbols.count, sizeof *collector->symbols);
    for (size_t i = 0; i < config->symbols.count; i++)
        collector->symbols[i] = config->symbols.names[i];
    collector->writer = writer_start(&(struct writer_options){
        .store = collector->store,
        .write_seconds = config->collect_write_seconds / collector->clock.rate,
        .waiting_bytes_max = config->collect_memory_max,
        .keep_candles_ms = config->retention_candles_ms,
        .keep_liquidations_ms = config->retention_liquidations_ms,
        .symbols = collector->symbols,
        .symbol_count = config->symbols.count,
        .on_dropped = intake_drop,
        .context = collector,
    });
}

/* No deeper than is kept: it would be fetched and removed in turns. */
static int64_t depth_of(const struct config *config)
{
    int64_t depth_ms =
        config->heatmap_lookback_ms * DEPTH_LOOKBACKS + DEPTH_MARGIN_STEPS * CANDLE_MS;
    bool is_kept = config->retention_candles_ms == 0 || config->retention_candles_ms > depth_ms;
    return is_kept ? depth_ms : config->retention_candles_ms;
}

enum status collector_start(const struct collector_options *options, struct source **source,
                            struct error *error)
{
    const struct config *config = options->config;
    struct collector *collector = memory_allocate_zeroed(1, sizeof *collector);
    *source = NULL;
    *collector = (struct collector){
        .base = {.type = &collected},
        .config = config,
        .store = options->store,
        .feed = options->feed,
        .clock = {.now_ms = even_now_ms, .wall_ms = machine_wall_ms, .rate = 1},
        .depth_ms = depth_of(config),
        .random = random_seeded_by_system(),
        .stop_timeout_ms = options->stop_timeout_ms,
    };
    if (options->clock != NULL)
        collector->clock = *options->clock;
    open_loop(collector);
    enum status status = make_venues(collector, error);
    readings_init(collector);
    if (status == STATUS_OK)
        status = open_client(collector, error);
    if (status != STATUS_OK) {
        close_loop(collector);
        free_collector(collector);
        return status;
    }
    stored_read(collector);
    start_writer(collector);
    uint64_t beat_ms = timer_ms(collector, BEAT_MS);
    check(uv_timer_start(&collector->beat, on_beat, 0, beat_ms) == 0);
    check(pthread_create(&collector->thread, NULL, run, collector) == 0);
    *source = &collector->base;
    return STATUS_OK;
}
