/* `heatcast fetch`: days of the public archive into the database (sources/archive/fetch.h), and on
 * a terminal how far it has come; elsewhere a line now and then.
 *
 * The database is opened for moments only, so that a server can go on reading it. What is under way
 * lies in a folder beside it, unless --keep names one. */
#include "base/clock.h"
#include "base/iso_time.h"
#include "cli/command.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "config/exchange_list.h"
#include "sources/archive/fetch.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { DAY_TEXT_SIZE = 10 };     /* "2025-12-28" */
#define DAY_FIRST INT64_C(18140) /* 2019-09-01, the month in which the exchange began */

static enum status parse_day(const char *flag, const char *text, int64_t *day, struct error *error)
{
    int64_t time_ms;
    if (strlen(text) != DAY_TEXT_SIZE || !iso_time_parse(text, DAY_TEXT_SIZE, &time_ms))
        return error_set(error, STATUS_INVALID, "--%s: '%.60s' is not a day, as 2025-12-28 is one",
                         flag, text);
    *day = time_ms / DAY_MS;
    if (*day < DAY_FIRST)
        return error_set(error, STATUS_INVALID,
                         "--%s: %s is before 2019-09-01, when the archive begins", flag, text);
    return STATUS_OK;
}

/* The days that can be there: today's files come tomorrow. */
static enum status read_days(const struct invocation *invocation, struct fetch_options *options,
                             struct error *error)
{
    const char *from = command_option(invocation, "from"), *to = command_option(invocation, "to");
    int64_t today = clock_wall_ms() / DAY_MS;
    if (from == NULL)
        return error_set(error, STATUS_INVALID,
                         "--from is missing: the first day to fetch, as in --from 2025-12-01");
    enum status status = parse_day("from", from, &options->first_day, error);
    options->last_day = today - 1;
    if (status == STATUS_OK && to != NULL)
        status = parse_day("to", to, &options->last_day, error);
    if (status != STATUS_OK)
        return status;
    if (options->first_day > today || options->last_day > today)
        return error_set(error, STATUS_INVALID, "--%s: %s lies in the future (days are UTC)",
                         options->first_day > today ? "from" : "to",
                         options->first_day > today ? from : to);
    if (to != NULL && options->first_day > options->last_day)
        return error_set(error, STATUS_INVALID, "--from %s is later than --to %s", from, to);
    if (options->first_day == today)
        return error_set(error, STATUS_NO_DATA,
                         "the archive has today's files tomorrow (days are UTC)");
    if (options->last_day == today) {
        fprintf(stderr, "heatcast: the archive has today's files tomorrow (days are UTC): up to "
                        "yesterday, then\n");
        options->last_day = today - 1;
    }
    return STATUS_OK;
}

/* BINANCE:BTCUSDT is BTCUSDT, of whose exchange the database has but one. */
static enum status read_symbol(char symbol[SYMBOL_SIZE], struct error *error)
{
    struct slice name = slice_of(symbol);
    struct exchange_prefix prefix;
    char plain[SYMBOL_SIZE];
    if (!exchange_prefix_take(&name, &prefix) || prefix.scope == EXCHANGE_SCOPE_ALL ||
        (prefix.scope == EXCHANGE_SCOPE_ONE && prefix.id != EXCHANGE_BINANCE))
        return error_set(error, STATUS_INVALID,
                         "--symbol: '%s' is not one of Binance, whose archive this is", symbol);
    slice_copy(name, plain, sizeof plain);
    memcpy(symbol, plain, sizeof plain);
    return STATUS_OK;
}

static enum status read_symbols(const struct invocation *invocation, struct symbol_list *symbols,
                                struct error *error)
{
    const char *text = command_option(invocation, "symbol");
    const struct exchange_list *exchanges = &invocation->config.exchanges;
    if (text == NULL)
        return error_set(error, STATUS_INVALID,
                         "--symbol is missing: what to fetch, as in --symbol BTCUSDT,ETHUSDT");
    if (exchanges->ids[0] != EXCHANGE_BINANCE)
        return error_set(error, STATUS_INVALID,
                         "by EXCHANGES, symbols are those of %s, and the archive is Binance's: "
                         "name binance first",
                         exchange_name(exchanges->ids[0]));
    enum status status = value_parse_symbols(text, symbols, error);
    if (status != STATUS_OK)
        error_prefix(error, "--symbol");
    for (size_t i = 0; i < symbols->count && status == STATUS_OK; i++)
        status = read_symbol(symbols->names[i], error);
    return status;
}

