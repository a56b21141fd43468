/* A piece of text that is owned elsewhere: bytes with a size, not terminated. What parsers of
 * settings, queries, headers and files are written with.
 *
 * A function that takes `struct slice *rest` cuts something off it: what it returns or sets is gone
 * from `rest`. Slices are valid as long as the text they point into. Any thread. */
#ifndef HEATCAST_BASE_SLICE_H
#define HEATCAST_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *data; /* never NULL, unless the slice is {0} */
    size_t size;
};

/* For "%.*s"; an error message shows at most 60 bytes of what it quotes. */
#define SLICE_SHOWN_MAX 60
#define slice_arguments(slice)                                                                     \
    (int)((slice).size < SLICE_SHOWN_MAX ? (slice).size : SLICE_SHOWN_MAX), (slice).data

/* Copies as much of it for the log. Returns `text`. */
const char *slice_show(struct slice slice, char text[SLICE_SHOWN_MAX + 1]);

static inline struct slice slice_of(const char *text)
{
    return (struct slice){text, strlen(text)};
}

/* An empty slice may have no data, which the functions of the C library must not be given. */
static inline bool slice_equals(struct slice slice, const char *text)
{
    return strlen(text) == slice.size &&
           (slice.size == 0 || memcmp(slice.data, text, slice.size) == 0);
}

bool slice_equals_ignoring_case(struct slice slice, const char *text); /* of ASCII letters */
bool slice_starts_with(struct slice slice, const char *prefix);

/* Without the blanks and tabs around it. */
struct slice slice_trim(struct slice slice);

/* Removes the first `count` bytes, and returns them. `count` is at most the size. */
struct slice slice_take(struct slice *rest, size_t count);

/* Removes the longest front of which `accepts` takes every byte, and returns it. */
struct slice slice_take_while(struct slice *rest, bool (*accepts)(char c));

/* Removes `prefix` if the slice starts with it. False, and nothing is removed, otherwise. */
bool slice_try_take(struct slice *rest, const char *prefix);

/* Removes what stands before the first `separator`, and the separator. Without one `before` is all
 * of it, and false is returned. */
bool slice_split(struct slice *rest, char separator, struct slice *before);

/* Removes what stands behind the last `separator`, and the separator. Without one `after` is all of
 * it, and false is returned. */
bool slice_split_last(struct slice *rest, char separator, struct slice *after);

/* Removes the next word, with the separators before it. Words stand between any number of the
 * characters in `separators`, so none is empty. False, with nothing left, when there is none. */
bool slice_take_word(struct slice *rest, const char *separators, struct slice *word);

/* Walks a list, "a, b,c": the next item without the blanks around it. False at the end. A list of n
 * separators has n + 1 items, some of which may be empty. `struct slice_list list = {.rest =
 * text};` */
struct slice_list {
    struct slice rest;
    bool is_at_end;
};
bool slice_list_next(struct slice_list *list, char separator, struct slice *item);

/* Copies it with a terminator. False, and nothing is written, if `size` is not enough or the slice
 * holds a NUL. */
bool slice_copy(struct slice slice, char *text, size_t size);

/* A whole number without sign, decimal digits alone, up to `max`. False if it is none. */
bool slice_parse_unsigned(struct slice slice, uint64_t max, uint64_t *value);

/* A finite number as people write it, "-1.5" or "2e3", of at most 63 characters. False if it is
 * none: hexadecimal and the names of NaN and infinity are not, nor are blanks around it. */
bool slice_parse_double(struct slice slice, double *value);

/* The value of a hexadecimal digit, or -1. */
int slice_hex_value(char c);

/* Undoes percent-encoding (RFC 3986 §2.1) into `text`, with a terminator. '+' stands for a blank
 * where `plus_is_blank`, as in queries. False if it is wrongly encoded, decodes to a NUL, or does
 * not fit. */
bool slice_percent_decode(struct slice slice, bool plus_is_blank, char *text, size_t size);

#endif
