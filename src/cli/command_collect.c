/* `heatcast collect`: keeps a database complete and current, and serves nothing: for a machine of
 * its own, or beside servers that only read. */
#include "base/log.h"
#include "cli/command.h"
#include "sources/collect/collector.h"
#include "store/store.h"

#include <signal.h>
#include <stdio.h>

/* Signals are waited for by the main thread alone: blocked before others start, which inherit it.
 */
static void block_signals(sigset_t *awaited)
{
    signal(SIGPIPE, SIG_IGN); /* writing to a peer that is gone is an error, not the end */
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    sigemptyset(awaited);
    sigaddset(awaited, SIGTERM);
    sigaddset(awaited, SIGINT);
    sigaddset(awaited, SIGHUP);
    pthread_sigmask(SIG_BLOCK, awaited, NULL);
}

static void wait_for_end(const sigset_t *awaited)
{
    int number = 0;
    while (sigwait(awaited, &number) != 0 || number == SIGHUP)
        log_info("nothing to reload: all settings are read at the start");
    log_info("stopping; a second signal ends at once");
    pthread_sigmask(SIG_UNBLOCK, awaited, NULL);
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
        status = collector_start(&(struct collector_options){.config = config, .store = store},
                                 &source, error);
    if (status == STATUS_OK) {
        log_info("collecting", log_text("database", config->duckdb_path),
                 log_int("symbols", (int64_t)config->symbols.count));
        wait_for_end(awaited);
    }
    source_stop(source);
    store_close(store);
    return status;
}

static enum exit_code run(struct invocation *invocation)
{
    struct error error;
    sigset_t awaited;
    block_signals(&awaited);
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
