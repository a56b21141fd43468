/* engine/ does not know ops/: the generator counts for itself, and what it has counted becomes
 * Prometheus' families here. Collectors run on a thread of the network side, and must come while
 * the database hangs: they read counters and never wait. */
#include "serve/metrics.h"

#include "base/log.h"
#include "ops/process.h"
#include "serve/collecting.h"
#include "serve/scoring.h"
#include "serve/server_internal.h"

#define MS UINT64_C(1000000)
static const uint64_t bounds_ns[] = {
    1 * MS,   2 * MS,   5 * MS,    10 * MS,   20 * MS,   50 * MS,    100 * MS,
    200 * MS, 500 * MS, 1000 * MS, 2000 * MS, 5000 * MS, 10000 * MS,
};
enum { BOUND_COUNT = sizeof bounds_ns / sizeof bounds_ns[0] };

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
    struct generator *generator = server->role.generator;
    struct generator_stats stats;
    uint64_t failed_writes;
    if (generator == NULL) /* a relay has no database */
        return;
    bool is_up = source_status(server->source, &failed_writes, NULL) == STATUS_OK &&
                 generator_check(generator, NULL) == STATUS_OK;
    generator_read_stats(generator, &stats);
    metrics_family(out, "heatcast_database_up", "gauge",
                   "Whether the database could be used in the last tick.");
    metrics_sample(out, "heatcast_database_up", is_up);
    metrics_family(out, faults, "counter", "Ticks and writes that failed, by reason.");
    for (size_t i = 0; i < GENERATOR_FAULT_COUNT; i++)
        metrics_labelled(out, faults, "reason", reasons[i], (double)stats.faults[i]);
    metrics_labelled(out, faults, "reason", "unwritable", (double)failed_writes);
}

static void collect_program(struct buffer *out, void *context)
{
    (void)context;
    metrics_family(out, "heatcast_build_info", "gauge", "The running version.");
    metrics_labelled(out, "heatcast_build_info", "version", HEATCAST_VERSION, 1);
    metrics_family(out, "heatcast_log_lines_lost_total", "counter",
                   "Log lines that were not written because standard error was not read.");
    metrics_sample(out, "heatcast_log_lines_lost_total", (double)log_lost());
}

static void collect_skipped(struct buffer *out, const struct generator_stats *stats)
{
    static const char name[] = "heatcast_generator_skipped_total";
    static const char *const reasons[] = {[GENERATOR_SKIP_UNCHANGED] = "unchanged",
                                          [GENERATOR_SKIP_LOCKED] = "locked",
                                          [GENERATOR_SKIP_REPLACED] = "replaced"};
    metrics_family(out, name, "counter", "Symbol ticks that needed no query, by reason.");
    for (size_t i = 0; i < GENERATOR_SKIP_COUNT; i++)
        metrics_labelled(out, name, "reason", reasons[i], (double)stats->skipped[i]);
}

static void collect_generator(struct buffer *out, void *context)
{
    struct server *server = context;
    struct generator_stats stats = {0};
    if (server->role.generator != NULL)
        generator_read_stats(server->role.generator, &stats);
    metrics_family(out, "heatcast_generator_ticks_total", "counter",
                   "Symbol ticks: one per symbol and tick.");
    metrics_sample(out, "heatcast_generator_ticks_total", (double)stats.ticks);
    collect_skipped(out, &stats);
    metrics_family(out, "heatcast_generator_failures_total", "counter",
                   "Symbol ticks that failed.");
    metrics_sample(out, "heatcast_generator_failures_total", (double)stats.failures);
    metrics_family(out, "heatcast_snapshots_published_total", "counter", "Snapshots broadcast.");
    metrics_sample(out, "heatcast_snapshots_published_total", (double)stats.snapshots);
    collect_histogram(out, "heatcast_query_seconds", "Reading what a snapshot is made from.",
                      &server->query_seconds);
    collect_histogram(out, "heatcast_compute_seconds", "Computing a snapshot and writing its text.",
                      &server->compute_seconds);
}

void serve_metrics_init(struct server *server)
{
    histogram_init(&server->query_seconds, bounds_ns, BOUND_COUNT);
    histogram_init(&server->compute_seconds, bounds_ns, BOUND_COUNT);
    metrics_register(server->metrics, collect_program, NULL);
    metrics_register(server->metrics, process_collect, NULL);
    metrics_register(server->metrics, collect_database, server);
    metrics_register(server->metrics, collect_generator, server);
    metrics_register(server->metrics, collecting_collect_metrics, server);
    metrics_register(server->metrics, scoring_collect_metrics, server);
}

void serve_metrics_on_computed(uint64_t query_ns, uint64_t compute_ns, void *context)
{
    struct server *server = context;
    if (query_ns > 0) /* what was fed needs none */
        histogram_record(&server->query_seconds, query_ns);
    histogram_record(&server->compute_seconds, compute_ns);
}
