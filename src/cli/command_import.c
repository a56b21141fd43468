/* `heatcast import`: opens the database for writing, imports the files (sources/archive/import.h),
 * and shows how far it has come: on a terminal as a bar, elsewhere in a line now and then.
 *
 * A server has the same file open for moments at each tick, so a lock is waited for, but not long:
 * a lock that stays belongs to another program, and the user should hear of it. */
#include "base/clock.h"
#include "cli/command.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "sources/archive/importing.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    LOCK_WAIT_MS = 10000,
    LOCK_POLL_US = 50000,
};

static void on_problem(const char *message, void *context)
{
    progress_clear(context);
    fprintf(stderr, "heatcast: %s\n", message);
}

static void on_progress(const char *path, uint64_t bytes_done, uint64_t bytes_total, void *context)
{
    const char *name = strrchr(path, '/');
    progress_show(context, bytes_done, bytes_total, name != NULL ? name + 1 : path);
}

/* STATUS_CANCELLED: a signal has come meanwhile. */
static enum status open_for_writing(const char *path, const sigset_t *awaited, int *number,
                                    struct store **store, struct error *error)
{
    uint64_t deadline_ns = clock_monotonic_ns() + LOCK_WAIT_MS * UINT64_C(1000000);
    for (;;) {
        enum status status = store_open(path, STORE_OWNER, store, error);
        if (status != STATUS_BUSY || clock_monotonic_ns() > deadline_ns)
            return status;
        *number = signals_take(awaited);
        if (*number != 0)
            return error_set(error, STATUS_CANCELLED, "interrupted");
        usleep(LOCK_POLL_US);
    }
}

/* Files that cannot be used are a failure, not wrong usage. */
static enum exit_code judge(enum status status, int number, const struct error *error)
{
    if (status == STATUS_OK)
        return EXIT_DONE;
    fprintf(stderr, "heatcast: %s\n", error->message);
    if (status == STATUS_CANCELLED)
        signals_end_by(number);
    return EXIT_FAILED;
}

/* Imports into an open database, and closes it before saying what came of it. */
static enum exit_code import_and_close(const struct invocation *invocation,
                                       enum archive_market market, const char *symbol,
                                       struct store *store, const sigset_t *awaited)
{
    struct error error;
    int number;
    struct progress progress = progress_start("imported");
    struct import_summary summaries[IMPORT_KIND_COUNT] = {0};
    struct source *source = importing_start(
        &(struct import_options){
            .store = store,
            .symbol = symbol,
            .market = market,
            .is_strict = command_option(invocation, "strict") != NULL,
            .replaces = command_option(invocation, "replace") != NULL,
            .on_problem = on_problem,
            .on_note = on_problem,
            .on_assumed = on_problem,
            .on_progress = on_progress,
            .context = &progress,
        },
        invocation->paths, invocation->path_count, summaries);
    enum status status = signals_run(source, awaited, &number, &error);
    progress_clear(&progress);
    store_close(store);
    command_print_imports(summaries);
    return judge(status, number, &error);
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
    sigset_t awaited;
    int number = 0;
    signals_block(&awaited);
    enum status status =
        open_for_writing(invocation->config.duckdb_path, &awaited, &number, &store, &error);
    if (status != STATUS_OK)
        return judge(status, number, &error);
    return import_and_close(invocation, market, has_symbol ? symbol : NULL, store, &awaited);
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
                {"replace", NULL, "rows that are stored already become those of the files"},
                {"strict", NULL, "the first bad row fails its file"}},
};
