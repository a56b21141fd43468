/* `heatcast import`: opens the database for writing, imports the files (sources/archive/import.h),
 * and shows how far it has come: on a terminal as a bar, elsewhere in a line now and then.
 *
 * A server has the same file open for moments at each tick, so a lock is waited for, but not long:
 * a lock that stays belongs to another program, and the user should hear of it. */
#include "base/clock.h"
#include "cli/command.h"
#include "sources/archive/import.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    LOCK_WAIT_MS = 10000,
    LOCK_POLL_US = 50000,
    PROGRESS_PERIOD_MS = 100,        /* on a terminal */
    PROGRESS_LINE_PERIOD_MS = 10000, /* elsewhere, as in the log of a job */
    PROGRESS_BAR_WIDTH = 30,
};

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

static void draw_bar(struct progress *progress, const char *name, uint64_t bytes_done,
                     uint64_t bytes_total)
{
    int filled = (int)(bytes_done * PROGRESS_BAR_WIDTH / bytes_total);
    progress->is_shown = true;
    fprintf(stderr, "\r\033[K[%.*s%*s] %3d%% %.40s", filled, "##############################",
            PROGRESS_BAR_WIDTH - filled, "", (int)(bytes_done * 100 / bytes_total), name);
    fflush(stderr);
}

static void on_progress(const char *path, uint64_t bytes_done, uint64_t bytes_total, void *context)
{
    struct progress *progress = context;
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t period_ms = progress->is_terminal ? PROGRESS_PERIOD_MS : PROGRESS_LINE_PERIOD_MS;
    if (bytes_total == 0 || now_ns - progress->shown_ns < period_ms * UINT64_C(1000000))
        return;
    progress->shown_ns = now_ns;
    if (progress->is_terminal)
        draw_bar(progress, name, bytes_done, bytes_total);
    else
        fprintf(stderr, "heatcast: %d %% is imported, at %s\n",
                (int)(bytes_done * 100 / bytes_total), name);
}

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

/* Imports into an open database, and closes it before saying what came of it. Files that cannot be
 * used are a failure, not wrong usage. */
static enum exit_code import_and_close(const struct invocation *invocation,
                                       enum archive_market market, const char *symbol,
                                       struct store *store)
{
    struct error error;
    struct progress progress = {.is_terminal = isatty(STDERR_FILENO),
                                .shown_ns = clock_monotonic_ns()};
    struct import_summary summaries[IMPORT_KIND_COUNT] = {0};
    enum status status = import_run(
        &(struct import_options){
            .store = store,
            .symbol = symbol,
            .market = market,
            .is_strict = command_option(invocation, "strict") != NULL,
            .on_problem = on_problem,
            .on_note = on_problem,
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

/* Of the archive's markets those two whose candles can be imported. */
static enum status read_market(const struct invocation *invocation, enum archive_market *market,
                               struct error *error)
{
    const char *text = command_option(invocation, "market");
    *market = ARCHIVE_MARKET_USD_M;
    bool is_known = text == NULL || archive_market_parse(text, market);
    if (is_known && (*market == ARCHIVE_MARKET_USD_M || *market == ARCHIVE_MARKET_SPOT))
        return STATUS_OK;
    return error_set(error, STATUS_INVALID, "--market: '%.60s' is neither um nor spot", text);
}

static enum exit_code run(struct invocation *invocation)
{
    struct error error;
    struct store *store = NULL;
    char symbol[SYMBOL_SIZE];
    enum archive_market market;
    bool has_symbol = command_option(invocation, "symbol") != NULL;
    if (invocation->path_count == 0) {
        fprintf(stderr, "heatcast: import needs at least one file or folder\n");
        return EXIT_USAGE;
    }
    if (has_symbol && command_symbol(invocation, symbol, &error) != STATUS_OK)
        return command_fail(&error);
    if (read_market(invocation, &market, &error) != STATUS_OK)
        return command_fail(&error);
    if (open_for_writing(invocation->config.duckdb_path, &store, &error) != STATUS_OK) {
        fprintf(stderr, "heatcast: %s\n", error.message);
        return EXIT_FAILED;
    }
    return import_and_close(invocation, market, has_symbol ? symbol : NULL, store);
}

const struct command command_import = {
    .name = "import",
    .arguments = "PATH... [options]",
    .meaning = "read files of candles and open interest (.csv, .zip, .gz), or folders, into the "
               "database",
    .run = run,
    .takes_paths = true,
    .options = {{"symbol", "SYMBOL", "the symbol of files that do not name theirs"},
                {"market", "MARKET", "of the candles: um (futures, if not given) or spot"},
                {"strict", NULL, "the first bad row fails its file"}},
};
