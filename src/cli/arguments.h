/* The arguments of a sub-command: read into an invocation, and explained. One thread. */
#ifndef HEATCAST_CLI_ARGUMENTS_H
#define HEATCAST_CLI_ARGUMENTS_H

#include "cli/command.h"

#include <stdio.h>

/* Reads what follows the command's name: flags into the settings or the command's own options, the
 * rest into `paths`, which has room for `argc`. EXIT_DONE, or EXIT_USAGE after printing what is
 * wrong. */
enum exit_code arguments_read(struct invocation *invocation, const struct command *command,
                              int argc, char **argv);

/* The line that shows how the command is called, on standard error. */
void arguments_print_usage(const struct command *command);

/* The command's help: usage, meaning, options, settings. */
void arguments_print_help(const struct command *command, FILE *file);

#endif
