/* What the HTTP API asks of the rest of the program (net/backend.h), answered. */
#ifndef HEATCAST_SERVE_BACKEND_H
#define HEATCAST_SERVE_BACKEND_H

#include "net/backend.h"

struct server;

/* The server must outlive all questions, and net_server_join() waits for the last of them. */
struct backend backend_of(struct server *server);

#endif
