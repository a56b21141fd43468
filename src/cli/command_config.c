/* `heatcast config`: the settings as a server started in the same way would have them, and where
 * each came from. `--markdown` prints the README's table, which a test compares with this one. */
#include "cli/command.h"

static enum exit_code run(struct invocation *invocation)
{
    struct buffer out = {0};
    if (command_option(invocation, "markdown") != NULL)
        config_append_markdown(&out);
    else
        config_append_table(&out, &invocation->config, &invocation->origin);
    out.size--; /* command_print() ends the last line */
    return command_print(&out);
}

const struct command command_config = {
    .name = "config",
    .arguments = "[options]",
    .meaning = "print every setting: value, where it came from, default, meaning",
    .run = run,
    .options = {{"markdown", NULL, "as a Markdown table"}},
};
