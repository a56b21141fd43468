/* The network side: listeners, worker loops, connections, and what they are asked for
 * (docs/protocol.md). The main thread makes, starts and ends it. */
#ifndef HEATCAST_NET_SERVER_H
#define HEATCAST_NET_SERVER_H

#include "config/config.h"
#include "net/backend.h"
#include "ops/metrics.h"
#include "stream/publisher.h"

struct net_server;

/* Binds and makes the workers, whose mailboxes then take mail. What is passed must outlive the
 * server; the backend is not used before net_server_start(). STATUS_IO: it cannot listen on the
 * address; STATUS_INVALID: the certificate or its key cannot be used; the message says why. */
enum status net_server_create(const struct config *config, struct publisher *publisher,
                              const struct backend *backend, struct metrics *metrics,
                              struct net_server **server, struct error *error);

/* Loads TLS_CERT and TLS_KEY again, for connections from now on. STATUS_INVALID: they cannot be
 * used, and everything stays as it was. */
enum status net_server_reload_tls(struct net_server *server, struct error *error);

/* Opens /ws/echo, for conformance suites. Before the start. */
void net_server_open_echo(struct net_server *server);

/* Starts one thread per worker, and those that answer questions. */
void net_server_start(struct net_server *server);

/* The port it listens on (the system's choice where port 0 was asked for). */
int net_server_port(const struct net_server *server);

/* To be called about once a second, on one thread: the last minute's counters. */
void net_server_tick(struct net_server *server);

/* Stops listening, tells every client (1001), and flushes what is queued, for 4 s at most; returns
 * at once. */
void net_server_begin_stop(struct net_server *server);

/* Answers 503 to the questions that wait, cancels those under way and waits for them; then waits
 * until the clients are gone. When it returns, no thread of the server is left, and the backend is
 * never used again. */
void net_server_join(struct net_server *server);

void net_server_destroy(struct net_server *server); /* after the last publication */

#endif
