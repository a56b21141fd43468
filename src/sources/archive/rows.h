/* Rows of candles and open interest as text: pure parsing, no I/O, no allocation. Any thread. */
#ifndef HEATCAST_SOURCES_ARCHIVE_ROWS_H
#define HEATCAST_SOURCES_ARCHIVE_ROWS_H

#include "base/error.h"
#include "base/slice.h"
#include "sources/archive/columns.h"
#include "store/row.h"

/* A figure that a model can do without and that the tables' columns cannot hold: it is not known
 * then. The first of a row; its name is "" where there is none. */
struct archive_unheld {
    const char *name;   /* constant */
    struct slice value; /* in the line */
};

/* One line without its line end. The symbol is the row's, or "" where there is no such column; the
 * close time is 0 where it is not given. STATUS_INVALID says which field is wrong and why; what
 * stands before it in (open time, volume, prices) is filled in all the same, also the price that is
 * wrong because it is not above 0. */
enum status archive_row_read_kline(const struct archive_columns *columns, struct slice line,
                                   struct kline_row *row, struct archive_unheld *unheld,
                                   struct error *error);

/* The same. A row with an open interest of 0 is valid (missing data that no model uses), one
 * without is not. */
enum status archive_row_read_interest(const struct archive_columns *columns, struct slice line,
                                      struct interest_row *row, struct archive_unheld *unheld,
                                      struct error *error);

/* The same of a liquidation, of which every column is there and none may be unknown. */
enum status archive_row_read_liquidation(const struct archive_columns *columns, struct slice line,
                                         struct liquidation_row *row, struct error *error);

#endif
