/* Lets libuv drive a hiredis connection. Private to cluster/.
 *
 * hiredis has an adapter for libuv, but that of 0.14 (Debian 12) drops the event by which libuv
 * reports an error on the socket, after which no other comes: a connection that is refused or
 * reset would only be noticed by the link's timeouts. */
#ifndef HEATCAST_CLUSTER_REDIS_POLL_H
#define HEATCAST_CLUSTER_REDIS_POLL_H

#include <hiredis/async.h>
#include <uv.h>

#include <stdbool.h>

/* Once, right after the connection was begun. False: the socket cannot be watched. */
bool redis_poll_attach(redisAsyncContext *context, uv_loop_t *loop);

#endif
