/* Files of the archive into the store, each in one transaction: a crash leaves whole files only.
 *
 *     paths -> files (walk) -> per file: rows (reader: names, lines, rows) -> store
 *
 * What cannot be used is reported and counted (problems), and the rest is imported all the same;
 * only a database that fails ends the import. */
#include "sources/archive/import.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "sources/archive/reader.h"
#include "sources/archive/walk.h"
#include "sources/source.h"

#include <errno.h>
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
};

/* A file being imported. */
struct job {
    struct import *import;
    const struct archive_file *file;
    struct archive_reader reader;
};

/* -- rows -------------------------------------------------------------------------------------- */

static enum status write_kline(const struct kline_row *row, void *context, struct error *error)
{
    const struct job *job = context;
    return store_write_kline(job->import->session, row, error);
}

static enum status write_interest(const struct interest_row *row, void *context,
                                  struct error *error)
{
    const struct job *job = context;
    return store_write_interest(job->import->session, row, error);
}

static void report_progress(void *context)
{
    const struct job *job = context;
    const struct import *import = job->import;
    if (import->options->on_progress != NULL)
        import->options->on_progress(job->file->path,
                                     import->bytes_done + job->reader.lines.bytes_read,
                                     import->walk.bytes_total, import->options->context);
}

/* -- one file ---------------------------------------------------------------------------------- */

static enum status commit_file(struct job *job, struct error *error)
{
    struct import *import = job->import;
    struct import_summary *summary = &import->summaries[job->reader.kind];
    uint64_t klines_new, interest_new;
    if (job->reader.lines.failure != 0) {
        archive_unusable(&import->problems, "%s: cannot be read: %s", job->file->path,
                         strerror(job->reader.lines.failure));
        return STATUS_OK;
    }
    if (!job->reader.is_kind_known) {
        archive_unusable(&import->problems, "%s: the file is empty", job->file->path);
        return STATUS_OK;
    }
    enum status status = store_write_commit(import->session, &klines_new, &interest_new, error);
    if (status != STATUS_OK)
        return status;
    if (job->reader.rows_bad > 0 && job->reader.rows_bad == job->reader.rows_read)
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
    status = archive_reader_run(&job->reader, error);
    if (status == STATUS_OK)
        status = commit_file(job, error);
    store_write_rollback(import->session); /* unless it was committed */
    import->summaries[job->reader.kind].rows_read += job->reader.rows_read;
    import->summaries[job->reader.kind].rows_bad += job->reader.rows_bad;
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
    const struct archive_sink sink = {write_kline, write_interest, report_progress, job};
    job->import = import;
    job->file = file;
    job->reader = (struct archive_reader){
        .path = file->path,
        .symbol = import->options->symbol,
        .is_strict = import->options->is_strict,
        .problems = &import->problems,
        .sink = &sink,
    };
    if (archive_reader_settle_name(&job->reader)) {
        if (archive_lines_open(&job->reader.lines, file->path))
            status = import_content(job, error);
        else
            archive_unusable(&import->problems, "%s: %s", file->path, strerror(errno));
    }
    archive_lines_close(&job->reader.lines);
    job->reader.lines.bytes_read = file->size_bytes;
    report_progress(job);
    import->bytes_done += file->size_bytes;
    bool is_unusable = import->problems.unusable_count > unusable_before;
    import->named_unusable_count += file->is_named && is_unusable;
    log_debug("file read", log_text("path", file->path),
              log_int("rows", (int64_t)job->reader.rows_read),
              log_int("bad", (int64_t)job->reader.rows_bad),
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
