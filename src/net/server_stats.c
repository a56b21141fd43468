/* Loops must not pay for being observed: each has counters of its own that it alone writes, and
 * adding up over loops and symbols is left to the one request in a while that reads them. A sum is
 * therefore of no single moment, but each counter in it only rises.
 *
 * Two things are not a loop's: how long a broadcast took over all loops, which the publisher
 * reports (publisher_observe()), and what had been sent a minute ago, which the main loop remembers
 * once a second in a ring of atomics. */
#include "net/server_stats.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "net/tls.h"
#include "ops/metrics.h"

#include <stdlib.h>

static uint64_t load(atomic_uint_least64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* Sums one counter of the hubs' meters, at a byte offset into struct outbox_meter. */
static uint64_t sum_over_workers(struct net_server *server, size_t offset)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < server->worker_count; i++) {
        char *meter = (char *)&server->workers[i]->hub.group.meter;
        sum += load((atomic_uint_least64_t *)(void *)(meter + offset));
    }
    return sum;
}

/* The counters by symbol of a meter. */
typedef atomic_uint_least64_t *counters_of(struct outbox_meter *meter);

static atomic_uint_least64_t *frames_sent(struct outbox_meter *meter)
{
    return meter->frames_sent;
}

static atomic_uint_least64_t *slow(struct outbox_meter *meter)
{
    return meter->slow;
}

static uint64_t sum_of_symbol(struct net_server *server, counters_of *counters, size_t symbol_index)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < server->worker_count; i++)
        sum += load(&counters(&server->workers[i]->hub.group.meter)[symbol_index]);
    return sum;
}

static uint64_t sum_over_symbols(struct net_server *server, counters_of *counters)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < server->shared.config->symbols.count; i++)
        sum += sum_of_symbol(server, counters, i);
    return sum;
}

static size_t slow_sessions(struct net_server *server)
{
    size_t sum = 0;
    for (size_t i = 0; i < server->worker_count; i++)
        sum +=
            atomic_load_explicit(&server->workers[i]->hub.group.slow_count, memory_order_relaxed);
    return sum;
}

uint64_t server_stats_messages_sent(struct net_server *server)
{
    return sum_over_symbols(server, frames_sent);
}

void server_stats_append_json(struct buffer *out, struct net_server *server)
{
    const struct net_shared *shared = &server->shared;
    const struct symbol_list *symbols = &shared->config->symbols;
    /* Acquire, and before the sum, which therefore is no less than what it was a minute ago. */
    size_t oldest = atomic_load_explicit(&server->sent_next, memory_order_acquire);
    uint64_t minute_ago =
        atomic_load_explicit(&server->sent_at[oldest % STATS_WINDOW_SECONDS], memory_order_acquire);
    uint64_t sent = server_stats_messages_sent(server);
    uint64_t warnings = sum_over_symbols(server, slow);
    struct json json = json_start(out);
    json_open_object(&json);
    json_member_integer(&json, "active_connections", places_websockets(&shared->places));
    json_member_integer(&json, "messages_sent", (int64_t)sent);
    json_member_integer(&json, "messages_sent_1m", (int64_t)(sent - minute_ago));
    json_member_integer(&json, "slow_consumers", (int64_t)slow_sessions(server));
    json_member_integer(&json, "slow_consumer_warnings", (int64_t)warnings);
    json_key(&json, "subscriptions_by_symbol");
    json_open_object(&json);
    for (size_t i = 0; i < symbols->count; i++)
        json_member_integer(&json, symbols->names[i],
                            (int64_t)publisher_subscriber_count(shared->publisher, i));
    json_close_object(&json);
    json_close_object(&json);
}

/* On the thread of whichever loop was last, or the generator's. */
static void on_broadcast(size_t symbol_index, uint64_t duration_ns, void *context)
{
    struct net_server *server = context;
    summary_record(server->broadcasts[symbol_index], duration_ns, clock_monotonic_ns());
}

void server_stats_init(struct net_server *server)
{
    const size_t count = server->shared.config->symbols.count;
    server->broadcasts = memory_allocate_zeroed(count, sizeof *server->broadcasts);
    for (size_t i = 0; i < count; i++)
        server->broadcasts[i] = summary_create();
    publisher_observe(server->shared.publisher, on_broadcast, server);
    metrics_register(server->shared.metrics, server_stats_collect, server);
}

