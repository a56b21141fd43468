/* Which field of a line is what, by the header that stands over it, or by where the fields of the
 * public archive stand. Pure. Any thread. */
#ifndef HEATCAST_SOURCES_ARCHIVE_COLUMNS_H
#define HEATCAST_SOURCES_ARCHIVE_COLUMNS_H

#include "base/error.h"
#include "base/slice.h"

/* Liquidations are not of the archive: they are as heatcast writes them (docs/protocol.md). */
enum import_kind { IMPORT_KLINES, IMPORT_INTEREST, IMPORT_LIQUIDATIONS, IMPORT_KIND_COUNT };

enum archive_column {
    COLUMN_TIME, /* when a candle opens, or open interest was so */
    COLUMN_SYMBOL,
    COLUMN_OPEN,
    COLUMN_HIGH,
    COLUMN_LOW,
    COLUMN_CLOSE,
    COLUMN_VOLUME,
    COLUMN_CLOSE_TIME,
    COLUMN_QUOTE_VOLUME,
    COLUMN_TRADE_COUNT,
    COLUMN_TAKER_BUY_VOLUME,
    COLUMN_TAKER_BUY_QUOTE_VOLUME,
    COLUMN_CONTRACTS,
    COLUMN_VALUE,
    COLUMN_EXCHANGE,
    COLUMN_SIDE,
    COLUMN_PRICE,
    COLUMN_QUANTITY,
    COLUMN_QUOTE_VALUE,
    COLUMN_ID,
    COLUMN_COUNT
};

struct archive_columns {
    enum import_kind kind;
    char separator; /* a comma, a semicolon or a tab */
    size_t field_count;
    size_t named_count;   /* of the fields, up to the last one that has a name */
    int at[COLUMN_COUNT]; /* where the column is; -1: there is none */
};

/* Whether a line is a header: of two fields or more, of which none begins as numbers and times do.
 */
bool archive_line_is_header(struct slice line);

/* Whether a line may stand before a header: a comment, or the address that a file came from. */
bool archive_line_is_preamble(struct slice line);

/* Reads a header: columns in any order, under any of the names that they usually have, with others
 * among them. STATUS_NOT_FOUND: none of them is known. STATUS_INVALID names what is missing or
 * given twice. */
enum status archive_columns_read(struct slice header, struct archive_columns *columns,
                                 struct error *error);

/* The columns of a file without a header, whose first line is `line`: those of the archive (12 of
 * klines, 8 of open interest), or the 6 of klines that matter. */
void archive_columns_guess(enum import_kind kind, struct slice line,
                           struct archive_columns *columns);

#endif
