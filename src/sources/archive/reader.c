/* A header says which column is what. Without one the name of the file says what it holds, as in
 * the archive; where that has another name too, its first line does.
 *
 * It is apart from the import so that files can be read without a database to write to: what comes
 * from outside is here, lines and names and rows, and a fuzzer can have all of it at once. */
#include "sources/archive/reader.h"

#include "base/iso_time.h"
#include "sources/archive/rows.h"

#include <stdio.h>
#include <string.h>

enum { BAD_ROWS_NAMED_MAX = 100 }; /* of one file; the rest is one line with their number */

/* -- what a file holds ------------------------------------------------------------------------- */

static void settle_name(struct archive_reader *reader)
{
    struct archive_name *name = &reader->name;
    *name = archive_name_read(reader->path);
    if (name->kind == ARCHIVE_NAME_OTHER && reader->archive != NULL)
        *name = archive_name_read(reader->archive);
    reader->is_kind_known = name->kind != ARCHIVE_NAME_OTHER;
    reader->kind = name->kind == ARCHIVE_NAME_INTEREST ? IMPORT_INTEREST : IMPORT_KLINES;
    if (reader->symbol != NULL)
        strcpy(reader->symbol_of_file, reader->symbol);
    else if (name->symbol[0] != '\0')
        strcpy(reader->symbol_of_file, name->symbol);
    else
        archive_name_folder_symbol(reader->path, reader->symbol_of_file);
}

/* Tells by a first line that is no header. False if it is no row of either kind. */
static bool tell_kind(struct slice line, enum import_kind *kind)
{
    struct archive_columns columns;
    struct kline_row kline;
    struct interest_row interest;
    struct archive_unheld unheld;
    *kind = IMPORT_INTEREST;
    archive_columns_guess(*kind, line, &columns);
    if (archive_row_read_interest(&columns, line, &interest, &unheld, NULL) == STATUS_OK)
        return true;
    *kind = IMPORT_KLINES;
    archive_columns_guess(*kind, line, &columns);
    return archive_row_read_kline(&columns, line, &kline, &unheld, NULL) == STATUS_OK;
}

/* Rows of it may have gone to the sink already. */
static enum status refuse(struct archive_reader *reader, const char *reason)
{
    archive_unusable(reader->problems, "%s: %s", reader->path, reason);
    reader->is_broken = reader->rows_read > 0;
    return STATUS_NO_DATA;
}

/* Whose rows without a symbol are must be known before the first one. */
static enum status settle_symbol(struct archive_reader *reader)
{
    if (reader->symbol_of_file[0] != '\0' || reader->columns.at[COLUMN_SYMBOL] >= 0)
        return STATUS_OK;
    char meant[SYMBOL_SIZE], reason[ARCHIVE_REASON_SIZE];
    if (!archive_name_guess_symbol(reader->path, meant))
        meant[0] = '\0';
    snprintf(reason, sizeof reason,
             "nothing says which symbol these rows are of; give --symbol%s%s",
             meant[0] != '\0' ? ", as --symbol " : "", meant);
    return refuse(reader, reason);
}

/* Takes a header, of which a file that was put together from several has more than one.
 * STATUS_NOT_FOUND: it is none after all, but a row that is none either. */
static enum status take_header(struct archive_reader *reader, struct slice line)
{
    struct archive_columns columns;
    struct error error;
    bool is_first = reader->columns.field_count == 0;
    enum status status = archive_columns_read(line, &columns, &error);
    if (status == STATUS_NOT_FOUND && !is_first)
        return status;
    if (status != STATUS_OK)
        return refuse(reader, error.message);
    if (!is_first && columns.kind != reader->kind)
        return refuse(reader, "rows of several kinds, with headers of their own, are in one file");
    reader->columns = columns;
    reader->kind = columns.kind;
    reader->is_kind_known = true;
    return settle_symbol(reader);
}

/* Text in an archive that lies beside the data. */
static bool is_read_me(const struct archive_reader *reader)
{
    size_t size = strlen(reader->path);
    return reader->archive != NULL && size > 4 && strcmp(reader->path + size - 4, ".txt") == 0;
}

