/* Files of the archive into the store.
 *
 *     paths -> files (walk) -> rows, by several threads (parse) -> store
 *
 * What is stored is always whole files, in their order: a crash leaves no part of one. A file that
 * is held whole before its first row is stored shares a transaction with others, since a commit
 * waits for the disk, which takes longer than all else for a file of one day; a longer one has a
 * transaction of its own, into which it is streamed. A strict import shares none, nor do files that
 * go into tables of another program's shape, which may refuse rows when they are committed.
 *
 * What cannot be used is reported and counted (tally), and the rest is imported all the same; only
 * a database that fails ends the import. */
#include "sources/archive/import.h"

#include "base/buffer.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/cores.h"
#include "base/log.h"
#include "sources/archive/dating.h"
#include "sources/archive/parse.h"
#include "sources/archive/settled.h"
#include "sources/archive/tally.h"
#include "sources/archive/walk.h"
#include "sources/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BLOCKS_HELD_MAX = 8, /* of a file that shares its transaction: 14 days in one file */
    THREADS_MAX = 4,
    /* Of a transaction that files share. */
    FILES_SHARED_MAX = 128,
    ROWS_SHARED_MAX = 65536,
    REFUSED_NAMED_MAX = 100,    /* of a table; the rest is one line with their number */
    LINE_BITS = 40,             /* of a row's origin; above them is its table's number */
    INTEREST_HELD_MAX = 120000, /* rows of a table that are dated together: more than a year */
};
#define SHARED_NS_MAX UINT64_C(1000000000)

/* A CSV file whose rows are in the transaction. */
struct table {
    char *path;
    uint64_t refused_count, conflict_count;
    uint64_t conflict_line; /* of the first */
    char conflict[256];     /* what differs there */
};

/* A transaction that is open. */
struct transaction {
    bool is_open;
    const char *file_path; /* of the last file */
    struct table *tables;
    size_t table_count, table_capacity;
    uint64_t begin_ns;
    size_t file_count;
    uint64_t row_count;
    bool has_unseen_candles;                 /* which reading does not find yet */
    size_t usable_counts[IMPORT_KIND_COUNT]; /* CSV files */
};

struct import {
    const struct import_options *options;
    struct import_summary *summaries;
    struct store_session *session;
    struct archive_tally tally;
    struct archive_problems problems;
    struct archive_walk walk;
    struct archive_parse *parse;
    struct archive_dating dating;
    struct transaction transaction;
    struct archive_settled settled; /* in this transaction and those before */
    size_t named_unusable_count;    /* paths that the user has named and that gave nothing */
    uint64_t bytes_done;            /* of the files before the one at hand */
};

/* The file at hand. */
struct work {
    struct import *import;
    const struct archive_file *file;
    struct list held; /* items that were taken and not used yet */
    bool has_ended;   /* its last item was taken */
    bool is_broken;   /* nothing of it is to be stored */
    size_t unusable_before;
    size_t usable_counts[IMPORT_KIND_COUNT];
    uint64_t rows_read, rows_bad;
    char *path; /* of the table that is read */
    enum archive_market market;
    uint64_t undated_count; /* rows of the table whose times cannot be told */
    struct import_stored stored;
};

void import_summary_add(struct import_summary *sum, const struct import_summary *summary)
{
    sum->files += summary->files;
    sum->rows_read += summary->rows_read;
    sum->rows_new += summary->rows_new;
    sum->rows_bad += summary->rows_bad;
}

/* -- transactions ------------------------------------------------------------------------------ */

/* The table that a row came from, by its origin, and the line in it. */
static struct table *table_of(const struct import *import, uint64_t origin)
{
    return &import->transaction.tables[origin >> LINE_BITS];
}

static uint64_t line_of(uint64_t origin)
{
    return origin & ((UINT64_C(1) << LINE_BITS) - 1);
}

/* A row that a foreign table cannot hold: bad, as one that cannot be read. */
static enum status on_refused(uint64_t origin, const char *reason, void *context,
                              struct error *error)
{
    struct import *import = context;
    struct table *table = table_of(import, origin);
    if (table->refused_count++ < REFUSED_NAMED_MAX)
        archive_problem(&import->problems, "%s:%llu: %s", table->path,
                        (unsigned long long)line_of(origin), reason);
    return import->options->is_strict ? error_set(error, STATUS_INVALID, "%s", reason) : STATUS_OK;
}

