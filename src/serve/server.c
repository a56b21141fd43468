/*
 *   source (a demo's) -> store <- generator -> publisher -> workers' mailboxes -> clients
 *                         ^          |           ^
 *                         |          +-> cluster-+   Redis, other servers (REDIS_ENABLED)
 *                         |
 *                         +---- history <- backend <- questions of the HTTP routes
 *
 * The composition root: it makes the parts, joins them by callbacks (role.c, backend.c), and sees
 * to the order in which they live. What others call is made before them and freed after them: the
 * workers' mailboxes exist before the generator starts and until it has stopped, and the generator
 * runs until the worker threads, which wake it, are gone.
 *
 * A relay (CLUSTER_ROLE) has the right-hand side alone: no store, no generator, no history. */
#include "serve/server.h"

#include "base/check.h"
#include "base/iso_time.h"
#include "base/log.h"
#include "engine/settings.h"
#include "net/site.h"
#include "serve/backend.h"
#include "serve/collecting.h"
#include "serve/metrics.h"
#include "serve/prints.h"
#include "serve/scoring.h"
#include "serve/stopping.h"
#include "sources/collect/collector.h"
#include "sources/simulate/simulate.h"

#include <stdio.h>

#define DEMO_STEP_SECONDS 1.0

/* -- the main loop ----------------------------------------------------------------------------- */

static void end_loop(uv_timer_t *timer)
{
    struct server *server = timer->data;
    uv_stop(&server->loop);
}

/* Not ready from here on; the rest of it works until SHUTDOWN_DELAY is over, so that a load
 * balancer can send clients elsewhere first. */
static void on_stop_asked(uv_async_t *async)
{
    struct server *server = async->data;
    uint64_t delay_ms = (uint64_t)(server->config->shutdown_delay_seconds * 1000);
    log_info("stopping; a second signal ends at once", log_text("signal", stopping_signal()),
             log_int("delay_ms", (int64_t)delay_ms));
    atomic_store_explicit(&server->is_stopping, true, memory_order_relaxed);
    check(uv_timer_start(&server->delay, end_loop, delay_ms, 0) == 0);
}

static void on_hangup(uv_signal_t *signal, int number)
{
    (void)number;
    struct server *server = signal->data;
    struct error error;
    if (server->config->tls_cert[0] == '\0')
        log_info("nothing to reload: without TLS_CERT, all settings are read at the start");
    else if (net_server_reload_tls(server->net, &error) == STATUS_OK)
        log_info("certificate reloaded", log_text("path", server->config->tls_cert));
    else
        log_error("certificate not reloaded, the one in force stays",
                  log_text("reason", error.message));
}

static void on_second(uv_timer_t *timer)
{
    struct server *server = timer->data;
    net_server_tick(server->net);
}

/* From here on a signal stops the server in order, also one that comes while it still starts. */
static void open_main_loop(struct server *server)
{
    check(uv_loop_init(&server->loop) == 0);
    check(uv_async_init(&server->loop, &server->stop_asked, on_stop_asked) == 0);
    check(uv_signal_init(&server->loop, &server->on_hangup) == 0);
    check(uv_timer_init(&server->loop, &server->second) == 0);
    check(uv_timer_init(&server->loop, &server->delay) == 0);
    server->stop_asked.data = server->on_hangup.data = server;
    server->second.data = server->delay.data = server;
    check(uv_signal_start(&server->on_hangup, on_hangup, SIGHUP) == 0);
    stopping_catch_signals(&server->stop_asked);
}

/* Returns after a signal. */
static void run_main_loop(struct server *server)
{
    check(uv_timer_start(&server->second, on_second, 1000, 1000) == 0);
    uv_run(&server->loop, UV_RUN_DEFAULT);
}

static void close_main_loop(struct server *server)
{
    uv_close((uv_handle_t *)&server->second, NULL);
    uv_close((uv_handle_t *)&server->delay, NULL);
    uv_unref((uv_handle_t *)&server->stop_asked);
    uv_unref((uv_handle_t *)&server->on_hangup);
    role_begin_stop(&server->role);
    uv_run(&server->loop, UV_RUN_DEFAULT);
}

/* When nothing sends its handles any more. */
static void free_main_loop(struct server *server)
{
    stopping_release_signals();
    uv_close((uv_handle_t *)&server->stop_asked, NULL);
    uv_close((uv_handle_t *)&server->on_hangup, NULL);
    uv_run(&server->loop, UV_RUN_DEFAULT);
    check(uv_loop_close(&server->loop) == 0);
}

/* -- life -------------------------------------------------------------------------------------- */

static void log_listening(struct server *server)
{
    const struct config *config = server->config;
    char address[96], url[112];
    bool is_v6 = strchr(config->listen.host, ':') != NULL;
    snprintf(address, sizeof address, is_v6 ? "[%s]:%d" : "%s:%d", config->listen.host,
             net_server_port(server->net));
    snprintf(url, sizeof url, "%s://%s/", config->tls_cert[0] != '\0' ? "https" : "http", address);
    log_info("listening", log_text("address", address), log_text("url", url),
             log_text("database", role_is_relay(config) ? "none" : config->duckdb_path),
             log_int("workers", config->workers));
    if (config->ws_max_queue_size > 0)
        log_info("WS_MAX_QUEUE_SIZE has no effect: no snapshot is queued, the newest one replaces "
                 "what a client has not taken yet");
    if (config->allowed_hosts[0] == '\0' && config->tls_cert[0] == '\0' && !site_is_local(config))
        log_info("all hosts are answered; ALLOWED_HOSTS keeps out web pages that give a name of "
                 "their own to this address");
}

