#include "cli/commands.h"

#include "base/clock.h"
#include "base/iso_time.h"
#include "engine/history.h"
#include "model/snapshot_text.h"
#include "sources/archive/import.h"
#include "serve/server.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    LOCK_WAIT_MS = 10000, /* how long a command waits for a database that somebody has open */
    LOCK_POLL_US = 50000,
    PROGRESS_PERIOD_MS = 100,
    PROGRESS_BAR_WIDTH = 30,
};

static const char *find_option(const struct invocation *invocation, const char *flag)
{
    for (size_t i = 0; i < invocation->option_count; i++)
        if (strcmp(invocation->options[i].flag, flag) == 0)
            return invocation->options[i].value;
    return NULL;
}

static enum exit_code fail(const struct error *error)
{
    fprintf(stderr, "heatcast: %s\n", error->message);
    return error->status == STATUS_INVALID ? EXIT_USAGE : EXIT_FAILED;
}

/* Prints a result, and notices a full disk or a closed pipe. */
static enum exit_code print_result(struct buffer *out)
{
    buffer_append_char(out, '\n');
    bool is_written = fwrite(out->data, 1, out->size, stdout) == out->size && fflush(stdout) == 0;
    buffer_deinit(out);
    if (!is_written)
        fprintf(stderr, "heatcast: the result could not be written to standard output\n");
    return is_written ? EXIT_DONE : EXIT_FAILED;
}

/* -- serve ------------------------------------------------------------------------------------- */

/* The demo has a database of its own unless one is named: simulated rows must not get into real
 * data. */
enum exit_code command_serve(struct invocation *invocation)
{
    struct error error;
    struct server_options options = {
        .is_demo = find_option(invocation, "demo") != NULL,
        .has_echo = find_option(invocation, "conformance-echo") != NULL,
    };
    struct config *config = &invocation->config;
    if (options.is_demo && !config_is_given(&invocation->origin, "DUCKDB_PATH"))
        strcpy(config->duckdb_path, "data/demo.duckdb");
    if (config->cluster_role == CLUSTER_RELAY && (!config->redis_enabled || options.is_demo)) {
        fprintf(stderr, "heatcast: CLUSTER_ROLE: a relay serves what other servers publish in "
                        "Redis: it needs REDIS_ENABLED=true, and no --demo\n");
        return EXIT_USAGE;
    }
    signal(SIGPIPE, SIG_IGN);
    if (server_run(config, &options, &error) == STATUS_OK)
        return EXIT_DONE;
    fprintf(stderr, "heatcast: %s\n", error.message);
    return EXIT_FAILED;
}

/* -- import ------------------------------------------------------------------------------------ */

struct progress {
    bool is_terminal, is_shown;
    uint64_t shown_ns;
};

static void clear_progress(struct progress *progress)
{
    if (progress->is_shown)
        fputs("\r\033[K", stderr);
    progress->is_shown = false;
}

static void on_problem(const char *message, void *context)
{
    clear_progress(context);
    fprintf(stderr, "heatcast: %s\n", message);
}

static void on_progress(const char *path, uint64_t bytes_done, uint64_t bytes_total, void *context)
{
    struct progress *progress = context;
    uint64_t now_ns = clock_monotonic_ns();
    if (!progress->is_terminal || bytes_total == 0 ||
        now_ns - progress->shown_ns < PROGRESS_PERIOD_MS * UINT64_C(1000000))
        return;
    progress->shown_ns = now_ns;
    progress->is_shown = true;
    if (bytes_done > bytes_total)
        bytes_done = bytes_total;
    int filled = (int)(bytes_done * PROGRESS_BAR_WIDTH / bytes_total);
    const char *name = strrchr(path, '/');
    fprintf(stderr, "\r\033[K[%.*s%*s] %3d%% %.40s", filled, "##############################",
            PROGRESS_BAR_WIDTH - filled, "", (int)(bytes_done * 100 / bytes_total),
            name != NULL ? name + 1 : path);
    fflush(stderr);
}

/* A server in shared mode holds the file for moments only, so a short wait gets past it. */
static enum status open_for_writing(const char *path, struct store **store, struct error *error)
{
    uint64_t deadline_ns = clock_monotonic_ns() + LOCK_WAIT_MS * UINT64_C(1000000);
    for (;;) {
        enum status status = store_open(path, STORE_OWNER, store, error);
        if (status != STATUS_BUSY || clock_monotonic_ns() > deadline_ns)
            return status;
        usleep(LOCK_POLL_US);
    }
}

static void print_summaries(const struct import_summary summaries[IMPORT_KIND_COUNT])
{
    static const char *const kinds[IMPORT_KIND_COUNT] = {"klines", "open interest"};
    for (int i = 0; i < IMPORT_KIND_COUNT; i++)
        printf("%s: %" PRIu64 " files, %" PRIu64 " rows read, %" PRIu64 " new, %" PRIu64 " bad\n",
               kinds[i], summaries[i].files, summaries[i].rows_read, summaries[i].rows_new,
               summaries[i].rows_bad);
}

