/* Folders and files of the archive into the store.
 *
 *     paths -> list of files, sorted -> per file: kind and symbol -> lines -> rows -> transaction
 *
 * What a file holds is told by its name, as in the archive; a file that was named on the command
 * line under another name is judged by its first line. A folder may hold anything, so names that
 * are not of the archive are passed over there without a word, but never when given explicitly.
 *
 * Files are read once, forward, through a fixed buffer, so that pipes work and a file of any size
 * or kind costs no memory. What is wrong with a row is the row parser's matter (import_row.c); what
 * is wrong with a line (too long, a NUL byte) is found here. */
#include "sources/archive/import.h"

#include "base/buffer.h"
#include "base/check.h"
#include "sources/archive/import_row.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    LINE_SIZE_MAX = 4096,     /* the archive's lines have some 150 bytes */
    BAD_ROWS_NAMED_MAX = 100, /* of one file; the rest is one line with their number */
    ROWS_PER_PROGRESS = 4096,
};

static const char source_name[] = "binance";
static const char kline_interval[] = "5m";

struct file {
    char *path;
    uint64_t size_bytes;
    bool is_named; /* by the user, not found in a folder */
};

struct import {
    const struct import_options *options;
    struct import_summary *summaries;
    struct store_session *session;
    struct file *files;
    size_t file_count, file_capacity;
    size_t unusable_count;       /* files and paths that gave nothing */
    size_t named_unusable_count; /* those of them that the user has named */
    uint64_t bytes_done, bytes_total;
};

__attribute__((format(printf, 2, 3))) static void problem(const struct import *import,
                                                          const char *format, ...)
{
    char *message = NULL;
    va_list arguments;
    va_start(arguments, format);
    check(vasprintf(&message, format, arguments) >= 0);
    va_end(arguments);
    import->options->on_problem(message, import->options->context);
    free(message);
}

/* The same for what gave nothing at all. */
#define unusable(import, ...) ((import)->unusable_count++, problem(import, __VA_ARGS__))

/* -- names ------------------------------------------------------------------------------------- */

/* What a name of the archive says. */
enum name_kind {
    NAME_OTHER,
    NAME_KLINES,
    NAME_INTEREST,
    NAME_OTHER_INTERVAL, /* klines, but not of 5 minutes */
};

struct name {
    enum name_kind kind;
    bool is_zip;
    char symbol[SYMBOL_SIZE];
    char interval[8];
};

static bool ends_with(const char *text, size_t size, const char *ending)
{
    size_t ending_size = strlen(ending);
    return size >= ending_size && memcmp(text + size - ending_size, ending, ending_size) == 0;
}

/* "1m", "15m", "4h", "1d", "1w", "1mo", "1M", "1s" */
static bool is_interval(const char *text, size_t size)
{
    size_t digits = 0;
    while (digits < size && isdigit((unsigned char)text[digits]))
        digits++;
    size_t unit_size = size - digits;
    if (digits == 0 || digits > 2)
        return false;
    return (unit_size == 1 && strchr("smhdwM", text[digits]) != NULL) ||
           (unit_size == 2 && memcmp(text + digits, "mo", 2) == 0);
}

static void classify_word(struct name *name, const char *word, size_t word_size)
{
    if (word_size == strlen("metrics") && memcmp(word, "metrics", word_size) == 0) {
        name->kind = NAME_INTEREST;
    } else if (is_interval(word, word_size)) {
        bool is_ours =
            word_size == strlen(kline_interval) && memcmp(word, kline_interval, word_size) == 0;
        name->kind = is_ours ? NAME_KLINES : NAME_OTHER_INTERVAL;
        snprintf(name->interval, sizeof name->interval, "%.*s", (int)word_size, word);
    }
}

/* Reads <SYMBOL>-<interval or "metrics">-<date>.<csv or zip>. Symbols may have dashes of their own:
 * each dash is tried as the one that ends the symbol. */
static struct name read_name(const char *path)
{
    struct name name = {.kind = NAME_OTHER};
    const char *base = strrchr(path, '/');
    base = base != NULL ? base + 1 : path;
    size_t size = strlen(base);
    name.is_zip = ends_with(base, size, ".zip");
    if (!name.is_zip && !ends_with(base, size, ".csv"))
        return name;
    for (const char *dash = strchr(base, '-'); dash != NULL && name.kind == NAME_OTHER;
         dash = strchr(dash + 1, '-')) {
        size_t symbol_size = (size_t)(dash - base);
        const char *word_end = strchr(dash + 1, '-');
        if (word_end == NULL || !value_is_symbol(base, symbol_size))
            continue;
        classify_word(&name, dash + 1, (size_t)(word_end - dash - 1));
        if (name.kind != NAME_OTHER)
            snprintf(name.symbol, sizeof name.symbol, "%.*s", (int)symbol_size, base);
    }
    return name;
}