static enum status open_replay(struct server *server, const struct server_options *options,
                               struct error *error)
{
    char from[ISO_TIME_SIZE], end[ISO_TIME_SIZE];
    struct replay *replay = &server->replay_state;
    enum status status = replay_open(replay, server->store, &server->config->symbols,
                                     options->replay_from_ms, options->replay_speed, error);
    if (status != STATUS_OK)
        return status;
    server->replay = replay;
    log_info("replaying the past", log_text("from", iso_time_format(replay->from_ms, from)),
             log_text("to", iso_time_format(replay->end_ms, end)),
             log_real("speed", replay->speed));
    return STATUS_OK;
}

static void on_print(size_t symbol_index, const struct liquidation_row *row, void *context)
{
    prints_publish(context, symbol_index, row);
}

/* A database that is not there yet is no reason not to start: it may come. But there has to be a
 * past to replay it. */
static enum status open_market(struct server *server, const struct server_options *options,
                               struct error *error)
{
    const struct config *config = server->config;
    if (role_is_relay(config))
        return STATUS_OK;
    enum status status = store_open(
        config->duckdb_path, server->is_demo ? STORE_OWNER : STORE_SHARED, &server->store, error);
    if (status == STATUS_OK && server->is_demo) {
        log_info("simulating a market", log_text("database", config->duckdb_path));
        status = simulate_start(server->store, &config->symbols, DEMO_STEP_SECONDS, on_print,
                                server, &server->source, error);
    }
    if (status == STATUS_OK && options->is_replaying)
        status = open_replay(server, options, error);
    if (status == STATUS_OK && server->is_collecting)
        status = collector_prepare(server->store, error);
    if (status != STATUS_OK)
        return status;
    const struct model_settings settings = settings_of_model(config);
    server->history = history_create(&(struct history_options){
        .store = server->store,
        .model = model_of(config->heatmap_model),
        .buckets = &config->heatmap_buckets,
        .settings = &settings,
    });
    return STATUS_OK;
}

static void create_parts(struct server *server)
{
    server->backend = backend_of(server);
    server->metrics = metrics_create();
    serve_metrics_init(server);
    open_main_loop(server);
    server->publisher = publisher_create(&server->config->symbols, role_on_wanted, &server->role);
    role_init(&server->role, server->config, server->publisher, &server->loop);
}

static enum status start_parts(struct server *server, struct error *error)
{
    const struct role_generator generator = {
        .store = server->store,
        .is_filled = server->is_demo || server->is_collecting,
        .replay = server->replay,
        .on_computed = serve_metrics_on_computed,
        .context = server,
    };
    role_start(&server->role, role_is_relay(server->config) ? NULL : &generator, &server->loop,
               server->metrics);
    server->scoring = scoring_start(server);
    enum status status = server->is_collecting ? collecting_start(server, error) : STATUS_OK;
    net_server_start(server->net);
    if (status == STATUS_OK)
        log_listening(server);
    return status;
}

static enum status stop_parts(struct server *server, bool is_started, struct error *error)
{
    stopping_begin();
    close_main_loop(server);
    if (is_started) {
        net_server_begin_stop(server->net);
        net_server_join(server->net); /* afterwards no question uses the parts below */
    }
    scoring_stop(server->scoring);
    enum status status = source_stop(server->source, error);
    role_stop(&server->role);
    free_main_loop(server);
    return status;
}

static void free_parts(struct server *server)
{
    net_server_destroy(server->net);
    role_deinit(&server->role);
    publisher_destroy(server->publisher);
    metrics_destroy(server->metrics);
    scoring_destroy(server->scoring);
    history_destroy(server->history);
    store_close(server->store);
}

enum status server_run(const struct config *config, const struct server_options *options,
                       struct error *error)
{
    struct server server = {
        .config = config, .is_demo = options->is_demo, .is_collecting = options->is_collecting};
    create_parts(&server);
    enum status status = net_server_create(config, server.publisher, &server.backend,
                                           server.metrics, &server.net, error);
    if (status == STATUS_OK && options->has_echo)
        net_server_open_echo(server.net);
    if (status == STATUS_OK)
        status = open_market(&server, options, error);
    bool is_started = status == STATUS_OK;
    if (is_started)
        status = start_parts(&server, error);
    if (status == STATUS_OK)
        run_main_loop(&server);
    enum status stopped = stop_parts(&server, is_started, status == STATUS_OK ? error : NULL);
    if (status == STATUS_OK)
        status = stopped;
    if (status == STATUS_OK)
        log_info("stopped");
    free_parts(&server);
    stopping_end();
    return status;
}