static void on_conflict(uint64_t origin, const char *what, void *context)
{
    const struct import *import = context;
    struct table *table = table_of(import, origin);
    if (table->conflict_count++ > 0)
        return;
    table->conflict_line = line_of(origin);
    snprintf(table->conflict, sizeof table->conflict, "%s", what);
}

static enum status begin(struct import *import, struct error *error)
{
    if (import->transaction.is_open)
        return STATUS_OK;
    import->transaction = (struct transaction){.is_open = true, .begin_ns = clock_monotonic_ns()};
    bool wants_conflicts = import->options->on_note != NULL && !import->options->replaces;
    enum status status =
        store_write_begin(import->session, SOURCE_ARCHIVE, import->options->replaces, error);
    if (status == STATUS_OK)
        status = store_write_tell(
            import->session,
            &(struct store_telling){.on_refused = on_refused,
                                    .on_conflict = wants_conflicts ? on_conflict : NULL,
                                    .context = import},
            error);
    return status;
}

static void add_table(struct import *import, const char *path)
{
    struct transaction *transaction = &import->transaction;
    if (transaction->table_count == transaction->table_capacity) {
        transaction->table_capacity = transaction->table_capacity * 2 + 8;
        transaction->tables = memory_resize(transaction->tables, transaction->table_capacity,
                                            sizeof *transaction->tables);
    }
    transaction->tables[transaction->table_count++] =
        (struct table){.path = memory_copy_string(path)};
}

/* Rows of which others are stored are no fault of theirs, and often what is wanted: it is told once
 * a file. */
static void tell_conflicts(const struct import *import, const struct table *table)
{
    struct buffer text = {0};
    bool is_one = table->conflict_count == 1;
    buffer_append_format(
        &text,
        "%s: %llu row%s from what is stored, which stays (line %llu: %s); --replace "
        "stores the file's",
        table->path, (unsigned long long)table->conflict_count, is_one ? " differs" : "s differ",
        (unsigned long long)table->conflict_line, table->conflict);
    import->options->on_note(buffer_text(&text), import->options->context);
    buffer_deinit(&text);
}

/* Tells how many rows were refused beyond those that were named, adds up all of them, and frees the
 * tables. */
static void end_tables(struct import *import, uint64_t *refused_count)
{
    struct transaction *transaction = &import->transaction;
    for (size_t i = 0; i < transaction->table_count; i++) {
        struct table *table = &transaction->tables[i];
        if (table->refused_count > REFUSED_NAMED_MAX)
            archive_problem(&import->problems, "%s: %llu more bad rows", table->path,
                            (unsigned long long)(table->refused_count - REFUSED_NAMED_MAX));
        *refused_count += table->refused_count;
        if (table->conflict_count > 0)
            tell_conflicts(import, table);
        free(table->path);
    }
    free(transaction->tables);
    transaction->tables = NULL;
    transaction->table_count = 0;
}

static void rollback(struct import *import)
{
    uint64_t refused_count = 0;
    store_write_rollback(import->session);
    archive_settled_clear(&import->settled);
    import->transaction.is_open = false;
    end_tables(import, &refused_count);
}

/* The database does not take the file, which has the transaction for itself then: a strict import
 * and one into foreign tables share none. */
static enum status refuse_file(struct import *import, struct error *error)
{
    const char *path = import->transaction.file_path;
    if (error->status == STATUS_INVALID)
        archive_unusable(&import->problems, "%s: nothing of it was imported (--strict)", path);
    else if (error->status == STATUS_TOO_LARGE && store_is_foreign(import->session))
        archive_unusable(&import->problems, "%s: nothing of it was imported: %s", path,
                         error->message);
    else {
        if (error->status == STATUS_TOO_LARGE)
            error_prefix(error, "of the files up to %s", path);
        return error->status;
    }
    return STATUS_OK;
}

