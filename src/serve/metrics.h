/* The metrics of the database and the generator, and of the program itself. */
#ifndef HEATCAST_SERVE_METRICS_H
#define HEATCAST_SERVE_METRICS_H

#include <stdint.h>

struct server;

/* Makes the server's histograms and registers its collectors. At start. */
void serve_metrics_init(struct server *server);

/* What a symbol tick has cost. `server` is a struct server. Any thread. */
void serve_metrics_on_computed(uint64_t query_ns, uint64_t compute_ns, void *server);

#endif
