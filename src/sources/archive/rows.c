/* One row of the archive (docs/model.md, "Files"). The rules of a field live in the small functions
 * here, so that a message always names the column, what it holds, and what would be right.
 *
 * Only what the model needs makes a row bad: times, prices, open interest, and volume, which is
 * shown. In the other columns an empty field is unknown, and so is a number that the tables cannot
 * hold; some coins trade trillions of units, and their candles are good all the same. */
#include "sources/archive/rows.h"

#include "base/decimal.h"
#include "base/iso_time.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { KLINE_FIELDS = 12, INTEREST_FIELDS = 8, FIELDS_MAX = 12 };

/* Years 2000 to 2100: seconds, milliseconds and microseconds of such times cannot be confused. */
#define TIME_MIN_MS INT64_C(946684800000)
#define TIME_MAX_MS INT64_C(4102444800000)

/* What DECIMAL(18,8) holds: ten digits before the point. */
#define DECIMAL_18_8_MAX INT64_C(999999999999999999)

/* -- fields ------------------------------------------------------------------------------------ */

/* Takes "..." off a field; quoted fields with commas or quotes in them do not occur in numbers. */
static struct slice unquote(struct slice field)
{
    if (field.size >= 2 && field.data[0] == '"' && field.data[field.size - 1] == '"')
        return slice_trim((struct slice){field.data + 1, field.size - 2});
    return field;
}

/* Splits at the commas; the number of fields, of which at most FIELDS_MAX are stored. */
static size_t split(struct slice line, struct slice fields[FIELDS_MAX])
{
    struct slice_list list = {.rest = line};
    struct slice field;
    size_t count = 0;
    for (; slice_list_next(&list, ',', &field); count++)
        if (count < FIELDS_MAX)
            fields[count] = unquote(field);
    return count;
}

static enum status wrong(const char *name, struct slice field, const char *reason,
                         struct error *error)
{
    if (field.size == 0)
        return error_set(error, STATUS_INVALID, "%s is empty", name);
    return error_set(error, STATUS_INVALID, "%s '%.*s' %s", name, slice_arguments(field), reason);
}

/* -- numbers ----------------------------------------------------------------------------------- */

enum number { NUMBER_OK, NUMBER_TOO_LARGE, NUMBER_NONE };

static enum number parse_number(struct slice field, int64_t max_e8, int64_t *value_e8)
{
    char copy[64], *end;
    if (decimal_parse(field.data, field.size, value_e8))
        return *value_e8 <= max_e8 ? NUMBER_OK : NUMBER_TOO_LARGE;
    if (field.size == 0 || !slice_copy(field, copy, sizeof copy))
        return NUMBER_NONE;
    double value = strtod(copy, &end);
    bool is_plain = strspn(copy, "+-.0123456789eE") == field.size && *end == '\0';
    return is_plain && value > 0 ? NUMBER_TOO_LARGE : NUMBER_NONE;
}

static enum status parse_price(const char *name, struct slice field, int64_t *price_e8,
                               struct error *error)
{
    switch (parse_number(field, DECIMAL_18_8_MAX, price_e8)) {
    case NUMBER_NONE:
        return wrong(name, field, "is not a number", error);
    case NUMBER_TOO_LARGE:
        return wrong(name, field, "has more than 10 digits before the point", error);
    case NUMBER_OK:
        break;
    }
    return *price_e8 > 0 ? STATUS_OK : wrong(name, field, "is not above 0", error);
}

/* An amount that the model can do without: empty or too large for `max_e8` is unknown. */
static enum status parse_optional(const char *name, struct slice field, int64_t max_e8,
                                  bool *is_known, int64_t *value_e8, struct error *error)
{
    *is_known = false;
    *value_e8 = 0;
    if (field.size == 0)
        return STATUS_OK;
    enum number number = parse_number(field, max_e8, value_e8);
    if (number == NUMBER_NONE)
        return wrong(name, field, "is not a number", error);
    if (*value_e8 < 0)
        return wrong(name, field, "is below 0", error);
    *is_known = number == NUMBER_OK;
    return STATUS_OK;
}

