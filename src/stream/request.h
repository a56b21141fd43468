/* The messages of /ws/heatmap (docs/protocol.md): subscribe, unsubscribe, ping, and the errors and
 * acknowledgements that answer them. How many a client may send is in stream/allowance.h. On the
 * session's loop. */
#ifndef HEATCAST_STREAM_REQUEST_H
#define HEATCAST_STREAM_REQUEST_H

#include "stream/session.h"

#define REQUEST_SIZE_MAX 4096
#define REQUEST_ID_SIZE_MAX 64
#define REQUEST_REFUSED_SIZE_MAX 512 /* of a refused message whose id is looked for */
#define REQUEST_FRAMES_MAX 5000      /* a second: pings too, which no allowance counts */
#define REQUEST_REFUSALS_MAX 100     /* refused messages after which the client is closed */

extern const struct session_protocol request_protocol;

/* Subscribes to the symbols named at connect ("BTCUSDT,ETHUSDT"). */
void request_subscribe_list(struct session *session, const char *symbols);

#endif
