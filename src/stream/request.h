/* The messages of /ws/heatmap (docs/protocol.md): subscribe, unsubscribe, ping, and the errors and
 * acknowledgements that answer them. On the session's loop. */
#ifndef HEATCAST_STREAM_REQUEST_H
#define HEATCAST_STREAM_REQUEST_H

#include "stream/session.h"

#define REQUEST_SIZE_MAX 4096
#define REQUESTS_PER_SECOND 10
#define REQUESTS_BURST 20
#define REQUEST_FRAMES_MAX 5000         /* a second: pings too, which no message rate counts */
#define REQUEST_RATE_VIOLATIONS_MAX 100 /* refused messages after which the client is closed */

extern const struct session_protocol request_protocol;

/* Subscribes to the symbols named at connect ("BTCUSDT,ETHUSDT"). */
void request_subscribe_list(struct session *session, const char *symbols);

#endif
