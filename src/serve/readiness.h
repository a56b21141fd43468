/* Whether the server can do its work: GET /readyz. */
#ifndef HEATCAST_SERVE_READINESS_H
#define HEATCAST_SERVE_READINESS_H

#include "base/buffer.h"
#include "base/error.h"

struct server;

/* Appends {"status","checks":{...}}, which names each part that fails. STATUS_IO: one does. Opens
 * the database, and so may block; any thread but a worker loop's. */
enum status readiness_append_json(struct server *server, struct buffer *out, struct error *error);

#endif