static enum status commit(struct import *import, struct error *error)
{
    struct transaction *transaction = &import->transaction;
    uint64_t rows_new[IMPORT_KIND_COUNT], refused_count = 0;
    if (!transaction->is_open)
        return STATUS_OK;
    transaction->is_open = false;
    enum status status = store_write_commit(import->session, &rows_new[IMPORT_KLINES],
                                            &rows_new[IMPORT_INTEREST], error);
    rows_new[IMPORT_LIQUIDATIONS] = store_liquidations_new(import->session);
    end_tables(import, &refused_count);
    enum import_kind only =
        transaction->usable_counts[IMPORT_KLINES] > 0 ? IMPORT_KLINES : IMPORT_INTEREST;
    import->summaries[only].rows_bad += refused_count;
    if (status != STATUS_OK) {
        archive_settled_clear(&import->settled);
        return refuse_file(import, error);
    }
    if (refused_count > 0 && refused_count == transaction->row_count) {
        archive_unusable(&import->problems,
                         "%s: nothing of it was imported: the database takes none of its rows",
                         transaction->file_path);
        return STATUS_OK;
    }
    for (size_t kind = 0; kind < IMPORT_KIND_COUNT; kind++) {
        import->summaries[kind].files += transaction->usable_counts[kind];
        import->summaries[kind].rows_new += rows_new[kind];
    }
    return STATUS_OK;
}

static bool is_full(const struct import *import)
{
    const struct transaction *transaction = &import->transaction;
    return import->options->is_strict || store_is_foreign(import->session) ||
           transaction->file_count >= FILES_SHARED_MAX ||
           transaction->row_count >= ROWS_SHARED_MAX ||
           clock_monotonic_ns() - transaction->begin_ns >= SHARED_NS_MAX;
}

/* -- rows -------------------------------------------------------------------------------------- */

/* Before the first candle of a symbol: that it is of the market of those that are stored. A refusal
 * is the whole file's. */
static enum status settle_market(struct work *work, const char *symbol, struct error *error)
{
    struct import *import = work->import;
    enum archive_market wanted = import->options->market, market = work->market;
    bool is_certain = market != ARCHIVE_MARKET_UNKNOWN || wanted == ARCHIVE_MARKET_SPOT;
    if (market == ARCHIVE_MARKET_UNKNOWN)
        market = wanted == ARCHIVE_MARKET_SPOT ? ARCHIVE_MARKET_SPOT : ARCHIVE_MARKET_USD_M;
    if (archive_settled_has(&import->settled, symbol, market, is_certain))
        return STATUS_OK;
    enum status status =
        store_write_market(import->session, symbol, archive_market_word(market), is_certain, error);
    if (status == STATUS_OK)
        archive_settled_add(&import->settled, symbol, market, is_certain);
    if (status != STATUS_INVALID)
        return status;
    archive_unusable(&import->problems, "%s: %s", work->path, error->message);
    work->is_broken = true;
    return STATUS_OK;
}

static enum status settle_markets(struct work *work, const struct archive_item *item,
                                  struct error *error)
{
    enum status status = STATUS_OK;
    if (item->kind != ARCHIVE_ROWS || item->rows.kind != IMPORT_KLINES)
        return STATUS_OK;
    for (size_t i = 0; i < item->rows.count && status == STATUS_OK && !work->is_broken; i++)
        status = settle_market(work, item->rows.klines[i].symbol, error);
    return status;
}

static void note_time(struct work *work, int64_t time_ms)
{
    struct import_stored *stored = &work->stored;
    if (stored->first_ms == STORE_NONE || time_ms < stored->first_ms)
        stored->first_ms = time_ms;
    if (stored->last_ms == STORE_NONE || time_ms > stored->last_ms)
        stored->last_ms = time_ms;
}

static enum status on_dated(const struct interest_row *row, const char *why, void *context,
                            struct error *error)
{
    struct work *work = context;
    struct import *import = work->import;
    if (why == NULL) {
        note_time(work, row->timestamp_ms);
        return store_write_interest(import->session, row, error);
    }
    if (work->undated_count++ < REFUSED_NAMED_MAX)
        archive_problem(&import->problems, "%s:%llu: %s", work->path,
                        (unsigned long long)line_of(row->origin), why);
    return STATUS_OK;
}

/* The candles that came before tell what its labels mean, also those of the same archive. */
static enum status date_interest(struct work *work, struct error *error)
{
    struct import *import = work->import;
    enum status status = STATUS_OK;
    if (import->transaction.has_unseen_candles && import->dating.held_count > 0) {
        status = store_write_merge(import->session, error);
        import->transaction.has_unseen_candles = false;
    }
    return status == STATUS_OK ? archive_dating_run(&import->dating, on_dated, work, error)
                               : status;
}

