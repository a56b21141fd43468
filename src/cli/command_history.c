/* `heatcast history`: the snapshots of a range, as GET .../history answers them. Its options are
 * the parameters of that question under the same names, and are read by the same function. */
#include "cli/command.h"
#include "engine/history.h"

#include <string.h>

static enum status read_range(const struct invocation *invocation, struct range *range,
                              struct error *error)
{
    enum status status = command_symbol(invocation, range->symbol, error);
    for (size_t i = 0; i < invocation->option_count && status == STATUS_OK; i++) {
        const char *flag = invocation->options[i].flag;
        if (strcmp(flag, "symbol") != 0)
            status = range_set(range, flag, invocation->options[i].value, error);
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
        status = history_run(history, &range, NULL, &out, &error);
    command_close_history(store, history);
    if (status == STATUS_OK)
        return command_print(&out);
    buffer_deinit(&out);
    return command_fail(&error);
}

const struct command command_history = {
    .name = "history",
    .arguments = "[--symbol SYMBOL] [--window DURATION | --start TIME --end TIME] [options]",
    .meaning = "print the snapshots of a range as JSON",
    .run = run,
    .options = {{"symbol", "SYMBOL", "the symbol (the first of SYMBOLS if not given)"},
                {"start", "TIME", "first candle, ISO 8601; UTC, or with an offset"},
                {"end", "TIME", "last candle (the newest if not given)"},
                {"window", "DURATION", "how far back from the end, as in 48h"},
                {"interval", "INTERVAL", "5m, 15m, 30m, 1h, 2h, 4h, 8h, 12h or 1d"},
                {"bucket", "PRICE", "price step of the levels"},
                {"weights", "LIST", "leverage weights, as in " LEVERAGE_WEIGHTS_DEFAULT},
                {"model", "MODEL", "the model (HEATMAP_MODEL if not given)"},
                {"tiers", "LIST", "positions of these tiers alone: low, medium, high"}},
};
