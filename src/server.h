/* `heatcast serve`: the composition root. The only place that knows every module; it wires the
 * generator to the publisher and the network side to the database through callbacks. */
#ifndef HEATCAST_SERVER_H
#define HEATCAST_SERVER_H

#include "config/config.h"

#include <stdbool.h>

/* Runs until SIGTERM or SIGINT. STATUS_OK after an orderly end; else what kept it from starting. */
enum status server_run(const struct config *config, bool is_demo, struct error *error);

#endif
