/* What people and programs write in a field of a CSV file. The rules are in small functions, so
 * that a message always names the column, what it holds, and what would be right.
 *
 * A number that a table cannot hold is unknown rather than wrong where no model uses it: some coins
 * trade trillions of units, and their candles are good all the same. */
#include "sources/archive/fields.h"

#include "base/decimal.h"
#include "base/iso_time.h"
#include "store/row.h"

#include <math.h>

/* Years 2000 to 2100: the units of such times cannot be confused. */
#define TIME_MIN_MS INT64_C(946684800000)
#define TIME_MAX_MS INT64_C(4102444800000)

/* -- splitting --------------------------------------------------------------------------------- */

/* What a field holds that begins with a quote: up to the quote that ends it. Two quotes stand for
 * one, which no field that is read holds. False, and nothing is removed, if no quote ends it. */
static bool take_quoted(struct slice *rest, struct slice *text)
{
    struct slice after = *rest;
    slice_take(&after, 1);
    const char *begin = after.data, *quote;
    while ((quote = after.size > 0 ? memchr(after.data, '"', after.size) : NULL) != NULL) {
        slice_take(&after, (size_t)(quote - after.data) + 1);
        if (!slice_try_take(&after, "\"")) {
            *text = slice_trim((struct slice){begin, (size_t)(quote - begin)});
            *rest = after;
            return true;
        }
    }
    return false;
}

/* Removes a field and the separator behind it. False: it was the last one. */
static bool take_field(struct slice *rest, char separator, struct slice *field)
{
    struct slice text, behind, whole = *rest;
    while (rest->size > 0 && rest->data[0] == ' ')
        slice_take(rest, 1);
    bool is_quoted = rest->size > 0 && rest->data[0] == '"' && take_quoted(rest, &text);
    bool has_more = slice_split(rest, separator, &behind);
    behind = slice_trim(behind);
    *field = is_quoted && behind.size == 0
                 ? text
                 : slice_trim((struct slice){whole.data, whole.size - rest->size - has_more});
    return has_more;
}

size_t archive_fields_split(struct slice line, char separator,
                            struct slice fields[ARCHIVE_FIELDS_MAX])
{
    struct slice field;
    size_t count = 0;
    for (bool has_more = true; has_more; count++) {
        has_more = take_field(&line, separator, &field);
        if (count < ARCHIVE_FIELDS_MAX)
            fields[count] = field;
    }
    return count;
}

bool archive_field_is_unknown(struct slice field)
{
    static const char *const words[] = {"", "nan", "none", "null", "nat", "na", "n/a", "<na>"};
    for (size_t i = 0; i < sizeof words / sizeof words[0] && field.size <= 4; i++)
        if (slice_equals_ignoring_case(field, words[i]))
            return true;
    return false;
}

bool archive_field_is_numeric(struct slice field)
{
    if (field.size > 1 && (field.data[0] == '-' || field.data[0] == '+' || field.data[0] == '.'))
        slice_take(&field, 1);
    return field.size > 0 && field.data[0] >= '0' && field.data[0] <= '9';
}

enum status archive_field_wrong(const char *name, struct slice field, const char *reason,
                                struct error *error)
{
    if (field.size == 0)
        return error_set(error, STATUS_INVALID, "%s is empty", name);
    return error_set(error, STATUS_INVALID, "%s '%.*s' %s", name, slice_arguments(field), reason);
}

/* -- times ------------------------------------------------------------------------------------- */

static bool is_time(int64_t time_ms)
{
    return time_ms >= TIME_MIN_MS && time_ms < TIME_MAX_MS;
}

/* A whole number of any unit. */
static bool read_epoch(uint64_t number, int64_t *time_ms)
{
    static const uint64_t per_ms[] = {1, 1000, 1000000};
    *time_ms = number <= (uint64_t)TIME_MAX_MS / 1000 ? (int64_t)number * 1000 : 0;
    for (size_t i = 0; i < 3 && !is_time(*time_ms); i++)
        if (number / per_ms[i] < (uint64_t)TIME_MAX_MS)
            *time_ms = (int64_t)(number / per_ms[i]);
    return is_time(*time_ms);
}

/* A number with a point or an exponent, as programs write that hold times as binary fractions. */
static bool read_fraction(double number, int64_t *time_ms)
{
    if (!(number >= 0 && number < 1e19))
        return false;
    if (number < (double)TIME_MAX_MS / 1000) {
        *time_ms = (int64_t)llround(number * 1000);
        return is_time(*time_ms);
    }
    return read_epoch((uint64_t)number, time_ms);
}

enum status archive_field_time(const char *name, struct slice field, int64_t *time_ms,
                               struct error *error)
{
    uint64_t number;
    double fraction;
    bool is_possible;
    if (slice_parse_unsigned(field, UINT64_MAX, &number))
        is_possible = read_epoch(number, time_ms);
    else if (slice_parse_double(field, &fraction))
        is_possible = read_fraction(fraction, time_ms);
    else if (iso_time_parse(field.data, field.size, time_ms))
        is_possible = is_time(*time_ms);
    else
        return archive_field_wrong(name, field,
                                   "is not a time (milliseconds, or YYYY-MM-DD HH:MM:SS)", error);
    if (!is_possible)
        return archive_field_wrong(name, field, "is not a time between 2000 and 2100", error);
    return STATUS_OK;
}

/* -- numbers ----------------------------------------------------------------------------------- */

enum number { NUMBER_OK, NUMBER_TOO_LARGE, NUMBER_NONE };

static enum number parse_number(struct slice field, int64_t max_e8, int64_t *value_e8)
{
    double value;
    if (decimal_parse(field.data, field.size, value_e8))
        return *value_e8 <= max_e8 ? NUMBER_OK : NUMBER_TOO_LARGE;
    return slice_parse_double(field, &value) && value > 0 ? NUMBER_TOO_LARGE : NUMBER_NONE;
}

enum status archive_field_price(const char *name, struct slice field, int64_t *price_e8,
                                struct error *error)
{
    switch (parse_number(field, ROW_DECIMAL_MAX_E8, price_e8)) {
    case NUMBER_NONE:
        return archive_field_wrong(name, field, "is not a number", error);
    case NUMBER_TOO_LARGE:
        return archive_field_wrong(name, field, "has more than 10 digits before the point", error);
    case NUMBER_OK:
        break;
    }
    return *price_e8 > 0 ? STATUS_OK : archive_field_wrong(name, field, "is not above 0", error);
}

enum status archive_field_amount(const char *name, struct slice field, int64_t max_e8,
                                 bool *is_known, int64_t *value_e8, struct error *error)
{
    *is_known = false;
    *value_e8 = 0;
    if (archive_field_is_unknown(field))
        return STATUS_OK;
    enum number number = parse_number(field, max_e8, value_e8);
    if (number == NUMBER_NONE)
        return archive_field_wrong(name, field, "is not a number", error);
    if (*value_e8 < 0)
        return archive_field_wrong(name, field, "is below 0", error);
    *is_known = number == NUMBER_OK;
    return STATUS_OK;
}

enum status archive_field_count(const char *name, struct slice field, bool *is_known,
                                int64_t *count, struct error *error)
{
    int64_t value_e8;
    enum status status =
        archive_field_amount(name, field, INT32_MAX * DECIMAL_ONE, is_known, &value_e8, error);
    if (status == STATUS_OK && *is_known && value_e8 % DECIMAL_ONE != 0)
        return archive_field_wrong(name, field, "is not a whole number", error);
    *count = value_e8 / DECIMAL_ONE;
    return status;
}
