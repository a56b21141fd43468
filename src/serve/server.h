/* `heatcast serve`: the composition root. The only place that knows every module; it wires the
 * generator to the publisher and the network side to the database through callbacks. */
#ifndef HEATCAST_SERVE_SERVER_H
#define HEATCAST_SERVE_SERVER_H

#include "config/config.h"

#include <stdbool.h>

struct server_options {
    bool is_demo;  /* simulate a market in the database */
    bool has_echo; /* open /ws/echo, for conformance suites */
};

/* Runs until SIGTERM or SIGINT. STATUS_OK after an orderly end; else what kept it from starting. */
enum status server_run(const struct config *config, const struct server_options *options,
                       struct error *error);

#endif
