/* `heatcast score`: how good the map of a range was, as GET .../score/ answers it. Its options are
 * the parameters of that question, but for the two ends of the range, which bear the names that
 * they have in other commands. */
#include "cli/command.h"
#include "engine/history.h"

static enum exit_code run(struct invocation *invocation)
{
    return command_ask_range(invocation, history_score);
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
