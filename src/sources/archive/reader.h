/* One file of the archive, or a member of one, row by row: what its name and its lines say, and
 * which rows are good. Knows no database; the rows go to a sink. One thread.
 *
 *     struct archive_reader reader = {.path = ..., .lines = {.input = ...}, ...};
 *     if (archive_reader_settle_name(&reader))
 *         status = archive_reader_run(&reader, &error); */
#ifndef HEATCAST_SOURCES_ARCHIVE_READER_H
#define HEATCAST_SOURCES_ARCHIVE_READER_H

#include "sources/archive/lines.h"
#include "sources/archive/problems.h"
#include "store/row.h"

enum import_kind { IMPORT_KLINES, IMPORT_INTEREST, IMPORT_KIND_COUNT };

/* Where good rows go. Any status but OK ends the file; STATUS_INVALID is a row's alone. */
struct archive_sink {
    enum status (*on_kline)(const struct kline_row *row, void *context, struct error *error);
    enum status (*on_interest)(const struct interest_row *row, void *context, struct error *error);
    void (*on_progress)(void *context); /* after every few thousand rows */
    void *context;
};

struct archive_reader {
    /* Set before; owned by the caller, and valid as long as the reader. */
    const char *path;    /* its name, and for messages; of a member "<archive>/<member>" */
    const char *archive; /* the path of the archive that it is a member of, or NULL */
    const char
        *symbol;    /* of all klines, and the only one to be taken from open interest; or NULL */
    bool is_strict; /* the first bad row ends the file */
    struct archive_problems *problems; /* bad rows, of a file at most a hundred */
    const struct archive_sink *sink;
    struct archive_lines lines; /* their input is the caller's */

    /* What was found. */
    enum import_kind kind;
    bool is_kind_known;             /* there was a line with content, or the name says it */
    char kline_symbol[SYMBOL_SIZE]; /* "" where klines must not come */
    uint64_t rows_read, rows_bad;
    bool is_broken; /* it could not be read to its end, which was reported (STATUS_NO_DATA) */
};

/* Reads the name. False, and reported, if it says that the file cannot be imported. */
bool archive_reader_settle_name(struct archive_reader *reader);

/* Reads all lines. STATUS_INVALID: a bad row, and `is_strict`. STATUS_NO_DATA: nothing of it can be
 * used, which was reported. Others come from the sink. */
enum status archive_reader_run(struct archive_reader *reader, struct error *error);

#endif
