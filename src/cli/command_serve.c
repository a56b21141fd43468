/* `heatcast serve`: decides which database is served, and runs the server until a signal ends it
 * (serve/server.h). Whether settings fit the options of this command is checked here; whether they
 * fit each other, in config_check(). */
#include "base/iso_time.h"
#include "base/log.h"
#include "base/slice.h"
#include "cli/command.h"
#include "engine/replay.h"
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

static enum status read_replay(const struct invocation *invocation, struct server_options *options,
                               struct error *error)
{
    const char *from = command_option(invocation, "replay");
    const char *speed = command_option(invocation, "speed");
    options->is_replaying = from != NULL;
    options->replay_speed = 1;
    if (from == NULL && speed != NULL)
        return error_set(error, STATUS_INVALID, "--speed is that of a --replay");
    if (from != NULL && !iso_time_parse(from, strlen(from), &options->replay_from_ms))
        return error_set(error, STATUS_INVALID,
                         "--replay: '%.60s' is not a time (ISO 8601, as in 2025-12-28T14:30:00Z)",
                         from);
    if (speed != NULL &&
        (!slice_parse_double(slice_of(speed), &options->replay_speed) ||
         options->replay_speed < REPLAY_SPEED_MIN || options->replay_speed > REPLAY_SPEED_MAX))
        return error_set(error, STATUS_INVALID, "--speed: '%.60s' is not a number from %g to %g",
                         speed, REPLAY_SPEED_MIN, REPLAY_SPEED_MAX);
    return STATUS_OK;
}

/* Whether what was given makes sense together. */
static enum status check_options(const struct config *config, const struct server_options *options,
                                 struct error *error)
{
    const bool is_relay = config->cluster_role == CLUSTER_RELAY;
    if (is_relay && (!config->redis_enabled || options->is_demo))
        return error_set(error, STATUS_INVALID,
                         "CLUSTER_ROLE: a relay serves what other servers publish in Redis: it "
                         "needs REDIS_ENABLED=true, and no --demo");
    if (options->is_collecting && (options->is_demo || is_relay))
        return error_set(error, STATUS_INVALID,
                         "--collect fills a database of real data: it goes neither with --demo nor "
                         "with CLUSTER_ROLE=relay");
    if (options->is_replaying && (options->is_demo || options->is_collecting || is_relay))
        return error_set(error, STATUS_INVALID,
                         "--replay serves the past of a database: it goes neither with --demo, nor "
                         "with --collect, nor with CLUSTER_ROLE=relay");
    if (options->is_replaying && config->redis_enabled && config->cluster_role != CLUSTER_GENERATOR)
        return error_set(error, STATUS_INVALID,
                         "--replay: servers that share a Redis would serve the past and the "
                         "present in turn: it needs CLUSTER_ROLE=generator, the others relays, and "
                         "a REDIS_CHANNEL_PREFIX of their own");
    return STATUS_OK;
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
    if (read_replay(invocation, &options, &error) != STATUS_OK ||
        check_options(config, &options, &error) != STATUS_OK) {
        fprintf(stderr, "heatcast: %s\n", error.message);
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
    .arguments = "[--demo | --collect | --replay FROM [--speed N]] [options]",
    .meaning = "run the server",
    .run = run,
    .options = {{"demo", NULL, "serve a simulated market from a database of its own"},
                {"collect", NULL, "keep the database complete and current from the exchanges"},
                {"replay", "FROM", "serve the stored past from this moment on, as if it were now"},
                {"speed", "N", "so many times as fast (1 if not given)"},
                {"conformance-echo", NULL, "open /ws/echo, for WebSocket conformance suites"}},
};
