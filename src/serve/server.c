/*
 *   simulator (demo) -> store <- generator -> publisher -> workers' mailboxes -> clients
 *                         ^          |           ^
 *                         |          +-> cluster-+   Redis, other servers (REDIS_ENABLED)
 *                         |
 *                         +---- history <- backend questions from the HTTP routes (thread pool)
 *
 * A relay (CLUSTER_ROLE) has the right-hand side alone: no store, no generator, no history.
 *
 * Order of life: what others call is made before them and freed after them. The workers' mailboxes
 * exist before the generator starts and until it has stopped; the worker threads run in between. */
#include "serve/server.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/decimal.h"
#include "base/iso_time.h"
#include "base/log.h"
#include "cluster/cluster.h"
#include "engine/generator.h"
#include "engine/history.h"
#include "sources/simulate/simulate.h"
#include "model/bucket.h"
#include "net/server.h"
#include "ops/process.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <uv.h>

#define DEMO_STEP_SECONDS 1.0
#define RELAY_HAS_NO_DATABASE                                                                      \
    "this server is a relay and has no database: ask one that has (CLUSTER_ROLE)"
#define LIVE_AGE_MAX_MS (3 * CANDLE_MS) /* a symbol is live while its newest candle is younger */

struct server {
    const struct config *config;
    bool is_demo;
    struct store *store;
    struct source *source; /* NULL: another program fills the database */
    struct history *history;
    struct metrics *metrics;
    struct publisher *publisher;
    struct backend backend;
    struct net_server *net;
    struct generator *generator;
    struct cluster *cluster;         /* NULL: this is the only server */
    atomic_int cluster_state;        /* enum cluster_state */
    atomic_size_t failures_in_a_row; /* looks at symbols that the database did not let */
    struct histogram query_seconds, compute_seconds;
    atomic_bool is_stopping;
    atomic_bool is_asked[SYMBOLS_MAX]; /* somebody wants it, and there is no generator to ask */
    uv_loop_t loop;
    uv_async_t asked; /* some of these are set */
    uv_signal_t on_terminate, on_interrupt, on_hangup;
    uv_timer_t second;
};

/* -- the generator (its thread) -------------------------------------------------------------------
 */

static bool is_relay(const struct server *server)
{
    return server->config->redis_enabled && server->config->cluster_role == CLUSTER_RELAY;
}

static enum cluster_state cluster_state(struct server *server)
{
    return (enum cluster_state)atomic_load_explicit(&server->cluster_state, memory_order_relaxed);
}

/* Whether this server's generator is at work. */
static bool is_generating(struct server *server)
{
    return !server->config->redis_enabled ||
           (!is_relay(server) &&
            (cluster_state(server) == CLUSTER_LEADING || cluster_state(server) == CLUSTER_ALONE));
}

/* Whoever generates for all servers does not know what their clients want. */
static bool is_wanted(size_t symbol_index, void *context)
{
    struct server *server = context;
    return publisher_is_wanted(server->publisher, symbol_index) ||
           cluster_state(server) == CLUSTER_LEADING;
}

static void on_published(const struct publication *published, size_t count, void *context)
{
    struct server *server = context;
    struct frame *frames[SYMBOLS_MAX];
    if (server->cluster != NULL && !cluster_admits(server->cluster, published[0].epoch))
        return; /* another server has taken over; a new epoch begins with all symbols */
    publisher_publish(server->publisher, published, count, frames);
    for (size_t i = 0; i < count; i++) {
        if (frames[i] != NULL && server->cluster != NULL)
            cluster_publish(server->cluster, frames[i]);
        frame_release(frames[i]);
    }
}

/* A generator that cannot read its database should leave the work to one that can. */
static void report_database(struct server *server, enum status status)
{
    bool has_failed = status != STATUS_OK && status != STATUS_NO_DATA && status != STATUS_BUSY;
    size_t failures = 0;
    if (has_failed)
        failures =
            1 + atomic_fetch_add_explicit(&server->failures_in_a_row, 1, memory_order_relaxed);
    else
        atomic_store_explicit(&server->failures_in_a_row, 0, memory_order_relaxed);
    cluster_report_database(server->cluster, failures < server->config->symbols.count);
}

static void on_checked(size_t symbol_index, enum status status, const char *message, void *context)
{
    (void)message; /* the generator has logged it */
    struct server *server = context;
    if (server->cluster != NULL)
        report_database(server, status);
    publisher_checked(server->publisher, symbol_index, status);
}

