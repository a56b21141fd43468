/* Rows of the Binance public archive as text: pure parsing, no I/O, no allocation. */
#ifndef HEATCAST_SOURCES_ARCHIVE_IMPORT_ROW_H
#define HEATCAST_SOURCES_ARCHIVE_IMPORT_ROW_H

#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>

/* Whether a line is a header (its first field starts with a letter) or blank: to be passed over. */
bool import_row_is_header(const char *line, size_t size);
bool import_row_is_blank(const char *line, size_t size);

/* One line without its line end. Fills everything but the symbol. STATUS_INVALID says which field
 * is wrong and why. */
enum status import_row_kline(const char *line, size_t size, struct kline_row *row,
                             struct error *error);

/* One line without its line end. Fills the symbol from the row. A row with an open interest of 0 is
 * valid (missing data that the queries pass over), one without is not. */
enum status import_row_interest(const char *line, size_t size, struct interest_row *row,
                                struct error *error);

#endif