static enum status store_rows(struct work *work, const struct archive_item *item,
                              struct error *error)
{
    struct import *import = work->import;
    const uint64_t table = (uint64_t)(import->transaction.table_count - 1) << LINE_BITS;
    enum status status = settle_markets(work, item, error);
    import->transaction.row_count += item->rows.count;
    if (status != STATUS_OK || work->is_broken)
        return status;
    if (item->rows.kind == IMPORT_INTEREST) {
        archive_dating_hold(&import->dating, item->rows.interest, item->rows.count, table);
        return import->dating.held_count >= INTEREST_HELD_MAX ? date_interest(work, error)
                                                              : STATUS_OK;
    }
    import->transaction.has_unseen_candles = true;
    if (item->rows.kind == IMPORT_LIQUIDATIONS) {
        for (size_t i = 0; i < item->rows.count && status == STATUS_OK; i++)
            status = store_write_liquidation(import->session, &item->rows.liquidations[i], error);
        return status;
    }
    for (size_t i = 0; i < item->rows.count && status == STATUS_OK; i++) {
        item->rows.klines[i].origin |= table;
        note_time(work, item->rows.klines[i].candle.open_time_ms);
        status = store_write_kline(import->session, &item->rows.klines[i], error);
    }
    return status;
}

/* -- items ------------------------------------------------------------------------------------- */

static void begin_table(struct work *work, const struct archive_item *item)
{
    free(work->path);
    work->path = memory_copy_string(item->table.path);
    work->market = item->table.market;
    archive_dating_begin_table(&work->import->dating, work->path);
}

/* Rows that could not be dated are bad rows. */
static enum status end_interest(struct work *work, struct error *error)
{
    struct import *import = work->import;
    enum status status = STATUS_OK;
    if (!work->is_broken)
        status = date_interest(work, error);
    uint64_t undated = work->undated_count;
    import->dating.held_count = 0;
    work->undated_count = 0;
    import->summaries[IMPORT_INTEREST].rows_bad += undated;
    work->rows_bad += undated;
    if (undated > REFUSED_NAMED_MAX)
        archive_problem(&import->problems, "%s: %llu more bad rows", work->path,
                        (unsigned long long)(undated - REFUSED_NAMED_MAX));
    if (undated > 0 && import->options->is_strict && !work->is_broken) {
        archive_unusable(&import->problems, "%s: nothing of it was imported (--strict)",
                         work->file->path);
        work->is_broken = true;
    }
    return status;
}

static void end_table(struct work *work, const struct archive_item *item)
{
    enum import_kind kind = item->table_end.kind;
    work->import->summaries[kind].rows_read += item->table_end.rows_read;
    work->import->summaries[kind].rows_bad += item->table_end.rows_bad;
    work->rows_read += item->table_end.rows_read;
    work->rows_bad += item->table_end.rows_bad;
    work->usable_counts[kind] += item->table_end.is_usable;
}

static void report_progress(const struct work *work, uint64_t bytes_read)
{
    const struct import *import = work->import;
    if (bytes_read > work->file->size_bytes) /* of a pipe, or a file that grows */
        bytes_read = work->file->size_bytes;
    if (import->options->on_progress != NULL)
        import->options->on_progress(work->file->path, import->bytes_done + bytes_read,
                                     import->walk.bytes_total, import->options->context);
}

/* Uses an item. Fails only when the database does. */
static enum status use_item(struct work *work, const struct archive_item *item, struct error *error)
{
    enum status status = STATUS_OK;
    switch (item->kind) {
    case ARCHIVE_TABLE_BEGIN:
        begin_table(work, item);
        add_table(work->import, item->table.path);
        break;
    case ARCHIVE_ROWS:
        if (!work->is_broken)
            status = store_rows(work, item, error);
        report_progress(work, item->bytes_read);
        break;
    case ARCHIVE_REPORT:
        archive_tally_report(item->report.report, item->report.text, item->report.reason,
                             &work->import->tally);
        break;
    case ARCHIVE_TABLE_END:
        status = end_interest(work, error);
        end_table(work, item);
        break;
    case ARCHIVE_FILE_END:
        break;
    }
    return status;
}

/* -- one file ---------------------------------------------------------------------------------- */

static struct archive_item *take_item(struct work *work)
{
    struct archive_item *item = archive_parse_next(work->import->parse);
    if (item->kind == ARCHIVE_FILE_END) {
        work->has_ended = true;
        work->is_broken = work->is_broken || item->is_broken;
    }
    return item;
}

