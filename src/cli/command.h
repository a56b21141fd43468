/* A sub-command: what it is called, which options it takes, and what runs it; and what the
 * sub-commands share. One thread.
 *
 * Results go to standard output, everything else to standard error. */
#ifndef HEATCAST_CLI_COMMAND_H
#define HEATCAST_CLI_COMMAND_H

#include "base/buffer.h"
#include "base/error.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>

struct store;
struct history;
struct range;
struct question_limits;
struct import_summary;

enum exit_code { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

#define COMMAND_OPTIONS_MAX 10

/* What was given on the command line. Texts point into argv. */
struct invocation {
    struct config config;
    struct config_origin origin;
    size_t option_count;
    struct {
        const char *flag, *value; /* without the dashes; "true" for a switch */
    } options[COMMAND_OPTIONS_MAX];
    size_t path_count;
    const char **paths;
};

/* An option of one sub-command that is not a setting. */
struct command_option {
    const char *flag;
    const char *placeholder; /* NULL: a switch */
    const char *meaning;
};

struct command {
    const char *name;
    const char *arguments; /* as the usage line shows them */
    const char *meaning;
    /* Prints its own errors. EXIT_USAGE: the caller prints the usage line. */
    enum exit_code (*run)(struct invocation *invocation);
    bool takes_paths;
    struct command_option options[COMMAND_OPTIONS_MAX]; /* up to the first without a flag */
};

extern const struct command command_serve;
extern const struct command command_collect;
extern const struct command command_import;
extern const struct command command_fetch;
extern const struct command command_delete;
extern const struct command command_snapshot;
extern const struct command command_history;
extern const struct command command_score;
extern const struct command command_config;

/* -- what commands share ----------------------------------------------------------------------- */

/* The value of an option, or NULL if it was not given. */
const char *command_option(const struct invocation *invocation, const char *flag);

/* Prints the error. EXIT_USAGE if the input was wrong, else EXIT_FAILED. */
enum exit_code command_fail(const struct error *error);

/* Prints a result and a line break, and frees the buffer. EXIT_FAILED, with an error printed, if
 * standard output does not take it: a full disk, a closed pipe. */
enum exit_code command_print(struct buffer *out);

/* What came of imports, a line for each kind of row (sources/archive/reader.h). */
void command_print_imports(const struct import_summary *summaries);

/* The symbol of --symbol, or the first of SYMBOLS. */
enum status command_symbol(const struct invocation *invocation, char symbol[SYMBOL_SIZE],
                           struct error *error);

/* A history over the configured database, for command_close_history() in any case. */
enum status command_open_history(const struct config *config, struct store **store,
                                 struct history **history, struct error *error);
void command_close_history(struct store *store, struct history *history);

/* A question about a range (engine/history.h). */
typedef enum status command_question(struct history *history, const struct range *range,
                                     const struct question_limits *limits, struct buffer *out,
                                     struct error *error);

/* Asks it, without limits, of the configured database, and prints the answer. The options are the
 * parameters of the question, by the same function as over HTTP; --from and --to are its ends. */
enum exit_code command_ask_range(struct invocation *invocation, command_question *ask);

#endif
