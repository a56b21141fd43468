/* `serve --collect`: the collector beside the generator, and what a person and Prometheus learn of
 * it. All of it is harmless in a server that does not collect. */
#ifndef HEATCAST_SERVE_COLLECTING_H
#define HEATCAST_SERVE_COLLECTING_H

#include "base/error.h"
#include "base/json.h"

#include <stddef.h>

struct server;

/* Starts the collector; what it hears goes to the generator, which is there already. Main thread.
 * Errors as collector_start(). */
enum status collecting_start(struct server *server, struct error *error);

/* A member "collect" for /readyz: what is missing, what waits to be written, and the streams that
 * are not well, of which at most COLLECTING_NAMED_MAX are named. Any thread. */
#define COLLECTING_NAMED_MAX 20
void collecting_append_json(struct server *server, struct json *json);

/* How the streams stand, to be read several times; NULL where nothing is collected. For free(). Any
 * thread. */
struct source_reading *collecting_read(struct server *server, size_t *count);

/* A member "streams" with those of a symbol, if there are any. */
void collecting_append_streams(const struct source_reading *readings, size_t count,
                               size_t symbol_index, struct json *json);

/* For metrics_register(); `server` is a struct server. */
void collecting_collect_metrics(struct buffer *out, void *server);

#endif