/* Holds what comes of the file, up to its end or as much as is held of one. */
static void hold(struct work *work)
{
    size_t block_count = 0;
    while (!work->has_ended && block_count < BLOCKS_HELD_MAX) {
        struct archive_item *item = take_item(work);
        list_push_back(&work->held, &item->link);
        block_count += item->kind == ARCHIVE_ROWS;
    }
}

/* Before the first row of a file that shares its transaction: whether its candles may be stored. */
static enum status check_held(struct work *work, struct error *error)
{
    enum status status = STATUS_OK;
    list_for_each_safe(link, following, &work->held)
    {
        const struct archive_item *item = list_entry(link, struct archive_item, link);
        if (item->kind == ARCHIVE_TABLE_BEGIN)
            begin_table(work, item);
        if (status == STATUS_OK && !work->is_broken)
            status = settle_markets(work, item, error);
    }
    return status;
}

static enum status use_held(struct work *work, struct error *error)
{
    enum status status = STATUS_OK;
    list_for_each_safe(link, following, &work->held)
    {
        struct archive_item *item = list_entry(link, struct archive_item, link);
        list_remove(&item->link);
        if (status == STATUS_OK)
            status = use_item(work, item, error);
        archive_item_free(item);
    }
    return status;
}

static enum status check_stop(const struct import *import, struct error *error)
{
    enum status status = stop_token_check(import->options->stop, NULL);
    return status == STATUS_OK
               ? STATUS_OK
               : error_set(error, status,
                           "interrupted; files that were read whole are stored, and the same "
                           "command imports the others");
}

static enum status use_rest(struct work *work, struct error *error)
{
    enum status status = STATUS_OK;
    while (!work->has_ended && status == STATUS_OK) {
        struct archive_item *item = take_item(work);
        status = use_item(work, item, error);
        archive_item_free(item);
        if (status == STATUS_OK)
            status = check_stop(work->import, error);
    }
    return status;
}

static bool has_usable_tables(const struct work *work)
{
    size_t count = 0;
    for (size_t kind = 0; kind < IMPORT_KIND_COUNT; kind++)
        count += work->usable_counts[kind];
    return count > 0;
}

/* The file's rows are written: they are committed now, or with those of others. */
static enum status finish(struct work *work, bool is_shared, struct error *error)
{
    struct import *import = work->import;
    const struct import_options *options = import->options;
    bool is_usable = has_usable_tables(work);
    if (work->is_broken) {
        if (!is_shared || import->options->is_strict)
            rollback(import);
        return STATUS_OK;
    }
    enum status status = STATUS_OK;
    import->transaction.file_path = work->file->path;
    if (is_usable && options->on_commit != NULL)
        status = options->on_commit(import->session, &work->stored, options->context, error);
    import->transaction.file_count++;
    for (size_t kind = 0; kind < IMPORT_KIND_COUNT; kind++)
        import->transaction.usable_counts[kind] += work->usable_counts[kind];
    if (status == STATUS_OK && (!is_shared || is_full(import)))
        status = commit(import, error);
    return status;
}

static enum status store_file(struct work *work, struct error *error)
{
    struct import *import = work->import;
    hold(work);
    bool is_shared = work->has_ended;
    /* Open interest is dated by candles that are stored, and comes after all of them. */
    bool is_first_interest = archive_name_read(work->file->path).kind == ARCHIVE_NAME_INTEREST &&
                             import->transaction.usable_counts[IMPORT_KLINES] > 0;
    enum status status = is_shared && !is_first_interest ? STATUS_OK : commit(import, error);
    if (status == STATUS_OK)
        status = begin(import, error);
    if (status == STATUS_OK && is_shared && !work->is_broken)
        status = check_held(work, error);
    if (status == STATUS_OK)
        status = use_held(work, error);
    if (status == STATUS_OK)
        status = use_rest(work, error);
    return status == STATUS_OK ? finish(work, is_shared, error) : status;
}

