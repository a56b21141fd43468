/* The same exchange writes a price as text, a count as a number, and a time as either, depending on
 * the endpoint and the year. So each figure is taken in every form, by way of its decimal text: a
 * price must not pass through a binary fraction. Of a JSON number jansson keeps a double; its 15
 * digits, which a double holds in any case, are more than any price has.
 *
 * A figure that cannot be stored exactly is told apart from one that is none: prices must be exact,
 * while of a quantity the ninth decimal does not matter. */
#include "sources/collect/exchange_json.h"

#include "base/decimal.h"
#include "base/slice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NUMBER_SIZE = 64, /* of the text of a number; longer ones are none */
    EXPONENT_SHOWN_MAX = 400,
    DECIMALS = 8,
};

#define WHOLE_MAX (INT64_C(1) << 53)

/* Each a thousand years from now in its own unit, and 1970 in the next. */
#define SECONDS_END INT64_C(100000000000)
#define MILLISECONDS_END INT64_C(100000000000000)
#define MICROSECONDS_END INT64_C(100000000000000000)

/* The figure as text; false if it is none. */
static bool number_text(const json_t *value, char text[NUMBER_SIZE])
{
    if (json_is_string(value))
        return slice_copy(slice_of(json_string_value(value)), text, NUMBER_SIZE);
    if (json_is_integer(value))
        snprintf(text, NUMBER_SIZE, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        snprintf(text, NUMBER_SIZE, "%.15g", json_real_value(value));
    else
        return false;
    return true;
}

/* Splits "1.50e-7" into "1.50" and -7. False if what stands behind the e is no small number. */
static bool split_exponent(char *text, int *exponent)
{
    char *mark = strpbrk(text, "eE"), *end;
    *exponent = 0;
    if (mark == NULL)
        return true;
    long number = strtol(mark + 1, &end, 10);
    if (end == mark + 1 || *end != '\0' || labs(number) > EXPONENT_SHOWN_MAX)
        return false;
    *mark = '\0';
    *exponent = (int)number;
    return true;
}

/* Decimals of a number without an exponent, zeros at its end not counted; below 0 for 1200. */
static int count_decimals(const char *text)
{
    const char *point = strchr(text, '.'), *last = text + strlen(text);
    while (last > text && (last[-1] == '0' || last[-1] == '.'))
        last--;
    if (last == text || (last == text + 1 && (*text == '-' || *text == '+')))
        return 0; /* zero */
    if (point == NULL)
        return (int)(last - (text + strlen(text)));
    return last > point ? (int)(last - point - 1) : (int)(last - point);
}

enum exchange_figure exchange_json_decimal(const json_t *value, int shift, int64_t *value_e8,
                                           double *approximate)
{
    char text[NUMBER_SIZE], shifted[NUMBER_SIZE + 16];
    int exponent;
    double number;
    if (!number_text(value, text) || !split_exponent(text, &exponent))
        return EXCHANGE_FIGURE_NONE;
    int size = snprintf(shifted, sizeof shifted, "%se%d", text, exponent + shift);
    if (!slice_parse_double((struct slice){shifted, (size_t)size}, &number))
        return EXCHANGE_FIGURE_NONE;
    if (approximate != NULL)
        *approximate = number;
    if (!decimal_parse(shifted, (size_t)size, value_e8))
        return EXCHANGE_FIGURE_TOO_LARGE;
    bool is_exact = count_decimals(text) - exponent - shift <= DECIMALS;
    return is_exact ? EXCHANGE_FIGURE_EXACT : EXCHANGE_FIGURE_ROUNDED;
}

bool exchange_json_whole(const json_t *value, int64_t *number)
{
    int64_t value_e8;
    double approximate;
    enum exchange_figure figure = exchange_json_decimal(value, 0, &value_e8, &approximate);
    if (figure == EXCHANGE_FIGURE_NONE || figure == EXCHANGE_FIGURE_ROUNDED || approximate < 0 ||
        approximate > (double)WHOLE_MAX)
        return false;
    *number = (int64_t)approximate;
    return (double)*number == approximate;
}

bool exchange_json_time(const json_t *value, int64_t *time_ms)
{
    int64_t number;
    char text[NUMBER_SIZE];
    uint64_t exact;
    /* Nanoseconds are beyond 2^53. */
    if (number_text(value, text) && slice_parse_unsigned(slice_of(text), INT64_MAX, &exact))
        number = (int64_t)exact;
    else if (!exchange_json_whole(value, &number))
        return false;
    if (number <= 0)
        return false;
    if (number < SECONDS_END)
        number *= 1000;
    else if (number >= MICROSECONDS_END)
        number /= 1000000;
    else if (number >= MILLISECONDS_END)
        number /= 1000;
    *time_ms = number;
    return true;
}

const json_t *exchange_json_member(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return value != NULL ? value : json_null();
}

const json_t *exchange_json_at(const json_t *list, size_t index)
{
    const json_t *value = json_array_get(list, index);
    return value != NULL ? value : json_null();
}

const char *exchange_json_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

bool exchange_json_is(const json_t *object, const char *key, const char *text)
{
    const char *value = exchange_json_text(object, key);
    return value != NULL && strcmp(value, text) == 0;
}

const char *exchange_json_show(const json_t *value, char text[EXCHANGE_SHOWN_SIZE])
{
    char number[NUMBER_SIZE];
    if (value == NULL || json_is_null(value))
        snprintf(text, EXCHANGE_SHOWN_SIZE, "nothing");
    else if (json_is_string(value))
        snprintf(text, EXCHANGE_SHOWN_SIZE, "'%.40s'", json_string_value(value));
    else if (number_text(value, number))
        snprintf(text, EXCHANGE_SHOWN_SIZE, "%.44s", number);
    else
        snprintf(text, EXCHANGE_SHOWN_SIZE, "no number");
    return text;
}
