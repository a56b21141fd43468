/* Figures as exchanges write them in JSON: as numbers or as text, times in whatever unit. Pure; any
 * thread. Values may be NULL, for members that are not there, and are then no figure. */
#ifndef HEATCAST_SOURCES_COLLECT_EXCHANGE_JSON_H
#define HEATCAST_SOURCES_COLLECT_EXCHANGE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum exchange_figure {
    EXCHANGE_FIGURE_EXACT,
    EXCHANGE_FIGURE_ROUNDED,   /* it has digits beyond the eighth decimal */
    EXCHANGE_FIGURE_TOO_LARGE, /* beyond what a decimal holds: `value_e8` is not set */
    EXCHANGE_FIGURE_NONE,      /* no number; NaN and infinity are none */
};

/* Reads value * 10^shift. `approximate` (may be NULL) is set to it as a double whenever there is a
 * number. */
enum exchange_figure exchange_json_decimal(const json_t *value, int shift, int64_t *value_e8,
                                           double *approximate);

/* A whole number from 0 to 2^53. False if it is none. */
bool exchange_json_whole(const json_t *value, int64_t *number);

/* A time in seconds, milliseconds, microseconds or nanoseconds since 1970: its size tells which.
 * False, and nothing is set, if it is no whole number above 0. */
bool exchange_json_time(const json_t *value, int64_t *time_ms);

/* A member that has to be there: null if it is not. */
const json_t *exchange_json_member(const json_t *object, const char *key);

/* The same of a list's item. */
const json_t *exchange_json_at(const json_t *list, size_t index);

/* The text of a member; NULL if there is none, or it is no text. */
const char *exchange_json_text(const json_t *object, const char *key);

/* Whether a member is this text. */
bool exchange_json_is(const json_t *object, const char *key, const char *text);

/* What a message quotes of a value: its text, or "nothing". Returns `text`. */
enum { EXCHANGE_SHOWN_SIZE = 48 };
const char *exchange_json_show(const json_t *value, char text[EXCHANGE_SHOWN_SIZE]);

#endif
