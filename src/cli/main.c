/* The command line: finds the sub-command, reads its settings and options, runs it. Settings come
 * first from the environment and then from flags, and are complete before anything is opened, so a
 * wrong one costs nothing but a line. Exit codes: 0 done, 1 failed, 2 wrong usage. */
#include "base/check.h"
#include "base/log.h"
#include "base/streams.h"
#include "cli/arguments.h"
#include "cli/command.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct command *const commands[] = {
    &command_serve,    &command_collect, &command_import, &command_fetch,  &command_delete,
    &command_snapshot, &command_history, &command_score,  &command_config,
};

enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static void print_general_help(FILE *file)
{
    fprintf(file, "heatcast " HEATCAST_VERSION ": a liquidation heatmap, computed and streamed\n\n"
                  "usage: heatcast COMMAND [options]\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(file, "  heatcast %-9s %s\n", commands[i]->name, commands[i]->meaning);
    fprintf(file, "\n  heatcast COMMAND --help   the command's options\n"
                  "  heatcast --version        the version\n");
}

static enum exit_code print_version(void)
{
    puts("heatcast " HEATCAST_VERSION);
    return EXIT_DONE;
}

static bool is_help(const char *argument)
{
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

static bool is_version(const char *argument)
{
    return strcmp(argument, "--version") == 0;
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(name, commands[i]->name) == 0)
            return commands[i];
    return NULL;
}

static const char *environment(const char *name)
{
    return getenv(name);
}

static enum exit_code wrong_settings(const struct error *error)
{
    fprintf(stderr, "heatcast: %s\n", error->message);
    return EXIT_USAGE;
}

static enum exit_code read_and_run(const struct command *command, struct invocation *invocation,
                                   int argc, char **argv)
{
    struct error error;
    if (config_load(&invocation->config, &invocation->origin, environment, &error) != STATUS_OK)
        return wrong_settings(&error);
    enum exit_code code = arguments_read(invocation, command, argc, argv);
    if (code != EXIT_DONE)
        return code;
    if (config_check(&invocation->config, &error) != STATUS_OK)
        return wrong_settings(&error);
    log_configure(invocation->config.log_level, invocation->config.log_format);
    code = command->run(invocation);
    if (code == EXIT_USAGE)
        arguments_print_usage(command);
    return code;
}

static enum exit_code run_command(const struct command *command, int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (is_help(argv[i])) {
            arguments_print_help(command, stdout);
            return EXIT_DONE;
        }
        if (is_version(argv[i]))
            return print_version();
    }
    struct invocation invocation = {0};
    invocation.paths = memory_allocate_zeroed((size_t)argc, sizeof *invocation.paths);
    enum exit_code code = read_and_run(command, &invocation, argc, argv);
    config_origin_deinit(&invocation.origin);
    free(invocation.paths);
    return code;
}

int main(int argc, char **argv)
{
    streams_open_standard();
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error, not the end */
    if (argc < 2) {
        print_general_help(stderr);
        return EXIT_USAGE;
    }
    if (is_help(argv[1]) || strcmp(argv[1], "help") == 0) {
        print_general_help(stdout);
        return EXIT_DONE;
    }
    if (is_version(argv[1]))
        return print_version();
    const struct command *command = find_command(argv[1]);
    if (command != NULL)
        return run_command(command, argc - 2, argv + 2);
    fprintf(stderr, "heatcast: there is no command '%.60s'\n\n", argv[1]);
    print_general_help(stderr);
    return EXIT_USAGE;
}
