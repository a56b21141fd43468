/* `heatcast collect`: keeps a database complete and current, and serves nothing: for a machine of
 * its own, or beside servers that only read. */
#include "base/log.h"
#include "cli/command.h"
#include "cli/signals.h"
#include "sources/collect/collector.h"
#include "store/store.h"

#include <signal.h>
#include <stdio.h>

/* For what waits to be written while another program has the file; with it, stopping is over in the
 * 10 s that `docker stop` gives. */
#define STOP_TIMEOUT_MS 8000

static void wait_for_end(const sigset_t *awaited)
{
    int number = 0;
    while (sigwait(awaited, &number) != 0 || number == SIGHUP)
        log_info("nothing to reload: all settings are read at the start");
}

/* Signals end the program again, and what waits is written. */
static enum status stop(struct source *source, const sigset_t *awaited, struct error *error)
{
    log_info("stopping; a second signal ends at once");
    signals_unblock(awaited);
    return source_stop(source, error);
}

static enum status collect(const struct config *config, const sigset_t *awaited,
                           struct error *error)
{
    struct store *store = NULL;
    struct source *source = NULL;
    enum status status = store_open(config->duckdb_path, STORE_SHARED, &store, error);
    if (status == STATUS_OK)
        status = collector_prepare(store, error);
    if (status == STATUS_OK)
        status = collector_start(&(struct collector_options){.config = config,
                                                             .store = store,
                                                             .stop_timeout_ms = STOP_TIMEOUT_MS},
                                 &source, error);
    if (status == STATUS_OK) {
        log_info("collecting", log_text("database", config->duckdb_path),
                 log_int("symbols", (int64_t)config->symbols.count));
        wait_for_end(awaited);
        status = stop(source, awaited, error);
    }
    store_close(store);
    return status;
}

static enum exit_code run(struct invocation *invocation)
{
    struct error error;
    sigset_t awaited;
    signals_block(&awaited);
    log_start();
    enum status status = collect(&invocation->config, &awaited, &error);
    if (status == STATUS_OK)
        log_info("stopped");
    log_stop();
    return status == STATUS_OK ? EXIT_DONE : command_fail(&error);
}

const struct command command_collect = {
    .name = "collect",
    .arguments = "[options]",
    .meaning = "keep the database complete and current from the exchanges, and serve nothing",
    .run = run,
};