/* -- telling ----------------------------------------------------------------------------------- */

static void on_message(const char *message, void *context)
{
    progress_clear(context);
    fprintf(stderr, "heatcast: %s\n", message);
}

static void on_progress(const struct fetch_progress *progress, void *context)
{
    progress_show(context, (uint64_t)progress->files_done, (uint64_t)progress->files_total,
                  progress->name);
}

static void print_summary(const struct fetch_summary *summary)
{
    printf("fetched: %" PRId64 " files, %.1f MB, %" PRId64 " unchanged, %" PRId64
           " replaced, %" PRId64 " days missing, %" PRId64 " failed\n",
           summary->imported, (double)summary->bytes / 1e6, summary->unchanged, summary->replaced,
           summary->missing_days, summary->failed);
    command_print_imports(summary->imports);
}

/* -- running ----------------------------------------------------------------------------------- */

/* Fetches until it is done, or a signal comes. */
static enum status run_source(const struct fetch_options *options, const sigset_t *awaited,
                              int *number, struct error *error)
{
    struct fetch_summary summary;
    struct source *source;
    *number = 0;
    enum status status = fetch_start(options, &summary, &source, error);
    if (status == STATUS_OK)
        status = signals_run(source, awaited, number, error);
    progress_clear(options->context);
    print_summary(&summary);
    return status;
}

static enum exit_code fetch(const struct invocation *invocation, struct fetch_options *options,
                            const sigset_t *awaited)
{
    const struct config *config = &invocation->config;
    const char *keep = command_option(invocation, "keep");
    struct buffer folder = {0};
    struct error error;
    int number;
    enum status status = store_open(config->duckdb_path, STORE_SHARED, &options->store, &error);
    if (status != STATUS_OK)
        return command_fail(&error);
    buffer_append_format(&folder, keep != NULL ? "%s" : "%s.fetch",
                         keep != NULL ? keep : config->duckdb_path);
    options->base_url = config->archive_url;
    options->ca_file = config->ca_file;
    options->user_agent = "heatcast/" HEATCAST_VERSION;
    options->folder = buffer_text(&folder);
    options->keeps_files = keep != NULL;
    options->accepts_mismatch = command_option(invocation, "accept-checksum-mismatch") != NULL;
    options->files_at_a_time = config->fetch_files;
    options->tries_max = config->fetch_tries;
    options->silence_timeout_ms = (uint64_t)(config->request_timeout_seconds * 1000);
    status = run_source(options, awaited, &number, &error);
    store_close(options->store);
    buffer_deinit(&folder);
    if (status == STATUS_OK)
        return EXIT_DONE;
    fprintf(stderr, "heatcast: %s\n", error.message);
    if (status == STATUS_CANCELLED)
        signals_end_by(number);
    return EXIT_FAILED;
}

static enum exit_code run(struct invocation *invocation)
{
    struct error error;
    struct symbol_list symbols;
    struct progress progress = progress_start("fetched");
    struct fetch_options options = {
        .symbols = &symbols,
        .on_message = on_message,
        .on_progress = on_progress,
        .context = &progress,
    };
    if (read_symbols(invocation, &symbols, &error) != STATUS_OK ||
        read_days(invocation, &options, &error) != STATUS_OK)
        return command_fail(&error);
    sigset_t awaited;
    signals_block(&awaited);
    return fetch(invocation, &options, &awaited);
}

const struct command command_fetch = {
    .name = "fetch",
    .arguments = "--symbol SYMBOL,... --from DAY [--to DAY] [options]",
    .meaning = "fetch candles and open interest of the past from Binance's public archive",
    .run = run,
    .options = {{"symbol", "SYMBOL,...", "what to fetch: symbols of Binance's USD-M futures"},
                {"from", "DAY", "the first day, as 2025-12-01 (days are UTC)"},
                {"to", "DAY", "the last day (yesterday if not given)"},
                {"keep", "DIR", "keep the files that come, in this folder"},
                {"accept-checksum-mismatch", NULL,
                 "take a file that is not what the archive's checksum says"}},
};
