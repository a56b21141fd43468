/* The one table of HTTP paths: takes a request to what answers it. Private to net/. */
#ifndef HEATCAST_NET_ROUTES_H
#define HEATCAST_NET_ROUTES_H

#include "net/exchange.h"

/* Takes the next request off exchange->in, if it is complete, and answers it: at once, or later
 * when the hub or a thread has the answer. One that is not HTTP is answered with an error. On the
 * exchange's loop; must not be called while the exchange waits, or before its answer is out. */
enum exchange_progress routes_serve_next(struct exchange *exchange);

/* The next request has begun to come and is not complete in time. It is answered at once, and the
 * connection ends behind it. */
void routes_serve_late(struct exchange *exchange);

#endif
