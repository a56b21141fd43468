/* `heatcast history`: the snapshots of a range, as GET .../history answers them. Its options are
 * the parameters of that question under the same names, and are read by the same function. */
#include "cli/command.h"
#include "engine/history.h"

static enum exit_code run(struct invocation *invocation)
{
    return command_ask_range(invocation, history_run);
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
