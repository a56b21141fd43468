/* Files are read and parsed by threads, several at a time, ahead of the one that stores what they
 * hold. What they give comes in the order of the files, whatever thread had them, and piece by
 * piece, so that memory is bounded however large a file is.
 *
 *     of each file:   (TABLE_BEGIN  (ROWS | REPORT)*  TABLE_END | REPORT)*  FILE_END
 *
 * A table is a CSV file: the file itself, or a member of the archive that it is. One thread takes
 * the items; each is its to free. */
#ifndef HEATCAST_SOURCES_ARCHIVE_PARSE_H
#define HEATCAST_SOURCES_ARCHIVE_PARSE_H

#include "base/list.h"
#include "sources/archive/columns.h"
#include "sources/archive/names.h"
#include "sources/archive/problems.h"
#include "sources/archive/walk.h"
#include "store/row.h"

enum archive_item_kind {
    ARCHIVE_TABLE_BEGIN,
    ARCHIVE_ROWS,
    ARCHIVE_REPORT,
    ARCHIVE_TABLE_END,
    ARCHIVE_FILE_END,
};

#define ARCHIVE_BLOCK_ROWS 512 /* at most, in an item */

struct archive_item {
    struct list link; /* in a list of the taker's */
    enum archive_item_kind kind;
    uint64_t bytes_read; /* of the file, packed, so far */
    union {
        struct {
            char *path; /* for messages; of a member "<archive>/<member>" */
            enum archive_market market;
        } table;
        struct {
            enum import_kind kind;
            size_t count;
            struct kline_row *klines; /* or the other, by the kind; their origin is the line */
            struct interest_row *interest;
            struct liquidation_row *liquidations;
        } rows;
        struct {
            enum archive_report report;
            char *text, *reason; /* as in problems.h */
        } report;
        struct {
            enum import_kind kind;
            uint64_t rows_read, rows_bad;
            bool is_usable; /* there was a row that is good, or at least none that is bad */
        } table_end;
        bool is_broken; /* at the file's end: nothing of it may be used, which was reported */
    };
};

struct archive_parse_options {
    const struct archive_walk *walk; /* the files, and which are wanted; outlives the threads */
    int64_t time_max_ms;             /* of rows */
    bool is_strict;
    size_t thread_count;
};

struct archive_parse;

struct archive_parse *archive_parse_start(const struct archive_parse_options *options);

/* The next item of the file that is taken from, and after the file's end the first one of the next
 * file. Blocks until there is one; to be called only while there is. */
struct archive_item *archive_parse_next(struct archive_parse *parse);

/* Ends the threads, and frees all items that were not taken. */
void archive_parse_stop(struct archive_parse *parse);

void archive_item_free(struct archive_item *item);

#endif