/* The symbol in ".../<SYMBOL>/klines/..."; false if there is none. */
static bool find_folder_symbol(const char *path, char symbol[SYMBOL_SIZE])
{
    for (const char *at = strstr(path, "/klines/"); at != NULL; at = strstr(at + 1, "/klines/")) {
        const char *start = at;
        while (start > path && start[-1] != '/')
            start--;
        if (value_is_symbol(start, (size_t)(at - start))) {
            snprintf(symbol, SYMBOL_SIZE, "%.*s", (int)(at - start), start);
            return true;
        }
    }
    return false;
}

/* -- the list of files ------------------------------------------------------------------------- */

static void add_file(struct import *import, const char *path, uint64_t size_bytes, bool is_named)
{
    if (import->file_count == import->file_capacity) {
        import->file_capacity = import->file_capacity > 0 ? import->file_capacity * 2 : 64;
        import->files = memory_resize(import->files, import->file_capacity, sizeof *import->files);
    }
    import->files[import->file_count++] =
        (struct file){memory_copy_string(path), size_bytes, is_named};
    import->bytes_total += size_bytes;
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* In a folder `--symbol` selects: the files of other symbols are not this symbol's under a wrong
 * name. */
static bool is_wanted_in_folder(const struct import *import, const char *path)
{
    struct name name = read_name(path);
    const char *symbol = import->options->symbol;
    return (name.kind == NAME_KLINES || name.kind == NAME_INTEREST) &&
           (symbol == NULL || strcmp(symbol, name.symbol) == 0);
}

/* A folder on the way down; a link that leads back up to one is not followed. */
struct folder {
    const struct folder *parent;
    dev_t device;
    ino_t inode;
};

static bool is_on_the_way(const struct folder *folder, const struct stat *stat)
{
    for (; folder != NULL; folder = folder->parent)
        if (folder->device == stat->st_dev && folder->inode == stat->st_ino)
            return true;
    return false;
}

/* Adds what is below a folder, in name order. */
static void walk_folder(struct import *import, const char *path, const struct stat *folder_stat,
                        const struct folder *parent)
{
    const struct folder folder = {parent, folder_stat->st_dev, folder_stat->st_ino};
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, is_visible, compare_names);
    if (count < 0) {
        unusable(import, "%s: %s", path, strerror(errno));
        return;
    }
    bool has_slash = ends_with(path, strlen(path), "/");
    for (int i = 0; i < count; i++) {
        struct buffer below = {0};
        struct stat stat_of = {0};
        buffer_append_format(&below, "%s%s%s", path, has_slash ? "" : "/", entries[i]->d_name);
        const char *text = buffer_text(&below);
        bool is_folder = stat(text, &stat_of) == 0 && S_ISDIR(stat_of.st_mode);
        if (is_folder && !is_on_the_way(&folder, &stat_of))
            walk_folder(import, text, &stat_of, &folder);
        else if (!is_folder && is_wanted_in_folder(import, text))
            add_file(import, text, (uint64_t)stat_of.st_size, false);
        buffer_deinit(&below);
        free(entries[i]);
    }
    free(entries);
}

static void add_path(struct import *import, const char *path)
{
    struct stat stat_of;
    if (stat(path, &stat_of) != 0) {
        import->named_unusable_count++;
        unusable(import, "%s: %s", path, strerror(errno));
        return;
    }
    if (!S_ISDIR(stat_of.st_mode)) {
        add_file(import, path, S_ISREG(stat_of.st_mode) ? (uint64_t)stat_of.st_size : 0, true);
        return;
    }
    size_t before = import->file_count;
    walk_folder(import, path, &stat_of, NULL);
    if (import->file_count > before)
        return;
    import->named_unusable_count++;
    unusable(import,
             "%s: no file of the archive in this folder (names like BTCUSDT-5m-2025-12.csv and "
             "BTCUSDT-metrics-2025-12-01.csv)",
             path);
}

/* -- lines ------------------------------------------------------------------------------------- */

/* The lines of a file, without their ends. */
struct line_reader {
    FILE *stream;
    uint64_t number; /* of the line that was read last, from 1 */
    uint64_t bytes_read;
    size_t size;
    bool is_too_long, has_nul;
    char text[LINE_SIZE_MAX];
};