static enum status import_file(struct import *import, const struct archive_file *file,
                               struct error *error)
{
    struct work work = {
        .import = import,
        .file = file,
        .unusable_before = import->tally.unusable_count,
        .stored = {.path = file->path, .first_ms = STORE_NONE, .last_ms = STORE_NONE}};
    list_init(&work.held);
    enum status status = store_file(&work, error);
    report_progress(&work, file->size_bytes);
    import->bytes_done += file->size_bytes;
    bool is_usable = has_usable_tables(&work);
    bool is_complete = import->tally.unusable_count == work.unusable_before && is_usable;
    import->named_unusable_count += file->is_named && !is_complete;
    log_debug("file read", log_text("path", file->path), log_int("rows", (int64_t)work.rows_read),
              log_int("bad", (int64_t)work.rows_bad),
              log_text("imported", work.is_broken || status != STATUS_OK ? "no" : "yes"));
    list_for_each_safe(link, following, &work.held)
        archive_item_free(list_entry(link, struct archive_item, link));
    free(work.path);
    return status;
}

/* -- all of them ------------------------------------------------------------------------------- */

static enum status judge(const struct import *import, struct error *error)
{
    uint64_t usable = 0;
    for (size_t i = 0; i < IMPORT_KIND_COUNT; i++)
        usable += import->summaries[i].files;
    if (usable == 0)
        return error_set(error, STATUS_INVALID, "nothing was imported");
    if (import->options->is_strict && import->tally.unusable_count > 0)
        return error_set(error, STATUS_INVALID, "%zu of the files could not be imported (--strict)",
                         import->tally.unusable_count);
    if (import->named_unusable_count > 0)
        return error_set(error, STATUS_INVALID, "%zu of the paths could not be imported",
                         import->named_unusable_count);
    return STATUS_OK;
}

static enum status import_files(struct import *import, struct error *error)
{
    const struct import_options *options = import->options;
    int64_t now_ms = options->now_ms != 0 ? options->now_ms : clock_wall_ms();
    int threads = cores_available();
    enum status status = STATUS_OK;
    archive_walk_sort(&import->walk);
    import->parse = archive_parse_start(&(struct archive_parse_options){
        .walk = &import->walk,
        .time_max_ms = now_ms + DAY_MS,
        .is_strict = options->is_strict,
        .thread_count = (size_t)(threads < THREADS_MAX ? threads : THREADS_MAX),
    });
    for (size_t i = 0; i < import->walk.file_count && status == STATUS_OK; i++) {
        if (check_stop(import, NULL) != STATUS_OK)
            break;
        status = import_file(import, &import->walk.files[i], error);
    }
    if (status == STATUS_OK)
        status = commit(import, error);
    if (status == STATUS_OK)
        status = check_stop(import, error);
    archive_parse_stop(import->parse);
    return status;
}

/* Of the folder in which the program runs, by its path. */
static enum archive_market market_here(void)
{
    struct buffer path = {0};
    char *here = getcwd(NULL, 0);
    buffer_append_format(&path, "%s/", here != NULL ? here : "");
    enum archive_market market = archive_name_read(buffer_text(&path)).market;
    buffer_deinit(&path);
    free(here);
    return market;
}

enum status import_run(const struct import_options *options, const char *const *paths,
                       size_t path_count, struct import_summary summaries[static IMPORT_KIND_COUNT],
                       struct error *error)
{
    struct import import = {
        .options = options,
        .summaries = summaries,
        .tally = {.on_problem = options->on_problem, .context = options->context},
        .problems = {.on_report = archive_tally_report, .context = &import.tally},
        .walk = {.symbol = options->symbol,
                 .market = options->market,
                 .market_here = market_here(),
                 .problems = &import.problems},
    };
    memset(summaries, 0, IMPORT_KIND_COUNT * sizeof *summaries);
    enum status status = STATUS_OK;
    char symbol[SYMBOL_SIZE];
    if (options->symbol != NULL)
        status = value_parse_symbol(slice_of(options->symbol), symbol, error);
    if (status == STATUS_OK)
        status = store_begin_brief(options->store, &import.session, error);
    if (status != STATUS_OK)
        return status;
    import.dating.session = import.session;
    for (size_t i = 0; i < path_count; i++)
        import.named_unusable_count += !archive_walk_add(&import.walk, paths[i]);
    status = import_files(&import, error);
    rollback(&import); /* what was not committed */
    archive_dating_tell(&import.dating, options->on_assumed, options->on_note, options->context);
    archive_dating_deinit(&import.dating);
    store_end(import.session);
    archive_walk_deinit(&import.walk);
    if (options->on_note != NULL)
        archive_tally_tell_passed(&import.tally, options->on_note, options->context);
    archive_tally_deinit(&import.tally);
    archive_settled_deinit(&import.settled);
    return status == STATUS_OK ? judge(&import, error) : status;
}
