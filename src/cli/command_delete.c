/* `heatcast delete`: takes a symbol's rows between two times out of the database, without asking,
 * and says what it took. A server or a collector may have the file at the same time; it is waited
 * for, but not long. */
#include "base/clock.h"
#include "base/iso_time.h"
#include "cli/command.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    LOCK_WAIT_MS = 10000,
    LOCK_POLL_US = 50000,
};

/* A time, or for a day its last moment where it is `is_end`. */
static enum status read_time(const struct invocation *invocation, const char *flag, bool is_end,
                             int64_t *time_ms, struct error *error)
{
    const char *text = command_option(invocation, flag);
    if (text == NULL)
        return STATUS_OK;
    if (!iso_time_parse(text, strlen(text), time_ms))
        return error_set(error, STATUS_INVALID,
                         "--%s: '%.60s' is neither a day, as 2025-12-28 is one, nor a time, as "
                         "2025-12-28T14:30:00Z",
                         flag, text);
    bool is_day = strlen(text) == strlen("2025-12-28");
    if (is_end && is_day)
        *time_ms += DAY_MS - 1;
    return STATUS_OK;
}

static enum status read_range(const struct invocation *invocation, int64_t *from_ms, int64_t *to_ms,
                              struct error *error)
{
    bool has_range =
        command_option(invocation, "from") != NULL || command_option(invocation, "to") != NULL;
    bool is_all = command_option(invocation, "all") != NULL;
    *from_ms = STORE_TIME_FIRST;
    *to_ms = STORE_TIME_LAST;
    if (has_range == is_all)
        return error_set(error, STATUS_INVALID,
                         "delete needs --from, --to or both, or else --all for all of a symbol");
    enum status status = read_time(invocation, "from", false, from_ms, error);
    if (status == STATUS_OK)
        status = read_time(invocation, "to", true, to_ms, error);
    if (status == STATUS_OK && *from_ms > *to_ms)
        return error_set(error, STATUS_INVALID, "--from is later than --to");
    return status;
}

/* Waits for others that have the file. A database is not made where there is none. */
static enum status begin(struct store *store, struct store_session **session, struct error *error)
{
    uint64_t deadline_ns = clock_monotonic_ns() + LOCK_WAIT_MS * UINT64_C(1000000);
    uint64_t version;
    enum status status = store_version(store, &version, error);
    while (status == STATUS_OK) {
        status = store_begin_brief(store, session, error);
        if (status != STATUS_BUSY || clock_monotonic_ns() > deadline_ns)
            break;
        usleep(LOCK_POLL_US);
        status = STATUS_OK;
    }
    return status;
}

static void print_deleted(const char *symbol, bool is_trial, const struct store_deleted *deleted)
{
    char first[ISO_TIME_SIZE], last[ISO_TIME_SIZE];
    printf("%s: %" PRIu64 " candles and %" PRIu64 " rows of open interest %s", symbol,
           deleted->candle_count, deleted->interest_count, is_trial ? "to delete" : "deleted");
    if (deleted->candle_count + deleted->interest_count > 0)
        printf(", %s to %s", iso_time_format(deleted->first_ms, first),
               iso_time_format(deleted->last_ms, last));
    putchar('\n');
}

static enum exit_code run(struct invocation *invocation)
{
    struct error error;
    struct store *store = NULL;
    struct store_session *session = NULL;
    struct store_deleted deleted;
    char symbol[SYMBOL_SIZE];
    int64_t from_ms, to_ms;
    bool is_trial = command_option(invocation, "dry-run") != NULL;
    if (command_option(invocation, "symbol") == NULL) {
        fprintf(stderr, "heatcast: --symbol is missing: whose rows to delete\n");
        return EXIT_USAGE;
    }
    if (command_symbol(invocation, symbol, &error) != STATUS_OK ||
        read_range(invocation, &from_ms, &to_ms, &error) != STATUS_OK)
        return command_fail(&error);
    enum status status = store_open(invocation->config.duckdb_path, STORE_SHARED, &store, &error);
    if (status == STATUS_OK)
        status = begin(store, &session, &error);
    if (status == STATUS_OK)
        status = store_delete(session, symbol, from_ms, to_ms, is_trial, &deleted, &error);
    store_end(session);
    store_close(store);
    if (status != STATUS_OK)
        return command_fail(&error);
    print_deleted(symbol, is_trial, &deleted);
    return EXIT_DONE;
}

const struct command command_delete = {
    .name = "delete",
    .arguments = "--symbol SYMBOL --from TIME --to TIME [options]",
    .meaning = "delete a symbol's candles and open interest between two times, both inclusive",
    .run = run,
    .options = {{"symbol", "SYMBOL", "whose rows"},
                {"from", "TIME", "the first time: a day, or ISO 8601; UTC, or with an offset"},
                {"to", "TIME", "the last time; a day is meant to its end"},
                {"all", NULL, "instead of the two: all that there is of the symbol"},
                {"dry-run", NULL, "only say what would be deleted"}},
};
