/* One row of the archive. The rules of a field live in the small functions here, so that a message
 * always names the column, what it holds, and what would be right.
 *
 * Only what the model needs makes a row bad: times, prices, open interest, and volume, which is
 * shown. In the other columns an empty field is unknown, and so is a number that the tables cannot
 * hold; some coins trade trillions of units, and their candles are good all the same. */
#include "sources/archive/import_row.h"

#include "base/decimal.h"
#include "base/iso_time.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { KLINE_FIELDS = 12, INTEREST_FIELDS = 8, FIELDS_MAX = 12, SHOWN_MAX = 40 };

/* Years 2000 to 2100: seconds, milliseconds and microseconds of such times cannot be confused. */
#define TIME_MIN_MS INT64_C(946684800000)
#define TIME_MAX_MS INT64_C(4102444800000)

/* What DECIMAL(18,8) holds: ten digits before the point. */
#define DECIMAL_18_8_MAX INT64_C(999999999999999999)

struct field {
    const char *text;
    size_t size;
};

/* -- fields ------------------------------------------------------------------------------------ */

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static struct field trim(struct field field)
{
    while (field.size > 0 && is_space(field.text[0])) {
        field.text++;
        field.size--;
    }
    while (field.size > 0 && is_space(field.text[field.size - 1]))
        field.size--;
    return field;
}

/* Takes "..." off a field; quoted fields with commas or quotes in them do not occur in numbers. */
static struct field unquote(struct field field)
{
    if (field.size >= 2 && field.text[0] == '"' && field.text[field.size - 1] == '"')
        return trim((struct field){field.text + 1, field.size - 2});
    return field;
}

/* Splits at the commas; the number of fields, of which at most FIELDS_MAX are stored. */
static size_t split(const char *line, size_t size, struct field fields[FIELDS_MAX])
{
    size_t count = 0;
    for (const char *at = line, *end = line + size;;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma != NULL ? comma : end;
        if (count < FIELDS_MAX)
            fields[count] = unquote(trim((struct field){at, (size_t)(stop - at)}));
        count++;
        if (comma == NULL)
            return count;
        at = comma + 1;
    }
}

static enum status wrong(const char *name, struct field field, const char *reason,
                         struct error *error)
{
    if (field.size == 0)
        return error_set(error, STATUS_INVALID, "%s is empty", name);
    return error_set(error, STATUS_INVALID, "%s '%.*s' %s", name,
                     (int)(field.size < SHOWN_MAX ? field.size : SHOWN_MAX), field.text, reason);
}

/* -- numbers ----------------------------------------------------------------------------------- */

enum number { NUMBER_OK, NUMBER_TOO_LARGE, NUMBER_NONE };

static enum number parse_number(struct field field, int64_t max_e8, int64_t *value_e8)
{
    char copy[64];
    if (decimal_parse(field.text, field.size, value_e8))
        return *value_e8 <= max_e8 ? NUMBER_OK : NUMBER_TOO_LARGE;
    if (field.size == 0 || field.size >= sizeof copy)
        return NUMBER_NONE;
    memcpy(copy, field.text, field.size);
    copy[field.size] = '\0';
    char *end;
    double value = strtod(copy, &end);
    bool is_plain = strspn(copy, "+-.0123456789eE") == field.size && *end == '\0';
    return is_plain && value > 0 ? NUMBER_TOO_LARGE : NUMBER_NONE;
}

static enum status parse_price(const char *name, struct field field, int64_t *price_e8,
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
static enum status parse_optional(const char *name, struct field field, int64_t max_e8,
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

static enum status parse_count(const char *name, struct field field, bool *is_known, int64_t *count,
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

static bool is_time(int64_t time_ms)
{
    return time_ms >= TIME_MIN_MS && time_ms < TIME_MAX_MS;
}

/* Digits alone are seconds, milliseconds or microseconds since 1970, told by magnitude; anything
 * else is a date and a time of day in UTC. */
static enum status parse_time(const char *name, struct field field, int64_t *time_ms,
                              struct error *error)
{
    int64_t number = 0;
    size_t digits = 0;
    for (; digits < field.size && isdigit((unsigned char)field.text[digits]); digits++)
        if (number < INT64_MAX / 10 - 1)
            number = number * 10 + (field.text[digits] - '0');
    if (digits == field.size && digits > 0) {
        if (is_time(number / 1000))
            *time_ms = number / 1000;
        else if (is_time(number))
            *time_ms = number;
        else if (number < TIME_MAX_MS / 1000 && is_time(number * 1000))
            *time_ms = number * 1000;
        else
            return wrong(name, field, "is not a time between 2000 and 2100", error);
        return STATUS_OK;
    }
    if (!iso_time_parse(field.text, field.size, time_ms))
        return wrong(name, field, "is not a time (milliseconds, or YYYY-MM-DD HH:MM:SS)", error);
    if (!is_time(*time_ms))
        return wrong(name, field, "is not a time between 2000 and 2100", error);
    return STATUS_OK;
}

static enum status parse_kline_times(struct field open, struct field close, struct kline_row *row,
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

bool import_row_is_blank(const char *line, size_t size)
{
    return trim((struct field){line, size}).size == 0;
}

bool import_row_is_header(const char *line, size_t size)
{
    struct field rest = trim((struct field){line, size});
    if (rest.size > 0 && rest.text[0] == '"')
        rest = (struct field){rest.text + 1, rest.size - 1};
    return rest.size > 0 && isalpha((unsigned char)rest.text[0]);
}

static enum status parse_prices(const struct field fields[FIELDS_MAX], struct candle *candle,
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

static enum status parse_volume(struct field field, struct kline_row *row, struct error *error)
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

enum status import_row_kline(const char *line, size_t size, struct kline_row *row,
                             struct error *error)
{
    struct field fields[FIELDS_MAX];
    size_t count = split(line, size, fields);
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

enum status import_row_interest(const char *line, size_t size, struct interest_row *row,
                                struct error *error)
{
    struct field fields[FIELDS_MAX];
    size_t count = split(line, size, fields);
    *row = (struct interest_row){0};
    if (count != INTEREST_FIELDS)
        return error_set(error, STATUS_INVALID, "column count is %zu instead of %d", count,
                         INTEREST_FIELDS);
    enum status status = parse_time("create_time", fields[0], &row->timestamp_ms, error);
    if (status != STATUS_OK)
        return status;
    if (!value_is_symbol(fields[1].text, fields[1].size))
        return wrong("symbol", fields[1], "is not a symbol (1 to 20 of A-Z, 0-9, _ and -)", error);
    memcpy(row->symbol, fields[1].text, fields[1].size);
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