enum exit_code command_import(struct invocation *invocation)
{
    struct error error;
    struct store *store = NULL;
    struct progress progress = {.is_terminal = isatty(STDERR_FILENO)};
    const char *symbol = find_option(invocation, "symbol");
    if (invocation->path_count == 0) {
        fprintf(stderr, "heatcast: import needs at least one file or folder\n");
        return EXIT_USAGE;
    }
    if (symbol != NULL && !value_is_symbol(symbol, strlen(symbol))) {
        fprintf(stderr,
                "heatcast: --symbol: '%.60s' is not a symbol (1 to 20 of A-Z, 0-9, _ and -)\n",
                symbol);
        return EXIT_USAGE;
    }
    if (open_for_writing(invocation->config.duckdb_path, &store, &error) != STATUS_OK) {
        fprintf(stderr, "heatcast: %s\n", error.message);
        return EXIT_FAILED;
    }
    struct import_summary summaries[IMPORT_KIND_COUNT] = {0};
    enum status status = import_run(
        &(struct import_options){
            .store = store,
            .symbol = symbol,
            .is_strict = find_option(invocation, "strict") != NULL,
            .on_problem = on_problem,
            .on_progress = on_progress,
            .context = &progress,
        },
        invocation->paths, invocation->path_count, summaries, &error);
    clear_progress(&progress);
    store_close(store);
    print_summaries(summaries);
    if (status == STATUS_OK)
        return EXIT_DONE;
    fprintf(stderr, "heatcast: %s\n", error.message);
    return EXIT_FAILED;
}

/* -- snapshot, history ------------------------------------------------------------------------- */

static const char *chosen_symbol(const struct invocation *invocation, struct error *error)
{
    const char *symbol = find_option(invocation, "symbol");
    if (symbol == NULL)
        return invocation->config.symbols.names[0];
    if (value_is_symbol(symbol, strlen(symbol)))
        return symbol;
    error_set(error, STATUS_INVALID,
              "--symbol: '%.60s' is not a symbol (1 to 20 of A-Z, 0-9, _ and -)", symbol);
    return NULL;
}

/* A history over the configured database; freed by close_history(). */
static enum status open_history(const struct config *config, struct store **store,
                                struct history **history, struct error *error)
{
    enum status status = store_open(config->duckdb_path, STORE_SHARED, store, error);
    if (status != STATUS_OK)
        return status;
    *history = history_create(&(struct history_options){
        .store = *store,
        .model = model_default(),
        .buckets = &config->heatmap_buckets,
        .weights = &config->heatmap_weights,
        .lookback_ms = config->heatmap_lookback_ms,
    });
    return STATUS_OK;
}

static void close_history(struct store *store, struct history *history)
{
    history_destroy(history);
    store_close(store);
}

static void append_snapshot(struct buffer *out, const struct snapshot *snapshot)
{
    char time[ISO_TIME_SIZE];
    buffer_append_format(out,
                         "{\"type\":\"snapshot\",\"symbol\":\"%s\",\"timestamp\":\"%s\",\"data\":",
                         snapshot->symbol, iso_time_format(snapshot->timestamp_ms, time));
    snapshot_text_append_data(out, snapshot);
    buffer_append_char(out, '}');
}

enum exit_code command_snapshot(struct invocation *invocation)
{
    struct error error;
    struct store *store = NULL;
    struct history *history = NULL;
    struct snapshot snapshot = {0};
    struct buffer out = {0};
    int64_t at_ms = INT64_MAX;
    const char *at = find_option(invocation, "at");
    const char *symbol = chosen_symbol(invocation, &error);
    if (symbol == NULL)
        return fail(&error);
    if (at != NULL && !iso_time_parse(at, strlen(at), &at_ms)) {
        error_set(&error, STATUS_INVALID,
                  "--at: '%.60s' is not a time (ISO 8601, as in 2025-12-28T14:30:00Z)", at);
        return fail(&error);
    }
    enum status status = open_history(&invocation->config, &store, &history, &error);
    if (status == STATUS_OK)
        status = history_snapshot(history, symbol, at_ms, &snapshot, &error);
    if (status == STATUS_OK)
        append_snapshot(&out, &snapshot);
    snapshot_deinit(&snapshot);
    close_history(store, history);
    return status == STATUS_OK ? print_result(&out) : fail(&error);
}

enum exit_code command_history(struct invocation *invocation)
{
    struct error error;
    struct store *store = NULL;
    struct history *history = NULL;
    struct range range = {0};
    struct buffer out = {0};
    const char *symbol = chosen_symbol(invocation, &error);
    if (symbol == NULL)
        return fail(&error);
    strcpy(range.symbol, symbol);
    for (size_t i = 0; i < invocation->option_count; i++) {
        const char *flag = invocation->options[i].flag;
        if (strcmp(flag, "symbol") != 0 &&
            range_set(&range, flag, invocation->options[i].value, &error) != STATUS_OK)
            return fail(&error);
    }
    enum status status = open_history(&invocation->config, &store, &history, &error);
    if (status == STATUS_OK)
        status = history_run(history, &range, &out, &error);
    close_history(store, history);
    if (status == STATUS_OK)
        return print_result(&out);
    buffer_deinit(&out);
    return fail(&error);
}

/* -- config ------------------------------------------------------------------------------------ */

enum exit_code command_config(struct invocation *invocation)
{
    struct buffer out = {0};
    if (find_option(invocation, "markdown") != NULL)
        config_append_markdown(&out);
    else
        config_append_table(&out, &invocation->config, &invocation->origin);
    out.size--; /* print_result() ends the last line */
    return print_result(&out);
}
