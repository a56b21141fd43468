/* The one table of HTTP paths. Private to net/. */
#ifndef HEATCAST_NET_ROUTES_H
#define HEATCAST_NET_ROUTES_H

#include "net/http.h"

/* Answers the request, now or later. */
void routes_dispatch(struct http_exchange *exchange, const struct http_head *head);

/* Runs a backend question on the thread pool and answers with its result. */
struct backend_request;
void routes_ask_backend(struct http_exchange *exchange, const struct backend_request *request);

/* The connection has gone: the work's result will be dropped. */
void http_work_abandon(struct http_work *work);

#endif
