/* `heatcast score`: how good the map of a range was, as GET .../score/ answers it. Its options are
 * the parameters of that question, but for the two ends of the range, which bear the names that
 * they have in other commands. */
#include "cli/command.h"
#include "engine/history.h"

#include <string.h>

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
        const char *flag = invocation->options[i].flag;
        if (strcmp(flag, "symbol") == 0)
            continue;
        status = range_set(range, parameter_of(flag), invocation->options[i].value, error);
        if (status != STATUS_OK && strcmp(parameter_of(flag), flag) != 0)
            error_prefix(error, strcmp(flag, "from") == 0 ? "--from" : "--to");
    }
    return status;
}

static enum exit_code run(struct invocation *invocation)
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
        status = history_score(history, &range, NULL, &out, &error);
    command_close_history(store, history);
    if (status == STATUS_OK)
        return command_print(&out);
    buffer_deinit(&out);
    return command_fail(&error);
}

const struct command command_score = {
    .name = "score",
    .arguments = "[--symbol SYMBOL] [--from TIME] [--to TIME] [options]",
    .meaning = "print how good the map of a range was, beside maps that know less, as JSON",
    .run = run,
    .options = {{"symbol", "SYMBOL", "the symbol (the first of SYMBOLS if not given)"},
                {"from", "TIME", "first candle, ISO 8601 (30 days before the last if not given)"},
                {"to", "TIME", "last candle (the newest if not given)"},
                {"window", "DURATION", "how far back from the last candle, as in 30d"},
                {"bucket", "PRICE", "price step (a tenth of the map's if not given)"},
                {"weights", "LIST", "leverage weights, as in " LEVERAGE_WEIGHTS_DEFAULT},
                {"model", "MODEL", "the model (HEATMAP_MODEL if not given)"}},
};