static void on_computed(size_t symbol_index, uint64_t query_ns, uint64_t compute_ns, void *context)
{
    (void)symbol_index;
    struct server *server = context;
    histogram_record(&server->query_seconds, query_ns);
    histogram_record(&server->compute_seconds, compute_ns);
}

/* -- the cluster (main loop) ------------------------------------------------------------------- */

/* Where another server generates, what came from it last is as new as can be. */
static void answer_without_generator(struct server *server, size_t symbol_index)
{
    struct frame *newest = publisher_newest(server->publisher, symbol_index);
    enum status status = newest != NULL                           ? STATUS_OK
                         : cluster_state(server) == CLUSTER_ALONE ? STATUS_UNREACHABLE
                                                                  : STATUS_NO_DATA;
    frame_release(newest);
    publisher_checked(server->publisher, symbol_index, status);
}

/* On the thread of whoever asks. */
static void on_wanted(size_t symbol_index, void *context)
{
    struct server *server = context;
    if (is_generating(server)) {
        generator_wake(server->generator, symbol_index);
        return;
    }
    atomic_store_explicit(&server->is_asked[symbol_index], true, memory_order_release);
    uv_async_send(&server->asked);
}

/* While it joins, whoever asks waits for what comes of it. */
static void on_asked(uv_async_t *async)
{
    struct server *server = async->data;
    for (size_t i = 0; i < server->config->symbols.count; i++) {
        if (!atomic_exchange_explicit(&server->is_asked[i], false, memory_order_acquire))
            continue;
        if (is_generating(server)) /* by now */
            generator_wake(server->generator, i);
        else if (cluster_state(server) != CLUSTER_JOINING)
            answer_without_generator(server, i);
    }
}

static void on_cluster_state(enum cluster_state state, uint64_t epoch, void *context)
{
    struct server *server = context;
    atomic_store_explicit(&server->cluster_state, (int)state, memory_order_relaxed);
    if (server->generator != NULL)
        generator_lead(server->generator, epoch);
    if (!is_generating(server))
        for (size_t i = 0; i < server->config->symbols.count; i++)
            answer_without_generator(server, i);
}

static bool on_cluster_publication(const struct publication *publication, bool is_foreign,
                                   void *context)
{
    struct server *server = context;
    struct frame *frame;
    publisher_publish(server->publisher, publication, 1, &frame);
    bool is_news = frame != NULL;
    frame_release(frame);
    if (is_news && is_foreign && server->generator != NULL)
        generator_skip(server->generator, publication->symbol_index, publication->epoch,
                       publication->seq);
    if (is_news && !is_generating(server))
        publisher_checked(server->publisher, publication->symbol_index, STATUS_OK);
    return is_news;
}

static void find_newest(size_t symbol_index, uint64_t *epoch, uint64_t *seq, void *context)
{
    struct server *server = context;
    struct frame *newest = publisher_newest(server->publisher, symbol_index);
    *epoch = newest != NULL ? newest->epoch : 0;
    *seq = newest != NULL ? newest->seq : 0;
    frame_release(newest);
}

static void start_cluster(struct server *server)
{
    if (!server->config->redis_enabled)
        return;
    char url[REDIS_URL_TEXT_SIZE];
    log_info("several servers share snapshots",
             log_text("redis", redis_url_format(&server->config->redis_url, url)),
             log_text("prefix", server->config->redis_channel_prefix));
    server->cluster = cluster_create(&(struct cluster_options){
        .loop = &server->loop,
        .config = server->config,
        .may_generate = !is_relay(server),
        .on_state = on_cluster_state,
        .on_publication = on_cluster_publication,
        .find_newest = find_newest,
        .context = server,
    });
    metrics_register(server->metrics, cluster_collect, server->cluster);
}

/* -- answers for the HTTP routes (thread pool) ------------------------------------------------- */

static void append_symbol(struct server *server, struct store_session *session, size_t index,
                          struct buffer *out)
{
    const char *symbol = server->config->symbols.names[index];
    int64_t newest_ms = 0, bucket_e8 = bucket_map_find(&server->config->heatmap_buckets, symbol);
    struct series series = {0};
    bool has_data = session != NULL && store_newest(session, symbol, &newest_ms, NULL) == STATUS_OK;
    if (has_data && bucket_e8 == 0 &&
        store_load(session, symbol, newest_ms, newest_ms, CANDLE_MS, &series, NULL) == STATUS_OK &&
        series.count > 0)
        bucket_e8 = bucket_default(symbol, series.candles[series.count - 1].close_e8);
    series_deinit(&series);
    if (!has_data) { /* another server may have sent some */
        newest_ms = publisher_data_time_ms(server->publisher, index);
        has_data = newest_ms != 0;
    }

