/* The score of each symbol's map as a metric, and the calibration of its snapshots: computed now
 * and then, on a thread of its own. */
#ifndef HEATCAST_SERVE_SCORING_H
#define HEATCAST_SERVE_SCORING_H

#include "base/buffer.h"

struct server;
struct scoring;

/* Scores every symbol of a server that has a database each SCORE_EVERY seconds, the first time when
 * these or a minute are over. NULL if that is 0 or there is no database. The server's parts must
 * outlive it. */
struct scoring *scoring_start(struct server *server);

/* Ends the thread, and what it computes; returns when it is gone. NULL is harmless. What was found
 * stays readable until scoring_destroy(). */
void scoring_stop(struct scoring *scoring);
void scoring_destroy(struct scoring *scoring);

/* For ops/metrics.h; `context` is the server. Nothing before there is a score. */
void scoring_collect_metrics(struct buffer *out, void *context);

#endif