void server_stats_deinit(struct net_server *server)
{
    for (size_t i = 0; i < server->shared.config->symbols.count; i++)
        summary_destroy(server->broadcasts[i]);
    free(server->broadcasts);
}

/* -- metrics ----------------------------------------------------------------------------------- */

static void collect_by_symbol(struct buffer *out, struct net_server *server, const char *name,
                              const char *help, counters_of *counters)
{
    const struct symbol_list *symbols = &server->shared.config->symbols;
    metrics_family(out, name, "counter", help);
    for (size_t i = 0; i < symbols->count; i++)
        metrics_labelled(out, name, "symbol", symbols->names[i],
                         (double)sum_of_symbol(server, counters, i));
}

static void collect_broadcasts(struct buffer *out, struct net_server *server)
{
    const struct symbol_list *symbols = &server->shared.config->symbols;
    uint64_t now_ns = clock_monotonic_ns();
    metrics_family(out, "ws_broadcast_duration_seconds", "summary",
                   "From publication until the last subscriber that could take it had it; "
                   "quantiles of the last 10 minutes.");
    for (size_t i = 0; i < symbols->count; i++) {
        struct summary_reading reading;
        summary_read(server->broadcasts[i], now_ns, &reading);
        metrics_summary(out, "ws_broadcast_duration_seconds", "symbol", symbols->names[i],
                        &reading);
    }
}

static void collect_deliveries(struct buffer *out, struct net_server *server)
{
    struct histogram_reading reading = {.bounds_ns = outbox_delivery_bounds_ns,
                                        .bound_count = OUTBOX_DELIVERY_BOUNDS};
    for (size_t i = 0; i <= OUTBOX_DELIVERY_BOUNDS; i++)
        reading.counts[i] = sum_over_workers(server, offsetof(struct outbox_meter, delivered) +
                                                         i * sizeof(atomic_uint_least64_t));
    reading.sum_ns = sum_over_workers(server, offsetof(struct outbox_meter, delivery_ns_sum));
    metrics_family(out, "heatcast_delivery_seconds", "histogram",
                   "From a snapshot's publication, or when the client could first have it, until "
                   "its socket took it whole.");
    metrics_histogram(out, "heatcast_delivery_seconds", &reading);
}

static void collect_data_age(struct buffer *out, struct net_server *server)
{
    const struct symbol_list *symbols = &server->shared.config->symbols;
    const struct backend *backend = server->shared.backend;
    int64_t now_ms = backend->now_ms != NULL ? backend->now_ms(backend->context) : clock_wall_ms();
    metrics_family(out, "heatcast_data_age_seconds", "gauge",
                   "Since the symbol's newest candle opened.");
    for (size_t i = 0; i < symbols->count; i++) {
        int64_t data_ms = publisher_data_time_ms(server->shared.publisher, i);
        if (data_ms == 0) /* heatcast_symbol_has_data says so */
            continue;
        int64_t age_ms = now_ms > data_ms ? now_ms - data_ms : 0; /* the clock may be behind */
        metrics_labelled(out, "heatcast_data_age_seconds", "symbol", symbols->names[i],
                         (double)age_ms / 1e3);
    }
}

static void collect_has_data(struct buffer *out, struct net_server *server)
{
    const struct symbol_list *symbols = &server->shared.config->symbols;
    metrics_family(out, "heatcast_symbol_has_data", "gauge", "Whether any candle is known.");
    for (size_t i = 0; i < symbols->count; i++)
        metrics_labelled(out, "heatcast_symbol_has_data", "symbol", symbols->names[i],
                         publisher_data_time_ms(server->shared.publisher, i) != 0);
}

