/* What the metrics page shows of the cluster: whether Redis is reached, what this server is, and a
 * counter for each way in which a snapshot can fail to arrive, so that the metrics alone show
 * where it was lost. The page is rendered on a worker loop's thread: the state comes from
 * cluster_read(), the rest are atomics, each read by itself. */
#include "cluster/cluster_internal.h"

#include "ops/metrics.h"

static double load(atomic_uint_least64_t *counter)
{
    return (double)atomic_load_explicit(counter, memory_order_relaxed);
}

static void collect_counter(struct buffer *out, const char *name, const char *help,
                            atomic_uint_least64_t *counter)
{
    metrics_family(out, name, "counter", help);
    metrics_sample(out, name, load(counter));
}

static void collect_labelled(struct buffer *out, const char *name, const char *help,
                             const char *const *reasons, size_t reason_count,
                             atomic_uint_least64_t *counters)
{
    metrics_family(out, name, "counter", help);
    for (size_t i = 0; i < reason_count; i++)
        metrics_labelled(out, name, "reason", reasons[i], load(&counters[i]));
}

static void collect_state(struct buffer *out, struct cluster *cluster)
{
    struct cluster_reading reading;
    cluster_read(cluster, &reading);
    metrics_family(out, "heatcast_redis_up", "gauge",
                   "1: Redis answers, and publications come through.");
    metrics_sample(out, "heatcast_redis_up", reading.is_connected);
    metrics_family(out, "heatcast_cluster_state", "gauge",
                   "1 for the state this server is in, 0 for the others.");
    for (size_t i = 0; i < CLUSTER_STATE_COUNT; i++)
        metrics_labelled(out, "heatcast_cluster_state", "state",
                         cluster_state_name((enum cluster_state)i),
                         reading.state == (enum cluster_state)i);
    metrics_family(out, "heatcast_redis_connected", "gauge", "Connections that are ready.");
    metrics_labelled(out, "heatcast_redis_connected", "connection", "commands",
                     atomic_load_explicit(&cluster->counters.commands_ready, memory_order_relaxed));
    metrics_labelled(
        out, "heatcast_redis_connected", "connection", "subscription",
        atomic_load_explicit(&cluster->counters.subscription_ready, memory_order_relaxed));
}

void cluster_collect(struct buffer *out, void *context)
{
    static const char *const failures[PUBLISH_FAILURE_COUNT] = {
        [PUBLISH_FAILED_LEASE] = "lease",
        [PUBLISH_FAILED_REDIS] = "redis",
        [PUBLISH_FAILED_LOST] = "connection",
        [PUBLISH_FAILED_TOO_LARGE] = "too_large",
    };
    static const char *const reasons[IGNORED_COUNT] = {
        [MESSAGE_TOO_LARGE] = "too_large",
        [MESSAGE_NOT_JSON] = "not_json",
        [MESSAGE_NOT_A_SNAPSHOT] = "not_a_snapshot",
        [MESSAGE_WRONG_SYMBOL] = "wrong_symbol",
        [MESSAGE_WRONG_EPOCH] = "wrong_epoch",
        [IGNORED_OWN] = "own",
        [IGNORED_OLD] = "old",
        [IGNORED_UNKNOWN_SYMBOL] = "unknown_symbol",
        [IGNORED_NOT_A_LIQUIDATION] = "not_a_liquidation",
        [IGNORED_KNOWN_LIQUIDATION] = "known_liquidation",
    };
    struct cluster *cluster = context;
    struct cluster_counters *counters = &cluster->counters;
    collect_state(out, cluster);
    collect_counter(out, "heatcast_cluster_state_changes_total", "Changes of that state.",
                    &counters->state_changes);
    collect_counter(out, "heatcast_redis_reconnects_total",
                    "Connections that were ready and were lost, and so had to be made again.",
                    &counters->losses);
    collect_counter(out, "heatcast_redis_published_total", "Snapshots published.",
                    &counters->published);
    collect_counter(out, "heatcast_redis_replaced_total",
                    "Snapshots that a newer one replaced before they were published.",
                    &counters->replaced);
    collect_labelled(out, "heatcast_redis_publish_failures_total",
                     "Publications that failed, by reason.", failures, PUBLISH_FAILURE_COUNT,
                     counters->failures);
    collect_counter(out, "heatcast_redis_liquidations_published_total", "Liquidations published.",
                    &counters->prints_published);
    collect_counter(out, "heatcast_redis_liquidations_dropped_total",
                    "Liquidations not published, because Redis was away or slow.",
                    &counters->prints_dropped);
    collect_counter(out, "heatcast_redis_messages_received_total",
                    "Messages that came over the channels.", &counters->received);
    /* The first value of message_fault is no fault. */
    collect_labelled(out, "heatcast_redis_messages_ignored_total",
                     "Those that were not given to clients, by reason.", reasons + 1,
                     IGNORED_COUNT - 1, counters->ignored + 1);
    collect_counter(out, "heatcast_redis_probe_failures_total",
                    "Probes that were published and did not come back.", &counters->probe_failures);
    metrics_family(out, "heatcast_redis_probe_seconds", "gauge",
                   "How long the last probe took to come back; 0: none has yet.");
    metrics_sample(out, "heatcast_redis_probe_seconds", load(&counters->probe_ns) / 1e9);
}
