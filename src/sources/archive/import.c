/* Files of the archive into the store, each in one transaction: a crash leaves whole files only.
 *
 *     paths -> files (walk) -> per file: what its name says (names) -> lines -> rows -> store
 *
 * The name of a file says what it holds, as in the archive; where a file that was named on the
 * command line has another name, its first line does. What cannot be used is reported and counted
 * (problems), and the rest is imported all the same; only a database that fails ends the import. */
#include "sources/archive/import.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "sources/archive/lines.h"
#include "sources/archive/names.h"
#include "sources/archive/rows.h"
#include "sources/archive/walk.h"
#include "sources/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    BAD_ROWS_NAMED_MAX = 100, /* of one file; the rest is one line with their number */
    ROWS_PER_PROGRESS = 4096,
};

struct import {
    const struct import_options *options;
    struct import_summary *summaries;
    struct store_session *session;
    struct archive_problems problems;
    struct archive_walk walk;
    size_t named_unusable_count; /* paths that the user has named and that gave nothing */
    uint64_t bytes_done;
};

/* A file being imported. */
struct job {
    struct import *import;
    const struct archive_file *file;
    struct archive_lines lines;
    enum import_kind kind;
    bool is_kind_known;
    char symbol[SYMBOL_SIZE]; /* of klines */
    uint64_t rows_read, rows_bad;
};

/* -- what a file holds ------------------------------------------------------------------------- */

/* False, and reported, if the name says that the file cannot be imported. */
static bool settle_name(struct job *job)
{
    struct archive_name name = archive_name_read(job->file->path);
    const char *symbol = job->import->options->symbol;
    if (name.is_zip) {
        archive_unusable(&job->import->problems,
                         "%s: zip archives cannot be read yet; unzip it first", job->file->path);
        return false;
    }
    if (name.kind == ARCHIVE_NAME_OTHER_INTERVAL) {
        archive_unusable(&job->import->problems,
                         "%s: these are %s klines; only 5m klines are imported", job->file->path,
                         name.interval);
        return false;
    }
    job->is_kind_known = name.kind != ARCHIVE_NAME_OTHER;
    job->kind = name.kind == ARCHIVE_NAME_INTEREST ? IMPORT_INTEREST : IMPORT_KLINES;
    strcpy(job->symbol, symbol != NULL ? symbol : name.symbol);
    return true;
}

/* False if the line is neither a row nor a header of one of the kinds. */
static bool tell_kind(struct slice line, enum import_kind *kind)
{
    struct kline_row kline;
    struct interest_row interest;
    bool is_interest = archive_row_is_interest_header(line) ||
                       archive_row_read_interest(line, &interest, NULL) == STATUS_OK;
    *kind = is_interest ? IMPORT_INTEREST : IMPORT_KLINES;
    return is_interest || archive_row_is_kline_header(line) ||
           archive_row_read_kline(line, &kline, NULL) == STATUS_OK;
}

/* Settles by the first line with content what the name has left open. False, and reported, if that
 * says nothing either. */
static bool settle_line(struct job *job, struct slice line)
{
    struct archive_problems *problems = &job->import->problems;
    if (!job->is_kind_known && !tell_kind(line, &job->kind)) {
        archive_unusable(problems,
                         "%s: neither its name nor its first line is that of 5-minute klines or "
                         "open interest (names like BTCUSDT-5m-2025-12.csv, "
                         "BTCUSDT-metrics-2025-12-01.csv)",
                         job->file->path);
        return false;
    }
    job->is_kind_known = true;
    if (job->kind == IMPORT_KLINES && job->symbol[0] == '\0' &&
        !archive_name_folder_symbol(job->file->path, job->symbol)) {
        archive_unusable(problems,
                         "%s: nothing says which symbol these klines are of; give --symbol",
                         job->file->path);
        return false;
    }
    return true;
}

/* Files that were put together from several have headers in the middle. */
static bool is_header(struct slice line, bool is_first)
{
    return (is_first && archive_row_is_header(line)) || archive_row_is_kline_header(line) ||
           archive_row_is_interest_header(line);
}

/* -- rows -------------------------------------------------------------------------------------- */

static enum status import_kline(struct job *job, struct slice line, struct error *error)
{
    struct kline_row row;
    enum status status = archive_row_read_kline(line, &row, error);
    if (status != STATUS_OK)
        return status;
    memcpy(row.symbol, job->symbol, sizeof row.symbol);
    return store_write_kline(job->import->session, &row, error);
}

static enum status import_interest(struct job *job, struct slice line, struct error *error)
{
    const char *symbol = job->import->options->symbol;
    struct interest_row row;
    enum status status = archive_row_read_interest(line, &row, error);
    if (status != STATUS_OK)
        return status;
    if (symbol != NULL && strcmp(symbol, row.symbol) != 0)
        return error_set(error, STATUS_INVALID, "symbol %s is not %s", row.symbol, symbol);
    return store_write_interest(job->import->session, &row, error);
}

/* Writes one row. STATUS_INVALID: the row is bad; anything else: the database has failed. */
static enum status import_line(struct job *job, struct slice line, struct error *error)
{
    if (job->lines.is_too_long)
        return error_set(error, STATUS_INVALID, "is longer than %d bytes", ARCHIVE_LINE_SIZE_MAX);
    if (job->lines.has_nul)
        return error_set(error, STATUS_INVALID, "has a NUL byte in it");
    return job->kind == IMPORT_KLINES ? import_kline(job, line, error)
                                      : import_interest(job, line, error);
}

