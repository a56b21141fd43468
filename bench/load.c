/* The load generator: starts one server, connects N subscribers, makes publications in closed
 * rounds (the next one when all have the last), and prints what it saw as one JSON object.
 *
 * Server and generator are pinned to a core each, so that neither takes the other's time. Before
 * anything is measured, a few clients connect and leave, so that what a server allocates once is
 * not counted as a connection's. The first rounds are not measured either. */
#include "base/buffer.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/streams.h"
#include "clients.h"
#include "fail.h"
#include "target.h"

#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    WARM_UP_CLIENTS = 64,
    WARM_UP_ROUNDS = 5,
    CONNECT_WINDOW = 256,
    SETTLE_MS = 100,
    ROUND_DEADLINE_MS = 60000,
    STALL_ROUNDS_MAX = 20000,
    STALL_QUIET_ROUNDS = 50, /* without a byte more at the stalled ones: all are blocked */
    DESCRIPTORS_RESERVED = 512,
};
#define LATENCIES_MAX ((size_t)8 * 1000 * 1000)

struct options {
    struct clients_options clients;
    struct target_options target;
    size_t client_count, stalled_count;
    size_t window;
    double seconds;
    unsigned rounds_min;
    bool is_connect_only; /* no rounds: connections and memory alone */
    bool gets_first;      /* a snapshot follows each handshake */
};

struct latencies {
    uint32_t *ns;
    size_t count, capacity;
};

/* One closed loop. */
struct loop_result {
    unsigned rounds;
    uint64_t duration_ns; /* of all rounds, each from publication to last delivery */
    uint64_t cpu_ns;
    uint64_t bytes;
    struct latencies latencies;
};

/* -- rounds ------------------------------------------------------------------------------------ */

static uint64_t run_round(struct target *target, struct clients *clients, uint32_t *latencies_ns)
{
    uint64_t since_ns = clock_monotonic_ns();
    target_publish(target);
    return clients_await(clients, 1, since_ns, latencies_ns, ROUND_DEADLINE_MS) - since_ns;
}

static struct loop_result run_loop(struct target *target, struct clients *clients,
                                   const struct options *options)
{
    size_t count = clients_count(clients);
    struct loop_result result = {
        .latencies.capacity = LATENCIES_MAX,
        .latencies.ns = memory_allocate(LATENCIES_MAX * sizeof(uint32_t)),
    };
    for (int i = 0; i < WARM_UP_ROUNDS; i++)
        run_round(target, clients, NULL);
    uint64_t cpu_ns = target_cpu_ns(target), bytes = clients_bytes_received(clients);
    uint64_t end_ns = clock_monotonic_ns() + (uint64_t)(options->seconds * 1e9);
    while (result.rounds < options->rounds_min || clock_monotonic_ns() < end_ns) {
        struct latencies *latencies = &result.latencies;
        bool has_room = latencies->count + count <= latencies->capacity;
        result.duration_ns +=
            run_round(target, clients, has_room ? latencies->ns + latencies->count : NULL);
        latencies->count += has_room ? count : 0;
        result.rounds++;
    }
    result.cpu_ns = target_cpu_ns(target) - cpu_ns;
    result.bytes = clients_bytes_received(clients) - bytes;
    return result;
}

static int compare_latencies(const void *a, const void *b)
{
    uint32_t first = *(const uint32_t *)a, second = *(const uint32_t *)b;
    return (first > second) - (first < second);
}

static void append_loop(struct buffer *out, const char *name, struct loop_result *result,
                        size_t clients)
{
    double deliveries = (double)result->rounds * (double)clients;
    uint32_t *ns = result->latencies.ns;
    size_t count = result->latencies.count;
    qsort(ns, count, sizeof *ns, compare_latencies);
    buffer_append_format(
        out,
        "\"%s\":{\"rounds\":%u,\"clients\":%zu,\"deliveries_per_second\":%.0f,"
        "\"cpu_us_per_delivery\":%.4f,\"bytes_per_delivery\":%.1f",
        name, result->rounds, clients, deliveries / ((double)result->duration_ns / 1e9),
        (double)result->cpu_ns / 1e3 / deliveries, (double)result->bytes / deliveries);
    const double quantiles[] = {0.5, 0.95, 0.99, 1};
    const char *const names[] = {"p50", "p95", "p99", "max"};
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        size_t at = (size_t)(quantiles[i] * (double)(count - 1));
        buffer_append_format(out, ",\"%s_us\":%.1f", names[i], ns[at] / 1e3);
    }
    buffer_append_char(out, '}');
    free(ns);
}

