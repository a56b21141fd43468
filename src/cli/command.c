/* What more than one sub-command does: finding an option, ending with an error, printing a result,
 * and asking the database about the past. A command is a process of its own that runs once, so it
 * opens the database, asks, and closes it again; a server may have it open at the same time. */
#include "cli/command.h"

#include "engine/history.h"
#include "engine/settings.h"
#include "sources/archive/import.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *command_option(const struct invocation *invocation, const char *flag)
{
    for (size_t i = 0; i < invocation->option_count; i++)
        if (strcmp(invocation->options[i].flag, flag) == 0)
            return invocation->options[i].value;
    return NULL;
}

enum exit_code command_fail(const struct error *error)
{
    fprintf(stderr, "heatcast: %s\n", error->message);
    return error->status == STATUS_INVALID ? EXIT_USAGE : EXIT_FAILED;
}

enum exit_code command_print(struct buffer *out)
{
    buffer_append_char(out, '\n');
    bool is_written = fwrite(out->data, 1, out->size, stdout) == out->size && fflush(stdout) == 0;
    buffer_deinit(out);
    if (!is_written)
        fprintf(stderr, "heatcast: the result could not be written to standard output\n");
    return is_written ? EXIT_DONE : EXIT_FAILED;
}

void command_print_imports(const struct import_summary *summaries)
{
    static const char *const kinds[IMPORT_KIND_COUNT] = {"klines", "open interest", "liquidations"};
    for (int i = 0; i < IMPORT_KIND_COUNT; i++)
        if (i != IMPORT_LIQUIDATIONS || summaries[i].rows_read > 0)
            printf("%s: %" PRIu64 " files, %" PRIu64 " rows read, %" PRIu64 " new, %" PRIu64
                   " bad\n",
                   kinds[i], summaries[i].files, summaries[i].rows_read, summaries[i].rows_new,
                   summaries[i].rows_bad);
}

enum status command_symbol(const struct invocation *invocation, char symbol[SYMBOL_SIZE],
                           struct error *error)
{
    const char *text = command_option(invocation, "symbol");
    if (text == NULL)
        text = invocation->config.symbols.names[0];
    enum status status = value_parse_symbol(slice_of(text), symbol, error);
    if (status != STATUS_OK)
        error_prefix(error, "--symbol");
    return status;
}

enum status command_open_history(const struct config *config, struct store **store,
                                 struct history **history, struct error *error)
{
    enum status status = store_open(config->duckdb_path, STORE_SHARED, store, error);
    if (status != STATUS_OK)
        return status;
    const struct model_settings settings = settings_of_model(config);
    *history = history_create(&(struct history_options){
        .store = *store,
        .model = model_of(config->heatmap_model),
        .buckets = &config->heatmap_buckets,
        .settings = &settings,
    });
    return STATUS_OK;
}

void command_close_history(struct store *store, struct history *history)
{
    history_destroy(history);
    store_close(store);
}

/* Ends of a range bear the names that they have in other commands. */
static const char *parameter_of(const char *flag)
{
    if (strcmp(flag, "from") == 0)
        return "start";
    return strcmp(flag, "to") == 0 ? "end" : flag;
}

static enum status read_range(const struct invocation *invocation, struct range *range,
                              struct error *error)
{
    enum status status = command_symbol(invocation, range->symbol, error);
    for (size_t i = 0; i < invocation->option_count && status == STATUS_OK; i++) {
        const char *flag = invocation->options[i].flag, *parameter = parameter_of(flag);
        if (strcmp(flag, "symbol") == 0)
            continue;
        status = range_set(range, parameter, invocation->options[i].value, error);
        if (status != STATUS_OK && parameter != flag)
            error_prefix(error, strcmp(flag, "from") == 0 ? "--from" : "--to");
    }
    return status;
}

enum exit_code command_ask_range(struct invocation *invocation, command_question *ask)
{
    struct error error;
    struct store *store = NULL;
    struct history *history = NULL;
    struct range range = {0};
    struct buffer out = {0};
    if (read_range(invocation, &range, &error) != STATUS_OK)
        return command_fail(&error);
    enum status status = command_open_history(&invocation->config, &store, &history, &error);
    if (status == STATUS_OK)
        status = ask(history, &range, NULL, &out, &error);
    command_close_history(store, history);
    if (status == STATUS_OK)
        return command_print(&out);
    buffer_deinit(&out);
    return command_fail(&error);
}