    bool is_live = has_data && clock_wall_ms() - newest_ms < LIVE_AGE_MAX_MS;
    char time[ISO_TIME_SIZE];
    buffer_append_format(out, "{\"symbol\":\"%s\",\"newest\":", symbol);
    if (has_data)
        buffer_append_format(out, "\"%s\"", iso_time_format(newest_ms, time));
    else
        buffer_append_text(out, "null");
    buffer_append_text(out, ",\"bucket\":");
    if (bucket_e8 > 0)
        decimal_append(out, bucket_e8);
    else
        buffer_append_text(out, "null");
    buffer_append_format(out, ",\"live\":%s}", is_live ? "true" : "false");
}

/* "ok", or why the database cannot be read. */
static enum status open_session(struct server *server, struct store_session **session,
                                struct error *error)
{
    if (is_relay(server))
        return error_set(error, STATUS_NOT_FOUND, RELAY_HAS_NO_DATABASE);
    return store_begin(server->store, session, error);
}

/* The whitelist is known even where the database cannot be read; then the answer says why. */
static enum status answer_symbols(struct server *server, struct buffer *out)
{
    struct error error;
    struct store_session *session = NULL;
    enum status status = open_session(server, &session, &error);
    buffer_append_text(out, "{\"symbols\":[");
    for (size_t i = 0; i < server->config->symbols.count; i++) {
        if (i > 0)
            buffer_append_char(out, ',');
        append_symbol(server, session, i, out);
    }
    store_end(session);
    buffer_append_format(out,
                         "],\"simulated\":%s,\"version\":\"" HEATCAST_VERSION "\",\"database\":",
                         server->is_demo ? "true" : "false");
    const char *text = status == STATUS_OK ? "ok" : error.message;
    buffer_append_json_string(out, text, strlen(text));
    buffer_append_char(out, '}');
    return STATUS_OK;
}

/* Why the database is not what it should be: it cannot be opened now, or its content could not be
 * read at the generator's last look, or not be written at the simulator's. */
static enum status check_database(struct server *server, struct error *error)
{
    struct store_session *session = NULL;
    enum status status = store_begin(server->store, &session, error);
    store_end(session);
    if (status != STATUS_OK)
        return status;
    status = generator_check(server->generator, error);
    bool is_free_again = status == STATUS_BUSY;
    return status == STATUS_OK || is_free_again ? source_status(server->source, NULL, error)
                                                : status;
}

/* One part of the readiness, and whether it is ready. */
static bool append_check(struct buffer *out, const char *name, bool is_ok, const char *reason)
{
    const char *text = is_ok ? "ok" : reason;
    buffer_append_format(out, "%s\"%s\":", out->size > 0 ? "," : "", name);
    buffer_append_json_string(out, text, strlen(text));
    return is_ok;
}

static bool append_database_check(struct server *server, struct buffer *out)
{
    struct error error;
    if (is_relay(server))
        return true;
    enum status status = check_database(server, &error);
    return append_check(out, "database", status == STATUS_OK, error.message);
}

static bool append_redis_check(struct server *server, struct buffer *out)
{
    struct cluster_reading reading;
    if (server->cluster == NULL)
        return true;
    cluster_read(server->cluster, &reading);
    return append_check(out, "redis", reading.is_connected, reading.reason);
}

/* Names each part, and is not OK if one fails. */
static enum status answer_ready(struct server *server, struct buffer *out, struct error *error)
{
    struct buffer checks = {0};
    bool is_stopping = atomic_load_explicit(&server->is_stopping, memory_order_relaxed);
    bool is_ready = append_database_check(server, &checks);
    is_ready &= append_redis_check(server, &checks);
    is_ready &= append_check(&checks, "shutdown", !is_stopping, "in progress");
    buffer_append_format(out, "{\"status\":\"%s\",\"checks\":{%s}",
                         is_ready ? "ready" : "not ready", buffer_text(&checks));
    if (server->cluster != NULL)
        buffer_append_format(out, ",\"cluster\":\"%s\"", cluster_state_name(cluster_state(server)));
    buffer_append_char(out, '}');
    buffer_deinit(&checks);
    return is_ready ? STATUS_OK : error_set(error, STATUS_IO, "not ready");
}

