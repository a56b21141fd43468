/* Every setting is a flag of every command, beside the few options that a command has of its own.
 * getopt_long() would want all of them in one table, with a short name or a number each, and knows
 * no switch that takes a value where one follows (`--ws-enabled false`). So flags are looked up
 * here: first among the command's options, then among the settings.
 *
 * A wrong value is one line that says what is allowed; an unknown option is followed by the usage
 * line, since the reader has to look for another one. */
#include "cli/arguments.h"

#include "base/check.h"
#include "base/slice.h"

#include <stdio.h>
#include <string.h>

enum { FLAG_SIZE = 64 };

static const struct command_option *find_option(const struct command *command, const char *flag)
{
    for (size_t i = 0; i < COMMAND_OPTIONS_MAX && command->options[i].flag != NULL; i++)
        if (strcmp(command->options[i].flag, flag) == 0)
            return &command->options[i];
    return NULL;
}

/* -- help -------------------------------------------------------------------------------------- */

void arguments_print_usage(const struct command *command)
{
    fprintf(stderr, "usage: heatcast %s %s (options: heatcast %s --help)\n", command->name,
            command->arguments, command->name);
}

static void print_option(const struct command_option *option, FILE *file)
{
    char left[96];
    snprintf(left, sizeof left, "--%s%s%s", option->flag, option->placeholder != NULL ? " " : "",
             option->placeholder != NULL ? option->placeholder : "");
    fprintf(file, "  %-40s %s\n", left, option->meaning);
}

void arguments_print_help(const struct command *command, FILE *file)
{
    struct buffer settings = {0};
    fprintf(file, "usage: heatcast %s %s\n\n%s.\n\n", command->name, command->arguments,
            command->meaning);
    for (size_t i = 0; i < COMMAND_OPTIONS_MAX && command->options[i].flag != NULL; i++)
        print_option(&command->options[i], file);
    config_append_help(&settings);
    fprintf(file, "\nSettings (each also an environment variable: --log-level is LOG_LEVEL):\n%s",
            buffer_text(&settings));
    buffer_deinit(&settings);
}

/* -- reading ----------------------------------------------------------------------------------- */

static enum status add_option(struct invocation *invocation, const struct command_option *option,
                              const char *value, struct error *error)
{
    if (command_option(invocation, option->flag) != NULL)
        return error_set(error, STATUS_INVALID, "--%s is given twice", option->flag);
    check(invocation->option_count < COMMAND_OPTIONS_MAX);
    invocation->options[invocation->option_count].flag = option->flag;
    invocation->options[invocation->option_count++].value = value;
    return STATUS_OK;
}

/* Whether a flag that is not followed by `=` takes the next argument for its value. */
static bool takes_following(const struct command_option *option, bool is_switch,
                            const char *following)
{
    if (!is_switch)
        return true;
    /* A setting that is true or false may be a switch, but takes a value where one follows. */
    return option == NULL && following != NULL && following[0] != '-';
}

/* Reads `--name value`, `--name=value` or a switch; `argument` is without the dashes.
 * STATUS_NOT_FOUND: there is no such option. */
static enum status read_flag(struct invocation *invocation, const struct command *command,
                             const char *argument, const char *following, bool *took_following,
                             struct error *error)
{
    char flag[FLAG_SIZE];
    struct slice value_text = slice_of(argument), name;
    bool has_equals = slice_split(&value_text, '=', &name), is_switch = false;
    if (!slice_copy(name, flag, sizeof flag))
        return error_set(error, STATUS_NOT_FOUND, "there is no option --%.40s...", argument);
    const struct command_option *option = find_option(command, flag);
    if (option != NULL)
        is_switch = option->placeholder == NULL;
    else if (!config_is_flag(flag, &is_switch))
        return error_set(error, STATUS_NOT_FOUND, "there is no option --%s", flag);
    *took_following = !has_equals && takes_following(option, is_switch, following);
    const char *value = has_equals ? value_text.data : *took_following ? following : "true";
    if (value == NULL)
        return error_set(error, STATUS_INVALID, "--%s needs a value", flag);
    if (option != NULL)
        return add_option(invocation, option, value, error);
    return config_set_flag(&invocation->config, &invocation->origin, flag, value, error);
}

/* An argument that is not a flag. */
static enum status read_path(struct invocation *invocation, const struct command *command,
                             const char *argument, struct error *error)
{
    if (!command->takes_paths)
        return error_set(error, STATUS_NOT_FOUND, "%.60s is not expected here", argument);
    invocation->paths[invocation->path_count++] = argument;
    return STATUS_OK;
}

enum exit_code arguments_read(struct invocation *invocation, const struct command *command,
                              int argc, char **argv)
{
    bool takes_flags = true;
    for (int i = 0; i < argc; i++) {
        struct error error;
        enum status status = STATUS_OK;
        bool took_following = false;
        const char *argument = argv[i];
        if (takes_flags && strcmp(argument, "--") == 0)
            takes_flags = false;
        else if (takes_flags && strncmp(argument, "--", 2) == 0)
            status =
                read_flag(invocation, command, argument + 2, argv[i + 1], &took_following, &error);
        else if (takes_flags && argument[0] == '-' && argument[1] != '\0')
            status = error_set(&error, STATUS_NOT_FOUND, "there is no option %.40s", argument);
        else
            status = read_path(invocation, command, argument, &error);
        if (status != STATUS_OK) {
            fprintf(stderr, "heatcast: %s\n", error.message);
            if (status == STATUS_NOT_FOUND)
                arguments_print_usage(command);
            return EXIT_USAGE;
        }
        if (took_following)
            i++;
    }
    return EXIT_DONE;
}