/* Settles by the first row what neither a header nor the name has said. */
static enum status take_first_row(struct archive_reader *reader, struct slice line)
{
    if (!reader->is_kind_known && !tell_kind(line, &reader->kind)) {
        if (is_read_me(reader)) {
            archive_pass_over(reader->problems, reader->path, ARCHIVE_NO_NAME);
            return STATUS_NO_DATA;
        }
        archive_unusable(reader->problems,
                         "%s: neither its name nor its first line is that of 5-minute klines or "
                         "open interest (names like BTCUSDT-5m-2025-12.csv, "
                         "BTCUSDT-metrics-2025-12-01.csv)",
                         reader->path);
        return STATUS_NO_DATA;
    }
    reader->is_kind_known = true;
    archive_columns_guess(reader->kind, line, &reader->columns);
    return settle_symbol(reader);
}

/* -- rows -------------------------------------------------------------------------------------- */

static enum status check_time(const struct archive_reader *reader, int64_t time_ms,
                              struct error *error)
{
    char text[ISO_TIME_SIZE];
    if (reader->time_max_ms == 0 || time_ms <= reader->time_max_ms)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID, "%s is in the future", iso_time_format(time_ms, text));
}

/* Completes a row's symbol, and checks that it is the one that is wanted. */
static enum status settle_row_symbol(const struct archive_reader *reader, char symbol[SYMBOL_SIZE],
                                     struct error *error)
{
    if (symbol[0] == '\0')
        strcpy(symbol, reader->symbol_of_file);
    if (reader->symbol != NULL && strcmp(reader->symbol, symbol) != 0)
        return error_set(error, STATUS_INVALID, "symbol %s is not %s", symbol, reader->symbol);
    if (archive_symbol_is_coin_margined(symbol))
        return error_set(error, STATUS_INVALID,
                         "symbol %s is of the coin-margined market, which counts in contracts and "
                         "coins",
                         symbol);
    return STATUS_OK;
}

/* The row is good, but for a figure that is unknown from now on. */
static void note_unheld(struct archive_reader *reader, const struct archive_unheld *unheld)
{
    if (unheld->name[0] == '\0' || reader->rows_unheld++ > 0)
        return;
    snprintf(reader->unheld, sizeof reader->unheld, "line %llu: %s %.*s",
             (unsigned long long)reader->lines.number, unheld->name,
             slice_arguments(unheld->value));
}

static enum status read_kline(struct archive_reader *reader, struct slice line, struct error *error)
{
    struct kline_row row;
    char fault[ARCHIVE_CANDLE_FAULT_SIZE];
    struct archive_unheld unheld;
    enum status status = archive_row_read_kline(&reader->columns, line, &row, &unheld, error);
    if (!archive_candle_check_add(&reader->candle_check, &row, status == STATUS_OK, fault))
        return refuse(reader, fault);
    if (status == STATUS_OK)
        status = check_time(reader, row.candle.open_time_ms, error);
    if (status == STATUS_OK)
        status = settle_row_symbol(reader, row.symbol, error);
    if (status != STATUS_OK)
        return status;
    if (row.close_time_ms == 0)
        row.close_time_ms = row.candle.open_time_ms + CANDLE_MS - 1;
    note_unheld(reader, &unheld);
    return reader->sink->on_kline(&row, reader->sink->context, error);
}

static enum status read_interest(struct archive_reader *reader, struct slice line,
                                 struct error *error)
{
    struct interest_row row;
    struct archive_unheld unheld;
    enum status status = archive_row_read_interest(&reader->columns, line, &row, &unheld, error);
    if (status == STATUS_OK)
        status = check_time(reader, row.timestamp_ms, error);
    if (status == STATUS_OK)
        status = settle_row_symbol(reader, row.symbol, error);
    if (status != STATUS_OK)
        return status;
    note_unheld(reader, &unheld);
    return reader->sink->on_interest(&row, reader->sink->context, error);
}

