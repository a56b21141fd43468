/* Files of the archive into the store, each in one transaction: a crash leaves whole files only.
 *
 *     paths -> files (walk) -> per file: rows (reader: names, lines, rows) -> store
 *
 * What cannot be used is reported and counted (problems), and the rest is imported all the same;
 * only a database that fails ends the import. */
#include "sources/archive/import.h"

#include "base/buffer.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "sources/archive/names.h"
#include "sources/archive/reader.h"
#include "sources/archive/walk.h"
#include "sources/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct import {
    const struct import_options *options;
    struct import_summary *summaries;
    struct store_session *session;
    struct archive_problems problems;
    struct archive_walk walk;
    size_t named_unusable_count; /* paths that the user has named and that gave nothing */
    uint64_t bytes_done;
    int64_t time_max_ms; /* of rows */
};

/* A file being imported. */
struct job {
    struct import *import;
    const struct archive_file *file;
    struct archive_input *input;
    struct archive_reader reader;            /* of the file, or of its member that is being read */
    uint64_t rows_read, rows_bad;            /* of all of its members */
    size_t usable_counts[IMPORT_KIND_COUNT]; /* its CSV files that were read, good rows or none */
    bool is_broken;                          /* nothing of it is to be imported */
    char symbol_settled[SYMBOL_SIZE];        /* whose market is right; of the last candle */
};

/* -- rows -------------------------------------------------------------------------------------- */

/* Before the first candle of a symbol: that it is of the market of those that are stored. A refusal
 * is the whole file's. */
static enum status settle_market(struct job *job, const char *symbol, struct error *error)
{
    enum archive_market wanted = job->import->options->market, market = job->reader.name.market;
    bool is_certain = market != ARCHIVE_MARKET_UNKNOWN || wanted == ARCHIVE_MARKET_SPOT;
    if (market == ARCHIVE_MARKET_UNKNOWN)
        market = wanted == ARCHIVE_MARKET_SPOT ? ARCHIVE_MARKET_SPOT : ARCHIVE_MARKET_USD_M;
    enum status status = store_write_market(job->import->session, symbol,
                                            archive_market_word(market), is_certain, error);
    snprintf(job->symbol_settled, sizeof job->symbol_settled, "%s", symbol);
    if (status != STATUS_INVALID)
        return status;
    archive_unusable(&job->import->problems, "%s: %s", job->reader.path, error->message);
    job->is_broken = true;
    return STATUS_NO_DATA;
}

static enum status write_kline(const struct kline_row *row, void *context, struct error *error)
{
    struct job *job = context;
    enum status status = STATUS_OK;
    if (strcmp(job->symbol_settled, row->symbol) != 0)
        status = settle_market(job, row->symbol, error);
    return status == STATUS_OK ? store_write_kline(job->import->session, row, error) : status;
}

static enum status write_interest(const struct interest_row *row, void *context,
                                  struct error *error)
{
    const struct job *job = context;
    return store_write_interest(job->import->session, row, error);
}

static void report_bytes(const struct job *job, uint64_t bytes_read)
{
    const struct import *import = job->import;
    if (import->options->on_progress != NULL)
        import->options->on_progress(job->file->path, import->bytes_done + bytes_read,
                                     import->walk.bytes_total, import->options->context);
}

static void report_progress(void *context)
{
    const struct job *job = context;
    report_bytes(job, archive_input_bytes_read(job->input));
}

/* -- the CSV files of a file ------------------------------------------------------------------- */

/* What was read of one CSV file, for the summary. */
static void count_table(struct job *job)
{
    const struct archive_reader *reader = &job->reader;
    struct import_summary *summary = &job->import->summaries[reader->kind];
    summary->rows_read += reader->rows_read;
    summary->rows_bad += reader->rows_bad;
    job->rows_read += reader->rows_read;
    job->rows_bad += reader->rows_bad;
}