static enum status parse_count(const char *name, struct slice field, bool *is_known, int64_t *count,
                               struct error *error)
{
    int64_t value_e8;
    enum status status =
        parse_optional(name, field, INT32_MAX * DECIMAL_ONE, is_known, &value_e8, error);
    if (status == STATUS_OK && *is_known && value_e8 % DECIMAL_ONE != 0)
        return wrong(name, field, "is not a whole number", error);
    *count = value_e8 / DECIMAL_ONE;
    return status;
}

/* -- times ------------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_time(int64_t time_ms)
{
    return time_ms >= TIME_MIN_MS && time_ms < TIME_MAX_MS;
}

/* Digits alone are seconds, milliseconds or microseconds since 1970, by their magnitude. */
static bool read_epoch(struct slice digits, int64_t *time_ms)
{
    uint64_t number;
    *time_ms = 0;
    if (!slice_parse_unsigned(digits, INT64_MAX / 1000, &number))
        return false;
    const int64_t as_s = (int64_t)number * 1000, as_ms = (int64_t)number, as_us = as_ms / 1000;
    *time_ms = is_time(as_us) ? as_us : is_time(as_ms) ? as_ms : as_s;
    return is_time(*time_ms);
}

/* Anything but digits alone is a date and a time of day in UTC. */
static enum status parse_time(const char *name, struct slice field, int64_t *time_ms,
                              struct error *error)
{
    struct slice rest = field;
    slice_take_while(&rest, is_digit);
    bool is_epoch = field.size > 0 && rest.size == 0;
    if (!is_epoch && !iso_time_parse(field.data, field.size, time_ms))
        return wrong(name, field, "is not a time (milliseconds, or YYYY-MM-DD HH:MM:SS)", error);
    if (is_epoch ? !read_epoch(field, time_ms) : !is_time(*time_ms))
        return wrong(name, field, "is not a time between 2000 and 2100", error);
    return STATUS_OK;
}

static enum status parse_kline_times(struct slice open, struct slice close, struct kline_row *row,
                                     struct error *error)
{
    int64_t open_ms;
    enum status status = parse_time("open_time", open, &open_ms, error);
    if (status != STATUS_OK)
        return status;
    if (open_ms % CANDLE_MS != 0)
        return wrong("open_time", open, "is not a multiple of 5 minutes", error);
    row->candle.open_time_ms = open_ms;
    row->close_time_ms = open_ms + CANDLE_MS - 1;
    if (close.size == 0)
        return STATUS_OK;
    status = parse_time("close_time", close, &row->close_time_ms, error);
    if (status != STATUS_OK)
        return status;
    if (row->close_time_ms < open_ms + CANDLE_MS - 1000 || row->close_time_ms > open_ms + CANDLE_MS)
        return wrong("close_time", close, "is not 5 minutes after open_time", error);
    return STATUS_OK;
}

/* -- rows -------------------------------------------------------------------------------------- */

bool archive_row_is_blank(struct slice line)
{
    return slice_trim(line).size == 0;
}

/* The line from its first field on, without a quote before it. */
static struct slice from_first_field(struct slice line)
{
    line = slice_trim(line);
    slice_try_take(&line, "\"");
    return line;
}

bool archive_row_is_header(struct slice line)
{
    line = from_first_field(line);
    return line.size > 0 && isalpha((unsigned char)line.data[0]);
}

bool archive_row_is_kline_header(struct slice line)
{
    return slice_starts_with(from_first_field(line), "open_time");
}

bool archive_row_is_interest_header(struct slice line)
{
    return slice_starts_with(from_first_field(line), "create_time");
}

