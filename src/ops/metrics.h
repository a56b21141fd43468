/* The Prometheus text page (exposition format 0.0.4): modules register a function that writes
 * their families, and the page calls all of them. Registration happens at start, before the first
 * page. A page may be rendered on any thread, and two at a time, so collectors read atomics or
 * take locks. */
#ifndef HEATCAST_OPS_METRICS_H
#define HEATCAST_OPS_METRICS_H

#include "base/buffer.h"
#include "ops/histogram.h"
#include "ops/summary.h"

struct metrics;

struct metrics *metrics_create(void);
void metrics_destroy(struct metrics *metrics);

void metrics_register(struct metrics *metrics, void (*collect)(struct buffer *out, void *context),
                      void *context);
void metrics_render(struct metrics *metrics, struct buffer *out);

/* For collectors. `type` is counter, gauge, summary or histogram. */
void metrics_family(struct buffer *out, const char *name, const char *type, const char *help);

void metrics_sample(struct buffer *out, const char *name, double number);

/* A sample with one label. The value is escaped. */
void metrics_labelled(struct buffer *out, const char *name, const char *label, const char *value,
                      double number);

/* All samples of a histogram, or of a summary with one label; in seconds. */
void metrics_histogram(struct buffer *out, const char *name,
                       const struct histogram_reading *reading);
void metrics_summary(struct buffer *out, const char *name, const char *label, const char *value,
                     const struct summary_reading *reading);

#endif