/* Reads the file, or its member that the input is at. Fails only when the database does. */
static enum status read_table(struct job *job, const char *path, const char *archive,
                              const struct archive_sink *sink, struct error *error)
{
    struct import *import = job->import;
    struct archive_reader *reader = &job->reader;
    job->symbol_settled[0] = '\0';
    *reader = (struct archive_reader){
        .path = path,
        .archive = archive,
        .symbol = import->options->symbol,
        .time_max_ms = import->time_max_ms,
        .is_strict = import->options->is_strict,
        .problems = &import->problems,
        .sink = sink,
        .lines.input = job->input,
    };
    enum status status = archive_reader_run(reader, error);
    count_table(job);
    if (status == STATUS_INVALID) {
        archive_unusable(&import->problems, "%s: nothing of it was imported (--strict)",
                         job->file->path);
        job->is_broken = true;
    } else if (status == STATUS_NO_DATA) {
        job->is_broken = job->is_broken || reader->is_broken;
    } else if (status == STATUS_OK && reader->rows_read == 0) {
        archive_unusable(&import->problems, "%s: holds no row", path);
    } else if (status == STATUS_OK && reader->rows_bad > 0 &&
               reader->rows_bad == reader->rows_read) {
        import->problems.unusable_count++; /* each row has been named */
    } else if (status == STATUS_OK) {
        job->usable_counts[reader->kind]++;
    }
    return status == STATUS_INVALID || status == STATUS_NO_DATA ? STATUS_OK : status;
}

/* In an archive, as in a folder, what is not wanted is passed over. */
static bool is_wanted_member(struct job *job, const char *path, const char *member)
{
    char reason[ARCHIVE_REASON_SIZE] = ARCHIVE_NO_NAME;
    struct archive_name name = archive_name_read(path);
    if (archive_name_is_companion(member))
        return false;
    if (archive_name_may_be_table(member) &&
        archive_name_is_wanted(&name, job->import->options->market, reason))
        return true;
    archive_pass_over(&job->import->problems, path, reason);
    return false;
}

static enum status read_member(struct job *job, const struct archive_sink *sink,
                               struct error *error)
{
    const char *member = archive_input_member(job->input);
    if (member == NULL)
        return read_table(job, job->file->path, NULL, sink, error);
    struct buffer path = {0};
    enum status status = STATUS_OK;
    buffer_append_format(&path, "%s/%s", job->file->path, member);
    if (is_wanted_member(job, buffer_text(&path), member))
        status = read_table(job, buffer_text(&path), job->file->path, sink, error);
    buffer_deinit(&path);
    return status;
}

/* Reads all that the file holds. */
static enum status read_content(struct job *job, struct error *error)
{
    const struct archive_sink sink = {write_kline, write_interest, report_progress, job};
    struct archive_problems *problems = &job->import->problems;
    size_t unusable_before = problems->unusable_count;
    enum status next = STATUS_OK, status = STATUS_OK;
    struct error reason;
    while (status == STATUS_OK && !job->is_broken &&
           (next = archive_input_next(job->input, &reason)) == STATUS_OK)
        status = read_member(job, &sink, error);
    if (status != STATUS_OK || job->is_broken)
        return status;
    bool is_unusable = problems->unusable_count > unusable_before;
    if (next != STATUS_NO_DATA) {
        archive_unusable(problems, "%s: %s", job->file->path, reason.message);
        job->is_broken = true;
    } else if (!is_unusable && job->usable_counts[IMPORT_KLINES] == 0 &&
               job->usable_counts[IMPORT_INTEREST] == 0) {
        archive_unusable(problems, "%s: nothing in this archive can be imported", job->file->path);
    }
    if (is_unusable && job->import->options->is_strict)
        job->is_broken = true;
    return STATUS_OK;
}

/* -- one file ---------------------------------------------------------------------------------- */