static void collect_connections(struct buffer *out, struct net_server *server)
{
    static const char *const refusals[REFUSED_COUNT] = {
        [REFUSED_LIMIT] = "limit",
        [REFUSED_LIMIT_PER_ADDRESS] = "limit_per_address",
        [REFUSED_HTTP_LIMIT] = "http_limit",
        [REFUSED_CONNECTIONS_PER_ADDRESS] = "connections_per_address",
        [REFUSED_ORIGIN] = "origin",
        [REFUSED_HOST] = "host",
    };
    struct net_shared *shared = &server->shared;
    metrics_family(out, "heatcast_connections", "gauge", "Open connections by state.");
    metrics_labelled(out, "heatcast_connections", "state", "websocket",
                     places_websockets(&shared->places));
    metrics_labelled(out, "heatcast_connections", "state", "http", places_http(&shared->places));
    metrics_family(out, "heatcast_slow_connections", "gauge",
                   "WebSocket connections that have not taken a snapshot in time.");
    metrics_sample(out, "heatcast_slow_connections", (double)slow_sessions(server));
    metrics_family(out, "heatcast_connections_accepted_total", "counter", "Connections accepted.");
    metrics_sample(out, "heatcast_connections_accepted_total", (double)load(&shared->accepted));
    metrics_family(out, "heatcast_connections_refused_total", "counter",
                   "Connections and WebSocket handshakes refused, by reason.");
    for (int i = 0; i < REFUSED_COUNT; i++)
        metrics_labelled(out, "heatcast_connections_refused_total", "reason", refusals[i],
                         (double)load(&shared->refused[i]));
    metrics_family(out, "heatcast_disconnects_total", "counter",
                   "WebSocket connections that ended, by reason.");
    for (int i = 0; i < SUBSCRIBER_END_COUNT; i++) {
        uint64_t sum = 0;
        for (size_t j = 0; j < server->worker_count; j++)
            sum += load(&server->workers[j]->hub.group.ended[i]);
        metrics_labelled(out, "heatcast_disconnects_total", "reason",
                         subscriber_end_name((enum subscriber_end)i), (double)sum);
    }
}

static void collect_tls(struct buffer *out, struct net_server *server)
{
    struct tls_stats stats;
    if (server->shared.tls == NULL)
        return;
    tls_context_read_stats(server->shared.tls, &stats);
    metrics_family(out, "heatcast_tls_handshakes_total", "counter", "TLS handshakes, by outcome.");
    metrics_labelled(out, "heatcast_tls_handshakes_total", "result", "ok",
                     (double)stats.handshakes);
    metrics_labelled(out, "heatcast_tls_handshakes_total", "result", "failed",
                     (double)stats.failures);
    metrics_family(out, "heatcast_tls_certificate_expiry_timestamp_seconds", "gauge",
                   "When the certificate in force ends, Unix time.");
    metrics_sample(out, "heatcast_tls_certificate_expiry_timestamp_seconds",
                   (double)stats.not_after_s);
}

static void collect_bytes(struct buffer *out, struct net_server *server)
{
    metrics_family(out, "heatcast_bytes_sent_total", "counter", "Bytes sent over WebSockets.");
    metrics_labelled(
        out, "heatcast_bytes_sent_total", "encoding", "plain",
        (double)sum_over_workers(server, offsetof(struct outbox_meter, plain_bytes_sent)));
    metrics_labelled(
        out, "heatcast_bytes_sent_total", "encoding", "compressed",
        (double)sum_over_workers(server, offsetof(struct outbox_meter, compressed_bytes_sent)));
}

void server_stats_collect(struct buffer *out, void *context)
{
    struct net_server *server = context;
    const struct symbol_list *symbols = &server->shared.config->symbols;
    metrics_family(out, "ws_active_connections", "gauge", "Subscribers of the symbol.");
    for (size_t i = 0; i < symbols->count; i++)
        metrics_labelled(out, "ws_active_connections", "symbol", symbols->names[i],
                         (double)publisher_subscriber_count(server->shared.publisher, i));
    collect_by_symbol(out, server, "ws_messages_sent_total", "Snapshots sent whole.", frames_sent);
    collect_by_symbol(out, server, "ws_slow_consumers_total",
                      "Snapshots that a subscriber had not taken in time.", slow);
    collect_broadcasts(out, server);
    collect_deliveries(out, server);
    collect_data_age(out, server);
    collect_has_data(out, server);
    metrics_family(out, "heatcast_messages_dropped_total", "counter",
                   "Snapshots replaced by newer ones while a socket was full.");
    metrics_sample(out, "heatcast_messages_dropped_total",
                   (double)sum_over_workers(server, offsetof(struct outbox_meter, dropped)));
    metrics_family(out, "heatcast_liquidations_sent_total", "counter", "Liquidations sent whole.");
    metrics_sample(out, "heatcast_liquidations_sent_total",
                   (double)sum_over_workers(server, offsetof(struct outbox_meter, prints_sent)));
    metrics_family(out, "heatcast_liquidations_dropped_total", "counter",
                   "Liquidations that clients did not read in time.");
    metrics_sample(out, "heatcast_liquidations_dropped_total",
                   (double)sum_over_workers(server, offsetof(struct outbox_meter, prints_missed)));
    collect_bytes(out, server);
    collect_connections(out, server);
    collect_tls(out, server);
}
