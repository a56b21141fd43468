/* The process's own figures, as Prometheus names them (process_*). Any thread. */
#ifndef HEATCAST_OPS_PROCESS_H
#define HEATCAST_OPS_PROCESS_H

#include "base/buffer.h"

/* A collector for ops/metrics; `context` is not used. */
void process_collect(struct buffer *out, void *context);

#endif
