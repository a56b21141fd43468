/* `heatcast serve`: decides which database is served, and runs the server until a signal ends it
 * (serve/server.h). Whether settings fit the options of this command is checked here; whether they
 * fit each other, in config_check(). */
#include "base/log.h"
#include "cli/command.h"
#include "serve/server.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* A demo has a database of its own unless one is named, so that simulated rows cannot get into real
 * data. */
static void choose_database(struct invocation *invocation, bool is_demo)
{
    if (is_demo && !config_is_given(&invocation->origin, "DUCKDB_PATH"))
        strcpy(invocation->config.duckdb_path, "data/demo.duckdb");
}

static enum exit_code run(struct invocation *invocation)
{
    struct error error;
    struct server_options options = {
        .is_demo = command_option(invocation, "demo") != NULL,
        .is_collecting = command_option(invocation, "collect") != NULL,
        .has_echo = command_option(invocation, "conformance-echo") != NULL,
    };
    const struct config *config = &invocation->config;
    choose_database(invocation, options.is_demo);
    if (config->cluster_role == CLUSTER_RELAY && (!config->redis_enabled || options.is_demo)) {
        fprintf(stderr, "heatcast: CLUSTER_ROLE: a relay serves what other servers publish in "
                        "Redis: it needs REDIS_ENABLED=true, and no --demo\n");
        return EXIT_USAGE;
    }
    if (options.is_collecting && (options.is_demo || config->cluster_role == CLUSTER_RELAY)) {
        fprintf(stderr, "heatcast: --collect fills a database of real data: it goes neither with "
                        "--demo nor with CLUSTER_ROLE=relay\n");
        return EXIT_USAGE;
    }
    signal(SIGPIPE, SIG_IGN); /* writing to a peer that is gone is an error, not the end */
    log_start();
    enum status status = server_run(config, &options, &error);
    log_stop();
    if (status == STATUS_OK)
        return EXIT_DONE;
    fprintf(stderr, "heatcast: %s\n", error.message);
    return EXIT_FAILED;
}

const struct command command_serve = {
    .name = "serve",
    .arguments = "[--demo | --collect] [options]",
    .meaning = "run the server",
    .run = run,
    .options = {{"demo", NULL, "serve a simulated market from a database of its own"},
                {"collect", NULL, "keep the database complete and current from the exchanges"},
                {"conformance-echo", NULL, "open /ws/echo, for WebSocket conformance suites"}},
};
