/* The fields of a line, and what one holds as text: a time, a price, an amount. Pure parsing, no
 * I/O, no allocation. Any thread.
 *
 * Each reader returns STATUS_INVALID with a message that begins with `name`, the column. */
#ifndef HEATCAST_SOURCES_ARCHIVE_FIELDS_H
#define HEATCAST_SOURCES_ARCHIVE_FIELDS_H

#include "base/error.h"
#include "base/slice.h"

#define ARCHIVE_FIELDS_MAX 64

/* Splits a line, whose fields may be in double quotes and then hold the separator; quotes and
 * blanks around a field are no part of it. The number of fields, of which at most
 * ARCHIVE_FIELDS_MAX are stored. */
size_t archive_fields_split(struct slice line, char separator,
                            struct slice fields[ARCHIVE_FIELDS_MAX]);

/* Whether it stands for a value that is not known: blank, nan, None, NULL. */
bool archive_field_is_unknown(struct slice field);

/* Whether it begins as numbers and times do. */
bool archive_field_is_numeric(struct slice field);

/* Sets "<name> '<field>' <reason>", or that it is empty. Returns STATUS_INVALID. */
enum status archive_field_wrong(const char *name, struct slice field, const char *reason,
                                struct error *error);

/* Seconds, milliseconds, microseconds or nanoseconds since 1970, by their magnitude, as a whole
 * number or not ("1764547200000.0", "1.7645472e+12"); or a date and a time of day, UTC unless there
 * is an offset. */
enum status archive_field_time(const char *name, struct slice field, int64_t *time_ms,
                               struct error *error);

enum status archive_field_price(const char *name, struct slice field, int64_t *price_e8,
                                struct error *error); /* above 0 */

/* An amount that the model can do without: what is unknown, or too large for `max_e8`, is not
 * known. */
enum status archive_field_amount(const char *name, struct slice field, int64_t max_e8,
                                 bool *is_known, int64_t *value_e8, struct error *error);

/* The same for a whole number that fits an INTEGER. */
enum status archive_field_count(const char *name, struct slice field, bool *is_known,
                                int64_t *count, struct error *error);

#endif