/* -- the run ----------------------------------------------------------------------------------- */

static void warm_up(const struct options *options, int port)
{
    struct clients_options few = options->clients;
    few.port = port;
    struct clients *clients = clients_create(&few, WARM_UP_CLIENTS);
    clients_connect(clients, WARM_UP_CLIENTS, WARM_UP_CLIENTS);
    clients_destroy(clients);
    usleep(SETTLE_MS * 1000);
}

static void append_number(struct buffer *out, const char *name, double value)
{
    buffer_append_format(out, ",\"%s\":%.4f", name, value);
}

/* Connects all, and tells how fast and how large they are. Returns the memory before. */
static uint64_t measure_connections(struct target *target, struct clients *clients,
                                    const struct options *options, struct buffer *out)
{
    double count = (double)options->client_count;
    uint64_t memory = target_memory(target), cpu_ns = target_cpu_ns(target);
    uint64_t start_ns = clock_monotonic_ns();
    clients_connect(clients, options->client_count, options->window);
    if (options->gets_first)
        clients_await(clients, 1, start_ns, NULL, ROUND_DEADLINE_MS);
    double seconds = (double)(clock_monotonic_ns() - start_ns) / 1e9;
    clients_settle(clients, SETTLE_MS);
    append_number(out, "accepts_per_second", count / seconds);
    append_number(out, "cpu_us_per_accept", (double)(target_cpu_ns(target) - cpu_ns) / 1e3 / count);
    append_number(out, "memory_per_connection",
                  ((double)target_memory(target) - (double)memory) / count);
    return memory;
}

/* Publishes until the stalled ones take nothing more. */
static void fill_stalled(struct target *target, struct clients *clients)
{
    size_t bytes = 0;
    int quiet = 0;
    for (int i = 0; i < STALL_ROUNDS_MAX && quiet < STALL_QUIET_ROUNDS; i++) {
        run_round(target, clients, NULL);
        size_t now = clients_stalled_bytes(clients);
        quiet = now == bytes ? quiet + 1 : 0;
        bytes = now;
    }
}

static void measure_stalled(struct target *target, struct clients *clients,
                            const struct options *options, struct buffer *out)
{
    clients_connect_stalled(clients, options->stalled_count);
    fill_stalled(target, clients);
    uint64_t memory = target_memory(target);
    struct loop_result result = run_loop(target, clients, options);
    double grown = (double)target_memory(target) - (double)memory;
    buffer_append_char(out, ',');
    append_loop(out, "stalled", &result, clients_count(clients));
    append_number(out, "stalled_memory_per_round",
                  grown / (double)(result.rounds + WARM_UP_ROUNDS));
}

static void run(const struct options *options)
{
    struct buffer out = {0};
    struct target *target = target_start(&options->target);
    if (options->gets_first)
        target_publish(target);
    warm_up(options, target_port(target));
    struct clients_options connect_to = options->clients;
    connect_to.port = target_port(target);
    struct clients *clients =
        clients_create(&connect_to, options->client_count + options->stalled_count);
    buffer_append_format(&out, "{\"connections\":%zu", options->client_count);
    uint64_t memory = measure_connections(target, clients, options, &out);
    if (!options->is_connect_only) {
        struct loop_result result = run_loop(target, clients, options);
        buffer_append_char(&out, ',');
        append_loop(&out, "rounds", &result, options->client_count);
        append_number(&out, "memory_per_subscriber",
                      ((double)target_memory(target) - (double)memory) /
                          (double)options->client_count);
    }
    if (options->stalled_count > 0)
        measure_stalled(target, clients, options, &out);
    buffer_append_char(&out, '}');
    puts(buffer_text(&out));
    target_stop(target);
    clients_destroy(clients);
    buffer_deinit(&out);
}

