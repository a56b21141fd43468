/* The command line (PROTOCOL.md §3): finds the sub-command, reads flags into the settings and the
 * sub-command's own options, runs it. Results go to standard output, everything else to standard
 * error. Exit codes: 0 done, 1 failed, 2 wrong usage. */
#include "base/check.h"
#include "base/iso_time.h"
#include "base/log.h"
#include "cli/commands.h"
#include "config/config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Options of a sub-command that are not settings. */
struct option {
    const char *flag;
    const char *placeholder; /* NULL: a switch */
    const char *meaning;
};

#define OPTIONS_MAX 8

struct command {
    const char *name;
    const char *arguments; /* as the usage line shows them */
    const char *meaning;
    enum exit_code (*run)(struct invocation *invocation);
    bool takes_paths;
    struct option options[OPTIONS_MAX];
};

#define SYMBOL_OPTION                                                                              \
    {                                                                                              \
        "symbol", "SYMBOL", "the symbol (the first of SYMBOLS if not given)"                       \
    }

static const struct command commands[] = {
    {"serve",
     "[--demo] [options]",
     "run the server",
     command_serve,
     false,
     {{"demo", NULL, "serve a simulated market from a database of its own"},
      {"conformance-echo", NULL, "open /ws/echo, for WebSocket conformance suites"}}},
    {"import",
     "PATH... [options]",
     "read candle and open-interest files, or folders of them, into the database",
     command_import,
     true,
     {{"symbol", "SYMBOL", "the symbol of files that do not name theirs"},
      {"strict", NULL, "the first bad row fails its file"}}},
    {"snapshot",
     "[--symbol SYMBOL] [--at TIME] [options]",
     "print the newest snapshot, or that of a moment, as JSON",
     command_snapshot,
     false,
     {SYMBOL_OPTION, {"at", "TIME", "a moment, ISO 8601, UTC (the newest candle if not given)"}}},
    {"history",
     "[--symbol SYMBOL] [--window DURATION | --start TIME --end TIME] [options]",
     "print the snapshots of a range as JSON",
     command_history,
     false,
     {SYMBOL_OPTION,
      {"start", "TIME", "first candle, ISO 8601, UTC"},
      {"end", "TIME", "last candle (the newest if not given)"},
      {"window", "DURATION", "how far back from the end, as in 48h"},
      {"interval", "INTERVAL", "5m, 15m, 30m, 1h, 2h, 4h, 8h, 12h or 1d"},
      {"bucket", "PRICE", "price step of the levels"},
      {"weights", "LIST", "leverage weights, as in " LEVERAGE_WEIGHTS_DEFAULT}}},
    {"config",
     "[options]",
     "print every setting: value, where it came from, default, meaning",
     command_config,
     false,
     {{"markdown", NULL, "as a Markdown table"}}},
};

enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static const struct option *find_option(const struct command *command, const char *flag)
{
    for (size_t i = 0; i < OPTIONS_MAX && command->options[i].flag != NULL; i++)
        if (strcmp(command->options[i].flag, flag) == 0)
            return &command->options[i];
    return NULL;
}

