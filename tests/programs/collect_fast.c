/* The collector on a clock that runs fast, so that tests can collect days in minutes.
 *
 *     collect_fast RATE REAL_MS SIMULATED_MS [OFF_MS RIGHT_MS]
 *
 * At REAL_MS of the machine's clock it is SIMULATED_MS for the collector, and every second of the
 * one is RATE seconds of the other; a stand-in of an exchange reckons in the same way. The
 * collector's clock is OFF_MS ahead of that, until it is set right at RIGHT_MS of the stand-in's.
 * Settings come from the environment, as those of `heatcast collect`. Ends in order on SIGTERM. */
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "sources/collect/collector.h"
#include "store/store.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define STOP_TIMEOUT_MS 2500 /* for what waits to be written */

struct fast_clock {
    double rate;
    int64_t real_ms, simulated_ms;
    int64_t off_ms, right_ms;
};

static int64_t right_now_ms(const struct fast_clock *clock)
{
    return clock->simulated_ms +
           (int64_t)((double)(clock_wall_ms() - clock->real_ms) * clock->rate);
}

static int64_t now_ms(void *context)
{
    const struct fast_clock *clock = context;
    return right_now_ms(clock) + clock->off_ms;
}

static int64_t wall_ms(void *context)
{
    const struct fast_clock *clock = context;
    int64_t right = right_now_ms(clock);
    return right < clock->right_ms ? right + clock->off_ms : right;
}

static const char *environment(const char *name)
{
    return getenv(name);
}

static enum status collect(const struct config *config, struct fast_clock *fast,
                           const sigset_t *awaited, struct error *error)
{
    struct store *store = NULL;
    struct source *source = NULL;
    const struct collector_clock clock = {
        .now_ms = now_ms, .wall_ms = wall_ms, .rate = fast->rate, .context = fast};
    int number;
    enum status status = store_open(config->duckdb_path, STORE_SHARED, &store, error);
    if (status == STATUS_OK)
        status = collector_start(&(struct collector_options){.config = config,
                                                             .store = store,
                                                             .clock = &clock,
                                                             .stop_timeout_ms = STOP_TIMEOUT_MS},
                                 &source, error);
    if (status == STATUS_OK) {
        sigwait(awaited, &number);
        status = source_stop(source, error);
    }
    store_close(store);
    return status;
}

int main(int argc, char **argv)
{
    struct config config;
    struct config_origin origin = {0};
    struct error error;
    sigset_t awaited;
    check(argc == 4 || argc == 6);
    struct fast_clock fast = {
        .rate = atof(argv[1]), .real_ms = atoll(argv[2]), .simulated_ms = atoll(argv[3])};
    if (argc == 6) {
        fast.off_ms = atoll(argv[4]);
        fast.right_ms = atoll(argv[5]);
    }
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &awaited, NULL);
    enum status status = config_load(&config, &origin, environment, &error);
    if (status == STATUS_OK)
        status = collect(&config, &fast, &awaited, &error);
    config_origin_deinit(&origin);
    if (status != STATUS_OK)
        fprintf(stderr, "collect_fast: %s\n", error.message);
    return status == STATUS_OK ? 0 : 1;
}
