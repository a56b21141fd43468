/* Hosts, and origins of web pages (RFC 6454), as settings allow them: "example.com",
 * "*.example.com:8443", "https://example.com", "null". Pure. Any thread.
 *
 * A list is the text of its setting, its entries between commas or blanks, or "*" for all. It is
 * checked once and read again for each question: lists are short. */
#ifndef HEATCAST_CONFIG_WEB_ORIGIN_H
#define HEATCAST_CONFIG_WEB_ORIGIN_H

#include "base/error.h"
#include "base/slice.h"

#include <stdbool.h>

/* Slices of somebody else's text. Those of "null" and "file://" have no host. */
struct web_origin {
    struct slice scheme, host; /* an IPv6 address with its brackets */
    int port;                  /* 0: none is given, and the scheme has none of its own */
};

/* 80, 443, or 0 where the scheme has no port of its own. */
int web_origin_default_port(struct slice scheme);

/* Whether they are the same host: names in any case and with or without a dot at their end. */
bool web_host_is_same(struct slice one, struct slice other);

/* STATUS_INVALID: the message quotes the entry that is wrong and says what is allowed. */
enum status web_host_check_list(const char *list, struct error *error);
enum status web_origin_check_list(const char *list, struct error *error);

/* `list` must have passed the check. An entry without a port is for all of them; one with 80 or 443
 * also fits a `port` of 0, that of an unknown scheme. */
bool web_host_is_listed(const char *list, struct slice host, int port);

/* `list` must have passed the check. An entry without a port is for the scheme's own. */
bool web_origin_is_listed(const char *list, const struct web_origin *origin);

#endif