static enum status answer_range(struct server *server, const struct backend_request *question,
                                struct buffer *out, struct error *error)
{
    struct range range = {0};
    if (is_relay(server))
        return error_set(error, STATUS_UNREACHABLE, RELAY_HAS_NO_DATABASE);
    memcpy(range.symbol, question->symbol, sizeof range.symbol);
    for (size_t i = 0; i < question->parameter_count; i++) {
        const struct backend_parameter *parameter = &question->parameters[i];
        enum status status = range_set(&range, parameter->name, parameter->value, error);
        if (status == STATUS_NOT_FOUND)
            return error_set(error, STATUS_INVALID,
                             "there is no parameter '%s' (" RANGE_PARAMETERS ")", parameter->name);
        if (status != STATUS_OK)
            return status;
    }
    if (question->question == BACKEND_HISTORY)
        return history_run(server->history, &range, out, error);
    if (question->question == BACKEND_GRID)
        return history_grid(server->history, &range, out, error);
    return history_candles(server->history, &range, out, error);
}

static enum status answer(void *context, const struct backend_request *question, struct buffer *out,
                          struct error *error)
{
    struct server *server = context;
    switch (question->question) {
    case BACKEND_SYMBOLS:
        return answer_symbols(server, out);
    case BACKEND_READY:
        return answer_ready(server, out, error);
    case BACKEND_HISTORY:
    case BACKEND_GRID:
    case BACKEND_CANDLES:
        return answer_range(server, question, out, error);
    }
    check(!"an unknown question");
    return STATUS_INVALID;
}

/* An answer about the past depends on the database, and on settings that do not change. */
static bool answer_version(void *context, const struct backend_request *question, uint64_t *version)
{
    struct server *server = context;
    bool is_of_the_past =
        question->question != BACKEND_SYMBOLS && question->question != BACKEND_READY;
    return is_of_the_past && !is_relay(server) &&
           store_version(server->store, version, NULL) == STATUS_OK;
}

/* -- metrics ----------------------------------------------------------------------------------- */

#define MS UINT64_C(1000000)
static const uint64_t generator_bounds_ns[] = {
    1 * MS,   2 * MS,   5 * MS,    10 * MS,   20 * MS,   50 * MS,    100 * MS,
    200 * MS, 500 * MS, 1000 * MS, 2000 * MS, 5000 * MS, 10000 * MS,
};

static void init_histogram(struct histogram *histogram)
{
    histogram_init(histogram, generator_bounds_ns,
                   sizeof generator_bounds_ns / sizeof *generator_bounds_ns);
}

static void collect_histogram(struct buffer *out, const char *name, const char *help,
                              struct histogram *histogram)
{
    struct histogram_reading reading;
    histogram_read(histogram, &reading);
    metrics_family(out, name, "histogram", help);
    metrics_histogram(out, name, &reading);
}

static void collect_database(struct buffer *out, void *context)
{
    static const char faults[] = "heatcast_database_faults_total";
    static const char *const reasons[] = {[GENERATOR_FAULT_MISSING] = "missing",
                                          [GENERATOR_FAULT_LOCKED] = "locked",
                                          [GENERATOR_FAULT_UNREADABLE] = "unreadable"};
    struct server *server = context;
    struct generator_stats stats;
    uint64_t failed_writes;
    if (server->generator == NULL) /* a relay has no database */
        return;
    bool is_up = source_status(server->source, &failed_writes, NULL) == STATUS_OK &&
                 generator_check(server->generator, NULL) == STATUS_OK;
    generator_read_stats(server->generator, &stats);
    metrics_family(out, "heatcast_database_up", "gauge",
                   "Whether the database could be used at the last look.");
    metrics_sample(out, "heatcast_database_up", is_up);
    metrics_family(out, faults, "counter", "Looks and writes that failed, by reason.");
    for (size_t i = 0; i < GENERATOR_FAULT_COUNT; i++)
        metrics_labelled(out, faults, "reason", reasons[i], (double)stats.faults[i]);
    metrics_labelled(out, faults, "reason", "unwritable", (double)failed_writes);
}