static void report_progress(const struct job *job)
{
    const struct import *import = job->import;
    if (import->options->on_progress != NULL)
        import->options->on_progress(job->file->path, import->bytes_done + job->lines.bytes_read,
                                     import->walk.bytes_total, import->options->context);
}

/* Reads the file into the open transaction. STATUS_INVALID: a bad row, and --strict.
 * STATUS_NO_DATA: nothing says what the file holds, which was reported. Others: the database. */
static enum status import_lines(struct job *job, struct error *error)
{
    bool is_first = true;
    struct slice line;
    while (archive_lines_next(&job->lines, &line)) {
        if (archive_row_is_blank(line))
            continue;
        if (is_first && !settle_line(job, line))
            return STATUS_NO_DATA;
        bool is_passed_over = is_header(line, is_first);
        is_first = false;
        if (is_passed_over)
            continue;
        job->rows_read++;
        enum status status = import_line(job, line, error);
        if (status == STATUS_INVALID) {
            if (job->rows_bad++ < BAD_ROWS_NAMED_MAX)
                archive_problem(&job->import->problems, "%s:%llu: %s", job->file->path,
                                (unsigned long long)job->lines.number, error->message);
            if (job->import->options->is_strict)
                return status;
        } else if (status != STATUS_OK) {
            return status;
        }
        if (job->rows_read % ROWS_PER_PROGRESS == 0)
            report_progress(job);
    }
    return STATUS_OK;
}

/* -- one file ---------------------------------------------------------------------------------- */

static enum status commit_file(struct job *job, struct error *error)
{
    struct import *import = job->import;
    struct import_summary *summary = &import->summaries[job->kind];
    uint64_t klines_new, interest_new;
    if (archive_lines_failed(&job->lines)) {
        archive_unusable(&import->problems, "%s: cannot be read: %s", job->file->path,
                         strerror(errno));
        return STATUS_OK;
    }
    if (!job->is_kind_known) {
        archive_unusable(&import->problems, "%s: the file is empty", job->file->path);
        return STATUS_OK;
    }
    enum status status = store_write_commit(import->session, &klines_new, &interest_new, error);
    if (status != STATUS_OK)
        return status;
    if (job->rows_bad > 0 && job->rows_bad == job->rows_read)
        import->problems.unusable_count++; /* each row has been named */
    else
        summary->files++;
    summary->rows_new += klines_new + interest_new;
    return STATUS_OK;
}

/* The file's transaction. Fails only when the database does. */
static enum status import_content(struct job *job, struct error *error)
{
    struct import *import = job->import;
    const char *path = job->file->path;
    enum status status = store_write_begin(import->session, SOURCE_ARCHIVE, false, error);
    if (status != STATUS_OK)
        return status;
    status = import_lines(job, error);
    if (status == STATUS_OK)
        status = commit_file(job, error);
    store_write_rollback(import->session); /* unless it was committed */
    if (job->rows_bad > BAD_ROWS_NAMED_MAX)
        archive_problem(&import->problems, "%s: %llu more bad rows", path,
                        (unsigned long long)(job->rows_bad - BAD_ROWS_NAMED_MAX));
    import->summaries[job->kind].rows_read += job->rows_read;
    import->summaries[job->kind].rows_bad += job->rows_bad;
    if (status == STATUS_INVALID)
        archive_unusable(&import->problems, "%s: nothing of it was imported (--strict)", path);
    return status == STATUS_INVALID || status == STATUS_NO_DATA ? STATUS_OK : status;
}

static enum status import_file(struct import *import, const struct archive_file *file,
                               struct error *error)
{
    struct job *job = memory_allocate_zeroed(1, sizeof *job);
    uint64_t start_ns = clock_monotonic_ns();
    enum status status = STATUS_OK;
    size_t unusable_before = import->problems.unusable_count;
    job->import = import;
    job->file = file;
    if (settle_name(job)) {
        if (archive_lines_open(&job->lines, file->path))
            status = import_content(job, error);
        else
            archive_unusable(&import->problems, "%s: %s", file->path, strerror(errno));
    }
    archive_lines_close(&job->lines);
    job->lines.bytes_read = file->size_bytes;
    report_progress(job);
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
    struct import import = {
        .options = options,
        .summaries = summaries,
        .problems = {.on_problem = options->on_problem, .context = options->context},
        .walk = {.symbol = options->symbol, .problems = &import.problems},
    };
    memset(summaries, 0, IMPORT_KIND_COUNT * sizeof *summaries);
    enum status status = STATUS_OK;
    char symbol[SYMBOL_SIZE];
    if (options->symbol != NULL)
        status = value_parse_symbol(slice_of(options->symbol), symbol, error);
    if (status == STATUS_OK)
        status = store_begin(options->store, &import.session, error);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < path_count; i++)
        import.named_unusable_count += !archive_walk_add(&import.walk, paths[i]);
    for (size_t i = 0; i < import.walk.file_count && status == STATUS_OK; i++)
        status = import_file(&import, &import.walk.files[i], error);
    store_end(import.session);
    archive_walk_deinit(&import.walk);
    return status == STATUS_OK ? judge(&import, error) : status;
}
