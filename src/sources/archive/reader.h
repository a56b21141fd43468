/* One file of the archive, or a member of one, row by row: what its name and its lines say, and
 * which rows are good. Knows no database; the rows go to a sink. One thread.
 *
 *     struct archive_reader reader = {.path = ..., .lines = {.input = ...}, ...};
 *     status = archive_reader_run(&reader, &error); */
#ifndef HEATCAST_SOURCES_ARCHIVE_READER_H
#define HEATCAST_SOURCES_ARCHIVE_READER_H

#include "sources/archive/candle_check.h"
#include "sources/archive/columns.h"
#include "sources/archive/lines.h"
#include "sources/archive/names.h"
#include "sources/archive/problems.h"
#include "store/row.h"

/* Where good rows go. Any status but OK ends the file; STATUS_INVALID and STATUS_NO_DATA are the
 * reader's own. */
struct archive_sink {
    enum status (*on_kline)(const struct kline_row *row, void *context, struct error *error);
    enum status (*on_interest)(const struct interest_row *row, void *context, struct error *error);
    enum status (*on_liquidation)(const struct liquidation_row *row, void *context,
                                  struct error *error);
    void *context;
};

struct archive_reader {
    /* Set before; owned by the caller, and valid as long as the reader. */
    const char *path;    /* its name, and for messages; of a member "<archive>/<member>" */
    const char *archive; /* the path of the archive that it is a member of, or NULL */
    const char *symbol; /* of rows that do not name theirs, and the only one to be taken; or NULL */
    const struct archive_problems *problems; /* bad rows, of a file at most a hundred */
    const struct archive_sink *sink;
    int64_t time_max_ms; /* a later row is bad; 0: there is no limit */
    bool is_strict;      /* the first bad row ends the file */

    /* What was found. */
    bool is_kind_known; /* there was a line with content, or the name says it */
    bool is_broken; /* nothing of the whole file may be used, which was reported (STATUS_NO_DATA) */
    enum import_kind kind;
    uint64_t rows_read, rows_bad;
    uint64_t rows_unheld; /* good ones with a figure that no column can hold */
    char unheld[96];      /* the first of these */
    struct archive_candle_check candle_check;
    struct archive_columns columns;   /* field_count is 0 before the first line with content */
    struct archive_name name;         /* what its path says */
    char symbol_of_file[SYMBOL_SIZE]; /* of rows that do not name theirs; "": there is none */
    struct archive_lines lines;       /* their input is the caller's */
};

/* Reads all lines. STATUS_INVALID: a bad row, and `is_strict`. STATUS_NO_DATA: nothing of it can be
 * used, which was reported. Others come from the sink. */
enum status archive_reader_run(struct archive_reader *reader, struct error *error);

#endif
