/* The one table of HTTP paths. Private to net/. */
#ifndef HEATCAST_NET_ROUTES_H
#define HEATCAST_NET_ROUTES_H

#include "net/http.h"

/* Answers the request, now or later. */
void routes_dispatch(struct http_exchange *exchange, const struct http_head *head);

#endif
