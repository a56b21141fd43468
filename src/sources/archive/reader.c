/* The name of a file says what it holds, as in the archive; where a file that was named on the
 * command line has another name, its first line does.
 *
 * It is apart from the import so that files can be read without a database to write to: what comes
 * from outside is here, lines and names and rows, and a fuzzer can have all of it at once. */
#include "sources/archive/reader.h"

#include "sources/archive/names.h"
#include "sources/archive/rows.h"

#include <string.h>

enum {
    BAD_ROWS_NAMED_MAX = 100, /* of one file; the rest is one line with their number */
    ROWS_PER_PROGRESS = 4096,
};

/* -- what a file holds ------------------------------------------------------------------------- */

bool archive_reader_settle_name(struct archive_reader *reader)
{
    struct archive_name name = archive_name_read(reader->path);
    if (name.kind == ARCHIVE_NAME_OTHER && reader->archive != NULL)
        name = archive_name_read(reader->archive);
    if (name.kind == ARCHIVE_NAME_OTHER_INTERVAL) {
        archive_unusable(reader->problems, "%s: these are %s klines; only 5m klines are imported",
                         reader->path, name.interval);
        return false;
    }
    reader->is_kind_known = name.kind != ARCHIVE_NAME_OTHER;
    reader->kind = name.kind == ARCHIVE_NAME_INTEREST ? IMPORT_INTEREST : IMPORT_KLINES;
    strcpy(reader->kline_symbol, reader->symbol != NULL ? reader->symbol : name.symbol);
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
static bool settle_line(struct archive_reader *reader, struct slice line)
{
    if (!reader->is_kind_known && !tell_kind(line, &reader->kind)) {
        archive_unusable(reader->problems,
                         "%s: neither its name nor its first line is that of 5-minute klines or "
                         "open interest (names like BTCUSDT-5m-2025-12.csv, "
                         "BTCUSDT-metrics-2025-12-01.csv)",
                         reader->path);
        return false;
    }
    reader->is_kind_known = true;
    if (reader->kind == IMPORT_KLINES && reader->kline_symbol[0] == '\0' &&
        !archive_name_folder_symbol(reader->path, reader->kline_symbol)) {
        archive_unusable(reader->problems,
                         "%s: nothing says which symbol these klines are of; give --symbol",
                         reader->path);
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

static enum status read_kline(struct archive_reader *reader, struct slice line, struct error *error)
{
    struct kline_row row;
    enum status status = archive_row_read_kline(line, &row, error);
    if (status != STATUS_OK)
        return status;
    memcpy(row.symbol, reader->kline_symbol, sizeof row.symbol);
    return reader->sink->on_kline(&row, reader->sink->context, error);
}

static enum status read_interest(struct archive_reader *reader, struct slice line,
                                 struct error *error)
{
    struct interest_row row;
    enum status status = archive_row_read_interest(line, &row, error);
    if (status != STATUS_OK)
        return status;
    if (reader->symbol != NULL && strcmp(reader->symbol, row.symbol) != 0)
        return error_set(error, STATUS_INVALID, "symbol %s is not %s", row.symbol, reader->symbol);
    return reader->sink->on_interest(&row, reader->sink->context, error);
}

/* Gives one row to the sink. STATUS_INVALID: the row is bad; anything else: the sink has failed. */
static enum status read_row(struct archive_reader *reader, struct slice line, struct error *error)
{
    if (reader->lines.is_too_long)
        return error_set(error, STATUS_INVALID, "is longer than %d bytes", ARCHIVE_LINE_SIZE_MAX);
    if (reader->lines.has_nul)
        return error_set(error, STATUS_INVALID, "has a NUL byte in it");
    return reader->kind == IMPORT_KLINES ? read_kline(reader, line, error)
                                         : read_interest(reader, line, error);
}

static void report_bad_row(struct archive_reader *reader, const struct error *error)
{
    if (reader->rows_bad++ < BAD_ROWS_NAMED_MAX)
        archive_problem(reader->problems, "%s:%llu: %s", reader->path,
                        (unsigned long long)reader->lines.number, error->message);
}

/* A line that holds a row. */
static enum status take_row(struct archive_reader *reader, struct slice line, struct error *error)
{
    reader->rows_read++;
    enum status status = read_row(reader, line, error);
    if (status == STATUS_INVALID)
        report_bad_row(reader, error);
    if (status == STATUS_INVALID && !reader->is_strict)
        status = STATUS_OK;
    if (reader->rows_read % ROWS_PER_PROGRESS == 0)
        reader->sink->on_progress(reader->sink->context);
    return status;
}

static enum status read_lines(struct archive_reader *reader, struct error *error)
{
    bool is_first = true;
    struct slice line;
    enum status status;
    while ((status = archive_lines_next(&reader->lines, &line, error)) == STATUS_OK) {
        if (archive_row_is_blank(line))
            continue;
        if (is_first && !settle_line(reader, line))
            return STATUS_NO_DATA;
        bool is_passed_over = is_header(line, is_first);
        is_first = false;
        if (is_passed_over)
            continue;
        status = take_row(reader, line, error);
        if (status != STATUS_OK)
            return status;
    }
    if (status == STATUS_NO_DATA)
        return STATUS_OK;
    archive_unusable(reader->problems, "%s: %s", reader->path, error->message);
    reader->is_broken = true;
    return STATUS_NO_DATA;
}

enum status archive_reader_run(struct archive_reader *reader, struct error *error)
{
    enum status status = read_lines(reader, error);
    if (reader->rows_bad > BAD_ROWS_NAMED_MAX)
        archive_problem(reader->problems, "%s: %llu more bad rows", reader->path,
                        (unsigned long long)(reader->rows_bad - BAD_ROWS_NAMED_MAX));
    return status;
}