static void collect_generator(struct buffer *out, void *context)
{
    struct server *server = context;
    struct generator_stats stats = {0};
    if (server->generator != NULL)
        generator_read_stats(server->generator, &stats);
    metrics_family(out, "heatcast_build_info", "gauge", "The running version.");
    metrics_labelled(out, "heatcast_build_info", "version", HEATCAST_VERSION, 1);
    metrics_family(out, "heatcast_generator_ticks_total", "counter",
                   "Looks at a symbol, one per symbol and tick.");
    metrics_sample(out, "heatcast_generator_ticks_total", (double)stats.ticks);
    metrics_family(out, "heatcast_generator_skipped_total", "counter",
                   "Looks that needed no query, by reason.");
    metrics_labelled(out, "heatcast_generator_skipped_total", "reason", "unchanged",
                     (double)stats.skipped[GENERATOR_SKIP_UNCHANGED]);
    metrics_labelled(out, "heatcast_generator_skipped_total", "reason", "locked",
                     (double)stats.skipped[GENERATOR_SKIP_LOCKED]);
    metrics_labelled(out, "heatcast_generator_skipped_total", "reason", "replaced",
                     (double)stats.skipped[GENERATOR_SKIP_REPLACED]);
    metrics_family(out, "heatcast_generator_failures_total", "counter", "Looks that failed.");
    metrics_sample(out, "heatcast_generator_failures_total", (double)stats.failures);
    metrics_family(out, "heatcast_snapshots_published_total", "counter", "Snapshots broadcast.");
    metrics_sample(out, "heatcast_snapshots_published_total", (double)stats.snapshots);
    collect_histogram(out, "heatcast_query_seconds", "Reading what a snapshot is made from.",
                      &server->query_seconds);
    collect_histogram(out, "heatcast_compute_seconds", "Computing a snapshot, its text included.",
                      &server->compute_seconds);
}

/* -- life -------------------------------------------------------------------------------------- */

static void on_signal(uv_signal_t *signal, int number)
{
    struct server *server = signal->data;
    log_info("stopping; a second signal ends at once",
             log_text("signal", number == SIGTERM ? "SIGTERM" : "SIGINT"));
    uv_stop(&server->loop);
}

static void on_hangup(uv_signal_t *signal, int number)
{
    (void)number;
    struct server *server = signal->data;
    struct error error;
    if (net_server_reload_tls(server->net, &error) == STATUS_OK)
        log_info("the certificate is loaded again", log_text("path", server->config->tls_cert));
    else
        log_error("the certificate in force stays", log_text("reason", error.message));
}

static void on_second(uv_timer_t *timer)
{
    struct server *server = timer->data;
    net_server_tick(server->net);
}

/* From here on a signal ends the server in order, also one that comes while it still starts. */
static void open_main_loop(struct server *server)
{
    check(uv_loop_init(&server->loop) == 0);
    check(uv_signal_init(&server->loop, &server->on_terminate) == 0);
    check(uv_signal_init(&server->loop, &server->on_interrupt) == 0);
    check(uv_signal_init(&server->loop, &server->on_hangup) == 0);
    check(uv_timer_init(&server->loop, &server->second) == 0);
    check(uv_async_init(&server->loop, &server->asked, on_asked) == 0);
    server->on_terminate.data = server->on_interrupt.data = server;
    server->on_hangup.data = server->second.data = server->asked.data = server;
    check(uv_signal_start(&server->on_terminate, on_signal, SIGTERM) == 0);
    check(uv_signal_start(&server->on_interrupt, on_signal, SIGINT) == 0);
}

/* Returns after a signal. */
static void run_main_loop(struct server *server)
{
    check(uv_timer_start(&server->second, on_second, 1000, 1000) == 0);
    if (server->config->tls_cert[0] != '\0') /* else it ends the process, as terminals expect */
        check(uv_signal_start(&server->on_hangup, on_hangup, SIGHUP) == 0);
    uv_run(&server->loop, UV_RUN_DEFAULT);
    atomic_store_explicit(&server->is_stopping, true, memory_order_relaxed);
}

/* Afterwards signals do what they do by default, so that a second one ends the process at once. */
static void close_main_loop(struct server *server)
{
    uv_close((uv_handle_t *)&server->on_terminate, NULL);
    uv_close((uv_handle_t *)&server->on_interrupt, NULL);
    uv_close((uv_handle_t *)&server->on_hangup, NULL);
    uv_close((uv_handle_t *)&server->second, NULL);
    if (server->cluster != NULL)
        cluster_begin_stop(server->cluster);
    uv_unref((uv_handle_t *)&server->asked);
    uv_run(&server->loop, UV_RUN_DEFAULT);
}

