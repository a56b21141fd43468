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
#include "base/log.h"
#include "serve/backend.h"
#include "serve/metrics.h"
#include "serve/server_internal.h"
#include "sources/simulate/simulate.h"

#include <signal.h>
#include <stdio.h>

#define DEMO_STEP_SECONDS 1.0

/* -- the main loop ----------------------------------------------------------------------------- */

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

/* From here on a signal ends the server in order, also one that comes while it still starts. */
static void open_main_loop(struct server *server)
{
    check(uv_loop_init(&server->loop) == 0);
    check(uv_signal_init(&server->loop, &server->on_terminate) == 0);
    check(uv_signal_init(&server->loop, &server->on_interrupt) == 0);
    check(uv_signal_init(&server->loop, &server->on_hangup) == 0);
    check(uv_timer_init(&server->loop, &server->second) == 0);
    server->on_terminate.data = server->on_interrupt.data = server;
    server->on_hangup.data = server->second.data = server;
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
    role_begin_stop(&server->role);
    uv_run(&server->loop, UV_RUN_DEFAULT);
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
}

/* A database that is not there yet is no reason not to start: it may come. */
static enum status open_market(struct server *server, struct error *error)
{
    const struct config *config = server->config;
    if (role_is_relay(config))
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

static void create_parts(struct server *server)
{
    server->backend = backend_of(server);
    server->metrics = metrics_create();
    serve_metrics_init(server);
    open_main_loop(server);
    server->publisher = publisher_create(&server->config->symbols, role_on_wanted, &server->role);
    role_init(&server->role, server->config, server->publisher, &server->loop);
}

static void start_parts(struct server *server)
{
    const struct role_generator generator = {
        .store = server->store, .on_computed = serve_metrics_on_computed, .context = server};
    role_start(&server->role, role_is_relay(server->config) ? NULL : &generator, &server->loop,
               server->metrics);
    net_server_start(server->net);
    log_listening(server);
}

static void stop_parts(struct server *server, bool is_started)
{
    close_main_loop(server);
    if (is_started) {
        net_server_begin_stop(server->net);
        net_server_join(server->net); /* afterwards no question uses the parts below */
    }
    source_stop(server->source);
    role_stop(&server->role);
    uv_run(&server->loop, UV_RUN_DEFAULT);
    check(uv_loop_close(&server->loop) == 0);
}

static void free_parts(struct server *server)
{
    net_server_destroy(server->net);
    role_deinit(&server->role);
    publisher_destroy(server->publisher);
    metrics_destroy(server->metrics);
    history_destroy(server->history);
    store_close(server->store);
}

enum status server_run(const struct config *config, const struct server_options *options,
                       struct error *error)
{
    struct server server = {.config = config, .is_demo = options->is_demo};
    create_parts(&server);
    enum status status = net_server_create(config, server.publisher, &server.backend,
                                           server.metrics, &server.net, error);
    if (status == STATUS_OK && options->has_echo)
        net_server_open_echo(server.net);
    if (status == STATUS_OK)
        status = open_market(&server, error);
    if (status == STATUS_OK) {
        start_parts(&server);
        run_main_loop(&server);
    }
    stop_parts(&server, status == STATUS_OK);
    if (status == STATUS_OK)
        log_info("stopped");
    free_parts(&server);
    return status;
}
