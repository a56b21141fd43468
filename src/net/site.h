/* What this server is called by those who ask: the scheme, host and port of the address that a
 * client used, which proxies may have changed on the way. Private to net/. Any thread. */
#ifndef HEATCAST_NET_SITE_H
#define HEATCAST_NET_SITE_H

#include "wire/http_head.h"

#include <stdbool.h>

/* Slices of the request's head. */
struct site {
    struct slice scheme; /* "http" or "https"; empty: not known */
    struct slice host;   /* empty: the request names none */
    int port;            /* 0: that of the scheme */
};

/* `has_tls`: the client's connection, or that of the proxy, is encrypted. `is_from_proxy`: the peer
 * is a trusted proxy, whose X-Forwarded-Proto, -Host and -Port are believed. */
void site_find(const struct http_head *head, bool has_tls, bool is_from_proxy, struct site *site);

/* Whether a page may connect (RFC 6455 §10.2): `allowed` is WS_ALLOWED_ORIGINS; where it is empty,
 * the site's own pages may. Programs send no Origin, and may. */
bool site_admits_origin(const struct site *site, const char *allowed, const struct http_head *head);

#endif