/* False at the end of the file, or when it cannot be read (see ferror()). */
static bool read_line(struct line_reader *reader)
{
    int c;
    reader->size = 0;
    reader->is_too_long = reader->has_nul = false;
    while ((c = getc_unlocked(reader->stream)) != EOF && c != '\n') {
        reader->bytes_read++;
        reader->has_nul = reader->has_nul || c == '\0';
        if (reader->size < LINE_SIZE_MAX)
            reader->text[reader->size++] = (char)c;
        else
            reader->is_too_long = true;
    }
    if (c == EOF && reader->size == 0)
        return false;
    reader->bytes_read += c == '\n';
    if (reader->size > 0 && reader->text[reader->size - 1] == '\r')
        reader->size--;
    if (reader->number++ == 0 && reader->size >= 3 &&
        memcmp(reader->text, "\xEF\xBB\xBF", 3) == 0) {
        reader->size -= 3; /* a byte order mark is no part of the text */
        memmove(reader->text, reader->text + 3, reader->size);
    }
    return true;
}

static bool starts_with(const struct line_reader *reader, const char *text)
{
    size_t skip = reader->size > 0 && reader->text[0] == '"', size = strlen(text);
    return reader->size >= skip + size && memcmp(reader->text + skip, text, size) == 0;
}

/* Files that were put together from several have headers in the middle. */
static bool is_header(const struct line_reader *reader, bool is_first)
{
    return (is_first && import_row_is_header(reader->text, reader->size)) ||
           starts_with(reader, "open_time") || starts_with(reader, "create_time");
}

/* -- one file ---------------------------------------------------------------------------------- */

/* A file being imported. */
struct job {
    struct import *import;
    const struct file *file;
    struct line_reader reader;
    enum import_kind kind;
    bool is_kind_known;
    char symbol[SYMBOL_SIZE]; /* of klines */
    uint64_t rows_read, rows_bad;
};

/* Settles by the first line with content what the name left open. */
static bool settle_kind(struct job *job)
{
    struct import *import = job->import;
    const struct line_reader *reader = &job->reader;
    struct kline_row kline;
    struct interest_row interest;
    if (!job->is_kind_known) {
        job->is_kind_known = true;
        if (starts_with(reader, "create_time") ||
            import_row_interest(reader->text, reader->size, &interest, NULL) == STATUS_OK)
            job->kind = IMPORT_INTEREST;
        else if (starts_with(reader, "open_time") ||
                 import_row_kline(reader->text, reader->size, &kline, NULL) == STATUS_OK)
            job->kind = IMPORT_KLINES;
        else {
            unusable(import,
                     "%s: neither its name nor its first line is that of 5-minute klines or open "
                     "interest (names like BTCUSDT-5m-2025-12.csv, BTCUSDT-metrics-2025-12-01.csv)",
                     job->file->path);
            return false;
        }
    }
    if (job->kind == IMPORT_KLINES && job->symbol[0] == '\0' &&
        !find_folder_symbol(job->file->path, job->symbol)) {
        unusable(import, "%s: nothing says which symbol these klines are of; give --symbol",
                 job->file->path);
        return false;
    }
    return true;
}

/* Writes one row. STATUS_INVALID: the row is bad; anything else: the database is in trouble. */
static enum status import_line(struct job *job, struct error *error)
{
    const struct import_options *options = job->import->options;
    const struct line_reader *reader = &job->reader;
    if (reader->is_too_long)
        return error_set(error, STATUS_INVALID, "is longer than %d bytes", LINE_SIZE_MAX);
    if (reader->has_nul)
        return error_set(error, STATUS_INVALID, "has a NUL byte in it");
    if (job->kind == IMPORT_KLINES) {
        struct kline_row row;
        enum status status = import_row_kline(reader->text, reader->size, &row, error);
        if (status != STATUS_OK)
            return status;
        memcpy(row.symbol, job->symbol, sizeof row.symbol);
        return store_write_kline(job->import->session, &row, error);
    }
    struct interest_row row;
    enum status status = import_row_interest(reader->text, reader->size, &row, error);
    if (status != STATUS_OK)
        return status;
    if (options->symbol != NULL && strcmp(options->symbol, row.symbol) != 0)
        return error_set(error, STATUS_INVALID, "symbol %s is not %s", row.symbol, options->symbol);
    return store_write_interest(job->import->session, &row, error);
}

static void report_progress(const struct job *job)
{
    const struct import *import = job->import;
    if (import->options->on_progress != NULL)
        import->options->on_progress(job->file->path, import->bytes_done + job->reader.bytes_read,
                                     import->bytes_total, import->options->context);
}

/* Reads the file into the open transaction. STATUS_INVALID: a bad row, and --strict.
 * STATUS_NO_DATA: the file is none of ours, which has been said. STATUS_IO: the database. */
