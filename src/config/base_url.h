/* Base addresses of servers that heatcast asks: scheme://host[:port][/path]. Any thread. */
#ifndef HEATCAST_CONFIG_BASE_URL_H
#define HEATCAST_CONFIG_BASE_URL_H

#include "base/error.h"

#define BASE_URL_SIZE 256

/* `schemes` ends with NULL; two at most are named in the error. The URL is kept without the slashes
 * at its end, so that a path can follow. STATUS_INVALID: the message quotes the text and says what
 * is allowed. */
enum status base_url_parse(const char *text, const char *const *schemes, char url[BASE_URL_SIZE],
                           struct error *error);

#endif