/* -- the command line -------------------------------------------------------------------------- */

static const struct option flags[] = {
    {"clients", required_argument, NULL, 'n'}, {"stalled", required_argument, NULL, 's'},
    {"path", required_argument, NULL, 'p'},    {"seconds", required_argument, NULL, 't'},
    {"rounds", required_argument, NULL, 'r'},  {"window", required_argument, NULL, 'w'},
    {"port", required_argument, NULL, 'o'},    {"publish", required_argument, NULL, 'u'},
    {"body", required_argument, NULL, 'b'},    {"deflate", no_argument, NULL, 'd'},
    {"http", no_argument, NULL, 'h'},          {"connect-only", no_argument, NULL, 'c'},
    {"first", no_argument, NULL, 'f'},         {NULL, 0, NULL, 0},
};

static _Noreturn void usage(void)
{
    fputs("usage: heatcast_load [options] -- SERVER [ARGUMENTS]\n"
          "  --clients N      subscribers (1000)\n"
          "  --stalled N      further ones that never read, for a second measurement\n"
          "  --path PATH      what they ask for (/)\n"
          "  --deflate        they offer permessage-deflate\n"
          "  --http           they are no WebSockets but kept-alive GET requests\n"
          "  --connect-only   no publications\n"
          "  --first          one publication before they come, which each gets at once\n"
          "  --seconds S      measure for so long (2)\n"
          "  --rounds N       but at least so many publications (5)\n"
          "  --window N       handshakes under way at a time (256)\n"
          "  --port P         where it listens, if it does not say so\n"
          "  --publish PATH   publish by POST, --body FILE\n",
          stderr);
    exit(2);
}

static void parse_flag(struct options *options, int flag)
{
    switch (flag) {
    case 'n':
        options->client_count = strtoul(optarg, NULL, 10);
        break;
    case 's':
        options->stalled_count = strtoul(optarg, NULL, 10);
        break;
    case 'p':
        options->clients.path = optarg;
        break;
    case 't':
        options->seconds = strtod(optarg, NULL);
        break;
    case 'r':
        options->rounds_min = (unsigned)strtoul(optarg, NULL, 10);
        break;
    case 'w':
        options->window = strtoul(optarg, NULL, 10);
        break;
    case 'o':
        options->target.port = atoi(optarg);
        break;
    case 'u':
        options->target.publish_path = optarg;
        break;
    case 'b':
        options->target.body_path = optarg;
        break;
    case 'd':
        options->clients.offers_deflate = true;
        break;
    case 'h':
        options->clients.is_plain_http = true;
        break;
    case 'f':
        options->gets_first = true;
        break;
    case 'c':
        options->is_connect_only = true;
        break;
    default:
        usage();
    }
}

/* The server gets the first core, the generator the last. */
static int place_on_cores(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (cores < 2)
        return -1;
    cpu_set_t mine;
    CPU_ZERO(&mine);
    CPU_SET((size_t)cores - 1, &mine);
    return sched_setaffinity(0, sizeof mine, &mine) == 0 ? 0 : -1;
}

static void raise_descriptor_limit(size_t needed)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < needed)
        fail("too few open files are allowed for so many clients", "raise `ulimit -Hn`");
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
    streams_open_standard();
    struct options options = {.clients.path = "/",
                              .client_count = 1000,
                              .seconds = 2,
                              .rounds_min = 5,
                              .window = CONNECT_WINDOW};
    int flag;
    while ((flag = getopt_long(argc, argv, "+", flags, NULL)) >= 0)
        parse_flag(&options, flag);
    bool posts = options.target.publish_path != NULL;
    if (optind == argc || options.client_count == 0 || options.rounds_min == 0 ||
        options.window == 0 || posts != (options.target.body_path != NULL) ||
        (posts && options.target.port == 0))
        usage();
    signal(SIGPIPE, SIG_IGN);
    options.target.command = argv + optind;
    options.target.descriptors =
        options.client_count + options.stalled_count + DESCRIPTORS_RESERVED;
    raise_descriptor_limit(options.target.descriptors);
    options.target.core = place_on_cores();
    run(&options);
    return 0;
}