/* Workers ask the loop until they are gone. */
static void free_main_loop(struct server *server)
{
    uv_close((uv_handle_t *)&server->asked, NULL);
    uv_run(&server->loop, UV_RUN_DEFAULT);
    check(uv_loop_close(&server->loop) == 0);
}

static void start_generator(struct server *server)
{
    const struct config *config = server->config;
    server->generator = generator_start(&(struct generator_options){
        .store = server->store,
        .symbols = &config->symbols,
        .model = model_default(),
        .buckets = &config->heatmap_buckets,
        .weights = &config->heatmap_weights,
        .lookback_ms = config->heatmap_lookback_ms,
        .interval_seconds = config->ws_update_interval_seconds,
        .epoch = config->redis_enabled ? 0 : (uint64_t)clock_wall_ms(),
        .is_wanted = is_wanted,
        .on_published = on_published,
        .on_checked = on_checked,
        .on_computed = on_computed,
        .context = server,
    });
}

static void log_listening(struct server *server)
{
    const struct listen_address *listen = &server->config->listen;
    char address[96], url[112];
    bool is_v6 = strchr(listen->host, ':') != NULL;
    snprintf(address, sizeof address, is_v6 ? "[%s]:%d" : "%s:%d", listen->host,
             net_server_port(server->net));
    snprintf(url, sizeof url, "%s://%s/", server->config->tls_cert[0] != '\0' ? "https" : "http",
             address);
    log_info("listening", log_text("address", address), log_text("url", url),
             log_text("database", is_relay(server) ? "none" : server->config->duckdb_path),
             log_int("workers", server->config->workers));
}

/* A database that is not there yet is no reason not to start: it may come. */
static enum status open_market(struct server *server, struct error *error)
{
    const struct config *config = server->config;
    if (is_relay(server))
        return STATUS_OK;
    enum status status = store_open(
        config->duckdb_path, server->is_demo ? STORE_OWNER : STORE_SHARED, &server->store, error);
    if (status == STATUS_OK && server->is_demo) {
        log_info("simulating a market", log_text("database", config->duckdb_path));
        status = simulate_start(server->store, &config->symbols, DEMO_STEP_SECONDS, &server->source,
                                error);
    }
    if (status != STATUS_OK)
        return status;
    server->history = history_create(&(struct history_options){
        .store = server->store,
        .model = model_default(),
        .buckets = &config->heatmap_buckets,
        .weights = &config->heatmap_weights,
        .lookback_ms = config->heatmap_lookback_ms,
    });
    return STATUS_OK;
}

enum status server_run(const struct config *config, const struct server_options *options,
                       struct error *error)
{
    struct server server = {.config = config, .is_demo = options->is_demo};
    server.backend =
        (struct backend){.context = &server, .answer = answer, .version = answer_version};
    init_histogram(&server.query_seconds);
    init_histogram(&server.compute_seconds);
    server.metrics = metrics_create();
    metrics_register(server.metrics, process_collect, NULL);
    metrics_register(server.metrics, collect_database, &server);
    metrics_register(server.metrics, collect_generator, &server);
    server.publisher = publisher_create(&config->symbols, on_wanted, &server);
    open_main_loop(&server);

    enum status status = net_server_create(config, server.publisher, &server.backend,
                                           server.metrics, &server.net, error);
    if (status == STATUS_OK && options->has_echo)
        net_server_open_echo(server.net);
    if (status == STATUS_OK)
        status = open_market(&server, error);
    if (status == STATUS_OK) {
        if (!is_relay(&server))
            start_generator(&server);
        start_cluster(&server);
        net_server_start(server.net);
        log_listening(&server);
        run_main_loop(&server);
    }
    close_main_loop(&server);
    if (status == STATUS_OK)
        net_server_begin_stop(server.net);
    source_stop(server.source);
    generator_stop(server.generator);
    if (status == STATUS_OK) {
        net_server_join(server.net);
        log_info("stopped");
    }
    net_server_destroy(server.net);
    free_main_loop(&server);
    cluster_destroy(server.cluster);
    publisher_destroy(server.publisher);
    metrics_destroy(server.metrics);
    history_destroy(server.history);
    store_close(server.store);
    return status;
}
