/* `heatcast snapshot`: one snapshot, now or at a moment of the past, in the words of the stream
 * (docs/protocol.md), so that one program can read both. */
#include "base/iso_time.h"
#include "base/json.h"
#include "cli/command.h"
#include "engine/history.h"
#include "model/snapshot_text.h"

#include <string.h>

static enum status parse_moment(const char *text, int64_t *time_ms, struct error *error)
{
    *time_ms = INT64_MAX; /* the newest candle */
    if (text == NULL || iso_time_parse(text, strlen(text), time_ms))
        return STATUS_OK;
    return error_set(error, STATUS_INVALID,
                     "--at: '%.60s' is not a time (ISO 8601, as in 2025-12-28T14:30:00Z)", text);
}

/* `model` stays as it is where none is named. */
static enum status find_model(const char *name, const struct model **model, struct error *error)
{
    enum status status = name != NULL ? model_find(name, model, error) : STATUS_OK;
    if (status != STATUS_OK)
        error_prefix(error, "--model");
    return status;
}

static void append_snapshot(struct buffer *out, const struct snapshot *snapshot)
{
    struct json json = json_start(out);
    json_open_object(&json);
    json_member_text(&json, "type", "snapshot");
    json_member_text(&json, "symbol", snapshot->symbol);
    json_member_time(&json, "timestamp", snapshot->timestamp_ms);
    json_key(&json, "data");
    snapshot_text_append_data(out, snapshot);
    json_close_object(&json);
}

static enum exit_code run(struct invocation *invocation)
{
    struct error error;
    struct store *store = NULL;
    struct history *history = NULL;
    struct snapshot snapshot = {0};
    struct buffer out = {0};
    const struct model *model = NULL;
    char symbol[SYMBOL_SIZE];
    int64_t at_ms;
    if (command_symbol(invocation, symbol, &error) != STATUS_OK ||
        find_model(command_option(invocation, "model"), &model, &error) != STATUS_OK ||
        parse_moment(command_option(invocation, "at"), &at_ms, &error) != STATUS_OK)
        return command_fail(&error);
    enum status status = command_open_history(&invocation->config, &store, &history, &error);
    if (status == STATUS_OK)
        status = history_snapshot(history, symbol, at_ms, model, &snapshot, &error);
    if (status == STATUS_OK)
        append_snapshot(&out, &snapshot);
    snapshot_deinit(&snapshot);
    command_close_history(store, history);
    return status == STATUS_OK ? command_print(&out) : command_fail(&error);
}

const struct command command_snapshot = {
    .name = "snapshot",
    .arguments = "[--symbol SYMBOL] [--at TIME] [options]",
    .meaning = "print the newest snapshot, or that of a moment, as JSON",
    .run = run,
    .options = {{"symbol", "SYMBOL", "the symbol (the first of SYMBOLS if not given)"},
                {"at", "TIME",
                 "a moment, ISO 8601; UTC, or with an offset (the newest if not given)"},
                {"model", "MODEL", "the model (HEATMAP_MODEL if not given)"}},
};
