/* Text comes in as lists, pairs, numbers and escapes: settings, queries, headers, rows of files. A
 * loop over two pointers for each of them is where off-by-one errors live. Here each is one
 * function with a test, and a parser reads as the grammar that it parses.
 *
 * Nothing here allocates or remembers anything: a slice is a pointer and a size, passed by value.
 */
#include "base/slice.h"

#include "base/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

bool slice_equals_ignoring_case(struct slice slice, const char *text)
{
    return strlen(text) == slice.size &&
           (slice.size == 0 || strncasecmp(slice.data, text, slice.size) == 0);
}

const char *slice_show(struct slice slice, char text[SLICE_SHOWN_MAX + 1])
{
    snprintf(text, SLICE_SHOWN_MAX + 1, "%.*s", slice_arguments(slice));
    return text;
}

bool slice_starts_with(struct slice slice, const char *prefix)
{
    size_t size = strlen(prefix);
    return slice.size >= size && (size == 0 || memcmp(slice.data, prefix, size) == 0);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct slice slice_trim(struct slice slice)
{
    while (slice.size > 0 && is_blank(slice.data[0]))
        slice.data++, slice.size--;
    while (slice.size > 0 && is_blank(slice.data[slice.size - 1]))
        slice.size--;
    return slice;
}

struct slice slice_take(struct slice *rest, size_t count)
{
    check(count <= rest->size);
    struct slice taken = {rest->data, count};
    if (count > 0)
        rest->data += count;
    rest->size -= count;
    return taken;
}

struct slice slice_take_while(struct slice *rest, bool (*accepts)(char c))
{
    size_t count = 0;
    while (count < rest->size && accepts(rest->data[count]))
        count++;
    return slice_take(rest, count);
}

bool slice_try_take(struct slice *rest, const char *prefix)
{
    if (!slice_starts_with(*rest, prefix))
        return false;
    slice_take(rest, strlen(prefix));
    return true;
}

bool slice_split(struct slice *rest, char separator, struct slice *before)
{
    const char *at = rest->size > 0 ? memchr(rest->data, separator, rest->size) : NULL;
    *before = slice_take(rest, at != NULL ? (size_t)(at - rest->data) : rest->size);
    if (at != NULL)
        slice_take(rest, 1);
    return at != NULL;
}

bool slice_split_last(struct slice *rest, char separator, struct slice *after)
{
    const char *at = rest->size > 0 ? memrchr(rest->data, separator, rest->size) : NULL;
    if (at == NULL) {
        *after = slice_take(rest, rest->size);
        return false;
    }
    struct slice before = slice_take(rest, (size_t)(at - rest->data));
    slice_take(rest, 1);
    *after = *rest;
    *rest = before;
    return true;
}

bool slice_take_word(struct slice *rest, const char *separators, struct slice *word)
{
    size_t count = strlen(separators), size = 0;
    while (rest->size > 0 && memchr(separators, rest->data[0], count) != NULL)
        slice_take(rest, 1);
    while (size < rest->size && memchr(separators, rest->data[size], count) == NULL)
        size++;
    *word = slice_take(rest, size);
    return size > 0;
}

bool slice_list_next(struct slice_list *list, char separator, struct slice *item)
{
    if (list->is_at_end)
        return false;
    list->is_at_end = !slice_split(&list->rest, separator, item);
    *item = slice_trim(*item);
    return true;
}

bool slice_copy(struct slice slice, char *text, size_t size)
{
    if (slice.size >= size || (slice.size > 0 && memchr(slice.data, '\0', slice.size) != NULL))
        return false;
    if (slice.size > 0)
        memcpy(text, slice.data, slice.size);
    text[slice.size] = '\0';
    return true;
}

bool slice_parse_unsigned(struct slice slice, uint64_t max, uint64_t *value)
{
    uint64_t number = 0;
    for (size_t i = 0; i < slice.size; i++) {
        unsigned digit = (unsigned char)slice.data[i] - (unsigned)'0';
        if (digit > 9 || number > (UINT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    if (slice.size == 0 || number > max)
        return false;
    *value = number;
    return true;
}

bool slice_parse_double(struct slice slice, double *value)
{
    /* strtod() accepts more than people expect: hexadecimal, "nan", "infinity", leading blanks. */
    char text[64], *end;
    if (!slice_copy(slice, text, sizeof text) || text[strspn(text, "0123456789+-.eE")] != '\0')
        return false;
    double number = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(number))
        return false;
    *value = number;
    return true;
}

int slice_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Removes one character, decoded. False if it is wrongly encoded or a NUL. */
static bool take_decoded(struct slice *rest, bool plus_is_blank, char *c)
{
    *c = *slice_take(rest, 1).data;
    if (*c == '+' && plus_is_blank)
        *c = ' ';
    if (*c != '%')
        return *c != '\0';
    if (rest->size < 2)
        return false;
    int high = slice_hex_value(rest->data[0]), low = slice_hex_value(rest->data[1]);
    slice_take(rest, 2);
    *c = (char)(high * 16 + low);
    return high >= 0 && low >= 0 && *c != '\0';
}

bool slice_percent_decode(struct slice slice, bool plus_is_blank, char *text, size_t size)
{
    size_t length = 0;
    while (slice.size > 0) {
        char c;
        if (!take_decoded(&slice, plus_is_blank, &c) || length + 1 >= size)
            return false;
        text[length++] = c;
    }
    if (size == 0)
        return false;
    text[length] = '\0';
    return true;
}