static void print_general_help(FILE *file)
{
    fprintf(file, "heatcast " HEATCAST_VERSION ": a liquidation heatmap, computed and streamed\n\n"
                  "usage: heatcast COMMAND [options]\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(file, "  heatcast %-9s %s\n", commands[i].name, commands[i].meaning);
    fprintf(file, "\n  heatcast COMMAND --help   the command's options\n"
                  "  heatcast --version        the version\n");
}

static void print_help(const struct command *command, FILE *file)
{
    fprintf(file, "usage: heatcast %s %s\n\n%s.\n\n", command->name, command->arguments,
            command->meaning);
    for (size_t i = 0; i < OPTIONS_MAX && command->options[i].flag != NULL; i++) {
        const struct option *option = &command->options[i];
        char left[96];
        snprintf(left, sizeof left, "--%s%s%s", option->flag, option->placeholder ? " " : "",
                 option->placeholder ? option->placeholder : "");
        fprintf(file, "  %-40s %s\n", left, option->meaning);
    }
    struct buffer settings = {0};
    config_append_help(&settings);
    fprintf(file, "\nSettings (each also an environment variable: --log-level is LOG_LEVEL):\n%s",
            buffer_text(&settings));
    buffer_deinit(&settings);
}

static enum exit_code usage_error(const struct command *command, const char *message)
{
    fprintf(stderr, "heatcast: %s\n", message);
    if (command != NULL)
        fprintf(stderr, "usage: heatcast %s %s (heatcast %s --help tells more)\n", command->name,
                command->arguments, command->name);
    return EXIT_USAGE;
}

/* One flag, `--name value`, `--name=value` or a switch. Returns how many further arguments it
 * took, or -1 with the error filled. */
static int take_flag(struct invocation *invocation, const struct command *command,
                     const char *argument, const char *following, struct error *error)
{
    char flag[64];
    const char *equals = strchr(argument, '=');
    size_t size = equals != NULL ? (size_t)(equals - argument) : strlen(argument);
    if (size >= sizeof flag) {
        error_set(error, STATUS_NOT_FOUND, "there is no option --%.40s...", argument);
        return -1;
    }
    memcpy(flag, argument, size);
    flag[size] = '\0';

    const struct option *option = find_option(command, flag);
    bool is_switch = option != NULL && option->placeholder == NULL;
    if (option == NULL && !config_is_flag(flag, &is_switch)) {
        error_set(error, STATUS_NOT_FOUND, "there is no option --%s", flag);
        return -1;
    }
    /* A setting that is true or false may be a switch, but takes a value where one follows. */
    if (option == NULL && following != NULL && following[0] != '-')
        is_switch = false;
    const char *value = equals != NULL ? equals + 1 : is_switch ? "true" : following;
    if (value == NULL) {
        error_set(error, STATUS_INVALID, "--%s needs a value", flag);
        return -1;
    }
    if (option == NULL) {
        if (config_set_flag(&invocation->config, &invocation->origin, flag, value, error) !=
            STATUS_OK)
            return -1;
    } else {
        check(invocation->option_count < INVOCATION_OPTIONS_MAX);
        for (size_t i = 0; i < invocation->option_count; i++)
            if (strcmp(invocation->options[i].flag, option->flag) == 0) {
                error_set(error, STATUS_INVALID, "--%s is given twice", flag);
                return -1;
            }
        invocation->options[invocation->option_count].flag = option->flag;
        invocation->options[invocation->option_count++].value = value;
    }
    return equals == NULL && !is_switch ? 1 : 0;
}

static enum exit_code parse_arguments(struct invocation *invocation, const struct command *command,
                                      int argc, char **argv)
{
    bool takes_flags = true;
    for (int i = 0; i < argc; i++) {
        struct error error;
        const char *argument = argv[i];
        if (takes_flags && strcmp(argument, "--") == 0) {
            takes_flags = false;
        } else if (takes_flags && argument[0] == '-' && argument[1] == '-') {
            int taken = take_flag(invocation, command, argument + 2,
                                  i + 1 < argc ? argv[i + 1] : NULL, &error);
            if (taken < 0) /* a wrong value is one line; the usage helps with a wrong option */
                return usage_error(error.status == STATUS_NOT_FOUND ? command : NULL,
                                   error.message);
            i += taken;
        } else if (takes_flags && argument[0] == '-' && argument[1] != '\0') {
            error_set(&error, STATUS_INVALID, "there is no option %.40s", argument);
            return usage_error(command, error.message);
        } else if (command->takes_paths) {
            invocation->paths[invocation->path_count++] = argument;
        } else {
            error_set(&error, STATUS_INVALID, "%.60s is not expected here", argument);
            return usage_error(command, error.message);
        }
    }
    return EXIT_DONE;
}

static const char *environment(const char *name)
{
    return getenv(name);
}

static enum exit_code run_command(const struct command *command, int argc, char **argv)
{
    struct invocation invocation = {0};
    struct error error;
    enum exit_code code = EXIT_USAGE;
    invocation.paths = memory_allocate_zeroed((size_t)argc + 1, sizeof *invocation.paths);
    if (config_load(&invocation.config, &invocation.origin, environment, &error) != STATUS_OK) {
        fprintf(stderr, "heatcast: %s\n", error.message);
        goto cleanup;
    }
    code = parse_arguments(&invocation, command, argc, argv);
    if (code != EXIT_DONE)
        goto cleanup;
    if (config_check(&invocation.config, &error) != STATUS_OK) {
        fprintf(stderr, "heatcast: %s\n", error.message);
        code = EXIT_USAGE;
        goto cleanup;
    }
    log_configure(invocation.config.log_level, invocation.config.log_format);
    code = command->run(&invocation);
    if (code == EXIT_USAGE)
        fprintf(stderr, "usage: heatcast %s %s (heatcast %s --help tells more)\n", command->name,
                command->arguments, command->name);
cleanup:
    config_origin_deinit(&invocation.origin);
    free(invocation.paths);
    return code;
}

static bool is_help(const char *argument)
{
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

int main(int argc, char **argv)
{
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error, not the end */
    if (argc < 2) {
        print_general_help(stderr);
        return EXIT_USAGE;
    }
    if (is_help(argv[1]) || strcmp(argv[1], "help") == 0) {
        print_general_help(stdout);
        return EXIT_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("heatcast " HEATCAST_VERSION);
        return EXIT_DONE;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        for (int j = 2; j < argc && strcmp(argv[j], "--") != 0; j++) {
            if (is_help(argv[j])) {
                print_help(&commands[i], stdout);
                return EXIT_DONE;
            }
            if (strcmp(argv[j], "--version") == 0) {
                puts("heatcast " HEATCAST_VERSION);
                return EXIT_DONE;
            }
        }
        return run_command(&commands[i], argc - 2, argv + 2);
    }
    fprintf(stderr, "heatcast: there is no command '%.60s'\n\n", argv[1]);
    print_general_help(stderr);
    return EXIT_USAGE;
}
