/* `heatcast serve`: the parts of the program joined into a server, from start to end. */
#ifndef HEATCAST_SERVE_SERVER_H
#define HEATCAST_SERVE_SERVER_H

#include "config/config.h"

#include <stdbool.h>

struct server_options {
    bool is_demo;       /* simulate a market in the database */
    bool is_collecting; /* fill the database from the exchanges; not with is_demo */
    bool is_replaying;  /* serve the past from replay_from_ms on, replay_speed times as fast; with
                           neither of the other two, nor as a relay */
    int64_t replay_from_ms;
    double replay_speed;
    bool has_echo; /* open /ws/echo, for conformance suites */
};

/* Runs on the calling thread until SIGTERM or SIGINT. STATUS_OK after an orderly end; otherwise
 * what kept it from starting, with a message for a person. */
enum status server_run(const struct config *config, const struct server_options *options,
                       struct error *error);

#endif
