/* The sub-commands. main.c has read the command line; each gets settings, its own options, paths.
 */
#ifndef HEATCAST_CLI_COMMANDS_H
#define HEATCAST_CLI_COMMANDS_H

#include "config/config.h"

#include <stddef.h>

enum exit_code { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

#define INVOCATION_OPTIONS_MAX 16

struct invocation {
    struct config config;
    struct config_origin origin;
    size_t option_count;
    struct {
        const char *flag, *value;
    } options[INVOCATION_OPTIONS_MAX];
    size_t path_count;
    const char **paths;
};

/* Each prints its own errors. EXIT_USAGE: main adds the usage line. */
enum exit_code command_serve(struct invocation *invocation);
enum exit_code command_import(struct invocation *invocation);
enum exit_code command_snapshot(struct invocation *invocation);
enum exit_code command_history(struct invocation *invocation);
enum exit_code command_config(struct invocation *invocation);

#endif
