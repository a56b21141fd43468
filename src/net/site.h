/* What this server is called by those who ask: the scheme, host and port of the address that a
 * client used, which proxies may have changed on the way. Private to net/. Any thread. */
#ifndef HEATCAST_NET_SITE_H
#define HEATCAST_NET_SITE_H

#include "config/config.h"
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

/* Whether the server answers for the host of a site in which no proxy is believed. `allowed` is
 * ALLOWED_HOSTS; where it is empty, all hosts are answered, or of names only those of this machine
 * (`is_local`). IP addresses always are, as are requests that name no host. */
bool site_is_answered(const struct site *site, const char *allowed, bool is_local);

/* Whether only this machine can connect to the address that is listened on, and nothing proves the
 * server's name to browsers: then `is_local` holds. */
bool site_is_local(const struct config *config);

/* Whether a page may connect (RFC 6455 §10.2): `allowed` is WS_ALLOWED_ORIGINS; where it is empty,
 * the site's own pages may. Programs send no Origin, and may. */
bool site_admits_origin(const struct site *site, const char *allowed, const struct http_head *head);

#endif
