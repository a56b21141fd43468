/* Rows of the Binance public archive as text: pure parsing, no I/O, no allocation. Any thread. */
#ifndef HEATCAST_SOURCES_ARCHIVE_ROWS_H
#define HEATCAST_SOURCES_ARCHIVE_ROWS_H

#include "base/error.h"
#include "base/slice.h"
#include "store/row.h"

/* What a line is if it is no row. A header's first field starts with a letter; that of klines is
 * `open_time`, that of open interest `create_time`. */
bool archive_row_is_blank(struct slice line);
bool archive_row_is_header(struct slice line);
bool archive_row_is_kline_header(struct slice line);
bool archive_row_is_interest_header(struct slice line);

/* One line without its line end. Fills everything but the symbol. STATUS_INVALID says which field
 * is wrong and why. */
enum status archive_row_read_kline(struct slice line, struct kline_row *row, struct error *error);

/* One line without its line end. Fills the symbol from the row. A row with an open interest of 0 is
 * valid (missing data that no model uses), one without is not. */
enum status archive_row_read_interest(struct slice line, struct interest_row *row,
                                      struct error *error);

#endif