static enum status parse_prices(const struct slice fields[FIELDS_MAX], struct candle *candle,
                                struct error *error)
{
    enum status status = parse_price("open", fields[1], &candle->open_e8, error);
    if (status == STATUS_OK)
        status = parse_price("high", fields[2], &candle->high_e8, error);
    if (status == STATUS_OK)
        status = parse_price("low", fields[3], &candle->low_e8, error);
    if (status == STATUS_OK)
        status = parse_price("close", fields[4], &candle->close_e8, error);
    if (status != STATUS_OK)
        return status;
    if (candle->high_e8 < candle->open_e8 || candle->high_e8 < candle->close_e8)
        return wrong("high", fields[2], "is below open or close", error);
    if (candle->low_e8 > candle->open_e8 || candle->low_e8 > candle->close_e8)
        return wrong("low", fields[3], "is above open or close", error);
    return STATUS_OK;
}

static enum status parse_volume(struct slice field, struct kline_row *row, struct error *error)
{
    bool is_known;
    if (field.size == 0)
        return wrong("volume", field, "", error);
    enum status status =
        parse_optional("volume", field, DECIMAL_18_8_MAX, &is_known, &row->volume_e8, error);
    row->candle.volume = is_known ? decimal_to_double(row->volume_e8) : 0;
    if (!is_known)
        row->volume_e8 = -1;
    return status;
}

enum status archive_row_read_kline(struct slice line, struct kline_row *row, struct error *error)
{
    struct slice fields[FIELDS_MAX];
    size_t count = split(line, fields);
    *row = (struct kline_row){0};
    if (count != KLINE_FIELDS)
        return error_set(error, STATUS_INVALID, "column count is %zu instead of %d", count,
                         KLINE_FIELDS);
    enum status status = parse_kline_times(fields[0], fields[6], row, error);
    if (status == STATUS_OK)
        status = parse_prices(fields, &row->candle, error);
    if (status == STATUS_OK)
        status = parse_volume(fields[5], row, error);
    if (status == STATUS_OK)
        status = parse_optional("quote_volume", fields[7], INT64_MAX, &row->has_quote_volume,
                                &row->quote_volume_e8, error);
    if (status == STATUS_OK)
        status = parse_count("count", fields[8], &row->has_count, &row->count, error);
    if (status == STATUS_OK)
        status = parse_optional("taker_buy_volume", fields[9], DECIMAL_18_8_MAX,
                                &row->has_taker_buy_volume, &row->taker_buy_volume_e8, error);
    if (status == STATUS_OK)
        status = parse_optional("taker_buy_quote_volume", fields[10], INT64_MAX,
                                &row->has_taker_buy_quote_volume, &row->taker_buy_quote_volume_e8,
                                error);
    return status;
}

enum status archive_row_read_interest(struct slice line, struct interest_row *row,
                                      struct error *error)
{
    struct slice fields[FIELDS_MAX];
    size_t count = split(line, fields);
    *row = (struct interest_row){0};
    if (count != INTEREST_FIELDS)
        return error_set(error, STATUS_INVALID, "column count is %zu instead of %d", count,
                         INTEREST_FIELDS);
    enum status status = parse_time("create_time", fields[0], &row->timestamp_ms, error);
    if (status != STATUS_OK)
        return status;
    if (fields[1].size == 0)
        return wrong("symbol", fields[1], "", error);
    status = value_parse_symbol(fields[1], row->symbol, error);
    if (status != STATUS_OK) {
        error_prefix(error, "symbol");
        return status;
    }
    status = parse_optional("sum_open_interest", fields[2], DECIMAL_18_8_MAX, &row->has_contracts,
                            &row->contracts_e8, error);
    if (status != STATUS_OK)
        return status;
    if (fields[3].size == 0)
        return wrong("sum_open_interest_value", fields[3], "", error);
    bool is_known;
    status = parse_optional("sum_open_interest_value", fields[3], INT64_MAX, &is_known,
                            &row->value_e8, error);
    if (status == STATUS_OK && !is_known)
        return wrong("sum_open_interest_value", fields[3], "is above 92 billion", error);
    return status;
}