static enum status commit_file(struct job *job, struct error *error)
{
    struct import *import = job->import;
    uint64_t rows_new[IMPORT_KIND_COUNT];
    enum status status = STATUS_OK;
    bool is_usable =
        job->usable_counts[IMPORT_KLINES] > 0 || job->usable_counts[IMPORT_INTEREST] > 0;
    if (is_usable && import->options->on_commit != NULL)
        status = import->options->on_commit(import->session, job->file->path,
                                            import->options->context, error);
    if (status == STATUS_OK)
        status = store_write_commit(import->session, &rows_new[IMPORT_KLINES],
                                    &rows_new[IMPORT_INTEREST], error);
    for (size_t kind = 0; kind < IMPORT_KIND_COUNT && status == STATUS_OK; kind++) {
        import->summaries[kind].files += job->usable_counts[kind];
        import->summaries[kind].rows_new += rows_new[kind];
    }
    return status;
}

/* The file's transaction. Fails only when the database does. */
static enum status import_content(struct job *job, struct error *error)
{
    struct import *import = job->import;
    enum status status =
        store_write_begin(import->session, SOURCE_ARCHIVE, import->options->replaces, error);
    if (status != STATUS_OK)
        return status;
    status = read_content(job, error);
    if (status == STATUS_OK && !job->is_broken)
        status = commit_file(job, error);
    store_write_rollback(import->session); /* unless it was committed */
    return status;
}

static enum status import_file(struct import *import, const struct archive_file *file,
                               struct error *error)
{
    struct job *job = memory_allocate_zeroed(1, sizeof *job);
    uint64_t start_ns = clock_monotonic_ns();
    enum status status = STATUS_OK;
    struct error reason;
    size_t unusable_before = import->problems.unusable_count;
    job->import = import;
    job->file = file;
    const struct archive_name name = archive_name_read(file->path);
    char unwanted[ARCHIVE_REASON_SIZE];
    if (!archive_name_is_wanted(&name, import->options->market, unwanted))
        archive_unusable(&import->problems, "%s: these are %s", file->path, unwanted);
    else if (archive_input_open(file->path, &job->input, &reason) == STATUS_OK)
        status = import_content(job, error);
    else
        archive_unusable(&import->problems, "%s: %s", file->path, reason.message);
    archive_input_close(job->input);
    report_bytes(job, file->size_bytes);
    import->bytes_done += file->size_bytes;
    bool is_unusable = import->problems.unusable_count > unusable_before;
    import->named_unusable_count += file->is_named && is_unusable;
    log_debug("file read", log_text("path", file->path), log_int("rows", (int64_t)job->rows_read),
              log_int("bad", (int64_t)job->rows_bad),
              log_text("imported", is_unusable || status != STATUS_OK ? "no" : "yes"),
              log_real("ms", (double)(clock_monotonic_ns() - start_ns) / 1e6));
    free(job);
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
    if (import->options->is_strict && import->problems.unusable_count > 0)
        return error_set(error, STATUS_INVALID, "%zu of the files could not be imported (--strict)",
                         import->problems.unusable_count);
    if (import->named_unusable_count > 0)
        return error_set(error, STATUS_INVALID, "%zu of the paths could not be imported",
                         import->named_unusable_count);
    return STATUS_OK;
}

enum status import_run(const struct import_options *options, const char *const *paths,
                       size_t path_count, struct import_summary summaries[static IMPORT_KIND_COUNT],
                       struct error *error)
{
    int64_t now_ms = options->now_ms != 0 ? options->now_ms : clock_wall_ms();
    struct import import = {
        .options = options,
        .summaries = summaries,
        .time_max_ms = now_ms + DAY_MS,
        .problems = {.on_problem = options->on_problem, .context = options->context},
        .walk = {.symbol = options->symbol,
                 .market = options->market,
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
    for (size_t i = 0; i < path_count; i++)
        import.named_unusable_count += !archive_walk_add(&import.walk, paths[i]);
    for (size_t i = 0; i < import.walk.file_count && status == STATUS_OK; i++)
        status = import_file(&import, &import.walk.files[i], error);
    store_end(import.session);
    archive_walk_deinit(&import.walk);
    if (options->on_note != NULL)
        archive_problems_tell_passed(&import.problems, options->on_note, options->context);
    archive_problems_deinit(&import.problems);
    return status == STATUS_OK ? judge(&import, error) : status;
}