static enum status read_liquidation(struct archive_reader *reader, struct slice line,
                                    struct error *error)
{
    struct liquidation_row row;
    enum status status = archive_row_read_liquidation(&reader->columns, line, &row, error);
    if (status == STATUS_OK)
        status = check_time(reader, row.time_ms, error);
    if (status == STATUS_OK)
        status = settle_row_symbol(reader, row.symbol, error);
    return status == STATUS_OK ? reader->sink->on_liquidation(&row, reader->sink->context, error)
                               : status;
}

/* Gives one row to the sink. STATUS_INVALID: the row is bad; STATUS_NO_DATA: the file is refused;
 * anything else: the sink has failed. */
static enum status read_row(struct archive_reader *reader, struct slice line, struct error *error)
{
    if (reader->lines.is_too_long)
        return error_set(error, STATUS_INVALID, "is longer than %d bytes", ARCHIVE_LINE_SIZE_MAX);
    if (reader->lines.has_nul)
        return error_set(error, STATUS_INVALID, "has a NUL byte in it");
    if (reader->kind == IMPORT_LIQUIDATIONS)
        return read_liquidation(reader, line, error);
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
    return status;
}

/* -- lines ------------------------------------------------------------------------------------- */

/* Why the text of a file that begins with this line cannot be read; NULL: it may be. Said once and
 * not of each line. */
static const char *find_foreign_text(struct slice line)
{
    if (slice_starts_with(line, "\xff\xfe") || slice_starts_with(line, "\xfe\xff"))
        return "it is UTF-16, and UTF-8 is read";
    line = slice_trim(line);
    if (memchr(line.data, '\r', line.size) != NULL)
        return "its lines end with CR alone, and LF or CRLF is read";
    return NULL;
}

/* A line with content. */
static enum status take_line(struct archive_reader *reader, struct slice line, struct error *error)
{
    bool is_first = reader->columns.field_count == 0;
    const char *foreign = is_first && reader->rows_read == 0 ? find_foreign_text(line) : NULL;
    if (foreign != NULL)
        return refuse(reader, foreign);
    bool is_text = !reader->lines.is_too_long && !reader->lines.has_nul;
    if (is_first && archive_line_is_preamble(line))
        return STATUS_OK;
    enum status status =
        is_text && archive_line_is_header(line) ? take_header(reader, line) : STATUS_NOT_FOUND;
    if (status != STATUS_NOT_FOUND)
        return status;
    status = is_first ? take_first_row(reader, line) : STATUS_OK;
    return status == STATUS_OK ? take_row(reader, line, error) : status;
}

/* What the end of a file brings to light. */
static enum status finish(struct archive_reader *reader)
{
    char fault[ARCHIVE_CANDLE_FAULT_SIZE];
    if (reader->kind != IMPORT_KLINES || archive_candle_check_finish(&reader->candle_check, fault))
        return STATUS_OK;
    return refuse(reader, fault);
}

static enum status read_lines(struct archive_reader *reader, struct error *error)
{
    struct slice line;
    enum status status;
    while ((status = archive_lines_next(&reader->lines, &line, error)) == STATUS_OK) {
        if (slice_trim(line).size == 0)
            continue;
        status = take_line(reader, line, error);
        if (status != STATUS_OK)
            return status;
    }
    if (status == STATUS_NO_DATA)
        return finish(reader);
    archive_unusable(reader->problems, "%s: %s", reader->path, error->message);
    reader->is_broken = true;
    return STATUS_NO_DATA;
}

enum status archive_reader_run(struct archive_reader *reader, struct error *error)
{
    settle_name(reader);
    enum status status = read_lines(reader, error);
    if (reader->rows_unheld > 0)
        archive_problem(reader->problems,
                        "%s: %llu row%s a figure that is too large for the database's column, and "
                        "unknown there (%s)",
                        reader->path, (unsigned long long)reader->rows_unheld,
                        reader->rows_unheld == 1 ? " has" : "s have", reader->unheld);
    if (reader->rows_bad > BAD_ROWS_NAMED_MAX)
        archive_problem(reader->problems, "%s: %llu more bad rows", reader->path,
                        (unsigned long long)(reader->rows_bad - BAD_ROWS_NAMED_MAX));
    return status;
}
