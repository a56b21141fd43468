/* The WebSocket handshake: which clients may have a connection, and what is negotiated. Private to
 * net/. */
#ifndef HEATCAST_NET_UPGRADE_H
#define HEATCAST_NET_UPGRADE_H

#include "net/exchange.h"
#include "stream/session.h"

/* Answers a request for a WebSocket that will speak `protocol`: 101, or an error that says why not.
 * The `symbols` of the query are subscribed to. On the connection's loop. */
void upgrade_answer(struct exchange *exchange, const struct http_head *head,
                    const struct session_protocol *protocol);

#endif