static enum status import_lines(struct job *job, struct error *error)
{
    bool is_first = true;
    while (read_line(&job->reader)) {
        if (import_row_is_blank(job->reader.text, job->reader.size))
            continue;
        if (is_first && !settle_kind(job))
            return STATUS_NO_DATA;
        bool is_passed_over = is_header(&job->reader, is_first);
        is_first = false;
        if (is_passed_over)
            continue;
        job->rows_read++;
        enum status status = import_line(job, error);
        if (status == STATUS_INVALID) {
            if (job->rows_bad++ < BAD_ROWS_NAMED_MAX)
                problem(job->import, "%s:%llu: %s", job->file->path,
                        (unsigned long long)job->reader.number, error->message);
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

static enum status finish_file(struct job *job, struct error *error)
{
    struct import *import = job->import;
    uint64_t klines_new, interest_new;
    if (ferror(job->reader.stream)) {
        unusable(import, "%s: cannot be read: %s", job->file->path, strerror(errno));
        return STATUS_OK;
    }
    if (!job->is_kind_known) {
        unusable(import, "%s: the file is empty", job->file->path);
        return STATUS_OK;
    }
    enum status status = store_write_commit(import->session, &klines_new, &interest_new, error);
    if (status != STATUS_OK)
        return status;
    if (job->rows_bad > 0 && job->rows_bad == job->rows_read)
        import->unusable_count++; /* each row has been named */
    else
        import->summaries[job->kind].files++;
    import->summaries[job->kind].rows_new += klines_new + interest_new;
    return STATUS_OK;
}

/* What the name says is wrong with the file; false if it cannot be imported. */
static bool settle_name(struct job *job)
{
    struct name name = read_name(job->file->path);
    const char *symbol = job->import->options->symbol;
    if (name.is_zip) {
        unusable(job->import, "%s: zip archives cannot be read yet; unzip it first",
                 job->file->path);
        return false;
    }
    if (name.kind == NAME_OTHER_INTERVAL) {
        unusable(job->import, "%s: these are %s klines; only 5m klines are imported",
                 job->file->path, name.interval);
        return false;
    }
    job->is_kind_known = name.kind != NAME_OTHER;
    job->kind = name.kind == NAME_INTEREST ? IMPORT_INTEREST : IMPORT_KLINES;
    snprintf(job->symbol, sizeof job->symbol, "%s", symbol != NULL ? symbol : name.symbol);
    return true;
}

/* One file, one transaction. Fails only when the database does. */
static enum status import_file(struct import *import, const struct file *file, struct error *error)
{
    struct job *job = memory_allocate_zeroed(1, sizeof *job);
    enum status status = STATUS_OK;
    size_t unusable_before = import->unusable_count;
    job->import = import;
    job->file = file;
    if (!settle_name(job))
        goto cleanup;
    job->reader.stream = fopen(file->path, "rb");
    if (job->reader.stream == NULL) {
        unusable(import, "%s: %s", file->path, strerror(errno));
        goto cleanup;
    }
    status = store_write_begin(import->session, source_name, false, error);
    if (status != STATUS_OK)
        goto cleanup;
    status = import_lines(job, error);
    if (status == STATUS_OK)
        status = finish_file(job, error);
    if (job->rows_bad > BAD_ROWS_NAMED_MAX)
        problem(import, "%s: %llu more bad rows", file->path,
                (unsigned long long)(job->rows_bad - BAD_ROWS_NAMED_MAX));
    import->summaries[job->kind].rows_read += job->rows_read;
    import->summaries[job->kind].rows_bad += job->rows_bad;
    if (status == STATUS_INVALID)
        unusable(import, "%s: nothing of it was imported (--strict)", file->path);
    if (status == STATUS_INVALID || status == STATUS_NO_DATA)
        status = STATUS_OK;
cleanup:
    store_write_rollback(import->session);
    if (job->reader.stream != NULL)
        fclose(job->reader.stream);
    job->reader.bytes_read = file->size_bytes;
    report_progress(job);
    import->bytes_done += file->size_bytes;
    if (file->is_named && import->unusable_count > unusable_before)
        import->named_unusable_count++;
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
    if (import->options->is_strict && import->unusable_count > 0)
        return error_set(error, STATUS_INVALID, "%zu of the files could not be imported (--strict)",
                         import->unusable_count);
    if (import->named_unusable_count > 0)
        return error_set(error, STATUS_INVALID, "%zu of the paths could not be imported",
                         import->named_unusable_count);
    return STATUS_OK;
}

enum status import_run(const struct import_options *options, const char *const *paths,
                       size_t path_count, struct import_summary summaries[static IMPORT_KIND_COUNT],
                       struct error *error)
{
    struct import import = {.options = options, .summaries = summaries};
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
        add_path(&import, paths[i]);
    for (size_t i = 0; i < import.file_count && status == STATUS_OK; i++)
        status = import_file(&import, &import.files[i], error);
    store_end(import.session);
    for (size_t i = 0; i < import.file_count; i++)
        free(import.files[i].path);
    free(import.files);
    return status == STATUS_OK ? judge(&import, error) : status;
}
